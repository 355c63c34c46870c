/*
 * The built-in metrics (metrics.def) as families of a registry.
 */
#ifndef ACCESSLOG_METRICS_H
#define ACCESSLOG_METRICS_H

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
};

/*
 * Add all families to r, which is borrowed for the life of m.
 * Returns 0, -EEXIST, -ENOSPC or -ENOMEM.
 */
int metrics_init(struct metrics *m, struct registry *r)
    __attribute__((warn_unused_result));

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
 * fill has, and what went to `other`.
 *
 * Returns 0 or -ENOMEM.  Thread: registry locked.
 */
int metrics_publish(struct metrics *m) __attribute__((warn_unused_result));

#endif
