#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/exposition.h"
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
add_family(struct registry *r, const char *name, const char *help,
    enum registry_type type, size_t n_labels)
{
	struct registry_spec spec = { .name = name,
		.help = help,
		.type = type,
		.n_labels = n_labels,
		.labels = labels,
		.n_bounds = type == REGISTRY_HISTOGRAM ? 2 : 0,
		.bounds = bounds };
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

/* Renders r, and frees it. */
#define assert_rendered(r, expected)                                           \
	do {                                                                   \
		struct registry_snapshot s_;                                   \
		struct buf out_;                                               \
		assert_int_equal(registry_snapshot_take((r), &s_), 0);         \
		buf_init(&out_, BOUNDS_REPLY_BYTES);                           \
		exposition_render(&s_, &out_);                                 \
		assert_int_equal(buf_status(&out_), 0);                        \
		assert_str(buf_str(&out_), STR(expected));                     \
		buf_release(&out_);                                            \
		registry_snapshot_release(&s_);                                \
		registry_destroy(r);                                           \
	} while (0)

static void
a_counter_with_labels(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "requests_total",
	    "Requests, by status.", REGISTRY_COUNTER, 2);

	(void)state;
	registry_add(f, series(f, "a", "200"), decimal_of(91260));
	(void)series(f, "a", "500");
	assert_rendered(r,
	    "# HELP requests_total Requests, by status.\n"
	    "# TYPE requests_total counter\n"
	    "requests_total{host=\"a\",status=\"200\"} 91260\n"
	    "requests_total{host=\"a\",status=\"500\"} 0\n");
}

static void
a_gauge_without_labels_has_no_braces(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "lag_bytes", "Lag.",
	    REGISTRY_GAUGE, 0);

	(void)state;
	registry_set(f, series(f, "", ""), (struct decimal){ 3, 50000000 });
	assert_rendered(r,
	    "# HELP lag_bytes Lag.\n"
	    "# TYPE lag_bytes gauge\n"
	    "lag_bytes 3.05\n");
}

static void
a_histogram_without_labels(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "duration_seconds", "Time.",
	    REGISTRY_HISTOGRAM, 0);
	uint32_t index = series(f, "", "");

	(void)state;
	registry_observe(f, index, (struct decimal){ 0, 5000000 });
	registry_observe(f, index, (struct decimal){ 0, 5000001 });
	registry_observe(f, index, decimal_of(1));
	registry_observe(f, index, decimal_of(3));
	assert_rendered(r,
	    "# HELP duration_seconds Time.\n"
	    "# TYPE duration_seconds histogram\n"
	    "duration_seconds_bucket{le=\"0.005\"} 1\n"
	    "duration_seconds_bucket{le=\"2.5\"} 3\n"
	    "duration_seconds_bucket{le=\"+Inf\"} 4\n"
	    "duration_seconds_sum 4.010000001\n"
	    "duration_seconds_count 4\n");
}

static void
a_histogram_with_labels_has_le_last(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "duration_seconds", "Time.",
	    REGISTRY_HISTOGRAM, 2);

	(void)state;
	registry_observe(f, series(f, "a", "200"), decimal_of(9));
	(void)series(f, "b", "200");
	assert_rendered(r,
	    "# HELP duration_seconds Time.\n"
	    "# TYPE duration_seconds histogram\n"
	    "duration_seconds_bucket{host=\"a\",status=\"200\",le=\"0.005\"} 0\n"
	    "duration_seconds_bucket{host=\"a\",status=\"200\",le=\"2.5\"} 0\n"
	    "duration_seconds_bucket{host=\"a\",status=\"200\",le=\"+Inf\"} 1\n"
	    "duration_seconds_sum{host=\"a\",status=\"200\"} 9\n"
	    "duration_seconds_count{host=\"a\",status=\"200\"} 1\n"
	    "duration_seconds_bucket{host=\"b\",status=\"200\",le=\"0.005\"} 0\n"
	    "duration_seconds_bucket{host=\"b\",status=\"200\",le=\"2.5\"} 0\n"
	    "duration_seconds_bucket{host=\"b\",status=\"200\",le=\"+Inf\"} 0\n"
	    "duration_seconds_sum{host=\"b\",status=\"200\"} 0\n"
	    "duration_seconds_count{host=\"b\",status=\"200\"} 0\n");
}

static void
label_values_are_escaped_once(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "a_total", "A.",
	    REGISTRY_COUNTER, 2);

	(void)state;
	(void)series(f, "\"\\\n", "\xFF{}\t\r");
	assert_rendered(r,
	    "# HELP a_total A.\n"
	    "# TYPE a_total counter\n"
	    "a_total{host=\"\\\"\\\\\\n\",status=\"\xEF\xBF\xBD{}\t\r\"} 0\n");
}

static void
help_escapes_backslash_and_newline_only(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "a_total", "A \"b\"\\c\nd.",
	    REGISTRY_COUNTER, 0);

	(void)state;
	(void)series(f, "", "");
	assert_rendered(r,
	    "# HELP a_total A \"b\"\\\\c\\nd.\n"
	    "# TYPE a_total counter\n"
	    "a_total 0\n");
}

static void
a_family_without_a_series_is_left_out(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f;

	(void)state;
	(void)add_family(r, "a_total", "A.", REGISTRY_COUNTER, 1);
	f = add_family(r, "b_total", "B.", REGISTRY_COUNTER, 0);
	(void)add_family(r, "c_seconds", "C.", REGISTRY_HISTOGRAM, 0);
	(void)series(f, "", "");
	assert_rendered(r,
	    "# HELP b_total B.\n"
	    "# TYPE b_total counter\n"
	    "b_total 0\n");
}

static void
nothing_is_rendered_as_nothing(void **state)
{
	struct registry *r = new_registry();

	(void)state;
	assert_rendered(r, "");
}

static void
families_come_in_the_order_they_were_added(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *z = add_family(r, "z_total", "Z.",
	    REGISTRY_COUNTER, 0);
	struct registry_family *a = add_family(r, "a_total", "A.",
	    REGISTRY_COUNTER, 0);

	(void)state;
	(void)series(a, "", "");
	(void)series(z, "", "");
	assert_rendered(r,
	    "# HELP z_total Z.\n"
	    "# TYPE z_total counter\n"
	    "z_total 0\n"
	    "# HELP a_total A.\n"
	    "# TYPE a_total counter\n"
	    "a_total 0\n");
}

static void
large_counters_keep_every_digit(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "a_total", "A.",
	    REGISTRY_COUNTER, 1);

	(void)state;
	registry_set(f, series(f, "2^53+1", ""),
	    decimal_of((UINT64_C(1) << 53) + 1));
	registry_set(f, series(f, "max", ""), decimal_of(UINT64_MAX));
	registry_set(f, series(f, "exact", ""),
	    (struct decimal){ (UINT64_C(1) << 53) + 1, 1 });
	assert_rendered(r,
	    "# HELP a_total A.\n"
	    "# TYPE a_total counter\n"
	    "a_total{host=\"2^53+1\"} 9007199254740993\n"
	    "a_total{host=\"max\"} 18446744073709551615\n"
	    "a_total{host=\"exact\"} 9007199254740993.000000001\n");
}

static void
what_is_added_after_the_snapshot_is_not_in_it(void **state)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "a_total", "A.",
	    REGISTRY_COUNTER, 1);
	struct registry_snapshot s;
	struct buf out;

	(void)state;
	registry_add(f, series(f, "a", ""), decimal_of(1));
	assert_int_equal(registry_snapshot_take(r, &s), 0);
	registry_add(f, series(f, "a", ""), decimal_of(1));
	registry_add(f, series(f, "b", ""), decimal_of(1));
	buf_init(&out, BOUNDS_REPLY_BYTES);
	exposition_render_family(&s.families[0], &out);
	assert_str(buf_str(&out),
	    STR("# HELP a_total A.\n"
		"# TYPE a_total counter\n"
		"a_total{host=\"a\"} 1\n"));
	buf_release(&out);
	registry_snapshot_release(&s);
	registry_destroy(r);
}

/* Two families with text enough that the buffer has to grow. */
static struct registry *
filled_registry(void)
{
	struct registry *r = new_registry();
	struct registry_family *f = add_family(r, "a_total", "A.",
	    REGISTRY_COUNTER, 1);
	struct registry_family *h = add_family(r, "b_seconds", "B.",
	    REGISTRY_HISTOGRAM, 2);
	char host[] = "a.example";

	for (; host[0] < 'z'; host[0]++) {
		(void)series(f, host, "");
		registry_observe(h, series(h, host, "200"), decimal_of(1));
	}
	return r;
}

static void
an_answer_that_cannot_grow_says_so(void **state)
{
	struct registry *r = filled_registry();
	struct registry_snapshot s;
	struct buf out;
	size_t whole, max;
	unsigned long n;

	(void)state;
	assert_int_equal(registry_snapshot_take(r, &s), 0);
	buf_init(&out, BOUNDS_REPLY_BYTES);
	exposition_render(&s, &out);
	assert_int_equal(buf_status(&out), 0);
	whole = out.len;
	buf_release(&out);

	for (n = 1;; n++) {
		buf_init(&out, BOUNDS_REPLY_BYTES);
		support_fail_allocation(n);
		exposition_render(&s, &out);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(buf_status(&out), -ENOMEM);
		buf_release(&out);
	}
	assert_true(n > 3);
	assert_int_equal(buf_status(&out), 0);
	assert_int_equal(out.len, whole);
	buf_release(&out);

	for (max = 0; max < whole; max += max < 300 ? 1 : 97) {
		buf_init(&out, max);
		exposition_render(&s, &out);
		assert_int_equal(buf_status(&out), -EOVERFLOW);
		assert_true(out.len <= max);
		buf_release(&out);
	}
	buf_init(&out, whole);
	exposition_render(&s, &out);
	assert_int_equal(buf_status(&out), 0);
	assert_int_equal(out.len, whole);
	buf_release(&out);

	registry_snapshot_release(&s);
	registry_destroy(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_with_labels),
		cmocka_unit_test(a_gauge_without_labels_has_no_braces),
		cmocka_unit_test(a_histogram_without_labels),
		cmocka_unit_test(a_histogram_with_labels_has_le_last),
		cmocka_unit_test(label_values_are_escaped_once),
		cmocka_unit_test(help_escapes_backslash_and_newline_only),
		cmocka_unit_test(a_family_without_a_series_is_left_out),
		cmocka_unit_test(nothing_is_rendered_as_nothing),
		cmocka_unit_test(families_come_in_the_order_they_were_added),
		cmocka_unit_test(large_counters_keep_every_digit),
		cmocka_unit_test(what_is_added_after_the_snapshot_is_not_in_it),
		cmocka_unit_test(an_answer_that_cannot_grow_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
