/*
 * The values of one JSON line as texts by slot: what pattern.h does for the
 * formats of text.
 *
 * A line is a request when it is an object that has one of request, status and
 * bytes, with a value that is neither null nor an object.
 *
 * What JSON writes otherwise than text does is made equal: 0 for a status that
 * was never sent is 000, a number with an exponent is written out where a
 * number is wanted, [] around a time of Apache's are taken off.
 */
#ifndef ACCESSLOG_PARSER_JSON_H
#define ACCESSLOG_PARSER_JSON_H

#include "accesslog/entry.h"
#include "accesslog/fields.h"
#include "accesslog/format.h"
#include "accesslog/str.h"

struct parser_json;

/*
 * format  of the kind FORMAT_JSON; borrowed during the call
 * wanted  borrowed for the life of the parser_json
 *
 * Returns 0 or -ENOMEM.
 */
int parser_json_create(const struct format *format, const struct fields *wanted,
    struct parser_json **ret_parser) __attribute__((warn_unused_result));

/* NULL does nothing. */
void parser_json_destroy(struct parser_json *p);

/* The wanted fields that the format has, as bits of their slots. */
uint64_t parser_json_fields(const struct parser_json *p);

/* The unit of a slot in the line read last, as decimal_parse() takes it. */
unsigned parser_json_shift(const struct parser_json *p, size_t slot);

/*
 * ret_entry  text, errors and n_repairs of all slots; written where the answer
 *            is true.  A path that is not in the line is no error.
 * ret_whole  the line is JSON, and has a third or more of the wanted fields:
 *            which fields a server logs is up to people, but a line that has
 *            only `status` in common with a format is not of that format
 *
 * Returns whether the line is a request.  Cost: no allocation.
 */
bool parser_json_read(struct parser_json *p, struct str line,
    struct entry *ret_entry, bool *ret_whole);

#endif
