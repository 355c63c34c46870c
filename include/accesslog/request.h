/*
 * The request line as it is logged, in its three parts:
 *
 *	GET /a path with spaces?q=1 HTTP/1.1
 *	^^^ ^^^^^^^^^^^^^^^^^^^^^^^ ^^^^^^^^
 *	method        uri           protocol
 *
 * RFC 9112 section 3 says what a request line is; what is logged is whatever
 * a client sent instead.  A part that cannot be told has no value:
 *
 *	GET /              HTTP/0.9: no protocol
 *	GET                no uri
 *	-                  nothing was received (408): no part
 *	\x16\x03\x01       TLS on a plain port: no part
 */
#ifndef ACCESSLOG_REQUEST_H
#define ACCESSLOG_REQUEST_H

#include "accesslog/str.h"

struct request {
	struct str method;
	struct str uri;
	struct str protocol;
};

/* line: borrowed; the parts point into it. */
struct request request_split(struct str line);

/* The path of a uri: without query and fragment. */
struct str request_path(struct str uri);

#endif
