#include "accesslog/patterns.h"

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
