/*
 * The formats of an ingest: those that are shipped, the same in every ingest
 * and in the same order, then those that users wrote.
 */
#ifndef ACCESSLOG_INGEST_FORMAT_H
#define ACCESSLOG_INGEST_FORMAT_H

#include "ingest_parts.h"

/* Returns 0, -EINVAL with reterr, or -ENOMEM. */
int ingest_format_add_shipped(struct ingest *in, struct config_error *reterr)
    __attribute__((warn_unused_result));

/*
 * Finds or makes the format that the user gave as text.
 *
 * ret_format  its index; untouched on failure
 *
 * Returns as ingest_format_add_shipped().
 */
int ingest_format_choose(struct ingest *in, struct str text, size_t *ret_format,
    struct config_error *reterr) __attribute__((warn_unused_result));

/* Frees what it has. */
void ingest_format_release(struct ingest_format *f);

/* There is no room for this field; -EINVAL.  place may be NULL. */
int ingest_format_refuse(const struct config_place *place, const char *field,
    struct config_error *reterr);

#endif
