#include "format_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/fields.h"
#include "accesslog/spelling.h"

int
format_build_add(struct format_build *b, enum format_item_kind kind,
    unsigned depth, unsigned shift, size_t column, struct str text)
{
	struct format *f = b->format;
	struct format_item *last = f->n_items ? &f->items[f->n_items - 1]
					      : NULL;
	struct format_item *items;
	const char *copy = buf_reserve(&f->text, text.len);

	if (!copy)
		return buf_status(&f->text) == -ENOMEM
		    ? -ENOMEM
		    : config_error_set(b->reterr, 0, column,
			  "the format is longer than %u bytes with all its "
			  "%%{NAME} written out; write a shorter one",
			  BOUNDS_FORMAT_EXPANDED_BYTES);
	buf_add(&f->text, text);

	if (last && last->kind == kind && last->depth == depth &&
	    (kind == FORMAT_LITERAL || kind == FORMAT_REGEX)) {
		last->text.len += text.len; /* adjacent in f->text */
		return 0;
	}

	if (f->n_items == BOUNDS_FORMAT_ITEMS)
		return config_error_set(b->reterr, 0, column,
		    "the format has more than %d pieces; write a shorter one",
		    BOUNDS_FORMAT_ITEMS);
	if (f->n_items == b->capacity) {
		size_t capacity = b->capacity ? b->capacity * 2 : 64;

		items = reallocarray(f->items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		f->items = items;
		b->capacity = capacity;
	}
	f->items[f->n_items++] = (struct format_item){ .kind = kind,
		.depth = depth,
		.shift = shift,
		.column = column,
		.text = str_of(copy, text.len) };
	return 0;
}

int
format_build_open(struct format_build *b, bool is_field, unsigned shift,
    size_t column, struct str head)
{
	int error;

	if (b->depth == BOUNDS_FORMAT_DEPTH)
		return config_error_set(b->reterr, 0, column,
		    "more than %d groups inside one another; write fewer",
		    BOUNDS_FORMAT_DEPTH);
	error = format_build_add(b, is_field ? FORMAT_OPEN : FORMAT_REGEX,
	    b->depth, shift, column, head);
	if (error)
		return error;
	b->is_field[b->depth++] = is_field;
	return 0;
}

int
format_build_close(struct format_build *b, size_t column, struct str tail)
{
	unsigned inner = b->depth--;

	if (b->is_field[b->depth])
		return format_build_add(b, FORMAT_CLOSE, inner, 0, column,
		    STR(""));
	return format_build_add(b, FORMAT_REGEX, inner, 0, column, tail);
}

/* A field of any other name may be a time that a metric has as its value. */
static bool
has_unit(struct str field)
{
	switch (fields_kind_of(field)) {
	case FIELDS_SECONDS:
	case FIELDS_SECONDS_LIST:
	case FIELDS_TEXT:
		return true;
	case FIELDS_STATUS:
	case FIELDS_COUNT:
	case FIELDS_TIME:
		break;
	}
	return false;
}

int
format_build_read_unit(struct str field, struct str unit, size_t column,
    const char *otherwise, unsigned *ret_shift, struct config_error *reterr)
{
	static const char *const units[] = { "s", "ms", "us", "ns" };
	unsigned i;

	for (i = 0; i < 4; i++) {
		if (!str_equal(unit, str_from(units[i])))
			continue;
		if (!has_unit(field))
			return config_error_set(reterr, 0, column,
			    "%.*s is not a time and has no unit; leave \":%s\" "
			    "out%s",
			    STR_ARGS(field), units[i], otherwise);
		*ret_shift = 3 * i;
		return 0;
	}
	return config_error_set(reterr, 0, column,
	    "\"%.*s\" is not a unit; write s, ms, us or ns%s", STR_ARGS(unit),
	    otherwise);
}

/* A third of its letters may be wrong; request_time is no request. */
static const char *
misspelt(struct str field)
{
	static const char *const names[] = { "request", "status",
		"body_bytes_sent", "bytes_sent" };
	const char *near = spelling_nearest(field, names, 4);

	return near &&
		spelling_distance(field, str_from(near)) <= strlen(near) / 3
	    ? near
	    : NULL;
}

int
format_build_refuse_misspelt(const struct format *f,
    struct config_error *reterr)
{
	size_t i;

	for (i = 0; i < f->n_items; i++) {
		const struct format_item *item = &f->items[i];
		const char *near = item->kind == FORMAT_OPEN
		    ? misspelt(item->text)
		    : NULL;

		if (near)
			return config_error_set(reterr, 0, item->column,
			    "the format has none of the fields request, status "
			    "and body_bytes_sent; write %s in place of %.*s",
			    near, STR_ARGS(item->text));
	}
	return 0;
}
