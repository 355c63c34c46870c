/*
 * Where lines come from besides files: what the user wrote, to what it is.
 *
 *	-                             standard input
 *	syslog+udp://127.0.0.1:5514   datagrams, RFC 3164 and 5424
 *	syslog+unix:///run/x.sock     the same, from a socket of this machine
 *	json+tcp://127.0.0.1:5170     lines of JSON, from many connections
 *
 * Everything else is a path.  It looks at the text only.
 */
#ifndef ACCESSLOG_ENDPOINT_H
#define ACCESSLOG_ENDPOINT_H

#include "accesslog/config_error.h"

enum endpoint_kind {
	ENDPOINT_PATH,
	ENDPOINT_STDIN,
	ENDPOINT_SYSLOG_UDP,
	ENDPOINT_SYSLOG_UNIX,
	ENDPOINT_JSON_TCP,
};

struct endpoint {
	enum endpoint_kind kind;
	/* HOST:PORT, [IPV6]:PORT, :PORT, or a path; borrowed from the text. */
	const char *address;
};

/*
 * Returns 0; -EINVAL with reterr (without line and column) for a URL that is
 * none of these, ret_endpoint untouched.
 */
int endpoint_parse(const char *text, struct endpoint *ret_endpoint,
    struct config_error *reterr) __attribute__((warn_unused_result));

#endif
