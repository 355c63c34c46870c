#include "config_name.h"

#include <errno.h>

#include "accesslog/bounds.h"
#include "accesslog/fields.h"

int
config_name_read_field(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	int error = schema_check_scalar(r, key, node);

	if (!error && !fields_name_valid(node->text))
		return SCHEMA_REFUSE(r, node->place,
		    "%s is \"%.40s\", which is no field; write letters, digits "
		    "and _, such as request_uri",
		    key->name, node->text.data);
	return error ? error : schema_copy(node->text, target);
}

static bool
is_name(struct str name, bool with_colons)
{
	size_t i;

	if (!name.len || name.len > BOUNDS_LABEL_VALUE_BYTES ||
	    (name.data[0] >= '0' && name.data[0] <= '9'))
		return false;
	for (i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '_' &&
		    !(c == ':' && with_colons))
			return false;
	}
	return true;
}

int
config_name_read_metric(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	int error = schema_check_scalar(r, key, node);

	if (!error && !is_name(node->text, true))
		return SCHEMA_REFUSE(r, node->place,
		    "\"%.40s\" cannot name a metric; write letters, digits and "
		    "_, such as requests_total",
		    node->text.data);
	return error ? error : schema_copy(node->text, target);
}

int
config_name_read_namespace(struct schema_reader *r,
    const struct schema_key *key, const struct document_node *node,
    void *target)
{
	int error = schema_check_scalar(r, key, node);

	if (!error && node->text.len && !is_name(node->text, true))
		return SCHEMA_REFUSE(r, node->place,
		    "\"%.40s\" cannot begin the name of a metric; write "
		    "letters, digits and _, or '' for none",
		    node->text.data);
	return error ? error : schema_copy(node->text, target);
}

int
config_name_check_label(struct schema_reader *r,
    const struct document_node *node)
{
	struct str name = node->text;

	if (!is_name(name, false))
		return SCHEMA_REFUSE(r, node->place,
		    "\"%.40s\" cannot name a label; write letters, digits and "
		    "_, such as status",
		    name.data);
	if (str_starts_with(name, STR("__")) || str_equal(name, STR("le")) ||
	    str_equal(name, STR("quantile")))
		return SCHEMA_REFUSE(r, node->place,
		    "the label \"%.40s\" is Prometheus' own; write another "
		    "name",
		    name.data);
	return 0;
}
