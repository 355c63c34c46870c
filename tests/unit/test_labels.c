#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
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

/* Normalisers */

typedef struct str (
    *normalise_fn)(struct str value, struct labels_scratch *room);

static struct str
method(struct str value, struct labels_scratch *room)
{
	(void)room;
	return labels_method(value);
}

static struct str
status_class(struct str value, struct labels_scratch *room)
{
	(void)room;
	return labels_status_class(value);
}

/* pairs: a value and what becomes of it; NULL ends them. */
static void
check_pairs(normalise_fn normalise, const char *const pairs[][2])
{
	struct labels_scratch room;
	size_t i;

	for (i = 0; pairs[i][0]; i++) {
		struct str value = support_guarded_str(str_from(pairs[i][0]));

		assert_str(normalise(value, &room), str_from(pairs[i][1]));
		support_guarded_str_free(value);
	}
}

static void
methods_are_those_of_the_standard_or_other(void **state)
{
	static const char *const pairs[][2] = { { "GET", "GET" },
		{ "HEAD", "HEAD" }, { "POST", "POST" }, { "PUT", "PUT" },
		{ "DELETE", "DELETE" }, { "CONNECT", "CONNECT" },
		{ "OPTIONS", "OPTIONS" }, { "TRACE", "TRACE" },
		{ "PATCH", "PATCH" }, { "GETX", "other" }, { "GE", "other" },
		{ "get", "other" }, { "PROPFIND", "other" }, { "-", "other" },
		{ "", "other" }, { "\\x16\\x03", "other" }, { 0 } };

	(void)state;
	check_pairs(method, pairs);
}

static void
status_classes_are_five_and_whatever_is_logged(void **state)
{
	static const char *const pairs[][2] = { { "200", "2xx" },
		{ "404", "4xx" }, { "100", "1xx" }, { "999", "9xx" },
		{ "000", "0xx" }, { "009", "0xx" }, { "-", "-" }, { "", "-" },
		{ "20", "-" }, { "2000", "-" }, { "2x0", "-" }, { "20-", "-" },
		{ 0 } };

	(void)state;
	check_pairs(status_class, pairs);
}

static void
ids_in_a_path_become_id_and_nothing_else_does(void **state)
{
	static const char *const pairs[][2] = { { "/", "/" }, { "", "" },
		{ "-", "-" }, { "*", "*" }, { "/a/b", "/a/b" },
		{ "/a?b=1", "/a" }, { "/a#b", "/a" }, { "?b", "" },
		{ "/7", "/:id" }, { "7", ":id" },
		{ "/users/12/orders/345", "/users/:id/orders/:id" },
		{ "/1/2/3/", "/:id/:id/:id/" }, { "//1//", "//:id//" },
		{ "/v1/users", "/v1/users" }, { "/2nd", "/2nd" },
		{ "/12.html", "/12.html" }, { "/-5", "/-5" },
		{ "/1.5", "/1.5" },
		{ "/123e4567-e89b-12d3-a456-426614174000/x", "/:id/x" },
		{ "/123E4567-E89B-12D3-A456-426614174000", "/:id" },
		{ "/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "/:id" },
		{ "/123e4567-e89b-12d3-a456-42661417400",
		    "/123e4567-e89b-12d3-a456-42661417400" },
		{ "/123e4567_e89b_12d3_a456_426614174000",
		    "/123e4567_e89b_12d3_a456_426614174000" },
		{ "/deadbee1", "/:id" }, { "/DEADBEE1", "/:id" },
		{ "/dead1", "/dead1" }, { "/deadbe1", "/deadbe1" },
		{ "/deadbeef", "/deadbeef" }, { "/facade", "/facade" },
		{ "/d41d8cd98f00b204e9800998ecf8427e.js",
		    "/d41d8cd98f00b204e9800998ecf8427e.js" },
		{ "/2026-01-31", "/:id" }, { "/2026-01", "/:id" },
		{ "/2026/01/31", "/:id/:id/:id" },
		{ "/2026-13-01", "/2026-13-01" },
		{ "/2026-01-32", "/2026-01-32" }, { "/2026-00", "/2026-00" },
		{ "/2026-1-1", "/2026-1-1" },
		{ "/2026-01-31T23:59:59Z", "/:id" },
		{ "/2026-01-31T23:59:59.123+01:00", "/:id" },
		{ "/2026-01-31Tea", "/2026-01-31Tea" },
		{ "/2026-01-31-title", "/2026-01-31-title" },
		{ "/a%20b/%2F12", "/a%20b/%2F12" }, { "/%31%32", "/%31%32" },
		{ "http://example.com:80/12", "http://example.com:80/:id" },
		{ "/caf\xC3\xA9/9", "/caf\xC3\xA9/:id" }, { 0 } };

	(void)state;
	check_pairs(labels_path, pairs);
}

static void
a_path_of_many_ids_is_cut_at_its_room(void **state)
{
	static char value[3 * BOUNDS_LABEL_VALUE_MOST_BYTES];
	struct labels_scratch room;
	struct str path;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(value); i++)
		value[i] = i % 2 ? '1' : '/';
	for (n = 0; n < sizeof(value); n += 7) {
		struct str guarded = support_guarded_str(str_of(value, n));

		path = labels_path(guarded, &room);
		assert_true(path.len <= sizeof(room.bytes));
		for (i = 0; i + 4 <= path.len && i + 4 <= sizeof(room) - 4;
		     i += 4)
			assert_memory_equal(path.data + i, "/:id", 4);
		support_guarded_str_free(guarded);
	}
}

static void
hosts_are_lower_case_without_port_and_dot(void **state)
{
	static const char *const pairs[][2] = { { "example.com",
						    "example.com" },
		{ "Example.COM", "example.com" },
		{ "example.com.", "example.com" },
		{ "example.com:443", "example.com" },
		{ "EXAMPLE.com.:8080", "example.com" },
		{ "example.com:", "example.com" },
		{ "example.com:http", "example.com:http" },
		{ "192.0.2.1:80", "192.0.2.1" },
		{ "[2001:DB8::1]:443", "[2001:db8::1]" },
		{ "[2001:db8::1]", "[2001:db8::1]" },
		{ "[2001:db8::1", "[2001:db8::1" }, { "[::1]x", "[::1]x" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" }, { "::1", "::1" },
		{ "unix:", "unix" }, { "-", "-" }, { ".", "." }, { "", "" },
		{ "\xC3\x84.DE", "\xC3\x84.de" }, { 0 } };

	(void)state;
	check_pairs(labels_host, pairs);
}

/* The values of one label */

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static struct labels *
create(const struct config_label *spec)
{
	struct config_error reason;
	struct labels *l;

	assert_int_equal(labels_create(spec, 42, &l, &reason), 0);
	return l;
}

static struct str
value_of(struct labels *l, struct str raw, bool *ret_overflowed)
{
	struct str guarded = raw.data ? support_guarded_str(raw) : raw;
	struct str value = { 0 };

	assert_int_equal(labels_value(l, guarded, &value, ret_overflowed), 0);
	if (raw.data && value.data == guarded.data)
		value = str_of(raw.data, value.len);
	if (raw.data)
		support_guarded_str_free(guarded);
	return value;
}

#define assert_value(l, raw, expected)                                         \
	do {                                                                   \
		bool overflowed_ = true;                                       \
                                                                               \
		assert_str(value_of((l), STR(raw), &overflowed_),              \
		    STR(expected));                                            \
		assert_false(overflowed_);                                     \
	} while (0)

static void
the_first_rule_that_matches_wins_else_the_value_passes_on(void **state)
{
	static struct config_rule rules[] = {
		{ .regex = TEXT("^/api/"), .replacement = TEXT("api") },
		{ .regex = TEXT("^/(\\w+)/:id$"), .replacement = TEXT("$1") },
		{ .regex = TEXT("/api/|:id"), .replacement = TEXT("third") },
	};
	const struct config_label spec = { .name = TEXT("route"),
		.from = TEXT("request_uri"),
		.normalizer = CONFIG_PATH,
		.n_rules = N(rules),
		.rules = rules };
	struct labels *l = create(&spec);
	int i;

	(void)state;
	/* The second time from what is remembered. */
	for (i = 0; i < 2; i++) {
		assert_value(l, "/api/users/1?x", "api");
		assert_value(l, "/users/17", "users");
		assert_value(l, "/users/17/x", "third");
		assert_value(l, "/x/api/", "third");
		assert_value(l, "/x", "/x");
	}
	labels_destroy(l);
}

static void
a_field_without_value_is_a_dash(void **state)
{
	static const enum config_normalizer all[] = { CONFIG_AS_IT_IS,
		CONFIG_STATUS_CLASS, CONFIG_PATH, CONFIG_HOST };
	size_t i;

	(void)state;
	for (i = 0; i < N(all); i++) {
		const struct config_label spec = { .name = TEXT("a"),
			.from = TEXT("a"),
			.normalizer = all[i] };
		struct labels *l = create(&spec);
		bool overflowed;

		assert_str(value_of(l, (struct str){ 0 }, &overflowed),
		    STR("-"));
		assert_value(l, "", "-");
		assert_value(l, "-", "-");
		labels_destroy(l);
	}
}

static void
a_status_beside_others_is_a_status(void **state)
{
	const struct config_label spec = { .name = TEXT("code"),
		.from = TEXT("status") };
	struct labels *l = create(&spec);

	(void)state;
	assert_value(l, "200", "200");
	assert_value(l, "2000", "-");
	labels_destroy(l);
}

static void
values_are_cut_between_two_code_points_after_the_rules(void **state)
{
	static struct config_rule rules[] = { { .regex = TEXT("^x(.*)"),
	    .replacement = TEXT("$1$1$1") } };
	const struct config_label spec = { .name = TEXT("a"),
		.from = TEXT("a"),
		.n_rules = 1,
		.rules = rules,
		.max_bytes = 4 };
	struct labels *l = create(&spec);

	(void)state;
	assert_value(l, "abcdef", "abcd");
	assert_value(l, "abc\xC3\xA9", "abc");
	assert_value(l, "ab\xC3\xA9", "ab\xC3\xA9");
	assert_value(l, "a\xFF", "a" REPLACEMENT);
	assert_value(l, "xab", "abab");
	assert_value(l, "x\xC3\xA9y", "\xC3\xA9y");
	labels_destroy(l);
}

static void
past_the_budget_new_values_are_other_and_old_ones_stay(void **state)
{
	const struct config_label spec = { .name = TEXT("host"),
		.from = TEXT("host"),
		.normalizer = CONFIG_HOST,
		.budget = 100 };
	struct labels *l = create(&spec);
	unsigned long i;
	int round;

	(void)state;
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 20000; i++) {
			char text[32], expected[32];
			bool overflowed;
			struct str value;

			(void)snprintf(text, sizeof(text), "HOST%lu:80", i);
			(void)snprintf(expected, sizeof(expected), "host%lu",
			    i);
			value = value_of(l, str_from(text), &overflowed);
			assert_int_equal(overflowed, i >= 100);
			assert_str(value,
			    i < 100 ? str_from(expected) : LABELS_OTHER);
		}
	}
	/* What is called other by itself has not overflowed. */
	assert_value(l, "other", "other");
	assert_value(l, "Host7", "host7");
	labels_destroy(l);
}

static void
a_budget_is_of_what_is_shown_not_of_what_is_logged(void **state)
{
	const struct config_label spec = { .name = TEXT("route"),
		.from = TEXT("request_uri"),
		.normalizer = CONFIG_PATH,
		.budget = 1 };
	struct labels *l = create(&spec);
	bool overflowed;
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "/user/%u?q=%u", i, i);
		assert_str(value_of(l, str_from(text), &overflowed),
		    STR("/user/:id"));
		assert_false(overflowed);
	}
	assert_str(value_of(l, STR("/b"), &overflowed), LABELS_OTHER);
	assert_true(overflowed);
	labels_destroy(l);
}

static void
values_that_were_admitted_have_their_place(void **state)
{
	const struct config_label spec = { .name = TEXT("a"),
		.from = TEXT("a"),
		.budget = 2 };
	struct labels *l = create(&spec);
	bool overflowed;

	(void)state;
	assert_int_equal(labels_admit(l, STR("other")), 0);
	assert_int_equal(labels_admit(l, STR("one")), 0);
	assert_int_equal(labels_admit(l, STR("one")), 0);
	assert_int_equal(labels_admit(l, STR("two")), 0);
	assert_int_equal(labels_admit(l, STR("three")), 0);
	assert_value(l, "two", "two");
	assert_value(l, "one", "one");
	(void)value_of(l, STR("three"), &overflowed);
	assert_true(overflowed);
	labels_destroy(l);
}

static void
values_that_are_too_long_to_be_remembered_are_right_too(void **state)
{
	static struct config_rule rules[] = { { .regex = TEXT("^(a+)b"),
	    .replacement = TEXT("$1") } };
	const struct config_label spec = { .name = TEXT("a"),
		.from = TEXT("a"),
		.n_rules = 1,
		.rules = rules,
		.max_bytes = 1000 };
	struct labels *l = create(&spec);
	char raw[600];
	size_t n;

	(void)state;
	for (n = 1; n < sizeof(raw); n++) {
		bool overflowed;
		int round;

		memset(raw, 'a', n);
		raw[n] = 'b';
		for (round = 0; round < 2; round++)
			assert_str(value_of(l, str_of(raw, n + 1), &overflowed),
			    str_of(raw, n));
	}
	labels_destroy(l);
}

static void
a_rule_that_is_wrong_is_said_with_its_place(void **state)
{
	static struct config_rule rules[] = {
		{ .regex = TEXT("a"), .replacement = TEXT("b") },
		{ .regex = TEXT("a(b"),
		    .replacement = TEXT("c"),
		    .place = { .line = 7, .column = 20 } },
	};
	const struct config_label spec = { .name = TEXT("a"),
		.from = TEXT("a"),
		.n_rules = 2,
		.rules = rules };
	struct config_error reason;
	struct labels *l = NULL;

	(void)state;
	assert_int_equal(labels_create(&spec, 1, &l, &reason), -EINVAL);
	assert_null(l);
	assert_int_equal(reason.line, 7);
	assert_int_equal(reason.column, 23);
}

static void
labels_survive_every_failed_allocation(void **state)
{
	static struct config_rule rules[] = { { .regex = TEXT("^(a+)b"),
	    .replacement = TEXT("$1") } };
	const struct config_label spec = { .name = TEXT("a"),
		.from = TEXT("a"),
		.n_rules = 1,
		.rules = rules,
		.budget = 1000 };
	unsigned long n, n_failed = 0;
	bool failed = true;

	(void)state;
	for (n = 1; failed; n++) {
		struct config_error reason;
		struct labels *l = NULL;
		bool created = false;
		unsigned i;
		int error;

		support_fail_allocation(n);
		error = labels_create(&spec, 1, &l, &reason);
		created = !error;
		for (i = 0; i < 300 && created; i++) {
			char text[16];
			struct str raw = str_of(text,
			    (size_t)snprintf(text, sizeof(text), "%u", i));
			struct str value = STR("untouched");
			bool overflowed = true;

			error = labels_value(l, raw, &value, &overflowed);
			if (error) {
				assert_int_equal(error, -ENOMEM);
				n_failed++;
				assert_int_equal(
				    labels_value(l, raw, &value, &overflowed),
				    0);
			}
			assert_str(value, raw);
			assert_false(overflowed);
		}
		support_stop_failing();
		failed = support_did_fail();
		if (!created) {
			assert_int_equal(error, -ENOMEM);
			assert_null(l);
			n_failed++;
		}
		labels_destroy(l);
	}
	assert_true(n_failed > 300);
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
		cmocka_unit_test(methods_are_those_of_the_standard_or_other),
		cmocka_unit_test(
		    status_classes_are_five_and_whatever_is_logged),
		cmocka_unit_test(ids_in_a_path_become_id_and_nothing_else_does),
		cmocka_unit_test(a_path_of_many_ids_is_cut_at_its_room),
		cmocka_unit_test(hosts_are_lower_case_without_port_and_dot),
		cmocka_unit_test(
		    the_first_rule_that_matches_wins_else_the_value_passes_on),
		cmocka_unit_test(a_field_without_value_is_a_dash),
		cmocka_unit_test(a_status_beside_others_is_a_status),
		cmocka_unit_test(
		    values_are_cut_between_two_code_points_after_the_rules),
		cmocka_unit_test(
		    past_the_budget_new_values_are_other_and_old_ones_stay),
		cmocka_unit_test(
		    a_budget_is_of_what_is_shown_not_of_what_is_logged),
		cmocka_unit_test(values_that_were_admitted_have_their_place),
		cmocka_unit_test(
		    values_that_are_too_long_to_be_remembered_are_right_too),
		cmocka_unit_test(a_rule_that_is_wrong_is_said_with_its_place),
		cmocka_unit_test(labels_survive_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
