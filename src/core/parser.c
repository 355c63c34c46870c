#include "accesslog/parser.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/parser_json.h"
#include "accesslog/pattern.h"
#include "accesslog/request.h"
#include "accesslog/scanner.h"
#include "accesslog/times.h"

/* How a wanted field that the format lacks is had from one that it has. */
enum derivation {
	FROM_REQUEST_METHOD,
	FROM_REQUEST_URI,
	FROM_REQUEST_PROTOCOL,
	FROM_REQUEST_PATH,
	FROM_URI_PATH,
};

struct derived {
	enum derivation how;
	size_t source; /* slot */
	size_t slot;
};

static const struct {
	const char *field;
	const char *source;
	enum derivation how;
} derivations[] = {
	{ "request_method", "request", FROM_REQUEST_METHOD },
	{ "request_uri", "request", FROM_REQUEST_URI },
	{ "server_protocol", "request", FROM_REQUEST_PROTOCOL },
	{ "uri", "request_uri", FROM_URI_PATH },
	{ "uri", "request", FROM_REQUEST_PATH },
};

#define N_DERIVATIONS (sizeof(derivations) / sizeof(derivations[0]))

struct parser {
	struct pattern *pattern; /* or, for JSON, */
	struct parser_json *json;
	struct scanner *scanner; /* NULL: the pattern alone */
	struct fields fields; /* wanted, then what others derive from */
	uint64_t wanted; /* bits of slots */
	uint64_t available; /* of these */
	uint64_t in_format; /* of fields: what lines have themselves */
	size_t n_numbers;
	struct number {
		size_t slot;
		enum fields_kind kind;
		unsigned shift; /* of JSON, the line decides */
		/* So many, and so many more, make a plain number. */
		size_t min_digits, more_digits;
	} numbers[BOUNDS_FIELDS];
	size_t n_derived;
	struct derived derived[N_DERIVATIONS];
	struct entry entry; /* of the line read last; else all without values */
};

/*
 * Plans the derivation of each wanted field that the format has not itself,
 * and of JSON also of those that it has, for lines without them.
 */
static int
plan_derived(struct parser *p, const struct format *format)
{
	size_t n_wanted = p->fields.n;
	size_t i, j;

	for (i = 0; i < N_DERIVATIONS; i++) {
		struct str field = str_from(derivations[i].field);
		struct str source = str_from(derivations[i].source);
		size_t slot = fields_find(&p->fields, field);
		size_t source_slot;

		if (slot >= n_wanted ||
		    (format_has(format, field) &&
			format->kind != FORMAT_JSON) ||
		    !format_has(format, source))
			continue;
		for (j = 0; j < p->n_derived; j++) {
			if (p->derived[j].slot == slot)
				break;
		}
		if (j < p->n_derived)
			continue;
		source_slot = fields_add(&p->fields, source);
		if (source_slot == FIELDS_NO_SLOT)
			return -ENOSPC;
		p->derived[p->n_derived++] = (struct derived){
			derivations[i].how, source_slot, slot
		};
	}
	return 0;
}

static void
plan_number(struct parser *p, size_t slot)
{
	struct number *n = &p->numbers[p->n_numbers++];

	n->slot = slot;
	n->kind = p->fields.kinds[slot];
	n->min_digits = SIZE_MAX; /* none does */
	if (p->json)
		return;
	n->shift = pattern_shift(p->pattern, slot);
	if (n->kind == FIELDS_COUNT) {
		n->min_digits = 1;
		n->more_digits = DECIMAL_QUICK_DIGITS - 1;
	} else if (n->kind == FIELDS_STATUS) {
		n->min_digits = 3;
	}
}

static void
plan_slots(struct parser *p)
{
	size_t i;

	for (i = 0; i < p->fields.n; i++) {
		if (!(p->in_format & ENTRY_BIT(i)))
			continue;
		switch (p->fields.kinds[i]) {
		case FIELDS_STATUS:
		case FIELDS_COUNT:
		case FIELDS_SECONDS:
		case FIELDS_SECONDS_LIST:
			plan_number(p, i);
			break;
		case FIELDS_TEXT:
		case FIELDS_TIME: /* decoded once a chunk, by who needs it */
			break;
		}
	}
}

static int
build(struct parser *p, const struct format *format,
    const struct fields *wanted, bool whole, struct config_error *reterr)
{
	size_t i;
	int error;

	p->fields = *wanted;
	for (i = 0; i < wanted->n; i++)
		p->wanted |= ENTRY_BIT(i);
	error = plan_derived(p, format);
	if (!error && format->kind == FORMAT_JSON)
		error = parser_json_create(format, &p->fields, &p->json);
	else if (!error)
		error = pattern_create(format, &p->fields, whole, &p->pattern,
		    reterr);
	if (!error && !p->json && !whole)
		error = scanner_create(format, &p->fields, &p->scanner);
	if (error == -ENOTSUP)
		error = 0;
	if (error)
		return error;
	p->in_format = p->json ? parser_json_fields(p->json)
			       : pattern_fields(p->pattern);
	plan_slots(p);
	p->available = p->in_format & p->wanted;
	for (i = 0; i < p->n_derived; i++)
		p->available |= ENTRY_BIT(p->derived[i].slot);
	return 0;
}

int
parser_create(const struct format *format, const struct fields *wanted,
    bool whole, struct parser **ret_parser, struct config_error *reterr)
{
	struct parser *p = calloc(1, sizeof(*p));
	int error;

	if (!p)
		return -ENOMEM;
	error = build(p, format, wanted, whole, reterr);
	if (error) {
		parser_destroy(p);
		return error;
	}
	*ret_parser = p;
	return 0;
}

void
parser_destroy(struct parser *p)
{
	if (!p)
		return;
	parser_json_destroy(p->json);
	pattern_destroy(p->pattern);
	scanner_destroy(p->scanner);
	free(p);
}

uint64_t
parser_fields(const struct parser *p)
{
	return p->available;
}

bool
parser_derives(struct str field, struct str source)
{
	size_t i;

	for (i = 0; i < N_DERIVATIONS; i++) {
		if (str_equal(field, str_from(derivations[i].field)) &&
		    str_equal(source, str_from(derivations[i].source)))
			return true;
	}
	return false;
}

static bool
is_missing(struct str text)
{
	return !text.len || (text.len == 1 && text.data[0] == '-');
}

enum decoded {
	DECODED,
	WITHOUT_VALUE,
	MALFORMED,
};

static enum decoded
decode(struct str text, enum fields_kind kind, unsigned shift,
    struct decimal *ret_value)
{
	struct times times;

	switch (kind) {
	case FIELDS_STATUS:
		if (is_missing(text))
			return WITHOUT_VALUE;
		if (text.len != 3 || memchr(text.data, '.', 3))
			return MALFORMED;
		break;
	case FIELDS_COUNT:
		if (is_missing(text)) {
			*ret_value = decimal_of(0);
			return DECODED;
		}
		if (memchr(text.data, '.', text.len))
			return MALFORMED;
		break;
	case FIELDS_SECONDS:
		if (is_missing(text))
			return WITHOUT_VALUE;
		break;
	case FIELDS_SECONDS_LIST:
		switch (times_parse(text, shift, &times)) {
		case TIMES_OK:
			*ret_value = times.sum;
			return DECODED;
		case TIMES_NONE:
			return WITHOUT_VALUE;
		case TIMES_MALFORMED:
			return MALFORMED;
		}
		break;
	case FIELDS_TEXT:
	case FIELDS_TIME:
		return WITHOUT_VALUE;
	}
	return decimal_parse(text, shift, ret_value) == DECIMAL_OK ? DECODED
								   : MALFORMED;
}

static struct str
derive(enum derivation how, struct str source)
{
	struct request request;

	if (!source.data)
		return source;
	if (how == FROM_URI_PATH)
		return request_path(source);

	request = request_split(source);
	switch (how) {
	case FROM_REQUEST_METHOD:
		return request.method;
	case FROM_REQUEST_URI:
		return request.uri;
	case FROM_REQUEST_PROTOCOL:
		return request.protocol;
	case FROM_REQUEST_PATH:
	case FROM_URI_PATH:
		break;
	}
	return request.uri.data ? request_path(request.uri) : request.uri;
}

/* Fields that are in the format, and not in the line, are errors. */
static bool
match_pattern(struct parser *p, struct str line, bool *ret_whole)
{
	struct entry *e = &p->entry;
	uint64_t rest;

	if (pattern_match(p->pattern, line, e->text, ret_whole) != PATTERN_FITS)
		return false;
	for (rest = p->in_format; rest; rest &= rest - 1) {
		if (!e->text[__builtin_ctzll(rest)].data)
			e->errors |= rest & -rest;
	}
	return true;
}

/* What is not in the format has no value, ever. */
static inline bool
match(struct parser *p, struct str line, bool *ret_whole)
{
	p->entry.errors = 0;
	if (!p->scanner || !scanner_match(p->scanner, line, p->entry.text))
		return match_pattern(p, line, ret_whole);
	if (ret_whole)
		*ret_whole = false;
	return true;
}

static void
decode_into(struct parser *p, const struct number *n)
{
	struct entry *e = &p->entry;
	size_t slot = n->slot;

	if (!e->text[slot].data)
		return;
	/* No answer: Envoy and most of JSON say so in one digit. */
	if (n->kind == FIELDS_STATUS && str_equal(e->text[slot], STR("0")))
		e->text[slot] = STR("000");
	switch (decode(e->text[slot], n->kind,
	    p->json ? parser_json_shift(p->json, slot) : n->shift,
	    &e->number[slot])) {
	case DECODED:
		e->has_number |= ENTRY_BIT(slot);
		break;
	case WITHOUT_VALUE:
		break;
	case MALFORMED:
		e->errors |= ENTRY_BIT(slot);
		e->text[slot] = (struct str){ 0 };
		break;
	}
}

/* Most status codes and most bytes are digits alone. */
static inline void
decode_numbers(struct parser *p, const char *line)
{
	const struct number *n = p->numbers;
	const struct number *end = n + p->n_numbers;
	struct entry *e = &p->entry;

	e->has_number = 0;
	for (; n < end; n++) {
		struct str text = e->text[n->slot];
		uint64_t whole;

		if (text.len - n->min_digits > n->more_digits ||
		    text.data - line < DECIMAL_QUICK_DIGITS ||
		    !decimal_parse_digits(text, &whole)) {
			decode_into(p, n);
			continue;
		}
		e->number[n->slot] = decimal_of(whole);
		e->has_number |= ENTRY_BIT(n->slot);
	}
}

enum parser_result
parser_parse(struct parser *p, struct str line, const struct entry **ret_entry,
    bool *ret_whole)
{
	struct entry *e = &p->entry;
	size_t i;

	if (!(p->json ? parser_json_read(p->json, line, e, ret_whole)
		      : match(p, line, ret_whole)))
		return PARSER_UNPARSED;
	decode_numbers(p, line.data);
	for (i = 0; i < p->n_derived; i++) {
		const struct derived *d = &p->derived[i];

		/* The line has it itself, well or badly. */
		if (p->in_format & ENTRY_BIT(d->slot) &&
		    (e->text[d->slot].data || e->errors & ENTRY_BIT(d->slot)))
			continue;
		e->text[d->slot] = derive(d->how, e->text[d->source]);
		if (e->errors & ENTRY_BIT(d->source))
			e->errors |= ENTRY_BIT(d->slot);
	}
	e->errors &= p->wanted;
	*ret_entry = e;
	return PARSER_PARSED;
}
