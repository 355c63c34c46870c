/*
 * What every command that reads logs needs, put together: a registry, its
 * built-in metrics, an ingest.
 */
#ifndef ACCESSLOG_PIPELINE_H
#define ACCESSLOG_PIPELINE_H

#include <stdbool.h>

#include "accesslog/config.h"
#include "accesslog/ingest.h"
#include "accesslog/metrics.h"

struct pipeline {
	struct registry *registry;
	struct metrics metrics;
	struct ingest *ingest; /* NULL before the first configuration */
};

/* Returns 0, -ENOMEM, -Exxx. */
int pipeline_init(struct pipeline *p) __attribute__((warn_unused_result));

void pipeline_release(struct pipeline *p);

/*
 * An ingest for this configuration takes over; p->ingest becomes it, and the
 * one before is the caller's, who destroys it once nothing refers to it.
 *
 * with_zeros  as ingest_create()
 * ret_before  NULL where there was none; untouched on failure
 *
 * Returns 0; -EINVAL with reterr; -ENOMEM.
 */
int pipeline_configure(struct pipeline *p, const struct config *config,
    bool with_zeros, struct ingest **ret_before, struct config_error *reterr)
    __attribute__((warn_unused_result));

#endif
