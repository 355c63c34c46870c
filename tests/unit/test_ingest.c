#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/ingest.h"
#include "rendered.h"
#include "support.h"

/* A line of "combined" in pieces, and what the tests vary of it. */
#define HEAD "192.0.2.1 - - [25/Dec/2019:08:06:42 +0300] "
#define TAIL " \"-\" \"curl/7\""
#define LINE(status, bytes)                                                    \
	HEAD "\"GET / HTTP/1.1\" " status " " bytes TAIL "\n"
#define TIMED(times) HEAD "\"GET / HTTP/1.1\" 200 5" TAIL " " times "\n"

#define REQUESTS(status) "accesslog_requests_total{status=\"" status "\"}"
#define BYTES(status) "accesslog_response_bytes_total{status=\"" status "\"}"
#define LINES(result)                                                          \
	"accesslog_exporter_lines_total{source=\"log\",result=\"" result "\"}"
#define READ "accesslog_exporter_read_bytes_total{source=\"log\"}"
#define SKIPPED(reason)                                                          \
	"accesslog_exporter_skipped_bytes_total{source=\"log\",reason=\"" reason \
	"\"}"
#define ERRORS(field)                                                          \
	"accesslog_exporter_field_errors_total{source=\"log\",field=\"" field  \
	"\"}"
#define LAST_LINE                                                              \
	"accesslog_exporter_last_line_timestamp_seconds{source=\"log\"}"
#define LAG "accesslog_exporter_lag_bytes{source=\"log\"}"
#define DURATION(part) "accesslog_request_duration_seconds_" part
#define UPSTREAM(part) "accesslog_upstream_duration_seconds_" part

struct fixture {
	struct registry *registry;
	struct metrics metrics;
	struct ingest *ingest;
	struct ingest_source *source;
	struct ingest_stream stream;
	/* Of the metric that was asked for last. */
	char value[RENDERED_VALUE_BYTES];
};

/* With one source, "log", and a stream from the start of a file. */
static void
begin_with(struct fixture *f, const char *format, bool with_zeros)
{
	struct config_error reason;

	*f = (struct fixture){ 0 };
	assert_int_equal(registry_create(1, &f->registry), 0);
	assert_int_equal(metrics_init(&f->metrics, f->registry), 0);
	assert_int_equal(
	    ingest_create(&f->metrics, NULL, with_zeros, &f->ingest, &reason),
	    0);
	assert_int_equal(ingest_add_source(f->ingest, STR("log"),
			     str_from(format), &f->source, &reason),
	    0);
	ingest_stream_init(&f->stream, f->source, true);
}

static void
begin(struct fixture *f, const char *format)
{
	begin_with(f, format, false);
}

static void
end(struct fixture *f)
{
	ingest_destroy(f->ingest);
	registry_destroy(f->registry);
}

/* Feeds bytes that end at an unmapped page.  Returns what is left of them. */
static size_t
feed(struct fixture *f, struct str bytes, bool final)
{
	struct str window = support_guarded_str(bytes);
	size_t consumed = SIZE_MAX;

	assert_int_equal(ingest_feed(&f->stream, window, final, &consumed), 0);
	assert_true(consumed <= window.len);
	support_guarded_str_free(window);
	return bytes.len - consumed;
}

#define feed_all(f, text) assert_int_equal(feed((f), STR(text), false), 0)

#define assert_metric(f, series, expected)                                     \
	assert_string_equal(                                                   \
	    rendered_value((f)->registry, (series), (f)->value), (expected))

/* Status */

static void
requests_and_bytes_are_counted_by_status(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "combined");
	feed_all(&f,
	    LINE("200", "5") LINE("404", "7") LINE("200", "11")
		LINE("304", "-"));
	assert_metric(&f, REQUESTS("200"), "2");
	assert_metric(&f, BYTES("200"), "16");
	assert_metric(&f, REQUESTS("404"), "1");
	assert_metric(&f, BYTES("404"), "7");
	assert_metric(&f, REQUESTS("304"), "1");
	assert_metric(&f, BYTES("304"), "0");
	assert_metric(&f, REQUESTS("500"), "absent");
	assert_metric(&f, LINES("parsed"), "4");
	assert_metric(&f, LINES("unparsed"), "0");
	end(&f);
}

static void
common_codes_start_at_zero_when_asked_for(void **state)
{
	struct fixture f;

	(void)state;
	begin_with(&f, "auto", true);
	assert_metric(&f, REQUESTS("200"), "0");
	assert_metric(&f, BYTES("200"), "0");
	assert_metric(&f, REQUESTS("500"), "0");
	assert_metric(&f, BYTES("503"), "0");
	assert_metric(&f, REQUESTS("418"), "absent");
	assert_metric(&f, REQUESTS("-"), "absent");
	feed_all(&f, LINE("500", "5") LINE("418", "1"));
	assert_metric(&f, REQUESTS("500"), "1");
	assert_metric(&f, REQUESTS("418"), "1");
	assert_metric(&f, REQUESTS("200"), "0");
	end(&f);

	begin_with(&f, "auto", false);
	assert_metric(&f, REQUESTS("200"), "absent");
	assert_metric(&f, BYTES("200"), "absent");
	end(&f);
}

static void
each_of_a_thousand_statuses_has_its_series(void **state)
{
	struct fixture f;
	char text[sizeof(LINE("000", "123456"))];
	struct registry_family *requests;
	unsigned i;

	(void)state;
	begin(&f, "combined");
	requests = f.metrics.family[METRICS_REQUESTS];
	for (i = 0; i < 1000; i++) {
		int n = snprintf(text, sizeof(text), LINE("%03u", "%u"), i, i);

		assert_int_equal(feed(&f, str_of(text, (size_t)n), false), 0);
	}
	assert_int_equal(registry_n_series(requests), 1000);
	assert_metric(&f, REQUESTS("000"), "1");
	assert_metric(&f, REQUESTS("009"), "1");
	assert_metric(&f, BYTES("099"), "99");
	assert_metric(&f, BYTES("999"), "999");
	feed_all(&f, LINE("000", "1") LINE("999", "1"));
	assert_int_equal(registry_n_series(requests), 1000);
	assert_metric(&f, REQUESTS("000"), "2");
	assert_metric(&f, BYTES("999"), "1000");
	assert_int_equal(registry_overflow(f.metrics.family[METRICS_REQUESTS]),
	    0);
	end(&f);
}

static void
what_is_no_status_is_a_dash(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "combined");
	feed_all(&f, LINE("-", "1"));
	assert_metric(&f, ERRORS("status"), "absent");
	feed_all(&f, LINE("1000", "2") LINE("20", "4") LINE("2", "8"));
	assert_metric(&f, REQUESTS("-"), "4");
	assert_metric(&f, BYTES("-"), "15");
	assert_metric(&f, ERRORS("status"), "3");
	assert_metric(&f, LINES("parsed"), "4");
	assert_int_equal(registry_n_series(f.metrics.family[METRICS_REQUESTS]),
	    1);
	end(&f);
}

/* A user's own expression may let anything through to the status. */
static void
a_status_of_an_own_format_is_three_digits_or_a_dash(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "%{NOTSPACE:status} %{BYTES:bytes_sent}");
	feed_all(&f, "1.2 1\nabc 2\n-12 4\n0x1 8\n+12 16\n200 32\n");
	assert_metric(&f, REQUESTS("-"), "5");
	assert_metric(&f, BYTES("-"), "31");
	assert_metric(&f, REQUESTS("200"), "1");
	assert_int_equal(registry_n_series(f.metrics.family[METRICS_REQUESTS]),
	    2);
	end(&f);
}

/* Requests and bytes */

static void
whatever_was_requested_is_counted(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "auto");
	feed_all(&f,
	    HEAD "\"-\" 408 0" TAIL "\n" HEAD "\"\" 400 0" TAIL "\n" HEAD
		 "\"GET\" 400 0" TAIL "\n" HEAD "\"GET /\" 200 0" TAIL "\n" HEAD
		 "\"OPTIONS * HTTP/1.0\" 200 0" TAIL "\n" HEAD
		 "\"PRI * HTTP/2.0\" 400 0" TAIL "\n" HEAD
		 "\"CONNECT h:443 HTTP/1.1\" 405 0" TAIL "\n" HEAD
		 "\"GET /a b  c HTTP/1.1\" 200 0" TAIL "\n" HEAD
		 "\"GET http://h/ HTTP/3.0\" 200 0" TAIL "\n" HEAD
		 "\"get / HTTP/1.1\" 200 0" TAIL "\n" HEAD
		 "\"GETX / HTTP/1.1\" 405 0" TAIL "\n" HEAD
		 "\"\\x16\\x03\\x01\\x00u\" 400 0" TAIL "\n" HEAD
		 "\"\x16\x03\x01 \xE0\" 400 0" TAIL "\n" HEAD
		 "\"MGLNDD_192.0.2.1_80\" 400 0" TAIL "\n" HEAD
		 "\"GET /a\\\"b HTTP/1.1\" 200 0" TAIL "\n" HEAD
		 "\"GET /\"raw\" HTTP/1.1\" 200 0" TAIL "\n");
	assert_metric(&f, LINES("parsed"), "16");
	assert_metric(&f, LINES("unparsed"), "0");
	assert_metric(&f, REQUESTS("200"), "7");
	assert_metric(&f, REQUESTS("400"), "6");
	assert_metric(&f, REQUESTS("405"), "2");
	assert_metric(&f, REQUESTS("408"), "1");
	end(&f);
}

static void
bytes_are_exact(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "combined");
	feed_all(&f, LINE("200", "-") LINE("200", "4294967296"));
	assert_metric(&f, BYTES("200"), "4294967296");
	feed_all(&f, LINE("206", "9007199254740992") LINE("206", "1"));
	assert_metric(&f, BYTES("206"), "9007199254740993");
	assert_metric(&f, ERRORS("body_bytes_sent"), "absent");
	end(&f);
}

static void
bytes_that_are_none_cost_a_field_and_no_request(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "combined");
	feed_all(&f,
	    LINE("200", "18446744073709551615") LINE("200", "-5")
		LINE("200", "1e3") LINE("200", "nan") LINE("200", "0x1f")
		    LINE("200", "1_000") LINE("200", "1.5") LINE("200", "+5")
			LINE("200", "7"));
	assert_metric(&f, REQUESTS("200"), "9");
	assert_metric(&f, BYTES("200"), "7");
	assert_metric(&f, ERRORS("body_bytes_sent"), "8");
	assert_metric(&f, LINES("parsed"), "9");
	assert_metric(&f, LINES("unparsed"), "0");
	end(&f);
}

static void
a_full_sum_of_bytes_never_goes_down(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "combined");
	feed_all(&f,
	    LINE("200", "9223372036854775807") LINE("200",
		"9223372036854775807") LINE("200", "9223372036854775807"));
	assert_metric(&f, BYTES("200"), "18446744073709551615");
	feed_all(&f, LINE("200", "5"));
	assert_metric(&f, BYTES("200"), "18446744073709551615");
	assert_metric(&f, REQUESTS("200"), "4");
	end(&f);
}

static void
bytes_of_the_body_go_before_bytes_sent(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "vhost_combined");
	feed_all(&f, "www.example.com:80 " LINE("200", "500"));
	assert_metric(&f, BYTES("200"), "500");
	end(&f);

	begin(&f,
	    "%{STATUS:status} %{BYTES:bytes_sent} %{BYTES:body_bytes_sent}");
	feed_all(&f, "200 700 500\n");
	assert_metric(&f, BYTES("200"), "500");
	end(&f);

	begin(&f, "%{STATUS:status}");
	feed_all(&f, "200\n");
	assert_metric(&f, REQUESTS("200"), "1");
	assert_metric(&f, BYTES("200"), "0");
	end(&f);
}

/* Times */

static void
upstream_times_are_summed(void **state)
{
	static const struct {
		const char *list;
		const char *count;
		const char *sum;
		const char *errors;
	} cases[] = {
		{ "0.001", "1", "0.001", "absent" },
		{ "0.001, 0.002 : 0.003", "1", "0.006", "absent" },
		{ "0.001 : ", "1", "0.001", "absent" },
		{ "0.100, -", "1", "0.1", "absent" },
		{ "-, 0.100", "1", "0.1", "absent" },
		{ "0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1", "1", "1",
		    "absent" },
		/* No attempt has a time: no observation, not one of 0. */
		{ "-", "0", "0", "absent" },
		{ "-, -", "0", "0", "absent" },
		{ "nan", "0", "0", "1" },
		{ "inf", "0", "0", "1" },
		{ "-5", "0", "0", "1" },
		{ "1_000", "0", "0", "1" },
		{ "0x1f", "0", "0", "1" },
		{ "1e3", "0", "0", "1" },
		{ "0.1, nan", "0", "0", "1" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char text[256];
		int n = snprintf(text, sizeof(text), TIMED("0.5 - %s"),
		    cases[i].list);

		begin(&f, "nginx_timed");
		assert_int_equal(feed(&f, str_of(text, (size_t)n), false), 0);
		assert_metric(&f, LINES("parsed"), "1");
		assert_metric(&f, UPSTREAM("count"), cases[i].count);
		assert_metric(&f, UPSTREAM("sum"), cases[i].sum);
		assert_metric(&f, ERRORS("upstream_response_time"),
		    cases[i].errors);
		/* The field before it is not harmed. */
		assert_metric(&f, DURATION("count"), "1");
		assert_metric(&f, DURATION("sum"), "0.5");
		end(&f);
	}
}

static void
request_times_are_in_seconds_whatever_the_unit(void **state)
{
	static const struct {
		const char *format;
		const char *text;
		const char *sum;
	} cases[] = {
		{ "nginx_timed", TIMED("0.250 - 0.1"), "0.25" },
		{ "apache_timed", TIMED("250000"), "0.25" },
		{ "apache_timed", TIMED("1"), "0.000001" },
		{ "%{COMBINED} %{SECONDS:request_time:ms}", TIMED("250"),
		    "0.25" },
		{ "%{COMBINED} %{SECONDS:request_time:us}", TIMED("250"),
		    "0.00025" },
		{ "%{COMBINED} %{SECONDS:request_time}", TIMED("250"), "250" },
		{ "%{COMBINED} %{SECONDS:request_time:s}", TIMED("2.5"),
		    "2.5" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		begin(&f, cases[i].format);
		assert_int_equal(feed(&f, str_from(cases[i].text), false), 0);
		assert_metric(&f, DURATION("sum"), cases[i].sum);
		assert_metric(&f, DURATION("count"), "1");
		end(&f);
	}
}

static void
request_times_that_are_none_cost_a_field_and_no_request(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "nginx_timed");
	feed_all(&f,
	    TIMED("nan - 0.1") TIMED("0,001 - 0.1") TIMED("-5 - 0.1")
		TIMED("- - 0.1") TIMED("0.1 - 0.1"));
	assert_metric(&f, REQUESTS("200"), "5");
	assert_metric(&f, ERRORS("request_time"), "3");
	assert_metric(&f, DURATION("count"), "1");
	assert_metric(&f, DURATION("sum"), "0.1");
	assert_metric(&f, UPSTREAM("count"), "5");
	end(&f);
}

static void
a_torn_or_missing_tail_is_a_field_error_and_a_request(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "nginx_timed");
	feed_all(&f,
	    HEAD "\"GET / HTTP/1.1\" 200 5 \"-\" \"cur\n" LINE("200", "5"));
	assert_metric(&f, REQUESTS("200"), "2");
	assert_metric(&f, BYTES("200"), "10");
	assert_metric(&f, ERRORS("request_time"), "2");
	assert_metric(&f, ERRORS("upstream_response_time"), "2");
	assert_metric(&f, LINES("unparsed"), "0");
	end(&f);
}

static void
buckets_include_their_bound_and_inf_is_the_count(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "nginx_timed");
	feed_all(&f,
	    TIMED("0.005 - -") TIMED("0.006 - -") TIMED("10 - -")
		TIMED("10.001 - -"));
	assert_metric(&f, DURATION("bucket{le=\"0.005\"}"), "1");
	assert_metric(&f, DURATION("bucket{le=\"0.01\"}"), "2");
	assert_metric(&f, DURATION("bucket{le=\"5\"}"), "2");
	assert_metric(&f, DURATION("bucket{le=\"10\"}"), "3");
	assert_metric(&f, DURATION("bucket{le=\"+Inf\"}"), "4");
	assert_metric(&f, DURATION("count"), "4");
	assert_metric(&f, DURATION("sum"), "20.012");
	end(&f);
}

static void
histograms_appear_with_the_first_format_that_has_times(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "auto");
	feed_all(&f, LINE("200", "5"));
	assert_metric(&f, DURATION("count"), "absent");
	assert_metric(&f, UPSTREAM("count"), "absent");
	end(&f);

	begin(&f, "apache_timed");
	assert_metric(&f, DURATION("count"), "absent");
	feed_all(&f, TIMED("-"));
	assert_metric(&f, DURATION("count"), "0");
	assert_metric(&f, UPSTREAM("count"), "absent");
	end(&f);
}

/* Lines and bytes */

static void
every_line_and_byte_is_accounted_for(void **state)
{
	static const char text[] = "\xEF\xBB\xBF" LINE("200",
	    "5") "\n\r\n" LINE("404", "5") "nonsense\n"
					   "\0\0\0\0\0" HEAD
					   "\"GET / HTTP/1.1\" 200 5\r\n\0\0";
	struct fixture f;
	struct str bytes = str_of(text, sizeof(text) - 1);
	char n_read[32];

	(void)state;
	begin(&f, "combined");
	assert_int_equal(feed(&f, bytes, false), 0);
	assert_metric(&f, LINES("parsed"), "3");
	assert_metric(&f, LINES("unparsed"), "1");
	assert_metric(&f, LINES("too_long"), "0");
	assert_metric(&f, SKIPPED("bom"), "3");
	assert_metric(&f, SKIPPED("nul"), "7");
	assert_metric(&f, SKIPPED("too_long"), "0");
	(void)snprintf(n_read, sizeof(n_read), "%zu", bytes.len - 10);
	assert_metric(&f, READ, n_read);
	end(&f);
}

static void
a_line_that_is_too_long_is_counted_once(void **state)
{
	struct fixture f;
	struct buf text;
	size_t i;

	(void)state;
	begin(&f, "combined");
	buf_init(&text, 4 * (size_t)BOUNDS_LINE_BYTES);
	buf_add_text(&text, LINE("200", "5"));
	for (i = 0; i < 2 * (size_t)BOUNDS_LINE_BYTES; i++)
		buf_add_char(&text, 'x');
	assert_int_equal(feed(&f, buf_str(&text), false), 0);
	assert_metric(&f, LINES("too_long"), "0");
	feed_all(&f, "the rest of it\n" LINE("404", "5"));
	assert_metric(&f, LINES("parsed"), "2");
	assert_metric(&f, LINES("too_long"), "1");
	assert_metric(&f, LINES("unparsed"), "0");
	assert_metric(&f, SKIPPED("too_long"), "131087");
	buf_release(&text);
	end(&f);
}

static void
an_unfinished_line_is_left_until_it_is_finished_or_final(void **state)
{
	static const char line[] = LINE("200", "5");
	struct fixture f;
	size_t len = sizeof(line) - 2; /* without its newline */

	(void)state;
	begin(&f, "combined");
	assert_int_equal(feed(&f, str_of(line, len), false), len);
	assert_metric(&f, LINES("parsed"), "0");
	assert_metric(&f, READ, "0");
	assert_int_equal(feed(&f, str_of(line, len + 1), false), 0);
	assert_metric(&f, LINES("parsed"), "1");

	assert_int_equal(feed(&f, str_of(line, len), true), 0);
	assert_metric(&f, LINES("parsed"), "2");
	assert_int_equal(feed(&f, STR(""), true), 0);
	assert_metric(&f, LINES("parsed"), "2");
	end(&f);
}

static void
a_hole_is_counted_without_being_read(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "combined");
	feed_all(&f, LINE("200", "5"));
	ingest_skip_nuls(&f.stream, UINT64_C(10) << 30);
	/* That was no start of a file: this is no byte order mark. */
	ingest_stream_init(&f.stream, f.source, true);
	ingest_skip_nuls(&f.stream, 1);
	feed_all(&f, "\xEF\xBB\xBF" LINE("200", "5"));
	assert_metric(&f, SKIPPED("nul"), "10737418241");
	assert_metric(&f, SKIPPED("bom"), "0");
	assert_metric(&f, LINES("parsed"), "2");
	end(&f);
}

static void
lag_is_what_has_grown_and_is_not_consumed(void **state)
{
	static const char line[] = LINE("200", "5");
	struct fixture f;
	struct str half = str_of(line, 20);

	(void)state;
	begin(&f, "combined");
	feed_all(&f, LINE("200", "5"));
	/* A source that is read once has none. */
	assert_metric(&f, LAG, "absent");
	end(&f);

	begin(&f, "combined");
	ingest_grow(&f.stream, 0);
	assert_metric(&f, LAG, "0");
	ingest_grow(&f.stream, 200000);
	ingest_skip_nuls(&f.stream, 150000);
	assert_metric(&f, LAG, "50000");
	ingest_grow(&f.stream, -50000);
	assert_metric(&f, LAG, "0");
	ingest_grow(&f.stream, sizeof(line) - 1 + 20);
	feed_all(&f, LINE("200", "5"));
	assert_int_equal(feed(&f, half, false), 20);
	assert_metric(&f, LAG, "20");
	end(&f);
}

static void
lag_is_right_after_a_failed_allocation(void **state)
{
	unsigned long n;

	(void)state;
	for (n = 1;; n++) {
		struct fixture f;
		bool failed;

		begin(&f, "combined");
		support_fail_allocation(n);
		ingest_grow(&f.stream, 500);
		support_stop_failing();
		failed = support_did_fail();
		ingest_grow(&f.stream, 100);
		assert_metric(&f, LAG, "600");
		end(&f);
		if (!failed)
			break;
	}
	assert_true(n > 2);
}

/* Time of the last line */

static void
the_last_lines_time_is_shown(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "combined");
	assert_metric(&f, LAST_LINE, "absent");
	feed_all(&f, "nonsense\n");
	assert_metric(&f, LAST_LINE, "absent");
	feed_all(&f,
	    "a - - [25/Dec/2019:08:06:41 +0300] \"-\" 408 0\n"
	    "a - - [25/Dec/2019:08:06:42 +0300] \"-\" 408 0\n");
	assert_metric(&f, LAST_LINE, "1577250402");
	/* The last one, not the latest. */
	feed_all(&f, "a - - [01/Jan/1970:00:00:07 +0000] \"-\" 408 0\n");
	assert_metric(&f, LAST_LINE, "7");
	/* What is no time changes nothing. */
	feed_all(&f, "a - - [31/Feb/2019:08:06:42 +0300] \"-\" 408 0\n");
	assert_metric(&f, LAST_LINE, "7");
	/* What is too long for one does not hide the one before it. */
	feed_all(&f,
	    "a - - [01/Jan/1970:00:00:08 +0000] \"-\" 408 0\n"
	    "a - - [01/Jan/1970:00:00:09 +0000, and some sixty bytes more than "
	    "a time can have] \"-\" 408 0\n");
	assert_metric(&f, LAST_LINE, "8");
	end(&f);
}

static void
without_a_time_there_is_no_last_time(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "common");
	feed_all(&f, "a - - [] \"-\" 408 0\na - - [soon] \"-\" 408 0\n");
	assert_metric(&f, LINES("parsed"), "2");
	assert_metric(&f, LAST_LINE, "absent");
	end(&f);

	begin(&f, "%{STATUS:status}");
	feed_all(&f, "200\n");
	assert_metric(&f, LAST_LINE, "absent");
	end(&f);
}

static void
every_kind_of_time_field_is_read(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "%{COLUMN:time_iso8601} %{STATUS:status}");
	feed_all(&f, "2019-12-25T08:06:42+03:00 200\n");
	assert_metric(&f, LAST_LINE, "1577250402");
	end(&f);

	begin(&f, "%{COLUMN:msec} %{STATUS:status}");
	feed_all(&f, "1577250402.123 200\n");
	assert_metric(&f, LAST_LINE, "1577250402.123");
	end(&f);
}

/* Formats */

#define assert_format(f, name)                                                 \
	assert_string_equal(ingest_format_name(&(f)->stream), (name))

static void
a_format_that_changes_in_mid_file_costs_no_line(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "auto");
	feed_all(&f, "www.example.com:80 " LINE("200", "1"));
	assert_format(&f, "vhost_combined");
	feed_all(&f,
	    "www.example.com:80 " LINE("200", "1") LINE("201", "2")
		TIMED("0.5 - 0.25") "a - - [] \"-\" 408 4\n" LINE("201", "2"));
	assert_metric(&f, LINES("parsed"), "6");
	assert_metric(&f, LINES("unparsed"), "0");
	assert_metric(&f, REQUESTS("200"), "3");
	assert_metric(&f, BYTES("200"), "7");
	assert_metric(&f, BYTES("201"), "4");
	assert_metric(&f, BYTES("408"), "4");
	assert_metric(&f, DURATION("sum"), "0.5");
	assert_metric(&f, UPSTREAM("sum"), "0.25");
	feed_all(&f, LINE("200", "1") LINE("200", "1"));
	assert_format(&f, "combined");
	end(&f);
}

static void
a_format_that_was_given_is_the_only_one(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "vhost_combined");
	assert_format(&f, "vhost_combined");
	feed_all(&f,
	    LINE("200", "5")
		LINE("200", "5") "www.example.com:80 " LINE("404", "5"));
	assert_metric(&f, LINES("parsed"), "1");
	assert_metric(&f, LINES("unparsed"), "2");
	assert_metric(&f, REQUESTS("200"), "absent");
	assert_metric(&f, REQUESTS("404"), "1");
	ingest_recognise(&f.stream, STR(LINE("200", "5")));
	assert_format(&f, "vhost_combined");
	end(&f);
}

static void
it_keeps_looking_while_nothing_fits(void **state)
{
	struct fixture f;
	int i;

	(void)state;
	begin(&f, "auto");
	assert_null(ingest_format_name(&f.stream));
	for (i = 0; i < 100; i++)
		feed_all(&f, "server starting\n");
	assert_null(ingest_format_name(&f.stream));
	assert_metric(&f, LINES("unparsed"), "100");
	feed_all(&f, LINE("200", "5"));
	assert_format(&f, "combined");
	assert_metric(&f, LINES("parsed"), "1");
	end(&f);
}

static void
an_uncertain_format_gives_way_to_a_certain_one(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "auto");
	feed_all(&f, HEAD "\"GET / HTTP/1.1\" 200 5 extra\n");
	assert_format(&f, "common");
	feed_all(&f, TIMED("0.5 - 0.25"));
	assert_format(&f, "nginx_timed");
	assert_metric(&f, DURATION("count"), "1");
	/* And a certain one stays while its core fits. */
	feed_all(&f, LINE("200", "5") LINE("200", "5"));
	assert_format(&f, "nginx_timed");
	end(&f);
}

static void
recognising_counts_nothing(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "auto");
	ingest_recognise(&f.stream, STR("nonsense\n" TIMED("17") "unfinish"));
	assert_format(&f, "apache_timed");
	assert_metric(&f, LINES("parsed"), "0");
	assert_metric(&f, LINES("unparsed"), "0");
	assert_metric(&f, READ, "0");
	assert_metric(&f, DURATION("count"), "absent");
	end(&f);
}

static void
a_format_that_is_none_is_refused(void **state)
{
	static const char *const wrong[] = { "combinde", "", "%{NOBODY:status}",
		"%{STATUS:status", "%{PORT:server_port}",
		"%{STATUS:status}[b-a]" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct fixture f;
		struct ingest_source *source = NULL;
		struct config_error reason = { 0 };

		begin(&f, "auto");
		assert_int_equal(ingest_add_source(f.ingest, STR("other"),
				     str_from(wrong[i]), &source, &reason),
		    -EINVAL);
		assert_null(source);
		assert_true(strlen(reason.text) > 10);
		assert_metric(&f,
		    "accesslog_exporter_read_bytes_total{source=\"other\"}",
		    "absent");
		/* Everything else goes on. */
		assert_int_equal(ingest_add_source(f.ingest, STR("other"),
				     STR("common"), &source, &reason),
		    0);
		feed_all(&f, LINE("200", "5"));
		assert_metric(&f, REQUESTS("200"), "1");
		end(&f);
	}
}

static void
sources_are_counted_apart_and_summed(void **state)
{
	struct fixture f;
	struct config_error reason;
	struct ingest_source *source;

	(void)state;
	begin(&f, "common");
	assert_int_equal(ingest_add_source(f.ingest, STR("two \"x\""),
			     STR("%{STATUS:status}"), &source, &reason),
	    0);
	feed_all(&f, LINE("200", "5"));
	ingest_stream_init(&f.stream, source, true);
	feed_all(&f, "200\nx\n404\n");
	assert_metric(&f, LINES("parsed"), "1");
	assert_metric(&f,
	    "accesslog_exporter_lines_total{source=\"two \\\"x\\\"\","
	    "result=\"parsed\"}",
	    "2");
	assert_metric(&f,
	    "accesslog_exporter_lines_total{source=\"two \\\"x\\\"\","
	    "result=\"unparsed\"}",
	    "1");
	assert_metric(&f, REQUESTS("200"), "2");
	end(&f);
}

/* However it comes in, and whatever fails */

/* Something of everything that has a count. */
static const char mixture[] = "\xEF\xBB\xBF" TIMED(
    "0.005 - 0.1, 0.2 : 0.3") "\r\n" TIMED("nan - -") "\0\0" LINE("-",
    "x") "nonsense\n" HEAD "\"\" 1000 -\r\n" HEAD
	 "\"GET / HTTP/1.1\" 404 7 \"-\" \"unfini";

static struct buf
render_mixture(size_t first, size_t step)
{
	struct str bytes = str_of(mixture, sizeof(mixture) - 1);
	struct fixture f;
	size_t offset = 0;
	size_t known = first;
	struct buf out;

	begin(&f, "nginx_timed");
	while (known < bytes.len) {
		struct str window = str_of(bytes.data + offset, known - offset);

		offset = known - feed(&f, window, false);
		known += step;
	}
	assert_int_equal(feed(&f, str_after(bytes, offset), true), 0);
	out = rendered_page(f.registry);
	end(&f);
	return out;
}

static void
a_split_at_any_byte_changes_nothing(void **state)
{
	struct buf whole = render_mixture(sizeof(mixture), 1);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mixture); i++) {
		struct buf split = render_mixture(i, sizeof(mixture));

		assert_str(buf_str(&split), buf_str(&whole));
		buf_release(&split);
	}
	/* And at every byte. */
	for (i = 1; i < 8; i++) {
		struct buf split = render_mixture(1, i);

		assert_str(buf_str(&split), buf_str(&whole));
		buf_release(&split);
	}
	buf_release(&whole);
}

/* Feeds the mixture while the nth allocation fails, and on from there. */
static struct buf
render_with_failure(unsigned long n, const char *format, bool *ret_failed,
    bool *ret_refused)
{
	struct str rest = str_of(mixture, sizeof(mixture) - 1);
	struct fixture f;
	struct buf out;
	size_t consumed = 0;
	int error;

	begin(&f, format);
	support_fail_allocation(n);
	error = ingest_feed(&f.stream, rest, true, &consumed);
	support_stop_failing();
	*ret_failed = support_did_fail();
	*ret_refused = error != 0;
	assert_int_equal(error, *ret_failed ? -ENOMEM : 0);
	assert_true(consumed <= rest.len);
	rest = str_after(rest, consumed);
	assert_int_equal(feed(&f, rest, true), 0);
	out = rendered_page(f.registry);
	end(&f);
	return out;
}

static void
a_failed_allocation_loses_nothing_and_counts_nothing_twice(void **state)
{
	static const char *const formats[] = { "nginx_timed", "auto" };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		bool failed = true, refused;
		struct buf whole = render_with_failure(ULONG_MAX, formats[i],
		    &failed, &refused);
		unsigned long n;

		assert_false(failed);
		for (n = 1;; n++) {
			struct buf out = render_with_failure(n, formats[i],
			    &failed, &refused);

			assert_str(buf_str(&out), buf_str(&whole));
			buf_release(&out);
			if (!failed)
				break;
			assert_true(refused);
		}
		assert_true(n > 20);
		buf_release(&whole);
	}
}

static void
lines_whose_series_exist_need_no_memory(void **state)
{
	struct fixture f;
	size_t consumed;

	(void)state;
	begin(&f, "nginx_timed");
	assert_int_equal(feed(&f, str_of(mixture, sizeof(mixture) - 1), true),
	    0);
	support_fail_allocation(1);
	assert_int_equal(ingest_feed(&f.stream,
			     str_of(mixture, sizeof(mixture) - 1), true,
			     &consumed),
	    0);
	support_stop_failing();
	assert_int_equal(support_n_allocations(), 0);
	end(&f);
}

static void
creation_survives_every_failed_allocation(void **state)
{
	unsigned long n, n_failed = 0;
	bool failed = true;

	(void)state;
	for (n = 1; failed; n++) {
		struct registry *registry;
		struct metrics metrics;
		struct ingest *ingest = NULL;
		struct config_error reason;
		int error;

		assert_int_equal(registry_create(1, &registry), 0);
		assert_int_equal(metrics_init(&metrics, registry), 0);
		support_fail_allocation(n);
		error = ingest_create(&metrics, NULL, true, &ingest, &reason);
		support_stop_failing();
		failed = support_did_fail();
		/* A pattern can do without JIT. */
		if (error) {
			assert_true(failed);
			assert_int_equal(error, -ENOMEM);
			assert_null(ingest);
			n_failed++;
		}
		ingest_destroy(ingest);
		registry_destroy(registry);
	}
	assert_true(n_failed > 50);
}

static void
adding_a_source_survives_every_failed_allocation(void **state)
{
	struct fixture f;
	unsigned long n, n_failed = 0;
	bool failed = true;

	(void)state;
	begin(&f, "auto");
	for (n = 1; failed; n++) {
		struct ingest_source *source = NULL;
		struct config_error reason;
		char name[16];
		struct str format = STR("%{STATUS:status} %{BYTES:bytes_sent}");
		int error;

		(void)snprintf(name, sizeof(name), "log%lu", n);
		support_fail_allocation(n);
		error = ingest_add_source(f.ingest, str_from(name), format,
		    &source, &reason);
		support_stop_failing();
		failed = support_did_fail();
		if (error) {
			assert_true(failed);
			assert_int_equal(error, -ENOMEM);
			assert_null(source);
			n_failed++;
			continue;
		}
		ingest_stream_init(&f.stream, source, true);
		feed_all(&f, "200 1\n");
	}
	assert_true(n_failed > 10);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_bytes_are_counted_by_status),
		cmocka_unit_test(common_codes_start_at_zero_when_asked_for),
		cmocka_unit_test(each_of_a_thousand_statuses_has_its_series),
		cmocka_unit_test(what_is_no_status_is_a_dash),
		cmocka_unit_test(
		    a_status_of_an_own_format_is_three_digits_or_a_dash),
		cmocka_unit_test(whatever_was_requested_is_counted),
		cmocka_unit_test(bytes_are_exact),
		cmocka_unit_test(
		    bytes_that_are_none_cost_a_field_and_no_request),
		cmocka_unit_test(a_full_sum_of_bytes_never_goes_down),
		cmocka_unit_test(bytes_of_the_body_go_before_bytes_sent),
		cmocka_unit_test(upstream_times_are_summed),
		cmocka_unit_test(
		    request_times_are_in_seconds_whatever_the_unit),
		cmocka_unit_test(
		    request_times_that_are_none_cost_a_field_and_no_request),
		cmocka_unit_test(
		    a_torn_or_missing_tail_is_a_field_error_and_a_request),
		cmocka_unit_test(
		    buckets_include_their_bound_and_inf_is_the_count),
		cmocka_unit_test(
		    histograms_appear_with_the_first_format_that_has_times),
		cmocka_unit_test(every_line_and_byte_is_accounted_for),
		cmocka_unit_test(a_line_that_is_too_long_is_counted_once),
		cmocka_unit_test(
		    an_unfinished_line_is_left_until_it_is_finished_or_final),
		cmocka_unit_test(a_hole_is_counted_without_being_read),
		cmocka_unit_test(lag_is_what_has_grown_and_is_not_consumed),
		cmocka_unit_test(lag_is_right_after_a_failed_allocation),
		cmocka_unit_test(the_last_lines_time_is_shown),
		cmocka_unit_test(without_a_time_there_is_no_last_time),
		cmocka_unit_test(every_kind_of_time_field_is_read),
		cmocka_unit_test(
		    a_format_that_changes_in_mid_file_costs_no_line),
		cmocka_unit_test(a_format_that_was_given_is_the_only_one),
		cmocka_unit_test(it_keeps_looking_while_nothing_fits),
		cmocka_unit_test(
		    an_uncertain_format_gives_way_to_a_certain_one),
		cmocka_unit_test(recognising_counts_nothing),
		cmocka_unit_test(a_format_that_is_none_is_refused),
		cmocka_unit_test(sources_are_counted_apart_and_summed),
		cmocka_unit_test(a_split_at_any_byte_changes_nothing),
		cmocka_unit_test(
		    a_failed_allocation_loses_nothing_and_counts_nothing_twice),
		cmocka_unit_test(lines_whose_series_exist_need_no_memory),
		cmocka_unit_test(creation_survives_every_failed_allocation),
		cmocka_unit_test(
		    adding_a_source_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
