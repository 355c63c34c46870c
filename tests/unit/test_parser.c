#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "accesslog/parser.h"
#include "accesslog/patterns.h"
#include "support.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* A parser, and the fields it was asked for. */
struct reader {
	struct format *format;
	struct fields fields;
	struct parser *parser;
	const struct entry *entry;
};

/* fields: names between spaces. */
static void
reader_init(struct reader *r, const char *format, const char *fields)
{
	struct config_error e = { 0 };
	struct str rest = str_from(fields);

	memset(r, 0, sizeof(*r));
	if (format_create(str_from(format), &r->format, &e))
		fail_msg("%s: column %zu: %s", format, e.column, e.text);
	while (rest.len) {
		size_t len = str_find_char(rest, ' ');

		(void)fields_add(&r->fields, str_of(rest.data, len));
		rest = str_after(rest, len < rest.len ? len + 1 : len);
	}
	if (parser_create(r->format, &r->fields, false, &r->parser, &e))
		fail_msg("%s: column %zu: %s", format, e.column, e.text);
}

static void
reader_release(struct reader *r)
{
	parser_destroy(r->parser);
	format_destroy(r->format);
}

/* The names of a format's own fields, between spaces; freed by the caller. */
static char *
own_fields(const char *name)
{
	struct config_error e;
	struct format *format;
	struct buf b;
	size_t i;

	assert_int_equal(format_create(str_from(name), &format, &e), 0);
	buf_init(&b, 4096);
	for (i = 0; i < format->n_items; i++) {
		if (format->items[i].kind != FORMAT_OPEN)
			continue;
		if (b.len)
			buf_add_char(&b, ' ');
		buf_add(&b, format->items[i].text);
	}
	buf_add_char(&b, '\0');
	assert_int_equal(buf_status(&b), 0);
	format_destroy(format);
	return buf_take(&b);
}

static enum parser_result
parse(struct reader *r, const char *line)
{
	return parser_parse(r->parser, str_from(line), &r->entry, NULL);
}

static size_t
slot(const struct reader *r, const char *field)
{
	size_t i = fields_find(&r->fields, str_from(field));

	assert_int_not_equal(i, FIELDS_NO_SLOT);
	return i;
}

static struct str
text(const struct reader *r, const char *field)
{
	return r->entry->text[slot(r, field)];
}

static bool
has_number(const struct reader *r, const char *field)
{
	return r->entry->has_number & ENTRY_BIT(slot(r, field));
}

static bool
is_error(const struct reader *r, const char *field)
{
	return r->entry->errors & ENTRY_BIT(slot(r, field));
}

static void
assert_number(const struct reader *r, const char *field, const char *expected)
{
	struct buf b;

	if (!has_number(r, field))
		fail_msg("%s has no number", field);
	buf_init(&b, 40);
	decimal_render(r->entry->number[slot(r, field)], &b);
	assert_int_equal(buf_status(&b), 0);
	assert_str(buf_str(&b), str_from(expected));
	buf_release(&b);
}

#define CORE "192.0.2.10 - - [20/Nov/2026:15:40:00 +0000] "

static void
only_the_fields_asked_for_are_filled_in(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, "combined", "status http_user_agent");
	assert_int_equal(parse(&r, CORE "\"GET / HTTP/1.1\" 200 5 \"-\" \"a\""),
	    PARSER_PARSED);
	assert_str(text(&r, "status"), STR("200"));
	assert_number(&r, "status", "200");
	assert_str(text(&r, "http_user_agent"), STR("a"));
	assert_int_equal(r.entry->errors, 0);
	assert_int_equal(parser_fields(r.parser), 3);
	reader_release(&r);
}

static void
a_field_that_the_format_lacks_has_no_value_and_is_no_error(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, "common", "request_time status x");
	assert_int_equal(parser_fields(r.parser), 2);
	assert_int_equal(parse(&r, CORE "\"GET / HTTP/1.1\" 200 5"),
	    PARSER_PARSED);
	assert_no_value(text(&r, "request_time"));
	assert_no_value(text(&r, "x"));
	assert_int_equal(r.entry->errors, 0);
	assert_int_equal(r.entry->has_number, 2);
	reader_release(&r);
}

static void
a_parser_without_fields_still_tells_requests_from_the_rest(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, "combined", "");
	assert_int_equal(parser_fields(r.parser), 0);
	assert_int_equal(parse(&r, CORE "\"GET / HTTP/1.1\" 200 5"),
	    PARSER_PARSED);
	assert_int_equal(parse(&r, CORE "\"GET / HTTP/1.1\" 200"),
	    PARSER_UNPARSED);
	assert_int_equal(parse(&r, ""), PARSER_UNPARSED);
	reader_release(&r);
}

static void
there_is_no_entry_of_a_line_that_is_unparsed(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, "combined", "status request");
	r.entry = NULL;
	assert_int_equal(parse(&r, "nonsense"), PARSER_UNPARSED);
	assert_null(r.entry);
	reader_release(&r);
}

static void
a_value_of_the_line_before_is_forgotten(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, "nginx_timed", "status request_time request_method");
	assert_int_equal(
	    parse(&r, CORE "\"GET / HTTP/1.1\" 200 5 \"-\" \"-\" 0.5 - -"),
	    PARSER_PARSED);
	assert_number(&r, "request_time", "0.5");
	assert_str(text(&r, "request_method"), STR("GET"));
	assert_int_equal(parse(&r, CORE "\"-\" - 5"), PARSER_PARSED);
	assert_no_value(text(&r, "request_time"));
	assert_no_value(text(&r, "request_method"));
	assert_false(has_number(&r, "request_time"));
	assert_false(has_number(&r, "status"));
	assert_true(is_error(&r, "request_time"));
	assert_false(is_error(&r, "status"));
	reader_release(&r);
}

static void
parts_of_a_request_are_derived_where_the_format_lacks_them(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, "combined",
	    "uri request_method server_protocol request_uri status");
	assert_int_equal(parser_fields(r.parser), 31);
	assert_int_equal(parse(&r, CORE "\"GET /a b?c#d HTTP/2.0\" 200 5"),
	    PARSER_PARSED);
	assert_str(text(&r, "request_method"), STR("GET"));
	assert_str(text(&r, "request_uri"), STR("/a b?c#d"));
	assert_str(text(&r, "uri"), STR("/a b"));
	assert_str(text(&r, "server_protocol"), STR("HTTP/2.0"));
	assert_int_equal(r.entry->errors, 0);
	reader_release(&r);
}

static void
a_part_that_the_format_has_itself_is_taken_from_there(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r,
	    "%{NOTSPACE:request_method} %{NOTSPACE:request_uri} "
	    "%{STATUS:status} \"%{QUOTED:request}\"",
	    "request_method uri server_protocol");
	assert_int_equal(parse(&r, "PUT /x?y 200 \"GET /a HTTP/1.0\""),
	    PARSER_PARSED);
	assert_str(text(&r, "request_method"), STR("PUT"));
	assert_str(text(&r, "uri"), STR("/x"));
	assert_str(text(&r, "server_protocol"), STR("HTTP/1.0"));
	reader_release(&r);
}

static void
a_part_of_what_does_not_fit_is_an_error_of_the_part(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, "%{STATUS:status} %{NOTSPACE:request_uri} x",
	    "uri status request_method");
	assert_int_equal(parser_fields(r.parser), 3);
	assert_int_equal(parse(&r, "200 /a?b x"), PARSER_PARSED);
	assert_str(text(&r, "uri"), STR("/a"));
	assert_int_equal(r.entry->errors, 0);
	assert_int_equal(parse(&r, "200 "), PARSER_PARSED);
	assert_no_value(text(&r, "uri"));
	assert_int_equal(r.entry->errors, 1);
	reader_release(&r);
}

static void
a_full_set_of_fields_leaves_no_room_to_derive(void **state)
{
	static char names[BOUNDS_FIELDS][8];
	struct fields wanted = { 0 };
	struct config_error e;
	struct parser *parser = NULL;
	struct format *format;
	size_t i;

	(void)state;
	(void)fields_add(&wanted, STR("request_method"));
	for (i = 1; i < BOUNDS_FIELDS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "f%zu", i);
		(void)fields_add(&wanted, str_from(names[i]));
	}
	assert_int_equal(format_create(STR("common"), &format, &e), 0);
	assert_int_equal(parser_create(format, &wanted, false, &parser, &e),
	    -ENOSPC);
	assert_null(parser);

	/* One less, and there is. */
	wanted.n--;
	assert_int_equal(parser_create(format, &wanted, false, &parser, &e), 0);
	parser_destroy(parser);
	format_destroy(format);
}

static void
numbers_are_decoded_and_bad_ones_are_errors_of_their_field(void **state)
{
	static const struct {
		const char *field, *text;
		const char *number; /* NULL: none */
		bool is_error;
	} cases[] = {
		{ "status", "200", "200", false },
		{ "status", "000", "0", false },
		{ "status", "00", NULL, true },
		{ "status", "999", "999", false },
		{ "status", "-", NULL, false },
		{ "status", "20", NULL, true },
		{ "status", "2000", NULL, true },
		{ "status", "20x", NULL, true },
		{ "status", "2.0", NULL, true },
		{ "status", "-20", NULL, true },
		{ "status", "+20", NULL, true },

		{ "body_bytes_sent", "0", "0", false },
		{ "body_bytes_sent", "-", "0", false },
		{ "body_bytes_sent", "4294967296", "4294967296", false },
		{ "body_bytes_sent", "9007199254740993", "9007199254740993",
		    false },
		{ "body_bytes_sent", "9223372036854775807",
		    "9223372036854775807", false },
		{ "body_bytes_sent", "18446744073709551615", NULL, true },
		{ "body_bytes_sent", "1.5", NULL, true },
		{ "body_bytes_sent", "-5", NULL, true },
		{ "body_bytes_sent", "0x1f", NULL, true },
		{ "body_bytes_sent", "--", NULL, true },

		{ "request_time", "0.005", "0.005", false },
		{ "request_time", "12", "12", false },
		{ "request_time", "0.000", "0", false },
		{ "request_time", "-", NULL, false },
		{ "request_time", "nan", NULL, true },
		{ "request_time", "inf", NULL, true },
		{ "request_time", "-5", NULL, true },
		{ "request_time", "1_000", NULL, true },
		{ "request_time", "0x1f", NULL, true },
		{ "request_time", "0,005", NULL, true },
		{ "request_time", "1e3", NULL, true },

		{ "upstream_response_time", "0.005", "0.005", false },
		{ "upstream_response_time", "0.100,0.200", "0.3", false },
		{ "upstream_response_time", "-", NULL, false },
		{ "upstream_response_time", "-5", NULL, true },
		{ "upstream_response_time", "nan", NULL, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct buf b;
		struct reader r;

		buf_init(&b, 1000);
		buf_add_format(&b, "%%{STATUS:%s} %%{NOTSPACE:%s}",
		    strcmp(cases[i].field, "status") ? "status"
						     : "body_bytes_sent",
		    cases[i].field);
		buf_add_char(&b, '\0');
		assert_int_equal(buf_status(&b), 0);
		reader_init(&r, b.data, cases[i].field);

		buf_clear(&b);
		buf_add_format(&b, "200 %s", cases[i].text);
		buf_add_char(&b, '\0');
		assert_int_equal(buf_status(&b), 0);
		print_message("%s %s\n", cases[i].field, cases[i].text);
		assert_int_equal(parse(&r, b.data), PARSER_PARSED);
		assert_int_equal(r.entry->errors, cases[i].is_error);
		if (cases[i].number)
			assert_number(&r, cases[i].field, cases[i].number);
		else
			assert_false(has_number(&r, cases[i].field));
		if (cases[i].is_error)
			assert_no_value(text(&r, cases[i].field));
		else
			assert_str(text(&r, cases[i].field),
			    str_from(cases[i].text));
		reader_release(&r);
		buf_release(&b);
	}
}

/* As Envoy writes that there was no answer. */
static void
a_status_of_0_is_000(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, "envoy", "status response_flags");
	assert_int_equal(parse(&r,
			     "[2026-11-20T15:40:00.310Z] \"GET / HTTP/2\" 0 DC "
			     "154 0 226 - \"-\" \"x\" \"-\" \"a\" \"-\""),
	    PARSER_PARSED);
	assert_str(r.entry->text[0], STR("000"));
	assert_str(r.entry->text[1], STR("DC"));
	assert_int_equal(r.entry->errors, 0);
	reader_release(&r);
}

static void
units_are_turned_into_seconds(void **state)
{
	static const struct {
		const char *unit, *number;
	} cases[] = {
		{ "", "1500" },
		{ ":s", "1500" },
		{ ":ms", "1.5" },
		{ ":us", "0.0015" },
		{ ":ns", "0.0000015" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct reader r;
		struct buf b;

		buf_init(&b, 1000);
		buf_add_format(&b,
		    "%%{STATUS:status} %%{SECONDS:request_time%s} "
		    "%%{SECONDS_LIST:upstream_response_time%s}",
		    cases[i].unit, cases[i].unit);
		buf_add_char(&b, '\0');
		assert_int_equal(buf_status(&b), 0);
		reader_init(&r, b.data, "request_time upstream_response_time");
		assert_int_equal(parse(&r, "200 1500 500, 1000"),
		    PARSER_PARSED);
		assert_number(&r, "request_time", cases[i].number);
		assert_number(&r, "upstream_response_time", cases[i].number);
		reader_release(&r);
		buf_release(&b);
	}
}

/* Text that a metric has as its value is seconds there (tally.c). */
static void
text_that_is_a_value_has_a_unit(void **state)
{
	static const struct {
		const char *format, *line;
	} cases[] = {
		{ "%{STATUS:status} %{NUMBER:took:ms}", "200 1500" },
		{ "json: status=s took=t:ms", "{\"s\":200,\"t\":1500}" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct fields fields = { 0 };
		struct config_error why = { 0 };
		struct format *format = NULL;
		struct parser *parser = NULL;
		const struct entry *e;

		fields.kinds[fields_add(&fields, STR("took"))] = FIELDS_SECONDS;
		if (format_create(str_from(cases[i].format), &format, &why) ||
		    parser_create(format, &fields, false, &parser, &why))
			fail_msg("%s: %s", cases[i].format, why.text);
		assert_int_equal(
		    parser_parse(parser, str_from(cases[i].line), &e, NULL),
		    PARSER_PARSED);
		assert_int_equal(e->has_number, 1);
		assert_int_equal(e->number[0].whole, 1);
		assert_int_equal(e->number[0].nanos, 500000000);
		parser_destroy(parser);
		format_destroy(format);
	}
}

static void
an_unquoted_list_as_the_last_column_is_read_whole(void **state)
{
	static const struct {
		const char *list, *sum;
	} cases[] = {
		{ "0.001, 0.002", "0.003" },
		{ "0.001, 0.002 : 0.003", "0.006" },
		{ "0.001 : ", "0.001" },
		{ "0.001 :", "0.001" },
		{ "0.100, -", "0.1" },
		{ "-, 0.100", "0.1" },
		{ "-, 0.100 more columns", "0.1" },
		{ "0.100 \"more\"", "0.1" },
		{ "-", NULL },
		{ "-, -", NULL },
		{ "- : ", NULL },
		{ "", NULL },
	};
	struct reader r;
	size_t i;

	(void)state;
	reader_init(&r, "nginx_timed", "upstream_response_time");
	for (i = 0; i < N(cases); i++) {
		struct buf b;

		buf_init(&b, 1000);
		buf_add_format(&b,
		    CORE "\"GET / HTTP/1.1\" 200 5 \"-\" \"-\" 0.5 0.1 %s",
		    cases[i].list);
		buf_add_char(&b, '\0');
		assert_int_equal(buf_status(&b), 0);
		assert_int_equal(parse(&r, b.data), PARSER_PARSED);
		assert_int_equal(r.entry->errors, 0);
		if (cases[i].sum)
			assert_number(&r, "upstream_response_time",
			    cases[i].sum);
		else
			assert_false(has_number(&r, "upstream_response_time"));
		buf_release(&b);
	}
	reader_release(&r);
}

/*
 * The invariant of the core.  Each line is parsed by parsers that want nothing,
 * the status, each field alone, and all of them: they agree on whether it is a
 * request, and on what its fields are as far as the core goes.
 */
struct panel {
	char *names; /* of all fields */
	size_t n;
	struct reader readers[BOUNDS_FIELDS + 2];
};

static struct panel *
panel_create(const char *format)
{
	struct panel *p = test_calloc(1, sizeof(*p));
	struct str rest;

	p->names = own_fields(format);
	reader_init(&p->readers[p->n++], format, "");
	for (rest = str_from(p->names); rest.len;) {
		struct buf b;
		size_t len = str_find_char(rest, ' ');

		buf_init(&b, 1000);
		buf_add(&b, str_of(rest.data, len));
		buf_add_char(&b, '\0');
		assert_int_equal(buf_status(&b), 0);
		reader_init(&p->readers[p->n], format, b.data);
		/* The name must live as long as the parser. */
		p->readers[p->n].fields.names[0] = str_of(rest.data, len);
		p->n++;
		buf_release(&b);
		rest = str_after(rest, len < rest.len ? len + 1 : len);
	}
	reader_init(&p->readers[p->n++], format, p->names);
	return p;
}

static void
panel_destroy(struct panel *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		reader_release(&p->readers[i]);
	free(p->names);
	test_free(p);
}

static bool
in_core(const struct format *f, struct str name)
{
	size_t i;

	for (i = 0; i < f->n_core; i++) {
		if (f->items[i].kind == FORMAT_OPEN &&
		    str_equal(f->items[i].text, name))
			return true;
	}
	return false;
}

static enum parser_result
panel_agrees(struct panel *p, struct str line)
{
	struct reader *all = &p->readers[p->n - 1];
	enum parser_result result = parser_parse(all->parser, line, &all->entry,
	    NULL);
	size_t i;

	for (i = 0; i < p->n - 1; i++) {
		struct reader *one = &p->readers[i];
		struct str name = one->fields.names[0], a, b;
		size_t in_all;

		if (parser_parse(one->parser, line, &one->entry, NULL) !=
		    result)
			fail_msg("%s with all fields, not with %.*s: %.*s",
			    result == PARSER_PARSED ? "parsed" : "unparsed",
			    STR_ARGS(name), STR_ARGS(line));
		if (result != PARSER_PARSED || i == 0 ||
		    !in_core(one->format, name))
			continue;
		in_all = fields_find(&all->fields, name);
		a = one->entry->text[0];
		b = all->entry->text[in_all];
		if (a.data != b.data || a.len != b.len)
			fail_msg("%.*s is \"%.*s\" and \"%.*s\": %.*s",
			    STR_ARGS(name), STR_ARGS(a), STR_ARGS(b),
			    STR_ARGS(line));
	}
	return result;
}

static const char *const formats[] = { "common", "combined", "vhost_combined",
	"nginx_timed", "apache_timed" };

/* Lines of all formats; what fits one is a mutation of the others. */
static const char *const lines[] = {
	CORE "\"GET / HTTP/1.1\" 200 612",
	CORE "\"GET / HTTP/1.1\" 200 612 \"http://r/\" \"agent (x)\"",
	CORE "\"GET / HTTP/1.1\" 200 612 \"-\" \"a\" 0.5 0.1, 0.2 0.3 : 0.4",
	CORE "\"GET / HTTP/1.1\" 200 612 \"-\" \"-\" 5000",
	"h:80 " CORE "\"GET / HTTP/1.1\" 200 612 \"-\" \"-\"",
	CORE "\"GET /a\\\"b \\\\ HTTP/1.1\" 404 - \"a\\\"b\" \"c\\\\\" 1 - -",
	CORE "\"GET /a\"b\"c HTTP/1.1\" 404 - \"a\"b\" \"c\"d\" 1 2 3",
	"10.0.0.1, 10.0.0.2 - john doe [x] \"\" - - \"\" \"\" - - -",
	" - \"\" [x] \"-\" 408 - \"-\" \"-\" - -, - - : ",
	"[::1]:443 ::1 - a\"b [] \"\\x16\\x03\" 400 0 \"\" \"\\\\\\\"\" x y z",
};

static void
a_line_torn_at_any_byte_is_counted_whatever_is_wanted(void **state)
{
	size_t f, i, len;

	(void)state;
	for (f = 0; f < N(formats); f++) {
		struct panel *p = panel_create(formats[f]);
		size_t n_parsed = 0, n_unparsed = 0;

		for (i = 0; i < N(lines); i++) {
			for (len = 0; len <= strlen(lines[i]); len++) {
				struct str line = support_guarded_str(
				    str_of(lines[i], len));

				if (panel_agrees(p, line) == PARSER_PARSED)
					n_parsed++;
				else
					n_unparsed++;
				support_guarded_str_free(line);
			}
		}
		assert_true(n_parsed > 20);
		assert_true(n_unparsed > 50);
		panel_destroy(p);
	}
}

/* A small generator of its own: the same bytes on every machine. */
static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void
a_mutated_line_is_counted_whatever_is_wanted(void **state)
{
	static const char bytes[] = "\"\\ []:,-0129.x\t\r\0\x80\xFF/";
	size_t f, i, m;

	(void)state;
	for (f = 0; f < N(formats); f++) {
		struct panel *p = panel_create(formats[f]);
		uint32_t seed = 1;

		for (i = 0; i < N(lines); i++) {
			for (m = 0; m < 1500; m++) {
				char line[512];
				size_t len = strlen(lines[i]);
				size_t n = next_random(&seed) % 4 + 1;

				memcpy(line, lines[i], len);
				while (n--) {
					size_t at = next_random(&seed) % len;
					size_t from = next_random(&seed) % len;
					char c = bytes[next_random(&seed) %
					    (sizeof(bytes) - 1)];

					switch (next_random(&seed) % 3) {
					case 0: /* another byte */
						line[at] = c;
						break;
					case 1: /* one less */
						memmove(line + at,
						    line + at + 1,
						    len - at - 1);
						len--;
						break;
					default: /* a copy of its end */
						if (len - from + len >
						    sizeof(line))
							break;
						memmove(line + len, line + from,
						    len - from);
						len += len - from;
					}
				}
				(void)panel_agrees(p, str_of(line, len));
			}
		}
		panel_destroy(p);
	}
}

/* Everything that a log may have behind the core, and more. */
static void
nothing_behind_the_core_changes_the_core(void **state)
{
	static const char *const tails[] = { "", " ", " \"", " \"-\" \"-\"",
		" \"\" 200 5", "\" 404 7", " \"-\" \"-\" 0.1 0.2 0.3",
		" \" 500 1 \" 500 2", "\t", " \\", " \"\\\" 301 9",
		" [20/Nov/2026:15:40:00 +0000] \"GET /b HTTP/1.1\" 500 1",
		"\r" };
	size_t f, i;

	(void)state;
	for (f = 0; f < N(formats); f++) {
		bool is_vhost = !strcmp(formats[f], "vhost_combined");
		const char *bytes = is_vhost ? "bytes_sent" : "body_bytes_sent";
		struct panel *p = panel_create(formats[f]);
		struct reader *all = &p->readers[p->n - 1];

		for (i = 0; i < N(tails); i++) {
			struct buf b;
			bool glued = tails[i][0] && tails[i][0] != ' ';

			buf_init(&b, 1000);
			buf_add_format(&b,
			    "%s" CORE "\"GET /a HTTP/1.1\" 200 612%s",
			    is_vhost ? "h:80 " : "", tails[i]);
			assert_int_equal(buf_status(&b), 0);
			assert_int_equal(panel_agrees(p, buf_str(&b)),
			    PARSER_PARSED);
			if (!glued)
				assert_number(all, bytes, "612");
			assert_str(text(all, "request"),
			    STR("GET /a HTTP/1.1"));
			assert_str(text(all, "status"), STR("200"));
			buf_release(&b);
		}
		panel_destroy(p);
	}
}

/*
 * Lines of the greatest length that are made to cost: a beginning, and then a
 * unit that is repeated, perhaps with an end.
 */
static const char *const hostile_units[] = {
	"\"",
	"\\",
	" ",
	"a",
	",",
	"[",
	"]",
	"-",
	"0",
	":",
	"\"\\",
	"\\\"",
	"\" ",
	" \"",
	"\" \"",
	"\" \"\\",
	"\" \"a",
	"\" 1",
	"\" 200 ",
	"\" 200 5\"",
	"\" - ",
	"\" - \"",
	"\" 1 1 \"",
	"\"\" ",
	"\"\" \"",
	" [",
	"[ ",
	"] [",
	"] \"",
	", ",
	",,",
	": ",
	" : ",
	" :",
	"\\\\\" ",
	"\" \"\\\" ",
	"\"  \"",
	"a b",
	"a, ",
	"\x80",
	"\xC3\xA9",
	"\"]",
	"0 ",
	"\" \" 1 ",
	"\" \"\" 1",
	" - - [] \"\" 200 5 \"\" \"",
	"1, ",
	"1 : ",
};

static const char *const hostile_heads[] = {
	"",
	"a - ",
	"a - - ",
	"a - - [",
	"a - - [] \"",
	CORE "\"GET / HTTP/1.1\" 200 612",
	CORE "\"GET / HTTP/1.1\" 200 612 \"",
	CORE "\"GET / HTTP/1.1\" 200 612 \"-\" \"",
	CORE "\"GET / HTTP/1.1\" 200 612 \"-\" \"-\" ",
	CORE "\"GET / HTTP/1.1\" 200 612 \"-\" \"-\" 0.1 ",
};

static const char *const hostile_ends[] = { "", "x", "\" 200 612",
	"\" 200 612 \"-\" \"-\" 0.1 0.1 0.1 " };

/* CPU time: other programs on the machine cost nothing. */
static uint64_t
cpu_ns(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 10
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW 10
#endif
#endif
#ifndef SLOW
#define SLOW 1
#endif
#define WORST_NS (UINT64_C(250000000) * SLOW)

/* The head, then the unit as often as there is room, then the end. */
static void
write_hostile(char line[BOUNDS_LINE_BYTES], bool is_vhost, const char *head,
    const char *unit, const char *end)
{
	size_t n = BOUNDS_LINE_BYTES;
	size_t at = 0;
	size_t i;

	if (is_vhost) {
		memcpy(line, "h:80 ", 5);
		at = 5;
	}
	memcpy(line + at, head, strlen(head));
	at += strlen(head);
	for (i = 0; at < n; at++, i++)
		line[at] = unit[i % strlen(unit)];
	memcpy(line + n - strlen(end), end, strlen(end));
}

/* The CPU time of one line; the least of three, if the first was long. */
static uint64_t
cost_ns(struct reader *r, struct str line)
{
	uint64_t least = UINT64_MAX;
	unsigned i;

	for (i = 0; i < 3; i++) {
		uint64_t ns = cpu_ns();

		(void)parser_parse(r->parser, line, &r->entry, NULL);
		ns = cpu_ns() - ns;
		if (ns < least)
			least = ns;
		if (least < 1000000)
			break;
	}
	return least;
}

static void
no_line_costs_more_than_a_bounded_time(void **state)
{
	static char line[BOUNDS_LINE_BYTES];
	size_t f, i, h, u, e;

	(void)state;
	for (f = 0; f < N(formats); f++) {
		bool is_vhost = !strcmp(formats[f], "vhost_combined");
		struct panel *p = panel_create(formats[f]);
		uint64_t worst = 0;
		size_t at[4] = { 0 };

		for (h = 0; h < N(hostile_heads); h++)
			for (u = 0; u < N(hostile_units); u += SLOW)
				for (e = 0; e < N(hostile_ends); e++) {
					write_hostile(line, is_vhost,
					    hostile_heads[h], hostile_units[u],
					    hostile_ends[e]);
					for (i = 0; i < p->n; i++) {
						uint64_t ns;

						/* One of the core is enough. */
						if (i > 1 && i < p->n - 1 &&
						    in_core(
							p->readers[i].format,
							p->readers[i]
							    .fields.names[0]))
							continue;
						ns = cost_ns(&p->readers[i],
						    str_of(line, sizeof(line)));
						if (ns <= worst)
							continue;
						worst = ns;
						memcpy(at,
						    (size_t[]){ h, u, e, i },
						    sizeof(at));
					}
				}
		print_message("%s: %.3f ms: head \"%s\", unit \"%s\", end "
			      "\"%s\", reader %zu of %zu\n",
		    formats[f], (double)worst / 1e6, hostile_heads[at[0]],
		    hostile_units[at[1]], hostile_ends[at[2]], at[3], p->n);
		assert_in_range(worst, 1, WORST_NS);
		panel_destroy(p);
	}
}

/*
 * A core that fits, and behind it what no limit is enough for: an expression
 * of the user's that tries every way to divide the tail.
 */
static void
a_core_that_fits_is_counted_when_its_tail_is_too_costly(void **state)
{
	static char line[BOUNDS_LINE_BYTES];
	struct reader r;
	uint64_t ns;

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "200 612 ", 8);
	line[sizeof(line) - 1] = 'b';
	reader_init(&r,
	    "%{STATUS:status} %{BYTES:body_bytes_sent} (?:(?:a+)+)+b(?<x>.)",
	    "status body_bytes_sent x");
	ns = cpu_ns();
	assert_int_equal(
	    parser_parse(r.parser, str_of(line, sizeof(line)), &r.entry, NULL),
	    PARSER_PARSED);
	ns = cpu_ns() - ns;
	print_message("%.3f ms\n", (double)ns / 1e6);
	assert_in_range(ns, 1, WORST_NS);
	assert_number(&r, "status", "200");
	assert_number(&r, "body_bytes_sent", "612");
	assert_no_value(text(&r, "x"));
	assert_true(is_error(&r, "x"));
	reader_release(&r);
}

static void
a_core_that_is_too_costly_is_given_up_whatever_is_wanted(void **state)
{
	static const char *const wanted[] = { "", "status", "status x", "x" };
	static char line[BOUNDS_LINE_BYTES];
	size_t i;

	(void)state;
	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = 'b';
	for (i = 0; i < N(wanted); i++) {
		struct reader r;
		uint64_t ns;

		reader_init(&r, "(?:(?:a+)+)+b%{STATUS:status} (?<x>.*)",
		    wanted[i]);
		ns = cpu_ns();
		assert_int_equal(parser_parse(r.parser,
				     str_of(line, sizeof(line)), &r.entry,
				     NULL),
		    PARSER_UNPARSED);
		ns = cpu_ns() - ns;
		print_message("%.3f ms\n", (double)ns / 1e6);
		assert_in_range(ns, 1, 2 * WORST_NS);
		reader_release(&r);
	}
}

static void
each_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
	size_t f;

	(void)state;
	for (f = 0; f < N(formats); f++) {
		char *names = own_fields(formats[f]);
		struct reader r;
		unsigned long n, n_failures = 0;

		/* Parts of the request, so that something is derived. */
		reader_init(&r, formats[f], names);
		(void)fields_add(&r.fields, STR("request_method"));
		(void)fields_add(&r.fields, STR("uri"));
		parser_destroy(r.parser);
		for (n = 1;; n++) {
			struct parser *parser = NULL;
			struct config_error e;
			bool failed;
			int error;

			support_fail_allocation(n);
			error = parser_create(r.format, &r.fields, true,
			    &parser, &e);
			support_stop_failing();
			failed = support_did_fail();
			if (error) {
				assert_true(failed);
				assert_int_equal(error, -ENOMEM);
				assert_null(parser);
				n_failures++;
				continue;
			}
			/* Without the JIT's memory it is slower, and right. */
			r.parser = parser;
			assert_int_equal(
			    parse(&r,
				strcmp(formats[f], "vhost_combined")
				    ? CORE "\"PUT /a?b HTTP/1.1\" 200 5"
				    : "h:1 " CORE
				      "\"PUT /a?b HTTP/1.1\" 200 5"),
			    PARSER_PARSED);
			assert_str(text(&r, "request_method"), STR("PUT"));
			assert_str(text(&r, "uri"), STR("/a"));
			assert_number(&r, "status", "200");
			assert_int_equal(parse(&r, "no"), PARSER_UNPARSED);
			parser_destroy(parser);
			if (!failed)
				break;
		}
		assert_true(n_failures >= 6);
		format_destroy(r.format);
		free(names);
	}
}

static void
destroying_none_does_nothing(void **state)
{
	(void)state;
	parser_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_fields_asked_for_are_filled_in),
		cmocka_unit_test(
		    a_field_that_the_format_lacks_has_no_value_and_is_no_error),
		cmocka_unit_test(
		    a_parser_without_fields_still_tells_requests_from_the_rest),
		cmocka_unit_test(there_is_no_entry_of_a_line_that_is_unparsed),
		cmocka_unit_test(a_value_of_the_line_before_is_forgotten),
		cmocka_unit_test(
		    parts_of_a_request_are_derived_where_the_format_lacks_them),
		cmocka_unit_test(
		    a_part_that_the_format_has_itself_is_taken_from_there),
		cmocka_unit_test(
		    a_part_of_what_does_not_fit_is_an_error_of_the_part),
		cmocka_unit_test(a_full_set_of_fields_leaves_no_room_to_derive),
		cmocka_unit_test(
		    numbers_are_decoded_and_bad_ones_are_errors_of_their_field),
		cmocka_unit_test(a_status_of_0_is_000),
		cmocka_unit_test(units_are_turned_into_seconds),
		cmocka_unit_test(text_that_is_a_value_has_a_unit),
		cmocka_unit_test(
		    an_unquoted_list_as_the_last_column_is_read_whole),
		cmocka_unit_test(
		    a_line_torn_at_any_byte_is_counted_whatever_is_wanted),
		cmocka_unit_test(a_mutated_line_is_counted_whatever_is_wanted),
		cmocka_unit_test(nothing_behind_the_core_changes_the_core),
		cmocka_unit_test(no_line_costs_more_than_a_bounded_time),
		cmocka_unit_test(
		    a_core_that_fits_is_counted_when_its_tail_is_too_costly),
		cmocka_unit_test(
		    a_core_that_is_too_costly_is_given_up_whatever_is_wanted),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_leaks_nothing),
		cmocka_unit_test(destroying_none_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
