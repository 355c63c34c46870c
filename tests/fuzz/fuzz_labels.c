/*
 * Label values: what comes out of labels_clean() is valid UTF-8 and short
 * enough, and what labels_escape() writes can be read back.
 *
 *	byte 0	how long a value may be, in units of 16 bytes
 *	rest	the value
 */
#include <assert.h>
#include <stdbool.h>

#include "accesslog/bounds.h"
#include "accesslog/labels.h"

#include "fuzz.h"

/* The code point at the front of s, or -1 (RFC 3629, by decoding). */
static long
decode(struct str s, size_t *ret_len)
{
	static const long smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s.data[0];
	size_t len, i;
	long c;

	if (first < 0x80) {
		*ret_len = 1;
		return first;
	}
	for (len = 1; len < 5 && first & (0x80 >> len); len++)
		continue;
	if (len < 2 || len > 4 || len > s.len)
		return -1;
	c = first & (0x7F >> len);
	for (i = 1; i < len; i++) {
		if ((s.data[i] & 0xC0) != 0x80)
			return -1;
		c = c << 6 | (s.data[i] & 0x3F);
	}
	if (c < smallest[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return -1;
	*ret_len = len;
	return c;
}

static bool
utf8(struct str s)
{
	size_t len;

	while (s.len) {
		if (decode(s, &len) < 0)
			return false;
		s = str_after(s, len);
	}
	return true;
}

/* Reads a label value as a scraper does. */
static void
unescape(struct str s, struct buf *out)
{
	while (s.len) {
		char c = s.data[0];

		s = str_after(s, 1);
		assert(c != '"' && c != '\n');
		if (c == '\\') {
			assert(s.len);
			c = s.data[0];
			s = str_after(s, 1);
			assert(c == '\\' || c == '"' || c == 'n');
			if (c == 'n')
				c = '\n';
		}
		buf_add_char(out, c);
	}
}

/* A cut comes only where the next character would not fit. */
static void
check_length(struct str value, size_t max_bytes, struct str clean)
{
	size_t least = 0;

	assert(clean.len <= max_bytes);
	if (utf8(value) && value.len <= max_bytes)
		assert(clean.data == value.data && clean.len == value.len);
	else if (utf8(value) && max_bytes > 3)
		least = max_bytes - 3;
	else if (max_bytes >= 3)
		least = 1;
	assert(clean.len >= least);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of((const char *)data, size);
	size_t max_bytes = fuzz_byte(&input) * (size_t)16;
	struct str value = fuzz_exact(input);
	struct labels_scratch scratch, again;
	struct buf escaped, back;
	struct str clean = labels_clean(value, max_bytes, &scratch);

	assert(utf8(clean));
	check_length(value, max_bytes, clean);
	assert(labels_clean(clean, max_bytes, &again).data == clean.data);

	buf_init(&escaped, 2 * (size_t)BOUNDS_LABEL_VALUE_MOST_BYTES);
	buf_init(&back, 2 * (size_t)BOUNDS_LABEL_VALUE_MOST_BYTES);
	labels_escape(clean, &escaped);
	assert(!buf_status(&escaped));
	unescape(buf_str(&escaped), &back);
	assert(!buf_status(&back));
	assert(str_equal(buf_str(&back), clean));

	buf_release(&back);
	buf_release(&escaped);
	free((char *)(uintptr_t)value.data);
	return 0;
}
