/*
 * The time a line was logged, from text to seconds since 1970, without a
 * locale, a time zone database or a clock.
 *
 *	25/Dec/2019:08:06:42 +0300     time_local, Apache's %t
 *	2019-12-25T08:06:42+03:00      time_iso8601; also Z, a blank for the T,
 *	                               and a fraction after a point or comma
 *	1577250402.123                 msec, Apache's %{sec}t
 *
 * Leap second 60 counts as the first second of the next minute (POSIX).
 */
#ifndef ACCESSLOG_TIMESTAMP_H
#define ACCESSLOG_TIMESTAMP_H

#include <stdbool.h>

#include "accesslog/decimal.h"
#include "accesslog/str.h"

/*
 * text      one of the three, recognised by its shape
 * ret_time  untouched unless the answer is true
 *
 * Returns false where text is none of them, names a day that does not exist,
 * or lies before 1970.
 */
bool timestamp_parse(struct str text, struct decimal *ret_time);

#endif
