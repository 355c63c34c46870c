#include "accesslog/metrics.h"

#include "accesslog/bounds.h"

#define MAX_LABELS 3

struct row {
	const char *name;
	enum registry_type type;
	const char *help;
	const char *labels[MAX_LABELS + 1]; /* NULL ends them */
};

static const struct row rows[METRICS_N] = {
#define METRIC(id, type, name, unit, ...)                                      \
	[METRICS_##id] = ROW(name, REGISTRY_##type, __VA_ARGS__, NULL)
#define ROW(name, type, help, ...) { (name), (type), (help), { __VA_ARGS__ } },
#include "accesslog/metrics.def"
#undef ROW
#undef METRIC
};

/*
 * Prometheus' default buckets.
 * https://prometheus.io/docs/instrumenting/writing_clientlibs/#histogram
 */
static const struct decimal seconds_bounds[] = { { 0, 5000000 },
	{ 0, 10000000 }, { 0, 25000000 }, { 0, 50000000 }, { 0, 100000000 },
	{ 0, 250000000 }, { 0, 500000000 }, { 1, 0 }, { 2, 500000000 },
	{ 5, 0 }, { 10, 0 } };

int
metrics_init(struct metrics *m, struct registry *r)
{
	size_t i;

	*m = (struct metrics){ .registry = r };
	for (i = 0; i < METRICS_N; i++) {
		struct registry_spec spec = { .name = rows[i].name,
			.help = rows[i].help,
			.type = rows[i].type,
			.labels = rows[i].labels,
			/* The names of sources are paths. */
			.max_value_bytes = BOUNDS_LABEL_VALUE_MOST_BYTES };
		int error;

		while (rows[i].labels[spec.n_labels])
			spec.n_labels++;
		if (rows[i].type == REGISTRY_HISTOGRAM) {
			spec.bounds = seconds_bounds;
			spec.n_bounds = sizeof(seconds_bounds) /
			    sizeof(seconds_bounds[0]);
		}
		error = registry_add_family(r, &spec, &m->family[i]);
		if (error)
			return error;
	}
	return 0;
}

int
metrics_set(struct metrics *m, enum metrics_id id, const struct str values[],
    struct decimal value)
{
	uint32_t index;
	int error = registry_series(m->family[id], values, &index);

	if (!error)
		registry_set(m->family[id], index, value);
	return error;
}

int
metrics_add(struct metrics *m, enum metrics_id id, const struct str values[],
    struct decimal delta)
{
	uint32_t index;
	int error = registry_series(m->family[id], values, &index);

	if (!error)
		registry_add(m->family[id], index, delta);
	return error;
}

int
metrics_publish(struct metrics *m)
{
	static const enum metrics_id from_logs[] = { METRICS_REQUESTS,
		METRICS_RESPONSE_BYTES, METRICS_REQUEST_DURATION,
		METRICS_UPSTREAM_DURATION };
	size_t i;
	int error = 0;

	for (i = 0; i < sizeof(from_logs) / sizeof(from_logs[0]) && !error;
	     i++) {
		const struct registry_family *f = m->family[from_logs[i]];
		struct str name = str_from(registry_spec(f)->name);

		error = metrics_set(m, METRICS_SERIES, &name,
		    decimal_of(registry_n_series(f)));
		if (!error)
			error = metrics_set(m, METRICS_SERIES_OVERFLOW, &name,
			    decimal_of(registry_overflow(f)));
	}
	return error;
}
