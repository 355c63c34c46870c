#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/labels.h"
#include "support.h"

#define REPLACEMENT "\xEF\xBF\xBD"
#define MAX BOUNDS_LABEL_VALUE_BYTES

static struct str
encode(uint32_t c, char room[4])
{
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	size_t i;

	for (i = len; i-- > 1; c >>= 6)
		room[i] = (char)(0x80 | (c & 0x3F));
	room[0] = (char)(lead[len] | c);
	return str_of(room, len);
}

static void
every_code_point_is_left_as_it_is(void **state)
{
	struct labels_scratch scratch;
	uint32_t c;

	(void)state;
	for (c = 0; c <= 0x10FFFF; c++) {
		char room[4];
		struct str s = encode(c, room);
		struct str clean = labels_clean(s, MAX, &scratch);

		if (c >= 0xD800 && c <= 0xDFFF) {
			assert_str(clean,
			    STR(REPLACEMENT REPLACEMENT REPLACEMENT));
			continue;
		}
		assert_ptr_equal(clean.data, s.data);
		assert_int_equal(clean.len, s.len);
	}
}

/*
 * Whether n bytes begin, or are, the encoding of some code point: said in
 * other words than in labels.c, by the interval of numbers that they begin.
 */
static bool
begins_code_point(const unsigned char *p, size_t n, size_t *ret_len)
{
	size_t len = p[0] < 0x80 ? 1
	    : p[0] < 0xC0        ? 0
	    : p[0] < 0xE0        ? 2
	    : p[0] < 0xF0        ? 3
	    : p[0] < 0xF8        ? 4
				 : 0;
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t low, high;
	size_t i;

	if (!len || n > len)
		return false;
	*ret_len = len;
	low = high = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
	for (i = 1; i < len; i++) {
		if (i < n && (p[i] & 0xC0) != 0x80)
			return false;
		low = low << 6 | (i < n ? p[i] & 0x3Fu : 0);
		high = high << 6 | (i < n ? p[i] & 0x3Fu : 0x3Fu);
	}
	if (low < smallest[len])
		low = smallest[len];
	if (high > 0x10FFFF)
		high = 0x10FFFF;
	return low <= high && !(low >= 0xD800 && high <= 0xDFFF);
}

/* Each maximal part that begins no code point becomes one U+FFFD. */
static struct str
cleaned_slowly(struct str s, char room[12])
{
	const unsigned char *p = (const unsigned char *)s.data;
	size_t out = 0, i = 0;

	while (i < s.len) {
		size_t len = 0, n = 0;

		while (i + n < s.len && begins_code_point(p + i, n + 1, &len))
			n++;
		if (n && n == len) {
			memcpy(room + out, s.data + i, n);
			out += n;
		} else {
			memcpy(room + out, REPLACEMENT, 3);
			out += 3;
			n = n ? n : 1;
		}
		i += n;
	}
	return str_of(room, out);
}

/* All sequences of up to four bytes from the edges of every range. */
static void
every_malformed_sequence_becomes_replacement_characters(void **state)
{
	static const unsigned char edges[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F,
		0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1,
		0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF };
	size_t n_edges = sizeof(edges);
	struct labels_scratch scratch;
	size_t code, len, i;

	(void)state;
	for (len = 1; len <= 4; len++) {
		size_t n = 1;

		for (i = 0; i < len; i++)
			n *= n_edges;
		for (code = 0; code < n; code++) {
			char bytes[4], room[12];
			size_t rest = code;

			for (i = 0; i < len; i++, rest /= n_edges)
				bytes[i] = (char)edges[rest % n_edges];
			assert_str(
			    labels_clean(str_of(bytes, len), MAX, &scratch),
			    cleaned_slowly(str_of(bytes, len), room));
		}
	}
}

static void
known_malformed_text_is_replaced_part_by_part(void **state)
{
	static const struct {
		const char *value, *clean;
	} cases[] = {
		{ "", "" },
		{ "caf\xC3\xA9", "caf\xC3\xA9" },
		/* ISO 8859-1. */
		{ "caf\xE9", "caf" REPLACEMENT },
		{ "\xE9t\xE9", REPLACEMENT "t" REPLACEMENT },
		/* An overlong slash, and CESU-8. */
		{ "\xC0\xAF", REPLACEMENT REPLACEMENT },
		{ "\xED\xA0\xBD\xED\xB8\x80",
		    REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT
			REPLACEMENT },
		{ "\xF4\x90\x80\x80",
		    REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT },
		/* A sequence that ends too early is one part (Unicode 3.9). */
		{ "\xE2\x82", REPLACEMENT },
		{ "\xF0\x9F\x98", REPLACEMENT },
		{ "\xF0\x9F\x98z", REPLACEMENT "z" },
		{ "\xE2\x82\xE2\x82\xAC", REPLACEMENT "\xE2\x82\xAC" },
		{ "\x80\x80", REPLACEMENT REPLACEMENT },
		{ "\xFE\xFF", REPLACEMENT REPLACEMENT },
	};
	struct labels_scratch scratch;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str value = support_guarded_str(
		    str_from(cases[i].value));

		assert_str(labels_clean(value, MAX, &scratch),
		    str_from(cases[i].clean));
		support_guarded_str_free(value);
	}
}

/* Code points of every length, at every distance from every cut. */
static void
a_long_value_is_cut_between_two_code_points(void **state)
{
	static const struct str units[] = { STR("\xC3\xA9"),
		STR("\xE2\x82\xAC"), STR("\xF0\x9F\x98\x80"), STR("\xFF"),
		STR("\xE2\x82") };
	static const size_t maxima[] = { 1, 4, MAX,
		BOUNDS_LABEL_VALUE_MOST_BYTES };
	static char bytes[BOUNDS_LABEL_VALUE_MOST_BYTES + 64];
	struct labels_scratch scratch, again;
	size_t i, m, ahead, n;

	(void)state;
	for (m = 0; m < sizeof(maxima) / sizeof(maxima[0]); m++) {
		size_t max = maxima[m];

		for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			bool valid = i < 3;
			size_t unit_len = valid ? units[i].len : 3;

			for (ahead = max < 18 ? 0 : max - 18; ahead <= max + 2;
			     ahead++) {
				struct str value, clean;
				size_t expected = max;

				memset(bytes, 'a', ahead);
				for (n = 0; n < 12; n++)
					memcpy(bytes + ahead + n * units[i].len,
					    units[i].data, units[i].len);
				value = support_guarded_str(
				    str_of(bytes, ahead + n * units[i].len));
				clean = labels_clean(value, max, &scratch);

				if (ahead < max)
					expected = ahead +
					    (max - ahead) / unit_len * unit_len;
				assert_int_equal(clean.len, expected);
				if (clean.len > ahead)
					assert_str(str_of(clean.data +
							   clean.len - unit_len,
						       unit_len),
					    valid ? units[i]
						  : STR(REPLACEMENT));
				/* What is clean stays as it is. */
				assert_str(labels_clean(clean, max, &again),
				    clean);
				support_guarded_str_free(value);
			}
		}
	}
}

static void
a_value_of_just_the_maximum_is_not_copied(void **state)
{
	char bytes[MAX + 1];
	struct labels_scratch scratch;
	struct str clean;

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	clean = labels_clean(str_of(bytes, MAX), MAX, &scratch);
	assert_ptr_equal(clean.data, bytes);
	assert_int_equal(clean.len, MAX);
	clean = labels_clean(str_of(bytes, MAX + 1), MAX, &scratch);
	assert_ptr_equal(clean.data, scratch.bytes);
	assert_int_equal(clean.len, MAX);
}

static void
quote_backslash_and_newline_are_escaped_and_nothing_else(void **state)
{
	struct buf b;
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		char byte = (char)c;

		buf_init(&b, 10);
		labels_escape(str_of(&byte, 1), &b);
		assert_int_equal(buf_status(&b), 0);
		if (c == '"')
			assert_str(buf_str(&b), STR("\\\""));
		else if (c == '\\')
			assert_str(buf_str(&b), STR("\\\\"));
		else if (c == '\n')
			assert_str(buf_str(&b), STR("\\n"));
		else
			assert_str(buf_str(&b), str_of(&byte, 1));
		buf_release(&b);
	}
}

static void
what_the_log_escaped_is_shown_as_the_log_has_it(void **state)
{
	struct str value = support_guarded_str(STR("a\\x22b\\\"c\\"));
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	labels_escape(value, &b);
	assert_int_equal(buf_status(&b), 0);
	assert_str(buf_str(&b), STR("a\\\\x22b\\\\\\\"c\\\\"));
	buf_release(&b);
	support_guarded_str_free(value);
}

static void
a_status_is_three_bytes_or_a_dash(void **state)
{
	(void)state;
	assert_str(labels_status(STR("200")), STR("200"));
	assert_str(labels_status(STR("009")), STR("009"));
	assert_str(labels_status(STR("-")), STR("-"));
	assert_str(labels_status(STR("")), STR("-"));
	assert_str(labels_status(STR("20")), STR("-"));
	assert_str(labels_status(STR("2000")), STR("-"));
	assert_str(labels_status((struct str){ 0 }), STR("-"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_is_left_as_it_is),
		cmocka_unit_test(
		    every_malformed_sequence_becomes_replacement_characters),
		cmocka_unit_test(known_malformed_text_is_replaced_part_by_part),
		cmocka_unit_test(a_long_value_is_cut_between_two_code_points),
		cmocka_unit_test(a_value_of_just_the_maximum_is_not_copied),
		cmocka_unit_test(
		    quote_backslash_and_newline_are_escaped_and_nothing_else),
		cmocka_unit_test(
		    what_the_log_escaped_is_shown_as_the_log_has_it),
		cmocka_unit_test(a_status_is_three_bytes_or_a_dash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
