/*
 * Where text ends that no quote ends and that may itself hold its delimiter:
 * where the next column, a number or a protocol, looks like one.
 *
 *	"$request;$status;$body_bytes_sent"
 *
 *	GET /a;200;b HTTP/1.1;404;17
 *	      ^   ^          ^
 *	      |   |          ;, three digits, ; and digits: the end
 *	      |   no three digits
 *	      ;, three digits and ;, but then no digits
 */
#ifndef ACCESSLOG_FORMAT_END_H
#define ACCESSLOG_FORMAT_END_H

#include "format_columns.h"

/*
 * Adds "(?:", the expression of text up to where it is known to end, and "|".
 * Of lines without such an end the caller adds what it is there, and ")".
 *
 * i             the piece that is the text, a field
 * in_quotes     a backslash escapes what would end it
 * ret_is_known  whether there is such an end; if not, nothing is added
 *
 * Returns 0, -ENOMEM, -EOVERFLOW.
 */
int format_end_add(struct buf *out, const struct format_columns *c, size_t i,
    bool in_quotes, bool *ret_is_known) __attribute__((warn_unused_result));

#endif
