/*
 * What the tests of the format syntaxes share: a format and a line in, the
 * fields in words out.
 */
#ifndef ACCESSLOG_TESTS_FORMATS_H
#define ACCESSLOG_TESTS_FORMATS_H

#include <stddef.h>

/*
 * The fields of the line, in the order of the format, joined by "; ":
 * name=value (a number decoded, a time in seconds), "name none" where it has
 * no value, "name error"; or "unparsed".
 */
void formats_check(const char *format, const char *line, const char *expected);

/* The format is refused, with this column and this part in the message. */
void formats_refuse(const char *format, size_t column, const char *part);

/* Cut at every byte it is a format, or it is refused inside of itself. */
void formats_check_cuts(const char *format);

/* Each allocation fails once: it is reported and leaks nothing. */
void formats_check_allocations(const char *format);

#endif
