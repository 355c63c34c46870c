/*
 * The files that are read, each known by device and inode, and nothing about
 * their names: tailer.h decides which file is at which path.
 *
 *	added --> current at a place --> held --> finished
 *	                ^                 |  (the last BOUNDS_FINISHED of a
 *	                |                 |  path, all that a glob matches)
 *	                '---- adopted ----'
 *
 * A held file is one whose path was taken from it.  It is read on until it was
 * quiet for BOUNDS_HOLD_MS, because its writer may not have let go of it.
 *
 * Thread: the loop thread.
 */
#ifndef ACCESSLOG_READER_H
#define ACCESSLOG_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "accesslog/ingest.h"
#include "accesslog/metrics.h"
#include "io/event.h"
#include "io/file.h"
#include "io/paths.h"

struct uv_loop_s;
struct place; /* the tailer's; never looked into here */
struct reader;

/* What the files of one source have in common. */
struct reader_source {
	struct reader *reader;
	const char *name; /* borrowed */
	struct ingest_source *ingest;
	bool keeps_finished; /* a glob may match them again */
	bool told_no_format;
	struct paths formats; /* that were told */
};

struct reader_file {
	TAILQ_ENTRY(reader_file) entry;
	struct reader_source *source;
	struct place *place; /* where it is current; NULL: held or finished */
	struct file *file; /* owned; its descriptor is -1 once finished */
	int error; /* of the last read, as it was told; 0: none */
	bool is_undecided; /* came empty, and may become a copy (is_copy) */
	bool is_copy; /* finished, and whatever is added to it is no news */
	bool is_awaited; /* read to awaited_bytes, or not behind: then not */
	uint64_t awaited_bytes;
	bool is_finishing; /* read to its end; let go by reader_saved() */
	bool is_saved; /* as finished */
	bool is_unseen; /* to be read on, and could not be opened (resume.h) */
	bool is_hidden; /* unseen, though it is there: a read has failed */
	bool was_cut; /* truncated; reset by who looks for what came with it */
	uint64_t quiet_since_ms;
	unsigned generation; /* the tailer's: the look at a glob that saw it */
};

TAILQ_HEAD(reader_list, reader_file);

struct reader_options {
	size_t max_open_files; /* more than these are refused */
	event_fn on_event;
	void (*on_caught_up)(void *arg); /* what reader_await() says */
	/*
	 * f is empty no more: whether it is a copy.  Asked again at each look
	 * while it stays undecided.
	 */
	bool (*is_copy)(void *arg, struct reader_file *f);
	/* A file was lost to an error; its place has no current file now. */
	void (*on_lost)(void *arg, struct place *place, int error);
	/*
	 * A file was truncated: its anchor is still the old one.  Returns
	 * whether what was unread is read elsewhere, and so is not lost.
	 */
	bool (*on_cut)(void *arg, struct reader_file *f);
	/*
	 * Files are finished; they are let go by reader_saved().  NULL: at
	 * once.
	 */
	void (*on_finished)(void *arg);
	/* Something was read or lost. */
	void (*on_change)(void *arg);
	void *arg; /* passed to all */
};

/* loop, metrics: borrowed for its life.  Returns 0 or -ENOMEM. */
int reader_create(struct uv_loop_s *loop, struct metrics *metrics,
    const struct reader_options *options, struct reader **ret_reader)
    __attribute__((warn_unused_result));

/* Forgets all files; the memory is freed by the loop's next turn. */
void reader_destroy(struct reader *r);

/* All of them, to walk through; changed by the functions here only. */
const struct reader_list *reader_files(const struct reader *r);

/* Returns the file of this identity, or NULL. */
struct reader_file *reader_find(const struct reader *r, struct follow_id id);

/* The loop's clock. */
uint64_t reader_now_ms(const struct reader *r);

/* Whether no more files can be added before others are finished. */
bool reader_is_full(const struct reader *r);

/*
 * file  taken on success
 * Returns it as a file that is held, or NULL without memory or room.
 */
struct reader_file *reader_add(struct reader_source *s, struct file *file);

/*
 * As reader_add(), of a file without a descriptor: it was finished.  Where its
 * inode is that of another file now, it is known by what was read of it.
 *
 * file  taken on success
 *
 * Returns NULL also where this file is known already.
 */
struct reader_file *reader_remember(struct reader_source *s, struct file *file);

/*
 * file has the identity of f, which was let go.  If it is another file, f stays
 * known by what was read of it: it may be found again, copied or compressed.
 * Else f is forgotten.
 */
void reader_yield(struct reader_file *f, const struct file *file);

/*
 * An undecided file was found again, as what file is: it is that from now on.
 * Takes file.
 */
void reader_replace(struct reader_file *f, struct file *file);

/* Lets go of its descriptor; what is known of it stays. */
void reader_close(struct reader_file *f);

/*
 * A finished file was found again, perhaps grown.
 *
 * Returns FOLLOW_READ_ON: it has taken the descriptor of file;
 * FOLLOW_TRUNCATED: the inode is used by another file; FOLLOW_WAIT: it cannot
 * be read now.
 */
enum follow_content reader_reopen(struct reader_file *f, struct file *file);

/*
 * Its source becomes another, at the same offset; it is held until a place
 * takes it.  Whoever had it as current has it no more.
 */
void reader_move(struct reader_file *f, struct reader_source *to);

/* The lines of all files of s go to another ingest source from now on. */
void reader_rebind(struct reader_source *s, struct ingest_source *to);

/* Closes and frees it. */
void reader_forget(struct reader_file *f);

/* Its path is not its own any more. */
void reader_hold(struct reader_file *f);

/*
 * Reads on: a little now, much in turns of the loop, in which others get
 * theirs.
 */
void reader_read(struct reader_file *f);

/*
 * Looks at an open file, and reads what is new or begins anew when it was
 * truncated.
 *
 * path             where it is current, or NULL
 * ret_has_changed  whether something happened in it
 *
 * Returns what became of the path.  The file may be lost on the way (on_lost).
 */
enum follow_place reader_look(struct reader_file *f, const char *path,
    bool *ret_has_changed);

/* Looks at all held files, and lets go of those that are finished. */
void reader_look_held(struct reader *r);

/*
 * Before the end: reads what is in files that have no name any more, which
 * nobody will find again.
 *
 * deadline_ns  when to give up, by uv_hrtime()
 */
void reader_finish(struct reader *r, uint64_t deadline_ns);

/*
 * The first time, files are read in turns only, and one after the other: from
 * this call on, made when all are added, in the order in which they were last
 * written to.
 */
void reader_start(struct reader *r);

/* What was finished when on_finished() was called may be let go. */
void reader_saved(struct reader *r);

/*
 * Calls on_caught_up, in a turn of the loop, when what is in the files by the
 * last look has been read, whatever is written to them meanwhile.
 *
 * Returns false where it has been: then it is not called.
 */
bool reader_await(struct reader *r);

/* Whether on_caught_up is still to come. */
bool reader_is_awaiting(const struct reader *r);

/* Tells of an event, of source s. */
void reader_tell(const struct reader_source *s, enum event_kind kind,
    const char *path, const char *detail, int error);

/* Adds n to a counter with the labels source and another. */
void reader_count(const struct reader_source *s, enum metrics_id id,
    const char *label, uint64_t n);

#endif
