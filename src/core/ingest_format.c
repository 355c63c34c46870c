#include "ingest_format.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/entry.h"
#include "accesslog/format.h"
#include "accesslog/patterns.h"

int
ingest_format_refuse(const struct config_place *place, const char *field,
    struct config_error *reterr)
{
	return config_error_set(reterr, place ? place->line : 0,
	    place ? place->column : 0,
	    "there is no room for the field %s: metrics and rules together may "
	    "use %d",
	    field, BOUNDS_FIELDS);
}

void
ingest_format_release(struct ingest_format *f)
{
	parser_destroy(f->parser);
	tally_plan_destroy(f->plan);
	free(f->name);
}

static void
plan_times(const struct ingest *in, struct ingest_format *f)
{
	size_t i;

	for (i = 0; i < 3; i++) {
		assert(in->time_slot[i] < BOUNDS_FIELDS);
		if (f->fields & ENTRY_BIT(in->time_slot[i]))
			f->times[f->n_times++] = in->time_slot[i];
	}
}

/* Makes f, already parsed, one of the formats; copies name. */
static int
add_format(struct ingest *in, struct str name, const struct format *format,
    struct config_error *reterr)
{
	struct ingest_format *formats, *f;
	int error;

	formats = reallocarray(in->formats, in->n_formats + 1,
	    sizeof(*formats));
	if (!formats)
		return -ENOMEM;
	in->formats = formats;
	f = &formats[in->n_formats];
	*f = (struct ingest_format){ .name = strndup(name.data, name.len),
		.is_json = format->kind == FORMAT_JSON };
	if (!f->name)
		return -ENOMEM;
	error = parser_create(format, &in->fields, false, &f->parser, reterr);
	if (!error) {
		f->fields = parser_fields(f->parser);
		plan_times(in, f);
		error = tally_plan_create(in->tally, f->fields, &f->plan);
	}
	if (error == -ENOSPC)
		error = ingest_format_refuse(NULL, "request", reterr);
	if (error) {
		ingest_format_release(f);
		return error;
	}
	in->n_formats++;
	return 0;
}

int
ingest_format_add_shipped(struct ingest *in, struct config_error *reterr)
{
	size_t n_rows, i, n = 0;
	const struct patterns_row *rows = patterns_all(&n_rows);
	struct format **formats = calloc(n_rows, sizeof(*formats));
	int error = formats ? 0 : -ENOMEM;

	for (i = 0; i < n_rows && !error; i++) {
		struct str name = str_from(rows[i].name);

		if (rows[i].kind != PATTERNS_FORMAT)
			continue;
		error = format_create(name, &formats[n], reterr);
		if (!error)
			error = add_format(in, name, formats[n++], reterr);
	}
	if (!error)
		error = detect_create((const struct format *const *)formats, n,
		    &in->detect, reterr);
	in->n_shipped = n;
	for (i = 0; i < n; i++)
		format_destroy(formats[i]);
	free(formats);
	return error;
}

int
ingest_format_choose(struct ingest *in, struct str text, size_t *ret_format,
    struct config_error *reterr)
{
	struct format *format;
	size_t i;
	int error;

	for (i = 0; i < in->n_formats; i++) {
		if (str_equal(text, str_from(in->formats[i].name))) {
			*ret_format = i;
			return 0;
		}
	}
	error = format_create(text, &format, reterr);
	if (error)
		return error;
	error = add_format(in, text, format, reterr);
	if (!error)
		*ret_format = in->n_formats - 1;
	format_destroy(format);
	return error;
}
