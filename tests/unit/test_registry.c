#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/registry_snapshot.h"
#include "support.h"

#define SEED UINT64_C(42)

static const char *const one_label[] = { "status" };
static const char *const two_labels[] = { "host", "status" };

static const struct decimal bounds[] = { { 0, 5000000 }, { 1, 0 }, { 10, 0 } };

static struct registry *
new_registry(uint64_t seed)
{
	struct registry *r;

	assert_int_equal(registry_create(seed, &r), 0);
	return r;
}

static struct registry_family *
add_family(struct registry *r, const char *name, size_t n_labels,
    const char *const labels[], uint32_t max_series)
{
	struct registry_spec spec = { .name = name,
		.help = "Help.",
		.type = REGISTRY_COUNTER,
		.n_labels = n_labels,
		.labels = labels,
		.max_series = max_series };
	struct registry_family *f;

	assert_int_equal(registry_add_family(r, &spec, &f), 0);
	return f;
}

static struct registry_family *
add_histogram(struct registry *r, size_t n_bounds)
{
	struct registry_spec spec = { .name = "seconds",
		.help = "Help.",
		.type = REGISTRY_HISTOGRAM,
		.n_bounds = n_bounds,
		.bounds = bounds };
	struct registry_family *f;

	assert_int_equal(registry_add_family(r, &spec, &f), 0);
	return f;
}

static uint32_t
series(struct registry_family *f, const char *first, const char *second)
{
	struct str values[2] = { str_from(first ? first : ""),
		str_from(second ? second : "") };
	uint32_t index;

	assert_int_equal(registry_series(f, values, &index), 0);
	return index;
}

/* The nth series of a family with one label: a number. */
static uint32_t
numbered(struct registry_family *f, uint32_t n)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", n);
	return series(f, text, NULL);
}

/* Copies the cells of one series. */
static void
read_cells(struct registry *r, const struct registry_family *f, uint32_t index,
    uint64_t *ret_cells)
{
	struct registry_snapshot s;
	bool found = false;
	size_t i, j;

	assert_int_equal(registry_snapshot_take(r, &s), 0);
	for (i = 0; i < s.n_families; i++) {
		const struct registry_snapshot_family *one = &s.families[i];

		if (one->family != f)
			continue;
		assert_true(index < one->n_series);
		found = true;
		for (j = 0; j < one->n_cells; j++)
			ret_cells[j] = one->cells[index * one->n_cells + j];
	}
	registry_snapshot_release(&s);
	assert_true(found);
}

#define assert_value(r, f, index, whole, nanos)                                \
	do {                                                                   \
		uint64_t cells_[2] = { 0 };                                    \
		read_cells((r), (f), (index), cells_);                         \
		assert_int_equal(cells_[0], (whole));                          \
		assert_int_equal(cells_[1], (nanos));                          \
	} while (0)

/* Label sets */

static void
a_label_set_is_found_again(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 2, two_labels, 0);
	uint32_t a = series(f, "a.example", "200");
	uint32_t b = series(f, "b.example", "200");

	(void)state;
	assert_int_not_equal(a, b);
	assert_int_equal(series(f, "a.example", "200"), a);
	assert_int_equal(series(f, "b.example", "200"), b);
	assert_int_equal(registry_n_series(f), 2);
	registry_destroy(r);
}

static void
values_that_join_to_the_same_text_are_different(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 2, two_labels, 0);
	uint32_t a = series(f, "ab", "c");

	(void)state;
	assert_int_not_equal(series(f, "a", "bc"), a);
	assert_int_not_equal(series(f, "abc", ""), a);
	assert_int_not_equal(series(f, "", "abc"), a);
	assert_int_not_equal(series(f, "c", "ab"), a);
	assert_int_equal(registry_n_series(f), 5);
	registry_destroy(r);
}

/*
 * Two values whose keys, a length of two bytes and 14 bytes, have the same hash
 * under this seed.  XXH3 of 16 bytes lo, hi depends only on
 *
 *	swap(lo ^ c) + (hi ^ d) + fold((lo ^ c) * (hi ^ d))
 *
 * where c and d come from the seed.  It was chosen so that lo ^ c is 2^32; then
 * that is a constant + u + rotate(u, 32) with u = hi ^ d, which does not change
 * where the halves of u change places.
 */
static void
label_sets_with_the_same_hash_are_two_series(void **state)
{
	static const uint64_t seed = UINT64_C(0xD9BEACA456FED447);
	static const char a_key[] = "\0\016AA! AA00601171";
	static const char b_key[] = "\0\016AA! AATC8VUB9W";
	struct registry *r = new_registry(seed);
	struct registry_family *f = add_family(r, "requests", 1, one_label, 0);
	uint32_t a, b, i;

	(void)state;
	assert_int_equal(XXH3_64bits_withSeed(a_key, 16, seed),
	    XXH3_64bits_withSeed(b_key, 16, seed));
	a = series(f, a_key + 2, NULL);
	b = series(f, b_key + 2, NULL);
	assert_int_not_equal(a, b);
	registry_add(f, a, decimal_of(3));
	registry_add(f, b, decimal_of(5));

	/* Also after the table has grown around them. */
	for (i = 0; i < 1000; i++)
		(void)numbered(f, i);
	assert_int_equal(series(f, a_key + 2, NULL), a);
	assert_int_equal(series(f, b_key + 2, NULL), b);
	assert_value(r, f, a, 3, 0);
	assert_value(r, f, b, 5, 0);
	registry_destroy(r);
}

static void
hostile_values_are_cleaned_and_escaped(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 2, two_labels, 0);
	uint32_t a = series(f, "a\"b\\c\nd", "\xC3(");
	uint32_t b;
	char text[2 * BOUNDS_LABEL_VALUE_BYTES];

	(void)state;
	assert_str(registry_text(f, a),
	    STR("host=\"a\\\"b\\\\c\\nd\",status=\"\xEF\xBF\xBD(\""));
	/* What is shown as the same is the same series. */
	assert_int_equal(series(f, "a\"b\\c\nd", "\xEF\xBF\xBD("), a);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	b = series(f, text, "200");
	text[BOUNDS_LABEL_VALUE_BYTES + 3] = '\0';
	assert_int_equal(series(f, text, "200"), b);
	assert_int_equal(registry_text(f, b).len,
	    BOUNDS_LABEL_VALUE_BYTES + strlen("host=\"\",status=\"200\""));
	registry_destroy(r);
}

static void
a_family_may_allow_longer_values(void **state)
{
	struct registry_spec spec = { .name = "files",
		.help = "Help.",
		.type = REGISTRY_GAUGE,
		.n_labels = 2,
		.labels = two_labels,
		.max_value_bytes = BOUNDS_LABEL_VALUE_MOST_BYTES };
	struct registry *r = new_registry(SEED);
	struct registry_family *f;
	char path[BOUNDS_LABEL_VALUE_MOST_BYTES + 2];
	size_t len;

	(void)state;
	assert_int_equal(registry_add_family(r, &spec, &f), 0);
	memset(path, 'p', sizeof(path));
	for (len = 0; len < sizeof(path); len++) {
		struct str values[] = { str_of(path, len), STR("x") };
		size_t kept = len < BOUNDS_LABEL_VALUE_MOST_BYTES
		    ? len
		    : BOUNDS_LABEL_VALUE_MOST_BYTES;
		uint32_t index;

		assert_int_equal(registry_series(f, values, &index), 0);
		assert_int_equal(index, kept);
		assert_int_equal(registry_text(f, index).len,
		    kept + strlen("host=\"\",status=\"x\""));
	}
	registry_destroy(r);
}

static void
values_are_copied(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 1, one_label, 0);
	struct str value = support_guarded_str(STR("200"));
	uint32_t index;

	(void)state;
	assert_int_equal(registry_series(f, &value, &index), 0);
	support_guarded_str_free(value);
	assert_str(registry_text(f, index), STR("status=\"200\""));
	assert_int_equal(series(f, "200", NULL), index);
	registry_destroy(r);
}

static void
a_family_without_labels_has_one_series(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "uptime", 0, NULL, 0);
	uint32_t a, b;

	(void)state;
	assert_int_equal(registry_series(f, NULL, &a), 0);
	assert_int_equal(registry_series(f, NULL, &b), 0);
	assert_int_equal(a, b);
	assert_int_equal(registry_n_series(f), 1);
	assert_int_equal(registry_text(f, a).len, 0);
	registry_destroy(r);
}

static void
a_hundred_thousand_series_are_all_found_again(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 1, one_label, 0);
	const char *first_text;
	uint32_t i;
	uint64_t cells[2];

	(void)state;
	assert_int_equal(numbered(f, 0), 0);
	first_text = registry_text(f, 0).data;
	/* One is kept back for `other`. */
	for (i = 0; i < BOUNDS_SERIES - 1; i++)
		registry_add(f, numbered(f, i), decimal_of(i));
	assert_int_equal(registry_n_series(f), BOUNDS_SERIES - 1);
	for (i = 0; i < BOUNDS_SERIES - 1; i++)
		assert_int_equal(numbered(f, i), i);
	assert_int_equal(registry_n_series(f), BOUNDS_SERIES - 1);
	assert_int_equal(registry_overflow(f), 0);

	/* What a scrape reads without the lock never moves. */
	assert_ptr_equal(registry_text(f, 0).data, first_text);
	for (i = 0; i < BOUNDS_SERIES - 1; i += 9999) {
		read_cells(r, f, i, cells);
		assert_int_equal(cells[0], i);
	}

	assert_str(registry_text(f, numbered(f, BOUNDS_SERIES)),
	    STR("status=\"other\""));
	assert_int_equal(registry_n_series(f), BOUNDS_SERIES);
	registry_destroy(r);
}

/* The maximum */

static void
past_the_maximum_label_sets_become_other_and_totals_stay(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 2, two_labels, 5);
	uint64_t cells[2], total = 0;
	uint32_t i, other;

	(void)state;
	for (i = 0; i < 20; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%u", i);
		registry_add(f, series(f, text, "200"), decimal_of(1 << i));
	}
	assert_int_equal(registry_n_series(f), 5);
	assert_int_equal(registry_overflow(f), 16);
	for (i = 0; i < 5; i++) {
		read_cells(r, f, i, cells);
		total += cells[0];
	}
	assert_int_equal(total, (1 << 20) - 1);

	other = series(f, "20", "200");
	assert_str(registry_text(f, other),
	    STR("host=\"other\",status=\"other\""));
	assert_value(r, f, other, (1 << 20) - (1 << 4), 0);

	/* Those that were there before are still themselves. */
	assert_int_equal(series(f, "3", "200"), 3);
	assert_int_equal(registry_overflow(f), 17);
	registry_destroy(r);
}

static void
a_value_that_is_called_other_shares_the_series_other(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 1, one_label, 3);
	uint32_t other = series(f, "other", NULL);

	(void)state;
	(void)series(f, "a", NULL);
	assert_int_equal(series(f, "b", NULL), other);
	assert_int_equal(registry_overflow(f), 1);
	/* So it needs no place of its own, and one more fits. */
	assert_int_not_equal(series(f, "c", NULL), other);
	assert_int_equal(series(f, "d", NULL), other);
	assert_int_equal(registry_n_series(f), 3);
	registry_destroy(r);
}

/* Values */

static void
a_counter_adds_exactly(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "bytes", 1, one_label, 0);
	uint32_t a = series(f, "200", NULL);
	int i;

	(void)state;
	assert_value(r, f, a, 0, 0);
	for (i = 0; i < 10; i++)
		registry_add(f, a, (struct decimal){ 0, 100000000 });
	assert_value(r, f, a, 1, 0);
	/* One more than a double has place for. */
	registry_add(f, a, decimal_of(UINT64_C(1) << 53));
	assert_value(r, f, a, (UINT64_C(1) << 53) + 1, 0);
	registry_destroy(r);
}

static void
a_full_counter_stays_full(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "bytes", 1, one_label, 0);
	uint32_t a = series(f, "200", NULL);
	uint64_t cells[2];

	(void)state;
	registry_add(f, a, decimal_of(UINT64_MAX - 1));
	registry_add(f, a, decimal_of(INT64_MAX));
	read_cells(r, f, a, cells);
	assert_int_equal(cells[0], UINT64_MAX);
	registry_add(f, a, decimal_of(1));
	read_cells(r, f, a, cells);
	assert_int_equal(cells[0], UINT64_MAX);
	registry_destroy(r);
}

static void
a_gauge_is_what_it_was_set_to_last(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "lag", 1, one_label, 0);
	uint32_t a = series(f, "x", NULL);
	uint32_t b = series(f, "y", NULL);

	(void)state;
	registry_set(f, a, (struct decimal){ 7, 5 });
	registry_set(f, b, decimal_of(9));
	registry_set(f, a, (struct decimal){ 2, 1 });
	assert_value(r, f, a, 2, 1);
	assert_value(r, f, b, 9, 0);
	registry_destroy(r);
}

static void
a_bucket_includes_its_upper_bound(void **state)
{
	static const struct {
		struct decimal value;
		size_t bucket;
	} cases[] = {
		{ { 0, 0 }, 0 },
		{ { 0, 4999999 }, 0 },
		{ { 0, 5000000 }, 0 },
		{ { 0, 5000001 }, 1 },
		{ { 1, 0 }, 1 },
		{ { 1, 1 }, 2 },
		{ { 10, 0 }, 2 },
		{ { 10, 1 }, 3 },
		{ { INT64_MAX, 999999999 }, 3 },
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct registry *r = new_registry(SEED);
		struct registry_family *f = add_histogram(r, 3);
		uint64_t cells[6];
		uint32_t index;

		assert_int_equal(registry_series(f, NULL, &index), 0);
		registry_observe(f, index, cases[i].value);
		read_cells(r, f, index, cells);
		for (j = 0; j < 4; j++)
			assert_int_equal(cells[j], j == cases[i].bucket);
		assert_int_equal(cells[4], cases[i].value.whole);
		assert_int_equal(cells[5], cases[i].value.nanos);
		registry_destroy(r);
	}
}

static void
a_histogram_without_bounds_has_the_last_bucket_only(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_histogram(r, 0);
	uint64_t cells[3];
	uint32_t index;

	(void)state;
	assert_int_equal(registry_series(f, NULL, &index), 0);
	registry_observe(f, index, (struct decimal){ 1, 600000000 });
	registry_observe(f, index, (struct decimal){ 1, 600000000 });
	read_cells(r, f, index, cells);
	assert_int_equal(cells[0], 2);
	assert_int_equal(cells[1], 3);
	assert_int_equal(cells[2], 200000000);
	registry_destroy(r);
}

static void
cells_never_move_and_take_what_a_series_takes(void **state)
{
	static const char *const labels[] = { "n" };
	static const struct decimal deltas[] = { { 1, 0 }, { 0, 1 },
		{ 0, 999999999 }, { 7, 500000000 }, { INT64_MAX, 0 },
		{ INT64_MAX, 999999999 }, { 0, 0 }, { 2, 0 }, { 1, 0 } };
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "n_total", 1, labels, 0);
	uint32_t one = series(f, "one", NULL);
	uint32_t other = series(f, "other", NULL);
	uint64_t *cells = registry_cells(f, one);
	char name[12];
	size_t i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "%zu", i);
		(void)series(f, name, NULL);
	}
	assert_ptr_equal(registry_cells(f, one), cells);
	for (i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
		uint64_t expected[2], actual[2];

		registry_add(f, other, deltas[i]);
		registry_cells_add(cells, deltas[i]);
		read_cells(r, f, other, expected);
		read_cells(r, f, one, actual);
		assert_int_equal(actual[0], expected[0]);
		assert_int_equal(actual[1], expected[1]);
	}
	assert_true(cells[0] == UINT64_MAX && cells[1] == 0);
	registry_cells_set(cells, (struct decimal){ 3, 4 });
	assert_true(cells[0] == 3 && cells[1] == 4);
	registry_destroy(r);
}

/* Families */

static void
a_specification_is_copied(void **state)
{
	char name[] = "requests_total", help[] = "All.", label[] = "status";
	const char *labels[] = { label };
	struct decimal bound = { 1, 5 };
	struct registry_spec spec = { .name = name,
		.help = help,
		.type = REGISTRY_HISTOGRAM,
		.n_labels = 1,
		.labels = labels,
		.n_bounds = 1,
		.bounds = &bound };
	struct registry *r = new_registry(SEED);
	struct registry_family *f;
	const struct registry_spec *copy;

	(void)state;
	assert_int_equal(registry_add_family(r, &spec, &f), 0);
	name[0] = help[0] = label[0] = '?';
	labels[0] = NULL;
	bound = decimal_of(0);
	copy = registry_spec(f);
	assert_string_equal(copy->name, "requests_total");
	assert_string_equal(copy->help, "All.");
	assert_string_equal(copy->labels[0], "status");
	assert_int_equal(copy->type, REGISTRY_HISTOGRAM);
	assert_int_equal(copy->bounds[0].whole, 1);
	assert_int_equal(copy->bounds[0].nanos, 5);
	assert_int_equal(copy->max_series, BOUNDS_SERIES);
	registry_destroy(r);
}

static void
a_name_is_taken_once(void **state)
{
	static const char *const other_labels[] = { "host", "path" };
	static const struct decimal other_bounds[] = { { 0, 5000000 }, { 1, 0 },
		{ 11, 0 } };
	const struct registry_spec taken = { .name = "a",
		.help = "Help.",
		.type = REGISTRY_HISTOGRAM,
		.n_labels = 2,
		.labels = two_labels,
		.n_bounds = 3,
		.bounds = bounds };
	struct registry_spec different[6];
	struct registry *r = new_registry(SEED);
	struct registry_family *f, *g = NULL;
	size_t i;

	(void)state;
	assert_int_equal(registry_add_family(r, &taken, &f), 0);
	for (i = 0; i < 6; i++)
		different[i] = taken;
	different[0].type = REGISTRY_COUNTER;
	different[1].n_labels = 1;
	different[2].labels = other_labels;
	different[3].n_bounds = 2;
	different[4].bounds = other_bounds;
	different[5].max_value_bytes = 9;
	for (i = 0; i < 6; i++)
		assert_int_equal(registry_add_family(r, &different[i], &g),
		    -EEXIST);
	assert_null(g);
	registry_destroy(r);
}

static void
the_same_family_is_found_again_with_its_series(void **state)
{
	struct registry_spec spec = { .name = "seconds",
		.help = "Other help.",
		.type = REGISTRY_HISTOGRAM,
		.n_bounds = 3,
		.bounds = bounds,
		.max_series = 3 };
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_histogram(r, 3);
	struct registry_family *g = NULL;
	uint32_t index;

	(void)state;
	assert_int_equal(registry_series(f, NULL, &index), 0);
	registry_observe(f, index, decimal_of(1));
	assert_int_equal(registry_add_family(r, &spec, &g), 0);
	assert_ptr_equal(g, f);
	assert_int_equal(registry_n_series(g), 1);
	assert_string_equal(registry_spec(g)->help, "Help.");
	assert_int_equal(registry_spec(g)->max_series, 3);
	registry_destroy(r);
}

static size_t
n_in_snapshot(struct registry *r)
{
	struct registry_snapshot s;
	size_t n;

	assert_int_equal(registry_snapshot_take(r, &s), 0);
	n = s.n_families;
	registry_snapshot_release(&s);
	return n;
}

static void
a_retired_family_is_not_shown_and_goes_on_when_it_is_added_again(void **state)
{
	struct registry_spec spec = { .name = "a",
		.help = "Help.",
		.n_labels = 1,
		.labels = one_label };
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "a", 1, one_label, 0);
	struct registry_family *g = add_family(r, "b", 1, one_label, 0);
	struct registry_family *other, *again;

	(void)state;
	registry_add(f, numbered(f, 200), decimal_of(2));
	registry_add(g, numbered(g, 200), decimal_of(3));
	registry_retire_family(f);
	assert_int_equal(n_in_snapshot(r), 1);
	assert_null(registry_find_family(r, STR("a")));
	assert_ptr_equal(registry_find_family(r, STR("b")), g);

	/* Its name is free, also for one with other labels. */
	other = add_family(r, "a", 2, two_labels, 0);
	assert_ptr_not_equal(other, f);
	assert_int_equal(registry_add_family(r, &spec, &again), -EEXIST);
	registry_retire_family(other);

	assert_int_equal(registry_add_family(r, &spec, &again), 0);
	assert_ptr_equal(again, f);
	registry_add(f, numbered(f, 200), decimal_of(5));
	assert_value(r, f, numbered(f, 200), 7, 0);
	assert_int_equal(n_in_snapshot(r), 2);
	registry_destroy(r);
}

static void
a_prepared_family_is_not_shown_until_it_is_revived(void **state)
{
	struct registry_spec spec = { .name = "a",
		.help = "Help.",
		.n_labels = 2,
		.labels = two_labels };
	struct registry *r = new_registry(SEED);
	struct registry_family *shown = add_family(r, "a", 1, one_label, 0);
	struct registry_family *prepared, *again;

	(void)state;
	assert_int_equal(registry_prepare_family(r, &spec, &prepared), 0);
	assert_ptr_not_equal(prepared, shown);
	assert_int_equal(n_in_snapshot(r), 1);
	assert_ptr_equal(registry_find_family(r, STR("a")), shown);
	assert_int_equal(registry_prepare_family(r, &spec, &again), 0);
	assert_ptr_equal(again, prepared);

	registry_retire_family(shown);
	registry_revive_family(prepared, 9);
	assert_ptr_equal(registry_find_family(r, STR("a")), prepared);
	assert_int_equal(registry_spec(prepared)->max_series, 9);
	registry_destroy(r);
}

static void
values_of_a_series_can_be_read_back(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "a", 2, two_labels, 0);
	uint32_t first = series(f, "", "200");
	uint32_t second = series(f, "a\"b", "");

	(void)state;
	assert_str(registry_value(f, first, 0), STR(""));
	assert_str(registry_value(f, first, 1), STR("200"));
	assert_str(registry_value(f, second, 0), STR("a\"b"));
	assert_str(registry_value(f, second, 1), STR(""));
	registry_destroy(r);
}

static void
at_the_limit_of_bytes_limited_families_overflow(void **state)
{
	struct registry_spec spec = { .name = "limited",
		.help = "Help.",
		.n_labels = 1,
		.labels = one_label,
		.is_limited = true };
	struct registry *r = new_registry(SEED);
	struct registry_family *free_one = add_family(r, "free", 1, one_label,
	    0);
	struct registry_family *f;
	uint32_t i, n;

	(void)state;
	assert_int_equal(registry_add_family(r, &spec, &f), 0);
	registry_limit_bytes(r, 4096);
	for (i = 0; i < 1000; i++) {
		registry_add(f, numbered(f, i), decimal_of(1));
		registry_add(free_one, numbered(free_one, i), decimal_of(1));
	}
	n = registry_n_series(f);
	assert_in_range(n, 10, 100);
	assert_in_range(registry_n_bytes(r), 4096, 4096 + 256);
	assert_int_equal(registry_overflow(f), 1000 - (n - 1));
	assert_value(r, f, series(f, "other", NULL), 1000 - (n - 1), 0);
	assert_int_equal(registry_n_series(free_one), 1000);

	/* What is there is found, and more room is used. */
	assert_true(numbered(f, 3) == 3);
	registry_limit_bytes(r, 1u << 20);
	assert_true(numbered(f, 5000) == n);
	registry_destroy(r);
}

static void
overflow_of_a_series_that_was_found_is_counted_by_who_found_it(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "a", 1, one_label, 2);
	struct str values[] = { STR("1"), STR("2"), STR("3") };
	bool overflowed = true;
	uint32_t index;

	(void)state;
	assert_int_equal(
	    registry_find_series(f, &values[0], &index, &overflowed), 0);
	assert_false(overflowed);
	assert_int_equal(
	    registry_find_series(f, &values[1], &index, &overflowed), 0);
	assert_true(overflowed);
	assert_str(registry_text(f, index), STR("status=\"other\""));
	assert_int_equal(registry_overflow(f), 0);
	registry_count_overflow(f);
	assert_int_equal(registry_overflow(f), 1);
	registry_destroy(r);
}

static void
families_have_a_maximum(void **state)
{
	struct registry_spec spec = { .name = "more", .help = "Help." };
	struct registry *r = new_registry(SEED);
	struct registry_family *f = NULL;
	int i;

	(void)state;
	for (i = 0; i < BOUNDS_FAMILIES; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "family_%d", i);
		(void)add_family(r, name, 0, NULL, 0);
	}
	assert_int_equal(registry_add_family(r, &spec, &f), -ENOSPC);
	assert_null(f);
	registry_destroy(r);
}

/* Snapshots */

static void
a_snapshot_keeps_its_moment(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 1, one_label, 0);
	struct registry_family *g = add_histogram(r, 3);
	struct registry_snapshot s;
	uint32_t a = series(f, "200", NULL);

	(void)state;
	registry_add(f, a, decimal_of(7));
	assert_int_equal(registry_snapshot_take(r, &s), 0);
	registry_add(f, a, decimal_of(1));
	(void)series(f, "404", NULL);
	(void)series(g, NULL, NULL);

	assert_int_equal(s.n_families, 2);
	assert_ptr_equal(s.families[0].family, f);
	assert_ptr_equal(s.families[1].family, g);
	assert_int_equal(s.families[0].n_series, 1);
	assert_int_equal(s.families[0].cells[0], 7);
	assert_int_equal(s.families[1].n_series, 0);
	registry_snapshot_release(&s);
	registry_destroy(r);
}

static void
a_snapshot_of_nothing_is_empty(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_snapshot s;

	(void)state;
	assert_int_equal(registry_snapshot_take(r, &s), 0);
	assert_int_equal(s.n_families, 0);
	registry_snapshot_release(&s);
	registry_destroy(r);
}

#define N_ROUNDS 2000

struct shared {
	struct registry *registry;
	struct registry_family *lines;
	struct registry_family *requests;
};

/* Each round adds 1 to both families, and to a new series, in one go. */
static void *
write_rounds(void *arg)
{
	struct shared *shared = arg;
	uint32_t i;

	for (i = 0; i < N_ROUNDS; i++) {
		char text[16];
		struct str value = str_of(text, 0);
		uint32_t index;

		value.len = (size_t)snprintf(text, sizeof(text), "%u", i);
		registry_lock(shared->registry);
		if (!registry_series(shared->lines, NULL, &index))
			registry_add(shared->lines, index, decimal_of(1));
		if (!registry_series(shared->requests, &value, &index))
			registry_add(shared->requests, index, decimal_of(1));
		registry_unlock(shared->registry);
	}
	return NULL;
}

static void
a_snapshot_is_one_moment_while_another_thread_counts(void **state)
{
	struct shared shared = { .registry = new_registry(SEED) };
	uint64_t lines = 0;
	pthread_t writer;

	(void)state;
	shared.lines = add_family(shared.registry, "lines", 0, NULL, 0);
	shared.requests = add_family(shared.registry, "requests", 1, one_label,
	    0);
	assert_int_equal(pthread_create(&writer, NULL, write_rounds, &shared),
	    0);
	while (lines < N_ROUNDS) {
		struct registry_snapshot s;
		uint64_t requests = 0;
		uint32_t i;

		assert_int_equal(registry_snapshot_take(shared.registry, &s),
		    0);
		lines = s.families[0].n_series ? s.families[0].cells[0] : 0;
		for (i = 0; i < s.families[1].n_series; i++) {
			struct str text = registry_text(shared.requests, i);

			requests += s.families[1].cells[i * 2];
			assert_true(str_starts_with(text, STR("status=\"")));
		}
		assert_int_equal(requests, lines);
		registry_snapshot_release(&s);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	registry_destroy(shared.registry);
}

/* Out of memory */

static void
creation_survives_every_failed_allocation(void **state)
{
	struct registry_spec spec = { .name = "seconds",
		.help = "Help.",
		.type = REGISTRY_HISTOGRAM,
		.n_labels = 2,
		.labels = two_labels,
		.n_bounds = 3,
		.bounds = bounds };
	struct registry *r = NULL;
	struct registry_family *f = NULL;
	unsigned long n;
	int error;

	(void)state;
	for (n = 1;; n++) {
		support_fail_allocation(n);
		error = registry_create(SEED, &r);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
		assert_null(r);
	}
	assert_int_equal(error, 0);
	for (n = 1;; n++) {
		support_fail_allocation(n);
		error = registry_add_family(r, &spec, &f);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
		assert_null(f);
	}
	assert_true(n > 6);
	assert_int_equal(error, 0);
	assert_int_equal(n_in_snapshot(r), 1);
	registry_destroy(r);
}

static void
a_series_that_cannot_be_added_leaves_everything_as_it_was(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 1, one_label, 99);
	unsigned long n_failed = 0, n;
	uint32_t i, j;

	(void)state;
	/* Far enough for tables and blocks to grow, and for `other`. */
	for (i = 0; i < 101; i++) {
		char text[16];
		struct str value = str_of(text, 0);
		uint64_t overflow = registry_overflow(f);
		uint32_t index;
		int error;

		value.len = (size_t)snprintf(text, sizeof(text), "%u", i);
		for (n = 1;; n++) {
			uint32_t before = registry_n_series(f);

			index = 12345;
			support_fail_allocation(n);
			error = registry_series(f, &value, &index);
			support_stop_failing();
			if (!support_did_fail())
				break;
			n_failed++;
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(index, 12345);
			assert_int_equal(registry_n_series(f), before);
			assert_int_equal(registry_overflow(f), overflow);
			for (j = 0; j < before && j < 98; j++)
				assert_int_equal(numbered(f, j), j);
		}
		assert_int_equal(error, 0);
		assert_int_equal(index, i < 98 ? i : 98);
		registry_add(f, index, decimal_of(1));
	}
	assert_true(n_failed > 100);
	assert_value(r, f, 0, 1, 0);
	assert_value(r, f, 98, 3, 0);
	registry_destroy(r);
}

static void
a_series_that_exists_needs_no_memory(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 2, two_labels, 0);
	uint32_t index = series(f, "a.example", "200");

	(void)state;
	support_fail_allocation(1);
	assert_int_equal(series(f, "a.example", "200"), index);
	registry_add(f, index, decimal_of(1));
	support_stop_failing();
	assert_int_equal(support_n_allocations(), 0);
	registry_destroy(r);
}

static void
a_snapshot_survives_every_failed_allocation(void **state)
{
	struct registry *r = new_registry(SEED);
	struct registry_family *f = add_family(r, "requests", 1, one_label, 0);
	struct registry_snapshot s = { 0 };
	unsigned long n;
	int error;

	(void)state;
	registry_add(f, series(f, "200", NULL), decimal_of(5));
	for (n = 1;; n++) {
		support_fail_allocation(n);
		error = registry_snapshot_take(r, &s);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
		assert_null(s.families);
		assert_null(s.cells);
	}
	assert_int_equal(n, 3);
	assert_int_equal(error, 0);
	assert_int_equal(s.families[0].cells[0], 5);
	registry_snapshot_release(&s);
	registry_destroy(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_label_set_is_found_again),
		cmocka_unit_test(
		    values_that_join_to_the_same_text_are_different),
		cmocka_unit_test(label_sets_with_the_same_hash_are_two_series),
		cmocka_unit_test(hostile_values_are_cleaned_and_escaped),
		cmocka_unit_test(a_family_may_allow_longer_values),
		cmocka_unit_test(values_are_copied),
		cmocka_unit_test(a_family_without_labels_has_one_series),
		cmocka_unit_test(a_hundred_thousand_series_are_all_found_again),
		cmocka_unit_test(
		    past_the_maximum_label_sets_become_other_and_totals_stay),
		cmocka_unit_test(
		    a_value_that_is_called_other_shares_the_series_other),
		cmocka_unit_test(a_counter_adds_exactly),
		cmocka_unit_test(a_full_counter_stays_full),
		cmocka_unit_test(a_gauge_is_what_it_was_set_to_last),
		cmocka_unit_test(a_bucket_includes_its_upper_bound),
		cmocka_unit_test(
		    a_histogram_without_bounds_has_the_last_bucket_only),
		cmocka_unit_test(cells_never_move_and_take_what_a_series_takes),
		cmocka_unit_test(a_specification_is_copied),
		cmocka_unit_test(a_name_is_taken_once),
		cmocka_unit_test(
		    the_same_family_is_found_again_with_its_series),
		cmocka_unit_test(
		    a_retired_family_is_not_shown_and_goes_on_when_it_is_added_again),
		cmocka_unit_test(
		    a_prepared_family_is_not_shown_until_it_is_revived),
		cmocka_unit_test(values_of_a_series_can_be_read_back),
		cmocka_unit_test(
		    at_the_limit_of_bytes_limited_families_overflow),
		cmocka_unit_test(
		    overflow_of_a_series_that_was_found_is_counted_by_who_found_it),
		cmocka_unit_test(families_have_a_maximum),
		cmocka_unit_test(a_snapshot_keeps_its_moment),
		cmocka_unit_test(a_snapshot_of_nothing_is_empty),
		cmocka_unit_test(
		    a_snapshot_is_one_moment_while_another_thread_counts),
		cmocka_unit_test(creation_survives_every_failed_allocation),
		cmocka_unit_test(
		    a_series_that_cannot_be_added_leaves_everything_as_it_was),
		cmocka_unit_test(a_series_that_exists_needs_no_memory),
		cmocka_unit_test(a_snapshot_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
