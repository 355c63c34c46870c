#include "accesslog/format.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/fields.h"
#include "accesslog/format_json.h"
#include "accesslog/patterns.h"

/* One format under construction. */
struct builder {
	struct format *format;
	struct config_error *reterr;
	size_t capacity; /* of format->items */
	unsigned depth;
	bool is_field[BOUNDS_FORMAT_DEPTH]; /* what was opened at each depth */
};

/* One text being read: the user's, or a definition it refers to. */
struct reader {
	struct str text;
	size_t pos;
	/* 0 in the user's text; else where the user referred to this one. */
	size_t column;
	unsigned nesting;
};

static int expand(struct builder *b, struct reader *r);

static size_t
column_of(const struct reader *r)
{
	return r->column ? r->column : r->pos + 1;
}

static char
char_at(const struct reader *r, size_t pos)
{
	return pos < r->text.len ? r->text.data[pos] : '\0';
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
alphanumeric(char c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The length of the quantifier at pos, such as "*", "{2,3}" or "+?"; or 0. */
static size_t
quantifier_len(const struct reader *r, size_t pos)
{
	size_t i = pos;

	switch (char_at(r, i)) {
	case '*':
	case '+':
	case '?':
		i++;
		break;
	case '{':
		i++;
		if (!digit(char_at(r, i)))
			return 0;
		while (digit(char_at(r, i)) || char_at(r, i) == ',')
			i++;
		if (char_at(r, i++) != '}')
			return 0;
		break;
	default:
		return 0;
	}
	if (char_at(r, i) == '+' || char_at(r, i) == '?')
		i++;
	return i - pos;
}

/* The end of the class that begins with '[' at pos; 0 where it never ends. */
static size_t
class_end(const struct reader *r, size_t pos)
{
	size_t i = pos + 1;

	if (char_at(r, i) == '^')
		i++;
	if (char_at(r, i) == ']')
		i++;
	while (i < r->text.len && char_at(r, i) != ']') {
		if (char_at(r, i) == '\\') {
			i += 2;
		} else if (char_at(r, i) == '[' && char_at(r, i + 1) == ':') {
			while (i < r->text.len && char_at(r, i) != ']')
				i++;
			i++;
		} else {
			i++;
		}
	}
	return i < r->text.len ? i + 1 : 0;
}

/* The end of the escape that begins with '\' at pos. */
static size_t
escape_end(const struct reader *r, size_t pos)
{
	size_t i = pos + 2;
	char c = char_at(r, pos + 1);

	/* \p{L}, \x{41}, \o{7}, \N{U+41} */
	if ((c == 'p' || c == 'P' || c == 'x' || c == 'o' || c == 'N') &&
	    char_at(r, i) == '{') {
		while (i < r->text.len && char_at(r, i) != '}')
			i++;
		i++;
	}
	return i < r->text.len ? i : r->text.len;
}

/* Whether the text has an alternative outside of every group. */
static bool
has_alternatives(struct str text)
{
	struct reader r = { .text = text };
	unsigned depth = 0;
	size_t i = 0;

	while (i < text.len) {
		char c = text.data[i];

		if (c == '|' && !depth)
			return true;
		if (c == '\\') {
			i = escape_end(&r, i);
			continue;
		}
		if (c == '[' && class_end(&r, i)) {
			i = class_end(&r, i);
			continue;
		}
		if (c == '(')
			depth++;
		if (c == ')' && depth)
			depth--;
		i++;
	}
	return false;
}

static int
add_item(struct builder *b, enum format_item_kind kind, unsigned depth,
    unsigned shift, size_t column, struct str text)
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

/* Opens a group (head: its regex text) or a field (head: its name). */
static int
open_group(struct builder *b, bool is_field, unsigned shift, size_t column,
    struct str head)
{
	int error;

	if (b->depth == BOUNDS_FORMAT_DEPTH)
		return config_error_set(b->reterr, 0, column,
		    "more than %d groups inside one another; write fewer",
		    BOUNDS_FORMAT_DEPTH);
	error = add_item(b, is_field ? FORMAT_OPEN : FORMAT_REGEX, b->depth,
	    shift, column, head);
	if (error)
		return error;
	b->is_field[b->depth++] = is_field;
	return 0;
}

/* tail: ")" with its quantifier; not used for a field. */
static int
close_group(struct builder *b, size_t column, struct str tail)
{
	unsigned inner = b->depth--;

	if (b->is_field[b->depth])
		return add_item(b, FORMAT_CLOSE, inner, 0, column, STR(""));
	return add_item(b, FORMAT_REGEX, inner, 0, column, tail);
}

static int
check_field_name(struct builder *b, size_t column, struct str name)
{
	if (fields_name_valid(name))
		return 0;
	return config_error_set(b->reterr, 0, column,
	    "\"%.*s\" is not a field name; write letters, digits and '_', "
	    "such as status or http_user_agent",
	    STR_ARGS(name));
}

static int
unit_shift(struct builder *b, size_t column, struct str unit,
    unsigned *ret_shift)
{
	if (str_equal(unit, STR("s")))
		*ret_shift = 0;
	else if (str_equal(unit, STR("ms")))
		*ret_shift = 3;
	else if (str_equal(unit, STR("us")))
		*ret_shift = 6;
	else
		return config_error_set(b->reterr, 0, column,
		    "\"%.*s\" is not a unit; write s, ms or us",
		    STR_ARGS(unit));
	return 0;
}

/*
 * Expands the definition that the user refers to at column.
 *
 * grouped     whether it stands in a group already, or needs none
 * quantifier  of the group around it otherwise; may be empty
 */
static int
expand_definition(struct builder *b, struct str name, unsigned nesting,
    size_t column, bool grouped, struct str quantifier)
{
	const struct patterns_row *row = patterns_find(name);
	struct reader inner = { .column = column, .nesting = nesting + 1 };
	int error;

	if (!row)
		return config_error_set(b->reterr, 0, column,
		    "%%{%.*s} is not known; patterns/base.grok has the names",
		    STR_ARGS(name));
	if (format_json_is(str_from(row->text)))
		return config_error_set(b->reterr, 0, column,
		    "%%{%.*s} is a format of JSON, which cannot be part of an "
		    "expression; write its name alone",
		    STR_ARGS(name));
	if (inner.nesting == BOUNDS_FORMAT_DEPTH)
		return config_error_set(b->reterr, 0, column,
		    "%%{%.*s} leads back to itself", STR_ARGS(name));

	inner.text = str_from(row->text);
	if (grouped)
		return expand(b, &inner);

	error = open_group(b, false, 0, column, STR("(?:"));
	if (!error)
		error = expand(b, &inner);
	if (!error)
		error = close_group(b, column, STR(")"));
	if (!error && quantifier.len)
		error = add_item(b, FORMAT_REGEX, b->depth + 1, 0, column,
		    quantifier);
	return error;
}

/* %{NAME}, %{NAME:field} or %{NAME:field:unit} */
static int
read_reference(struct builder *b, struct reader *r)
{
	size_t column = column_of(r);
	struct str rest = str_after(r->text, r->pos + 2);
	size_t len = str_find_char(rest, '}');
	struct str name = str_of(rest.data, len);
	struct str field = { 0 };
	unsigned shift = 0;
	const struct patterns_row *row;
	size_t quantifier;
	bool grouped;
	int error;

	if (len == rest.len)
		return config_error_set(b->reterr, 0, column,
		    "\"%%{\" without \"}\"; write %%{NAME} or %%{NAME:field}");
	name.len = str_find_char(name, ':');
	if (name.len < len) {
		field = str_of(rest.data + name.len + 1, len - name.len - 1);
		if (str_find_char(field, ':') < field.len) {
			size_t colon = str_find_char(field, ':');

			error = unit_shift(b, column,
			    str_after(field, colon + 1), &shift);
			if (error)
				return error;
			field.len = colon;
		}
		error = check_field_name(b, column, field);
		if (error)
			return error;
	}
	r->pos += 2 + len + 1;
	quantifier = quantifier_len(r, r->pos);

	if (field.data) {
		if (quantifier)
			return config_error_set(b->reterr, 0, column_of(r),
			    "a captured field cannot be repeated; put the "
			    "repetition into the expression it captures");
		error = open_group(b, true, shift, column, field);
		if (!error)
			error = expand_definition(b, name, r->nesting, column,
			    true, STR(""));
		if (!error)
			error = close_group(b, column, STR(""));
		return error;
	}

	/* Without a need for a group, its pieces stay on this level. */
	row = patterns_find(name);
	grouped = !quantifier &&
	    (!row || !has_alternatives(str_from(row->text)));
	r->pos += quantifier;
	return expand_definition(b, name, r->nesting, column, grouped,
	    str_of(r->text.data + r->pos - quantifier, quantifier));
}

/* "(" with what belongs to it: "(?:", "(?<=", "(?<field>" ... */
static int
read_group(struct builder *b, struct reader *r)
{
	size_t column = column_of(r);
	size_t start = r->pos;
	size_t i = start + 1;
	struct str name;

	if (char_at(r, i) == '*')
		return config_error_set(b->reterr, 0, column,
		    "(*VERB) is not supported; leave it out");
	if (char_at(r, i) != '?') {
		r->pos = i;
		return open_group(b, false, 0, column, STR("("));
	}
	i++;
	if (char_at(r, i) == 'P' && char_at(r, i + 1) == '<')
		i++;
	if (char_at(r, i) == '<' && char_at(r, i + 1) != '=' &&
	    char_at(r, i + 1) != '!') {
		int error;

		name = str_after(r->text, i + 1);
		if (str_find_char(name, '>') == name.len)
			return config_error_set(b->reterr, 0, column,
			    "\"(?<\" without \">\"; write (?<field>...)");
		name.len = str_find_char(name, '>');
		error = check_field_name(b, column, name);
		if (error)
			return error;
		r->pos = i + 1 + name.len + 1;
		return open_group(b, true, 0, column, name);
	}
	if (char_at(r, i) == '#') {
		r->pos = start + str_find_char(str_after(r->text, start), ')');
		r->pos += r->pos < r->text.len;
		return 0;
	}
	if (char_at(r, i) == '<')
		i++;
	while (char_at(r, i) && strchr("imns^-", char_at(r, i)))
		i++;
	if (char_at(r, i) == ')')
		return config_error_set(b->reterr, 0, column,
		    "options for the rest of the expression are not supported; "
		    "write (?i:...) around the part they are for");
	if (!char_at(r, i) || !strchr(":>=!", char_at(r, i)))
		return config_error_set(b->reterr, 0, column,
		    "this kind of group is not supported; write (?:...), or "
		    "(?<field>...) to capture");
	r->pos = i + 1;
	return open_group(b, false, 0, column,
	    str_of(r->text.data + start, r->pos - start));
}

/* ")" with its quantifier. */
static int
read_group_end(struct builder *b, struct reader *r, unsigned depth_outside)
{
	size_t column = column_of(r);
	size_t start = r->pos;

	if (b->depth == depth_outside)
		return config_error_set(b->reterr, 0, column,
		    "\")\" without \"(\"; write \\) for the character");
	r->pos += 1 + quantifier_len(r, start + 1);
	if (b->is_field[b->depth - 1] && r->pos > start + 1)
		return config_error_set(b->reterr, 0, column,
		    "a captured field cannot be repeated; put the repetition "
		    "inside its group");
	return close_group(b, column,
	    str_of(r->text.data + start, r->pos - start));
}

/* One atom with its quantifier: a class, an escape, a character. */
static int
read_atom(struct builder *b, struct reader *r)
{
	size_t column = column_of(r);
	size_t start = r->pos;
	size_t end = start + 1;
	size_t quantifier;
	char c = char_at(r, start);
	struct str literal = str_of(r->text.data + start, 1);
	bool is_literal = !memchr("[.^$|*+?", c, 8);

	if (c == '[') {
		end = class_end(r, start);
		if (!end)
			return config_error_set(b->reterr, 0, column,
			    "\"[\" without \"]\"; write \\[ for the character");
	} else if (c == '\\') {
		char next = char_at(r, start + 1);

		if (start + 1 == r->text.len)
			return config_error_set(b->reterr, 0, column,
			    "a lone \"\\\" at the end; write \\\\ for the "
			    "character");
		if ((next >= '1' && next <= '9') || memchr("gkQE", next, 4))
			return config_error_set(b->reterr, 0, column,
			    "\\%c is not supported (no back references, no "
			    "quoting); write the expression out",
			    next);
		end = escape_end(r, start);
		literal = str_of(r->text.data + start + 1, 1);
		is_literal = !alphanumeric(next);
	}
	quantifier = quantifier_len(r, end);
	r->pos = end + quantifier;
	if (is_literal && !quantifier)
		return add_item(b, FORMAT_LITERAL, b->depth, 0, column,
		    literal);
	return add_item(b, FORMAT_REGEX, b->depth, 0, column,
	    str_of(r->text.data + start, r->pos - start));
}

static int
expand(struct builder *b, struct reader *r)
{
	unsigned depth_outside = b->depth;
	int error = 0;

	while (!error && r->pos < r->text.len) {
		char c = char_at(r, r->pos);

		if (c == '%' && char_at(r, r->pos + 1) == '{')
			error = read_reference(b, r);
		else if (c == '(')
			error = read_group(b, r);
		else if (c == ')')
			error = read_group_end(b, r, depth_outside);
		else
			error = read_atom(b, r);
	}
	if (!error && b->depth != depth_outside)
		return config_error_set(b->reterr, 0, column_of(r),
		    "\"(\" without \")\"; write \\( for the character");
	return error;
}

/* Where the core ends: after the last of request, status and bytes. */
static size_t
core_end(const struct format *f)
{
	bool has_body_bytes = format_has(f, STR("body_bytes_sent"));
	size_t end = 0;
	size_t i;

	for (i = 0; i < f->n_items; i++) {
		const struct format_item *item = &f->items[i];

		if (item->kind == FORMAT_OPEN &&
		    (str_equal(item->text, STR("request")) ||
			str_equal(item->text, STR("status")) ||
			str_equal(item->text, STR("body_bytes_sent")) ||
			(str_equal(item->text, STR("bytes_sent")) &&
			    !has_body_bytes)))
			end = i + 1;
	}
	if (!end)
		return 0;
	while (end < f->n_items && f->items[end].depth > 0)
		end++;
	return end;
}

static int
build(struct format *f, struct str text, struct config_error *reterr)
{
	struct builder b = { .format = f, .reterr = reterr };
	struct reader r = { .text = text };
	const struct patterns_row *row = patterns_find(text);
	int error;

	/* All of it at once, so that the items may point into it. */
	buf_init(&f->text, BOUNDS_FORMAT_EXPANDED_BYTES);
	if (!buf_reserve(&f->text, BOUNDS_FORMAT_EXPANDED_BYTES))
		return -ENOMEM;

	if (row && row->kind == PATTERNS_FORMAT)
		r.text = str_from(row->text);
	if (has_alternatives(r.text)) {
		error = open_group(&b, false, 0, 1, STR("(?:"));
		if (!error)
			error = expand(&b, &r);
		if (!error)
			error = close_group(&b, r.pos, STR(")"));
	} else {
		error = expand(&b, &r);
	}
	if (error)
		return error;

	f->n_core = core_end(f);
	if (!f->n_core)
		return config_error_set(reterr, 0, 0,
		    "the format has none of the fields request, status and "
		    "body_bytes_sent; capture at least one, as in "
		    "%%{STATUS:status}");
	return 0;
}

/* text is neither a name nor an expression: the names are these. */
static int
refuse_name(struct str text, struct config_error *reterr)
{
	struct buf names;
	size_t n_rows, i;
	const struct patterns_row *rows = patterns_all(&n_rows);

	buf_init(&names, sizeof(reterr->text));
	for (i = 0; i < n_rows; i++) {
		if (rows[i].kind == PATTERNS_FORMAT)
			buf_add_format(&names, ", %s", rows[i].name);
	}
	(void)config_error_set(reterr, 0, 0,
	    "\"%.*s\" is not a format; write auto%.*s, or a grok expression "
	    "such as %%{COMBINED} %%{SECONDS:request_time}",
	    (int)(text.len < 40 ? text.len : 40), text.data,
	    STR_ARGS(buf_str(&names)));
	buf_release(&names);
	return -EINVAL;
}

int
format_create(struct str text, struct format **ret_format,
    struct config_error *reterr)
{
	const struct patterns_row *row = patterns_find(text);
	struct format *f;
	size_t i;
	int error;

	if (text.len > BOUNDS_FORMAT_BYTES)
		return config_error_set(reterr, 0, 0,
		    "the format is longer than %u bytes; write a shorter one",
		    BOUNDS_FORMAT_BYTES);
	if (text.len && memchr(text.data, '\0', text.len))
		return config_error_set(reterr, 0, str_find_char(text, 0) + 1,
		    "a NUL byte in the format; write \\x00");
	if (format_json_is(row && row->kind == PATTERNS_FORMAT
		    ? str_from(row->text)
		    : text))
		return format_json_create(text, ret_format, reterr);
	for (i = 0; i + 1 < text.len; i++) {
		if (text.data[i] == '%' && text.data[i + 1] == '{')
			break;
	}
	if (i + 1 >= text.len && (!row || row->kind != PATTERNS_FORMAT))
		return refuse_name(text, reterr);

	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	error = build(f, text, reterr);
	if (error) {
		format_destroy(f);
		return error;
	}
	*ret_format = f;
	return 0;
}

void
format_destroy(struct format *f)
{
	if (!f)
		return;
	buf_release(&f->text);
	free(f->items);
	free(f);
}

bool
format_has(const struct format *f, struct str field)
{
	size_t i;

	for (i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == FORMAT_OPEN &&
		    str_equal(f->items[i].text, field))
			return true;
	}
	return false;
}
