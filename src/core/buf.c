#include "accesslog/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 256

void
buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){ .max_bytes = max_bytes };
}

void
buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max_bytes);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

int
buf_status(const struct buf *b)
{
	return b->error;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t capacity;
	char *data;

	if (b->error)
		return NULL;
	if (n > b->max_bytes - b->len) {
		b->error = -EOVERFLOW;
		return NULL;
	}
	if (n <= b->capacity - b->len && b->data)
		return b->data + b->len;

	capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
	while (capacity - b->len < n && capacity <= b->max_bytes / 2)
		capacity *= 2;
	if (capacity - b->len < n || capacity > b->max_bytes)
		capacity = b->max_bytes;

	data = realloc(b->data, capacity ? capacity : 1);
	if (!data) {
		b->error = -ENOMEM;
		return NULL;
	}
	b->data = data;
	b->capacity = capacity;
	return b->data + b->len;
}

void
buf_add(struct buf *b, struct str bytes)
{
	char *end;

	if (!bytes.len)
		return;
	end = buf_reserve(b, bytes.len);
	if (!end)
		return;
	memcpy(end, bytes.data, bytes.len);
	b->len += bytes.len;
}

void
buf_add_char(struct buf *b, char c)
{
	buf_add(b, str_of(&c, 1));
}

void
buf_add_text(struct buf *b, const char *text)
{
	buf_add(b, str_from(text));
}

void
buf_add_u64(struct buf *b, uint64_t value)
{
	char digits[20]; /* UINT64_MAX has 20 of them */
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(b, str_of(digits + i, sizeof(digits) - i));
}

void
buf_add_format(struct buf *b, const char *format, ...)
{
	va_list args;
	char *end;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(n >= 0);

	end = buf_reserve(b, (size_t)n + 1);
	if (!end)
		return;
	va_start(args, format);
	(void)vsnprintf(end, (size_t)n + 1, format, args);
	va_end(args);
	b->len += (size_t)n;
}

struct str
buf_str(const struct buf *b)
{
	return str_of(b->data ? b->data : "", b->len);
}

char *
buf_take(struct buf *b)
{
	char *data = b->data;

	buf_init(b, b->max_bytes);
	return data;
}
