/*
 * When the state is saved: at most BOUNDS_SAVE_MS after something has changed,
 * when somebody asks, and at the end.
 *
 *	loop thread                        worker thread
 *	saver_touch() ... timer --.
 *	saver_request() ----------+--> image taken --> state_write()
 *	on_saved(), done() <--------------------------------'
 *
 * One save at a time: who asks during one gets the next, so that what was true
 * when asking is saved when done() is called.  An image is taken in a turn of
 * the loop of its own, when nothing is half-way.  While nothing has changed
 * there is no timer, and nothing wakes up; after a failure it is tried again.
 *
 * Thread: the loop thread.
 */
#ifndef ACCESSLOG_SAVER_H
#define ACCESSLOG_SAVER_H

#include <stdbool.h>
#include <stdint.h>

#include "accesslog/metrics.h"
#include "io/state.h"

struct uv_loop_s;
struct saver;

/* How a save went. */
struct saver_report {
	int error; /* 0 or what state_write() returned */
	uint64_t n_rows; /* written */
	uint64_t held_us; /* how long the loop stood still for it */
	uint64_t took_us; /* in all */
};

/* error: as in the report. */
typedef void (*saver_done_fn)(void *arg, int error);

struct saver_options {
	int error; /* of what was done with the state so far */
	bool is_anew; /* it could not be used: counted as an error */
	uint64_t saved_ms; /* of what was loaded; 0: nothing was */
	/* Adds files and places to what is saved. */
	void (*on_image)(void *arg, struct state_image *image);
	/* After every save, before the done() of those who asked for it. */
	void (*on_saved)(void *arg, const struct saver_report *report);
	void *arg; /* passed to both */
};

/*
 * loop, metrics, state  borrowed for its life; nobody else uses the state
 *                       meanwhile, but in the callbacks and before loop runs
 *
 * Returns 0, -ENOMEM or -Exxx.
 */
int saver_create(struct uv_loop_s *loop, struct metrics *metrics,
    struct state *state, const struct saver_options *options,
    struct saver **ret_saver) __attribute__((warn_unused_result));

/* Something has changed.  Cost: none to speak of, for once a read. */
void saver_touch(struct saver *s);

/*
 * Save as soon as can be, and call done when a save is over that began after
 * this call.  Asking again with the same done and arg before it has begun
 * calls it once.
 */
void saver_request(struct saver *s, saver_done_fn done, void *arg);

/* Whether the last save succeeded. */
bool saver_is_healthy(const struct saver *s);

/*
 * Waits for a save that is under way, then saves once more and never again.
 * Those who have asked are called.
 *
 * is_clean  all that was ever shown is in it
 *
 * Returns whether that was done within BOUNDS_STOP_MS.  Else a save is still
 * under way, and the process has to end without taking anything down.
 */
bool saver_finish(struct saver *s, bool is_clean)
    __attribute__((warn_unused_result));

/*
 * No save is under way.  The memory is freed by the loop's next turn.  NULL
 * does nothing.
 */
void saver_destroy(struct saver *s);

#endif
