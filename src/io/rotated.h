/*
 * Files that came to a path and were rotated away again between two looks, so
 * that no descriptor of theirs was ever had.
 *
 *	access.log      B, which a look finds in place of A
 *	access.log.1    M: came after the last look
 *	access.log.2    A, which is held
 *	access.log.3    older: read, or there, long before
 *
 * They are found beside the log (and beside what it links to), under its name
 * with what a rotation adds to it, younger than the last look that found a
 * file of ours at the path.
 */
#ifndef ACCESSLOG_ROTATED_H
#define ACCESSLOG_ROTATED_H

#include "io/file.h"

/* Takes file, or destroys it. */
typedef void (*rotated_fn)(void *arg, struct file *file);

/*
 * path    of the log
 * since   of that look, by the clock of the file system's time stamps
 * source  of the files that are found
 *
 * What cannot be opened, is empty or compressed is passed over.
 */
void rotated_visit(const char *path, struct timespec since,
    struct ingest_source *source, rotated_fn take, void *arg);

/*
 * Whether name is stem with what a rotation adds: ".1", "-20260131", ".old".
 * "_443" and "-2" are other logs.  Both are paths, or both are last parts.
 */
bool rotated_is_name(const char *name, const char *stem);

#endif
