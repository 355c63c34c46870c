/*
 * Follows files: which are there, what became of them, and reading them.
 *
 *	source  what the user named: a path or a glob
 *	place   one path of it: where a file is, was, or is waited for
 *	file    one open file, known by device and inode
 *
 * A place has at most one current file.  When its path is renamed, removed or
 * given to another file, the file is held: read on until it was quiet for
 * BOUNDS_HOLD_MS, because its writer may not have let go of it.
 *
 * It keeps no data of its own: an unfinished line is read again.  Offsets go
 * only forward within a file, so no line is counted twice, whatever happens
 * to names.
 *
 * Thread: the loop thread.  It writes no log; what happens is told by events,
 * once per change.
 */
#ifndef ACCESSLOG_TAILER_H
#define ACCESSLOG_TAILER_H

#include <stdbool.h>

#include "accesslog/ingest.h"
#include "accesslog/metrics.h"

struct uv_loop_s;
struct tailer;

enum tailer_event_kind {
	TAILER_FOLLOWING, /* a file was opened */
	TAILER_MISSING, /* nothing is at the path; it is waited for */
	TAILER_UNREADABLE, /* error says why; it is tried again */
	TAILER_COMPRESSED, /* left alone */
	TAILER_DUPLICATE, /* the file is followed under another name */
	TAILER_COPY, /* what is in it was already read from another file */
	TAILER_REPLACED, /* another file is at the path: a rotation */
	TAILER_REMOVED, /* nothing is at the path any more */
	TAILER_TRUNCATED, /* it was cut and is read from its start */
	TAILER_FINISHED, /* a held file was let go */
	TAILER_FORMAT, /* detail: the name of the format of its lines */
	TAILER_NO_FORMAT, /* lines came that fit no shipped format */
};

struct tailer_event {
	enum tailer_event_kind kind;
	const char *source; /* all borrowed during the call */
	const char *path;
	const char *detail; /* or NULL */
	int error; /* 0 or -Exxx */
};

typedef void (*tailer_event_fn)(void *arg, const struct tailer_event *event);

/* All that was in the files when tailer_drain() was called has been read. */
typedef void (*tailer_drained_fn)(void *arg);

struct tailer_options {
	bool from_start; /* also the files that are there at the beginning */
	tailer_event_fn on_event;
	tailer_drained_fn on_drained;
	void *arg; /* passed to both */
};

/*
 * loop, metrics  borrowed for the life of the tailer
 * Returns 0, -ENOMEM, -Exxx.
 */
int tailer_create(struct uv_loop_s *loop, struct metrics *metrics,
    const struct tailer_options *options, struct tailer **ret_tailer)
    __attribute__((warn_unused_result));

/* Closes everything; the memory is freed by the loop's next turn. */
void tailer_destroy(struct tailer *t);

/*
 * Follow one more path or glob.  An argument that names a file is taken as
 * that name, whatever characters are in it.
 *
 * argument  copied
 * source    borrowed for the life of the tailer
 *
 * Returns 0 or -ENOMEM.
 */
int tailer_add(struct tailer *t, const char *argument,
    struct ingest_source *source) __attribute__((warn_unused_result));

/* Opens what is there and begins to follow. */
void tailer_start(struct tailer *t);

/*
 * Look at everything now, and call on_drained when what is there has been
 * read: before this returns, or in a later turn of the loop.
 */
void tailer_drain(struct tailer *t);

/* Sets the metrics that say how things stand: lag and files. */
void tailer_publish(struct tailer *t);

#endif
