/*
 * The shipped formats and their library.  Reads patterns/ below the current
 * directory, or below what ACCESSLOG_PATTERNS names.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/format.h"
#include "accesslog/format_json.h"
#include "accesslog/parser.h"
#include "accesslog/pattern.h"
#include "accesslog/patterns.h"
#include "support.h"

/* A field of the line being checked, or of the first one of the file. */
struct expected {
	enum {
		AS_FIRST,
		VALUE,
		NONE,
		ERROR
	} what;
	struct buf value;
};

struct samples {
	const char *name;
	struct format *format;
	struct parser *parser;
	struct fields fields; /* of the format, then the derived ones */
	size_t n_own;
	struct expected first[BOUNDS_FIELDS];
	struct expected current[BOUNDS_FIELDS];
	struct buf line;
	size_t line_number; /* of the line, in its file */
	size_t n_lines, n_unparsed;
};

static FILE *
open_samples(const char *format)
{
	const char *folder = getenv("ACCESSLOG_PATTERNS");
	struct buf path;
	FILE *file;

	buf_init(&path, 4096);
	buf_add_format(&path, "%s/%s.samples", folder ? folder : "patterns",
	    format);
	buf_add_char(&path, '\0');
	assert_int_equal(buf_status(&path), 0);
	file = fopen(path.data, "re");
	if (!file)
		fail_msg("no %s: each format has its samples", path.data);
	buf_release(&path);
	return file;
}

static void
samples_init(struct samples *s, const char *name)
{
	static const char *const derived[] = { "request_method", "request_uri",
		"server_protocol", "uri" };
	struct config_error e;
	size_t i;

	memset(s, 0, sizeof(*s));
	s->name = name;
	assert_int_equal(format_create(str_from(name), &s->format, &e), 0);
	for (i = 0; i < s->format->n_items; i++) {
		if (s->format->items[i].kind == FORMAT_OPEN)
			(void)fields_add(&s->fields, s->format->items[i].text);
	}
	s->n_own = s->fields.n;
	for (i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		(void)fields_add(&s->fields, str_from(derived[i]));
	assert_int_equal(
	    parser_create(s->format, &s->fields, true, &s->parser, &e), 0);
	for (i = 0; i < BOUNDS_FIELDS; i++) {
		buf_init(&s->first[i].value, BOUNDS_LINE_BYTES);
		buf_init(&s->current[i].value, BOUNDS_LINE_BYTES);
	}
	buf_init(&s->line, BOUNDS_LINE_BYTES);
}

static void
samples_release(struct samples *s)
{
	size_t i;

	for (i = 0; i < BOUNDS_FIELDS; i++) {
		buf_release(&s->first[i].value);
		buf_release(&s->current[i].value);
	}
	buf_release(&s->line);
	parser_destroy(s->parser);
	format_destroy(s->format);
}

static void
check_field(struct samples *s, const struct entry *e, size_t slot)
{
	const struct expected *expected = s->current[slot].what == AS_FIRST
	    ? &s->first[slot]
	    : &s->current[slot];
	bool is_number = s->fields.kinds[slot] != FIELDS_TEXT &&
	    s->fields.kinds[slot] != FIELDS_TIME;
	bool is_error = e->errors & ENTRY_BIT(slot);
	struct buf got;

	buf_init(&got, BOUNDS_LINE_BYTES);
	if (is_error)
		buf_add_text(&got, "error");
	else if (!e->text[slot].data ||
	    (is_number && !(e->has_number & ENTRY_BIT(slot))))
		buf_add_text(&got, "none");
	else if (is_number)
		decimal_render(e->number[slot], &got);
	else
		buf_add(&got, e->text[slot]);
	assert_int_equal(buf_status(&got), 0);

	switch (expected->what) {
	case AS_FIRST: /* a derived field that is not looked at */
		assert_true(slot >= s->n_own);
		break;
	case VALUE:
		assert_false(is_error);
		if (is_number)
			assert_true(e->has_number & ENTRY_BIT(slot));
		assert_str(buf_str(&got), buf_str(&expected->value));
		break;
	case NONE:
		assert_str(buf_str(&got), STR("none"));
		assert_false(e->has_number & ENTRY_BIT(slot));
		break;
	case ERROR:
		assert_str(buf_str(&got), STR("error"));
		assert_no_value(e->text[slot]);
		assert_false(e->has_number & ENTRY_BIT(slot));
		break;
	}
	buf_release(&got);
}

/* Checks the line whose fields have all been read by now. */
static void
check_line(struct samples *s)
{
	struct str line;
	const struct entry *e;
	size_t i;

	if (!s->line.len)
		return;
	/* The last one that is shown, when the test fails. */
	print_message("%s.samples:%zu\n", s->name, s->line_number);
	line = support_guarded_str(buf_str(&s->line));
	if (s->n_lines++ == 0) {
		for (i = 0; i < s->n_own; i++) {
			if (s->current[i].what == AS_FIRST)
				fail_msg("the first line lacks %.*s",
				    STR_ARGS(s->fields.names[i]));
			s->first[i].what = s->current[i].what;
			buf_add(&s->first[i].value,
			    buf_str(&s->current[i].value));
		}
	}
	assert_int_equal(parser_parse(s->parser, line, &e, NULL),
	    PARSER_PARSED);
	for (i = 0; i < s->fields.n; i++)
		check_field(s, e, i);
	support_guarded_str_free(line);

	for (i = 0; i < s->fields.n; i++) {
		s->current[i].what = AS_FIRST;
		buf_clear(&s->current[i].value);
	}
	buf_clear(&s->line);
}

static void
check_unparsed(struct samples *s, struct str text)
{
	struct str line = support_guarded_str(text);
	const struct entry *e;

	assert_int_equal(parser_parse(s->parser, line, &e, NULL),
	    PARSER_UNPARSED);
	support_guarded_str_free(line);
	s->n_unparsed++;
}

/* "  status 200", "  none status", "  error status" */
static void
read_field(struct samples *s, struct str row)
{
	struct expected *expected;
	struct str name = str_of(row.data, str_find_char(row, ' '));
	struct str value = { 0 };
	size_t slot;
	int what = VALUE;

	assert_true(name.len < row.len);
	value = str_after(row, name.len + 1);
	if (str_equal(name, STR("none")) || str_equal(name, STR("error"))) {
		what = str_equal(name, STR("none")) ? NONE : ERROR;
		name = value;
		value = STR("");
	}
	slot = fields_find(&s->fields, name);
	if (slot == FIELDS_NO_SLOT)
		fail_msg("no field %.*s", STR_ARGS(name));
	expected = &s->current[slot];
	assert_int_equal(expected->what, AS_FIRST);
	expected->what = (unsigned)what;
	buf_add(&expected->value, value);
}

static void
read_row(struct samples *s, struct str row, size_t line_number)
{
	if (str_starts_with(row, STR("  "))) {
		read_field(s, str_after(row, 2));
		return;
	}
	check_line(s);
	s->line_number = line_number;
	if (str_starts_with(row, STR("line ")))
		buf_add(&s->line, str_after(row, 5));
	else if (str_starts_with(row, STR("unparsed ")))
		check_unparsed(s, str_after(row, 9));
	else if (row.len && row.data[0] != '#')
		fail_msg("neither line, unparsed nor a field");
}

static void
check_samples(void **state)
{
	const struct patterns_row *row = *state;
	FILE *file = open_samples(row->name);
	struct samples *s = test_malloc(sizeof(*s));
	size_t line_number = 0;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;

	samples_init(s, row->name);
	while ((len = getline(&text, &room, file)) > 0) {
		assert_int_equal(text[len - 1], '\n');
		read_row(s, str_of(text, (size_t)len - 1), ++line_number);
	}
	check_line(s);
	assert_true(s->n_lines >= 8);
	assert_true(s->n_unparsed >= 1);
	samples_release(s);
	test_free(s);
	free(text);
	assert_int_equal(fclose(file), 0);
}

static void
every_row_has_a_name_a_text_and_a_description(void **state)
{
	size_t n, i, j;
	const struct patterns_row *rows = patterns_all(&n);

	(void)state;
	for (i = 0; i < n; i++) {
		assert_true(strlen(rows[i].name) > 0);
		assert_true(strlen(rows[i].text) > 0);
		assert_int_equal(rows[i].kind == PATTERNS_FORMAT,
		    strlen(rows[i].description) > 0);
		assert_ptr_equal(patterns_find(str_from(rows[i].name)),
		    &rows[i]);
		for (j = 0; j < i; j++)
			assert_string_not_equal(rows[i].name, rows[j].name);
	}
}

static void
the_formats_that_are_promised_are_there(void **state)
{
	static const char *const names[] = { "common", "combined",
		"vhost_combined", "combinedio", "nginx_timed", "apache_timed",
		"nginx_json", "apache_json", "caddy_json", "traefik_json",
		"envoy_json" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct patterns_row *row = patterns_find(
		    str_from(names[i]));

		assert_non_null(row);
		assert_int_equal(row->kind, PATTERNS_FORMAT);
	}
}

static void
names_are_found_in_upper_and_lower_case_and_only_whole(void **state)
{
	struct str name = support_guarded_str(STR("combined"));
	const struct patterns_row *row = patterns_find(name);

	(void)state;
	assert_non_null(row);
	assert_ptr_equal(patterns_find(STR("COMBINED")), row);
	assert_ptr_equal(patterns_find(STR("Combined")), row);
	assert_null(patterns_find(STR("combine")));
	assert_null(patterns_find(STR("combinedd")));
	assert_null(patterns_find(STR("combined ")));
	assert_null(patterns_find(str_of("combined\0", 9)));
	assert_null(patterns_find(STR("")));
	assert_null(patterns_find((struct str){ 0 }));
	support_guarded_str_free(name);
}

static void
every_definition_of_the_library_compiles(void **state)
{
	struct fields wanted = { 0 };
	size_t n, i;
	const struct patterns_row *rows = patterns_all(&n);

	(void)state;
	(void)fields_add(&wanted, STR("x"));
	for (i = 0; i < n; i++) {
		bool is_json = format_json_is(str_from(rows[i].text));
		struct config_error e = { 0 };
		struct format *format = NULL;
		struct pattern *pattern = NULL;
		struct buf text;

		buf_init(&text, 1000);
		buf_add_format(&text, "%%{%s:x} %%{STATUS:status}",
		    rows[i].name);
		assert_int_equal(buf_status(&text), 0);
		if (is_json) {
			assert_int_equal(
			    format_create(buf_str(&text), &format, &e),
			    -EINVAL);
			assert_non_null(strstr(e.text, "is a format of JSON"));
			buf_release(&text);
			continue;
		}
		if (format_create(buf_str(&text), &format, &e) ||
		    pattern_create(format, &wanted, true, &pattern, &e))
			fail_msg("%s: %s", rows[i].name, e.text);
		assert_int_equal(pattern_fields(pattern), 1);
		pattern_destroy(pattern);
		format_destroy(format);
		buf_release(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_a_name_a_text_and_a_description),
		cmocka_unit_test(the_formats_that_are_promised_are_there),
		cmocka_unit_test(
		    names_are_found_in_upper_and_lower_case_and_only_whole),
		cmocka_unit_test(every_definition_of_the_library_compiles),
	};
	struct CMUnitTest samples[64] = { { 0 } };
	size_t n_samples = 0;
	size_t n, i;
	const struct patterns_row *rows = patterns_all(&n);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	/* One test a format, named after it. */
	for (i = 0; i < n && n_samples < 64; i++) {
		if (rows[i].kind == PATTERNS_FORMAT)
			samples[n_samples++] = (struct CMUnitTest){
				.name = rows[i].name,
				.test_func = check_samples,
				.initial_state = (void *)(uintptr_t)&rows[i]
			};
	}
	return failed +
	    _cmocka_run_group_tests("samples", samples, n_samples, NULL, NULL);
}
