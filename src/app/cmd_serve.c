#include "app/cmd_serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "accesslog/exposition.h"
#include "app/config_file.h"
#include "app/events.h"
#include "app/keeper.h"
#include "app/log.h"
#include "app/page.h"
#include "app/pipeline.h"
#include "app/version.h"
#include "io/httpd.h"
#include "io/inputs.h"
#include "io/loop.h"
#include "io/paths.h"
#include "io/process.h"
#include "io/rendezvous.h"
#include "io/tailer.h"
#include "io/wall_clock.h"

struct serve {
	const struct options *options;
	struct pipeline pipeline;
	struct paths names; /* of the sources; guarded by the registry's lock */
	/* Between prepare_config() and commit_config(). */
	struct ingest *ingest_before;
	struct paths names_before;
	struct loop *loop;
	struct tailer *tailer;
	struct inputs *inputs;
	size_t n_files; /* paths and globs; of the configuration in use */
	size_t next_n_files;
	struct rendezvous *rendezvous; /* what is in the logs is counted */
	struct rendezvous *saved; /* and saved */
	struct rendezvous *reload;
	bool is_reloaded; /* how it went; guarded by the registry's lock */
	struct httpd *httpd;
	struct keeper keeper;
};

/* Series that are added under this lock were created now. */
static void
lock_registry(struct serve *s)
{
	registry_lock(s->pipeline.registry);
	wall_clock_tell(s->pipeline.registry);
}

/* On the HTTP thread from here */

static int
take_snapshot(struct serve *s, struct registry_snapshot *ret_snapshot)
{
	struct pipeline *p = &s->pipeline;
	int error;

	process_publish(&p->metrics);
	lock_registry(s);
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
 * Returns whether it can be shown; else there is an answer.
 */
static bool
wait_for_logs(struct serve *s, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	uint32_t wait_ms = BOUNDS_SCRAPE_WAIT_MS;
	uint64_t began_ms = now_ms(), took_ms;

	if (request->scrape_timeout_ms &&
	    request->scrape_timeout_ms / 2 < wait_ms)
		wait_ms = request->scrape_timeout_ms / 2;
	if (!keeper_is_replaying(&s->keeper) &&
	    rendezvous_wait(s->rendezvous, wait_ms) && s->keeper.saver) {
		took_ms = now_ms() - began_ms;
		if (took_ms < wait_ms)
			(void)rendezvous_wait(s->saved,
			    wait_ms - (uint32_t)took_ms);
	}
	if (keeper_may_show(&s->keeper))
		return true;
	answer_replaying(reply);
	return false;
}

static void
answer_metrics(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct serve *s = arg;
	struct registry_snapshot snapshot;
	int error;

	if (!wait_for_logs(s, request, reply))
		return;
	error = take_snapshot(s, &snapshot);
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
copy_names(struct serve *s, struct paths *ret_names)
{
	struct registry *registry = s->pipeline.registry;
	struct paths names = { 0 };
	size_t i;
	int error = 0;

	registry_lock(registry);
	for (i = 0; i < s->names.n && !error; i++)
		error = paths_add(&names, s->names.items[i]);
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
	struct serve *s = arg;
	struct registry_snapshot snapshot;
	struct paths names;
	int error;

	if (!wait_for_logs(s, request, reply))
		return;
	error = copy_names(s, &names);
	if (error) {
		answer_failure(reply, error);
		return;
	}
	error = take_snapshot(s, &snapshot);
	if (error) {
		answer_failure(reply, error);
		goto release_names;
	}
	reply->content_type = "text/html; charset=utf-8";
	page_render(names.items, names.n, &snapshot, s->options->telemetry_path,
	    &reply->body);
	registry_snapshot_release(&snapshot);

release_names:
	paths_release(&names);
}

static void
answer_reload(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct serve *s = arg;
	bool is_reloaded;

	(void)request;
	if (!rendezvous_wait(s->reload, BOUNDS_RELOAD_WAIT_MS)) {
		reply->status = 503;
		buf_add_text(&reply->body,
		    "503: the loop is busy; try again\n");
		return;
	}
	registry_lock(s->pipeline.registry);
	is_reloaded = s->is_reloaded;
	registry_unlock(s->pipeline.registry);
	if (is_reloaded)
		return;
	reply->status = 500;
	buf_add_text(&reply->body,
	    "500: the configuration has a mistake, which the log tells; the "
	    "one before is in use\n");
}

static void
answer_healthy(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	(void)arg;
	(void)request;
	reply->content_type = "text/plain; charset=utf-8";
	buf_add_text(&reply->body, "accesslog_exporter is healthy.\n");
}

static void
answer_ready(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct serve *s = arg;

	if (!keeper_may_show(&s->keeper) && !wait_for_logs(s, request, reply))
		return;
	reply->content_type = "text/plain; charset=utf-8";
	buf_add_text(&reply->body, "accesslog_exporter is ready.\n");
}

static void
count_scrape(struct serve *s, unsigned status, uint64_t n)
{
	struct pipeline *p = &s->pipeline;
	char code[] = "000";
	struct str value = STR("other");
	int error;

	if (status < 1000) {
		code[0] = (char)('0' + status / 100);
		code[1] = (char)('0' + status / 10 % 10);
		code[2] = (char)('0' + status % 10);
		value = str_of(code, 3);
	}
	lock_registry(s);
	error = metrics_add(&p->metrics, METRICS_SCRAPES, &value,
	    decimal_of(n));
	registry_unlock(p->registry);
	(void)error; /* out of memory: a count of the exporter's own is short */
}

static void
was_answered(void *arg, const char *path, unsigned status)
{
	struct serve *s = arg;

	if (!strcmp(path, s->options->telemetry_path))
		count_scrape(s, status, 1);
}

/* On the loop thread from here */

static void
scrape_came(void *arg)
{
	struct serve *s = arg;

	inputs_drain(s->inputs);
	tailer_drain(s->tailer);
}

static void
scrape_is_saved(void *arg, int error)
{
	struct serve *s = arg;

	(void)error; /* a full disk does not stop a scrape */
	rendezvous_answer(s->saved);
}

static void
save_came(void *arg)
{
	struct serve *s = arg;

	keeper_save(&s->keeper, scrape_is_saved, s);
}

static void
logs_are_drained(void *arg)
{
	struct serve *s = arg;

	tailer_publish(s->tailer);
	keeper_drained(&s->keeper);
	rendezvous_answer(s->rendezvous);
}

static void
something_changed(void *arg)
{
	struct serve *s = arg;

	keeper_touch(&s->keeper);
}

static void
files_are_finished(void *arg)
{
	struct serve *s = arg;

	keeper_file_finished(&s->keeper);
}

/* Who waits for the loop waits no more. */
static void
let_go(struct serve *s)
{
	rendezvous_cancel(s->rendezvous);
	rendezvous_cancel(s->saved);
	rendezvous_cancel(s->reload);
}

/* Nothing can come any more: what piped it to us has closed it. */
static void
stdin_ended(void *arg)
{
	struct serve *s = arg;

	if (s->n_files)
		return;
	log_event(LOG_INFO, "stopping, because there is no other input", NULL);
	let_go(s);
	loop_stop(s->loop);
}

static int
add_path(struct serve *s, const struct config_source *source, size_t i_source,
    size_t i_path, struct config_error *reterr)
{
	const struct tailer_path path = {
		.name = source->name,
		.argument = source->paths[i_path],
		.n_excludes = source->n_excludes,
		.excludes = source->excludes,
		.source = i_source,
	};
	int error;

	if (!inputs_take(path.argument)) {
		s->next_n_files++;
		return tailer_add(s->tailer, &path);
	}
	error = inputs_add(s->inputs, path.name, path.argument, i_source,
	    reterr);
	if (error && source->path_places)
		config_error_locate(reterr, source->path_places[i_path]);
	return error;
}

/*
 * A configuration is about to be used, the first or another: what can be wrong
 * with it is found, and commit_config() cannot fail.
 */
static int
prepare_config(struct serve *s, const struct config *config,
    struct config_error *reterr)
{
	struct paths names = { 0 };
	size_t i, j;
	int error = 0;

	tailer_begin(s->tailer);
	inputs_begin(s->inputs);
	s->next_n_files = 0;
	for (i = 0; i < config->n_sources && !error; i++) {
		const struct config_source *source = &config->sources[i];

		error = paths_add(&names, source->name);
		for (j = 0; j < source->n_paths && !error; j++)
			error = add_path(s, source, i, j, reterr);
	}
	if (!error)
		error = pipeline_configure(&s->pipeline, config, true,
		    &s->ingest_before, reterr);
	if (error) {
		tailer_cancel(s->tailer);
		inputs_cancel(s->inputs);
		paths_release(&names);
		return error;
	}
	registry_lock(s->pipeline.registry);
	s->names_before = s->names;
	s->names = names;
	registry_unlock(s->pipeline.registry);
	return 0;
}

/* Counters, offsets and files that it shares with the one before go on. */
static void
commit_config(struct serve *s)
{
	tailer_commit(s->tailer, s->pipeline.ingest);
	inputs_commit(s->inputs, s->pipeline.ingest);
	s->n_files = s->next_n_files;
	ingest_destroy(s->ingest_before);
	s->ingest_before = NULL;
	paths_release(&s->names_before);
}

static void
note_reload(struct serve *s, bool is_successful)
{
	struct metrics *m = &s->pipeline.metrics;
	struct timespec now;
	int error;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	registry_lock(s->pipeline.registry);
	s->is_reloaded = is_successful;
	error = metrics_set(m, METRICS_RELOAD_SUCCESSFUL, NULL,
	    decimal_of(is_successful));
	if (is_successful && !error)
		error = metrics_set(m, METRICS_RELOAD_SUCCESS_TIME, NULL,
		    decimal_of((uint64_t)now.tv_sec));
	registry_unlock(s->pipeline.registry);
	(void)error; /* out of memory: a gauge of the exporter's own is old */
}

/* In a pipeline of its own, so that a mistake leaves no trace in ours. */
static int
try_config(const struct config *config, struct config_error *reterr)
{
	struct ingest *before;
	struct pipeline p;
	int error = pipeline_init(&p);

	if (error)
		return error;
	error = pipeline_configure(&p, config, true, &before, reterr);
	pipeline_release(&p);
	return error;
}

static void
read_config_again(struct serve *s)
{
	struct config_error why = { 0 };
	struct config *config;
	struct buf text;
	int error = config_file_compose(s->options, &config, &why);

	if (!error) {
		error = try_config(config, &why);
		if (!error)
			error = prepare_config(s, config, &why);
		config_destroy(config);
	}
	note_reload(s, !error);
	if (!error) {
		commit_config(s);
		log_event(LOG_INFO, "configuration read again", "file",
		    s->options->config_file, NULL);
		return;
	}
	buf_init(&text, BOUNDS_REPLY_BYTES);
	config_file_explain(s->options, error, &why, &text);
	buf_add_char(&text, '\0');
	log_event(LOG_ERROR,
	    "the configuration was not read again; the one before is in use",
	    "error", buf_str(&text).data, NULL);
	buf_release(&text);
}

static void
reload_came(void *arg)
{
	struct serve *s = arg;

	read_config_again(s);
	rendezvous_answer(s->reload);
}

static void
signal_came(void *arg, int signal_number)
{
	struct serve *s = arg;

	if (!s->inputs)
		return; /* it was stopping before this one came */
	if (signal_number == SIGHUP) {
		if (s->options->config_file)
			read_config_again(s);
		else
			log_event(LOG_INFO,
			    "SIGHUP: there is no configuration file to read "
			    "again; logs are followed across rotations "
			    "without a signal",
			    NULL);
		return;
	}
	log_event(LOG_INFO, "stopping", "signal",
	    signal_number == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
	inputs_drain(s->inputs); /* it cannot be read the next time */
	let_go(s);
	loop_stop(s->loop);
}

/* The main thread: setting up, and taking down */

/* Each followed file takes a descriptor; what is allowed is asked for. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_event(LOG_WARN, "the limit of open files stays as it is",
		    "error", strerror(errno), NULL);
}

/* How many files may be followed so that scrapes can still be answered. */
static size_t
open_files_allowed(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) ||
	    limit.rlim_cur >= BOUNDS_FILES + BOUNDS_SPARE_DESCRIPTORS)
		return BOUNDS_FILES;
	/* Where there are few, files and scrapes share them. */
	return limit.rlim_cur > 2 * BOUNDS_SPARE_DESCRIPTORS
	    ? limit.rlim_cur - BOUNDS_SPARE_DESCRIPTORS
	    : limit.rlim_cur / 2;
}

/* The first configuration; what is wrong with it is said to the user. */
static int
start(struct serve *s)
{
	struct config_error why = { 0 };
	struct config *config;
	int error = config_file_compose(s->options, &config, &why);

	if (!error) {
		error = prepare_config(s, config, &why);
		config_destroy(config);
	}
	if (!error) {
		if (s->options->config_file)
			note_reload(s, true);
		return 0;
	}
	config_file_tell(s->options, error, &why);
	/* An input that cannot be opened is no mistake of the user's. */
	return *why.text && error != -EINVAL ? error : -EINVAL;
}

/* It is stopping: the next signal must not end it half-way. */
static void
block_signals(void)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
}

/* Returns the exit code. */
static int
listen_everywhere(struct serve *s)
{
	const struct options *o = s->options;
	size_t i;

	for (i = 0; i < o->n_addresses; i++) {
		const char *bound;
		const char *why;
		int error = httpd_listen(s->httpd, o->addresses[i], &bound,
		    &why);

		if (error == -EINVAL) {
			(void)fprintf(stderr,
			    "accesslog_exporter: --web.listen-address: %s\n",
			    why);
			return 2;
		}
		if (error) {
			(void)fprintf(stderr, "accesslog_exporter: %s\n", why);
			return 1;
		}
		log_event(LOG_INFO, "listening", "address", bound, NULL);
	}
	return 0;
}

static int
set_constants(struct serve *s)
{
	struct pipeline *p = &s->pipeline;
	struct str values[] = { str_from(version_number()),
		str_from(version_revision()), str_from(version_compiler()) };
	int error;

	lock_registry(s);
	error = metrics_set(&p->metrics, METRICS_BUILD_INFO, values,
	    decimal_of(1));
	registry_unlock(p->registry);
	count_scrape(s, 200, 0);
	return error;
}

static int
set_up(struct serve *s)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	const struct httpd_route routes[] = {
		{ s->options->telemetry_path, answer_metrics, false },
		{ "/", answer_page, false },
		{ "/-/healthy", answer_healthy, false },
		{ "/-/ready", answer_ready, false },
		{ "/-/reload", answer_reload, true },
	};
	size_t n_routes = sizeof(routes) / sizeof(routes[0]);
	struct tailer_options tailer_options = {
		.from_start = s->options->from_start,
		.max_open_files = open_files_allowed(),
		.on_event = events_log,
		.on_drained = logs_are_drained,
		.on_change = something_changed,
		.arg = s,
	};
	const struct inputs_options inputs_options = {
		.on_event = events_log,
		.on_change = something_changed,
		.on_ended = stdin_ended,
		.arg = s,
	};
	int error;

	error = pipeline_init(&s->pipeline);
	if (!error)
		error = keeper_open(&s->keeper, s->options, &s->pipeline);
	if (s->keeper.state)
		tailer_options.on_finished = files_are_finished;
	if (!error)
		error = set_constants(s);
	if (!error)
		error = loop_create(&s->loop);
	if (!error)
		error = loop_on_signals(s->loop, signals, 3, signal_came, s);
	if (!error)
		error = tailer_create(loop_uv(s->loop), &s->pipeline.metrics,
		    &tailer_options, &s->tailer);
	if (!error)
		error = keeper_start(&s->keeper, s->loop, s->tailer);
	if (!error)
		error = inputs_create(loop_uv(s->loop), &s->pipeline.metrics,
		    &inputs_options, &s->inputs);
	if (!error)
		error = rendezvous_create(loop_uv(s->loop), scrape_came, s,
		    &s->rendezvous);
	if (!error)
		error = rendezvous_create(loop_uv(s->loop), save_came, s,
		    &s->saved);
	if (!error)
		error = rendezvous_create(loop_uv(s->loop), reload_came, s,
		    &s->reload);
	if (!s->options->has_lifecycle || !s->options->config_file)
		n_routes--; /* the last one */
	if (!error)
		error = httpd_create(routes, n_routes, s, was_answered,
		    &s->httpd);
	return error ? error : start(s);
}

static void
stop_serving(struct serve *s)
{
	if (s->httpd)
		let_go(s); /* all of them are there: it was made last */
	httpd_destroy(s->httpd);
	s->httpd = NULL;
}

/* In the order in which they know each other; each of them may be NULL. */
static void
take_down(struct serve *s)
{
	stop_serving(s);
	rendezvous_destroy(s->reload);
	rendezvous_destroy(s->saved);
	rendezvous_destroy(s->rendezvous);
	keeper_release(&s->keeper);
	inputs_destroy(s->inputs);
	tailer_destroy(s->tailer);
	loop_destroy(s->loop);
	ingest_destroy(s->ingest_before);
	pipeline_release(&s->pipeline);
	paths_release(&s->names_before);
	paths_release(&s->names);
}

int
cmd_serve_run(const struct options *o)
{
	struct serve s = { .options = o };
	int exit_code, error;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* as a full disk: write(2) says so */
	raise_descriptor_limit();
	error = set_up(&s);
	exit_code = error == -EINVAL ? 2 : 1; /* it, -EBUSY, -EAGAIN: told */
	if (!error) {
		exit_code = listen_everywhere(&s);
		if (!exit_code) {
			commit_config(&s);
			keeper_begin(&s.keeper);
			error = loop_run(s.loop);
			block_signals();
			exit_code = error ? 1 : 0;
			stop_serving(&s);
			/* What it ends with is to be saved as well. */
			inputs_destroy(s.inputs);
			s.inputs = NULL;
			/* As after a crash: what was saved last counts. */
			if (!keeper_finish(&s.keeper))
				_exit(1);
		}
	}
	if (error && error != -EINVAL && error != -EBUSY && error != -EAGAIN)
		log_event(LOG_ERROR, "serve has failed", "error",
		    strerror(-error), NULL);
	take_down(&s);
	return exit_code;
}
