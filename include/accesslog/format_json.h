/*
 * Formats of JSON:
 *
 *	json                                the same as nginx_json
 *	json: status=code request_time=ms:ms user="the user" status=response.code
 *	      |___________|            |  |        |______|  |____________________|
 *	      field=path          path:unit   quoted path  tried where "code" lacks
 *
 * A path is what json.h says.  The unit is s, ms, us or ns, for times only.
 * Quotes are for paths that have blanks or, behind their first byte, colons.
 */
#ifndef ACCESSLOG_FORMAT_JSON_H
#define ACCESSLOG_FORMAT_JSON_H

#include <stdbool.h>

#include "accesslog/config_error.h"
#include "accesslog/format.h"
#include "accesslog/patterns.h"
#include "accesslog/str.h"

/* Whether text is "json", or begins with "json:". */
bool format_json_is(struct str text);

/* As patterns_find(), but "json" is the one that it stands for. */
const struct patterns_row *format_json_row(struct str name);

/*
 * text  what format_json_is(), or the name of such a format of patterns/
 *
 * As format_create().
 */
int format_json_create(struct str text, struct format **ret_format,
    struct config_error *reterr) __attribute__((warn_unused_result));

/* Whether this field is in the core: a line is a request that has one. */
bool format_json_is_core(struct str field);

#endif
