#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <yaml.h>

#include "accesslog/buf.h"
#include "support.h"

/* Input that ends at an unmapped page */

static size_t
page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t
whole_pages(size_t n)
{
	return (n + page_bytes() - 1) / page_bytes() * page_bytes();
}

/*
 * One mapping of each number of pages is kept: with a mapping a call, those
 * that look at a line cut at each byte spend most of their time in mmap(2),
 * and under the thread sanitizer nearly all of it.
 */
#define MAX_KEPT_PAGES 32
static _Atomic(char *) kept[MAX_KEPT_PAGES + 1];

static char *
map_guarded(size_t size)
{
	char *base = mmap(NULL, size + page_bytes(), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED ||
	    mprotect(base + size, page_bytes(), PROT_NONE)) {
		fail_msg("no memory for %zu guarded bytes", size);
		return NULL;
	}
	return base;
}

char *
support_guarded(const void *bytes, size_t n)
{
	size_t size = whole_pages(n);
	size_t n_pages = size / page_bytes();
	char *base = NULL;

	if (n_pages <= MAX_KEPT_PAGES)
		base = atomic_exchange(&kept[n_pages], NULL);
	if (!base)
		base = map_guarded(size);
	if (n)
		memcpy(base + size - n, bytes, n);
	return base + size - n;
}

void
support_guarded_free(char *guarded, size_t n)
{
	size_t size = whole_pages(n);
	size_t n_pages = size / page_bytes();
	char *base = guarded + n - size;

	if (n_pages <= MAX_KEPT_PAGES) {
		/* Who reads on after this finds nothing that he knows. */
		memset(base, 0xDD, size);
		base = atomic_exchange(&kept[n_pages], base);
	}
	if (base)
		assert_int_equal(munmap(base, size + page_bytes()), 0);
}

struct str
support_guarded_str(struct str s)
{
	return str_of(support_guarded(s.data, s.len), s.len);
}

void
support_guarded_str_free(struct str s)
{
	support_guarded_free((char *)(uintptr_t)s.data, s.len);
}

/*
 * Allocations that fail.  The linker gives every call of malloc() in the core
 * and in the tests to __wrap_malloc() (--wrap in the Makefile).
 */

static atomic_ulong n_asked;
static atomic_ulong fail_at; /* 0: none */
static atomic_bool did_fail;
bool support_jit_fails;

void
support_fail_allocation(unsigned long nth)
{
	did_fail = false;
	n_asked = 0;
	fail_at = nth;
}

void
support_stop_failing(void)
{
	fail_at = 0;
}

bool
support_did_fail(void)
{
	return did_fail;
}

unsigned long
support_n_allocations(void)
{
	return n_asked;
}

static bool
fails_now(void)
{
	if (++n_asked != fail_at)
		return false;
	did_fail = true;
	return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

void *
__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails_now() ? NULL : __real_reallocarray(p, n, size);
}

char *
__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t n)
{
	return fails_now() ? NULL : __real_strndup(text, n);
}

/*
 * PCRE2 is a shared library, whose calls the linker does not see; it allocates
 * with the functions of the context that it is given.
 */

static pcre2_general_context *general;

static void *
pcre2_malloc(size_t n, void *data)
{
	(void)data;
	return fails_now() ? NULL : __real_malloc(n);
}

static void
pcre2_free(void *p, void *data)
{
	(void)data;
	free(p);
}

static void __attribute__((constructor)) create_contexts(void)
{
	general = pcre2_general_context_create(pcre2_malloc, pcre2_free, NULL);
	if (!general)
		abort();
}

static void __attribute__((destructor)) free_contexts(void)
{
	pcre2_general_context_free(general);
}

pcre2_compile_context *__real_pcre2_compile_context_create_8(
    pcre2_general_context *context);
pcre2_compile_context *__wrap_pcre2_compile_context_create_8(
    pcre2_general_context *context);
pcre2_match_context *__real_pcre2_match_context_create_8(
    pcre2_general_context *context);
pcre2_match_context *__wrap_pcre2_match_context_create_8(
    pcre2_general_context *context);

pcre2_compile_context *
__wrap_pcre2_compile_context_create_8(pcre2_general_context *context)
{
	return __real_pcre2_compile_context_create_8(
	    context ? context : general);
}

pcre2_match_context *
__wrap_pcre2_match_context_create_8(pcre2_general_context *context)
{
	return __real_pcre2_match_context_create_8(context ? context : general);
}

/*
 * Machine code is made when a pattern is first matched, and matching does
 * without it where there is no memory for it: nobody is told of that.
 */

int __real_pcre2_jit_compile_8(pcre2_code *code, uint32_t options);
int __wrap_pcre2_jit_compile_8(pcre2_code *code, uint32_t options);

int
__wrap_pcre2_jit_compile_8(pcre2_code *code, uint32_t options)
{
	unsigned long n = n_asked;
	unsigned long at = fail_at;
	int error = PCRE2_ERROR_NOMEMORY;

	if (support_jit_fails)
		return error;
	fail_at = 0;
	error = __real_pcre2_jit_compile_8(code, options);
	fail_at = at;
	n_asked = n;
	return error;
}

/*
 * libyaml has no such functions to be given, and reports with its own error
 * what its malloc() does not give: each call that allocates is one that fails.
 */

int __real_yaml_parser_initialize(yaml_parser_t *parser);
int __wrap_yaml_parser_initialize(yaml_parser_t *parser);
int __real_yaml_parser_parse(yaml_parser_t *parser, yaml_event_t *event);
int __wrap_yaml_parser_parse(yaml_parser_t *parser, yaml_event_t *event);

int
__wrap_yaml_parser_initialize(yaml_parser_t *parser)
{
	return fails_now() ? 0 : __real_yaml_parser_initialize(parser);
}

int
__wrap_yaml_parser_parse(yaml_parser_t *parser, yaml_event_t *event)
{
	if (!fails_now())
		return __real_yaml_parser_parse(parser, event);
	parser->error = YAML_MEMORY_ERROR;
	return 0;
}

/* Assertions */

void
support_assert_str(struct str actual, struct str expected, const char *file,
    int line)
{
	if (actual.data && str_equal(actual, expected))
		return;
	print_error("%s%.*s%s != \"%.*s\"\n", actual.data ? "\"" : "no value",
	    STR_ARGS(actual), actual.data ? "\"" : "", STR_ARGS(expected));
	_fail(file, line);
}

void
support_assert_no_value(struct str actual, const char *file, int line)
{
	if (!actual.data)
		return;
	print_error("\"%.*s\" != no value\n", STR_ARGS(actual));
	_fail(file, line);
}

void
support_note_error(void *arg, const struct config_error *e)
{
	struct buf *told = arg;

	buf_add_u64(told, e->line);
	buf_add_char(told, ':');
	buf_add_u64(told, e->column);
	buf_add(told, STR(": "));
	buf_add_text(told, e->text);
	buf_add_char(told, '\n');
}
