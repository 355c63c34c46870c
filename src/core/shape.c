#include "shape.h"

/*
 * Templates:
 *
 *	@  a class [^...] of bytes; the first one says where the value ends
 *	&  the same class again
 *	~  d(?!elimiter): the value ends where the whole delimiter is, which
 *	   must be the literal that follows
 */
static const struct {
	const char *text;
	enum shape_search search;
	unsigned conditions;
} shapes[] = {
	{ "@*+", SHAPE_TO_STOP, SHAPE_MAY_BE_EMPTY },
	{ "@++", SHAPE_TO_STOP, 0 },
	{ "@*+(?:~&*+)*+", SHAPE_TO_STOP, SHAPE_MAY_BE_EMPTY },
	{ "@*+(?:\\\\.&*+)*+", SHAPE_TO_STOP_UNESCAPED,
	    SHAPE_MAY_BE_EMPTY | SHAPE_NOT_AT_BACKSLASH },
	{ "(?:@*+(?:\\\\.&*+)*+(?=\")|.*?)", SHAPE_TO_STOP_UNESCAPED,
	    SHAPE_MAY_BE_EMPTY | SHAPE_AT_QUOTE },
	{ "(?:-|[0-9]++)", SHAPE_PAST_DIGITS_OR_DASH, 0 },
	{ "(?:-|[0-9]*+)", SHAPE_PAST_DIGITS_OR_DASH, SHAPE_MAY_BE_EMPTY },
	{ "(?:-|[0-9]++)(?![^ ])", SHAPE_PAST_DIGITS_OR_DASH, SHAPE_AT_SPACE },
	{ "[0-9]++", SHAPE_PAST_DIGITS, 0 },
	{ "[0-9]++(?![^ ])", SHAPE_PAST_DIGITS, SHAPE_AT_SPACE },
	{ "@*+(?:, ?@++)*+", SHAPE_TO_STOP,
	    SHAPE_MAY_BE_EMPTY | SHAPE_NOT_AT_COMMA },
	{ "@*+(?:, ?@++| : @*+)*+", SHAPE_TO_STOP,
	    SHAPE_MAY_BE_EMPTY | SHAPE_NOT_AT_LIST },
	{ "@*+(?:(?:,| :) @*+)*+(?![^ ])", SHAPE_TO_STOP,
	    SHAPE_MAY_BE_EMPTY | SHAPE_NOT_AT_LIST | SHAPE_AT_SPACE },
	{ "(?![0-9])@++", SHAPE_TO_STOP, SHAPE_NOT_FROM_DIGIT },
	{ "(?:\\[[^\\] ]*+\\]|@*+)", SHAPE_TO_STOP,
	    SHAPE_MAY_BE_EMPTY | SHAPE_NOT_IN_BRACKETS },
};

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte that stands for itself, or \ and a byte, or \x5b; off the front. */
static bool
read_byte(struct str *text, char *ret_byte)
{
	int high, low;

	if (!text->len ||
	    (text->data[0] != '\\' &&
		memchr(".[]()|?*+{}^$-", text->data[0], 14)))
		return false;
	if (text->data[0] != '\\') {
		*ret_byte = text->data[0];
		*text = str_after(*text, 1);
		return true;
	}
	if (text->len >= 4 && text->data[1] == 'x') {
		high = hex_digit(text->data[2]);
		low = hex_digit(text->data[3]);
		if (high < 0 || low < 0)
			return false;
		*ret_byte = (char)(high << 4 | low);
		*text = str_after(*text, 4);
		return true;
	}
	if (text->len < 2 || !memchr("\\.[]()|?*+{}^$-\"", text->data[1], 16))
		return false;
	*ret_byte = text->data[1];
	*text = str_after(*text, 2);
	return true;
}

/* "[^", bytes that stand for themselves, "]"; off the front. */
static bool
read_class(struct str *text, char bytes[SHAPE_STOPS], size_t *ret_n)
{
	struct str rest = *text;
	size_t n = 0;

	if (!str_starts_with(rest, STR("[^")))
		return false;
	rest = str_after(rest, 2);
	while (rest.len && rest.data[0] != ']') {
		if (n == SHAPE_STOPS || !read_byte(&rest, &bytes[n]))
			return false;
		n++;
	}
	if (!rest.len || !n)
		return false;
	*text = str_after(rest, 1);
	*ret_n = n;
	return true;
}

/* d(?!elimiter), where literal begins with it; off the front. */
static bool
read_delimiter(struct str *text, struct str literal)
{
	size_t n = 0;
	char byte;

	while (read_byte(text, &byte)) {
		if (n == literal.len || literal.data[n] != byte)
			return false;
		if (++n == 1) {
			if (!str_starts_with(*text, STR("(?!")))
				return false;
			*text = str_after(*text, 3);
		}
	}
	if (n < 2 || !text->len || text->data[0] != ')')
		return false;
	*text = str_after(*text, 1);
	return true;
}

/* Whether text is what the template says; the stops of its first class. */
static bool
fits(struct str text, const char *template, struct str literal,
    char stops[SHAPE_STOPS], size_t *ret_n_stops)
{
	char bytes[SHAPE_STOPS];
	struct str first = { 0 };

	*ret_n_stops = 0;
	for (; *template; template ++) {
		struct str from = text;
		size_t n;

		switch (*template) {
		case '@':
			if (!read_class(&text, bytes, &n))
				return false;
			if (first.data)
				break;
			first = str_of(from.data, from.len - text.len);
			memcpy(stops, bytes, n);
			*ret_n_stops = n;
			break;
		case '&':
			if (!str_starts_with(text, first))
				return false;
			text = str_after(text, first.len);
			break;
		case '~':
			if (!read_delimiter(&text, literal))
				return false;
			break;
		default:
			if (!text.len || text.data[0] != *template)
				return false;
			text = str_after(text, 1);
		}
	}
	return !text.len;
}

bool
shape_find(struct str expression, struct str literal, struct shape *ret_shape)
{
	struct shape shape;
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (!fits(expression, shapes[i].text, literal, shape.stops,
			&shape.n_stops))
			continue;
		shape.search = shapes[i].search;
		shape.conditions = shapes[i].conditions;
		*ret_shape = shape;
		return true;
	}
	return false;
}
