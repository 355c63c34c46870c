/*
 * How the entries of one format are counted in the metrics of a tally: which
 * field each metric has its value from, and where it goes.
 *
 *	group, status --> row: the cells of each metric that has no label, or
 *	                  `status` alone; no hash is needed for them
 *	labels        --> series, by a hash
 *
 * Where a metric is by status, a group takes 8 KiB of pointers to rows, and 8
 * bytes a metric for each status that comes; once for each format that it has
 * lines of.  At most BOUNDS_SOURCES groups: 34 MB for one format, and
 * what the statuses take.
 *
 * A metric that has its value from a field makes no observation where that has
 * no number.
 */
#ifndef ACCESSLOG_TALLY_PLAN_H
#define ACCESSLOG_TALLY_PLAN_H

#include "accesslog/entry.h"
#include "accesslog/tally.h"

struct tally_plan;

/*
 * t         borrowed for the life of the plan
 * fields    that entries of the format can have, as bits of slots
 * ret_plan  owned by the caller, tally_plan_destroy(); untouched on failure
 *
 * Returns 0 or -ENOMEM.
 */
int tally_plan_create(struct tally *t, uint64_t fields,
    struct tally_plan **ret_plan) __attribute__((warn_unused_result));

/* NULL does nothing. */
void tally_plan_destroy(struct tally_plan *plan);

/*
 * Count one entry in all metrics.
 *
 * group  of its source, from tally_add_group()
 *
 * Returns 0, or -ENOMEM: nothing of it was counted.
 * Thread: registry locked.  Cost: a hash a metric and one a label, but none for
 * those that are in a row; no allocation once the series exist.
 */
int tally_plan_count(struct tally_plan *plan, size_t group,
    const struct entry *e) __attribute__((warn_unused_result));

#endif
