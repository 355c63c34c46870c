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
 * copies the cells under the lock (registry_snapshot.h) and reads the text
 * without it.
 *
 * The only lock in the program.  Everything that changes a value, adds a
 * series or a family, or reads a value needs it held.
 *
 * Families are never removed either.  One that is no longer configured is
 * retired: it keeps its series and their memory, but is in no snapshot, until
 * a family with the same name, labels, type and buckets is added again, which
 * then goes on counting where it stopped.  So a reload of the configuration
 * resets no counter.
 */
#ifndef ACCESSLOG_REGISTRY_H
#define ACCESSLOG_REGISTRY_H

#include <stdbool.h>
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
	const char *help; /* NULL: that of who adds the family later */
	size_t n_labels;
	const char *const *labels;
	/* Histograms: upper bounds of the buckets, rising, without +Inf. */
	size_t n_bounds;
	const struct decimal *bounds;
	enum registry_type type;
	uint32_t max_series; /* 0: BOUNDS_SERIES */
	uint32_t max_value_bytes; /* of a label; 0: BOUNDS_LABEL_VALUE_BYTES */
	/* Its series count towards registry_limit_bytes(). */
	bool is_limited;
	bool is_kept; /* its series are worth saving across a restart */
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

uint64_t registry_hash_seed(const struct registry *r);

void registry_lock(struct registry *r);
void registry_unlock(struct registry *r);

/*
 * How much memory the series of all limited families may take together, text
 * and cells; BOUNDS_REGISTRY_BYTES until it is said.  At the limit each of them
 * behaves as at its own maximum of series.
 */
void registry_limit_bytes(struct registry *r, size_t max_bytes);

/* What they take now. */
size_t registry_n_bytes(const struct registry *r);

/*
 * What the time is: series that are added from now on were created then.
 *
 * unix_ms  0, as at first: it is not known
 *
 * Thread: registry locked.
 */
void registry_set_now(struct registry *r, uint64_t unix_ms);

/*
 * Add a family, in the order of the exposition; or find the one that is the
 * same in name, labels, type and buckets, with its series, and retired no
 * more.  Its help stays as it was, if it has any; its maximum of series becomes
 * spec's.
 *
 * ret_family  owned by the registry, valid as long as it; untouched on failure
 *
 * Returns 0; -EEXIST where another one with this name is not retired; -ENOSPC
 * above BOUNDS_FAMILIES, the retired ones included; -ENOMEM.
 */
int registry_add_family(struct registry *r, const struct registry_spec *spec,
    struct registry_family **ret_family) __attribute__((warn_unused_result));

/*
 * As registry_add_family(), but a new family begins retired and one that is
 * found stays as it is; so what must be added together can be, and nothing is
 * seen of it if a part fails.
 *
 * Returns 0, -ENOSPC, -ENOMEM.
 */
int registry_prepare_family(struct registry *r,
    const struct registry_spec *spec, struct registry_family **ret_family)
    __attribute__((warn_unused_result));

/* From now on in no snapshot; it can be counted in all the same. */
void registry_retire_family(struct registry_family *f);

/*
 * No other family with this name may be unretired.
 *
 * max_series  as in the spec
 */
void registry_revive_family(struct registry_family *f, uint32_t max_series);

/*
 * A number that its user keeps with a family, 0 at first: what a later
 * configuration compares to know whether the values of its labels still come
 * from the same rules.  Thread: registry locked.
 */
uint64_t registry_tag(const struct registry_family *f);
void registry_set_tag(struct registry_family *f, uint64_t tag);

/* The unretired family of this name, or NULL. */
struct registry_family *registry_find_family(const struct registry *r,
    struct str name);

/*
 * The index of the series with these label values, created at 0 on first use.
 *
 * values     in the family's label order; any bytes (cleaned as labels.h says);
 *            copied on creation
 * ret_index  untouched on failure
 *
 * At the family's maximum, or the registry's, a new label set becomes the
 * series whose labels are all `other`, and registry_overflow() counts it; so
 * the total stays right.
 *
 * Returns 0 or -ENOMEM, the registry unchanged.
 * Thread: registry locked.  Cost: one hash, one probe, no allocation for a
 * series that exists.
 */
int registry_series(struct registry_family *f, const struct str values[],
    uint32_t *ret_index) __attribute__((warn_unused_result));

/*
 * As registry_series(), but what went to `other` is not counted yet: for those
 * who find many series before they add to any.
 *
 * ret_overflowed  whether registry_count_overflow() is due
 */
int registry_find_series(struct registry_family *f, const struct str values[],
    uint32_t *ret_index, bool *ret_overflowed)
    __attribute__((warn_unused_result));
void registry_count_overflow(struct registry_family *f);
void registry_add_overflow(struct registry_family *f, uint64_t n);

/*
 * What was saved comes back, before anything is counted: families are prepared
 * without a help, and each of their series is added at its value, whatever the
 * limits say, in the order of the indexes it had.
 *
 * values   as of registry_series()
 * cells    as many as the family has
 * unix_ms  when it was created
 *
 * Returns 0; -EEXIST: it has been restored already; -ENOMEM.
 * Thread: registry locked.
 */
int registry_restore_series(struct registry_family *f,
    const struct str values[], const uint64_t cells[], uint64_t unix_ms)
    __attribute__((warn_unused_result));

/* After the series; n: what registry_overflow() was.  Returns 0 or -ENOMEM. */
int registry_restore_overflow(struct registry_family *f, uint64_t n)
    __attribute__((warn_unused_result));

/*
 * Destroys the families that were restored and that nobody has added or
 * prepared since.  Once, after the first configuration.
 * Thread: registry locked.
 */
void registry_forget_restored(struct registry *r);

/*
 * As registry_find_series(), with the values that were looked for in another
 * family last, without `other` as the answer; it has as many labels, and the
 * same maximum for them.  Cost: the probe.
 */
int registry_find_same_series(struct registry_family *f,
    const struct registry_family *as, uint32_t *ret_index, bool *ret_overflowed)
    __attribute__((warn_unused_result));

/* The value of a counter or gauge goes up; at most to UINT64_MAX. */
void registry_add(struct registry_family *f, uint32_t index,
    struct decimal delta);

/* The value of a gauge (or of a counter kept elsewhere) becomes value. */
void registry_set(struct registry_family *f, uint32_t index,
    struct decimal value);

/* One observation of a histogram: its bucket and its sum.  O(n_bounds). */
void registry_observe(struct registry_family *f, uint32_t index,
    struct decimal value);

/*
 * All cells of a series at once, as a snapshot of a family with the same spec
 * has them: those of a gauge replace, all others are added.
 */
void registry_add_cells(struct registry_family *f, uint32_t index,
    const uint64_t cells[]);

/*
 * The cells of a series, for those who add to the same ones line by line.
 * They never move; they are written to with the registry locked, by
 * registry_cells_add() and registry_cells_observe().
 */
uint64_t *registry_cells(const struct registry_family *f, uint32_t index);

/* As registry_add(). */
static inline void
registry_cells_add(uint64_t cells[2], struct decimal delta)
{
	struct decimal sum = { cells[0], (uint32_t)cells[1] };
	uint64_t whole = sum.whole + delta.whole;

	/* Neither has it wrapped, nor is it UINT64_MAX. */
	if (!delta.nanos && whole + 1 > sum.whole) {
		cells[0] = whole;
		return;
	}
	decimal_add(&sum, delta);
	cells[0] = sum.whole;
	cells[1] = sum.nanos;
}

/* As registry_set(). */
static inline void
registry_cells_set(uint64_t cells[2], struct decimal value)
{
	cells[0] = value.whole;
	cells[1] = value.nanos;
}

/* As registry_observe(). */
void registry_cells_observe(const struct registry_family *f, uint64_t *cells,
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

/* The value of one label of a series, clean, not escaped.  No lock needed. */
struct str registry_value(const struct registry_family *f, uint32_t index,
    size_t label);

/*
 * All values of a series, for each its length in two bytes, the high one
 * first, then its bytes.  No lock needed.
 */
struct str registry_key(const struct registry_family *f, uint32_t index);

/* When a series was created, in ms since 1970; 0: unknown.  No lock needed. */
uint64_t registry_created(const struct registry_family *f, uint32_t index);

#endif
