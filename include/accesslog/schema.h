/*
 * Nodes of a document to values, and what is said of nodes that are something
 * else.  It knows no key: those are tables of its caller's.
 *
 *	paths is a mapping; write a list of paths, such as [/var/log/a.log]
 *	|_ key's name  |          |_ what the key expects
 *	               |_ what there is
 *
 * Functions that read return 0, -EINVAL with the reader's reterr, or -ENOMEM.
 * What they give is owned by the caller.
 */
#ifndef ACCESSLOG_SCHEMA_H
#define ACCESSLOG_SCHEMA_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accesslog/config_error.h"
#include "accesslog/document.h"
#include "accesslog/str.h"

struct schema_reader {
	struct config_error *reterr;
	size_t n_values; /* so far, with all aliases written out */
};

struct schema_key;

/* What becomes of a value of this key, or of an item of its list. */
typedef int (*schema_read_fn)(struct schema_reader *r,
    const struct schema_key *key, const struct document_node *value,
    void *target);

/* One key of a mapping. */
struct schema_key {
	const char *name;
	const char *expected; /* what to write there */
	schema_read_fn read;
};

/* Is -EINVAL, which the static analyser can see here. */
#define SCHEMA_REFUSE(r, place_, ...)                                          \
	(config_error_set((r)->reterr, (place_).line, (place_).column,         \
	     __VA_ARGS__),                                                     \
	    -EINVAL)

/* Whether nothing stands there: nothing at all, ~ or null, without quotes. */
bool schema_is_empty(const struct document_node *node);

/* "KEY is a list; write ..." */
int schema_refuse_kind(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node);

/*
 * "there is no WHAT ...; write" the nearest of the names, or all of them where
 * none is near.
 */
int schema_refuse_name(struct schema_reader *r,
    const struct document_node *node, const char *what,
    const char *const names[], size_t n);

/* n more values; refused above BOUNDS_CONFIG_VALUES. */
int schema_count(struct schema_reader *r, const struct document_node *node,
    size_t n) __attribute__((warn_unused_result));

/* A scalar that is not empty; may be '' in quotes. */
int schema_check_scalar(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node) __attribute__((warn_unused_result));

/* target: a char *. */
int schema_read_text(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
    __attribute__((warn_unused_result));

/* The same, but '' is refused. */
int schema_read_some_text(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
    __attribute__((warn_unused_result));

/* target: a bool. */
int schema_read_bool(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, void *target)
    __attribute__((warn_unused_result));

/* Decimal digits from least to most. */
int schema_read_number(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, uint32_t least, uint32_t most,
    uint32_t *ret_value) __attribute__((warn_unused_result));

/* One of the names; else as schema_refuse_name().  ret_i: which of them. */
int schema_read_word(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, const char *what,
    const char *const names[], size_t n, size_t *ret_i)
    __attribute__((warn_unused_result));

/*
 * Each pair goes to the function of its key, in their order, with target.
 *
 * what    the key whose value node is
 * n_keys  at most 16
 */
int schema_read_mapping(struct schema_reader *r, const struct schema_key *what,
    const struct document_node *node, const struct schema_key keys[],
    size_t n_keys, void *target) __attribute__((warn_unused_result));

/* The items of a list, borrowed from the document. */
struct schema_list {
	size_t n;
	const struct document_node *const *nodes;
	const struct document_node *single; /* what nodes may point at */
};

/*
 * single  a value that stands alone is a list of one
 * max     more are refused
 */
int schema_read_list(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, bool single, size_t max,
    struct schema_list *ret_list) __attribute__((warn_unused_result));

/* Zeroed; NULL for want of memory only, also where n is 0. */
void *schema_array(size_t n, size_t size) __attribute__((warn_unused_result));

/* The items of a list as an array of the caller's. */
struct schema_items {
	size_t n;
	void *first; /* free() */
};

/*
 * A list whose items are all read by the same function, each to the next size
 * bytes of a zeroed array.
 *
 * single, max  as of schema_read_list()
 * ret_items    owned by the caller also on failure, as far as it was read
 */
int schema_read_items(struct schema_reader *r, const struct schema_key *key,
    const struct document_node *node, bool single, size_t max, size_t size,
    schema_read_fn read, struct schema_items *ret_items)
    __attribute__((warn_unused_result));

/* A terminated copy.  Returns 0 or -ENOMEM. */
int schema_copy(struct str text, char **ret_text)
    __attribute__((warn_unused_result));

#endif
