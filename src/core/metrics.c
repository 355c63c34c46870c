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

void
metrics_spec(enum metrics_id id, struct registry_spec *ret_spec)
{
	const struct row *row = &rows[id];
	struct registry_spec spec = { .name = row->name,
		.help = row->help,
		.type = row->type,
		.labels = row->labels,
		/* The names of sources are paths. */
		.max_value_bytes = BOUNDS_LABEL_VALUE_MOST_BYTES,
		.is_limited = id < METRICS_N_ACCESS,
		/* What is counted here, and the gauge that logs set. */
		.is_kept = id == METRICS_LAST_LINE ||
		    (row->type != REGISTRY_GAUGE && id < METRICS_PROCESS_CPU) };

	while (row->labels[spec.n_labels])
		spec.n_labels++;
	if (row->type == REGISTRY_HISTOGRAM) {
		spec.bounds = seconds_bounds;
		spec.n_bounds = sizeof(seconds_bounds) /
		    sizeof(seconds_bounds[0]);
	}
	*ret_spec = spec;
}

int
metrics_init(struct metrics *m, struct registry *r)
{
	size_t i;

	*m = (struct metrics){ .registry = r };
	for (i = 0; i < METRICS_N; i++) {
		struct registry_spec spec;
		int error;

		metrics_spec((enum metrics_id)i, &spec);
		error = registry_add_family(r, &spec, &m->family[i]);
		if (error)
			return error;
		if (i < METRICS_N_ACCESS)
			m->access[m->n_access++] = m->family[i];
	}
	return 0;
}

void
metrics_use(struct metrics *m, struct registry_family *const families[],
    const struct registry_spec specs[], size_t n)
{
	size_t i, j;

	for (i = 0; i < m->n_access; i++)
		registry_retire_family(m->access[i]);
	for (i = 0; i < n; i++) {
		for (j = 0; j < m->n_access; j++) {
			if (m->access[j] == families[i])
				break;
		}
		if (j == m->n_access)
			m->access[m->n_access++] = families[i];
		registry_revive_family(families[i], specs[i].max_series);
	}
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
	size_t i;
	int error = 0;

	for (i = 0; i < m->n_access && !error; i++) {
		const struct registry_family *f = m->access[i];
		struct str name = str_from(registry_spec(f)->name);
		const struct registry_family *shown = registry_find_family(
		    m->registry, name);

		/* A retired one may share its name with one that is shown. */
		if (shown && shown != f)
			continue;
		error = metrics_set(m, METRICS_SERIES, &name,
		    decimal_of(registry_n_series(f)));
		if (!error)
			error = metrics_set(m, METRICS_SERIES_OVERFLOW, &name,
			    decimal_of(registry_overflow(f)));
	}
	return error;
}
