#include "accesslog/syslog.h"

#include <stdbool.h>

/* RFC 3164 says 32; programs with long names write more. */
#define MAX_TAG_BYTES 64

/* Digits of an octet count; no datagram is larger. */
#define MAX_COUNT_DIGITS 6

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
count_digits(struct str s, size_t from, size_t max)
{
	size_t n = 0;

	while (n < max && from + n < s.len && is_digit(s.data[from + n]))
		n++;
	return n;
}

/* Cuts off n bytes and returns them. */
static struct str
take(struct str *s, size_t n)
{
	struct str taken = str_of(s->data, n);

	*s = str_after(*s, n);
	return taken;
}

/* Cuts off the word in front and one space behind it. */
static struct str
take_word(struct str *s)
{
	struct str word = take(s, str_find_char(*s, ' '));

	if (s->len)
		(void)take(s, 1);
	return word;
}

/* "<0>" to "<191>" */
static bool
take_priority(struct str *s)
{
	size_t n = count_digits(*s, 1, 3);
	unsigned value = 0;
	size_t i;

	if (!n || s->data[0] != '<' || n + 1 >= s->len || s->data[n + 1] != '>')
		return false;
	for (i = 1; i <= n; i++)
		value = value * 10 + (unsigned)(s->data[i] - '0');
	if (value > 191)
		return false;
	(void)take(s, n + 2);
	return true;
}

/* 2026-08-05T20:16:01.5+02:00, as far as it takes to tell. */
static bool
is_iso_time(struct str word)
{
	return word.len > 10 && count_digits(word, 0, 5) == 4 &&
	    word.data[4] == '-' && count_digits(word, 5, 3) == 2 &&
	    word.data[7] == '-' && word.data[10] == 'T';
}

/* 20:16:01, perhaps with a fraction. */
static bool
is_clock(struct str word)
{
	size_t n = word.len > 9 && word.data[8] == '.' ? word.len - 9 : 0;

	return word.len >= 8 && count_digits(word, 0, 3) == 2 &&
	    word.data[2] == ':' && count_digits(word, 3, 3) == 2 &&
	    word.data[5] == ':' && count_digits(word, 6, 3) == 2 &&
	    (word.len == 8 || (n && count_digits(word, 9, n) == n));
}

static bool
is_month(struct str word)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	size_t i;

	for (i = 0; word.len == 3 && i + 3 < sizeof(names); i += 3) {
		if (!memcmp(word.data, names + i, 3))
			return true;
	}
	return false;
}

/* "Aug  5 20:16:01 ", or ISO 8601 in its place. */
static bool
take_time(struct str *s)
{
	struct str rest = *s;
	struct str word = take_word(&rest);

	if (!is_iso_time(word)) {
		if (!is_month(word))
			return false;
		word = take_word(&rest);
		if (!word.len) /* the day is padded */
			word = take_word(&rest);
		if (!word.len || count_digits(word, 0, 3) != word.len ||
		    word.len > 2 || !is_clock(take_word(&rest)))
			return false;
	}
	*s = rest;
	return true;
}

static bool
is_tag_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.' ||
	    c == '/';
}

/*
 * nginx:  nginx[7]:  but not 2001:db8::, which is a host
 */
static bool
is_tag(struct str word)
{
	size_t n = 0;

	while (n < word.len && n < MAX_TAG_BYTES && is_tag_char(word.data[n]))
		n++;
	if (!n || n == word.len)
		return false;
	if (word.data[n] == '[') {
		n += str_find_char(str_after(word, n), ']');
		if (n == word.len)
			return false;
		n++;
	}
	return n + 1 == word.len && word.data[n] == ':';
}

/* Passes over "HOST TAG: ", "TAG: " or "HOST ". */
static void
pass_names(struct str *s, bool may_have_host)
{
	struct str rest = *s;

	if (is_tag(take_word(&rest))) {
		*s = rest;
		return;
	}
	if (!may_have_host)
		return;
	*s = rest;
	if (is_tag(take_word(&rest)))
		*s = rest;
}

/*
 * [a@1 b="c\"]" d="e"][f]
 *
 * Returns how many bytes it has, 0 where it does not end.
 */
static size_t
count_structured_data(struct str s)
{
	bool is_quoted = false;
	bool is_open = false;
	size_t i;

	if (s.len && s.data[0] == '-')
		return 1;
	for (i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (!is_open && c != '[')
			break;
		if (is_quoted && c == '\\')
			i++;
		else if (is_open && c == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (c == '[' || c == ']'))
			is_open = c == '[';
	}
	return is_open ? 0 : i;
}

/* "1 2026-..." or "1 - ": else the 1 is the message's. */
static bool
take_version(struct str *s)
{
	struct str rest = *s;
	struct str word = take_word(&rest);
	struct str time = str_of(rest.data, str_find_char(rest, ' '));

	if (!word.len || word.len > 2 || word.data[0] == '0' ||
	    count_digits(word, 0, 2) != word.len ||
	    (!str_equal(time, STR("-")) && !is_iso_time(time)))
		return false;
	*s = rest;
	return true;
}

/* TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG] */
static bool
take_ietf_header(struct str *s)
{
	struct str rest = *s;
	size_t i, n;

	for (i = 0; i < 5; i++) {
		if (!take_word(&rest).len)
			return false;
	}
	n = count_structured_data(rest);
	if (!n || (n < rest.len && rest.data[n] != ' '))
		return false;
	(void)take(&rest, n < rest.len ? n + 1 : n);
	if (str_starts_with(rest, STR("\xEF\xBB\xBF")))
		(void)take(&rest, 3);
	*s = rest;
	return true;
}

/*
 * "57 <190>...": 3 bytes, then 57.
 *
 * Returns how many bytes the count has, 0 where there is none.
 */
static size_t
read_count(struct str s, size_t *ret_n)
{
	size_t digits = count_digits(s, 0, MAX_COUNT_DIGITS);
	size_t n = 0;
	size_t i;

	if (!digits || s.data[0] == '0' || digits + 1 >= s.len ||
	    s.data[digits] != ' ' || s.data[digits + 1] != '<')
		return 0;
	for (i = 0; i < digits; i++)
		n = n * 10 + (size_t)(s.data[i] - '0');
	*ret_n = n;
	return digits + 1;
}

static bool
is_end_of_line(char c)
{
	return c == '\n' || c == '\r' || c == '\0';
}

/* One message with its header, without what ends it. */
static struct str
take_frame(struct str *datagram)
{
	size_t n = 0;
	struct str frame;

	(void)take(datagram, read_count(*datagram, &n));
	/* A count that cannot be is as good as none. */
	if (!n || n > datagram->len)
		n = str_find_char(*datagram, '\n');
	frame = take(datagram, n);
	while (frame.len && is_end_of_line(frame.data[frame.len - 1]))
		frame.len--;
	return frame;
}

enum syslog_kind
syslog_next(struct str *datagram, struct str *ret_message)
{
	struct str frame, message;
	bool has_time;

	while (datagram->len && is_end_of_line(datagram->data[0]))
		(void)take(datagram, 1);
	if (!datagram->len)
		return SYSLOG_END;

	frame = message = take_frame(datagram);
	*ret_message = frame;
	if (!take_priority(&message))
		return SYSLOG_BARE;
	if (take_version(&message)) {
		if (!take_ietf_header(&message))
			return SYSLOG_TORN;
		*ret_message = message;
		return SYSLOG_IETF;
	}
	has_time = take_time(&message);
	pass_names(&message, has_time);
	*ret_message = message;
	return SYSLOG_BSD;
}
