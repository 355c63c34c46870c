/* Lines of JSON through parser.h, as ingest reads them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/format.h"
#include "accesslog/parser.h"
#include "accesslog/parser_json.h"
#include "support.h"

#define FORMAT                                                                 \
	"json: status=s status=code body_bytes_sent=b bytes_sent=bs "          \
	"request=r request_uri=u request_time=d:ms "                           \
	"upstream_response_time=urt time_local=t http_user_agent=ua"

enum {
	STATUS,
	BYTES,
	METHOD,
	URI,
	REQUEST_URI,
	TIME,
	URT,
	WHEN,
	AGENT,
	N_FIELDS,
};

static const char *const names[N_FIELDS] = { "status", "body_bytes_sent",
	"request_method", "uri", "request_uri", "request_time",
	"upstream_response_time", "time_local", "http_user_agent" };

struct fixture {
	struct parser *parser;
	const struct entry *e;
	bool whole;
};

static int
create(const char *format_text, struct parser **ret_parser)
{
	struct fields wanted = { 0 };
	struct config_error e;
	struct format *format;
	size_t i;
	int error;

	for (i = 0; i < N_FIELDS; i++)
		(void)fields_add(&wanted, str_from(names[i]));
	error = format_create(str_from(format_text), &format, &e);
	if (error)
		return error;
	error = parser_create(format, &wanted, true, ret_parser, &e);
	format_destroy(format);
	return error;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || create(FORMAT, &f->parser))
		return -1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	parser_destroy(f->parser);
	free(f);
	return 0;
}

#define with_line(f, text, checks)                                             \
	do {                                                                   \
		struct str line_ = support_guarded_str(text);                  \
		assert_int_equal(                                              \
		    parser_parse((f)->parser, line_, &(f)->e, &(f)->whole),    \
		    PARSER_PARSED);                                            \
		checks;                                                        \
		support_guarded_str_free(line_);                               \
	} while (0)

static bool
has_number(const struct entry *e, size_t slot)
{
	return e->has_number & ENTRY_BIT(slot);
}

#define assert_number(f, slot, whole_, nanos_)                                 \
	do {                                                                   \
		assert_true(has_number((f)->e, slot));                         \
		assert_int_equal((f)->e->number[slot].whole, (whole_));        \
		assert_int_equal((f)->e->number[slot].nanos, (nanos_));        \
	} while (0)

static void
fields_are_decoded_and_derived(void **state)
{
	struct fixture *f = *state;

	with_line(f,
	    STR("{\"s\":200,\"b\":\"17\",\"r\":\"GET /a?b HTTP/1.1\",\"d\":1500,"
		"\"urt\":\"0.1, 0.2\",\"t\":\"[x]\",\"ua\":\"\"}"),
	    {
		    assert_number(f, STATUS, 200, 0);
		    assert_number(f, BYTES, 17, 0);
		    assert_str(f->e->text[METHOD], STR("GET"));
		    assert_str(f->e->text[REQUEST_URI], STR("/a?b"));
		    assert_str(f->e->text[URI], STR("/a"));
		    assert_number(f, TIME, 1, 500000000);
		    assert_number(f, URT, 0, 300000000);
		    assert_str(f->e->text[WHEN], STR("x"));
		    assert_str(f->e->text[AGENT], STR(""));
		    assert_int_equal(f->e->errors, 0);
		    assert_int_equal(f->e->n_repairs, 0);
		    assert_true(f->whole);
	    });
	assert_int_equal(parser_fields(f->parser),
	    (UINT64_C(1) << N_FIELDS) - 1);
}

static void
what_the_line_has_itself_is_not_derived(void **state)
{
	struct fixture *f = *state;

	with_line(f,
	    STR("{\"r\":\"GET /a HTTP/1.1\",\"u\":\"/b?c\",\"s\":200}"), {
		    assert_str(f->e->text[REQUEST_URI], STR("/b?c"));
		    assert_str(f->e->text[URI], STR("/b"));
		    assert_str(f->e->text[METHOD], STR("GET"));
	    });
	with_line(f, STR("{\"r\":\"GET /a HTTP/1.1\",\"u\":{}}"), {
		assert_no_value(f->e->text[REQUEST_URI]);
		assert_int_equal(f->e->errors,
		    ENTRY_BIT(REQUEST_URI) | ENTRY_BIT(URI));
	});
}

static void
a_field_that_is_absent_has_no_value_and_is_no_error(void **state)
{
	struct fixture *f = *state;
	size_t i;

	with_line(f, STR("{\"s\":200,\"b\":1,\"d\":5,\"ua\":\"x\"}"),
	    assert_str(f->e->text[AGENT], STR("x")));
	with_line(f, STR("{\"s\":200}"), {
		for (i = 1; i < N_FIELDS; i++)
			assert_no_value(f->e->text[i]);
		assert_int_equal(f->e->has_number, ENTRY_BIT(STATUS));
		assert_int_equal(f->e->errors, 0);
		assert_false(f->whole);
	});
}

static void
the_second_path_serves_where_the_first_has_nothing(void **state)
{
	struct fixture *f = *state;

	with_line(f, STR("{\"code\":404}"), assert_number(f, STATUS, 404, 0));
	with_line(f, STR("{\"code\":404,\"s\":200}"),
	    assert_number(f, STATUS, 200, 0));
	with_line(f, STR("{\"code\":404,\"s\":{}}"), {
		assert_number(f, STATUS, 404, 0);
		assert_int_equal(f->e->errors, 0);
	});
}

static void
one_of_request_status_and_bytes_makes_a_request(void **state)
{
	static const char *const requests[] = { "{\"s\":200}", "{\"b\":0}",
		"{\"bs\":0}", "{\"r\":\"-\"}", "{\"code\":\"\"}",
		"{\"s\":nonsense}", "{\"r\":\"\",\"x", " {\"s\":200}" };
	static const char *const others[] = { "{}", "{\"s\":null}",
		"{\"s\":{}}", "{\"s\":[]}", "{\"s\":\"20",
		"{\"s\":", "{\"u\":\"/\",\"d\":1}", "{\"status\":200}", "[200]",
		"", "192.0.2.1 - - [] \"GET / HTTP/1.1\" 200 5" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		print_message("%s\n", requests[i]);
		with_line(f, str_from(requests[i]), (void)0);
	}
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct str line = support_guarded_str(str_from(others[i]));

		print_message("%s\n", others[i]);
		assert_int_equal(parser_parse(f->parser, line, &f->e, NULL),
		    PARSER_UNPARSED);
		support_guarded_str_free(line);
	}
}

static void
which_fields_are_wanted_changes_no_count(void **state)
{
	struct fields agent = { 0 };
	struct config_error reason;
	struct format *format;
	struct parser *p;
	const struct entry *e;

	(void)state;
	(void)fields_add(&agent, STR("http_user_agent"));
	assert_int_equal(format_create(STR(FORMAT), &format, &reason), 0);
	assert_int_equal(parser_create(format, &agent, false, &p, &reason), 0);
	format_destroy(format);
	assert_int_equal(parser_parse(p, STR("{\"bs\":1}"), &e, NULL),
	    PARSER_PARSED);
	assert_no_value(e->text[0]);
	assert_int_equal(parser_parse(p, STR("{\"ua\":\"x\"}"), &e, NULL),
	    PARSER_UNPARSED);
	parser_destroy(p);
}

static void
numbers_are_decoded_not_trusted(void **state)
{
	struct fixture *f = *state;

	with_line(f, STR("{\"s\":000,\"d\":1e400,\"b\":-1,\"urt\":1e-1}"), {
		assert_number(f, STATUS, 0, 0);
		assert_str(f->e->text[STATUS], STR("000"));
		assert_number(f, URT, 0, 100000000);
		assert_int_equal(f->e->errors,
		    ENTRY_BIT(TIME) | ENTRY_BIT(BYTES));
		assert_no_value(f->e->text[TIME]);
		assert_int_equal(f->e->n_repairs, 1);
	});
	with_line(f, STR("{\"s\":0,\"b\":2.5e1,\"d\":true,\"urt\":{}}"), {
		assert_str(f->e->text[STATUS], STR("000"));
		assert_number(f, BYTES, 25, 0);
		assert_int_equal(f->e->errors,
		    ENTRY_BIT(TIME) | ENTRY_BIT(URT));
	});
	with_line(f, STR("{\"s\":2000,\"d\":\"\",\"b\":\"-\",\"urt\":\"-\"}"), {
		assert_int_equal(f->e->errors, ENTRY_BIT(STATUS));
		assert_number(f, BYTES, 0, 0);
		assert_int_equal(f->e->has_number, ENTRY_BIT(BYTES));
	});
}

static void
repairs_are_told(void **state)
{
	struct fixture *f = *state;

	with_line(f, STR("{\"s\": 000,\"urt\": ,\"b\":1,}"), {
		assert_int_equal(f->e->n_repairs, 3);
		assert_false(f->whole);
	});
	with_line(f, STR("{\"s\":200,\"b\":1,\"d\":1,\"ua\":\"\"}"), {
		assert_int_equal(f->e->n_repairs, 0);
		assert_true(f->whole);
	});
}

static void
formats_of_text_have_no_repairs(void **state)
{
	struct parser *p;
	const struct entry *e;

	(void)state;
	assert_int_equal(create("common", &p), 0);
	assert_int_equal(parser_parse(p,
			     STR("192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "
				 "\"GET / HTTP/1.1\" 200 5"),
			     &e, NULL),
	    PARSER_PARSED);
	assert_int_equal(e->n_repairs, 0);
	parser_destroy(p);
}

static void
creation_survives_every_failed_allocation(void **state)
{
	struct parser *p = NULL;
	unsigned long n;
	int error;

	(void)state;
	for (n = 1;; n++) {
		support_fail_allocation(n);
		error = create(FORMAT, &p);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
		assert_null(p);
	}
	assert_true(n > 6);
	assert_int_equal(error, 0);
	parser_destroy(p);
	parser_json_destroy(NULL);
}

static void
parsing_needs_no_memory(void **state)
{
	struct fixture *f = *state;

	support_fail_allocation(1);
	assert_int_equal(parser_parse(f->parser,
			     STR("{\"s\":200,\"ua\":\"\\n\",}"), &f->e, NULL),
	    PARSER_PARSED);
	support_stop_failing();
	assert_int_equal(support_n_allocations(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fields_are_decoded_and_derived),
		TEST(what_the_line_has_itself_is_not_derived),
		TEST(a_field_that_is_absent_has_no_value_and_is_no_error),
		TEST(the_second_path_serves_where_the_first_has_nothing),
		TEST(one_of_request_status_and_bytes_makes_a_request),
		cmocka_unit_test(which_fields_are_wanted_changes_no_count),
		TEST(numbers_are_decoded_not_trusted),
		TEST(repairs_are_told),
		cmocka_unit_test(formats_of_text_have_no_repairs),
		cmocka_unit_test(creation_survives_every_failed_allocation),
		TEST(parsing_needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
