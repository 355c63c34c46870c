/*
 * What the values of a variable look like, by its name: numbers by their kind
 * (fields.h), and of text what may be in it, which says where it can end.
 */
#ifndef ACCESSLOG_FORMAT_VALUE_H
#define ACCESSLOG_FORMAT_VALUE_H

#include "accesslog/str.h"

enum format_value_shape {
	VALUE_WORD, /* no spaces, unless in quotes */
	VALUE_TEXT, /* with spaces */
	VALUE_USER,
	VALUE_ADDRESS, /* or several, "10.0.0.1, 10.0.0.2" */
	VALUE_HOST,
	VALUE_LIST, /* one for each server tried: "a, b : c" */
	VALUE_STATUS,
	VALUE_COUNT,
	VALUE_SECONDS,
	VALUE_SECONDS_LIST,
	VALUE_TIME_LOCAL,
	VALUE_SCHEME,
	VALUE_IS_ARGS, /* "?" or nothing */
	VALUE_ARGS,
	VALUE_URI, /* begins with a slash */
	VALUE_FLAG, /* one character */
	VALUE_PORT,
};

/* name: of a field, as fields.h has it; VALUE_WORD where nothing is known. */
enum format_value_shape format_value_shape(struct str name);

#endif
