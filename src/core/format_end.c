#include "format_end.h"

#include "format_grok.h"

/* Adds what piece i looks like, where that is a number or a protocol. */
static bool
add_look(struct buf *out, const struct format_columns *c, size_t i)
{
	switch (c->pieces[i].shape) {
	case VALUE_STATUS:
		buf_add_text(out, "(?:-|[0-9]{3})");
		return true;
	case VALUE_COUNT:
		buf_add_text(out, "(?:-|[0-9]++)");
		return true;
	case VALUE_SECONDS: /* of nginx they have a fraction, and are never "-" */
		buf_add_text(out,
		    c->pieces[i].is_integer ? "(?:-|[0-9]++)"
					    : "[0-9]++\\.[0-9]++");
		return true;
	case VALUE_WORD:
		if (!str_equal(format_columns_text(c, i),
			STR("server_protocol")))
			return false;
		buf_add_text(out, "(?:HTTP/[0-9.]++|-|)");
		return true;
	case VALUE_TEXT:
	case VALUE_USER:
	case VALUE_ADDRESS:
	case VALUE_HOST:
	case VALUE_LIST:
	case VALUE_SECONDS_LIST:
	case VALUE_TIME_LOCAL:
	case VALUE_SCHEME:
	case VALUE_IS_ARGS:
	case VALUE_ARGS:
	case VALUE_URI:
	case VALUE_FLAG:
	case VALUE_PORT:
		break;
	}
	return false;
}

/*
 * Adds the literal piece i from its byte k on and the look of the variable
 * after it, up to where that ends.  Returns whether there is such a look.
 */
static bool
add_column_look(struct buf *out, const struct format_columns *c, size_t i,
    size_t k)
{
	size_t len = out->len;
	struct str literal, next;

	if (i + 1 >= c->n_pieces || c->pieces[i].is_field ||
	    !c->pieces[i + 1].is_field ||
	    (i + 2 < c->n_pieces && c->pieces[i + 2].is_field))
		return false;
	literal = format_columns_text(c, i);
	next = i + 2 < c->n_pieces ? format_columns_text(c, i + 2) : literal;
	for (; k < literal.len; k++)
		format_grok_add_byte(out, literal.data[k]);
	if (!add_look(out, c, i + 1)) {
		out->len = len;
		return false;
	}
	buf_add_text(out, "(?![^");
	format_grok_add_byte(out, next.data[0]);
	buf_add_text(out, "])");
	return true;
}

/*
 * Adds how the line goes on behind the first byte of the literal piece i, where
 * the column after it has a look: then text ends there and not before.  Of a
 * status, which three digits in a text may be, the column after it too, and so
 * of a protocol that is "-" or empty.  No further ones: what is torn there must
 * not cost the line.
 */
static bool
add_next_look(struct buf *out, const struct format_columns *c, size_t i)
{
	size_t len;

	if (!add_column_look(out, c, i, 1))
		return false;
	if (c->pieces[i + 1].shape == VALUE_STATUS) {
		(void)add_column_look(out, c, i + 2, 0);
	} else if (c->pieces[i + 1].shape == VALUE_WORD) {
		len = out->len;
		buf_add_text(out, "(?:(?<=[0-9.])|");
		if (add_column_look(out, c, i + 2, 0))
			buf_add_char(out, ')');
		else
			out->len = len;
	}
	return true;
}

/* What may end a text. */
struct ends {
	char byte; /* the first of its delimiter */
	bool is_args; /* "?", behind which the rest of the text is */
	bool in_quotes; /* where a backslash escapes them */
};

/* Bytes of text up to one that may end it, which are not for giving back. */
static void
add_bytes_before(struct buf *out, struct ends ends)
{
	buf_add_text(out, "[^");
	format_grok_add_byte(out, ends.byte);
	if (ends.is_args)
		buf_add_char(out, '?');
	buf_add_text(out, ends.in_quotes ? "\"\\\\]*+" : "]*+");
}

/*
 * Text with its delimiter in it, where it is known what comes next:
 * (?:[^d]*+(?:d(?!elimiter next)[^d]*+)*+(?=delimiter next)|
 */
static void
add_text_before(struct buf *out, struct ends ends, struct str next)
{
	buf_add_text(out, "(?:");
	add_bytes_before(out, ends);
	buf_add_text(out, ends.in_quotes ? "(?:(?:\\\\.|" : "(?:(?:");
	format_grok_add_byte(out, ends.byte);
	buf_add_text(out, "(?!");
	buf_add(out, next);
	buf_add_text(out, "))");
	add_bytes_before(out, ends);
	buf_add_text(out, ")*+(?=");
	if (ends.is_args)
		buf_add_text(out, "\\?|");
	format_grok_add_byte(out, ends.byte);
	buf_add(out, next);
	buf_add_text(out, ")|");
}

static bool
is_field(const struct format_columns *c, size_t i)
{
	return i < c->n_pieces && c->pieces[i].is_field;
}

int
format_end_add(struct buf *out, const struct format_columns *c, size_t i,
    bool in_quotes, bool *ret_is_known)
{
	struct ends ends = { .in_quotes = in_quotes };
	size_t end = i + 1; /* the piece that is the delimiter */
	struct buf next;
	int error;

	*ret_is_known = false;
	/* A path and what follows its question mark are one text. */
	if (is_field(c, end) && c->pieces[end].shape == VALUE_IS_ARGS) {
		ends.is_args = true;
		while (is_field(c, end))
			end++;
	}
	if (end >= c->n_pieces || is_field(c, end))
		return 0;
	ends.byte = format_columns_text(c, end).data[0];
	if (in_quotes && ends.byte == '"')
		return 0;
	buf_init(&next, BOUNDS_FORMAT_BYTES);
	*ret_is_known = add_next_look(&next, c, end);
	error = buf_status(&next);
	if (!error && *ret_is_known)
		add_text_before(out, ends, buf_str(&next));
	buf_release(&next);
	return error;
}
