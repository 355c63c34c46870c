#include "accesslog/document.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <yaml.h>

#include "accesslog/bounds.h"

/* A position in the text, as libyaml counts and as people do. */
struct cursor {
	size_t index; /* in code points, as libyaml */
	size_t offset; /* in bytes */
	size_t line;
	size_t line_start;
};

struct anchor {
	char *name;
	struct document_node *node;
};

struct composer {
	yaml_parser_t parser;
	struct str text;
	struct cursor cursor;
	struct config_error *reterr;
	struct document document;
	struct document_node *root;
	size_t depth;
	struct document_node *open[BOUNDS_CONFIG_DEPTH];
	struct document_node *key[BOUNDS_CONFIG_DEPTH]; /* awaits its value */
	size_t n_anchors;
	struct anchor anchors[BOUNDS_CONFIG_ANCHORS];
};

static const struct cursor start = { .line = 1 };

/* Over one code point; a line ends as it does for an editor. */
static void
step(struct cursor *at, struct str text)
{
	char c = text.data[at->offset++];

	while (at->offset < text.len &&
	    ((unsigned char)text.data[at->offset] & 0xC0) == 0x80)
		at->offset++;
	at->index++;
	if (c == '\n' ||
	    (c == '\r' &&
		(at->offset == text.len || text.data[at->offset] != '\n'))) {
		at->line++;
		at->line_start = at->offset;
	}
}

static struct config_place
place_at(const struct cursor *at)
{
	return (struct config_place){ .line = at->line,
		.column = at->offset - at->line_start + 1 };
}

/* Marks come in rising order, so that all of them cost one pass. */
static struct config_place
place_of(struct composer *c, yaml_mark_t mark)
{
	while (c->cursor.index < mark.index && c->cursor.offset < c->text.len)
		step(&c->cursor, c->text);
	return place_at(&c->cursor);
}

static struct config_place
place_of_offset(const struct composer *c, size_t offset)
{
	struct cursor at = start;

	while (at.offset < offset && at.offset < c->text.len)
		step(&at, c->text);
	return place_at(&at);
}

/* Is -EINVAL, which the static analyser can see here. */
#define COMPLAIN(c, place, ...)                                                \
	(config_error_set((c)->reterr, (place).line, (place).column,           \
	     __VA_ARGS__),                                                     \
	    -EINVAL)

/* What libyaml says -> what to write. */
static const struct {
	const char *problem;
	const char *advice;
} known[] = {
	{ "mapping values are not allowed in this context",
	    "\": \" makes a key of what is before it; put quotes around a "
	    "value that has it, and give keys of one mapping one indentation" },
	{ "could not find expected ':'",
	    "a key without \":\"; write key: value" },
	{ "did not find expected key",
	    "this is neither a key of the mapping above nor its end; check "
	    "the indentation and the quotes" },
	{ "did not find expected node content",
	    "a value is missing here; write one, or '' for none" },
	{ "did not find expected '-' indicator",
	    "this is neither an item of the list above nor its end; begin "
	    "each item with \"- \" in the same column" },
	{ "did not find expected ',' or ']'",
	    "a list without its end; write [a, b], and quotes around a value "
	    "that begins with \"[\"" },
	{ "did not find expected ',' or '}'",
	    "a mapping without its end; write { a: b }, and quotes around a "
	    "value that has \"{\" in front" },
	{ "did not find expected alphabetic or numeric character",
	    "a value that begins with \"*\" or \"&\" needs quotes; write "
	    "'*.log'" },
	{ "found unknown escape character",
	    "a backslash in double quotes; put single quotes around the value" },
	{ "found unexpected end of stream",
	    "a quote without its end; write another at the end of the value" },
	{ "found unexpected document indicator",
	    "a quote without its end; write another at the end of the value" },
	{ "block sequence entries are not allowed in this context",
	    "a list begins on the line after its key; write \"- \" there" },
	{ "did not find expected <document start>",
	    "more text after the end; write a mapping such as sources: [...]" },
};

static int
complain_of_syntax(struct composer *c)
{
	const yaml_parser_t *p = &c->parser;
	struct config_place place;
	size_t i;
	char at;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR) {
		place = place_of_offset(c, p->problem_offset);
		return COMPLAIN(c, place,
		    "this is not UTF-8 text (%s); save the file as UTF-8",
		    p->problem);
	}
	place = place_of(c, p->problem_mark);
	at = c->cursor.offset < c->text.len ? c->text.data[c->cursor.offset]
					    : '\0';
	if (!strcmp(p->problem,
		"found character that cannot start any token")) {
		if (at == '\t')
			return COMPLAIN(c, place, "a tab; indent with spaces");
		return COMPLAIN(c, place,
		    "a value that begins with \"%c\" needs quotes; write "
		    "'%c...'",
		    at, at);
	}
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(p->problem, known[i].problem))
			return COMPLAIN(c, place, "%s", known[i].advice);
	}
	return COMPLAIN(c, place,
	    "this is not YAML: %s%s%s; put quotes around text that has other "
	    "characters than letters and digits",
	    p->context ? p->context : "", p->context ? ", " : "", p->problem);
}

static int
add_item(struct document_node *parent, struct document_node *item)
{
	size_t n = parent->kind == DOCUMENT_MAPPING ? 2 * parent->n : parent->n;
	struct document_node **items;

	/* Room for a key and its value. */
	if (parent->capacity - n < 2) {
		size_t capacity = parent->capacity ? 2 * parent->capacity : 4;

		items = reallocarray(parent->items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		parent->items = items;
		parent->capacity = capacity;
	}
	parent->items[n] = item;
	if (parent->kind == DOCUMENT_SEQUENCE)
		parent->n++;
	return 0;
}

static bool
has_key(const struct document_node *mapping, struct str key)
{
	size_t i;

	for (i = 0; i < mapping->n; i++) {
		if (str_equal(mapping->items[2 * i]->text, key))
			return true;
	}
	return false;
}

static int
add_pair(struct composer *c, struct document_node *mapping,
    struct document_node *key, struct document_node *value)
{
	int error;

	if (mapping->n == BOUNDS_CONFIG_KEYS)
		return COMPLAIN(c, key->place,
		    "more than %d keys in one mapping; write fewer",
		    BOUNDS_CONFIG_KEYS);
	error = add_item(mapping, key);
	if (error)
		return error;
	mapping->items[2 * mapping->n + 1] = value;
	mapping->n++;
	return 0;
}

static bool
is_merge(const struct document_node *key)
{
	return key->plain && str_equal(key->text, STR("<<"));
}

static int
merge_one(struct composer *c, struct document_node *mapping,
    const struct document_node *source)
{
	size_t i;
	int error = 0;

	if (source->kind != DOCUMENT_MAPPING)
		return COMPLAIN(c, source->place,
		    "<< takes the pairs of a mapping; write <<: *NAME of one "
		    "that is marked &NAME");
	for (i = 0; i < source->n && !error; i++) {
		struct document_node *key = source->items[2 * i];

		if (!has_key(mapping, key->text))
			error = add_pair(c, mapping, key,
			    source->items[2 * i + 1]);
	}
	return error;
}

/* Takes the pair `<<` out of a whole mapping, and adds what it stands for. */
static int
merge(struct composer *c, struct document_node *mapping)
{
	struct document_node *source = NULL;
	size_t i, n = 0;
	int error = 0;

	for (i = 0; i < mapping->n; i++) {
		if (is_merge(mapping->items[2 * i])) {
			source = mapping->items[2 * i + 1];
			continue;
		}
		mapping->items[2 * n] = mapping->items[2 * i];
		mapping->items[2 * n + 1] = mapping->items[2 * i + 1];
		n++;
	}
	mapping->n = n;
	if (!source)
		return 0;
	if (source->kind != DOCUMENT_SEQUENCE)
		return merge_one(c, mapping, source);
	for (i = 0; i < source->n && !error; i++)
		error = merge_one(c, mapping, source->items[i]);
	return error;
}

/* A whole node, or one that begins, goes where the last one was left open. */
static int
attach(struct composer *c, struct document_node *node,
    struct config_place place)
{
	struct document_node *parent;
	struct document_node **key;

	if (!c->depth) {
		c->root = node;
		return 0;
	}
	parent = c->open[c->depth - 1];
	key = &c->key[c->depth - 1];
	if (parent->kind == DOCUMENT_SEQUENCE)
		return add_item(parent, node);
	if (*key) {
		struct document_node *its = *key;

		*key = NULL;
		return add_pair(c, parent, its, node);
	}
	if (node->kind != DOCUMENT_SCALAR)
		return COMPLAIN(c, place, "a key is a name; write name: value");
	if (has_key(parent, node->text))
		return COMPLAIN(c, place,
		    "\"%.40s\" is there already; write each key once",
		    node->text.data);
	*key = node;
	return 0;
}

static int
add_anchor(struct composer *c, const yaml_char_t *name,
    struct document_node *node)
{
	struct anchor *anchor = &c->anchors[c->n_anchors];

	if (!name)
		return 0;
	if (c->n_anchors == BOUNDS_CONFIG_ANCHORS)
		return COMPLAIN(c, node->place,
		    "more than %d anchors; write fewer", BOUNDS_CONFIG_ANCHORS);
	anchor->name = strdup((const char *)name);
	if (!anchor->name)
		return -ENOMEM;
	anchor->node = node;
	c->n_anchors++;
	return 0;
}

static int
add_alias(struct composer *c, const char *name, struct config_place place)
{
	struct document_node *node = NULL;
	size_t i;

	for (i = c->n_anchors; i-- > 0 && !node;) {
		if (!strcmp(c->anchors[i].name, name))
			node = c->anchors[i].node;
	}
	if (!node)
		return COMPLAIN(c, place,
		    "nothing above is marked &%.40s; write quotes around a "
		    "value that begins with \"*\"",
		    name);
	for (i = 0; i < c->depth; i++) {
		if (c->open[i] == node)
			return COMPLAIN(c, place,
			    "*%.40s stands inside of what it names; write it "
			    "after that",
			    name);
	}
	return attach(c, node, place);
}

/* text: copied. */
static int
add_node(struct composer *c, enum document_kind kind, struct str text,
    struct config_place place, const yaml_char_t *tag,
    const yaml_char_t *anchor, struct document_node **ret_node)
{
	struct document_node *node;
	char *bytes;
	int error;

	if (tag)
		return COMPLAIN(c, place,
		    "tags such as !!str have no meaning here; leave it out");
	if (str_find_char(text, '\0') < text.len)
		return COMPLAIN(c, place,
		    "there is a NUL in this value; leave it out");
	node = calloc(1, sizeof(*node) + text.len + 1);
	if (!node)
		return -ENOMEM;
	bytes = (char *)(node + 1);
	if (text.len)
		memcpy(bytes, text.data, text.len);
	node->kind = kind;
	node->place = place;
	node->text = str_of(bytes, text.len);
	node->next = c->document.nodes;
	c->document.nodes = node;
	error = add_anchor(c, anchor, node);
	if (!error)
		error = attach(c, node, place);
	if (!error)
		*ret_node = node;
	return error;
}

static int
add_scalar(struct composer *c, const yaml_event_t *event,
    struct config_place place)
{
	struct str text = str_of((const char *)event->data.scalar.value,
	    event->data.scalar.length);
	struct str raw = str_after(c->text, c->cursor.offset);
	yaml_scalar_style_t style = event->data.scalar.style;
	struct document_node *node = NULL;
	int error;

	if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
	    style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) {
		if (raw.len && (raw.data[0] == '\'' || raw.data[0] == '"')) {
			raw = str_after(raw, 1);
			place.column++;
		}
	}
	place.verbatim = str_starts_with(raw, text);
	if (raw.len &&
	    ((style == YAML_FOLDED_SCALAR_STYLE && raw.data[0] == '>') ||
		(style == YAML_LITERAL_SCALAR_STYLE && raw.data[0] == '|')))
		place.block = raw;
	error = add_node(c, DOCUMENT_SCALAR, text, place,
	    event->data.scalar.tag, event->data.scalar.anchor, &node);
	if (!error)
		node->plain = style == YAML_PLAIN_SCALAR_STYLE;
	return error;
}

static int
open_node(struct composer *c, enum document_kind kind,
    struct config_place place, const yaml_char_t *tag,
    const yaml_char_t *anchor)
{
	struct document_node *node = NULL;
	int error;

	if (c->depth == BOUNDS_CONFIG_DEPTH)
		return COMPLAIN(c, place,
		    "more than %d lists and mappings inside one another; "
		    "write fewer",
		    BOUNDS_CONFIG_DEPTH);
	error = add_node(c, kind, STR(""), place, tag, anchor, &node);
	if (error)
		return error;
	c->open[c->depth] = node;
	c->key[c->depth++] = NULL;
	return 0;
}

static int
take(struct composer *c, const yaml_event_t *event)
{
	struct config_place place = place_of(c, event->start_mark);

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return add_scalar(c, event, place);
	case YAML_ALIAS_EVENT:
		return add_alias(c, (const char *)event->data.alias.anchor,
		    place);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(c, DOCUMENT_SEQUENCE, place,
		    event->data.sequence_start.tag,
		    event->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return open_node(c, DOCUMENT_MAPPING, place,
		    event->data.mapping_start.tag,
		    event->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
		c->depth--;
		return 0;
	case YAML_MAPPING_END_EVENT:
		return merge(c, c->open[--c->depth]);
	case YAML_DOCUMENT_START_EVENT:
		if (!c->root)
			return 0;
		return COMPLAIN(c, place,
		    "a second document; write all of it in one, without "
		    "\"---\"");
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int
compose(struct composer *c)
{
	bool at_end = false;
	int error = 0;

	yaml_parser_set_encoding(&c->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&c->parser,
	    (const unsigned char *)c->text.data, c->text.len);
	while (!error && !at_end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&c->parser, &event))
			return complain_of_syntax(c);
		error = take(c, &event);
		at_end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	return error;
}

int
document_parse(struct str text, struct document *ret_document,
    struct config_error *reterr)
{
	struct composer *c;
	size_t i;
	int error;

	if (text.len > BOUNDS_CONFIG_BYTES)
		return config_error_set(reterr, 0, 0,
		    "the file is larger than %u bytes; write a shorter one, "
		    "with globs or aliases",
		    BOUNDS_CONFIG_BYTES);
	if (str_starts_with(text, STR("\xEF\xBB\xBF")))
		text = str_after(text, 3);
	if (!text.len)
		text = STR("");

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->text = text;
	c->cursor = start;
	c->reterr = reterr;
	if (yaml_parser_initialize(&c->parser)) {
		error = compose(c);
		yaml_parser_delete(&c->parser);
	} else {
		error = -ENOMEM;
	}

	for (i = 0; i < c->n_anchors; i++)
		free(c->anchors[i].name);
	c->document.root = c->root;
	if (error)
		document_release(&c->document);
	else
		*ret_document = c->document;
	free(c);
	return error;
}

void
document_release(struct document *d)
{
	while (d->nodes) {
		struct document_node *node = d->nodes;

		d->nodes = node->next;
		free(node->items);
		free(node);
	}
	*d = (struct document){ 0 };
}
