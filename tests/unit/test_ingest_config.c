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
#include "accesslog/registry_snapshot.h"
#include "rendered.h"
#include "support.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* The text of a configuration is char *, and nobody writes to it. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

/* A line of nginx_timed: request, status, bytes, and the times. */
#define LINE(request, status, bytes, times)                                    \
	"192.0.2.1 - - [25/Dec/2019:08:06:42 +0300] \"" request "\" " status   \
	" " bytes " \"-\" \"curl/7\" " times "\n"
#define GET(path) LINE("GET " path " HTTP/1.1", "200", "10", "0.1 - 0.2")

#define LINES(source, result)                                                  \
	"accesslog_exporter_lines_total{source=\"" source                      \
	"\",result=\"" result "\"}"
#define LABEL_OVERFLOW(metric, label)                                          \
	"accesslog_exporter_label_overflow_total{metric=\"" metric             \
	"\",label=\"" label "\"}"

struct fixture {
	struct registry *registry;
	struct metrics metrics;
	struct ingest *ingest;
	struct ingest_stream stream; /* of the first source */
	struct config_error reason;
	/* Of the metric that was asked for last. */
	char value[RENDERED_VALUE_BYTES];
};

static int
try_begin(struct fixture *f, const struct config *config, bool with_zeros)
{
	int error;

	*f = (struct fixture){ 0 };
	assert_int_equal(registry_create(1, &f->registry), 0);
	assert_int_equal(metrics_init(&f->metrics, f->registry), 0);
	error = ingest_create(&f->metrics, config, with_zeros, &f->ingest,
	    &f->reason);
	if (!error && ingest_n_sources(f->ingest))
		ingest_stream_init(&f->stream, ingest_source_at(f->ingest, 0),
		    true);
	return error;
}

static void
begin(struct fixture *f, const struct config *config)
{
	int error = try_begin(f, config, false);

	if (error)
		fail_msg("%d: %zu:%zu: %s", error, f->reason.line,
		    f->reason.column, f->reason.text);
}

static void
end(struct fixture *f)
{
	ingest_destroy(f->ingest);
	registry_destroy(f->registry);
}

static void
feed_stream(struct ingest_stream *st, struct str bytes)
{
	struct str window = support_guarded_str(bytes);
	size_t consumed = SIZE_MAX;

	assert_int_equal(ingest_feed(st, window, true, &consumed), 0);
	assert_int_equal(consumed, window.len);
	support_guarded_str_free(window);
}

#define feed(f, text) feed_stream(&(f)->stream, STR(text))

/* Into a stream of its own, from the start of a file of source i. */
static void
feed_source(struct fixture *f, size_t i, struct str bytes)
{
	struct ingest_stream st;

	ingest_stream_init(&st, ingest_source_at(f->ingest, i), true);
	feed_stream(&st, bytes);
}

#define assert_metric(f, series, expected)                                     \
	assert_string_equal(                                                   \
	    rendered_value((f)->registry, (series), (f)->value), (expected))

/* What the configurations below are made from */

static char *timed[] = { TEXT("nginx_timed") };
static char *automatic[] = { TEXT("auto") };

static const struct config_source one_source = { .name = TEXT("log"),
	.n_formats = 1,
	.formats = timed };

/* A configuration with the source "log" and these metrics. */
static struct config
config_of(struct config_metric metrics[], size_t n_metrics)
{
	return (struct config){ .name_space = TEXT("accesslog"),
		.n_sources = 1,
		.sources = (struct config_source *)(uintptr_t)&one_source,
		.n_metrics = n_metrics,
		.metrics = metrics };
}

static struct decimal bounds[] = { { 0, 100000000 }, { 1, 0 } };

static struct config_label method_and_route[] = {
	{ .name = TEXT("method"),
	    .from = TEXT("request_method"),
	    .normalizer = CONFIG_METHOD },
	{ .name = TEXT("route"),
	    .from = TEXT("request_uri"),
	    .normalizer = CONFIG_PATH },
};

/* Metrics */

static void
requests_are_counted_by_labels_from_fields(void **state)
{
	struct config_metric metrics[] = { { .name = TEXT("by_route_total"),
	    .n_labels = 2,
	    .labels = method_and_route } };
	struct config config = config_of(metrics, 1);
	struct fixture f;

	(void)state;
	begin(&f, &config);
	feed(&f,
	    GET("/a/1") GET("/a/2?x") GET("/b") LINE("GETX /b HTTP/1.1", "200",
		"1", "- - -") LINE("\\x16\\x03", "400", "1", "- - -"));
	assert_metric(&f, "by_route_total{method=\"GET\",route=\"/a/:id\"}",
	    "2");
	assert_metric(&f, "by_route_total{method=\"GET\",route=\"/b\"}", "1");
	assert_metric(&f, "by_route_total{method=\"other\",route=\"/b\"}", "1");
	assert_metric(&f, "by_route_total{method=\"other\",route=\"-\"}", "1");
	assert_metric(&f, "accesslog_requests_total{status=\"200\"}", "absent");
	assert_metric(&f, LINES("log", "parsed"), "5");
	assert_metric(&f, LINES("log", "filtered"), "absent");
	end(&f);
}

static void
values_are_added_set_and_observed(void **state)
{
	struct config_metric metrics[] = {
		{ .name = TEXT("bytes_total"),
		    .value = TEXT("body_bytes_sent"),
		    .n_labels = 1,
		    .labels = &method_and_route[1] },
		{ .name = TEXT("last_bytes"),
		    .type = REGISTRY_GAUGE,
		    .value = TEXT("body_bytes_sent") },
		{ .name = TEXT("seconds"),
		    .type = REGISTRY_HISTOGRAM,
		    .value = TEXT("request_time"),
		    .n_bounds = N(bounds),
		    .bounds = bounds,
		    .n_labels = 1,
		    .labels = &method_and_route[1] },
		{ .name = TEXT("codes_sum"), .value = TEXT("status") },
	};
	struct config config = config_of(metrics, N(metrics));
	struct fixture f;

	(void)state;
	begin(&f, &config);
	feed(&f,
	    LINE("GET /a HTTP/1.1", "200", "100", "0.1 - -")
		LINE("GET /a HTTP/1.1", "404", "50", "0.5 - -")
		    LINE("GET /a HTTP/1.1", "200", "7", "2.25 - -"));
	assert_metric(&f, "bytes_total{route=\"/a\"}", "157");
	assert_metric(&f, "last_bytes", "7");
	assert_metric(&f, "seconds_bucket{route=\"/a\",le=\"0.1\"}", "1");
	assert_metric(&f, "seconds_bucket{route=\"/a\",le=\"1\"}", "2");
	assert_metric(&f, "seconds_bucket{route=\"/a\",le=\"+Inf\"}", "3");
	assert_metric(&f, "seconds_sum{route=\"/a\"}", "2.85");
	assert_metric(&f, "seconds_count{route=\"/a\"}", "3");
	assert_metric(&f, "codes_sum", "804");
	end(&f);
}

static void
without_a_value_there_is_no_observation(void **state)
{
	char *formats[] = { TEXT("combined") };
	struct config_source sources[] = { one_source,
		{ .name = TEXT("short"), .n_formats = 1, .formats = formats } };
	struct config_metric metrics[] = {
		{ .name = TEXT("upstream_seconds"),
		    .type = REGISTRY_HISTOGRAM,
		    .value = TEXT("upstream_response_time"),
		    .n_bounds = N(bounds),
		    .bounds = bounds,
		    .n_labels = 1,
		    .labels = &method_and_route[1] },
	};
	struct config config = config_of(metrics, 1);
	struct fixture f;

	(void)state;
	config.n_sources = 2;
	config.sources = sources;
	begin(&f, &config);
	feed(&f,
	    LINE("GET /static HTTP/1.1", "200", "1", "0.1 - -")
		LINE("GET /app HTTP/1.1", "200", "1", "0.1 - 0.1, 0.2"));
	feed_source(&f, 1, STR(GET("/short")));
	assert_metric(&f, "upstream_seconds_sum{route=\"/app\"}", "0.3");
	assert_metric(&f, "upstream_seconds_count{route=\"/static\"}",
	    "absent");
	assert_metric(&f, "upstream_seconds_count{route=\"/short\"}", "absent");
	assert_metric(&f, LINES("short", "parsed"), "1");
	end(&f);
}

static void
any_field_with_a_number_can_be_a_value(void **state)
{
	char *formats[] = { TEXT(
	    "%{STATUS:status} %{NOTSPACE:gzip_ratio} %{NOTSPACE:msec}") };
	struct config_source source = { .name = TEXT("log"),
		.n_formats = 1,
		.formats = formats };
	struct config_metric metrics[] = {
		{ .name = TEXT("ratio_sum"), .value = TEXT("gzip_ratio") },
		{ .name = TEXT("last"),
		    .type = REGISTRY_GAUGE,
		    .value = TEXT("msec") },
	};
	struct config config = config_of(metrics, 2);
	struct fixture f;

	(void)state;
	config.sources = &source;
	begin(&f, &config);
	feed(&f, "200 1.5 1700000000.5\n200 - 1700000001\n200 x 1700000002\n");
	assert_metric(&f, "ratio_sum", "1.5");
	assert_metric(&f, "last", "1700000002");
	assert_metric(&f,
	    "accesslog_exporter_field_errors_total{source=\"log\","
	    "field=\"gzip_ratio\"}",
	    "1");
	assert_metric(&f,
	    "accesslog_exporter_last_line_timestamp_seconds{source=\"log\"}",
	    "1700000002");
	end(&f);
}

/* Statuses need no hash; what has no room among them is `other` each time. */
static void
statuses_beyond_a_maximum_are_summed_line_by_line(void **state)
{
	struct config_label by_status = { .name = TEXT("status"),
		.from = TEXT("status") };
	struct config_metric metrics[] = {
		{ .name = TEXT("few_total"),
		    .n_labels = 1,
		    .labels = &by_status,
		    .max_series = 3 },
		{ .name = TEXT("few_bytes_total"),
		    .value = TEXT("body_bytes_sent"),
		    .n_labels = 1,
		    .labels = &by_status,
		    .max_series = 3 },
		{ .name = TEXT("all_total"),
		    .n_labels = 1,
		    .labels = &by_status },
	};
	struct config_pair sites[] = {
		{ .name = TEXT("site"), .value = TEXT("a") },
		{ .name = TEXT("site"), .value = TEXT("b") },
	};
	struct config_source sources[] = {
		{ .name = TEXT("a"),
		    .n_formats = 1,
		    .formats = timed,
		    .n_labels = 1,
		    .labels = &sites[0] },
		{ .name = TEXT("b"),
		    .n_formats = 1,
		    .formats = timed,
		    .n_labels = 1,
		    .labels = &sites[1] },
	};
	struct config config = config_of(metrics, N(metrics));
	struct fixture f;
	int i;

	(void)state;
	config.n_sources = N(sources);
	config.sources = sources;
	begin(&f, &config);
	for (i = 0; i < 3; i++) {
		feed(&f,
		    LINE("GET / HTTP/1.1", "200", "10", "- - -")
			LINE("GET / HTTP/1.1", "404", "5", "- - -")
			    LINE("GET / HTTP/1.1", "500", "7", "- - -")
				LINE("GET / HTTP/1.1", "500", "1x", "- - -"));
		feed_source(&f, 1,
		    STR(LINE("GET / HTTP/1.1", "200", "1", "- - -")));
	}
	assert_metric(&f, "few_total{status=\"200\",site=\"a\"}", "3");
	assert_metric(&f, "few_total{status=\"404\",site=\"a\"}", "3");
	assert_metric(&f, "few_total{status=\"500\",site=\"a\"}", "absent");
	assert_metric(&f, "few_total{status=\"other\",site=\"other\"}", "9");
	assert_metric(&f, "few_bytes_total{status=\"200\",site=\"a\"}", "30");
	assert_metric(&f, "few_bytes_total{status=\"404\",site=\"a\"}", "15");
	assert_metric(&f, "few_bytes_total{status=\"other\",site=\"other\"}",
	    "24");
	assert_metric(&f, "all_total{status=\"500\",site=\"a\"}", "6");
	assert_metric(&f, "all_total{status=\"200\",site=\"b\"}", "3");
	assert_int_equal(metrics_publish(&f.metrics), 0);
	assert_metric(&f,
	    "accesslog_exporter_series_overflow_total{metric=\"few_total\"}",
	    "9");
	assert_metric(&f,
	    "accesslog_exporter_series_overflow_total{metric="
	    "\"few_bytes_total\"}",
	    "6");
	end(&f);
}

static void
default_metrics_are_in_the_namespace(void **state)
{
	struct config config = config_of(NULL, 0);
	struct fixture f;

	(void)state;
	config.name_space = TEXT("nginx_http");
	config.default_metrics = true;
	assert_int_equal(try_begin(&f, &config, true), 0);
	feed(&f, GET("/"));
	assert_metric(&f, "nginx_http_requests_total{status=\"200\"}", "1");
	assert_metric(&f, "nginx_http_requests_total{status=\"404\"}", "0");
	assert_metric(&f, "nginx_http_response_bytes_total{status=\"200\"}",
	    "10");
	assert_metric(&f, "nginx_http_request_duration_seconds_sum", "0.1");
	assert_metric(&f, "accesslog_requests_total{status=\"200\"}", "absent");
	end(&f);

	config.name_space = TEXT("");
	begin(&f, &config);
	feed(&f, GET("/"));
	assert_metric(&f, "requests_total{status=\"200\"}", "1");
	end(&f);
}

static void
a_status_may_have_another_name_and_starts_at_zero(void **state)
{
	static struct config_label code[] = { { .name = TEXT("status_code"),
	    .from = TEXT("status") } };
	struct config_metric metrics[] = { { .name = TEXT("httpd_requests"),
	    .n_labels = 1,
	    .labels = code } };
	struct config config = config_of(metrics, 1);
	struct fixture f;

	(void)state;
	assert_int_equal(try_begin(&f, &config, true), 0);
	feed(&f, GET("/"));
	assert_metric(&f, "httpd_requests{status_code=\"200\"}", "1");
	assert_metric(&f, "httpd_requests{status_code=\"500\"}", "0");
	end(&f);
}

/* Static labels */

static void
static_labels_of_all_sources_are_on_all_metrics(void **state)
{
	struct config_pair shop[] = { { .name = TEXT("site"),
	    .value = TEXT("shop") } };
	struct config_pair blog[] = { { .name = TEXT("env"),
					  .value = TEXT("a\"b") },
		{ .name = TEXT("site"), .value = TEXT("blog") } };
	struct config_source sources[] = {
		{ .name = TEXT("shop"),
		    .n_formats = 1,
		    .formats = automatic,
		    .n_labels = 1,
		    .labels = shop },
		{ .name = TEXT("blog"),
		    .n_formats = 1,
		    .formats = timed,
		    .n_labels = 2,
		    .labels = blog },
		{ .name = TEXT("rest"), .n_formats = 1, .formats = timed },
		{ .name = TEXT("shop2"),
		    .n_formats = 1,
		    .formats = timed,
		    .n_labels = 1,
		    .labels = shop },
	};
	struct config_metric metrics[] = {
		{ .name = TEXT("by_route"),
		    .n_labels = 1,
		    .labels = &method_and_route[1] },
		{ .name = TEXT("all") },
	};
	struct config config = config_of(metrics, 2);
	struct ingest_source *late;
	struct ingest_stream st;
	struct fixture f;
	size_t i;

	(void)state;
	config.default_metrics = true;
	config.n_sources = N(sources);
	config.sources = sources;
	begin(&f, &config);
	for (i = 0; i < N(sources); i++)
		feed_source(&f, i, STR(GET("/a") GET("/a")));
	assert_int_equal(ingest_add_source(f.ingest, STR("late"), STR("auto"),
			     &late, &f.reason),
	    0);
	ingest_stream_init(&st, late, true);
	feed_stream(&st, STR(GET("/a")));

	assert_metric(&f,
	    "accesslog_requests_total{status=\"200\",site=\"shop\",env=\"\"}",
	    "4");
	assert_metric(&f,
	    "accesslog_requests_total{status=\"200\",site=\"blog\","
	    "env=\"a\\\"b\"}",
	    "2");
	assert_metric(&f,
	    "accesslog_requests_total{status=\"200\",site=\"\",env=\"\"}", "3");
	assert_metric(&f,
	    "accesslog_request_duration_seconds_count{site=\"shop\",env=\"\"}",
	    "4");
	assert_metric(&f, "by_route{route=\"/a\",site=\"shop\",env=\"\"}", "4");
	assert_metric(&f, "all{site=\"\",env=\"\"}", "3");
	assert_metric(&f, "accesslog_requests_total{status=\"200\"}", "absent");
	end(&f);
}

/* Rules that drop */

static void
dropped_lines_are_filtered_and_their_bytes_read(void **state)
{
	static struct config_rule drops[] = {
		{ .field = TEXT("request_uri"), .regex = TEXT("^/health") },
		{ .field = TEXT("http_user_agent"), .regex = TEXT("^Kube") },
		{ .field = TEXT("http_x_absent"), .regex = TEXT("") },
	};
	struct config_source sources[] = { one_source, one_source };
	struct config config = config_of(NULL, 0);
	struct fixture f;

	(void)state;
	sources[0].n_drops = N(drops);
	sources[0].drops = drops;
	sources[1].name = TEXT("other");
	config.default_metrics = true;
	config.n_sources = 2;
	config.sources = sources;
	begin(&f, &config);
	assert_metric(&f, LINES("log", "filtered"), "0");
	feed(&f,
	    GET("/healthz") GET("/") GET(
		"/health?x") "broken\n"
			     "192.0.2.1 - - [25/Dec/2020:08:06:42 +0300] \"GET / H\" 200 1 "
			     "\"-\" \"Kube/1\" 0.1 - -\n");
	feed_source(&f, 1, STR(GET("/healthz")));
	assert_metric(&f, LINES("log", "filtered"), "3");
	assert_metric(&f, LINES("log", "parsed"), "1");
	assert_metric(&f, LINES("log", "unparsed"), "1");
	assert_metric(&f, LINES("other", "parsed"), "1");
	assert_metric(&f, LINES("other", "filtered"), "absent");
	assert_metric(&f, "accesslog_requests_total{status=\"200\"}", "2");
	assert_metric(&f, "accesslog_exporter_lag_bytes{source=\"log\"}",
	    "absent");
	assert_int_equal(f.stream.lines.n_bytes[LINES_BYTES_READ],
	    sizeof(GET("/healthz") GET("/") GET(
		"/health?x") "broken\n"
			     "192.0.2.1 - - [25/Dec/2020:08:06:42 +0300] \"GET / H\" "
			     "200 1 \"-\" \"Kube/1\" 0.1 - -\n") -
		1);
	/* The time of a line that was dropped is not the last one's. */
	assert_metric(&f,
	    "accesslog_exporter_last_line_timestamp_seconds{source=\"log\"}",
	    "1577250402");
	end(&f);
}

/* Lists of formats */

static void
formats_of_a_list_are_tried_in_order_for_each_line(void **state)
{
	char *formats[] = {
		TEXT("A %{STATUS:status} %{BYTES:bytes_sent}"),
		TEXT("(?<x>[A-Z]) %{STATUS:status} %{BYTES:body_bytes_sent}"),
		TEXT("nginx_timed"),
	};
	struct config_source source = { .name = TEXT("log"),
		.n_formats = 3,
		.formats = formats };
	struct config config = config_of(NULL, 0);
	struct fixture f;

	(void)state;
	config.default_metrics = true;
	config.sources = &source;
	begin(&f, &config);
	assert_string_equal(ingest_format_name(&f.stream), formats[0]);
	feed(&f, "B 201 20\n" GET("/") "A 202 30\nnothing\nB 201 2\n");
	assert_metric(&f, "accesslog_requests_total{status=\"200\"}", "1");
	assert_metric(&f, "accesslog_requests_total{status=\"201\"}", "2");
	assert_metric(&f, "accesslog_requests_total{status=\"202\"}", "1");
	assert_metric(&f, "accesslog_response_bytes_total{status=\"201\"}",
	    "22");
	assert_metric(&f, "accesslog_response_bytes_total{status=\"202\"}",
	    "30");
	assert_metric(&f, "accesslog_request_duration_seconds_count", "1");
	assert_metric(&f, LINES("log", "unparsed"), "1");
	end(&f);
}

/* Mistakes */

static void
mistakes_are_refused_with_their_place(void **state)
{
	static char *bad_format[] = { TEXT("combined"), TEXT("%{NOPE:x}") };
	static char *auto_in_list[] = { TEXT("combined"), TEXT("auto") };
	static struct config_place places[] = {
		{ .line = 3, .column = 10, .verbatim = true },
		{ .line = 4, .column = 10, .verbatim = true }
	};
	static struct config_pair pair[] = { { .name = TEXT("route"),
	    .value = TEXT("x") } };
	static struct config_rule bad_rule[] = { { .field = TEXT("uri"),
	    .regex = TEXT("a["),
	    .place = { .line = 9, .column = 5, .verbatim = true } } };
	static struct config_rule bad_replacement[] = { { .regex = TEXT("a"),
	    .replacement = TEXT("$1"),
	    .place = { .line = 8, .column = 6, .verbatim = true } } };
	static struct config_label bad_label[] = { { .name = TEXT("a"),
	    .from = TEXT("uri"),
	    .n_rules = 1,
	    .rules = bad_replacement } };
	static struct config_label placed[] = { { .name = TEXT("route"),
	    .from = TEXT("uri"),
	    .place = { .line = 6, .column = 7, .verbatim = true } } };
	static const struct config_place at = { .line = 5,
		.column = 5,
		.verbatim = true };
	struct config_source sources[] = {
		{ .name = TEXT("a"),
		    .n_formats = 2,
		    .formats = bad_format,
		    .format_places = places },
		{ .name = TEXT("a"),
		    .n_formats = 2,
		    .formats = auto_in_list,
		    .format_places = places },
		{ .name = TEXT("a"),
		    .n_formats = 1,
		    .formats = timed,
		    .n_drops = 1,
		    .drops = bad_rule },
		{ .name = TEXT("a"),
		    .n_formats = 1,
		    .formats = timed,
		    .n_labels = 1,
		    .labels = pair },
		one_source,
	};
	struct config_metric metrics[] = {
		{ .name = TEXT("m"), .place = at },
		{ .name = TEXT("m"), .n_labels = 1, .labels = placed },
		{ .name = TEXT("m"), .type = REGISTRY_HISTOGRAM, .place = at },
		{ .name = TEXT("m"), .type = REGISTRY_GAUGE, .place = at },
		{ .name = TEXT("m"), .value = TEXT("time_local"), .place = at },
		{ .name = TEXT("accesslog_exporter_lines_total"), .place = at },
		{ .name = TEXT("m"), .n_labels = 1, .labels = bad_label },
	};
	const struct {
		size_t source;
		size_t metric;
		size_t line;
		size_t column;
		const char *says;
	} cases[] = {
		{ 0, 0, 4, 0, "NOPE" },
		{ 1, 0, 4, 10, "auto" },
		{ 2, 0, 9, 7, "compile" },
		{ 3, 1, 6, 7, "route" },
		{ 4, 2, 5, 5, "write value:" },
		{ 4, 3, 5, 5, "write value:" },
		{ 4, 4, 5, 5, "write msec" },
		{ 4, 5, 5, 5, "taken" },
		{ 4, 6, 8, 6, "group" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct config config = config_of(&metrics[cases[i].metric], 1);
		struct fixture f;

		config.sources = &sources[cases[i].source];
		assert_int_equal(try_begin(&f, &config, true), -EINVAL);
		assert_null(f.ingest);
		if (!strstr(f.reason.text, cases[i].says))
			fail_msg("%zu: \"%s\" does not say %s", i,
			    f.reason.text, cases[i].says);
		assert_int_equal(f.reason.line, cases[i].line);
		if (cases[i].column)
			assert_int_equal(f.reason.column, cases[i].column);
		end(&f);
	}
}

static void
two_metrics_of_one_name_are_refused(void **state)
{
	struct config_metric metrics[] = { { .name = TEXT("m") },
		{ .name = TEXT("m"),
		    .place = { .line = 4, .column = 2, .verbatim = true } } };
	struct config config = config_of(metrics, 2);
	struct fixture f;

	(void)state;
	assert_int_equal(try_begin(&f, &config, false), -EINVAL);
	assert_int_equal(f.reason.line, 4);
	end(&f);
}

static void
too_many_fields_and_labels_are_refused(void **state)
{
	static char names[BOUNDS_FIELDS + 1][8];
	static struct config_label labels[BOUNDS_FIELDS + 1];
	struct config_metric metrics[BOUNDS_FIELDS + 1];
	struct config config = config_of(metrics, BOUNDS_FIELDS);
	struct fixture f;
	size_t i;

	(void)state;
	for (i = 0; i <= BOUNDS_FIELDS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "x%zu", i);
		labels[i] = (struct config_label){ .name = names[i],
			.from = names[i] };
		metrics[i] = (struct config_metric){ .name = names[i],
			.n_labels = 1,
			.labels = &labels[i] };
	}
	/* The metrics leave no room for the time of the last line. */
	assert_int_equal(try_begin(&f, &config, false), -EINVAL);
	assert_non_null(strstr(f.reason.text, "time_local"));
	end(&f);

	config.n_metrics = BOUNDS_FIELDS + 1;
	assert_int_equal(try_begin(&f, &config, false), -EINVAL);
	assert_non_null(strstr(f.reason.text, "x64"));
	end(&f);

	config.n_metrics = 1;
	metrics[0].n_labels = BOUNDS_LABELS + 1;
	assert_int_equal(try_begin(&f, &config, false), -EINVAL);
	assert_non_null(strstr(f.reason.text, "16"));
	end(&f);
}

/* Reloads */

static void
a_new_configuration_takes_over_and_resets_nothing(void **state)
{
	static struct config_label budgeted[] = { { .name = TEXT("route"),
	    .from = TEXT("request_uri"),
	    .normalizer = CONFIG_PATH,
	    .budget = 2 } };
	struct config_metric before[] = {
		{ .name = TEXT("stays"), .n_labels = 1, .labels = budgeted },
		{ .name = TEXT("changes") },
		{ .name = TEXT("goes") },
	};
	struct config_metric after[] = {
		{ .name = TEXT("changes"),
		    .n_labels = 1,
		    .labels = method_and_route },
		{ .name = TEXT("stays"), .n_labels = 1, .labels = budgeted },
		{ .name = TEXT("comes") },
	};
	struct config first = config_of(before, 3);
	struct config second = config_of(after, 3);
	struct ingest *ingest;
	struct fixture f;

	(void)state;
	begin(&f, &first);
	feed(&f, GET("/a") GET("/b") GET("/c"));

	assert_int_equal(
	    ingest_create(&f.metrics, &second, true, &ingest, &f.reason), 0);
	ingest_stream_move(&f.stream, ingest_source_at(ingest, 0));
	ingest_destroy(f.ingest);
	f.ingest = ingest;
	feed(&f, GET("/a") GET("/d"));
	assert_metric(&f, "stays{route=\"/a\"}", "2");
	assert_metric(&f, "stays{route=\"/b\"}", "1");
	assert_metric(&f, "stays{route=\"other\"}", "2");
	assert_metric(&f, "stays{route=\"/d\"}", "absent");
	assert_metric(&f, LABEL_OVERFLOW("stays", "route"), "2");
	assert_metric(&f, "changes{method=\"GET\"}", "2");
	assert_metric(&f, "changes", "absent");
	assert_metric(&f, "goes", "absent");
	assert_metric(&f, "comes", "2");
	assert_metric(&f, LINES("log", "parsed"), "5");

	/* And back: what was retired goes on. */
	assert_int_equal(
	    ingest_create(&f.metrics, &first, true, &ingest, &f.reason), 0);
	ingest_stream_move(&f.stream, ingest_source_at(ingest, 0));
	ingest_destroy(f.ingest);
	f.ingest = ingest;
	feed(&f, GET("/a"));
	assert_metric(&f, "stays{route=\"/a\"}", "3");
	assert_metric(&f, "goes", "4");
	assert_metric(&f, "changes", "4");
	assert_metric(&f, "changes{method=\"GET\"}", "absent");
	assert_metric(&f, "comes", "absent");
	end(&f);
}

static void
a_new_configuration_that_is_wrong_changes_nothing(void **state)
{
	static char *bad_format[] = { TEXT("%{NOPE:x}") };
	struct config_source bad = { .name = TEXT("log"),
		.n_formats = 1,
		.formats = bad_format };
	struct config_metric before[] = { { .name = TEXT("m") } };
	struct config_metric after[] = { { .name = TEXT("m"),
					     .n_labels = 1,
					     .labels = method_and_route },
		{ .name = TEXT("n") } };
	struct config first = config_of(before, 1);
	struct config second = config_of(after, 2);
	struct ingest *ingest = NULL;
	struct buf whole, now;
	struct fixture f;

	(void)state;
	second.sources = &bad;
	begin(&f, &first);
	feed(&f, GET("/a"));
	whole = rendered_page(f.registry);
	assert_int_equal(
	    ingest_create(&f.metrics, &second, true, &ingest, &f.reason),
	    -EINVAL);
	assert_null(ingest);
	now = rendered_page(f.registry);
	assert_str(buf_str(&now), buf_str(&whole));
	feed(&f, GET("/a"));
	assert_metric(&f, "m", "2");
	buf_release(&now);
	buf_release(&whole);
	end(&f);
}

static void
a_stream_that_moves_keeps_its_format_where_it_can(void **state)
{
	struct config_source sources[] = { one_source, one_source };
	struct config config = config_of(NULL, 0);
	struct fixture f;

	(void)state;
	sources[0].formats = automatic;
	config.n_sources = 2;
	config.sources = sources;
	config.default_metrics = true;
	begin(&f, &config);
	assert_null(ingest_format_name(&f.stream));
	feed(&f, GET("/"));
	assert_string_equal(ingest_format_name(&f.stream), "nginx_timed");
	ingest_stream_move(&f.stream, ingest_source_at(f.ingest, 1));
	assert_string_equal(ingest_format_name(&f.stream), "nginx_timed");
	ingest_stream_move(&f.stream, ingest_source_at(f.ingest, 0));
	assert_string_equal(ingest_format_name(&f.stream), "nginx_timed");
	feed(&f, GET("/"));
	assert_metric(&f, "accesslog_requests_total{status=\"200\"}", "2");
	end(&f);
}

/* Attacks */

/* A line in which everything that an attacker chooses is new. */
static void
add_hostile_line(struct buf *out, uint64_t i)
{
	char method[] = "MAAAA";
	uint64_t rest = i;
	size_t j;

	for (j = 1; j < 5; j++, rest /= 26)
		method[j] = (char)('A' + rest % 26);
	buf_add_format(out,
	    "h%lu.example - - [25/Dec/2019:08:06:42 +0300] \"%s "
	    "/\xFF%lux?q HTTP/1.1\" 200 3 \"-\" \"agent %lu\" 0.001 - 0.002\n",
	    i, method, i, i);
}

static void
distinct_values_leave_memory_bounded_and_sums_exact(void **state)
{
	static const uint64_t n_lines = 60000;
	static struct config_label labels[] = {
		{ .name = TEXT("host"),
		    .from = TEXT("remote_addr"),
		    .normalizer = CONFIG_HOST,
		    .budget = 50 },
		{ .name = TEXT("method"), .from = TEXT("request_method") },
		{ .name = TEXT("route"),
		    .from = TEXT("request_uri"),
		    .normalizer = CONFIG_PATH,
		    .budget = 40 },
		{ .name = TEXT("agent"),
		    .from = TEXT("http_user_agent"),
		    .budget = 30 },
	};
	struct config_metric metrics[] = {
		{ .name = TEXT("all_total"),
		    .n_labels = 4,
		    .labels = labels,
		    .max_series = 1000 },
		{ .name = TEXT("agents_total"),
		    .n_labels = 1,
		    .labels = &labels[3] },
		{ .name = TEXT("methods_seconds"),
		    .type = REGISTRY_HISTOGRAM,
		    .value = TEXT("request_time"),
		    .n_bounds = N(bounds),
		    .bounds = bounds,
		    .n_labels = 1,
		    .labels = &labels[1],
		    .max_series = 500 },
	};
	struct config config = config_of(metrics, N(metrics));
	struct registry_snapshot s;
	struct fixture f;
	struct buf lines;
	size_t n_bytes = 0;
	uint64_t i;
	size_t j;
	uint32_t k;

	(void)state;
	begin(&f, &config);
	buf_init(&lines, 1u << 20);
	for (i = 0; i < n_lines; i++) {
		add_hostile_line(&lines, i);
		if (i % 1000 != 999)
			continue;
		feed_stream(&f.stream, buf_str(&lines));
		buf_clear(&lines);
		if (i == 1999)
			n_bytes = registry_n_bytes(f.registry);
	}
	/* What a thirtieth of them took is what all of them take. */
	assert_int_equal(registry_n_bytes(f.registry), n_bytes);
	assert_in_range(n_bytes, 1000, 1u << 20);

	assert_int_equal(registry_snapshot_take(f.registry, &s), 0);
	for (j = 0; j < s.n_families; j++) {
		const struct registry_snapshot_family *one = &s.families[j];
		const char *name = registry_spec(one->family)->name;
		uint64_t sum = 0;

		for (k = 0; k < one->n_series; k++) {
			const uint64_t *cells = one->cells + k * one->n_cells;

			sum += cells[0];
			if (!strcmp(name, "methods_seconds"))
				sum += cells[1] + cells[2];
		}
		if (!strcmp(name, "all_total") ||
		    !strcmp(name, "agents_total") ||
		    !strcmp(name, "methods_seconds"))
			assert_int_equal(sum, n_lines);
		if (!strcmp(name, "all_total"))
			assert_int_equal(one->n_series, 1000);
		if (!strcmp(name, "agents_total"))
			assert_int_equal(one->n_series, 31);
		if (!strcmp(name, "methods_seconds"))
			assert_int_equal(one->n_series, 500);
	}
	registry_snapshot_release(&s);

	assert_metric(&f, "agents_total{agent=\"other\"}", "59970");
	assert_metric(&f, LABEL_OVERFLOW("agents_total", "agent"), "59970");
	assert_metric(&f, LABEL_OVERFLOW("all_total", "agent"), "59970");
	assert_metric(&f, LABEL_OVERFLOW("all_total", "host"), "59950");
	assert_metric(&f, LABEL_OVERFLOW("all_total", "route"), "59960");
	assert_int_equal(metrics_publish(&f.metrics), 0);
	assert_metric(&f,
	    "accesslog_exporter_series{metric=\"methods_seconds\"}", "500");
	assert_metric(&f,
	    "accesslog_exporter_series_overflow_total{metric="
	    "\"methods_seconds\"}",
	    "59501");
	buf_release(&lines);
	end(&f);
}

/* Memory that is not there */

/*
 * A configuration with everything, in which series and values run out; and
 * lines that need all of it.
 */
static struct config_rule all_rules[] = { { .regex = TEXT("^/(a)/"),
    .replacement = TEXT("$1") } };
static struct config_label all_labels[] = {
	{ .name = TEXT("method"),
	    .from = TEXT("request_method"),
	    .normalizer = CONFIG_METHOD },
	{ .name = TEXT("route"),
	    .from = TEXT("request_uri"),
	    .n_rules = 1,
	    .rules = all_rules,
	    .budget = 3 },
};
static struct config_label all_statuses = { .name = TEXT("status"),
	.from = TEXT("status") };
static struct config_metric all_metrics[] = {
	{ .name = TEXT("few_total"),
	    .n_labels = 2,
	    .labels = all_labels,
	    .max_series = 3 },
	{ .name = TEXT("all_seconds"),
	    .type = REGISTRY_HISTOGRAM,
	    .value = TEXT("request_time"),
	    .n_bounds = N(bounds),
	    .bounds = bounds,
	    .n_labels = 2,
	    .labels = all_labels },
	{ .name = TEXT("last"),
	    .type = REGISTRY_GAUGE,
	    .value = TEXT("body_bytes_sent") },
	{ .name = TEXT("statuses_total"),
	    .n_labels = 1,
	    .labels = &all_statuses,
	    .max_series = 2 },
};
static struct config_pair all_pairs[] = { { .name = TEXT("site"),
    .value = TEXT("shop") } };
static struct config_rule all_drops[] = { { .field = TEXT("http_user_agent"),
    .regex = TEXT("^bot") } };
static char *all_formats[] = { TEXT("nginx_timed"), TEXT("combined") };
static struct config_source all_source = { .name = TEXT("log"),
	.n_formats = 2,
	.formats = all_formats,
	.n_labels = 1,
	.labels = all_pairs,
	.n_drops = 1,
	.drops = all_drops };
static const struct config with_everything = {
	.name_space = TEXT("accesslog"),
	.default_metrics = true,
	.n_sources = 1,
	.sources = &all_source,
	.n_metrics = N(all_metrics),
	.metrics = all_metrics,
};

static const char all_lines[] = GET("/a/1") GET("/b") GET("/c") GET("/d") GET(
    "/e") LINE("POST /a/ HTTP/1.1", "500", "7",
    "1 - -") "torn\n" LINE("HEAD /b HTTP/1.1", "404", "1", "x - -") GET("/f");

static struct buf
render_with_failure(unsigned long nth, bool *ret_failed, bool *ret_refused)
{
	struct str rest = str_from(all_lines);
	struct fixture f;
	struct buf out;
	int error;

	begin(&f, &with_everything);
	*ret_refused = false;
	support_fail_allocation(nth);
	do {
		size_t consumed = SIZE_MAX;

		error = ingest_feed(&f.stream, rest, true, &consumed);
		assert_true(consumed <= rest.len);
		assert_true(!error || error == -ENOMEM);
		*ret_refused |= error == -ENOMEM;
		rest = str_after(rest, consumed);
	} while (error);
	support_stop_failing();
	*ret_failed = support_did_fail();
	assert_int_equal(rest.len, 0);
	assert_int_equal(metrics_publish(&f.metrics), 0);
	out = rendered_page(f.registry);
	end(&f);
	return out;
}

static void
a_failed_allocation_loses_nothing_and_counts_nothing_twice(void **state)
{
	bool failed = true, refused;
	struct buf whole = render_with_failure(ULONG_MAX, &failed, &refused);
	unsigned long n;

	(void)state;
	assert_false(failed);
	assert_non_null(strstr(whole.data, "route=\"other\""));
	assert_non_null(strstr(whole.data,
	    "series_overflow_total{metric=\"few_total\"} 6"));
	for (n = 1;; n++) {
		struct buf out = render_with_failure(n, &failed, &refused);

		assert_str(buf_str(&out), buf_str(&whole));
		buf_release(&out);
		if (!failed)
			break;
		assert_true(refused);
	}
	assert_true(n > 40);
	buf_release(&whole);
}

static void
lines_whose_series_exist_need_no_memory(void **state)
{
	struct fixture f;
	size_t consumed;

	(void)state;
	begin(&f, &with_everything);
	feed_stream(&f.stream, str_from(all_lines));
	support_fail_allocation(1);
	assert_int_equal(
	    ingest_feed(&f.stream, str_from(all_lines), true, &consumed), 0);
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
		struct config first = config_of(NULL, 0);
		struct ingest *ingest = NULL;
		struct fixture f;
		int error;

		first.default_metrics = true;
		begin(&f, &first);
		feed(&f, GET("/"));
		support_fail_allocation(n);
		error = ingest_create(&f.metrics, &with_everything, true,
		    &ingest, &f.reason);
		support_stop_failing();
		failed = support_did_fail();
		/* A pattern can do without JIT. */
		if (error) {
			assert_true(failed);
			assert_int_equal(error, -ENOMEM);
			assert_null(ingest);
			assert_metric(&f,
			    "accesslog_requests_total{status=\"200\"}", "1");
			n_failed++;
		}
		ingest_destroy(ingest);
		end(&f);
	}
	assert_true(n_failed > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_counted_by_labels_from_fields),
		cmocka_unit_test(values_are_added_set_and_observed),
		cmocka_unit_test(without_a_value_there_is_no_observation),
		cmocka_unit_test(any_field_with_a_number_can_be_a_value),
		cmocka_unit_test(
		    statuses_beyond_a_maximum_are_summed_line_by_line),
		cmocka_unit_test(default_metrics_are_in_the_namespace),
		cmocka_unit_test(
		    a_status_may_have_another_name_and_starts_at_zero),
		cmocka_unit_test(
		    static_labels_of_all_sources_are_on_all_metrics),
		cmocka_unit_test(
		    dropped_lines_are_filtered_and_their_bytes_read),
		cmocka_unit_test(
		    formats_of_a_list_are_tried_in_order_for_each_line),
		cmocka_unit_test(mistakes_are_refused_with_their_place),
		cmocka_unit_test(two_metrics_of_one_name_are_refused),
		cmocka_unit_test(too_many_fields_and_labels_are_refused),
		cmocka_unit_test(
		    a_new_configuration_takes_over_and_resets_nothing),
		cmocka_unit_test(
		    a_new_configuration_that_is_wrong_changes_nothing),
		cmocka_unit_test(
		    a_stream_that_moves_keeps_its_format_where_it_can),
		cmocka_unit_test(
		    distinct_values_leave_memory_bounded_and_sums_exact),
		cmocka_unit_test(
		    a_failed_allocation_loses_nothing_and_counts_nothing_twice),
		cmocka_unit_test(lines_whose_series_exist_need_no_memory),
		cmocka_unit_test(creation_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
