#include "accesslog/registry_snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

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

/* Of x86-64 and, as a rule, of arm64. */
#define HUGE_PAGE_BYTES ((size_t)2 * 1024 * 1024)

/*
 * Memory that the system has given already: to be given a page takes thrice as
 * long as to fill it, and the lock need not be held for that.  Where there is
 * much it is given in large pages, some of which take a tenth of the time of
 * the thousands of small ones.
 */
static uint64_t *
allocate_cells(size_t n)
{
	size_t n_huge = n / (HUGE_PAGE_BYTES / sizeof(uint64_t)) + 1;
	uint64_t *cells;
	volatile uint64_t *touched;
	size_t i;

	if (n_huge > 2 && n_huge < SIZE_MAX / HUGE_PAGE_BYTES) {
		cells = aligned_alloc(HUGE_PAGE_BYTES,
		    n_huge * HUGE_PAGE_BYTES);
		if (cells)
			(void)madvise(cells, n_huge * HUGE_PAGE_BYTES,
			    MADV_HUGEPAGE);
	} else {
		cells = reallocarray(NULL, n, sizeof(*cells));
	}
	touched = cells;

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
