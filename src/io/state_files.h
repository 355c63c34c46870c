/*
 * The files of a database, its log among them, where SQLite does not help: the
 * directory that they are in; who has them; copies, to be read where they cannot
 * be written, because it reads no log that it may not write to; and getting them
 * out of the way.
 *
 * Thread: any.
 */
#ifndef ACCESSLOG_STATE_FILES_H
#define ACCESSLOG_STATE_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "accesslog/buf.h"

/*
 * Creates the directory, where only its last part is missing.
 *
 * ret_lacks_parent  whether it is not there, and cannot be: what it is in is
 *                   missing, or what it is a symbolic link to
 *
 * Returns 0, also where the file system is read-only, which opening a file
 * tells; -Exxx.
 */
int state_files_make_directory(const char *directory, bool *ret_lacks_parent)
    __attribute__((warn_unused_result));

/*
 * Who has the file locked, or 0 where the system does not say.  Nobody of this
 * process has it open.
 */
pid_t state_files_holder(const char *path);

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
