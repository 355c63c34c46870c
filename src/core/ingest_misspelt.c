#include "accesslog/ingest_misspelt.h"

#include <assert.h>
#include <errno.h>

#include "accesslog/entry.h"
#include "accesslog/format.h"
#include "accesslog/parser.h"
#include "accesslog/spelling.h"
#include "ingest_parts.h"

/* Shorter names are near to too many others, as host is to vhost. */
#define LEAST_BYTES 5

struct visit {
	const struct ingest *ingest;
	const struct config *config;
	ingest_misspelt_fn tell;
	void *arg;
};

static bool
is_known(struct str name)
{
	const char *near = fields_nearest(name);

	return near && str_equal(str_from(near), name);
}

static bool
is_slip_of(struct str name, struct str meant)
{
	return meant.len >= LEAST_BYTES && spelling_distance(name, meant) == 1;
}

/*
 * The field that is used, and not among these, of which name is a slip, or that
 * a request would give, if it is a slip of that; without data where there is
 * none.
 */
static struct str
meant(const struct fields *used, uint64_t fields, struct str name)
{
	bool is_request = is_slip_of(name, STR("request"));
	size_t slot;

	if (fields_find(used, name) != FIELDS_NO_SLOT || is_known(name))
		return (struct str){ 0 };
	for (slot = 0; slot < used->n; slot++) {
		struct str field = used->names[slot];

		if (fields & ENTRY_BIT(slot))
			continue;
		if (is_slip_of(name, field))
			return field;
		if (is_request && parser_derives(field, STR("request")))
			return STR("request");
	}
	return (struct str){ 0 };
}

/*
 * Whether format k of source j stands where one before it does: an alias, or
 * on the command line, where all of them are one.
 */
static bool
was_seen_before(const struct visit *v, size_t j, size_t k)
{
	const struct config_source *sources = v->config->sources;
	const struct config_place *place = &sources[j].format_places[k];
	size_t m, n;

	for (m = 0; m <= j; m++) {
		for (n = 0; n < (m < j ? sources[m].n_formats : k); n++) {
			const struct config_place *other =
			    &sources[m].format_places[n];

			if (other->line == place->line &&
			    other->column == place->column)
				return true;
		}
	}
	return false;
}

/* Tells of it wherever format i stands in the configuration. */
static void
tell_places(const struct visit *v, size_t i, const struct config_error *what)
{
	size_t j, k;

	for (j = 0; j < v->ingest->n_sources; j++) {
		const struct ingest_source *s = v->ingest->sources[j];

		for (k = 0; k < s->n_formats; k++) {
			struct config_error misspelt = *what;
			const struct config_place *place =
			    &v->config->sources[j].format_places[k];

			if (s->formats[k] != i || was_seen_before(v, j, k))
				continue;
			if (place->line)
				config_error_locate(&misspelt, *place);
			v->tell(v->arg, &misspelt);
		}
	}
}

static int
look_at(const struct visit *v, size_t i)
{
	const struct ingest_format *given = &v->ingest->formats[i];
	struct config_error what;
	struct format *format;
	size_t j;
	int error = format_create(str_from(given->name), &format, &what);

	assert(error != -EINVAL); /* it was created before */
	if (error)
		return error;
	for (j = 0; j < format->n_items; j++) {
		const struct format_item *item = &format->items[j];
		struct str near;

		if (item->kind != FORMAT_OPEN)
			continue;
		near = meant(&v->ingest->fields, given->fields, item->text);
		if (!near.data)
			continue;
		(void)config_error_set(&what, 0, item->column,
		    "the format has the field %.*s, which nothing uses, and "
		    "lacks %.*s; write %.*s if that is meant",
		    STR_ARGS(item->text), STR_ARGS(near), STR_ARGS(near));
		tell_places(v, i, &what);
	}
	format_destroy(format);
	return 0;
}

int
ingest_misspelt_visit(const struct ingest *in, const struct config *config,
    ingest_misspelt_fn tell, void *arg)
{
	const struct visit v = { in, config, tell, arg };
	size_t i;
	int error = 0;

	assert(in->n_sources == config->n_sources);
	for (i = in->n_shipped; i < in->n_formats && !error; i++)
		error = look_at(&v, i);
	return error;
}
