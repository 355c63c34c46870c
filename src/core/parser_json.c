#include "accesslog/parser_json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "accesslog/format_json.h"
#include "accesslog/json.h"
#include "accesslog/json_number.h"

/* A path that leads to a field. */
struct source {
	size_t slot; /* FIELDS_NO_SLOT: looked at for the core only */
	unsigned shift;
	bool in_core;
};

struct parser_json {
	struct json *json;
	const struct fields *wanted;
	uint64_t fields; /* bits of slots */
	size_t n_fields;
	size_t n_sources;
	struct source sources[BOUNDS_JSON_PATHS];
	struct json_value values[BOUNDS_JSON_PATHS];
	unsigned shifts[BOUNDS_FIELDS];
	struct json_number_plain
	    plain[BOUNDS_FIELDS]; /* numbers without exponents */
};

int
parser_json_create(const struct format *format, const struct fields *wanted,
    struct parser_json **ret_parser)
{
	struct parser_json *p = calloc(1, sizeof(*p));
	struct str paths[BOUNDS_JSON_PATHS];
	size_t i;

	if (!p)
		return -ENOMEM;
	p->wanted = wanted;
	for (i = 0; i < format->n_items; i++) {
		const struct format_item *item = &format->items[i];
		struct source s = { .shift = item->shift };

		if (item->kind != FORMAT_OPEN)
			continue;
		s.slot = fields_find(wanted, item->text);
		s.in_core = format_json_is_core(item->text);
		if (s.slot == FIELDS_NO_SLOT && !s.in_core)
			continue;
		assert(p->n_sources < BOUNDS_JSON_PATHS);
		paths[p->n_sources] = format->items[i + 1].text;
		p->sources[p->n_sources++] = s;
		if (s.slot != FIELDS_NO_SLOT)
			p->fields |= ENTRY_BIT(s.slot);
	}
	p->n_fields = (size_t)__builtin_popcountll(p->fields);
	if (json_create(paths, p->n_sources, &p->json)) {
		free(p);
		return -ENOMEM;
	}
	*ret_parser = p;
	return 0;
}

void
parser_json_destroy(struct parser_json *p)
{
	if (!p)
		return;
	json_destroy(p->json);
	free(p);
}

uint64_t
parser_json_fields(const struct parser_json *p)
{
	return p->fields;
}

unsigned
parser_json_shift(const struct parser_json *p, size_t slot)
{
	return p->shifts[slot];
}

/* A value as a format of text would have it. */
static struct str
text_of(struct parser_json *p, size_t slot, const struct json_value *v)
{
	struct str text = v->text;

	switch (p->wanted->kinds[slot]) {
	case FIELDS_STATUS:
		return text.len ? text : (struct str){ 0 };
	case FIELDS_TIME:
		if (text.len > 2 && text.data[0] == '[' &&
		    text.data[text.len - 1] == ']')
			return str_of(text.data + 1, text.len - 2);
		return text;
	case FIELDS_COUNT:
	case FIELDS_SECONDS:
	case FIELDS_SECONDS_LIST:
		if (v->kind == JSON_WORD &&
		    json_number_expand(text, &p->plain[slot]))
			return str_of(p->plain[slot].digits,
			    p->plain[slot].len);
		return text;
	case FIELDS_TEXT:
		break;
	}
	return text;
}

bool
parser_json_read(struct parser_json *p, struct str line,
    struct entry *ret_entry, bool *ret_whole)
{
	struct entry *e = ret_entry;
	uint64_t found = 0, nested = 0;
	bool is_request = false;
	uint32_t n_repairs;
	size_t i;

	if (!json_read(p->json, line, p->values, &n_repairs))
		return false;
	for (i = 0; i < p->n_sources; i++)
		is_request |= p->sources[i].in_core &&
		    (p->values[i].kind == JSON_STRING ||
			p->values[i].kind == JSON_WORD);
	if (!is_request)
		return false;

	memset(e->text, 0, p->wanted->n * sizeof(e->text[0]));
	for (i = 0; i < p->n_sources; i++) {
		const struct source *s = &p->sources[i];
		const struct json_value *v = &p->values[i];
		uint64_t bit;

		if (s->slot == FIELDS_NO_SLOT || v->kind == JSON_NONE)
			continue;
		bit = ENTRY_BIT(s->slot);
		if (found & bit)
			continue;
		if (v->kind == JSON_NESTED) {
			nested |= bit;
			continue;
		}
		found |= bit;
		nested &= ~bit;
		p->shifts[s->slot] = s->shift;
		e->text[s->slot] = text_of(p, s->slot, v);
	}
	e->errors = nested;
	e->n_repairs = n_repairs;
	if (ret_whole)
		*ret_whole = !n_repairs &&
		    3 * (size_t)__builtin_popcountll(found) >= p->n_fields;
	return true;
}
