/*
 * nginx's lists of times: one for each server that a request was sent to.
 *
 *	0.001, 0.002 : 0.003
 *	     ^       ^
 *	     next    internal redirect to another group of servers
 *
 * "-" is an attempt without a time, an empty place is no attempt: the list may
 * end with its separator ("0.001 : "), which nginx writes when nothing
 * followed.  Source: ngx_http_upstream_response_time_variable in nginx'
 * ngx_http_upstream.c.
 */
#ifndef ACCESSLOG_TIMES_H
#define ACCESSLOG_TIMES_H

#include <stddef.h>

#include "accesslog/decimal.h"
#include "accesslog/str.h"

enum times_result {
	TIMES_OK,
	TIMES_NONE, /* no attempt has a time: no observation, not 0 */
	TIMES_MALFORMED,
};

/* What can be read from a list. */
struct times {
	struct decimal sum; /* what the client waited for, all in all */
	struct decimal last; /* the attempt that answered */
	size_t n_attempts; /* with or without a time */
};

/*
 * shift      as decimal_parse()
 * ret_times  untouched unless TIMES_OK
 */
enum times_result times_parse(struct str text, unsigned shift,
    struct times *ret_times);

#endif
