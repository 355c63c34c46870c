/*
 * What the inputs that are no files have in common: standard input and FIFOs
 * (input_pipe.h), syslog (input_datagram.h), JSON lines (input_tcp.h).
 * inputs.h keeps the list of them.
 *
 *	input_X_create() --> start() --> read(), move(), retry() ... --> destroy()
 *	      opened          polled
 *
 * What was received is counted or lost, and both are counted: it cannot be
 * read again.
 *
 * Thread: the loop thread.
 */
#ifndef ACCESSLOG_INPUT_H
#define ACCESSLOG_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "accesslog/buf.h"
#include "accesslog/config_error.h"
#include "accesslog/endpoint.h"
#include "accesslog/ingest.h"
#include "accesslog/metrics.h"
#include "io/event.h"
#include "io/paths.h"

struct uv_loop_s;
struct uv_handle_s;
struct input;

/* What all inputs share. */
struct input_common {
	struct uv_loop_s *loop; /* borrowed, as is metrics */
	struct metrics *metrics;
	event_fn on_event;
	void (*on_change)(void *arg);
	/* It cannot be polled now: retry() it in BOUNDS_POLL_MS. */
	void (*on_stalled)(void *arg);
	/* Standard input has ended. */
	void (*on_ended)(void *arg);
	void *options_arg; /* passed to these two */
	void *arg; /* passed to the others */
	size_t n_connections; /* of all together */
	bool shares; /* ports, with inputs that may be on their way out */
	uint64_t drain_bytes; /* may still be read in this drain */
	char buffer[BOUNDS_LINE_BYTES + BOUNDS_READ_BYTES]; /* who reads */
};

struct input_ops {
	/* Begins to poll: what comes is read by itself from now on. */
	void (*start)(struct input *in);
	/* Reads what is there now, as far as drain_bytes allow. */
	void (*drain)(struct input *in);
	/* All lines go to another ingest source from now on; may be the same. */
	void (*move)(struct input *in, struct ingest_source *to);
	/* Tries again what failed.  Returns whether that is over. */
	bool (*retry)(struct input *in);
	/* Unfinished lines are lost.  The loop's next turn frees it. */
	void (*destroy)(struct input *in);
};

struct input {
	TAILQ_ENTRY(input) entry; /* in a list of inputs.c, as what follows */
	bool is_wanted;
	bool is_new;
	char *next_name; /* owned */
	size_t next_source;

	const struct input_ops *ops;
	struct input_common *common;
	char *argument; /* as the user wrote it; owned */
	char *name; /* of its source; owned */
	struct ingest_source
	    *ingest; /* where its lines go; NULL: not started */
	enum endpoint_kind kind; /* ENDPOINT_PATH: a FIFO */
	int listening_fd; /* of one with a port; -1: none */
	bool has_shared; /* its port, since the last commit */
	unsigned n_handles; /* not closed yet */
	bool told_no_format;
	struct paths formats; /* that were told */
};

/* Copies both texts.  Returns 0 or -ENOMEM, nothing then to be released. */
int input_init(struct input *in, struct input_common *common,
    const struct input_ops *ops, const char *name, const char *argument)
    __attribute__((warn_unused_result));

/* Closes one of n_handles, whose data is in; the last one frees in. */
void input_close(struct input *in, struct uv_handle_s *handle);

/* Frees what never had a handle, or has none any more. */
void input_free(struct input *in);

void input_tell(const struct input *in, enum event_kind kind,
    const char *detail, int error);

/* Adds n to a counter with the label source, and another where it has one. */
void input_count(const struct input *in, enum metrics_id id, const char *label,
    uint64_t n);

/*
 * Lines that were received.  What cannot be counted for want of memory is
 * lost.
 *
 * final  an unfinished last line is a line
 *
 * Returns how many bytes at the end of window are an unfinished line.
 */
size_t input_feed(struct input *in, struct ingest_stream *lines,
    struct str window, bool final);

/* n_bytes that were in no line yet are gone. */
void input_lose(struct input *in, struct ingest_stream *lines, size_t n_bytes,
    const char *reason);

/*
 * A descriptor with lines: what was read of the last one waits for its rest.
 * The same in whatever pieces it comes, and no byte is looked at twice.
 */
struct input_stream {
	int fd; /* owned by who has the stream; not by it */
	bool blocks; /* fd, and it stays so: it is asked before each read */
	struct ingest_stream lines;
	struct buf rest; /* an unfinished line */
};

enum input_state {
	INPUT_EMPTY, /* nothing is there any more */
	INPUT_MORE, /* max_bytes were read, and there may be more */
	INPUT_ENDED,
	INPUT_FAILED, /* errno says why */
};

void input_stream_init(struct input_stream *s, int fd);

enum input_state input_stream_read(struct input *in, struct input_stream *s,
    uint64_t max_bytes);

/*
 * Reads what is there when it begins, and what comes meanwhile until share_bytes
 * were read, at most BOUNDS_TURN_BYTES and drain_bytes.  It is taken off these.
 * An end is seen as well.
 */
enum input_state input_stream_drain(struct input *in, struct input_stream *s,
    uint64_t share_bytes);

/*
 * Nothing will follow.
 *
 * is_line  an unfinished last line is one; else it was torn, and is lost
 */
void input_stream_finish(struct input *in, struct input_stream *s,
    bool is_line);

/* To another ingest source, with what it lags behind by. */
void input_stream_move(struct input_stream *s, struct ingest_source *to);

#endif
