#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/config.h"

#include "support.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* The example of config.h, with everything there is. */
static const char full[] =
    "namespace: accesslog            # of the access metrics\n"
    "default_metrics: true\n"
    "limits: { series: 5000, label_bytes: 200, memory_bytes: 2097152 }\n"
    "sources:\n"
    "  - name: shop\n"
    "    paths: [/var/log/nginx/shop*.log, '/srv/a b#c:%20.log']\n"
    "    exclude: ['*.gz']\n"
    "    format: [combined, '%{COMBINED} %{SECONDS:request_time}']\n"
    "    labels: { site: shop, tier: 1 }\n"
    "    drop: [{ field: request_uri, regex: ^/health }]\n"
    "  - paths: /var/log/[a]?.log\n"
    "metrics:\n"
    "  - name: requests_by_route_total\n"
    "    type: counter\n"
    "    help: Requests by method and route.\n"
    "    value: body_bytes_sent\n"
    "    max_series: 1000\n"
    "    labels:\n"
    "      - status\n"
    "      - name: route\n"
    "        from: request_uri\n"
    "        normalize: path\n"
    "        rules: [{ regex: '^/p/\\d+', replacement: /p/:id }]\n"
    "        budget: 200\n"
    "        max_length: 64\n"
    "  - name: time_seconds\n"
    "    type: histogram\n"
    "    value: request_time\n"
    "    buckets: [0.01, 0.1, 1]\n";

static struct config *
parse(struct str text)
{
	struct config_error e = { 0 };
	struct config *c = NULL;
	struct str guarded = support_guarded_str(text);
	int error = config_parse(guarded, &c, &e);

	if (error)
		fail_msg("%zu:%zu: %s", e.line, e.column, e.text);
	support_guarded_str_free(guarded);
	return c;
}

static void
refuse(struct str text, size_t line, size_t column, const char *fragment)
{
	static char untouched;
	struct config_error e = { 0 };
	struct config *c = (void *)&untouched;
	struct str guarded = support_guarded_str(text);
	int error = config_parse(guarded, &c, &e);

	support_guarded_str_free(guarded);
	if (!error)
		config_destroy(c);
	if (error != -EINVAL || e.line != line || e.column != column ||
	    !strstr(e.text, fragment))
		fail_msg("\"%.*s\": %d, %zu:%zu: %s; not %zu:%zu: ...%s...",
		    (int)(text.len < 400 ? text.len : 400), text.data, error,
		    e.line, e.column, e.text, line, column, fragment);
	assert_ptr_equal(c, &untouched);
	assert_true(strlen(e.text) > 10);
}

static void
everything_is_read(void **state)
{
	struct config *c = parse(str_from(full));
	const struct config_source *s = &c->sources[0];
	const struct config_metric *m = &c->metrics[0];
	const struct config_label *l = &m->labels[1];

	(void)state;
	assert_string_equal(c->name_space, "accesslog");
	assert_true(c->default_metrics);
	assert_int_equal(c->max_series, 5000);
	assert_int_equal(c->max_memory_bytes, 2097152);
	assert_int_equal(c->max_label_bytes, 200);

	assert_int_equal(c->n_sources, 2);
	assert_string_equal(s->name, "shop");
	assert_int_equal(s->n_paths, 2);
	assert_string_equal(s->paths[0], "/var/log/nginx/shop*.log");
	assert_string_equal(s->paths[1], "/srv/a b#c:%20.log");
	assert_int_equal(s->n_excludes, 1);
	assert_string_equal(s->excludes[0], "*.gz");
	assert_int_equal(s->n_formats, 2);
	assert_string_equal(s->formats[0], "combined");
	assert_string_equal(s->formats[1],
	    "%{COMBINED} %{SECONDS:request_time}");
	assert_int_equal(s->format_places[0].line, 8);
	assert_int_equal(s->format_places[0].column, 14);
	assert_true(s->format_places[0].verbatim);
	assert_int_equal(s->format_places[1].column, 25);
	assert_true(s->format_places[1].verbatim);
	assert_int_equal(s->n_labels, 2);
	assert_string_equal(s->labels[0].name, "site");
	assert_string_equal(s->labels[0].value, "shop");
	assert_string_equal(s->labels[1].value, "1");
	assert_int_equal(s->n_drops, 1);
	assert_string_equal(s->drops[0].field, "request_uri");
	assert_string_equal(s->drops[0].regex, "^/health");
	assert_null(s->drops[0].replacement);
	assert_int_equal(s->drops[0].place.line, 10);
	assert_int_equal(s->drops[0].place.column, 41);
	assert_int_equal(s->place.line, 5);
	assert_int_equal(s->place.column, 11);

	assert_string_equal(c->sources[1].name, "/var/log/[a]?.log");
	assert_int_equal(c->sources[1].n_formats, 1);
	assert_string_equal(c->sources[1].formats[0], "auto");

	assert_int_equal(c->n_metrics, 2);
	assert_string_equal(m->name, "accesslog_requests_by_route_total");
	assert_int_equal(m->type, REGISTRY_COUNTER);
	assert_string_equal(m->help, "Requests by method and route.");
	assert_string_equal(m->value, "body_bytes_sent");
	assert_int_equal(m->value_place.line, 16);
	assert_int_equal(m->max_series, 1000);
	assert_int_equal(m->n_labels, 2);
	assert_string_equal(m->labels[0].name, "status");
	assert_string_equal(m->labels[0].from, "status");
	assert_int_equal(m->labels[0].normalizer, CONFIG_AS_IT_IS);
	assert_int_equal(m->labels[0].budget, 0);
	assert_int_equal(m->labels[0].max_bytes, 200);
	assert_string_equal(l->name, "route");
	assert_string_equal(l->from, "request_uri");
	assert_int_equal(l->normalizer, CONFIG_PATH);
	assert_int_equal(l->n_rules, 1);
	assert_string_equal(l->rules[0].regex, "^/p/\\d+");
	assert_string_equal(l->rules[0].replacement, "/p/:id");
	assert_null(l->rules[0].field);
	assert_int_equal(l->budget, 200);
	assert_int_equal(l->max_bytes, 64);

	m = &c->metrics[1];
	assert_int_equal(m->type, REGISTRY_HISTOGRAM);
	assert_int_equal(m->n_bounds, 3);
	assert_int_equal(m->bounds[0].nanos, 10000000);
	assert_int_equal(m->bounds[2].whole, 1);
	assert_int_equal(m->max_series, 5000);
	assert_string_equal(m->help,
	    "Values of request_time in the access logs.");
	config_destroy(c);
}

static void
what_is_left_out_has_its_default(void **state)
{
	struct config *c = parse(STR("metrics:\n"
				     "- name: n_total\n"
				     "- {name: b_total, value: bytes_sent}\n"
				     "- {name: g, type: gauge, value: msec}\n"
				     "- {name: h, type: histogram, "
				     "value: request_time}\n"));

	(void)state;
	assert_string_equal(c->name_space, "accesslog");
	assert_true(c->default_metrics);
	assert_int_equal(c->max_series, BOUNDS_SERIES);
	assert_int_equal(c->max_memory_bytes, BOUNDS_REGISTRY_BYTES);
	assert_int_equal(c->max_label_bytes, BOUNDS_LABEL_VALUE_BYTES);
	assert_int_equal(c->n_sources, 0);
	assert_int_equal(c->metrics[0].type, REGISTRY_COUNTER);
	assert_null(c->metrics[0].value);
	assert_string_equal(c->metrics[0].help, "Requests in the access logs.");
	assert_string_equal(c->metrics[1].help,
	    "Sum of bytes_sent in the access logs.");
	assert_string_equal(c->metrics[2].help,
	    "Last value of msec in the access logs.");
	assert_int_equal(c->metrics[3].n_bounds, 11);
	assert_int_equal(c->metrics[3].bounds[10].whole, 10);
	config_destroy(c);
}

static void
one_value_stands_for_a_list_of_it(void **state)
{
	struct config *c = parse(STR(
	    "sources:\n"
	    "- paths: a.log\n"
	    "  exclude: b.log\n"
	    "  format: common\n"
	    "  drop: { field: uri, regex: x }\n"
	    "metrics:\n"
	    "- name: n\n"
	    "  labels: status\n"
	    "- name: m\n"
	    "  labels: [{ name: x, rules: { regex: a, replacement: '' } }]\n"));

	(void)state;
	assert_int_equal(c->sources[0].n_paths, 1);
	assert_string_equal(c->sources[0].paths[0], "a.log");
	assert_int_equal(c->sources[0].path_places[0].line, 2);
	assert_int_equal(c->sources[0].path_places[0].column, 10);
	assert_string_equal(c->sources[0].excludes[0], "b.log");
	assert_string_equal(c->sources[0].formats[0], "common");
	assert_int_equal(c->sources[0].n_drops, 1);
	assert_int_equal(c->metrics[0].n_labels, 1);
	assert_string_equal(c->metrics[0].labels[0].from, "status");
	assert_int_equal(c->metrics[1].labels[0].n_rules, 1);
	assert_string_equal(c->metrics[1].labels[0].rules[0].replacement, "");
	config_destroy(c);
}

static void
the_namespace_goes_before_names_that_do_not_have_it(void **state)
{
	struct config *c = parse(STR("metrics: [{name: web_a}, {name: webb}, "
				     "{name: c}, {name: web}]\n"
				     "namespace: web\n"));

	(void)state;
	assert_string_equal(c->metrics[0].name, "web_a");
	assert_string_equal(c->metrics[1].name, "web_webb");
	assert_string_equal(c->metrics[2].name, "web_c");
	assert_string_equal(c->metrics[3].name, "web_web");
	config_destroy(c);

	c = parse(STR("namespace: ''\nmetrics: [{name: http_requests_total}]"));
	assert_string_equal(c->metrics[0].name, "http_requests_total");
	config_destroy(c);
}

static void
aliases_and_merge_keys_are_what_they_name(void **state)
{
	struct config *c = parse(
	    STR("metrics:\n"
		"- &a\n"
		"  name: a_seconds\n"
		"  type: histogram\n"
		"  value: request_time\n"
		"  buckets: &b [1, 2]\n"
		"  labels: &l [status]\n"
		"- name: b_seconds\n"
		"  <<: *a\n"
		"- { name: c, type: histogram, value: msec, buckets: *b }\n"
		"- { <<: [{ labels: [x] }, *a], name: d }\n"));

	(void)state;
	assert_string_equal(c->metrics[1].name, "accesslog_b_seconds");
	assert_string_equal(c->metrics[1].value, "request_time");
	assert_int_equal(c->metrics[1].n_bounds, 2);
	assert_string_equal(c->metrics[1].labels[0].name, "status");
	assert_int_equal(c->metrics[2].n_bounds, 2);
	assert_string_equal(c->metrics[3].labels[0].name, "x");
	assert_int_equal(c->metrics[3].type, REGISTRY_HISTOGRAM);
	config_destroy(c);
}

static void
text_is_text_whatever_it_looks_like(void **state)
{
	struct config *c = parse(
	    STR("\xEF\xBB\xBFsources:\r\n"
		"- name: yes\r\n"
		"  paths: [01, 1e3, no]\r\n"
		"  format: >-\r\n"
		"    %{COMBINED}\r\n"
		"    x\r\n"
		"  labels: { a: true, b: \"\\u00e9\", c: 'null' }\r\n"));

	(void)state;
	assert_string_equal(c->sources[0].name, "yes");
	assert_string_equal(c->sources[0].paths[0], "01");
	assert_string_equal(c->sources[0].paths[1], "1e3");
	assert_string_equal(c->sources[0].paths[2], "no");
	assert_string_equal(c->sources[0].formats[0], "%{COMBINED} x");
	assert_int_equal(c->sources[0].format_places[0].line, 4);
	assert_int_equal(c->sources[0].format_places[0].column, 11);
	assert_false(c->sources[0].format_places[0].verbatim);
	assert_string_equal(c->sources[0].labels[0].value, "true");
	assert_string_equal(c->sources[0].labels[1].value, "\xC3\xA9");
	assert_string_equal(c->sources[0].labels[2].value, "null");
	config_destroy(c);
}

#define S "sources:\n- paths: a\n"
#define M "metrics:\n- name: n\n"

static const struct {
	const char *text;
	size_t line;
	size_t column;
	const char *fragment;
} mistakes[] = {
	/* The file */
	{ "", 1, 1, "there is nothing in the file; write" },
	{ "# only this\n", 1, 1, "there is nothing in the file; write" },
	{ "~\n", 1, 1, "the file is empty; write keys" },
	{ "[a]\n", 1, 1, "the file is a list; write keys and values" },
	{ "a.log\n", 1, 1, "the file is a single value; write keys" },
	{ S "---\n" S, 3, 1, "a second document; write all of it in one" },
	{ "source: []\n", 1, 1, "no key \"source\"; write sources" },
	{ "Metrics: []\n", 1, 1, "no key \"Metrics\"; write metrics" },
	{ "x: 1\n", 1, 1,
	    "no key \"x\"; write namespace, default_metrics, limits, sources "
	    "or metrics" },
	{ "sources: []\nlimits: {}\nsources: []\n", 3, 1,
	    "\"sources\" is there already" },
	{ "? [a]\n: b\n", 1, 3, "a key is a name" },

	/* YAML */
	{ "sources:\n\t- paths: a\n", 2, 1, "a tab; indent with spaces" },
	{ "sources:\n- paths: a\n\tname: b\n", 3, 1, "a tab" },
	{ "sources:\n- paths: %h\n", 2, 10, "begins with \"%\" needs quotes" },
	{ "sources:\n- exclude: *.gz\n", 2, 13,
	    "a value that begins with \"*\" or \"&\" needs quotes" },
	{ "sources:\n- exclude: *gz\n", 2, 12, "nothing above is marked &gz" },
	{ "sources:\n- paths: a: b\n", 2, 11, "\": \" makes a key" },
	{ "sources:\n- paths: \"\\d\"\n", 2, 11, "single quotes" },
	{ "sources:\n- paths: 'a\n", 3, 1, "a quote without its end" },
	{ "sources: [a\n", 2, 1, "a list without its end" },
	{ "sources: {a: b\n", 2, 1, "a mapping without its end" },
	{ "sources: - a\n", 1, 10, "a list begins on the line after its key" },
	{ "sources: [a,, b]\n", 1, 13, "a value is missing here" },
	{ S "  name\n", 4, 1, "a key without \":\"" },
	{ S "metrics\n", 4, 1, "a key without \":\"" },
	{ S " name: b\n", 3, 2, "neither" },
	{ S "name: \xFF\n", 3, 7, "not UTF-8" },
	{ S "name: \x01\n", 3, 7, "not UTF-8" },
	{ "namespace: \"a\\0b\"\n", 1, 13, "a NUL" },
	{ "namespace: !!str a\n", 1, 12, "tags such as !!str" },
	{ "limits: !x {}\n", 1, 9, "tags such as" },
	{ "sources: &s [*s]\n", 1, 14, "inside of what it names" },
	{ S "  <<: a\n", 3, 7, "<< takes the pairs of a mapping" },
	{ S "  <<: [a]\n", 3, 8, "<< takes the pairs of a mapping" },
	{ S "  \xC3\xA9: \xC3\xA9\n", 3, 3, "no key" },
	{ S "  name: [\xC3\xA9, %]\n", 3, 14, "needs quotes" },
	{ S "  labels: {\xC3\xA9\xC3\xA9: a, b: []}\n", 3, 12, "cannot name" },
	{ S "  labels: {a: '\xC3\xA9\xC3\xA9', b: []}\n", 3, 26, "is a list" },

	/* Namespace, default metrics, limits */
	{ "namespace:\n", 1, 11, "namespace is empty; write a word" },
	{ "namespace: a-b\n", 1, 12, "\"a-b\" cannot begin" },
	{ "namespace: 1a\n", 1, 12, "\"1a\" cannot begin" },
	{ "namespace: [a]\n", 1, 12, "namespace is a list; write a word" },
	{ "default_metrics: yes\n", 1, 18, "\"yes\"; write true or false" },
	{ "default_metrics: {}\n", 1, 18, "is a mapping; write true or false" },
	{ "default_metrics: false\n", 1, 1, "there is no metric" },
	{ "limits: 5\n", 1, 9, "limits is a single value; write a mapping" },
	{ "limits: { serie: 5 }\n", 1, 11, "no key \"serie\"; write series" },
	{ "limits: { memory: 5 }\n", 1, 11,
	    "no key \"memory\"; write memory_bytes" },
	{ "limits: { memory_bytes: 5 }\n", 1, 25, "from 1048576 to" },
	{ "limits: { series: 0 }\n", 1, 19, "from 1 to 100000" },
	{ "limits: { series: 100001 }\n", 1, 19, "from 1 to 100000" },
	{ "limits: { series: -1 }\n", 1, 19, "from 1 to 100000" },
	{ "limits: { series: 1e3 }\n", 1, 19, "\"1e3\"; write a number" },
	{ "limits: { series: 99999999999999999999 }\n", 1, 19, "from 1 to" },
	{ "limits: { label_bytes: 7 }\n", 1, 24, "from 8 to 4096" },
	{ "limits: { label_bytes: 4097 }\n", 1, 24, "from 8 to 4096" },
	{ "limits: { label_bytes: '' }\n", 1, 25, "a number from 8" },

	/* Sources */
	{ "sources:\n", 1, 9, "sources is empty; write a list" },
	{ "sources: { shop: {} }\n", 1, 10, "sources is a mapping; write a" },
	{ "sources: a.log\n", 1, 10, "sources is a single value; write a" },
	{ "sources: [a.log]\n", 1, 11, "sources is a single value" },
	{ "sources:\n- name: a\n", 2, 3, "the source has no paths; write" },
	{ "sources:\n- paths: []\n", 2, 3, "has no paths; write paths" },
	{ "sources:\n- paths: {a: b}\n", 2, 10,
	    "paths is a mapping; write a list of paths" },
	{ "sources:\n- paths:\n", 2, 9, "paths is empty; write a list of" },
	{ "sources:\n- paths: ['']\n", 2, 12, "paths is empty" },
	{ "sources:\n- paths: [a, 'syslog+udp://b']\n", 2, 15,
	    "\"syslog+udp://b\" has no address and port; write for example" },
	{ "sources:\n- paths: ftp://a\n", 2, 10, "there is no input \"ftp\"" },
	{ "sources:\n- paths: [[a]]\n", 2, 11, "paths is a list; write" },
	{ S "  path: b\n", 3, 3, "no key \"path\"; write paths" },
	{ S "  excludes: b\n", 3, 3, "no key \"excludes\"; write exclude" },
	{ S "  paths: b\n", 3, 3, "\"paths\" is there already" },
	{ S "  name: []\n", 3, 9, "name is a list; write the source's name" },
	{ S "  name: ''\n", 3, 10, "name is empty" },
	{ S "- paths: a\n", 3, 3, "another source is named a" },
	{ S "  name: b\n- paths: c\n  name: b\n", 5, 9,
	    "another source is named b" },
	{ S "  exclude: { a: b }\n", 3, 12, "exclude is a mapping; write a" },
	{ S "  format: { a: b }\n", 3, 11, "format is a mapping; write a" },
	{ S "  format: []\n", 3, 11, "format is empty" },
	{ S "  format:\n", 3, 10, "format is empty" },
	{ S "  format: [combined, auto]\n", 3, 22, "auto stands alone" },
	{ S "  labels: [a]\n", 3, 11, "labels is a list; write a mapping" },
	{ S "  labels: { a: }\n", 3, 16, "labels is empty" },
	{ S "  labels: { a: [] }\n", 3, 16, "labels is a list" },
	{ S "  labels: { a-b: c }\n", 3, 13, "\"a-b\" cannot name a label" },
	{ S "  labels: { a:b: c }\n", 3, 13, "\"a:b\" cannot name a label" },
	{ S "  labels: { le: c }\n", 3, 13, "\"le\" is Prometheus' own" },
	{ S "  labels: { __x: c }\n", 3, 13, "\"__x\" is Prometheus' own" },
	{ S "  labels: { a: b, a: c }\n", 3, 19, "\"a\" is there already" },
	{ S "  labels: { status: c }\n", 3, 13,
	    "the default metrics have the label status" },
	{ S "  labels: { a: b }\nmetrics: [{name: n, labels: [b, a]}]\n", 3, 13,
	    "accesslog_n has the label a" },
	{ S "  drop: a\n", 3, 9, "drop is a single value; write a list" },
	{ S "  drop: [{ regex: a }]\n", 3, 10, "the rule has no field" },
	{ S "  drop: [{ field: uri }]\n", 3, 10, "the rule has no regex" },
	{ S "  drop: [{ field: a-b, regex: c }]\n", 3, 19, "is no field" },
	{ S "  drop: [{ field: uri, regex: '' }]\n", 3, 32, "regex is empty" },
	{ S "  drop: [{ field: uri, replacement: b }]\n", 3, 24,
	    "no key \"replacement\"; write field or regex" },

	/* Metrics */
	{ "metrics: {}\n", 1, 10, "metrics is a mapping; write a list" },
	{ "metrics: [a]\n", 1, 11, "metrics is a single value" },
	{ "metrics:\n- type: counter\n", 2, 3, "the metric has no name" },
	{ "metrics:\n- name: a b\n", 2, 9, "\"a b\" cannot name a metric" },
	{ "metrics:\n- name: 1a\n", 2, 9, "\"1a\" cannot name a metric" },
	{ "metrics:\n- name: ''\n", 2, 10, "cannot name a metric" },
	{ "metrics:\n- name:\n", 2, 8, "name is empty; write the metric's" },
	{ M "- name: n\n", 3, 9, "accesslog_n is the name of another metric" },
	{ M "- name: accesslog_n\n", 3, 9, "accesslog_n is the name of" },
	{ "metrics:\n- name: h\n  type: histogram\n  value: request_time\n"
	  "- name: h_count\n",
	    5, 9, "h_count is the name of another metric or of its samples" },
	{ "metrics:\n- name: h_sum\n- name: h\n  type: histogram\n"
	  "  value: request_time\n",
	    3, 9, "h is the name of another metric or of its samples" },
	{ "metrics:\n- name: requests_total\n", 2, 9, "is a default metric" },
	{ "metrics:\n- name: request_duration_seconds_sum\n", 2, 9,
	    "is a default metric" },
	{ "namespace: ''\nmetrics:\n- name: requests_total\n", 3, 9,
	    "is a default metric" },
	{ "metrics:\n- name: exporter_x\n", 2, 9, "are taken" },
	{ "namespace: ''\nmetrics:\n- name: process_x\n", 3, 9, "are taken" },
	{ M "  type: counters\n", 3, 9, "no type \"counters\"; write counter" },
	{ M "  type: x\n", 3, 9, "write counter, gauge or histogram" },
	{ M "  type: summary\n", 3, 9, "summaries are not supported" },
	{ M "  type: gauge\n", 2, 9, "a gauge needs a value" },
	{ M "  type: histogram\n", 2, 9, "a histogram needs a value" },
	{ M "  type: histogram\n  value: bytes_sent\n", 2, 9,
	    "a histogram of bytes needs buckets" },
	{ M "  value: 1\n", 3, 10, "value is \"1\", which is no field" },
	{ M "  value: []\n", 3, 10, "value is a list; write a field" },
	{ M "  help: []\n", 3, 9, "help is a list; write a sentence" },
	{ M "  max_series: 0\n", 3, 15, "from 1 to 100000" },
	{ M "  bucket: [1]\n", 3, 3, "no key \"bucket\"; write buckets" },
	{ M "  buckets: [1]\n", 2, 9, "only histograms have buckets" },
	{ M "  buckets: 1\n", 3, 12, "buckets is a single value; write a" },
	{ M "  buckets: []\n", 3, 12, "buckets is empty" },
	{ M "  buckets: [1, 1]\n", 3, 16, "1 is not above the one before" },
	{ M "  buckets: [1, 0.5]\n", 3, 16, "0.5 is not above the one" },
	{ M "  buckets: [.5]\n", 3, 13, "\".5\" is no number" },
	{ M "  buckets: [1, +Inf]\n", 3, 16, "\"+Inf\" is no number" },
	{ M "  buckets: [1, .nan]\n", 3, 16, "\".nan\" is no number" },
	{ M "  buckets: [-1]\n", 3, 13, "\"-1\" is no number" },
	{ M "  buckets: [[1]]\n", 3, 13, "buckets is a list" },

	/* Labels and their rules */
	{ M "  labels: {a: b}\n", 3, 11, "labels is a mapping; write a list" },
	{ M "  labels:\n", 3, 10, "labels is empty; write a list" },
	{ M "  labels: [a-b]\n", 3, 12, "\"a-b\" cannot name a label" },
	{ M "  labels: [le]\n", 3, 12, "\"le\" is Prometheus' own" },
	{ M "  labels: [quantile]\n", 3, 12, "Prometheus' own" },
	{ M "  labels: [__x]\n", 3, 12, "\"__x\" is Prometheus' own" },
	{ M "  labels: [a, a]\n", 3, 15, "the label a is there already" },
	{ M "  labels: [a, { from: b, name: a }]\n", 3, 32,
	    "the label a is there already" },
	{ M "  labels: [[]]\n", 3, 12, "labels is a list; write a list of" },
	{ M "  labels: [{ from: a }]\n", 3, 12, "the label has no name" },
	{ M "  labels: [{ name: [] }]\n", 3, 20, "name is a list" },
	{ M "  labels: [{ name: a, from: b-c }]\n", 3, 29, "is no field" },
	{ M "  labels: [{ name: a, normalise: path }]\n", 3, 23,
	    "no key \"normalise\"; write normalize" },
	{ M "  labels: [{ name: a, normalize: paths }]\n", 3, 34,
	    "no normalizer \"paths\"; write path" },
	{ M "  labels: [{ name: a, normalize: x }]\n", 3, 34,
	    "write method, status_class, path or host" },
	{ M "  labels: [{ name: a, budget: 0 }]\n", 3, 31, "from 1 to" },
	{ M "  labels: [{ name: a, max_length: 5000 }]\n", 3, 35, "from 8 to" },
	{ M "  labels: [{ name: a, rules: b }]\n", 3, 30,
	    "rules is a single value; write a list" },
	{ M "  labels: [{ name: a, rules: [b] }]\n", 3, 31,
	    "rules is a single value; write a list" },
	{ M "  labels: [{ name: a, rules: [{ regex: b }] }]\n", 3, 31,
	    "the rule has no replacement" },
	{ M "  labels: [{ name: a, rules: [{ replacement: b }] }]\n", 3, 31,
	    "the rule has no regex" },
	{ M "  labels: [{ name: a, rules: [{ regexp: b }] }]\n", 3, 33,
	    "no key \"regexp\"; write regex" },
	{ M "  labels: [{ name: a, rules: [{ regex: b, replacement: }] }]\n", 3,
	    56, "replacement is empty" },
};

static void
what_is_wrong_is_said_with_its_place(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(mistakes); i++)
		refuse(str_from(mistakes[i].text), mistakes[i].line,
		    mistakes[i].column, mistakes[i].fragment);
}

static void
a_place_is_counted_in_lines_as_editors_count_them(void **state)
{
	(void)state;
	refuse(STR("a1: 1\n"), 1, 1, "a1");
	refuse(STR("\xEF\xBB\xBFlimits: {}\r\nx: 1\r\n"), 2, 1, "\"x\"");
	refuse(STR("limits: {}\rx: 1\r"), 2, 1, "\"x\"");
	/* A line separator ends a line for YAML, but for few editors. */
	refuse(STR("namespace: 'a\xE2\x80\xA8 b'\n"), 1, 13, "cannot begin");
	refuse(STR("namespace: '\xE2\x80\xA8'\nx: 1\n"), 1, 13, "cannot begin");
}

/* n times piece, between head and tail. */
static struct str
repeat(struct buf *b, const char *head, const char *piece, size_t n,
    const char *tail)
{
	size_t i;

	buf_init(b, 4 * (size_t)BOUNDS_CONFIG_BYTES);
	buf_add_text(b, head);
	for (i = 0; i < n; i++) {
		const char *hash = strchr(piece, '#');

		/* "#" is the number of the piece. */
		buf_add(b,
		    str_of(piece,
			hash ? (size_t)(hash - piece) : strlen(piece)));
		if (hash) {
			buf_add_u64(b, i);
			buf_add_text(b, hash + 1);
		}
	}
	buf_add_text(b, tail);
	assert_int_equal(buf_status(b), 0);
	return buf_str(b);
}

static void
what_there_may_be_of_each_is_bounded(void **state)
{
	static const struct {
		const char *head;
		const char *piece;
		size_t most;
		const char *tail;
		const char *fragment;
	} rows[] = {
		{ "metrics: [{name: n, labels: [", "l#,", BOUNDS_LABELS, "]}]",
		    "more than 16 in labels" },
		{ "sources: [{paths: a, labels: {", "l#: v,", BOUNDS_LABELS - 1,
		    "}}]", "more than 16" },
		{ "metrics: [", "{name: n#},", BOUNDS_CONFIG_METRICS, "]",
		    "more than 200 in metrics" },
		{ "sources: [", "{paths: n#},", BOUNDS_SOURCES, "]",
		    "more than 4096 in sources" },
		{ "sources: [{paths: [", "n#,", BOUNDS_SOURCES, "]}]",
		    "more than 4096 in paths" },
		{ "sources: [{paths: a, format: [", "n#,",
		    BOUNDS_CONFIG_FORMATS, "]}]", "more than 16 in format" },
		{ "sources: [{paths: a, drop: [", "{field: f, regex: n#},",
		    BOUNDS_CONFIG_RULES, "]}]", "more than 256 in drop" },
		{ "sources: [{paths: a, name: '", "n", BOUNDS_CONFIG_BYTES - 31,
		    "'}]", "larger than" },
		{ "sources: [{paths: a, exclude: [", "&n# a,",
		    BOUNDS_CONFIG_ANCHORS, "]}]", "more than 256 anchors" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		struct config_error e = { 0 };
		struct config *c = NULL;
		struct buf b;

		config_destroy(parse(repeat(&b, rows[i].head, rows[i].piece,
		    rows[i].most, rows[i].tail)));
		buf_release(&b);
		assert_int_equal(
		    config_parse(repeat(&b, rows[i].head, rows[i].piece,
				     rows[i].most + 1, rows[i].tail),
			&c, &e),
		    -EINVAL);
		if (!strstr(e.text, rows[i].fragment))
			fail_msg("%s: not \"%s\"", e.text, rows[i].fragment);
		buf_release(&b);
	}
}

static void
buckets_keys_and_depth_are_bounded(void **state)
{
	struct buf b;
	struct str text;
	size_t i;

	(void)state;
	for (i = BOUNDS_BUCKETS; i <= BOUNDS_BUCKETS + 1; i++) {
		size_t j;

		buf_init(&b, 10000);
		buf_add_text(&b,
		    "metrics: [{name: n, type: histogram, "
		    "value: v, buckets: [");
		for (j = 0; j < i; j++)
			buf_add_format(&b, "%zu,", j + 100);
		buf_add_text(&b, "]}]");
		assert_int_equal(buf_status(&b), 0);
		if (i == BOUNDS_BUCKETS)
			config_destroy(parse(buf_str(&b)));
		else
			refuse(buf_str(&b), 1, 58 + 4 * BOUNDS_BUCKETS,
			    "more than 64 in buckets");
		buf_release(&b);
	}
	text = repeat(&b, "", "k#: 1\n", BOUNDS_CONFIG_KEYS + 1, "");
	refuse(text, BOUNDS_CONFIG_KEYS + 1, 1, "more than 64 keys");
	buf_release(&b);
	text = repeat(&b, "", "[", BOUNDS_CONFIG_DEPTH + 1, "");
	refuse(text, 1, BOUNDS_CONFIG_DEPTH + 1, "more than 16 lists");
	buf_release(&b);
	/* As many as fit in a file are no worse. */
	text = repeat(&b, "", "[", BOUNDS_CONFIG_BYTES, "");
	refuse(text, 1, BOUNDS_CONFIG_DEPTH + 1, "more than 16 lists");
	buf_release(&b);
	text = repeat(&b, "", "- ", BOUNDS_CONFIG_BYTES / 2, "");
	refuse(text, 1, 2 * BOUNDS_CONFIG_DEPTH + 1, "more than 16 lists");
	buf_release(&b);
	text = repeat(&b, "a: ", "x", BOUNDS_CONFIG_BYTES, "");
	refuse(text, 0, 0, "larger than 1048576 bytes");
	buf_release(&b);
}

static void
a_long_name_of_a_metric_or_label_is_refused(void **state)
{
	struct buf b;

	(void)state;
	config_destroy(parse(repeat(&b, "metrics: [{name: ", "n",
	    BOUNDS_LABEL_VALUE_BYTES, "}]")));
	buf_release(&b);
	refuse(repeat(&b, "metrics: [{name: ", "n",
		   BOUNDS_LABEL_VALUE_BYTES + 1, "}]"),
	    1, 18, "cannot name a metric");
	buf_release(&b);
	refuse(repeat(&b, "metrics: [{name: n, labels: [", "n",
		   BOUNDS_LABEL_VALUE_BYTES + 1, "]}]"),
	    1, 30, "cannot name a label");
	buf_release(&b);
}

/* 4,000 sources with the same 4,000 paths would be 16 million. */
static void
aliases_do_not_make_much_of_little(void **state)
{
	struct config_error e = { 0 };
	struct config *c = NULL;
	struct buf first, all;
	struct str text;

	(void)state;
	text = repeat(&first, "sources:\n- paths: &p [", "a,", 4000, "]\n");
	(void)text;
	buf_add_char(&first, '\0');
	assert_int_equal(buf_status(&first), 0);
	text = repeat(&all, first.data, "- { name: n#, paths: *p }\n", 4000,
	    "");
	assert_int_equal(config_parse(text, &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "with all aliases written out"));
	buf_release(&all);
	buf_release(&first);

	/* Lists of lists of lists are no values, however many they are. */
	refuse(STR("a: &a [x,x,x,x,x,x,x,x,x]\n"
		   "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
		   "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
		   "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
		   "sources: *d\n"),
	    1, 1, "no key \"a\"");
	refuse(STR("sources: &d [[[&a a,*a],[*a,*a]]]\n"), 1, 14,
	    "sources is a list");
}

static void
a_file_cut_anywhere_is_read_or_refused(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(full); i++) {
		struct str cut = support_guarded_str(str_of(full, i));
		struct config_error e = { 0 };
		struct config *c = NULL;
		int error = config_parse(cut, &c, &e);

		support_guarded_str_free(cut);
		if (!error) {
			config_destroy(c);
			continue;
		}
		assert_int_equal(error, -EINVAL);
		assert_null(c);
		assert_true(e.line >= 1 && e.line <= 30);
		assert_true(e.column >= 1 && e.column <= 80);
	}
}

static void
each_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
	static const char merged[] =
	    "metrics: [&a {name: a, labels: [b]}, {name: c, <<: *a}]\n";
	const char *const texts[] = { full, merged };
	size_t i;

	(void)state;
	for (i = 0; i < N(texts); i++) {
		unsigned long n;

		for (n = 1;; n++) {
			struct config_error e = { 0 };
			struct config *c = NULL;
			int error;

			support_fail_allocation(n);
			error = config_parse(str_from(texts[i]), &c, &e);
			support_stop_failing();
			if (!support_did_fail()) {
				assert_int_equal(error, 0);
				config_destroy(c);
				break;
			}
			assert_int_equal(error, -ENOMEM);
			assert_null(c);
		}
		assert_true(n > 50);
	}
}

static void
an_error_in_a_text_becomes_one_in_the_file(void **state)
{
	struct config_place place = { .line = 7, .column = 11 };
	struct config_error e;

	(void)state;
	place.verbatim = true;
	(void)config_error_set(&e, 0, 5, "no; write yes");
	config_error_locate(&e, place);
	assert_int_equal(e.line, 7);
	assert_int_equal(e.column, 15);
	assert_string_equal(e.text, "no; write yes");

	place.verbatim = false;
	(void)config_error_set(&e, 0, 5, "no; write yes");
	config_error_locate(&e, place);
	assert_int_equal(e.line, 7);
	assert_int_equal(e.column, 11);
	assert_string_equal(e.text, "no; write yes (column 5 of this text)");

	(void)config_error_set(&e, 0, 0, "no; write yes");
	config_error_locate(&e, place);
	assert_int_equal(e.column, 11);
	assert_string_equal(e.text, "no; write yes");
}

/* The byte in the file that column and line name; a newline at a line's end. */
static char
byte_at(const char *text, size_t line, size_t column)
{
	while (--line) {
		text = strchr(text, '\n');
		assert_non_null(text);
		text++;
	}
	assert_true(column - 1 <= strcspn(text, "\r\n"));
	return text[column - 1];
}

static void
an_error_in_a_block_is_where_it_stands(void **state)
{
	static const char *const blocks[] = {
		">-\n      %h  %l\n      %u x\n",
		">\n      one\n",
		"|\n      a b\n      cd\n\n      ef\n",
		">-  # a comment\n\n\n    a\n\n    b\n    c\n\n\n    d\n",
		">\n    a\n      b\n      c\n\n    d\n    e\n\n      f\n\n      g\n",
		"|+\r\n     a\r\n      b\r\n\r\n     c\r\n\r\n",
		">-\n    \xC3\xA9 a\n    b",
	};
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		char file[256];
		struct config *c;
		struct config_error e;
		const char *text;

		(void)snprintf(file, sizeof(file),
		    "sources:\n- paths: a\n  format: %s", blocks[i]);
		c = parse(str_from(file));
		text = c->sources[0].formats[0];
		for (n = 0; text[n]; n++) {
			char there;

			(void)config_error_set(&e, 0, n + 1, "no; write yes");
			config_error_locate(&e, c->sources[0].format_places[0]);
			assert_string_equal(e.text, "no; write yes");
			there = byte_at(file, e.line, e.column);
			if (text[n] != '\n' && text[n] != ' ')
				assert_int_equal(there, text[n]);
		}
		config_destroy(c);
	}
}

static void
a_block_that_says_how_far_it_is_indented_has_the_column_of_its_text(
    void **state)
{
	struct config *c = parse(
	    STR("sources:\n- paths: a\n  format: >1-\n      %h\n"));
	struct config_error e;

	(void)state;
	(void)config_error_set(&e, 0, 2, "no; write yes");
	config_error_locate(&e, c->sources[0].format_places[0]);
	assert_int_equal(e.line, 3);
	assert_int_equal(e.column, 11);
	assert_string_equal(e.text, "no; write yes (column 2 of this text)");
	config_destroy(c);
}

/* The configuration in a file of contrib/examples. */
static struct config *
example(const char *name)
{
	struct config *c;
	struct buf path, text;
	FILE *file;
	char *end;

	buf_init(&path, 200);
	buf_add_format(&path, "contrib/examples/%s", name);
	buf_add_char(&path, '\0');
	assert_int_equal(buf_status(&path), 0);
	file = fopen(path.data, "rbe");
	if (!file)
		fail_msg("%s: run this in the top directory", path.data);
	buf_init(&text, BOUNDS_CONFIG_BYTES);
	end = buf_reserve(&text, BOUNDS_CONFIG_BYTES);
	assert_non_null(end);
	text.len = fread(end, 1, BOUNDS_CONFIG_BYTES, file);
	assert_int_equal(fclose(file), 0);
	c = parse(buf_str(&text));
	buf_release(&text);
	buf_release(&path);
	return c;
}

/* The metrics of an example: a line each, `name{label,label} type`. */
static void
expect_metrics(const char *name, const char *expected)
{
	static const char *const types[] = { [REGISTRY_COUNTER] = "counter",
		[REGISTRY_GAUGE] = "gauge",
		[REGISTRY_HISTOGRAM] = "histogram" };
	struct config *c = example(name);
	struct buf b;
	size_t i, j;

	buf_init(&b, 10000);
	for (i = 0; i < c->n_metrics; i++) {
		const struct config_metric *m = &c->metrics[i];

		buf_add_text(&b, m->name);
		for (j = 0; j < m->n_labels; j++)
			buf_add_format(&b, "%c%s", j ? ',' : '{',
			    m->labels[j].name);
		buf_add_format(&b, "%s %s\n", m->n_labels ? "}" : "",
		    types[m->type]);
	}
	assert_int_equal(buf_status(&b), 0);
	assert_str(buf_str(&b), str_from(expected));
	assert_false(c->default_metrics);
	buf_release(&b);
	config_destroy(c);
}

static void
the_examples_have_the_metrics_they_promise(void **state)
{
	(void)state;
	expect_metrics("sites.yml",
	    "accesslog_site_requests_total{method,route,status} counter\n"
	    "accesslog_site_response_bytes_total{method,route,status} counter\n"
	    "accesslog_site_request_duration_seconds{method,route} histogram\n"
	    "accesslog_site_upstream_duration_seconds{method,route} "
	    "histogram\n");
	expect_metrics("nginxlog-exporter.yml",
	    "nginx_http_response_count_total{method,status} counter\n"
	    "nginx_http_response_size_bytes{method,status} counter\n"
	    "nginx_http_request_size_bytes{method,status} counter\n"
	    "nginx_http_response_time_seconds_hist{method,status} histogram\n"
	    "nginx_http_upstream_time_seconds_hist{method,status} histogram\n"
	    "nginx_http_upstream_connect_time_seconds_hist{method,status} "
	    "histogram\n");
	expect_metrics("access-log-exporter.yml",
	    "http_requests_total{host,method,status} counter\n"
	    "http_request_size_bytes{host,method,status} histogram\n"
	    "http_response_size_bytes{host,method,status} histogram\n"
	    "http_request_duration_seconds{host,method,status} histogram\n"
	    "http_upstream_connect_duration_seconds{host,method,status} "
	    "histogram\n"
	    "http_upstream_header_duration_seconds{host,method,status} "
	    "histogram\n"
	    "http_upstream_request_duration_seconds{host,method,status} "
	    "histogram\n");
	expect_metrics("httpd-exporter.yml",
	    "httpd_requests_total{status_code} counter\n"
	    "httpd_bytes_sent_total counter\n");
}

static void
destroying_none_does_nothing(void **state)
{
	(void)state;
	config_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(one_value_stands_for_a_list_of_it),
		cmocka_unit_test(
		    the_namespace_goes_before_names_that_do_not_have_it),
		cmocka_unit_test(aliases_and_merge_keys_are_what_they_name),
		cmocka_unit_test(text_is_text_whatever_it_looks_like),
		cmocka_unit_test(what_is_wrong_is_said_with_its_place),
		cmocka_unit_test(
		    a_place_is_counted_in_lines_as_editors_count_them),
		cmocka_unit_test(what_there_may_be_of_each_is_bounded),
		cmocka_unit_test(buckets_keys_and_depth_are_bounded),
		cmocka_unit_test(a_long_name_of_a_metric_or_label_is_refused),
		cmocka_unit_test(aliases_do_not_make_much_of_little),
		cmocka_unit_test(a_file_cut_anywhere_is_read_or_refused),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_leaks_nothing),
		cmocka_unit_test(an_error_in_a_text_becomes_one_in_the_file),
		cmocka_unit_test(an_error_in_a_block_is_where_it_stands),
		cmocka_unit_test(
		    a_block_that_says_how_far_it_is_indented_has_the_column_of_its_text),
		cmocka_unit_test(the_examples_have_the_metrics_they_promise),
		cmocka_unit_test(destroying_none_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
