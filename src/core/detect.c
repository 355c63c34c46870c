#include "accesslog/detect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/bounds.h"
#include "accesslog/entry.h"
#include "accesslog/fields.h"
#include "accesslog/lines.h"
#include "accesslog/parser.h"

struct candidate {
	struct parser *parser; /* of all fields, to the end of the line */
	size_t n_fields;
	size_t time_slot; /* of request_time; BOUNDS_FIELDS: none, or by name */
	bool has_time_unit;
	size_t points;
	size_t n_values; /* found in all lines together */
	size_t n_fit;
	size_t n_whole;
};

struct detect {
	size_t n;
	struct candidate *candidates;
};

static int
candidate_init(struct candidate *c, const struct format *format,
    struct config_error *reterr)
{
	struct fields all = { 0 };
	size_t i;

	c->time_slot = BOUNDS_FIELDS;
	for (i = 0; i < format->n_items; i++) {
		const struct format_item *item = &format->items[i];
		size_t slot;

		if (item->kind != FORMAT_OPEN)
			continue;
		slot = fields_add(&all, item->text);
		if (format->kind == FORMAT_TEXT &&
		    fields_kind_of(item->text) == FIELDS_SECONDS) {
			c->time_slot = slot;
			c->has_time_unit = item->shift > 0;
		}
	}
	c->n_fields = all.n;
	return parser_create(format, &all, true, &c->parser, reterr);
}

int
detect_create(const struct format *const formats[], size_t n_formats,
    struct detect **ret_detect, struct config_error *reterr)
{
	struct detect *d = calloc(1, sizeof(*d));
	size_t i;
	int error = -ENOMEM;

	if (!d)
		return -ENOMEM;
	d->candidates = calloc(n_formats + 1, sizeof(*d->candidates));
	if (!d->candidates)
		goto destroy;
	d->n = n_formats;
	for (i = 0; i < n_formats; i++) {
		error = candidate_init(&d->candidates[i], formats[i], reterr);
		if (error)
			goto destroy;
	}
	*ret_detect = d;
	return 0;

destroy:
	detect_destroy(d);
	return error;
}

void
detect_destroy(struct detect *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < d->n; i++)
		parser_destroy(d->candidates[i].parser);
	free(d->candidates);
	free(d);
}

static size_t
digits_end(struct str text, size_t i)
{
	while (i < text.len && text.data[i] >= '0' && text.data[i] <= '9')
		i++;
	return i;
}

/*
 * Whether the next column is a number, with a fraction or without: an address
 * or an identifier that begins with digits is none, and "-" of a header may be.
 */
static bool
is_number_next(struct str rest)
{
	size_t i, end;

	if (!rest.len || rest.data[0] != ' ')
		return false;
	i = digits_end(rest, 1);
	if (i == 1)
		return false;
	if (i < rest.len && rest.data[i] == '.') {
		end = digits_end(rest, i + 1);
		if (end == i + 1)
			return false;
		i = end;
	}
	/* nginx' lists of times: "0.001, 0.002" */
	return i == rest.len || rest.data[i] == ' ' || rest.data[i] == ',';
}

/*
 * Whether a number is a time by its place alone, and could be bytes as well:
 * an integer where seconds have a fraction, or where the format ends and
 * another number follows.
 */
static bool
is_time_doubtful(const struct candidate *c, const struct entry *e,
    struct str line)
{
	struct str time, rest;

	if (c->time_slot == BOUNDS_FIELDS ||
	    !(e->has_number & ENTRY_BIT(c->time_slot)))
		return false;
	time = e->text[c->time_slot];
	if (memchr(time.data, '.', time.len))
		return false;
	if (!c->has_time_unit)
		return true;
	rest = str_after(line, (size_t)(time.data + time.len - line.data));
	return c->time_slot + 1 == c->n_fields && is_number_next(rest);
}

static void
judge(struct candidate *c, struct str line)
{
	const struct entry *entry;
	bool whole, doubtful;
	size_t i;

	if (parser_parse(c->parser, line, &entry, &whole) != PARSER_PARSED)
		return;
	/* Any word fits where a number may stand; it must be one. */
	doubtful = entry->errors || is_time_doubtful(c, entry, line);
	whole = whole && !doubtful;
	c->n_fit++;
	c->n_whole += whole;
	c->points += whole ? 3 : doubtful ? 1 : 2;
	for (i = 0; i < c->n_fields; i++)
		c->n_values += entry->text[i].data != NULL;
}

static bool
is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->points != b->points)
		return a->points > b->points;
	if (a->n_values != b->n_values)
		return a->n_values > b->n_values;
	return a->n_fields > b->n_fields;
}

struct detect_choice
detect_choose(struct detect *d, struct str window, bool final)
{
	struct detect_choice choice = { .format = DETECT_NONE };
	const struct candidate *best = NULL;
	struct lines lines;
	struct str line;
	size_t i;

	for (i = 0; i < d->n; i++)
		d->candidates[i].points = d->candidates[i].n_fit =
		    d->candidates[i].n_whole = d->candidates[i].n_values = 0;
	if (window.len > BOUNDS_DETECT_BYTES) {
		window.len = BOUNDS_DETECT_BYTES;
		final = false;
	}

	lines_init(&lines, true);
	while (choice.n_lines < BOUNDS_DETECT_LINES) {
		enum lines_result result = lines_next(&lines, &window, final,
		    &line);

		if (result == LINES_MORE)
			break;
		if (result == LINES_TOO_LONG || !line.len)
			continue;
		choice.n_lines++;
		for (i = 0; i < d->n; i++)
			judge(&d->candidates[i], line);
	}

	for (i = 0; i < d->n; i++) {
		const struct candidate *c = &d->candidates[i];

		if (!c->points || (best && !is_better(c, best)))
			continue;
		best = c;
		choice.format = i;
		choice.n_fit = c->n_fit;
		choice.certain = c->n_whole * 2 >= choice.n_lines;
	}
	return choice;
}

size_t
detect_points(const struct detect *d, size_t format)
{
	return d->candidates[format].points;
}
