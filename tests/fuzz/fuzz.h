/*
 * What the fuzz targets share.  Each checks what must hold for every input
 * with assert(), so that libFuzzer and the replay see it as a crash.
 */
#ifndef ACCESSLOG_TESTS_FUZZ_H
#define ACCESSLOG_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "accesslog/buf.h"
#include "accesslog/str.h"

/* What libFuzzer and replay.c call.  Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next number of a sequence that the input began: splitmix64. */
static inline uint64_t
fuzz_next(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

/* The first byte of an input, cut off its front; 0 where there is none. */
static inline uint8_t
fuzz_byte(struct str *input)
{
	uint8_t byte;

	if (!input->len)
		return 0;
	byte = (uint8_t)input->data[0];
	*input = str_after(*input, 1);
	return byte;
}

/*
 * Small inputs for what only happens to long lines and long holes:
 *
 *	FF c n		becomes c, n * 1024 + 1 times
 *
 * and every other byte itself.  Adds at most max_bytes to out.
 */
static inline void
fuzz_expand(struct str input, size_t max_bytes, struct buf *out)
{
	buf_init(out, max_bytes);
	while (input.len) {
		uint8_t c = fuzz_byte(&input);
		size_t n = 1;
		char *end;

		if (c == 0xFF && input.len >= 2) {
			c = fuzz_byte(&input);
			n = fuzz_byte(&input) * (size_t)1024 + 1;
		}
		end = buf_reserve(out, n);
		if (!end)
			return;
		memset(end, c, n);
		out->len += n;
	}
}

/* A copy of s in an allocation of just its size; free(data). */
static inline struct str
fuzz_exact(struct str s)
{
	char *copy = malloc(s.len ? s.len : 1);

	if (!copy)
		abort();
	if (s.len)
		memcpy(copy, s.data, s.len);
	return str_of(copy, s.len);
}

#endif
