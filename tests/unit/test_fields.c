#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/fields.h"
#include "support.h"

static void
names_have_the_kinds_that_nginx_gives_them(void **state)
{
	static const struct {
		const char *name;
		enum fields_kind kind;
	} cases[] = {
		{ "status", FIELDS_STATUS },
		{ "body_bytes_sent", FIELDS_COUNT },
		{ "bytes_sent", FIELDS_COUNT },
		{ "request_length", FIELDS_COUNT },
		{ "request_time", FIELDS_SECONDS },
		{ "first_byte_time", FIELDS_SECONDS },
		{ "upload_time", FIELDS_SECONDS },
		{ "upstream_response_time", FIELDS_SECONDS_LIST },
		{ "upstream_connect_time", FIELDS_SECONDS_LIST },
		{ "upstream_header_time", FIELDS_SECONDS_LIST },
		{ "time_local", FIELDS_TIME },
		{ "time_iso8601", FIELDS_TIME },
		{ "msec", FIELDS_TIME },

		{ "request", FIELDS_TEXT },
		{ "http_user_agent", FIELDS_TEXT },
		{ "upstream_status", FIELDS_TEXT },
		{ "my_own", FIELDS_TEXT },
		/* Whole names only, in lower case. */
		{ "", FIELDS_TEXT },
		{ "statu", FIELDS_TEXT },
		{ "status_", FIELDS_TEXT },
		{ "Status", FIELDS_TEXT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str name = support_guarded_str(str_from(cases[i].name));

		if (fields_kind_of(name) != cases[i].kind)
			print_error("%s\n", cases[i].name);
		assert_int_equal(fields_kind_of(name), cases[i].kind);
		support_guarded_str_free(name);
	}
}

static void
a_name_is_a_letter_then_letters_digits_and_underscores(void **state)
{
	static const char *const good[] = { "a", "_", "Z9", "http_user_agent",
		"A_b_0" };
	static const char *const bad[] = { "", "0a", "9", "a-b", "a b", "a.b",
		"a:", " a", "a ", "\xC3\xA9", "a\xC3\xA9", "a\n" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(fields_name_valid(str_from(good[i])));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (fields_name_valid(str_from(bad[i])))
			fail_msg("\"%s\" is valid", bad[i]);
	}
	assert_false(fields_name_valid(str_of("a\0", 2)));
}

static void
the_first_and_later_bytes_of_a_name_are_checked_one_by_one(void **state)
{
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		char name[2] = { (char)c, (char)c };
		bool letter = (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || c == '_';

		assert_int_equal(fields_name_valid(str_of(name, 1)), letter);
		name[0] = 'x';
		assert_int_equal(fields_name_valid(str_of(name, 2)),
		    letter || (c >= '0' && c <= '9'));
	}
}

static void
a_name_is_as_long_as_a_label_value_at_most(void **state)
{
	char name[BOUNDS_LABEL_VALUE_BYTES + 1];

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_true(fields_name_valid(str_of(name, sizeof(name) - 1)));
	assert_false(fields_name_valid(str_of(name, sizeof(name))));
}

static void
a_field_keeps_the_slot_that_it_was_added_at(void **state)
{
	struct fields f = { 0 };

	(void)state;
	assert_int_equal(fields_find(&f, STR("status")), FIELDS_NO_SLOT);
	assert_int_equal(fields_add(&f, STR("status")), 0);
	assert_int_equal(fields_add(&f, STR("request")), 1);
	assert_int_equal(fields_add(&f, STR("status")), 0);
	assert_int_equal(fields_add(&f, STR("request_time")), 2);
	assert_int_equal(f.n, 3);
	assert_int_equal(fields_find(&f, STR("status")), 0);
	assert_int_equal(fields_find(&f, STR("request")), 1);
	assert_int_equal(fields_find(&f, STR("request_time")), 2);
	assert_int_equal(fields_find(&f, STR("reques")), FIELDS_NO_SLOT);
	assert_int_equal(f.kinds[0], FIELDS_STATUS);
	assert_int_equal(f.kinds[1], FIELDS_TEXT);
	assert_int_equal(f.kinds[2], FIELDS_SECONDS);
}

static void
a_full_set_takes_no_more_but_knows_what_it_has(void **state)
{
	static char names[BOUNDS_FIELDS][8];
	struct fields f = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < BOUNDS_FIELDS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "f%zu", i);
		assert_int_equal(fields_add(&f, str_from(names[i])), i);
	}
	assert_int_equal(fields_add(&f, STR("status")), FIELDS_NO_SLOT);
	assert_int_equal(f.n, BOUNDS_FIELDS);
	assert_int_equal(fields_add(&f, STR("f63")), 63);
	assert_int_equal(fields_find(&f, STR("f0")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_the_kinds_that_nginx_gives_them),
		cmocka_unit_test(
		    a_name_is_a_letter_then_letters_digits_and_underscores),
		cmocka_unit_test(
		    the_first_and_later_bytes_of_a_name_are_checked_one_by_one),
		cmocka_unit_test(a_name_is_as_long_as_a_label_value_at_most),
		cmocka_unit_test(a_field_keeps_the_slot_that_it_was_added_at),
		cmocka_unit_test(
		    a_full_set_takes_no_more_but_knows_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
