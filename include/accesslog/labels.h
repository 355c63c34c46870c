/*
 * Label values from a log are hostile.  This makes them fit to be shown, and
 * is the only home of the policy on how many there may be.
 *
 * A value is made valid UTF-8 (RFC 3629: each maximal invalid part becomes
 * U+FFFD), cut at a code point boundary to the length that its metric allows,
 * and escaped for the exposition once, when its series is created.
 *
 * What the log has escaped (\x22, \") is shown as the log has it: decoding it
 * would make two texts in the log one series, and invite control characters.
 */
#ifndef ACCESSLOG_LABELS_H
#define ACCESSLOG_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/config.h"
#include "accesslog/str.h"

/* The value of a label past its budget. */
#define LABELS_OTHER STR("other")

/* Room for one clean value. */
struct labels_scratch {
	char bytes[BOUNDS_LABEL_VALUE_MOST_BYTES];
};

/*
 * max_bytes  at most BOUNDS_LABEL_VALUE_MOST_BYTES
 *
 * Returns value itself where it is valid and short enough, which costs one
 * pass; else a cleaned copy in scratch.
 */
struct str labels_clean(struct str value, size_t max_bytes,
    struct labels_scratch *scratch);

/* Adds a clean value to out: backslash, quote and newline escaped. */
void labels_escape(struct str value, struct buf *out);

/*
 * What config_normalizer says, of one value; the result is value, a part of
 * it, a constant, or in room.
 *
 *	method        the eight of RFC 9110 and PATCH as they are, else `other`;
 *	              methods are case-sensitive, so `get` is `other`
 *	status_class  2xx; `-` for what is no status
 *	path          up to the first ? or #; each segment that is a number, a
 *	              UUID, a date (2026-01-31, 2026-01, 2026-01-31T23:59:59Z),
 *	              or eight hexadecimal digits or more with a decimal one
 *	              among them, becomes `:id`; percent-encoding is left alone
 *	host          lower case, without port and trailing dot; the brackets of
 *	              an IPv6 address stay
 *
 * room  as long as value, and BOUNDS_LABEL_VALUE_MOST_BYTES at least
 */
struct str labels_method(struct str value);
struct str labels_status_class(struct str value);
struct str labels_path(struct str value, struct labels_scratch *room);
struct str labels_host(struct str value, struct labels_scratch *room);

/*
 * From the values of a field to the values of one label:
 *
 *	field -> normaliser -> first rule that matches -> clean, cut -> budget
 *
 * A field without a value is `-`, as servers log it.  A value past the budget
 * is `other`; one that had room once has it for good, so that each is counted
 * in one series.  What became of a value is remembered in a table of bounded
 * size, so that expressions run once for values that come often.
 */
struct labels;

/*
 * spec       borrowed during the call; BOUNDS_LABEL_VALUE_BYTES where its
 *            max_bytes is 0
 * hash_seed  random
 * reterr     line and column of the rule that is wrong
 *
 * Returns 0, -EINVAL, -ENOMEM.
 */
int labels_create(const struct config_label *spec, uint64_t hash_seed,
    struct labels **ret_labels, struct config_error *reterr)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void labels_destroy(struct labels *l);

/*
 * raw             the field; data == NULL: none
 * ret_value       valid until the next call for the same l; untouched on
 *                 failure
 * ret_overflowed  the value is `other` for want of budget
 *
 * Returns 0 or -ENOMEM; calling again then gives what this call would have.
 * Thread: one at a time for l.  Cost: a hash, and no allocation for a value
 * that is within the budget already; the rules for one that is not remembered.
 */
int labels_value(struct labels *l, struct str raw, struct str *ret_value,
    bool *ret_overflowed) __attribute__((warn_unused_result));

/*
 * A value that has its place in the budget from the start, because there is a
 * series of it.
 *
 * Returns 0 or -ENOMEM.
 */
int labels_admit(struct labels *l, struct str value)
    __attribute__((warn_unused_result));

/*
 * The value of a `status` label: the three digits, or "-" for every line
 * without a status that can be one.
 */
static inline struct str
labels_status(struct str text)
{
	return text.data && text.len == 3 ? text : STR("-");
}

#endif
