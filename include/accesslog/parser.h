/*
 * One line and one format to an entry, or a reason why not.
 *
 * It finds the fields (scanner.h, and pattern.h where that cannot tell),
 * decodes the numbers, and derives what a format does not write on its own from
 * what it does: request_method, request_uri and server_protocol from request,
 * uri from request_uri.
 *
 * Lines of JSON need not have all fields: one that is absent has no value, and
 * is derived where it can be.
 *
 * A field that is there and cannot be decoded has no value and its bit in
 * entry->errors; the line is a request all the same.
 */
#ifndef ACCESSLOG_PARSER_H
#define ACCESSLOG_PARSER_H

#include "accesslog/config_error.h"
#include "accesslog/entry.h"
#include "accesslog/fields.h"
#include "accesslog/format.h"

struct parser;

enum parser_result {
	PARSER_PARSED,
	PARSER_UNPARSED,
};

/*
 * wanted  the fields to fill in; copied (its names borrowed for the life of
 *         the parser)
 * whole   also find out whether lines end where the format ends; then every
 *         line is PCRE2's
 * others  as pattern_create()
 *
 * Returns 0, -EINVAL with reterr, -ENOMEM, or -ENOSPC where wanted leaves no
 * room for the fields that others derive from.
 */
int parser_create(const struct format *format, const struct fields *wanted,
    bool whole, struct parser **ret_parser, struct config_error *reterr)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void parser_destroy(struct parser *p);

/* The wanted fields that lines of this format can have, as bits of slots. */
uint64_t parser_fields(const struct parser *p);

/* Whether lines that have source, and not field, get field from it. */
bool parser_derives(struct str field, struct str source);

/*
 * ret_entry  the parser's own, until its next line; untouched unless
 *            PARSER_PARSED
 * ret_whole  as pattern_match(); may be NULL
 *
 * Thread: one at a time for a parser.  Cost: no allocation.
 */
enum parser_result parser_parse(struct parser *p, struct str line,
    const struct entry **ret_entry, bool *ret_whole);

#endif
