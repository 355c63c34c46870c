/*
 * Follows names: which file is at which path, what became of it when another
 * is there, and which files have come.  Reading them is reader.h's.
 *
 *	source  what the user named: a path or a glob
 *	place   one path of it: where a file is, was, or is waited for
 *	file    one file, known by device and inode
 *
 * A place has at most one current file.  A file that is known by its identity
 * is never read again under another name, so that a glob may match rotated
 * files, and no line is counted twice, whatever happens to names.
 *
 * Thread: the loop thread.  It writes no log; what happens is told by events,
 * once per change.
 */
#ifndef ACCESSLOG_TAILER_H
#define ACCESSLOG_TAILER_H

#include <stdbool.h>

#include "accesslog/ingest.h"
#include "accesslog/metrics.h"
#include "io/event.h"
#include "io/state.h"

struct uv_loop_s;
struct tailer;

/* All that was in the files when tailer_drain() was called has been read. */
typedef void (*tailer_drained_fn)(void *arg);

struct tailer_options {
	bool from_start; /* also the files that are there at the beginning */
	size_t max_open_files; /* the rest waits until others are finished */
	event_fn on_event;
	tailer_drained_fn on_drained;
	void (*on_change)(void *arg); /* there is something new to save */
	/*
	 * Files are finished; they are let go by tailer_saved().  NULL: at
	 * once.
	 */
	void (*on_finished)(void *arg);
	void *arg; /* passed to all */
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
 * What is followed is said anew, at the beginning and when the configuration
 * is read again: between tailer_begin() and tailer_commit() everything is
 * added that shall be followed.
 *
 *	tailer_begin(t);
 *	tailer_add(t, ...);    as often as there are paths
 *	tailer_commit(t);      or tailer_cancel(t): all stays as it was
 */
void tailer_begin(struct tailer *t);

/* One path or glob to follow. */
struct tailer_path {
	const char *name; /* of the source, as the label has it */
	/* One that names a file is that file, whatever characters are in it. */
	const char *argument;
	/* fnmatch(3) patterns: of a path, or without a slash of its last part. */
	size_t n_excludes;
	char *const *excludes;
	size_t source; /* its place among the ingest's (ingest_source_at()) */
};

/*
 * What was followed under the same name and argument goes on, at its offset,
 * with what is said of it now.
 *
 * Everything is copied.  Returns 0 or -ENOMEM.
 */
int tailer_add(struct tailer *t, const struct tailer_path *path)
    __attribute__((warn_unused_result));

/*
 * Lets go of what was not added again, opens what is new.  Files that are
 * there at a commit are read as tailer_options say, later ones from byte 0.
 *
 * ingest  where all lines go from now on; borrowed until the next commit
 */
void tailer_commit(struct tailer *t, const struct ingest *ingest);

void tailer_cancel(struct tailer *t);

/*
 * Look at everything now, and call on_drained when what is there has been
 * read: before this returns, or in a later turn of the loop.
 */
void tailer_drain(struct tailer *t);

/*
 * What was followed before this process: the next commit goes on with it, where
 * the files are now (resume.h).  What nobody follows any more is forgotten.
 *
 * saved  borrowed until the commit has returned
 *
 * Returns 0 or -ENOMEM.
 */
int tailer_restore(struct tailer *t, const struct state_image *saved)
    __attribute__((warn_unused_result));

/* Adds all that tailer_restore() needs. */
void tailer_save(struct tailer *t, struct state_image *image);

/* A save that began after on_finished() was called is over, well or not. */
void tailer_saved(struct tailer *t);

/* Before the last save: reads what the next process would not find. */
void tailer_finish(struct tailer *t);

/* Sets the metric that says how things stand: files by state. */
void tailer_publish(struct tailer *t);

#endif
