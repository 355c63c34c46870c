/*
 * What can be said of names in a configuration only when all of it is known:
 * what would give one series two values.
 */
#ifndef ACCESSLOG_CONFIG_CHECK_H
#define ACCESSLOG_CONFIG_CHECK_H

#include "accesslog/config.h"
#include "accesslog/schema.h"

/*
 * c  with the namespace in the names of its metrics
 *
 * Returns 0, -EINVAL with the reader's reterr, -ENOMEM.
 */
int config_check_names(struct schema_reader *r, const struct config *c)
    __attribute__((warn_unused_result));

#endif
