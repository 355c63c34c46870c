/*
 * Cuts whole lines out of a window of bytes, without copying any.
 *
 * The window is what was read from the file at some offset.  What is consumed
 * from it is finished for good; an unfinished last line is not consumed, and
 * the caller reads it again, from its start, once more is there.  So the file
 * itself is the carry, and an offset always stands at the start of a line.
 *
 * The policy, byte by byte:
 *
 *	NUL         a run at the start of a line is skipped (a sparse file
 *	            after copytruncate); inside a line it is a byte of the line
 *	EF BB BF    skipped at byte 0 of a file
 *	\n, \r\n    end a line; a lone \r is a byte of the line
 *	too long    a line above BOUNDS_LINE_BYTES is skipped up to and
 *	            including its newline, in as many windows as that takes,
 *	            and reported once, when it ends
 *
 * Every consumed byte is in exactly one of n_bytes.
 */
#ifndef ACCESSLOG_LINES_H
#define ACCESSLOG_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "accesslog/bounds.h"
#include "accesslog/str.h"

enum lines_class {
	LINES_BYTES_READ, /* of whole lines, with their newlines */
	LINES_BYTES_NUL,
	LINES_BYTES_BOM,
	LINES_BYTES_TOO_LONG,
	LINES_BYTES_N,
};

struct lines {
	uint64_t n_bytes[LINES_BYTES_N]; /* consumed, ever */
	bool at_start; /* nothing of the file was consumed */
	bool in_long_line;
};

enum lines_result {
	LINES_LINE, /* ret_line is one, perhaps empty */
	LINES_TOO_LONG, /* one that was too long has ended */
	LINES_MORE, /* the rest of the window is an unfinished line */
};

/* at_start: the next byte is byte 0 of its file. */
void lines_init(struct lines *l, bool at_start);

/*
 * window    what is left to look at; what is consumed is cut off its front
 * final     nothing will follow: an unfinished last line is a line
 * ret_line  without its newline; borrows from the window; only LINES_LINE
 *
 * Cost: one memchr a line.
 */
static inline enum lines_result lines_next(struct lines *l, struct str *window,
    bool final, struct str *ret_line);

/* As lines_next(), which asks it about all that is not a plain line. */
enum lines_result lines_next_odd(struct lines *l, struct str *window,
    bool final, struct str *ret_line);

/*
 * The line that the last call returned was not dealt with, and is at the front
 * of the window again.
 */
void lines_give_back(struct lines *l, struct str *window, struct str line);

static inline enum lines_result
lines_next(struct lines *l, struct str *window, bool final,
    struct str *ret_line)
{
	const char *data = window->data;
	const char *newline = NULL;
	size_t len;

	if (window->len && data[0] && !l->at_start && !l->in_long_line)
		newline = (const char *)memchr(data, '\n', window->len);
	len = newline ? (size_t)(newline - data) : SIZE_MAX;
	if (len > BOUNDS_LINE_BYTES || (len && newline[-1] == '\r'))
		return lines_next_odd(l, window, final, ret_line);
	*ret_line = str_of(data, len);
	*window = str_after(*window, len + 1);
	l->n_bytes[LINES_BYTES_READ] += len + 1;
	return LINES_LINE;
}

#endif
