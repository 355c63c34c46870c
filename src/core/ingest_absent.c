#include "accesslog/ingest_absent.h"

#include <assert.h>

#include "accesslog/entry.h"
#include "ingest_parts.h"

struct visit {
	const struct ingest *ingest;
	ingest_absent_fn tell;
	void *arg;
};

/* The fields that lines of a source can have, as bits of slots. */
static uint64_t
fields_of(const struct ingest_source *s)
{
	const struct ingest *in = s->ingest;
	uint64_t fields = 0;
	size_t i;

	for (i = 0; i < s->n_formats; i++)
		fields |= in->formats[s->formats[i]].fields;
	for (i = 0; !s->n_formats && i < in->n_shipped; i++)
		fields |= in->formats[i].fields;
	return fields;
}

static void
look_at(const struct visit *v, uint64_t fields, const char *formats,
    const char *name, struct config_place place)
{
	size_t slot = fields_find(&v->ingest->fields, str_from(name));
	struct config_error absent;
	const char *near;

	assert(slot != FIELDS_NO_SLOT);
	if (fields & ENTRY_BIT(slot))
		return;
	near = fields_nearest(str_from(name));
	if (!near || str_equal(str_from(near), str_from(name)))
		near = "one that explain shows";
	(void)config_error_set(&absent, place.line, place.column,
	    "%s has the field %.100s, which stays empty; write %s, or a format "
	    "that has it",
	    formats, name, near);
	v->tell(v->arg, &absent);
}

void
ingest_absent_visit(const struct ingest *in, const struct config *config,
    ingest_absent_fn tell, void *arg)
{
	const struct visit v = { in, tell, arg };
	uint64_t of_any = 0;
	size_t i, j;

	for (i = 0; i < in->n_sources; i++)
		of_any |= fields_of(in->sources[i]);
	for (i = 0; i < config->n_metrics && in->n_sources; i++) {
		const struct config_metric *m = &config->metrics[i];

		if (m->value)
			look_at(&v, of_any, "no format of a source", m->value,
			    m->value_place);
		for (j = 0; j < m->n_labels; j++)
			look_at(&v, of_any, "no format of a source",
			    m->labels[j].from, m->labels[j].place);
	}
	assert(in->n_sources == config->n_sources);
	for (i = 0; i < config->n_sources; i++) {
		const struct config_source *s = &config->sources[i];
		uint64_t fields = fields_of(in->sources[i]);

		for (j = 0; j < s->n_drops; j++)
			look_at(&v, fields, "no format of this source",
			    s->drops[j].field, s->drops[j].field_place);
	}
}
