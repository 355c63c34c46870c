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

#include <stddef.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
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
 * The value of a `status` label: the three digits, or "-" for every line
 * without a status that can be one.
 */
static inline struct str
labels_status(struct str text)
{
	return text.data && text.len == 3 ? text : STR("-");
}

#endif
