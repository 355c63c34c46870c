#include "app/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accesslog/buf.h"

/* Longer lines lose their end; a path takes at most 4,096 bytes. */
#define MAX_LINE_BYTES (32u * 1024)

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static enum log_level least = LOG_INFO;
static enum log_format style = LOG_LOGFMT;

void
log_setup(enum log_level level, enum log_format format)
{
	least = level;
	style = format;
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
add_quoted(struct buf *out, const char *text)
{
	buf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_format(out, "\\%c", *text);
		else if (*text == '\n')
			buf_add_text(out, "\\n");
		else if ((unsigned char)*text < 0x20)
			buf_add_format(out, "\\u%04x", (unsigned)*text);
		else
			buf_add_char(out, *text);
	}
	buf_add_char(out, '"');
}

static bool
needs_quotes(const char *text)
{
	if (!*text)
		return true;
	for (; *text; text++) {
		if (*text <= ' ' || *text == '"' || *text == '=' ||
		    *text == '\\' || *text == 0x7F)
			return true;
	}
	return false;
}

static void
add_pair(struct buf *out, const char *key, const char *value)
{
	if (style == LOG_JSON) {
		buf_add_text(out, out->len > 1 ? "," : "");
		add_quoted(out, key);
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
		buf_add_text(out, value);
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

static void
write_all(struct str bytes)
{
	while (bytes.len) {
		ssize_t n = write(STDERR_FILENO, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* there is nowhere to say so */
		bytes = str_after(bytes, (size_t)n);
	}
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
	if (style == LOG_JSON)
		buf_add_char(&out, '{');
	add_time(&out);
	add_pair(&out, "level", level_names[level]);
	add_pair(&out, "msg", message);
	va_start(args, message);
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		if (value)
			add_pair(&out, key, value);
	}
	va_end(args);
	buf_add_text(&out, style == LOG_JSON ? "}\n" : "\n");
	write_all(buf_str(&out));
	buf_release(&out);
}
