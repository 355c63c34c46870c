#include "format_apache.h"

#include <errno.h>

#include "accesslog/fields.h"
#include "accesslog/patterns.h"
#include "format_columns.h"

#define DIRECTIVE "LogFormat"

/* Directives without an argument, or with one of a few. */
static const struct row {
	const char *argument; /* NULL: none */
	const char *field;
	unsigned shift;
	unsigned rank;
	const char *letters;
	bool is_integer;
} rows[] = {
	{ NULL, "remote_addr", 0, 1, "a", false },
	{ "c", "realip_remote_addr", 0, 1, "a", false },
	{ NULL, "server_addr", 0, 1, "A", false },
	{ NULL, "body_bytes_sent", 0, 1, "b", false },
	{ NULL, "body_bytes_sent", 0, 1, "B", false },
	{ NULL, "request_time", 6, 4, "D", true },
	{ NULL, "first_byte_time", 6, 1, "^FB", true },
	{ NULL, "upload_time", 6, 1, "^FU", true },
	{ NULL, "request_filename", 0, 1, "f", false },
	{ NULL, "remote_addr", 0, 1, "h", false },
	{ "c", "realip_remote_addr", 0, 1, "h", false },
	{ NULL, "server_protocol", 0, 1, "H", false },
	{ NULL, "request_length", 0, 1, "I", false },
	{ NULL, "connection_requests", 0, 1, "k", false },
	{ NULL, "remote_logname", 0, 1, "l", false },
	{ NULL, "request_id", 0, 1, "L", false },
	{ "c", "connection_id", 0, 1, "L", false },
	{ NULL, "request_method", 0, 1, "m", false },
	{ NULL, "bytes_sent", 0, 1, "O", false },
	{ NULL, "server_port", 0, 1, "p", false },
	{ "canonical", "server_port", 0, 1, "p", false },
	{ "local", "server_port", 0, 2, "p", false },
	{ "remote", "remote_port", 0, 1, "p", false },
	{ NULL, "pid", 0, 1, "P", false },
	{ "pid", "pid", 0, 1, "P", false },
	{ "tid", "tid", 0, 1, "P", false },
	{ "hextid", "tid", 0, 1, "P", false },
	{ NULL, "args", 0, 1, "q", false },
	{ NULL, "request", 0, 1, "r", false },
	{ NULL, "handler", 0, 1, "R", false },
	{ NULL, "status", 0, 1, "s", false },
	{ NULL, "bytes_transferred", 0, 1, "S", false },
	{ NULL, "time_local", 0, 1, "t", false },
	{ NULL, "request_time", 0, 2, "T", true },
	{ "s", "request_time", 0, 2, "T", true },
	{ "ms", "request_time", 3, 3, "T", true },
	{ "us", "request_time", 6, 4, "T", true },
	{ NULL, "remote_user", 0, 1, "u", false },
	{ NULL, "uri", 0, 1, "U", false },
	{ NULL, "server_name", 0, 1, "v", false },
	{ NULL, "host", 0, 1, "V", false },
	{ NULL, "connection_status", 0, 1, "X", false },
};

/* Directives whose argument is part of the field's name. */
static const struct named_row {
	const char *letters;
	const char *prefix;
	const char *example;
	unsigned rank;
} named_rows[] = {
	{ "i", "http_", "%{Referer}i", 1 },
	{ "o", "sent_http_", "%{Content-Type}o", 1 },
	{ "C", "cookie_", "%{session}C", 1 },
	/* A variable called "status" is not the status. */
	{ "e", "", "%{SITE}e", 0 },
	{ "n", "", "%{note}n", 0 },
	{ "x", "", "%{SSL_PROTOCOL}x", 0 },
	{ "c", "ssl_", "%{cipher}c", 0 },
	{ "^ti", "trailer_", "%{Name}^ti", 1 },
	{ "^to", "sent_trailer_", "%{Name}^to", 1 },
};

/* strftime(3) formats of times that timestamp.h reads. */
static const struct {
	const char *format;
	const char *field;
} times[] = {
	{ "%d/%b/%Y:%H:%M:%S %z", "time_local" },
	{ "%d/%b/%Y:%T %z", "time_local" },
	{ "%Y-%m-%dT%H:%M:%S%z", "time_iso8601" },
	{ "%Y-%m-%dT%H:%M:%SZ", "time_iso8601" },
	{ "%Y-%m-%dT%T%z", "time_iso8601" },
	{ "%Y-%m-%dT%TZ", "time_iso8601" },
	{ "%FT%T%z", "time_iso8601" },
	{ "%FT%TZ", "time_iso8601" },
	{ "sec", "msec" },
	{ "msec", "time_msec" },
	{ "usec", "time_usec" },
	{ "msec_frac", "time_fraction" },
	{ "usec_frac", "time_fraction" },
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

struct apache {
	struct format_build *build;
	struct format_columns columns;
	struct format_columns_script script;
	struct str text;
};

/* One directive as it is written: %!200,304>{argument}letter */
struct directive {
	size_t column;
	struct str argument; /* data == NULL: none */
	struct str letters; /* one, or "^ti" */
	bool is_original; /* < */
	bool is_final; /* > */
};

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_modifier(char c)
{
	return (c >= '0' && c <= '9') || c == ',' || c == '!' || c == '<' ||
	    c == '>';
}

static const struct named_row *
named_row_of(struct str letters)
{
	size_t i;

	for (i = 0; i < N(named_rows); i++) {
		if (str_equal(letters, str_from(named_rows[i].letters)))
			return &named_rows[i];
	}
	return NULL;
}

/* Whether some row has these letters; *ret_row is the one for the argument. */
static bool
find_row(struct str letters, struct str argument, const struct row **ret_row)
{
	bool is_known = false;
	size_t i;

	*ret_row = NULL;
	for (i = 0; i < N(rows); i++) {
		if (!str_equal(letters, str_from(rows[i].letters)))
			continue;
		is_known = true;
		if (rows[i].argument ? argument.data &&
			    str_equal(argument, str_from(rows[i].argument))
				     : !argument.data)
			*ret_row = &rows[i];
	}
	return is_known;
}

static bool
is_letter_known(struct str letters)
{
	const struct row *row;

	return named_row_of(letters) ||
	    find_row(letters, (struct str){ 0 }, &row);
}

static bool
begins_directive(struct str text)
{
	return str_starts_with(text, STR(DIRECTIVE)) &&
	    text.len > sizeof(DIRECTIVE) - 1 &&
	    (text.data[sizeof(DIRECTIVE) - 1] == ' ' ||
		text.data[sizeof(DIRECTIVE) - 1] == '\t');
}

/* What the text has of each kind: %h is Apache's, %{PORT:x} is grok's. */
bool
format_apache_claims(struct str text)
{
	bool has_argument = false;
	bool has_reference = false;
	size_t i, end, colon;

	if (begins_directive(
		str_after(text, format_columns_after_space(text, 0))))
		return true;
	for (i = 0; i + 1 < text.len; i++) {
		struct str argument;

		if (text.data[i] != '%')
			continue;
		for (end = i + 1; end < text.len && is_modifier(text.data[end]);
		     end++)
			;
		if (end == text.len)
			break;
		if (text.data[end] != '{') {
			if (text.data[end] == '%')
				i = end;
			else if (is_letter_known(str_of(text.data + end, 1)))
				return true;
			continue;
		}
		argument = str_after(text, end + 1);
		argument.len = str_find_char(argument, '}');
		end += argument.len + 2;
		if (end >= text.len)
			break;
		colon = str_find_char(argument, ':');
		if (patterns_find(str_of(argument.data, colon))) {
			if (colon < argument.len)
				return false;
			has_reference = true; /* or a header of that name */
			continue;
		}
		has_argument |= letter(text.data[end]) || text.data[end] == '^';
	}
	return has_argument && !has_reference;
}

static int
wrong(struct apache *a, size_t column, const char *what)
{
	(void)config_error_set(a->build->reterr, 0, column, "%s", what);
	return -EINVAL;
}

/* LogFormat "..." nickname, or "..." with escaped quotes in it, or the text. */
static int
read_text(struct apache *a, size_t from)
{
	size_t pos = format_columns_after_space(a->text, from);
	bool in_directive = begins_directive(str_after(a->text, pos));
	size_t end;

	if (in_directive) {
		pos += sizeof(DIRECTIVE) - 1;
		pos = format_columns_after_space(a->text, pos);
		if (pos == a->text.len ||
		    (a->text.data[pos] != '"' && a->text.data[pos] != '\''))
			return wrong(a, pos + 1,
			    "LogFormat without a string; write LogFormat "
			    "\"FORMAT\" name");
	} else if (!format_columns_is_quoted(a->text, pos)) {
		format_columns_script_add(&a->script, a->text, from,
		    a->text.len);
		return 0;
	}
	end = format_columns_quote_end(a->text, pos);
	if (end == a->text.len)
		return wrong(a, pos + 1,
		    "a quote that is not closed; write it again at the end of "
		    "the string, and \\\" inside of it");
	format_columns_script_add(&a->script, a->text, pos + 1, end);
	/* The name, which is of no use here. */
	pos = format_columns_after_space(a->text, end + 1);
	while (pos < a->text.len && !memchr(" \t\r\n", a->text.data[pos], 4))
		pos++;
	pos = format_columns_after_space(a->text, pos);
	if (pos < a->text.len)
		return wrong(a, pos + 1,
		    "text after the name of the format; write one LogFormat "
		    "only");
	return 0;
}

/* The directive whose '%' is at *pos of the script. */
static int
read_directive(struct apache *a, size_t *pos, struct directive *ret)
{
	const struct format_columns_script *s = &a->script;
	size_t i = *pos + 1;

	*ret = (struct directive){ .column = s->columns[*pos] };
	for (;;) {
		for (; i < s->len && is_modifier(s->bytes[i]); i++) {
			ret->is_original |= s->bytes[i] == '<';
			ret->is_final |= s->bytes[i] == '>';
		}
		if (i == s->len || s->bytes[i] != '{')
			break;
		ret->argument = str_of(s->bytes + i + 1, s->len - i - 1);
		ret->argument.len = str_find_char(ret->argument, '}');
		if (i + 1 + ret->argument.len == s->len)
			return wrong(a, s->columns[i],
			    "\"{\" without \"}\"; write for example "
			    "%{Referer}i");
		i += ret->argument.len + 2;
	}
	ret->letters = str_of(s->bytes + i, i < s->len);
	if (i < s->len && s->bytes[i] == '^')
		ret->letters.len = s->len - i < 3 ? s->len - i : 3;
	if (!ret->letters.len)
		return wrong(a, ret->column,
		    "\"%\" without a letter; write %% for the character");
	*pos = i + ret->letters.len;
	return 0;
}

static int
add_literal(struct apache *a, size_t column, const char *text)
{
	int error = 0;

	for (; *text && !error; text++)
		error = format_columns_add_literal(&a->columns, column, *text);
	return error;
}

static int
add_field(struct apache *a, size_t column, const char *name, unsigned rank)
{
	return format_columns_add_field(&a->columns, str_from(name),
	    (struct format_columns_piece){ .column = column, .rank = rank });
}

/* %{Referer}i */
static int
add_named(struct apache *a, const struct directive *d,
    const struct named_row *row)
{
	char name[2 * BOUNDS_LABEL_VALUE_BYTES];
	struct buf b;
	size_t i;
	int error;

	if (!d->argument.data)
		return config_error_set(a->build->reterr, 0, d->column,
		    "%%%.*s without a name; write for example %s",
		    STR_ARGS(d->letters), row->example);
	if (d->argument.len >= sizeof(name) - 16)
		return wrong(a, d->column,
		    "a name that long is not supported; write a shorter one");
	buf_init(&b, sizeof(name));
	buf_add_text(&b, row->prefix);
	for (i = 0; i < d->argument.len; i++) {
		char c = d->argument.data[i];

		buf_add_char(&b, letter(c) || (c >= '0' && c <= '9') ? c : '_');
	}
	error = buf_status(&b);
	if (!error && (!d->argument.len || !fields_name_valid(buf_str(&b))))
		error = config_error_set(a->build->reterr, 0, d->column,
		    "\"%.*s\" is no name; write for example %s",
		    STR_ARGS(d->argument), row->example);
	if (!error)
		error = format_columns_add_field(&a->columns, buf_str(&b),
		    (struct format_columns_piece){ .column = d->column,
			.rank = row->rank });
	buf_release(&b);
	return error;
}

/* %{%d/%b/%Y:%T %z}t, also in brackets */
static int
add_time(struct apache *a, const struct directive *d)
{
	struct str format = d->argument;
	bool in_brackets;
	const char *field = "time";
	size_t i;
	int error = 0;

	if (str_starts_with(format, STR("begin:")))
		format = str_after(format, 6);
	else if (str_starts_with(format, STR("end:")))
		format = str_after(format, 4);
	if (!format.len)
		return wrong(a, d->column,
		    "%{}t without a format; write %t, or for example "
		    "%{%d/%b/%Y:%T %z}t");
	in_brackets = format.len > 2 && format.data[0] == '[' &&
	    format.data[format.len - 1] == ']';
	if (in_brackets)
		format = str_of(format.data + 1, format.len - 2);
	for (i = 0; i < N(times); i++) {
		if (str_equal(format, str_from(times[i].format)))
			field = times[i].field;
	}
	if (in_brackets)
		error = add_literal(a, d->column, "[");
	if (!error)
		error = add_field(a, d->column, field, 1);
	if (!error && in_brackets)
		error = add_literal(a, d->column, "]");
	return error;
}

static int
add_row(struct apache *a, const struct directive *d, const struct row *row)
{
	struct format_columns_piece piece = { .column = d->column,
		.is_integer = row->is_integer,
		.shift = row->shift,
		.rank = row->rank };
	int error;

	if (row->letters[0] == 't') {
		error = add_literal(a, d->column, "[");
		if (!error)
			error = add_field(a, d->column, row->field, 1);
		return error ? error : add_literal(a, d->column, "]");
	}
	if (row->letters[0] == 'q') { /* with its question mark, or nothing */
		error = add_field(a, d->column, "is_args", 1);
		if (error)
			return error;
	}
	piece.rank += row->letters[0] == 's' && d->is_final;
	return format_columns_add_field(&a->columns, str_from(row->field),
	    piece);
}

static int
add_directive(struct apache *a, const struct directive *d)
{
	const struct named_row *named = named_row_of(d->letters);
	const struct row *row;

	if (d->letters.data[0] == '%')
		return format_columns_add_literal(&a->columns, d->column, '%');
	if (named)
		return add_named(a, d, named);
	if (d->letters.data[0] == 't' && d->argument.data)
		return add_time(a, d);
	if (!find_row(d->letters, d->argument, &row))
		return config_error_set(a->build->reterr, 0, d->column,
		    "%%%.*s is no directive of LogFormat; write %%%% for the "
		    "character, or one such as %%h %%u %%t %%r %%>s %%b %%D "
		    "%%{Referer}i",
		    STR_ARGS(d->letters));
	if (!row)
		return config_error_set(a->build->reterr, 0, d->column,
		    "%%%.*s does not take \"{%.*s}\"; write %s",
		    STR_ARGS(d->letters),
		    d->argument.len < 40 ? (int)d->argument.len : 40,
		    d->argument.data,
		    d->letters.data[0] == 'T'       ? "%{s}T, %{ms}T or %{us}T"
			: d->letters.data[0] == 'p' ? "%p, %{canonical}p, "
						      "%{local}p or %{remote}p"
			: d->letters.data[0] == 'P' ? "%P, %{tid}P or "
						      "%{hextid}P"
						    : "it without");
	return add_row(a, d, row);
}

static int
read_script(struct apache *a)
{
	const struct format_columns_script *s = &a->script;
	size_t i = 0;
	int error = 0;

	while (i < s->len && !error) {
		struct directive d;

		if (s->bytes[i] != '%') {
			error = format_columns_add_literal(&a->columns,
			    s->columns[i], s->bytes[i]);
			i++;
			continue;
		}
		error = read_directive(a, &i, &d);
		if (!error)
			error = add_directive(a, &d);
	}
	return error;
}

int
format_apache_read(struct format_build *b, struct str text, size_t from)
{
	struct apache a = { .build = b, .text = text };
	int error = format_columns_script_init(&a.script, text.len);

	if (error)
		return error;
	format_columns_init(&a.columns);
	error = read_text(&a, from);
	if (!error)
		error = read_script(&a);
	if (!error)
		error = format_columns_build(&a.columns, b);
	format_columns_release(&a.columns);
	format_columns_script_release(&a.script);
	return error;
}
