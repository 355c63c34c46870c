/*
 * Whether bytes are a compressed file's.  Logs are text, so the first bytes
 * tell.
 */
#ifndef ACCESSLOG_COMPRESSION_H
#define ACCESSLOG_COMPRESSION_H

#include <stdbool.h>

#include "accesslog/str.h"

/* Bytes that are enough to tell. */
#define COMPRESSION_MAGIC_BYTES 5

/* head: the first bytes of a file, fewer where it is shorter. */
bool compression_is(struct str head);
bool compression_is_gzip(struct str head);

#endif
