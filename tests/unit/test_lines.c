#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/lines.h"
#include "support.h"

/*
 * What came out of a stream: "[line]" for a line, "!" for one that was too
 * long, then the bytes of each class.
 */
struct outcome {
	struct buf lines;
	uint64_t n_bytes[LINES_BYTES_N];
};

static void
outcome_release(struct outcome *o)
{
	buf_release(&o->lines);
}

/* Feeds the stream in windows that end at each of ends, then the whole. */
static struct outcome
feed(struct str stream, bool at_start, const size_t ends[], size_t n_ends)
{
	struct outcome o;
	struct lines l;
	size_t consumed = 0;
	size_t i, c;

	buf_init(&o.lines, SIZE_MAX);
	lines_init(&l, at_start);
	for (i = 0; i <= n_ends; i++) {
		bool final = i == n_ends;
		size_t end = final ? stream.len : ends[i];
		struct str copy, window, line;
		enum lines_result result;

		assert_true(consumed <= end);
		copy = support_guarded_str(
		    str_of(stream.data + consumed, end - consumed));
		window = copy;
		while ((result = lines_next(&l, &window, final, &line)) !=
		    LINES_MORE) {
			if (result == LINES_TOO_LONG) {
				buf_add_char(&o.lines, '!');
				continue;
			}
			assert_true(line.len <= BOUNDS_LINE_BYTES);
			buf_add_char(&o.lines, '[');
			buf_add(&o.lines, line);
			buf_add_char(&o.lines, ']');
		}
		consumed = end - window.len;
		assert_ptr_equal(window.data,
		    copy.data + copy.len - window.len);
		for (c = 0; c < LINES_BYTES_N; c++)
			o.n_bytes[c] = l.n_bytes[c];
		assert_int_equal(o.n_bytes[LINES_BYTES_READ] +
			o.n_bytes[LINES_BYTES_NUL] +
			o.n_bytes[LINES_BYTES_BOM] +
			o.n_bytes[LINES_BYTES_TOO_LONG],
		    consumed);
		support_guarded_str_free(copy);
	}
	assert_int_equal(consumed, stream.len);
	assert_int_equal(buf_status(&o.lines), 0);
	return o;
}

static void
assert_outcome(const struct outcome *o, struct str lines, uint64_t read,
    uint64_t nul, uint64_t bom, uint64_t too_long)
{
	assert_str(buf_str(&o->lines), lines);
	assert_int_equal(o->n_bytes[LINES_BYTES_READ], read);
	assert_int_equal(o->n_bytes[LINES_BYTES_NUL], nul);
	assert_int_equal(o->n_bytes[LINES_BYTES_BOM], bom);
	assert_int_equal(o->n_bytes[LINES_BYTES_TOO_LONG], too_long);
}

static void
check(struct str stream, bool at_start, struct str lines, uint64_t read,
    uint64_t nul, uint64_t bom)
{
	struct outcome o = feed(stream, at_start, NULL, 0);

	assert_outcome(&o, lines, read, nul, bom, 0);
	outcome_release(&o);
}

static void
lines_end_at_lf_and_crlf(void **state)
{
	(void)state;
	check(STR("a\nbc\r\nd\n"), true, STR("[a][bc][d]"), 8, 0, 0);
}

static void
empty_lines_are_lines(void **state)
{
	(void)state;
	check(STR("\n\r\na\n\n"), true, STR("[][][a][]"), 6, 0, 0);
}

static void
a_lone_cr_and_a_form_feed_are_bytes_of_the_line(void **state)
{
	(void)state;
	check(STR("a\rb\n\r\r\n\fc\f\n"), true, STR("[a\rb][\r][\fc\f]"), 11, 0,
	    0);
}

static void
an_empty_stream_has_no_line(void **state)
{
	struct str none = { 0 }, line;
	struct lines l;

	(void)state;
	check(STR(""), true, STR(""), 0, 0, 0);
	lines_init(&l, true);
	assert_int_equal(lines_next(&l, &none, true, &line), LINES_MORE);
	assert_true(l.at_start);
}

static void
an_unfinished_line_is_one_only_when_nothing_follows(void **state)
{
	struct str window = STR("ab\ncd"), line;
	struct lines l;

	(void)state;
	lines_init(&l, true);
	assert_int_equal(lines_next(&l, &window, false, &line), LINES_LINE);
	assert_str(line, STR("ab"));
	line = STR("untouched");
	assert_int_equal(lines_next(&l, &window, false, &line), LINES_MORE);
	assert_str(line, STR("untouched"));
	assert_str(window, STR("cd"));
	assert_int_equal(l.n_bytes[LINES_BYTES_READ], 3);
	assert_int_equal(lines_next(&l, &window, true, &line), LINES_LINE);
	assert_str(line, STR("cd"));
	assert_int_equal(l.n_bytes[LINES_BYTES_READ], 5);
	assert_int_equal(lines_next(&l, &window, true, &line), LINES_MORE);

	/* Its CR belongs to it: no newline has come. */
	check(STR("a\nb\r"), true, STR("[a][b\r]"), 4, 0, 0);
}

static void
nul_runs_before_a_line_are_skipped_and_inside_are_kept(void **state)
{
	(void)state;
	check(STR("\0\0a\0b\0\n\0\n\0"), true, STR("[a\0b\0][]"), 6, 4, 0);
}

static void
nul_runs_of_every_length_around_a_page_are_skipped(void **state)
{
	static const size_t lengths[] = { 1, 4094, 4095, 4096, 4097, 8191, 8192,
		8193, 12287, 12289, 70000, 200000 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i];
		char *data = test_calloc(1, n + 4);
		struct outcome o;

		/* Nothing behind them, and a line. */
		check(str_of(data, n), true, STR(""), 0, n, 0);
		memcpy(data + n, "abc\n", 4);
		check(str_of(data, n + 4), true, STR("[abc]"), 4, n, 0);

		/* Between two lines, cut in the middle of the run. */
		data[0] = '\n';
		o = feed(str_of(data, n + 4), false,
		    (const size_t[]){ 1 + (n - 1) / 2 }, 1);
		assert_outcome(&o, STR("[][abc]"), 5, n - 1, 0, 0);
		outcome_release(&o);
		test_free(data);
	}
}

static void
a_byte_order_mark_is_skipped_at_byte_0_only(void **state)
{
	(void)state;
	check(STR("\xEF\xBB\xBF"
		  "a\n"),
	    true, STR("[a]"), 2, 0, 3);
	check(STR("\xEF\xBB\xBF\n"), true, STR("[]"), 1, 0, 3);
	check(STR("\xEF\xBB\xBF"), true, STR(""), 0, 0, 3);
	check(STR("\xEF\xBB\xBF\0\0a\n"), true, STR("[a]"), 2, 2, 3);
	check(STR("\xEF\xBB\xBF\xEF\xBB\xBF"
		  "a\n"),
	    true,
	    STR("[\xEF\xBB\xBF"
		"a]"),
	    5, 0, 3);
	check(STR("\n\xEF\xBB\xBF"
		  "a\n"),
	    true,
	    STR("[][\xEF\xBB\xBF"
		"a]"),
	    6, 0, 0);
	check(STR("\xEF\xBB\xBF"
		  "a\n"),
	    false,
	    STR("[\xEF\xBB\xBF"
		"a]"),
	    5, 0, 0);
	check(STR("\0\xEF\xBB\xBF"
		  "a\n"),
	    true,
	    STR("[\xEF\xBB\xBF"
		"a]"),
	    5, 1, 0);
}

static void
half_a_byte_order_mark_is_part_of_the_line(void **state)
{
	(void)state;
	check(STR("\xEF\xBB"), true, STR("[\xEF\xBB]"), 2, 0, 0);
	check(STR("\xEF\xBB\n"), true, STR("[\xEF\xBB]"), 3, 0, 0);
	check(STR("\xEF"), true, STR("[\xEF]"), 1, 0, 0);
	check(STR("\xEF\xBB\xBE\n"), true, STR("[\xEF\xBB\xBE]"), 4, 0, 0);
}

/* One cut, and two cuts, at every byte; and a byte at a time. */
static void
splits_change_nothing(struct str stream, bool at_start)
{
	struct outcome whole = feed(stream, at_start, NULL, 0);
	size_t *ends = test_calloc(stream.len + 1, sizeof(*ends));
	struct outcome o;
	size_t i, j, c;

	for (i = 0; i <= stream.len; i++) {
		for (j = i; j <= stream.len; j++) {
			o = feed(stream, at_start, (const size_t[]){ i, j }, 2);
			assert_str(buf_str(&o.lines), buf_str(&whole.lines));
			for (c = 0; c < LINES_BYTES_N; c++)
				assert_int_equal(o.n_bytes[c],
				    whole.n_bytes[c]);
			outcome_release(&o);
		}
		ends[i] = i;
	}
	o = feed(stream, at_start, ends, stream.len + 1);
	assert_str(buf_str(&o.lines), buf_str(&whole.lines));
	for (c = 0; c < LINES_BYTES_N; c++)
		assert_int_equal(o.n_bytes[c], whole.n_bytes[c]);
	outcome_release(&o);
	outcome_release(&whole);
	test_free(ends);
}

static void
a_stream_split_at_every_byte_gives_the_same_lines(void **state)
{
	static const struct str streams[] = {
		STR("\xEF\xBB\xBF\0\0one\r\n\n\0two\0\r\r\n\r\n\fx\n\0\0\0"),
		STR("\xEF\xBB\xBFone\n\xEF\xBB\xBF\n\xEF\xBB"),
		STR("\xEF\xBB\n\xEF"),
		STR("\0\0\0\n\0\r\n\0\rend without newline\r"),
		STR("\r\n\r\n\n\r\r\n"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		splits_change_nothing(streams[i], true);
		splits_change_nothing(streams[i], false);
	}
}

/* "before\n", len bytes of x, tail, "after\n" */
static char *
with_long_line(size_t len, struct str tail, struct str *ret_stream)
{
	struct str before = STR("before\n"), after = STR("after\n");
	size_t total = before.len + len + tail.len + after.len;
	char *data = test_malloc(total);

	memcpy(data, before.data, before.len);
	memset(data + before.len, 'x', len);
	memcpy(data + before.len + len, tail.data, tail.len);
	memcpy(data + before.len + len + tail.len, after.data, after.len);
	*ret_stream = str_of(data, total);
	return data;
}

static void
the_longest_line_is_a_line_and_one_byte_more_is_too_long(void **state)
{
	struct str stream;
	char *data;
	struct outcome o;

	(void)state;
	data = with_long_line(BOUNDS_LINE_BYTES, STR("\n"), &stream);
	o = feed(stream, true, NULL, 0);
	assert_int_equal(o.lines.len,
	    strlen("[before][][after]") + BOUNDS_LINE_BYTES);
	assert_int_equal(o.n_bytes[LINES_BYTES_READ], stream.len);
	outcome_release(&o);
	test_free(data);

	data = with_long_line(BOUNDS_LINE_BYTES + 1, STR("\n"), &stream);
	o = feed(stream, true, NULL, 0);
	assert_outcome(&o, STR("[before]![after]"), 13, 0, 0,
	    BOUNDS_LINE_BYTES + 2);
	outcome_release(&o);
	test_free(data);
}

static void
a_long_line_is_skipped_over_any_number_of_windows(void **state)
{
	static const struct str tails[] = { STR("\n"), STR("\r\n"), STR("\0\n"),
		STR("\0\0\xEF\xBB\xBF\r\n") };
	size_t len = 3 * BOUNDS_LINE_BYTES;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct str stream;
		char *data = with_long_line(len, tails[i], &stream);
		size_t end = 7 + len + tails[i].len;

		for (j = 0; j <= tails[i].len + 2; j++) {
			/* Inside of it, and at each byte around its end. */
			const size_t ends[] = { 3, 7, 7 + BOUNDS_LINE_BYTES,
				8 + BOUNDS_LINE_BYTES,
				9 + 2 * BOUNDS_LINE_BYTES, 7 + len - 1 + j };
			struct outcome o = feed(stream, true, ends,
			    sizeof(ends) / sizeof(ends[0]));

			assert_outcome(&o, STR("[before]![after]"), 13, 0, 0,
			    end - 7);
			outcome_release(&o);
		}
		test_free(data);
	}
}

static void
a_line_at_the_limit_is_the_same_however_it_is_split(void **state)
{
	static const struct str tails[] = { STR("\n"), STR("\r\n"),
		STR("\r\r\n") };
	size_t i, j;
	size_t len;

	(void)state;
	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		for (len = BOUNDS_LINE_BYTES - 2; len <= BOUNDS_LINE_BYTES + 1;
		     len++) {
			struct str stream;
			char *data = with_long_line(len, tails[i], &stream);
			struct outcome whole = feed(stream, true, NULL, 0);

			for (j = 0; j < 8; j++) {
				struct outcome o = feed(stream, true,
				    (const size_t[]){ 7 + len - 3 + j }, 1);

				assert_str(buf_str(&o.lines),
				    buf_str(&whole.lines));
				assert_int_equal(
				    o.n_bytes[LINES_BYTES_TOO_LONG],
				    whole.n_bytes[LINES_BYTES_TOO_LONG]);
				outcome_release(&o);
			}
			outcome_release(&whole);
			test_free(data);
		}
	}
}

static void
a_long_line_that_never_ends_is_reported_when_nothing_follows(void **state)
{
	struct str stream, line;
	struct lines l;
	char *data = with_long_line(2 * BOUNDS_LINE_BYTES, STR(""), &stream);
	struct outcome o;

	(void)state;
	stream.len -= strlen("after\n");
	o = feed(stream, true, NULL, 0);
	assert_outcome(&o, STR("[before]!"), 7, 0, 0, 2 * BOUNDS_LINE_BYTES);
	outcome_release(&o);

	/* Consumed already, and only then it turns out that it was the end. */
	o = feed(stream, true, (const size_t[]){ stream.len }, 1);
	assert_outcome(&o, STR("[before]!"), 7, 0, 0, 2 * BOUNDS_LINE_BYTES);
	outcome_release(&o);

	/* And then no more. */
	lines_init(&l, false);
	l.in_long_line = true;
	stream = STR("");
	assert_int_equal(lines_next(&l, &stream, true, &line), LINES_TOO_LONG);
	assert_int_equal(lines_next(&l, &stream, true, &line), LINES_MORE);
	test_free(data);
}

static void
a_line_that_is_given_back_is_the_next_one(void **state)
{
	struct str window = STR("\xEF\xBB\xBF\0\0first\r\nsecond\n");
	struct str whole = window;
	struct lines l;
	struct str line;
	int i;

	(void)state;
	lines_init(&l, true);
	for (i = 0; i < 3; i++) {
		assert_int_equal(lines_next(&l, &window, false, &line),
		    LINES_LINE);
		assert_str(line, STR("first"));
		assert_int_equal(l.n_bytes[LINES_BYTES_READ], 7);
		if (i < 2)
			lines_give_back(&l, &window, line);
	}
	assert_int_equal(lines_next(&l, &window, false, &line), LINES_LINE);
	assert_str(line, STR("second"));
	lines_give_back(&l, &window, line);
	assert_str(window, str_after(whole, whole.len - 7));
	assert_int_equal(l.n_bytes[LINES_BYTES_READ], 7);
	assert_int_equal(l.n_bytes[LINES_BYTES_BOM], 3);
	assert_int_equal(l.n_bytes[LINES_BYTES_NUL], 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_at_lf_and_crlf),
		cmocka_unit_test(empty_lines_are_lines),
		cmocka_unit_test(
		    a_lone_cr_and_a_form_feed_are_bytes_of_the_line),
		cmocka_unit_test(an_empty_stream_has_no_line),
		cmocka_unit_test(
		    an_unfinished_line_is_one_only_when_nothing_follows),
		cmocka_unit_test(
		    nul_runs_before_a_line_are_skipped_and_inside_are_kept),
		cmocka_unit_test(
		    nul_runs_of_every_length_around_a_page_are_skipped),
		cmocka_unit_test(a_byte_order_mark_is_skipped_at_byte_0_only),
		cmocka_unit_test(half_a_byte_order_mark_is_part_of_the_line),
		cmocka_unit_test(
		    a_stream_split_at_every_byte_gives_the_same_lines),
		cmocka_unit_test(
		    the_longest_line_is_a_line_and_one_byte_more_is_too_long),
		cmocka_unit_test(
		    a_long_line_is_skipped_over_any_number_of_windows),
		cmocka_unit_test(
		    a_line_at_the_limit_is_the_same_however_it_is_split),
		cmocka_unit_test(
		    a_long_line_that_never_ends_is_reported_when_nothing_follows),
		cmocka_unit_test(a_line_that_is_given_back_is_the_next_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
