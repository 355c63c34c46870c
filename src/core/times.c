#include "accesslog/times.h"

static struct str
trimmed(struct str s)
{
	while (s.len && s.data[0] == ' ')
		s = str_after(s, 1);
	while (s.len && s.data[s.len - 1] == ' ')
		s.len--;
	return s;
}

/* Where the attempt at the front ends: at "," or ":", or with the list. */
static size_t
attempt_len(struct str s)
{
	size_t i = 0;

	while (i < s.len && s.data[i] != ',' && s.data[i] != ':')
		i++;
	return i;
}

enum times_result
times_parse(struct str text, unsigned shift, struct times *ret_times)
{
	struct times t = { 0 };
	bool has_time = false;
	struct str rest = text;

	while (rest.len) {
		size_t len = attempt_len(rest);
		struct str one = trimmed(str_of(rest.data, len));
		struct decimal seconds;

		rest = str_after(rest, len < rest.len ? len + 1 : len);
		if (!one.len || str_equal(one, STR("-"))) {
			t.n_attempts += one.len > 0;
			continue;
		}
		if (decimal_parse(one, shift, &seconds) != DECIMAL_OK)
			return TIMES_MALFORMED;
		decimal_add(&t.sum, seconds);
		t.last = seconds;
		t.n_attempts++;
		has_time = true;
	}
	if (!has_time)
		return TIMES_NONE;
	*ret_times = t;
	return TIMES_OK;
}
