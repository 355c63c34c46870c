#include "accesslog/format_json.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/fields.h"
#include "accesslog/patterns.h"
#include "format_build.h"

#define ITEMS_A_FIELD 3

/* What `json` alone stands for. */
#define ALONE STR("nginx_json")

struct reader {
	struct str text;
	size_t pos;
	struct config_error *reterr;
};

/* One "field=path:unit". */
struct mapping {
	struct str field;
	struct str path;
	unsigned shift;
	size_t column; /* of the field */
};

bool
format_json_is(struct str text)
{
	return str_equal(text, STR("json")) ||
	    str_starts_with(text, STR("json:"));
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/* From behind the "=". */
static int
read_path(struct reader *r, struct mapping *m)
{
	const char *data = r->text.data;
	size_t start = r->pos;
	size_t end = start;
	size_t unit;
	bool quoted = start < r->text.len && data[start] == '"';

	if (quoted) {
		start++;
		end = start + str_find_char(str_after(r->text, start), '"');
		if (end == r->text.len)
			return config_error_set(r->reterr, 0, start,
			    "a quote that is never closed; write it behind the "
			    "path");
	} else {
		while (end < r->text.len && !blank(data[end]) &&
		    (end == start || data[end] != ':'))
			end++;
	}
	m->path = str_of(data + start, end - start);
	if (!m->path.len)
		return config_error_set(r->reterr, 0, r->pos + 1,
		    "%.*s has no path; write %.*s=KEY", STR_ARGS(m->field),
		    STR_ARGS(m->field));
	r->pos = end + quoted;
	if (r->pos == r->text.len || blank(data[r->pos]))
		return 0;
	if (data[r->pos] != ':')
		return config_error_set(r->reterr, 0, r->pos + 1,
		    "write a blank behind the quoted path");
	unit = ++r->pos;
	while (r->pos < r->text.len && !blank(data[r->pos]))
		r->pos++;
	return format_build_read_unit(m->field,
	    str_of(data + unit, r->pos - unit), unit + 1,
	    ", or write the path in quotes", &m->shift, r->reterr);
}

/* Returns 0 with ret->field.len == 0 at the end of the text. */
static int
read_mapping(struct reader *r, struct mapping *ret_mapping)
{
	struct mapping m = { 0 };
	struct str rest;

	while (r->pos < r->text.len && blank(r->text.data[r->pos]))
		r->pos++;
	rest = str_after(r->text, r->pos);
	m.column = r->pos + 1;
	if (rest.len) {
		size_t len = 0;
		int error;

		while (len < rest.len && !blank(rest.data[len]) &&
		    rest.data[len] != '=')
			len++;
		m.field = str_of(rest.data, len);
		if (!fields_name_valid(m.field))
			return config_error_set(r->reterr, 0, m.column,
			    "\"%.*s\" is not a field; write FIELD=KEY, such as "
			    "status=response.code",
			    (int)(len < 40 ? len : 40), rest.data);
		if (len == rest.len || rest.data[len] != '=')
			return config_error_set(r->reterr, 0, m.column + len,
			    "%.*s has no path; write %.*s=KEY",
			    STR_ARGS(m.field), STR_ARGS(m.field));
		r->pos += len + 1;
		error = read_path(r, &m);
		if (error)
			return error;
	}
	*ret_mapping = m;
	return 0;
}

static int
build(struct format *f, struct config_error *reterr)
{
	struct reader r = { .text = buf_str(&f->text),
		.pos = STR("json:").len,
		.reterr = reterr };
	bool has_core = false;
	int error;

	for (;;) {
		struct format_item *item = f->items + f->n_items;
		struct mapping m = { 0 };

		error = read_mapping(&r, &m);
		if (error)
			return error;
		if (!m.field.len)
			break;
		if (f->n_items == BOUNDS_JSON_PATHS * ITEMS_A_FIELD)
			return config_error_set(reterr, 0, m.column,
			    "more than %d paths; leave out what no metric uses",
			    BOUNDS_JSON_PATHS);
		item[0] = (struct format_item){ FORMAT_OPEN, 1, m.shift,
			m.column, m.field };
		item[1] = (struct format_item){ FORMAT_LITERAL, 1, 0, m.column,
			m.path };
		item[2] = (struct format_item){ FORMAT_CLOSE, 0, 0, m.column,
			STR("") };
		f->n_items += ITEMS_A_FIELD;
		has_core |= format_json_is_core(m.field);
	}
	f->n_core = f->n_items;
	if (has_core)
		return 0;
	error = format_build_refuse_misspelt(f, reterr);
	return error ? error
		     : config_error_set(reterr, 0, 0,
			   "the format has none of the fields request, status "
			   "and body_bytes_sent; add at least one, as in "
			   "json: status=KEY");
}

const struct patterns_row *
format_json_row(struct str name)
{
	return patterns_find(str_equal(name, STR("json")) ? ALONE : name);
}

int
format_json_create(struct str text, struct format **ret_format,
    struct config_error *reterr)
{
	const struct patterns_row *row = format_json_row(text);
	struct format *f = calloc(1, sizeof(*f));
	int error = -ENOMEM;

	if (!f)
		return -ENOMEM;
	f->kind = FORMAT_JSON;
	buf_init(&f->text, BOUNDS_FORMAT_BYTES);
	buf_add(&f->text, row ? str_from(row->text) : text);
	f->items = calloc(BOUNDS_JSON_PATHS * ITEMS_A_FIELD, sizeof(*f->items));
	if (!buf_status(&f->text) && f->items)
		error = build(f, reterr);
	if (error) {
		format_destroy(f);
		return error;
	}
	*ret_format = f;
	return 0;
}

bool
format_json_is_core(struct str field)
{
	return str_equal(field, STR("request")) ||
	    str_equal(field, STR("status")) ||
	    str_equal(field, STR("body_bytes_sent")) ||
	    str_equal(field, STR("bytes_sent"));
}
