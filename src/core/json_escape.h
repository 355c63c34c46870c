/*
 * Escapes in the strings of JSON: RFC 8259, section 7.
 */
#ifndef ACCESSLOG_JSON_ESCAPE_H
#define ACCESSLOG_JSON_ESCAPE_H

#include <stddef.h>

#include "accesslog/str.h"

/*
 * Decodes the escape at the front of text, which is '\' and something.  NUL and
 * half of a surrogate pair become U+FFFD.
 *
 * out      room for as many bytes as the escape has, and never more
 * ret_len  how many were written; untouched where it is none
 *
 * Returns the length of the escape; 0 where it is none.
 */
size_t json_escape_decode(struct str text, char *out, size_t *ret_len);

#endif
