#include "accesslog/spelling.h"

#include <stdint.h>

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Rows of the matrix: rows[k][j] is the distance of two beginnings. */
size_t
spelling_distance(struct str a, struct str b)
{
	size_t rows[3][SPELLING_MOST_BYTES + 1];
	size_t i, j;

	if (a.len > SPELLING_MOST_BYTES || b.len > SPELLING_MOST_BYTES)
		return SIZE_MAX;
	for (j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3];
		const size_t *before = rows[(i - 1) % 3];
		const size_t *two_before = rows[(i + 1) % 3];

		row[0] = i;
		for (j = 1; j <= b.len; j++) {
			char x = a.data[i - 1], y = b.data[j - 1];

			row[j] = smaller(before[j - 1] + (x != y),
			    smaller(before[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == b.data[j - 2] &&
			    y == a.data[i - 2])
				row[j] = smaller(row[j], two_before[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

const char *
spelling_nearest(struct str text, const char *const names[], size_t n)
{
	const char *best = NULL;
	size_t least = SIZE_MAX;
	size_t i;

	for (i = 0; i < n; i++) {
		struct str name = str_from(names[i]);
		size_t d = spelling_distance(text, name);

		if (d > (name.len + 2) / 3 &&
		    !(text.len >= 3 &&
			(str_starts_with(name, text) ||
			    str_starts_with(text, name))))
			continue;
		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}
