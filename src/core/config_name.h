/*
 * Names in a configuration: of metrics, labels and fields, and the first words
 * of those of metrics.  What Prometheus does not allow is refused.
 *
 * All return 0, -EINVAL with the reader's reterr, or -ENOMEM.  Those that read
 * are schema_read_fn; target: a char *.
 */
#ifndef ACCESSLOG_CONFIG_NAME_H
#define ACCESSLOG_CONFIG_NAME_H

#include "accesslog/schema.h"

int config_name_read_field(struct schema_reader *r,
    const struct schema_key *key, const struct document_node *node,
    void *target) __attribute__((warn_unused_result));

int config_name_read_metric(struct schema_reader *r,
    const struct schema_key *key, const struct document_node *node,
    void *target) __attribute__((warn_unused_result));

/* May be ''. */
int config_name_read_namespace(struct schema_reader *r,
    const struct schema_key *key, const struct document_node *node,
    void *target) __attribute__((warn_unused_result));

/* Whether the scalar node can name a label. */
int config_name_check_label(struct schema_reader *r,
    const struct document_node *node) __attribute__((warn_unused_result));

#endif
