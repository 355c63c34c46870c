/*
 * Format text to one internal expression.  The only place that knows these
 * syntaxes:
 *
 *	combined                         a name of patterns/
 *	$remote_addr [$time_local] ...   nginx' log_format, or all of its
 *	                                 directive
 *	%h %l %u %t "%r" %>s %b          Apache's LogFormat, likewise
 *	%{COMBINED} %{SECONDS:urt}       grok: a regular expression in which
 *	                                 %{NAME} stands for an expression of
 *	                                 patterns/, and %{NAME:field} captures
 *	%{NUMBER:request_time:us}        the unit of a time; else it is seconds
 *	regex:(?<status>[0-9]+) .*       a regular expression and nothing else
 *	json                             lines of JSON (format_json.h)
 *
 * nginx:, apache: and grok: in front settle what the text leaves open.
 *
 * The expression is a sequence of items:
 *
 *	%{HOST:remote_addr} [%{DATE:time_local}]
 *	|_________________|| |_________________||
 *	OPEN REGEX CLOSE   |  OPEN REGEX CLOSE LITERAL "]"
 *	             LITERAL " ["
 *
 * Its core ends with the last of request, status and bytes; a line is a
 * request when its core fits.
 *
 * Of JSON, the items are fields with their paths, in no order; its core is any
 * of request, status and bytes:
 *
 *	json: status=status request_time=duration:ms
 *	      OPEN LITERAL "status" CLOSE OPEN LITERAL "duration" CLOSE
 */
#ifndef ACCESSLOG_FORMAT_H
#define ACCESSLOG_FORMAT_H

#include <stddef.h>

#include "accesslog/buf.h"
#include "accesslog/config_error.h"
#include "accesslog/str.h"

enum format_item_kind {
	FORMAT_LITERAL, /* text: bytes that match themselves */
	FORMAT_REGEX, /* text: a piece of a regular expression */
	FORMAT_OPEN, /* text: the name of the field that begins */
	FORMAT_CLOSE, /* the field opened last at this depth ends */
};

struct format_item {
	enum format_item_kind kind;
	unsigned depth; /* groups and fields that enclose it */
	unsigned shift; /* OPEN: unit as a power of ten, 6 for us (decimal.h) */
	size_t column; /* where in the user's text, from 1 */
	struct str text; /* borrows from the format */
};

enum format_kind {
	FORMAT_TEXT,
	FORMAT_JSON,
};

struct format {
	enum format_kind kind;
	struct buf text; /* what the items borrow from */
	struct format_item *items;
	size_t n_items;
	size_t n_core; /* the items up to the end of the core */
};

/*
 * text        a name, or a format in one of the syntaxes; copied
 * ret_format  owned by the caller, format_destroy(); untouched on failure
 * reterr      column and what to write instead; only with -EINVAL
 *
 * Whether the regular expression in it compiles is found by pattern_create().
 *
 * Returns 0, -EINVAL, -ENOMEM.
 */
int format_create(struct str text, struct format **ret_format,
    struct config_error *reterr) __attribute__((warn_unused_result));

/* NULL does nothing. */
void format_destroy(struct format *f);

/* Whether some field of the format has this name. */
bool format_has(const struct format *f, struct str field);

/*
 * The end of the unit that begins with item i: the items of a field or group
 * cannot be divided, any other is a unit of its own.
 */
size_t format_unit_end(const struct format *f, size_t i);

#endif
