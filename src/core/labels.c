#include "accesslog/labels.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The length of the well-formed sequence at s (1 to 4), or 0; *ret_bad is then
 * how many bytes belong to the malformed one (Unicode, table 3-7, and
 * "substitution of maximal subparts").
 */
static size_t
sequence_len(struct str s, size_t *ret_bad)
{
	const unsigned char *p = (const unsigned char *)s.data;
	unsigned char low = 0x80, high = 0xBF;
	size_t need, i;

	*ret_bad = 1;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	need = p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
	if (p[0] == 0xE0)
		low = 0xA0; /* no overlong forms */
	if (p[0] == 0xED)
		high = 0x9F; /* no surrogates */
	if (p[0] == 0xF0)
		low = 0x90;
	if (p[0] == 0xF4)
		high = 0x8F; /* nothing above U+10FFFF */

	for (i = 1; i <= need; i++) {
		if (i == s.len || p[i] < low || p[i] > high)
			return 0;
		*ret_bad = i + 1;
		low = 0x80;
		high = 0xBF;
	}
	return need + 1;
}

static bool
is_clean(struct str s, size_t max_bytes)
{
	size_t bad;

	if (s.len > max_bytes)
		return false;
	while (s.len) {
		size_t n = sequence_len(s, &bad);

		if (!n)
			return false;
		s = str_after(s, n);
	}
	return true;
}

struct str
labels_clean(struct str value, size_t max_bytes, struct labels_scratch *scratch)
{
	static const char replacement[] = "\xEF\xBF\xBD";
	size_t len = 0;

	assert(max_bytes <= sizeof(scratch->bytes));
	if (is_clean(value, max_bytes))
		return value;
	while (value.len) {
		size_t bad;
		size_t n = sequence_len(value, &bad);
		struct str piece = n ? str_of(value.data, n)
				     : str_of(replacement, 3);

		if (len + piece.len > max_bytes)
			break;
		memcpy(scratch->bytes + len, piece.data, piece.len);
		len += piece.len;
		value = str_after(value, n ? n : bad);
	}
	return str_of(scratch->bytes, len);
}

void
labels_escape(struct str value, struct buf *out)
{
	size_t i;

	for (i = 0; i < value.len; i++) {
		switch (value.data[i]) {
		case '\\':
			buf_add(out, STR("\\\\"));
			break;
		case '"':
			buf_add(out, STR("\\\""));
			break;
		case '\n':
			buf_add(out, STR("\\n"));
			break;
		default:
			buf_add_char(out, value.data[i]);
		}
	}
}
