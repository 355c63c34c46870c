/*
 * The rules of a configuration: those that change the value of a label, and
 * those that drop lines.
 */
#ifndef ACCESSLOG_CONFIG_RULE_H
#define ACCESSLOG_CONFIG_RULE_H

#include "accesslog/config.h"
#include "accesslog/schema.h"

enum config_rule_kind {
	CONFIG_RULE_DROP, /* field, regex */
	CONFIG_RULE_REPLACE, /* regex, replacement */
};

/*
 * A list of them, or one alone.
 *
 * ret_rules  config_rule_release_all(), also on failure
 *
 * Returns 0, -EINVAL with the reader's reterr, -ENOMEM.
 */
int config_rule_read_all(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, enum config_rule_kind kind, size_t *ret_n,
    struct config_rule **ret_rules) __attribute__((warn_unused_result));

/* rules: may be NULL, with n == 0. */
void config_rule_release_all(struct config_rule *rules, size_t n);

#endif
