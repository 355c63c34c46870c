#include "accesslog/timestamp.h"

#include <stdint.h>

struct civil {
	unsigned year, month, day, hour, minute, second;
	int offset_minutes;
	uint32_t nanos;
};

/* Reads n digits at *pos. */
static bool
take_digits(struct str text, size_t *pos, unsigned n, unsigned *ret_value)
{
	unsigned value = 0;

	if (text.len - *pos < n)
		return false;
	for (; n; n--, (*pos)++) {
		char c = text.data[*pos];

		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (unsigned)(c - '0');
	}
	*ret_value = value;
	return true;
}

static bool
take_char(struct str text, size_t *pos, char c)
{
	if (*pos == text.len || text.data[*pos] != c)
		return false;
	(*pos)++;
	return true;
}

static bool
take_month(struct str text, size_t *pos, unsigned *ret_month)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	unsigned i;

	if (text.len - *pos < 3)
		return false;
	for (i = 0; i < 12; i++) {
		if (!memcmp(text.data + *pos, names + 3 * i, 3)) {
			*pos += 3;
			*ret_month = i + 1;
			return true;
		}
	}
	return false;
}

/* "+0300", "-09:30" or "Z", up to the end of the text. */
static bool
take_offset(struct str text, size_t *pos, int *ret_minutes)
{
	unsigned hours, minutes;
	bool west;

	if (take_char(text, pos, 'Z')) {
		*ret_minutes = 0;
		return *pos == text.len;
	}
	west = take_char(text, pos, '-');
	if (!west && !take_char(text, pos, '+'))
		return false;
	if (!take_digits(text, pos, 2, &hours))
		return false;
	(void)take_char(text, pos, ':');
	if (!take_digits(text, pos, 2, &minutes) || *pos != text.len)
		return false;
	if (hours > 23 || minutes > 59)
		return false;
	*ret_minutes = (int)(hours * 60 + minutes) * (west ? -1 : 1);
	return true;
}

static bool
parse_clf(struct str text, struct civil *c)
{
	size_t pos = 0;

	/* Some writers leave out the leading zero: "9/Feb/2017:...". */
	if (text.len > 1 && text.data[1] == '/') {
		if (!take_digits(text, &pos, 1, &c->day))
			return false;
	} else if (!take_digits(text, &pos, 2, &c->day)) {
		return false;
	}
	return take_char(text, &pos, '/') &&
	    take_month(text, &pos, &c->month) && take_char(text, &pos, '/') &&
	    take_digits(text, &pos, 4, &c->year) &&
	    take_char(text, &pos, ':') &&
	    take_digits(text, &pos, 2, &c->hour) &&
	    take_char(text, &pos, ':') &&
	    take_digits(text, &pos, 2, &c->minute) &&
	    take_char(text, &pos, ':') &&
	    take_digits(text, &pos, 2, &c->second) &&
	    take_char(text, &pos, ' ') &&
	    take_offset(text, &pos, &c->offset_minutes);
}

static bool
parse_iso8601(struct str text, struct civil *c)
{
	struct decimal fraction = { 0 };
	size_t pos = 0;

	if (!(take_digits(text, &pos, 4, &c->year) &&
		take_char(text, &pos, '-') &&
		take_digits(text, &pos, 2, &c->month) &&
		take_char(text, &pos, '-') &&
		take_digits(text, &pos, 2, &c->day) &&
		(take_char(text, &pos, 'T') || take_char(text, &pos, ' ')) &&
		take_digits(text, &pos, 2, &c->hour) &&
		take_char(text, &pos, ':') &&
		take_digits(text, &pos, 2, &c->minute) &&
		take_char(text, &pos, ':') &&
		take_digits(text, &pos, 2, &c->second)))
		return false;
	if (take_char(text, &pos, '.') || take_char(text, &pos, ',')) {
		size_t from = pos;
		unsigned n_digits;

		while (pos < text.len && text.data[pos] >= '0' &&
		    text.data[pos] <= '9')
			pos++;
		n_digits = pos - from < 9 ? (unsigned)(pos - from) : 9;
		if (decimal_parse(str_of(text.data + from, n_digits), n_digits,
			&fraction) != DECIMAL_OK)
			return false;
		c->nanos = fraction.nanos;
	}
	return take_offset(text, &pos, &c->offset_minutes);
}

/*
 * Days from 1970-01-01 in the proleptic Gregorian calendar.  The year begins
 * in March, so that the leap day is its last (Hinnant, "chrono-compatible
 * low-level date algorithms", days_from_civil).
 */
static int64_t
days_since_1970(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = y / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year =
	    (153 * (int64_t)(month + (month > 2 ? 0 : 12) - 3) + 2) / 5 + day -
	    1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 -
	    year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static unsigned
days_in_month(unsigned year, unsigned month)
{
	static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

bool
timestamp_parse(struct str text, struct decimal *ret_time)
{
	struct civil c = { 0 };
	int64_t seconds;

	if (decimal_parse(text, 0, ret_time) == DECIMAL_OK)
		return true;
	if (!parse_clf(text, &c) && !parse_iso8601(text, &c))
		return false;
	if (c.year < 1 || c.month < 1 || c.month > 12 || c.day < 1 ||
	    c.day > days_in_month(c.year, c.month) || c.hour > 23 ||
	    c.minute > 59 || c.second > 60)
		return false;

	seconds = days_since_1970(c.year, c.month, c.day) * 86400 +
	    (int64_t)c.hour * 3600 +
	    ((int64_t)c.minute - c.offset_minutes) * 60 + c.second;
	if (seconds < 0)
		return false;
	*ret_time = (struct decimal){ (uint64_t)seconds, c.nanos };
	return true;
}
