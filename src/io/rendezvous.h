/*
 * Where a scrape and the loop meet: an HTTP thread asks for everything that is
 * in the logs now, and waits until the loop thread has counted it.
 *
 *	HTTP thread                      loop thread
 *	rendezvous_wait() ---wakes--->   on_request(): begins to drain
 *	      :                          (in this turn or a later one)
 *	   returns        <--answers--   rendezvous_answer()
 *
 * Whoever asks while a drain is under way gets the next one: what was written
 * before the question is in the answer.
 *
 * It guards no data but its own two numbers.
 */
#ifndef ACCESSLOG_RENDEZVOUS_H
#define ACCESSLOG_RENDEZVOUS_H

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;
struct rendezvous;

/* On the loop thread; never again before rendezvous_answer() was called. */
typedef void (*rendezvous_request_fn)(void *arg);

/* Returns 0, -ENOMEM or -Exxx. */
int rendezvous_create(struct uv_loop_s *loop, rendezvous_request_fn on_request,
    void *arg, struct rendezvous **ret_rendezvous)
    __attribute__((warn_unused_result));

/*
 * Ask and wait, at most until the loop has owed an answer for timeout_ms: those
 * who ask one after the other wait together, so that waits do not add up, and
 * who waits for less than others takes nothing from them.
 *
 * Returns whether the answer came in time.  Thread: any but the loop's.
 */
bool rendezvous_wait(struct rendezvous *r, uint32_t timeout_ms);

/*
 * Ask, and do not wait.
 *
 * Returns for how many milliseconds the loop has owed an answer, to this or an
 * earlier question.  Thread: any but the loop's.
 */
uint64_t rendezvous_ask(struct rendezvous *r);

/* What on_request asked for is done.  Thread: the loop's. */
void rendezvous_answer(struct rendezvous *r);

/*
 * Lets all who wait go, without an answer, now and from now on; on_request is
 * called no more.
 * Thread: any.
 */
void rendezvous_cancel(struct rendezvous *r);

/*
 * Nobody waits any more.  The memory is freed by the loop's next turn.
 * Thread: the loop's.  NULL does nothing.
 */
void rendezvous_destroy(struct rendezvous *r);

#endif
