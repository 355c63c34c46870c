/*
 * One line to the reader of JSON, with paths that the corpus uses: what comes
 * out lies in the line or is no longer than it, and what was found in the
 * front of a line does not depend on what comes behind.  And the same bytes as
 * a mapping.
 */
#include <assert.h>

#include "accesslog/bounds.h"
#include "accesslog/format.h"
#include "accesslog/json.h"

#include "fuzz.h"

static const struct str paths[] = {
	{ "status", 6 },
	{ "a", 1 },
	{ "a.b", 3 },
	{ "request.headers.User-Agent", 26 },
	{ ":authority", 10 },
	{ "urt", 3 },
};

#define N_PATHS (sizeof(paths) / sizeof(paths[0]))

static bool
inside(struct str part, struct str whole)
{
	return part.data >= whole.data &&
	    part.data + part.len <= whole.data + whole.len;
}

static void
check_values(const struct json_value values[], struct str line)
{
	size_t i, n_decoded = 0;

	for (i = 0; i < N_PATHS; i++) {
		const struct json_value *v = &values[i];
		bool has_text = v->kind == JSON_STRING || v->kind == JSON_WORD;

		assert(has_text == (v->text.data != NULL));
		if (!has_text)
			continue;
		if (v->kind == JSON_WORD)
			assert(v->text.len > 0 && inside(v->text, line));
		if (!inside(v->text, line))
			n_decoded += v->text.len;
	}
	assert(n_decoded <= line.len);
}

static void
check_mapping(struct str text)
{
	struct config_error e = { 0 };
	struct format *f = NULL;
	struct buf mapping;
	size_t i;

	buf_init(&mapping, BOUNDS_FORMAT_BYTES + 64);
	buf_add_text(&mapping, "json:");
	buf_add(&mapping, text);
	if (!buf_status(&mapping) &&
	    !format_create(buf_str(&mapping), &f, &e)) {
		assert(f->kind == FORMAT_JSON && f->n_items % 3 == 0);
		assert(f->n_items <= (size_t)3 * BOUNDS_JSON_PATHS);
		for (i = 0; i < f->n_items; i += 3)
			assert(
			    f->items[i].text.len && f->items[i + 1].text.len);
	} else if (!buf_status(&mapping)) {
		assert(e.text[0] && e.column <= mapping.len + 1);
	}
	format_destroy(f);
	buf_release(&mapping);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json *json;
	struct str line = fuzz_exact(str_of((const char *)data, size));
	struct json_value values[N_PATHS];
	struct json_value again[N_PATHS];
	uint32_t n_repairs = 0, n_again = 0;
	size_t i;

	if (!json)
		assert(!json_create(paths, N_PATHS, &json));
	if (json_read(json, line, values, &n_repairs)) {
		size_t first = str_find_char(line, '{');

		assert(first < line.len && line.len <= BOUNDS_LINE_BYTES);
		assert(n_repairs <= 2 * line.len);
		check_values(values, line);
		/* Nothing is left over from one line to the next. */
		assert(json_read(json, line, again, &n_again));
		assert(n_again == n_repairs);
		for (i = 0; i < N_PATHS; i++)
			assert(values[i].kind == again[i].kind &&
			    values[i].text.data == again[i].text.data &&
			    values[i].text.len == again[i].text.len);
	}
	check_mapping(line);
	free((char *)(uintptr_t)line.data);
	return 0;
}
