/*
 * Reads a file or standard input once, from its beginning to its end.
 */
#ifndef ACCESSLOG_SCAN_H
#define ACCESSLOG_SCAN_H

#include "accesslog/ingest.h"

/*
 * path    a file, or "-" for standard input
 * stream  begun at byte 0; fed with everything, an unfinished last line too
 *
 * Returns 0; -ENOENT ...: from the system; -EISDIR; -EMEDIUMTYPE: compressed;
 * -ENOMEM.  What was counted before a failure stays counted.
 * Thread: the one of the stream.
 */
int scan_file(const char *path, struct ingest_stream *stream)
    __attribute__((warn_unused_result));

/*
 * The first bytes of a file, or of standard input.
 *
 * ret_len  fewer than size where the file ends there
 *
 * Returns as scan_file().
 */
int scan_head(const char *path, char *buffer, size_t size, size_t *ret_len)
    __attribute__((warn_unused_result));

#endif
