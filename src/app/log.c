#include "app/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accesslog/buf.h"
#include "accesslog/labels.h"

/* Of a value; longer ones lose their end.  A path is not longer. */
#define MAX_VALUE_BYTES BOUNDS_LABEL_VALUE_MOST_BYTES

/* Eight values of which each byte is six as \u0001, and their keys. */
#define MAX_LINE_BYTES (8u * 6 * MAX_VALUE_BYTES + 1024)

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* For whoever reads it to make room, before the first line is dropped. */
#define PATIENCE_MS 250

static enum log_level least = LOG_INFO;
static enum log_format style = LOG_LOGFMT;
static bool drops;
static uint64_t n_dropped; /* lines, since the last that was written */
static bool is_torn; /* only a part of the last line was written */

void
log_setup(enum log_level level, enum log_format format)
{
	least = level;
	style = format;
}

void
log_drop_when_full(void)
{
	drops = true;
}

bool
log_level_of(const char *name, enum log_level *ret_level)
{
	unsigned i;

	for (i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (!strcmp(name, level_names[i])) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool
log_format_of(const char *name, enum log_format *ret_format)
{
	if (!strcmp(name, "logfmt"))
		*ret_format = LOG_LOGFMT;
	else if (!strcmp(name, "json"))
		*ret_format = LOG_JSON;
	else
		return false;
	return true;
}

/* Inside of quotes, for both formats: RFC 8259, section 7. */
static void
add_quoted(struct buf *out, struct str text)
{
	size_t i;

	buf_add_char(out, '"');
	for (i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '"' || c == '\\')
			buf_add_format(out, "\\%c", c);
		else if (c == '\n')
			buf_add_text(out, "\\n");
		else if ((unsigned char)c < 0x20)
			buf_add_format(out, "\\u%04x", (unsigned)c);
		else
			buf_add_char(out, c);
	}
	buf_add_char(out, '"');
}

static bool
needs_quotes(struct str text)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F)
			return true;
	}
	return !text.len;
}

static void
add_pair(struct buf *out, const char *key, const char *text)
{
	struct labels_scratch scratch;
	struct str value = labels_clean(str_from(text), MAX_VALUE_BYTES,
	    &scratch);

	if (style == LOG_JSON) {
		buf_add_text(out, out->len > 1 ? "," : "");
		add_quoted(out, str_from(key));
		buf_add_char(out, ':');
		add_quoted(out, value);
		return;
	}
	buf_add_text(out, out->len ? " " : "");
	buf_add_text(out, key);
	buf_add_char(out, '=');
	if (needs_quotes(value))
		add_quoted(out, value);
	else
		buf_add(out, value);
}

static void
add_time(struct buf *out)
{
	char seconds[sizeof("2026-11-20T15:40:00")];
	char text[sizeof(seconds) + sizeof(".123Z")];
	struct timespec now;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &tm) ||
	    !strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm))
		seconds[0] = '\0'; /* a year of more than four digits */
	(void)snprintf(text, sizeof(text), "%s.%03uZ", seconds,
	    (unsigned)(now.tv_nsec / 1000000) % 1000);
	add_pair(out, "time", text);
}

/*
 * A pipe that can be written to has room for PIPE_BUF bytes.  O_NONBLOCK would
 * say more, but to whoever else has the descriptor as well.
 */
static bool
has_room(void)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	return !drops || poll(&out, 1, n_dropped ? 0 : PATIENCE_MS) > 0;
}

/* Returns how much of bytes was written. */
static size_t
write_some(struct str bytes)
{
	size_t done = 0;

	while (done < bytes.len && has_room()) {
		struct str rest = str_after(bytes, done);
		ssize_t n = write(STDERR_FILENO, rest.data,
		    drops && rest.len > PIPE_BUF ? PIPE_BUF : rest.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* there is nowhere to say so */
		done += (size_t)n;
	}
	return done;
}

static void
write_line(struct str line)
{
	size_t n;

	if (is_torn && !write_some(STR("\n")))
		n = 0;
	else {
		is_torn = false;
		n = write_some(line);
	}
	if (n < line.len) {
		n_dropped++;
		is_torn |= n != 0;
	}
}

static void
add_head(struct buf *out, enum log_level level, const char *message)
{
	buf_clear(out);
	if (style == LOG_JSON)
		buf_add_char(out, '{');
	add_time(out);
	add_pair(out, "level", level_names[level]);
	add_pair(out, "msg", message);
}

static void
write_event(struct buf *out)
{
	buf_add_text(out, style == LOG_JSON ? "}\n" : "\n");
	write_line(buf_str(out));
}

static void
tell_dropped(struct buf *out)
{
	char n_lines[sizeof("18446744073709551615")];
	uint64_t n = n_dropped;

	(void)snprintf(n_lines, sizeof(n_lines), "%" PRIu64, n);
	add_head(out, LOG_WARN, "the log was full; lines of it were dropped");
	add_pair(out, "lines", n_lines);
	write_event(out);
	n_dropped = n_dropped == n ? 0 : n; /* this one is none of them */
}

void
log_event(enum log_level level, const char *message, ...)
{
	struct buf out;
	const char *key;
	va_list args;

	if (level < least)
		return;
	buf_init(&out, MAX_LINE_BYTES);
	if (n_dropped)
		tell_dropped(&out);
	add_head(&out, level, message);
	va_start(args, message);
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		if (value)
			add_pair(&out, key, value);
	}
	va_end(args);
	write_event(&out);
	buf_release(&out);
}
