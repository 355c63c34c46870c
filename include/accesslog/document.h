/*
 * YAML text to a tree of nodes, each with its place.  The only module that
 * includes yaml.h.
 *
 * It is the YAML that configurations are written in: one document, keys that
 * are scalars and different, anchors, aliases, and merge keys (`<<`), whose
 * pairs are added behind those of the mapping itself.  Tags are refused, and
 * so is what is larger or deeper than bounds.h says.  What a scalar means is
 * left to the reader: text is all that is kept.
 *
 * An alias is the node it names, so a node may be met many times; it is never
 * inside of itself.
 *
 * It is made of libyaml's events.  libcyaml (1.3.1) would fill structures by
 * itself, but gives for a key that is unknown or there twice the place of what
 * stands before it, and that only inside of a line for its log.
 *
 * https://yaml.org/spec/1.1/
 */
#ifndef ACCESSLOG_DOCUMENT_H
#define ACCESSLOG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/config_error.h"
#include "accesslog/str.h"

enum document_kind {
	DOCUMENT_SCALAR,
	DOCUMENT_SEQUENCE,
	DOCUMENT_MAPPING,
};

struct document_node {
	enum document_kind kind;
	bool plain; /* a scalar without quotes */
	struct config_place place; /* of a quoted scalar: behind the quote */
	struct str text; /* of a scalar: terminated, no NUL in it */
	size_t n; /* items of a sequence, pairs of a mapping */
	/* A mapping's keys are at 0, 2, 4 ..., each before its value. */
	struct document_node **items;
	size_t capacity; /* of items */
	struct document_node *next; /* of all nodes */
};

struct document {
	const struct document_node *root; /* NULL: nothing but comments */
	struct document_node *nodes;
};

/*
 * text          borrowed; places in the document borrow from it
 * ret_document  document_release(); untouched on failure
 *
 * Returns 0, -EINVAL with reterr, -ENOMEM.
 * Cost: linear in the text.
 */
int document_parse(struct str text, struct document *ret_document,
    struct config_error *reterr) __attribute__((warn_unused_result));

void document_release(struct document *d);

#endif
