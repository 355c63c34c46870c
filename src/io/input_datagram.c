#include "io/input_datagram.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

#include "accesslog/syslog.h"
#include "io/listening.h"

struct datagram_input {
	struct input input;
	int fd;
	uv_poll_t poll;
	struct ingest_stream lines;
	uint32_t n_dropped; /* by the kernel, as far as it is counted */
	char bound[LISTENING_BOUND_BYTES];
	char *path; /* of a unix socket; owned */
	struct stat status; /* of the socket at path */
};

/*
 * The kernel takes more than this of its memory for each datagram, be it empty:
 * 768 bytes at the least.  As it takes part in what was read, neither many
 * small ones nor few large ones last longer than what a queue can hold.
 */
#define COST_BYTES 512

/* The lines of several datagrams, to be fed at once; the loop thread's. */
static char batch[BOUNDS_READ_BYTES];
static char datagram[BOUNDS_DATAGRAM_BYTES];

static struct datagram_input *
datagram_of(struct input *in)
{
	return (struct datagram_input *)(void *)in;
}

/* The kernel's count goes up to 2^32 and begins again. */
static void
count_dropped(struct datagram_input *d, uint32_t n_dropped)
{
	uint32_t more = n_dropped - d->n_dropped;

	/* An old datagram may tell less than is known already. */
	if (!more || more > UINT32_MAX / 2)
		return;
	d->n_dropped = n_dropped;
	input_count(&d->input, METRICS_DROPPED_DATAGRAMS, NULL, more);
}

/* What SO_RXQ_OVFL says: how many were dropped before this one. */
static void
read_dropped(struct datagram_input *d, struct msghdr *message)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		uint32_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&n, CMSG_DATA(c), sizeof(n));
		count_dropped(d, n);
	}
}

/* The same without waiting for the next datagram; Linux 4.12. */
static void
ask_dropped(struct datagram_input *d)
{
	uint32_t values[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(values);

	if (!getsockopt(d->fd, SOL_SOCKET, SO_MEMINFO, values, &len) &&
	    len > SK_MEMINFO_DROPS * sizeof(values[0]))
		count_dropped(d, values[SK_MEMINFO_DROPS]);
}

/* The first len bytes of the batch are whole lines. */
static void
feed(struct datagram_input *d, size_t len)
{
	ingest_grow(&d->lines, (int64_t)len);
	(void)input_feed(&d->input, &d->lines, str_of(batch, len), false);
}

/* The rest of it is gone: all of it is the end of a line that is too long. */
static void
feed_cut_off(struct datagram_input *d, struct str received)
{
	size_t len = str_find_char(received, '\n');

	d->lines.lines.in_long_line = true;
	memcpy(batch, received.data, len);
	batch[len] = '\n';
	feed(d, len + 1);
}

/*
 * Adds the messages, a line each, behind len bytes of the batch.  They take at
 * most one byte more than they have come in, the last newline.
 *
 * Returns the new len.
 */
static size_t
add_messages(struct str received, size_t len)
{
	struct str message;

	while (syslog_next(&received, &message) != SYSLOG_END) {
		memcpy(batch + len, message.data, message.len);
		len += message.len;
		batch[len++] = '\n';
	}
	return len;
}

/*
 * Returns the size of the datagram, which may be more than was received; 0 for
 * an empty one; -Exxx.
 */
static ssize_t
receive(struct datagram_input *d)
{
	union {
		char bytes[CMSG_SPACE(sizeof(uint32_t))];
		struct cmsghdr aligned;
	} control;
	struct iovec to = { datagram, sizeof(datagram) };
	struct msghdr message = { .msg_iov = &to,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(d->fd, &message, MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	read_dropped(d, &message);
	return n;
}

/* Returns what was read, with the cost of each. */
static uint64_t
read_on(struct datagram_input *d, uint64_t max_bytes)
{
	uint64_t done = 0;
	size_t len = 0;

	while (done < max_bytes) {
		ssize_t n = receive(d);

		if (n < 0)
			break; /* nothing more; a real error ends nothing */
		done += (uint64_t)n + COST_BYTES;
		if (len + (size_t)n + 1 > sizeof(batch) ||
		    (size_t)n > sizeof(datagram)) {
			feed(d, len);
			len = 0;
		}
		if ((size_t)n > sizeof(datagram))
			feed_cut_off(d, str_of(datagram, sizeof(datagram)));
		else
			len = add_messages(str_of(datagram, (size_t)n), len);
	}
	if (len)
		feed(d, len);
	return done;
}

static void
can_be_read(uv_poll_t *poll, int status, int events)
{
	struct datagram_input *d = poll->data;

	(void)events;
	(void)read_on(d, BOUNDS_READ_BYTES);
	/* An error of the socket has stopped it; reading has cleared it. */
	if (status < 0)
		(void)uv_poll_start(poll, UV_READABLE, can_be_read);
}

static void
datagram_start(struct input *in)
{
	struct datagram_input *d = datagram_of(in);

	ingest_stream_init(&d->lines, in->ingest, false);
	ingest_grow(&d->lines, 0);
	input_count(in, METRICS_DROPPED_DATAGRAMS, NULL, 0);
	(void)uv_poll_start(&d->poll, UV_READABLE, can_be_read);
	input_tell(in, EVENT_RECEIVING, d->path ? NULL : d->bound, 0);
}

static void
datagram_drain(struct input *in)
{
	struct datagram_input *d = datagram_of(in);
	uint64_t *left = &in->common->drain_bytes;
	/* The kernel gives twice what it is asked for. */
	uint64_t max_bytes = 2 * BOUNDS_RECEIVE_BYTES;
	uint64_t done = read_on(d, *left < max_bytes ? *left : max_bytes);

	*left -= done < *left ? done : *left;
	ask_dropped(d);
}

static void
datagram_move(struct input *in, struct ingest_source *to)
{
	ingest_stream_move(&datagram_of(in)->lines, to);
}

static bool
datagram_retry(struct input *in)
{
	(void)in;
	return true;
}

/* The socket's file, unless another is there by now. */
static void
remove_file(const struct datagram_input *d)
{
	struct stat now;

	if (d->path && !stat(d->path, &now) && now.st_dev == d->status.st_dev &&
	    now.st_ino == d->status.st_ino)
		(void)unlink(d->path);
}

static void
datagram_destroy(struct input *in)
{
	struct datagram_input *d = datagram_of(in);

	input_close(in, (uv_handle_t *)&d->poll);
	(void)close(d->fd);
	remove_file(d);
	free(d->path);
}

/* Returns 0 where nothing listens to the socket there, and it is removed. */
static int
remove_stale(int fd, const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -EADDRINUSE;
	/* EPROTOTYPE: somebody has a stream socket there. */
	if (errno != ECONNREFUSED)
		return errno == EPROTOTYPE ? -EADDRINUSE : -errno;
	return unlink(address->sun_path) ? -errno : 0;
}

/* Tries the path with a socket of its own, because connecting changes it. */
static int
clear_path(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = remove_stale(fd, address);
	(void)close(fd);
	return error;
}

static int
bind_path(struct datagram_input *d, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int error;

	/* endpoint_parse() has seen that there is room. */
	memcpy(address.sun_path, path, strlen(path));
	error = clear_path(&address);
	if (error)
		return error;
	d->path = strdup(path);
	if (!d->path)
		return -ENOMEM;
	d->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->fd < 0)
		return -errno;
	if (bind(d->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    stat(path, &d->status) || chmod(path, 0666))
		return -errno;
	return 0;
}

static int
open_unix(struct datagram_input *d, const char *path,
    struct config_error *reterr)
{
	int error = bind_path(d, path);
	const char *why = strerror(-error);

	if (!error)
		return 0;
	if (error == -EADDRINUSE)
		why = "another process listens there; choose another path";
	else if (error == -EEXIST)
		why = "a file that is no socket is there; choose another path";
	else if (error == -ENOENT)
		why = "there is no such directory; make it first";
	(void)config_error_set(reterr, 0, 0, "cannot listen on %.107s: %s",
	    path, why);
	return error;
}

static int
open_udp(struct datagram_input *d, const char *address,
    struct config_error *reterr)
{
	const struct listening_what what = { address, true,
		d->input.common->shares, "syslog+udp://HOST:PORT" };
	struct listening listening;
	char text[LISTENING_ERROR_BYTES];
	int error = listening_open(&what, &listening, text);

	if (error) {
		(void)config_error_set(reterr, 0, 0, "%s", text);
		return error;
	}
	d->fd = d->input.listening_fd = listening.fd;
	memcpy(d->bound, listening.bound, sizeof(d->bound));
	return 0;
}

/* Without them it works, and drops more, or does not say so. */
static void
set_options(int fd)
{
	static const int bytes = BOUNDS_RECEIVE_BYTES;
	static const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes,
		    sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
}

static int
open_endpoint(struct datagram_input *d, const struct endpoint *endpoint,
    struct config_error *reterr)
{
	int error = endpoint->kind == ENDPOINT_SYSLOG_UNIX
	    ? open_unix(d, endpoint->address, reterr)
	    : open_udp(d, endpoint->address, reterr);

	if (!error)
		set_options(d->fd);
	return error;
}

int
input_datagram_create(struct input_common *common, const char *name,
    const char *argument, const struct endpoint *endpoint,
    struct input **ret_input, struct config_error *reterr)
{
	static const struct input_ops ops = { datagram_start, datagram_drain,
		datagram_move, datagram_retry, datagram_destroy };
	struct datagram_input *d = calloc(1, sizeof(*d));
	int error;

	if (!d)
		return -ENOMEM;
	error = input_init(&d->input, common, &ops, name, argument);
	if (error) {
		free(d);
		return error;
	}
	d->input.kind = endpoint->kind;
	d->fd = -1;
	error = open_endpoint(d, endpoint, reterr);
	if (error)
		goto release;
	error = uv_poll_init(common->loop, &d->poll, d->fd);
	if (error)
		goto release;
	d->input.n_handles = 1;
	d->poll.data = d;
	*ret_input = &d->input;
	return 0;

release:
	if (d->fd >= 0)
		(void)close(d->fd);
	remove_file(d);
	free(d->path);
	input_free(&d->input);
	return error;
}
