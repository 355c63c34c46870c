#include "app/cmd_serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "accesslog/config_error.h"
#include "accesslog/ingest_absent.h"
#include "accesslog/ingest_misspelt.h"
#include "app/answers.h"
#include "app/config_file.h"
#include "app/events.h"
#include "app/keeper.h"
#include "app/log.h"
#include "app/pipeline.h"
#include "app/version.h"
#include "io/httpd.h"
#include "io/inputs.h"
#include "io/loop.h"
#include "io/paths.h"
#include "io/rendezvous.h"
#include "io/tailer.h"
#include "io/wall_clock.h"

struct serve {
	const struct options *options;
	struct pipeline pipeline;
	struct answers answers;
	/* Between prepare_config() and commit_config(). */
	struct ingest *ingest_before;
	struct paths names_before;
	struct loop *loop;
	struct tailer *tailer;
	struct inputs *inputs;
	size_t n_files; /* paths and globs; of the configuration in use */
	size_t next_n_files;
	struct httpd *httpd;
	struct keeper keeper;
};

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
	rendezvous_answer(s->answers.saved);
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
	rendezvous_answer(s->answers.counted);
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

/* Nothing can come any more: what piped it to us has closed it. */
static void
stdin_ended(void *arg)
{
	struct serve *s = arg;

	if (s->n_files)
		return;
	log_event(LOG_INFO, "stopping, because there is no other input", NULL);
	answers_let_go(&s->answers);
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

static void
log_absent(void *arg, const struct config_error *absent)
{
	const struct serve *s = arg;
	char line[sizeof("18446744073709551615")];

	(void)snprintf(line, sizeof(line), "%zu", absent->line);
	log_event(LOG_WARN, "a field of the configuration is in no format",
	    "file", s->options->config_file, "line", line, "error",
	    absent->text, NULL);
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
	s->names_before = names;
	answers_swap_names(&s->answers, &s->names_before);
	error = ingest_misspelt_visit(s->pipeline.ingest, config,
	    config_file_log_misspelt, &s->options);
	(void)error; /* out of memory: it is not warned of */
	ingest_absent_visit(s->pipeline.ingest, config, log_absent, s);
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

/* why_not: what is to be said of it, with its NUL; taken. */
static void
note_reload(struct serve *s, bool is_successful, struct buf *why_not)
{
	struct metrics *m = &s->pipeline.metrics;
	struct timespec now;
	int error;

	answers_note_reload(&s->answers, is_successful, why_not);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	registry_lock(s->pipeline.registry);
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

/* As config_file_compose(). */
static int
compose_again(const struct serve *s, struct config **ret_config,
    struct config_error *reterr)
{
	if (strcmp(s->options->config_file, "-") != 0)
		return config_file_compose(s->options, ret_config, reterr);
	(void)config_error_set(reterr, 0, 0,
	    "standard input cannot be read again; start with "
	    "--config.file=FILE");
	return -ESPIPE;
}

static void
read_config_again(struct serve *s)
{
	struct config_error why = { 0 };
	struct config *config;
	struct buf text;
	int error = compose_again(s, &config, &why);

	if (!error) {
		error = try_config(config, &why);
		if (!error)
			error = prepare_config(s, config, &why);
		config_destroy(config);
	}
	buf_init(&text, BOUNDS_REPLY_BYTES);
	if (!error) {
		note_reload(s, true, &text);
		commit_config(s);
		log_event(LOG_INFO, "configuration read again", "file",
		    s->options->config_file, NULL);
		return;
	}
	config_file_explain(s->options, error, &why, &text);
	buf_add_char(&text, '\0');
	log_event(LOG_ERROR,
	    "the configuration was not read again; the one before is in use",
	    "error", buf_str(&text).data, NULL);
	note_reload(s, false, &text);
}

static void
reload_came(void *arg)
{
	struct serve *s = arg;

	read_config_again(s);
	rendezvous_answer(s->answers.reload);
}

static void
somebody_asks(void *arg)
{
	struct serve *s = arg;

	rendezvous_answer(s->answers.alive);
}

static void
signal_came(void *arg, int signal_number)
{
	struct serve *s = arg;

	if (!s->inputs)
		return; /* it was stopping before this one came */
	if (signal_number == SIGUSR1 || signal_number == SIGUSR2) {
		log_event(LOG_INFO,
		    "the signal changes nothing: logs are followed across "
		    "rotations without one",
		    "signal", signal_number == SIGUSR1 ? "SIGUSR1" : "SIGUSR2",
		    NULL);
		return;
	}
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
	answers_let_go(&s->answers);
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

/*
 * The first configuration; what is wrong with it is said to the user.
 *
 * Returns 0; -EINVAL; -EAGAIN where it may be right another time.
 */
static int
start(struct serve *s)
{
	struct config_error why = { 0 };
	struct config *config;
	struct buf none;
	int error = config_file_compose(s->options, &config, &why);

	if (!error) {
		error = prepare_config(s, config, &why);
		config_destroy(config);
	}
	if (!error) {
		buf_init(&none, 0);
		if (s->options->config_file)
			note_reload(s, true, &none);
		return 0;
	}
	config_file_tell(s->options, error, &why);
	if (error == -ENOMEM)
		return -EAGAIN;
	/* An input that cannot be opened is no mistake of the user's. */
	return *why.text && error != -EINVAL ? -EAGAIN : -EINVAL;
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
	wall_clock_tell(p->registry);
	error = metrics_set(&p->metrics, METRICS_BUILD_INFO, values,
	    decimal_of(1));
	registry_unlock(p->registry);
	return error;
}

static int
set_up(struct serve *s)
{
	/* With the last two nginx is told to open its logs again, not we. */
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1,
		SIGUSR2 };
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
		error = loop_on_signals(s->loop, signals,
		    sizeof(signals) / sizeof(signals[0]), signal_came, s);
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
		    &s->answers.counted);
	if (!error)
		error = rendezvous_create(loop_uv(s->loop), save_came, s,
		    &s->answers.saved);
	if (!error)
		error = rendezvous_create(loop_uv(s->loop), reload_came, s,
		    &s->answers.reload);
	if (!error)
		error = rendezvous_create(loop_uv(s->loop), somebody_asks, s,
		    &s->answers.alive);
	if (!error)
		error = answers_create(&s->answers, &s->httpd);
	return error ? error : start(s);
}

static void
stop_serving(struct serve *s)
{
	if (s->httpd)
		answers_let_go(&s->answers); /* made last: all are there */
	httpd_destroy(s->httpd);
	s->httpd = NULL;
}

/* In the order in which they know each other; each of them may be NULL. */
static void
take_down(struct serve *s)
{
	stop_serving(s);
	rendezvous_destroy(s->answers.alive);
	rendezvous_destroy(s->answers.reload);
	rendezvous_destroy(s->answers.saved);
	rendezvous_destroy(s->answers.counted);
	keeper_release(&s->keeper);
	inputs_destroy(s->inputs);
	tailer_destroy(s->tailer);
	loop_destroy(s->loop);
	ingest_destroy(s->ingest_before);
	pipeline_release(&s->pipeline);
	paths_release(&s->names_before);
	answers_release(&s->answers);
}

int
cmd_serve_run(const struct options *o)
{
	struct serve s = { .options = o,
		.answers = { .options = o,
		    .pipeline = &s.pipeline,
		    .keeper = &s.keeper } };
	enum keeper_end end;
	int exit_code, error;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* as a full disk: write(2) says so */
	raise_descriptor_limit();
	error = set_up(&s);
	exit_code = error == -EINVAL ? 2 : 1; /* it, -EBUSY, -EAGAIN: told */
	if (!error) {
		exit_code = listen_everywhere(&s);
		if (!exit_code) {
			log_drop_when_full();
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
			end = keeper_finish(&s.keeper);
			if (end == KEEPER_TOO_SLOW)
				_exit(1);
			if (end == KEEPER_FAILED)
				exit_code = 1;
		}
	}
	if (error && error != -EINVAL && error != -EBUSY && error != -EAGAIN)
		log_event(LOG_ERROR, "serve has failed", "error",
		    strerror(-error), NULL);
	take_down(&s);
	return exit_code;
}
