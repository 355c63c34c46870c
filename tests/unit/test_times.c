#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/times.h"
#include "support.h"

static const struct {
	const char *text;
	unsigned shift;
	enum times_result result;
	const char *sum, *last;
	size_t n_attempts;
} cases[] = {
	{ "0.001", 0, TIMES_OK, "0.001", "0.001", 1 },
	{ "0.000", 0, TIMES_OK, "0", "0", 1 },
	{ "0.001, 0.002", 0, TIMES_OK, "0.003", "0.002", 2 },
	{ "0.001, 0.002 : 0.003", 0, TIMES_OK, "0.006", "0.003", 3 },
	{ "0.001 : 0.002 : 0.003, 0.004", 0, TIMES_OK, "0.01", "0.004", 4 },

	/* The separator at the end: nothing followed the redirect. */
	{ "0.001 : ", 0, TIMES_OK, "0.001", "0.001", 1 },
	{ "0.001 :", 0, TIMES_OK, "0.001", "0.001", 1 },
	{ "0.001, 0.002 : ", 0, TIMES_OK, "0.003", "0.002", 2 },
	{ "0.001, ", 0, TIMES_OK, "0.001", "0.001", 1 },

	/* Servers that were not reached have no time. */
	{ "0.100, -", 0, TIMES_OK, "0.1", "0.1", 2 },
	{ "-, 0.100", 0, TIMES_OK, "0.1", "0.1", 2 },
	{ "-, 0.100 : -", 0, TIMES_OK, "0.1", "0.1", 3 },
	{ "- : 0.100", 0, TIMES_OK, "0.1", "0.1", 2 },

	/* No observation, and never 0. */
	{ "-", 0, TIMES_NONE, NULL, NULL, 0 },
	{ "-, -", 0, TIMES_NONE, NULL, NULL, 0 },
	{ "- : -", 0, TIMES_NONE, NULL, NULL, 0 },
	{ "- : ", 0, TIMES_NONE, NULL, NULL, 0 },
	{ "", 0, TIMES_NONE, NULL, NULL, 0 },
	{ " ", 0, TIMES_NONE, NULL, NULL, 0 },
	{ " : ", 0, TIMES_NONE, NULL, NULL, 0 },
	{ ",", 0, TIMES_NONE, NULL, NULL, 0 },

	/* Units are those of every element. */
	{ "1, 2 : 3", 3, TIMES_OK, "0.006", "0.003", 3 },
	{ "1500000, 500000", 6, TIMES_OK, "2", "0.5", 2 },

	/* A sum that is exact where a double's is not. */
	{ "0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1", 0, TIMES_OK, "1",
	    "0.1", 10 },
	{ "9223372036854775807, 9223372036854775807", 0, TIMES_OK,
	    "18446744073709551614", "9223372036854775807", 2 },

	/* One that is no number spoils the list. */
	{ "nan", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "0.1, nan", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "inf, 0.1", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "0.1, -5", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "0.1, --", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "1_000", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "0x1f", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "0.1; 0.2", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "0.1 0.2", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "0.1,\t0.2", 0, TIMES_MALFORMED, NULL, NULL, 0 },
	{ "9223372036854775808", 0, TIMES_MALFORMED, NULL, NULL, 0 },
};

static void
assert_decimal(struct decimal value, const char *expected)
{
	struct buf b;

	buf_init(&b, 40);
	decimal_render(value, &b);
	assert_int_equal(buf_status(&b), 0);
	assert_str(buf_str(&b), str_from(expected));
	buf_release(&b);
}

static void
lists_are_read_as_sum_last_and_attempts(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str text = support_guarded_str(str_from(cases[i].text));
		struct times t = { .n_attempts = 77 };
		enum times_result result = times_parse(text, cases[i].shift,
		    &t);

		if (result != cases[i].result ||
		    (result == TIMES_OK && t.n_attempts != cases[i].n_attempts))
			print_error("\"%s\"\n", cases[i].text);
		assert_int_equal(result, cases[i].result);
		if (result == TIMES_OK) {
			assert_decimal(t.sum, cases[i].sum);
			assert_decimal(t.last, cases[i].last);
			assert_int_equal(t.n_attempts, cases[i].n_attempts);
		} else {
			assert_int_equal(t.n_attempts, 77);
		}
		support_guarded_str_free(text);
	}
}

/* Whatever is cut off, nothing behind it is read, and a sum never grows. */
static void
a_list_cut_anywhere_is_still_read_inside_of_itself(void **state)
{
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct times whole;

		if (cases[i].result != TIMES_OK)
			continue;
		assert_int_equal(times_parse(str_from(cases[i].text),
				     cases[i].shift, &whole),
		    TIMES_OK);
		for (len = 0; len < strlen(cases[i].text); len++) {
			struct str text = support_guarded_str(
			    str_of(cases[i].text, len));
			struct times t;

			if (times_parse(text, cases[i].shift, &t) == TIMES_OK) {
				assert_true(t.n_attempts <= whole.n_attempts);
				assert_true(
				    decimal_compare(t.sum, whole.sum) <= 0);
			}
			support_guarded_str_free(text);
		}
	}
}

/* By the separators alone: what is between them is looked at once. */
static void
a_list_of_nothing_but_separators_has_no_time(void **state)
{
	static char colons[64 * 1024];
	struct times t;

	(void)state;
	memset(colons, ':', sizeof(colons));
	assert_int_equal(times_parse(str_of(colons, sizeof(colons)), 0, &t),
	    TIMES_NONE);
	colons[sizeof(colons) - 1] = '5';
	assert_int_equal(times_parse(str_of(colons, sizeof(colons)), 0, &t),
	    TIMES_OK);
	assert_int_equal(t.n_attempts, 1);
	assert_int_equal(t.sum.whole, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read_as_sum_last_and_attempts),
		cmocka_unit_test(
		    a_list_cut_anywhere_is_still_read_inside_of_itself),
		cmocka_unit_test(a_list_of_nothing_but_separators_has_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
