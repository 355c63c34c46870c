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
	uv_idle_t idle; /* for a file, which cannot be polled */
	bool is_fifo;
	bool is_file; /* or /dev/null, or the like */
	bool has_ended;
	int error; /* as it was told; 0: none */
	int flags; /* of standard input, which others may have open as well */
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
	if (error != p->error)
		input_tell(&p->input, EVENT_UNREADABLE, NULL, error);
	p->error = error;
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
	p->error = 0;
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

	was_read(p, input_stream_read(&p->input, &p->stream, BOUNDS_TURN_BYTES),
	    false);
}

static void
pipe_start(struct input *in)
{
	struct pipe_input *p = pipe_of(in);

	ingest_stream_init(&p->stream.lines, in->ingest, true);
	ingest_grow(&p->stream.lines, 0);
	listen_to(p);
	input_tell(in, EVENT_RECEIVING, NULL, 0);
}

static void
pipe_drain(struct input *in)
{
	struct pipe_input *p = pipe_of(in);
	struct stat now;

	if (p->has_ended || p->error)
		return;
	was_read(p, input_stream_drain(in, &p->stream, BOUNDS_TURN_BYTES),
	    false);
	if (p->is_fifo && !p->error && !stat(in->argument, &now) &&
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

	if (!p->error)
		return true;
	if (p->is_fifo)
		return reopen(p);
	p->error = 0;
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
	if (p->is_fifo)
		(void)close(p->stream.fd);
	else
		(void)fcntl(p->stream.fd, F_SETFL, p->flags);
}

bool
input_pipe_is_fifo(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISFIFO(status.st_mode);
}

/* Returns a descriptor, or -Exxx. */
static int
open_argument(struct pipe_input *p, const char *argument)
{
	if (p->is_fifo)
		return open_fifo(argument, &p->status);
	return fcntl(STDIN_FILENO, F_GETFD) < 0 ? -errno : STDIN_FILENO;
}

/* What epoll refuses is read without asking whether it can be. */
static int
init_handles(struct pipe_input *p)
{
	uv_loop_t *loop = p->input.common->loop;
	int error;

	p->flags = fcntl(p->stream.fd, F_GETFL);
	error = uv_poll_init(loop, &p->poll, p->stream.fd);
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
	fd = open_argument(p, argument);
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
	(void)config_error_set(reterr, 0, 0, "%.160s cannot be read: %s",
	    argument, strerror(-error));
	return error;
}
