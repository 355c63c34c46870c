/*
 * One JSON object, as a line of a log, to the values of the keys asked for.
 * The only file that includes jsmn.h.
 *
 *	{"status": 200, "request": {"host": "a.example", "tls": null}}
 *	  status              request.host                request.tls
 *
 * A path is the keys from the outermost to the innermost, joined by dots, so
 * one that has dots itself is written as it is.  The value of an array is its
 * first element.  Where a path is there twice, the first one counts: what is
 * torn off or added at the end of a line changes nothing that came before.
 *
 * What servers write by putting variables between quotes is often no JSON.  It
 * is read all the same, and each of these is one repair:
 *
 *	"status": 000        a word that is no JSON: its text is the value
 *	"urt": ,             no value
 *	"urt": 0.1, 0.2      numbers without a key belong to the one before:
 *	                     the value is the text "0.1, 0.2"
 *	"urt": 0.1,}         commas and colons too many or too few
 *	"a": "\x22"          an escape that is none stays as it is written
 *	{"a": 1              what is open at the end of the line; a string that
 *	                     is open there has no value
 *	{"a": 1} x           what follows the object is not read
 *
 * The work and the memory for one line are bounded: past BOUNDS_JSON_TOKENS
 * keys and values, the rest of the line is not read, which is one repair.
 */
#ifndef ACCESSLOG_JSON_H
#define ACCESSLOG_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "accesslog/str.h"

struct json;

enum json_kind {
	JSON_NONE, /* the path is not in this line, or has no value */
	JSON_NULL,
	JSON_STRING, /* text: what it says, escapes decoded */
	JSON_WORD, /* text: a number, true or false, as it is written */
	JSON_NESTED, /* an object or an array in the place of a value */
};

/*
 * text points into the line, or for a string with escapes into the reader,
 * where it stays until the next line.  It need not be UTF-8: bytes are passed
 * on as they are.  NUL and half of a surrogate pair become U+FFFD.
 */
struct json_value {
	enum json_kind kind;
	struct str text; /* of strings and words */
};

/*
 * paths     at most BOUNDS_JSON_PATHS; copied
 * ret_json  owned by the caller, json_destroy(); untouched on failure
 *
 * Returns 0 or -ENOMEM.
 */
int json_create(const struct str paths[], size_t n_paths,
    struct json **ret_json) __attribute__((warn_unused_result));

/* NULL does nothing. */
void json_destroy(struct json *j);

/*
 * values         one for each path; written when the answer is true
 * ret_n_repairs  0: the line is JSON; written when the answer is true
 *
 * Returns whether the line is an object, that is whether it begins with '{'.
 * Thread: one at a time for a reader.  Cost: no allocation.
 */
bool json_read(struct json *j, struct str line, struct json_value values[],
    uint32_t *ret_n_repairs);

#endif
