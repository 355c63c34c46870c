/*
 * Reads logs that are finished, once: files, parts of files, gzip files,
 * standard input.
 *
 * A large file is read in parts, so that several threads can:
 *
 *	part 0             part 1             part 2
 *	[line line li][ne line line line][line]
 *	             '-- BOUNDS_PART_BYTES: where a part is said to begin
 *	                '-- where it does: at the first line from there on
 *
 * A line belongs to the part in which it begins.  Where the parts are is a
 * matter of the file alone, so that the count does not depend on how many
 * threads read them.
 *
 * Thread: any; one call at a time for one stream.
 */
#ifndef ACCESSLOG_SCAN_H
#define ACCESSLOG_SCAN_H

#include <stdatomic.h>

#include "accesslog/ingest.h"

/* What was read so far, for others to look at meanwhile. */
struct scan_count {
	_Atomic uint64_t n_bytes; /* as scan_log has them */
	_Atomic uint64_t n_lines;
};

enum scan_kind {
	SCAN_TEXT, /* a regular file */
	SCAN_GZIP, /* a regular file too, in one part */
	SCAN_STREAM, /* standard input, a FIFO, a device */
};

struct scan_log {
	const char *path; /* "-" is standard input */
	enum scan_kind kind;
	uint64_t size_bytes; /* as they are on the disk; 0 of a stream */
	size_t n_parts; /* at least 1 */
};

/*
 * What a log is; opens no stream.
 *
 * path     borrowed by the log
 * ret_log  untouched on failure
 *
 * Returns 0; -ENOENT ...: from the system; -EISDIR; -EMEDIUMTYPE: compressed,
 * but not by gzip.
 */
int scan_look(const char *path, struct scan_log *ret_log)
    __attribute__((warn_unused_result));

/*
 * Read one part, a file that has grown since to its end.
 *
 * buffer  BOUNDS_SCAN_BYTES of it
 * stream  begun by ingest_stream_init(), at_start for part 0 alone; fed with
 *         everything, an unfinished last line too
 * count   added to as the reading goes on
 *
 * Returns 0; -ENOENT ...: from the system; -EMEDIUMTYPE: a stream that is
 * compressed; -EBADMSG: gzip that is corrupt; -ENODATA: gzip that ends too
 * early; -ERANGE: a file that has shrunk since scan_look(); -ENOMEM.  What was
 * read before a failure is counted.
 */
int scan_part(const struct scan_log *log, size_t part, char *buffer,
    struct ingest_stream *stream, struct scan_count *count)
    __attribute__((warn_unused_result));

/*
 * The first bytes of the text of a log.
 *
 * ret_len  fewer than size where it ends there
 *
 * Returns as scan_look() and scan_part(); a failure behind the first byte is
 * the end.
 */
int scan_head(const struct scan_log *log, char *buffer, size_t size,
    size_t *ret_len) __attribute__((warn_unused_result));

/* What a failure of these is, for people. */
const char *scan_failure(int error);

#endif
