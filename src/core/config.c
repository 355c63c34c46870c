#include "accesslog/config.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/document.h"
#include "accesslog/fields.h"

#define DEFAULT_NAMESPACE "accesslog"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Keys and names that are compared letter by letter; longer ones are not. */
#define MAX_NAME_BYTES 64

struct reader {
	struct config_error *reterr;
	size_t n_values; /* so far, with all aliases written out */
};

/* One key of a mapping, and what becomes of its value. */
struct key {
	const char *name;
	const char *expected; /* what to write there */
	int (*read)(struct reader *r, const struct key *key,
	    const struct document_node *value, void *target);
};

#define COMPLAIN(r, place_, ...)                                               \
	config_error_set((r)->reterr, (place_).line, (place_).column,          \
	    __VA_ARGS__)

/* What may be written, and how to say it is something else */

static bool
is_empty(const struct document_node *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	size_t i;

	for (i = 0; node->plain && i < N(nulls); i++) {
		if (str_equal(node->text, str_from(nulls[i])))
			return true;
	}
	return false;
}

static int
refuse_kind(struct reader *r, const struct key *key,
    const struct document_node *node)
{
	const char *kind = "";

	switch (node->kind) {
	case DOCUMENT_SCALAR:
		kind = is_empty(node) ? "empty" : "a single value";
		break;
	case DOCUMENT_SEQUENCE:
		kind = "a list";
		break;
	case DOCUMENT_MAPPING:
		kind = "a mapping";
		break;
	}
	return COMPLAIN(r, node->place, "%s is %s; write %s", key->name, kind,
	    key->expected);
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's: how many letters to add, take away or change. */
static size_t
distance(struct str a, struct str b)
{
	size_t row[MAX_NAME_BYTES + 1];
	size_t i, j;

	if (a.len > MAX_NAME_BYTES || b.len > MAX_NAME_BYTES)
		return SIZE_MAX;
	for (j = 0; j <= b.len; j++)
		row[j] = j;
	for (i = 1; i <= a.len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (j = 1; j <= b.len; j++) {
			size_t changed = corner +
			    (a.data[i - 1] != b.data[j - 1]);

			corner = row[j];
			row[j] = smaller(changed,
			    smaller(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.len];
}

/*
 * The name that text was meant to be, or NULL: a third of its letters may be
 * wrong, or one of the two is the beginning of the other.
 */
static const char *
nearest(struct str text, const char *const names[], size_t n)
{
	const char *best = NULL;
	size_t least = SIZE_MAX;
	size_t i;

	for (i = 0; i < n; i++) {
		struct str name = str_from(names[i]);
		size_t d = distance(text, name);

		if (d > (name.len + 2) / 3 &&
		    !(text.len >= 3 &&
			(str_starts_with(name, text) ||
			    str_starts_with(text, name))))
			continue;
		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

/* what: "key", "type" ... */
static int
refuse_name(struct reader *r, const struct document_node *node,
    const char *what, const char *const names[], size_t n)
{
	const char *near = nearest(node->text, names, n);
	char all[160] = ""; /* the longest list has 90 bytes */
	size_t len = 0;
	size_t i;

	if (near)
		return COMPLAIN(r, node->place,
		    "there is no %s \"%.40s\"; write %s", what, node->text.data,
		    near);
	for (i = 0; i < n; i++) {
		struct str name = str_from(names[i]);
		struct str comma = i == 0 ? STR("")
		    : i + 1 == n          ? STR(" or ")
					  : STR(", ");

		if (len + comma.len + name.len >= sizeof(all))
			break;
		memcpy(all + len, comma.data, comma.len);
		len += comma.len;
		memcpy(all + len, name.data, name.len);
		len += name.len;
	}
	return COMPLAIN(r, node->place, "there is no %s \"%.40s\"; write %s",
	    what, node->text.data, all);
}

/* Values */

static int
count(struct reader *r, const struct document_node *node, size_t n)
{
	r->n_values += n;
	if (r->n_values <= BOUNDS_CONFIG_VALUES)
		return 0;
	return COMPLAIN(r, node->place,
	    "more than %u values with all aliases written out; write fewer",
	    BOUNDS_CONFIG_VALUES);
}

/* A value that stands there; may be '' in quotes. */
static int
check_scalar(struct reader *r, const struct key *key,
    const struct document_node *node)
{
	if (node->kind != DOCUMENT_SCALAR || is_empty(node))
		return refuse_kind(r, key, node);
	return count(r, node, 1);
}

static int
copy(struct str text, char **ret_text)
{
	char *bytes = malloc(text.len + 1);

	if (!bytes)
		return -ENOMEM;
	if (text.len)
		memcpy(bytes, text.data, text.len);
	bytes[text.len] = '\0';
	*ret_text = bytes;
	return 0;
}

/* target: a char *. */
static int
read_text(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	char **text = target;
	int error = check_scalar(r, key, node);

	return error ? error : copy(node->text, text);
}

/* The same, but '' is refused. */
static int
read_some_text(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	int error = check_scalar(r, key, node);

	if (!error && !node->text.len)
		return COMPLAIN(r, node->place, "%s is empty; write %s",
		    key->name, key->expected);
	return error ? error : read_text(r, key, node, target);
}

static int
read_bool(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	bool *value = target;
	int error = check_scalar(r, key, node);

	if (error)
		return error;
	if (!str_equal(node->text, STR("true")) &&
	    !str_equal(node->text, STR("false")))
		return COMPLAIN(r, node->place,
		    "%s is \"%.40s\"; write true or false", key->name,
		    node->text.data);
	*value = node->text.len == 4;
	return 0;
}

static int
read_number(struct reader *r, const struct key *key,
    const struct document_node *node, uint32_t least, uint32_t most,
    uint32_t *ret_value)
{
	uint64_t value = 0;
	bool is_good;
	size_t i;
	int error = check_scalar(r, key, node);

	if (error)
		return error;
	is_good = node->text.len > 0 && node->text.len <= 10;
	for (i = 0; is_good && i < node->text.len; i++) {
		char c = node->text.data[i];

		is_good = c >= '0' && c <= '9';
		value = value * 10 + (uint64_t)(c - '0');
	}
	if (!is_good || value < least || value > most)
		return COMPLAIN(r, node->place,
		    "%s is \"%.40s\"; write a number from %u to %u", key->name,
		    node->text.data, least, most);
	*ret_value = (uint32_t)value;
	return 0;
}

static int
read_series(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	return read_number(r, key, node, 1, BOUNDS_SERIES, target);
}

/* Room for `other` at the least. */
static int
read_label_bytes(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	return read_number(r, key, node, 8, BOUNDS_LABEL_VALUE_MOST_BYTES,
	    target);
}

/* A field's name */
static int
read_field(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	int error = check_scalar(r, key, node);

	if (!error && !fields_name_valid(node->text))
		return COMPLAIN(r, node->place,
		    "%s is \"%.40s\", which is no field; write letters, digits "
		    "and _, such as request_uri",
		    key->name, node->text.data);
	return error ? error : copy(node->text, target);
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
read_metric_name(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	int error = check_scalar(r, key, node);

	if (!error && !name_valid(node->text, true))
		return COMPLAIN(r, node->place,
		    "\"%.40s\" cannot name a metric; write letters, digits and "
		    "_, such as requests_total",
		    node->text.data);
	return error ? error : copy(node->text, target);
}

static int
read_namespace(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	int error = check_scalar(r, key, node);

	if (!error && node->text.len && !name_valid(node->text, true))
		return COMPLAIN(r, node->place,
		    "\"%.40s\" cannot begin the name of a metric; write "
		    "letters, digits and _, or '' for none",
		    node->text.data);
	return error ? error : copy(node->text, target);
}

static int
check_label_name(struct reader *r, const struct document_node *node)
{
	struct str name = node->text;

	if (!name_valid(name, false))
		return COMPLAIN(r, node->place,
		    "\"%.40s\" cannot name a label; write letters, digits and "
		    "_, such as status",
		    name.data);
	if (str_starts_with(name, STR("__")) || str_equal(name, STR("le")) ||
	    str_equal(name, STR("quantile")))
		return COMPLAIN(r, node->place,
		    "the label \"%.40s\" is Prometheus' own; write another "
		    "name",
		    name.data);
	return 0;
}

static int
read_label_name(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;
	int error = check_scalar(r, key, node);

	if (!error)
		error = check_label_name(r, node);
	if (error)
		return error;
	if (!label->place.line)
		label->place = node->place;
	return copy(node->text, &label->name);
}

/* Mappings */

static int
read_mapping(struct reader *r, const struct key *what,
    const struct document_node *node, const struct key keys[], size_t n_keys,
    void *target)
{
	size_t i, k;
	int error;

	if (node->kind != DOCUMENT_MAPPING)
		return refuse_kind(r, what, node);
	error = count(r, node, node->n);
	for (i = 0; i < node->n && !error; i++) {
		const struct document_node *key = node->items[2 * i];

		for (k = 0; k < n_keys; k++) {
			if (str_equal(key->text, str_from(keys[k].name)))
				break;
		}
		if (k == n_keys) {
			const char *names[16]; /* a metric has 7 */

			for (k = 0; k < n_keys && k < N(names); k++)
				names[k] = keys[k].name;
			return refuse_name(r, key, "key", names, k);
		}
		error = keys[k].read(r, &keys[k], node->items[2 * i + 1],
		    target);
	}
	return error;
}

/*
 * Lists.  A value that stands alone is a list of one where single is set.
 */
struct items {
	size_t n;
	struct document_node *const *nodes;
	struct document_node *single;
};

static int
list_items(struct reader *r, const struct key *key,
    const struct document_node *node, bool single, size_t max,
    struct items *ret_items)
{
	if (node->kind == DOCUMENT_SEQUENCE) {
		ret_items->n = node->n;
		ret_items->nodes = node->items;
	} else if (single && !is_empty(node)) {
		ret_items->n = 1;
		ret_items->single = (struct document_node *)(uintptr_t)node;
		ret_items->nodes = &ret_items->single;
	} else {
		return refuse_kind(r, key, node);
	}
	if (ret_items->n > max)
		return COMPLAIN(r, ret_items->nodes[max]->place,
		    "more than %zu in %s; write fewer", max, key->name);
	return count(r, node, ret_items->n);
}

/* Zeroed, one a node; never NULL but for want of memory. */
static void *
array_of(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

static int
read_texts(struct reader *r, const struct key *key,
    const struct document_node *node, size_t max, size_t *ret_n,
    char ***ret_texts)
{
	struct items items;
	size_t i;
	int error = list_items(r, key, node, true, max, &items);

	if (error)
		return error;
	*ret_texts = array_of(items.n, sizeof(**ret_texts));
	if (!*ret_texts)
		return -ENOMEM;
	*ret_n = items.n;
	for (i = 0; i < items.n && !error; i++)
		error = read_some_text(r, key, items.nodes[i],
		    &(*ret_texts)[i]);
	return error;
}

/* Rules: of labels, and those that drop lines */

static int
rule_field(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	return read_field(r, key, node, &rule->field);
}

static int
rule_regex(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	rule->place = node->place;
	return read_some_text(r, key, node, &rule->regex);
}

static int
rule_replacement(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	return read_text(r, key, node, &rule->replacement);
}

static const struct key drop_keys[] = {
	{ "field", "the field to look at, such as request_uri", rule_field },
	{ "regex", "a regular expression in single quotes", rule_regex },
};

static const struct key rule_keys[] = {
	{ "regex", "a regular expression in single quotes", rule_regex },
	{ "replacement", "text; $1 is the first group, '' is no text",
	    rule_replacement },
};

static int
read_rules(struct reader *r, const struct key *key,
    const struct document_node *node, bool is_drop, size_t *ret_n,
    struct config_rule **ret_rules)
{
	struct items items;
	size_t i;
	int error = list_items(r, key, node, node->kind == DOCUMENT_MAPPING,
	    BOUNDS_CONFIG_RULES, &items);

	if (error)
		return error;
	*ret_rules = array_of(items.n, sizeof(**ret_rules));
	if (!*ret_rules)
		return -ENOMEM;
	*ret_n = items.n;
	for (i = 0; i < items.n && !error; i++) {
		struct config_rule *rule = &(*ret_rules)[i];

		if (is_drop)
			error = read_mapping(r, key, items.nodes[i], drop_keys,
			    N(drop_keys), rule);
		else
			error = read_mapping(r, key, items.nodes[i], rule_keys,
			    N(rule_keys), rule);
		if (!error &&
		    (!rule->regex ||
			!(is_drop ? rule->field : rule->replacement)))
			error = COMPLAIN(r, items.nodes[i]->place,
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
label_from(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	label->place = node->place;
	return read_field(r, key, node, &label->from);
}

static int
label_normalize(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	static const char *const names[] = { "method", "status_class", "path",
		"host" };
	static const enum config_normalizer values[] = { CONFIG_METHOD,
		CONFIG_STATUS_CLASS, CONFIG_PATH, CONFIG_HOST };
	struct config_label *label = target;
	size_t i;
	int error = check_scalar(r, key, node);

	if (error)
		return error;
	for (i = 0; i < N(names); i++) {
		if (str_equal(node->text, str_from(names[i]))) {
			label->normalizer = values[i];
			return 0;
		}
	}
	return refuse_name(r, node, "normalizer", names, N(names));
}

static int
label_rules(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return read_rules(r, key, node, false, &label->n_rules, &label->rules);
}

static int
label_budget(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return read_series(r, key, node, &label->budget);
}

static int
label_max_length(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_label *label = target;

	return read_label_bytes(r, key, node, &label->max_bytes);
}

static const struct key label_keys[] = {
	{ "name", "the label's name, such as method", read_label_name },
	{ "from", "a field, such as request_method", label_from },
	{ "normalize", "method, status_class, path or host", label_normalize },
	{ "rules", "a list such as [{ regex: '^/p/', replacement: /p }]",
	    label_rules },
	{ "budget", "a number of values, such as 200", label_budget },
	{ "max_length", "a number of bytes, such as 64", label_max_length },
};

static int
read_label(struct reader *r, const struct key *key,
    const struct document_node *node, struct config_label *label)
{
	int error;

	if (node->kind == DOCUMENT_SCALAR)
		error = read_label_name(r, key, node, label);
	else
		error = read_mapping(r, key, node, label_keys, N(label_keys),
		    label);
	if (error)
		return error;
	if (!label->name)
		return COMPLAIN(r, node->place,
		    "the label has no name; write name: NAME");
	return label->from ? 0 : copy(str_from(label->name), &label->from);
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
metric_labels(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;
	struct items items;
	size_t i, j;
	int error = list_items(r, key, node, node->kind == DOCUMENT_SCALAR,
	    BOUNDS_LABELS, &items);

	if (error)
		return error;
	metric->labels = array_of(items.n, sizeof(*metric->labels));
	if (!metric->labels)
		return -ENOMEM;
	metric->n_labels = items.n;
	for (i = 0; i < items.n && !error; i++) {
		error = read_label(r, key, items.nodes[i], &metric->labels[i]);
		for (j = 0; j < i && !error; j++) {
			if (!strcmp(metric->labels[i].name,
				metric->labels[j].name))
				error = COMPLAIN(r, name_place(items.nodes[i]),
				    "the label %s is there already; write "
				    "another name",
				    metric->labels[i].name);
		}
	}
	return error;
}

/* Metrics */

static int
metric_name(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;

	metric->place = node->place;
	return read_metric_name(r, key, node, &metric->name);
}

static int
metric_type(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	static const char *const names[] = { "counter", "gauge", "histogram" };
	static const enum registry_type values[] = { REGISTRY_COUNTER,
		REGISTRY_GAUGE, REGISTRY_HISTOGRAM };
	struct config_metric *metric = target;
	size_t i;
	int error = check_scalar(r, key, node);

	if (error)
		return error;
	for (i = 0; i < N(names); i++) {
		if (str_equal(node->text, str_from(names[i]))) {
			metric->type = values[i];
			return 0;
		}
	}
	if (str_equal(node->text, STR("summary")))
		return COMPLAIN(r, node->place,
		    "summaries are not supported, as they cannot be added up; "
		    "write histogram");
	return refuse_name(r, node, "type", names, N(names));
}

static int
metric_help(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;

	return read_some_text(r, key, node, &metric->help);
}

static int
metric_value(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;

	metric->value_place = node->place;
	return read_field(r, key, node, &metric->value);
}

static int
metric_buckets(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;
	struct items items;
	size_t i;
	int error = list_items(r, key, node, false, BOUNDS_BUCKETS, &items);

	if (error)
		return error;
	if (!items.n)
		return COMPLAIN(r, node->place, "%s is empty; write %s",
		    key->name, key->expected);
	metric->bounds = array_of(items.n, sizeof(*metric->bounds));
	if (!metric->bounds)
		return -ENOMEM;
	metric->n_bounds = items.n;
	for (i = 0; i < items.n && !error; i++) {
		const struct document_node *item = items.nodes[i];

		error = check_scalar(r, key, item);
		if (error)
			return error;
		if (decimal_parse(item->text, 0, &metric->bounds[i]))
			return COMPLAIN(r, item->place,
			    "the bucket \"%.40s\" is no number; write digits, "
			    "such as 0.25; the infinite one is always there",
			    item->text.data);
		if (i &&
		    decimal_compare(metric->bounds[i - 1], metric->bounds[i]) >=
			0)
			return COMPLAIN(r, item->place,
			    "the bucket %.40s is not above the one before it; "
			    "write them in rising order",
			    item->text.data);
	}
	return error;
}

static int
metric_max_series(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_metric *metric = target;

	return read_series(r, key, node, &metric->max_series);
}

static const struct key metric_keys[] = {
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

	metric->bounds = array_of(N(seconds), sizeof(*metric->bounds));
	if (!metric->bounds)
		return -ENOMEM;
	memcpy(metric->bounds, seconds, sizeof(seconds));
	metric->n_bounds = N(seconds);
	return 0;
}

static int
complete_metric(struct reader *r, const struct document_node *node,
    struct config_metric *metric)
{
	int error = 0;

	if (!metric->name)
		return COMPLAIN(r, node->place,
		    "the metric has no name; write name: requests_total");
	if (metric->type != REGISTRY_COUNTER && !metric->value)
		return COMPLAIN(r, metric->place,
		    "a %s needs a value; write value: FIELD, such as "
		    "request_time",
		    metric->type == REGISTRY_GAUGE ? "gauge" : "histogram");
	if (metric->type != REGISTRY_HISTOGRAM && metric->n_bounds)
		return COMPLAIN(r, metric->place,
		    "only histograms have buckets; write type: histogram, or "
		    "leave them out");
	if (metric->type == REGISTRY_HISTOGRAM && !metric->n_bounds) {
		if (fields_kind_of(str_from(metric->value)) == FIELDS_COUNT)
			return COMPLAIN(r, metric->place,
			    "a histogram of bytes needs buckets; write them, "
			    "such as buckets: [1000, 100000, 10000000]");
		error = default_buckets(metric);
	}
	if (!error && !metric->help)
		error = default_help(metric);
	return error;
}

static int
config_metrics(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;
	struct items items;
	size_t i;
	int error = list_items(r, key, node, false, BOUNDS_CONFIG_METRICS,
	    &items);

	if (error)
		return error;
	c->metrics = array_of(items.n, sizeof(*c->metrics));
	if (!c->metrics)
		return -ENOMEM;
	c->n_metrics = items.n;
	for (i = 0; i < items.n && !error; i++) {
		error = read_mapping(r, key, items.nodes[i], metric_keys,
		    N(metric_keys), &c->metrics[i]);
		if (!error)
			error = complete_metric(r, items.nodes[i],
			    &c->metrics[i]);
	}
	return error;
}

/* Sources */

static int
source_name(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;

	source->place = node->place;
	return read_some_text(r, key, node, &source->name);
}

static int
source_paths(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;

	return read_texts(r, key, node, BOUNDS_SOURCES, &source->n_paths,
	    &source->paths);
}

static int
source_exclude(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;

	return read_texts(r, key, node, BOUNDS_SOURCES, &source->n_excludes,
	    &source->excludes);
}

static int
source_format(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;
	struct items items;
	size_t i;
	int error = list_items(r, key, node, true, BOUNDS_CONFIG_FORMATS,
	    &items);

	if (!error && !items.n)
		error = COMPLAIN(r, node->place, "%s is empty; write %s",
		    key->name, key->expected);
	if (error)
		return error;
	source->format_places = array_of(items.n,
	    sizeof(*source->format_places));
	if (!source->format_places)
		return -ENOMEM;
	error = read_texts(r, key, node, BOUNDS_CONFIG_FORMATS,
	    &source->n_formats, &source->formats);
	for (i = 0; i < items.n && !error; i++) {
		source->format_places[i] = items.nodes[i]->place;
		if (items.n > 1 && !strcmp(source->formats[i], "auto"))
			error = COMPLAIN(r, items.nodes[i]->place,
			    "auto stands alone; write format: auto, or the "
			    "formats without it");
	}
	return error;
}

static int
source_labels(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;
	size_t i;
	int error;

	if (node->kind != DOCUMENT_MAPPING)
		return refuse_kind(r, key, node);
	if (node->n > BOUNDS_LABELS)
		return COMPLAIN(r, node->items[2 * BOUNDS_LABELS]->place,
		    "more than %d in %s; write fewer", BOUNDS_LABELS,
		    key->name);
	error = count(r, node, node->n);
	if (error)
		return error;
	source->labels = array_of(node->n, sizeof(*source->labels));
	if (!source->labels)
		return -ENOMEM;
	source->n_labels = node->n;
	for (i = 0; i < node->n && !error; i++) {
		const struct document_node *name = node->items[2 * i];
		struct config_pair *pair = &source->labels[i];

		pair->place = name->place;
		error = check_label_name(r, name);
		if (!error)
			error = copy(name->text, &pair->name);
		if (!error)
			error = read_some_text(r, key, node->items[2 * i + 1],
			    &pair->value);
	}
	return error;
}

static int
source_drop(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;

	return read_rules(r, key, node, true, &source->n_drops, &source->drops);
}

static const struct key source_keys[] = {
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
complete_source(struct reader *r, const struct document_node *node,
    struct config_source *source)
{
	int error = 0;

	if (!source->place.line)
		source->place = node->place;
	if (!source->n_paths)
		return COMPLAIN(r, node->place,
		    "the source has no paths; write paths: "
		    "[/var/log/nginx/access.log]");
	if (!source->name)
		error = copy(str_from(source->paths[0]), &source->name);
	if (error || source->n_formats)
		return error;
	source->formats = array_of(1, sizeof(*source->formats));
	source->format_places = array_of(1, sizeof(*source->format_places));
	if (!source->formats || !source->format_places)
		return -ENOMEM;
	source->n_formats = 1;
	source->format_places[0] = source->place;
	source->format_places[0].verbatim = false;
	return copy(STR("auto"), &source->formats[0]);
}

static int
config_sources(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;
	struct items items;
	size_t i;
	int error = list_items(r, key, node, false, BOUNDS_SOURCES, &items);

	if (error)
		return error;
	c->sources = array_of(items.n, sizeof(*c->sources));
	if (!c->sources)
		return -ENOMEM;
	c->n_sources = items.n;
	for (i = 0; i < items.n && !error; i++) {
		error = read_mapping(r, key, items.nodes[i], source_keys,
		    N(source_keys), &c->sources[i]);
		if (!error)
			error = complete_source(r, items.nodes[i],
			    &c->sources[i]);
	}
	return error;
}

/* The whole */

static int
limit_series(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return read_series(r, key, node, &c->max_series);
}

static int
limit_label_bytes(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return read_label_bytes(r, key, node, &c->max_label_bytes);
}

static const struct key limit_keys[] = {
	{ "series", "a number, such as 100000", limit_series },
	{ "label_bytes", "a number of bytes, such as 128", limit_label_bytes },
};

static int
config_limits(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	return read_mapping(r, key, node, limit_keys, N(limit_keys), target);
}

static int
config_namespace(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return read_namespace(r, key, node, &c->name_space);
}

static int
config_default_metrics(struct reader *r, const struct key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return read_bool(r, key, node, &c->default_metrics);
}

static const struct key config_keys[] = {
	{ "namespace", "a word such as accesslog, or '' for none",
	    config_namespace },
	{ "default_metrics", "true or false", config_default_metrics },
	{ "limits", "a mapping such as { series: 1000 }", config_limits },
	{ "sources", "a list; each item begins with \"- \" and has paths",
	    config_sources },
	{ "metrics", "a list; each item begins with \"- \" and has a name",
	    config_metrics },
};

static const struct key whole = { "the file",
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
check_metric_names(struct reader *r, const struct config *c, size_t nth)
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
		return COMPLAIN(r, metric->place,
		    "%.100s: names that begin with accesslog_exporter_ or "
		    "process_ are taken; write another",
		    metric->name);
	for (i = 0; i < nth; i++) {
		const struct config_metric *other = &c->metrics[i];
		struct str its = str_from(other->name);

		if (is_sample_of(name, its, other->type) ||
		    is_sample_of(its, name, metric->type))
			return COMPLAIN(r, metric->place,
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
			return COMPLAIN(r, metric->place,
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
check_source_label(struct reader *r, const struct config *c,
    const struct config_pair *pair)
{
	size_t i, j;

	if (c->default_metrics && !strcmp(pair->name, "status"))
		return COMPLAIN(r, pair->place,
		    "the default metrics have the label status; write another "
		    "name, or default_metrics: false");
	for (i = 0; i < c->n_metrics; i++) {
		const struct config_metric *metric = &c->metrics[i];

		for (j = 0; j < metric->n_labels; j++) {
			if (!strcmp(metric->labels[j].name, pair->name))
				return COMPLAIN(r, pair->place,
				    "%.80s has the label %.80s; write another "
				    "name",
				    metric->name, pair->name);
		}
	}
	return 0;
}

static int
check_source_labels(struct reader *r, const struct config *c)
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
				return COMPLAIN(r, pair->place,
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
check_source_names(struct reader *r, const struct config *c)
{
	const struct config_source **sorted = array_of(c->n_sources,
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
			error = COMPLAIN(r, sorted[i]->place,
			    "another source is named %.100s; write a name of "
			    "its own",
			    sorted[i]->name);
	}
	free(sorted);
	return error;
}

static int
complete(struct reader *r, struct config *c)
{
	size_t i, j;
	int error = 0;

	if (!c->name_space)
		error = copy(str_from(DEFAULT_NAMESPACE), &c->name_space);
	if (!c->max_series)
		c->max_series = BOUNDS_SERIES;
	if (!c->max_label_bytes)
		c->max_label_bytes = BOUNDS_LABEL_VALUE_BYTES;
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

int
config_parse(struct str text, struct config **ret_config,
    struct config_error *reterr)
{
	struct reader r = { .reterr = reterr };
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
	c->default_metrics = true;
	if (!document.root)
		error = config_error_set(reterr, 1, 1,
		    "there is nothing in the file; write %s", whole.expected);
	else
		error = read_mapping(&r, &whole, document.root, config_keys,
		    N(config_keys), c);
	if (!error)
		error = complete(&r, c);
	if (!error && !c->default_metrics && !c->n_metrics)
		error = config_error_set(reterr, document.root->place.line,
		    document.root->place.column,
		    "there is no metric; write metrics, or default_metrics: "
		    "true");
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
