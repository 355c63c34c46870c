#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/format.h"
#include "accesslog/format_json.h"
#include "support.h"

static struct format *
create(struct str text)
{
	struct config_error e = { 0 };
	struct format *f = NULL;

	if (format_create(text, &f, &e))
		fail_msg("%.*s: %s", STR_ARGS(text), e.text);
	assert_int_equal(f->kind, FORMAT_JSON);
	return f;
}

static void
check_item(const struct format *f, size_t i, const char *field,
    const char *path, unsigned shift, size_t column)
{
	const struct format_item *item = &f->items[3 * i];

	assert_int_equal(item[0].kind, FORMAT_OPEN);
	assert_str(item[0].text, str_from(field));
	assert_int_equal(item[0].shift, shift);
	assert_int_equal(item[0].column, column);
	assert_int_equal(item[1].kind, FORMAT_LITERAL);
	assert_str(item[1].text, str_from(path));
	assert_int_equal(item[2].kind, FORMAT_CLOSE);
}

static void
fields_have_paths_units_and_columns(void **state)
{
	struct str text = support_guarded_str(STR(
	    "json: status=code \t request_time=ms:ms remote_user=\"the user\" "
	    "host=:authority status=a.b upstream_response_time=\"a:b\":ns "
	    "upstream_connect_time=u:us request_length=len=x bytes_sent=b "
	    "upstream_header_time=::s"));
	struct format *f = create(text);

	(void)state;
	support_guarded_str_free(text);
	assert_int_equal(f->n_items, 3 * 10);
	check_item(f, 0, "status", "code", 0, 7);
	check_item(f, 1, "request_time", "ms", 3, 21);
	check_item(f, 2, "remote_user", "the user", 0, 40);
	check_item(f, 3, "host", ":authority", 0, 63);
	check_item(f, 4, "status", "a.b", 0, 79);
	check_item(f, 5, "upstream_response_time", "a:b", 9, 90);
	check_item(f, 6, "upstream_connect_time", "u", 6, 122);
	check_item(f, 7, "request_length", "len=x", 0, 149);
	check_item(f, 8, "bytes_sent", "b", 0, 170);
	check_item(f, 9, "upstream_header_time", ":", 0, 183);
	assert_true(format_has(f, STR("bytes_sent")));
	assert_false(format_has(f, STR("code")));
	format_destroy(f);
}

static void
json_alone_is_nginx_json(void **state)
{
	struct format *alone = create(STR("json"));
	struct format *named = create(STR("nginx_json"));
	size_t i;

	(void)state;
	assert_int_equal(alone->n_items, named->n_items);
	for (i = 0; i < alone->n_items; i++)
		assert_str(alone->items[i].text, named->items[i].text);
	assert_true(format_has(alone, STR("upstream_response_time")));
	format_destroy(named);
	format_destroy(alone);
}

static void
a_wrong_mapping_is_refused_with_its_column(void **state)
{
	static const struct {
		const char *text;
		size_t column;
		const char *says;
	} cases[] = {
		{ "json:", 0, "none of the fields request, status" },
		{ "json: ", 0, "json: status=KEY" },
		{ "json: host=h", 0, "none of the fields request, status" },
		{ "json: host=h statu=s", 14,
		    "write status in place of statu" },
		{ "json: status", 13, "status has no path; write status=KEY" },
		{ "json: status =x", 13, "write status=KEY" },
		{ "json: status= host=h", 14, "write status=KEY" },
		{ "json: status=", 14, "write status=KEY" },
		{ "json: status=\"\"", 14, "write status=KEY" },
		{ "json: status=s 9x=y", 16, "\"9x\" is not a field" },
		{ "json: status=s =y", 16, "\"\" is not a field" },
		{ "json: response.code=status", 7, "write FIELD=KEY" },
		{ "json: status=\"s host=h", 14, "never closed" },
		{ "json: status=\"s\"host=h", 17, "write a blank" },
		{ "json: status=s request_time=d:sec", 31,
		    "\"sec\" is not a unit; write s, ms, us or ns" },
		{ "json: status=s request_time=d:", 31, "\"\" is not a unit" },
		{ "json: status=s:ms", 16,
		    "status is not a time and has no unit; leave \":ms\" out, or "
		    "write the path in quotes" },
		{ "json: status=a:b", 16, "\"b\" is not a unit" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str text = support_guarded_str(str_from(cases[i].text));
		struct config_error e = { 0 };
		struct format *f = NULL;

		print_message("%s\n", cases[i].text);
		assert_int_equal(format_create(text, &f, &e), -EINVAL);
		assert_null(f);
		assert_int_equal(e.column, cases[i].column);
		if (!strstr(e.text, cases[i].says))
			fail_msg("%s", e.text);
		support_guarded_str_free(text);
	}
}

static void
sixty_four_paths_are_the_most(void **state)
{
	struct config_error e = { 0 };
	struct format *f = NULL;
	struct buf text;
	int i;

	(void)state;
	buf_init(&text, BOUNDS_FORMAT_BYTES);
	buf_add_text(&text, "json:");
	for (i = 0; i < BOUNDS_JSON_PATHS; i++)
		buf_add_text(&text, " status=s");
	format_destroy(create(buf_str(&text)));
	buf_add_text(&text, " status=s");
	assert_int_equal(buf_status(&text), 0);
	assert_int_equal(format_create(buf_str(&text), &f, &e), -EINVAL);
	assert_int_equal(e.column, 5 + 9 * BOUNDS_JSON_PATHS + 2);
	assert_non_null(strstr(e.text, "more than 64 paths"));
	buf_release(&text);
}

static void
only_what_begins_with_json_is_json(void **state)
{
	(void)state;
	assert_true(format_json_is(STR("json")));
	assert_true(format_json_is(STR("json:")));
	assert_true(format_json_is(STR("json:status=s")));
	assert_false(format_json_is(STR("json ")));
	assert_false(format_json_is(STR("jso")));
	assert_false(format_json_is(STR("nginx_json")));
	assert_false(format_json_is(STR("%{STATUS:status}")));
	assert_false(format_json_is((struct str){ 0 }));
}

static void
creation_survives_every_failed_allocation(void **state)
{
	struct config_error e;
	struct format *f = NULL;
	unsigned long n;
	int error;

	(void)state;
	for (n = 1;; n++) {
		support_fail_allocation(n);
		error = format_create(STR("json: status=s"), &f, &e);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
		assert_null(f);
	}
	assert_true(n > 3);
	assert_int_equal(error, 0);
	format_destroy(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_have_paths_units_and_columns),
		cmocka_unit_test(json_alone_is_nginx_json),
		cmocka_unit_test(a_wrong_mapping_is_refused_with_its_column),
		cmocka_unit_test(sixty_four_paths_are_the_most),
		cmocka_unit_test(only_what_begins_with_json_is_json),
		cmocka_unit_test(creation_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
