/*
 * Exact non-negative decimals: what a log writes is what is summed.
 *
 * A double would turn ten times 0.1 into 0.9999999999999999 on the page and
 * lose bytes above 2^53.  Here a value is whole units and billionths, so sums
 * do not depend on the order of the lines, and two runs over the same log
 * print the same text.
 *
 * Signs, exponents, hexadecimal, underscores, NaN, infinities and decimal
 * commas are refused, whatever the locale.
 */
#ifndef ACCESSLOG_DECIMAL_H
#define ACCESSLOG_DECIMAL_H

#include <stdint.h>

#include "accesslog/buf.h"
#include "accesslog/str.h"

struct decimal {
	uint64_t whole;
	uint32_t nanos; /* 0 to 999,999,999 */
};

enum decimal_result {
	DECIMAL_OK,
	DECIMAL_MALFORMED, /* not digits, or not digits.digits */
	DECIMAL_TOO_LARGE, /* above INT64_MAX, more than any file offset */
};

static inline struct decimal
decimal_of(uint64_t whole)
{
	return (struct decimal){ .whole = whole };
}

/*
 * text        all of it must be digits, or digits '.' digits; digits beyond
 *             the ninth after the point (after shifting) are cut off
 * shift       the value is divided by 10 to this power: 3 for milliseconds, 6
 *             for microseconds, 9 for nanoseconds
 * ret_value   untouched unless DECIMAL_OK
 */
enum decimal_result decimal_parse(struct str text, unsigned shift,
    struct decimal *ret_value);

/* Adds, and stays at UINT64_MAX rather than to wrap: a sum never goes down. */
static inline void
decimal_add(struct decimal *sum, struct decimal delta)
{
	uint32_t nanos = sum->nanos + delta.nanos;
	uint64_t carry = nanos >= 1000000000u;

	sum->nanos = carry ? nanos - 1000000000u : nanos;
	if (__builtin_add_overflow(sum->whole, delta.whole, &sum->whole) ||
	    __builtin_add_overflow(sum->whole, carry, &sum->whole) ||
	    sum->whole == UINT64_MAX)
		*sum = (struct decimal){ .whole = UINT64_MAX };
}

/* Less than 0, 0, or more than 0, as a is below, equal to or above b. */
static inline int
decimal_compare(struct decimal a, struct decimal b)
{
	if (a.whole != b.whole)
		return a.whole < b.whole ? -1 : 1;
	return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

/* Without trailing zeros: "12", "0.005". */
void decimal_render(struct decimal value, struct buf *out);

#endif
