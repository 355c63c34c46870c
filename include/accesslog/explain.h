/*
 * Where a line stops being of a format, and what should stand there: for
 * people who wonder why their lines do not fit.
 *
 *	192.0.2.1 - - 20/Nov/2026:15:40:00 +0000 "GET / HTTP/1.1" 200 612
 *	             ^
 *	             expected "[" before time_local
 */
#ifndef ACCESSLOG_EXPLAIN_H
#define ACCESSLOG_EXPLAIN_H

#include "accesslog/buf.h"
#include "accesslog/format.h"

struct explain {
	size_t n_items; /* of the format, that fit one after the other */
	size_t offset; /* of the first byte of the line that does not fit */
};

/*
 * line      one whose core does not fit the format
 * ret       untouched on failure
 * expected  in words what should stand at the offset; added to
 *
 * Returns 0, -ENOMEM, or -EINVAL for a format that pattern_create() refuses.
 * Cost: compiles a part of the format several times.
 */
int explain_line(const struct format *format, struct str line,
    struct explain *ret, struct buf *expected)
    __attribute__((warn_unused_result));

#endif
