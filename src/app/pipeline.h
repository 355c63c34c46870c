/*
 * What every command that reads logs needs, put together: a registry, its
 * built-in metrics, an ingest.
 */
#ifndef ACCESSLOG_PIPELINE_H
#define ACCESSLOG_PIPELINE_H

#include <stdbool.h>

#include "accesslog/ingest.h"
#include "accesslog/metrics.h"
#include "app/options.h"

struct pipeline {
	struct registry *registry;
	struct metrics metrics;
	struct ingest *ingest;
};

/* with_zeros: as ingest_create().  Returns 0, -ENOMEM, -Exxx. */
int pipeline_init(struct pipeline *p, bool with_zeros)
    __attribute__((warn_unused_result));

void pipeline_release(struct pipeline *p);

/*
 * A source for one file of the command line; what is wrong with the format is
 * said to the user.
 *
 * Returns 0, -EINVAL (told), -ENOMEM.
 */
int pipeline_add_source(struct pipeline *p, const struct options *o,
    const char *file, struct ingest_source **ret_source)
    __attribute__((warn_unused_result));

#endif
