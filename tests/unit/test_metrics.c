#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/buf.h"
#include "accesslog/exposition.h"
#include "accesslog/fields.h"
#include "accesslog/metrics.h"
#include "support.h"

/* metrics.def once more, with what metrics.c does not use. */
static const struct {
	const char *name;
	const char *unit;
	enum registry_type type;
} defined[METRICS_N] = {
#define METRIC(id, type, name, unit, ...)                                      \
	[METRICS_##id] = { name, unit, REGISTRY_##type },
#include "accesslog/metrics.def"
#undef METRIC
};

struct fixture {
	struct registry *registry;
	struct metrics metrics;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || registry_create(1, &f->registry) ||
	    metrics_init(&f->metrics, f->registry))
		return -1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	registry_destroy(f->registry);
	free(f);
	return 0;
}

static bool
ends_with(struct str s, const char *end)
{
	size_t len = strlen(end);

	return s.len >= len &&
	    str_equal(str_after(s, s.len - len), str_of(end, len));
}

static const struct registry_spec *
spec_of(const struct fixture *f, size_t id)
{
	return registry_spec(f->metrics.family[id]);
}

static void
every_metric_is_what_it_was_defined_as(void **state)
{
	const struct fixture *f = *state;
	size_t i;

	for (i = 0; i < METRICS_N; i++) {
		assert_string_equal(spec_of(f, i)->name, defined[i].name);
		assert_int_equal(spec_of(f, i)->type, defined[i].type);
	}
}

static void
names_are_lower_case_words_of_one_namespace(void **state)
{
	const struct fixture *f = *state;
	size_t i;

	for (i = 0; i < METRICS_N; i++) {
		struct str name = str_from(spec_of(f, i)->name);
		size_t j;

		for (j = 0; j < name.len; j++) {
			char c = name.data[j];

			if (!((c >= 'a' && c <= 'z') || c == '_'))
				fail_msg("%s", name.data);
		}
		if (!str_starts_with(name, STR("accesslog_")) &&
		    !str_starts_with(name, STR("process_")))
			fail_msg("%s", name.data);
	}
}

/* https://prometheus.io/docs/practices/naming/ */
static void
counters_and_only_they_end_in_total(void **state)
{
	const struct fixture *f = *state;
	size_t i;

	for (i = 0; i < METRICS_N; i++) {
		bool is_counter = spec_of(f, i)->type == REGISTRY_COUNTER;
		struct str name = str_from(spec_of(f, i)->name);

		if (ends_with(name, "_total") != is_counter)
			fail_msg("%s", name.data);
		/* These belong to the parts of a histogram. */
		if (ends_with(name, "_count") || ends_with(name, "_sum") ||
		    ends_with(name, "_bucket"))
			fail_msg("%s", name.data);
	}
}

static void
names_end_with_their_unit(void **state)
{
	static const char *const base_units[] = { "seconds", "bytes" };
	const struct fixture *f = *state;
	size_t i, j;

	for (i = 0; i < METRICS_N; i++) {
		struct str name = str_from(spec_of(f, i)->name);

		if (ends_with(name, "_total"))
			name.len -= strlen("_total");
		for (j = 0; j < 2; j++) {
			bool has_unit = !strcmp(defined[i].unit, base_units[j]);
			bool says_unit = ends_with(name, base_units[j]);

			if (has_unit != says_unit)
				fail_msg("%s in %s", defined[i].name,
				    defined[i].unit);
		}
		/* Never other scales of them. */
		if (strstr(defined[i].unit, "milli") ||
		    strstr(defined[i].unit, "kilo") ||
		    strstr(defined[i].unit, "minutes"))
			fail_msg("%s in %s", defined[i].name, defined[i].unit);
		/* Facts and flags have none. */
		assert_int_equal(!*defined[i].unit,
		    ends_with(name, "_info") || ends_with(name, "_successful"));
	}
}

static void
help_is_a_sentence(void **state)
{
	const struct fixture *f = *state;
	size_t i;

	for (i = 0; i < METRICS_N; i++) {
		struct str help = str_from(spec_of(f, i)->help);

		if (help.len < 2 || !ends_with(help, ".") ||
		    ends_with(help, "..") || help.data[0] == ' ' ||
		    (help.data[0] >= 'a' && help.data[0] <= 'z') ||
		    memchr(help.data, '\n', help.len))
			fail_msg("%s: %s", defined[i].name, help.data);
	}
}

static void
labels_can_be_labels_and_differ(void **state)
{
	static const char *const reserved[] = { "le", "quantile", "job",
		"instance" };
	const struct fixture *f = *state;
	size_t i, j, k;

	for (i = 0; i < METRICS_N; i++) {
		const struct registry_spec *spec = spec_of(f, i);

		for (j = 0; j < spec->n_labels; j++) {
			const char *label = spec->labels[j];

			assert_true(fields_name_valid(str_from(label)));
			assert_true(label[0] != '_');
			for (k = 0; k < 4; k++)
				assert_string_not_equal(label, reserved[k]);
			for (k = 0; k < j; k++)
				assert_string_not_equal(label, spec->labels[k]);
		}
	}
}

static void
buckets_of_histograms_rise(void **state)
{
	const struct fixture *f = *state;
	size_t n_histograms = 0;
	size_t i, j;

	for (i = 0; i < METRICS_N; i++) {
		const struct registry_spec *spec = spec_of(f, i);

		if (spec->type != REGISTRY_HISTOGRAM) {
			assert_int_equal(spec->n_bounds, 0);
			continue;
		}
		n_histograms++;
		assert_true(spec->n_bounds > 0);
		for (j = 1; j < spec->n_bounds; j++)
			assert_true(decimal_compare(spec->bounds[j - 1],
					spec->bounds[j]) < 0);
	}
	assert_int_equal(n_histograms, 2);
}

static void
one_registry_has_them_once(void **state)
{
	struct fixture *f = *state;
	struct metrics again;
	size_t i;

	assert_int_equal(metrics_init(&again, f->registry), 0);
	for (i = 0; i < METRICS_N; i++)
		assert_ptr_equal(again.family[i], f->metrics.family[i]);
}

static void
a_name_with_other_labels_is_taken(void **state)
{
	static const char *const site[] = { "site" };
	struct registry_spec spec = { .name = "accesslog_requests_total",
		.help = "Help.",
		.n_labels = 1,
		.labels = site };
	struct registry_family *family;
	struct registry *r;
	struct metrics metrics;

	(void)state;
	assert_int_equal(registry_create(1, &r), 0);
	assert_int_equal(registry_add_family(r, &spec, &family), 0);
	assert_int_equal(metrics_init(&metrics, r), -EEXIST);
	registry_destroy(r);
}

static void
families_out_of_use_are_retired_and_still_published(void **state)
{
	struct fixture *f = *state;
	struct registry_spec specs[2] = {
		{ .name = "more_total", .help = "Help.", .max_series = 7 },
		{ 0 }
	};
	struct registry_family *families[2];
	uint32_t index;

	metrics_spec(METRICS_REQUESTS, &specs[1]);
	families[1] = f->metrics.family[METRICS_REQUESTS];
	assert_int_equal(
	    registry_prepare_family(f->registry, &specs[0], &families[0]), 0);
	assert_int_equal(registry_series(families[0], NULL, &index), 0);
	metrics_use(&f->metrics, families, specs, 2);

	assert_ptr_equal(registry_find_family(f->registry, STR("more_total")),
	    families[0]);
	assert_int_equal(registry_spec(families[0])->max_series, 7);
	assert_ptr_equal(
	    registry_find_family(f->registry, STR("accesslog_requests_total")),
	    families[1]);
	assert_null(registry_find_family(f->registry,
	    STR("accesslog_response_bytes_total")));
	assert_int_equal(metrics_publish(&f->metrics), 0);
	assert_int_equal(registry_n_series(f->metrics.family[METRICS_SERIES]),
	    METRICS_N_ACCESS + 1);

	/* Using the same again changes nothing. */
	metrics_use(&f->metrics, families, specs, 2);
	assert_int_equal(f->metrics.n_access, METRICS_N_ACCESS + 1);
}

/* The exposition of one family. */
#define assert_family(f, id, expected)                                         \
	do {                                                                   \
		struct registry_snapshot s_;                                   \
		struct buf out_;                                               \
		assert_int_equal(registry_snapshot_take((f)->registry, &s_),   \
		    0);                                                        \
		buf_init(&out_, 4096);                                         \
		exposition_render_family(&s_.families[id], &out_);             \
		assert_int_equal(buf_status(&out_), 0);                        \
		assert_str(buf_str(&out_), STR(expected));                     \
		buf_release(&out_);                                            \
		registry_snapshot_release(&s_);                                \
	} while (0)

static void
values_are_set_and_added_by_label(void **state)
{
	static const struct str a[] = { STR("a.log"), STR("following") };
	static const struct str b[] = { STR("b.log"), STR("missing") };
	struct fixture *f = *state;
	struct metrics *m = &f->metrics;

	assert_int_equal(metrics_set(m, METRICS_FILES, a, decimal_of(3)), 0);
	assert_int_equal(metrics_set(m, METRICS_FILES, a, decimal_of(2)), 0);
	assert_int_equal(metrics_set(m, METRICS_FILES, b, decimal_of(1)), 0);
	assert_family(f, METRICS_FILES,
	    "# HELP accesslog_exporter_files Files by what is done with "
	    "them.\n"
	    "# TYPE accesslog_exporter_files gauge\n"
	    "accesslog_exporter_files{source=\"a.log\",state=\"following\"} "
	    "2\n"
	    "accesslog_exporter_files{source=\"b.log\",state=\"missing\"} "
	    "1\n");

	assert_int_equal(
	    metrics_add(m, METRICS_SCRAPES, &STR("200"), decimal_of(1)), 0);
	assert_int_equal(
	    metrics_add(m, METRICS_SCRAPES, &STR("200"), decimal_of(1)), 0);
	assert_family(f, METRICS_SCRAPES,
	    "# HELP accesslog_exporter_scrapes_total Answers to scrapes, by "
	    "HTTP status.\n"
	    "# TYPE accesslog_exporter_scrapes_total counter\n"
	    "accesslog_exporter_scrapes_total{code=\"200\"} 2\n");
}

static void
series_of_the_logs_metrics_are_published(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	assert_int_equal(registry_series(f->metrics.family[METRICS_REQUESTS],
			     &STR("200"), &index),
	    0);
	assert_int_equal(metrics_publish(&f->metrics), 0);
	assert_int_equal(registry_series(f->metrics.family[METRICS_REQUESTS],
			     &STR("404"), &index),
	    0);
	assert_int_equal(metrics_publish(&f->metrics), 0);
	assert_family(f, METRICS_SERIES,
	    "# HELP accesslog_exporter_series Label combinations that a metric has now.\n"
	    "# TYPE accesslog_exporter_series gauge\n"
	    "accesslog_exporter_series{metric=\"accesslog_requests_total\"} "
	    "2\n"
	    "accesslog_exporter_series{metric="
	    "\"accesslog_response_bytes_total\"} 0\n"
	    "accesslog_exporter_series{metric="
	    "\"accesslog_request_duration_seconds\"} 0\n"
	    "accesslog_exporter_series{metric="
	    "\"accesslog_upstream_duration_seconds\"} 0\n");
}

static void
additions_past_the_maximum_are_published(void **state)
{
	struct fixture *f = *state;
	struct registry_family *requests = f->metrics.family[METRICS_REQUESTS];
	struct registry_snapshot s;
	uint32_t max = registry_spec(requests)->max_series;
	uint32_t i, index;

	for (i = 0; i < max + 5; i++) {
		char text[16];
		struct str status = str_of(text,
		    (size_t)snprintf(text, sizeof(text), "%u", i));

		assert_int_equal(registry_series(requests, &status, &index), 0);
	}
	assert_int_equal(metrics_publish(&f->metrics), 0);
	assert_int_equal(registry_snapshot_take(f->registry, &s), 0);
	assert_int_equal(s.families[METRICS_SERIES].cells[0], max);
	assert_int_equal(s.families[METRICS_SERIES_OVERFLOW].cells[0], 6);
	registry_snapshot_release(&s);
}

static void
publishing_survives_every_failed_allocation(void **state)
{
	struct fixture *f = *state;
	unsigned long n;
	int error;

	for (n = 1;; n++) {
		support_fail_allocation(n);
		error = metrics_publish(&f->metrics);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
	}
	assert_true(n > 2);
	assert_int_equal(error, 0);
	assert_int_equal(registry_n_series(f->metrics.family[METRICS_SERIES]),
	    4);
	assert_int_equal(
	    registry_n_series(f->metrics.family[METRICS_SERIES_OVERFLOW]), 4);
}

static void
creation_survives_every_failed_allocation(void **state)
{
	unsigned long n;
	int error;

	(void)state;
	for (n = 1;; n++) {
		struct registry *r;
		struct metrics m;

		assert_int_equal(registry_create(1, &r), 0);
		support_fail_allocation(n);
		error = metrics_init(&m, r);
		support_stop_failing();
		registry_destroy(r);
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
	}
	assert_true(n > METRICS_N);
	assert_int_equal(error, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_metric_is_what_it_was_defined_as),
		TEST(names_are_lower_case_words_of_one_namespace),
		TEST(counters_and_only_they_end_in_total),
		TEST(names_end_with_their_unit),
		TEST(help_is_a_sentence),
		TEST(labels_can_be_labels_and_differ),
		TEST(buckets_of_histograms_rise),
		TEST(one_registry_has_them_once),
		TEST(a_name_with_other_labels_is_taken),
		TEST(families_out_of_use_are_retired_and_still_published),
		TEST(values_are_set_and_added_by_label),
		TEST(series_of_the_logs_metrics_are_published),
		TEST(additions_past_the_maximum_are_published),
		TEST(publishing_survives_every_failed_allocation),
		cmocka_unit_test(creation_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
