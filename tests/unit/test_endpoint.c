#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/endpoint.h"
#include "support.h"

#define UNIX_PREFIX "syslog+unix://"

static void
assert_endpoint(const char *text, enum endpoint_kind kind, const char *address)
{
	struct config_error why = { 0 };
	struct endpoint e;

	if (endpoint_parse(text, &e, &why))
		fail_msg("%s: %s", text, why.text);
	assert_int_equal(e.kind, kind);
	assert_string_equal(e.address, address);
}

/* It is refused, and what it says has both. */
static void
assert_refused(const char *text, const char *names, const char *advises)
{
	struct endpoint e = { ENDPOINT_PATH, "untouched" };
	struct config_error why = { .line = 7, .column = 7 };

	assert_int_equal(endpoint_parse(text, &e, &why), -EINVAL);
	assert_string_equal(e.address, "untouched");
	assert_int_equal(why.line, 0);
	assert_int_equal(why.column, 0);
	if (!strstr(why.text, names) || !strstr(why.text, advises))
		fail_msg("%s: \"%s\" has not both \"%s\" and \"%s\"", text,
		    why.text, names, advises);
}

static void
test_a_path_is_a_path(void **state)
{
	static const char *const paths[] = { "access.log", "/var/log/a.log",
		"/srv/*/a.log", "./http://x", "a:b", "a:/b", "://x", "--", "",
		"/x/syslog+udp://127.0.0.1:1", "a log://x" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_endpoint(paths[i], ENDPOINT_PATH, paths[i]);
}

static void
test_inputs_are_told_by_their_scheme(void **state)
{
	(void)state;
	assert_endpoint("-", ENDPOINT_STDIN, "-");
	assert_endpoint("syslog+udp://127.0.0.1:5514", ENDPOINT_SYSLOG_UDP,
	    "127.0.0.1:5514");
	assert_endpoint("syslog+udp://[::1]:5514", ENDPOINT_SYSLOG_UDP,
	    "[::1]:5514");
	assert_endpoint("syslog+udp://:5514", ENDPOINT_SYSLOG_UDP, ":5514");
	assert_endpoint("syslog+udp://localhost:0", ENDPOINT_SYSLOG_UDP,
	    "localhost:0");
	assert_endpoint("syslog+unix:///run/x.sock", ENDPOINT_SYSLOG_UNIX,
	    "/run/x.sock");
	assert_endpoint("json+tcp://127.0.0.1:65535", ENDPOINT_JSON_TCP,
	    "127.0.0.1:65535");
}

static void
test_a_wrong_address_is_refused_with_an_example(void **state)
{
	static const char *const addresses[] = { "", ":", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
		"127.0.0.1:123456", "127.0.0.1:-1", "127.0.0.1: 1", "::1:5514",
		"[::1:5514", "[]:5514", "[::1]", "5514", "/run/x.sock",
		"host/x:5514", "127.0.0.1:5514/" };
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		(void)snprintf(text, sizeof(text), "syslog+udp://%s",
		    addresses[i]);
		assert_refused(text, text,
		    "write for example syslog+udp://127");
		(void)snprintf(text, sizeof(text), "json+tcp://%s",
		    addresses[i]);
		assert_refused(text, text, "write for example json+tcp://127");
	}
	assert_refused("syslog+unix://run/x.sock", "absolute",
	    "syslog+unix:///run/");
	assert_refused("syslog+unix://", "absolute", "syslog+unix:///run/");
}

static void
test_an_unknown_scheme_is_refused_with_the_known_ones(void **state)
{
	(void)state;
	assert_refused("http://localhost/", "no input \"http\"",
	    "syslog+udp://HOST:PORT, syslog+unix:///PATH or "
	    "json+tcp://HOST:PORT");
	assert_refused("syslog+tcp://127.0.0.1:1", "\"syslog+tcp\"",
	    "./syslog+tcp://127.0.0.1:1 for a file");
	assert_refused("SYSLOG+UDP://127.0.0.1:1", "\"SYSLOG+UDP\"", "write");
	assert_refused("file:///var/log/a.log", "\"file\"", "write");
}

static void
test_the_path_of_a_socket_has_a_limit(void **state)
{
	char text[sizeof(UNIX_PREFIX) + BOUNDS_SOCKET_PATH_BYTES + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, UNIX_PREFIX "/", strlen(UNIX_PREFIX "/"));
	text[sizeof(text) - 2] = '\0';
	assert_endpoint(text, ENDPOINT_SYSLOG_UNIX, text + strlen(UNIX_PREFIX));
	text[sizeof(text) - 2] = 'x';
	text[sizeof(text) - 1] = '\0';
	assert_refused(text, "at most 107 bytes", "shorter");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_path_is_a_path),
		cmocka_unit_test(test_inputs_are_told_by_their_scheme),
		cmocka_unit_test(
		    test_a_wrong_address_is_refused_with_an_example),
		cmocka_unit_test(
		    test_an_unknown_scheme_is_refused_with_the_known_ones),
		cmocka_unit_test(test_the_path_of_a_socket_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
