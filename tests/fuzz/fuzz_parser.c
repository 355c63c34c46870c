/*
 * One line against every shipped format: what is counted does not depend on
 * the fields in use or on what follows the core, and what comes out is what
 * entry.h says.
 */
#include <assert.h>

#include "accesslog/bounds.h"
#include "accesslog/detect.h"
#include "accesslog/fields.h"
#include "accesslog/format.h"
#include "accesslog/parser.h"
#include "accesslog/patterns.h"

#include "fuzz.h"

#define MAX_FORMATS 64

/* Every field that some shipped format has or can be derived; status first. */
static struct fields all;
static struct fields few;

static struct {
	struct parser *with_all;
	struct parser *with_few;
	bool is_json;
} shipped[MAX_FORMATS];

static size_t n_shipped;
static struct detect *detect;

static void
add_fields(const struct format *format)
{
	size_t i;

	for (i = 0; i < format->n_items; i++) {
		if (format->items[i].kind == FORMAT_OPEN)
			assert(fields_add(&all, format->items[i].text) !=
			    FIELDS_NO_SLOT);
	}
}

/* The formats stay: the names of fields are borrowed from them. */
static void
init(void)
{
	static const char *const derived[] = { "request_method", "request_uri",
		"uri", "server_protocol" };
	static struct format *formats[MAX_FORMATS];
	struct config_error reason;
	size_t n_rows, i;
	const struct patterns_row *rows = patterns_all(&n_rows);

	(void)fields_add(&few, STR("status"));
	(void)fields_add(&all, STR("status"));
	for (i = 0; i < n_rows; i++) {
		if (rows[i].kind != PATTERNS_FORMAT)
			continue;
		assert(n_shipped < MAX_FORMATS);
		assert(!format_create(str_from(rows[i].name),
		    &formats[n_shipped], &reason));
		add_fields(formats[n_shipped++]);
	}
	for (i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		(void)fields_add(&all, str_from(derived[i]));
	for (i = 0; i < n_shipped; i++) {
		shipped[i].is_json = formats[i]->kind == FORMAT_JSON;
		assert(!parser_create(formats[i], &all, true,
		    &shipped[i].with_all, &reason));
		assert(!parser_create(formats[i], &few, false,
		    &shipped[i].with_few, &reason));
	}
	assert(!detect_create((const struct format *const *)formats, n_shipped,
	    &detect, &reason));
}

static void
check_status(struct str text)
{
	size_t i;

	if (!text.data || str_equal(text, STR("-")))
		return;
	assert(text.len == 3);
	for (i = 0; i < 3; i++)
		assert(text.data[i] >= '0' && text.data[i] <= '9');
}

static void
check_entry(const struct parser *p, const struct entry *e, struct str line,
    size_t n_fields, bool is_json)
{
	uint64_t mine = parser_fields(p);
	size_t i;

	assert(!(e->has_number & e->errors));
	for (i = 0; i < n_fields; i++) {
		struct str v = e->text[i];

		if (e->errors & ENTRY_BIT(i) || !(mine & ENTRY_BIT(i)))
			assert(!v.data);
		if (e->has_number & ENTRY_BIT(i)) {
			assert(v.data);
			assert(e->number[i].nanos < 1000000000);
		}
		/* Elsewhere lie what had escapes in JSON, and a status of 0. */
		assert(!v.data || is_json || (!i && str_equal(v, STR("000"))) ||
		    (v.data >= line.data &&
			v.data + v.len <= line.data + line.len));
	}
	assert(!((e->has_number | e->errors) & ~mine));
	check_status(e->text[0]);
}

/* Returns whether the line is a request in this format. */
static bool
check_format(size_t i, struct str line, struct str longer)
{
	const struct entry *with_all, *with_few;
	bool whole = false;
	enum parser_result result = parser_parse(shipped[i].with_all, line,
	    &with_all, &whole);

	assert(
	    parser_parse(shipped[i].with_few, line, &with_few, NULL) == result);
	if (result != PARSER_PARSED)
		return false;
	check_entry(shipped[i].with_all, with_all, line, all.n,
	    shipped[i].is_json);
	check_entry(shipped[i].with_few, with_few, line, few.n,
	    shipped[i].is_json);
	assert(str_equal(with_all->text[0], with_few->text[0]));

	/* Another column costs no count. */
	assert(parser_parse(shipped[i].with_few, longer, &with_few, NULL) ==
	    PARSER_PARSED);
	assert(str_equal(with_all->text[0], with_few->text[0]));
	return true;
}

static void
check_choice(struct str window, size_t n_fitting)
{
	struct detect_choice choice = detect_choose(detect, window, true);

	assert(choice.n_fit <= choice.n_lines);
	assert(choice.n_lines <= BOUNDS_DETECT_LINES);
	assert(choice.format < n_shipped || choice.format == DETECT_NONE);
	assert((choice.format == DETECT_NONE) == (choice.n_fit == 0));
	assert(!choice.certain || choice.format != DETECT_NONE);
	/* A single line is recognised where it is a request at all. */
	if (str_find_char(window, '\n') == window.len && window.len &&
	    window.data[0] != '\0' && window.data[0] != '\xEF')
		assert((choice.n_fit > 0) == (n_fitting > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str line = fuzz_exact(str_of((const char *)data, size));
	struct buf column;
	struct str longer;
	size_t n_fitting = 0;
	size_t i;

	if (!detect)
		init();
	buf_init(&column, SIZE_MAX / 2);
	buf_add(&column, line);
	buf_add_text(&column, " \"one more\"");
	assert(!buf_status(&column));
	longer = fuzz_exact(buf_str(&column));

	for (i = 0; i < n_shipped; i++)
		n_fitting += check_format(i, line, longer);
	check_choice(line, n_fitting);

	free((char *)(uintptr_t)longer.data);
	buf_release(&column);
	free((char *)(uintptr_t)line.data);
	return 0;
}
