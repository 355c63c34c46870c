#include "app/cmd_explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/detect.h"
#include "accesslog/explain.h"
#include "accesslog/lines.h"
#include "accesslog/parser.h"
#include "accesslog/patterns.h"
#include "app/log.h"
#include "io/scan.h"

/* Lines that do not fit are shown up to this many, and so much of each. */
#define SHOWN_MISFITS 5
#define SHOWN_COLUMNS 76

/* The formats that come into question: one, or all that are shipped. */
struct explainer {
	struct str window; /* the beginning of the file */
	bool final; /* and all of it */
	size_t n_formats;
	const char **names;
	struct format **formats;
	struct detect *detect;
	struct detect_choice choice;
};

/* What is not printable is shown as a dot, so that a byte is a column. */
static void
print_bytes(struct str text)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		char c = text.data[i];

		(void)putchar(c >= ' ' && c <= '~' ? c : '.');
	}
}

/* As much of the line as has room, with a caret below the offset. */
static void
print_line(struct str line, size_t offset)
{
	size_t from = offset < SHOWN_COLUMNS * 3 / 4
	    ? 0
	    : offset - SHOWN_COLUMNS / 2;
	struct str shown = str_after(line, from);
	size_t caret = offset - from + (from ? 3 : 0);

	if (shown.len > SHOWN_COLUMNS - 6)
		shown.len = SHOWN_COLUMNS - 6;
	(void)printf("  %s", from ? "..." : "");
	print_bytes(shown);
	(void)printf("%s\n  %*s^\n", from + shown.len < line.len ? "..." : "",
	    (int)caret, "");
}

static int
add_format(struct explainer *x, const char *name, struct str text)
{
	struct config_error why;
	int error = format_create(text, &x->formats[x->n_formats], &why);

	if (!error)
		x->names[x->n_formats++] = name;
	else if (error == -EINVAL && why.column)
		(void)fprintf(stderr,
		    "accesslog_exporter: --format, column %zu: %s\n",
		    why.column, why.text);
	else if (error == -EINVAL)
		(void)fprintf(stderr, "accesslog_exporter: --format: %s\n",
		    why.text);
	return error;
}

static int
add_formats(struct explainer *x, const char *given)
{
	size_t n_rows, i;
	const struct patterns_row *rows = patterns_all(&n_rows);
	int error = 0;

	x->names = calloc(n_rows + 1, sizeof(*x->names));
	x->formats = calloc(n_rows + 1, sizeof(struct format *));
	if (!x->names || !x->formats)
		return -ENOMEM;
	if (strcmp(given, "auto") != 0)
		return add_format(x, given, str_from(given));
	for (i = 0; i < n_rows && !error; i++) {
		if (rows[i].kind == PATTERNS_FORMAT)
			error = add_format(x, rows[i].name,
			    str_from(rows[i].name));
	}
	return error;
}

static int
choose(struct explainer *x)
{
	struct config_error why = { 0 };
	int error = detect_create((const struct format *const *)x->formats,
	    x->n_formats, &x->detect, &why);

	if (error == -EINVAL)
		(void)fprintf(stderr,
		    "accesslog_exporter: --format, column %zu: %s\n",
		    why.column, why.text);
	if (error)
		return error;
	x->choice = detect_choose(x->detect, x->window, x->final);
	return 0;
}

static void
print_choice(const struct explainer *x)
{
	const struct detect_choice *c = &x->choice;
	const struct patterns_row *row;
	size_t i;

	if (c->format == DETECT_NONE) {
		(void)printf("format    none fits\n");
		return;
	}
	(void)printf("format    %s\n", x->names[c->format]);
	row = patterns_find(str_from(x->names[c->format]));
	if (row && row->kind == PATTERNS_FORMAT)
		(void)printf("          %s\n", row->description);
	(void)printf("fit       %zu of %zu lines looked at\n", c->n_fit,
	    c->n_lines);
	if (x->n_formats == 1)
		return;
	(void)printf(
	    "\nA line is worth 3 points to a format that describes all "
	    "of it, 2 where more\nfollows, 1 where only its beginning "
	    "fits:\n\n");
	for (i = 0; i < x->n_formats; i++) {
		if (detect_points(x->detect, i))
			(void)printf("  %-20s %6zu%s\n", x->names[i],
			    detect_points(x->detect, i),
			    i == c->format ? "  taken" : "");
	}
}

static void
print_field(const struct fields *fields, size_t slot, const struct entry *e)
{
	struct str text = e->text[slot];
	struct buf number;

	(void)printf("  %-24.*s  ", STR_ARGS(fields->names[slot]));
	if (e->errors & ENTRY_BIT(slot)) {
		(void)printf("(does not fit)\n");
		return;
	}
	if (!text.data) {
		(void)printf("(no value)\n");
		return;
	}
	print_bytes(text);
	if (e->has_number & ENTRY_BIT(slot)) {
		buf_init(&number, 64);
		decimal_render(e->number[slot], &number);
		if (!buf_status(&number) && !str_equal(buf_str(&number), text))
			(void)printf("  = %.*s", STR_ARGS(buf_str(&number)));
		buf_release(&number);
	}
	(void)putchar('\n');
}

/* The fields of the format, and those that come from its request. */
static void
collect_fields(const struct format *f, struct fields *ret)
{
	static const char *const derived[] = { "request_method", "request_uri",
		"uri", "server_protocol" };
	size_t i;

	for (i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == FORMAT_OPEN)
			(void)fields_add(ret, f->items[i].text);
	}
	if (!format_has(f, STR("request")))
		return;
	for (i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		(void)fields_add(ret, str_from(derived[i]));
}

/* The format that follows a line the furthest, where none fits. */
static int
print_misfit(const struct explainer *x, struct str line, size_t number)
{
	size_t first = x->choice.format == DETECT_NONE ? 0 : x->choice.format;
	size_t last = x->choice.format == DETECT_NONE ? x->n_formats
						      : first + 1;
	struct explain best = { 0 };
	struct buf expected, words;
	const char *name = NULL;
	int error = 0;
	size_t i;

	buf_init(&expected, 1024);
	buf_init(&words, 1024);
	for (i = first; i < last && !error; i++) {
		struct explain e = { 0 };

		buf_clear(&words);
		error = explain_line(x->formats[i], line, &e, &words);
		if (error || (name && e.n_items <= best.n_items))
			continue;
		best = e;
		name = x->names[i];
		buf_clear(&expected);
		buf_add(&expected, buf_str(&words));
		error = buf_status(&expected);
	}
	if (!error) {
		(void)printf("\nline %zu, column %zu: expected ", number,
		    best.offset + 1);
		print_bytes(buf_str(&expected));
		if (x->n_formats > 1)
			(void)printf(" (%s)", name);
		(void)putchar('\n');
		print_line(line, best.offset);
	}
	buf_release(&words);
	buf_release(&expected);
	return error;
}

/* The next line that is one; numbers count all of them. */
static bool
next_line(struct lines *lines, struct str *window, bool final, struct str *line,
    size_t *number)
{
	for (;;) {
		enum lines_result result = lines_next(lines, window, final,
		    line);

		if (result == LINES_MORE)
			return false;
		++*number;
		if (result != LINES_TOO_LONG && line->len)
			return true;
	}
}

static int
print_lines(const struct explainer *x, const struct fields *fields,
    struct parser *parser)
{
	struct str window = x->window;
	struct lines lines;
	struct str line;
	bool is_shown = false;
	size_t n_misfits = 0;
	size_t number = 0;
	size_t n, i;
	int error = 0;

	lines_init(&lines, true);
	for (n = 0; n < x->choice.n_lines && !error; n++) {
		const struct entry *e;

		if (!next_line(&lines, &window, x->final, &line, &number))
			break;
		if (parser &&
		    parser_parse(parser, line, &e, NULL) == PARSER_PARSED) {
			if (is_shown)
				continue;
			is_shown = true;
			(void)printf("\nline %zu\n", number);
			for (i = 0; i < fields->n; i++)
				print_field(fields, i, e);
			continue;
		}
		if (n_misfits++ < SHOWN_MISFITS)
			error = print_misfit(x, line, number);
	}
	if (n_misfits > SHOWN_MISFITS)
		(void)printf("\n%zu more lines do not fit\n",
		    n_misfits - SHOWN_MISFITS);
	return error;
}

static int
print_all(const struct explainer *x)
{
	struct config_error why;
	struct fields fields = { 0 };
	struct parser *parser = NULL;
	int error = 0;

	print_choice(x);
	if (x->choice.format != DETECT_NONE) {
		collect_fields(x->formats[x->choice.format], &fields);
		error = parser_create(x->formats[x->choice.format], &fields,
		    false, &parser, &why);
	}
	if (!error)
		error = print_lines(x, &fields, parser);
	parser_destroy(parser);
	return error ? error : fflush(stdout) ? -errno : 0;
}

static void
release(struct explainer *x)
{
	size_t i;

	detect_destroy(x->detect);
	for (i = 0; i < x->n_formats; i++)
		format_destroy(x->formats[i]);
	free(x->formats);
	free(x->names);
}

static int
explain(struct explainer *x, const struct options *o, char *buffer)
{
	struct scan_log log;
	size_t len = 0;
	int error = add_formats(x, o->format);

	if (error)
		return error;
	error = scan_look(o->files[0], &log);
	if (!error)
		error = scan_head(&log, buffer, BOUNDS_DETECT_BYTES, &len);
	if (error) {
		log_event(LOG_ERROR, "the file cannot be read", "file",
		    o->files[0], "error", scan_failure(error), NULL);
		return -EIO; /* was told */
	}
	x->window = str_of(buffer, len);
	x->final = len < BOUNDS_DETECT_BYTES;
	error = choose(x);
	if (error)
		return error;
	if (!x->choice.n_lines) {
		(void)printf("no line to look at in %s\n", o->files[0]);
		return 0;
	}
	return print_all(x);
}

int
cmd_explain_run(const struct options *o)
{
	struct explainer x = { .choice = { .format = DETECT_NONE } };
	char *buffer = malloc(BOUNDS_DETECT_BYTES);
	int error = buffer ? explain(&x, o, buffer) : -ENOMEM;
	bool fits = x.choice.format != DETECT_NONE &&
	    x.choice.n_fit == x.choice.n_lines;

	release(&x);
	free(buffer);
	if (error == -EINVAL)
		return 2; /* was told */
	if (error && error != -EIO)
		log_event(LOG_ERROR, "explain has failed", "error",
		    strerror(-error), NULL);
	return error || !fits ? 1 : 0;
}
