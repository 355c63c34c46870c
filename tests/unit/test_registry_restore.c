#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/registry_snapshot.h"
#include "support.h"

#define THEN UINT64_C(1700000000123)
#define NOW UINT64_C(1800000000456)

static const char *const labels[] = { "host", "status" };
static const struct decimal bounds[] = { { 0, 5000000 }, { 1, 0 } };

static const struct registry_spec counter = { .name = "requests",
	.help = "Help.",
	.type = REGISTRY_COUNTER,
	.n_labels = 2,
	.labels = labels,
	.max_series = 4,
	.is_limited = true,
	.is_kept = true };

static struct registry *
new_registry(void)
{
	struct registry *r;

	assert_int_equal(registry_create(42, &r), 0);
	registry_set_now(r, NOW);
	return r;
}

/* As it is saved: without a help, and without its own limits. */
static struct registry_family *
saved_family(struct registry *r)
{
	struct registry_spec spec = counter;
	struct registry_family *f;

	spec.help = NULL;
	spec.max_series = 0;
	assert_int_equal(registry_prepare_family(r, &spec, &f), 0);
	return f;
}

static int
restore(struct registry_family *f, const char *host, const char *status,
    uint64_t value)
{
	const struct str values[] = { str_from(host), str_from(status) };
	const uint64_t cells[] = { value, 500 };

	return registry_restore_series(f, values, cells, THEN);
}

static uint32_t
series(struct registry_family *f, const char *host, const char *status)
{
	const struct str values[] = { str_from(host), str_from(status) };
	uint32_t index;

	assert_int_equal(registry_series(f, values, &index), 0);
	return index;
}

static struct registry_family *
add(struct registry *r, const struct registry_spec *spec)
{
	struct registry_family *f;

	assert_int_equal(registry_add_family(r, spec, &f), 0);
	return f;
}

static uint64_t
value_of(struct registry *r, const struct registry_family *f, uint32_t index)
{
	struct registry_snapshot s;
	uint64_t value = UINT64_MAX;
	size_t i;

	assert_int_equal(registry_snapshot_take(r, &s), 0);
	for (i = 0; i < s.n_families; i++) {
		if (s.families[i].family == f)
			value = s.families[i].cells[index * 2];
	}
	registry_snapshot_release(&s);
	return value;
}

static void
what_was_restored_goes_on_when_it_is_added(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = saved_family(r);
	struct registry_snapshot s;
	uint32_t index;

	(void)state;
	registry_set_tag(f, 77);
	assert_int_equal(restore(f, "a", "200", 7), 0);
	assert_int_equal(restore(f, "b", "200", 8), 0);
	assert_int_equal(registry_snapshot_take(r, &s), 0);
	assert_int_equal(s.n_families, 0);
	registry_snapshot_release(&s);

	assert_ptr_equal(add(r, &counter), f);
	assert_int_equal(registry_tag(f), 77);
	index = series(f, "b", "200");
	assert_int_equal(index, 1);
	registry_add(f, index, decimal_of(2));
	assert_int_equal(value_of(r, f, index), 10);
	assert_int_equal(registry_created(f, index), THEN);
	assert_int_equal(registry_created(f, series(f, "c", "200")), NOW);
	registry_destroy(r);
}

static void
the_help_is_that_of_who_adds_it(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = saved_family(r);
	struct registry_spec other = counter;

	(void)state;
	assert_ptr_equal(add(r, &counter), f);
	assert_string_equal(registry_spec(f)->help, "Help.");
	other.help = "Another one.";
	assert_ptr_equal(add(r, &other), f);
	assert_string_equal(registry_spec(f)->help, "Help.");
	registry_destroy(r);
}

static void
other_buckets_are_another_family(void **state)
{
	struct registry_spec spec = { .name = "seconds",
		.type = REGISTRY_HISTOGRAM,
		.n_bounds = 2,
		.bounds = bounds };
	const uint64_t cells[] = { 1, 2, 3, 4, 5 };
	struct registry *r = new_registry();
	struct registry_family *f, *g;

	(void)state;
	assert_int_equal(registry_prepare_family(r, &spec, &f), 0);
	assert_int_equal(registry_restore_series(f, NULL, cells, THEN), 0);
	spec.help = "Help.";
	spec.n_bounds = 1;
	g = add(r, &spec);
	assert_ptr_not_equal(g, f);
	assert_int_equal(registry_n_series(g), 0);
	registry_destroy(r);
}

static void
restored_series_have_room_whatever_the_limits(void **state)
{
	static const char *const hosts[] = { "a", "b", "c", "d", "e", "f" };
	struct registry *r = new_registry();
	struct registry_family *f = saved_family(r);
	size_t i;

	(void)state;
	registry_limit_bytes(r, 1);
	for (i = 0; i < 6; i++)
		assert_int_equal(restore(f, hosts[i], "200", 1), 0);
	assert_ptr_equal(add(r, &counter), f);
	assert_int_equal(registry_n_series(f), 6);
	assert_int_equal(series(f, "e", "200"), 4);
	/* New ones have none. */
	assert_int_equal(series(f, "g", "200"), 6);
	assert_str(registry_value(f, 6, 0), STR("other"));
	assert_int_equal(registry_overflow(f), 1);
	registry_destroy(r);
}

/* `other` has its place already: three more fit into five, as before. */
static void
the_series_other_is_known_again_by_its_overflow(void **state)
{
	struct registry_spec five = counter;
	struct registry *r = new_registry();
	struct registry_family *f = saved_family(r);

	(void)state;
	five.max_series = 5;
	assert_int_equal(restore(f, "a", "200", 1), 0);
	assert_int_equal(restore(f, "other", "other", 9), 0);
	assert_int_equal(registry_restore_overflow(f, 9), 0);
	assert_ptr_equal(add(r, &five), f);
	assert_int_equal(registry_overflow(f), 9);
	assert_int_equal(series(f, "b", "200"), 2);
	assert_int_equal(series(f, "c", "200"), 3);
	assert_int_equal(series(f, "d", "200"), 4);
	assert_int_equal(series(f, "e", "200"), 1);
	assert_int_equal(registry_overflow(f), 10);
	registry_destroy(r);
}

static void
a_series_is_restored_once(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = saved_family(r);

	(void)state;
	assert_int_equal(restore(f, "a", "200", 1), 0);
	assert_int_equal(restore(f, "a", "200", 2), -EEXIST);
	assert_ptr_equal(add(r, &counter), f);
	assert_int_equal(value_of(r, f, 0), 1);
	registry_destroy(r);
}

static void
what_nobody_adds_is_forgotten_with_its_bytes(void **state)
{
	struct registry_spec gone = counter;
	struct registry *r = new_registry();
	struct registry_family *f = saved_family(r);
	struct registry_family *g;
	size_t n_bytes;

	(void)state;
	assert_int_equal(restore(f, "a", "200", 1), 0);
	n_bytes = registry_n_bytes(r);
	gone.name = "gone";
	gone.help = NULL;
	assert_int_equal(registry_prepare_family(r, &gone, &g), 0);
	assert_int_equal(restore(g, "a", "200", 1), 0);
	assert_true(registry_n_bytes(r) > n_bytes);
	assert_ptr_equal(add(r, &counter), f);
	registry_forget_restored(r);
	assert_int_equal(registry_n_bytes(r), n_bytes);
	assert_ptr_equal(registry_find_family(r, STR("requests")), f);
	assert_int_equal(value_of(r, f, 0), 1);
	/* It begins anew. */
	gone.help = "Help.";
	g = add(r, &gone);
	assert_int_equal(registry_n_series(g), 0);
	registry_destroy(r);
}

static void
a_key_has_the_values_with_their_lengths(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add(r, &counter);
	uint32_t index = series(f, "a.example", "");

	(void)state;
	assert_str(registry_key(f, index),
	    STR("\0\x09"
		"a.example\0\0"));
	registry_destroy(r);
}

static void
restoring_survives_every_failed_allocation(void **state)
{
	struct registry *r;
	struct registry_family *f;
	unsigned long n;
	int error;

	(void)state;
	for (n = 1;; n++) {
		r = new_registry();
		f = saved_family(r);
		support_fail_allocation(n);
		error = restore(f, "a", "200", 1);
		if (!error)
			error = registry_restore_overflow(f, 1);
		if (!error)
			error = registry_prepare_family(r, &counter, &f);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
		registry_destroy(r);
	}
	assert_true(n > 4);
	assert_int_equal(error, 0);
	registry_destroy(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_restored_goes_on_when_it_is_added),
		cmocka_unit_test(the_help_is_that_of_who_adds_it),
		cmocka_unit_test(other_buckets_are_another_family),
		cmocka_unit_test(restored_series_have_room_whatever_the_limits),
		cmocka_unit_test(
		    the_series_other_is_known_again_by_its_overflow),
		cmocka_unit_test(a_series_is_restored_once),
		cmocka_unit_test(what_nobody_adds_is_forgotten_with_its_bytes),
		cmocka_unit_test(a_key_has_the_values_with_their_lengths),
		cmocka_unit_test(restoring_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
