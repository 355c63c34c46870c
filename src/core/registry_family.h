/*
 * What a registry and its families are made of, for registry.c and
 * registry_snapshot.c only.
 */
#ifndef ACCESSLOG_REGISTRY_FAMILY_H
#define ACCESSLOG_REGISTRY_FAMILY_H

#include <pthread.h>
#include <stdbool.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/registry.h"
#include "series.h"

struct registry_family {
	struct registry_spec spec; /* owned copies */
	struct registry *registry;
	bool is_retired;
	uint64_t tag;
	uint64_t n_overflow;
	uint32_t other; /* the series `other`, or SERIES_NONE */
	struct series_table table;
	struct buf key; /* of the last lookup */
	uint64_t key_hash;
	struct buf text; /* scratch of a new series */
};

struct registry {
	pthread_mutex_t lock;
	uint64_t hash_seed;
	uint64_t now_ms; /* since 1970 */
	size_t n_bytes; /* of the series of limited families */
	size_t max_bytes;
	size_t n_families;
	struct registry_family *families[BOUNDS_FAMILIES];
};

#endif
