#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/format.h"
#include "formats.h"
#include "support.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/*
 * The items in words: "literal" /regex/ <field ... > and | where the core ends;
 * a unit as <field:3.
 */
static void
render(const struct format *f, struct buf *out)
{
	size_t i;

	for (i = 0; i < f->n_items; i++) {
		const struct format_item *item = &f->items[i];

		if (i)
			buf_add_char(out, ' ');
		if (i == f->n_core)
			buf_add_text(out, "| ");
		switch (item->kind) {
		case FORMAT_LITERAL:
			buf_add_char(out, '"');
			buf_add(out, item->text);
			buf_add_char(out, '"');
			break;
		case FORMAT_REGEX:
			buf_add_char(out, '/');
			buf_add(out, item->text);
			buf_add_char(out, '/');
			break;
		case FORMAT_OPEN:
			buf_add_char(out, '<');
			buf_add(out, item->text);
			if (item->shift)
				buf_add_format(out, ":%u", item->shift);
			break;
		case FORMAT_CLOSE:
			buf_add_char(out, '>');
			break;
		}
	}
	if (f->n_core == f->n_items)
		buf_add_text(out, " |");
	assert_int_equal(buf_status(out), 0);
}

/* From text that ends at an unmapped page, which is gone before it is used. */
static struct format *
create(struct str text)
{
	struct str copy = support_guarded_str(text);
	struct config_error e = { 0 };
	struct format *f = NULL;

	if (format_create(copy, &f, &e))
		fail_msg("\"%.*s\": column %zu: %s", STR_ARGS(text), e.column,
		    e.text);
	support_guarded_str_free(copy);
	return f;
}

static void
check(const char *text, const char *expected)
{
	struct format *f = create(str_from(text));
	struct buf b;

	buf_init(&b, 100000);
	render(f, &b);
	print_message("%s\n", text);
	assert_str(buf_str(&b), str_from(expected));
	buf_release(&b);
	format_destroy(f);
}

static void
refuse(struct str text, size_t column, const char *part)
{
	struct str copy = support_guarded_str(text);
	struct config_error e = { .column = 12345 };
	struct format *f = NULL;

	print_message("%.*s\n", text.len < 200 ? (int)text.len : 200,
	    text.data);
	assert_int_equal(format_create(copy, &f, &e), -EINVAL);
	assert_null(f);
	if (!strstr(e.text, part))
		fail_msg("\"%s\" does not say \"%s\"", e.text, part);
	assert_int_equal(e.column, column);
	assert_int_equal(e.line, 0);
	support_guarded_str_free(copy);
}

#define S "%{STATUS:status}"
#define S_ITEMS "<status /(?:/ \"-\" /|[0-9]++)/ >"

static void
a_reference_stands_for_its_expression(void **state)
{
	(void)state;
	check(S, S_ITEMS " |");
	check(S " %{PORT}", S_ITEMS " | \" \" /[0-9]++/");
	check(S " %{PORT:p}", S_ITEMS " | \" \" <p /[0-9]++/ >");
	/* In upper and lower case, and one that refers to others. */
	check("%{quoted:request}",
	    "<request /(?:/ /[^\"\\\\]*+(?:/ \"\\\" /.[^\"\\\\]*+)*+/ /(?=/ "
	    "\"\"\" /)/ /|.*?)/ > |");
}

static void
a_reference_is_grouped_where_it_must_be(void **state)
{
	(void)state;
	/* With a quantifier. */
	check(S "%{PORT}?", S_ITEMS " | /(?:/ /[0-9]++)?/");
	check(S "%{PORT}{2,3}+b", S_ITEMS " | /(?:/ /[0-9]++){2,3}+/ \"b\"");
	/* A brace that is no quantifier is a character. */
	check(S "%{PORT}{a}", S_ITEMS " | /[0-9]++/ \"{a}\"");
}

static void
a_unit_is_kept_as_a_power_of_ten(void **state)
{
	(void)state;
	check(S "%{PORT:request_time:s}",
	    S_ITEMS " | <request_time /[0-9]++/ >");
	check(S "%{PORT:request_time:ms}",
	    S_ITEMS " | <request_time:3 /[0-9]++/ >");
	check(S "%{PORT:request_time:us}",
	    S_ITEMS " | <request_time:6 /[0-9]++/ >");
	/* Of text, for metrics that have it as their value. */
	check(S "%{PORT:t:ms}", S_ITEMS " | <t:3 /[0-9]++/ >");
	check(S "%{PORT:upstream_response_time:ns}",
	    S_ITEMS " | <upstream_response_time:9 /[0-9]++/ >");
}

static void
a_named_group_is_a_field(void **state)
{
	(void)state;
	check("%{PORT}(?<status>\\d+)", "/[0-9]++/ <status /\\d+/ > |");
	check("%{PORT}(?P<status>a|b)",
	    "/[0-9]++/ <status \"a\" /|/ \"b\" > |");
	check("%{PORT}(?<status>(?<x>a)b)",
	    "/[0-9]++/ <status <x \"a\" > \"b\" > |");
}

static void
groups_and_assertions_keep_their_heads_and_quantifiers(void **state)
{
	(void)state;
	check(S "(a)(?:b)(?>c)*+(?=d)(?!e)(?<=f)(?<!g)(?i:h){2}",
	    S_ITEMS
	    " | /(/ \"a\" /)/ /(?:/ \"b\" /)/ /(?>/ \"c\" /)*+/ /(?=/ \"d\" "
	    "/)/ /(?!/ \"e\" /)/ /(?<=/ \"f\" /)/ /(?<!/ \"g\" /)/ /(?i:/ "
	    "\"h\" /){2}/");
}

static void
a_prefix_says_which_syntax_it_is(void **state)
{
	(void)state;
	check("grok:" S "%h", S_ITEMS " | \"%h\"");
	check("regex:%{STATUS:x}(?<status>\\d+)$",
	    "\"%{STATUS:x}\" <status /\\d+/ > | /$/");
	check("regex:(?<status>a)|b", "/(?:/ <status \"a\" > /|/ \"b\" /)/ |");
	check("(?<status>\\d+) $status %h",
	    "<status /\\d+/ > | \" \" /$/ "
	    "\"status %h\"");
	check("nginx:$status %h", S_ITEMS " | \" %h\"");
	check("apache:%>s $x", S_ITEMS " | \" $x\"");
}

static void
comments_are_left_out(void **state)
{
	(void)state;
	check(S "a(?# ( [ | )b", S_ITEMS " | \"ab\"");
	check(S "a(?# without an end", S_ITEMS " | \"a\"");
}

static void
classes_are_taken_whole(void **state)
{
	(void)state;
	check(S "[^])(%{x}]+z", S_ITEMS " | /[^])(%{x}]+/ \"z\"");
	check(S "[]|]", S_ITEMS " | /[]|]/");
	check(S "[\\]|()][[:alpha:])]", S_ITEMS " | /[\\]|()][[:alpha:])]/");
}

static void
escapes_are_literal_where_they_escape_a_sign(void **state)
{
	(void)state;
	check(S " \\[\\\"\\\\\\.\\ \\x41\\p{L}\\d\\]",
	    S_ITEMS " | \" [\"\\. \" /\\x/ \"41\" /\\p{L}\\d/ \"]\"");
}

static void
characters_without_a_meaning_are_literals(void **state)
{
	(void)state;
	check(S " ]},:{%&\"'#~\xC3\xA9",
	    S_ITEMS " | \" ]},:{%&\"'#~\xC3\xA9\"");
	check(S " % {a", S_ITEMS " | \" % {a\"");
}

static void
a_quantifier_binds_only_the_atom_before_it(void **state)
{
	(void)state;
	check(S "ab*c+?d{2}e{2,}+f.g",
	    S_ITEMS " | \"a\" /b*c+?d{2}e{2,}+/ \"f\" /./ \"g\"");
	check(S " \\[?x", S_ITEMS " | \" \" /\\[?/ \"x\"");
}

static void
alternatives_of_the_whole_are_one_group_and_one_core(void **state)
{
	(void)state;
	check(S "|(?<x>b)", "/(?:/ " S_ITEMS " /|/ <x \"b\" > /)/ |");
	/* Not those inside of a group, a class, or escaped. */
	check("(?:a|b)[|]\\|" S,
	    "/(?:/ \"a\" /|/ \"b\" /)/ /[|]/ \"|\" " S_ITEMS " |");
}

static void
the_core_ends_with_the_last_of_request_status_and_bytes(void **state)
{
	(void)state;
	check("(?<request>r) (?<x>%{PORT}) (?<status>s) (?<y>y)",
	    "<request \"r\" > \" \" <x /[0-9]++/ > \" \" <status \"s\" > | "
	    "\" \" <y \"y\" >");
	check("(?<body_bytes_sent>%{PORT}) (?<y>y)",
	    "<body_bytes_sent /[0-9]++/ > | \" \" <y \"y\" >");
	check("(?<bytes_sent>%{PORT}) (?<y>y)",
	    "<bytes_sent /[0-9]++/ > | \" \" <y \"y\" >");
	/* With both kinds of bytes it is the body's. */
	check("(?<body_bytes_sent>%{PORT}) (?<bytes_sent>b)",
	    "<body_bytes_sent /[0-9]++/ > | \" \" <bytes_sent \"b\" >");
	/* A group around it belongs to it. */
	check("(?:%{PORT}(?<status>s) a)b",
	    "/(?:/ /[0-9]++/ <status \"s\" > \" a\" /)/ | \"b\"");
}

static void
items_know_how_deep_they_are_and_where_the_user_wrote_them(void **state)
{
	struct format *f = create(STR("a(%{PORT:status}b)%{CLIENT:x}"));
	/*  "a" /(/ <status /[0-9]++/ > "b" /)/ <x ... */
	static const unsigned depths[] = { 0, 0, 1, 2, 2, 1, 1, 0, 1 };
	static const size_t columns[] = { 1, 2, 3, 3, 3, 17, 18, 19, 19 };
	size_t i;

	(void)state;
	assert_true(f->n_items > N(depths));
	for (i = 0; i < N(depths); i++) {
		print_message("item %zu\n", i);
		assert_int_equal(f->items[i].depth, depths[i]);
		assert_int_equal(f->items[i].column, columns[i]);
	}
	format_destroy(f);
}

static void
the_name_of_a_format_is_a_format(void **state)
{
	struct format *f = create(STR("combined"));
	struct format *upper = create(STR("COMBINED"));
	struct format *grok = create(STR("%{COMBINED}"));

	(void)state;
	assert_true(format_has(f, STR("http_user_agent")));
	assert_true(format_has(f, STR("status")));
	assert_false(format_has(f, STR("request_time")));
	assert_false(format_has(f, STR("statu")));
	assert_false(format_has(f, STR("")));
	assert_int_equal(upper->n_items, f->n_items);
	assert_int_equal(grok->n_items, f->n_items);
	assert_int_equal(grok->n_core, f->n_core);
	assert_true(f->n_core < f->n_items);
	format_destroy(grok);
	format_destroy(upper);
	format_destroy(f);
}

/* The names that Logstash has too, on what is found in logs. */
static void
names_known_from_logstash_take_what_it_takes(void **state)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{ "IPORHOST", "192.0.2.1" },
		{ "IPORHOST", "::1" },
		{ "IPORHOST", "::" },
		{ "IPORHOST", "2001:db8::1" },
		{ "IPORHOST", "::ffff:192.0.2.1" },
		{ "IPORHOST", "fe80::1%eth0" },
		{ "IPORHOST", "www.example-1.com" },
		{ "IPORHOST", "my_host" },
		{ "TIMESTAMP_ISO8601", "2026-11-20T15:40:00Z" },
		{ "TIMESTAMP_ISO8601", "2026-11-20T15:40:00.123456Z" },
		{ "TIMESTAMP_ISO8601", "2026-11-20T15:40:00+01:00" },
		{ "TIMESTAMP_ISO8601", "2026-11-20T15:40:00.5-0130" },
		{ "TIMESTAMP_ISO8601", "2026-11-20 15:40:00,123" },
		{ "TIMESTAMP_ISO8601", "2026-11-20 15:40:00" },
		{ "TIMESTAMP_ISO8601", "2026-11-20T15:40" },
		{ "TIMESTAMP_ISO8601", "2026-11-20T15:40Z" },
		{ "HTTPDATE", "20/Nov/2026:15:40:00 +0000" },
		{ "WORD", "GET" },
		{ "INT", "-17" },
		{ "NUMBER", "200" },
		{ "NUMBER", "-0.125" },
		{ "NUMBER", "+7" },
		{ "NUMBER", ".5" },
		{ "NOTSPACE", "a/b?c" },
		{ "DATA", "a b" },
		{ "GREEDYDATA", "a b" },
		{ "QUOTEDSTRING", "\"a \\\" b\"" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		char format[100], line[100], fields[100];

		(void)snprintf(format, sizeof(format),
		    "%%{%s:x} %%{STATUS:status}", cases[i].name);
		(void)snprintf(line, sizeof(line), "%s 200", cases[i].text);
		(void)snprintf(fields, sizeof(fields), "x=%s; status=200",
		    cases[i].text);
		formats_check(format, line, fields);
	}
	/* A port is not of the host. */
	formats_check("%{IPORHOST:host}:%{PORT:server_port} " S,
	    "example.com:443 200",
	    "host=example.com; server_port=443; status=200");
	formats_check("%{IPORHOST:host}:%{PORT:server_port} " S, "cafe:443 200",
	    "host=cafe; server_port=443; status=200");
	formats_check("\\[%{IPORHOST:host}\\]:%{PORT:server_port} " S,
	    "[::1]:443 200", "host=::1; server_port=443; status=200");
}

static void
what_is_wrong_is_said_with_its_column(void **state)
{
	static const struct {
		const char *text;
		size_t column;
		const char *part;
	} cases[] = {
		{ "", 0, "is not a format" },
		{ "nonsense", 0, "\"nonsense\" is not a format" },
		{ "grok:nonsense", 0, "none of the fields" },
		{ "regex:%{STATUS:status}", 0, "none of the fields" },
		{ "regex:(?<status>a) (b", 22, "\"(\" without \")\"" },
		{ "grok:" S " (b", 25, "\"(\" without \")\"" },
		{ "STATUS", 0, "is not a format" },
		{ "%{PORT}", 0, "none of the fields" },
		{ "%{PORT:x}", 0, "none of the fields" },
		{ "combind", 0, "\"combind\" is not a format; write combined" },
		{ "NGINX_TIME", 0, "is not a format; write nginx_timed" },
		{ "atuo", 0, "is not a format; write auto" },
		{ "nginx", 0, "write auto, apache_json, apache_timed, " },
		{ "x %{STATUS:statu}", 3, "write status in place of statu" },
		{ "(?<reqeust>.*)", 1, "write request in place of reqeust" },
		{ "%{PORT:request_time}", 0, "capture at least one, as in" },
		{ "%{PORT:upstream_status}", 0, "capture at least one" },

		{ "a %{STATUS:status", 3, "without \"}\"" },
		{ "a %{", 3, "without \"}\"" },
		{ "%{NOPE}", 1, "%{NOPE} is not known" },
		{ "ab %{NOPE:status}", 4, "%{NOPE} is not known" },
		{ "%{COMBIND}", 1, "is not known; write %{COMBINED}" },
		{ "ab %{statsu:status}", 4, "write %{STATUS}" },
		{ "%{NGINX_JSN}", 1, "accesslog_exporter-formats(7) says" },
		{ "%{}", 1, "%{} is not known" },
		{ "a%{STATUS:}", 2, "is not a field name" },
		{ "a%{STATUS:0x}", 2, "\"0x\" is not a field name" },
		{ "a%{STATUS:a-b}", 2, "\"a-b\" is not a field name" },
		{ S "%{PORT:t:m}", 17, "\"m\" is not a unit" },
		{ S "%{PORT:t:}", 17, "\"\" is not a unit" },
		{ S "%{PORT:t:us:x}", 17, "\"us:x\" is not a unit" },
		{ S "%{PORT:request_time:sec}", 17,
		    "\"sec\" is not a unit; write s, ms, us or ns" },
		{ "ab %{PORT:status:ms}", 4,
		    "status is not a time and has no unit; leave \":ms\" out" },
		{ S "%{PORT:bytes_sent:s}", 17, "leave \":s\" out" },
		{ S "%{PORT:msec:ms}", 17, "leave \":ms\" out" },

		{ S "*", 17, "cannot be repeated" },
		{ S "+", 17, "cannot be repeated" },
		{ S "{2}", 17, "cannot be repeated" },
		{ S "(?<x>a)?", 23, "cannot be repeated" },

		{ S "(a", 19, "\"(\" without \")\"" },
		{ S "((a)", 21, "\"(\" without \")\"" },
		{ S "a)", 18, "\")\" without \"(\"" },
		{ S "(a))b", 20, "\")\" without \"(\"" },
		{ S "a[b", 18, "\"[\" without \"]\"" },
		{ S "[]", 17, "\"[\" without \"]\"" },
		{ S "[^]", 17, "\"[\" without \"]\"" },
		{ S "[\\]", 17, "\"[\" without \"]\"" },
		{ S "a\\", 18, "a lone \"\\\"" },
		{ S "a\\1", 18, "\\1 is not supported" },
		{ S "\\k<status>", 17, "\\k is not supported" },
		{ S "\\g1", 17, "\\g is not supported" },
		{ S "\\Qa\\E", 17, "\\Q is not supported" },
		{ S "(*ACCEPT)", 17, "(*VERB) is not supported" },
		{ S "(?i)a", 17, "options for the rest" },
		{ S "(?-i)a", 17, "options for the rest" },
		{ S "(?", 17, "this kind of group" },
		{ S "(?i", 17, "this kind of group" },
		{ S "(?x:a)", 17, "this kind of group" },
		{ S "(?|a)", 17, "this kind of group" },
		{ S "(?R)", 17, "this kind of group" },
		{ S "(?1)", 17, "this kind of group" },
		{ S "(?&x)", 17, "this kind of group" },
		{ S "(?'x'a)", 17, "this kind of group" },
		{ S "(?P=x)", 17, "this kind of group" },
		{ S "(?P>x)", 17, "this kind of group" },
		{ S "(?(?=a)b|c)", 17, "this kind of group" },
		{ S "(?<x", 17, "without \">\"" },
		{ S "(?<=", 21, "\"(\" without \")\"" },
		{ S "(?<0>a)", 17, "is not a field name" },
		{ S "(?<>a)", 17, "is not a field name" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++)
		refuse(str_from(cases[i].text), cases[i].column, cases[i].part);
	refuse(str_of(S "a\0b", 19), 18, "NUL");
}

/* Cut at every byte: it is a format or it is not, and it says why. */
static void
a_format_cut_anywhere_is_read_inside_of_itself(void **state)
{
	static const char whole[] =
	    "%{CLIENT:remote_addr} (?<x>[^]a\\]]{2,3}?)\\p{L}(?#c)(?i:b|c)*+"
	    "%{QUOTED}{2} %{STATUS:status} %{INTEGER:request_time:us}\\x{41}";

	(void)state;
	formats_check_cuts(whole);
}

/* A format of n bytes: the unit as often as it fits, and the status. */
static struct str
repeated(const char *unit, size_t n, struct buf *b)
{
	buf_init(b, 1000000);
	buf_add_text(b, S);
	while (b->len + strlen(unit) <= n)
		buf_add_text(b, unit);
	assert_int_equal(buf_status(b), 0);
	return buf_str(b);
}

static void
the_length_of_a_format_is_bounded(void **state)
{
	struct buf b;

	(void)state;
	format_destroy(create(repeated("a", BOUNDS_FORMAT_BYTES, &b)));
	buf_release(&b);
	refuse(repeated("a", BOUNDS_FORMAT_BYTES + 1, &b), 0, "longer than");
	buf_release(&b);
}

static void
the_length_with_all_names_written_out_is_bounded(void **state)
{
	struct buf b;
	struct config_error e = { 0 };
	struct format *f = NULL;

	(void)state;
	assert_int_equal(
	    format_create(repeated("%{COMBINED}", BOUNDS_FORMAT_BYTES, &b), &f,
		&e),
	    -EINVAL);
	assert_null(f);
	assert_true(e.column > strlen(S));
	assert_true(e.column <= BOUNDS_FORMAT_BYTES);
	/* Each reference begins at a multiple. */
	assert_int_equal((e.column - 1 - strlen(S)) % 11, 0);
	buf_release(&b);
}

static void
the_number_of_pieces_is_bounded(void **state)
{
	struct buf b;

	(void)state;
	/* "a" and /./ in turn: the status is 5 pieces. */
	format_destroy(
	    create(repeated("a.", strlen(S) + BOUNDS_FORMAT_ITEMS - 5, &b)));
	buf_release(&b);
	refuse(repeated("a.", strlen(S) + BOUNDS_FORMAT_ITEMS - 5 + 2, &b),
	    strlen(S) + BOUNDS_FORMAT_ITEMS - 5 + 1, "more than 4096 pieces");
	buf_release(&b);
}

static void
the_depth_of_groups_is_bounded(void **state)
{
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	buf_add_text(&b, S);
	for (i = 0; i < BOUNDS_FORMAT_DEPTH; i++)
		buf_add_char(&b, '(');
	for (i = 0; i < BOUNDS_FORMAT_DEPTH; i++)
		buf_add_char(&b, ')');
	format_destroy(create(buf_str(&b)));

	buf_clear(&b);
	buf_add_text(&b, S);
	for (i = 0; i <= BOUNDS_FORMAT_DEPTH; i++)
		buf_add_char(&b, '(');
	assert_int_equal(buf_status(&b), 0);
	refuse(buf_str(&b), strlen(S) + BOUNDS_FORMAT_DEPTH + 1,
	    "more than 32");

	/* Ten thousand are no deeper than the first that is too much. */
	buf_release(&b);
	refuse(repeated("(", 10000, &b), strlen(S) + BOUNDS_FORMAT_DEPTH + 1,
	    "more than 32");
	buf_release(&b);
}

static void
a_long_message_is_cut_and_still_a_message(void **state)
{
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 20000);
	buf_add_text(&b, "%{");
	for (i = 0; i < 5000; i++)
		buf_add_char(&b, 'N');
	buf_add_char(&b, '}');
	assert_int_equal(buf_status(&b), 0);
	refuse(buf_str(&b), 1, "%{NNNN");
	buf_release(&b);
}

static void
each_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
	static const char *const texts[] = { "combined",
		"%{COMBINED} (?<x>a|b)", S "|b" };
	struct buf many;
	size_t i;

	(void)state;
	/* Enough pieces that their array grows several times. */
	(void)repeated("a.", 2000, &many);
	for (i = 0; i <= N(texts); i++) {
		struct str text = i < N(texts) ? str_from(texts[i])
					       : buf_str(&many);
		unsigned long n;

		for (n = 1;; n++) {
			struct config_error e = { 0 };
			struct format *f = NULL;
			int error;

			support_fail_allocation(n);
			error = format_create(text, &f, &e);
			support_stop_failing();
			if (!support_did_fail()) {
				assert_int_equal(error, 0);
				format_destroy(f);
				break;
			}
			assert_int_equal(error, -ENOMEM);
			assert_null(f);
		}
		assert_true(n > 3);
	}
	buf_release(&many);
}

static void
destroying_none_does_nothing(void **state)
{
	(void)state;
	format_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reference_stands_for_its_expression),
		cmocka_unit_test(a_reference_is_grouped_where_it_must_be),
		cmocka_unit_test(a_unit_is_kept_as_a_power_of_ten),
		cmocka_unit_test(a_named_group_is_a_field),
		cmocka_unit_test(
		    groups_and_assertions_keep_their_heads_and_quantifiers),
		cmocka_unit_test(a_prefix_says_which_syntax_it_is),
		cmocka_unit_test(comments_are_left_out),
		cmocka_unit_test(classes_are_taken_whole),
		cmocka_unit_test(escapes_are_literal_where_they_escape_a_sign),
		cmocka_unit_test(characters_without_a_meaning_are_literals),
		cmocka_unit_test(a_quantifier_binds_only_the_atom_before_it),
		cmocka_unit_test(
		    alternatives_of_the_whole_are_one_group_and_one_core),
		cmocka_unit_test(
		    the_core_ends_with_the_last_of_request_status_and_bytes),
		cmocka_unit_test(
		    items_know_how_deep_they_are_and_where_the_user_wrote_them),
		cmocka_unit_test(the_name_of_a_format_is_a_format),
		cmocka_unit_test(names_known_from_logstash_take_what_it_takes),
		cmocka_unit_test(what_is_wrong_is_said_with_its_column),
		cmocka_unit_test(
		    a_format_cut_anywhere_is_read_inside_of_itself),
		cmocka_unit_test(the_length_of_a_format_is_bounded),
		cmocka_unit_test(
		    the_length_with_all_names_written_out_is_bounded),
		cmocka_unit_test(the_number_of_pieces_is_bounded),
		cmocka_unit_test(the_depth_of_groups_is_bounded),
		cmocka_unit_test(a_long_message_is_cut_and_still_a_message),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_leaks_nothing),
		cmocka_unit_test(destroying_none_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
