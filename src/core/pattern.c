#include "accesslog/pattern.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "accesslog/buf.h"

/*
 * What is never matched is never made machine code of: most formats that lines
 * are held against have no line, which saves 2 ms and 140 KiB.
 */
struct program {
	pcre2_code *code;
	bool is_used;
	bool is_jit; /* once it is used */
};

struct pattern {
	struct program full; /* core and tail */
	struct program
	    core; /* alone; without code where that is all there is */
	pcre2_match_data *match;
	pcre2_match_context *limits;
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
		size_t end = format_unit_end(f, i);

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

/* As pcre2_compile(), with what is the same for every expression. */
static pcre2_code *
compile_text(struct str text, uint32_t options, int *ret_number,
    PCRE2_SIZE *ret_offset)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	*ret_number = PCRE2_ERROR_NOMEMORY;
	*ret_offset = 0;
	if (!context)
		return NULL;
	/* However PCRE2 was built, "." is every byte of a line. */
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	code = pcre2_compile((PCRE2_SPTR)text.data, text.len,
	    options | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C |
		PCRE2_NEVER_UTF,
	    ret_number, ret_offset, context);
	pcre2_compile_context_free(context);
	return code;
}

/* What the failure of pcre2_compile() means to the user. */
static int
refuse(int number, size_t column, struct config_error *reterr)
{
	PCRE2_UCHAR message[120];

	if (number == PCRE2_ERROR_HEAP_FAILED || number == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	(void)pcre2_get_error_message(number, message, sizeof(message));
	return config_error_set(reterr, 0, column,
	    "the expression does not compile: %s", (const char *)message);
}

static int
compile(const struct writer *w, pcre2_code **ret_code,
    struct config_error *reterr)
{
	PCRE2_SIZE offset;
	pcre2_code *code;
	uint32_t n_groups = 0;
	int number;

	code = compile_text(buf_str(&w->out),
	    PCRE2_ANCHORED | PCRE2_NO_AUTO_CAPTURE, &number, &offset);
	if (!code)
		return refuse(number, column_at(w, offset), reterr);
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

	p->full.code = core;
	if (!with_rest)
		error = check_tail(w, reterr);
	if (error)
		return error;
	i = w->out.len;
	write_tail(w, with_rest);
	error = buf_status(&w->out);
	if (error || w->out.len == i)
		return error;
	error = compile(w, &p->full.code, reterr);
	if (error) {
		p->full.code = core;
		return error;
	}
	p->core.code = core;
	return 0;
}

/* What matching takes besides code; on failure either may be there. */
static int
prepare_match(const pcre2_code *code, pcre2_match_data **ret_data,
    pcre2_match_context **ret_limits)
{
	*ret_data = pcre2_match_data_create_from_pattern(code, NULL);
	*ret_limits = pcre2_match_context_create(NULL);
	if (!*ret_data || !*ret_limits)
		return -ENOMEM;
	(void)pcre2_set_match_limit(*ret_limits, BOUNDS_MATCH_STEPS);
	(void)pcre2_set_heap_limit(*ret_limits, BOUNDS_MATCH_HEAP_KIB);
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
	error = prepare_match(p->full.code, &p->match, &p->limits);

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
	pcre2_code_free(p->core.code);
	pcre2_code_free(p->full.code);
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
match_code(const pcre2_code *code, bool is_jit, struct str line,
    pcre2_match_data *data, pcre2_match_context *limits)
{
	PCRE2_SPTR subject = (PCRE2_SPTR)(line.data ? line.data : "");
	int n = PCRE2_ERROR_JIT_STACKLIMIT;

	/* The documented fast path: it checks nothing that we do not know. */
	if (is_jit)
		n = pcre2_jit_match(code, subject, line.len, 0, 0, data,
		    limits);
	/* Deeply nested expressions of the user's; none that is shipped. */
	if (n == PCRE2_ERROR_JIT_STACKLIMIT)
		n = pcre2_match(code, subject, line.len, 0, PCRE2_NO_JIT, data,
		    limits);
	return n;
}

static int
match(struct pattern *p, struct program *program, struct str line)
{
	/* Without a JIT for this machine the interpreter does the work. */
	if (!program->is_used)
		program->is_jit = !pcre2_jit_compile(program->code,
		    PCRE2_JIT_COMPLETE);
	program->is_used = true;
	return match_code(program->code, program->is_jit, line, p->match,
	    p->limits);
}

enum pattern_result
pattern_match(struct pattern *p, struct str line, struct str values[],
    bool *ret_whole)
{
	const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(p->match);
	bool whole = false;
	size_t g;
	int n = match(p, &p->full, line);

	if (n < 0 && n != PCRE2_ERROR_NOMATCH && p->core.code)
		n = match(p, &p->core, line);
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

/* A piece of a replacement: bytes, or a group where bytes.data == NULL. */
struct piece {
	struct str bytes;
	size_t group;
};

struct pattern_rule {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	bool is_jit;
	bool replaces;
	char *replacement; /* what the pieces borrow from */
	size_t n_pieces;
	struct piece *pieces;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* name: digits, or the name of a group. */
static int
find_group(const pcre2_code *code, struct str name, size_t *ret_group,
    struct config_error *reterr)
{
	uint32_t n_groups = 0;
	char terminated[64];
	size_t group = 0;
	size_t i;
	int number;

	(void)pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &n_groups);
	for (i = 0; i < name.len && i < 6 && is_digit(name.data[i]); i++)
		group = group * 10 + (size_t)(name.data[i] - '0');
	if (i && i == name.len && group <= n_groups) {
		*ret_group = group;
		return 0;
	}
	if (name.len && name.len < sizeof(terminated) && i < name.len) {
		memcpy(terminated, name.data, name.len);
		terminated[name.len] = '\0';
		number = pcre2_substring_number_from_name(code,
		    (PCRE2_SPTR)terminated);
		if (number > 0) {
			*ret_group = (size_t)number;
			return 0;
		}
	}
	return config_error_set(reterr, 0, 0,
	    "the replacement names the group \"%.*s\", and the expression has "
	    "%u numbered groups and none of this name; write $$ for a dollar "
	    "sign",
	    name.len > 60 ? 60 : (int)name.len, name.data, n_groups);
}

/* The reference behind a dollar sign: its name, and how long it is in all. */
static struct str
reference(struct str rest, size_t *ret_len)
{
	size_t n = 0;

	if (rest.len && rest.data[0] == '{') {
		n = str_find_char(rest, '}');
		if (n == rest.len) {
			*ret_len = n; /* no group has this name */
			return rest;
		}
		*ret_len = n + 1;
		return str_of(rest.data + 1, n - 1);
	}
	while (n < rest.len && is_digit(rest.data[n]))
		n++;
	*ret_len = n;
	return str_of(rest.data, n);
}

static int
plan_replacement(struct pattern_rule *r, struct str text,
    struct config_error *reterr)
{
	/* At most a piece of bytes and a group for each dollar sign. */
	struct piece *piece;

	r->replaces = true;
	r->replacement = malloc(text.len + 1);
	r->pieces = reallocarray(NULL, text.len + 1, sizeof(*r->pieces));
	if (!r->replacement || !r->pieces)
		return -ENOMEM;
	memcpy(r->replacement, text.data, text.len);
	text.data = r->replacement;

	while (text.len) {
		size_t n = str_find_char(text, '$');
		struct str name;
		int error;

		piece = &r->pieces[r->n_pieces];
		if (n) {
			*piece = (struct piece){ str_of(text.data, n), 0 };
			text = str_after(text, n);
			r->n_pieces++;
			continue;
		}
		text = str_after(text, 1);
		if (text.len && text.data[0] == '$') {
			*piece = (struct piece){ str_of(text.data, 1), 0 };
			text = str_after(text, 1);
			r->n_pieces++;
			continue;
		}
		name = reference(text, &n);
		*piece = (struct piece){ 0 };
		error = find_group(r->code, name, &piece->group, reterr);
		if (error)
			return error;
		text = str_after(text, n);
		r->n_pieces++;
	}
	return 0;
}

static int
build_rule(struct pattern_rule *r, struct str regex, struct str replacement,
    struct config_error *reterr)
{
	PCRE2_SIZE offset;
	int number;
	int error;

	if (regex.len > BOUNDS_RULE_BYTES ||
	    replacement.len > BOUNDS_RULE_BYTES)
		return config_error_set(reterr, 0, 0,
		    "a rule may have %d bytes in its regex and in its "
		    "replacement",
		    BOUNDS_RULE_BYTES);
	r->code = compile_text(str_of(regex.data ? regex.data : "", regex.len),
	    0, &number, &offset);
	if (!r->code)
		return refuse(number, offset + 1, reterr);
	error = prepare_match(r->code, &r->match, &r->limits);
	if (!error && replacement.data)
		error = plan_replacement(r, replacement, reterr);
	if (error)
		return error;
	r->is_jit = !pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	return 0;
}

int
pattern_rule_create(struct str regex, struct str replacement,
    struct pattern_rule **ret_rule, struct config_error *reterr)
{
	struct pattern_rule *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	error = build_rule(r, regex, replacement, reterr);
	if (error) {
		pattern_rule_destroy(r);
		return error;
	}
	*ret_rule = r;
	return 0;
}

void
pattern_rule_destroy(struct pattern_rule *r)
{
	if (!r)
		return;
	free(r->pieces);
	free(r->replacement);
	pcre2_match_context_free(r->limits);
	pcre2_match_data_free(r->match);
	pcre2_code_free(r->code);
	free(r);
}

bool
pattern_rule_matches(struct pattern_rule *r, struct str value)
{
	return match_code(r->code, r->is_jit, value, r->match, r->limits) > 0;
}

bool
pattern_rule_apply(struct pattern_rule *r, struct str value,
    char room[BOUNDS_RULE_BYTES], struct str *ret_result)
{
	const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(r->match);
	size_t len = 0;
	size_t i;
	int n = match_code(r->code, r->is_jit, value, r->match, r->limits);

	if (n <= 0 || !r->replaces)
		return false;
	for (i = 0; i < r->n_pieces; i++) {
		size_t group = r->pieces[i].group;
		struct str bytes = r->pieces[i].bytes;

		if (!bytes.data) {
			PCRE2_SIZE from = pairs[2 * group];
			PCRE2_SIZE to = pairs[2 * group + 1];

			/* \K in a lookahead can set the start behind the end. */
			if (group >= (size_t)n || from == PCRE2_UNSET ||
			    from >= to)
				continue;
			bytes = str_of(value.data + from, to - from);
		}
		if (bytes.len > BOUNDS_RULE_BYTES - len)
			bytes.len = BOUNDS_RULE_BYTES - len;
		assert(bytes.data);
		memcpy(room + len, bytes.data, bytes.len);
		len += bytes.len;
	}
	*ret_result = str_of(room, len);
	return true;
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
		error = compile(&w, &p.full.code, &ignored);
	if (!error)
		error = prepare_match(p.full.code, &p.match, &p.limits);
	if (error)
		goto release_pattern;
	n = match(&p, &p.full, line);
	*ret_fits = n >= 0;
	if (n >= 0)
		*ret_len = pcre2_get_ovector_pointer(p.match)[1];

release_pattern:
	pcre2_match_context_free(p.limits);
	pcre2_match_data_free(p.match);
	pcre2_code_free(p.full.code);
release_writer:
	free(w.slots);
	free(w.starts);
	buf_release(&w.out);
	return error;
}
