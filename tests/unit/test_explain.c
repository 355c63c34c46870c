#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/explain.h"
#include "accesslog/format.h"
#include "support.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct format *
create(const char *text)
{
	struct config_error why = { 0 };
	struct format *f = NULL;

	if (format_create(str_from(text), &f, &why))
		fail_msg("%s: column %zu: %s", text, why.column, why.text);
	return f;
}

static void
check(const char *format, const char *line, size_t column, const char *expected)
{
	struct format *f = create(format);
	struct str copy = support_guarded_str(str_from(line));
	struct explain e;
	struct buf out;

	print_message("%s\n%s\n", format, line);
	buf_init(&out, 1000);
	assert_int_equal(explain_line(f, copy, &e, &out), 0);
	assert_str(buf_str(&out), str_from(expected));
	assert_int_equal(e.offset + 1, column);
	assert_true(e.n_items <= f->n_core);
	buf_release(&out);
	support_guarded_str_free(copy);
	format_destroy(f);
}

static void
it_stops_at_the_first_byte_that_does_not_fit(void **state)
{
	(void)state;
	check("combined", "h - - [t] \"GET /\" ok 5", 19,
	    "status, three digits or -");
	check("combined", "h - - [t] \"GET /\" 200x5", 22,
	    "\" \" after status");
	check("combined", "h - - [t] \"GET /\" 200 ", 23,
	    "body_bytes_sent, digits or -");
	check("combined", "h - - [t] GET / 200 5", 11, "\"\"\" before request");
	check("combined", "h - - [t", 8, "\"] \"\" after time_local");
	check("combined", "h", 1, "\" \" after remote_addr");
	check("combined", "", 1, "\" \" after remote_addr");
	check("apache:x%>s %b", "y200 5", 1, "\"x\" before status");
	check("nginx:ab=$status $body_bytes_sent", "ax=200 5", 2,
	    "\"b=\" before status");
}

static void
what_ran_to_the_end_of_the_line_is_shown_where_it_began_or_ended(void **state)
{
	(void)state;
	/* A bracket is missing somewhere, a quote at the end. */
	check("combined", "h - u 20/Nov/2026 \"GET /\" 200 5", 5,
	    "\" [\" after remote_user");
	check("combined", "h - - [t] \"GET /", 17, "\"\" \" after request");
}

static void
what_should_stand_there_is_said_in_words(void **state)
{
	(void)state;
	check("%>s %D %b", "200 x 5", 5, "request_time, digits or -");
	check("$request_time $status", " 200", 1, "request_time, seconds or -");
	check("$time_local $status", "x 200", 1, "time_local, a time");
	check("%{WORD:x} %{STATUS:status}", "- 200", 1, "x");
	check("\\d{2}%{STATUS:status}", "x200", 1, "what fits \\d{2}");
	check("(?:a|b)+%{STATUS:status}", "x200", 1, "what fits (?:");
	check("(?:%{PORT:p}|-)%{STATUS:status}", "x200", 1, "p");
}

static void
a_line_that_fits_has_nothing_else_to_say_than_its_cost(void **state)
{
	(void)state;
	check("$status", "200", 4,
	    "a line that costs less: this one was given up on");
}

static void
a_line_cut_anywhere_stops_inside_of_itself(void **state)
{
	static const char line[] = "h - a b [t] \"GET / HTTP/1.1\" 200 5";
	static const char *const formats[] = { "combined", "haproxy_http",
		"$remote_addr $status", "(?:a|(?<status>\\d))+x" };
	size_t i, len;

	(void)state;
	for (i = 0; i < N(formats); i++) {
		struct format *f = create(formats[i]);

		for (len = 0; len < sizeof(line); len++) {
			struct str copy = support_guarded_str(
			    str_of(line, len));
			struct explain e;
			struct buf out;

			buf_init(&out, 1000);
			assert_int_equal(explain_line(f, copy, &e, &out), 0);
			assert_true(e.offset <= len);
			assert_true(out.len > 0);
			buf_release(&out);
			support_guarded_str_free(copy);
		}
		format_destroy(f);
	}
}

static void
each_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
	static const char *const lines[] = { "h - - [t] \"GET", "h - u x" };
	struct format *f = create("combined");
	size_t i;

	(void)state;
	for (i = 0; i < N(lines); i++) {
		unsigned long n;

		for (n = 1;; n++) {
			struct explain e = { .offset = 12345 };
			struct buf out;
			bool did_fail;
			int error;

			buf_init(&out, 1000);
			support_fail_allocation(n);
			error = explain_line(f, str_from(lines[i]), &e, &out);
			support_stop_failing();
			did_fail = support_did_fail();
			buf_release(&out);
			/* Without memory for a JIT it goes on without one. */
			if (!error && did_fail)
				continue;
			if (!did_fail) {
				assert_int_equal(error, 0);
				break;
			}
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(e.offset, 12345);
		}
		assert_true(n > 10);
	}
	format_destroy(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stops_at_the_first_byte_that_does_not_fit),
		cmocka_unit_test(
		    what_ran_to_the_end_of_the_line_is_shown_where_it_began_or_ended),
		cmocka_unit_test(what_should_stand_there_is_said_in_words),
		cmocka_unit_test(
		    a_line_that_fits_has_nothing_else_to_say_than_its_cost),
		cmocka_unit_test(a_line_cut_anywhere_stops_inside_of_itself),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
