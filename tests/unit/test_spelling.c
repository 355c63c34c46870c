#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "accesslog/spelling.h"

static void
assert_distance(const char *a, const char *b, size_t expected)
{
	assert_int_equal(spelling_distance(str_from(a), str_from(b)), expected);
	assert_int_equal(spelling_distance(str_from(b), str_from(a)), expected);
}

static void
test_the_distance_is_the_number_of_mistakes(void **state)
{
	(void)state;
	assert_distance("", "", 0);
	assert_distance("", "scan", 4);
	assert_distance("scan", "scan", 0);
	assert_distance("scan", "scn", 1);
	assert_distance("scan", "sccan", 1);
	assert_distance("scan", "scam", 1);
	assert_distance("scan", "scna", 1);
	assert_distance("scan", "csna", 2);
	assert_distance("explain", "xeplian", 2);
	assert_distance("formats", "access", 6);
	/* Not two exchanges that overlap. */
	assert_distance("ca", "abc", 3);
}

static void
test_a_name_that_is_too_long_is_near_nothing(void **state)
{
	static const char *const names[] = { "scan" };
	char text[SPELLING_MOST_BYTES + 1];
	struct str longest = str_of(text, SPELLING_MOST_BYTES);
	struct str longer = str_of(text, SPELLING_MOST_BYTES + 1);

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(spelling_distance(longest, longest), 0);
	assert_int_equal(spelling_distance(longest, STR("")),
	    SPELLING_MOST_BYTES);
	assert_true(spelling_distance(longer, STR("")) == SIZE_MAX);
	assert_null(spelling_nearest(longer, names, 1));
}

static void
assert_nearest(const char *text, const char *expected)
{
	static const char *const names[] = { "name", "paths", "exclude",
		"format" };
	const char *near = spelling_nearest(str_from(text), names, 4);

	if (!expected)
		assert_null(near);
	else if (!near)
		fail_msg("%s: nothing is near", text);
	else
		assert_string_equal(near, expected);
}

static void
test_the_nearest_name_is_found_or_none(void **state)
{
	(void)state;
	assert_nearest("formt", "format");
	assert_nearest("fomrat", "format");
	assert_nearest("path", "paths");
	assert_nearest("exc", "exclude");
	assert_nearest("format_string", "format");
	assert_nearest("ex", NULL);
	assert_nearest("", NULL);
	assert_nearest("regex", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_distance_is_the_number_of_mistakes),
		cmocka_unit_test(test_a_name_that_is_too_long_is_near_nothing),
		cmocka_unit_test(test_the_nearest_name_is_found_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
