#include "config_source.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/endpoint.h"
#include "config_name.h"
#include "config_rule.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

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
		error = config_name_check_label(r, name);
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

	return config_rule_read_all(r, key, node, CONFIG_RULE_DROP,
	    &source->n_drops, &source->drops);
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
	source->format_places[0].block = STR("");
	return schema_copy(STR("auto"), &source->formats[0]);
}

int
config_source_read(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_source *source = target;
	int error = schema_read_mapping(r, key, node, source_keys,
	    N(source_keys), source);

	return error ? error : complete_source(r, node, source);
}

int
config_source_init(struct config_source *source, const char *path,
    const char *format)
{
	struct config_source s = { .n_paths = 1, .n_formats = 1 };

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
		config_source_release(&s);
		return -ENOMEM;
	}
	*source = s;
	return 0;
}

static void
release_texts(char **texts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

void
config_source_release(struct config_source *source)
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
	config_rule_release_all(source->drops, source->n_drops);
}
