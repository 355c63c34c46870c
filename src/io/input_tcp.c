#include "io/input_tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "io/listening.h"

/*
 * What the kernel holds of a connection that is not read.  By itself it would
 * grow to net.ipv4.tcp_rmem, and of all connections be more than a drain reads.
 */
#define RECEIVE_BYTES (BOUNDS_DRAIN_BYTES / BOUNDS_INPUT_CONNECTIONS)

/* Read of one in one turn of the loop, in which all may have their turn. */
#define TURN_BYTES (BOUNDS_READ_BYTES / 4)

/* Silent for a minute, then asked four times: is the other side there? */
#define KEEPALIVE_IDLE_SECONDS 60
#define KEEPALIVE_INTERVAL_SECONDS 15
#define KEEPALIVE_PROBES 4

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct tcp_input *owner;
	uv_poll_t poll;
	struct input_stream stream;
};

struct tcp_input {
	struct input input;
	struct listening listening;
	uv_poll_t poll;
	bool is_stalled; /* none is accepted before the next try */
	bool is_failing; /* as it was told */
	/* The format that earlier connections have shown. */
	struct ingest_stream format;
	TAILQ_HEAD(connections, connection) connections;
};

static struct tcp_input *
tcp_of(struct input *in)
{
	return (struct tcp_input *)(void *)in;
}

static void
connection_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
disconnect(struct connection *c)
{
	struct tcp_input *t = c->owner;

	input_stream_finish(&t->input, &c->stream, false);
	TAILQ_REMOVE(&t->connections, c, entry);
	t->input.common->n_connections--;
	uv_close((uv_handle_t *)&c->poll, connection_closed);
	(void)close(c->stream.fd);
}

/* An error of the connection is its end: what came before was read. */
static void
was_read(struct connection *c, enum input_state state)
{
	struct tcp_input *t = c->owner;

	t->format = c->stream.lines;
	if (state == INPUT_ENDED || state == INPUT_FAILED)
		disconnect(c);
}

static void
can_be_read(uv_poll_t *poll, int status, int events)
{
	struct connection *c = poll->data;

	(void)events;
	/* An error has stopped it; there may be much to read all the same. */
	if (status < 0)
		(void)uv_poll_start(poll, UV_READABLE, can_be_read);
	was_read(c,
	    input_stream_read(&c->owner->input, &c->stream, TURN_BYTES));
}

/* Where it fails, it takes longer to see that the other side is gone. */
static void
keep_alive(int fd)
{
	static const int on = 1;
	static const int idle = KEEPALIVE_IDLE_SECONDS;
	static const int interval = KEEPALIVE_INTERVAL_SECONDS;
	static const int probes = KEEPALIVE_PROBES;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
	    sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

/* Takes fd on success.  Returns 0, -ENOBUFS at the limit, -ENOMEM ... */
static int
adopt(struct tcp_input *t, int fd)
{
	struct input_common *common = t->input.common;
	struct connection *c;
	int error;

	if (common->n_connections == BOUNDS_INPUT_CONNECTIONS)
		return -ENOBUFS;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	error = uv_poll_init(common->loop, &c->poll, fd);
	if (error) {
		free(c);
		return error;
	}
	keep_alive(fd);
	c->owner = t;
	c->poll.data = c;
	input_stream_init(&c->stream, fd);
	c->stream.lines = t->format;
	lines_init(&c->stream.lines.lines, true);
	TAILQ_INSERT_TAIL(&t->connections, c, entry);
	common->n_connections++;
	(void)uv_poll_start(&c->poll, UV_READABLE, can_be_read);
	return 0;
}

/* Without descriptors, say: others wait in the kernel until the next try. */
static void
stall(struct tcp_input *t, int error)
{
	struct input_common *common = t->input.common;

	(void)uv_poll_stop(&t->poll);
	if (!t->is_failing)
		input_tell(&t->input, EVENT_NOT_ACCEPTED, NULL, error);
	t->is_failing = true;
	t->is_stalled = true;
	common->on_stalled(common->arg);
}

/* None waits any more. */
static void
recover(struct tcp_input *t)
{
	if (t->is_failing)
		input_tell(&t->input, EVENT_ACCEPTED, NULL, 0);
	t->is_failing = false;
}

/* Those that wait now, at most as many as the kernel lets wait. */
static void
accept_all(struct tcp_input *t)
{
	int i;

	for (i = 0; i < SOMAXCONN; i++) {
		int fd = accept4(t->listening.fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0 && errno == EAGAIN) {
			recover(t);
			return;
		}
		if (fd < 0) {
			stall(t, -errno);
			return;
		}
		if (adopt(t, fd)) {
			(void)close(fd);
			input_count(&t->input, METRICS_REFUSED_CONNECTIONS,
			    NULL, 1);
		}
	}
}

static void
can_be_accepted(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	accept_all(poll->data);
}

static void
tcp_start(struct input *in)
{
	struct tcp_input *t = tcp_of(in);

	ingest_stream_init(&t->format, in->ingest, true);
	ingest_grow(&t->format, 0);
	input_count(in, METRICS_REFUSED_CONNECTIONS, NULL, 0);
	input_count(in, METRICS_LOST_BYTES, "torn", 0);
	(void)uv_poll_start(&t->poll, UV_READABLE, can_be_accepted);
	input_tell(in, EVENT_RECEIVING, t->listening.bound, 0);
}

static void
tcp_drain(struct input *in)
{
	struct tcp_input *t = tcp_of(in);
	struct connection *c, *last;
	uint64_t share_bytes;

	if (!t->is_stalled)
		accept_all(t);
	share_bytes = in->common->drain_bytes / (in->common->n_connections + 1);
	/* Those that had their turn go behind those that the next begins with. */
	last = TAILQ_LAST(&t->connections, connections);
	for (c = NULL; c != last && in->common->drain_bytes;) {
		c = TAILQ_FIRST(&t->connections);
		TAILQ_REMOVE(&t->connections, c, entry);
		TAILQ_INSERT_TAIL(&t->connections, c, entry);
		was_read(c, input_stream_drain(in, &c->stream, share_bytes));
	}
}

static void
tcp_move(struct input *in, struct ingest_source *to)
{
	struct tcp_input *t = tcp_of(in);
	struct connection *c;

	TAILQ_FOREACH(c, &t->connections, entry)
		input_stream_move(&c->stream, to);
	ingest_stream_move(&t->format, to);
}

static bool
tcp_retry(struct input *in)
{
	struct tcp_input *t = tcp_of(in);

	if (!t->is_stalled)
		return true;
	t->is_stalled = false;
	(void)uv_poll_start(&t->poll, UV_READABLE, can_be_accepted);
	return true;
}

static void
tcp_destroy(struct input *in)
{
	struct tcp_input *t = tcp_of(in);

	while (!TAILQ_EMPTY(&t->connections))
		disconnect(TAILQ_FIRST(&t->connections));
	input_close(in, (uv_handle_t *)&t->poll);
	(void)close(t->listening.fd);
}

static int
open_socket(struct tcp_input *t, const char *address, bool shares,
    struct config_error *reterr)
{
	const struct listening_what what = { address, false, shares,
		"json+tcp://HOST:PORT" };
	static const int bytes = RECEIVE_BYTES;
	char text[LISTENING_ERROR_BYTES];
	int error = listening_open(&what, &t->listening, text);

	if (error) {
		(void)config_error_set(reterr, 0, 0, "%s", text);
		return error;
	}
	/* Connections have it from the listening socket. */
	(void)setsockopt(t->listening.fd, SOL_SOCKET, SO_RCVBUF, &bytes,
	    sizeof(bytes));
	return 0;
}

int
input_tcp_create(struct input_common *common, const char *name,
    const char *argument, const struct endpoint *endpoint,
    struct input **ret_input, struct config_error *reterr)
{
	static const struct input_ops ops = { tcp_start, tcp_drain, tcp_move,
		tcp_retry, tcp_destroy };
	struct tcp_input *t = calloc(1, sizeof(*t));
	int error;

	if (!t)
		return -ENOMEM;
	error = open_socket(t, endpoint->address, common->shares, reterr);
	if (error)
		goto free_t;
	error = input_init(&t->input, common, &ops, name, argument);
	if (error)
		goto close_fd;
	t->input.kind = endpoint->kind;
	t->input.listening_fd = t->listening.fd;
	TAILQ_INIT(&t->connections);
	error = uv_poll_init(common->loop, &t->poll, t->listening.fd);
	if (error)
		goto free_input;
	t->input.n_handles = 1;
	t->poll.data = t;
	*ret_input = &t->input;
	return 0;

free_input:
	(void)close(t->listening.fd);
	input_free(&t->input);
	return error;
close_fd:
	(void)close(t->listening.fd);
free_t:
	free(t);
	return error;
}
