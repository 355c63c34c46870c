/*
 * A mistake of the user's: where it is and what to write instead.  Filled by
 * whoever reads the user's text; printed by src/app only.
 */
#ifndef ACCESSLOG_CONFIG_ERROR_H
#define ACCESSLOG_CONFIG_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/str.h"

/* Where a text of the user's begins; all zero where it is not known. */
struct config_place {
	size_t line; /* from 1 */
	size_t column; /* from 1, in bytes */
	/* It stands there byte for byte, so that columns in it can be added. */
	bool verbatim;
	/*
	 * Of a folded or literal text, what stands there from its '>' or '|'
	 * on; else empty.  Borrowed from the text of the configuration.
	 */
	struct str block;
};

struct config_error {
	size_t line; /* from 1; 0 where there are no lines */
	size_t column; /* from 1, in bytes; 0 where it is about the whole */
	char text[512]; /* one sentence, cut where it is longer */
};

/* Always returns -EINVAL, so that a parser can return it. */
int config_error_set(struct config_error *error, size_t line, size_t column,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * An error in a text becomes one in the file that the text stands in.  Where
 * the column cannot be found there, the one in the text goes into the sentence.
 */
void config_error_locate(struct config_error *error, struct config_place place);

#endif
