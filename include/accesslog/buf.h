/*
 * Growable bytes with a hard maximum.
 *
 * Writers add without looking; the first failure sticks, later additions do
 * nothing, and buf_status() says at the end whether everything is there.  So
 * a renderer is straight-line code with one check.
 */
#ifndef ACCESSLOG_BUF_H
#define ACCESSLOG_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "accesslog/str.h"

struct buf {
	char *data; /* owned; NULL while nothing was added */
	size_t len;
	size_t capacity;
	size_t max_bytes;
	int error; /* 0, -ENOMEM or -EOVERFLOW; sticks until buf_clear() */
};

/* max_bytes: what it may ever hold; -EOVERFLOW beyond.  Allocates nothing. */
void buf_init(struct buf *b, size_t max_bytes);

/* Frees the bytes; b is then as after buf_init(). */
void buf_release(struct buf *b);

/* Empties it and forgets the error; the memory stays. */
void buf_clear(struct buf *b);

/* Returns 0, -ENOMEM or -EOVERFLOW: of the first addition that failed. */
int buf_status(const struct buf *b) __attribute__((warn_unused_result));

void buf_add(struct buf *b, struct str bytes);
void buf_add_char(struct buf *b, char c);

/* text: terminated. */
void buf_add_text(struct buf *b, const char *text);

/* In decimal digits, without printf and so without a locale. */
void buf_add_u64(struct buf *b, uint64_t value);

/* printf for places that are not hot. */
void buf_add_format(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Makes room for n more bytes.  Returns where they go, or NULL on a failure,
 * which sticks; the caller writes at most n bytes there and adds what it wrote
 * to b->len.
 */
char *buf_reserve(struct buf *b, size_t n);

/* The bytes so far; borrowed, valid until the next addition. */
struct str buf_str(const struct buf *b);

/* Returns the bytes, owned by the caller (free()); b is empty afterwards. */
char *buf_take(struct buf *b);

#endif
