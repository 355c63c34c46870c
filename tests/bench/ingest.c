/*
 * ingest: lines of a log through the core, from memory, on one thread; no
 * file is read and nothing is shown.  One result a line:
 *
 *	name  lines  series  M lines/s
 *
 * usage: ingest NGINX_TIMED_LOG [ROUNDS]
 *
 * The best of the rounds is given: what else the machine does only slows it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "accesslog/exposition.h"
#include "accesslog/ingest.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* The text of a configuration is char *, and nobody writes to it. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static struct decimal bounds[] = { { 0, 5000000 }, { 0, 10000000 },
	{ 0, 25000000 }, { 0, 50000000 }, { 0, 100000000 }, { 0, 250000000 },
	{ 0, 500000000 }, { 1, 0 }, { 2, 500000000 }, { 5, 0 }, { 10, 0 } };

static struct config_rule rules[] = {
	{ .regex = TEXT("^/assets/"), .replacement = TEXT("/assets") },
	{ .regex = TEXT("^/images/"), .replacement = TEXT("/images") },
	{ .regex = TEXT("^/blog/\\d+/\\d+/(.*)"),
	    .replacement = TEXT("/blog/:year/:month/:name") },
	{ .regex = TEXT("^/(products|tags|users)/"),
	    .replacement = TEXT("/$1/:name") },
};

static struct config_label by_method_and_path[] = {
	{ .name = TEXT("method"),
	    .from = TEXT("request_method"),
	    .normalizer = CONFIG_METHOD },
	{ .name = TEXT("route"),
	    .from = TEXT("request_uri"),
	    .normalizer = CONFIG_PATH,
	    .budget = 1000 },
};

static struct config_label by_method_and_rules[] = {
	{ .name = TEXT("method"),
	    .from = TEXT("request_method"),
	    .normalizer = CONFIG_METHOD },
	{ .name = TEXT("route"),
	    .from = TEXT("request_uri"),
	    .normalizer = CONFIG_PATH,
	    .n_rules = N_ELEMENTS(rules),
	    .rules = rules,
	    .budget = 1000 },
};

#define METRICS_BY(labels_)                                                    \
	{                                                                      \
		{ .name = TEXT("requests_by_route_total"),                     \
			.type = REGISTRY_COUNTER,                              \
			.n_labels = 2,                                         \
			.labels = (labels_) },                                 \
		    { .name = TEXT("duration_by_route_seconds"),               \
			    .type = REGISTRY_HISTOGRAM,                        \
			    .value = TEXT("request_time"),                     \
			    .n_bounds = N_ELEMENTS(bounds),                    \
			    .bounds = bounds,                                  \
			    .n_labels = 2,                                     \
			    .labels = (labels_) },                             \
		{                                                              \
			.name = TEXT("upstream_by_route_seconds"),             \
			.type = REGISTRY_HISTOGRAM,                            \
			.value = TEXT("upstream_response_time"),               \
			.n_bounds = N_ELEMENTS(bounds), .bounds = bounds,      \
			.n_labels = 2, .labels = (labels_)                     \
		}                                                              \
	}

static struct config_metric path_metrics[] = METRICS_BY(by_method_and_path);
static struct config_metric rule_metrics[] = METRICS_BY(by_method_and_rules);

static const struct config nothing = { .name_space = TEXT("accesslog") };
static const struct config with_path = { .name_space = TEXT("accesslog"),
	.n_metrics = N_ELEMENTS(path_metrics),
	.metrics = path_metrics };
static const struct config with_rules = { .name_space = TEXT("accesslog"),
	.n_metrics = N_ELEMENTS(rule_metrics),
	.metrics = rule_metrics };
static const struct config with_all = { .name_space = TEXT("accesslog"),
	.default_metrics = true,
	.n_metrics = N_ELEMENTS(rule_metrics),
	.metrics = rule_metrics };

static const struct {
	const char *name;
	const struct config *config; /* NULL: the default metrics */
} cases[] = {
	{ "parse_only", &nothing },
	{ "default", NULL },
	{ "method_route_2_histograms", &with_path },
	{ "the_same_with_4_rules", &with_rules },
	{ "and_the_default_metrics", &with_all },
};

static char *
read_all(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "r");
	char *bytes;
	long len;

	if (!file || fseek(file, 0, SEEK_END) || (len = ftell(file)) < 0) {
		perror(path);
		exit(1);
	}
	rewind(file);
	bytes = malloc((size_t)len + 1);
	assert(bytes);
	if (fread(bytes, 1, (size_t)len, file) != (size_t)len) {
		perror(path);
		exit(1);
	}
	(void)fclose(file);
	*ret_len = (size_t)len;
	return bytes;
}

/* CPU time, as the machine may have other things to do. */
static double
seconds(void)
{
	struct timespec now;

	assert(!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Feeds the log in reads as the program does.  Returns the CPU time. */
static double
count(const struct config *config, struct str log, uint32_t *ret_n_series)
{
	struct registry *registry;
	struct metrics metrics;
	struct ingest *ingest;
	struct ingest_source *source;
	struct ingest_stream stream;
	struct config_error why;
	size_t at = 0;
	size_t i;
	double start, end;

	assert(!registry_create(1, &registry));
	assert(!metrics_init(&metrics, registry));
	assert(!ingest_create(&metrics, config, false, &ingest, &why));
	assert(!ingest_add_source(ingest, STR("log"), STR("nginx_timed"),
	    &source, &why));
	ingest_stream_init(&stream, source, true);
	start = seconds();
	while (at < log.len) {
		size_t left = log.len - at;
		size_t n = left < BOUNDS_READ_BYTES ? left : BOUNDS_READ_BYTES;
		size_t consumed;

		assert(!ingest_feed(&stream, str_of(log.data + at, n),
		    n == left, &consumed));
		at += consumed;
	}
	end = seconds();
	*ret_n_series = 0;
	for (i = 0; i < metrics.n_access; i++)
		*ret_n_series += registry_n_series(metrics.access[i]);
	ingest_destroy(ingest);
	registry_destroy(registry);
	return end - start;
}

int
main(int argc, char **argv)
{
	int n_rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
	size_t n_lines = 0;
	struct str log;
	char *bytes;
	size_t len, i;
	int round;

	if (argc < 2 || n_rounds < 1) {
		(void)fprintf(stderr,
		    "usage: ingest NGINX_TIMED_LOG [ROUNDS]\n");
		return 2;
	}
	bytes = read_all(argv[1], &len);
	log = str_of(bytes, len);
	for (i = 0; i < len; i++)
		n_lines += bytes[i] == '\n';

	for (i = 0; i < N_ELEMENTS(cases); i++) {
		double best = 0;
		uint32_t n_series = 0;

		for (round = 0; round < n_rounds; round++) {
			double taken = count(cases[i].config, log, &n_series);

			if (!round || taken < best)
				best = taken;
		}
		(void)printf("%-26s %8zu lines %6u series %6.2f M lines/s\n",
		    cases[i].name, n_lines, n_series,
		    best > 0 ? (double)n_lines / best / 1e6 : 0.0);
	}
	free(bytes);
	return 0;
}
