#include "config_check.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

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

int
config_check_names(struct schema_reader *r, const struct config *c)
{
	size_t i;
	int error = 0;

	for (i = 0; i < c->n_metrics && !error; i++)
		error = check_metric_names(r, c, i);
	if (!error)
		error = check_source_names(r, c);
	if (!error)
		error = check_source_labels(r, c);
	return error;
}
