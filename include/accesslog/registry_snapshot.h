/*
 * The values of all series of a registry at one moment, to be read without its
 * lock: for scrapes, for what is saved, and for adding registries up.  Retired
 * families are in none.
 */
#ifndef ACCESSLOG_REGISTRY_SNAPSHOT_H
#define ACCESSLOG_REGISTRY_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "accesslog/registry.h"

struct registry_snapshot_family {
	const struct registry_family *family;
	uint64_t tag;
	uint64_t n_overflow;
	uint32_t n_series;
	size_t n_cells; /* of one series */
	const uint64_t *cells; /* n_series times n_cells */
};

struct registry_snapshot {
	size_t n_families;
	struct registry_snapshot_family *families;
	uint64_t *cells; /* what the families' point into */
	size_t room; /* for so many cells */
};

/*
 * Takes the lock, copies the cells, lets it go.
 *
 * ret_snapshot  registry_snapshot_release(); valid as long as the registry
 *
 * Returns 0 or -ENOMEM.
 * Thread: any, registry not locked.  Cost: one copy of all cells.
 */
int registry_snapshot_take(struct registry *r,
    struct registry_snapshot *ret_snapshot) __attribute__((warn_unused_result));

/*
 * As registry_snapshot_take(), into the memory of an earlier one where that is
 * enough: its pages need not be asked for again, which takes thrice as long as
 * to fill them.
 *
 * s  of registry_snapshot_take(), or zero; after a failure it is zero
 */
int registry_snapshot_retake(struct registry *r, struct registry_snapshot *s)
    __attribute__((warn_unused_result));

void registry_snapshot_release(struct registry_snapshot *s);

#endif
