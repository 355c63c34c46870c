#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "accesslog/registry_snapshot.h"
#include "io/state.h"
#include "support.h"

#define THEN UINT64_C(1700000000123)

static const char *const labels[] = { "path", "status" };
static const struct decimal bounds[] = { { 0, 5000000 }, { 1, 0 } };

/* One of each kind, the last of which is not kept. */
static const struct registry_spec specs[] = {
	{ .name = "requests",
	    .help = "Help.",
	    .type = REGISTRY_COUNTER,
	    .n_labels = 2,
	    .labels = labels,
	    .is_kept = true },
	{ .name = "seconds",
	    .help = "Help.",
	    .type = REGISTRY_HISTOGRAM,
	    .n_bounds = 2,
	    .bounds = bounds,
	    .is_kept = true },
	{ .name = "files", .help = "Help.", .type = REGISTRY_GAUGE },
};

#define N_SPECS (sizeof(specs) / sizeof(specs[0]))

static const struct state_file file = { .source = "web",
	.path = "/var/log/a\xff b.log",
	.id = { UINT64_MAX, 3 },
	.born = { 1700000000, 999999999 },
	.modified = { 1700000001, 1 },
	.offset = 1000,
	.size_bytes = 1200,
	.anchor = { 1000, UINT64_MAX, 64 },
	.head = { 7, 500, 3, { 1, UINT64_MAX, 3 } },
	.cut = { 9, 8, 7 },
	.cut_head = { 6, 4096, 10, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } },
	.format = "combined",
	.flags = 5 };

static const struct state_place place = { .source = "web",
	.path = "/var/log/access.log",
	.seen = { 1700000002, 5 } };

/* A directory, a registry with a few values, a state. */
struct fixture {
	char directory[sizeof("/tmp/state-XXXXXX")];
	struct registry *r;
	struct registry_family *families[N_SPECS];
	struct state *state;
};

static struct registry *
new_registry(void)
{
	struct registry *r;

	assert_int_equal(registry_create(42, &r), 0);
	registry_set_now(r, THEN);
	return r;
}

static void
add_families(struct fixture *f)
{
	size_t i;

	for (i = 0; i < N_SPECS; i++)
		assert_int_equal(
		    registry_add_family(f->r, &specs[i], &f->families[i]), 0);
}

static void
count(struct fixture *f, const char *path, uint64_t n)
{
	const struct str values[] = { str_from(path), STR("200") };
	uint32_t index;

	assert_int_equal(registry_series(f->families[0], values, &index), 0);
	registry_add(f->families[0], index, decimal_of(n));
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint32_t index;

	assert_non_null(f);
	memcpy(f->directory, "/tmp/state-XXXXXX", sizeof(f->directory));
	assert_non_null(mkdtemp(f->directory));
	assert_int_equal(state_create(f->directory, &f->state), 0);
	f->r = new_registry();
	add_families(f);
	count(f, "/a", 7);
	count(f, "/b\"\\\n", 8);
	assert_int_equal(registry_series(f->families[1], NULL, &index), 0);
	registry_observe(f->families[1], index, (struct decimal){ 0, 500 });
	registry_observe(f->families[1], index, (struct decimal){ 2, 0 });
	assert_int_equal(registry_series(f->families[2], NULL, &index), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "accesslog_exporter.sqlite",
		"accesslog_exporter.sqlite-wal" };
	struct fixture *f = *state;
	char path[128];
	size_t i;

	state_destroy(f->state);
	registry_destroy(f->r);
	for (i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", f->directory,
		    names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

static void
load_nothing(struct fixture *f)
{
	struct state_loaded loaded;
	struct registry *r = new_registry();

	assert_int_equal(state_load(f->state, r, &loaded), 0);
	assert_false(loaded.is_found);
	state_loaded_release(&loaded);
	registry_destroy(r);
}

static struct state_image
image_of(struct fixture *f, bool is_clean)
{
	struct state_image image = { 0 };

	assert_int_equal(state_image_take(f->r, &image), 0);
	image.is_clean = is_clean;
	image.saved_ms = THEN + 1;
	return image;
}

/* Returns how many rows were written. */
static uint64_t
save(struct fixture *f, const struct state_file files[], size_t n_files,
    bool is_clean)
{
	struct state_image image = image_of(f, is_clean);
	uint64_t before = state_n_rows(f->state);
	size_t i;

	for (i = 0; i < n_files; i++)
		state_image_add_file(&image, &files[i]);
	state_image_add_place(&image, &place);
	assert_int_equal(state_write(f->state, &image), 0);
	assert_null(image.files);
	state_image_release(&image);
	return state_n_rows(f->state) - before;
}

/* As the next process: another state, another registry. */
static struct state_loaded
load_again(struct fixture *f)
{
	struct state_loaded loaded;

	state_destroy(f->state);
	registry_destroy(f->r);
	f->r = new_registry();
	assert_int_equal(state_create(f->directory, &f->state), 0);
	assert_int_equal(state_load(f->state, f->r, &loaded), 0);
	registry_set_now(f->r, THEN + 999);
	add_families(f);
	return loaded;
}

static void
assert_same_anchor(const struct file_anchor *a, const struct file_anchor *b)
{
	assert_int_equal(a->offset, b->offset);
	assert_true(a->hash == b->hash);
	assert_int_equal(a->len, b->len);
}

static void
assert_same_file(const struct state_file *a, const struct state_file *b)
{
	assert_string_equal(a->source, b->source);
	assert_string_equal(a->path, b->path);
	assert_true(follow_same(a->id, b->id));
	assert_memory_equal(&a->born, &b->born, sizeof(a->born));
	assert_memory_equal(&a->modified, &b->modified, sizeof(a->modified));
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->size_bytes, b->size_bytes);
	assert_same_anchor(&a->anchor, &b->anchor);
	assert_memory_equal(&a->head, &b->head, sizeof(a->head));
	assert_same_anchor(&a->cut, &b->cut);
	assert_memory_equal(&a->cut_head, &b->cut_head, sizeof(a->cut_head));
	assert_string_equal(a->format ? a->format : "", b->format);
	assert_int_equal(a->flags, b->flags);
}

static void
what_is_saved_is_loaded(void **state)
{
	static const uint64_t seconds[] = { 1, 0, 1, 2, 500 };
	struct fixture *f = *state;
	struct state_loaded loaded;
	struct registry_snapshot s;

	load_nothing(f);
	registry_set_tag(f->families[0], UINT64_MAX - 1);
	registry_count_overflow(f->families[0]);
	(void)save(f, &file, 1, true);
	loaded = load_again(f);
	assert_true(loaded.is_found);
	assert_true(loaded.is_clean);
	assert_int_equal(loaded.image.saved_ms, THEN + 1);
	assert_int_equal(loaded.image.n_files, 1);
	assert_same_file(&loaded.image.files[0], &file);
	assert_int_equal(loaded.image.n_places, 1);
	assert_string_equal(loaded.image.places[0].path, place.path);
	assert_string_equal(loaded.image.places[0].source, place.source);
	assert_memory_equal(&loaded.image.places[0].seen, &place.seen,
	    sizeof(place.seen));
	state_loaded_release(&loaded);

	assert_true(registry_tag(f->families[0]) == UINT64_MAX - 1);
	assert_int_equal(registry_overflow(f->families[0]), 1);
	assert_int_equal(registry_n_series(f->families[0]), 2);
	assert_int_equal(registry_created(f->families[0], 1), THEN);
	assert_str(registry_value(f->families[0], 1, 0), STR("/b\"\\\n"));
	/* It is not kept. */
	assert_int_equal(registry_n_series(f->families[2]), 0);
	assert_int_equal(registry_snapshot_take(f->r, &s), 0);
	assert_int_equal(s.families[0].cells[0], 7);
	assert_int_equal(s.families[0].cells[2], 8);
	assert_memory_equal(s.families[1].cells, seconds, sizeof(seconds));
	registry_snapshot_release(&s);
}

static void
only_what_differs_is_written(void **state)
{
	struct state_file files[] = { file, file, file };
	struct fixture *f = *state;
	struct state_loaded loaded;

	load_nothing(f);
	/* Two that only their times of birth tell apart. */
	files[1].born.tv_sec++;
	files[2].path = "/other";
	files[2].format = NULL;
	(void)save(f, files, 3, false);
	assert_int_equal(save(f, files, 3, false), 0);
	count(f, "/a", 1);
	assert_int_equal(save(f, files, 3, false), 2); /* it, and the meta */
	files[1].offset++;
	assert_int_equal(save(f, files, 3, false), 2);
	count(f, "/c", 1);
	assert_int_equal(save(f, files, 3, false), 2);
	assert_int_equal(save(f, files, 2, false), 2);
	assert_int_equal(save(f, files, 2, true), 1);
	loaded = load_again(f);
	assert_int_equal(loaded.image.n_files, 2);
	assert_same_file(&loaded.image.files[0], &files[0]);
	assert_same_file(&loaded.image.files[1], &files[1]);
	state_loaded_release(&loaded);
	assert_int_equal(registry_n_series(f->families[0]), 3);
}

static void
what_is_not_shown_is_not_kept(void **state)
{
	struct fixture *f = *state;
	struct state_loaded loaded;

	load_nothing(f);
	(void)save(f, NULL, 0, false);
	registry_retire_family(f->families[0]);
	(void)save(f, NULL, 0, false);
	loaded = load_again(f);
	state_loaded_release(&loaded);
	assert_int_equal(registry_n_series(f->families[0]), 0);
	assert_int_equal(registry_n_series(f->families[1]), 1);
}

static void
it_is_not_clean_from_when_it_is_used(void **state)
{
	struct fixture *f = *state;
	struct state_loaded loaded;

	load_nothing(f);
	(void)save(f, NULL, 0, true);
	loaded = load_again(f);
	assert_true(loaded.is_clean);
	state_loaded_release(&loaded);
	assert_int_equal(state_begin(f->state), 0);
	loaded = load_again(f);
	assert_true(loaded.is_found);
	assert_false(loaded.is_clean);
	assert_int_equal(loaded.image.saved_ms, THEN + 1);
	state_loaded_release(&loaded);
}

static void
another_process_would_be_refused(void **state)
{
	struct fixture *f = *state;
	struct state_loaded loaded;
	struct registry *r = new_registry();
	struct state *other;

	load_nothing(f);
	(void)save(f, NULL, 0, false);
	assert_int_equal(state_create(f->directory, &other), 0);
	assert_int_equal(state_load(other, r, &loaded), -EBUSY);
	state_destroy(other);
	registry_destroy(r);
	/* What has the lock still has it. */
	count(f, "/a", 1);
	assert_int_equal(save(f, NULL, 0, false), 2);
}

static void
a_write_survives_every_failed_allocation(void **state)
{
	struct fixture *f = *state;
	struct state_loaded loaded;
	struct state_image image;
	unsigned long n;
	int error;

	load_nothing(f);
	for (n = 1;; n++) {
		count(f, "/a", 1);
		image = (struct state_image){ 0 };
		support_fail_allocation(n);
		error = state_image_take(f->r, &image);
		if (!error) {
			image.saved_ms = THEN;
			state_image_add_file(&image, &file);
			state_image_add_place(&image, &place);
			error = state_write(f->state, &image);
		}
		state_image_release(&image);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
	}
	assert_true(n > 6);
	assert_int_equal(error, 0);
	loaded = load_again(f);
	assert_int_equal(loaded.image.n_files, 1);
	state_loaded_release(&loaded);
}

static void
loading_survives_every_failed_allocation(void **state)
{
	struct fixture *f = *state;
	struct state_loaded loaded;
	struct registry *r;
	unsigned long n;
	int error;

	load_nothing(f);
	(void)save(f, &file, 1, true);
	for (n = 1;; n++) {
		state_destroy(f->state);
		f->state = NULL;
		r = new_registry();
		support_fail_allocation(n);
		error = state_create(f->directory, &f->state);
		if (!error)
			error = state_load(f->state, r, &loaded);
		support_stop_failing();
		registry_destroy(r);
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
	}
	assert_true(n > 10);
	assert_int_equal(error, 0);
	assert_int_equal(loaded.image.n_files, 1);
	state_loaded_release(&loaded);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_saved_is_loaded),
		TEST(only_what_differs_is_written),
		TEST(what_is_not_shown_is_not_kept),
		TEST(it_is_not_clean_from_when_it_is_used),
		TEST(another_process_would_be_refused),
		TEST(a_write_survives_every_failed_allocation),
		TEST(loading_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
