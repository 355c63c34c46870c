#include "app/cmd_serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "accesslog/exposition.h"
#include "app/log.h"
#include "app/page.h"
#include "app/pipeline.h"
#include "app/version.h"
#include "io/httpd.h"
#include "io/loop.h"
#include "io/process.h"
#include "io/rendezvous.h"
#include "io/tailer.h"

struct serve {
	const struct options *options;
	struct pipeline pipeline;
	struct loop *loop;
	struct tailer *tailer;
	struct rendezvous *rendezvous;
	struct httpd *httpd;
};

/* On the HTTP thread from here */

/* What is in the logs now is counted when this returns, or time is up. */
static void
wait_for_logs(struct serve *s, const struct httpd_request *request)
{
	uint32_t wait_ms = BOUNDS_SCRAPE_WAIT_MS;

	if (request->scrape_timeout_ms &&
	    request->scrape_timeout_ms / 2 < wait_ms)
		wait_ms = request->scrape_timeout_ms / 2;
	(void)rendezvous_wait(s->rendezvous, wait_ms);
}

static int
take_snapshot(struct serve *s, struct registry_snapshot *ret_snapshot)
{
	struct pipeline *p = &s->pipeline;
	int error;

	process_publish(&p->metrics);
	registry_lock(p->registry);
	error = metrics_publish(&p->metrics);
	registry_unlock(p->registry);
	return error ? error : registry_snapshot(p->registry, ret_snapshot);
}

static void
answer_failure(struct httpd_reply *reply, int error)
{
	reply->status = 500;
	reply->content_type = "text/plain; charset=utf-8";
	buf_add_format(&reply->body, "500: %s\n", strerror(-error));
}

static void
answer_metrics(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct serve *s = arg;
	struct registry_snapshot snapshot;
	int error;

	wait_for_logs(s, request);
	error = take_snapshot(s, &snapshot);
	if (error) {
		answer_failure(reply, error);
		return;
	}
	reply->content_type = EXPOSITION_CONTENT_TYPE;
	exposition_render(&snapshot, &reply->body);
	registry_snapshot_release(&snapshot);
}

static void
answer_page(void *arg, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct serve *s = arg;
	struct registry_snapshot snapshot;
	int error;

	wait_for_logs(s, request);
	error = take_snapshot(s, &snapshot);
	if (error) {
		answer_failure(reply, error);
		return;
	}
	reply->content_type = "text/html; charset=utf-8";
	page_render(s->options->files, s->options->n_files, &snapshot,
	    s->options->telemetry_path, &reply->body);
	registry_snapshot_release(&snapshot);
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
	(void)arg;
	(void)request;
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
	registry_lock(p->registry);
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

	tailer_drain(s->tailer);
}

static void
logs_are_drained(void *arg)
{
	struct serve *s = arg;

	tailer_publish(s->tailer);
	rendezvous_answer(s->rendezvous);
}

struct sentence {
	enum log_level level;
	const char *text;
};

static struct sentence
sentence_of(enum event_kind kind)
{
	switch (kind) {
	case EVENT_FOLLOWING:
		return (struct sentence){ LOG_INFO, "following" };
	case EVENT_MISSING:
		return (struct sentence){ LOG_WARN,
			"the file does not exist; waiting for it" };
	case EVENT_NO_MATCH:
		return (struct sentence){ LOG_INFO,
			"nothing matches the pattern; waiting" };
	case EVENT_UNREADABLE:
		return (struct sentence){ LOG_WARN,
			"the file cannot be read; trying again" };
	case EVENT_COMPRESSED:
		return (struct sentence){ LOG_WARN,
			"the file is compressed and left alone" };
	case EVENT_DUPLICATE:
		return (struct sentence){ LOG_INFO,
			"the file is followed under another name" };
	case EVENT_COPY:
		return (struct sentence){ LOG_INFO,
			"the file begins like one that is followed; left alone "
			"unless it turns out to be another" };
	case EVENT_REPLACED:
		return (struct sentence){ LOG_INFO,
			"the file was replaced; the old one is read to its "
			"end" };
	case EVENT_REMOVED:
		return (struct sentence){ LOG_INFO,
			"the file was renamed or removed; the old one is read "
			"to its end" };
	case EVENT_TRUNCATED:
		return (struct sentence){ LOG_INFO,
			"the file was truncated; reading from its start" };
	case EVENT_FINISHED:
		return (struct sentence){ LOG_DEBUG, "finished" };
	case EVENT_FORMAT:
		return (struct sentence){ LOG_INFO, "format recognised" };
	case EVENT_NO_FORMAT:
		return (struct sentence){ LOG_WARN,
			"no shipped format fits the lines so far; give one "
			"with --format" };
	case EVENT_POLLED:
		return (struct sentence){ LOG_WARN,
			"no inotify watch is left; files are polled every "
			"second. Raise fs.inotify.max_user_watches or "
			"max_user_instances with sysctl" };
	}
	return (struct sentence){ LOG_DEBUG, "something happened" };
}

static void
tailer_told(void *arg, const struct event *event)
{
	struct sentence sentence = sentence_of(event->kind);
	const char *error = event->error ? strerror(-event->error) : NULL;

	(void)arg;
	if (event->error == -EINVAL)
		error = "it is not a regular file";
	log_event(sentence.level, sentence.text, "source", event->source,
	    "path", event->path, "format", event->detail, "error", error, NULL);
}

static void
signal_came(void *arg, int signal_number)
{
	struct serve *s = arg;

	if (signal_number == SIGHUP) {
		log_event(LOG_INFO,
		    "SIGHUP: there is no configuration file to read again; "
		    "logs are followed across rotations without a signal",
		    NULL);
		return;
	}
	log_event(LOG_INFO, "stopping", "signal",
	    signal_number == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
	rendezvous_cancel(s->rendezvous);
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

/* Whether file i of the command line stands there a second time. */
static bool
was_given_before(const struct options *o, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++) {
		if (!strcmp(o->files[j], o->files[i]))
			return true;
	}
	return false;
}

static int
add_sources(struct serve *s)
{
	const struct options *o = s->options;
	size_t i;
	int error = 0;

	for (i = 0; i < o->n_files && !error; i++) {
		struct ingest_source *source;

		if (was_given_before(o, i))
			continue;
		error = pipeline_add_source(&s->pipeline, o, o->files[i],
		    &source);
		if (!error)
			error = tailer_add(s->tailer, o->files[i], source);
	}
	return error;
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

	registry_lock(p->registry);
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
		{ s->options->telemetry_path, answer_metrics },
		{ "/", answer_page },
		{ "/-/healthy", answer_healthy },
		{ "/-/ready", answer_ready },
	};
	const struct tailer_options tailer_options = {
		.from_start = s->options->from_start,
		.max_open_files = open_files_allowed(),
		.on_event = tailer_told,
		.on_drained = logs_are_drained,
		.arg = s,
	};
	int error;

	error = pipeline_init(&s->pipeline, true);
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
		error = rendezvous_create(loop_uv(s->loop), scrape_came, s,
		    &s->rendezvous);
	if (!error)
		error = httpd_create(routes, sizeof(routes) / sizeof(routes[0]),
		    s, was_answered, &s->httpd);
	return error ? error : add_sources(s);
}

/* In the order in which they know each other; each of them may be NULL. */
static void
take_down(struct serve *s)
{
	if (s->rendezvous)
		rendezvous_cancel(s->rendezvous);
	httpd_destroy(s->httpd);
	rendezvous_destroy(s->rendezvous);
	tailer_destroy(s->tailer);
	loop_destroy(s->loop);
	pipeline_release(&s->pipeline);
}

int
cmd_serve_run(const struct options *o)
{
	struct serve s = { .options = o };
	int exit_code, error;

	(void)signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	error = set_up(&s);
	exit_code = error == -EINVAL ? 2 : 1; /* -EINVAL was told */
	if (!error) {
		exit_code = listen_everywhere(&s);
		if (!exit_code) {
			tailer_start(s.tailer);
			error = loop_run(s.loop);
			block_signals();
			exit_code = error ? 1 : 0;
		}
	}
	if (error && error != -EINVAL)
		log_event(LOG_ERROR, "serve has failed", "error",
		    strerror(-error), NULL);
	take_down(&s);
	return exit_code;
}
