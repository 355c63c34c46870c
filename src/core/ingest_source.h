/*
 * One source of an ingest: its formats, the lines that it drops, and its
 * metrics about itself.
 */
#ifndef ACCESSLOG_INGEST_SOURCE_H
#define ACCESSLOG_INGEST_SOURCE_H

#include "ingest_parts.h"

/*
 * spec        borrowed during the call
 * ret_source  owned by the caller, ingest_source_destroy(); untouched on failure
 *
 * Returns 0, -EINVAL with reterr, or -ENOMEM.
 * Thread: the registry's lock is taken.
 */
int ingest_source_create(struct ingest *in, const struct config_source *spec,
    struct ingest_source **ret_source, struct config_error *reterr)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void ingest_source_destroy(struct ingest_source *s);

#endif
