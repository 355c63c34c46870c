#include "accesslog/patterns.h"

#include "accesslog/format_json.h"
#include "accesslog/spelling.h"

#define PATTERNS_ROW(kind, name, text, description, sample)                    \
	{ PATTERNS_##kind, (name), (text), (description), (sample) },

static const struct patterns_row rows[] = {
#include "patterns_table.h"
};

const struct patterns_row *
patterns_all(size_t *ret_n)
{
	*ret_n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
same_name(struct str a, struct str b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++) {
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	}
	return true;
}

const struct patterns_row *
patterns_find(struct str name)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (same_name(name, str_from(rows[i].name)))
			return &rows[i];
	}
	return NULL;
}

/* Cut where it is longer than all names. */
static void
lower_name(struct str name, char ret_text[static SPELLING_MOST_BYTES + 1])
{
	size_t i;

	for (i = 0; i < name.len && i < SPELLING_MOST_BYTES; i++)
		ret_text[i] = lower(name.data[i]);
	ret_text[i] = '\0';
}

const struct patterns_row *
patterns_nearest(struct str name, bool in_expression)
{
	static const size_t n_rows = sizeof(rows) / sizeof(rows[0]);
	char texts[sizeof(rows) / sizeof(rows[0])][SPELLING_MOST_BYTES + 1];
	const char *names[sizeof(rows) / sizeof(rows[0])];
	char meant[SPELLING_MOST_BYTES + 1];
	size_t n = 0, n_begun = 0, i;
	const char *near;

	lower_name(name, meant);
	for (i = 0; i < n_rows; i++) {
		if (in_expression ? format_json_is(str_from(rows[i].text))
				  : rows[i].kind != PATTERNS_FORMAT)
			continue;
		lower_name(str_from(rows[i].name), texts[n]);
		names[n] = texts[n];
		n_begun += str_starts_with(str_from(names[n]), str_from(meant));
		n++;
	}
	near = spelling_nearest(str_from(meant), names, n);
	if (near && n_begun > 1 &&
	    spelling_distance(str_from(meant), str_from(near)) > 1)
		return NULL;
	return near ? patterns_find(str_from(near)) : NULL;
}
