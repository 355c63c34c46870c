/*
 * What lies beside a log: files that were at its path, or copies of what was,
 * under the names that rotations give, compressed by gzip or not.
 *
 *	access.log        B, which a look finds in place of A
 *	access.log.1      M: came after the last look; read whole
 *	access.log.2.gz   A, which was read to some offset; has the rest of it
 *	access.log.3.gz   older: read, or there, long before
 *
 * They are looked for in the directory of the log, and in that of the file
 * that it links to.
 */
#ifndef ACCESSLOG_ROTATED_H
#define ACCESSLOG_ROTATED_H

#include "io/file.h"
#include "io/listing.h"

/* Takes file, or destroys it. */
typedef void (*rotated_fn)(void *arg, struct file *file);

/*
 * Files that came to the path and were rotated away again between two looks,
 * so that no descriptor of theirs was ever had; the oldest first.
 *
 * listing  of this look, or NULL, here and below
 * path     of the log
 * since    of the first look, by the clock of the file system's time stamps
 * source   of the files that are found
 *
 * A file came after that look if it was made after it; a compressed one, if
 * what is in it was last written after it.  What cannot be opened or is
 * compressed otherwise is passed over, and so is what is compressed from a
 * file that is still there.
 */
void rotated_visit(struct listing *listing, const char *path,
    struct timespec since, struct ingest_source *source, rotated_fn take,
    void *arg);

/*
 * The file of this identity, whatever its name.
 *
 * known          has anchor at known->known.offset; where that is 0 the device
 *                must be the same, else it may have another number since a
 *                restart
 * ret_is_hidden  whether there is one that may be it and cannot be read now
 *
 * Returns it, opened and inflated, at offset 0; or NULL.
 */
struct file *rotated_find_id(struct listing *listing, const char *path,
    const struct file *known, struct ingest_source *source,
    bool *ret_is_hidden);

/*
 * The file of this identity at the path or under a rotation's name, where what
 * was read of it is not in it any more: it was cut, and perhaps renamed.
 *
 * Returns it, opened, at offset 0; or NULL, also where no birth time tells that
 * the inode is not used anew.
 */
struct file *rotated_find_cut(struct listing *listing, const char *path,
    const struct file *known, struct ingest_source *source);

/*
 * The file under a rotation's name that has what was read of known up to this
 * anchor, and what comes after it: a copy, or the same compressed.
 *
 * path  of the log, or of one of its rotated files
 *
 * Returns it, opened and inflated, at offset 0; or NULL.
 */
struct file *rotated_find_rest(struct listing *listing, const char *path,
    const struct file *known, const struct file_anchor *at,
    struct ingest_source *source);

/*
 * The path of the log that this one is rotated from; itself where it is not.
 * Owned by the caller; NULL without memory.
 */
char *rotated_log(const char *path) __attribute__((warn_unused_result));

/* Whether both are paths of one log or of files rotated from it. */
bool rotated_is_same_log(const char *a, const char *b);

/*
 * Whether name is stem with what a rotation adds: ".1", "-20260131", ".old",
 * and ".gz" behind it or alone.  "_443" and "-2" are other logs.  Both are
 * paths, or both are last parts.
 */
bool rotated_is_name(const char *name, const char *stem);

#endif
