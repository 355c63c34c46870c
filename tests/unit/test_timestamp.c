#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/timestamp.h"
#include "support.h"

/* The seconds are those of Python's datetime. */
static const struct {
	const char *text;
	uint64_t seconds;
	uint32_t nanos;
} good[] = {
	{ "25/Dec/2019:08:06:42 +0300", 1577250402, 0 },
	{ "25/Dec/2019:08:06:42 -0930", 1577295402, 0 },
	{ "10/Oct/2000:13:55:36 -0700", 971211336, 0 },
	{ "20/Nov/2026:15:40:00 +0545", 1795168500, 0 },
	{ "9/Feb/2017:03:00:00 +0000", 1486609200, 0 },
	{ "01/Jan/1970:00:00:00 +0000", 0, 0 },
	{ "01/Jan/1970:01:00:00 +0100", 0, 0 },
	{ "31/Dec/1969:23:00:00 -0100", 0, 0 },
	{ "19/Jan/2038:03:14:08 +0000", 2147483648, 0 },
	{ "07/Feb/2106:06:28:16 +0000", 4294967296, 0 },
	{ "31/Dec/9999:23:59:59 +0000", 253402300799, 0 },

	/* 29 February where there is one. */
	{ "29/Feb/2000:12:00:00 +0000", 951825600, 0 },
	{ "29/Feb/2024:23:59:59 -0100", 1709254799, 0 },
	{ "01/Mar/2100:00:00:00 +0000", 4107542400, 0 },

	/* Both sides of a change to summer time, and back. */
	{ "28/Mar/2021:01:59:59 +0100", 1616893199, 0 },
	{ "28/Mar/2021:03:00:00 +0200", 1616893200, 0 },
	{ "31/Oct/2021:02:30:00 +0200", 1635640200, 0 },
	{ "31/Oct/2021:02:30:00 +0100", 1635643800, 0 },

	/* A leap second is the first of the next minute. */
	{ "31/Dec/2016:23:59:59 +0000", 1483228799, 0 },
	{ "31/Dec/2016:23:59:60 +0000", 1483228800, 0 },
	{ "2016-12-31T23:59:60Z", 1483228800, 0 },
	{ "2016-12-31T23:59:60.5Z", 1483228800, 500000000 },

	{ "2019-12-25T08:06:42+03:00", 1577250402, 0 },
	{ "2019-12-25T08:06:42+0300", 1577250402, 0 },
	{ "2019-12-25T08:06:42-09:30", 1577295402, 0 },
	{ "2019-12-25T05:06:42Z", 1577250402, 0 },
	{ "2019-12-25T05:06:42+00:00", 1577250402, 0 },
	{ "2019-12-25T05:06:42-00:00", 1577250402, 0 },
	{ "2019-12-25T05:06:42.123Z", 1577250402, 123000000 },
	{ "2019-12-25T05:06:42.123456789+00:00", 1577250402, 123456789 },
	{ "2019-12-25T05:06:42.1234567899Z", 1577250402, 123456789 },
	{ "1970-01-01T00:00:00Z", 0, 0 },
	{ "2019-12-25 05:06:42,123Z", 1577250402, 123000000 },
	{ "2019-12-25 08:06:42+03:00", 1577250402, 0 },

	{ "1577250402", 1577250402, 0 },
	{ "1577250402.123", 1577250402, 123000000 },
	{ "0.001", 0, 1000000 },
	{ "9223372036854775807", INT64_MAX, 0 },
};

static const char *const bad[] = {
	"",
	"-",
	"[25/Dec/2019:08:06:42 +0300]",
	" 25/Dec/2019:08:06:42 +0300",
	"25/Dec/2019:08:06:42",
	"25/Dec/2019:08:06:42 ",
	"25/Dec/2019:08:06:42 0300",
	"25/Dec/2019:08:06:42 +030",
	"25/Dec/2019:08:06:42 +03000",
	"25/Dec/2019:08:06:42 +0360",
	"25/Dec/2019:08:06:42 +2400",
	"25/Dec/2019:08:06:42 *0300",
	"25/Dec/2019:08:06:42  +0300",
	"25/dec/2019:08:06:42 +0300",
	"25/Dez/2019:08:06:42 +0300",
	"25/ecF/2019:08:06:42 +0300",
	"25/12/2019:08:06:42 +0300",
	"25-Dec-2019:08:06:42 +0300",
	"25/Dec/19:08:06:42 +0300",
	"25/Dec/2019:24:06:42 +0300",
	"25/Dec/2019:08:60:42 +0300",
	"25/Dec/2019:08:06:61 +0300",
	"25/Dec/2019:8:06:42 +0300",
	"25/Dec/2019:08:06:4\xC2\xB2 +0300",
	"00/Dec/2019:08:06:42 +0300",
	"0/Dec/2019:08:06:42 +0300",
	"32/Dec/2019:08:06:42 +0300",
	"31/Apr/2019:08:06:42 +0300",
	"29/Feb/2019:08:06:42 +0300",
	"29/Feb/2100:08:06:42 +0300",
	"30/Feb/2000:08:06:42 +0300",
	"01/Jan/0000:00:00:00 +0000",
	/* Before 1970, also by the offset alone. */
	"31/Dec/1969:23:59:59 +0000",
	"01/Jan/1970:00:59:59 +0100",
	"01/Mar/1900:00:00:00 +0000",
	"01/Jan/0001:00:00:00 +0000",

	"2019-12-25",
	"2019-12-25T08:06:42",
	"2019-12-25T08:06:42+03",
	"2019-12-25T08:06:42+03:0",
	"2019-12-25T08:06:42Z ",
	"2019-12-25T08:06:42ZZ",
	"2019-12-25T08:06:42.Z",
	"2019-12-25T08:06:42.-1Z",
	"2019-13-25T08:06:42Z",
	"2019-00-25T08:06:42Z",
	"2019-02-29T08:06:42Z",
	"2019-12-00T08:06:42Z",
	"1969-12-31T23:59:59Z",

	"-1577250402",
	"1577250402.",
	"1577250402,123",
	"1577250402 ",
	"9223372036854775808",
	"1.5e9",
	"nan",
};

static void
check(struct str text, uint64_t seconds, uint32_t nanos)
{
	struct decimal t = { 1, 2 };

	if (!timestamp_parse(text, &t))
		fail_msg("\"%.*s\" was refused", STR_ARGS(text));
	if (t.whole != seconds || t.nanos != nanos)
		print_error("\"%.*s\"\n", STR_ARGS(text));
	assert_int_equal(t.whole, seconds);
	assert_int_equal(t.nanos, nanos);
}

static void
refuse(struct str text)
{
	struct decimal t = { 77, 88 };

	if (timestamp_parse(text, &t))
		fail_msg("\"%.*s\" was taken for %ju.%09u", STR_ARGS(text),
		    (uintmax_t)t.whole, t.nanos);
	assert_int_equal(t.whole, 77);
	assert_int_equal(t.nanos, 88);
}

static void
reads_the_three_ways_of_writing_a_time(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		check(str_from(good[i].text), good[i].seconds, good[i].nanos);
}

static void
refuses_what_is_none_and_days_that_do_not_exist(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(str_from(bad[i]));
}

/* Cut at every byte: nothing is read behind it, and no half time is one. */
static void
a_time_that_is_cut_is_none(void **state)
{
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		bool is_number = strspn(good[i].text, "0123456789.") ==
		    strlen(good[i].text);

		for (len = 0; len <= strlen(good[i].text); len++) {
			struct str s = support_guarded_str(
			    str_of(good[i].text, len));
			struct decimal t;

			if (len == strlen(good[i].text))
				check(s, good[i].seconds, good[i].nanos);
			else if (is_number)
				(void)timestamp_parse(s, &t);
			/* The year or the day alone reads as seconds. */
			else if (len &&
			    strspn(good[i].text, "0123456789") >= len)
				assert_true(timestamp_parse(s, &t));
			else
				refuse(s);
			support_guarded_str_free(s);
		}
	}
}

static unsigned
month_days(unsigned year, unsigned month)
{
	if (month == 2)
		return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
		    ? 29
		    : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* The calendar counted day by day, and the day after each month's last. */
static void
every_day_of_430_years_follows_the_one_before(void **state)
{
	static const char *const names[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	uint64_t seconds = 0;
	unsigned year, month, day;
	char text[64];

	(void)state;
	for (year = 1970; year < 2400; year++) {
		for (month = 1; month <= 12; month++) {
			unsigned n_days = month_days(year, month);

			for (day = 1; day <= n_days; day++) {
				(void)snprintf(text, sizeof(text),
				    "%02u/%s/%u:00:00:00 +0000", day,
				    names[month - 1], year);
				check(str_from(text), seconds, 0);
				(void)snprintf(text, sizeof(text),
				    "%u-%02u-%02uT23:59:59-00:01", year, month,
				    day);
				check(str_from(text), seconds + 86459, 0);
				seconds += 86400;
			}
			(void)snprintf(text, sizeof(text),
			    "%02u/%s/%u:00:00:00 +0000", n_days + 1,
			    names[month - 1], year);
			refuse(str_from(text));
		}
	}
}

static void
every_offset_is_taken_off_the_local_time(void **state)
{
	unsigned hours, minutes;
	char text[64];

	(void)state;
	for (hours = 0; hours < 24; hours++) {
		for (minutes = 0; minutes < 60; minutes++) {
			unsigned offset = (hours * 60 + minutes) * 60;

			(void)snprintf(text, sizeof(text),
			    "25/Dec/2019:05:06:42 +%02u%02u", hours, minutes);
			check(str_from(text), 1577250402 - offset, 0);
			(void)snprintf(text, sizeof(text),
			    "2019-12-25T05:06:42-%02u:%02u", hours, minutes);
			check(str_from(text), 1577250402 + offset, 0);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_three_ways_of_writing_a_time),
		cmocka_unit_test(
		    refuses_what_is_none_and_days_that_do_not_exist),
		cmocka_unit_test(a_time_that_is_cut_is_none),
		cmocka_unit_test(every_day_of_430_years_follows_the_one_before),
		cmocka_unit_test(every_offset_is_taken_off_the_local_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
