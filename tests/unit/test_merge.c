#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/buf.h"
#include "accesslog/merge.h"
#include "rendered.h"
#include "support.h"

static const char *const labels[] = { "host", "status" };
static const struct decimal bounds[] = { { 0, 5000000 }, { 2, 500000000 } };

static struct registry *
new_registry(void)
{
	struct registry *r;

	assert_int_equal(registry_create(1, &r), 0);
	return r;
}

static struct registry_family *
add_family(struct registry *r, const char *name, enum registry_type type,
    size_t n_labels, uint32_t max_series)
{
	struct registry_spec spec = { .name = name,
		.help = "Help.",
		.type = type,
		.n_labels = n_labels,
		.labels = labels,
		.n_bounds = type == REGISTRY_HISTOGRAM ? 2 : 0,
		.bounds = bounds,
		.max_series = max_series };
	struct registry_family *f;

	assert_int_equal(registry_add_family(r, &spec, &f), 0);
	return f;
}

static uint32_t
series(struct registry_family *f, const char *host, const char *status)
{
	struct str values[] = { str_from(host), str_from(status) };
	uint32_t index;

	assert_int_equal(registry_series(f, values, &index), 0);
	return index;
}

static void
assert_rendered(struct registry *r, const char *expected)
{
	struct buf page = rendered_page(r);

	assert_string_equal(page.data, expected);
	buf_release(&page);
}

static void
destroy_all(struct registry *const r[], size_t n)
{
	while (n)
		registry_destroy(r[--n]);
}

static void
counters_are_added_and_come_in_the_order_of_their_labels(void **state)
{
	struct registry *r[] = { new_registry(), new_registry(),
		new_registry() };
	struct registry_family *f[3];
	struct registry *to = new_registry();
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		f[i] = add_family(r[i], "c", REGISTRY_COUNTER, 2, 0);
	registry_add(f[0], series(f[0], "b", "404"), (struct decimal){ 1, 5 });
	registry_add(f[0], series(f[0], "b", "200"), decimal_of(2));
	registry_add(f[1], series(f[1], "b\"", "200"), decimal_of(4));
	registry_add(f[2], series(f[2], "a", "500"), decimal_of(8));
	registry_add(f[2], series(f[2], "b", "404"),
	    (struct decimal){ 16, 999999999 });

	assert_int_equal(merge_registries(to, r, 3), 0);
	destroy_all(r, 3); /* nothing is borrowed */
	assert_rendered(to,
	    "# HELP c Help.\n# TYPE c counter\n"
	    "c{host=\"a\",status=\"500\"} 8\n"
	    "c{host=\"b\",status=\"200\"} 2\n"
	    "c{host=\"b\",status=\"404\"} 18.000000004\n"
	    "c{host=\"b\\\"\",status=\"200\"} 4\n");
	registry_destroy(to);
}

static void
histograms_are_added_and_the_last_gauge_holds(void **state)
{
	struct registry *r[] = { new_registry(), new_registry() };
	struct registry *to = new_registry();
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct registry_family *h = add_family(r[i], "h",
		    REGISTRY_HISTOGRAM, 0, 0);
		struct registry_family *g = add_family(r[i], "g",
		    REGISTRY_GAUGE, 1, 0);
		uint32_t index = series(h, "", "");

		registry_observe(h, index, (struct decimal){ 0, 1000000 });
		registry_observe(h, index, decimal_of(1 + 9 * i));
		registry_set(g, series(g, "x", ""), decimal_of(7 - i));
	}
	assert_int_equal(merge_registries(to, r, 2), 0);
	assert_rendered(to,
	    "# HELP h Help.\n# TYPE h histogram\n"
	    "h_bucket{le=\"0.005\"} 2\n"
	    "h_bucket{le=\"2.5\"} 3\n"
	    "h_bucket{le=\"+Inf\"} 4\n"
	    "h_sum 11.002\n"
	    "h_count 4\n"
	    "# HELP g Help.\n# TYPE g gauge\n"
	    "g{host=\"x\"} 6\n");
	destroy_all(r, 2);
	registry_destroy(to);
}

static void
families_that_only_some_have_and_retired_ones(void **state)
{
	struct registry *r[] = { new_registry(), new_registry() };
	struct registry *to = new_registry();
	struct registry_family *f;

	(void)state;
	f = add_family(r[0], "retired", REGISTRY_COUNTER, 0, 0);
	registry_add(f, series(f, "", ""), decimal_of(1));
	registry_retire_family(f);
	f = add_family(r[1], "second", REGISTRY_COUNTER, 0, 0);
	registry_add(f, series(f, "", ""), decimal_of(2));
	add_family(to, "first", REGISTRY_COUNTER, 0, 0);
	f = add_family(r[0], "first", REGISTRY_COUNTER, 0, 0);
	registry_add(f, series(f, "", ""), decimal_of(3));
	assert_int_equal(merge_registries(to, r, 2), 0);
	assert_rendered(to,
	    "# HELP first Help.\n# TYPE first counter\nfirst 3\n"
	    "# HELP second Help.\n# TYPE second counter\nsecond 2\n");
	destroy_all(r, 2);
	registry_destroy(to);
}

static void
at_a_limit_the_sum_is_still_right(void **state)
{
	struct registry *r[] = { new_registry(), new_registry() };
	struct registry *to = new_registry();
	struct registry_family *f;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = add_family(r[i], "c", REGISTRY_COUNTER, 1, 3);
		registry_add(f, series(f, i ? "c" : "d", ""), decimal_of(1));
		registry_add(f, series(f, i ? "b" : "a", ""), decimal_of(2));
		registry_add(f, series(f, "x", ""), decimal_of(4));
		registry_add(f, series(f, "y", ""), decimal_of(8));
	}
	assert_int_equal(registry_overflow(f), 2);
	assert_int_equal(merge_registries(to, r, 2), 0);
	/* a and b are first, then there is room for `other` alone. */
	assert_rendered(to,
	    "# HELP c Help.\n# TYPE c counter\n"
	    "c{host=\"a\"} 2\n"
	    "c{host=\"b\"} 2\n"
	    "c{host=\"other\"} 26\n");
	f = registry_find_family(to, STR("c"));
	assert_true(registry_overflow(f) >= 4);
	destroy_all(r, 2);
	registry_destroy(to);
}

static void
an_allocation_that_fails_is_said(void **state)
{
	unsigned long n;

	(void)state;
	for (n = 1;; n++) {
		struct registry *r[] = { new_registry(), new_registry() };
		struct registry *to = new_registry();
		int error;
		size_t i;

		for (i = 0; i < 2; i++) {
			struct registry_family *f = add_family(r[i], "c",
			    REGISTRY_COUNTER, 2, 0);

			registry_add(f, series(f, "a", "b"), decimal_of(1));
			registry_add(f, series(f, i ? "c" : "d", "e"),
			    decimal_of(1));
		}
		support_fail_allocation(n);
		error = merge_registries(to, r, 2);
		support_stop_failing();
		destroy_all(r, 2);
		registry_destroy(to);
		if (!support_did_fail()) {
			assert_int_equal(error, 0);
			break;
		}
		assert_int_equal(error, -ENOMEM);
	}
	assert_true(n > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    counters_are_added_and_come_in_the_order_of_their_labels),
		cmocka_unit_test(histograms_are_added_and_the_last_gauge_holds),
		cmocka_unit_test(families_that_only_some_have_and_retired_ones),
		cmocka_unit_test(at_a_limit_the_sum_is_still_right),
		cmocka_unit_test(an_allocation_that_fails_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
