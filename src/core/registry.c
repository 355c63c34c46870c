#include "accesslog/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "accesslog/labels.h"
#include "registry_family.h"

int
registry_create(uint64_t hash_seed, struct registry **ret_registry)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	if (pthread_mutex_init(&r->lock, NULL)) {
		free(r);
		return -ENOMEM;
	}
	r->hash_seed = hash_seed;
	r->max_bytes = BOUNDS_REGISTRY_BYTES;
	*ret_registry = r;
	return 0;
}

static void
spec_release(struct registry_spec *s)
{
	size_t i;

	for (i = 0; s->labels && i < s->n_labels; i++)
		free((void *)(uintptr_t)s->labels[i]);
	free((void *)(uintptr_t)s->labels);
	free((void *)(uintptr_t)s->bounds);
	free((void *)(uintptr_t)s->name);
	free((void *)(uintptr_t)s->help);
}

static void
family_destroy(struct registry_family *f)
{
	series_release(&f->table);
	buf_release(&f->key);
	buf_release(&f->text);
	spec_release(&f->spec);
	free(f);
}

void
registry_destroy(struct registry *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->n_families; i++)
		family_destroy(r->families[i]);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

uint64_t
registry_hash_seed(const struct registry *r)
{
	return r->hash_seed;
}

void
registry_lock(struct registry *r)
{
	int error = pthread_mutex_lock(&r->lock);

	assert(!error);
}

void
registry_unlock(struct registry *r)
{
	int error = pthread_mutex_unlock(&r->lock);

	assert(!error);
}

static int
spec_copy(const struct registry_spec *from, struct registry_spec *to)
{
	const char **labels;
	struct decimal *bounds;
	size_t i;

	*to = (struct registry_spec){ .type = from->type,
		.is_limited = from->is_limited,
		.is_kept = from->is_kept,
		.max_series = from->max_series ? from->max_series
					       : BOUNDS_SERIES,
		.max_value_bytes = from->max_value_bytes
		    ? from->max_value_bytes
		    : BOUNDS_LABEL_VALUE_BYTES };
	to->name = strdup(from->name);
	to->help = from->help ? strdup(from->help) : NULL;
	labels = calloc(from->n_labels + 1, sizeof(*labels));
	bounds = calloc(from->n_bounds + 1, sizeof(*bounds));
	to->labels = labels;
	to->bounds = bounds;
	if (!to->name || (from->help && !to->help) || !labels || !bounds)
		return -ENOMEM;
	for (i = 0; i < from->n_labels; i++) {
		labels[i] = strdup(from->labels[i]);
		if (!labels[i])
			return -ENOMEM;
		to->n_labels++;
	}
	for (i = 0; i < from->n_bounds; i++)
		bounds[i] = from->bounds[i];
	to->n_bounds = from->n_bounds;
	return 0;
}

void
registry_set_now(struct registry *r, uint64_t unix_ms)
{
	r->now_ms = unix_ms;
}

void
registry_limit_bytes(struct registry *r, size_t max_bytes)
{
	r->max_bytes = max_bytes;
}

size_t
registry_n_bytes(const struct registry *r)
{
	return r->n_bytes;
}

struct registry_family *
registry_find_family(const struct registry *r, struct str name)
{
	size_t i;

	for (i = 0; i < r->n_families; i++) {
		struct registry_family *f = r->families[i];

		if (!f->is_retired && str_equal(str_from(f->spec.name), name))
			return f;
	}
	return NULL;
}

/* Whether the series of a are what those of b would be. */
static bool
same_series(const struct registry_spec *a, const struct registry_spec *b)
{
	uint32_t max_value_bytes = b->max_value_bytes
	    ? b->max_value_bytes
	    : BOUNDS_LABEL_VALUE_BYTES;
	size_t i;

	if (strcmp(a->name, b->name) != 0 || a->type != b->type ||
	    a->n_labels != b->n_labels || a->n_bounds != b->n_bounds ||
	    a->max_value_bytes != max_value_bytes)
		return false;
	for (i = 0; i < a->n_labels; i++) {
		if (strcmp(a->labels[i], b->labels[i]) != 0)
			return false;
	}
	for (i = 0; i < a->n_bounds; i++) {
		if (decimal_compare(a->bounds[i], b->bounds[i]) != 0)
			return false;
	}
	return true;
}

static int
create_family(struct registry *r, const struct registry_spec *spec,
    struct registry_family **ret_family)
{
	struct registry_family *f;
	int error;

	assert(spec->n_labels <= BOUNDS_LABELS);
	assert(spec->n_bounds <= BOUNDS_BUCKETS);
	if (r->n_families == BOUNDS_FAMILIES)
		return -ENOSPC;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->registry = r;
	f->is_retired = true;
	f->other = SERIES_NONE;
	series_init(&f->table,
	    spec->type == REGISTRY_HISTOGRAM ? spec->n_bounds + 3 : 2);
	/* Escaping doubles a value at most; names are bounded by their use. */
	buf_init(&f->text, SIZE_MAX / 2);
	buf_init(&f->key, BOUNDS_LABELS * (BOUNDS_LABEL_VALUE_MOST_BYTES + 2));
	error = spec_copy(spec, &f->spec);
	if (error) {
		family_destroy(f);
		return error;
	}
	r->families[r->n_families++] = f;
	*ret_family = f;
	return 0;
}

int
registry_prepare_family(struct registry *r, const struct registry_spec *spec,
    struct registry_family **ret_family)
{
	size_t i;

	for (i = 0; i < r->n_families; i++) {
		struct registry_family *f = r->families[i];

		if (!same_series(&f->spec, spec))
			continue;
		if (!f->spec.help && spec->help) {
			f->spec.help = strdup(spec->help);
			if (!f->spec.help)
				return -ENOMEM;
		}
		*ret_family = f;
		return 0;
	}
	return create_family(r, spec, ret_family);
}

int
registry_add_family(struct registry *r, const struct registry_spec *spec,
    struct registry_family **ret_family)
{
	const struct registry_family *other = registry_find_family(r,
	    str_from(spec->name));
	int error;

	if (other && !same_series(&other->spec, spec))
		return -EEXIST;
	error = registry_prepare_family(r, spec, ret_family);
	if (!error)
		registry_revive_family(*ret_family, spec->max_series);
	return error;
}

void
registry_retire_family(struct registry_family *f)
{
	f->is_retired = true;
}

void
registry_revive_family(struct registry_family *f, uint32_t max_series)
{
	f->spec.max_series = max_series ? max_series : BOUNDS_SERIES;
	f->is_retired = false;
}

/* Into f->key: for each value its length in two bytes, then its bytes. */
static int
make_key(struct registry_family *f, const struct str values[])
{
	struct labels_scratch scratch;
	size_t i;

	buf_clear(&f->key);
	for (i = 0; i < f->spec.n_labels; i++) {
		struct str value = labels_clean(values[i],
		    f->spec.max_value_bytes, &scratch);
		char *end = buf_reserve(&f->key, value.len + 2);

		if (!end)
			break;
		end[0] = (char)(unsigned char)(value.len >> 8);
		end[1] = (char)(unsigned char)value.len;
		if (value.len)
			memcpy(end + 2, value.data, value.len);
		f->key.len += value.len + 2;
	}
	f->key_hash = XXH3_64bits_withSeed(f->key.data, f->key.len,
	    f->registry->hash_seed);
	return buf_status(&f->key);
}

/* Adds the series of f->key. */
static int
add_series(struct registry_family *f, uint32_t *ret_index)
{
	struct str key = buf_str(&f->key);
	struct buf *text = &f->text;
	size_t i, at = 0;
	int error;

	buf_clear(text);
	buf_add(text, key);
	for (i = 0; i < f->spec.n_labels; i++) {
		size_t len = (size_t)(unsigned char)key.data[at] << 8 |
		    (unsigned char)key.data[at + 1];

		if (i > 0)
			buf_add_char(text, ',');
		buf_add_text(text, f->spec.labels[i]);
		buf_add_text(text, "=\"");
		labels_escape(str_of(key.data + at + 2, len), text);
		buf_add_char(text, '"');
		at += 2 + len;
	}
	error = buf_status(text);
	if (!error)
		error = series_add(&f->table, f->key_hash, buf_str(text),
		    key.len, ret_index);
	if (error)
		return error;
	series_at(&f->table, *ret_index)->created_ms = f->registry->now_ms;
	if (f->spec.is_limited)
		f->registry->n_bytes += series_bytes(&f->table, *ret_index);
	return 0;
}

/* The series of f->key; -ENOENT where it is not there and may not be added. */
static int
find_or_add(struct registry_family *f, bool may_add, uint32_t *ret_index)
{
	uint32_t index = series_find(&f->table, f->key_hash, buf_str(&f->key));

	if (index == SERIES_NONE)
		return may_add ? add_series(f, ret_index) : -ENOENT;
	*ret_index = index;
	return 0;
}

/* One place is kept for `other`, which is made when it is needed. */
static bool
has_room(const struct registry_family *f)
{
	uint32_t room = f->spec.max_series - (f->other == SERIES_NONE);

	return f->table.n_series < room &&
	    (!f->spec.is_limited ||
		f->registry->n_bytes < f->registry->max_bytes);
}

/* Finds the series whose labels are all `other`. */
static int
find_other(struct registry_family *f, bool may_add)
{
	struct str others[BOUNDS_LABELS];
	size_t i;
	int error;

	if (f->other != SERIES_NONE)
		return 0;
	for (i = 0; i < BOUNDS_LABELS; i++)
		others[i] = LABELS_OTHER;
	error = make_key(f, others);
	return error ? error : find_or_add(f, may_add, &f->other);
}

/* The series of f->key, or `other`. */
static int
find_or_overflow(struct registry_family *f, uint32_t *ret_index,
    bool *ret_overflowed)
{
	int error = find_or_add(f, has_room(f), ret_index);

	if (!error)
		*ret_overflowed = false;
	if (error != -ENOENT)
		return error;

	error = find_other(f, true);
	if (error)
		return error;
	*ret_index = f->other;
	*ret_overflowed = true;
	return 0;
}

int
registry_find_series(struct registry_family *f, const struct str values[],
    uint32_t *ret_index, bool *ret_overflowed)
{
	int error = make_key(f, values);

	return error ? error : find_or_overflow(f, ret_index, ret_overflowed);
}

int
registry_find_same_series(struct registry_family *f,
    const struct registry_family *as, uint32_t *ret_index, bool *ret_overflowed)
{
	buf_clear(&f->key);
	buf_add(&f->key, buf_str(&as->key));
	f->key_hash = as->key_hash;
	if (buf_status(&f->key))
		return buf_status(&f->key);
	return find_or_overflow(f, ret_index, ret_overflowed);
}

void
registry_count_overflow(struct registry_family *f)
{
	f->n_overflow++;
}

void
registry_add_overflow(struct registry_family *f, uint64_t n)
{
	f->n_overflow += n;
}

int
registry_series(struct registry_family *f, const struct str values[],
    uint32_t *ret_index)
{
	bool overflowed = false;
	int error = registry_find_series(f, values, ret_index, &overflowed);

	if (!error && overflowed)
		f->n_overflow++;
	return error;
}

int
registry_restore_series(struct registry_family *f, const struct str values[],
    const uint64_t cells[], uint64_t unix_ms)
{
	uint32_t n_before = f->table.n_series;
	uint32_t index;
	int error = make_key(f, values);

	if (!error)
		error = find_or_add(f, true, &index);
	if (error)
		return error;
	if (f->table.n_series == n_before)
		return -EEXIST;
	series_at(&f->table, index)->created_ms = unix_ms;
	memcpy(series_cells(&f->table, index), cells,
	    f->table.n_cells * sizeof(*cells));
	return 0;
}

int
registry_restore_overflow(struct registry_family *f, uint64_t n)
{
	int error = n ? find_other(f, false) : 0;

	if (error && error != -ENOENT)
		return error;
	f->n_overflow = n;
	return 0;
}

void
registry_forget_restored(struct registry *r)
{
	size_t i, n = 0;
	uint32_t j;

	for (i = 0; i < r->n_families; i++) {
		struct registry_family *f = r->families[i];

		if (f->spec.help) {
			r->families[n++] = f;
			continue;
		}
		for (j = 0; f->spec.is_limited && j < f->table.n_series; j++)
			r->n_bytes -= series_bytes(&f->table, j);
		family_destroy(f);
	}
	r->n_families = n;
}

void
registry_add(struct registry_family *f, uint32_t index, struct decimal delta)
{
	registry_cells_add(series_cells(&f->table, index), delta);
}

void
registry_set(struct registry_family *f, uint32_t index, struct decimal value)
{
	registry_cells_set(series_cells(&f->table, index), value);
}

void
registry_observe(struct registry_family *f, uint32_t index,
    struct decimal value)
{
	registry_cells_observe(f, series_cells(&f->table, index), value);
}

uint64_t *
registry_cells(const struct registry_family *f, uint32_t index)
{
	return series_cells(&f->table, index);
}

void
registry_cells_observe(const struct registry_family *f, uint64_t *cells,
    struct decimal value)
{
	size_t i = 0;

	while (i < f->spec.n_bounds &&
	    decimal_compare(value, f->spec.bounds[i]) > 0)
		i++;
	cells[i]++;
	registry_cells_add(cells + f->spec.n_bounds + 1, value);
}

void
registry_add_cells(struct registry_family *f, uint32_t index,
    const uint64_t cells[])
{
	uint64_t *to = series_cells(&f->table, index);
	size_t n_buckets = f->table.n_cells - 2;
	size_t i;

	if (f->spec.type == REGISTRY_GAUGE)
		to[0] = to[1] = 0;
	for (i = 0; i < n_buckets; i++)
		to[i] += cells[i];
	registry_cells_add(to + n_buckets,
	    (struct decimal){ cells[n_buckets],
		(uint32_t)cells[n_buckets + 1] });
}

uint32_t
registry_n_series(const struct registry_family *f)
{
	return f->table.n_series;
}

uint64_t
registry_overflow(const struct registry_family *f)
{
	return f->n_overflow;
}

const struct registry_spec *
registry_spec(const struct registry_family *f)
{
	return &f->spec;
}

struct str
registry_text(const struct registry_family *f, uint32_t index)
{
	const struct series *s = series_at(&f->table, index);

	if (!s->text)
		return STR(""); /* the family has no labels */
	return str_of(s->text + s->key_len, s->text_len);
}

struct str
registry_key(const struct registry_family *f, uint32_t index)
{
	const struct series *s = series_at(&f->table, index);

	return s->text ? str_of(s->text, s->key_len) : STR("");
}

uint64_t
registry_created(const struct registry_family *f, uint32_t index)
{
	return series_at(&f->table, index)->created_ms;
}

struct str
registry_value(const struct registry_family *f, uint32_t index, size_t label)
{
	const char *key = series_at(&f->table, index)->text;

	for (;; label--) {
		size_t len = (size_t)(unsigned char)key[0] << 8 |
		    (unsigned char)key[1];

		if (!label)
			return str_of(key + 2, len);
		key += 2 + len;
	}
}

uint64_t
registry_tag(const struct registry_family *f)
{
	return f->tag;
}

void
registry_set_tag(struct registry_family *f, uint64_t tag)
{
	f->tag = tag;
}
