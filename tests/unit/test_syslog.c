#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/buf.h"
#include "accesslog/syslog.h"
#include "support.h"

#define LINE                                                                    \
	"192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] \"GET / HTTP/1.1\" 200 17 " \
	"\"-\" \"x\""
#define BOM "\xEF\xBB\xBF"

/* "3:" or "5:" by the RFC, "b:" bare, "t:" torn; then [message]. */
static void
read_all(struct str datagram, struct buf *out)
{
	static const char letters[] = { [SYSLOG_BSD] = '3',
		[SYSLOG_IETF] = '5',
		[SYSLOG_BARE] = 'b',
		[SYSLOG_TORN] = 't' };
	struct str guarded = support_guarded_str(datagram);
	struct str rest = guarded;
	struct str message;

	buf_init(out, SIZE_MAX);
	for (;;) {
		size_t before = rest.len;
		enum syslog_kind kind = syslog_next(&rest, &message);

		if (kind == SYSLOG_END)
			break;
		assert_true(rest.len < before);
		assert_true(message.data >= guarded.data &&
		    message.data + message.len <= rest.data);
		buf_add_format(out, "%c:[", letters[kind]);
		buf_add(out, message);
		buf_add_char(out, ']');
	}
	assert_int_equal(rest.len, 0);
	assert_int_equal(buf_status(out), 0);
	support_guarded_str_free(guarded);
}

static void
assert_read(struct str datagram, struct str expected)
{
	struct buf out;

	read_all(datagram, &out);
	assert_str(buf_str(&out), expected);
	buf_release(&out);
}

#define READS(datagram, expected) assert_read(STR(datagram), STR(expected))

/* As nginx writes it; the text of all tests below is made of these. */
static void
test_host_and_tag_are_passed_over(void **state)
{
	(void)state;
	READS("<190>Aug 15 20:16:01 host nginx: " LINE, "3:[" LINE "]");
	READS("<190>Aug 15 20:16:01 host nginx[7]: " LINE, "3:[" LINE "]");
	READS("<190>Aug 15 20:16:01.123 host nginx: " LINE, "3:[" LINE "]");
}

static void
test_nohostname(void **state)
{
	(void)state;
	READS("<190>Aug 15 20:16:01 nginx: " LINE, "3:[" LINE "]");
	READS("<190>Aug 15 20:16:01 haproxy[12]: " LINE, "3:[" LINE "]");
}

static void
test_a_day_padded_with_a_space(void **state)
{
	(void)state;
	READS("<190>Aug  5 20:16:01 host nginx: " LINE, "3:[" LINE "]");
	READS("<190>Aug  5 20:16:01 nginx: " LINE, "3:[" LINE "]");
	READS("<190>Aug 5 20:16:01 host nginx: " LINE, "3:[" LINE "]");
	READS("<190>Aug 05 20:16:01 host nginx: " LINE, "3:[" LINE "]");
}

static void
test_a_tag_of_32_characters(void **state)
{
	(void)state;
	READS("<190>Aug 15 20:16:01 host aaaaaaaaaabbbbbbbbbbcccccccccc_9: a b",
	    "3:[a b]");
	READS("<190>Aug 15 20:16:01 aaaaaaaaaabbbbbbbbbbcccccccccc_9: a b",
	    "3:[a b]");
}

static void
test_an_IPv6_host(void **state)
{
	(void)state;
	READS("<190>Aug 15 20:16:01 ::1 nginx: a b", "3:[a b]");
	READS("<190>Aug 15 20:16:01 2001:db8::7 nginx: a b", "3:[a b]");
	READS("<190>Aug 15 20:16:01 2001:db8:: nginx: a b", "3:[a b]");
	READS("<190>Aug 15 20:16:01 [2001:db8::7] nginx: a b", "3:[a b]");
	READS("<190>1 2026-08-15T20:16:01Z 2001:db8::7 nginx - - - a b",
	    "5:[a b]");
}

static void
test_the_line_may_begin_like_a_tag(void **state)
{
	(void)state;
	READS("<190>Aug 15 20:16:01 host nginx: 2001:db8:: - - x",
	    "3:[2001:db8:: - - x]");
	READS("<190>Aug 15 20:16:01 host nginx: nginx: x", "3:[nginx: x]");
	READS("<190>Aug 15 20:16:01 nginx: host tag: x", "3:[host tag: x]");
	READS("<190>Aug 15 20:16:01 nginx:  x", "3:[ x]");
}

static void
test_a_time_as_rsyslog_forwards_it(void **state)
{
	(void)state;
	READS("<190>2026-08-15T20:16:01.123456+02:00 host nginx: " LINE,
	    "3:[" LINE "]");
}

static void
test_no_time_and_no_tag(void **state)
{
	(void)state;
	READS("<190>nginx: " LINE, "3:[" LINE "]");
	READS("<190>" LINE, "3:[" LINE "]");
	READS("<190>{\"status\": 200, \"a\": 1}",
	    "3:[{\"status\": 200, \"a\": 1}]");
	READS("<190>Aug 15 20:16:01 host {\"status\": 200}",
	    "3:[{\"status\": 200}]");
	/* Not quite times. */
	READS("<190>Aug 15 host nginx: x", "3:[Aug 15 host nginx: x]");
	READS("<190>Aug 155 20:16:01 nginx: x",
	    "3:[Aug 155 20:16:01 nginx: x]");
	READS("<190>Aug 15 20:16 nginx: x", "3:[Aug 15 20:16 nginx: x]");
	READS("<190>Foo 15 20:16:01 nginx: x", "3:[Foo 15 20:16:01 nginx: x]");
}

static void
test_structured_data(void **state)
{
	(void)state;
	READS("<190>1 2026-08-15T20:16:01Z host nginx 7 - - " LINE,
	    "5:[" LINE "]");
	READS("<190>1 - - - - - - " LINE, "5:[" LINE "]");
	READS("<190>1 2026-08-15T20:16:01.1+02:00 host nginx 7 ID47 "
	      "[a@1 b=\"c\" d=\"]\"][e f=\"\\\"] \\\\\"] " LINE,
	    "5:[" LINE "]");
	READS("<190>1 2026-08-15T20:16:01Z host nginx 7 - [a] " BOM LINE,
	    "5:[" LINE "]");
	READS("<190>1 2026-08-15T20:16:01Z host nginx 7 - - [x] y",
	    "5:[[x] y]");
	READS("<190>1 2026-08-15T20:16:01Z host nginx 7 - [a]", "5:[]");
	READS("<190>1 2026-08-15T20:16:01Z host nginx 7 - -", "5:[]");
	/* It has a 1 in front, and is none. */
	READS("<190>1 request", "3:[1 request]");
}

static void
test_a_torn_header(void **state)
{
	(void)state;
	READS("<190>1 2026-08-15T20:16:01Z host",
	    "t:[<190>1 2026-08-15T20:16:01Z host]");
	READS("<190>1 - - - - - [a b=\"c]", "t:[<190>1 - - - - - [a b=\"c]]");
	READS("<190>1 - - - - - [a]x y", "t:[<190>1 - - - - - [a]x y]");
	READS("<190>1 - - - - - x y", "t:[<190>1 - - - - - x y]");
}

static void
test_what_has_no_priority_is_the_message(void **state)
{
	(void)state;
	READS(LINE, "b:[" LINE "]");
	READS("<>x", "b:[<>x]");
	READS("<192>x", "b:[<192>x]");
	READS("<1900>x", "b:[<1900>x]");
	READS("<19", "b:[<19]");
	READS("<", "b:[<]");
	READS("", "");
}

static void
test_octet_counting_and_newline_framing_mixed(void **state)
{
	(void)state;
	READS("11 <190>n: a b", "3:[a b]");
	READS("11 <190>n: a b11 <190>n: c d", "3:[a b]3:[c d]");
	READS("12 <190>n: a b\n11 <190>n: c d\n<190>n: e\n9 <190>n: f",
	    "3:[a b]3:[c d]3:[e]3:[f]");
	READS("<190>n: a\n<190>n: b\r\n\n<190>n: c", "3:[a]3:[b]3:[c]");
	/* A newline in a message whose octets are counted is its own. */
	READS("11 <190>n: a\nb", "3:[a\nb]");
	/* A count that is too large is as good as none. */
	READS("99 <190>n: a\n<190>n: b", "3:[a]3:[b]");
	READS("0 <190>n: a", "b:[0 <190>n: a]");
	READS("1234567 <190>n: a", "b:[1234567 <190>n: a]");
	READS("7 x", "b:[7 x]");
}

static void
test_no_newline_at_the_end_or_several(void **state)
{
	(void)state;
	READS("<190>n: a", "3:[a]");
	READS("<190>n: a\n", "3:[a]");
	READS("<190>n: a\r\n", "3:[a]");
	READS("<190>n: a\n\n", "3:[a]");
	assert_read(str_of("<190>n: a\0", 10), STR("3:[a]"));
	assert_read(str_of("<190>n: a\n\0\0", 12), STR("3:[a]"));
	READS("\n\n", "");
	READS("<190>", "3:[]");
}

/* Each cut of each datagram ends, and reads nothing behind it. */
static void
test_a_datagram_may_be_cut_anywhere(void **state)
{
	static const char *const datagrams[] = {
		"<190>Aug  5 20:16:01 2001:db8:: nginx[7]: " LINE "\n",
		"<190>2026-08-15T20:16:01.1+02:00 host nginx: " LINE,
		"<190>1 2026-08-15T20:16:01Z h n 7 - [a b=\"\\\"]\"] " BOM LINE,
		"11 <190>n: a b9 <190>n: c\n<190>Aug 15 20:16:01 nginx: x\n",
	};
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
		struct str whole = str_from(datagrams[i]);

		for (n = 0; n <= whole.len; n++) {
			struct buf out;

			read_all(str_of(whole.data, n), &out);
			buf_release(&out);
			read_all(str_after(whole, n), &out);
			buf_release(&out);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_and_tag_are_passed_over),
		cmocka_unit_test(test_nohostname),
		cmocka_unit_test(test_a_day_padded_with_a_space),
		cmocka_unit_test(test_a_tag_of_32_characters),
		cmocka_unit_test(test_an_IPv6_host),
		cmocka_unit_test(test_the_line_may_begin_like_a_tag),
		cmocka_unit_test(test_a_time_as_rsyslog_forwards_it),
		cmocka_unit_test(test_no_time_and_no_tag),
		cmocka_unit_test(test_structured_data),
		cmocka_unit_test(test_a_torn_header),
		cmocka_unit_test(test_what_has_no_priority_is_the_message),
		cmocka_unit_test(test_octet_counting_and_newline_framing_mixed),
		cmocka_unit_test(test_no_newline_at_the_end_or_several),
		cmocka_unit_test(test_a_datagram_may_be_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
