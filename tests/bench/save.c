/*
 * save: what it costs to save the state, with 100,000 series, half of them
 * histograms of 11 buckets, and 100 files.  One result a line:
 *
 *	name  series  rows  held ms  writer ms
 *
 * held is how long the loop thread stands still, which copies; writer is how
 * long the worker takes for the transaction.
 *
 * usage: save [DIRECTORY [ROUNDS]]
 *
 * The worst of the rounds is given.  DIRECTORY, /tmp by default, is where the
 * state is for so long.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/state.h"

#define N_SERIES 50000u
#define N_FILES 100

static const char *const labels[] = { "path" };

static const struct decimal bounds[] = { { 0, 5000000 }, { 0, 10000000 },
	{ 0, 25000000 }, { 0, 50000000 }, { 0, 100000000 }, { 0, 250000000 },
	{ 0, 500000000 }, { 1, 0 }, { 2, 500000000 }, { 5, 0 }, { 10, 0 } };

static const struct registry_spec specs[] = {
	{ .name = "requests",
	    .help = "",
	    .type = REGISTRY_COUNTER,
	    .n_labels = 1,
	    .labels = labels,
	    .max_series = N_SERIES + 1,
	    .is_kept = true },
	{ .name = "seconds",
	    .help = "",
	    .type = REGISTRY_HISTOGRAM,
	    .n_labels = 1,
	    .labels = labels,
	    .n_bounds = sizeof(bounds) / sizeof(bounds[0]),
	    .bounds = bounds,
	    .max_series = N_SERIES + 1,
	    .is_kept = true },
};

struct bench {
	struct registry *registry;
	struct registry_family *families[2];
	struct state *state;
	struct state_image image;
	unsigned long n_rounds;
};

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Each step-th series counts once more. */
static void
count(struct bench *b, uint32_t step)
{
	char path[sizeof("/some/path/4294967295/index.html")];
	uint32_t i, index;

	registry_lock(b->registry);
	for (i = 0; i < N_SERIES; i += step) {
		int len = snprintf(path, sizeof(path),
		    "/some/path/%u/index.html", i);
		struct str value = str_of(path, (size_t)len);
		int error = registry_series(b->families[0], &value, &index);

		assert(!error);
		registry_add(b->families[0], index, decimal_of(1));
		error = registry_series(b->families[1], &value, &index);
		assert(!error);
		registry_observe(b->families[1], index,
		    (struct decimal){ i % 20, 0 });
	}
	registry_unlock(b->registry);
}

static void
add_files(struct state_image *image, uint64_t offset)
{
	char path[sizeof("/var/log/site-4294967295/access.log")];
	unsigned i;

	for (i = 0; i < N_FILES; i++) {
		const struct state_file file = { .source = "web",
			.path = path,
			.id = { 1, i },
			.offset = offset,
			.size_bytes = offset };

		(void)snprintf(path, sizeof(path),
		    "/var/log/site-%u/access.log", i);
		state_image_add_file(image, &file);
	}
}

/* step: of the series that have changed; 0: none has. */
static void
measure(struct bench *b, const char *name, uint32_t step)
{
	static uint64_t offset;
	double worst_held = 0, worst_writer = 0;
	uint64_t n_rows = 0;
	unsigned long i;

	for (i = 0; i < b->n_rounds; i++) {
		uint64_t before = state_n_rows(b->state);
		double start, held, writer;
		int error;

		if (step) {
			count(b, step);
			offset++;
		}
		start = now_ms();
		error = state_image_take(b->registry, &b->image);
		assert(!error);
		add_files(&b->image, offset);
		held = now_ms() - start;
		start = now_ms();
		error = state_write(b->state, &b->image);
		assert(!error);
		writer = now_ms() - start;
		worst_held = held > worst_held ? held : worst_held;
		worst_writer = writer > worst_writer ? writer : worst_writer;
		n_rows = state_n_rows(b->state) - before;
	}
	(void)printf("%-24s %7u %7llu %8.2f %8.1f\n", name, 2 * N_SERIES,
	    (unsigned long long)n_rows, worst_held, worst_writer);
}

int
main(int argc, char *argv[])
{
	struct bench b = { .n_rounds = argc > 2 ? strtoul(argv[2], NULL, 10)
						: 5 };
	struct state_loaded loaded;
	char directory[4096], file[sizeof(directory) + 32];
	size_t i;
	unsigned long n_rounds = b.n_rounds;
	int error;

	(void)snprintf(directory, sizeof(directory), "%s/save-XXXXXX",
	    argc > 1 ? argv[1] : "/tmp");
	if (!mkdtemp(directory)) {
		perror(directory);
		return 1;
	}
	error = registry_create(1, &b.registry);
	assert(!error);
	for (i = 0; i < 2; i++) {
		error = registry_add_family(b.registry, &specs[i],
		    &b.families[i]);
		assert(!error);
	}
	error = state_create(directory, &b.state);
	assert(!error);
	error = state_load(b.state, b.registry, &loaded);
	assert(!error);
	state_loaded_release(&loaded);

	b.n_rounds = 1;
	measure(&b, "save_first", 1);
	b.n_rounds = n_rounds;
	measure(&b, "save_unchanged", 0);
	measure(&b, "save_one_in_a_hundred", 100);
	measure(&b, "save_all_changed", 1);

	(void)snprintf(file, sizeof(file), "%s", state_path(b.state));
	state_image_release(&b.image);
	state_destroy(b.state);
	registry_destroy(b.registry);
	(void)unlink(file);
	(void)rmdir(directory);
	return 0;
}
