/*
 * The series of one family: their keys and texts, found by hash, and the cells
 * with their values.
 *
 *	table    indexes, open addressing
 *	series   block 0: 16 | block 1: 32 | block 2: 64 | ...
 *	cells    as many blocks, n_cells for each series
 *
 * Blocks never move and series are never removed, so a reader of a text needs
 * no lock.  What the cells mean is registry.h's.
 */
#ifndef ACCESSLOG_SERIES_H
#define ACCESSLOG_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "accesslog/str.h"

#define SERIES_FIRST_BLOCK 16u
#define SERIES_BLOCKS 28

#define SERIES_NONE UINT32_MAX

struct series {
	uint64_t hash;
	uint64_t created_ms; /* since 1970 */
	char *text; /* owned: the key, then the label text; NULL: both empty */
	uint32_t key_len;
	uint32_t text_len; /* without the key */
};

struct series_table {
	size_t n_cells; /* of one series */
	uint32_t n_series;
	uint32_t size; /* of the table: a power of two, at least 2 n_series */
	uint32_t *table;
	struct series *series[SERIES_BLOCKS];
	uint64_t *cells[SERIES_BLOCKS];
};

/* Empty, without memory. */
void series_init(struct series_table *t, size_t n_cells);

void series_release(struct series_table *t);

/* The index of the series with this key, or SERIES_NONE. */
uint32_t series_find(const struct series_table *t, uint64_t hash,
    struct str key);

/*
 * Add a series whose key is not there, its cells 0.
 *
 * text       its key, then its label text; copied
 * key_len    how much of text is the key
 * ret_index  untouched on failure
 *
 * Returns 0 or -ENOMEM, the series as they were.
 */
int series_add(struct series_table *t, uint64_t hash, struct str text,
    size_t key_len, uint32_t *ret_index) __attribute__((warn_unused_result));

/* What one series takes, but for the unused rest of its block. */
size_t series_bytes(const struct series_table *t, uint32_t index);

/*
 * Copies the cells of all series, in the order of their indexes, to where
 * there is room for them.  Returns the end of what was written.
 */
uint64_t *series_copy_cells(const struct series_table *t, uint64_t *to);

/* Block and place of an index: i + 16 lies in [16 << b, 32 << b). */
static inline unsigned
series_block(uint32_t index, uint32_t *ret_place)
{
	uint32_t i = index + SERIES_FIRST_BLOCK;
	unsigned b = (unsigned)(31 - __builtin_clz(i)) - 4;

	*ret_place = i - (SERIES_FIRST_BLOCK << b);
	return b;
}

static inline struct series *
series_at(const struct series_table *t, uint32_t index)
{
	uint32_t place;
	unsigned b = series_block(index, &place);

	return &t->series[b][place];
}

static inline uint64_t *
series_cells(const struct series_table *t, uint32_t index)
{
	uint32_t place;
	unsigned b = series_block(index, &place);

	return t->cells[b] + place * t->n_cells;
}

#endif
