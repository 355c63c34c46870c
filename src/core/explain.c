#include "accesslog/explain.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/fields.h"
#include "accesslog/pattern.h"

/* More of a piece than this is not shown. */
#define SHOWN_BYTES 60

/*
 * The most units of the core that fit.  Where so many fit, fewer do as well,
 * so the border is found by halving.
 */
static int
find_border(const struct format *f, struct str line, const size_t *ends,
    size_t n_ends, struct explain *ret)
{
	size_t low = 0, high = n_ends; /* low fit; more than high do not */

	*ret = (struct explain){ 0 };
	while (low < high) {
		size_t middle = high - (high - low) / 2;
		size_t len = 0;
		bool fits;
		int error = pattern_match_prefix(f, ends[middle - 1], line,
		    &fits, &len);

		if (error)
			return error;
		if (!fits) {
			high = middle - 1;
			continue;
		}
		low = middle;
		ret->n_items = ends[middle - 1];
		ret->offset = len;
	}
	return 0;
}

static void
add_shown(struct buf *out, struct str text)
{
	bool is_cut = text.len > SHOWN_BYTES;

	if (is_cut)
		text.len = SHOWN_BYTES;
	buf_add(out, text);
	if (is_cut)
		buf_add_text(out, "...");
}

/* The field that item i belongs to or is followed by; NULL where none is. */
static const struct format_item *
field_at(const struct format *f, size_t i)
{
	size_t end = i < f->n_items ? format_unit_end(f, i) : i;

	for (; i < end; i++) {
		if (f->items[i].kind == FORMAT_OPEN)
			return &f->items[i];
	}
	return NULL;
}

static void
describe_field(const struct format_item *field, struct buf *out)
{
	buf_add(out, field->text);
	switch (fields_kind_of(field->text)) {
	case FIELDS_STATUS:
		buf_add_text(out, ", three digits or -");
		break;
	case FIELDS_COUNT:
		buf_add_text(out, ", digits or -");
		break;
	case FIELDS_SECONDS:
		buf_add_text(out,
		    field->shift ? ", digits or -" : ", seconds or -");
		break;
	case FIELDS_SECONDS_LIST:
		buf_add_text(out, ", seconds, a list of them, or -");
		break;
	case FIELDS_TIME:
		buf_add_text(out, ", a time");
		break;
	case FIELDS_TEXT:
		break;
	}
}

/* Where the field begins that ends with item n_items - 1. */
static int
find_field(const struct format *f, struct str line, size_t n_items,
    size_t *ret_offset)
{
	size_t i = n_items;
	bool fits = false;
	int error = 0;

	do
		i--;
	while (i && f->items[i].depth > 0);
	*ret_offset = 0;
	if (i)
		error = pattern_match_prefix(f, i, line, &fits, ret_offset);
	return error;
}

/*
 * The first byte of the literal that differs counts.  Where the line has none
 * of it, the field before it took all there is: a quote is missing at its end,
 * anything else (a bracket, say) somewhere behind its beginning.
 */
static int
describe_literal(const struct format *f, struct str line, struct explain *e,
    struct buf *out)
{
	struct str literal = f->items[e->n_items].text;
	struct str rest = str_after(line, e->offset);
	const struct format_item *next = field_at(f, e->n_items + 1);
	const struct format_item *last = NULL;
	bool is_after_field = e->n_items &&
	    f->items[e->n_items - 1].kind == FORMAT_CLOSE;
	size_t common = 0;
	size_t i;
	int error = 0;

	if (str_find_char(rest, literal.data[0]) < rest.len) {
		while (common < literal.len && common < rest.len &&
		    literal.data[common] == rest.data[common])
			common++;
		e->offset += common;
	} else if (is_after_field && literal.data[0] == '"') {
		e->offset = line.len;
	} else if (is_after_field && !rest.len) {
		error = find_field(f, line, e->n_items, &e->offset);
	}
	buf_add_char(out, '"');
	add_shown(out, str_after(literal, common));
	buf_add_char(out, '"');
	for (i = 0; i < e->n_items; i++) {
		if (f->items[i].kind == FORMAT_OPEN && f->items[i].depth == 0)
			last = &f->items[i];
	}
	if (is_after_field && last && !common) {
		buf_add_text(out, " after ");
		buf_add(out, last->text);
	} else if (next) {
		buf_add_text(out, " before ");
		buf_add(out, next->text);
	}
	return error;
}

static int
describe(const struct format *f, struct str line, struct explain *e,
    struct buf *out)
{
	const struct format_item *field;

	if (e->n_items == f->n_core) {
		buf_add_text(out,
		    "a line that costs less: this one was given up on");
		return 0;
	}
	if (f->items[e->n_items].kind == FORMAT_LITERAL)
		return describe_literal(f, line, e, out);
	field = field_at(f, e->n_items);
	if (field) {
		describe_field(field, out);
		return 0;
	}
	buf_add_text(out, "what fits ");
	add_shown(out, f->items[e->n_items].text);
	return 0;
}

int
explain_line(const struct format *format, struct str line, struct explain *ret,
    struct buf *expected)
{
	size_t *ends;
	struct explain e;
	size_t n_ends = 0;
	size_t i = 0;
	int error;

	/* What is no object of JSON is none from its first byte on. */
	if (format->kind == FORMAT_JSON) {
		*ret = (struct explain){ 0 };
		buf_add_text(expected, "an object of JSON with a status");
		return buf_status(expected);
	}
	ends = calloc(format->n_core, sizeof(*ends));
	if (!ends)
		return -ENOMEM;
	while (i < format->n_core) {
		i = format_unit_end(format, i);
		ends[n_ends++] = i;
	}
	error = find_border(format, line, ends, n_ends, &e);
	free(ends);
	if (error)
		return error;
	error = describe(format, line, &e, expected);
	if (!error)
		error = buf_status(expected);
	if (!error)
		*ret = e;
	return error;
}
