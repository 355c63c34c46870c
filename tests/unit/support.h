/*
 * What unit tests share: input that ends at an unmapped page, and allocations
 * that fail when they are told to.  Include it after cmocka.h.
 */
#ifndef ACCESSLOG_TESTS_SUPPORT_H
#define ACCESSLOG_TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/config_error.h"
#include "accesslog/str.h"

/*
 * Returns a copy of n bytes whose last one is the last of its page; the page
 * behind it is not mapped, so that reading on ends the program.  Owned by the
 * caller, support_guarded_free() with the same n.
 */
char *support_guarded(const void *bytes, size_t n);
void support_guarded_free(char *guarded, size_t n);

/* The same, as a str and for one. */
struct str support_guarded_str(struct str s);
void support_guarded_str_free(struct str s);

/*
 * The nth allocation from now, counted from 1, fails, and only that one: those
 * of the test, of the core, and of what PCRE2 and libyaml do for the core.  So every
 * place that can fail is run by
 *
 *	for (n = 1;; n++) {
 *		support_fail_allocation(n);
 *		error = what_is_tested();
 *		support_stop_failing();
 *		if (!support_did_fail())
 *			break;
 *		assert_int_equal(error, -ENOMEM);
 *	}
 *
 * Nothing that cmocka or the C library allocates for itself is counted.
 */
void support_fail_allocation(unsigned long nth);
void support_stop_failing(void);

/* PCRE2 cannot make machine code, which else counts as no allocation. */
extern bool support_jit_fails;

/* Whether one has failed since support_fail_allocation(). */
bool support_did_fail(void);

/* How many were asked for since support_fail_allocation(). */
unsigned long support_n_allocations(void);

/* Fails the test and shows both, where they differ. */
#define assert_str(actual, expected)                                           \
	support_assert_str((actual), (expected), __FILE__, __LINE__)
void support_assert_str(struct str actual, struct str expected,
    const char *file, int line);

/* Fails the test where it is not "no value" (str.h). */
#define assert_no_value(actual)                                                \
	support_assert_no_value((actual), __FILE__, __LINE__)
void support_assert_no_value(struct str actual, const char *file, int line);

/* Adds "LINE:COLUMN: TEXT" and a newline.  arg  struct buf * */
void support_note_error(void *arg, const struct config_error *e);

#endif
