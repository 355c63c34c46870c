/*
 * Families of metrics and their series, in hash tables.
 *
 *	family  accesslog_requests_total (a counter, labels: status)
 *	series  {status="200"}, an index into the family's cells
 *	cells   64-bit words, a fixed number a series, apart from its text:
 *
 *	    counter, gauge   | whole | nanos |
 *	    histogram        | n of bucket 0 | ... | n of +Inf | whole | nanos |
 *	                       (not cumulative)                  (the sum)
 *
 * Series are never removed and their text never moves or changes.  So a scrape
 * copies the cells under the lock and reads the text without it.
 *
 * The only lock in the program.  Everything that changes a value, adds a
 * series or reads a value needs it held; families are added before any other
 * thread knows the registry.
 */
#ifndef ACCESSLOG_REGISTRY_H
#define ACCESSLOG_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "accesslog/decimal.h"
#include "accesslog/str.h"

struct registry;
struct registry_family;

enum registry_type {
	REGISTRY_COUNTER,
	REGISTRY_GAUGE,
	REGISTRY_HISTOGRAM,
};

/* Everything is copied. */
struct registry_spec {
	const char *name;
	const char *help;
	enum registry_type type;
	size_t n_labels;
	const char *const *labels;
	/* Histograms: upper bounds of the buckets, rising, without +Inf. */
	size_t n_bounds;
	const struct decimal *bounds;
	uint32_t max_series; /* 0: BOUNDS_SERIES */
	uint32_t max_value_bytes; /* of a label; 0: BOUNDS_LABEL_VALUE_BYTES */
};

/*
 * hash_seed  random, so that nobody can write requests whose label values all
 *            fall into one place of the table
 *
 * Returns 0 or -ENOMEM.
 */
int registry_create(uint64_t hash_seed, struct registry **ret_registry)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void registry_destroy(struct registry *r);

void registry_lock(struct registry *r);
void registry_unlock(struct registry *r);

/*
 * Add a family, in the order of the exposition.
 *
 * ret_family  owned by the registry, valid as long as it
 *
 * Returns 0; -EEXIST for a name that is there; -ENOSPC above BOUNDS_FAMILIES;
 * -ENOMEM.
 */
int registry_add_family(struct registry *r, const struct registry_spec *spec,
    struct registry_family **ret_family) __attribute__((warn_unused_result));

/*
 * The index of the series with these label values, created at 0 on first use.
 *
 * values     in the family's label order; any bytes (cleaned as labels.h says);
 *            copied on creation
 * ret_index  untouched on failure
 *
 * At the family's maximum a new label set becomes the series whose labels are
 * all `other`, and registry_overflow() counts it; so the total stays right.
 *
 * Returns 0 or -ENOMEM, the registry unchanged.
 * Thread: registry locked.  Cost: one hash, one probe, no allocation for a
 * series that exists.
 */
int registry_series(struct registry_family *f, const struct str values[],
    uint32_t *ret_index) __attribute__((warn_unused_result));

/* The value of a counter or gauge goes up; at most to UINT64_MAX. */
void registry_add(struct registry_family *f, uint32_t index,
    struct decimal delta);

/* The value of a gauge (or of a counter kept elsewhere) becomes value. */
void registry_set(struct registry_family *f, uint32_t index,
    struct decimal value);

/* One observation of a histogram: its bucket and its sum.  O(n_bounds). */
void registry_observe(struct registry_family *f, uint32_t index,
    struct decimal value);

uint32_t registry_n_series(const struct registry_family *f);

/* How many additions went to `other` for want of room. */
uint64_t registry_overflow(const struct registry_family *f);

/* Unchanging facts; no lock needed. */
const struct registry_spec *registry_spec(const struct registry_family *f);

/*
 * The labels of a series as the exposition has them, without braces, such as
 * `status="200"`; empty without labels.  No lock needed.
 */
struct str registry_text(const struct registry_family *f, uint32_t index);

/* The values of one family at one moment. */
struct registry_snapshot_family {
	const struct registry_family *family;
	uint32_t n_series;
	size_t n_cells; /* of one series */
	const uint64_t *cells; /* n_series times n_cells */
};

/* The values of all series at one moment. */
struct registry_snapshot {
	size_t n_families;
	struct registry_snapshot_family *families;
	uint64_t *cells; /* what the families' point into */
};

/*
 * Takes the lock, copies the cells, lets it go.
 *
 * ret_snapshot  registry_snapshot_release(); valid as long as the registry
 *
 * Returns 0 or -ENOMEM.
 * Thread: any, registry not locked.  Cost: one copy of all cells.
 */
int registry_snapshot(struct registry *r,
    struct registry_snapshot *ret_snapshot) __attribute__((warn_unused_result));

void registry_snapshot_release(struct registry_snapshot *s);

#endif
