#include "formats.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/format.h"
#include "accesslog/parser.h"
#include "support.h"

static void
render_field(const struct fields *fields, size_t slot, const struct entry *e,
    struct buf *out)
{
	bool is_number = fields->kinds[slot] != FIELDS_TEXT &&
	    fields->kinds[slot] != FIELDS_TIME;

	if (slot)
		buf_add_text(out, "; ");
	buf_add(out, fields->names[slot]);
	if (e->errors & ENTRY_BIT(slot)) {
		buf_add_text(out, " error");
	} else if (!e->text[slot].data ||
	    (is_number && !(e->has_number & ENTRY_BIT(slot)))) {
		buf_add_text(out, " none");
	} else {
		buf_add_char(out, '=');
		if (is_number)
			decimal_render(e->number[slot], out);
		else
			buf_add(out, e->text[slot]);
	}
}

void
formats_check(const char *format, const char *line, const char *expected)
{
	struct str text = support_guarded_str(str_from(format));
	struct str copy = support_guarded_str(str_from(line));
	struct config_error why = { 0 };
	struct fields fields = { 0 };
	struct format *f = NULL;
	struct parser *parser = NULL;
	const struct entry *e;
	struct buf out;
	size_t i;

	print_message("%s\n%s\n", format, line);
	if (format_create(text, &f, &why))
		fail_msg("column %zu: %s", why.column, why.text);
	support_guarded_str_free(text);
	for (i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == FORMAT_OPEN)
			(void)fields_add(&fields, f->items[i].text);
	}
	if (parser_create(f, &fields, true, &parser, &why))
		fail_msg("column %zu: %s", why.column, why.text);
	buf_init(&out, 100000);
	if (parser_parse(parser, copy, &e, NULL) == PARSER_UNPARSED) {
		buf_add_text(&out, "unparsed");
	} else {
		for (i = 0; i < fields.n; i++)
			render_field(&fields, i, e, &out);
	}
	assert_int_equal(buf_status(&out), 0);
	assert_str(buf_str(&out), str_from(expected));
	buf_release(&out);
	parser_destroy(parser);
	format_destroy(f);
	support_guarded_str_free(copy);
}

void
formats_refuse(const char *format, size_t column, const char *part)
{
	struct str text = support_guarded_str(str_from(format));
	struct config_error why = { .column = 12345 };
	struct format *f = NULL;

	print_message("%s\n", format);
	assert_int_equal(format_create(text, &f, &why), -EINVAL);
	assert_null(f);
	if (!strstr(why.text, part))
		fail_msg("\"%s\" does not say \"%s\"", why.text, part);
	assert_int_equal(why.column, column);
	support_guarded_str_free(text);
}

void
formats_check_cuts(const char *format)
{
	size_t n = strlen(format);
	size_t len;

	for (len = 0; len <= n; len++) {
		struct str text = support_guarded_str(str_of(format, len));
		struct config_error why = { 0 };
		struct format *f = NULL;
		int error = format_create(text, &f, &why);

		if (error) {
			assert_int_equal(error, -EINVAL);
			assert_null(f);
			assert_true(strlen(why.text) > 0);
			assert_true(why.column <= len + 1);
		}
		format_destroy(f);
		support_guarded_str_free(text);
	}
}

void
formats_check_allocations(const char *format)
{
	unsigned long n;

	for (n = 1;; n++) {
		struct config_error why = { 0 };
		struct format *f = NULL;
		int error;

		support_fail_allocation(n);
		error = format_create(str_from(format), &f, &why);
		support_stop_failing();
		if (!support_did_fail()) {
			assert_int_equal(error, 0);
			format_destroy(f);
			break;
		}
		assert_int_equal(error, -ENOMEM);
		assert_null(f);
	}
	assert_true(n > 5);
}
