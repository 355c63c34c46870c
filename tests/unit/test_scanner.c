/*
 * Where the scanner finds values they are PCRE2's: for lines of all kinds, cut
 * at every byte, with every byte in every place, before an unmapped page.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/pattern.h"
#include "accesslog/scanner.h"
#include "support.h"

#define COMBINED                                                               \
	"192.0.2.1 - - [31/Jan/2026:12:00:00 +0000] "                          \
	"\"GET /a HTTP/1.1\" 200 5120 \"-\" \"Mozilla/5.0 (X11)\""

#define NGINX                                                                  \
	"$remote_addr - $remote_user [$time_local] \"$request\" $status "      \
	"$body_bytes_sent \"$http_referer\" $request_time "                    \
	"$upstream_response_time $upstream_addr $connection"

#define NGINX_LINE "192.0.2.1 - - [x] \"GET / HTTP/1.1\" 200 5120 \"-\" 0.001 "

/* Both engines for a format, with all of its fields. */
struct engines {
	struct format *format;
	struct fields fields;
	struct scanner *scanner;
	struct pattern *pattern;
};

static void
engines_init(struct engines *e, const char *text)
{
	struct config_error why = { 0 };
	size_t i;

	*e = (struct engines){ 0 };
	if (format_create(str_from(text), &e->format, &why))
		fail_msg("%s: column %zu: %s", text, why.column, why.text);
	for (i = 0; i < e->format->n_items; i++) {
		if (e->format->items[i].kind == FORMAT_OPEN)
			(void)fields_add(&e->fields, e->format->items[i].text);
	}
	if (scanner_create(e->format, &e->fields, &e->scanner))
		fail_msg("%s: not for the scanner", text);
	assert_int_equal(
	    pattern_create(e->format, &e->fields, false, &e->pattern, &why), 0);
}

static void
engines_release(struct engines *e)
{
	pattern_destroy(e->pattern);
	scanner_destroy(e->scanner);
	format_destroy(e->format);
}

/* Returns whether the scanner finds values, which then are PCRE2's. */
static bool
check_line(struct engines *e, struct str line)
{
	struct str copy = support_guarded_str(line);
	struct str found[BOUNDS_FIELDS] = { { 0 } };
	struct str expected[BOUNDS_FIELDS] = { { 0 } };
	bool is_found = scanner_match(e->scanner, copy, found);
	enum pattern_result result = pattern_match(e->pattern, copy, expected,
	    NULL);
	size_t i;

	if (is_found && result != PATTERN_FITS)
		fail_msg("found, and PCRE2 does not: %.*s", STR_ARGS(line));
	for (i = 0; is_found && i < e->fields.n; i++) {
		if (found[i].data != expected[i].data ||
		    found[i].len != expected[i].len) {
			print_message("%.*s: %.*s\n", STR_ARGS(line),
			    STR_ARGS(e->fields.names[i]));
			assert_str(found[i], expected[i]);
			fail();
		}
	}
	support_guarded_str_free(copy);
	return is_found;
}

static const struct {
	const char *format;
	const char *line;
	bool is_found; /* or left to PCRE2 */
} cases[] = {
	{ "combined", COMBINED, true },
	{ "combined", COMBINED " \"one more\"", true },
	{ "combined", "- - - [] \"\" 408 - \"\" \"\"", true },
	{ "combined", "a b c [d] \"\\\"\\\\\" 000 x \"\\x22\" \"\\\"\"", true },
	{ "combined", "192.0.2.1, 10.0.0.1 - - [x] \"y\" 200 1 \"-\" \"-\"",
	    false },
	{ "combined", "192.0.2.1 - john doe [x] \"y\" 200 1 \"-\" \"-\"",
	    false },
	{ "combined", "192.0.2.1 - - [x] \"a\" b\" 200 1 \"-\" \"-\"", false },
	{ "combined", "192.0.2.1 - - [x] \"y\\\n\" 200 1 \"-\" \"-\"", false },
	{ "combined", "192.0.2.1 - - [x] \"y\" 20x 1 \"-\" \"-\"", false },
	{ "combined", "192.0.2.1 - - [x] \"y\" 200  \"-\" \"-\"", false },
	{ "vhost_combined", "example.com:443 " COMBINED, true },
	{ "vhost_combined", "[2001:db8::1]:443 " COMBINED, false },
	{ "nginx_timed", COMBINED " 0.012 0.001 0.011", true },
	{ "nginx_timed", COMBINED " 0.012 - -", true },
	{ "nginx_timed", COMBINED " 0.012 0.001, 0.002 0.003", false },
	{ "nginx_timed", COMBINED " 0.012 0.001 0.002 : 0.003", false },
	{ "nginx_timed", COMBINED " 0.012 0.001 0.002 : ", false },
	{ "apache_timed", COMBINED " 1234", true },
	{ "apache_timed", COMBINED " -", true },
	{ "apache_timed", COMBINED " 1234x", false },
	{ "combinedio", COMBINED " 1234 567", true },
	{ "combinedio", COMBINED " 1234 567 89", true },
	{ "combinedio", COMBINED " 1234 567x", false },
	{ "combinedio", COMBINED " 1234 -", false },
	{ "combinedio", COMBINED " 1234 5.7", false },
	{ "envoy",
	    "[x] \"GET / HTTP/1.1\" 200 - 0 12 3 - \"-\" \"a\" \"b\" \"c\" "
	    "\"10.0.0.1:80\"",
	    true },
	{ "envoy",
	    "[x] \"GET / HTTP/1.1\" 200 7 0 12 3 - \"-\" \"a\" \"b\" \"c\" "
	    "\"10.0.0.1:80\"",
	    false },
	{ "istio",
	    "[x] \"GET / HTTP/1.1\" 200 - via_upstream - \"-\" 0 12 3 - \"-\" "
	    "\"a\" \"b\" \"c\" \"10.0.0.1:80\" in - - 10.0.0.2:9 - default",
	    true },
	{ NGINX, NGINX_LINE "0.001 10.0.0.1:80 7", true },
	{ NGINX, NGINX_LINE "- - 7", true },
	{ NGINX, NGINX_LINE "0.001 10.0.0.1:80, 10.0.0.2:80 7", false },
	{ NGINX, NGINX_LINE "0.001 10.0.0.1:80 : 10.0.0.2:80 7", false },
	{ "$server_name:$server_port $status", "a.example:443 200", true },
	{ "$server_name:$server_port $status", "a.example: 200", true },
	{ "$server_name:$server_port $status", "a.example:- 200", true },
	{ "$server_name:$server_port $status", "a.example:-1 200", false },
	/* In quotes a value ends before a quote at the latest. */
	{ "\"$host|$uri\" $status", "\"a\\|b\\\"c|/d\" 200", true },
	{ "\"$host|$uri\" $status", "\"a\"|/d\" 200", false },
	/* A delimiter of several bytes whose first may be in the value. */
	{ "$http_user_agent - $host - $status", "a b - h - 200", false },
	{ "$http_user_agent; - $host, $status", "a b; - h, 200", true },
	{ "$http_user_agent; - $host, $status", "a; b; - h, 200", false },
	/* A literal that is longer than eight bytes. */
	{ "$remote_addr \" request=\" $status \" body_bytes_sent=\" $bytes_sent",
	    "::1 \" request=\" 200 \" body_bytes_sent=\" 5", true },
	{ "$remote_addr \" request=\" $status \" body_bytes_sent=\" $bytes_sent",
	    "::1 \" request=\" 200 \" body_bytes_lost=\" 5", false },
	/* A backslash as delimiter. */
	{ "%{STATUS:status}\\\\%{ESCAPED:request}", "200\\GET /", true },
	{ "%{ESCAPED:request}\\\\%{STATUS:status}", "GET /\\\\\\200", false },
	{ "%{ESCAPED:request}", "GET /\\", false },
	{ "%{PORT:status}%{BYTES:bytes_sent}", "200-", true },
	{ "%{PORT:status}1 %{BYTES:bytes_sent}", "2001 5", false },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void
values_are_those_of_pcre2(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N_CASES; i++) {
		struct engines e;

		print_message("%s\n%s\n", cases[i].format, cases[i].line);
		engines_init(&e, cases[i].format);
		assert_int_equal(check_line(&e, str_from(cases[i].line)),
		    cases[i].is_found);
		engines_release(&e);
	}
}

static void
values_are_those_of_pcre2_wherever_a_line_is_cut(void **state)
{
	size_t i, len;

	(void)state;
	for (i = 0; i < N_CASES; i++) {
		struct engines e;

		engines_init(&e, cases[i].format);
		for (len = 0; len < strlen(cases[i].line); len++)
			(void)check_line(&e, str_of(cases[i].line, len));
		engines_release(&e);
	}
}

static void
values_are_those_of_pcre2_with_any_byte_anywhere(void **state)
{
	size_t i, at;
	int byte;

	(void)state;
	for (i = 0; i < N_CASES; i++) {
		size_t len = strlen(cases[i].line);
		char *line = strdup(cases[i].line);
		struct engines e;

		assert_non_null(line);
		engines_init(&e, cases[i].format);
		for (at = 0; at < len; at++) {
			for (byte = 0; byte < 128; byte++) {
				line[at] = (char)byte;
				(void)check_line(&e, str_of(line, len));
			}
			line[at] = cases[i].line[at];
		}
		engines_release(&e);
		free(line);
	}
}

/* Values end before, at and behind what is compared in one go. */
static void
a_value_may_be_of_any_length(void **state)
{
	char line[600];
	struct engines e;
	int n, rest;

	(void)state;
	engines_init(&e, "common");
	for (n = 0; n < 300; n++) {
		for (rest = 1; rest < 40; rest++) {
			int len = snprintf(line, sizeof(line),
			    "::1 - - [x] \"%0*d\" 200 %0*d", n, 0, rest, 1);

			assert_true(check_line(&e, str_of(line, (size_t)len)));
		}
	}
	engines_release(&e);
}

static void
a_program_ends_after_the_last_wanted_field(void **state)
{
	static const struct {
		const char *wanted;
		const char *line;
		bool is_found;
	} lines[] = {
		{ "status", "- - - [x] \"y\" 200 1", true },
		{ "status", "- - - [x] \"y\" 200 1 torn", true },
		{ "remote_addr", "- - - [x] \"y\" 200 1\"", true },
		{ "remote_addr", "- - - [x] \"y\" 200", false },
		{ "http_referer", "- - - [x] \"y\" 200 1 \"z\" \"", true },
		{ "http_referer", "- - - [x] \"y\" 200 1 \"z\"", false },
		{ "upstream_addr", "- - - [x] \"y\" 200 1", true },
	};
	struct config_error why;
	struct format *format;
	size_t i;

	(void)state;
	assert_int_equal(format_create(STR("combined"), &format, &why), 0);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct fields fields = { 0 };
		struct str values[BOUNDS_FIELDS] = { { 0 } };
		struct scanner *s;

		print_message("%s of %s\n", lines[i].wanted, lines[i].line);
		(void)fields_add(&fields, str_from(lines[i].wanted));
		assert_int_equal(scanner_create(format, &fields, &s), 0);
		assert_int_equal(
		    scanner_match(s, str_from(lines[i].line), values),
		    lines[i].is_found);
		scanner_destroy(s);
	}
	format_destroy(format);
}

static void
formats_of_other_shapes_are_left_to_pcre2(void **state)
{
	static const char *const texts[] = { "haproxy_http", "caddy_json",
		"lighttpd", "regex:(?<status>\\d+)",
		"%{STATUS:status} %{DATA:request} ", "$scheme$host $status",
		"regex:(?<status>[^ ]*)", "regex:(?<status>[^a-z]*+)",
		"regex:(?<status>[^[:space:]]*+)", "regex:(?<status>[^\\s]*+)",
		"regex:(?<status>[^abcde]*+)", "regex:(?i:(?<status>[^ ]*+))",
		"regex:(?<status>[^ ]*+(?: (?!\\[)[^x]*+)*+) \\[",
		"regex:(?<status>[^ ]*+(?: (?!\\[)[^ ]*+)*+) x" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct fields fields = { 0 };
		struct config_error why = { 0 };
		struct format *format;
		struct scanner *s = NULL;

		print_message("%s\n", texts[i]);
		(void)fields_add(&fields, STR("status"));
		if (format_create(str_from(texts[i]), &format, &why))
			fail_msg("column %zu: %s", why.column, why.text);
		assert_int_equal(scanner_create(format, &fields, &s), -ENOTSUP);
		assert_null(s);
		format_destroy(format);
	}
}

static void
a_format_of_very_many_fields_is_left_to_pcre2(void **state)
{
	struct fields fields = { 0 };
	struct config_error why;
	struct format *format;
	struct scanner *s = NULL;
	struct buf text;
	int i;

	(void)state;
	buf_init(&text, 10000);
	for (i = 0; i < 64; i++)
		buf_add_format(&text, "$a%d ", i);
	buf_add_text(&text, "$status");
	assert_int_equal(format_create(buf_str(&text), &format, &why), 0);
	assert_int_equal(scanner_create(format, &fields, &s), -ENOTSUP);
	assert_null(s);
	format_destroy(format);
	buf_release(&text);
}

static void
each_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
	struct fields fields = { 0 };
	struct config_error why;
	struct format *format;
	unsigned long n;

	(void)state;
	(void)fields_add(&fields, STR("status"));
	assert_int_equal(format_create(STR("combined"), &format, &why), 0);
	for (n = 1;; n++) {
		struct scanner *s = NULL;
		int error;

		support_fail_allocation(n);
		error = scanner_create(format, &fields, &s);
		support_stop_failing();
		if (!support_did_fail()) {
			assert_int_equal(error, 0);
			scanner_destroy(s);
			break;
		}
		assert_int_equal(error, -ENOMEM);
		assert_null(s);
	}
	assert_true(n > 3);
	format_destroy(format);
}

static void
destroying_none_does_nothing(void **state)
{
	(void)state;
	scanner_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_those_of_pcre2),
		cmocka_unit_test(
		    values_are_those_of_pcre2_wherever_a_line_is_cut),
		cmocka_unit_test(
		    values_are_those_of_pcre2_with_any_byte_anywhere),
		cmocka_unit_test(a_value_may_be_of_any_length),
		cmocka_unit_test(a_program_ends_after_the_last_wanted_field),
		cmocka_unit_test(formats_of_other_shapes_are_left_to_pcre2),
		cmocka_unit_test(a_format_of_very_many_fields_is_left_to_pcre2),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_leaks_nothing),
		cmocka_unit_test(destroying_none_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
