#include "accesslog/config_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

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
