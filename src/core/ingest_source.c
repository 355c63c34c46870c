#include "ingest_source.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ingest_format.h"

static int
add_series(struct ingest_source *s)
{
	static const struct str results[N_RESULTS] = {
		[RESULT_PARSED] = { "parsed", 6 },
		[RESULT_UNPARSED] = { "unparsed", 8 },
		[RESULT_TOO_LONG] = { "too_long", 8 },
		[RESULT_FILTERED] = { "filtered", 8 },
	};
	static const struct str reasons[LINES_BYTES_N] = {
		[LINES_BYTES_NUL] = { "nul", 3 },
		[LINES_BYTES_BOM] = { "bom", 3 },
		[LINES_BYTES_TOO_LONG] = { "too_long", 8 },
	};
	struct registry_family **family = s->ingest->metrics->family;
	struct str values[2] = { str_from(s->name) };
	size_t i;
	int error;

	error = registry_series(family[METRICS_READ_BYTES], values,
	    &s->read_bytes);
	for (i = 0; i < N_RESULTS && !error; i++) {
		s->lines[i] = INGEST_NO_SERIES;
		if (i == RESULT_FILTERED && !s->n_drops)
			continue;
		values[1] = results[i];
		error = registry_series(family[METRICS_LINES], values,
		    &s->lines[i]);
	}
	for (i = 0; i < LINES_BYTES_N && !error; i++) {
		if (i == LINES_BYTES_READ)
			continue;
		values[1] = reasons[i];
		error = registry_series(family[METRICS_SKIPPED_BYTES], values,
		    &s->skipped[i]);
	}
	s->last_line = INGEST_NO_SERIES;
	s->json_repairs = INGEST_NO_SERIES;
	memset(s->errors, 0xFF, sizeof(s->errors));
	return error;
}

/* A mistake at a column of a text that itself stands at place. */
static void
move_error(const struct config_place *place, struct config_error *reterr)
{
	if (!place || !place->line)
		return;
	reterr->line = place->line;
	reterr->column = place->column +
	    (reterr->column ? reterr->column - 1 : 0);
}

static int
add_formats(struct ingest_source *s, const struct config_source *spec,
    struct config_error *reterr)
{
	size_t i;

	s->formats = calloc(spec->n_formats + 1, sizeof(*s->formats));
	if (!s->formats)
		return -ENOMEM;
	if (spec->n_formats == 1 && !strcmp(spec->formats[0], "auto"))
		return 0;
	for (i = 0; i < spec->n_formats; i++) {
		int error;

		if (!strcmp(spec->formats[i], "auto"))
			error = config_error_set(reterr, 0, 0,
			    "auto chooses among all formats by itself; write "
			    "it alone, or name the formats of the list");
		else
			error = ingest_format_choose(s->ingest,
			    str_from(spec->formats[i]), &s->formats[i], reterr);
		if (error == -EINVAL)
			move_error(spec->format_places ? &spec->format_places[i]
						       : NULL,
			    reterr);
		if (error)
			return error;
		s->n_formats++;
	}
	return 0;
}

static int
add_drops(struct ingest_source *s, const struct config_source *spec,
    struct config_error *reterr)
{
	size_t i;

	s->drops = calloc(spec->n_drops + 1, sizeof(*s->drops));
	if (!s->drops)
		return -ENOMEM;
	for (i = 0; i < spec->n_drops; i++) {
		const struct config_rule *rule = &spec->drops[i];
		int error = pattern_rule_create(str_from(rule->regex),
		    (struct str){ 0 }, &s->drops[i].rule, reterr);

		if (error == -EINVAL)
			move_error(&rule->place, reterr);
		if (error)
			return error;
		s->drops[i].slot = fields_find(&s->ingest->fields,
		    str_from(rule->field));
		assert(s->drops[i].slot != FIELDS_NO_SLOT);
		s->n_drops++;
	}
	return 0;
}

static int
init(struct ingest_source *s, const struct config_source *spec,
    struct config_error *reterr)
{
	struct ingest *in = s->ingest;
	int error;

	s->name = strdup(spec->name);
	if (!s->name)
		return -ENOMEM;
	error = add_formats(s, spec, reterr);
	if (!error)
		error = add_drops(s, spec, reterr);
	if (error)
		return error;
	registry_lock(in->metrics->registry);
	error = tally_add_group(in->tally, spec->labels, spec->n_labels,
	    &s->group);
	if (!error)
		error = add_series(s);
	registry_unlock(in->metrics->registry);
	return error;
}

void
ingest_source_destroy(struct ingest_source *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n_drops; i++)
		pattern_rule_destroy(s->drops[i].rule);
	free(s->drops);
	free(s->formats);
	free(s->name);
	free(s);
}

int
ingest_source_create(struct ingest *in, const struct config_source *spec,
    struct ingest_source **ret_source, struct config_error *reterr)
{
	struct ingest_source *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return -ENOMEM;
	s->ingest = in;
	error = init(s, spec, reterr);
	if (error) {
		ingest_source_destroy(s);
		return error;
	}
	*ret_source = s;
	return 0;
}

bool
ingest_source_has_format(const struct ingest_source *source)
{
	return source->n_formats > 0;
}
