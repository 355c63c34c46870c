#include "accesslog/config_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
config_error_set(struct config_error *error, size_t line, size_t column,
    const char *format, ...)
{
	va_list args;

	error->line = line;
	error->column = column;
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -EINVAL;
}

void
config_error_locate(struct config_error *error, struct config_place place)
{
	if (error->column && place.verbatim) {
		place.column += error->column - 1;
	} else if (error->column) {
		char text[sizeof(error->text)];

		memcpy(text, error->text, sizeof(text));
		(void)snprintf(error->text, sizeof(error->text),
		    "%.200s (column %zu of this text)", text, error->column);
	}
	error->line = place.line;
	error->column = place.column;
}
