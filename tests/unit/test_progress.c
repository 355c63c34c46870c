#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/progress.h"
#include "support.h"

#define MB UINT64_C(1000000)

static void
shown(struct progress p, size_t n_columns, const char *expected)
{
	struct buf out;

	buf_init(&out, 1000);
	buf_add_char(&out, '>'); /* it adds to what is there */
	progress_render(&p, n_columns, &out);
	assert_int_equal(buf_status(&out), 0);
	assert_true(out.len <= n_columns + 1);
	assert_str(str_after(buf_str(&out), 1), str_from(expected));
	buf_release(&out);
}

static void
a_bar_takes_what_the_numbers_leave(void **state)
{
	const struct progress p = { 45 * MB, 100 * MB, 200000, 1000 };

	(void)state;
	shown(p, 63,
	    " 45 % of 100 MB, 200 k lines/s, 1 s left [=========>          ]");
	shown(p, 53, " 45 % of 100 MB, 200 k lines/s, 1 s left [====>     ]");
	shown(p, 52, " 45 % of 100 MB, 200 k lines/s, 1 s left");
	shown(p, 20, " 45 % of 100 MB, 200");
	shown(p, 0, "");
	shown(p, 1000,
	    " 45 % of 100 MB, 200 k lines/s, 1 s left "
	    "[==================>                     ]");
}

static void
the_beginning_and_the_end(void **state)
{
	(void)state;
	shown((struct progress){ .size_bytes = 1000 }, 40,
	    "  0 % of 1.0 kB, 0 lines/s [>          ]");
	shown((struct progress){ 1000, 1000, 7, 1000 }, 40,
	    "100 % of 1.0 kB, 7 lines/s [===========]");
	/* It has grown meanwhile. */
	shown((struct progress){ 2000, 1000, 7, 1000 }, 40,
	    "100 % of 1.0 kB, 7 lines/s [===========]");
}

static void
without_a_known_end_there_is_no_bar(void **state)
{
	(void)state;
	shown((struct progress){ 1234567, 0, 8100000, 1000 }, 80,
	    "1.2 MB, 8.1 M lines/s");
}

static void
time_left_in_units_of_its_size(void **state)
{
	(void)state;
	shown((struct progress){ 1, 60, 0, 1000 }, 40,
	    "  1 % of 60 B, 0 lines/s, 59 s left");
	shown((struct progress){ 1, 61, 0, 1000 }, 40,
	    "  1 % of 61 B, 0 lines/s, 1:00 min left");
	shown((struct progress){ 1, 3601, 0, 1000 }, 40,
	    "  0 % of 3.6 kB, 0 lines/s, 1:00 h left");
	shown((struct progress){ 1, UINT64_MAX, 0, 1 }, 60,
	    "  0 % of 18 EB, 0 lines/s, 5124095576030:25 h left");
}

static void
the_sum_at_the_end(void **state)
{
	static const struct {
		struct progress p;
		const char *text;
	} cases[] = {
		{ { 2700 * MB, 2700 * MB, 11 * MB, 1400 },
		    "2.7 GB, 11 M lines in 1.4 s, 7.8 M lines/s" },
		{ { 0, 0, 0, 0 }, "0 B, 0 lines in 0.0 s, 0 lines/s" },
		{ { 999, 0, 999, 9999 },
		    "999 B, 999 lines in 9.9 s, 99 lines/s" },
		{ { 1000, 0, 1000, 10000 },
		    "1.0 kB, 1.0 k lines in 10 s, 100 lines/s" },
		{ { UINT64_MAX, 0, UINT64_MAX, 3723000 },
		    "18 EB, 18 E lines in 1:02 h, 4.9 P lines/s" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;

		buf_init(&out, 1000);
		progress_render_sum(&cases[i].p, &out);
		assert_int_equal(buf_status(&out), 0);
		assert_str(buf_str(&out), str_from(cases[i].text));
		buf_release(&out);
	}
}

static void
too_little_memory_is_said_and_nothing_else(void **state)
{
	const struct progress p = { 45 * MB, 100 * MB, 200000, 1000 };
	unsigned long n;

	(void)state;
	for (n = 1;; n++) {
		struct buf out;
		int error;

		buf_init(&out, 1000);
		support_fail_allocation(n);
		progress_render(&p, 63, &out);
		support_stop_failing();
		error = buf_status(&out);
		buf_release(&out);
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
	}
	assert_true(n > 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bar_takes_what_the_numbers_leave),
		cmocka_unit_test(the_beginning_and_the_end),
		cmocka_unit_test(without_a_known_end_there_is_no_bar),
		cmocka_unit_test(time_left_in_units_of_its_size),
		cmocka_unit_test(the_sum_at_the_end),
		cmocka_unit_test(too_little_memory_is_said_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
