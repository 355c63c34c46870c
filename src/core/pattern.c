#include "accesslog/pattern.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "accesslog/buf.h"

struct pattern {
	pcre2_code *full; /* core and tail */
	pcre2_code *core; /* the core alone; NULL where that is all there is */
	pcre2_match_data *match;
	pcre2_match_context *limits;
	bool is_jit;
	uint64_t fields;
	unsigned shifts[BOUNDS_FIELDS];
	/* group g, from 1, captures the field of slot[g - 1] */
	size_t n_groups;
	size_t *slots;
};

/* Regular-expression text under construction. */
struct writer {
	const struct format *format;
	const struct fields *wanted;
	struct buf out;
	size_t *starts; /* where each item begins in out, to place errors */
	size_t *slots; /* by group */
	size_t n_groups;
};

static size_t
wanted_slot(const struct writer *w, const struct format_item *item)
{
	if (item->kind != FORMAT_OPEN)
		return FIELDS_NO_SLOT;
	return fields_find(w->wanted, item->text);
}

static void
write_literal(struct buf *out, struct str bytes)
{
	size_t i;

	for (i = 0; i < bytes.len; i++) {
		char c = bytes.data[i];

		/* An escaped letter would have a meaning; the rest has none. */
		if ((c & 0x80) == 0 &&
		    !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			(c >= 'A' && c <= 'Z')))
			buf_add_char(out, '\\');
		buf_add_char(out, c);
	}
}

static void
write_item(struct writer *w, size_t i)
{
	const struct format_item *item = &w->format->items[i];
	size_t slot;

	w->starts[i] = w->out.len;
	switch (item->kind) {
	case FORMAT_LITERAL:
		write_literal(&w->out, item->text);
		break;
	case FORMAT_REGEX:
		buf_add(&w->out, item->text);
		break;
	case FORMAT_OPEN:
		slot = wanted_slot(w, item);
		if (slot == FIELDS_NO_SLOT) {
			buf_add_text(&w->out, "(?:");
			break;
		}
		/*
		 * Named, because plain groups of the user's must not capture
		 * (PCRE2_NO_AUTO_CAPTURE); the numbers follow the order.
		 */
		buf_add_format(&w->out, "(?<g%zu>", w->n_groups);
		w->slots[w->n_groups++] = slot;
		break;
	case FORMAT_CLOSE:
		buf_add_char(&w->out, ')');
		break;
	}
}

/*
 * After a field of the tail its delimiter must follow: the whole literal, or
 * at the end of a torn line the beginning of it.  A space may be missing
 * there; a quote may not, or half a user agent would pass for a whole one.
 */
static void
write_delimiter(struct writer *w, size_t i)
{
	const struct format *f = w->format;
	struct str literal;

	if (i == f->n_items || f->items[i].kind != FORMAT_LITERAL)
		return;
	literal = f->items[i].text;
	buf_add_text(&w->out, "(?=");
	write_literal(&w->out, literal);
	buf_add_char(&w->out, '|');
	if (literal.data[0] == ' ')
		buf_add_char(&w->out, '$');
	else
		write_literal(&w->out, str_of(literal.data, 1));
	if (literal.data[0] != ' ')
		buf_add_char(&w->out, '$');
	buf_add_char(&w->out, ')');
}

/* The end of the unit of items [i, end) that cannot be divided. */
static size_t
unit_end(const struct format *f, size_t i)
{
	do
		i++;
	while (i < f->n_items && f->items[i].depth > 0);
	return i;
}

static bool
unit_is_wanted(const struct writer *w, size_t from, size_t to)
{
	for (; from < to; from++) {
		if (wanted_slot(w, &w->format->items[from]) != FIELDS_NO_SLOT)
			return true;
	}
	return false;
}

/* with_rest: also what follows the last wanted field, up to the line's end. */
static void
write_tail(struct writer *w, bool with_rest)
{
	const struct format *f = w->format;
	size_t done = f->n_core;
	size_t n_open = 0;
	size_t i = done;

	while (i < f->n_items) {
		size_t end = unit_end(f, i);

		if (unit_is_wanted(w, i, end)) {
			buf_add_text(&w->out, "(?>");
			n_open++;
			for (; done < end; done++)
				write_item(w, done);
			write_delimiter(w, end);
		}
		i = end;
	}
	if (with_rest) {
		buf_add_text(&w->out, "(?>");
		n_open++;
		for (; done < f->n_items; done++)
			write_item(w, done);
		w->slots[w->n_groups++] = FIELDS_NO_SLOT;
		buf_add_text(&w->out, "$(?<whole>))?+");
		n_open--;
	}
	while (n_open--)
		buf_add_text(&w->out, ")?+");
}

/* Where in the user's text the byte at offset of the expression came from. */
static size_t
column_at(const struct writer *w, size_t offset)
{
	size_t column = 1;
	size_t i;

	for (i = 0; i < w->format->n_items && w->starts[i] <= offset; i++) {
		if (w->starts[i] || i == 0)
			column = w->format->items[i].column;
	}
	return column;
}

static int
compile(const struct writer *w, pcre2_code **ret_code,
    struct config_error *reterr)
{
	PCRE2_UCHAR message[120];
	PCRE2_SIZE offset;
	pcre2_code *code;
	uint32_t n_groups = 0;
	int number;

	code = pcre2_compile((PCRE2_SPTR)w->out.data, w->out.len,
	    PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE |
		PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF,
	    &number, &offset, NULL);
	if (!code) {
		if (number == PCRE2_ERROR_HEAP_FAILED ||
		    number == PCRE2_ERROR_NOMEMORY)
			return -ENOMEM;
		(void)pcre2_get_error_message(number, message, sizeof(message));
		return config_error_set(reterr, 0, column_at(w, offset),
		    "the expression does not compile: %s",
		    (const char *)message);
	}
	/* The numbers of the groups say which field is which. */
	(void)pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &n_groups);
	if (n_groups != w->n_groups) {
		pcre2_code_free(code);
		return config_error_set(reterr, 0, 0,
		    "a group captures without being a field; write (?:...), or "
		    "(?<field>...) to capture");
	}
	*ret_code = code;
	return 0;
}

/*
 * Compiles all of the format once, for its errors: what no field in use needs
 * is the user's mistake as well.
 */
static int
check_tail(struct writer *w, struct config_error *reterr)
{
	size_t len = w->out.len;
	size_t n_groups = w->n_groups;
	pcre2_code *code = NULL;
	int error;

	write_tail(w, true);
	error = buf_status(&w->out);
	if (!error)
		error = compile(w, &code, reterr);
	if (error)
		return error;
	pcre2_code_free(code);
	w->out.len = len;
	w->n_groups = n_groups;
	return 0;
}

static int
compile_both(struct pattern *p, struct writer *w, bool with_rest,
    struct config_error *reterr)
{
	const struct format *f = w->format;
	pcre2_code *core = NULL;
	size_t i;
	int error;

	buf_add_text(&w->out, "(?>");
	for (i = 0; i < f->n_core; i++)
		write_item(w, i);
	buf_add_char(&w->out, ')');
	error = buf_status(&w->out);
	if (!error)
		error = compile(w, &core, reterr);
	if (error)
		return error;

	p->full = core;
	if (!with_rest)
		error = check_tail(w, reterr);
	if (error)
		return error;
	i = w->out.len;
	write_tail(w, with_rest);
	error = buf_status(&w->out);
	if (error || w->out.len == i)
		return error;
	error = compile(w, &p->full, reterr);
	if (error) {
		p->full = core;
		return error;
	}
	p->core = core;
	return 0;
}

static int
prepare(struct pattern *p)
{
	p->match = pcre2_match_data_create_from_pattern(p->full, NULL);
	p->limits = pcre2_match_context_create(NULL);
	if (!p->match || !p->limits)
		return -ENOMEM;
	(void)pcre2_set_match_limit(p->limits, BOUNDS_MATCH_STEPS);
	(void)pcre2_set_heap_limit(p->limits, BOUNDS_MATCH_HEAP_KIB);

	/* Without a JIT for this machine the interpreter does the work. */
	p->is_jit = !pcre2_jit_compile(p->full, PCRE2_JIT_COMPLETE) &&
	    (!p->core || !pcre2_jit_compile(p->core, PCRE2_JIT_COMPLETE));
	return 0;
}

static int
build(struct pattern *p, const struct format *format,
    const struct fields *wanted, bool with_rest, struct config_error *reterr)
{
	struct writer w = { .format = format, .wanted = wanted };
	size_t i;
	int error = -ENOMEM;

	buf_init(&w.out, 2 * (size_t)BOUNDS_FORMAT_EXPANDED_BYTES);
	w.starts = calloc(format->n_items, sizeof(*w.starts));
	w.slots = calloc(format->n_items + 1, sizeof(*w.slots));
	if (!w.starts || !w.slots)
		goto release_writer;

	error = compile_both(p, &w, with_rest, reterr);
	if (error)
		goto release_writer;
	p->slots = w.slots;
	w.slots = NULL;
	p->n_groups = w.n_groups;
	for (i = 0; i < format->n_items; i++) {
		size_t slot = wanted_slot(&w, &format->items[i]);

		if (slot == FIELDS_NO_SLOT)
			continue;
		p->fields |= UINT64_C(1) << slot;
		p->shifts[slot] = format->items[i].shift;
	}
	error = prepare(p);

release_writer:
	free(w.slots);
	free(w.starts);
	buf_release(&w.out);
	return error;
}

int
pattern_create(const struct format *format, const struct fields *wanted,
    bool whole, struct pattern **ret_pattern, struct config_error *reterr)
{
	struct pattern *p = calloc(1, sizeof(*p));
	int error;

	if (!p)
		return -ENOMEM;
	error = build(p, format, wanted, whole, reterr);
	if (error) {
		pattern_destroy(p);
		return error;
	}
	*ret_pattern = p;
	return 0;
}

void
pattern_destroy(struct pattern *p)
{
	if (!p)
		return;
	pcre2_match_context_free(p->limits);
	pcre2_match_data_free(p->match);
	pcre2_code_free(p->core);
	pcre2_code_free(p->full);
	free(p->slots);
	free(p);
}

uint64_t
pattern_fields(const struct pattern *p)
{
	return p->fields;
}

unsigned
pattern_shift(const struct pattern *p, size_t slot)
{
	return p->shifts[slot];
}

static int
match(struct pattern *p, const pcre2_code *code, struct str line)
{
	PCRE2_SPTR subject = (PCRE2_SPTR)(line.data ? line.data : "");
	int n = PCRE2_ERROR_JIT_STACKLIMIT;

	/* The documented fast path: it checks nothing that we do not know. */
	if (p->is_jit)
		n = pcre2_jit_match(code, subject, line.len, 0, 0, p->match,
		    p->limits);
	/* Deeply nested expressions of the user's; none that is shipped. */
	if (n == PCRE2_ERROR_JIT_STACKLIMIT)
		n = pcre2_match(code, subject, line.len, 0, PCRE2_NO_JIT,
		    p->match, p->limits);
	return n;
}

enum pattern_result
pattern_match(struct pattern *p, struct str line, struct str values[],
    bool *ret_whole)
{
	const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(p->match);
	bool whole = false;
	size_t g;
	int n = match(p, p->full, line);

	if (n < 0 && n != PCRE2_ERROR_NOMATCH && p->core)
		n = match(p, p->core, line);
	if (n == PCRE2_ERROR_NOMATCH)
		return PATTERN_DIFFERS;
	if (n < 0)
		return PATTERN_TOO_COSTLY;

	/* A field may stand in several alternatives; the one that is set wins. */
	for (g = 0; g < p->n_groups; g++) {
		if (p->slots[g] != FIELDS_NO_SLOT)
			values[p->slots[g]] = (struct str){ 0 };
	}
	for (g = 1; g < (size_t)n; g++) {
		size_t slot = p->slots[g - 1];
		PCRE2_SIZE from = pairs[2 * g];

		if (from == PCRE2_UNSET)
			continue;
		if (slot == FIELDS_NO_SLOT)
			whole = true;
		else
			values[slot] = str_of(line.data + from,
			    pairs[2 * g + 1] - from);
	}
	if (ret_whole)
		*ret_whole = whole;
	return PATTERN_FITS;
}

int
pattern_match_prefix(const struct format *format, size_t n_items,
    struct str line, bool *ret_fits, size_t *ret_len)
{
	static const struct fields none;
	struct writer w = { .format = format, .wanted = &none };
	struct pattern p = { 0 };
	struct config_error ignored;
	size_t i;
	int error = -ENOMEM;
	int n;

	buf_init(&w.out, 2 * (size_t)BOUNDS_FORMAT_EXPANDED_BYTES);
	w.starts = calloc(format->n_items, sizeof(*w.starts));
	w.slots = calloc(format->n_items + 1, sizeof(*w.slots));
	if (!w.starts || !w.slots)
		goto release_writer;
	for (i = 0; i < n_items; i++)
		write_item(&w, i);
	error = buf_status(&w.out);
	if (!error)
		error = compile(&w, &p.full, &ignored);
	if (!error)
		error = prepare(&p);
	if (error)
		goto release_pattern;
	n = match(&p, p.full, line);
	*ret_fits = n >= 0;
	if (n >= 0)
		*ret_len = pcre2_get_ovector_pointer(p.match)[1];

release_pattern:
	pcre2_match_context_free(p.limits);
	pcre2_match_data_free(p.match);
	pcre2_code_free(p.full);
release_writer:
	free(w.slots);
	free(w.starts);
	buf_release(&w.out);
	return error;
}
