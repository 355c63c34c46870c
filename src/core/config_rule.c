#include "config_rule.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "config_name.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int
rule_field(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	rule->field_place = node->place;
	return config_name_read_field(r, key, node, &rule->field);
}

static int
rule_regex(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	rule->place = node->place;
	return schema_read_some_text(r, key, node, &rule->regex);
}

static int
rule_replacement(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;

	return schema_read_text(r, key, node, &rule->replacement);
}

static const struct schema_key drop_keys[] = {
	{ "field", "the field to look at, such as request_uri", rule_field },
	{ "regex", "a regular expression in single quotes", rule_regex },
};

static const struct schema_key rule_keys[] = {
	{ "regex", "a regular expression in single quotes", rule_regex },
	{ "replacement", "text; $1 is the first group, '' is no text",
	    rule_replacement },
};

/* other: what a rule has besides, of the name what. */
static int
check_rule(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, const struct config_rule *rule,
    const char *other, const char *what)
{
	if (rule->regex && other)
		return 0;
	return SCHEMA_REFUSE(r, node->place, "the rule has no %s; write %s",
	    rule->regex ? what : "regex", key->expected);
}

static int
read_drop(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;
	int error = schema_read_mapping(r, key, node, drop_keys, N(drop_keys),
	    rule);

	return error ? error
		     : check_rule(r, key, node, rule, rule->field, "field");
}

static int
read_replacing(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	struct config_rule *rule = target;
	int error = schema_read_mapping(r, key, node, rule_keys, N(rule_keys),
	    rule);

	return error
	    ? error
	    : check_rule(r, key, node, rule, rule->replacement, "replacement");
}

int
config_rule_read_all(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, enum config_rule_kind kind, size_t *ret_n,
    struct config_rule **ret_rules)
{
	struct schema_items items;
	int error = schema_read_items(r, key, node,
	    node->kind == DOCUMENT_MAPPING, BOUNDS_CONFIG_RULES,
	    sizeof(**ret_rules),
	    kind == CONFIG_RULE_DROP ? read_drop : read_replacing, &items);

	*ret_n = items.n;
	*ret_rules = items.first;
	return error;
}

void
config_rule_release_all(struct config_rule *rules, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(rules[i].field);
		free(rules[i].regex);
		free(rules[i].replacement);
	}
	free(rules);
}
