/*
 * registry: many series, and the answer to a scrape of them; no log is read.
 * A line for each kind and number of series:
 *
 *	kind  series  bytes a series  ns to add one  ns to find one
 *	ms of a snapshot  ms for which it holds the lock  ms of rendering it
 *	bytes of the answer
 *
 * usage: registry [ROUNDS]
 *
 * Times are of CPU, the best of the rounds: what else the machine does only
 * slows it.
 */
#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accesslog/bounds.h"
#include "accesslog/exposition.h"

#define MAX_ANSWER_BYTES ((size_t)1 << 30)

static const char *const labels[] = { "route", "status" };

/* Prometheus' default buckets. */
static const struct decimal bounds[] = { { 0, 5000000 }, { 0, 10000000 },
	{ 0, 25000000 }, { 0, 50000000 }, { 0, 100000000 }, { 0, 250000000 },
	{ 0, 500000000 }, { 1, 0 }, { 2, 500000000 }, { 5, 0 }, { 10, 0 } };

struct result {
	size_t series_bytes;
	double add_ns;
	double find_ns;
	double snapshot_ms;
	double lock_ms;
	double render_ms;
	size_t answer_bytes;
};

static double
cpu_seconds(void)
{
	struct timespec now;

	assert(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* How long the lock was held at most; the linker leads the calls here. */
static double held_since;
static double longest_held;

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int error = __real_pthread_mutex_lock(mutex);

	held_since = cpu_seconds();
	return error;
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	double held = cpu_seconds() - held_since;

	if (held > longest_held)
		longest_held = held;
	return __real_pthread_mutex_unlock(mutex);
}

/* The labels of series i, without printf, which would take as long as all. */
static void
label(uint32_t i, char route[32], struct str values[2])
{
	static const struct str statuses[] = { { "200", 3 }, { "301", 3 },
		{ "404", 3 }, { "500", 3 } };
	static const char name[] = "/products/category-0000000";
	size_t at = sizeof(name) - 1;
	uint32_t rest = i / 4;

	memcpy(route, name, sizeof(name));
	for (; rest; rest /= 10)
		route[--at] = (char)('0' + rest % 10);
	values[0] = str_of(route, sizeof(name) - 1);
	values[1] = statuses[i % 4];
}

static void
count(struct registry_family *f, enum registry_type type, uint32_t i)
{
	struct str values[2];
	char route[32];
	uint32_t index;

	label(i, route, values);
	assert(!registry_series(f, values, &index));
	if (type == REGISTRY_HISTOGRAM)
		registry_observe(f, index,
		    (struct decimal){ i % 3, i % 1000 * 1000000 });
	else
		registry_add(f, index, decimal_of(i * UINT64_C(1234567)));
}

static void
less(double *best, double taken, int round)
{
	if (!round || taken < *best)
		*best = taken;
}

static struct result
measure(enum registry_type type, uint32_t n, int n_rounds)
{
	struct registry_spec spec = { .name = "requests_by_route_total",
		.help = "Requests by route and status.",
		.type = type,
		.n_labels = 2,
		.labels = labels,
		.n_bounds = type == REGISTRY_HISTOGRAM
		    ? sizeof(bounds) / sizeof(bounds[0])
		    : 0,
		.bounds = bounds,
		.max_series = n + 1 };
	struct result result = { 0 };
	struct registry *registry;
	struct registry_family *f;
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	double start;
	uint32_t i;
	int round;

	assert(!registry_create(1, &registry));
	assert(!registry_add_family(registry, &spec, &f));
	start = cpu_seconds();
	for (i = 0; i < n; i++)
		count(f, type, i);
	result.add_ns = (cpu_seconds() - start) / n * 1e9;
	result.series_bytes = (mallinfo2().uordblks + mallinfo2().hblkhd -
				  before) /
	    n;
	for (round = 0; round < n_rounds; round++) {
		struct registry_snapshot s;
		struct buf out;

		/* Steps of a large prime: none is where the last one was. */
		start = cpu_seconds();
		for (i = 0; i < n; i++)
			count(f, type, (uint32_t)(i * UINT64_C(15485863) % n));
		less(&result.find_ns, (cpu_seconds() - start) / n * 1e9, round);

		longest_held = 0;
		start = cpu_seconds();
		assert(!registry_snapshot_take(registry, &s));
		less(&result.snapshot_ms, (cpu_seconds() - start) * 1e3, round);
		less(&result.lock_ms, longest_held * 1e3, round);
		buf_init(&out, MAX_ANSWER_BYTES);
		start = cpu_seconds();
		exposition_render(&s, &out);
		less(&result.render_ms, (cpu_seconds() - start) * 1e3, round);
		assert(!buf_status(&out));
		result.answer_bytes = out.len;
		buf_release(&out);
		registry_snapshot_release(&s);
	}
	assert(registry_n_series(f) == n);
	registry_destroy(registry);
	return result;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		enum registry_type type;
		uint32_t n;
	} cases[] = {
		{ "counter", REGISTRY_COUNTER, 100000 },
		{ "histogram", REGISTRY_HISTOGRAM, 100000 / 14 },
		{ "histogram", REGISTRY_HISTOGRAM, 100000 },
		{ "counter", REGISTRY_COUNTER, 1000000 },
	};
	int n_rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
	size_t i;

	if (n_rounds < 1) {
		(void)fprintf(stderr, "usage: registry [ROUNDS]\n");
		return 2;
	}
	/* As main() has it: what is large goes back to the system. */
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result r = measure(cases[i].type, cases[i].n, n_rounds);

		(void)printf("%-10s %8u %5zu %7.1f %7.1f %8.3f %8.3f %8.3f "
			     "%10zu\n",
		    cases[i].name, cases[i].n, r.series_bytes, r.add_ns,
		    r.find_ns, r.snapshot_ms, r.lock_ms, r.render_ms,
		    r.answer_bytes);
	}
	return 0;
}
