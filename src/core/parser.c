#include "accesslog/parser.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/pattern.h"
#include "accesslog/request.h"
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
	struct pattern *pattern;
	struct fields fields; /* wanted, then what others derive from */
	uint64_t wanted; /* bits of slots */
	uint64_t available; /* of these */
	size_t n_numbers;
	size_t numbers[BOUNDS_FIELDS]; /* slots that are decoded */
	size_t n_derived;
	struct derived derived[N_DERIVATIONS];
};

/* Plans the derivation of each wanted field that the format has not itself. */
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

		if (slot >= n_wanted || format_has(format, field) ||
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
plan_numbers(struct parser *p)
{
	size_t i;

	for (i = 0; i < p->fields.n; i++) {
		if (!(pattern_fields(p->pattern) & ENTRY_BIT(i)))
			continue;
		switch (p->fields.kinds[i]) {
		case FIELDS_STATUS:
		case FIELDS_COUNT:
		case FIELDS_SECONDS:
		case FIELDS_SECONDS_LIST:
			p->numbers[p->n_numbers++] = i;
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
	if (!error)
		error = pattern_create(format, &p->fields, whole, &p->pattern,
		    reterr);
	if (error)
		return error;
	plan_numbers(p);
	p->available = pattern_fields(p->pattern) & p->wanted;
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
	pattern_destroy(p->pattern);
	free(p);
}

uint64_t
parser_fields(const struct parser *p)
{
	return p->available;
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

enum parser_result
parser_parse(struct parser *p, struct str line, struct entry *ret_entry,
    bool *ret_whole)
{
	struct entry *e = ret_entry;
	uint64_t in_pattern = pattern_fields(p->pattern);
	size_t i;

	if (pattern_match(p->pattern, line, e->text, ret_whole) != PATTERN_FITS)
		return PARSER_UNPARSED;

	e->has_number = 0;
	e->errors = 0;
	for (i = 0; i < p->fields.n; i++) {
		if (!(in_pattern & ENTRY_BIT(i)))
			e->text[i] = (struct str){ 0 };
		else if (!e->text[i].data)
			e->errors |= ENTRY_BIT(i);
	}
	for (i = 0; i < p->n_numbers; i++) {
		size_t slot = p->numbers[i];

		if (!e->text[slot].data)
			continue;
		switch (decode(e->text[slot], p->fields.kinds[slot],
		    pattern_shift(p->pattern, slot), &e->number[slot])) {
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
	for (i = 0; i < p->n_derived; i++) {
		const struct derived *d = &p->derived[i];

		e->text[d->slot] = derive(d->how, e->text[d->source]);
		if (e->errors & ENTRY_BIT(d->source))
			e->errors |= ENTRY_BIT(d->slot);
	}
	e->errors &= p->wanted;
	return PARSER_PARSED;
}
