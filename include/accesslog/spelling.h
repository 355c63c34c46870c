/*
 * What the user meant to write: the known name that is nearest to a mistyped
 * one.
 *
 * Functions of their arguments; no allocation.
 */
#ifndef ACCESSLOG_SPELLING_H
#define ACCESSLOG_SPELLING_H

#include <stddef.h>

#include "accesslog/str.h"

/* Longer names than this are compared with nothing. */
#define SPELLING_MOST_BYTES 64

/*
 * How many bytes to add, take away, change, or exchange with the next (the
 * optimal string alignment of Damerau and Levenshtein).  SIZE_MAX where one of
 * them is longer than SPELLING_MOST_BYTES.
 *
 * Cost: the product of the lengths.
 */
size_t spelling_distance(struct str a, struct str b);

/*
 * Returns the name that text was meant to be, the first of equally near ones,
 * or NULL: a third of its bytes may be wrong, or one of the two is the
 * beginning of the other.
 */
const char *spelling_nearest(struct str text, const char *const names[],
    size_t n);

#endif
