/*
 * The event loop: runs until it is told to stop, and turns signals into calls.
 *
 * Thread: all of it the loop thread, but where it says otherwise.
 */
#ifndef ACCESSLOG_LOOP_H
#define ACCESSLOG_LOOP_H

#include <stddef.h>

struct loop;
struct uv_loop_s;

/* On the loop thread, not in a signal handler. */
typedef void (*loop_signal_fn)(void *arg, int signal_number);

/* Returns 0 or -Exxx. */
int loop_create(struct loop **ret_loop) __attribute__((warn_unused_result));

/*
 * Closes what is still open in it, frees it.  NULL does nothing.  Everything
 * that was given loop_uv() has been closed before.
 */
void loop_destroy(struct loop *l);

/*
 * Call on_signal for each of the n signals from now on.
 * Returns 0 or -Exxx; call it once.
 */
int loop_on_signals(struct loop *l, const int signals[], size_t n,
    loop_signal_fn on_signal, void *arg) __attribute__((warn_unused_result));

/* Returns when loop_stop() was called.  Returns 0 or -Exxx. */
int loop_run(struct loop *l) __attribute__((warn_unused_result));

/* Lets loop_run() return after the callback that is running. */
void loop_stop(struct loop *l);

/* libuv's loop, for the other files that use libuv. */
struct uv_loop_s *loop_uv(struct loop *l);

#endif
