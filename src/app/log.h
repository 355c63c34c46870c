/*
 * The log: one line an event to standard error, as logfmt or as JSON.
 *
 *	time=2026-11-20T15:40:00.123Z level=info msg=listening address=[::]:9649
 *
 * Values are made valid UTF-8, with U+FFFD for what is not.
 *
 * A line is written by one write(2), where it is not longer than a pipe takes
 * at once.  Thread: the main thread, which is also the loop's.
 */
#ifndef ACCESSLOG_LOG_H
#define ACCESSLOG_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
};

enum log_format {
	LOG_LOGFMT,
	LOG_JSON,
};

/* What is below level is left out.  Before the first call: info, logfmt. */
void log_setup(enum log_level level, enum log_format format);

/*
 * From now on nobody is waited for who does not read what is written: what does
 * not fit is dropped and counted, and the count written when there is room.
 */
void log_drop_when_full(void);

/* The value of a name, as the options have it; false where there is none. */
bool log_level_of(const char *name, enum log_level *ret_level);
bool log_format_of(const char *name, enum log_format *ret_format);

/*
 * One event with pairs of key and value, ended by NULL.  A pair whose value is
 * NULL is left out.
 */
void log_event(enum log_level level, const char *message, ...)
    __attribute__((sentinel));

#endif
