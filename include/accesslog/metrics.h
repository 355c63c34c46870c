/*
 * The built-in metrics (metrics.def) as families of a registry.
 */
#ifndef ACCESSLOG_METRICS_H
#define ACCESSLOG_METRICS_H

#include "accesslog/bounds.h"
#include "accesslog/registry.h"

enum metrics_id {
#define METRIC(id, type, name, unit, ...) METRICS_##id,
#include "accesslog/metrics.def"
#undef METRIC
	METRICS_N,
};

struct metrics {
	struct registry *registry; /* borrowed */
	struct registry_family *family[METRICS_N];
	/* All that the logs have filled since the start, by default 4. */
	size_t n_access;
	struct registry_family *access[BOUNDS_FAMILIES];
};

/* The first METRICS_N_ACCESS of metrics.def are filled by the logs. */
#define METRICS_N_ACCESS 4

/*
 * Add all families to r, which is borrowed for the life of m.
 * Returns 0, -EEXIST, -ENOSPC or -ENOMEM.
 */
int metrics_init(struct metrics *m, struct registry *r)
    __attribute__((warn_unused_result));

/*
 * What metrics.def says of one metric.
 *
 * ret_spec  borrows what is constant
 */
void metrics_spec(enum metrics_id id, struct registry_spec *ret_spec);

/*
 * From now on these families are those that the logs fill.  The ones before
 * that are not among them are retired.
 *
 * families, specs  families[i] as registry_prepare_family() gave it for
 *                  specs[i]
 *
 * Thread: registry locked.  Cannot fail.
 */
void metrics_use(struct metrics *m, struct registry_family *const families[],
    const struct registry_spec specs[], size_t n);

/*
 * Set or add to one series, found by its label values, in the order of
 * metrics.def.  For places that are not hot.
 *
 * Returns 0 or -ENOMEM.  Thread: registry locked.
 */
int metrics_set(struct metrics *m, enum metrics_id id,
    const struct str values[], struct decimal value);
int metrics_add(struct metrics *m, enum metrics_id id,
    const struct str values[], struct decimal delta);

/*
 * Sets the metrics about metrics: how many series each family that the logs
 * fill, or filled before a reload, has, and what went to `other`.
 *
 * Returns 0 or -ENOMEM.  Thread: registry locked.
 */
int metrics_publish(struct metrics *m) __attribute__((warn_unused_result));

#endif
