#include "format_grok.h"

#include <errno.h>

#include "accesslog/fields.h"
#include "accesslog/format_json.h"
#include "accesslog/patterns.h"
#include "accesslog/spelling.h"

/* One text being read: the user's, or a definition it refers to. */
struct reader {
	struct str text;
	size_t pos;
	/* 0 in the user's text; else where the user referred to this one. */
	size_t column;
	unsigned nesting;
	bool with_references; /* %{NAME} is one */
};

static int expand(struct format_build *b, struct reader *r);

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
check_field_name(struct format_build *b, size_t column, struct str name)
{
	if (fields_name_valid(name))
		return 0;
	return config_error_set(b->reterr, 0, column,
	    "\"%.*s\" is not a field name; write letters, digits and '_', "
	    "such as status or http_user_agent",
	    STR_ARGS(name));
}

static int
refuse_name(struct format_build *b, size_t column, struct str name)
{
	const struct patterns_row *near = patterns_nearest(name, true);
	char upper[SPELLING_MOST_BYTES + 1];
	size_t i;

	if (!near)
		return config_error_set(b->reterr, 0, column,
		    "%%{%.*s} is not known; "
		    "accesslog_exporter-formats(7) says which names there are",
		    STR_ARGS(name));
	for (i = 0; i < SPELLING_MOST_BYTES && near->name[i]; i++) {
		char c = near->name[i];

		upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	upper[i] = '\0';
	return config_error_set(b->reterr, 0, column,
	    "%%{%.*s} is not known; write %%{%s}", STR_ARGS(name), upper);
}

/*
 * Expands the definition that the user refers to at column.
 *
 * grouped     whether it stands in a group already, or needs none
 * quantifier  of the group around it otherwise; may be empty
 */
static int
expand_definition(struct format_build *b, struct str name, unsigned nesting,
    size_t column, bool grouped, struct str quantifier)
{
	const struct patterns_row *row = patterns_find(name);
	struct reader inner = { .column = column,
		.nesting = nesting + 1,
		.with_references = true };
	int error;

	if (!row)
		return refuse_name(b, column, name);
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

	error = format_build_open(b, false, 0, column, STR("(?:"));
	if (!error)
		error = expand(b, &inner);
	if (!error)
		error = format_build_close(b, column, STR(")"));
	if (!error && quantifier.len)
		error = format_build_add(b, FORMAT_REGEX, b->depth + 1, 0,
		    column, quantifier);
	return error;
}

/* %{NAME}, %{NAME:field} or %{NAME:field:unit} */
static int
read_reference(struct format_build *b, struct reader *r)
{
	size_t column = column_of(r);
	struct str rest = str_after(r->text, r->pos + 2);
	size_t len = str_find_char(rest, '}');
	struct str name = str_of(rest.data, len);
	struct str field = { 0 };
	struct str unit;
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
		unit = str_after(field, str_find_char(field, ':'));
		field.len -= unit.len;
		error = check_field_name(b, column, field);
		if (!error && unit.len)
			error = format_build_read_unit(field,
			    str_after(unit, 1), column, "", &shift, b->reterr);
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
		error = format_build_open(b, true, shift, column, field);
		if (!error)
			error = expand_definition(b, name, r->nesting, column,
			    true, STR(""));
		if (!error)
			error = format_build_close(b, column, STR(""));
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
read_group(struct format_build *b, struct reader *r)
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
		return format_build_open(b, false, 0, column, STR("("));
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
		return format_build_open(b, true, 0, column, name);
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
	return format_build_open(b, false, 0, column,
	    str_of(r->text.data + start, r->pos - start));
}

/* ")" with its quantifier. */
static int
read_group_end(struct format_build *b, struct reader *r, unsigned depth_outside)
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
	return format_build_close(b, column,
	    str_of(r->text.data + start, r->pos - start));
}

/* One atom with its quantifier: a class, an escape, a character. */
static int
read_atom(struct format_build *b, struct reader *r)
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
		return format_build_add(b, FORMAT_LITERAL, b->depth, 0, column,
		    literal);
	return format_build_add(b, FORMAT_REGEX, b->depth, 0, column,
	    str_of(r->text.data + start, r->pos - start));
}

static int
expand(struct format_build *b, struct reader *r)
{
	unsigned depth_outside = b->depth;
	int error = 0;

	while (!error && r->pos < r->text.len) {
		char c = char_at(r, r->pos);

		if (r->with_references && c == '%' &&
		    char_at(r, r->pos + 1) == '{')
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

int
format_grok_read(struct format_build *b, struct str text, size_t from,
    bool with_references)
{
	struct reader r = { .text = text,
		.pos = from,
		.with_references = with_references };
	int error;

	if (!has_alternatives(str_after(text, from)))
		return expand(b, &r);
	error = format_build_open(b, false, 0, from + 1, STR("(?:"));
	if (!error)
		error = expand(b, &r);
	if (!error)
		error = format_build_close(b, r.pos, STR(")"));
	return error;
}

int
format_grok_expand(struct format_build *b, struct str text, size_t column)
{
	struct reader r = { .text = text,
		.column = column,
		.with_references = true };

	return expand(b, &r);
}

void
format_grok_add_byte(struct buf *out, char byte)
{
	static const char hex[] = "0123456789abcdef";

	if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	    (byte >= 'A' && byte <= 'Z') || byte == ' ' || byte == '"' ||
	    byte == '/') {
		buf_add_char(out, byte);
		return;
	}
	buf_add_text(out, "\\x");
	buf_add_char(out, hex[(unsigned char)byte >> 4]);
	buf_add_char(out, hex[byte & 0xF]);
}
