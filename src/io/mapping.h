/*
 * A piece of a regular file as memory, to be read by one thread.
 *
 * A file that is truncated while it is mapped takes pages away from under the
 * reader, and the system answers with SIGBUS.  Here it does not end the
 * program: from the first byte that cannot be had on the mapping reads as NULs,
 * and says so.
 *
 *	offset              the file's new end            offset + len
 *	|  text text text te|\0\0\0\0\0\0|\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0|
 *	                     '-- no fault  '-- a fault: mapping_is_cut()
 *	                                 '-- end of its page
 *
 * So who reads has to look at the file's size as well, afterwards.
 *
 * Thread: any, but one that has a mapping has no other, and only it may read
 * there.
 */
#ifndef ACCESSLOG_MAPPING_H
#define ACCESSLOG_MAPPING_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
	const char *data; /* the byte at the offset */
	size_t len;
	char *pages; /* what is mapped; it begins at a page */
	size_t n_pages_bytes;
	volatile sig_atomic_t is_cut;
};

/*
 * len    above 0, and within the file as it is now
 * ret_m  at rest until mapping_close(): it is known by its address
 *
 * Takes the program's SIGBUS over; one that is not about a mapping does what it
 * does by default.
 *
 * Returns false where the file is to be read instead.
 */
bool mapping_open(struct mapping *ret_m, int fd, uint64_t offset, size_t len)
    __attribute__((warn_unused_result));

/* Bytes were missing, or the disk has failed: NULs were read in their place. */
bool mapping_is_cut(const struct mapping *m);

void mapping_close(struct mapping *m);

#endif
