#include "accesslog/format.h"

#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/format_json.h"
#include "accesslog/patterns.h"
#include "accesslog/spelling.h"
#include "format_apache.h"
#include "format_build.h"
#include "format_grok.h"
#include "format_nginx.h"

/* Where the core ends: after the last of request, status and bytes. */
static size_t
core_end(const struct format *f)
{
	bool has_body_bytes = format_has(f, STR("body_bytes_sent"));
	size_t end = 0;
	size_t i;

	for (i = 0; i < f->n_items; i++) {
		const struct format_item *item = &f->items[i];

		if (item->kind == FORMAT_OPEN &&
		    (str_equal(item->text, STR("request")) ||
			str_equal(item->text, STR("status")) ||
			str_equal(item->text, STR("body_bytes_sent")) ||
			(str_equal(item->text, STR("bytes_sent")) &&
			    !has_body_bytes)))
			end = i + 1;
	}
	if (!end)
		return 0;
	while (end < f->n_items && f->items[end].depth > 0)
		end++;
	return end;
}

/* The syntaxes, each with the prefix that says so. */
enum syntax {
	NGINX,
	APACHE,
	GROK,
	REGEX,
	NAME,
};

static const struct {
	const char *prefix;
	const char *example; /* of a field */
} syntaxes[] = {
	[NGINX] = { "nginx:", "$status" },
	[APACHE] = { "apache:", "%>s" },
	[GROK] = { "grok:", "%{STATUS:status}" },
	[REGEX] = { "regex:", "(?<status>[0-9]{3})" },
	[NAME] = { "", "%{STATUS:status}" },
};

static bool
holds(struct str text, struct str part)
{
	for (; text.len >= part.len; text = str_after(text, 1)) {
		if (str_starts_with(text, part))
			return true;
	}
	return false;
}

/* ret_from: where the format begins, behind its prefix. */
static enum syntax
syntax_of(struct str text, size_t *ret_from)
{
	size_t i;

	for (i = 0; i < NAME; i++) {
		struct str prefix = str_from(syntaxes[i].prefix);

		*ret_from = prefix.len;
		if (str_starts_with(text, prefix))
			return (enum syntax)i;
	}
	*ret_from = 0;
	if (holds(text, STR("(?<")) || holds(text, STR("(?P<")))
		return GROK;
	if (format_nginx_claims(text) && !holds(text, STR("%{")))
		return NGINX;
	if (format_apache_claims(text))
		return APACHE;
	return holds(text, STR("%{")) ? GROK : NAME;
}

static int
read_as(struct format_build *b, enum syntax syntax, struct str text,
    size_t from)
{
	switch (syntax) {
	case NGINX:
		return format_nginx_read(b, text, from);
	case APACHE:
		return format_apache_read(b, text, from);
	case GROK:
	case REGEX:
		return format_grok_read(b, text, from, syntax == GROK);
	case NAME:
		break;
	}
	return format_grok_read(b, str_from(patterns_find(text)->text), 0,
	    true);
}

static int
build(struct format *f, enum syntax syntax, struct str text, size_t from,
    struct config_error *reterr)
{
	struct format_build b = { .format = f, .reterr = reterr };
	int error;

	/* All of it at once, so that the items may point into it. */
	buf_init(&f->text, BOUNDS_FORMAT_EXPANDED_BYTES);
	if (!buf_reserve(&f->text, BOUNDS_FORMAT_EXPANDED_BYTES))
		return -ENOMEM;

	error = read_as(&b, syntax, text, from);
	if (error)
		return error;
	f->n_core = core_end(f);
	if (f->n_core)
		return 0;
	error = format_build_refuse_misspelt(f, reterr);
	return error
	    ? error
	    : config_error_set(reterr, 0, 0,
		  "the format has none of the fields request, status "
		  "and body_bytes_sent; capture at least one, as in %s",
		  syntaxes[syntax].example);
}

/*
 * text is neither a name nor an expression: the names are these, unless one is
 * near.
 */
static int
refuse_name(struct str text, struct config_error *reterr)
{
	static const char *const automatic[] = { "auto" };
	struct buf names;
	size_t n_rows, i;
	const struct patterns_row *rows = patterns_all(&n_rows);
	const struct patterns_row *row = patterns_nearest(text, false);
	const char *near = row ? row->name
			       : spelling_nearest(text, automatic, 1);

	if (near)
		return config_error_set(reterr, 0, 0,
		    "\"%.*s\" is not a format; write %s",
		    (int)(text.len < 40 ? text.len : 40), text.data, near);
	buf_init(&names, sizeof(reterr->text));
	for (i = 0; i < n_rows; i++) {
		if (rows[i].kind == PATTERNS_FORMAT)
			buf_add_format(&names, ", %s", rows[i].name);
	}
	(void)config_error_set(reterr, 0, 0,
	    "\"%.*s\" is not a format; write auto%.*s, or a format such as "
	    "'$status $request', '%%>s %%r' or '%%{COMMON}'",
	    (int)(text.len < 40 ? text.len : 40), text.data,
	    STR_ARGS(buf_str(&names)));
	buf_release(&names);
	return -EINVAL;
}

int
format_create(struct str text, struct format **ret_format,
    struct config_error *reterr)
{
	const struct patterns_row *row = patterns_find(text);
	enum syntax syntax = NAME;
	size_t from = 0;
	struct format *f;
	int error;

	if (text.len > BOUNDS_FORMAT_BYTES)
		return config_error_set(reterr, 0, 0,
		    "the format is longer than %u bytes; write a shorter one",
		    BOUNDS_FORMAT_BYTES);
	if (text.len && memchr(text.data, '\0', text.len))
		return config_error_set(reterr, 0, str_find_char(text, 0) + 1,
		    "a NUL byte in the format; write \\x00");
	if (format_json_is(row && row->kind == PATTERNS_FORMAT
		    ? str_from(row->text)
		    : text))
		return format_json_create(text, ret_format, reterr);
	if (!row || row->kind != PATTERNS_FORMAT) {
		syntax = syntax_of(text, &from);
		if (syntax == NAME)
			return refuse_name(text, reterr);
	}

	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	error = build(f, syntax, text, from, reterr);
	if (error) {
		format_destroy(f);
		return error;
	}
	*ret_format = f;
	return 0;
}

void
format_destroy(struct format *f)
{
	if (!f)
		return;
	buf_release(&f->text);
	free(f->items);
	free(f);
}

bool
format_has(const struct format *f, struct str field)
{
	size_t i;

	for (i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == FORMAT_OPEN &&
		    str_equal(f->items[i].text, field))
			return true;
	}
	return false;
}

size_t
format_unit_end(const struct format *f, size_t i)
{
	do
		i++;
	while (i < f->n_items && f->items[i].depth > 0);
	return i;
}
