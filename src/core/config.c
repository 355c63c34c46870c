#include "accesslog/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "config_check.h"
#include "config_metric.h"
#include "config_name.h"
#include "config_source.h"

#define DEFAULT_NAMESPACE "accesslog"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int
limit_series(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return schema_read_number(r, key, node, 1, BOUNDS_SERIES,
	    &c->max_series);
}

static int
limit_label_bytes(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return schema_read_number(r, key, node, BOUNDS_LABEL_VALUE_LEAST_BYTES,
	    BOUNDS_LABEL_VALUE_MOST_BYTES, &c->max_label_bytes);
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

	return config_name_read_namespace(r, key, node, &c->name_space);
}

static int
config_default_metrics(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;

	return schema_read_bool(r, key, node, &c->default_metrics);
}

static int
config_sources(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;
	struct schema_items items;
	int error = schema_read_items(r, key, node, false, BOUNDS_SOURCES,
	    sizeof(*c->sources), config_source_read, &items);

	c->n_sources = items.n;
	c->sources = items.first;
	return error;
}

static int
config_metrics(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config *c = target;
	struct schema_items items;
	int error = schema_read_items(r, key, node, false,
	    BOUNDS_CONFIG_METRICS, sizeof(*c->metrics), config_metric_read,
	    &items);

	c->n_metrics = items.n;
	c->metrics = items.first;
	return error;
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
		if (!metric->max_series)
			metric->max_series = c->max_series;
		for (j = 0; j < metric->n_labels; j++) {
			if (!metric->labels[j].max_bytes)
				metric->labels[j].max_bytes =
				    c->max_label_bytes;
		}
	}
	return error ? error : config_check_names(r, c);
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
	struct config *c = calloc(1, sizeof(*c));
	int error = -ENOMEM;

	if (!c)
		return -ENOMEM;
	c->text = malloc(text.len + 1);
	if (!c->text)
		goto destroy_config;
	if (text.len)
		memcpy(c->text, text.data, text.len);
	c->text[text.len] = '\0';
	error = document_parse(str_of(c->text, text.len), &document, reterr);
	if (error)
		goto destroy_config;
	error = read_whole(&r, document.root, c);
	document_release(&document);
	if (error)
		goto destroy_config;
	*ret_config = c;
	return 0;

destroy_config:
	config_destroy(c);
	return error;
}

void
config_clear_sources(struct config *c)
{
	size_t i;

	for (i = 0; i < c->n_sources; i++)
		config_source_release(&c->sources[i]);
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
	int error;

	if (!sources)
		return -ENOMEM;
	c->sources = sources;
	error = config_source_init(&sources[c->n_sources], path, format);
	if (!error)
		c->n_sources++;
	return error;
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
		config_metric_release(&c->metrics[i]);
	free(c->metrics);
	free(c->text);
	free(c);
}
