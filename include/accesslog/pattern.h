/*
 * A format compiled to PCRE2, and the rules that users write for the values of
 * fields.  The only file that includes pcre2.h.
 *
 * Only the fields asked for are captured, and matching stops after the last
 * of them, but never before the core:
 *
 *	(?> core )(?> up to the 1st wanted field of the tail (?> 2nd )?+ )?+
 *
 * The core is atomic, so what follows can never change how it is read: which
 * fields are in use changes no count.  A field of the tail that does not fit
 * leaves itself and the later ones without a value.
 *
 * The work for one line is bounded (BOUNDS_MATCH_STEPS).  A line that costs
 * more in its tail is matched again by its core alone.
 */
#ifndef ACCESSLOG_PATTERN_H
#define ACCESSLOG_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "accesslog/bounds.h"
#include "accesslog/config_error.h"
#include "accesslog/fields.h"
#include "accesslog/format.h"

struct pattern;

enum pattern_result {
	PATTERN_FITS,
	PATTERN_DIFFERS, /* the core does not fit */
	PATTERN_TOO_COSTLY, /* the core was given up on at the limit */
};

/*
 * format       borrowed during the call
 * wanted       borrowed during the call
 * whole        also find out whether the line ends where the format ends
 * ret_pattern  owned by the caller, pattern_destroy(); untouched on failure
 * reterr       what PCRE2 says of the user's expression; only with -EINVAL
 *
 * Returns 0, -EINVAL, -ENOMEM.
 */
int pattern_create(const struct format *format, const struct fields *wanted,
    bool whole, struct pattern **ret_pattern, struct config_error *reterr)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void pattern_destroy(struct pattern *p);

/* The wanted fields that the format has, as bits of their slots. */
uint64_t pattern_fields(const struct pattern *p);

/* The unit of a slot, as decimal_parse() takes it; 0 for fields without. */
unsigned pattern_shift(const struct pattern *p, size_t slot);

/*
 * Match one line from its first byte.
 *
 * values     by slot: slices of the line, or { NULL, 0 } where the field did
 *            not fit; only the slots of pattern_fields() are written, and only
 *            when the answer is PATTERN_FITS
 * ret_whole  whether the line ends where the format ends; false unless asked
 *            for at creation; may be NULL
 *
 * Thread: one at a time for a pattern.  Cost: linear in the line for the
 * shipped formats; bounded for all.
 */
enum pattern_result pattern_match(struct pattern *p, struct str line,
    struct str values[], bool *ret_whole);

/*
 * A rule: a regular expression, found anywhere in a value, and what the whole
 * value becomes.
 */
struct pattern_rule;

/*
 * regex        a PCRE2 expression over bytes
 * replacement  $1, ${1} or ${name} is what that group captured, nothing where
 *              it did not; $$ is a dollar sign.  data == NULL: the rule only
 *              says whether a value matches
 * ret_rule     owned by the caller, pattern_rule_destroy(); untouched on
 *              failure
 * reterr       with the column in regex, or none for the replacement
 *
 * Returns 0, -EINVAL, -ENOMEM.
 */
int pattern_rule_create(struct str regex, struct str replacement,
    struct pattern_rule **ret_rule, struct config_error *reterr)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void pattern_rule_destroy(struct pattern_rule *r);

/* Whether value matches; one that is given up on at the limit does not. */
bool pattern_rule_matches(struct pattern_rule *r, struct str value);

/*
 * Replace value, if it matches and the rule has a replacement.
 *
 * room        BOUNDS_RULE_BYTES; what does not fit is cut off; must not overlap
 *             value
 * ret_result  into room; untouched where the answer is false
 *
 * Thread: one at a time for a rule.  Cost: bounded, no allocation.
 */
bool pattern_rule_apply(struct pattern_rule *r, struct str value,
    char room[BOUNDS_RULE_BYTES], struct str *ret_result);

/*
 * Whether a line begins as the first n_items of a format do, which end outside
 * of every group and field; for explain.h, as it compiles them each time.
 *
 * ret_fits  false also where the answer would cost too much
 * ret_len   bytes of the line that they take; only where they fit
 *
 * Returns 0, -ENOMEM, or -EINVAL for a format that pattern_create() refuses.
 */
int pattern_match_prefix(const struct format *format, size_t n_items,
    struct str line, bool *ret_fits, size_t *ret_len)
    __attribute__((warn_unused_result));

#endif
