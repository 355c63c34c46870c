/*
 * The files of a database, its log among them, where SQLite does not help:
 * copied, to be read where they cannot be written, because it reads no log that
 * it may not write to; and renamed out of the way.
 *
 * Thread: any.
 */
#ifndef ACCESSLOG_STATE_FILES_H
#define ACCESSLOG_STATE_FILES_H

#include "accesslog/buf.h"

/*
 * Copies path, and path-wal where there is one, into a directory of its own in
 * $TMPDIR or /tmp, which nobody else may read.  Nobody writes to them
 * meanwhile.
 *
 * ret_copy  the copy's path; state_files_remove_copy()
 *
 * Returns 0, -ENOMEM, -Exxx.
 */
int state_files_copy(const char *path, char **ret_copy)
    __attribute__((warn_unused_result));

/* Removes the files, and frees; who has them open can read on. */
void state_files_remove_copy(char *copy);

/*
 * Renames them all, never over another.
 *
 * name  is set to what path is called then, terminated
 *
 * Returns 0, -ENOMEM, -Exxx.
 */
int state_files_set_aside(const char *path, struct buf *name)
    __attribute__((warn_unused_result));

#endif
