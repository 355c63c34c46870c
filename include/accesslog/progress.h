/*
 * How far something is, as one line for people.
 *
 *	 45 % of 2.7 GB, 8.1 M lines/s, 3 s left [=========>           ]
 */
#ifndef ACCESSLOG_PROGRESS_H
#define ACCESSLOG_PROGRESS_H

#include <stdint.h>

#include "accesslog/buf.h"

struct progress {
	uint64_t n_bytes;
	uint64_t size_bytes; /* of all there is; 0: not known */
	uint64_t n_lines;
	uint64_t ms; /* since the start */
};

/*
 * Adds the line, without a newline, in n_columns characters: what does not fit
 * is cut, and the bar takes what is left.
 */
void progress_render(const struct progress *p, size_t n_columns,
    struct buf *out);

/* At the end: `2.7 GB, 11 M lines in 1.4 s, 8.1 M lines/s`. */
void progress_render_sum(const struct progress *p, struct buf *out);

#endif
