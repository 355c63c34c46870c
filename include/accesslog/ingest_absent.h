/*
 * Fields that a configuration names and that no line of its sources can have:
 * a mistyped http_user_agnt is no mistake of syntax, for a format may have any
 * field, and would show as labels that stay empty, a sum that stays 0, or a
 * rule that drops nothing.
 */
#ifndef ACCESSLOG_INGEST_ABSENT_H
#define ACCESSLOG_INGEST_ABSENT_H

#include "accesslog/config.h"
#include "accesslog/config_error.h"
#include "accesslog/ingest.h"

/* absent: where the field is named, and what to write instead. */
typedef void (*ingest_absent_fn)(void *arg, const struct config_error *absent);

/*
 * Tell of each field named in config that no format of any source has; of a
 * drop rule's, that no format of its source has.  A source that recognises its
 * format can have all that are shipped.
 *
 * config  what in was created for
 */
void ingest_absent_visit(const struct ingest *in, const struct config *config,
    ingest_absent_fn tell, void *arg);

#endif
