/*
 * /metrics as unit tests look at it.
 */
#ifndef ACCESSLOG_TESTS_RENDERED_H
#define ACCESSLOG_TESTS_RENDERED_H

#include <stddef.h>

#include "accesslog/buf.h"
#include "accesslog/registry.h"

/* The page, with a NUL at its end; buf_release(). */
struct buf rendered_page(struct registry *r);

/* What room there must be for the value of a series. */
#define RENDERED_VALUE_BYTES 64

/*
 * The value of one series as the page has it, or "absent".
 *
 * series  with its labels, such as `accesslog_requests_total{status="200"}`
 * to      where it is written
 *
 * Returns to.
 */
const char *rendered_value(struct registry *r, const char *series,
    char to[RENDERED_VALUE_BYTES]);

#endif
