/*
 * The configuration in use: from the command line, from a file, or from both.
 */
#ifndef ACCESSLOG_CONFIG_FILE_H
#define ACCESSLOG_CONFIG_FILE_H

#include "accesslog/config.h"
#include "app/options.h"

/*
 * Whether a path that was given as one of a log is a configuration's: its name
 * ends in .yml or .yaml, and there is no file of that name, or one whose first
 * line that is no comment is a key.  A log may have any name, but not these
 * lines.
 */
bool config_file_is_meant(const char *path);

/*
 * Reads and parses one file.
 *
 * path  "-" is standard input
 *
 * Returns 0; -EINVAL with reterr; -ENOENT ...: from the system; -ENOMEM.
 */
int config_file_load(const char *path, struct config **ret_config,
    struct config_error *reterr) __attribute__((warn_unused_result));

/*
 * What the command line asks for: the file of --config.file, or the defaults;
 * files on the command line take the place of the sources in the file.
 *
 * Returns as config_file_load(); also -EINVAL where there is no source.
 */
int config_file_compose(const struct options *o, struct config **ret_config,
    struct config_error *reterr) __attribute__((warn_unused_result));

/*
 * What is wrong, as people look for it:
 *
 *	exporter.yml:3:9: ...           a file has a line and a column
 *	--format, column 7: ...         the command line has a column
 */
void config_file_explain(const struct options *o, int error,
    const struct config_error *why, struct buf *out);

/* The same to standard error, as one line, for what has not begun to run. */
void config_file_tell(const struct options *o, int error,
    const struct config_error *why);

/*
 * A field of a format that was probably meant to be another is warned of in
 * the log; for ingest_misspelt_visit().
 *
 * arg  const struct options **
 */
void config_file_log_misspelt(void *arg, const struct config_error *misspelt);

#endif
