#include "format_columns.h"

#include <errno.h>
#include <stdlib.h>

#include "format_end.h"
#include "format_grok.h"

int
format_columns_script_init(struct format_columns_script *s, size_t max_bytes)
{
	*s = (struct format_columns_script){ .bytes = malloc(max_bytes + 1),
		.columns = calloc(max_bytes + 1, sizeof(*s->columns)) };
	if (s->bytes && s->columns)
		return 0;
	format_columns_script_release(s);
	return -ENOMEM;
}

void
format_columns_script_release(struct format_columns_script *s)
{
	free(s->bytes);
	free(s->columns);
	*s = (struct format_columns_script){ 0 };
}

void
format_columns_script_add(struct format_columns_script *s, struct str text,
    size_t from, size_t to)
{
	static const char escapes[] = "\"'\\trn";
	static const char meanings[] = "\"'\\\t\r\n";
	size_t i;

	for (i = from; i < to; i++) {
		const char *escape = NULL;

		if (text.data[i] == '\\' && i + 1 < to)
			escape = memchr(escapes, text.data[i + 1],
			    sizeof(escapes) - 1);
		s->columns[s->len] = i + 1;
		s->bytes[s->len++] = escape ? meanings[escape - escapes]
					    : text.data[i];
		i += escape != NULL;
	}
}

size_t
format_columns_quote_end(struct str text, size_t pos)
{
	size_t i = pos + 1;

	while (i < text.len && text.data[i] != text.data[pos])
		i += text.data[i] == '\\' ? 2 : 1;
	return i < text.len ? i : text.len;
}

size_t
format_columns_after_space(struct str text, size_t pos)
{
	while (pos < text.len && memchr(" \t\r\n", text.data[pos], 4))
		pos++;
	return pos;
}

bool
format_columns_is_quoted(struct str text, size_t pos)
{
	size_t end, i;

	if (pos >= text.len || text.data[pos] != '"')
		return false;
	end = format_columns_quote_end(text, pos);
	if (end == text.len ||
	    format_columns_after_space(text, end + 1) < text.len)
		return false;
	for (i = pos + 1; i + 1 < end; i++) {
		if (text.data[i] == '\\' && text.data[i + 1] == '"')
			return true;
	}
	return false;
}

void
format_columns_init(struct format_columns *c)
{
	*c = (struct format_columns){ 0 };
	/* The longest name for two bytes of text: %k, connection_requests. */
	buf_init(&c->text, 16 * (size_t)BOUNDS_FORMAT_BYTES);
}

void
format_columns_release(struct format_columns *c)
{
	buf_release(&c->text);
	free(c->pieces);
}

static int
add_piece(struct format_columns *c, struct format_columns_piece piece)
{
	if (c->n_pieces == c->capacity) {
		size_t capacity = c->capacity ? c->capacity * 2 : 64;
		struct format_columns_piece *pieces = reallocarray(c->pieces,
		    capacity, sizeof(*pieces));

		if (!pieces)
			return -ENOMEM;
		c->pieces = pieces;
		c->capacity = capacity;
	}
	c->pieces[c->n_pieces++] = piece;
	return 0;
}

int
format_columns_add_literal(struct format_columns *c, size_t column, char byte)
{
	struct format_columns_piece *last = c->n_pieces
	    ? &c->pieces[c->n_pieces - 1]
	    : NULL;
	size_t from = c->text.len;

	buf_add_char(&c->text, byte);
	if (buf_status(&c->text))
		return -ENOMEM;
	if (last && !last->is_field) {
		last->len++; /* adjacent in c->text */
		return 0;
	}
	return add_piece(c,
	    (struct format_columns_piece){ .column = column,
		.from = from,
		.len = 1 });
}

int
format_columns_add_field(struct format_columns *c, struct str name,
    struct format_columns_piece piece)
{
	size_t i;

	piece.is_field = true;
	piece.from = c->text.len;
	piece.len = name.len;
	for (i = 0; i < name.len; i++) {
		char byte = name.data[i];

		if (byte >= 'A' && byte <= 'Z')
			byte = (char)(byte - 'A' + 'a');
		buf_add_char(&c->text, byte == '-' ? '_' : byte);
	}
	if (buf_status(&c->text))
		return -ENOMEM;
	piece.shape = piece.rank
	    ? format_value_shape(str_of(c->text.data + piece.from, piece.len))
	    : VALUE_WORD;
	return add_piece(c, piece);
}

/* Of the pieces with one name only the best is captured. */
static void
choose_captured(struct format_columns *c)
{
	size_t i, j;

	for (i = 0; i < c->n_pieces; i++) {
		struct format_columns_piece *a = &c->pieces[i];

		for (j = 0; a->is_field && j < i; j++) {
			struct format_columns_piece *b = &c->pieces[j];

			if (!b->is_field || b->is_uncaptured ||
			    !str_equal(format_columns_text(c, i),
				format_columns_text(c, j)))
				continue;
			if (a->rank > b->rank)
				b->is_uncaptured = true;
			else
				a->is_uncaptured = true;
		}
	}
}

/* Where a variable stands: what decides on its expression. */
struct place {
	struct str name;
	enum format_value_shape shape;
	struct str next; /* the literal that follows; empty at the end */
	char end; /* its first byte; at the end, what ends the other columns */
	bool is_last;
	enum format_value_shape
	    next_shape; /* of a variable that follows at once */
	bool is_before_field;
	bool in_quotes; /* the value is escaped up to the next quote */
	bool is_after_text; /* with spaces, and a space before this one */
};

/* "[^" and the bytes at which a word ends here; without its "]". */
static void
add_class(struct buf *out, const struct place *p, const char *more)
{
	char end = p->end;

	buf_add_text(out, "[^");
	format_grok_add_byte(out, end);
	if (p->in_quotes)
		buf_add_text(out, end == '"' ? "" : "\"");
	/* In columns that are not set apart by spaces there may be some. */
	else if (end != ' ' && !memchr("\t|;]\x01", end, 5))
		buf_add_char(out, ' ');
	buf_add_text(out, more);
}

/* Up to the delimiter, over what a backslash escapes where it does. */
static void
add_word(struct buf *out, const struct place *p, const char *more)
{
	if (!p->in_quotes) {
		add_class(out, p, more);
		buf_add_text(out, "]*+");
		return;
	}
	add_class(out, p, more);
	buf_add_text(out, "\\\\]*+(?:\\\\.");
	add_class(out, p, more);
	buf_add_text(out, "\\\\]*+)*+");
}

/*
 * Text that may hold the first byte of its delimiter, but not all of it:
 * [^d]*+(?:d(?!elimiter)[^d]*+)*+
 */
static void
add_text(struct buf *out, const struct place *p)
{
	char first = p->next.len ? p->next.data[0] : '\0';
	size_t i;

	if (p->is_last) {
		buf_add_text(out, ".*+");
	} else if (p->in_quotes || (p->next.len == 1 && first == ' ')) {
		buf_add_text(out, ".*?");
	} else {
		buf_add_text(out, "[^");
		format_grok_add_byte(out, first);
		buf_add_text(out, "]*+");
		if (p->next.len == 1)
			return;
		buf_add_text(out, "(?:");
		format_grok_add_byte(out, first);
		buf_add_text(out, "(?!");
		for (i = 1; i < p->next.len; i++)
			format_grok_add_byte(out, p->next.data[i]);
		buf_add_text(out, ")[^");
		format_grok_add_byte(out, first);
		buf_add_text(out, "]*+)*+");
	}
}

/* A list between spaces; see VALUE_LIST. */
static void
add_list(struct buf *out, const struct place *p)
{
	char end = p->end;

	if (p->in_quotes || !memchr(" ,}", end, 3)) {
		add_word(out, p, "");
		return;
	}
	add_class(out, p, ",");
	buf_add_text(out, end == ',' ? "]*+(?:, " : "]*+(?:, ?");
	add_class(out, p, ",\"");
	buf_add_text(out, "]++| : ");
	add_class(out, p, ",");
	buf_add_text(out, "]*+)*+");
}

/* A variable at once after this one: there is no delimiter. */
static void
add_undelimited(struct buf *out, const struct place *p)
{
	switch (p->shape) {
	case VALUE_SCHEME:
		buf_add_text(out, "(?:https?|wss?|-)?");
		return;
	case VALUE_STATUS:
		buf_add_text(out, "(?:[0-9]{3}|-)");
		return;
	case VALUE_COUNT:
		buf_add_text(out, "(?:[0-9]++|-)");
		return;
	case VALUE_SECONDS:
		buf_add_text(out, "(?:[0-9]++(?:\\.[0-9]{3})?|-)");
		return;
	case VALUE_TIME_LOCAL:
		buf_add_text(out, "%{HTTPDATE}");
		return;
	case VALUE_IS_ARGS:
		buf_add_text(out, "\\??+");
		return;
	case VALUE_FLAG:
		buf_add_char(out, '.');
		return;
	case VALUE_PORT:
		buf_add_text(out, "%{PORT}");
		return;
	case VALUE_WORD:
	case VALUE_TEXT:
	case VALUE_USER:
	case VALUE_ADDRESS:
	case VALUE_HOST:
	case VALUE_LIST:
	case VALUE_SECONDS_LIST:
	case VALUE_ARGS:
	case VALUE_URI:
		break;
	}
	if (p->next_shape == VALUE_URI)
		add_word(out, p, "/");
	else if (p->next_shape == VALUE_IS_ARGS)
		add_word(out, p, "?");
	else
		buf_add_text(out, p->in_quotes ? ".*?" : "[^ ]*?");
}

/*
 * Numbers, and what else is told by its own bytes and not by its delimiter
 * alone.  Returns whether it is one of these.
 */
static bool
add_narrow(struct buf *out, const struct place *p, bool is_integer,
    bool may_be_empty)
{
	char end = p->end;

	switch (p->shape) {
	case VALUE_STATUS:
		/* Of the words of a user agent it is the one that is three. */
		buf_add_text(out,
		    p->is_after_text ? "(?:-|[0-9]{3})(?![^ ])" : "%{STATUS}");
		return true;
	case VALUE_COUNT:
	case VALUE_SECONDS:
		if (is_integer && end == ' ') {
			buf_add_text(out, "%{INTEGER}");
			return true;
		}
		add_class(out, p,
		    p->is_last && end != ' '         ? "\" "
			: end == '"' || p->in_quotes ? ""
						     : "\"");
		buf_add_text(out,
		    may_be_empty && p->shape == VALUE_SECONDS ? "]*+" : "]++");
		return true;
	case VALUE_TIME_LOCAL:
		if (end == ' ' && !p->in_quotes) {
			buf_add_text(out, "%{HTTPDATE}");
			return true;
		}
		break;
	case VALUE_FLAG:
		buf_add_char(out, '.');
		return true;
	case VALUE_IS_ARGS:
		buf_add_text(out, "\\??+");
		return true;
	case VALUE_PORT: /* of a unix-domain socket there is none */
		buf_add_text(out, "(?:-|[0-9]*+)");
		return true;
	case VALUE_SECONDS_LIST:
		if (end == ' ' && !p->in_quotes) {
			buf_add_text(out, "%{SECONDS_LIST}");
			return true;
		}
		break;
	case VALUE_WORD:
	case VALUE_TEXT:
	case VALUE_USER:
	case VALUE_ADDRESS:
	case VALUE_HOST:
	case VALUE_LIST:
	case VALUE_SCHEME:
	case VALUE_ARGS:
	case VALUE_URI:
		break;
	}
	return false;
}

/* What reaches up to its delimiter, where that is not the closing quote. */
static void
add_delimited(struct buf *out, const struct place *p)
{
	char end = p->end;

	switch (p->shape) {
	case VALUE_TEXT:
		add_text(out, p);
		return;
	case VALUE_USER:
		if (p->is_last || (p->next.len == 1 && end == ' '))
			add_word(out, p, "");
		else
			add_text(out, p);
		return;
	case VALUE_ADDRESS:
		if (end == ' ' && !p->in_quotes)
			buf_add_text(out, "%{CLIENT}");
		else if (end == ':') /* the last one: of IPv6 there are more */
			buf_add_text(out, "[^ \"]*");
		else if (end == ',' && p->is_last)
			add_list(out, p); /* of the proxies on the way */
		else
			add_word(out, p, "");
		return;
	case VALUE_HOST:
		if (end == ':')
			buf_add_text(out, "%{SERVER}");
		else
			add_word(out, p, "");
		return;
	case VALUE_LIST:
	case VALUE_SECONDS_LIST:
		add_list(out, p);
		return;
	case VALUE_TIME_LOCAL:
		if (end == ']' || end == '"' || end == '\t' || end == '|')
			add_word(out, p, "");
		else
			buf_add_text(out, "%{HTTPDATE}");
		return;
	case VALUE_WORD:
	case VALUE_STATUS:
	case VALUE_COUNT:
	case VALUE_SECONDS:
	case VALUE_SCHEME:
	case VALUE_IS_ARGS:
	case VALUE_ARGS:
	case VALUE_URI:
	case VALUE_FLAG:
	case VALUE_PORT:
		break;
	}
	add_word(out, p, "");
}

static void
add_expression(struct buf *out, const struct place *p, bool is_integer,
    bool may_be_empty)
{
	if (p->is_before_field) {
		add_undelimited(out, p);
	} else if (!add_narrow(out, p, is_integer, may_be_empty)) {
		if (p->in_quotes && p->end == '"')
			buf_add_text(out, "%{QUOTED}");
		else
			add_delimited(out, p);
	}
}

/* Values that may hold what separates the columns. */
static bool
is_text(const struct place *p)
{
	switch (p->shape) {
	case VALUE_TEXT:
	case VALUE_URI:
	case VALUE_ARGS:
		return true;
	case VALUE_WORD:
		return str_starts_with(p->name, STR("http_"));
	case VALUE_USER:
	case VALUE_ADDRESS:
	case VALUE_HOST:
	case VALUE_LIST:
	case VALUE_STATUS:
	case VALUE_COUNT:
	case VALUE_SECONDS:
	case VALUE_SECONDS_LIST:
	case VALUE_TIME_LOCAL:
	case VALUE_SCHEME:
	case VALUE_IS_ARGS:
	case VALUE_FLAG:
	case VALUE_PORT:
		break;
	}
	return false;
}

/*
 * In columns between other bytes than spaces the last one too ends there, if it
 * is not one that may hold them.
 */
static char
last_end(const struct format_columns *c, size_t i)
{
	struct str before;

	if (!i || c->pieces[i - 1].is_field)
		return ' ';
	before = format_columns_text(c, i - 1);
	return before.len == 1 && memchr(";,|\t", before.data[0], 4)
	    ? before.data[0]
	    : ' ';
}

static struct place
place_of(const struct format_columns *c, size_t i, bool in_quotes)
{
	struct place p = { .name = format_columns_text(c, i),
		.shape = c->pieces[i].shape,
		.in_quotes = in_quotes,
		.is_last = i + 1 == c->n_pieces };
	size_t j;

	p.is_after_text = i >= 2 && !in_quotes &&
	    str_equal(format_columns_text(c, i - 1), STR(" ")) &&
	    c->pieces[i - 2].is_field && c->pieces[i - 2].shape == VALUE_TEXT;

	p.end = p.is_last && !is_text(&p) && p.shape != VALUE_USER
	    ? last_end(c, i)
	    : ' ';
	if (p.is_last)
		return p;
	p.is_before_field = c->pieces[i + 1].is_field;
	if (p.is_before_field)
		p.next_shape = c->pieces[i + 1].shape;
	/* What ends the whole run of variables ends this one at the latest. */
	for (j = i + 1; j < c->n_pieces && c->pieces[j].is_field; j++)
		;
	if (j < c->n_pieces) {
		p.next = format_columns_text(c, j);
		p.end = p.next.data[0];
	}
	return p;
}

static int
build_field(struct format_columns *c, struct format_build *b, size_t i,
    bool in_quotes)
{
	const struct format_columns_piece *piece = &c->pieces[i];
	struct place p = place_of(c, i, in_quotes);
	struct buf expression;
	bool has_known_end = false;
	int error = 0;

	buf_init(&expression, 16 * BOUNDS_FORMAT_BYTES + 1024);
	if (is_text(&p))
		error = format_end_add(&expression, c, i, in_quotes,
		    &has_known_end);
	add_expression(&expression, &p, piece->is_integer, c->may_be_empty);
	if (has_known_end)
		buf_add_char(&expression, ')');
	if (!error)
		error = buf_status(&expression);
	if (!error)
		error = format_build_open(b, !piece->is_uncaptured,
		    piece->shift, piece->column,
		    piece->is_uncaptured ? STR("(?:") : p.name);
	if (!error)
		error = format_grok_expand(b, buf_str(&expression),
		    piece->column);
	if (!error)
		error = format_build_close(b, piece->column, STR(")"));
	buf_release(&expression);
	return error;
}

int
format_columns_build(struct format_columns *c, struct format_build *b)
{
	bool in_quotes = false;
	size_t i, j;
	int error = 0;

	if (c->n_pieces > BOUNDS_FORMAT_ITEMS)
		return config_error_set(b->reterr, 0,
		    c->pieces[BOUNDS_FORMAT_ITEMS].column,
		    "the format has more than %d pieces; write a shorter one",
		    BOUNDS_FORMAT_ITEMS);
	choose_captured(c);
	for (i = 0; i < c->n_pieces && !error; i++) {
		struct str literal;

		if (c->pieces[i].is_field) {
			error = build_field(c, b, i, in_quotes);
			continue;
		}
		literal = format_columns_text(c, i);
		for (j = 0; j < literal.len; j++)
			in_quotes ^= literal.data[j] == '"';
		error = format_build_add(b, FORMAT_LITERAL, b->depth, 0,
		    c->pieces[i].column, literal);
	}
	return error;
}
