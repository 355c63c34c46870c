#include "io/state_series.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "io/state_blob.h"

#define BOUND_BYTES 12 /* whole 8, billionths 4 */

static size_t
n_cells_of(const struct registry_spec *spec)
{
	return spec->type == REGISTRY_HISTOGRAM ? spec->n_bounds + 3 : 2;
}

static int
load_series(struct state_db *db, uint64_t number, struct registry_family *f)
{
	const struct registry_spec *spec = registry_spec(f);
	size_t n_cells = n_cells_of(spec);
	uint64_t cells[BOUNDS_BUCKETS + 3];
	struct str values[BOUNDS_LABELS];
	int error;

	assert(n_cells >= 2 && n_cells <= sizeof(cells) / sizeof(cells[0]));
	state_db_bind(db, STATE_DB_GET_SERIES, 1, number);
	while ((error = state_db_step(db, STATE_DB_GET_SERIES)) > 0) {
		struct str key = state_db_column_bytes(db, STATE_DB_GET_SERIES,
		    2);
		struct str bytes = state_db_column_bytes(db,
		    STATE_DB_GET_SERIES, 3);
		size_t i;

		for (i = 0; i < spec->n_labels; i++) {
			if (!state_blob_cut_text(&key, &values[i]))
				return state_db_torn(db,
				    "a series in it is impossible");
		}
		if (key.len || bytes.len != n_cells * 8)
			return state_db_torn(db,
			    "a series in it is impossible");
		for (i = 0; i < n_cells; i++)
			cells[i] = state_blob_cut_number(&bytes, 8);
		if (cells[n_cells - 1] >= 1000000000)
			return state_db_torn(db, "a value in it is impossible");
		error = registry_restore_series(f, values, cells,
		    state_db_column(db, STATE_DB_GET_SERIES, 1));
		if (error == -EEXIST)
			return state_db_torn(db, "a series is in it twice");
		if (error)
			return error;
	}
	return error;
}

/* What makes a name safe to be shown. */
static bool
is_name(const char *text)
{
	return *text &&
	    !text[strspn(text,
		"abcdefghijklmnopqrstuvwxyz_:"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789")];
}

static int
load_family(struct state_db *db, struct registry *r, struct buf *names)
{
	const char *labels[BOUNDS_LABELS];
	size_t places[BOUNDS_LABELS];
	struct decimal bounds[BOUNDS_BUCKETS];
	struct str texts = state_db_column_bytes(db, STATE_DB_GET_FAMILIES, 3);
	struct str numbers = state_db_column_bytes(db, STATE_DB_GET_FAMILIES,
	    4);
	uint64_t type = state_db_column(db, STATE_DB_GET_FAMILIES, 2);
	struct registry_spec spec = { .labels = labels,
		.bounds = bounds,
		.max_value_bytes = (uint32_t)state_db_column(db,
		    STATE_DB_GET_FAMILIES, 5),
		.is_limited = true,
		.is_kept = true };
	struct registry_family *f;
	struct str text;
	size_t i;
	bool is_right = type <= REGISTRY_HISTOGRAM &&
	    numbers.len <= sizeof(bounds) / sizeof(bounds[0]) * BOUND_BYTES &&
	    numbers.len % BOUND_BYTES == 0;
	int error;

	spec.type = (enum registry_type)type;
	buf_clear(names);
	buf_add(names, state_db_column_bytes(db, STATE_DB_GET_FAMILIES, 1));
	buf_add_char(names, '\0');
	while (is_right && texts.len) {
		is_right = spec.n_labels < BOUNDS_LABELS &&
		    state_blob_cut_text(&texts, &text);
		if (!is_right)
			break;
		places[spec.n_labels++] = names->len;
		buf_add(names, text);
		buf_add_char(names, '\0');
	}
	error = buf_status(names);
	if (error)
		return error;
	spec.name = names->data;
	is_right &= is_name(spec.name);
	for (i = 0; i < spec.n_labels; i++) {
		labels[i] = names->data + places[i];
		is_right &= is_name(labels[i]);
	}
	while (is_right && numbers.len) {
		bounds[spec.n_bounds].whole = state_blob_cut_number(&numbers,
		    8);
		bounds[spec.n_bounds++].nanos = (uint32_t)state_blob_cut_number(
		    &numbers, 4);
	}
	if (!is_right)
		return state_db_torn(db, "a metric in it is impossible");
	error = registry_prepare_family(r, &spec, &f);
	if (error)
		/* More than ever: those of a configuration that is gone. */
		return error == -ENOSPC ? 0 : error;
	registry_set_tag(f, state_db_column(db, STATE_DB_GET_FAMILIES, 6));
	error = load_series(db, state_db_column(db, STATE_DB_GET_FAMILIES, 0),
	    f);
	return error ? error
		     : registry_restore_overflow(f,
			   state_db_column(db, STATE_DB_GET_FAMILIES, 7));
}

int
state_series_load(struct state_db *db, struct registry *r)
{
	struct buf names;
	int error;

	buf_init(&names, SIZE_MAX / 2);
	registry_lock(r);
	while ((error = state_db_step(db, STATE_DB_GET_FAMILIES)) > 0) {
		error = load_family(db, r, &names);
		if (error)
			break;
	}
	registry_unlock(r);
	buf_release(&names);
	return error;
}

static int
put_family(struct state_db *db, const struct registry_snapshot_family *f,
    uint64_t number)
{
	const enum state_db_query q = STATE_DB_PUT_FAMILY;
	const struct registry_spec *spec = registry_spec(f->family);
	char bounds[BOUNDS_BUCKETS * BOUND_BYTES], *to = bounds;
	char len[2];
	struct buf labels;
	size_t i;
	int error;

	buf_init(&labels, SIZE_MAX / 2);
	for (i = 0; i < spec->n_labels; i++) {
		struct str name = str_from(spec->labels[i]);

		(void)state_blob_put_number(len, name.len, 2);
		buf_add(&labels, str_of(len, 2));
		buf_add(&labels, name);
	}
	for (i = 0; i < spec->n_bounds; i++) {
		to = state_blob_put_number(to, spec->bounds[i].whole, 8);
		to = state_blob_put_number(to, spec->bounds[i].nanos, 4);
	}
	error = buf_status(&labels);
	if (error)
		goto release_labels;
	state_db_bind(db, q, 1, number);
	state_db_bind_bytes(db, q, 2, str_from(spec->name));
	state_db_bind(db, q, 3, spec->type);
	state_db_bind_bytes(db, q, 4, buf_str(&labels));
	state_db_bind_bytes(db, q, 5, str_of(bounds, (size_t)(to - bounds)));
	state_db_bind(db, q, 6, spec->max_value_bytes);
	state_db_bind(db, q, 7, f->tag);
	state_db_bind(db, q, 8, f->n_overflow);
	error = state_db_change(db, q);

release_labels:
	buf_release(&labels);
	return error;
}

static int
put_series(struct state_db *db, const struct registry_snapshot_family *f,
    uint32_t index, uint64_t row, bool is_new)
{
	enum state_db_query q = is_new ? STATE_DB_ADD_SERIES
				       : STATE_DB_SET_SERIES;
	const uint64_t *cells = f->cells + index * f->n_cells;
	char bytes[(BOUNDS_BUCKETS + 3) * 8], *to = bytes;
	size_t i;

	for (i = 0; i < f->n_cells; i++)
		to = state_blob_put_number(to, cells[i], 8);
	state_db_bind(db, q, 1, row);
	if (is_new) {
		state_db_bind(db, q, 2, registry_created(f->family, index));
		state_db_bind_bytes(db, q, 3, registry_key(f->family, index));
	}
	state_db_bind_bytes(db, q, is_new ? 4 : 2,
	    str_of(bytes, (size_t)(to - bytes)));
	return state_db_change(db, q);
}

/* before: what is in the file of it, or NULL. */
static int
write_family(struct state_db *db, const struct registry_snapshot_family *f,
    const struct registry_snapshot_family *before, uint64_t number)
{
	size_t bytes = f->n_cells * sizeof(*f->cells);
	uint32_t n_before = before ? before->n_series : 0;
	uint32_t i;
	int error = 0;

	if (!before || before->tag != f->tag ||
	    before->n_overflow != f->n_overflow)
		error = put_family(db, f, number);
	for (i = 0; i < f->n_series && !error; i++) {
		bool is_new = i >= n_before;

		if (is_new ||
		    memcmp(f->cells + i * f->n_cells,
			before->cells + i * f->n_cells, bytes) != 0)
			error = put_series(db, f, i, number << 32 | i, is_new);
	}
	return error;
}

static int
delete_family(struct state_db *db, uint64_t number)
{
	int error;

	state_db_bind(db, STATE_DB_DELETE_FAMILY, 1, number);
	error = state_db_change(db, STATE_DB_DELETE_FAMILY);
	if (error)
		return error;
	state_db_bind(db, STATE_DB_DELETE_SERIES, 1, number);
	return state_db_change(db, STATE_DB_DELETE_SERIES);
}

static bool
is_saved(const struct registry_snapshot_family *f)
{
	return registry_spec(f->family)->is_kept;
}

static size_t
find_family(const struct registry_snapshot *series,
    const struct registry_family *family)
{
	size_t i;

	for (i = 0; i < series->n_families; i++) {
		if (series->families[i].family == family)
			break;
	}
	return i;
}

int
state_series_write(struct state_db *db, const struct registry_snapshot *series,
    uint64_t numbers[], const struct registry_snapshot *before,
    const uint64_t numbers_before[], uint64_t *last_number)
{
	size_t i;
	int error = 0;

	for (i = 0; i < series->n_families && !error; i++) {
		const struct registry_snapshot_family *f = &series->families[i];
		size_t j = find_family(before, f->family);
		bool is_new = j == before->n_families;

		if (!is_saved(f))
			continue;
		numbers[i] = is_new ? ++*last_number : numbers_before[j];
		error = write_family(db, f,
		    is_new ? NULL : &before->families[j], numbers[i]);
	}
	for (i = 0; i < before->n_families && !error; i++) {
		const struct registry_snapshot_family *f = &before->families[i];

		if (!is_saved(f) ||
		    find_family(series, f->family) < series->n_families)
			continue;
		error = delete_family(db, numbers_before[i]);
	}
	return error;
}
