#include "accesslog/scanner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "accesslog/buf.h"
#include "shape.h"

/* Thrice the columns of the longest formats that are shipped. */
#define MAX_STEPS 64

/* Of a status. */
#define USUAL_DIGITS 3

#define NO_SLOT FIELDS_NO_SLOT

/* One value, and the literal that follows it. */
struct step {
	/* Each byte 16 times; where there are fewer, one is repeated. */
	_Alignas(16) char stops[SHAPE_STOPS][16];
	enum shape_search search;
	unsigned conditions;
	struct str literal; /* borrows from the scanner */
	uint64_t front; /* its first bytes, as they lie in memory, */
	uint64_t front_mask; /* and which of them there are */
	size_t n_stops; /* 1 to SHAPE_STOPS, or 0 */
	bool may_be_empty;
	/*
	 * "-" and what ends it, as they lie in memory; or more than there can
	 * be: so the next value does not wait for the end of this one to be
	 * found, which saves a sixth of the time.
	 */
	uint32_t dash;
	/* In the same way, how long it usually is; 0: it varies. */
	unsigned usual_len;
	size_t slot; /* of its value, or NO_SLOT where that is not wanted */
};

/* Those that hardly vary. */
static const struct {
	const char *field;
	unsigned len;
} usual_lengths[] = {
	{ "time_local", sizeof("20/Nov/2026:15:40:00 +0000") - 1 },
	{ "time_iso8601", sizeof("2026-11-20T15:40:00+00:00") - 1 },
	{ "status", USUAL_DIGITS },
};

struct scanner {
	char *text; /* copy of the format's, for the literals */
	size_t n_steps;
	struct step *steps;
};

/* Compiling */

/* The expression of items [i, end), written as in the library. */
static void
write_expression(const struct format *f, size_t i, size_t end, struct buf *out)
{
	size_t j;

	for (; i < end; i++) {
		struct str text = f->items[i].text;

		switch (f->items[i].kind) {
		case FORMAT_REGEX:
			buf_add(out, text);
			break;
		case FORMAT_LITERAL:
			for (j = 0; j < text.len; j++) {
				if (memchr("\\.[]()|?*+{}^$", text.data[j], 14))
					buf_add_char(out, '\\');
				buf_add_char(out, text.data[j]);
			}
			break;
		case FORMAT_OPEN:
		case FORMAT_CLOSE:
			/* A field inside of an expression has no shape. */
			buf_add_char(out, '<');
			break;
		}
	}
}

/* The conditions that hold wherever the literal stands. */
static unsigned
implied(struct str literal)
{
	unsigned conditions = 0;

	if (!literal.len)
		return 0;
	if (literal.data[0] == '"')
		conditions |= SHAPE_AT_QUOTE;
	if (literal.data[0] == ' ')
		conditions |= SHAPE_AT_SPACE;
	if (literal.data[0] != ',')
		conditions |= SHAPE_NOT_AT_COMMA;
	if (literal.data[0] != '\\')
		conditions |= SHAPE_NOT_AT_BACKSLASH;
	if (literal.data[0] != ',' &&
	    (literal.data[0] != ' ' ||
		(literal.len > 1 && literal.data[1] != ':')))
		conditions |= SHAPE_NOT_AT_LIST;
	return conditions;
}

static void
set_dash(struct step *step, const char stops[], size_t n)
{
	uint16_t dash;

	if (!step->literal.len || memchr(stops, '-', n) ||
	    !memchr(stops, step->literal.data[0], n))
		return;
	memcpy(&dash, (char[]){ '-', step->literal.data[0] }, sizeof(dash));
	step->dash = dash;
}

static void
set_usual_len(struct step *step, struct str field)
{
	size_t i;

	for (i = 0; i < sizeof(usual_lengths) / sizeof(usual_lengths[0]); i++) {
		if (str_equal(field, str_from(usual_lengths[i].field)))
			step->usual_len = usual_lengths[i].len;
	}
}

static int
add_search(struct step *step, struct str expression)
{
	struct shape shape;
	size_t i;

	if (!shape_find(expression, step->literal, &shape))
		return -ENOTSUP;
	step->search = shape.search;
	step->may_be_empty = shape.conditions & SHAPE_MAY_BE_EMPTY;
	step->conditions |= shape.conditions &
	    ~(SHAPE_MAY_BE_EMPTY | implied(step->literal));
	step->n_stops = shape.n_stops;
	for (i = 0; i < SHAPE_STOPS && shape.n_stops; i++)
		memset(step->stops[i], shape.stops[i < shape.n_stops ? i : 0],
		    sizeof(step->stops[i]));
	set_dash(step, shape.stops, shape.n_stops);
	return 0;
}

static void
add_literal(struct step *step, struct str literal)
{
	static const unsigned char ones[8] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
		0xFF, 0xFF, 0xFF };

	size_t n = literal.len;

	if (n > sizeof(step->front)) {
		n = sizeof(step->front);
		step->conditions |= SHAPE_AT_LITERAL;
	}
	step->literal = literal;
	memcpy(&step->front, literal.data, n);
	memcpy(&step->front_mask, ones, n);
}

/* The step for the unit at *i, and for the literal that follows it. */
static int
add_unit(struct scanner *s, const struct format *f, const struct fields *wanted,
    size_t *i, size_t end)
{
	struct step *step = &s->steps[s->n_steps];
	size_t from = *i;
	struct buf out;
	int error;

	if (s->n_steps == MAX_STEPS)
		return -ENOTSUP;
	*step = (struct step){ .may_be_empty = true,
		.dash = UINT32_MAX,
		.slot = NO_SLOT };
	if (f->items[from].kind != FORMAT_LITERAL)
		*i = format_unit_end(f, from);
	if (*i < end && f->items[*i].kind == FORMAT_LITERAL) {
		struct str literal = f->items[*i].text;

		add_literal(step,
		    str_of(s->text + (literal.data - f->text.data),
			literal.len));
		++*i;
	}
	s->n_steps++;
	if (f->items[from].kind == FORMAT_LITERAL)
		return 0;

	buf_init(&out, 2 * f->text.len + f->n_items);
	if (f->items[from].kind == FORMAT_OPEN) {
		step->slot = fields_find(wanted, f->items[from].text);
		write_expression(f, from + 1, format_unit_end(f, from) - 1,
		    &out);
	} else {
		write_expression(f, from, format_unit_end(f, from), &out);
	}
	error = buf_status(&out);
	if (!error)
		error = add_search(step, buf_str(&out));
	buf_release(&out);
	if (f->items[from].kind == FORMAT_OPEN)
		set_usual_len(step, f->items[from].text);
	return error;
}

/*
 * The items that the program is for: the core, or all up to the last wanted
 * field of the tail with its delimiter, without which it has no value.
 */
static size_t
items_needed(const struct format *f, const struct fields *wanted)
{
	size_t end = f->n_core;
	size_t i;

	for (i = f->n_core; i < f->n_items; i++) {
		if (f->items[i].kind == FORMAT_OPEN &&
		    fields_find(wanted, f->items[i].text) != NO_SLOT)
			end = i + 1;
	}
	if (end == f->n_core)
		return end;
	while (end < f->n_items && f->items[end].depth > 0)
		end++;
	return end + (end < f->n_items && f->items[end].kind == FORMAT_LITERAL);
}

static int
compile(struct scanner *s, const struct format *f, const struct fields *wanted)
{
	size_t end = items_needed(f, wanted);
	size_t i = 0;
	int error = 0;

	s->text = malloc(f->text.len + 1);
	s->steps = calloc(MAX_STEPS, sizeof(*s->steps));
	if (!s->text || !s->steps)
		return -ENOMEM;
	memcpy(s->text, f->text.data, f->text.len);
	while (i < end && !error)
		error = add_unit(s, f, wanted, &i, end);
	return error;
}

int
scanner_create(const struct format *format, const struct fields *wanted,
    struct scanner **ret_scanner)
{
	struct scanner *s;
	int error;

	if (format->kind != FORMAT_TEXT)
		return -ENOTSUP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	error = compile(s, format, wanted);
	if (error) {
		scanner_destroy(s);
		return error;
	}
	*ret_scanner = s;
	return 0;
}

void
scanner_destroy(struct scanner *s)
{
	if (!s)
		return;
	free(s->steps);
	free(s->text);
	free(s);
}

/* Matching */

static bool
meets(const struct step *step, const char *from, const char *p, const char *end)
{
	unsigned conditions = step->conditions;
	char at = p < end ? *p : '\0';

	if (conditions & SHAPE_NOT_IN_BRACKETS && from < end && *from == '[')
		return false;
	if (conditions & SHAPE_NOT_FROM_DIGIT && from < end && *from >= '0' &&
	    *from <= '9')
		return false;
	if (conditions & SHAPE_AT_QUOTE && at != '"')
		return false;
	if (conditions & SHAPE_AT_SPACE && p < end && at != ' ')
		return false;
	if (conditions & (SHAPE_NOT_AT_COMMA | SHAPE_NOT_AT_LIST) && at == ',')
		return false;
	if (conditions & SHAPE_NOT_AT_LIST && at == ' ' && end - p > 1 &&
	    p[1] == ':')
		return false;
	if (conditions & SHAPE_NOT_AT_BACKSLASH && at == '\\')
		return false;
	return !(conditions & SHAPE_AT_LITERAL) ||
	    str_starts_with(str_of(p, (size_t)(end - p)), step->literal);
}

#ifdef __SSE2__
/* Bit i: p[i] is one of the first n stops, two or all. */
static inline unsigned
stops_among(const struct step *step, size_t n, const char *p)
{
	const __m128i *stops = (const __m128i *)(const void *)step->stops;
	__m128i bytes = _mm_loadu_si128((const __m128i_u *)(const void *)p);
	__m128i hits = _mm_or_si128(_mm_cmpeq_epi8(bytes, stops[0]),
	    _mm_cmpeq_epi8(bytes, stops[1]));

	if (n > 2)
		hits = _mm_or_si128(hits,
		    _mm_or_si128(_mm_cmpeq_epi8(bytes, stops[2]),
			_mm_cmpeq_epi8(bytes, stops[3])));
	return (unsigned)_mm_movemask_epi8(hits);
}
#endif

/* The first of the stops in [p, end), or end; line begins at or before p. */
static const char *
find_stop(const struct step *step, const char *line, const char *p,
    const char *end)
{
	size_t i;

#ifdef __SSE2__
	unsigned hits;

	for (; end - p >= 16; p += 16) {
		hits = stops_among(step, SHAPE_STOPS, p);
		if (hits)
			return p + __builtin_ctz(hits);
	}
	/* The last sixteen bytes, without those that are before p. */
	if (end - line >= 16) {
		hits = stops_among(step, SHAPE_STOPS, end - 16) >>
		    (16 - (end - p));
		return hits ? p + __builtin_ctz(hits) : end;
	}
#else
	(void)line;
#endif
	for (; p < end; p++) {
		for (i = 0; i < step->n_stops; i++) {
			if (*p == step->stops[i][0])
				return p;
		}
	}
	return p;
}

static const char *
past_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Where the value that begins at p ends; NULL where that is not certain. */
static const char *
value_end(const struct step *step, const char *line, const char *p,
    const char *end)
{
	switch (step->search) {
	case SHAPE_NOWHERE:
		return p;
	case SHAPE_TO_STOP:
		return find_stop(step, line, p, end);
	case SHAPE_TO_STOP_UNESCAPED:
		for (;;) {
			p = find_stop(step, line, p, end);
			if (p == end || *p != '\\')
				return p;
			/* It escapes nothing at the end or before a newline. */
			if (end - p < 2 || p[1] == '\n')
				return NULL;
			p += 2;
		}
	case SHAPE_PAST_DIGITS:
		return past_digits(p, end);
	case SHAPE_PAST_DIGITS_OR_DASH:
		if (p < end && *p == '-')
			return p + 1;
		return past_digits(p, end);
	}
	return NULL;
}

/* Data and length are written apart, as they are read again soon. */
static inline void
take_value(const struct step *step, const char *from, const char *to,
    struct str values[])
{
	if (step->slot == NO_SLOT)
		return;
	values[step->slot].data = from;
	values[step->slot].len = (size_t)(to - from);
}

/*
 * The steps from this one on, without reading behind the line.  Returns whether
 * all are done.
 */
static bool
find_near(const struct scanner *s, const struct step *step, struct str line,
    const char *from, struct str values[])
{
	const char *end = line.data + line.len;

	for (; step < s->steps + s->n_steps; step++) {
		const char *to = value_end(step, line.data, from, end);

		if (!to || (to == from && !step->may_be_empty) ||
		    !meets(step, from, to, end) ||
		    !str_starts_with(str_of(to, (size_t)(end - to)),
			step->literal))
			return false;
		take_value(step, from, to, values);
		from = to + step->literal.len;
	}
	return true;
}

#ifdef __SSE2__

/* Sixteen bytes are searched in one go; behind each of them are eight. */
#define FAR 24

/* The bit of the first of two stops in 32 bytes, or 0. */
static inline uint32_t
stops_first(const struct step *step, const char *p)
{
	uint32_t hits = stops_among(step, 2, p) |
	    stops_among(step, 2, p + 16) << 16;

	return hits & -hits;
}

static inline const char *
find_stop_far(const struct step *step, size_t n, const char *p, const char *far)
{
	uint64_t hits = stops_among(step, n, p);

	if (hits)
		return p + __builtin_ctzll(hits);
	for (p += 16; far - p > 48; p += 64) {
		hits = stops_among(step, n, p) |
		    (uint64_t)stops_among(step, n, p + 16) << 16 |
		    (uint64_t)stops_among(step, n, p + 32) << 32 |
		    (uint64_t)stops_among(step, n, p + 48) << 48;
		if (hits)
			return p + __builtin_ctzll(hits);
	}
	for (; p < far; p += 16) {
		hits = stops_among(step, n, p);
		if (hits)
			return p + __builtin_ctzll(hits);
	}
	return NULL;
}

/* Eight digits at once; few numbers have more. */
static inline const char *
past_digits_far(const char *p, const char *far)
{
	uint64_t bytes, others;

	memcpy(&bytes, p, sizeof(bytes));
	bytes ^= UINT64_C(0x3030303030303030);
	others = (bytes | (bytes + UINT64_C(0x0606060606060606))) &
	    UINT64_C(0xF0F0F0F0F0F0F0F0);
	if (others)
		return p + __builtin_ctzll(others) / 8;
	p = past_digits(p, far);
	return p < far ? p : NULL;
}

/* Whether it has USUAL_DIGITS digits, and then something else. */
static inline bool
is_usual_number(const char *p)
{
	uint32_t bytes, others;

	memcpy(&bytes, p, sizeof(bytes));
	bytes ^= UINT32_C(0x30303030);
	others = (bytes | (bytes + UINT32_C(0x06060606))) &
	    UINT32_C(0xF0F0F0F0);
	return others >> 24 && !(others << 8);
}

/*
 * As value_end(), but it stops at a backslash too.
 *
 * far  FAR before the end of the line; p is before it, and what is returned
 *      less than sixteen bytes behind it
 */
static inline const char *
value_end_far(const struct step *step, const char *p, const char *far)
{
	uint16_t two;

	memcpy(&two, p, sizeof(two));
	if (two == step->dash)
		return p + 1;
	/* It looks at 32 bytes, and behind each of them are eight. */
	if (step->n_stops && step->n_stops <= 2) {
		if (step->usual_len && far - p >= 32 + 8 - FAR &&
		    stops_first(step, p) == UINT32_C(1) << step->usual_len)
			return p + step->usual_len;
		return find_stop_far(step, 2, p, far);
	}
	if (step->n_stops)
		return find_stop_far(step, SHAPE_STOPS, p, far);
	if (step->search == SHAPE_NOWHERE)
		return p;
	if (step->usual_len == USUAL_DIGITS && is_usual_number(p))
		return p + USUAL_DIGITS;
	if (step->search == SHAPE_PAST_DIGITS_OR_DASH && *p == '-')
		return p + 1;
	return past_digits_far(p, far);
}

/*
 * The first steps, as far as they go so.
 *
 * from  where the line begins, and where the step that is returned begins
 */
static inline const struct step *
find_far(const struct scanner *s, const char **from, const char *end,
    struct str values[])
{
	const struct step *step = s->steps;
	const struct step *last = step + s->n_steps;
	const char *p = *from;
	const char *far = end - p > FAR ? end - FAR : p;

	for (; step < last && p < far; step++) {
		const char *to = value_end_far(step, p, far);
		uint64_t front;

		if (!to || (to == p && !step->may_be_empty))
			break;
		memcpy(&front, to, sizeof(front));
		if ((front ^ step->front) & step->front_mask)
			break;
		if (step->conditions && !meets(step, p, to, end))
			break;
		take_value(step, p, to, values);
		p = to + step->literal.len;
	}
	*from = p;
	return step;
}

#else

static const struct step *
find_far(const struct scanner *s, const char **from, const char *end,
    struct str values[])
{
	(void)from, (void)end, (void)values;
	return s->steps;
}

#endif

bool
scanner_match(const struct scanner *s, struct str line, struct str values[])
{
	const char *from = line.data;
	const struct step *step;

	if (!line.len)
		return false;
	step = find_far(s, &from, from + line.len, values);
	return step == s->steps + s->n_steps ||
	    find_near(s, step, line, from, values);
}
