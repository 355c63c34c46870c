/*
 * The shapes of expressions that scanner.c can do without PCRE2: how the end of
 * a value is searched for, and what else must hold where it is found.
 *
 *	%{QUOTED}  (?:[^"\\]*+(?:\\.[^"\\]*+)*+(?=")|.*?)
 *	           SHAPE_TO_STOP_UNESCAPED, stops " and \, SHAPE_AT_QUOTE
 *
 * In each of them what the search finds is the first that PCRE2 tries, and the
 * conditions rule out that PCRE2 finds something longer.
 */
#ifndef ACCESSLOG_SHAPE_H
#define ACCESSLOG_SHAPE_H

#include <stdbool.h>

#include "accesslog/str.h"

/* The bytes at which a value may end; few, or there is nothing to gain. */
#define SHAPE_STOPS 4

enum shape_search {
	SHAPE_NOWHERE, /* no shape has it: a literal alone */
	SHAPE_TO_STOP,
	SHAPE_TO_STOP_UNESCAPED, /* past what follows a backslash */
	SHAPE_PAST_DIGITS,
	SHAPE_PAST_DIGITS_OR_DASH,
};

enum shape_condition {
	SHAPE_MAY_BE_EMPTY = 1,
	SHAPE_NOT_IN_BRACKETS = 2, /* it did not begin with one */
	SHAPE_AT_QUOTE = 4,
	SHAPE_AT_SPACE = 8, /* or at the end of the line */
	SHAPE_NOT_AT_COMMA = 16,
	SHAPE_NOT_AT_LIST = 32, /* "," or " :" */
	SHAPE_NOT_AT_BACKSLASH = 64,
	SHAPE_AT_LITERAL = 128, /* no shape has it: all of a long literal */
	SHAPE_NOT_FROM_DIGIT = 256, /* it did not begin with one */
};

struct shape {
	enum shape_search search;
	unsigned conditions;
	size_t n_stops; /* none for digits */
	char stops[SHAPE_STOPS];
};

/*
 * expression  of one value, written as in patterns/, with all names expanded
 * literal     what follows it in the format; may be empty
 * ret_shape   untouched where the answer is false
 */
bool shape_find(struct str expression, struct str literal,
    struct shape *ret_shape);

#endif
