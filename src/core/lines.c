#include "accesslog/lines.h"

#include "accesslog/bounds.h"

void
lines_init(struct lines *l, bool at_start)
{
	*l = (struct lines){ .at_start = at_start };
}

static void
consume(struct lines *l, struct str *window, size_t n, enum lines_class class)
{
	*window = str_after(*window, n);
	l->n_bytes[class] += n;
	l->at_start = l->at_start && n == 0;
}

static size_t
count_nuls(struct str s)
{
	size_t n = 0;

	/* A hole of a sparse file is NULs by the page: compare, not step. */
	while (s.len - n >= 4096 && s.data[n] == 0 &&
	    !memcmp(s.data + n, s.data + n + 1, 4095))
		n += 4096;
	while (n < s.len && s.data[n] == 0)
		n++;
	return n;
}

enum lines_result
lines_next_odd(struct lines *l, struct str *window, bool final,
    struct str *ret_line)
{
	const char *newline;
	size_t len;

	/* Half a mark is an unfinished line, which is not consumed either. */
	if (l->at_start && str_starts_with(*window, STR("\xEF\xBB\xBF")))
		consume(l, window, 3, LINES_BYTES_BOM);
	if (!l->in_long_line && window->len && window->data[0] == 0)
		consume(l, window, count_nuls(*window), LINES_BYTES_NUL);

	newline = window->len ? memchr(window->data, '\n', window->len) : NULL;
	len = newline ? (size_t)(newline - window->data) : window->len;

	if (l->in_long_line || len > BOUNDS_LINE_BYTES) {
		consume(l, window, newline ? len + 1 : len,
		    LINES_BYTES_TOO_LONG);
		l->in_long_line = !newline && !final;
		return l->in_long_line ? LINES_MORE : LINES_TOO_LONG;
	}
	if (!newline && (!final || !len))
		return LINES_MORE;

	*ret_line = str_of(window->data, len);
	if (newline && len && newline[-1] == '\r')
		ret_line->len--;
	consume(l, window, newline ? len + 1 : len, LINES_BYTES_READ);
	return LINES_LINE;
}

void
lines_give_back(struct lines *l, struct str *window, struct str line)
{
	size_t n = (size_t)(window->data - line.data);

	*window = str_of(line.data, window->len + n);
	l->n_bytes[LINES_BYTES_READ] -= n;
}
