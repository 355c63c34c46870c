/*
 * A borrowed run of bytes: a pointer and a length, never terminated, never
 * owned.  It is passed by value and lives as long as what it points into.
 *
 * A str with data == NULL is "no value"; one with len == 0 and data != NULL
 * is an empty value.  The two are different to every reader of an entry.
 */
#ifndef ACCESSLOG_STR_H
#define ACCESSLOG_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *data;
	size_t len;
};

/* A literal as a str, its length known to the compiler. */
#define STR(literal)                                                           \
	((struct str){ .data = ("" literal), .len = sizeof(literal) - 1 })

/* The arguments of "%.*s" for s; the text must be shorter than INT_MAX. */
#define STR_ARGS(s) (int)(s).len, (s).data

static inline struct str
str_of(const char *data, size_t len)
{
	return (struct str){ .data = data, .len = len };
}

/* text: terminated; borrowed. */
static inline struct str
str_from(const char *text)
{
	return str_of(text, strlen(text));
}

static inline bool
str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.data, b.data, a.len));
}

static inline bool
str_starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	    str_equal(str_of(s.data, prefix.len), prefix);
}

static inline bool
str_ends_with(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	    str_equal(str_of(s.data + (s.len - suffix.len), suffix.len),
		suffix);
}

/* What is left of s after its first n bytes; n <= s.len. */
static inline struct str
str_after(struct str s, size_t n)
{
	return str_of(s.data + n, s.len - n);
}

/* The place of the first c in s, or s.len. */
static inline size_t
str_find_char(struct str s, char c)
{
	const char *hit = s.len ? memchr(s.data, c, s.len) : NULL;

	return hit ? (size_t)(hit - s.data) : s.len;
}

#endif
