/*
 * What serve does about its state: opens and loads it, saves it, and says how
 * that went.  Without a directory for it none of this does anything.
 *
 *	keeper_open()    before the first configuration
 *	keeper_start()   before the first commit of the tailer
 *	keeper_begin()   after it
 *	keeper_finish()  when nothing is shown any more
 *
 * Thread: the loop thread, but keeper_is_replaying() and keeper_may_show().
 */
#ifndef ACCESSLOG_KEEPER_H
#define ACCESSLOG_KEEPER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "app/options.h"
#include "app/pipeline.h"
#include "io/saver.h"
#include "io/tailer.h"

struct loop;

struct keeper {
	struct state *state; /* NULL: nothing is saved */
	struct saver *saver;
	struct tailer *tailer;
	struct pipeline *pipeline;
	struct state_loaded loaded;
	int error; /* of the state, as it was told */
	bool is_anew; /* what was there was set aside */
	atomic_bool is_replaying;
	atomic_bool is_drained; /* what was in the files is counted */
};

/*
 * Loads the series of what was saved.  A directory that cannot be used, or a
 * file that is torn, is told, and is no failure.  A state that cannot be read
 * now is one: it may be good, and counters must not begin below it.  So is a
 * directory that is in none: it may be on a disk that is mounted late.
 *
 * p  has no configuration yet; it is made anew where it has to be
 *
 * Returns 0; -EBUSY, told: another process has it; -EAGAIN, told: it cannot be
 * read or made; -ENOMEM; -Exxx of p.
 */
int keeper_open(struct keeper *k, const struct options *o, struct pipeline *p)
    __attribute__((warn_unused_result));

/* Gives the tailer the files that were saved.  Returns 0, -ENOMEM, -Exxx. */
int keeper_start(struct keeper *k, struct loop *loop, struct tailer *tailer)
    __attribute__((warn_unused_result));

/*
 * Following begins; what is in the files is drained, also after a clean stop:
 * the life after that may have shown more, and not have been able to save even
 * that it began.  So whatever has grown is replayed.
 */
void keeper_begin(struct keeper *k);

/*
 * Whether counters are likely to be below what was shown before the start: there
 * is no use in waiting for a moment.  Thread: any.
 */
bool keeper_is_replaying(const struct keeper *k);

/*
 * Whether they are not.  Until that is known, which after a clean stop is soon,
 * they must not be shown.  Thread: any.
 */
bool keeper_may_show(const struct keeper *k);

/* The tailer has drained all files. */
void keeper_drained(struct keeper *k);

/* There is something new to save. */
void keeper_touch(struct keeper *k);

/* The tailer's on_finished. */
void keeper_file_finished(struct keeper *k);

/*
 * Before something is shown: it is saved first, and done called then.  Called
 * at once where there is no state, or it fails anyway.
 */
void keeper_save(struct keeper *k, saver_done_fn done, void *arg);

enum keeper_end {
	KEEPER_SAVED, /* or it never began */
	KEEPER_FAILED, /* told, as the next */
	KEEPER_TOO_SLOW, /* under way: the process has to end as it is */
};

/* The last save. */
enum keeper_end keeper_finish(struct keeper *k)
    __attribute__((warn_unused_result));

/* After keeper_finish(), before the tailer goes. */
void keeper_release(struct keeper *k);

#endif
