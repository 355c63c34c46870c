#include "io/saver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "io/wall_clock.h"

/* Who may have asked for the same save: scrapes, and the tailer. */
#define MAX_REQUESTS 4

struct requests {
	size_t n;
	struct {
		saver_done_fn done;
		void *arg;
	} items[MAX_REQUESTS];
};

struct saver {
	uv_loop_t *loop;
	uv_timer_t timer; /* to the next save */
	uv_work_t work;
	struct metrics *metrics;
	struct state *state;
	struct saver_options options;
	struct requests next; /* who gets the save that has not begun */
	struct requests current;
	bool is_due; /* the timer came during a save */
	bool is_writing;
	bool is_finished;
	bool is_late; /* to be finished */
	int error; /* of the last save */
	/*
	 * Of the save under way; the worker's until it is done.  Its memory is
	 * used again: to be given pages would hold the loop for longer than to
	 * fill them.
	 */
	struct state_image image;
	struct saver_report report;
	uint64_t began_ns;
	uint64_t began_ms; /* since 1970 */
};

static void
publish(struct saver *s, bool has_failed, uint64_t saved_ms)
{
	struct metrics *m = s->metrics;
	int publish_error;

	registry_lock(m->registry);
	publish_error = metrics_add(m, METRICS_STATE_ERRORS, NULL,
	    decimal_of(has_failed));
	if (!publish_error && saved_ms)
		publish_error = metrics_set(m, METRICS_STATE_SAVED, NULL,
		    (struct decimal){ saved_ms / 1000,
			(uint32_t)(saved_ms % 1000) * 1000000 });
	registry_unlock(m->registry);
	(void)publish_error; /* out of memory: not shown */
}

/* What is saved is what there is now. */
static int
take_image(struct saver *s, bool is_clean)
{
	int error;

	assert(!s->is_writing);
	s->is_due = false;
	s->current = s->next;
	s->next = (struct requests){ 0 };
	s->began_ns = uv_hrtime();
	s->began_ms = wall_clock_ms();
	s->report = (struct saver_report){ 0 };
	error = state_image_take(s->metrics->registry, &s->image);
	if (error)
		return error;
	s->image.is_clean = is_clean;
	s->image.saved_ms = s->began_ms;
	s->options.on_image(s->options.arg, &s->image);
	s->report.held_us = (uv_hrtime() - s->began_ns) / 1000;
	return 0;
}

static void
tell(struct saver *s, int error)
{
	struct requests requests = s->current;
	size_t i;

	state_image_empty(&s->image);
	s->error = error;
	s->report.error = error;
	s->report.took_us = (uv_hrtime() - s->began_ns) / 1000;
	publish(s, error != 0, error ? 0 : s->began_ms);
	s->current = (struct requests){ 0 };
	s->options.on_saved(s->options.arg, &s->report);
	for (i = 0; i < requests.n; i++)
		requests.items[i].done(requests.items[i].arg, error);
}

static void begin(struct saver *s);

static void
timer_came(uv_timer_t *timer)
{
	begin(timer->data);
}

static void
schedule(struct saver *s, uint64_t in_ms)
{
	if (!s->is_finished)
		(void)uv_timer_start(&s->timer, timer_came, in_ms, 0);
}

static void
ended(struct saver *s, int error)
{
	tell(s, error);
	if (s->is_due || s->next.n)
		schedule(s, 0);
	else if (error)
		saver_touch(s);
}

static void
work_came(uv_work_t *work)
{
	struct saver *s = work->data;
	uint64_t before = state_n_rows(s->state);

	s->report.error = state_write(s->state, &s->image);
	s->report.n_rows = state_n_rows(s->state) - before;
}

static void
work_done(uv_work_t *work, int status)
{
	struct saver *s = work->data;

	s->is_writing = false;
	ended(s, status ? status : s->report.error);
}

static void
write_image(struct saver *s, bool is_clean)
{
	int error = take_image(s, is_clean);

	if (!error)
		error = uv_queue_work(s->loop, &s->work, work_came, work_done);
	s->is_writing = !error;
	if (error)
		ended(s, error);
}

static void
begin(struct saver *s)
{
	if (s->is_writing) {
		s->is_due = true;
		return;
	}
	(void)uv_timer_stop(&s->timer);
	write_image(s, false);
}

void
saver_touch(struct saver *s)
{
	if (!s->is_due && !uv_is_active((uv_handle_t *)&s->timer))
		schedule(s, BOUNDS_SAVE_MS);
}

void
saver_request(struct saver *s, saver_done_fn done, void *arg)
{
	struct requests *r = &s->next;
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->items[i].done == done && r->items[i].arg == arg)
			return;
	}
	assert(r->n < MAX_REQUESTS);
	r->items[r->n].done = done;
	r->items[r->n++].arg = arg;
	if (!s->is_writing)
		schedule(s, 0);
}

bool
saver_is_healthy(const struct saver *s)
{
	return !s->error;
}

static void
came_too_late(uv_timer_t *timer)
{
	struct saver *s = timer->data;

	s->is_late = true;
}

static void
wait_for_worker(struct saver *s)
{
	while (s->is_writing && !s->is_late)
		(void)uv_run(s->loop, UV_RUN_ONCE);
}

bool
saver_finish(struct saver *s, bool is_clean)
{
	s->is_finished = true;
	(void)uv_timer_start(&s->timer, came_too_late, BOUNDS_STOP_MS, 0);
	wait_for_worker(s);
	if (!s->is_writing)
		write_image(s, is_clean);
	wait_for_worker(s);
	return !s->is_writing;
}

int
saver_create(struct uv_loop_s *loop, struct metrics *metrics,
    struct state *state, const struct saver_options *options,
    struct saver **ret_saver)
{
	struct saver *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return -ENOMEM;
	error = uv_timer_init(loop, &s->timer);
	if (error) {
		free(s);
		return error;
	}
	/* libuv begins as many threads as this says with the first work. */
	(void)setenv("UV_THREADPOOL_SIZE", "1", 0);
	s->timer.data = s;
	s->work.data = s;
	s->loop = loop;
	s->metrics = metrics;
	s->state = state;
	s->options = *options;
	s->error = options->error;
	publish(s, options->error || options->is_anew, options->saved_ms);
	if (options->error)
		saver_touch(s);
	*ret_saver = s;
	return 0;
}

static void
timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
saver_destroy(struct saver *s)
{
	if (!s)
		return;
	assert(!s->is_writing);
	state_image_release(&s->image);
	uv_close((uv_handle_t *)&s->timer, timer_closed);
}
