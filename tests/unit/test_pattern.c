#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/pattern.h"
#include "support.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* A pattern that wants some of these fields: by these slots. */
enum {
	X,
	Y,
	Z,
	STATUS,
	REQUEST,
	TIME,
	N_SLOTS
};
static const char *const names[] = { "x", "y", "z", "status", "request",
	"request_time" };

struct fixture {
	struct format *format;
	struct pattern *pattern;
	struct str values[BOUNDS_FIELDS];
	bool whole;
};

static int
try_init(struct fixture *fx, const char *text, bool whole,
    struct config_error *ret_error)
{
	struct fields wanted = { 0 };
	size_t i;

	memset(fx, 0, sizeof(*fx));
	for (i = 0; i < N_SLOTS; i++)
		(void)fields_add(&wanted, str_from(names[i]));
	if (format_create(str_from(text), &fx->format, ret_error))
		fail_msg("%s: column %zu: %s", text, ret_error->column,
		    ret_error->text);
	return pattern_create(fx->format, &wanted, whole, &fx->pattern,
	    ret_error);
}

static void
init(struct fixture *fx, const char *text, bool whole)
{
	struct config_error e = { 0 };

	if (try_init(fx, text, whole, &e))
		fail_msg("%s: column %zu: %s", text, e.column, e.text);
}

static void
release(struct fixture *fx)
{
	pattern_destroy(fx->pattern);
	format_destroy(fx->format);
}

static enum pattern_result
match(struct fixture *fx, struct str line)
{
	struct str copy = support_guarded_str(line);
	enum pattern_result result;
	size_t i;

	for (i = 0; i < N_SLOTS; i++)
		fx->values[i] = STR("untouched");
	result = pattern_match(fx->pattern, copy, fx->values, &fx->whole);
	/* Into the text of the test, which stays. */
	for (i = 0; i < N_SLOTS; i++) {
		struct str *v = &fx->values[i];

		if (v->data >= copy.data && v->data <= copy.data + copy.len)
			v->data = line.data + (v->data - copy.data);
	}
	support_guarded_str_free(copy);
	return result;
}

#define S "%{STATUS:status}"

static void
fields_are_slices_of_the_line(void **state)
{
	struct fixture fx;
	struct str line = STR("200 abc d");

	(void)state;
	init(&fx, S " (?<x>[a-c]+) (?<y>.)", false);
	assert_int_equal(match(&fx, line), PATTERN_FITS);
	assert_ptr_equal(fx.values[STATUS].data, line.data);
	assert_str(fx.values[STATUS], STR("200"));
	assert_ptr_equal(fx.values[X].data, line.data + 4);
	assert_str(fx.values[X], STR("abc"));
	assert_str(fx.values[Y], STR("d"));
	release(&fx);
}

static void
only_slots_of_the_format_are_written_and_only_by_a_fit(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S " (?<x>a)", false);
	assert_int_equal(pattern_fields(fx.pattern), 1 << X | 1 << STATUS);
	assert_int_equal(match(&fx, STR("200 b")), PATTERN_FITS);
	assert_no_value(fx.values[X]);
	assert_str(fx.values[STATUS], STR("200"));
	assert_str(fx.values[Y], STR("untouched"));
	assert_str(fx.values[REQUEST], STR("untouched"));
	assert_int_equal(match(&fx, STR("ab a")), PATTERN_DIFFERS);
	assert_str(fx.values[X], STR("untouched"));
	assert_str(fx.values[STATUS], STR("untouched"));
	release(&fx);
}

static void
a_line_is_matched_from_its_first_byte(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S, false);
	assert_int_equal(match(&fx, STR(" 200")), PATTERN_DIFFERS);
	assert_int_equal(match(&fx, STR("")), PATTERN_DIFFERS);
	assert_int_equal(match(&fx, (struct str){ 0 }), PATTERN_DIFFERS);
	assert_int_equal(match(&fx, STR("200 and more")), PATTERN_FITS);
	release(&fx);
}

static void
an_empty_field_is_not_a_missing_one(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S " \"(?<x>[a-z]*)\" \"(?<y>[a-z]*)\"", false);
	assert_int_equal(match(&fx, STR("200 \"\"")), PATTERN_FITS);
	assert_str(fx.values[X], STR(""));
	assert_no_value(fx.values[Y]);
	release(&fx);
}

static void
bytes_of_every_value_are_bytes(void **state)
{
	struct fixture fx;
	char line[5 + 256];
	int c;

	(void)state;
	memcpy(line, "200 \"", 5);
	for (c = 0; c < 256; c++)
		line[5 + c] = (char)(c == '\n' ? 'n' : c);
	init(&fx, S " \"(?<x>.*)", false);
	assert_int_equal(match(&fx, str_of(line, sizeof(line))), PATTERN_FITS);
	assert_int_equal(fx.values[X].len, 256);
	release(&fx);
}

static void
a_field_of_the_tail_that_does_not_fit_leaves_the_later_ones(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S " (?<x>a+) (?<y>b+) (?<z>c+)", false);
	assert_int_equal(match(&fx, STR("200 aa bb cc")), PATTERN_FITS);
	assert_str(fx.values[Z], STR("cc"));
	assert_int_equal(match(&fx, STR("200 aa xx cc")), PATTERN_FITS);
	assert_str(fx.values[X], STR("aa"));
	assert_no_value(fx.values[Y]);
	assert_no_value(fx.values[Z]);
	assert_int_equal(match(&fx, STR("200 xx bb cc")), PATTERN_FITS);
	assert_no_value(fx.values[X]);
	assert_no_value(fx.values[Y]);
	release(&fx);
}

static void
a_field_must_end_at_its_delimiter_or_at_the_end_of_a_torn_line(void **state)
{
	static const struct {
		const char *line;
		const char *x, *y, *z; /* NULL: no value */
	} cases[] = {
		{ "200 a \"b\" c", "a", "b", "c" },
		{ "200 a \"b\" ", "a", "b", NULL },
		{ "200 a \"b\"", "a", "b", NULL },
		/* Half of a quoted text is not the text. */
		{ "200 a \"b", "a", NULL, NULL },
		{ "200 a \"", "a", NULL, NULL },
		{ "200 a ", NULL, NULL, NULL },
		{ "200 a", "a", NULL, NULL },
		{ "200 ab", NULL, NULL, NULL },
		{ "200 ", NULL, NULL, NULL },
		{ "200", NULL, NULL, NULL },
		{ "200 a \"b\"c", "a", NULL, NULL },
		{ "200 a b", NULL, NULL, NULL },
	};
	struct fixture fx;
	size_t i;

	(void)state;
	init(&fx, S " (?<x>a) \"(?<y>[^\"]*)\" (?<z>c)", false);
	for (i = 0; i < N(cases); i++) {
		const char *const expected[] = { cases[i].x, cases[i].y,
			cases[i].z };
		size_t slot;

		print_message("%s\n", cases[i].line);
		assert_int_equal(match(&fx, str_from(cases[i].line)),
		    PATTERN_FITS);
		assert_str(fx.values[STATUS], STR("200"));
		for (slot = X; slot <= Z; slot++) {
			if (expected[slot])
				assert_str(fx.values[slot],
				    str_from(expected[slot]));
			else
				assert_no_value(fx.values[slot]);
		}
	}
	release(&fx);
}

static void
the_core_does_not_give_back_what_the_tail_could_use(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, "(?<status>2+)(?<x>2)%{PORT}?", false);
	assert_int_equal(match(&fx, STR("222")), PATTERN_FITS);
	assert_str(fx.values[STATUS], STR("222"));
	assert_no_value(fx.values[X]);
	release(&fx);
}

static void
whole_is_told_when_the_line_ends_with_the_format(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S " \"(?<x>[^\"]*)\"", true);
	assert_int_equal(match(&fx, STR("200 \"a\"")), PATTERN_FITS);
	assert_true(fx.whole);
	assert_str(fx.values[X], STR("a"));
	assert_int_equal(match(&fx, STR("200 \"a\" more")), PATTERN_FITS);
	assert_false(fx.whole);
	assert_str(fx.values[X], STR("a"));
	assert_int_equal(match(&fx, STR("200 \"a")), PATTERN_FITS);
	assert_false(fx.whole);
	assert_int_equal(match(&fx, STR("200")), PATTERN_FITS);
	assert_false(fx.whole);
	release(&fx);

	/* Also where nothing of the tail is wanted, or there is none. */
	init(&fx, S " a", true);
	assert_int_equal(match(&fx, STR("200 a")), PATTERN_FITS);
	assert_true(fx.whole);
	assert_int_equal(match(&fx, STR("200 b")), PATTERN_FITS);
	assert_false(fx.whole);
	release(&fx);
	init(&fx, S, true);
	assert_int_equal(match(&fx, STR("200")), PATTERN_FITS);
	assert_true(fx.whole);
	assert_int_equal(match(&fx, STR("200 ")), PATTERN_FITS);
	assert_false(fx.whole);
	release(&fx);

	/* Not asked for: never. */
	init(&fx, S, false);
	assert_int_equal(match(&fx, STR("200")), PATTERN_FITS);
	assert_false(fx.whole);
	assert_int_equal(pattern_match(fx.pattern, STR("200"), fx.values, NULL),
	    PATTERN_FITS);
	release(&fx);
}

static void
a_field_in_several_alternatives_has_the_one_that_fits(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S " (?:a(?<x>\\d+)|b(?<x>\\d+))|(?<status>z)(?<y>.)", false);
	assert_int_equal(match(&fx, STR("200 a12")), PATTERN_FITS);
	assert_str(fx.values[X], STR("12"));
	assert_int_equal(match(&fx, STR("200 b34")), PATTERN_FITS);
	assert_str(fx.values[X], STR("34"));
	assert_str(fx.values[STATUS], STR("200"));
	assert_no_value(fx.values[Y]);
	assert_int_equal(match(&fx, STR("z5")), PATTERN_FITS);
	assert_str(fx.values[STATUS], STR("z"));
	assert_str(fx.values[Y], STR("5"));
	assert_no_value(fx.values[X]);
	release(&fx);
}

static void
fields_inside_of_fields_and_groups_are_captured(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S "( (?<x>a(?<y>b*)c))(d)?(?<z>e)", false);
	assert_int_equal(match(&fx, STR("200 abbcde")), PATTERN_FITS);
	assert_str(fx.values[X], STR("abbc"));
	assert_str(fx.values[Y], STR("bb"));
	assert_str(fx.values[Z], STR("e"));
	release(&fx);
}

/* The repetition stays with its group, wherever the tail is divided. */
static void
an_expression_of_many_fields_may_be_optional(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S "(?: %{COMMON})? (?<x>a)", false);
	release(&fx);
	init(&fx, "%{COMMON}? (?<x>a)", false);
	assert_int_equal(match(&fx, STR(" a")), PATTERN_FITS);
	assert_str(fx.values[X], STR("a"));
	assert_no_value(fx.values[STATUS]);
	assert_int_equal(match(&fx, STR("h - - [t] \"GET /\" 200 5 a")),
	    PATTERN_FITS);
	assert_str(fx.values[X], STR("a"));
	assert_str(fx.values[STATUS], STR("200"));
	assert_str(fx.values[REQUEST], STR("GET /"));
	release(&fx);
}

static void
options_of_a_group_hold_for_its_literals(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S "(?i: get) (?<x>a)", false);
	assert_int_equal(match(&fx, STR("200 GeT a")), PATTERN_FITS);
	assert_str(fx.values[X], STR("a"));
	assert_int_equal(match(&fx, STR("200 GeT A")), PATTERN_FITS);
	assert_no_value(fx.values[X]);
	release(&fx);
}

static void
the_unit_of_a_field_is_known(void **state)
{
	struct fixture fx;

	(void)state;
	init(&fx, S " %{PORT:request_time:us} %{PORT:z}", false);
	assert_int_equal(pattern_shift(fx.pattern, TIME), 6);
	assert_int_equal(pattern_shift(fx.pattern, Z), 0);
	assert_int_equal(pattern_shift(fx.pattern, REQUEST), 0);
	release(&fx);
}

static void
an_expression_that_does_not_compile_is_the_users_mistake(void **state)
{
	static const struct {
		const char *text;
		size_t column;
	} cases[] = {
		{ S "a**", 17 },
		{ S "a{3,1}", 17 },
		{ S "[z-a]", 17 },
		{ S "ab(?<=c*)", 19 },
		{ S "[[:nope:]]", 17 },
		{ "[z-a]" S, 1 },
		{ S "\\p{Nope}", 17 },
		/* A group that only PCRE2 takes for one. */
		{ S "[[:x](?<y>a)]", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct config_error e = { .column = 12345 };
		struct fixture fx;

		print_message("%s\n", cases[i].text);
		assert_int_equal(try_init(&fx, cases[i].text, false, &e),
		    -EINVAL);
		assert_null(fx.pattern);
		print_message("column %zu: %s\n", e.column, e.text);
		assert_int_equal(e.column, cases[i].column);
		assert_non_null(strchr(e.text, ' '));
		release(&fx);
	}
}

static void
what_the_limit_stops_in_the_tail_is_matched_by_its_core(void **state)
{
	static char line[BOUNDS_LINE_BYTES];
	struct fixture fx;

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "200 ", 4);
	line[sizeof(line) - 1] = 'b';
	init(&fx, S " (?:(?:a+)+)+b(?<x>.)", true);
	assert_int_equal(match(&fx, str_of(line, sizeof(line))), PATTERN_FITS);
	assert_str(fx.values[STATUS], STR("200"));
	assert_no_value(fx.values[X]);
	assert_false(fx.whole);
	release(&fx);

	init(&fx, "%{PORT} (?:(?:a+)+)+b" S, false);
	assert_int_equal(match(&fx, str_of(line, sizeof(line))),
	    PATTERN_TOO_COSTLY);
	assert_str(fx.values[STATUS], STR("untouched"));
	release(&fx);
}

/* Two ways for each of n bytes, 2^n in all: up to the limit, not beyond. */
static void
a_match_takes_as_many_steps_as_are_allowed(void **state)
{
	struct fixture fx;
	char line[32];
	unsigned n;

	(void)state;
	init(&fx, "%{PORT}(?:a|[a])*b" S, false);
	for (n = 1; n < sizeof(line) - 2; n++) {
		enum pattern_result result;

		memset(line, 'a', sizeof(line));
		line[0] = '1';
		line[n + 1] = 'b';
		result = match(&fx, str_of(line, n + 2));
		if ((UINT64_C(1) << n) * 8 < BOUNDS_MATCH_STEPS)
			assert_int_equal(result, PATTERN_DIFFERS);
		if ((UINT64_C(1) << n) > BOUNDS_MATCH_STEPS)
			assert_int_equal(result, PATTERN_TOO_COSTLY);
	}
	release(&fx);
}

static void
each_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
	struct config_error e = { 0 };
	struct fields wanted = { 0 };
	struct format *format = NULL;
	unsigned long n, n_failures = 0;

	(void)state;
	(void)fields_add(&wanted, STR("status"));
	(void)fields_add(&wanted, STR("x"));
	assert_int_equal(format_create(STR(S " (?<x>(?:a|b)+) c"), &format, &e),
	    0);
	for (n = 1;; n++) {
		struct pattern *p = NULL;
		struct str values[BOUNDS_FIELDS];
		bool whole, failed;
		int error;

		support_fail_allocation(n);
		error = pattern_create(format, &wanted, true, &p, &e);
		support_stop_failing();
		failed = support_did_fail();
		if (error) {
			assert_true(failed);
			assert_int_equal(error, -ENOMEM);
			assert_null(p);
			n_failures++;
			continue;
		}
		/* Where the JIT gets no memory, the interpreter does it. */
		support_jit_fails = true;
		assert_int_equal(
		    pattern_match(p, STR("200 abab c"), values, &whole),
		    PATTERN_FITS);
		support_jit_fails = false;
		assert_true(whole);
		assert_str(values[0], STR("200"));
		assert_str(values[1], STR("abab"));
		assert_int_equal(pattern_match(p, STR("x"), values, &whole),
		    PATTERN_DIFFERS);
		pattern_destroy(p);
		if (!failed)
			break;
	}
	/* Pattern, starts, slots, text, two codes, match data and limits. */
	assert_true(n_failures >= 8);
	format_destroy(format);
}

static void
destroying_none_does_nothing(void **state)
{
	(void)state;
	pattern_destroy(NULL);
	pattern_rule_destroy(NULL);
}

/* Rules */

/* What a rule makes of value; room holds it. */
static bool
apply(const char *regex, const char *replacement, struct str value,
    char room[BOUNDS_RULE_BYTES], struct str *ret_result)
{
	struct str guarded = support_guarded_str(value);
	struct pattern_rule *r = NULL;
	struct config_error reason;
	bool answer;

	assert_int_equal(
	    pattern_rule_create(str_from(regex),
		replacement ? str_from(replacement) : (struct str){ 0 }, &r,
		&reason),
	    0);
	assert_int_equal(pattern_rule_matches(r, guarded),
	    pattern_rule_apply(r, guarded, room, ret_result) || !replacement);
	answer = pattern_rule_apply(r, guarded, room, ret_result);
	pattern_rule_destroy(r);
	support_guarded_str_free(guarded);
	return answer;
}

static void
a_rule_replaces_the_whole_value(void **state)
{
	static const struct {
		const char *regex;
		const char *replacement;
		const char *value;
		const char *result;
	} cases[] = {
		{ "^/p/\\d+", "/p/:id", "/p/12/reviews", "/p/:id" },
		{ "b", "x", "abc", "x" },
		{ "^$", "none", "", "none" },
		{ ".*", "", "anything", "" },
		{ "^/(\\w+)/(\\w+)", "$2-$1", "/a/b/c", "b-a" },
		{ "^(a)(b)?", "[$2$1]", "ac", "[a]" },
		{ "(?<host>[a-z]+)\\.", "${host}!", "www.x", "www!" },
		{ "(.)", "${1}0", "z", "z0" },
		{ "(.)", "$1$1", "z", "zz" },
		{ "a", "$$1", "a", "$1" },
		{ "a+", "<$0>", "baab", "<aa>" },
		{ "(1)(2)(3)(4)(5)(6)(7)(8)(9)(0)", "$10", "1234567890", "0" },
	};
	char room[BOUNDS_RULE_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct str result;

		assert_true(apply(cases[i].regex, cases[i].replacement,
		    str_from(cases[i].value), room, &result));
		assert_str(result, str_from(cases[i].result));
	}
}

static void
a_rule_that_does_not_match_says_so(void **state)
{
	char room[BOUNDS_RULE_BYTES];
	struct str result = STR("untouched");

	(void)state;
	assert_false(apply("^b", "x", STR("abc"), room, &result));
	assert_false(apply("a$", "x", STR("a\n"), room, &result));
	assert_false(apply("a", "x", STR(""), room, &result));
	assert_str(result, STR("untouched"));
}

static void
a_rule_without_replacement_only_matches(void **state)
{
	struct pattern_rule *r;
	struct config_error reason;
	char room[BOUNDS_RULE_BYTES];
	struct str result = STR("untouched");

	(void)state;
	assert_int_equal(pattern_rule_create(STR("^/health"), (struct str){ 0 },
			     &r, &reason),
	    0);
	assert_true(pattern_rule_matches(r, STR("/healthz")));
	assert_false(pattern_rule_matches(r, STR("/a/health")));
	assert_false(pattern_rule_matches(r, (struct str){ 0 }));
	assert_false(pattern_rule_apply(r, STR("/healthz"), room, &result));
	assert_str(result, STR("untouched"));
	pattern_rule_destroy(r);
}

static void
a_rule_takes_and_gives_any_bytes(void **state)
{
	char room[BOUNDS_RULE_BYTES];
	struct str result;

	(void)state;
	assert_true(apply("^(.)\\x00(.+)", "$2$1", STR("\xFF\0\xC3(\n"), room,
	    &result));
	assert_str(result, STR("\xC3(\xFF"));
}

static void
what_a_rule_gives_is_cut_at_its_room(void **state)
{
	static char value[BOUNDS_RULE_BYTES];
	char room[BOUNDS_RULE_BYTES];
	struct str result;

	(void)state;
	memset(value, 'a', sizeof(value));
	assert_true(apply("(.*)", "b$1$1", str_of(value, sizeof(value)), room,
	    &result));
	assert_int_equal(result.len, sizeof(room));
	assert_int_equal(result.data[0], 'b');
	assert_int_equal(result.data[sizeof(room) - 1], 'a');
}

static void
a_rule_that_costs_too_much_does_not_match(void **state)
{
	static char value[64];
	char room[BOUNDS_RULE_BYTES];
	struct str result;

	(void)state;
	memset(value, 'a', sizeof(value));
	assert_false(apply("^(a+)+$(?<=b)", "x", str_of(value, sizeof(value)),
	    room, &result));
	assert_false(apply("^(?:a|a)*b\\b", "x", str_of(value, sizeof(value)),
	    room, &result));
}

static void
a_rule_that_is_none_is_refused(void **state)
{
	static const struct {
		const char *regex;
		const char *replacement;
		size_t column;
		const char *says;
	} cases[] = {
		{ "a(b", "x", 4, "does not compile" },
		{ "ab[", "x", 4, "does not compile" },
		{ "(*UTF)a", "x", 7, "does not compile" },
		{ "\\Ca", "x", 3, "does not compile" },
		{ "(a)", "$2", 0, "\"2\"" },
		{ "(a)", "$name", 0, "write $$" },
		{ "(?<name>a)", "$name", 0, "write $$" },
		{ "(?<name>a)", "${nam}", 0, "\"nam\"" },
		{ "(a)", "${1", 0, "\"{1\"" },
		{ "(a)", "${}", 0, "\"\"" },
		{ "(a)", "$", 0, "write $$" },
		{ "(a)", "$99999999999999999999", 0, "numbered" },
	};
	struct pattern_rule *r = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct config_error reason;

		assert_int_equal(pattern_rule_create(str_from(cases[i].regex),
				     str_from(cases[i].replacement), &r,
				     &reason),
		    -EINVAL);
		assert_null(r);
		assert_int_equal(reason.line, 0);
		assert_int_equal(reason.column, cases[i].column);
		if (!strstr(reason.text, cases[i].says))
			fail_msg("\"%s\" does not say %s", reason.text,
			    cases[i].says);
	}
}

static void
a_rule_has_a_maximum_of_bytes(void **state)
{
	static char text[BOUNDS_RULE_BYTES + 1];
	struct pattern_rule *r = NULL;
	struct config_error reason;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(pattern_rule_create(str_of(text, sizeof(text)),
			     STR(""), &r, &reason),
	    -EINVAL);
	assert_int_equal(pattern_rule_create(STR("a"),
			     str_of(text, sizeof(text)), &r, &reason),
	    -EINVAL);
	assert_int_equal(pattern_rule_create(str_of(text, sizeof(text) - 1),
			     str_of(text, sizeof(text) - 1), &r, &reason),
	    0);
	pattern_rule_destroy(r);
}

static void
a_rule_survives_every_failed_allocation(void **state)
{
	unsigned long n, n_failed = 0;
	bool failed = true;

	(void)state;
	for (n = 1; failed; n++) {
		struct pattern_rule *r = NULL;
		struct config_error reason;
		char room[BOUNDS_RULE_BYTES];
		struct str result;
		int error;

		support_fail_allocation(n);
		error = pattern_rule_create(STR("(a)(?<x>b)"), STR("$1-${x}"),
		    &r, &reason);
		support_stop_failing();
		failed = support_did_fail();
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_null(r);
			n_failed++;
			continue;
		}
		assert_true(pattern_rule_apply(r, STR("ab"), room, &result));
		assert_str(result, STR("a-b"));
		pattern_rule_destroy(r);
	}
	assert_true(n_failed >= 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_slices_of_the_line),
		cmocka_unit_test(
		    only_slots_of_the_format_are_written_and_only_by_a_fit),
		cmocka_unit_test(a_line_is_matched_from_its_first_byte),
		cmocka_unit_test(an_empty_field_is_not_a_missing_one),
		cmocka_unit_test(bytes_of_every_value_are_bytes),
		cmocka_unit_test(
		    a_field_of_the_tail_that_does_not_fit_leaves_the_later_ones),
		cmocka_unit_test(
		    a_field_must_end_at_its_delimiter_or_at_the_end_of_a_torn_line),
		cmocka_unit_test(
		    the_core_does_not_give_back_what_the_tail_could_use),
		cmocka_unit_test(
		    whole_is_told_when_the_line_ends_with_the_format),
		cmocka_unit_test(
		    a_field_in_several_alternatives_has_the_one_that_fits),
		cmocka_unit_test(
		    fields_inside_of_fields_and_groups_are_captured),
		cmocka_unit_test(an_expression_of_many_fields_may_be_optional),
		cmocka_unit_test(options_of_a_group_hold_for_its_literals),
		cmocka_unit_test(the_unit_of_a_field_is_known),
		cmocka_unit_test(
		    an_expression_that_does_not_compile_is_the_users_mistake),
		cmocka_unit_test(
		    what_the_limit_stops_in_the_tail_is_matched_by_its_core),
		cmocka_unit_test(a_match_takes_as_many_steps_as_are_allowed),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_leaks_nothing),
		cmocka_unit_test(destroying_none_does_nothing),
		cmocka_unit_test(a_rule_replaces_the_whole_value),
		cmocka_unit_test(a_rule_that_does_not_match_says_so),
		cmocka_unit_test(a_rule_without_replacement_only_matches),
		cmocka_unit_test(a_rule_takes_and_gives_any_bytes),
		cmocka_unit_test(what_a_rule_gives_is_cut_at_its_room),
		cmocka_unit_test(a_rule_that_costs_too_much_does_not_match),
		cmocka_unit_test(a_rule_that_is_none_is_refused),
		cmocka_unit_test(a_rule_has_a_maximum_of_bytes),
		cmocka_unit_test(a_rule_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
