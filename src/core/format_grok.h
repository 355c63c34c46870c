/*
 * Grok and regular expressions: a PCRE2 expression in which (?<field>...)
 * captures, %{NAME} stands for an expression of patterns/, and %{NAME:field}
 * captures what it matches.
 */
#ifndef ACCESSLOG_FORMAT_GROK_H
#define ACCESSLOG_FORMAT_GROK_H

#include "format_build.h"

/*
 * text             the user's text, or the definition of a shipped format
 * from             where in it the expression begins
 * with_references  %{NAME} means something
 *
 * Returns 0, -EINVAL, -ENOMEM.
 */
int format_grok_read(struct format_build *b, struct str text, size_t from,
    bool with_references) __attribute__((warn_unused_result));

/*
 * An expression of ours with %{NAME} in it, inside of a group: its errors have
 * the column of what in the user's text it is for.
 */
int format_grok_expand(struct format_build *b, struct str text, size_t column)
    __attribute__((warn_unused_result));

/* Adds a byte to such an expression, in which it stands for itself. */
void format_grok_add_byte(struct buf *out, char byte);

#endif
