#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/request.h"
#include "support.h"

/* A part that is NULL has no value. */
static const struct {
	const char *line, *method, *uri, *protocol;
} cases[] = {
	{ "GET /a?q=1 HTTP/1.1", "GET", "/a?q=1", "HTTP/1.1" },
	{ "GET / HTTP/2.0", "GET", "/", "HTTP/2.0" },
	{ "GET / HTTP/3.0", "GET", "/", "HTTP/3.0" },
	{ "GET / HTTP/2", "GET", "/", "HTTP/2" },
	{ "OPTIONS * HTTP/1.0", "OPTIONS", "*", "HTTP/1.0" },
	{ "PRI * HTTP/2.0", "PRI", "*", "HTTP/2.0" },
	{ "CONNECT h:443 HTTP/1.1", "CONNECT", "h:443", "HTTP/1.1" },
	{ "GET http://h/p HTTP/1.1", "GET", "http://h/p", "HTTP/1.1" },
	{ "M-SEARCH * HTTP/1.1", "M-SEARCH", "*", "HTTP/1.1" },
	{ "VERSION_CONTROL / HTTP/1.1", "VERSION_CONTROL", "/", "HTTP/1.1" },
	{ "get / HTTP/1.1", "get", "/", "HTTP/1.1" },
	/* GETX is not GET. */
	{ "GETX / HTTP/1.1", "GETX", "/", "HTTP/1.1" },
	{ "GETX", "GETX", NULL, NULL },

	/* Spaces in the path, also where they look like a protocol. */
	{ "GET /a b c HTTP/1.1", "GET", "/a b c", "HTTP/1.1" },
	{ "GET /a HTTP/1.1 HTTP/1.1", "GET", "/a HTTP/1.1", "HTTP/1.1" },
	{ "GET  /  HTTP/1.1", "GET", " / ", "HTTP/1.1" },
	{ "GET  HTTP/1.1", "GET", "", "HTTP/1.1" },

	/* HTTP/0.9, and what is left of a request that was not finished. */
	{ "GET /", "GET", "/", NULL },
	{ "GET /a b", "GET", "/a b", NULL },
	{ "GET / ", "GET", "/ ", NULL },
	{ "GET HTTP/1.1", "GET", "HTTP/1.1", NULL },
	{ "GET / HTT", "GET", "/ HTT", NULL },
	{ "GET / http/1.1", "GET", "/ http/1.1", NULL },
	{ "GET ", "GET", NULL, NULL },
	{ "GET", "GET", NULL, NULL },

	/* Nothing was received, or no HTTP. */
	{ "", NULL, NULL, NULL },
	{ "-", NULL, NULL, NULL },
	{ " ", NULL, NULL, NULL },
	{ " GET / HTTP/1.1", NULL, NULL, NULL },
	{ "/ HTTP/1.1", NULL, NULL, NULL },
	{ "-GET / HTTP/1.1", NULL, NULL, NULL },
	{ "\\x16\\x03\\x01\\x00u\\x01", NULL, NULL, NULL },
	{ "\x16\x03\x01", NULL, NULL, NULL },
	{ "\\x03\\x00\\x00/*\\xE0\\x00 HTTP/1.1", NULL, NULL, NULL },
	{ "MGLNDD_192.0.2.1_80", NULL, NULL, NULL },
	{ "GET\t/ HTTP/1.1", NULL, NULL, NULL },
	{ "G\xC3\x89T / HTTP/1.1", NULL, NULL, NULL },
	{ "SSH-2.0-Go", NULL, NULL, NULL },
	{ "t3 12.1.2", NULL, NULL, NULL },
};

static void
assert_part(struct str part, const char *expected, const char *line)
{
	if (!expected) {
		if (part.data)
			print_error("\"%s\": \"%.*s\" is no part\n", line,
			    STR_ARGS(part));
		assert_no_value(part);
		return;
	}
	if (!part.data || !str_equal(part, str_from(expected)))
		print_error("\"%s\"\n", line);
	assert_str(part, str_from(expected));
}

static void
every_request_line_is_split_into_what_can_be_told(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str line = support_guarded_str(str_from(cases[i].line));
		struct request r = request_split(line);

		assert_part(r.method, cases[i].method, cases[i].line);
		assert_part(r.uri, cases[i].uri, cases[i].line);
		assert_part(r.protocol, cases[i].protocol, cases[i].line);
		support_guarded_str_free(line);
	}
}

static void
a_line_cut_anywhere_has_parts_inside_of_it(void **state)
{
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (len = 0; len <= strlen(cases[i].line); len++) {
			struct str line = support_guarded_str(
			    str_of(cases[i].line, len));
			struct request r = request_split(line);
			const struct str parts[] = { r.method, r.uri,
				r.protocol };
			const char *end = line.data;
			size_t p;

			for (p = 0; p < 3; p++) {
				if (!parts[p].data)
					continue;
				assert_true(parts[p].data >= end);
				end = parts[p].data + parts[p].len;
				assert_true(end <= line.data + line.len);
			}
			support_guarded_str_free(line);
		}
	}
}

static void
a_line_without_value_has_no_parts(void **state)
{
	struct request r = request_split((struct str){ 0 });

	(void)state;
	assert_no_value(r.method);
	assert_no_value(r.uri);
	assert_no_value(r.protocol);
}

static void
a_path_ends_at_the_query_or_the_fragment(void **state)
{
	static const struct {
		const char *uri, *path;
	} paths[] = {
		{ "/a/b", "/a/b" },
		{ "/a?b=c", "/a" },
		{ "/a?b?c", "/a" },
		{ "/a#b", "/a" },
		{ "/a?b#c", "/a" },
		{ "/a#b?c", "/a" },
		{ "/?", "/" },
		{ "?a", "" },
		{ "#", "" },
		{ "", "" },
		{ "*", "*" },
		{ "http://h/p?q", "http://h/p" },
		{ "/a%3Fb", "/a%3Fb" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct str uri = support_guarded_str(str_from(paths[i].uri));

		assert_str(request_path(uri), str_from(paths[i].path));
		support_guarded_str_free(uri);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_request_line_is_split_into_what_can_be_told),
		cmocka_unit_test(a_line_cut_anywhere_has_parts_inside_of_it),
		cmocka_unit_test(a_line_without_value_has_no_parts),
		cmocka_unit_test(a_path_ends_at_the_query_or_the_fragment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
