#include "app/answers.h"

#include <string.h>
#include <time.h>

#include "accesslog/exposition.h"
#include "app/page.h"
#include "io/httpd.h"
#include "io/process.h"
#include "io/wall_clock.h"

/* Series that are added under this lock were created now. */
static void
lock_registry(const struct answers *a)
{
	registry_lock(a->pipeline->registry);
	wall_clock_tell(a->pipeline->registry);
}

static int
take_snapshot(struct answers *a, struct registry_snapshot *ret_snapshot)
{
	struct pipeline *p = a->pipeline;
	int error;

	process_publish(&p->metrics);
	lock_registry(a);
	error = metrics_publish(&p->metrics);
	registry_unlock(p->registry);
	return error ? error
		     : registry_snapshot_take(p->registry, ret_snapshot);
}

static void
answer_failure(struct httpd_reply *reply, int error)
{
	reply->status = 500;
	reply->content_type = "text/plain; charset=utf-8";
	buf_add_format(&reply->body, "500: %s\n", strerror(-error));
}

/* What was shown before is not here yet. */
static void
answer_replaying(struct httpd_reply *reply)
{
	reply->status = 503;
	reply->content_type = "text/plain; charset=utf-8";
	reply->retry_after_seconds = BOUNDS_RETRY_SECONDS;
	buf_add_text(&reply->body,
	    "503: what has come into the logs since they were saved is being "
	    "read\n");
}

static void
count(struct answers *a, enum metrics_id id, const struct str *value,
    uint64_t n)
{
	struct pipeline *p = a->pipeline;
	int error;

	lock_registry(a);
	error = metrics_add(&p->metrics, id, value, decimal_of(n));
	registry_unlock(p->registry);
	(void)error; /* out of memory: a count of the exporter's own is short */
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * What is in the logs now is counted when this returns, and saved, should they
 * be gone after a crash; or time is up.  A slow save leaves the counting alone:
 * whoever comes during it has another, and waits no more for the save.
 *
 * ret_is_stale  time was up before all was counted
 *
 * Returns whether it can be shown; else there is an answer.
 */
static bool
wait_for_logs(struct answers *a, const struct httpd_request *request,
    struct httpd_reply *reply, bool *ret_is_stale)
{
	uint32_t wait_ms = BOUNDS_SCRAPE_WAIT_MS;
	uint64_t began_ms = now_ms(), took_ms;
	bool is_counted;

	(void)rendezvous_ask(a->alive); /* so that its silence is noticed */

	if (request->scrape_timeout_ms &&
	    request->scrape_timeout_ms / 2 < wait_ms)
		wait_ms = request->scrape_timeout_ms / 2;
	is_counted = !keeper_is_replaying(a->keeper) &&
	    rendezvous_wait(a->counted, wait_ms);
	if (is_counted && a->keeper->saver) {
		took_ms = now_ms() - began_ms;
		if (took_ms < wait_ms)
			(void)rendezvous_wait(a->saved,
			    wait_ms - (uint32_t)took_ms);
	}
	*ret_is_stale = !is_counted;
	if (keeper_may_show(a->keeper))
		return true;
	answer_replaying(reply);
	return false;
}

static void
answer_metrics(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct answers *a = arg;
	struct registry_snapshot snapshot;
	bool is_stale;
	int error;

	if (!wait_for_logs(a, request, reply, &is_stale))
		return;
	if (is_stale)
		count(a, METRICS_STALE_SCRAPES, NULL, 1);
	error = take_snapshot(a, &snapshot);
	if (error) {
		answer_failure(reply, error);
		return;
	}
	reply->content_type = EXPOSITION_CONTENT_TYPE;
	exposition_render(&snapshot, &reply->body);
	registry_snapshot_release(&snapshot);
}

/* A copy of the names of the sources, because a reload may change them. */
static int
copy_names(struct answers *a, struct paths *ret_names)
{
	struct registry *registry = a->pipeline->registry;
	struct paths names = { 0 };
	size_t i;
	int error = 0;

	registry_lock(registry);
	for (i = 0; i < a->names.n && !error; i++)
		error = paths_add(&names, a->names.items[i]);
	registry_unlock(registry);
	if (error) {
		paths_release(&names);
		return error;
	}
	*ret_names = names;
	return 0;
}

static void
answer_page(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct answers *a = arg;
	struct registry_snapshot snapshot;
	struct paths names;
	bool is_stale;
	int error;

	if (!wait_for_logs(a, request, reply, &is_stale))
		return;
	error = copy_names(a, &names);
	if (error) {
		answer_failure(reply, error);
		return;
	}
	error = take_snapshot(a, &snapshot);
	if (error) {
		answer_failure(reply, error);
		goto release_names;
	}
	reply->content_type = "text/html; charset=utf-8";
	page_render(names.items, names.n, &snapshot, a->options->telemetry_path,
	    &reply->body);
	registry_snapshot_release(&snapshot);

release_names:
	paths_release(&names);
}

static void
answer_reload(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct answers *a = arg;

	(void)request;
	if (!rendezvous_wait(a->reload, BOUNDS_RELOAD_WAIT_MS)) {
		reply->status = 503;
		buf_add_text(&reply->body,
		    "503: the loop is busy; try again\n");
		return;
	}
	registry_lock(a->pipeline->registry);
	if (!a->is_reloaded) {
		reply->status = 500;
		buf_add_format(&reply->body,
		    "500: the configuration was not read again; the one before "
		    "is in use: %s\n",
		    buf_status(&a->why_not) ? "out of memory"
					    : a->why_not.data);
	}
	registry_unlock(a->pipeline->registry);
}

/*
 * A loop that has no work answers at once, and one that has much in its next
 * turn.  Who is silent is stuck in a system call.
 *
 * Returns whether it is well; else there is an answer.
 */
static bool
is_alive(struct answers *a, struct httpd_reply *reply)
{
	uint64_t silent_ms = rendezvous_ask(a->alive);

	if (silent_ms < BOUNDS_LOOP_SILENT_MS)
		return true;
	reply->status = 503;
	buf_add_format(&reply->body,
	    "503: what reads the logs has not answered for %u seconds; does a "
	    "disk or a mount hang?\n",
	    (unsigned)(silent_ms / 1000));
	return false;
}

static void
answer_healthy(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	(void)request;
	if (!is_alive(arg, reply))
		return;
	reply->content_type = "text/plain; charset=utf-8";
	buf_add_text(&reply->body, "accesslog_exporter is healthy.\n");
}

static void
answer_ready(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct answers *a = arg;
	bool is_stale;

	if (!is_alive(a, reply) ||
	    (!keeper_may_show(a->keeper) &&
		!wait_for_logs(a, request, reply, &is_stale)))
		return;
	reply->content_type = "text/plain; charset=utf-8";
	buf_add_text(&reply->body, "accesslog_exporter is ready.\n");
}

static void
count_scrape(struct answers *a, unsigned status, uint64_t n)
{
	char code[] = "000";
	struct str value = STR("other");

	if (status < 1000) {
		code[0] = (char)('0' + status / 100);
		code[1] = (char)('0' + status / 10 % 10);
		code[2] = (char)('0' + status % 10);
		value = str_of(code, 3);
	}
	count(a, METRICS_SCRAPES, &value, n);
}

static void
was_answered(void *arg, const char *path, unsigned status)
{
	struct answers *a = arg;

	if (!strcmp(path, a->options->telemetry_path))
		count_scrape(a, status, 1);
}

int
answers_create(struct answers *a, struct httpd **ret_httpd)
{
	const char *needs = !a->options->config_file
	    ? "there is no configuration to read again; start with "
	      "--config.file=FILE"
	    : !a->options->has_lifecycle ? "start with --web.enable-lifecycle"
					 : NULL;
	const struct httpd_route routes[] = {
		{ a->options->telemetry_path, answer_metrics, false, NULL },
		{ "/", answer_page, false, NULL },
		{ "/-/healthy", answer_healthy, false, NULL },
		{ "/-/ready", answer_ready, false, NULL },
		{ "/-/reload", answer_reload, true, needs },
	};
	size_t n_routes = sizeof(routes) / sizeof(routes[0]);

	count_scrape(a, 200, 0);
	count(a, METRICS_STALE_SCRAPES, NULL, 0);
	return httpd_create(routes, n_routes, a, was_answered, ret_httpd);
}

void
answers_let_go(struct answers *a)
{
	rendezvous_cancel(a->counted);
	rendezvous_cancel(a->saved);
	rendezvous_cancel(a->reload);
	rendezvous_cancel(a->alive);
}

void
answers_swap_names(struct answers *a, struct paths *names)
{
	struct paths before;

	registry_lock(a->pipeline->registry);
	before = a->names;
	a->names = *names;
	registry_unlock(a->pipeline->registry);
	*names = before;
}

void
answers_note_reload(struct answers *a, bool is_successful, struct buf *why_not)
{
	registry_lock(a->pipeline->registry);
	buf_release(&a->why_not);
	a->is_reloaded = is_successful;
	a->why_not = *why_not;
	registry_unlock(a->pipeline->registry);
}

void
answers_release(struct answers *a)
{
	paths_release(&a->names);
	buf_release(&a->why_not);
}
