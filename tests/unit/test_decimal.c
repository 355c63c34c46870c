#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/decimal.h"
#include "support.h"

/* What text with shift is, rendered; NULL where it is refused as result. */
static const struct {
	const char *text;
	unsigned shift;
	enum decimal_result result;
	const char *rendered;
} cases[] = {
	{ "0", 0, DECIMAL_OK, "0" },
	{ "000", 0, DECIMAL_OK, "0" },
	{ "0.000", 0, DECIMAL_OK, "0" },
	{ "007", 0, DECIMAL_OK, "7" },
	{ "0.005", 0, DECIMAL_OK, "0.005" },
	{ "1.50", 0, DECIMAL_OK, "1.5" },
	{ "12.000000001", 0, DECIMAL_OK, "12.000000001" },

	/* Beyond billionths: cut off, never rounded up. */
	{ "0.0000000019", 0, DECIMAL_OK, "0.000000001" },
	{ "0.9999999999999999999999999999", 0, DECIMAL_OK, "0.999999999" },
	{ "1.0000000009", 0, DECIMAL_OK, "1" },

	/* Units: milliseconds, microseconds, nanoseconds. */
	{ "1500", 3, DECIMAL_OK, "1.5" },
	{ "1500.5", 3, DECIMAL_OK, "1.5005" },
	{ "1", 6, DECIMAL_OK, "0.000001" },
	{ "123456789", 6, DECIMAL_OK, "123.456789" },
	{ "1.5", 6, DECIMAL_OK, "0.0000015" },
	{ "1.0009", 6, DECIMAL_OK, "0.000001" },
	{ "1.0019", 6, DECIMAL_OK, "0.000001001" },
	{ "999999", 6, DECIMAL_OK, "0.999999" },
	{ "1", 9, DECIMAL_OK, "0.000000001" },
	{ "1.999", 9, DECIMAL_OK, "0.000000001" },
	{ "1000000000", 9, DECIMAL_OK, "1" },

	/* Whole numbers that no double can hold. */
	{ "9007199254740993", 0, DECIMAL_OK, "9007199254740993" },
	{ "4294967296", 0, DECIMAL_OK, "4294967296" },
	{ "9223372036854775807", 0, DECIMAL_OK, "9223372036854775807" },
	{ "0000000000000000000009223372036854775807", 0, DECIMAL_OK,
	    "9223372036854775807" },
	{ "9223372036854775807.999999999", 0, DECIMAL_OK,
	    "9223372036854775807.999999999" },
	{ "9223372036854775807", 9, DECIMAL_OK, "9223372036.854775807" },
	{ "9223372036854775808", 0, DECIMAL_TOO_LARGE, NULL },
	{ "9223372036854775810", 0, DECIMAL_TOO_LARGE, NULL },
	{ "9223372036854775808.5", 0, DECIMAL_TOO_LARGE, NULL },
	{ "18446744073709551615", 0, DECIMAL_TOO_LARGE, NULL },
	{ "18446744073709551616", 0, DECIMAL_TOO_LARGE, NULL },
	{ "99999999999999999999999999999999999999", 6, DECIMAL_TOO_LARGE,
	    NULL },
	/* Too large and then nonsense is nonsense. */
	{ "99999999999999999999x9", 0, DECIMAL_MALFORMED, NULL },
	{ "99999999999999999999.9.9", 0, DECIMAL_MALFORMED, NULL },

	{ "", 0, DECIMAL_MALFORMED, NULL },
	{ "-", 0, DECIMAL_MALFORMED, NULL },
	{ ".", 0, DECIMAL_MALFORMED, NULL },
	{ ".5", 0, DECIMAL_MALFORMED, NULL },
	{ "5.", 0, DECIMAL_MALFORMED, NULL },
	{ "1..5", 0, DECIMAL_MALFORMED, NULL },
	{ "1.2.3", 0, DECIMAL_MALFORMED, NULL },
	/* Also where the digits do not count any more. */
	{ "0.0000000001x1", 0, DECIMAL_MALFORMED, NULL },
	{ "0.0000000001.1", 0, DECIMAL_MALFORMED, NULL },
	{ "1.1x1", 9, DECIMAL_MALFORMED, NULL },
	{ "-5", 0, DECIMAL_MALFORMED, NULL },
	{ "+5", 0, DECIMAL_MALFORMED, NULL },
	{ " 5", 0, DECIMAL_MALFORMED, NULL },
	{ "5 ", 0, DECIMAL_MALFORMED, NULL },
	{ "1 000", 0, DECIMAL_MALFORMED, NULL },
	{ "1_000", 0, DECIMAL_MALFORMED, NULL },
	{ "1,5", 0, DECIMAL_MALFORMED, NULL },
	{ "1.000,5", 0, DECIMAL_MALFORMED, NULL },
	{ "0x1f", 0, DECIMAL_MALFORMED, NULL },
	{ "0x10", 0, DECIMAL_MALFORMED, NULL },
	{ "1e3", 0, DECIMAL_MALFORMED, NULL },
	{ "1.0e3", 0, DECIMAL_MALFORMED, NULL },
	{ "nan", 0, DECIMAL_MALFORMED, NULL },
	{ "NaN", 0, DECIMAL_MALFORMED, NULL },
	{ "inf", 0, DECIMAL_MALFORMED, NULL },
	{ "Infinity", 0, DECIMAL_MALFORMED, NULL },
	{ "0.00\xC2\xB2", 0, DECIMAL_MALFORMED, NULL },
	{ "\xD9\xA1", 0, DECIMAL_MALFORMED, NULL },
};

static void
check(struct str text, unsigned shift, enum decimal_result result,
    const char *rendered)
{
	struct decimal value = { 77, 88 };
	enum decimal_result got = decimal_parse(text, shift, &value);
	struct buf b;

	if (got != result)
		print_error("\"%.*s\"\n", STR_ARGS(text));
	assert_int_equal(got, result);
	if (result != DECIMAL_OK) {
		assert_int_equal(value.whole, 77);
		assert_int_equal(value.nanos, 88);
		return;
	}
	assert_true(value.nanos <= 999999999);
	buf_init(&b, 100);
	decimal_render(value, &b);
	assert_int_equal(buf_status(&b), 0);
	assert_str(buf_str(&b), str_from(rendered));
	buf_release(&b);
}

static void
reads_digits_and_refuses_everything_else(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(str_from(cases[i].text), cases[i].shift, cases[i].result,
		    cases[i].rendered);
}

static void
reads_no_byte_beyond_its_text_wherever_that_is_cut(void **state)
{
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (len = 0; len <= strlen(cases[i].text); len++) {
			struct str whole = str_from(cases[i].text);
			struct str s = support_guarded_str(
			    str_of(whole.data, len));
			struct decimal a = { 0 }, b = { 0 };

			/* What is behind it does not matter. */
			assert_int_equal(decimal_parse(s, cases[i].shift, &a),
			    decimal_parse(str_of(whole.data, len),
				cases[i].shift, &b));
			assert_int_equal(decimal_compare(a, b), 0);
			support_guarded_str_free(s);
		}
	}
}

static void
an_embedded_nul_is_not_an_end(void **state)
{
	(void)state;
	check(str_of("1\0", 2), 0, DECIMAL_MALFORMED, NULL);
	check(str_of("1\0002", 3), 0, DECIMAL_MALFORMED, NULL);
	check(str_of("1.0\0002", 5), 0, DECIMAL_MALFORMED, NULL);
}

static void
a_locale_with_a_decimal_comma_changes_nothing(void **state)
{
	static const char *const names[] = { "de_DE.UTF-8", "de_DE", "fr_FR",
		"C.UTF-8", "" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!setlocale(LC_ALL, names[i]))
			continue;
		check(STR("1.5"), 0, DECIMAL_OK, "1.5");
		check(STR("1,5"), 0, DECIMAL_MALFORMED, NULL);
	}
	assert_non_null(setlocale(LC_ALL, "C"));
}

static struct decimal
parsed(const char *text)
{
	struct decimal value = { 0 };

	assert_int_equal(decimal_parse(str_from(text), 0, &value), DECIMAL_OK);
	return value;
}

static void
sums_are_exact_in_any_order(void **state)
{
	struct decimal sum = { 0 }, tenth = parsed("0.1");
	struct decimal up = { 0 }, down = { 0 };
	uint64_t i;

	(void)state;
	for (i = 0; i < 10; i++)
		decimal_add(&sum, tenth);
	assert_int_equal(sum.whole, 1);
	assert_int_equal(sum.nanos, 0);

	for (i = 0; i < 1000; i++) {
		decimal_add(&up,
		    (struct decimal){ i << 53, (uint32_t)(i * 999999) });
		decimal_add(&down,
		    (struct decimal){ (999 - i) << 53,
			(uint32_t)((999 - i) * 999999) });
	}
	assert_int_equal(decimal_compare(up, down), 0);
}

static void
a_sum_carries_the_nanos(void **state)
{
	struct decimal sum = { 1, 999999999 };

	(void)state;
	decimal_add(&sum, (struct decimal){ 2, 999999999 });
	assert_int_equal(sum.whole, 4);
	assert_int_equal(sum.nanos, 999999998);
}

static void
a_sum_passes_two_to_the_53_by_single_steps(void **state)
{
	struct decimal sum = decimal_of(UINT64_C(1) << 53);

	(void)state;
	decimal_add(&sum, decimal_of(1));
	assert_int_equal(sum.whole, (UINT64_C(1) << 53) + 1);
}

static void
a_sum_stays_at_its_maximum_and_never_goes_down(void **state)
{
	static const struct decimal starts[] = { { UINT64_MAX, 0 },
		{ UINT64_MAX - 1, 0 }, { UINT64_MAX - 1, 999999999 },
		{ (uint64_t)INT64_MAX + 1, 500000000 } };
	static const struct decimal deltas[] = { { 1, 0 }, { 0, 1 },
		{ 0, 999999999 }, { INT64_MAX, 500000000 },
		{ UINT64_MAX - 1, 999999999 }, { UINT64_MAX, 0 } };
	size_t n_deltas = sizeof(deltas) / sizeof(deltas[0]);
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		for (j = 0; j < n_deltas * n_deltas; j++) {
			struct decimal sum = starts[i], before = sum;

			decimal_add(&sum, deltas[j % n_deltas]);
			assert_true(decimal_compare(sum, before) >= 0);
			before = sum;
			decimal_add(&sum, deltas[j / n_deltas]);
			assert_true(decimal_compare(sum, before) >= 0);
			assert_true(sum.nanos <= 999999999);
		}
	}
}

static void
comparison_orders_by_whole_and_then_by_nanos(void **state)
{
	static const struct decimal ordered[] = { { 0, 0 }, { 0, 1 },
		{ 0, 999999999 }, { 1, 0 }, { 1, 5 }, { 2, 0 },
		{ UINT64_MAX, 0 } };
	size_t n = sizeof(ordered) / sizeof(ordered[0]);
	size_t i, j;

	(void)state;
	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			int c = decimal_compare(ordered[i], ordered[j]);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
	}
}

/* Each value with each fraction length comes back as it was written. */
static void
what_is_rendered_is_what_was_read(void **state)
{
	uint64_t whole;
	uint32_t nanos;

	(void)state;
	for (whole = 0; whole < (UINT64_C(1) << 62); whole = whole * 7 + 1) {
		for (nanos = 1; nanos < 999999999; nanos = nanos * 3 + 2) {
			struct decimal in = { whole, nanos }, out = { 0 };
			struct buf b;

			buf_init(&b, 40);
			decimal_render(in, &b);
			assert_int_equal(buf_status(&b), 0);
			assert_int_equal(decimal_parse(buf_str(&b), 0, &out),
			    DECIMAL_OK);
			assert_int_equal(out.whole, in.whole);
			assert_int_equal(out.nanos, in.nanos);
			assert_int_not_equal(b.data[b.len - 1], '0');
			buf_release(&b);
			if (nanos > 999999999 / 3)
				break;
		}
	}
}

/* Digits with anything before them, and any byte in any place. */
static void
digits_are_read_as_decimal_parse_reads_them(void **state)
{
	static const char texts[][9] = { "0", "7", "10", "99", "200", "5120",
		"46998", "123456", "9999999", "99999999", "00000000",
		"12345678" };
	static const char before[] = "200 9/:0-";
	char line[32];
	size_t i, at;
	int byte;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t n_before = sizeof(before) - 1;
		size_t len = strlen(texts[i]);
		struct str text = str_of(line + n_before, len);

		memcpy(line, before, n_before);
		memcpy(line + n_before, texts[i], len);
		for (at = 0; at < len; at++) {
			for (byte = 0; byte < 256; byte++) {
				struct decimal expected = { 0 };
				uint64_t whole = 12345;
				bool is_number;

				line[n_before + at] = (char)byte;
				is_number = byte >= '0' && byte <= '9';
				assert_int_equal(
				    decimal_parse_digits(text, &whole),
				    is_number);
				if (!is_number) {
					assert_int_equal(whole, 12345);
					continue;
				}
				assert_int_equal(
				    decimal_parse(text, 0, &expected),
				    DECIMAL_OK);
				assert_int_equal(whole, expected.whole);
			}
			line[n_before + at] = texts[i][at];
		}
	}
}

static void
digits_are_read_up_to_a_byte_that_cannot_be(void **state)
{
	char *text = support_guarded("12345678", 8);
	uint64_t whole = 0, power = 1;
	size_t len;

	(void)state;
	for (len = 1; len <= 8; len++) {
		power *= 10;
		assert_true(
		    decimal_parse_digits(str_of(text + 8 - len, len), &whole));
		assert_int_equal(whole, 12345678 % power);
	}
	support_guarded_free(text, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_digits_and_refuses_everything_else),
		cmocka_unit_test(
		    reads_no_byte_beyond_its_text_wherever_that_is_cut),
		cmocka_unit_test(an_embedded_nul_is_not_an_end),
		cmocka_unit_test(a_locale_with_a_decimal_comma_changes_nothing),
		cmocka_unit_test(sums_are_exact_in_any_order),
		cmocka_unit_test(a_sum_carries_the_nanos),
		cmocka_unit_test(a_sum_passes_two_to_the_53_by_single_steps),
		cmocka_unit_test(
		    a_sum_stays_at_its_maximum_and_never_goes_down),
		cmocka_unit_test(comparison_orders_by_whole_and_then_by_nanos),
		cmocka_unit_test(what_is_rendered_is_what_was_read),
		cmocka_unit_test(digits_are_read_as_decimal_parse_reads_them),
		cmocka_unit_test(digits_are_read_up_to_a_byte_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
