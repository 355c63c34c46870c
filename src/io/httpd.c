#include "io/httpd.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "accesslog/bounds.h"
#include "io/listening.h"

#define SECOND_NS 1000000000ull

#define STALLED_NS (BOUNDS_HTTP_STALLED_MS * (SECOND_NS / 1000))
#define DRIPPING_NS (BOUNDS_HTTP_DRIPPING_SECONDS * SECOND_NS)

/*
 * One place in a listener's table.
 *
 * answering  a request was received whole, its answer is not sent whole
 * closing    shut down, and counted no more, but libmicrohttpd has not let go
 * since_ns   when it last got on: it began, its last answer was complete, or
 *            the client took some of the answer in progress
 */
struct connection {
	int fd; /* -1: the place is free */
	bool answering;
	bool closing;
	uint64_t since_ns;
	struct in6_addr peer;
	struct listener *listener;
	char *body; /* owned */
	size_t body_bytes;
	uint64_t sent; /* bytes of it that the kernel took */
};

/* One address.  Only its thread touches what is below daemon. */
struct listener {
	struct httpd *httpd;
	struct listening listening;
	struct MHD_Daemon *daemon;

	unsigned n_open;
	size_t bodies_bytes;
	struct connection connections[BOUNDS_HTTP_CONNECTIONS];
};

struct httpd {
	struct httpd_route *routes;
	size_t n_routes;
	void *arg;
	httpd_answered_fn answered;
	struct listener *listeners[BOUNDS_HTTP_ADDRESSES];
	size_t n_listeners;
	char error_text[LISTENING_ERROR_BYTES];
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

/*
 * Who a connection is counted for: an IPv4 address (mapped into IPv6), or the
 * 64 bits of an IPv6 address which are the network, because a host chooses the
 * other 64 as it likes.
 */
static struct in6_addr
peer_of(const struct sockaddr *address)
{
	struct in6_addr peer = { .s6_addr = { 0 } };

	if (address->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, address, sizeof(v4));
		peer.s6_addr[10] = peer.s6_addr[11] = 0xff;
		memcpy(peer.s6_addr + 12, &v4.sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, address, sizeof(v6));
		peer = v6.sin6_addr;
		if (!IN6_IS_ADDR_V4MAPPED(&peer))
			memset(peer.s6_addr + 8, 0, 8);
	}
	return peer;
}

static bool
peer_equal(const struct connection *a, const struct connection *b)
{
	return !memcmp(&a->peer, &b->peer, sizeof(a->peer));
}

static void
connection_drop_body(struct connection *c)
{
	free(c->body);
	c->listener->bodies_bytes -= c->body_bytes;
	c->body = NULL;
	c->body_bytes = 0;
}

/*
 * libmicrohttpd learns of it from poll(2), in this or the next turn of its
 * loop, and closes the descriptor then.  The answer is freed now, because one
 * turn may bring a request from every connection; and the kernel is told to
 * drop what is unsent, which it would otherwise offer for minutes.
 */
static void
connection_evict(struct connection *c)
{
	const struct linger drop = { .l_onoff = 1, .l_linger = 0 };

	connection_drop_body(c);
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
	shutdown(c->fd, SHUT_RDWR);
	c->closing = true;
	c->listener->n_open--;
}

/* What the peer of c holds: connections, or bytes of answers. */
static size_t
peer_weight(const struct connection *c, bool by_bytes)
{
	const struct connection *d = c->listener->connections;
	size_t weight = 0;

	for (size_t i = 0; i < BOUNDS_HTTP_CONNECTIONS; i++, d++) {
		if (d->fd >= 0 && !d->closing && peer_equal(c, d))
			weight += by_bytes ? d->body_bytes : 1;
	}
	return weight;
}

/* How much a connection deserves to be closed: compared from the top down. */
struct demerit {
	size_t weight; /* what its peer holds; more is worse */
	bool stalled;
	bool idle; /* without a request in progress */
	uint64_t merit; /* less is worse */
};

static bool
demerit_exceeds(const struct demerit *a, const struct demerit *b)
{
	if (a->weight != b->weight)
		return a->weight > b->weight;
	if (a->stalled != b->stalled)
		return a->stalled;
	if (a->idle != b->idle)
		return a->idle;
	return a->merit < b->merit;
}

/*
 * Which connection to close so that another fits: of the peer that holds the
 * most; one that has stalled before one that gets on; one without a request in
 * progress before one with; the oldest, or where memory is short the one with
 * the least of its answer behind it, so that some are always completed.
 *
 * spared  is not it, for it may be the only one of an honest client
 *
 * Returns NULL where there is none.  Cost: connections squared; 20 us for
 * BOUNDS_HTTP_CONNECTIONS_BUSY of one peer.
 */
static struct connection *
find_victim(struct listener *l, const struct connection *spared, bool by_bytes)
{
	uint64_t now = now_ns();
	struct connection *victim = NULL;
	struct demerit most = { .weight = 0 };

	for (size_t i = 0; i < BOUNDS_HTTP_CONNECTIONS; i++) {
		struct connection *c = &l->connections[i];
		struct demerit demerit;

		if (c->fd < 0 || c->closing || c == spared ||
		    (by_bytes && !c->body))
			continue;
		demerit = (struct demerit){
			.weight = peer_weight(c, by_bytes),
			.stalled = now - c->since_ns >= STALLED_NS,
			.idle = !c->answering,
			.merit = by_bytes ? c->sent : c->since_ns,
		};
		if (!victim || demerit_exceeds(&demerit, &most)) {
			victim = c;
			most = demerit;
		}
	}
	return victim;
}

static struct connection *
connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd,
	    MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Returns the place taken, or NULL, where the connection is to be closed. */
static struct connection *
connection_begin(struct listener *l, int fd, const struct sockaddr *address)
{
	uint64_t now = now_ns();
	struct connection *c = NULL;

	for (size_t i = 0; i < BOUNDS_HTTP_CONNECTIONS; i++) {
		struct connection *d = &l->connections[i];

		if (d->fd < 0)
			c = d;
		else if (!d->closing && !d->answering &&
		    now - d->since_ns >= DRIPPING_NS)
			connection_evict(d);
	}
	if (!c)
		return NULL;

	*c = (struct connection){
		.fd = fd,
		.since_ns = now,
		.peer = peer_of(address),
		.listener = l,
	};
	l->n_open++;
	if (l->n_open > BOUNDS_HTTP_CONNECTIONS_BUSY) {
		struct connection *victim = find_victim(l, c, false);

		if (victim)
			connection_evict(victim);
	}
	return c;
}

static void
connection_end(struct connection *c)
{
	connection_drop_body(c);
	if (!c->closing)
		c->listener->n_open--;
	c->fd = -1;
}

/*
 * libmicrohttpd tells of both on the listener's thread: of the beginning right
 * after accept(), of the end right before close(), so fd is never another's.
 */
static void
on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
    enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	const struct sockaddr *address;
	int fd;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*socket_context)
			connection_end(*socket_context);
		*socket_context = NULL;
		return;
	}
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	fd = info->connect_fd;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	address = info->client_addr;
	*socket_context = connection_begin(cls, fd, address);
	if (!*socket_context)
		shutdown(fd, SHUT_RDWR);
}

/* The answer was sent, or never will be. */
static void
on_completed(void *cls, struct MHD_Connection *mhd, void **request_context,
    enum MHD_RequestTerminationCode why)
{
	struct connection *c = connection_of(mhd);

	(void)cls;
	(void)request_context;
	(void)why;
	if (!c)
		return;
	connection_drop_body(c);
	c->answering = false;
	c->since_ns = now_ns();
}

/* Called when everything before offset has gone to the kernel. */
static ssize_t
read_body(void *cls, uint64_t offset, char *to, size_t max_bytes)
{
	struct connection *c = cls;

	if (!c->body)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	memcpy(to, c->body + offset, max_bytes);
	c->since_ns = now_ns();
	c->sent = offset;
	return (ssize_t)max_bytes;
}

/*
 * Seconds in decimal digits, with or without a fraction, to milliseconds; 0
 * for anything else.  Not strtod(), which asks the locale for its comma.
 */
static uint32_t
parse_timeout_ms(const char *text)
{
	uint64_t ms = 0;
	uint64_t unit = 1000;

	if (!text || *text < '0' || *text > '9')
		return 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		ms = ms * 10 + (uint64_t)(*text - '0') * 1000;
		if (ms > UINT32_MAX)
			ms = UINT32_MAX;
	}
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9'; text++) {
			unit /= 10;
			ms += (uint64_t)(*text - '0') * unit;
		}
	}
	if (*text)
		return 0;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* Fills reply, and tells who wants to know. */
static void
answer(const struct httpd *h, struct MHD_Connection *mhd, const char *path,
    const char *method, struct httpd_reply *reply)
{
	const struct httpd_route *route = NULL;
	bool is_read = !strcmp(method, MHD_HTTP_METHOD_HEAD) ||
	    !strcmp(method, MHD_HTTP_METHOD_GET);
	bool is_post = !strcmp(method, MHD_HTTP_METHOD_POST) ||
	    !strcmp(method, MHD_HTTP_METHOD_PUT);

	for (size_t i = 0; i < h->n_routes && !route; i++) {
		if (!strcmp(h->routes[i].path, path))
			route = &h->routes[i];
	}
	if (!route) {
		reply->status = 404;
		buf_add_text(&reply->body, "404: not found");
		if (h->n_routes) {
			buf_add_text(&reply->body, "; try ");
			buf_add_text(&reply->body, h->routes[0].path);
		}
		buf_add_char(&reply->body, '\n');
	} else if (route->needs) {
		reply->status = 404;
		buf_add_format(&reply->body, "404: %s\n", route->needs);
	} else if (route->is_post ? !is_post : !is_read) {
		reply->status = 405;
		reply->allow = route->is_post ? "POST, PUT" : "GET, HEAD";
		buf_add_format(&reply->body, "405: use one of %s\n",
		    reply->allow);
	} else {
		struct httpd_request request = {
			.path = path,
			.accept = MHD_lookup_connection_value(mhd,
			    MHD_HEADER_KIND, "Accept"),
			.scrape_timeout_ms = parse_timeout_ms(
			    MHD_lookup_connection_value(mhd, MHD_HEADER_KIND,
				"X-Prometheus-Scrape-Timeout-Seconds")),
		};

		route->handler(h->arg, &request, reply);
	}
	if (buf_status(&reply->body)) {
		bool too_long = buf_status(&reply->body) == -EOVERFLOW;

		buf_clear(&reply->body);
		reply->status = 500;
		reply->content_type = "text/plain; charset=utf-8";
		reply->retry_after_seconds = 0;
		buf_add_text(&reply->body,
		    too_long ? "500: the answer is too long\n"
			     : "500: out of memory\n");
	}
	if (h->answered)
		h->answered(h->arg, path, reply->status);
}

static bool
add_headers(struct MHD_Response *response, const struct httpd_reply *reply)
{
	char seconds[sizeof("4294967295")];

	if (!MHD_add_response_header(response, "Content-Type",
		reply->content_type) ||
	    !MHD_add_response_header(response, "X-Content-Type-Options",
		"nosniff"))
		return false;
	if (reply->status == 405 &&
	    !MHD_add_response_header(response, "Allow", reply->allow))
		return false;
	if (!reply->retry_after_seconds)
		return true;
	snprintf(seconds, sizeof(seconds), "%u",
	    (unsigned)reply->retry_after_seconds);
	return MHD_add_response_header(response, "Retry-After", seconds);
}

/* An eighth of the body; all of it where it is small; never 0. */
static size_t
block_bytes(size_t len)
{
	if (len / 8 > BOUNDS_HTTP_BLOCK_MAX_BYTES)
		return BOUNDS_HTTP_BLOCK_MAX_BYTES;
	if (len / 8 > BOUNDS_HTTP_BLOCK_MIN_BYTES)
		return len / 8;
	return len && len < BOUNDS_HTTP_BLOCK_MIN_BYTES
	    ? len
	    : BOUNDS_HTTP_BLOCK_MIN_BYTES;
}

/*
 * Hands the reply over.  The body stays with c, and goes out in blocks: so it
 * can be freed while libmicrohttpd still holds the response.
 */
static enum MHD_Result
send_reply(struct connection *c, struct MHD_Connection *mhd, bool head,
    struct httpd_reply *reply)
{
	struct listener *l = c->listener;
	size_t len = buf_str(&reply->body).len;
	struct MHD_Response *response;
	enum MHD_Result result = MHD_NO;
	char *shrunk;

	c->answering = true;
	c->since_ns = now_ns();
	c->sent = 0;
	if (!head && len) {
		c->body_bytes = len;
		c->body = buf_take(&reply->body);
		shrunk = realloc(c->body, len);
		if (shrunk)
			c->body = shrunk;
		l->bodies_bytes += c->body_bytes;
	}
	while (l->bodies_bytes > BOUNDS_HTTP_BODIES_BYTES) {
		struct connection *victim = find_victim(l, c, true);

		if (!victim)
			break;
		connection_evict(victim);
	}

	response = MHD_create_response_from_callback(len, block_bytes(len),
	    read_body, c, NULL);
	if (!response)
		return MHD_NO;
	if (add_headers(response, reply))
		result = MHD_queue_response(mhd, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/*
 * Called once when the header is complete, once for each piece of a body, and
 * once at the end.  MHD_NO closes the connection.
 */
static enum MHD_Result
on_request(void *cls, struct MHD_Connection *mhd, const char *path,
    const char *method, const char *version, const char *upload,
    size_t *upload_bytes, void **request_context)
{
	struct listener *l = cls;
	struct connection *c = connection_of(mhd);
	bool head = !strcmp(method, MHD_HTTP_METHOD_HEAD);
	struct httpd_reply reply = {
		.status = 200,
		.content_type = "text/plain; charset=utf-8",
	};
	enum MHD_Result result;

	(void)version;
	(void)upload;
	if (!c || c->closing)
		return MHD_NO;

	/*
	 * A body is read and thrown away: closing on it would reset the
	 * connection before the client has seen the answer.  A client that
	 * asks first gets the answer first.
	 */
	if (!*request_context) {
		*request_context = c;
		if (!MHD_lookup_connection_value(mhd, MHD_HEADER_KIND,
			MHD_HTTP_HEADER_EXPECT))
			return MHD_YES;
	}
	if (*upload_bytes) {
		*upload_bytes = 0;
		return now_ns() - c->since_ns < DRIPPING_NS ? MHD_YES : MHD_NO;
	}

	buf_init(&reply.body, BOUNDS_REPLY_BYTES);
	answer(l->httpd, mhd, path, method, &reply);
	result = send_reply(c, mhd, head, &reply);
	buf_release(&reply.body);
	return result;
}

/*
 * A path is compared as it was sent.  MHD would turn %00 into the end of the
 * string, and "/%00x" into "/".
 */
static size_t
leave_escaped(void *arg, struct MHD_Connection *connection, char *path)
{
	(void)arg;
	(void)connection;
	return strlen(path);
}

/*
 * Takes fd.  The thread blocks all signals: they are for the main thread, and
 * SIGPIPE for nobody.  MHD_USE_ITC, because without it a daemon that is at its
 * limit of connections cannot be stopped.  poll(2) and not epoll, of which
 * 0.9.75 takes 128 events at a time, and waits for more where there were as
 * many: with the stop among them it would sleep through it.
 */
static int
start_daemon(struct listener *l, int fd)
{
	struct stat before = { .st_ino = 0 };
	struct stat after;
	sigset_t all;
	sigset_t mask;
	int error;

	fstat(fd, &before);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	errno = 0;
	l->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC,
	    0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)BOUNDS_HTTP_CONNECTIONS,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)BOUNDS_HTTP_CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)BOUNDS_HTTP_IDLE_SECONDS, MHD_OPTION_NOTIFY_CONNECTION,
	    on_connection, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed, l,
	    MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_END);
	error = errno;
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (l->daemon)
		return 0;

	/*
	 * 0.9.75 has closed fd when it could not start its thread, but not when
	 * it failed before; by now the number may be another thread's.
	 */
	if (!fstat(fd, &after) && before.st_dev == after.st_dev &&
	    before.st_ino == after.st_ino)
		close(fd);
	return error ? -error : -ENOMEM;
}

int
httpd_create(const struct httpd_route *routes, size_t n_routes, void *arg,
    httpd_answered_fn answered, struct httpd **ret_httpd)
{
	struct httpd *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->routes = calloc(n_routes ? n_routes : 1, sizeof(*routes));
	if (!h->routes) {
		free(h);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_routes; i++)
		h->routes[i] = routes[i];
	h->n_routes = n_routes;
	h->arg = arg;
	h->answered = answered;
	*ret_httpd = h;
	return 0;
}

int
httpd_listen(struct httpd *h, const char *address, const char **ret_bound,
    const char **reterr_text)
{
	const struct listening_what what = { address, false, false,
		"--web.listen-address=ADDRESS:PORT" };
	struct listener *l;
	int error;

	*reterr_text = h->error_text;
	if (h->n_listeners == BOUNDS_HTTP_ADDRESSES) {
		snprintf(h->error_text, sizeof(h->error_text),
		    "\"%s\" is one too many; write fewer "
		    "--web.listen-address",
		    address);
		return -EINVAL;
	}
	l = calloc(1, sizeof(*l));
	if (!l) {
		error = -ENOMEM;
		goto explain;
	}
	l->httpd = h;
	for (size_t i = 0; i < BOUNDS_HTTP_CONNECTIONS; i++)
		l->connections[i].fd = -1;
	error = listening_open(&what, &l->listening, h->error_text);
	if (error) {
		free(l);
		return error;
	}
	error = start_daemon(l, l->listening.fd);
	if (error)
		goto free_listener;
	h->listeners[h->n_listeners++] = l;
	*ret_bound = l->listening.bound;
	return 0;

free_listener:
	free(l);
explain:
	snprintf(h->error_text, sizeof(h->error_text), "cannot serve %s: %s",
	    address, strerror(-error));
	return error;
}

void
httpd_destroy(struct httpd *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n_listeners; i++) {
		MHD_stop_daemon(h->listeners[i]->daemon);
		free(h->listeners[i]);
	}
	free(h->routes);
	free(h);
}
