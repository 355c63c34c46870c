#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/detect.h"
#include "accesslog/patterns.h"
#include "support.h"

#define TIME "[25/Dec/2019:08:06:42 +0300]"
#define COMMON "192.0.2.1 - - " TIME " \"GET / HTTP/1.1\" 200 5"
#define COMBINED COMMON " \"-\" \"curl/7\""
#define VHOST_COMBINED "www.example.com:443 " COMBINED
#define NGINX_TIMED COMBINED " 0.002 0.000 0.001, 0.001"
#define APACHE_TIMED COMBINED " 2012"
#define ISTIO(status, details, numbers)                                        \
	"[2026-11-20T15:40:00.409Z] \"GET /a HTTP/1.1\" " status " - " details \
	" - \"-\" " numbers " \"-\" \"curl/8\" \"84961386\" \"httpbin:8000\" " \
	"\"127.0.0.1:80\" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 "       \
	"10.44.1.23:37652 - default"
#define JSON_ABOUT                                                             \
	"\"protocol\": \"HTTP/1.1\", \"status\": \"200\", "                    \
	"\"method\": \"GET\", \"host\": \"www.example.com\""

/* Lines of each shipped format, those that others could take for theirs. */
static const struct {
	const char *format;
	const char *line;
} samples[] = {
	{ "common", COMMON },
	{ "common", "::1 - - " TIME " \"OPTIONS * HTTP/1.0\" 304 -" },
	{ "common", "10.0.0.1, 10.0.0.2 - - " TIME " \"-\" 408 0" },
	{ "combined", COMBINED },
	/* An address with colons is no server with a port. */
	{ "combined",
	    "2001:db8::1 - - " TIME " \"GET / HTTP/2.0\" 200 5 \"-\" \"x\"" },
	{ "combined",
	    "192.0.2.1 - john doe " TIME
	    " \"GET /a\\\"b HTTP/1.1\" 404 7 \"\" \"\"" },
	{ "combined",
	    "192.0.2.1 - - " TIME " \"\\x16\\x03\" 400 150 \"-\" \"-\"" },
	{ "vhost_combined", VHOST_COMBINED },
	{ "vhost_combined",
	    "[2001:db8::1]:80 ::1 - - " TIME
	    " \"GET / HTTP/1.1\" 200 5 \"-\" \"x\"" },
	{ "nginx_timed", NGINX_TIMED },
	{ "nginx_timed", COMBINED " 0.000 - -" },
	{ "nginx_timed", COMBINED " 0.3 0.1, 0.1 0.1 : " },
	{ "apache_timed", APACHE_TIMED },
	{ "apache_timed", COMBINED " -" },
	{ "combinedio", COMBINED " 512 845" },
	{ "combinedio", COMBINED " 0 0" },
	{ "nginx_ingress",
	    "192.0.2.10 - - [20/Nov/2026:15:40:00 +0000] \"GET /api HTTP/1.1\" 200 612 \"-\" \"curl/8.5.0\" 78 0.005 [default-shop-80] [] 10.42.0.7:8080 612 0.004 200 7b41c2d84a23b4f3f3dd1e0a3d2f9a55" },
	{ "nginx_ingress",
	    "192.0.2.10 - - [20/Nov/2026:15:40:00 +0000] \"GET /api HTTP/1.1\" 200 612 \"-\" \"curl/8.5.0\" 78 0.005 [default-shop-80] [] 10.42.0.7:8080, 10.42.0.9:8080 0, 612 0.000, 0.120 502, 200 7b41c2d84a23b4f3f3dd1e0a3d2f9a55" },
	{ "nginx_ingress",
	    "192.0.2.10 - - [20/Nov/2026:15:40:00 +0000] \"\" 400 0 \"-\" \"curl/8.5.0\" 0 0.005 [] [] - - - - 7b41c2d84a23b4f3f3dd1e0a3d2f9a55" },
	{ "traefik_clf",
	    "192.0.2.10 - - [20/Nov/2026:15:40:00 +0000] \"GET /api HTTP/1.1\" 200 612 \"-\" \"curl/8.5.0\" 13 \"shop@docker\" \"http://10.0.0.2:80\" 5ms" },
	{ "traefik_clf",
	    "192.0.2.10 - - [20/Nov/2026:15:40:00 +0000] \"GET /api HTTP/1.1\" 200 612 \"-\" \"curl/8.5.0\" 13 \"shop@docker\" \"http://10.0.0.2:80\" 0ms" },
	{ "traefik_clf",
	    "192.0.2.10 - - [20/Nov/2026:15:40:00 +0000] \"GET /api HTTP/1.1\" 499 21 \"-\" \"curl/8.5.0\" 13 \"shop@docker\" \"http://10.0.0.2:80\" 5ms" },
	{ "envoy",
	    "[2026-11-20T15:40:00.310Z] \"POST /api/v1/locations HTTP/2\" 204 - 154 0 226 100 \"10.0.35.28\" \"nsq2http\" \"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2\" \"locations\" \"tcp://10.0.2.1:80\"" },
	{ "envoy",
	    "[2026-11-20T15:40:00.310Z] \"POST /api/v1/locations HTTP/2\" 503 UF,URX 154 91 226 - \"10.0.35.28\" \"nsq2http\" \"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2\" \"locations\" \"tcp://10.0.2.1:80\"" },
	{ "envoy",
	    "[2026-11-20T15:40:00.310Z] \"- - HTTP/1.1\" 400 DPE 154 0 226 - \"-\" \"-\" \"-\" \"-\" \"-\"" },
	{ "istio", ISTIO("418", "via_upstream", "0 135 226 100") },
	{ "istio", ISTIO("404", "route_not_found", "0 0 0 -") },
	{ "istio", ISTIO("0", "downstream_remote_disconnect", "0 0 9 -") },
	{ "lighttpd",
	    "192.0.2.10 www.example.com - [20/Nov/2026:15:40:00 +0000] \"GET / HTTP/1.1\" 200 612 \"-\" \"curl/8.5.0\"" },
	{ "lighttpd",
	    "192.0.2.10 example.com:8080 - [20/Nov/2026:15:40:00 +0000] \"GET / HTTP/1.1\" 200 612 \"-\" \"curl/8.5.0\"" },
	{ "lighttpd",
	    "192.0.2.10 www.example.com - [20/Nov/2026:15:40:00 +0000] \"GET / HTTP/1.1\" 304 0 \"-\" \"curl/8.5.0\"" },
	{ "haproxy_http",
	    "Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} \"GET /index.html HTTP/1.1\"" },
	{ "haproxy_http",
	    "10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} \"GET /index.html HTTP/1.1\"" },
	{ "haproxy_http",
	    "2009-02-06T12:14:14.655+00:00 lb1 haproxy[5]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/<NOSRV> 0/-1/-1/-1/0 503 212 - - SC-- 1/1/1/1/0 0/0 {1wt.eu} {} \"GET /index.html HTTP/1.1\"" },
	{ "nginx_json",
	    "{\"time_local\": \"25/Dec/2019:08:06:42 +0300\", "
	    "\"remote_addr\": \"192.0.2.1\", \"remote_user\": \"\", "
	    "\"request\": \"GET / HTTP/1.1\", \"status\": \"200\", "
	    "\"body_bytes_sent\": \"5\", \"http_referer\": \"\", "
	    "\"http_user_agent\": \"curl/7\"}" },
	{ "apache_json",
	    "{\"time\": \"2019-12-25T08:06:42+0300\", "
	    "\"remoteIP\": \"192.0.2.1\", \"request\": \"/\", " JSON_ABOUT
	    ", \"userAgent\": \"curl/7\", \"referer\": \"-\"}" },
	{ "caddy_json",
	    "{\"level\": \"info\", \"ts\": 1577250402.5, \"request\": "
	    "{\"remote_ip\": \"192.0.2.1\", \"proto\": \"HTTP/1.1\", "
	    "\"method\": \"GET\", \"host\": \"a.example\", \"uri\": \"/\"}, "
	    "\"duration\": 0.0001, \"size\": 5, \"status\": 200}" },
	{ "traefik_json",
	    "{\"ClientHost\": \"192.0.2.1\", \"DownstreamStatus\": 200, "
	    "\"DownstreamContentSize\": 5, \"Duration\": 357313, "
	    "\"RequestMethod\": \"GET\", \"RequestPath\": \"/\", "
	    "\"RequestProtocol\": \"HTTP/1.1\", \"RequestHost\": "
	    "\"a.example\", \"StartUTC\": \"2019-12-25T05:06:42.5Z\"}" },
	{ "envoy_json",
	    "{\":authority\": \"a.example\", \"bytes_sent\": 5, "
	    "\"duration\": 11, \"method\": \"GET\", \"protocol\": "
	    "\"HTTP/2\", \"response_code\": 200, \"route_name\": null, "
	    "\"start_time\": \"2019-12-25T05:06:42.479Z\", "
	    "\"upstream_host\": \"10.0.0.1:80\", \"user-agent\": \"curl/7\", "
	    "\"x-envoy-origin-path\": \"/\"}" },
};

#define N_SAMPLES (sizeof(samples) / sizeof(samples[0]))

struct fixture {
	struct detect *detect;
	size_t n;
	const char *names[64];
};

static size_t
create_formats(struct format *formats[], const char *names[])
{
	struct config_error reason;
	size_t n_rows, i, n = 0;
	const struct patterns_row *rows = patterns_all(&n_rows);

	for (i = 0; i < n_rows; i++) {
		if (rows[i].kind != PATTERNS_FORMAT)
			continue;
		assert_true(n < 64);
		assert_int_equal(
		    format_create(str_from(rows[i].name), &formats[n], &reason),
		    0);
		names[n++] = rows[i].name;
	}
	return n;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct format *formats[64];
	struct config_error reason;
	size_t i;

	if (!f)
		return -1;
	f->n = create_formats(formats, f->names);
	if (detect_create((const struct format *const *)formats, f->n,
		&f->detect, &reason))
		return -1;
	for (i = 0; i < f->n; i++)
		format_destroy(formats[i]);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	detect_destroy(f->detect);
	free(f);
	return 0;
}

/* Of bytes that end at an unmapped page. */
static struct detect_choice
choose(struct fixture *f, struct str window, bool final)
{
	struct str guarded = support_guarded_str(window);
	struct detect_choice choice = detect_choose(f->detect, guarded, final);

	support_guarded_str_free(guarded);
	return choice;
}

static const char *
name_of(const struct fixture *f, struct detect_choice choice)
{
	return choice.format == DETECT_NONE ? "none" : f->names[choice.format];
}

#define assert_choice(f, window, name, is_certain)                             \
	do {                                                                   \
		struct detect_choice c_ = choose((f), STR(window), true);      \
		assert_string_equal(name_of((f), c_), (name));                 \
		assert_int_equal(c_.certain, (is_certain));                    \
	} while (0)

static void
a_line_of_each_shipped_format_is_recognised(void **state)
{
	struct fixture *f = *state;
	size_t i, j;

	for (i = 0; i < N_SAMPLES; i++) {
		struct detect_choice choice = choose(f,
		    str_from(samples[i].line), true);

		assert_string_equal(name_of(f, choice), samples[i].format);
		assert_true(choice.certain);
		assert_int_equal(choice.n_lines, 1);
		assert_int_equal(choice.n_fit, 1);
	}
	/* And none is left out. */
	for (i = 0; i < f->n; i++) {
		for (j = 0; j < N_SAMPLES; j++) {
			if (!strcmp(samples[j].format, f->names[i]))
				break;
		}
		if (j == N_SAMPLES)
			fail_msg("no sample of %s", f->names[i]);
	}
}

static void
many_lines_of_a_format_are_recognised(void **state)
{
	struct fixture *f = *state;
	size_t i, j;

	for (i = 0; i < f->n; i++) {
		struct detect_choice choice;
		size_t n_lines = 0;
		struct buf window;

		buf_init(&window, BOUNDS_DETECT_BYTES);
		for (j = 0; j < N_SAMPLES; j++) {
			if (strcmp(samples[j].format, f->names[i]) != 0)
				continue;
			buf_add_text(&window, samples[j].line);
			buf_add_char(&window, '\n');
			n_lines++;
		}
		choice = choose(f, buf_str(&window), false);
		assert_string_equal(name_of(f, choice), f->names[i]);
		assert_true(choice.certain);
		assert_int_equal(choice.n_lines, n_lines);
		assert_int_equal(choice.n_fit, n_lines);
		buf_release(&window);
	}
}

static void
an_extra_column_is_no_other_format(void **state)
{
	struct fixture *f = *state;

	/* What nginx writes with "$http_x_forwarded_for" at the end. */
	assert_choice(f, COMBINED " \"-\"", "combined", false);
	assert_choice(f, COMBINED " \"10.0.0.1, 10.0.0.2\"", "combined", false);
	assert_choice(f, COMMON " \"one more\"", "common", false);
	assert_choice(f, COMMON " 17 x", "common", false);
	assert_choice(f, VHOST_COMBINED " \"x\"", "vhost_combined", false);
	assert_choice(f, APACHE_TIMED " \"x\"", "apache_timed", false);
}

/* %D and one more column: only digits up to its end are a number. */
static void
what_begins_like_a_number_leaves_a_time_a_time(void **state)
{
	struct fixture *f = *state;

	assert_choice(f, COMBINED " 1234 10.0.0.1", "apache_timed", false);
	assert_choice(f, COMBINED " 1234 10.0.0.1, 10.0.0.2", "apache_timed",
	    false);
	assert_choice(f, COMBINED " 1234 550e8400-e29b-41d4-a716-446655440000",
	    "apache_timed", false);
	assert_choice(f, COMBINED " 1234 2001:db8::1 x", "apache_timed", false);
	assert_choice(f, COMBINED " 1234 -x", "apache_timed", false);
	assert_choice(f, COMBINED " 1234 ", "apache_timed", false);
	assert_choice(f, COMBINED " 1234 7x", "apache_timed", false);
	/* These are. */
	assert_choice(f, COMBINED " 1234 10", "combinedio", true);
	assert_choice(f, COMBINED " 1234 10 10.0.0.1", "combinedio", false);
}

/* %D %{X-Forwarded-For}i: bytes are never "-". */
static void
a_column_without_a_value_is_no_number_of_bytes(void **state)
{
	struct fixture *f = *state;

	assert_choice(f, COMBINED " 1234 -", "apache_timed", false);
	assert_choice(f, COMBINED " 1234 - -", "apache_timed", false);
	assert_choice(f, COMBINED " 1234 -\n" COMBINED " 99 10.0.0.1\n",
	    "apache_timed", false);
	assert_choice(f, COMBINED " - -", "apache_timed", false);
}

static void
combined_with_a_number_is_apache_timed(void **state)
{
	struct fixture *f = *state;

	/* Nothing tells bytes and microseconds, or a client and a server. */
	assert_choice(f, VHOST_COMBINED " 2012", "apache_timed", true);
	assert_choice(f,
	    COMBINED " 12060\n" COMBINED " 12355\n" COMBINED " 9\n",
	    "apache_timed", true);
}

/* nginx' times have a fraction, and one integer of several is no %D. */
static void
integers_are_not_taken_for_times_where_they_may_be_bytes(void **state)
{
	struct fixture *f = *state;

	/* %I %O %D; $request_length $request_time $upstream_response_time */
	assert_choice(f, COMBINED " 512 845 90", "combinedio", false);
	assert_choice(f, COMBINED " 512 845 90 7", "combinedio", false);
	assert_choice(f, COMBINED " 512 0.123", "combined", false);
	assert_choice(f, COMBINED " 512 0.123 0.100", "combined", false);
	assert_choice(f, COMBINED " 0 0 0\n" COMBINED " 0 5 7\n", "combinedio",
	    false);
	/* One among good ones is only that. */
	assert_choice(f, NGINX_TIMED "\n" COMBINED " 1 - -\n" NGINX_TIMED "\n",
	    "nginx_timed", true);
}

/* Without a column, or with one more: bytes are not read out of others. */
static void
columns_that_envoy_has_not_are_no_bytes(void **state)
{
	struct fixture *f = *state;

	assert_choice(f,
	    "[2026-11-20T15:40:00.409Z] \"GET / HTTP/1.1\" 200 - "
	    "via_upstream - \"-\" 0 135 4 4\n",
	    "istio", false);
	assert_choice(f,
	    "[2026-11-20T15:40:00.409Z] \"GET / HTTP/1.1\" 200 - "
	    "via_upstream - 0 135 4 4\n",
	    "none", false);
	/* Until Istio 1.8. */
	assert_choice(f,
	    "[2026-11-20T15:40:00.409Z] \"GET / HTTP/1.1\" 200 - "
	    "\"-\" \"-\" 0 135 4 4\n",
	    "none", false);
}

static void
numbers_that_are_none_are_not_taken_for_times(void **state)
{
	struct fixture *f = *state;

	assert_choice(f, COMBINED " abc - -", "combined", false);
	assert_choice(f, COMBINED " 0.1s", "combined", false);
	assert_choice(f, COMBINED " \"-\" \"a.example\" \"https\"\n",
	    "combined", false);
	/* One bad number among good ones is only that. */
	assert_choice(f,
	    NGINX_TIMED "\n" COMBINED " nan - -\n" NGINX_TIMED "\n",
	    "nginx_timed", true);
}

static void
junk_is_no_format(void **state)
{
	struct fixture *f = *state;
	struct detect_choice choice = choose(f,
	    STR("starting up\n"
		"{\"message\": \"GET / HTTP/1.1\"}\n"
		"\x16\x03\x01 \"\" \xFF\n"
		"200\n"),
	    false);

	assert_string_equal(name_of(f, choice), "none");
	assert_int_equal(choice.n_lines, 4);
	assert_int_equal(choice.n_fit, 0);
	assert_false(choice.certain);
}

static void
json_is_recognised_by_the_fields_it_has(void **state)
{
	struct fixture *f = *state;

	/* With `status` alone: some JSON, most likely nginx's. */
	assert_choice(f, "{\"status\": 200}\n", "nginx_json", false);
	assert_choice(f,
	    "{\"status\": 200, \"size\": 5, \"duration\": 0.1, "
	    "\"ts\": 1577250402.5, \"request\": {\"uri\": \"/\"}}\n",
	    "caddy_json", true);
	assert_choice(f, COMBINED "\n{\"status\": 200}\n" COMBINED "\n",
	    "combined", true);
	/* One repair makes it no less a request, but not a proof. */
	assert_choice(f,
	    "{\"status\": 200, \"size\": 5, \"duration\": 0.1, "
	    "\"ts\": 1577250402.5, \"request\": {\"uri\": \"/\"},}\n",
	    "caddy_json", false);
}

static void
nothing_is_no_format(void **state)
{
	struct fixture *f = *state;
	struct detect_choice choice = detect_choose(f->detect,
	    (struct str){ 0 }, true);

	assert_int_equal(choice.format, DETECT_NONE);
	assert_int_equal(choice.n_lines, 0);
	assert_choice(f, "", "none", false);
	assert_choice(f, "\n\r\n\n", "none", false);
}

static void
an_unfinished_line_counts_only_when_it_is_the_last(void **state)
{
	struct fixture *f = *state;
	struct detect_choice choice = choose(f, STR(COMBINED), false);

	assert_int_equal(choice.format, DETECT_NONE);
	assert_int_equal(choice.n_lines, 0);
	choice = choose(f, STR(COMMON "\n" COMBINED), false);
	assert_string_equal(name_of(f, choice), "common");
	assert_int_equal(choice.n_lines, 1);
	choice = choose(f, STR(COMBINED), true);
	assert_string_equal(name_of(f, choice), "combined");
}

static void
the_format_that_fits_most_lines_wins(void **state)
{
	struct fixture *f = *state;

	assert_choice(f, COMBINED "\n" VHOST_COMBINED "\n" COMBINED "\n",
	    "combined", true);
	assert_choice(f, COMMON "\n" COMMON "\n" COMBINED "\n", "common", true);
	assert_choice(f, "junk\n" NGINX_TIMED "\n" COMMON "\n" NGINX_TIMED "\n",
	    "nginx_timed", true);
}

static void
a_format_that_fits_less_than_half_is_uncertain(void **state)
{
	struct fixture *f = *state;
	struct detect_choice choice;

	assert_choice(f, "a\n" COMBINED "\n", "combined", true);
	choice = choose(f, STR("a\nb\n" COMBINED "\n"), false);
	assert_string_equal(name_of(f, choice), "combined");
	assert_false(choice.certain);
	assert_int_equal(choice.n_lines, 3);
	assert_int_equal(choice.n_fit, 1);
}

static void
torn_lines_are_of_the_format_that_they_began_as(void **state)
{
	struct fixture *f = *state;

	assert_choice(f, COMBINED "\n" COMMON " \"-\" \"cur\n" COMBINED "\n",
	    "combined", true);
	assert_choice(f, COMMON " \"-\" \"cur", "common", false);
}

static void
marks_nuls_and_carriage_returns_do_not_matter(void **state)
{
	struct fixture *f = *state;

	assert_choice(f,
	    "\xEF\xBB\xBF" VHOST_COMBINED "\r\n\0\0\0" VHOST_COMBINED "\r\n",
	    "vhost_combined", true);
}

static void
only_the_first_lines_are_looked_at(void **state)
{
	struct fixture *f = *state;
	struct detect_choice choice;
	struct buf window;
	int i;

	buf_init(&window, BOUNDS_DETECT_BYTES);
	for (i = 0; i < BOUNDS_DETECT_LINES; i++)
		buf_add_text(&window, "\n" COMMON "\n");
	for (i = 0; i < 2 * BOUNDS_DETECT_LINES; i++)
		buf_add_text(&window, COMBINED "\n");
	assert_int_equal(buf_status(&window), 0);
	choice = choose(f, buf_str(&window), true);
	assert_string_equal(name_of(f, choice), "common");
	assert_int_equal(choice.n_lines, BOUNDS_DETECT_LINES);
	assert_int_equal(choice.n_fit, BOUNDS_DETECT_LINES);
	buf_release(&window);
}

static void
add_padded(struct buf *window, size_t n_padding)
{
	buf_add_text(window, COMMON " \"");
	while (n_padding--)
		buf_add_char(window, 'x');
	buf_add_text(window, "\" \"curl/7\"\n");
}

static void
only_the_first_bytes_are_looked_at(void **state)
{
	struct fixture *f = *state;
	struct detect_choice choice;
	struct buf window;

	buf_init(&window, 4 * (size_t)BOUNDS_DETECT_BYTES);
	add_padded(&window, BOUNDS_DETECT_BYTES / 2);
	/* It ends behind the last byte, and so is no line. */
	add_padded(&window, BOUNDS_DETECT_BYTES / 2);
	buf_add_text(&window, COMMON "\n" COMMON "\n" COMMON "\n");
	choice = choose(f, buf_str(&window), true);
	assert_string_equal(name_of(f, choice), "combined");
	assert_int_equal(choice.n_lines, 1);
	buf_release(&window);

	/* One line longer than that: nothing can be known. */
	buf_init(&window, 4 * (size_t)BOUNDS_DETECT_BYTES);
	add_padded(&window, BOUNDS_DETECT_BYTES);
	choice = choose(f, buf_str(&window), true);
	assert_int_equal(choice.format, DETECT_NONE);
	assert_int_equal(choice.n_lines, 0);
	buf_release(&window);
}

static void
each_look_starts_afresh(void **state)
{
	struct fixture *f = *state;
	int i;

	for (i = 0; i < 3; i++) {
		assert_choice(f,
		    NGINX_TIMED "\n" NGINX_TIMED "\n" NGINX_TIMED "\n",
		    "nginx_timed", true);
		assert_choice(f, COMMON "\n", "common", true);
		assert_choice(f, "x\n", "none", false);
	}
}

static void
without_formats_nothing_is_recognised(void **state)
{
	struct config_error reason;
	struct detect_choice choice;
	struct detect *d;

	(void)state;
	assert_int_equal(detect_create(NULL, 0, &d, &reason), 0);
	choice = detect_choose(d, STR(COMBINED "\n"), true);
	assert_int_equal(choice.format, DETECT_NONE);
	assert_int_equal(choice.n_lines, 1);
	detect_destroy(d);
	detect_destroy(NULL);
}

static void
an_expression_that_does_not_compile_is_refused(void **state)
{
	struct config_error reason;
	struct detect *d = NULL;
	struct format *good, *bad;

	(void)state;
	assert_int_equal(format_create(STR("common"), &good, &reason), 0);
	assert_int_equal(
	    format_create(STR("%{STATUS:status}[b-a]"), &bad, &reason), 0);
	reason.text[0] = '\0';
	assert_int_equal(
	    detect_create((const struct format *const[]){ good, bad }, 2, &d,
		&reason),
	    -EINVAL);
	assert_null(d);
	assert_non_null(strstr(reason.text, "does not compile"));
	format_destroy(bad);
	format_destroy(good);
}

static void
creation_survives_every_failed_allocation(void **state)
{
	struct format *formats[64];
	const char *names[64];
	struct config_error reason;
	struct detect *d = NULL;
	size_t i, n_formats = create_formats(formats, names);
	unsigned long n, n_failed = 0;
	int error;

	(void)state;
	for (n = 1;; n++) {
		support_fail_allocation(n);
		error = detect_create((const struct format *const *)formats,
		    n_formats, &d, &reason);
		support_stop_failing();
		if (!error)
			detect_destroy(d); /* a pattern can do without JIT */
		if (!support_did_fail())
			break;
		assert_true(!error || error == -ENOMEM);
		assert_true(!error || !d);
		n_failed += error != 0;
		d = NULL;
	}
	assert_true(n_failed > 2 * n_formats);
	assert_int_equal(error, 0);
	for (i = 0; i < n_formats; i++)
		format_destroy(formats[i]);
}

static void
looking_needs_no_memory(void **state)
{
	struct fixture *f = *state;

	support_fail_allocation(1);
	assert_choice(f, COMBINED "\n", "combined", true);
	support_stop_failing();
	assert_int_equal(support_n_allocations(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_of_each_shipped_format_is_recognised),
		TEST(many_lines_of_a_format_are_recognised),
		TEST(an_extra_column_is_no_other_format),
		TEST(what_begins_like_a_number_leaves_a_time_a_time),
		TEST(a_column_without_a_value_is_no_number_of_bytes),
		TEST(combined_with_a_number_is_apache_timed),
		TEST(integers_are_not_taken_for_times_where_they_may_be_bytes),
		TEST(columns_that_envoy_has_not_are_no_bytes),
		TEST(numbers_that_are_none_are_not_taken_for_times),
		TEST(junk_is_no_format),
		TEST(json_is_recognised_by_the_fields_it_has),
		TEST(nothing_is_no_format),
		TEST(an_unfinished_line_counts_only_when_it_is_the_last),
		TEST(the_format_that_fits_most_lines_wins),
		TEST(a_format_that_fits_less_than_half_is_uncertain),
		TEST(torn_lines_are_of_the_format_that_they_began_as),
		TEST(marks_nuls_and_carriage_returns_do_not_matter),
		TEST(only_the_first_lines_are_looked_at),
		TEST(only_the_first_bytes_are_looked_at),
		TEST(each_look_starts_afresh),
		TEST(without_formats_nothing_is_recognised),
		TEST(an_expression_that_does_not_compile_is_refused),
		cmocka_unit_test(creation_survives_every_failed_allocation),
		TEST(looking_needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
