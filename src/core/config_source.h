/*
 * One source of a configuration.
 */
#ifndef ACCESSLOG_CONFIG_SOURCE_H
#define ACCESSLOG_CONFIG_SOURCE_H

#include "accesslog/config.h"
#include "accesslog/schema.h"

/*
 * target  a zeroed struct config_source; config_source_release(), also on
 *         failure
 *
 * A schema_read_fn.
 */
int config_source_read(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
    __attribute__((warn_unused_result));

/*
 * One that is named after its only path, without more to it.  Both texts are
 * copied.
 *
 * Returns 0, or -ENOMEM and *source is untouched.
 */
int config_source_init(struct config_source *source, const char *path,
    const char *format) __attribute__((warn_unused_result));

void config_source_release(struct config_source *source);

#endif
