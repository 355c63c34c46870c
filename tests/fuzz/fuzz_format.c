/*
 * Format text as a user may write it: it is refused with a reason, or it
 * becomes a pattern that holds against any line, and that counts the same
 * lines whichever fields are in use.
 */
#include <assert.h>
#include <errno.h>

#include "accesslog/bounds.h"
#include "accesslog/explain.h"
#include "accesslog/fields.h"
#include "accesslog/format.h"
#include "accesslog/pattern.h"

#include "fuzz.h"

static const struct str lines[] = {
	{ "", 0 },
	STR("192.0.2.1 - - [25/Dec/2019:08:06:42 +0300] \"GET / HTTP/1.1\" 200 "
	    "5 \"-\" \"curl/7\" 0.001 - 0.001, 0.002 : 0.003"),
	STR("a.example:443 ::1 - john doe [25/Dec/2019:08:06:42 +0300] \"GET "
	    "/a\\\"b HTTP/2.0\" 404 - \"-\" \"x\\\\\" 12"),
	STR("200"),
	STR("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""),
	STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
	/* Fits a status, and what follows can be made to cost too much. */
	STR("200aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
	STR("\x16\x03\x01\x00\xC3\x28\xFF\r\t ,:-"),
};

/* What format.h says of a format that was made. */
static void
check_format(const struct format *f, struct fields *ret_all)
{
	size_t i;

	assert(f->n_core > 0 && f->n_core <= f->n_items);
	assert(f->n_items <= BOUNDS_FORMAT_ITEMS);
	assert(f->text.len <= BOUNDS_FORMAT_EXPANDED_BYTES);
	for (i = 0; i < f->n_items; i++) {
		const struct format_item *item = &f->items[i];

		assert(item->text.data >= f->text.data &&
		    item->text.data + item->text.len <=
			f->text.data + f->text.len);
		assert(item->depth <= BOUNDS_FORMAT_DEPTH);
		assert(item->column > 0);
		if (item->kind == FORMAT_OPEN) {
			assert(fields_name_valid(item->text));
			assert(format_has(f, item->text));
			(void)fields_add(ret_all, item->text);
		}
	}
	assert(format_has(f, STR("status")) || format_has(f, STR("request")) ||
	    format_has(f, STR("body_bytes_sent")) ||
	    format_has(f, STR("bytes_sent")));
}

static void
check_values(const struct pattern *p, struct str line,
    const struct str values[])
{
	uint64_t slots = pattern_fields(p);

	for (; slots; slots &= slots - 1) {
		struct str v = values[__builtin_ctzll(slots)];

		if (!v.data)
			continue;
		assert(v.data >= line.data &&
		    v.data + v.len <= line.data + line.len);
	}
}

static void
match_lines(struct pattern *all, struct pattern *few, size_t few_slots)
{
	size_t i, slot;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct str values[BOUNDS_FIELDS] = { 0 };
		struct str other[BOUNDS_FIELDS] = { 0 };
		struct str line = fuzz_exact(lines[i]);
		enum pattern_result result = pattern_match(all, line, values,
		    NULL);

		assert(pattern_match(few, line, other, NULL) == result);
		if (result == PATTERN_FITS) {
			check_values(all, line, values);
			check_values(few, line, other);
			for (slot = 0; slot < few_slots; slot++)
				assert(str_equal(values[slot], other[slot]));
		}
		free((char *)(uintptr_t)line.data);
	}
}

/* Where a line stops fitting is inside of it, and is said in words. */
static void
explain_lines(const struct format *f)
{
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct str line = fuzz_exact(lines[i]);
		struct explain e;
		struct buf expected;
		int error;

		buf_init(&expected, 4096);
		error = explain_line(f, line, &e, &expected);
		assert(!error || error == -EINVAL);
		assert(error ||
		    (e.offset <= line.len && e.n_items <= f->n_core &&
			expected.len));
		buf_release(&expected);
		free((char *)(uintptr_t)line.data);
	}
}

/* The fields of the core come first, so that they have the same slots. */
static void
check_pattern(const struct format *f, const struct fields *all)
{
	struct fields few = { 0 };
	struct config_error reason;
	struct pattern *p, *q;
	int error;

	(void)fields_add(&few, STR("status"));
	error = pattern_create(f, all, true, &p, &reason);
	assert(!error || error == -EINVAL);
	if (error) {
		assert(memchr(reason.text, '\0', sizeof(reason.text)));
		assert(reason.text[0]);
		return;
	}
	error = pattern_create(f, &few, false, &q, &reason);
	assert(!error);
	match_lines(p, q, few.n);
	pattern_destroy(q);
	pattern_destroy(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = fuzz_exact(str_of((const char *)data, size));
	struct fields all = { 0 };
	struct config_error reason = { 0 };
	struct format *format;
	int error = format_create(text, &format, &reason);

	assert(!error || error == -EINVAL);
	if (error) {
		assert(memchr(reason.text, '\0', sizeof(reason.text)));
		assert(reason.text[0] && reason.column <= size + 1);
	} else {
		(void)fields_add(&all, STR("status"));
		check_format(format, &all);
		check_pattern(format, &all);
		explain_lines(format);
		format_destroy(format);
	}
	free((char *)(uintptr_t)text.data);
	return 0;
}
