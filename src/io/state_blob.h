/*
 * Numbers and texts in the blobs of the state: numbers with the high byte
 * first, texts after their length in two bytes.
 */
#ifndef ACCESSLOG_STATE_BLOB_H
#define ACCESSLOG_STATE_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "accesslog/buf.h"
#include "accesslog/str.h"

/* Returns where the next one goes. */
static inline char *
state_blob_put_number(char *to, uint64_t value, unsigned n_bytes)
{
	while (n_bytes-- > 0)
		*to++ = (char)(unsigned char)(value >> 8 * n_bytes);
	return to;
}

/* Cuts it off the front of from, which is long enough. */
static inline uint64_t
state_blob_cut_number(struct str *from, unsigned n_bytes)
{
	uint64_t value = 0;

	while (n_bytes-- > 0) {
		value = value << 8 | (unsigned char)from->data[0];
		*from = str_after(*from, 1);
	}
	return value;
}

/* Cuts a text with its length off the front; false where it ends before. */
static inline bool
state_blob_cut_text(struct str *from, struct str *ret_text)
{
	size_t len;

	if (from->len < 2)
		return false;
	len = (size_t)state_blob_cut_number(from, 2);
	if (from->len < len)
		return false;
	*ret_text = str_of(from->data, len);
	*from = str_after(*from, len);
	return true;
}

#endif
