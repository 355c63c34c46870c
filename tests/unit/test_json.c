#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/json.h"
#include "support.h"

static const struct str paths[] = {
	{ "status", 6 },
	{ "urt", 3 },
	{ "a", 1 },
	{ "a.b", 3 },
	{ "a.b.c", 5 },
	{ ":authority", 10 },
	{ "x y", 3 },
	{ "last", 4 },
};

enum {
	STATUS,
	URT,
	A,
	AB,
	ABC,
	AUTHORITY,
	XY,
	LAST,
	N_PATHS,
};

struct fixture {
	struct json *json;
	struct json_value values[N_PATHS];
	uint32_t n_repairs;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || json_create(paths, N_PATHS, &f->json))
		return -1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	json_destroy(f->json);
	free(f);
	return 0;
}

/* From bytes that end at an unmapped page. */
#define with_line(f, text, checks)                                             \
	do {                                                                   \
		struct str line_ = support_guarded_str(text);                  \
		assert_true(json_read((f)->json, line_, (f)->values,           \
		    &(f)->n_repairs));                                         \
		checks;                                                        \
		support_guarded_str_free(line_);                               \
	} while (0)

/* One path of a line, its kind, its text and the repairs of the line. */
#define assert_value(f, line, path, kind_, text_, repairs)                     \
	with_line((f), STR(line), {                                            \
		assert_int_equal((f)->values[path].kind, (kind_));             \
		if ((kind_) == JSON_STRING || (kind_) == JSON_WORD)            \
			assert_str((f)->values[path].text, STR(text_));        \
		else                                                           \
			assert_no_value((f)->values[path].text);               \
		assert_int_equal((f)->n_repairs, (repairs));                   \
	})

static void
values_are_found_by_their_paths(void **state)
{
	struct fixture *f = *state;

	with_line(f,
	    STR("{\"status\":200,\"urt\":\"0.1\",\"a\":{\"b\":{\"c\":true}},"
		"\":authority\":\"h\",\"x y\":\"z\",\"last\":1.50}"),
	    {
		    assert_str(f->values[STATUS].text, STR("200"));
		    assert_str(f->values[URT].text, STR("0.1"));
		    assert_int_equal(f->values[A].kind, JSON_NESTED);
		    assert_int_equal(f->values[AB].kind, JSON_NESTED);
		    assert_str(f->values[ABC].text, STR("true"));
		    assert_int_equal(f->values[ABC].kind, JSON_WORD);
		    assert_str(f->values[AUTHORITY].text, STR("h"));
		    assert_str(f->values[XY].text, STR("z"));
		    assert_str(f->values[LAST].text, STR("1.50"));
		    assert_int_equal(f->n_repairs, 0);
	    });
}

static void
a_dot_in_a_key_is_the_same_as_a_step(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a.b.c\":1}", ABC, JSON_WORD, "1", 0);
	assert_value(f, "{\"a.b\":{\"c\":1}}", ABC, JSON_WORD, "1", 0);
	assert_value(f, "{\"a\":{\"b.c\":1}}", ABC, JSON_WORD, "1", 0);
	assert_value(f, "{\"a\":{\"bc\":1}}", ABC, JSON_NONE, "", 0);
	assert_value(f, "{\"ab.c\":1}", ABC, JSON_NONE, "", 0);
	assert_value(f, "{\"a\":1,\"b\":{\"c\":1}}", ABC, JSON_NONE, "", 0);
	assert_value(f, "{\"z\":{\"a\":{\"b\":1}}}", AB, JSON_NONE, "", 0);
	assert_value(f, "{\"a\":[{\"b\":1}]}", AB, JSON_NONE, "", 0);
	/* What one object led to is forgotten in the next. */
	assert_value(f, "{\"a\":{},\"z\":{\"b\":1}}", AB, JSON_NONE, "", 0);
	assert_value(f, "{\"a\":{\"x\":{\"b\":1}}}", AB, JSON_NONE, "", 0);
}

static void
a_key_that_is_absent_has_no_value_from_the_line_before(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"status\":200,\"a\":{\"b\":1}}", AB, JSON_WORD, "1",
	    0);
	assert_value(f, "{\"status\":200}", AB, JSON_NONE, "", 0);
	assert_value(f, "{}", STATUS, JSON_NONE, "", 0);
}

static void
of_equal_keys_the_first_counts(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"status\":200,\"status\":500}", STATUS, JSON_WORD,
	    "200", 0);
	assert_value(f, "{\"status\":null,\"status\":500}", STATUS, JSON_NULL,
	    "", 0);
	assert_value(f, "{\"a\":{\"b\":1},\"a.b\":2}", AB, JSON_WORD, "1", 0);
	assert_value(f, "{\"a\":{},\"a\":{\"b\":1}}", AB, JSON_WORD, "1", 0);
}

static void
words_keep_their_text(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":21000000}", A, JSON_WORD, "21000000", 0);
	assert_value(f, "{\"a\":1e400}", A, JSON_WORD, "1e400", 0);
	assert_value(f, "{\"a\":-0.0E-1}", A, JSON_WORD, "-0.0E-1", 0);
	assert_value(f, "{\"a\":false}", A, JSON_WORD, "false", 0);
	assert_value(f, "{\"a\":null}", A, JSON_NULL, "", 0);
}

static void
an_array_is_its_first_element(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":[\"x\",\"y\"]}", A, JSON_STRING, "x", 0);
	assert_value(f, "{\"a\":[1,2]}", A, JSON_WORD, "1", 0);
	assert_value(f, "{\"a\":[]}", A, JSON_NONE, "", 0);
	assert_value(f, "{\"a\":[null]}", A, JSON_NULL, "", 0);
	assert_value(f, "{\"a\":[[1]]}", A, JSON_NESTED, "", 0);
	assert_value(f, "{\"a\":[{\"b\":1}]}", A, JSON_NESTED, "", 0);
	assert_value(f, "{\"a\":[],\"last\":2}", A, JSON_NONE, "", 0);
}

static void
what_is_valid_json_needs_no_repair(void **state)
{
	static const char *const lines[] = { "{}", " \t{ } \r", "{\"a\":1}",
		"{ \"a\" : 1 , \"b\" : [ 1 , { } , [ ] ] }",
		"{\"a\":{\"b\":{}},\"c\":[[],[[]],\"x\"],\"d\":{}}",
		"{\"a\":\"\",\"\":\"b\"}", "{\"a\":-1.5e+10,\"b\":0,\"c\":0.5}",
		"{\"a\":[true,false,null]}",
		"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}",
		"{\"a\":\"{[,:]}\",\"b\":[\",\"]}", "{\t\"a\"\t:\t1\t}" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		print_message("%s\n", lines[i]);
		with_line(f, str_from(lines[i]),
		    assert_int_equal(f->n_repairs, 0));
	}
}

static void
words_that_are_no_json_are_one_repair_each(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"status\": 000}", STATUS, JSON_WORD, "000", 1);
	assert_value(f, "{\"status\":-,\"a\":2}", STATUS, JSON_WORD, "-", 1);
	assert_value(f, "{\"a\":nan}", A, JSON_WORD, "nan", 1);
	assert_value(f, "{\"a\":1.}", A, JSON_WORD, "1.", 1);
	assert_value(f, "{\"a\":.5}", A, JSON_WORD, ".5", 1);
	assert_value(f, "{\"a\":1e}", A, JSON_WORD, "1e", 1);
	assert_value(f, "{\"a\":+1}", A, JSON_WORD, "+1", 1);
	assert_value(f, "{\"a\":True,\"last\":00}", LAST, JSON_WORD, "00", 2);
	assert_value(f, "{\"a\":\xFFx\x01,\"last\":1}", LAST, JSON_WORD, "1",
	    1);
	assert_value(f, "{\"a\":\xFFx\x01,\"last\":1}", A, JSON_WORD,
	    "\xFFx\x01", 1);
}

static void
a_key_without_a_value_has_none(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"urt\": ,\"last\":1}", URT, JSON_NONE, "", 1);
	assert_value(f, "{\"urt\": ,\"last\":1}", LAST, JSON_WORD, "1", 1);
	assert_value(f, "{\"urt\":,\"status\":,\"last\":1}", LAST, JSON_WORD,
	    "1", 2);
	assert_value(f, "{\"last\":1,\"urt\": }", URT, JSON_NONE, "", 1);
	assert_value(f, "{\"last\":1,\"urt\"}", LAST, JSON_WORD, "1", 1);
}

static void
numbers_without_keys_belong_to_the_one_before(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"urt\": 0.1, 0.2}", URT, JSON_WORD, "0.1, 0.2", 1);
	assert_value(f, "{\"urt\": 0.1, 0.2, \"last\":1}", LAST, JSON_WORD, "1",
	    1);
	assert_value(f, "{\"urt\": 0.1, 0.2, 0.3}", URT, JSON_WORD,
	    "0.1, 0.2, 0.3", 2);
	assert_value(f, "{\"urt\": -, 0.2}", URT, JSON_WORD, "-, 0.2", 2);
	assert_value(f, "{\"urt\": 0.1 : 0.2, \"last\":1}", URT, JSON_WORD,
	    "0.1 : 0.2", 1);
	assert_value(f, "{\"urt\": 0.1 : 0.2, \"last\":1, \"a\":2}", LAST,
	    JSON_WORD, "1", 1);
	assert_value(f, "{\"urt\": 0.1, b, \"last\":1}", URT, JSON_WORD, "0.1",
	    1);
}

static void
commas_and_colons_too_many_or_too_few_are_repaired(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":1,}", A, JSON_WORD, "1", 1);
	assert_value(f, "{\"a\":1,,\"last\":2}", LAST, JSON_WORD, "2", 1);
	assert_value(f, "{,\"last\":2}", LAST, JSON_WORD, "2", 1);
	assert_value(f, "{,}", A, JSON_NONE, "", 1);
	assert_value(f, "{\"z\":[1,2,],\"last\":2}", LAST, JSON_WORD, "2", 1);
	assert_value(f, "{\"a\":1 \"last\":2}", LAST, JSON_WORD, "2", 1);
	assert_value(f, "{\"a\":1 \"last\":2}", A, JSON_WORD, "1", 1);
	assert_value(f, "{\"a\":\"\\n\":1,\"last\":2}", A, JSON_STRING, "\n",
	    1);
	assert_value(f, "{\"a\":\"last\":1,\"x y\":3}", LAST, JSON_NONE, "", 1);
	assert_value(f, "{\"a\":\"last\":1,\"x y\":3}", XY, JSON_WORD, "3", 1);
	assert_value(f, "{\"a\"::1,\"last\":2}", LAST, JSON_WORD, "2", 1);
	assert_value(f, "{\"a\":{\"b\":1,},\"last\":2}", LAST, JSON_WORD, "2",
	    1);
}

static void
escapes_are_decoded(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\tz\"}", A,
	    JSON_STRING, "\"\\/\b\f\n\r\tz", 0);
	assert_value(f, "{\"a\":\"\\u0041\\u00e9\\u20AC\"}", A, JSON_STRING,
	    "A\xC3\xA9\xE2\x82\xAC", 0);
	assert_value(f, "{\"a\":\"x\\uD83D\\uDE00y\"}", A, JSON_STRING,
	    "x\xF0\x9F\x98\x80y", 0);
	assert_value(f, "{\"st\\u0061tus\":\"200\"}", STATUS, JSON_STRING,
	    "200", 0);
	assert_value(f, "{\"z\":\"\\\\\",\"last\":\"plain\"}", LAST,
	    JSON_STRING, "plain", 0);
}

static void
half_of_a_surrogate_pair_and_nul_become_a_replacement(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":\"\\uD83Dx\"}", A, JSON_STRING, "\xEF\xBF\xBDx",
	    0);
	assert_value(f, "{\"a\":\"\\uDE00\"}", A, JSON_STRING, "\xEF\xBF\xBD",
	    0);
	assert_value(f, "{\"a\":\"\\uD83D\\uD83D\\uDE00\"}", A, JSON_STRING,
	    "\xEF\xBF\xBD\xF0\x9F\x98\x80", 0);
	assert_value(f, "{\"a\":\"\\uD83D\\n\"}", A, JSON_STRING,
	    "\xEF\xBF\xBD\n", 0);
	assert_value(f, "{\"a\":\"\\u0000\"}", A, JSON_STRING, "\xEF\xBF\xBD",
	    0);
}

static void
escapes_that_are_none_stay_as_they_are(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":\"\\x22b\",\"last\":1}", A, JSON_STRING,
	    "\\x22b", 1);
	assert_value(f, "{\"a\":\"\\x22b\",\"last\":1}", LAST, JSON_WORD, "1",
	    1);
	assert_value(f, "{\"a\":\"\\x5C\\n\\x\"}", A, JSON_STRING, "\\x5C\n\\x",
	    1);
	assert_value(f, "{\"a\":\"\\u12\"}", A, JSON_STRING, "\\u12", 1);
	assert_value(f, "{\"a\":\"\\'\\\\\"}", A, JSON_STRING, "\\'\\", 1);
	assert_value(f, "{\"\\x61\":1,\"a\":2}", A, JSON_WORD, "2", 1);
}

static void
bytes_that_are_no_utf8_are_passed_on(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":\"\xFF\xC3\"}", A, JSON_STRING, "\xFF\xC3", 0);
	assert_value(f, "{\"a\":\"\xFF\\n\"}", A, JSON_STRING, "\xFF\n", 0);
}

static void
control_characters_in_strings_are_repairs(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":\"x\ty\",\"last\":1}", A, JSON_STRING, "x\ty",
	    1);
	assert_value(f, "{\"a\":\"x\0y\",\"last\":1}", LAST, JSON_WORD, "1", 2);
	assert_value(f, "{\"a\":1,\0\"last\":1}", A, JSON_WORD, "1", 1);
	assert_value(f, "{\"a\":1,\0\"last\":1}", LAST, JSON_NONE, "", 1);
}

static void
torn_lines_keep_what_came_before(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":1", A, JSON_WORD, "1", 1);
	assert_value(f, "{\"a\":1,\"last\":\"x", A, JSON_WORD, "1", 1);
	assert_value(f, "{\"a\":1,\"last\":\"x", LAST, JSON_NONE, "", 1);
	assert_value(f, "{\"a\":1,\"last\":\"x\\", A, JSON_WORD, "1", 1);
	assert_value(f, "{\"a\":{\"b\":1", AB, JSON_WORD, "1", 1);
	assert_value(f, "{", A, JSON_NONE, "", 1);
	/* A string of which there is only the quote. */
	assert_value(f, "{\"a\":1 \"", A, JSON_WORD, "1", 1);
}

static void
what_follows_the_object_is_not_read(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":1} x", A, JSON_WORD, "1", 1);
	assert_value(f, "{\"a\":1}{\"last\":2}", LAST, JSON_NONE, "", 1);
	assert_value(f, "{\"a\":1}}}", A, JSON_WORD, "1", 1);
	assert_value(f, "{\"a\":1}]", A, JSON_WORD, "1", 1);
	assert_value(f, "{}: \"last\": 2", LAST, JSON_NONE, "", 1);
	assert_value(f, "{\"a\":1} \r\n", A, JSON_WORD, "1", 0);
}

static void
brackets_that_close_nothing_are_passed_over(void **state)
{
	struct fixture *f = *state;

	assert_value(f, "{\"a\":1],\"last\":2}", LAST, JSON_WORD, "2", 1);
	assert_value(f, "{\"z\":[1},\"last\":2}", A, JSON_NONE, "", 4);
}

static void
what_is_no_object_is_refused_and_nothing_written(void **state)
{
	static const char *const lines[] = { "", " ", "[1]", "\"a\"", "1",
		"null", "x{\"a\":1}", "192.0.2.1 - - {}" };
	struct fixture *f = *state;
	size_t i;

	f->n_repairs = 77;
	f->values[A].kind = JSON_NESTED;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct str line = support_guarded_str(str_from(lines[i]));

		assert_false(
		    json_read(f->json, line, f->values, &f->n_repairs));
		support_guarded_str_free(line);
	}
	assert_int_equal(f->n_repairs, 77);
	assert_int_equal(f->values[A].kind, JSON_NESTED);
}

/* What was read of a torn line stays when more of it comes. */
static void
a_line_cut_at_any_byte_is_read_up_to_there(void **state)
{
	static const char text[] =
	    " {\"status\": 200, \"urt\": 0.1, 0.2, \"a\": {\"b\": {\"c\": "
	    "\"\\ud83d\\ude00\\x22\\\\\"}, \"d\": [1, [], {\"e\": null}]}, "
	    "\":authority\": \"h\\u00e9\", \"x y\": -, \"last\": 1e5} ";
	struct fixture *f = *state;
	size_t len;

	for (len = 2; len < sizeof(text); len++) {
		struct str line = support_guarded_str(str_of(text, len));

		assert_true(json_read(f->json, line, f->values, &f->n_repairs));
		if (len >= 16)
			assert_str(f->values[STATUS].text, STR("200"));
		if (len >= 32)
			assert_str(f->values[URT].text, STR("0.1, 0.2"));
		if (len < sizeof(text) - 2)
			assert_true(f->n_repairs >= 1);
		support_guarded_str_free(line);
	}
	assert_int_equal(f->n_repairs, 3);
	assert_int_equal(f->values[LAST].kind, JSON_WORD);
}

static void
any_byte_may_be_any_other(void **state)
{
	static const char text[] =
	    "{\"a\": {\"b\": [1, \"\\u00e9\"]}, \"status\": 200, \"x\": null}";
	struct fixture *f = *state;
	size_t i;
	int c;

	for (i = 1; i + 1 < sizeof(text); i++) {
		for (c = 0; c < 256; c++) {
			struct str line = support_guarded_str(
			    str_of(text, sizeof(text) - 1));

			((char *)(uintptr_t)line.data)[i] = (char)c;
			assert_true(
			    json_read(f->json, line, f->values, &f->n_repairs));
			support_guarded_str_free(line);
		}
	}
}

static void
fill(struct buf *b, const char *unit, size_t len)
{
	while (b->len + strlen(unit) <= len)
		buf_add_text(b, unit);
	while (b->len < len)
		buf_add_char(b, ' ');
	assert_int_equal(buf_status(b), 0);
}

/* Each as long as the longest line, and each must be done within 50 ms. */
static void
hostile_lines_cost_little(void **state)
{
	static const char *const starts[] = { "{", "{\"a\":1,",
		"{\"a\":", "{\"a\":{\"b\":", "{\"a\":\"" };
	static const char *const units[] = { "{", "[", "}", "]",
		"{\"a\":", "[]", "{}", "[[", ",", ":", "\"", "\\", "\\x",
		"\\u0061", "1 ", "1:", "\"a\":1,", "\"a\":\"\\x\",",
		"\"a\":\"b\":", "\"\"", "x", "\xFF", "\xFF ", "{\"a\":[",
		"\"\\x\":", "[{},", "a:b:" };
	struct fixture *f = *state;
	struct buf b;
	size_t i, j;

	buf_init(&b, BOUNDS_LINE_BYTES);
	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		for (j = 0; j < sizeof(units) / sizeof(units[0]); j++) {
			struct timespec from, to;
			double seconds;

			buf_clear(&b);
			buf_add_text(&b, starts[i]);
			fill(&b, units[j], BOUNDS_LINE_BYTES);
			(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
			with_line(f, buf_str(&b),
			    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to));
			seconds = (double)(to.tv_sec - from.tv_sec) +
			    (double)(to.tv_nsec - from.tv_nsec) / 1e9;
			if (seconds > 0.05)
				fail_msg("%s%s...: %f s", starts[i], units[j],
				    seconds);
		}
	}
	buf_release(&b);
}

static void
past_the_most_tokens_the_line_is_not_read(void **state)
{
	struct fixture *f = *state;
	struct buf b;
	size_t i;

	buf_init(&b, BOUNDS_LINE_BYTES);
	buf_add_text(&b, "{\"a\":1,\"z\":[");
	/* Before them: the object, two keys, a number, the array. */
	for (i = 0; i < BOUNDS_JSON_TOKENS - 5 - 2; i++)
		buf_add_text(&b, i ? ",0" : "0");
	buf_add_text(&b, "],\"last\":2}");
	with_line(f, buf_str(&b), {
		assert_int_equal(f->n_repairs, 0);
		assert_str(f->values[LAST].text, STR("2"));
	});
	b.len -= strlen("],\"last\":2}");
	buf_add_text(&b, ",0],\"last\":2}");
	with_line(f, buf_str(&b), {
		assert_int_equal(f->n_repairs, 2); /* and `last` has no value */
		assert_str(f->values[A].text, STR("1"));
		assert_int_equal(f->values[LAST].kind, JSON_NONE);
	});
	buf_release(&b);
}

static void
the_longest_line_can_be_all_escapes(void **state)
{
	struct fixture *f = *state;
	struct buf b;

	buf_init(&b, BOUNDS_LINE_BYTES + 10);
	buf_add_text(&b, "{\"a\":\"");
	while (b.len < BOUNDS_LINE_BYTES - 4)
		buf_add_text(&b, "\\x");
	b.len = BOUNDS_LINE_BYTES - 2;
	buf_add_text(&b, "\"}");
	with_line(f, buf_str(&b), {
		assert_int_equal(f->values[A].kind, JSON_STRING);
		assert_int_equal(f->values[A].text.len, BOUNDS_LINE_BYTES - 8);
	});
	buf_add_char(&b, ' ');
	assert_false(json_read(f->json, buf_str(&b), f->values, &f->n_repairs));
	buf_release(&b);
}

static void
sixty_four_paths_and_none_are_read(void **state)
{
	struct json_value values[BOUNDS_JSON_PATHS];
	struct str many[BOUNDS_JSON_PATHS];
	struct json *j;
	uint32_t n_repairs;
	size_t i;

	(void)state;
	for (i = 0; i < BOUNDS_JSON_PATHS; i++)
		many[i] = i % 2 ? STR("k") : STR("other");
	assert_int_equal(json_create(many, BOUNDS_JSON_PATHS, &j), 0);
	assert_true(json_read(j, STR("{\"k\":\"\\n\"}"), values, &n_repairs));
	for (i = 0; i < BOUNDS_JSON_PATHS; i++)
		assert_int_equal(values[i].kind,
		    i % 2 ? JSON_STRING : JSON_NONE);
	json_destroy(j);

	assert_int_equal(json_create(NULL, 0, &j), 0);
	assert_true(json_read(j, STR("{\"k\":1,}"), NULL, &n_repairs));
	assert_int_equal(n_repairs, 1);
	json_destroy(j);
	json_destroy(NULL);
}

static void
creation_survives_every_failed_allocation(void **state)
{
	struct json *j = NULL;
	unsigned long n;
	int error;

	(void)state;
	for (n = 1;; n++) {
		support_fail_allocation(n);
		error = json_create(paths, N_PATHS, &j);
		support_stop_failing();
		if (!support_did_fail())
			break;
		assert_int_equal(error, -ENOMEM);
		assert_null(j);
	}
	assert_true(n > 2);
	assert_int_equal(error, 0);
	json_destroy(j);
}

static void
reading_needs_no_memory(void **state)
{
	struct fixture *f = *state;

	support_fail_allocation(1);
	assert_true(json_read(f->json,
	    STR("{\"a\":\"\\n\\x\",\"b\":[[],{}],\"last\":1"), f->values,
	    &f->n_repairs));
	support_stop_failing();
	assert_int_equal(support_n_allocations(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_are_found_by_their_paths),
		TEST(a_dot_in_a_key_is_the_same_as_a_step),
		TEST(a_key_that_is_absent_has_no_value_from_the_line_before),
		TEST(of_equal_keys_the_first_counts),
		TEST(words_keep_their_text),
		TEST(an_array_is_its_first_element),
		TEST(what_is_valid_json_needs_no_repair),
		TEST(words_that_are_no_json_are_one_repair_each),
		TEST(a_key_without_a_value_has_none),
		TEST(numbers_without_keys_belong_to_the_one_before),
		TEST(commas_and_colons_too_many_or_too_few_are_repaired),
		TEST(escapes_are_decoded),
		TEST(half_of_a_surrogate_pair_and_nul_become_a_replacement),
		TEST(escapes_that_are_none_stay_as_they_are),
		TEST(bytes_that_are_no_utf8_are_passed_on),
		TEST(control_characters_in_strings_are_repairs),
		TEST(torn_lines_keep_what_came_before),
		TEST(what_follows_the_object_is_not_read),
		TEST(brackets_that_close_nothing_are_passed_over),
		TEST(what_is_no_object_is_refused_and_nothing_written),
		TEST(a_line_cut_at_any_byte_is_read_up_to_there),
		TEST(any_byte_may_be_any_other),
		TEST(hostile_lines_cost_little),
		TEST(past_the_most_tokens_the_line_is_not_read),
		TEST(the_longest_line_can_be_all_escapes),
		TEST(sixty_four_paths_and_none_are_read),
		TEST(creation_survives_every_failed_allocation),
		TEST(reading_needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
