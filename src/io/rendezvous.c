#include "io/rendezvous.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <uv.h>

struct rendezvous {
	uv_async_t wake;
	rendezvous_request_fn on_request;
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t answered_or_cancelled;
	uint64_t n_asked;
	uint64_t n_answered; /* of n_asked */
	bool is_cancelled;
	/* Where it has not answered all: since when it owes an answer. */
	uint64_t owing_since_ms;
	/* The loop thread's own. */
	bool is_working;
	uint64_t working_on; /* n_asked when the work began */
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
begin(struct rendezvous *r)
{
	bool is_asked;

	if (r->is_working)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->working_on = r->n_asked;
	is_asked = r->n_asked > r->n_answered && !r->is_cancelled;
	(void)pthread_mutex_unlock(&r->lock);
	if (!is_asked)
		return;
	r->is_working = true;
	r->on_request(r->arg);
}

static void
woken(uv_async_t *wake)
{
	begin(wake->data);
}

void
rendezvous_answer(struct rendezvous *r)
{
	bool is_asked_again;

	(void)pthread_mutex_lock(&r->lock);
	r->n_answered = r->working_on;
	r->owing_since_ms = now_ms();
	is_asked_again = r->n_asked > r->n_answered;
	(void)pthread_cond_broadcast(&r->answered_or_cancelled);
	(void)pthread_mutex_unlock(&r->lock);
	r->is_working = false;
	/* In a turn of its own, so that the files get theirs. */
	if (is_asked_again)
		(void)uv_async_send(&r->wake);
}

/* Locked.  Returns the number of the question. */
static uint64_t
ask(struct rendezvous *r)
{
	if (r->n_asked == r->n_answered)
		r->owing_since_ms = now_ms();
	if (!r->is_cancelled)
		(void)uv_async_send(&r->wake);
	return ++r->n_asked;
}

uint64_t
rendezvous_ask(struct rendezvous *r)
{
	uint64_t silent_ms;

	(void)pthread_mutex_lock(&r->lock);
	(void)ask(r);
	silent_ms = now_ms() - r->owing_since_ms;
	(void)pthread_mutex_unlock(&r->lock);
	return silent_ms;
}

/* Locked, but not while it waits.  Returns whether it is not yet end_ms. */
static bool
wait_until(struct rendezvous *r, uint64_t end_ms)
{
	const struct timespec end = {
		.tv_sec = (time_t)(end_ms / 1000),
		.tv_nsec = (long)(end_ms % 1000) * 1000000,
	};

	return !pthread_cond_timedwait(&r->answered_or_cancelled, &r->lock,
	    &end);
}

bool
rendezvous_wait(struct rendezvous *r, uint32_t timeout_ms)
{
	uint64_t began_ms = now_ms();
	uint64_t ticket;
	bool is_answered, is_in_time = true;

	(void)pthread_mutex_lock(&r->lock);
	ticket = ask(r);
	while (r->n_answered < ticket && !r->is_cancelled && is_in_time) {
		/* An answer to those before shows that the loop gets on. */
		uint64_t since_ms = r->owing_since_ms < began_ms
		    ? r->owing_since_ms
		    : began_ms;

		is_in_time = wait_until(r, since_ms + timeout_ms);
	}
	is_answered = r->n_answered >= ticket;
	(void)pthread_mutex_unlock(&r->lock);
	return is_answered;
}

void
rendezvous_cancel(struct rendezvous *r)
{
	(void)pthread_mutex_lock(&r->lock);
	r->is_cancelled = true;
	(void)pthread_cond_broadcast(&r->answered_or_cancelled);
	(void)pthread_mutex_unlock(&r->lock);
}

int
rendezvous_create(struct uv_loop_s *loop, rendezvous_request_fn on_request,
    void *arg, struct rendezvous **ret_rendezvous)
{
	struct rendezvous *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	int error;

	if (!r)
		return -ENOMEM;
	r->on_request = on_request;
	r->arg = arg;
	error = -pthread_condattr_init(&monotonic);
	if (error)
		goto free_rendezvous;
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	error = -pthread_cond_init(&r->answered_or_cancelled, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	if (error)
		goto free_rendezvous;
	error = -pthread_mutex_init(&r->lock, NULL);
	if (error)
		goto destroy_condition;
	error = uv_async_init(loop, &r->wake, woken);
	if (error)
		goto destroy_lock;
	r->wake.data = r;
	*ret_rendezvous = r;
	return 0;

destroy_lock:
	(void)pthread_mutex_destroy(&r->lock);
destroy_condition:
	(void)pthread_cond_destroy(&r->answered_or_cancelled);
free_rendezvous:
	free(r);
	return error;
}

static void
wake_closed(uv_handle_t *handle)
{
	struct rendezvous *r = handle->data;

	(void)pthread_mutex_destroy(&r->lock);
	(void)pthread_cond_destroy(&r->answered_or_cancelled);
	free(r);
}

void
rendezvous_destroy(struct rendezvous *r)
{
	if (r)
		uv_close((uv_handle_t *)&r->wake, wake_closed);
}
