/*
 * A format under construction: what the readers of the syntaxes share.
 *
 * Texts are copied into the format.  Columns are those of the user's text.
 * All return 0, -EINVAL with the error set, or -ENOMEM.
 */
#ifndef ACCESSLOG_FORMAT_BUILD_H
#define ACCESSLOG_FORMAT_BUILD_H

#include <stdbool.h>

#include "accesslog/bounds.h"
#include "accesslog/format.h"

struct format_build {
	struct format *format;
	struct config_error *reterr;
	size_t capacity; /* of format->items */
	unsigned depth;
	bool is_field[BOUNDS_FORMAT_DEPTH]; /* what was opened at each depth */
};

/* One item at a depth.  Adjacent literals and expressions become one. */
int format_build_add(struct format_build *b, enum format_item_kind kind,
    unsigned depth, unsigned shift, size_t column, struct str text)
    __attribute__((warn_unused_result));

/* Opens a group (head: its regex text) or a field (head: its name). */
int format_build_open(struct format_build *b, bool is_field, unsigned shift,
    size_t column, struct str head) __attribute__((warn_unused_result));

/* tail: ")" with its quantifier; not used for a field. */
int format_build_close(struct format_build *b, size_t column, struct str tail)
    __attribute__((warn_unused_result));

/*
 * The unit of a field as a power of ten (struct format_item).
 *
 * otherwise  what else the user may have meant, behind what to write
 */
int format_build_read_unit(struct str field, struct str unit, size_t column,
    const char *otherwise, unsigned *ret_shift, struct config_error *reterr)
    __attribute__((warn_unused_result));

/*
 * A format without any of the fields that a line is counted by: -EINVAL where
 * one of its fields was meant to be one, with its column; else 0.
 */
int format_build_refuse_misspelt(const struct format *f,
    struct config_error *reterr) __attribute__((warn_unused_result));

#endif
