#include "accesslog/schema.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/spelling.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

bool
schema_is_empty(const struct document_node *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	size_t i;

	for (i = 0; node->plain && i < N(nulls); i++) {
		if (str_equal(node->text, str_from(nulls[i])))
			return true;
	}
	return false;
}

int
schema_refuse_kind(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node)
{
	const char *kind = "";

	switch (node->kind) {
	case DOCUMENT_SCALAR:
		kind = schema_is_empty(node) ? "empty" : "a single value";
		break;
	case DOCUMENT_SEQUENCE:
		kind = "a list";
		break;
	case DOCUMENT_MAPPING:
		kind = "a mapping";
		break;
	}
	return SCHEMA_REFUSE(r, node->place, "%s is %s; write %s", key->name,
	    kind, key->expected);
}

int
schema_refuse_name(struct schema_reader *r, const struct document_node *node,
    const char *what, const char *const names[], size_t n)
{
	const char *near = spelling_nearest(node->text, names, n);
	char all[160] = ""; /* the longest list has 90 bytes */
	size_t len = 0;
	size_t i;

	if (near)
		return SCHEMA_REFUSE(r, node->place,
		    "there is no %s \"%.40s\"; write %s", what, node->text.data,
		    near);
	for (i = 0; i < n; i++) {
		struct str name = str_from(names[i]);
		struct str comma = i == 0 ? STR("")
		    : i + 1 == n          ? STR(" or ")
					  : STR(", ");

		if (len + comma.len + name.len >= sizeof(all))
			break;
		memcpy(all + len, comma.data, comma.len);
		len += comma.len;
		memcpy(all + len, name.data, name.len);
		len += name.len;
	}
	return SCHEMA_REFUSE(r, node->place,
	    "there is no %s \"%.40s\"; write %s", what, node->text.data, all);
}

int
schema_count(struct schema_reader *r, const struct document_node *node,
    size_t n)
{
	r->n_values += n;
	if (r->n_values <= BOUNDS_CONFIG_VALUES)
		return 0;
	return SCHEMA_REFUSE(r, node->place,
	    "more than %u values with all aliases written out; write fewer",
	    BOUNDS_CONFIG_VALUES);
}

int
schema_check_scalar(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node)
{
	if (node->kind != DOCUMENT_SCALAR || schema_is_empty(node))
		return schema_refuse_kind(r, key, node);
	return schema_count(r, node, 1);
}

int
schema_copy(struct str text, char **ret_text)
{
	char *bytes = malloc(text.len + 1);

	if (!bytes)
		return -ENOMEM;
	if (text.len)
		memcpy(bytes, text.data, text.len);
	bytes[text.len] = '\0';
	*ret_text = bytes;
	return 0;
}

int
schema_read_text(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	char **text = target;
	int error = schema_check_scalar(r, key, node);

	return error ? error : schema_copy(node->text, text);
}

int
schema_read_some_text(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	int error = schema_check_scalar(r, key, node);

	if (!error && !node->text.len)
		return SCHEMA_REFUSE(r, node->place, "%s is empty; write %s",
		    key->name, key->expected);
	return error ? error : schema_read_text(r, key, node, target);
}

int
schema_read_bool(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
{
	bool *value = target;
	int error = schema_check_scalar(r, key, node);

	if (error)
		return error;
	if (!str_equal(node->text, STR("true")) &&
	    !str_equal(node->text, STR("false")))
		return SCHEMA_REFUSE(r, node->place,
		    "%s is \"%.40s\"; write true or false", key->name,
		    node->text.data);
	*value = node->text.len == 4;
	return 0;
}

int
schema_read_number(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, uint32_t least, uint32_t most,
    uint32_t *ret_value)
{
	uint64_t value = 0;
	bool is_good;
	size_t i;
	int error = schema_check_scalar(r, key, node);

	if (error)
		return error;
	is_good = node->text.len > 0 && node->text.len <= 10;
	for (i = 0; is_good && i < node->text.len; i++) {
		char c = node->text.data[i];

		is_good = c >= '0' && c <= '9';
		value = value * 10 + (uint64_t)(c - '0');
	}
	if (!is_good || value < least || value > most)
		return SCHEMA_REFUSE(r, node->place,
		    "%s is \"%.40s\"; write a number from %u to %u", key->name,
		    node->text.data, least, most);
	*ret_value = (uint32_t)value;
	return 0;
}

int
schema_read_word(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, const char *what,
    const char *const names[], size_t n, size_t *ret_i)
{
	size_t i;
	int error = schema_check_scalar(r, key, node);

	if (error)
		return error;
	for (i = 0; i < n; i++) {
		if (str_equal(node->text, str_from(names[i]))) {
			*ret_i = i;
			return 0;
		}
	}
	return schema_refuse_name(r, node, what, names, n);
}

int
schema_read_mapping(struct schema_reader *r, const struct schema_key *what,
    const struct document_node *node, const struct schema_key keys[],
    size_t n_keys, void *target)
{
	size_t i, k;
	int error;

	if (node->kind != DOCUMENT_MAPPING)
		return schema_refuse_kind(r, what, node);
	error = schema_count(r, node, node->n);
	for (i = 0; i < node->n && !error; i++) {
		const struct document_node *key = node->items[2 * i];

		for (k = 0; k < n_keys; k++) {
			if (str_equal(key->text, str_from(keys[k].name)))
				break;
		}
		if (k == n_keys) {
			const char *names[16]; /* a metric has 7 */

			for (k = 0; k < n_keys && k < N(names); k++)
				names[k] = keys[k].name;
			return schema_refuse_name(r, key, "key", names, k);
		}
		error = keys[k].read(r, &keys[k], node->items[2 * i + 1],
		    target);
	}
	return error;
}

int
schema_read_list(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, bool single, size_t max,
    struct schema_list *ret_list)
{
	if (node->kind == DOCUMENT_SEQUENCE) {
		ret_list->n = node->n;
		ret_list->nodes = (const struct document_node *const *)
				      node->items;
	} else if (single && !schema_is_empty(node)) {
		ret_list->n = 1;
		ret_list->single = node;
		ret_list->nodes = &ret_list->single;
	} else {
		return schema_refuse_kind(r, key, node);
	}
	if (ret_list->n > max)
		return SCHEMA_REFUSE(r, ret_list->nodes[max]->place,
		    "more than %zu in %s; write fewer", max, key->name);
	return schema_count(r, node, ret_list->n);
}

void *
schema_array(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

int
schema_read_items(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, bool single, size_t max, size_t size,
    schema_read_fn read, struct schema_items *ret_items)
{
	struct schema_list list;
	char *first;
	size_t i;
	int error = schema_read_list(r, key, node, single, max, &list);

	*ret_items = (struct schema_items){ 0 };
	if (error)
		return error;
	first = schema_array(list.n, size);
	if (!first)
		return -ENOMEM;
	*ret_items = (struct schema_items){ .n = list.n, .first = first };
	for (i = 0; i < list.n && !error; i++)
		error = read(r, key, list.nodes[i], first + i * size);
	return error;
}
