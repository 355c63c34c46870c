/*
 * When the state is saved: at most BOUNDS_SAVE_MS after something has changed,
 * when somebody asks, and at the end.
 *
 *	loop thread                        worker thread
 *	saver_touch() ... timer --.
 *	saver_request() ----------+--> image taken --> state_write()
 *	done(error) <----------------------------------------'
 *
 * One save at a time: who asks during one gets the next, so that what was true
 * when asking is saved when done() is called.  While nothing has changed there
 * is no timer, and nothing wakes up.
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

/* error: 0 or what state_write() returned. */
typedef void (*saver_done_fn)(void *arg, int error);

struct saver_options {
	/* Adds files and places to what is saved. */
	void (*on_image)(void *arg, struct state_image *image);
	/* After every save, before the done() of those who asked for it. */
	saver_done_fn on_saved;
	void *arg; /* passed to both */
};

/*
 * loop, metrics, state  borrowed for its life; nobody else uses the state
 *                       before saver_finish()
 * Returns 0, -ENOMEM or -Exxx.
 */
int saver_create(struct uv_loop_s *loop, struct metrics *metrics,
    struct state *state, const struct saver_options *options,
    struct saver **ret_saver) __attribute__((warn_unused_result));

/* Something has changed.  Cost: none to speak of, once per read. */
void saver_touch(struct saver *s);

/*
 * Save now, and call done when a save is over that began after this call.  The
 * same done and arg again, before that save has begun, are called once.
 */
void saver_request(struct saver *s, saver_done_fn done, void *arg);

/* Whether the last save succeeded, or none has been tried. */
bool saver_is_healthy(const struct saver *s);

/*
 * Waits for a save that is under way, then saves once more on this thread and
 * never again.  Who asked before is called.
 *
 * is_clean  all that was ever shown is in it: the next start need not wait
 */
void saver_finish(struct saver *s, bool is_clean);

/* After saver_finish(), or without a last save.  NULL does nothing. */
void saver_destroy(struct saver *s);

#endif
