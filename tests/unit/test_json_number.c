#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accesslog/json_number.h"
#include "support.h"

static void
a_number_ends_where_json_ends_it(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = { { "0", 1 }, { "-0", 2 }, { "10", 2 }, { "1.5", 3 },
		{ "1,2", 1 }, { "1e5x", 3 }, { "-1.25E+10 ", 9 }, { "1-2", 1 },
		{ "", 0 }, { "-", 0 }, { "01", 0 }, { "000", 0 }, { "1.", 0 },
		{ ".5", 0 }, { "1e", 0 }, { "1e+", 0 }, { "+1", 0 },
		{ "nan", 0 } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str text = support_guarded_str(str_from(cases[i].text));

		print_message("%s\n", cases[i].text);
		assert_int_equal(json_number_len(text), cases[i].len);
		support_guarded_str_free(text);
	}
}

static void
exponents_are_written_out(void **state)
{
	static const struct {
		const char *number;
		const char *plain; /* NULL: refused */
	} cases[] = { { "2.5e-06", "0.0000025" }, { "2.5E-1", "0.25" },
		{ "1e3", "1000" }, { "1.25e1", "12.5" }, { "1.25e2", "125" },
		{ "125e0", "125" }, { "125e-3", "0.125" }, { "125e-1", "12.5" },
		{ "1e+2", "100" }, { "0e5", "000000" }, { "1e400", NULL },
		{ "1e-400", NULL }, { "1e", NULL }, { "-1e3", NULL },
		{ "1.5", NULL }, { "15", NULL }, { "e5", NULL }, { "", NULL },
		{ "01e5", NULL }, { "1e99999999999999999999", NULL },
		{ "1234567890123456789012345678901234567890e1", NULL },
		{ "1234567890123456789012345678901234567890e-40",
		    "0.1234567890123456789012345678901234567890" },
		{ "1e-40", "0.0000000000000000000000000000000000000001" } };
	struct json_number_plain plain;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str number = support_guarded_str(
		    str_from(cases[i].number));

		print_message("%s\n", cases[i].number);
		assert_int_equal(json_number_expand(number, &plain),
		    cases[i].plain != NULL);
		if (cases[i].plain)
			assert_str(str_of(plain.digits, plain.len),
			    str_from(cases[i].plain));
		support_guarded_str_free(number);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_ends_where_json_ends_it),
		cmocka_unit_test(exponents_are_written_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
