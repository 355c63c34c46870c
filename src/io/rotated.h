/*
 * Files that came to a path and were rotated away again between two looks, so
 * that no descriptor of theirs was ever had.
 *
 *	access.log      B, which a look finds in place of A
 *	access.log.1    M: came after A, and is not a copy of it
 *	access.log.2    A, which is held
 *	access.log.3    older than A: read, or there, long before
 *
 * They are found beside the log, under its name with what a rotation adds to
 * it (".1", "-20260131", ".old"), younger than the file that was left.
 */
#ifndef ACCESSLOG_ROTATED_H
#define ACCESSLOG_ROTATED_H

#include "io/file.h"

/* Takes file, or destroys it. */
typedef void (*rotated_fn)(void *arg, struct file *file);

/*
 * path    of the log
 * left    the file that was there at the last look; open
 * source  of the files that are found
 *
 * What cannot be opened, is empty or compressed is passed over.
 */
void rotated_visit(const char *path, const struct file *left,
    struct ingest_source *source, rotated_fn take, void *arg);

#endif
