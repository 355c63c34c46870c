/*
 * One parsed line: a value for each field in use, as slices into the line,
 * and the numbers decoded from them.  Nothing is owned; it lives as long as
 * the line.  Texts of JSON that had escapes lie in the parser instead, as the
 * entry itself does, until it reads its next line.  The text of a status of 0
 * is 000, wherever it came from.
 */
#ifndef ACCESSLOG_ENTRY_H
#define ACCESSLOG_ENTRY_H

#include <stdint.h>

#include "accesslog/bounds.h"
#include "accesslog/decimal.h"
#include "accesslog/str.h"

struct entry {
	/*
	 * By slot (fields.h).  data == NULL: the format has no such field, or
	 * this line has no value for it.
	 */
	struct str text[BOUNDS_FIELDS];
	struct decimal number[BOUNDS_FIELDS]; /* where its bit is set below */
	uint64_t has_number; /* bit i: number[i] was decoded */
	uint64_t errors; /* bit i: the field is there and does not fit */
	uint32_t n_repairs; /* what the line needed to be JSON (json.h) */
};

#define ENTRY_BIT(slot) (UINT64_C(1) << (slot))

#endif
