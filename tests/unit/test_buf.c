#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/buf.h"
#include "accesslog/config_error.h"
#include "support.h"

static void
holds_what_was_added_in_order(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_add(&b, STR("one "));
	buf_add_char(&b, '2');
	buf_add_text(&b, " three ");
	buf_add_u64(&b, 4);
	buf_add_format(&b, " %s-%d", "five", 6);
	assert_int_equal(buf_status(&b), 0);
	assert_str(buf_str(&b), STR("one 2 three 4 five-6"));
	buf_release(&b);
}

static void
an_empty_one_allocates_nothing_and_is_an_empty_value(void **state)
{
	struct buf b;

	(void)state;
	support_fail_allocation(1);
	buf_init(&b, 10);
	buf_add(&b, STR(""));
	buf_add_text(&b, "");
	buf_add(&b, (struct str){ 0 });
	support_stop_failing();
	assert_int_equal(support_n_allocations(), 0);
	assert_int_equal(buf_status(&b), 0);
	assert_null(b.data);
	assert_str(buf_str(&b), STR(""));
	buf_release(&b);
}

static void
numbers_are_written_up_to_the_largest(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 9, "9" },
		{ 10, "10" },
		{ UINT64_C(9007199254740993), "9007199254740993" },
		{ INT64_MAX, "9223372036854775807" },
		{ UINT64_MAX, "18446744073709551615" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 20);
		buf_add_u64(&b, cases[i].value);
		assert_int_equal(buf_status(&b), 0);
		assert_str(buf_str(&b), str_from(cases[i].text));
		buf_release(&b);
	}
}

/* Every maximum from nothing to beyond what is added in one and in pieces. */
static void
takes_exactly_its_maximum_and_not_a_byte_more(void **state)
{
	static char text[1500];
	size_t max, piece;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (max = 0; max < sizeof(text); max += max < 600 ? 1 : 97) {
		for (piece = 1; piece < 400; piece *= 3) {
			struct buf b;
			size_t len;

			buf_init(&b, max);
			for (len = 0; len + piece <= max; len += piece)
				buf_add(&b, str_of(text, piece));
			assert_int_equal(buf_status(&b), 0);
			buf_add(&b, str_of(text, max - len));
			assert_int_equal(buf_status(&b), 0);
			assert_int_equal(b.len, max);
			assert_true(b.capacity <= max);
			buf_add_char(&b, 'y');
			assert_int_equal(buf_status(&b), -EOVERFLOW);
			assert_str(buf_str(&b), str_of(text, max));
			buf_release(&b);
		}
	}
}

static void
the_first_failure_sticks_until_it_is_cleared(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_add(&b, STR("abc"));
	buf_add(&b, STR("de"));
	assert_int_equal(buf_status(&b), -EOVERFLOW);
	buf_add_char(&b, 'd'); /* which would fit */
	assert_null(buf_reserve(&b, 1));
	assert_str(buf_str(&b), STR("abc"));

	buf_clear(&b);
	assert_int_equal(buf_status(&b), 0);
	buf_add(&b, STR("wxyz"));
	assert_int_equal(buf_status(&b), 0);
	assert_str(buf_str(&b), STR("wxyz"));
	buf_release(&b);
}

static void
growing_amounts_that_would_wrap_are_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	buf_add(&b, STR("abc"));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(buf_status(&b), -EOVERFLOW);
	buf_release(&b);
}

static void
each_allocation_failure_is_reported_and_keeps_the_bytes(void **state)
{
	unsigned long n;

	(void)state;
	for (n = 1;; n++) {
		struct buf b;
		size_t i, len;

		buf_init(&b, 100000);
		support_fail_allocation(n);
		for (i = 0; i < 5000; i++)
			buf_add_format(&b, "%zu,", i % 10);
		support_stop_failing();
		if (!support_did_fail()) {
			assert_int_equal(buf_status(&b), 0);
			assert_int_equal(b.len, 10000);
			buf_release(&b);
			break;
		}
		assert_int_equal(buf_status(&b), -ENOMEM);
		len = b.len;
		buf_add_char(&b, 'x');
		assert_int_equal(b.len, len);
		for (i = 0; i < len; i++)
			assert_int_equal(b.data[i],
			    i % 2 ? ',' : '0' + (int)(i / 2 % 10));
		buf_release(&b);
		assert_null(b.data);
		assert_int_equal(buf_status(&b), 0);
	}
	assert_true(n > 3);
}

static void
what_was_reserved_can_be_written_to_its_end(void **state)
{
	struct buf b;
	char *end;

	(void)state;
	buf_init(&b, 5000);
	buf_add(&b, STR("ab"));
	end = buf_reserve(&b, 4998);
	assert_non_null(end);
	memset(end, 'c', 4998);
	b.len += 4998;
	assert_int_equal(b.data[1], 'b');
	assert_int_equal(b.data[4999], 'c');
	assert_non_null(buf_reserve(&b, 0));
	assert_null(buf_reserve(&b, 1));
	buf_release(&b);
}

static void
taking_the_bytes_empties_it(void **state)
{
	struct buf b;
	char *data;

	(void)state;
	buf_init(&b, 10);
	assert_null(buf_take(&b));
	buf_add(&b, STR("abc"));
	buf_add_char(&b, '\0');
	data = buf_take(&b);
	assert_string_equal(data, "abc");
	assert_str(buf_str(&b), STR(""));
	buf_add(&b, STR("0123456789"));
	assert_int_equal(buf_status(&b), 0);
	assert_string_equal(data, "abc");
	free(data);
	buf_release(&b);
}

static void
reads_no_byte_beyond_what_is_added(void **state)
{
	struct str in = support_guarded_str(STR("0123456789"));
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_add(&b, in);
	assert_str(buf_str(&b), STR("0123456789"));
	buf_release(&b);
	support_guarded_str_free(in);
}

static void
a_config_error_says_where_and_is_cut_to_its_room(void **state)
{
	struct config_error e;
	char text[1000];

	(void)state;
	assert_int_equal(
	    config_error_set(&e, 3, 14, "write %s, not %d", "x", 5), -EINVAL);
	assert_int_equal(e.line, 3);
	assert_int_equal(e.column, 14);
	assert_string_equal(e.text, "write x, not 5");

	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(config_error_set(&e, 0, 0, "%s", text), -EINVAL);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_was_added_in_order),
		cmocka_unit_test(
		    an_empty_one_allocates_nothing_and_is_an_empty_value),
		cmocka_unit_test(numbers_are_written_up_to_the_largest),
		cmocka_unit_test(takes_exactly_its_maximum_and_not_a_byte_more),
		cmocka_unit_test(the_first_failure_sticks_until_it_is_cleared),
		cmocka_unit_test(growing_amounts_that_would_wrap_are_refused),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_keeps_the_bytes),
		cmocka_unit_test(what_was_reserved_can_be_written_to_its_end),
		cmocka_unit_test(taking_the_bytes_empties_it),
		cmocka_unit_test(reads_no_byte_beyond_what_is_added),
		cmocka_unit_test(
		    a_config_error_says_where_and_is_cut_to_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
