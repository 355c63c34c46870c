#include "accesslog/decimal.h"

#include <assert.h>
#include <stdbool.h>

#define NANO_DIGITS 9

static const uint64_t power_of_ten[] = { 1, 10, 100, 1000, 10000, 100000,
	1000000, 10000000, 100000000, 1000000000 };

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

enum decimal_result
decimal_parse(struct str text, unsigned shift, struct decimal *ret_value)
{
	uint64_t whole = 0, fraction = 0, below;
	unsigned n_fraction = 0;
	bool too_large = false;
	size_t i;

	assert(shift <= NANO_DIGITS);
	if (!text.len || !digit(text.data[0]) ||
	    !digit(text.data[text.len - 1]))
		return DECIMAL_MALFORMED;

	for (i = 0; i < text.len && digit(text.data[i]); i++) {
		uint64_t d = (uint64_t)(text.data[i] - '0');

		if (whole > ((uint64_t)INT64_MAX - d) / 10)
			too_large = true;
		else
			whole = whole * 10 + d;
	}
	if (i < text.len) {
		if (text.data[i++] != '.')
			return DECIMAL_MALFORMED;
		for (; i < text.len; i++) {
			if (!digit(text.data[i]))
				return DECIMAL_MALFORMED;
			if (n_fraction == NANO_DIGITS - shift)
				continue;
			fraction = fraction * 10 +
			    (uint64_t)(text.data[i] - '0');
			n_fraction++;
		}
	}

	if (too_large)
		return DECIMAL_TOO_LARGE;

	fraction *= power_of_ten[NANO_DIGITS - shift - n_fraction];
	below = whole % power_of_ten[shift];
	ret_value->whole = whole / power_of_ten[shift];
	ret_value->nanos =
	    (uint32_t)(below * power_of_ten[NANO_DIGITS - shift] + fraction);
	return DECIMAL_OK;
}

void
decimal_render(struct decimal value, struct buf *out)
{
	char digits[NANO_DIGITS];
	size_t len = NANO_DIGITS;
	size_t i;

	buf_add_u64(out, value.whole);
	if (!value.nanos)
		return;
	for (i = NANO_DIGITS; i-- > 0; value.nanos /= 10)
		digits[i] = (char)('0' + value.nanos % 10);
	while (digits[len - 1] == '0')
		len--;
	buf_add_char(out, '.');
	buf_add(out, str_of(digits, len));
}
