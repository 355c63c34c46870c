#include "accesslog/config.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/endpoint.h"
#include "accesslog/fields.h"
#include "accesslog/schema.h"

#define DEFAULT_NAMESPACE "accesslog"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int
read_series(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	return schema_read_number(r, key, node, 1, BOUNDS_SERIES, target);
}

/* Room for `other` at the least. */
static int
read_label_bytes(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	return schema_read_number(r, key, node, 8,
	    BOUNDS_LABEL_VALUE_MOST_BYTES, target);
}

/* A field's name */
static int
read_field(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	int error = schema_check_scalar(r, key, node);

	if (!error && !fields_name_valid(node->text))
		return SCHEMA_REFUSE(r, node->place,
		    "%s is \"%.40s\", which is no field; write letters, digits "
		    "and _, such as request_uri",
		    key->name, node->text.data);
	return error ? error : schema_copy(node->text, target);
}

static bool
name_valid(struct str name, bool with_colons)
{
	size_t i;

	if (!name.len || name.len > BOUNDS_LABEL_VALUE_BYTES ||
	    (name.data[0] >= '0' && name.data[0] <= '9'))
		return false;
	for (i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '_' &&
		    !(c == ':' && with_colons))
			return false;
	}
	return true;
}

static int
read_metric_name(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	int error = schema_check_scalar(r, key, node);

	if (!error && !name_valid(node->text, true))
		return SCHEMA_REFUSE(r, node->place,
		    "\"%.40s\" cannot name a metric; write letters, digits and "
		    "_, such as requests_total",
		    node->text.data);
	return error ? error : schema_copy(node->text, target);
}

static int
read_namespace(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	int error = schema_check_scalar(r, key, node);

	if (!error && node->text.len && !name_valid(node->text, true))
		return SCHEMA_REFUSE(r, node->place,
		    "\"%.40s\" cannot begin the name of a metric; write "
		    "letters, digits and _, or '' for none",
		    node->text.data);
	return error ? error : schema_copy(node->text, target);
}

static int
check_label_name(struct schema_reader *r, const struct document_node *node)
{
	struct str name = node->text;

	if (!name_valid(name, false))
		return SCHEMA_REFUSE(r, node->place,
		    "\"%.40s\" cannot name a label; write letters, digits and "
		    "_, such as status",
		    name.data);
	if (str_starts_with(name, STR("__")) || str_equal(name, STR("le")) ||
	    str_equal(name, STR("quantile")))
		return SCHEMA_REFUSE(r, node->place,
		    "the label \"%.40s\" is Prometheus' own; write another "
		    "name",
		    name.data);
	return 0;
}

static int
read_label_name(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;
	int error = schema_check_scalar(r, key, node);

	if (!error)
		error = check_label_name(r, node);
	if (error)
		return error;
	if (!label->place.line)
		label->place = node->place;
	return schema_copy(node->text, &label->name);
}

/* ret_places: or NULL */
static int
read_texts(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, size_t max, size_t *ret_n,
    char ***ret_texts, struct config_place **ret_places)
{
	struct schema_list items;
	size_t i;
	int error = schema_read_list(r, key, node, true, max, &items);

	if (error)
		return error;
	*ret_texts = schema_array(items.n, sizeof(**ret_texts));
	if (!*ret_texts)
		return -ENOMEM;
	*ret_n = items.n;
	if (ret_places) {
		*ret_places = schema_array(items.n, sizeof(**ret_places));
		if (!*ret_places)
			return -ENOMEM;
	}
	for (i = 0; i < items.n && !error; i++) {
		if (ret_places)
			(*ret_places)[i] = items.nodes[i]->place;
		error = schema_read_some_text(r, key, items.nodes[i],
		    &(*ret_texts)[i]);
	}
	return error;
}

/* Rules: of labels, and those that drop lines */

static int
rule_field(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	return read_field(r, key, node, &rule->field);
}

static int
rule_regex(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	rule->place = node->place;
	return schema_read_some_text(r, key, node, &rule->regex);
}

static int
rule_replacement(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	return schema_read_text(r, key, node, &rule->replacement);
}

static const struct schema_key drop_keys[] = {
	{ "field", "the field to look at, such as request_uri", rule_field },
	{ "regex", "a regular expression in single quotes", rule_regex },
};

static const struct schema_key rule_keys[] = {
	{ "regex", "a regular expression in single quotes", rule_regex },
	{ "replacement", "text; $1 is the first group, '' is no text",
	    rule_replacement },
};

static int
read_rules(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, bool is_drop, size_t *ret_n,
    struct config_rule **ret_rules)
{
	struct schema_list items;
	size_t i;
	int error = schema_read_list(r, key, node,
	    node->kind == DOCUMENT_MAPPING, BOUNDS_CONFIG_RULES, &items);

	if (error)
		return error;
	*ret_rules = schema_array(items.n, sizeof(**ret_rules));
	if (!*ret_rules)
		return -ENOMEM;
	*ret_n = items.n;
	for (i = 0; i < items.n && !error; i++) {
		struct config_rule *rule = &(*ret_rules)[i];

		if (is_drop)
			error = schema_read_mapping(r, key, items.nodes[i],
			    drop_keys, N(drop_keys), rule);
		else
			error = schema_read_mapping(r, key, items.nodes[i],
			    rule_keys, N(rule_keys), rule);
		if (!error &&
		    (!rule->regex ||
			!(is_drop ? rule->field : rule->replacement)))
			error = SCHEMA_REFUSE(r, items.nodes[i]->place,
			    "the rule has no %s; write %s",
			    !rule->regex  ? "regex"
				: is_drop ? "field"
					  : "replacement",
			    key->expected);
	}
	return error;
}

/* Labels of a metric */

static int
label_from(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	label->place = node->place;
	return read_field(r, key, node, &label->from);
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
	int error = schema_check_scalar(r, key, node);

	if (error)
		return error;
	for (i = 0; i < N(names); i++) {
		if (str_equal(node->text, str_from(names[i]))) {
			label->normalizer = values[i];
			return 0;
		}
	}
	return schema_refuse_name(r, node, "normalizer", names, N(names));
}

static int
label_rules(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return read_rules(r, key, node, false, &label->n_rules, &label->rules);
}

static int
label_budget(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return read_series(r, key, node, &label->budget);
}

static int
label_max_length(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return read_label_bytes(r, key, node, &label->max_bytes);
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
    const struct document_node *node, struct config_label *label)
{
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
	return read_metric_name(r, key, node, &metric->name);
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
	int error = schema_check_scalar(r, key, node);

	if (error)
		return error;
	for (i = 0; i < N(names); i++) {
		if (str_equal(node->text, str_from(names[i]))) {
			metric->type = values[i];
			return 0;
		}
	}
	if (str_equal(node->text, STR("summary")))
		return SCHEMA_REFUSE(r, node->place,
		    "summaries are not supported, as they cannot be added up; "
		    "write histogram");
	return schema_refuse_name(r, node, "type", names, N(names));
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
	return read_field(r, key, node, &metric->value);
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

	return read_series(r, key, node, &metric->max_series);
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

static int
config_metrics(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;
	struct schema_list items;
	size_t i;
	int error = schema_read_list(r, key, node, false, BOUNDS_CONFIG_METRICS,
	    &items);

	if (error)
		return error;
	c->metrics = schema_array(items.n, sizeof(*c->metrics));
	if (!c->metrics)
		return -ENOMEM;
	c->n_metrics = items.n;
	for (i = 0; i < items.n && !error; i++) {
		error = schema_read_mapping(r, key, items.nodes[i], metric_keys,
		    N(metric_keys), &c->metrics[i]);
		if (!error)
			error = complete_metric(r, items.nodes[i],
			    &c->metrics[i]);
	}
	return error;
}

/* Sources */

static int
source_name(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;

	source->place = node->place;
	return schema_read_some_text(r, key, node, &source->name);
}

static int
source_paths(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;
	size_t i;
	int error = read_texts(r, key, node, BOUNDS_SOURCES, &source->n_paths,
	    &source->paths, &source->path_places);

	for (i = 0; i < source->n_paths && !error; i++) {
		struct endpoint endpoint;

		error = endpoint_parse(source->paths[i], &endpoint, r->reterr);
		if (error)
			config_error_locate(r->reterr, source->path_places[i]);
	}
	return error;
}

static int
source_exclude(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;

	return read_texts(r, key, node, BOUNDS_SOURCES, &source->n_excludes,
	    &source->excludes, NULL);
}

static int
source_format(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;
	struct schema_list items;
	size_t i;
	int error = schema_read_list(r, key, node, true, BOUNDS_CONFIG_FORMATS,
	    &items);

	if (!error && !items.n)
		error = SCHEMA_REFUSE(r, node->place, "%s is empty; write %s",
		    key->name, key->expected);
	if (error)
		return error;
	source->format_places = schema_array(items.n,
	    sizeof(*source->format_places));
	if (!source->format_places)
		return -ENOMEM;
	error = read_texts(r, key, node, BOUNDS_CONFIG_FORMATS,
	    &source->n_formats, &source->formats, NULL);
	for (i = 0; i < items.n && !error; i++) {
		source->format_places[i] = items.nodes[i]->place;
		if (items.n > 1 && !strcmp(source->formats[i], "auto"))
			error = SCHEMA_REFUSE(r, items.nodes[i]->place,
			    "auto stands alone; write format: auto, or the "
			    "formats without it");
	}
	return error;
}

static int
source_labels(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;
	size_t i;
	int error;

	if (node->kind != DOCUMENT_MAPPING)
		return schema_refuse_kind(r, key, node);
	if (node->n > BOUNDS_LABELS)
		return SCHEMA_REFUSE(r, node->items[2 * BOUNDS_LABELS]->place,
		    "more than %d in %s; write fewer", BOUNDS_LABELS,
		    key->name);
	error = schema_count(r, node, node->n);
	if (error)
		return error;
	source->labels = schema_array(node->n, sizeof(*source->labels));
	if (!source->labels)
		return -ENOMEM;
	source->n_labels = node->n;
	for (i = 0; i < node->n && !error; i++) {
		const struct document_node *name = node->items[2 * i];
		struct config_pair *pair = &source->labels[i];

		pair->place = name->place;
		error = check_label_name(r, name);
		if (!error)
			error = schema_copy(name->text, &pair->name);
		if (!error)
			error = schema_read_some_text(r, key,
			    node->items[2 * i + 1], &pair->value);
	}
	return error;
}

static int
source_drop(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;

	return read_rules(r, key, node, true, &source->n_drops, &source->drops);
}

static const struct schema_key source_keys[] = {
	{ "name", "the source's name, such as shop", source_name },
	{ "paths", "a list of paths, such as [/var/log/nginx/*.log]",
	    source_paths },
	{ "exclude", "a list of patterns, such as ['*.gz']", source_exclude },
	{ "format", "a format, such as combined, or a list of them",
	    source_format },
	{ "labels", "a mapping with values, such as { site: shop }",
	    source_labels },
	{ "drop", "a list such as [{ field: request_uri, regex: '^/health' }]",
	    source_drop },
};

static int
complete_source(struct schema_reader *r, const struct document_node *node,
    struct config_source *source)
{
	int error = 0;

	if (!source->place.line)
		source->place = node->place;
	if (!source->n_paths)
		return SCHEMA_REFUSE(r, node->place,
		    "the source has no paths; write paths: "
		    "[/var/log/nginx/access.log]");
	if (!source->name)
		error = schema_copy(str_from(source->paths[0]), &source->name);
	if (error || source->n_formats)
		return error;
	source->formats = schema_array(1, sizeof(*source->formats));
	source->format_places = schema_array(1, sizeof(*source->format_places));
	if (!source->formats || !source->format_places)
		return -ENOMEM;
	source->n_formats = 1;
	source->format_places[0] = source->place;
	source->format_places[0].verbatim = false;
	return schema_copy(STR("auto"), &source->formats[0]);
}

static int
config_sources(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;
	struct schema_list items;
	size_t i;
	int error = schema_read_list(r, key, node, false, BOUNDS_SOURCES,
	    &items);

	if (error)
		return error;
	c->sources = schema_array(items.n, sizeof(*c->sources));
	if (!c->sources)
		return -ENOMEM;
	c->n_sources = items.n;
	for (i = 0; i < items.n && !error; i++) {
		error = schema_read_mapping(r, key, items.nodes[i], source_keys,
		    N(source_keys), &c->sources[i]);
		if (!error)
			error = complete_source(r, items.nodes[i],
			    &c->sources[i]);
	}
	return error;
}

/* The whole */

static int
limit_series(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return read_series(r, key, node, &c->max_series);
}

static int
limit_label_bytes(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return read_label_bytes(r, key, node, &c->max_label_bytes);
}

static int
limit_memory_bytes(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return schema_read_number(r, key, node, BOUNDS_REGISTRY_LEAST_BYTES,
	    UINT32_MAX, &c->max_memory_bytes);
}

static const struct schema_key limit_keys[] = {
	{ "series", "a number, such as 100000", limit_series },
	{ "label_bytes", "a number of bytes, such as 128", limit_label_bytes },
	{ "memory_bytes", "a number of bytes, such as 268435456",
	    limit_memory_bytes },
};

static int
config_limits(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	return schema_read_mapping(r, key, node, limit_keys, N(limit_keys),
	    target);
}

static int
config_namespace(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return read_namespace(r, key, node, &c->name_space);
}

static int
config_default_metrics(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return schema_read_bool(r, key, node, &c->default_metrics);
}

static const struct schema_key config_keys[] = {
	{ "namespace", "a word such as accesslog, or '' for none",
	    config_namespace },
	{ "default_metrics", "true or false", config_default_metrics },
	{ "limits", "a mapping such as { series: 1000 }", config_limits },
	{ "sources", "a list; each item begins with \"- \" and has paths",
	    config_sources },
	{ "metrics", "a list; each item begins with \"- \" and has a name",
	    config_metrics },
};

static const struct schema_key whole = { "the file",
	"keys and values, such as sources: [{ paths: access.log }]", NULL };

/* Names that need all of it to be known */

static int
add_namespace(const char *name_space, char **name)
{
	struct str given = str_from(*name);
	struct str first = str_from(name_space);
	struct buf b;
	int error;

	if (!first.len ||
	    (str_starts_with(given, first) && given.len > first.len &&
		given.data[first.len] == '_'))
		return 0;
	buf_init(&b, 2 * BOUNDS_LABEL_VALUE_BYTES + 2);
	buf_add(&b, first);
	buf_add_char(&b, '_');
	buf_add(&b, given);
	buf_add_char(&b, '\0');
	error = buf_status(&b);
	if (!error) {
		free(*name);
		*name = buf_take(&b);
	}
	buf_release(&b);
	return error;
}

/* Whether b is a, or one of the samples of a. */
static bool
is_sample_of(struct str b, struct str a, enum registry_type type)
{
	static const char *const suffixes[] = { "_bucket", "_sum", "_count" };
	size_t i;

	if (!str_starts_with(b, a))
		return false;
	b = str_after(b, a.len);
	for (i = 0; type == REGISTRY_HISTOGRAM && i < N(suffixes); i++) {
		if (str_equal(b, str_from(suffixes[i])))
			return true;
	}
	return !b.len;
}

static int
check_metric_names(struct schema_reader *r, const struct config *c, size_t nth)
{
	static const struct {
		const char *name;
		enum registry_type type;
	} defaults[] = {
		{ "requests_total", REGISTRY_COUNTER },
		{ "response_bytes_total", REGISTRY_COUNTER },
		{ "request_duration_seconds", REGISTRY_HISTOGRAM },
		{ "upstream_duration_seconds", REGISTRY_HISTOGRAM },
	};
	const struct config_metric *metric = &c->metrics[nth];
	struct str name = str_from(metric->name);
	struct str own = name;
	size_t i;

	if (str_starts_with(name, STR("accesslog_exporter_")) ||
	    str_starts_with(name, STR("process_")))
		return SCHEMA_REFUSE(r, metric->place,
		    "%.100s: names that begin with accesslog_exporter_ or "
		    "process_ are taken; write another",
		    metric->name);
	for (i = 0; i < nth; i++) {
		const struct config_metric *other = &c->metrics[i];
		struct str its = str_from(other->name);

		if (is_sample_of(name, its, other->type) ||
		    is_sample_of(its, name, metric->type))
			return SCHEMA_REFUSE(r, metric->place,
			    "%.100s is the name of another metric or of its "
			    "samples; write another",
			    metric->name);
	}
	if (*c->name_space)
		own = str_after(name, strlen(c->name_space) + 1);
	for (i = 0; c->default_metrics && i < N(defaults); i++) {
		struct str its = str_from(defaults[i].name);

		if (is_sample_of(own, its, defaults[i].type) ||
		    is_sample_of(its, own, metric->type))
			return SCHEMA_REFUSE(r, metric->place,
			    "%.100s is a default metric; write another name, "
			    "or default_metrics: false",
			    metric->name);
	}
	return 0;
}

/*
 * Each metric has the labels of all sources: empty for the series of a source
 * without.
 */
static int
check_source_label(struct schema_reader *r, const struct config *c,
    const struct config_pair *pair)
{
	size_t i, j;

	if (c->default_metrics && !strcmp(pair->name, "status"))
		return SCHEMA_REFUSE(r, pair->place,
		    "the default metrics have the label status; write another "
		    "name, or default_metrics: false");
	for (i = 0; i < c->n_metrics; i++) {
		const struct config_metric *metric = &c->metrics[i];

		for (j = 0; j < metric->n_labels; j++) {
			if (!strcmp(metric->labels[j].name, pair->name))
				return SCHEMA_REFUSE(r, pair->place,
				    "%.80s has the label %.80s; write another "
				    "name",
				    metric->name, pair->name);
		}
	}
	return 0;
}

static int
check_source_labels(struct schema_reader *r, const struct config *c)
{
	const char *names[BOUNDS_LABELS];
	size_t n_names = 0, most = c->default_metrics ? 1 : 0;
	size_t i, j, k;
	int error = 0;

	for (i = 0; i < c->n_metrics; i++) {
		if (c->metrics[i].n_labels > most)
			most = c->metrics[i].n_labels;
	}
	for (i = 0; i < c->n_sources && !error; i++) {
		for (j = 0; j < c->sources[i].n_labels && !error; j++) {
			const struct config_pair *pair =
			    &c->sources[i].labels[j];

			for (k = 0; k < n_names; k++) {
				if (!strcmp(names[k], pair->name))
					break;
			}
			if (k < n_names)
				continue;
			if (n_names + most >= BOUNDS_LABELS)
				return SCHEMA_REFUSE(r, pair->place,
				    "with the labels of all sources a metric "
				    "has more than %d; write fewer",
				    BOUNDS_LABELS);
			names[n_names++] = pair->name;
			error = check_source_label(r, c, pair);
		}
	}
	return error;
}

static int
compare_sources(const void *a, const void *b)
{
	const struct config_source *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	/* In the order of the file, which is that of the array. */
	return order ? order : *x < *y ? -1 : 1;
}

static int
check_source_names(struct schema_reader *r, const struct config *c)
{
	const struct config_source **sorted = schema_array(c->n_sources,
	    sizeof(struct config_source *));
	size_t i;
	int error = 0;

	if (!sorted)
		return -ENOMEM;
	for (i = 0; i < c->n_sources; i++)
		sorted[i] = &c->sources[i];
	qsort(sorted, c->n_sources, sizeof(*sorted), compare_sources);
	for (i = 1; i < c->n_sources && !error; i++) {
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			error = SCHEMA_REFUSE(r, sorted[i]->place,
			    "another source is named %.100s; write a name of "
			    "its own",
			    sorted[i]->name);
	}
	free(sorted);
	return error;
}

static int
complete(struct schema_reader *r, struct config *c)
{
	size_t i, j;
	int error = 0;

	if (!c->name_space)
		error = schema_copy(str_from(DEFAULT_NAMESPACE),
		    &c->name_space);
	if (!c->max_series)
		c->max_series = BOUNDS_SERIES;
	if (!c->max_label_bytes)
		c->max_label_bytes = BOUNDS_LABEL_VALUE_BYTES;
	if (!c->max_memory_bytes)
		c->max_memory_bytes = BOUNDS_REGISTRY_BYTES;
	for (i = 0; i < c->n_metrics && !error; i++) {
		struct config_metric *metric = &c->metrics[i];

		error = add_namespace(c->name_space, &metric->name);
		if (!error)
			error = check_metric_names(r, c, i);
		if (!metric->max_series)
			metric->max_series = c->max_series;
		for (j = 0; j < metric->n_labels; j++) {
			if (!metric->labels[j].max_bytes)
				metric->labels[j].max_bytes =
				    c->max_label_bytes;
		}
	}
	if (!error)
		error = check_source_names(r, c);
	if (!error)
		error = check_source_labels(r, c);
	return error;
}

/* root: NULL where there is nothing in the file. */
static int
read_whole(struct schema_reader *r, const struct document_node *root,
    struct config *c)
{
	static const struct config_place top = { .line = 1, .column = 1 };
	int error;

	if (!root)
		return SCHEMA_REFUSE(r, top,
		    "there is nothing in the file; write %s", whole.expected);
	c->default_metrics = true;
	error = schema_read_mapping(r, &whole, root, config_keys,
	    N(config_keys), c);
	if (!error)
		error = complete(r, c);
	if (!error && !c->default_metrics && !c->n_metrics)
		error = SCHEMA_REFUSE(r, root->place,
		    "there is no metric; write metrics, or default_metrics: "
		    "true");
	return error;
}

int
config_parse(struct str text, struct config **ret_config,
    struct config_error *reterr)
{
	struct schema_reader r = { .reterr = reterr };
	struct document document;
	struct config *c;
	int error = document_parse(text, &document, reterr);

	if (error)
		return error;
	c = calloc(1, sizeof(*c));
	if (!c) {
		error = -ENOMEM;
		goto release_document;
	}
	error = read_whole(&r, document.root, c);
	if (error)
		config_destroy(c);
	else
		*ret_config = c;

release_document:
	document_release(&document);
	return error;
}

static void
release_texts(char **texts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void
release_rules(struct config_rule *rules, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(rules[i].field);
		free(rules[i].regex);
		free(rules[i].replacement);
	}
	free(rules);
}

static void
release_source(struct config_source *source)
{
	size_t i;

	free(source->name);
	release_texts(source->paths, source->n_paths);
	free(source->path_places);
	release_texts(source->excludes, source->n_excludes);
	release_texts(source->formats, source->n_formats);
	free(source->format_places);
	for (i = 0; i < source->n_labels; i++) {
		free(source->labels[i].name);
		free(source->labels[i].value);
	}
	free(source->labels);
	release_rules(source->drops, source->n_drops);
}

static void
release_metric(struct config_metric *metric)
{
	size_t i;

	free(metric->name);
	free(metric->help);
	free(metric->value);
	free(metric->bounds);
	for (i = 0; i < metric->n_labels; i++) {
		free(metric->labels[i].name);
		free(metric->labels[i].from);
		release_rules(metric->labels[i].rules,
		    metric->labels[i].n_rules);
	}
	free(metric->labels);
}

void
config_clear_sources(struct config *c)
{
	size_t i;

	for (i = 0; i < c->n_sources; i++)
		release_source(&c->sources[i]);
	free(c->sources);
	c->sources = NULL;
	c->n_sources = 0;
}

int
config_create(struct config **ret_config)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->default_metrics = true;
	c->max_series = BOUNDS_SERIES;
	c->max_label_bytes = BOUNDS_LABEL_VALUE_BYTES;
	c->max_memory_bytes = BOUNDS_REGISTRY_BYTES;
	c->name_space = strdup(DEFAULT_NAMESPACE);
	if (!c->name_space) {
		free(c);
		return -ENOMEM;
	}
	*ret_config = c;
	return 0;
}

int
config_add_source(struct config *c, const char *path, const char *format)
{
	struct config_source *sources = reallocarray(c->sources,
	    c->n_sources + 1, sizeof(*sources));
	struct config_source s = { .n_paths = 1, .n_formats = 1 };

	if (!sources)
		return -ENOMEM;
	c->sources = sources;
	s.name = strdup(path);
	s.paths = calloc(1, sizeof(char *));
	s.formats = calloc(1, sizeof(char *));
	s.format_places = calloc(1, sizeof(*s.format_places));
	if (s.paths)
		s.paths[0] = strdup(path);
	if (s.formats)
		s.formats[0] = strdup(format);
	if (!s.name || !s.format_places || !s.paths || !s.paths[0] ||
	    !s.formats || !s.formats[0]) {
		s.n_paths = s.paths && s.paths[0];
		s.n_formats = s.formats && s.formats[0];
		release_source(&s);
		return -ENOMEM;
	}
	sources[c->n_sources++] = s;
	return 0;
}

void
config_destroy(struct config *c)
{
	size_t i;

	if (!c)
		return;
	free(c->name_space);
	config_clear_sources(c);
	for (i = 0; i < c->n_metrics; i++)
		release_metric(&c->metrics[i]);
	free(c->metrics);
	free(c);
}
