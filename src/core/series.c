#include "series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
series_init(struct series_table *t, size_t n_cells)
{
	*t = (struct series_table){ .n_cells = n_cells };
}

void
series_release(struct series_table *t)
{
	uint32_t i;
	unsigned b;

	for (i = 0; i < t->n_series; i++)
		free(series_at(t, i)->text);
	for (b = 0; b < SERIES_BLOCKS; b++) {
		free(t->series[b]);
		free(t->cells[b]);
	}
	free(t->table);
}

uint32_t
series_find(const struct series_table *t, uint64_t hash, struct str key)
{
	uint32_t mask = t->size - 1;
	uint32_t at;

	if (!t->size)
		return SERIES_NONE;
	for (at = (uint32_t)hash & mask; t->table[at] != SERIES_NONE;
	     at = (at + 1) & mask) {
		const struct series *s = series_at(t, t->table[at]);

		if (s->hash == hash &&
		    str_equal(str_of(s->text, s->key_len), key))
			break;
	}
	return t->table[at];
}

/* Puts an index where series_find() comes by: size is the table's. */
static void
enter(uint32_t *table, uint32_t size, uint64_t hash, uint32_t index)
{
	uint32_t at = (uint32_t)hash & (size - 1);

	while (table[at] != SERIES_NONE)
		at = (at + 1) & (size - 1);
	table[at] = index;
}

static int
grow_table(struct series_table *t)
{
	uint32_t size = t->size ? t->size * 2 : 2 * SERIES_FIRST_BLOCK;
	uint32_t *table;
	uint32_t i;

	if (t->n_series + 1 <= t->size / 2)
		return 0;
	table = malloc(size * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table, 0xFF, size * sizeof(*table));
	for (i = 0; i < t->n_series; i++)
		enter(table, size, series_at(t, i)->hash, i);
	free(t->table);
	t->table = table;
	t->size = size;
	return 0;
}

static int
grow_blocks(struct series_table *t)
{
	uint32_t place;
	unsigned b = series_block(t->n_series, &place);
	size_t n = (size_t)SERIES_FIRST_BLOCK << b;

	if (!t->series[b])
		t->series[b] = calloc(n, sizeof(*t->series[b]));
	if (!t->cells[b])
		t->cells[b] = calloc(n, t->n_cells * sizeof(*t->cells[b]));
	return t->series[b] && t->cells[b] ? 0 : -ENOMEM;
}

int
series_add(struct series_table *t, uint64_t hash, struct str text,
    size_t key_len, uint32_t *ret_index)
{
	char *copy = NULL;
	int error;

	error = grow_table(t);
	if (!error)
		error = grow_blocks(t);
	if (error)
		return error;
	/* Just as long as it is: a buf would take twice the memory in all. */
	if (text.len) {
		copy = malloc(text.len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, text.data, text.len);
	}
	*series_at(t, t->n_series) = (struct series){ .hash = hash,
		.text = copy,
		.key_len = (uint32_t)key_len,
		.text_len = (uint32_t)(text.len - key_len) };
	enter(t->table, t->size, hash, t->n_series);
	*ret_index = t->n_series++;
	return 0;
}

size_t
series_bytes(const struct series_table *t, uint32_t index)
{
	const struct series *s = series_at(t, index);

	return sizeof(*s) + s->key_len + s->text_len +
	    t->n_cells * sizeof(uint64_t);
}

uint64_t *
series_copy_cells(const struct series_table *t, uint64_t *to)
{
	size_t left = t->n_series;
	unsigned b;

	for (b = 0; left; b++) {
		size_t in_block = (size_t)SERIES_FIRST_BLOCK << b;
		size_t n = left < in_block ? left : in_block;

		memcpy(to, t->cells[b], n * t->n_cells * sizeof(*to));
		to += n * t->n_cells;
		left -= n;
	}
	return to;
}
