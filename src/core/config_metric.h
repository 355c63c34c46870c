/*
 * One metric of a configuration, with its labels.
 */
#ifndef ACCESSLOG_CONFIG_METRIC_H
#define ACCESSLOG_CONFIG_METRIC_H

#include "accesslog/config.h"
#include "accesslog/schema.h"

/*
 * target  a zeroed struct config_metric; config_metric_release(), also on
 *         failure.  Its name is as it is written, without the namespace;
 *         limits that are not given are 0.
 *
 * A schema_read_fn.
 */
int config_metric_read(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
    __attribute__((warn_unused_result));

void config_metric_release(struct config_metric *metric);

#endif
