/*
 * What an ingest and its sources are made of, for ingest.c, ingest_format.c and
 * ingest_source.c only.
 */
#ifndef ACCESSLOG_INGEST_PARTS_H
#define ACCESSLOG_INGEST_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accesslog/bounds.h"
#include "accesslog/detect.h"
#include "accesslog/fields.h"
#include "accesslog/ingest.h"
#include "accesslog/lines.h"
#include "accesslog/metrics.h"
#include "accesslog/parser.h"
#include "accesslog/pattern.h"
#include "accesslog/tally.h"
#include "accesslog/tally_plan.h"

#define INGEST_NO_SERIES UINT32_MAX

/* A format with what reading its lines needs. */
struct ingest_format {
	char *name;
	struct parser *parser;
	uint64_t fields; /* that its lines can have, as bits of slots */
	struct tally_plan *plan;
	bool is_json;
	size_t n_times;
	size_t times[3]; /* slots of these fields, the best first */
};

struct ingest {
	struct metrics *metrics;
	struct fields fields;
	size_t time_slot[3];
	struct tally *tally;
	size_t n_names;
	char *names[BOUNDS_FIELDS]; /* of fields that only drop rules need */
	struct detect *detect; /* over the shipped formats */
	size_t n_shipped;
	size_t n_formats; /* the shipped ones, then those that users wrote */
	struct ingest_format *formats;
	size_t n_sources;
	struct ingest_source **sources;
};

enum result {
	RESULT_PARSED,
	RESULT_UNPARSED,
	RESULT_TOO_LONG,
	RESULT_FILTERED,
	N_RESULTS,
};

/* Lines whose field matches are dropped. */
struct drop {
	size_t slot;
	struct pattern_rule *rule;
};

struct ingest_source {
	struct ingest *ingest;
	char *name;
	size_t group; /* of the tally */
	size_t n_formats; /* tried in order; 0: recognised by its lines */
	size_t *formats;
	size_t n_drops;
	struct drop *drops;
	uint32_t lines[N_RESULTS]; /* series */
	uint32_t read_bytes;
	uint32_t skipped[LINES_BYTES_N];
	/* INGEST_NO_SERIES until there is one. */
	uint32_t last_line;
	uint32_t json_repairs;
	uint32_t errors[BOUNDS_FIELDS];
	bool has_lag; /* its files grow; else it is read once */
	uint64_t lag_bytes;
	uint32_t lag; /* series, once has_lag */
};

#endif
