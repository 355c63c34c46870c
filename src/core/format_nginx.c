#include "format_nginx.h"

#include <errno.h>

#include "accesslog/fields.h"
#include "format_columns.h"

#define DIRECTIVE "log_format"
#define ESCAPE "escape="

struct nginx {
	struct format_build *build;
	struct format_columns columns;
	struct format_columns_script script;
	struct str text;
	size_t pos;
};

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
begins_directive(struct str text)
{
	return str_starts_with(text, STR(DIRECTIVE)) &&
	    text.len > sizeof(DIRECTIVE) - 1 &&
	    is_space(text.data[sizeof(DIRECTIVE) - 1]);
}

bool
format_nginx_claims(struct str text)
{
	size_t i;

	if (begins_directive(
		str_after(text, format_columns_after_space(text, 0))))
		return true;
	for (i = 0; i + 1 < text.len; i++) {
		if (text.data[i] == '$' &&
		    (is_name_char(text.data[i + 1]) || text.data[i + 1] == '{'))
			return true;
	}
	return false;
}

static int
wrong(struct nginx *n, size_t pos, const char *what)
{
	return config_error_set(n->build->reterr, 0, pos + 1, "%s", what);
}

/* The end of what stands at pos without quotes. */
static size_t
token_end(const struct nginx *n, size_t pos)
{
	while (pos < n->text.len && !is_space(n->text.data[pos]) &&
	    n->text.data[pos] != ';')
		pos++;
	return pos;
}

/* Moves on to what is neither white space nor comment. */
static void
skip_space(struct nginx *n)
{
	n->pos = format_columns_after_space(n->text, n->pos);
	while (n->pos < n->text.len && n->text.data[n->pos] == '#') {
		while (n->pos < n->text.len && n->text.data[n->pos] != '\n')
			n->pos++;
		n->pos = format_columns_after_space(n->text, n->pos);
	}
}

/* log_format NAME */
static int
read_directive(struct nginx *n)
{
	size_t end;

	n->pos += sizeof(DIRECTIVE) - 1;
	skip_space(n);
	end = token_end(n, n->pos);
	if (end == n->pos || memchr("'\"$", n->text.data[n->pos], 3))
		return wrong(n, n->pos,
		    "log_format without a name; write log_format NAME "
		    "'FORMAT';");
	n->pos = end;
	skip_space(n);
	return 0;
}

static int
read_escape(struct nginx *n)
{
	size_t end = token_end(n, n->pos);
	size_t start = n->pos + sizeof(ESCAPE) - 1;
	struct str how;

	if (!str_starts_with(str_after(n->text, n->pos), STR(ESCAPE)))
		return 0;
	how = str_of(n->text.data + start, end - start);
	if (!str_equal(how, STR("default")) && !str_equal(how, STR("json")) &&
	    !str_equal(how, STR("none")))
		return config_error_set(n->build->reterr, 0, start + 1,
		    "\"%.*s\" is no way to escape; write escape=default, "
		    "escape=json or escape=none",
		    STR_ARGS(how));
	n->columns.may_be_empty = how.data[0] != 'd';
	n->pos = end;
	return 0;
}

/* The strings of a directive, one after the other. */
static int
read_strings(struct nginx *n, bool in_directive)
{
	for (skip_space(n); n->pos < n->text.len; skip_space(n)) {
		char c = n->text.data[n->pos];
		size_t end;

		if (c == ';') {
			n->pos++;
			skip_space(n);
			if (n->pos < n->text.len)
				return wrong(n, n->pos,
				    "text after the \";\"; write one format "
				    "only");
			return 0;
		}
		if (c == '\'' || c == '"') {
			end = format_columns_quote_end(n->text, n->pos);
			if (end == n->text.len)
				return wrong(n, n->pos,
				    "a quote that is not closed; write it "
				    "again at the end of the string");
			format_columns_script_add(&n->script, n->text,
			    n->pos + 1, end);
			n->pos = end + 1;
			continue;
		}
		if (!in_directive)
			return wrong(n, n->pos,
			    "text between the quoted strings; put it inside "
			    "of the quotes");
		end = token_end(n, n->pos);
		format_columns_script_add(&n->script, n->text, n->pos, end);
		n->pos = end;
	}
	return 0;
}

static int
read_text(struct nginx *n)
{
	bool in_directive;
	int error = 0;

	n->pos = format_columns_after_space(n->text, n->pos);
	in_directive = begins_directive(str_after(n->text, n->pos));
	if (in_directive)
		error = read_directive(n);
	if (!error)
		error = read_escape(n);
	if (error)
		return error;
	n->pos = format_columns_after_space(n->text, n->pos);
	if (in_directive ||
	    (n->pos < n->text.len && n->text.data[n->pos] == '\'') ||
	    format_columns_is_quoted(n->text, n->pos))
		return read_strings(n, in_directive);
	format_columns_script_add(&n->script, n->text, n->pos, n->text.len);
	return 0;
}

/* What nginx has under two names. */
static struct str
plain_name(struct str name)
{
	if (str_equal(name, STR("document_uri")))
		return STR("uri");
	if (str_equal(name, STR("query_string")))
		return STR("args");
	return name;
}

/* $name or ${name} at *pos of the script. */
static int
read_variable(struct nginx *n, size_t *pos)
{
	const struct format_columns_script *s = &n->script;
	size_t column = s->columns[*pos];
	bool in_braces = *pos + 1 < s->len && s->bytes[*pos + 1] == '{';
	size_t start = *pos + 1 + in_braces;
	size_t end = start;
	struct str name;

	while (end < s->len && is_name_char(s->bytes[end]))
		end++;
	name = str_of(s->bytes + start, end - start);
	if (in_braces && (end == s->len || s->bytes[end] != '}'))
		return wrong(n, column - 1,
		    "\"${\" without \"}\"; write ${name}");
	if (!name.len)
		return wrong(n, column - 1,
		    "\"$\" without a name; write a variable such as $status");
	if (!fields_name_valid(name))
		return config_error_set(n->build->reterr, 0, column,
		    "\"$%.*s\" is no variable of a log; write a name such as "
		    "$status",
		    STR_ARGS(name));
	*pos = end + in_braces;
	return format_columns_add_field(&n->columns, plain_name(name),
	    (struct format_columns_piece){ .column = column, .rank = 1 });
}

static int
read_script(struct nginx *n)
{
	const struct format_columns_script *s = &n->script;
	size_t i = 0;
	int error = 0;

	while (i < s->len && !error) {
		if (s->bytes[i] == '$') {
			error = read_variable(n, &i);
			continue;
		}
		error = format_columns_add_literal(&n->columns, s->columns[i],
		    s->bytes[i]);
		i++;
	}
	return error;
}

int
format_nginx_read(struct format_build *b, struct str text, size_t from)
{
	struct nginx n = { .build = b, .text = text, .pos = from };
	int error = format_columns_script_init(&n.script, text.len);

	if (error)
		return error;
	format_columns_init(&n.columns);
	error = read_text(&n);
	if (!error)
		error = read_script(&n);
	if (!error)
		error = format_columns_build(&n.columns, b);
	format_columns_release(&n.columns);
	format_columns_script_release(&n.script);
	return error;
}
