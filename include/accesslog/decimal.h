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

#include <stdbool.h>
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

#define DECIMAL_QUICK_DIGITS 8

/*
 * The common case of decimal_parse() with a shift of 0, without a branch for
 * each digit.
 *
 * text       one byte to DECIMAL_QUICK_DIGITS; so many before its end can be
 *            read
 * ret_whole  untouched unless true
 *
 * Returns false where decimal_parse() is to be asked.
 */
static inline bool
decimal_parse_digits(struct str text, uint64_t *ret_whole)
{
	const uint64_t zeros = UINT64_C(0x3030303030303030);
	const uint64_t pairs = UINT64_C(0x000000FF000000FF);
	uint64_t bytes, n;
	size_t shift = 64 - 8 * text.len;

	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return false;
	/* The eight bytes up to the end of text, what is before it as zeros. */
	memcpy(&bytes, text.data + text.len - 8, 8);
	n = (bytes ^ zeros) >> shift << shift;
	if ((n | (n + UINT64_C(0x0606060606060606))) &
	    UINT64_C(0xF0F0F0F0F0F0F0F0))
		return false;
	/* Digits to pairs of digits, to four, to all eight. */
	n = n * 10 + (n >> 8);
	*ret_whole = ((n & pairs) * (100 + (UINT64_C(1000000) << 32)) +
			 (n >> 16 & pairs) * (1 + (UINT64_C(10000) << 32))) >>
	    32;
	return true;
}

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
