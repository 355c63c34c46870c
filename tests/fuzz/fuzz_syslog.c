/*
 * syslog: every datagram comes to an end, its messages are parts of it in
 * their order, and what is put around a message does not get into it.
 *
 *	the input is a datagram
 */
#include <assert.h>

#include "accesslog/syslog.h"

#include "fuzz.h"

/* Returns how many bytes the batch of io/input_datagram.c needs for it. */
static size_t
read_all(struct str datagram)
{
	struct str rest = datagram;
	const char *behind = datagram.data;
	struct str message;
	size_t sum = 0;

	for (;;) {
		size_t before = rest.len;
		enum syslog_kind kind = syslog_next(&rest, &message);

		assert(rest.data + rest.len == datagram.data + datagram.len);
		if (kind == SYSLOG_END)
			break;
		assert(rest.len < before);
		assert(message.data >= behind);
		behind = message.data + message.len;
		assert(behind <= rest.data);
		assert(!message.len || (behind[-1] != '\n' && behind[-1] != 0));
		sum += message.len + 1;
	}
	assert(!rest.len);
	return sum;
}

/* The input as a message of one line, in a header that is right. */
static void
check_wrapped(struct str header, enum syslog_kind expected, struct str line)
{
	struct buf text;
	struct str datagram, rest, message;

	buf_init(&text, header.len + line.len);
	buf_add(&text, header);
	buf_add(&text, line);
	assert(!buf_status(&text));
	datagram = fuzz_exact(buf_str(&text));
	rest = datagram;
	assert(syslog_next(&rest, &message) == expected);
	assert(str_equal(message, line));
	assert(!rest.len);
	free((char *)(uintptr_t)datagram.data);
	buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = fuzz_exact(str_of((const char *)data, size));
	struct str line = str_of(input.data, str_find_char(input, '\n'));

	assert(read_all(input) <= input.len + 1);

	while (line.len &&
	    (line.data[line.len - 1] == '\0' ||
		line.data[line.len - 1] == '\r'))
		line.len--;
	check_wrapped(STR("<190>Aug  5 20:16:01 host nginx: "), SYSLOG_BSD,
	    line);
	check_wrapped(STR("<190>Aug 15 20:16:01 nginx[1]: "), SYSLOG_BSD, line);
	if (!str_starts_with(line, STR("\xEF\xBB\xBF")))
		check_wrapped(STR("<190>1 - host nginx 1 - [a b=\"\\\"]\"] "),
		    SYSLOG_IETF, line);
	free((char *)(uintptr_t)input.data);
	return 0;
}
