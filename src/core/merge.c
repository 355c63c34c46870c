#include "accesslog/merge.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/registry_snapshot.h"

/* One series of one registry. */
struct place {
	const struct registry_snapshot_family *family;
	uint32_t index;
	size_t origin; /* which registry */
};

static int
compare(const void *a, const void *b)
{
	const struct place *p = a;
	const struct place *q = b;
	struct str s = registry_text(p->family->family, p->index);
	struct str t = registry_text(q->family->family, q->index);
	int order = memcmp(s.data, t.data, s.len < t.len ? s.len : t.len);

	if (!order)
		order = (s.len > t.len) - (s.len < t.len);
	if (!order)
		order = (p->origin > q->origin) - (p->origin < q->origin);
	return order;
}

static const struct registry_snapshot_family *
find(const struct registry_snapshot *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_families; i++) {
		if (!strcmp(registry_spec(s->families[i].family)->name, name))
			return &s->families[i];
	}
	return NULL;
}

/* To is locked. */
static int
add_place(struct registry_family *to, const struct place *p)
{
	struct str values[BOUNDS_LABELS];
	uint32_t index;
	size_t i;
	int error;

	for (i = 0; i < registry_spec(to)->n_labels; i++)
		values[i] = registry_value(p->family->family, p->index, i);
	error = registry_series(to, values, &index);
	if (!error)
		registry_add_cells(to, index,
		    p->family->cells + p->index * p->family->n_cells);
	return error;
}

/* The family of this spec, from all registries that have one. */
static int
merge_family(struct registry *to, const struct registry_spec *spec,
    const struct registry_snapshot from[], size_t n)
{
	struct registry_family *family;
	struct place *places;
	size_t n_places = 0;
	size_t i, room = 1;
	uint32_t j;
	int error = registry_add_family(to, spec, &family);

	if (error)
		return error;
	for (i = 0; i < n; i++) {
		const struct registry_snapshot_family *f = find(&from[i],
		    spec->name);

		room += f ? f->n_series : 0;
	}
	places = calloc(room, sizeof(*places));
	if (!places)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const struct registry_snapshot_family *f = find(&from[i],
		    spec->name);

		if (!f)
			continue;
		registry_add_overflow(family, registry_overflow(f->family));
		for (j = 0; j < f->n_series; j++)
			places[n_places++] = (struct place){ f, j, i };
	}
	qsort(places, n_places, sizeof(*places), compare);
	for (i = 0; i < n_places && !error; i++)
		error = add_place(family, &places[i]);
	free(places);
	return error;
}

static int
merge_snapshots(struct registry *to, const struct registry_snapshot from[],
    size_t n)
{
	size_t i, j, k;
	int error = 0;

	for (i = 0; i < n && !error; i++) {
		for (j = 0; j < from[i].n_families && !error; j++) {
			const struct registry_spec *spec = registry_spec(
			    from[i].families[j].family);

			/* Done with the first registry that has it. */
			for (k = 0; k < i && !find(&from[k], spec->name); k++)
				;
			if (k == i)
				error = merge_family(to, spec, from, n);
		}
	}
	return error;
}

int
merge_registries(struct registry *to, struct registry *const from[], size_t n)
{
	struct registry_snapshot *snapshots = calloc(n + 1, sizeof(*snapshots));
	size_t i, n_taken = 0;
	int error = snapshots ? 0 : -ENOMEM;

	while (n_taken < n && !error) {
		error = registry_snapshot_take(from[n_taken],
		    &snapshots[n_taken]);
		n_taken += !error;
	}
	if (!error) {
		registry_lock(to);
		error = merge_snapshots(to, snapshots, n);
		registry_unlock(to);
	}
	for (i = 0; i < n_taken; i++)
		registry_snapshot_release(&snapshots[i]);
	free(snapshots);
	return error;
}
