/*
 * What this is, for --version and build_info.
 */
#ifndef ACCESSLOG_VERSION_H
#define ACCESSLOG_VERSION_H

const char *version_number(void);

/* The commit it was built from; empty outside of a repository. */
const char *version_revision(void);

const char *version_compiler(void);

#endif
