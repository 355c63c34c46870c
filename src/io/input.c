#include "io/input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <uv.h>

#include "io/wall_clock.h"

int
input_init(struct input *in, struct input_common *common,
    const struct input_ops *ops, const char *name, const char *argument)
{
	char *name_copy = strdup(name);
	char *argument_copy = strdup(argument);

	if (!name_copy || !argument_copy) {
		free(argument_copy);
		free(name_copy);
		return -ENOMEM;
	}
	*in = (struct input){ .common = common,
		.listening_fd = -1,
		.ops = ops,
		.name = name_copy,
		.argument = argument_copy };
	return 0;
}

void
input_free(struct input *in)
{
	paths_release(&in->formats);
	free(in->next_name);
	free(in->argument);
	free(in->name);
	free(in);
}

static void
handle_closed(uv_handle_t *handle)
{
	struct input *in = handle->data;

	if (!--in->n_handles)
		input_free(in);
}

void
input_close(struct input *in, struct uv_handle_s *handle)
{
	handle->data = in;
	uv_close(handle, handle_closed);
}

void
input_tell(const struct input *in, enum event_kind kind, const char *detail,
    int error)
{
	struct event event = { kind, in->name, in->argument, detail, error };

	in->common->on_event(in->common->options_arg, &event);
}

void
input_count(const struct input *in, enum metrics_id id, const char *label,
    uint64_t n)
{
	struct metrics *m = in->common->metrics;
	struct str values[2] = { str_from(in->name) };
	int error;

	if (label)
		values[1] = str_from(label);
	registry_lock(m->registry);
	error = metrics_add(m, id, values, decimal_of(n));
	registry_unlock(m->registry);
	(void)error; /* out of memory: a count of the exporter's own is short */
}

static void
set_format_info(const struct input *in, const char *format)
{
	struct metrics *m = in->common->metrics;
	struct str values[] = { str_from(in->name), str_from(format) };
	int error;

	registry_lock(m->registry);
	error = metrics_set(m, METRICS_FORMAT_INFO, values, decimal_of(1));
	registry_unlock(m->registry);
	(void)error; /* out of memory: it is not shown */
}

static void
tell_format(struct input *in, const struct ingest_stream *lines)
{
	const char *name = ingest_format_name(lines);
	size_t n = in->formats.n;

	if (!name) {
		if (lines->lines.n_bytes[LINES_BYTES_READ] &&
		    !in->told_no_format) {
			in->told_no_format = true;
			input_tell(in, EVENT_NO_FORMAT, NULL, 0);
		}
		return;
	}
	if (paths_add(&in->formats, name) || in->formats.n == n)
		return; /* known, or no memory to remember it */
	set_format_info(in, name);
	if (!ingest_source_has_format(lines->source))
		input_tell(in, EVENT_FORMAT, name, 0);
}

void
input_lose(struct input *in, struct ingest_stream *lines, size_t n_bytes,
    const char *reason)
{
	ingest_grow(lines, -(int64_t)n_bytes);
	input_count(in, METRICS_LOST_BYTES, reason, n_bytes);
}

size_t
input_feed(struct input *in, struct ingest_stream *lines, struct str window,
    bool final)
{
	struct registry *r = in->common->metrics->registry;
	size_t consumed;
	int error;

	registry_lock(r);
	wall_clock_tell(r);
	registry_unlock(r);
	error = ingest_feed(lines, window, final, &consumed);
	in->common->on_change(in->common->options_arg);
	tell_format(in, lines);
	if (!error)
		return window.len - consumed;
	input_lose(in, lines, window.len - consumed, "memory");
	return 0;
}

void
input_stream_init(struct input_stream *s, int fd)
{
	*s = (struct input_stream){ .fd = fd };
	buf_init(&s->rest, BOUNDS_LINE_BYTES);
}

/* What is behind the last newline waits for the next read. */
static void
keep(struct input *in, struct input_stream *s, struct str rest)
{
	buf_add(&s->rest, rest);
	if (!buf_status(&s->rest))
		return;
	input_lose(in, &s->lines, s->rest.len + rest.len, "memory");
	buf_clear(&s->rest);
}

/*
 * n bytes have come, at buffer + BOUNDS_LINE_BYTES.  Without a newline among
 * them there is nothing to do yet; else what was kept goes in front of them.
 *
 *	|       kept | come ...      |
 *	             ^ BOUNDS_LINE_BYTES
 */
static void
take(struct input *in, struct input_stream *s, size_t n)
{
	char *come = in->common->buffer + BOUNDS_LINE_BYTES;
	size_t kept = s->rest.len;
	size_t left;

	ingest_grow(&s->lines, (int64_t)n);
	if (!memchr(come, '\n', n) && !s->lines.lines.in_long_line &&
	    kept + n <= BOUNDS_LINE_BYTES) {
		keep(in, s, str_of(come, n));
		return;
	}
	if (kept)
		memcpy(come - kept, s->rest.data, kept);
	buf_clear(&s->rest);
	left = input_feed(in, &s->lines, str_of(come - kept, kept + n), false);
	if (left)
		keep(in, s, str_of(come + n - left, left));
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* As read(2), but does not wait. */
static ssize_t
read_now(const struct input_stream *s, void *to, size_t len)
{
	struct pollfd ready = { .fd = s->fd, .events = POLLIN };

	if (s->blocks && !poll(&ready, 1, 0)) {
		errno = EAGAIN;
		return -1;
	}
	return read(s->fd, to, len);
}

/* Adds what was read to ret_done. */
static enum input_state
read_some(struct input *in, struct input_stream *s, uint64_t max_bytes,
    uint64_t *ret_done)
{
	while (*ret_done < max_bytes) {
		ssize_t n = read_now(s, in->common->buffer + BOUNDS_LINE_BYTES,
		    least(BOUNDS_READ_BYTES, max_bytes - *ret_done));

		if (n == 0)
			return INPUT_ENDED;
		if (n > 0) {
			take(in, s, (size_t)n);
			*ret_done += (uint64_t)n;
		} else if (errno == EAGAIN) {
			return INPUT_EMPTY;
		} else if (errno != EINTR) {
			return INPUT_FAILED;
		}
	}
	return INPUT_MORE;
}

enum input_state
input_stream_read(struct input *in, struct input_stream *s, uint64_t max_bytes)
{
	uint64_t done = 0;

	return read_some(in, s, max_bytes, &done);
}

enum input_state
input_stream_drain(struct input *in, struct input_stream *s,
    uint64_t share_bytes)
{
	uint64_t *left = &in->common->drain_bytes;
	uint64_t max_bytes = least(BOUNDS_TURN_BYTES, *left);
	uint64_t done = 0;
	enum input_state state;
	int n;

	/* One byte more, or that there is none: then the end is seen. */
	if (!ioctl(s->fd, FIONREAD, &n) && n >= 0 && share_bytes <= (uint64_t)n)
		share_bytes = (uint64_t)n + 1;
	state = read_some(in, s, least(max_bytes, share_bytes), &done);
	*left -= done;
	return state;
}

void
input_stream_finish(struct input *in, struct input_stream *s, bool is_line)
{
	if (s->rest.len && !is_line)
		input_lose(in, &s->lines, s->rest.len, "torn");
	if (!is_line)
		s->rest.len = 0;
	/* One that was too long ends here as well. */
	(void)input_feed(in, &s->lines, buf_str(&s->rest), true);
	buf_release(&s->rest);
}

void
input_stream_move(struct input_stream *s, struct ingest_source *to)
{
	int64_t lag_bytes = (int64_t)s->rest.len;

	ingest_grow(&s->lines, -lag_bytes);
	ingest_stream_move(&s->lines, to);
	ingest_grow(&s->lines, lag_bytes);
}
