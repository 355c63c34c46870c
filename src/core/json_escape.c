#include "json_escape.h"

#include <stdint.h>

static unsigned
hex4(struct str text)
{
	unsigned value = 0;
	size_t i;

	if (text.len < 4)
		return UINT32_MAX;
	for (i = 0; i < 4; i++) {
		char c = text.data[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (unsigned)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (unsigned)(c - 'A' + 10);
		else
			return UINT32_MAX;
	}
	return value;
}

static size_t
add_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

size_t
json_escape_decode(struct str text, char *out, size_t *ret_len)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *simple;
	unsigned c, low;
	size_t len = 6;

	if (text.len < 2)
		return 0;
	simple = memchr(from, text.data[1], sizeof(from) - 1);
	if (simple) {
		*out = to[simple - from];
		*ret_len = 1;
		return 2;
	}
	if (text.data[1] != 'u')
		return 0;
	c = hex4(str_after(text, 2));
	if (c == UINT32_MAX)
		return 0;
	if (c >= 0xD800 && c <= 0xDFFF) {
		low = c <= 0xDBFF && text.len >= 12 && text.data[6] == '\\' &&
			text.data[7] == 'u'
		    ? hex4(str_after(text, 8))
		    : 0;
		if (low >= 0xDC00 && low <= 0xDFFF) {
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
			len = 12;
		} else {
			c = 0xFFFD;
		}
	}
	*ret_len = add_utf8(out, c ? c : 0xFFFD);
	return len;
}
