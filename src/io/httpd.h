/*
 * The HTTP server: listening addresses, routes, limits.  The only file that
 * includes microhttpd.h.
 *
 * One libmicrohttpd thread an address, asleep in poll(2) while nobody asks.  A
 * handler runs on that thread, fills a reply and may block for as long as its
 * own deadline allows; slow readers and slow senders never hold a thread.
 *
 * A hostile client cannot lock others out.  When an address has more than
 * BOUNDS_HTTP_CONNECTIONS_BUSY connections, one of the peer that holds the most
 * is closed to make room: first one that has stalled, first one without a
 * request in progress, first the oldest.  The same happens when the answers
 * that clients have not taken yet hold too much memory.  A request, with its
 * body, that is not complete after twice BOUNDS_HTTP_IDLE_SECONDS is closed
 * when another connection comes.  A peer is an IPv4 address or an IPv6 /64.
 *
 * It does not know what a metric is, writes no log and never exits.
 */
#ifndef ACCESSLOG_HTTPD_H
#define ACCESSLOG_HTTPD_H

#include <stdbool.h>
#include <stdint.h>

#include "accesslog/buf.h"

struct httpd;

struct httpd_request {
	const char *path; /* without the query; borrowed */
	const char *accept; /* the Accept header, or NULL; borrowed */
	/* X-Prometheus-Scrape-Timeout-Seconds in ms, 0 where not announced. */
	uint32_t scrape_timeout_ms;
};

struct httpd_reply {
	unsigned status; /* 200 unless the handler says otherwise */
	const char *content_type; /* borrowed, static */
	uint32_t retry_after_seconds; /* 0: no such header */
	struct buf body; /* initialised by httpd, filled by the handler */
	const char *allow; /* httpd's own: what a 405 says */
};

/*
 * Answer one GET or HEAD.  A body in error (buf_status) is answered with 500.
 * Thread: the address' HTTP thread; several addresses call concurrently.
 */
typedef void (*httpd_handler_fn)(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply);

/*
 * Told of every answer, with its status, on the HTTP thread, just after the
 * handler (also for 404, 405 and 500; not for what is no HTTP or too long,
 * which libmicrohttpd turns away by itself).  path: as in the request.
 */
typedef void (*httpd_answered_fn)(void *arg, const char *path, unsigned status);

struct httpd_route {
	const char *path; /* exact; borrowed for the life of the server */
	httpd_handler_fn handler;
	bool is_post; /* answers POST and PUT only; else GET and HEAD only */
	const char *needs; /* a 404 says that; NULL: there is such a page */
};

/*
 * routes    copied (the strings borrowed); n_routes of them; a 404 points to
 *           the first
 * arg       passed to every handler and to answered
 * answered  or NULL
 *
 * Returns 0 or -ENOMEM.  Nothing listens yet.
 */
int httpd_create(const struct httpd_route *routes, size_t n_routes, void *arg,
    httpd_answered_fn answered, struct httpd **ret_httpd)
    __attribute__((warn_unused_result));

/*
 * Listen on one more address and serve it from a thread of its own.
 *
 * address      "HOST:PORT", ":PORT", "PORT", "[V6]:PORT"; PORT 0 takes a free
 *              one.  Without HOST, or with "*": every address, IPv6 and IPv4
 *              (IPv4 alone where the kernel has no IPv6).  HOST may be a name:
 *              its first address is taken.
 * ret_bound    where it really listens, as "HOST:PORT" ("[::]:9649"), owned by
 *              the server
 * reterr_text  what is wrong and what to write instead; owned by the server,
 *              valid until the next call
 *
 * Returns 0; -EINVAL when the address cannot be read; -EADDRINUSE, -EACCES,
 * -EADDRNOTAVAIL ... from the system; -ENOMEM.
 */
int httpd_listen(struct httpd *h, const char *address, const char **ret_bound,
    const char **reterr_text) __attribute__((warn_unused_result));

/*
 * Stops listening, closes every connection, joins the threads, frees.  Blocks
 * for as long as a handler that is running takes.  NULL does nothing.
 */
void httpd_destroy(struct httpd *h);

#endif
