/*
 * The text of a gzip file, at any offset.
 *
 *	text      0 ........ [ kept: what came last ) at ........ end
 *	                     '-- no more is inflated -'
 *
 * Inflating only goes forward.  So reading on is as cheap as it can be, reading
 * again what came last costs a copy, and going back further costs inflating
 * from the beginning.  For text read in one go, with unfinished lines read
 * again, that is what is wanted.
 *
 * Members that follow each other are one text (RFC 1952, 2.2), zeros behind
 * them are padding.  A file whose writer is still at it ends in the middle of a
 * member: what it has so far is the text so far, and a later read goes on with
 * what was added.
 *
 * Thread: one at a time.
 */
#ifndef ACCESSLOG_GUNZIP_H
#define ACCESSLOG_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gunzip;

/*
 * fd          of a regular file, read by pread(2): its position neither matters
 *             nor changes; taken on success
 * ret_gunzip  owned by the caller, gunzip_close(); untouched on failure
 *
 * Returns 0 or -ENOMEM.  Reads nothing yet.
 */
int gunzip_open(int fd, struct gunzip **ret_gunzip)
    __attribute__((warn_unused_result));

/* Closes the descriptor as well.  NULL does nothing. */
void gunzip_close(struct gunzip *g);

/*
 * As pread(2), of the text.
 *
 * Returns how many bytes, fewer than len only at the end or before what cannot
 * be read: then the next call says why.  0 at the end and beyond it; -EBADMSG:
 * corrupt, or not gzip at all; -EIO ...: from the system; -ENOMEM.
 * Cost: of what was not inflated yet.  Of the text that was read last,
 * BOUNDS_READ_BYTES are kept; before that, everything again.
 */
ssize_t gunzip_read_at(struct gunzip *g, char *to, size_t len, uint64_t offset)
    __attribute__((warn_unused_result));

/* How much of the file was inflated so far. */
uint64_t gunzip_compressed_bytes(const struct gunzip *g);

/*
 * After a read has come to the end: whether that is in the middle of a member,
 * because the file was cut or its writer is not done.
 */
bool gunzip_is_torn(const struct gunzip *g);

#endif
