#include "io/input_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

struct pipe_input {
	struct input input;
	struct input_stream stream;
	uv_poll_t poll;
	uv_idle_t idle; /* for a file, which cannot be polled; or for once */
	bool is_fifo;
	bool is_file; /* or /dev/null, or the like */
	bool has_ended;
	bool is_stalled;
	int told; /* the error that was told last, if none was read since */
	struct stat status; /* of a FIFO */
};

static struct pipe_input *
pipe_of(struct input *in)
{
	return (struct pipe_input *)(void *)in;
}

static void can_be_read(uv_poll_t *poll, int status, int events);
static void idle_came(uv_idle_t *idle);

static void
listen_to(struct pipe_input *p)
{
	if (p->is_file)
		(void)uv_idle_start(&p->idle, idle_came);
	else
		(void)uv_poll_start(&p->poll, UV_READABLE, can_be_read);
}

static void
listen_no_more(struct pipe_input *p)
{
	if (p->is_file)
		(void)uv_idle_stop(&p->idle);
	else
		(void)uv_poll_stop(&p->poll);
}

/* Tells it once, and tries again later. */
static void
stall(struct pipe_input *p, int error)
{
	struct input_common *common = p->input.common;

	listen_no_more(p);
	if (error != p->told)
		input_tell(&p->input, EVENT_UNREADABLE, NULL, error);
	p->told = error;
	p->is_stalled = true;
	common->on_stalled(common->arg);
}

/* Returns a descriptor, or -Exxx; -EMEDIUMTYPE: it is no FIFO any more. */
static int
open_fifo(const char *path, struct stat *ret_status)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	int error;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, ret_status) && S_ISFIFO(ret_status->st_mode))
		return fd;
	error = S_ISFIFO(ret_status->st_mode) ? -errno : -EMEDIUMTYPE;
	(void)close(fd);
	return error;
}

/* Returns whether it can be polled again. */
static bool
reopen(struct pipe_input *p)
{
	struct stat status = { 0 };
	int fd = open_fifo(p->input.argument, &status);

	if (fd < 0) {
		stall(p, fd);
		return false;
	}
	/* The handle stays with its number, under which is another file. */
	listen_no_more(p);
	if (dup3(fd, p->stream.fd, O_CLOEXEC) < 0) {
		stall(p, -errno);
		(void)close(fd);
		return false;
	}
	(void)close(fd);
	p->status = status;
	p->told = 0;
	p->is_stalled = false;
	listen_to(p);
	return true;
}

static void
end(struct pipe_input *p)
{
	struct input_common *common = p->input.common;

	listen_no_more(p);
	p->has_ended = true;
	input_stream_finish(&p->input, &p->stream, true);
	input_tell(&p->input, EVENT_ENDED, NULL, 0);
	common->on_ended(common->arg);
}

/* had_writers: whether an end means that they have gone. */
static void
was_read(struct pipe_input *p, enum input_state state, bool had_writers)
{
	switch (state) {
	case INPUT_EMPTY:
	case INPUT_MORE:
		p->told = 0;
		return;
	case INPUT_ENDED:
		if (!p->is_fifo)
			end(p);
		else if (had_writers)
			(void)reopen(p);
		return;
	case INPUT_FAILED:
		stall(p, -errno);
		return;
	}
}

static void
can_be_read(uv_poll_t *poll, int status, int events)
{
	struct pipe_input *p = poll->data;

	(void)events;
	/* An error has stopped it; reading tells what it is. */
	if (status < 0)
		listen_to(p);
	was_read(p, input_stream_read(&p->input, &p->stream, BOUNDS_READ_BYTES),
	    true);
}

static void
idle_came(uv_idle_t *idle)
{
	struct pipe_input *p = idle->data;

	if (!p->is_file)
		(void)uv_idle_stop(idle);
	was_read(p,
	    input_stream_read(&p->input, &p->stream,
		p->is_file ? BOUNDS_TURN_BYTES : BOUNDS_READ_BYTES),
	    false);
}

static void
pipe_start(struct input *in)
{
	struct pipe_input *p = pipe_of(in);

	ingest_stream_init(&p->stream.lines, in->ingest, true);
	ingest_grow(&p->stream.lines, 0);
	listen_to(p);
	/* poll(2) does not say that all writers had gone when it was opened. */
	if (!p->is_fifo)
		(void)uv_idle_start(&p->idle, idle_came);
	input_tell(in, EVENT_RECEIVING, NULL, 0);
}

static void
pipe_drain(struct input *in)
{
	struct pipe_input *p = pipe_of(in);
	struct stat now;

	if (p->has_ended || p->is_stalled)
		return;
	was_read(p, input_stream_drain(in, &p->stream, BOUNDS_TURN_BYTES),
	    false);
	if (p->is_fifo && !p->is_stalled && !stat(in->argument, &now) &&
	    (now.st_dev != p->status.st_dev || now.st_ino != p->status.st_ino))
		(void)reopen(p);
}

static void
pipe_move(struct input *in, struct ingest_source *to)
{
	input_stream_move(&pipe_of(in)->stream, to);
}

static bool
pipe_retry(struct input *in)
{
	struct pipe_input *p = pipe_of(in);

	if (!p->is_stalled)
		return true;
	if (p->is_fifo)
		return reopen(p);
	p->is_stalled = false;
	listen_to(p);
	return true;
}

static void
pipe_destroy(struct input *in)
{
	struct pipe_input *p = pipe_of(in);

	if (in->ingest && !p->has_ended)
		input_stream_finish(in, &p->stream, false);
	input_close(in, (uv_handle_t *)&p->idle);
	if (!p->is_file)
		input_close(in, (uv_handle_t *)&p->poll);
	if (p->stream.fd != STDIN_FILENO)
		(void)close(p->stream.fd);
}

bool
input_pipe_is_fifo(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISFIFO(status.st_mode);
}

/* Returns NULL, or why nothing can ever be read of standard input. */
static const char *
is_unreadable(const struct stat *status, int flags)
{
	if (S_ISDIR(status->st_mode))
		return "it is a directory; give its files as arguments";
	if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
		return "it is not open for reading; write lines to it through "
		       "a pipe, or give the file as an argument";
	return NULL;
}

/*
 * Whoever shares standard input with us would find it non-blocking: a pipe or a
 * terminal is opened another time, of which only we know.  Where that cannot
 * be, as with sockets or without /proc, standard input is used as it is.
 *
 * Returns a descriptor, or -Exxx; -EINVAL with reterr.
 */
static int
open_stdin(struct config_error *reterr)
{
	struct stat status;
	int flags = fcntl(STDIN_FILENO, F_GETFL);
	const char *why;
	int fd;

	if (flags < 0 || fstat(STDIN_FILENO, &status))
		return -errno;
	why = is_unreadable(&status, flags);
	if (why)
		return config_error_set(reterr, 0, 0,
		    "standard input cannot be read: %s", why);
	if (!S_ISFIFO(status.st_mode) && !isatty(STDIN_FILENO))
		return STDIN_FILENO;
	fd = open("/proc/self/fd/0",
	    O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return STDIN_FILENO;
	return fd;
}

/* Returns a descriptor, or -Exxx; -EINVAL with reterr. */
static int
open_argument(struct pipe_input *p, const char *argument,
    struct config_error *reterr)
{
	if (p->is_fifo)
		return open_fifo(argument, &p->status);
	return open_stdin(reterr);
}

/* What epoll refuses is read without asking whether it can be. */
static int
init_handles(struct pipe_input *p)
{
	uv_loop_t *loop = p->input.common->loop;
	int flags = fcntl(p->stream.fd, F_GETFL);
	int error;

	error = uv_poll_init(loop, &p->poll, p->stream.fd);
	/* libuv has set O_NONBLOCK. */
	(void)fcntl(p->stream.fd, F_SETFL, flags);
	p->stream.blocks = !(flags & O_NONBLOCK);
	p->is_file = error == UV_EPERM;
	if (error && !p->is_file)
		return error;
	(void)uv_idle_init(loop, &p->idle); /* cannot fail */
	p->idle.data = p->poll.data = p;
	p->input.n_handles = p->is_file ? 1 : 2;
	return 0;
}

int
input_pipe_create(struct input_common *common, const char *name,
    const char *argument, struct input **ret_input, struct config_error *reterr)
{
	static const struct input_ops ops = { pipe_start, pipe_drain, pipe_move,
		pipe_retry, pipe_destroy };
	struct pipe_input *p = calloc(1, sizeof(*p));
	int error = -ENOMEM;
	int fd;

	if (!p)
		return -ENOMEM;
	p->is_fifo = strcmp(argument, "-") != 0;
	fd = open_argument(p, argument, reterr);
	if (fd < 0) {
		error = fd;
		goto free_p;
	}
	error = input_init(&p->input, common, &ops, name, argument);
	if (error)
		goto close_fd;
	p->input.kind = p->is_fifo ? ENDPOINT_PATH : ENDPOINT_STDIN;
	input_stream_init(&p->stream, fd);
	error = init_handles(p);
	if (error)
		goto free_input;
	*ret_input = &p->input;
	return 0;

free_input:
	input_free(&p->input);
	p = NULL;
close_fd:
	if (fd != STDIN_FILENO)
		(void)close(fd);
free_p:
	free(p);
	if (error == -EINVAL)
		return error; /* it was said */
	(void)config_error_set(reterr, 0, 0, "%.160s cannot be read: %s",
	    argument, strerror(-error));
	return error;
}
