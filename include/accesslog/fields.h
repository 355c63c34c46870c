/*
 * Names of fields (nginx's variable names), what kind of value each has, and
 * the set of fields that the metrics in use want.
 *
 * A field's slot is its place in the set; an entry has one value a slot.
 */
#ifndef ACCESSLOG_FIELDS_H
#define ACCESSLOG_FIELDS_H

#include <stddef.h>

#include "accesslog/bounds.h"
#include "accesslog/str.h"

enum fields_kind {
	FIELDS_TEXT,
	FIELDS_STATUS, /* three digits, or "-" for no value */
	FIELDS_COUNT, /* digits, or "-" for zero */
	FIELDS_SECONDS, /* digits with or without a fraction; "-": no value */
	/*
	 * A list of seconds as nginx writes it, "," between the servers tried
	 * and " : " between internal redirects; read as their sum.
	 */
	FIELDS_SECONDS_LIST,
	FIELDS_TIME, /* when the request was logged (timestamp.h) */
};

/* The kind of a name; names that are not listed are text. */
enum fields_kind fields_kind_of(struct str name);

/*
 * The field of nginx or Apache that name was meant to be (spelling.h), or NULL;
 * name itself where it is one.
 */
const char *fields_nearest(struct str name);

/*
 * Whether name can be a field: a letter or '_', then letters, digits and '_',
 * at most BOUNDS_LABEL_VALUE_BYTES of them.
 */
bool fields_name_valid(struct str name);

/* The fields in use.  The names are borrowed. */
struct fields {
	size_t n;
	struct str names[BOUNDS_FIELDS];
	enum fields_kind kinds[BOUNDS_FIELDS];
};

#define FIELDS_NO_SLOT BOUNDS_FIELDS

/*
 * Returns the slot of name, adding it when it is new; FIELDS_NO_SLOT when the
 * set is full.
 */
size_t fields_add(struct fields *f, struct str name);

/* Returns the slot of name, or FIELDS_NO_SLOT. */
size_t fields_find(const struct fields *f, struct str name);

#endif
