#include "accesslog/config_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
config_error_set(struct config_error *error, size_t line, size_t column,
    const char *format, ...)
{
	va_list args;

	error->line = line;
	error->column = column;
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* Without its end, which is taken off *rest as well. */
static struct str
take_line(struct str *rest)
{
	size_t len = str_find_char(*rest, '\n');
	struct str line = str_of(rest->data, len);

	*rest = str_after(*rest, len < rest->len ? len + 1 : len);
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static size_t
count_spaces(struct str line)
{
	size_t n = 0;

	while (n < line.len && line.data[n] == ' ')
		n++;
	return n;
}

/*
 * Where byte n of the text of a block is (YAML 1.1, chapter 9):
 *
 *	format: >-
 *	  %h %t "%r"     one space for the end of this line; where it is
 *	  %Q %b          literal, before an empty line, or beside one that is
 *	  ^              indented further, it is a newline for each end
 *	  byte 11
 *
 * Returns false where it says itself how far it is indented.
 */
static bool
find_in_block(struct config_place *place, size_t n)
{
	struct str rest = place->block;
	struct str head = take_line(&rest);
	bool is_folded = head.data[0] == '>';
	bool is_first = true, was_further = false;
	size_t line = place->line, indent = 0, n_empty = 0;

	head.len = str_find_char(head, '#');
	if (strcspn(head.data, "0123456789") < head.len)
		return false;
	while (rest.len) {
		struct str content = take_line(&rest);
		size_t n_spaces = count_spaces(content);
		size_t n_breaks = n_empty + !is_first;
		bool is_further;

		line++;
		if (n_spaces == content.len &&
		    (is_first || n_spaces <= indent)) {
			n_empty++;
			continue;
		}
		if (is_first)
			indent = n_spaces;
		if (n_spaces < indent)
			break;
		content = str_after(content, indent);
		is_further = content.data[0] == ' ' || content.data[0] == '\t';
		/* Of more ends than one the first is folded away. */
		if (is_folded && !is_first && n_empty && !was_further &&
		    !is_further)
			n_breaks--;
		n -= n < n_breaks ? n : n_breaks;
		place->line = line;
		place->column = indent + 1 +
		    (n < content.len ? n : content.len);
		if (n < content.len)
			return true;
		n -= content.len;
		was_further = is_further;
		is_first = false;
		n_empty = 0;
	}
	return !is_first; /* where the text ends */
}

void
config_error_locate(struct config_error *error, struct config_place place)
{
	if (error->column && place.verbatim) {
		place.column += error->column - 1;
	} else if (error->column &&
	    !(place.block.len && find_in_block(&place, error->column - 1))) {
		char text[sizeof(error->text)];

		memcpy(text, error->text, sizeof(text));
		(void)snprintf(error->text, sizeof(error->text),
		    "%.200s (column %zu of this text)", text, error->column);
	}
	error->line = place.line;
	error->column = place.column;
}
