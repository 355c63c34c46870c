#include "app/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "io/loop.h"

#define NUMBER_TEXT_BYTES sizeof("18446744073709551615")

/* On change only; error: 0 where it works. */
static void
tell(struct keeper *k, int error)
{
	const char *reason;
	const char *aside = state_set_aside(k->state, &reason);

	if (aside) {
		k->is_anew = true;
		log_event(LOG_WARN,
		    "the state file was set aside and a new one begun", "file",
		    state_path(k->state), "aside", aside, "reason", reason,
		    NULL);
	}
	if (error == k->error)
		return;
	k->error = error;
	if (!error)
		log_event(LOG_INFO, "the state is saved again", "file",
		    state_path(k->state), NULL);
	else
		log_event(LOG_WARN,
		    "the state cannot be saved; trying again, and going on "
		    "without",
		    "file", state_path(k->state), "error", strerror(-error),
		    "reason", state_reason(k->state), NULL);
}

/* What systemd gives may be a list; ours is the first.  free(). */
static char *
directory_of(const struct options *o)
{
	const char *list = getenv("STATE_DIRECTORY");

	if (o->state_dir)
		return strdup(o->state_dir);
	return strndup(list, strcspn(list, ":"));
}

static bool
is_wanted(const struct options *o)
{
	const char *list = getenv("STATE_DIRECTORY");

	return o->state_dir || (list && *list && *list != ':');
}

static void
tell_holder(const struct state *s, const char *directory)
{
	long holder = state_holder(s);

	(void)fprintf(stderr,
	    "accesslog_exporter: state directory %s is used by another process",
	    directory);
	if (holder)
		(void)fprintf(stderr, " (%ld)", holder);
	(void)fputs("; give each its own --state.dir\n", stderr);
}

static void
tell_unread(const struct state *s, int error)
{
	(void)fprintf(stderr,
	    "accesslog_exporter: the state %s cannot be read: %s (%s); it is "
	    "left as it is, and counters do not begin anew while it is there\n",
	    state_path(s), strerror(-error), state_reason(s));
}

static void
tell_no_parent(const char *directory)
{
	(void)fprintf(stderr,
	    "accesslog_exporter: state directory %s cannot be made, because "
	    "what it is in is missing or no directory; make that, or wait for "
	    "its mount\n",
	    directory);
}

static void
tell_loaded(const struct keeper *k)
{
	const struct state_loaded *l = &k->loaded;
	char n_files[NUMBER_TEXT_BYTES];

	if (!l->is_found)
		return;
	(void)snprintf(n_files, sizeof(n_files), "%zu", l->image.n_files);
	log_event(LOG_INFO,
	    l->is_clean ? "going on from the state"
			: "going on from the state after an unclean stop; "
			  "replaying what is in the logs",
	    "file", state_path(k->state), "files", n_files, NULL);
}

/* What was loaded before a failure must not stay; a torn file is gone now. */
static int
load(struct keeper *k)
{
	struct pipeline *p = k->pipeline;
	int error = state_load(k->state, p->registry, &k->loaded);
	int init_error;

	if (!error || error == -EBUSY || error == -ENOMEM ||
	    state_is_unread(k->state) || state_lacks_parent(k->state))
		return error;
	pipeline_release(p);
	init_error = pipeline_init(p);
	if (init_error)
		return init_error;
	return error == -EBADMSG ? state_load(k->state, p->registry, &k->loaded)
				 : error;
}

int
keeper_open(struct keeper *k, const struct options *o, struct pipeline *p)
{
	char *directory;
	int error;

	k->pipeline = p;
	atomic_init(&k->is_drained, true);
	if (!is_wanted(o))
		return 0;
	directory = directory_of(o);
	if (!directory)
		return -ENOMEM;
	error = state_create(directory, &k->state);
	if (error)
		goto free_directory;
	error = load(k);
	if (error == -EBUSY) {
		tell_holder(k->state, directory);
	} else if (error && state_lacks_parent(k->state)) {
		tell_no_parent(directory);
		error = -EAGAIN;
	} else if (error && error != -ENOMEM && p->registry &&
	    state_is_unread(k->state)) {
		tell_unread(k->state, error);
		error = -EAGAIN;
	}
	if (error == -EBUSY || error == -EAGAIN || error == -ENOMEM ||
	    !p->registry)
		goto free_directory;
	tell(k, error);
	tell_loaded(k);
	atomic_init(&k->is_replaying,
	    k->loaded.is_found && !k->loaded.is_clean);
	atomic_init(&k->is_drained, !k->loaded.is_found);
	error = 0;

free_directory:
	free(directory);
	return error;
}

static void
add_files(void *arg, struct state_image *image)
{
	struct keeper *k = arg;

	tailer_save(k->tailer, image);
}

static void
was_saved(void *arg, const struct saver_report *report)
{
	struct keeper *k = arg;
	char n_rows[NUMBER_TEXT_BYTES];
	char held_us[NUMBER_TEXT_BYTES];
	char took_us[NUMBER_TEXT_BYTES];

	tell(k, report->error);
	if (report->error)
		return;
	(void)snprintf(n_rows, sizeof(n_rows), "%" PRIu64, report->n_rows);
	(void)snprintf(held_us, sizeof(held_us), "%" PRIu64, report->held_us);
	(void)snprintf(took_us, sizeof(took_us), "%" PRIu64, report->took_us);
	log_event(LOG_DEBUG, "saved", "rows", n_rows, "held_us", held_us,
	    "took_us", took_us, NULL);
}

int
keeper_start(struct keeper *k, struct loop *loop, struct tailer *tailer)
{
	const struct saver_options options = {
		.error = k->error,
		.is_anew = k->is_anew,
		.saved_ms = k->loaded.image.saved_ms,
		.on_image = add_files,
		.on_saved = was_saved,
		.arg = k,
	};
	int error;

	if (!k->state)
		return 0;
	k->tailer = tailer;
	error = saver_create(loop_uv(loop), &k->pipeline->metrics, k->state,
	    &options, &k->saver);
	return error ? error : tailer_restore(tailer, &k->loaded.image);
}

static void
first_is_saved(void *arg, int error)
{
	(void)arg;
	(void)error; /* told */
}

/* Where it begins is saved at once: from there on nothing is lost. */
void
keeper_begin(struct keeper *k)
{
	struct registry *r = k->pipeline->registry;
	int error;

	if (!k->saver)
		return;
	state_loaded_release(&k->loaded);
	registry_lock(r);
	registry_forget_restored(r);
	registry_unlock(r);
	error = k->error ? k->error : state_begin(k->state);
	tell(k, error);
	saver_request(k->saver, first_is_saved, k);
	if (!keeper_may_show(k))
		tailer_drain(k->tailer);
}

bool
keeper_is_replaying(const struct keeper *k)
{
	return atomic_load(&k->is_replaying);
}

bool
keeper_may_show(const struct keeper *k)
{
	return atomic_load(&k->is_drained);
}

void
keeper_drained(struct keeper *k)
{
	atomic_store(&k->is_drained, true);
	if (!keeper_is_replaying(k))
		return;
	atomic_store(&k->is_replaying, false);
	log_event(LOG_INFO, "the logs are replayed", NULL);
}

void
keeper_touch(struct keeper *k)
{
	if (k->saver)
		saver_touch(k->saver);
}

static void
finished_are_saved(void *arg, int error)
{
	struct keeper *k = arg;

	(void)error; /* told; there is no use in keeping them open */
	tailer_saved(k->tailer);
}

void
keeper_file_finished(struct keeper *k)
{
	saver_request(k->saver, finished_are_saved, k);
}

void
keeper_save(struct keeper *k, saver_done_fn done, void *arg)
{
	if (k->saver && saver_is_healthy(k->saver))
		saver_request(k->saver, done, arg);
	else
		done(arg, 0);
}

enum keeper_end
keeper_finish(struct keeper *k)
{
	if (!k->saver)
		return KEEPER_SAVED;
	tailer_finish(k->tailer);
	if (!saver_finish(k->saver, keeper_may_show(k))) {
		log_event(LOG_ERROR,
		    "ending without the last save, which takes too long",
		    "file", state_path(k->state), NULL);
		return KEEPER_TOO_SLOW;
	}
	if (!k->error)
		return KEEPER_SAVED;
	log_event(LOG_ERROR, "ending without the last save, which has failed",
	    "file", state_path(k->state), "error", strerror(-k->error), NULL);
	return KEEPER_FAILED;
}

void
keeper_release(struct keeper *k)
{
	saver_destroy(k->saver);
	state_loaded_release(&k->loaded);
	state_destroy(k->state);
	k->saver = NULL;
	k->state = NULL;
}
