/*
 * The formats of patterns/ and their library of named expressions, compiled
 * into the program from those files.
 */
#ifndef ACCESSLOG_PATTERNS_H
#define ACCESSLOG_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/str.h"

enum patterns_kind {
	PATTERNS_BASE, /* a building block, for %{NAME} */
	PATTERNS_FORMAT, /* a whole line, for --format=NAME and %{NAME} */
};

struct patterns_row {
	enum patterns_kind kind;
	const char *name;
	const char *text; /* a grok expression */
	const char *description; /* one line */
	const char *sample; /* a line of it */
};

/* All rows, static; *ret_n of them. */
const struct patterns_row *patterns_all(size_t *ret_n);

/*
 * Returns the row of this name, or NULL.  Upper and lower case are the same:
 * patterns/combined.grok is %{COMBINED} inside an expression.
 */
const struct patterns_row *patterns_find(struct str name);

/*
 * Returns the row that a mistyped name was meant to be (spelling.h), or NULL;
 * also NULL where it is the beginning of several and of none all but a letter,
 * so that all of them may have been meant.  Upper and lower case are the same.
 *
 * in_expression  of those that %{NAME} can stand for; else of the formats
 */
const struct patterns_row *patterns_nearest(struct str name,
    bool in_expression);

#endif
