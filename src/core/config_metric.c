#include "config_metric.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/fields.h"
#include "config_name.h"
#include "config_rule.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Labels */

static int
read_label_name(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;
	int error = schema_check_scalar(r, key, node);

	if (!error)
		error = config_name_check_label(r, node);
	if (error)
		return error;
	if (!label->place.line)
		label->place = node->place;
	return schema_copy(node->text, &label->name);
}

static int
label_from(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	label->place = node->place;
	return config_name_read_field(r, key, node, &label->from);
}

static int
label_normalize(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	static const char *const names[] = { "method", "status_class", "path",
		"host" };
	static const enum config_normalizer values[] = { CONFIG_METHOD,
		CONFIG_STATUS_CLASS, CONFIG_PATH, CONFIG_HOST };
	struct config_label *label = target;
	size_t i;
	int error = schema_read_word(r, key, node, "normalizer", names,
	    N(names), &i);

	if (!error)
		label->normalizer = values[i];
	return error;
}

static int
label_rules(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return config_rule_read_all(r, key, node, CONFIG_RULE_REPLACE,
	    &label->n_rules, &label->rules);
}

static int
label_budget(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return schema_read_number(r, key, node, 1, BOUNDS_SERIES,
	    &label->budget);
}

static int
label_max_length(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return schema_read_number(r, key, node, BOUNDS_LABEL_VALUE_LEAST_BYTES,
	    BOUNDS_LABEL_VALUE_MOST_BYTES, &label->max_bytes);
}

static const struct schema_key label_keys[] = {
	{ "name", "the label's name, such as method", read_label_name },
	{ "from", "a field, such as request_method", label_from },
	{ "normalize", "method, status_class, path or host", label_normalize },
	{ "rules", "a list such as [{ regex: '^/p/', replacement: /p }]",
	    label_rules },
	{ "budget", "a number of values, such as 200", label_budget },
	{ "max_length", "a number of bytes, such as 64", label_max_length },
};

static int
read_label(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;
	int error;

	if (node->kind == DOCUMENT_SCALAR)
		error = read_label_name(r, key, node, label);
	else
		error = schema_read_mapping(r, key, node, label_keys,
		    N(label_keys), label);
	if (error)
		return error;
	if (!label->name)
		return SCHEMA_REFUSE(r, node->place,
		    "the label has no name; write name: NAME");
	return label->from ? 0
			   : schema_copy(str_from(label->name), &label->from);
}

/* The place of the name of item i, which may be a mapping or the name. */
static struct config_place
name_place(const struct document_node *node)
{
	size_t i;

	for (i = 0; node->kind == DOCUMENT_MAPPING && i < node->n; i++) {
		if (str_equal(node->items[2 * i]->text, STR("name")))
			return node->items[2 * i + 1]->place;
	}
	return node->place;
}

static int
metric_labels(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;
	struct schema_list items;
	size_t i, j;
	int error = schema_read_list(r, key, node,
	    node->kind == DOCUMENT_SCALAR, BOUNDS_LABELS, &items);

	if (error)
		return error;
	metric->labels = schema_array(items.n, sizeof(*metric->labels));
	if (!metric->labels)
		return -ENOMEM;
	metric->n_labels = items.n;
	for (i = 0; i < items.n && !error; i++) {
		error = read_label(r, key, items.nodes[i], &metric->labels[i]);
		for (j = 0; j < i && !error; j++) {
			if (!strcmp(metric->labels[i].name,
				metric->labels[j].name))
				error = SCHEMA_REFUSE(r,
				    name_place(items.nodes[i]),
				    "the label %s is there already; write "
				    "another name",
				    metric->labels[i].name);
		}
	}
	return error;
}

/* Metrics */

static int
metric_name(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;

	metric->place = node->place;
	return config_name_read_metric(r, key, node, &metric->name);
}

static int
metric_type(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	static const char *const names[] = { "counter", "gauge", "histogram" };
	static const enum registry_type values[] = { REGISTRY_COUNTER,
		REGISTRY_GAUGE, REGISTRY_HISTOGRAM };
	struct config_metric *metric = target;
	size_t i;
	int error;

	if (str_equal(node->text, STR("summary")))
		return SCHEMA_REFUSE(r, node->place,
		    "summaries are not supported, as they cannot be added up; "
		    "write histogram");
	error = schema_read_word(r, key, node, "type", names, N(names), &i);
	if (!error)
		metric->type = values[i];
	return error;
}

static int
metric_help(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;

	return schema_read_some_text(r, key, node, &metric->help);
}

static int
metric_value(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;

	metric->value_place = node->place;
	return config_name_read_field(r, key, node, &metric->value);
}

static int
metric_buckets(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;
	struct schema_list items;
	size_t i;
	int error = schema_read_list(r, key, node, false, BOUNDS_BUCKETS,
	    &items);

	if (error)
		return error;
	if (!items.n)
		return SCHEMA_REFUSE(r, node->place, "%s is empty; write %s",
		    key->name, key->expected);
	metric->bounds = schema_array(items.n, sizeof(*metric->bounds));
	if (!metric->bounds)
		return -ENOMEM;
	metric->n_bounds = items.n;
	for (i = 0; i < items.n && !error; i++) {
		const struct document_node *item = items.nodes[i];

		error = schema_check_scalar(r, key, item);
		if (error)
			return error;
		if (decimal_parse(item->text, 0, &metric->bounds[i]))
			return SCHEMA_REFUSE(r, item->place,
			    "the bucket \"%.40s\" is no number; write digits, "
			    "such as 0.25; the infinite one is always there",
			    item->text.data);
		if (i &&
		    decimal_compare(metric->bounds[i - 1], metric->bounds[i]) >=
			0)
			return SCHEMA_REFUSE(r, item->place,
			    "the bucket %.40s is not above the one before it; "
			    "write them in rising order",
			    item->text.data);
	}
	return error;
}

static int
metric_max_series(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;

	return schema_read_number(r, key, node, 1, BOUNDS_SERIES,
	    &metric->max_series);
}

static const struct schema_key metric_keys[] = {
	{ "name", "the metric's name, such as requests_total", metric_name },
	{ "type", "counter, gauge or histogram", metric_type },
	{ "help", "a sentence", metric_help },
	{ "value", "a field, such as request_time", metric_value },
	{ "buckets", "a list of numbers, such as [0.01, 0.1, 1]",
	    metric_buckets },
	{ "max_series", "a number, such as 1000", metric_max_series },
	{ "labels", "a list of labels, such as [status, request_method]",
	    metric_labels },
};

static int
default_help(struct config_metric *metric)
{
	struct buf b;
	int error;

	buf_init(&b, 1024); /* names have at most 128 bytes */
	if (metric->value)
		buf_add_format(&b, "%s of %s in the access logs.",
		    metric->type == REGISTRY_GAUGE         ? "Last value"
			: metric->type == REGISTRY_COUNTER ? "Sum"
							   : "Values",
		    metric->value);
	else
		buf_add_text(&b, "Requests in the access logs.");
	buf_add_char(&b, '\0');
	error = buf_status(&b);
	if (!error)
		metric->help = buf_take(&b);
	buf_release(&b);
	return error;
}

/* Prometheus' own, for a value in seconds. */
static int
default_buckets(struct config_metric *metric)
{
	static const struct decimal seconds[] = { { 0, 5000000 },
		{ 0, 10000000 }, { 0, 25000000 }, { 0, 50000000 },
		{ 0, 100000000 }, { 0, 250000000 }, { 0, 500000000 }, { 1, 0 },
		{ 2, 500000000 }, { 5, 0 }, { 10, 0 } };

	metric->bounds = schema_array(N(seconds), sizeof(*metric->bounds));
	if (!metric->bounds)
		return -ENOMEM;
	memcpy(metric->bounds, seconds, sizeof(seconds));
	metric->n_bounds = N(seconds);
	return 0;
}

static int
complete_metric(struct schema_reader *r, const struct document_node *node,
    struct config_metric *metric)
{
	int error = 0;

	if (!metric->name)
		return SCHEMA_REFUSE(r, node->place,
		    "the metric has no name; write name: requests_total");
	if (metric->type != REGISTRY_COUNTER && !metric->value)
		return SCHEMA_REFUSE(r, metric->place,
		    "a %s needs a value; write value: FIELD, such as "
		    "request_time",
		    metric->type == REGISTRY_GAUGE ? "gauge" : "histogram");
	if (metric->type != REGISTRY_HISTOGRAM && metric->n_bounds)
		return SCHEMA_REFUSE(r, metric->place,
		    "only histograms have buckets; write type: histogram, or "
		    "leave them out");
	if (metric->type == REGISTRY_HISTOGRAM && !metric->n_bounds) {
		if (fields_kind_of(str_from(metric->value)) == FIELDS_COUNT)
			return SCHEMA_REFUSE(r, metric->place,
			    "a histogram of bytes needs buckets; write them, "
			    "such as buckets: [1000, 100000, 10000000]");
		error = default_buckets(metric);
	}
	if (!error && !metric->help)
		error = default_help(metric);
	return error;
}

int
config_metric_read(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;
	int error = schema_read_mapping(r, key, node, metric_keys,
	    N(metric_keys), metric);

	return error ? error : complete_metric(r, node, metric);
}

void
config_metric_release(struct config_metric *metric)
{
	size_t i;

	free(metric->name);
	free(metric->help);
	free(metric->value);
	free(metric->bounds);
	for (i = 0; i < metric->n_labels; i++) {
		free(metric->labels[i].name);
		free(metric->labels[i].from);
		config_rule_release_all(metric->labels[i].rules,
		    metric->labels[i].n_rules);
	}
	free(metric->labels);
}
