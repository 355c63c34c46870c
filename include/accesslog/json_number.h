/*
 * Numbers as JSON writes them: RFC 8259, section 6.
 */
#ifndef ACCESSLOG_JSON_NUMBER_H
#define ACCESSLOG_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/str.h"

/* Returns the length of the number at the front of text; 0: there is none. */
size_t json_number_len(struct str text);

/* Digits, a point and zeros for a number with an exponent. */
struct json_number_plain {
	char digits[96];
	size_t len;
};

/*
 * Write a number that has an exponent without it: 2.5e-06 is 0.0000025.
 *
 * Returns false where it is no number, is negative, or has more than 40 digits
 * before or behind the point.
 */
bool json_number_expand(struct str number, struct json_number_plain *ret_plain);

#endif
