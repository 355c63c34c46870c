#include "httpd.h"

#include <errno.h>
#include <netdb.h>
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

#define SECOND_NS 1000000000ull

/*
 * A connection that did not get on for this long has stalled.  A round trip to
 * the other side of the earth takes less.
 */
#define STALLED_NS (SECOND_NS / 3)

/*
 * libmicrohttpd closes what is silent for the idle limit.  So what still has
 * no whole request after twice that time is dripping it.
 */
#define DRIPPING_NS (2 * BOUNDS_HTTP_IDLE_SECONDS * SECOND_NS)

/*
 * Answers on their way to clients: one of the largest, and one beside it.  Of
 * 1 MiB, as many as there may be connections: these are never closed for it.
 */
#define BODIES_BYTES (2 * (size_t)BOUNDS_REPLY_BYTES)

/*
 * What libmicrohttpd sends in one turn of its loop, and keeps a copy of until
 * it has closed the connection.  A large answer goes out in few turns, because
 * others may be rendered between them.
 */
#define BLOCK_MIN_BYTES ((size_t)64 * 1024)
#define BLOCK_MAX_BYTES ((size_t)512 * 1024)

#define OTHER_ADDRESS "choose another with --web.listen-address=ADDRESS:PORT"

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
	char bound[NI_MAXHOST + NI_MAXSERV + sizeof("[]:")];
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
	char error_text[NI_MAXHOST + 256];
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
 * libmicrohttpd learns of it from epoll, in this or the next turn of its loop,
 * and closes the descriptor then.  The answer is freed now, because one turn
 * may bring a request from every connection; and the kernel is told to drop
 * what is unsent, which it would otherwise offer for minutes.
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
    bool readable, struct httpd_reply *reply)
{
	const struct httpd_route *route = NULL;

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
	} else if (!readable) {
		reply->status = 405;
		buf_add_text(&reply->body, "405: use GET or HEAD\n");
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
	    !MHD_add_response_header(response, "Allow", "GET, HEAD"))
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
	if (len / 8 > BLOCK_MAX_BYTES)
		return BLOCK_MAX_BYTES;
	if (len / 8 > BLOCK_MIN_BYTES)
		return len / 8;
	return len && len < BLOCK_MIN_BYTES ? len : BLOCK_MIN_BYTES;
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
	while (l->bodies_bytes > BODIES_BYTES) {
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
	bool readable = head || !strcmp(method, MHD_HTTP_METHOD_GET);
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
	answer(l->httpd, mhd, path, readable, &reply);
	result = send_reply(c, mhd, head, &reply);
	buf_release(&reply.body);
	return result;
}

/* Returns 0 to 65535, or -1 where text is not a port. */
static int
parse_port(const char *text)
{
	int port = 0;

	if (!*text || strlen(text) > strlen("65535"))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		port = port * 10 + (*text - '0');
	}
	return port <= 65535 ? port : -1;
}

/*
 * Splits an address; host is "" where there is none.
 *
 *     127.0.0.1:9649    [::1]:9649    :9649    9649
 *     ^^^^^^^^^ ^^^^     ^^^  ^^^^     ^^^^    ^^^^
 *     host      port     host port     port    port
 *
 * Returns NULL, or what is wrong, to be written behind the quoted address.
 */
static const char *
parse_address(const char *address, char host[static NI_MAXHOST], int *ret_port)
{
	static const char not_an_address[] =
	    "is not an address; write HOST:PORT, :PORT or [IPV6]:PORT";
	const char *colon = strrchr(address, ':');
	const char *start = address;
	const char *end = colon ? colon : address;
	int port = parse_port(colon ? colon + 1 : address);
	bool bracketed = *start == '[';

	if (!colon && address[strspn(address, "0123456789")])
		return not_an_address;
	if (bracketed) {
		start++;
		if (end <= start || *--end != ']')
			return not_an_address;
	}
	if (bracketed != !!memchr(start, ':', (size_t)(end - start)) ||
	    end - start >= NI_MAXHOST || !*address)
		return not_an_address;
	if (port < 0)
		return "does not end in a port; write one from 0 to 65535, as "
		       "in :9649";

	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	*ret_port = port;
	return NULL;
}

/* Returns a listening socket, or -Exxx; reterr_gai: what getaddrinfo() said. */
static int
open_socket(const char *host, int port, int *reterr_gai)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	struct addrinfo *ai;
	char service[sizeof("65535")];
	const int on = 1;
	const int off = 0;
	int error;
	int fd;

	snprintf(service, sizeof(service), "%hu", (unsigned short)port);
	*reterr_gai = getaddrinfo(host, service, &hints, &ai);
	if (*reterr_gai == EAI_SYSTEM)
		return errno ? -errno : -EIO;
	if (*reterr_gai)
		return *reterr_gai == EAI_MEMORY ? -ENOMEM : -EADDRNOTAVAIL;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (fd < 0) {
		error = -errno;
		goto free_ai;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (ai->ai_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, SOMAXCONN)) {
		error = -errno;
		goto close_fd;
	}
	freeaddrinfo(ai);
	return fd;

close_fd:
	close(fd);
free_ai:
	freeaddrinfo(ai);
	return error;
}

/* Everywhere: IPv6 takes IPv4 with it, where the kernel has it. */
static int
open_any_socket(int port)
{
	int gai;
	int fd = open_socket("::", port, &gai);

	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = open_socket("0.0.0.0", port, &gai);
	return fd;
}

/* Writes where fd listens, as HOST:PORT.  Returns 0 or -Exxx. */
static int
describe_socket(int fd, char *text, size_t text_bytes)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(address);
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];
	bool v6;

	if (getsockname(fd, (struct sockaddr *)&address, &len))
		return -errno;
	if (getnameinfo((struct sockaddr *)&address, len, host, sizeof(host),
		port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return -ENOMEM;
	v6 = address.ss_family == AF_INET6;
	snprintf(text, text_bytes, "%s%s%s:%s", v6 ? "[" : "", host,
	    v6 ? "]" : "", port);
	return 0;
}

static void
explain_failure(struct httpd *h, const char *address, int port, int error,
    int gai)
{
	char *text = h->error_text;
	size_t bytes = sizeof(h->error_text);

	if (error == -EADDRINUSE || error == -EACCES)
		snprintf(text, bytes,
		    "cannot listen on %s: port %d is %s; " OTHER_ADDRESS,
		    address, port,
		    error == -EACCES ? "only for root or CAP_NET_BIND_SERVICE"
				     : "in use by another process");
	else if (error == -EADDRNOTAVAIL)
		snprintf(text, bytes, "cannot listen on %s: %s; " OTHER_ADDRESS,
		    address,
		    gai ? gai_strerror(gai)
			: "this machine has no such address");
	else
		snprintf(text, bytes, "cannot listen on %s: %s", address,
		    strerror(-error));
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
 * limit of connections cannot be stopped.
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
	l->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD |
		MHD_USE_ITC,
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
	char host[NI_MAXHOST];
	struct listener *l;
	const char *wrong;
	int port;
	int gai = 0;
	int error;
	int fd;

	*reterr_text = h->error_text;
	wrong = parse_address(address, host, &port);
	if (!wrong && h->n_listeners == BOUNDS_HTTP_ADDRESSES)
		wrong = "is one too many; write fewer --web.listen-address";
	if (wrong) {
		snprintf(h->error_text, sizeof(h->error_text), "\"%s\" %s",
		    address, wrong);
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

	fd = !*host || !strcmp(host, "*") ? open_any_socket(port)
					  : open_socket(host, port, &gai);
	if (fd < 0) {
		error = fd;
		goto free_listener;
	}
	error = describe_socket(fd, l->bound, sizeof(l->bound));
	if (error) {
		close(fd);
		goto free_listener;
	}
	error = start_daemon(l, fd);
	if (error)
		goto free_listener;

	h->listeners[h->n_listeners++] = l;
	*ret_bound = l->bound;
	return 0;

free_listener:
	free(l);
explain:
	explain_failure(h, address, port, error, gai);
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
