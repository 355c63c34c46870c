#include "accesslog/registry_snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "registry_family.h"

/* Of the families that are shown. */
static size_t
count_cells(const struct registry *r)
{
	size_t n = 0;
	size_t i;

	for (i = 0; i < r->n_families; i++) {
		const struct registry_family *f = r->families[i];

		if (!f->is_retired)
			n += f->table.n_series * f->table.n_cells;
	}
	return n;
}

/*
 * Memory that the system has given already: to be given a page takes thrice as
 * long as to fill it, and the lock need not be held for that.
 */
static uint64_t *
allocate_cells(size_t n)
{
	uint64_t *cells = reallocarray(NULL, n, sizeof(*cells));
	volatile uint64_t *touched = cells;
	size_t i;

	for (i = 0; cells && i < n; i += 4096 / sizeof(*cells))
		touched[i] = 0;
	return cells;
}

static void
fill_snapshot(const struct registry *r, struct registry_snapshot *s)
{
	uint64_t *next = s->cells;
	size_t i;

	s->n_families = 0;
	for (i = 0; i < r->n_families; i++) {
		const struct registry_family *f = r->families[i];

		if (f->is_retired)
			continue;
		s->families[s->n_families++] =
		    (struct registry_snapshot_family){ f, f->tag, f->n_overflow,
			    f->table.n_series, f->table.n_cells, next };
		next = series_copy_cells(&f->table, next);
	}
}

int
registry_snapshot_take(struct registry *r,
    struct registry_snapshot *ret_snapshot)
{
	struct registry_snapshot s = { 0 };
	int error = registry_snapshot_retake(r, &s);

	if (!error)
		*ret_snapshot = s;
	return error;
}

int
registry_snapshot_retake(struct registry *r, struct registry_snapshot *s)
{
	for (;;) {
		size_t n_cells;

		registry_lock(r);
		n_cells = count_cells(r);
		if (s->families && n_cells <= s->room)
			break;
		registry_unlock(r);
		registry_snapshot_release(s);
		/* With some to spare for what is added until the next. */
		s->room = n_cells + n_cells / 8 + 64;
		s->families = calloc(BOUNDS_FAMILIES, sizeof(*s->families));
		s->cells = allocate_cells(s->room);
		if (!s->families || !s->cells) {
			registry_snapshot_release(s);
			return -ENOMEM;
		}
	}
	fill_snapshot(r, s);
	registry_unlock(r);
	return 0;
}

void
registry_snapshot_release(struct registry_snapshot *s)
{
	free(s->cells);
	free(s->families);
	*s = (struct registry_snapshot){ 0 };
}
