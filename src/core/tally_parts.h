/*
 * What tally.c makes and tally_plan.c counts with: metrics, their labels,
 * groups of sources.
 */
#ifndef ACCESSLOG_TALLY_PARTS_H
#define ACCESSLOG_TALLY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accesslog/bounds.h"
#include "accesslog/config.h"
#include "accesslog/labels.h"
#include "accesslog/metrics.h"
#include "accesslog/registry.h"

/* One label, for all metrics that have the same. */
struct label {
	struct config_label spec; /* owned, but its rules are not compared */
	struct labels *values;
	size_t slot;
	/* Of the entry at hand, where n_entry is the tally's. */
	uint64_t n_entry;
	struct str value;
	bool overflowed;
};

enum label_kind {
	WITHOUT_LABELS,
	BY_STATUS, /* with normal values no hash is needed */
	BY_LABELS,
};

struct metric {
	struct registry_family *family;
	struct registry_spec spec; /* borrows from family's */
	bool counts_requests;
	size_t values[2]; /* slots, or FIELDS_NO_SLOT */
	enum label_kind kind;
	size_t n_labels; /* without the static ones, which follow */
	size_t labels[BOUNDS_LABELS]; /* of the tally */
	uint32_t label_overflow[BOUNDS_LABELS]; /* series; of those limited */
	const struct metric *same; /* before it, by the same labels; or NULL */
	/* Of the entry at hand, where n_entry is the tally's. */
	uint64_t n_entry;
	uint64_t *cells;
	bool overflowed;
	uint64_t overflowed_labels; /* bits */
};

struct group {
	struct str *values; /* of the static labels; the bytes are owned */
};

struct tally {
	struct metrics *metrics;
	size_t max_memory_bytes; /* of all series, once it is in use */
	bool with_zeros;
	size_t status_slot;
	size_t n_statics;
	char **statics; /* names of static labels */
	size_t n_names;
	char *names[BOUNDS_FIELDS]; /* of fields, owned */
	size_t n_labels;
	struct label *labels;
	size_t n_metrics;
	struct metric *metric;
	size_t n_groups;
	struct group *groups;
	uint64_t n_entry;
};

#endif
