#include "accesslog/json_number.h"

#define MOST_DIGITS 40

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

size_t
json_number_len(struct str text)
{
	size_t i = text.len && text.data[0] == '-';
	size_t start = i;

	while (i < text.len && digit(text.data[i]))
		i++;
	if (i == start || (text.data[start] == '0' && i > start + 1))
		return 0;
	if (i < text.len && text.data[i] == '.') {
		start = ++i;
		while (i < text.len && digit(text.data[i]))
			i++;
		if (i == start)
			return 0;
	}
	if (i < text.len && (text.data[i] == 'e' || text.data[i] == 'E')) {
		i++;
		if (i < text.len &&
		    (text.data[i] == '+' || text.data[i] == '-'))
			i++;
		start = i;
		while (i < text.len && digit(text.data[i]))
			i++;
		if (i == start)
			return 0;
	}
	return i;
}

bool
json_number_expand(struct str number, struct json_number_plain *ret_plain)
{
	struct json_number_plain *p = ret_plain;
	char digits[2 * MOST_DIGITS];
	long point = 0, exponent = 0;
	size_t n = 0, i;
	bool negative;

	if (!number.len || !digit(number.data[0]) ||
	    json_number_len(number) != number.len)
		return false;
	for (i = 0; i < number.len && digit(number.data[i]); i++) {
		if (n == MOST_DIGITS)
			return false;
		digits[n++] = number.data[i];
	}
	point = (long)n;
	if (i < number.len && number.data[i] == '.') {
		for (i++; i < number.len && digit(number.data[i]); i++) {
			if (n < MOST_DIGITS)
				digits[n++] = number.data[i];
		}
	}
	if (i == number.len)
		return false;
	negative = number.data[++i] == '-';
	i += negative || number.data[i] == '+';
	for (; i < number.len; i++) {
		exponent = exponent * 10 + (number.data[i] - '0');
		if (exponent > MOST_DIGITS)
			return false;
	}
	point += negative ? -exponent : exponent;
	if (point > MOST_DIGITS)
		return false;

	p->len = 0;
	if (point <= 0) {
		p->digits[p->len++] = '0';
		p->digits[p->len++] = '.';
		for (; point < 0; point++)
			p->digits[p->len++] = '0';
		point = -1;
	}
	for (i = 0; i < n || (long)i < point; i++) {
		if ((long)i == point)
			p->digits[p->len++] = '.';
		p->digits[p->len++] = i < n ? digits[i] : '0';
	}
	return true;
}
