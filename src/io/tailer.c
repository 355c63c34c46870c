#include "io/tailer.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>

#include <uv.h>

#include "io/paths.h"
#include "io/place.h"
#include "io/place_copy.h"
#include "io/place_glob.h"
#include "io/resume.h"
#include "io/watch.h"

/* The values of the label `state`, for places and for files without one. */
enum files_state {
	FILES_FOLLOWING,
	FILES_HELD,
	FILES_MISSING,
	FILES_UNREADABLE,
	FILES_IGNORED,
	FILES_FINISHED,
	FILES_N,
};

struct source {
	TAILQ_ENTRY(source) entry;
	struct tailer *tailer;
	struct place_source base;
	size_t index; /* of the ingest source, until the commit */
	char *name;
	char *argument;
	struct paths excludes;
	struct place_glob glob; /* of the argument, where that is one */
	struct source *first; /* of the same name: where files are counted */
	uint64_t n_files[FILES_N]; /* counted by tailer_publish() */
};

struct tailer {
	struct metrics *metrics;
	struct tailer_options options;
	struct watch *watch;
	struct reader *reader;
	struct resume *resume; /* until the first commit; NULL: nothing */
	bool has_committed;
	uint64_t waits_until_ms; /* for files of before; 0: no more */
	uv_timer_t retry; /* while something cannot be read */
	bool is_draining;
	TAILQ_HEAD(source_list, source) sources;
	struct source_list added; /* between begin and commit */
	struct places places;
};

static struct source *
source_of(struct place_source *s)
{
	return (
	    struct source *)(void *)((char *)s - offsetof(struct source, base));
}

static void retry_came(uv_timer_t *timer);

/* Each directory is read once until end_look().  Returns whether to end it. */
static bool
begin_look(struct tailer *t)
{
	if (t->places.listing.began.tv_sec)
		return false; /* part of one */
	listing_begin(&t->places.listing);
	return true;
}

static void
end_look(struct tailer *t, bool is_due)
{
	if (is_due)
		listing_end(&t->places.listing);
}

/* What cannot be read now is tried again, by a timer that runs until it can. */
static void
need_retry(void *arg)
{
	struct tailer *t = arg;

	if (!uv_is_active((uv_handle_t *)&t->retry))
		(void)uv_timer_start(&t->retry, retry_came, BOUNDS_POLL_MS,
		    BOUNDS_POLL_MS);
}

/*
 * Places first, so that files that were renamed are known as held when the
 * globs find them under their new names.
 */
static bool
look_dir(void *arg, struct watch_dir *dir)
{
	struct tailer *t = arg;
	bool is_look = begin_look(t);
	struct source *s;
	struct place *p;
	bool has_changed = false;

	TAILQ_FOREACH(p, &t->places.list, entry) {
		if (place_is_watched_through(p, dir))
			has_changed |= place_look(p);
	}
	TAILQ_FOREACH(s, &t->sources, entry)
		has_changed |= place_glob_look_dir(&s->glob, dir);
	end_look(t, is_look);
	return has_changed;
}

/* What cannot be opened for the moment may have lines that were shown. */
static bool
is_waiting(struct tailer *t)
{
	if (t->waits_until_ms &&
	    (reader_now_ms(t->reader) >= t->waits_until_ms ||
		!resume_is_waiting(t->reader)))
		t->waits_until_ms = 0;
	if (t->waits_until_ms)
		need_retry(t);
	return t->waits_until_ms;
}

static void
files_caught_up(void *arg)
{
	struct tailer *t = arg;

	if (!t->is_draining || is_waiting(t))
		return;
	t->is_draining = false;
	t->options.on_drained(t->options.arg);
}

static void
retry_came(uv_timer_t *timer)
{
	struct tailer *t = timer->data;
	bool is_look = begin_look(t);
	struct place *p;
	bool is_needed = false;

	TAILQ_FOREACH(p, &t->places.list, entry) {
		if (p->state != PLACE_UNREADABLE && p->n_dirs)
			continue;
		(void)place_look(p);
		is_needed |= p->state == PLACE_UNREADABLE || !p->n_dirs;
	}
	end_look(t, is_look);
	if (!is_waiting(t) && !is_needed)
		(void)uv_timer_stop(timer);
	/* What was waited for may have more than one turn can read. */
	if (t->is_draining && !t->waits_until_ms &&
	    !reader_is_awaiting(t->reader) && !reader_await(t->reader))
		files_caught_up(t);
}

static void
file_was_lost(void *arg, struct place *place, int error)
{
	place->current = NULL;
	place->state = PLACE_UNREADABLE;
	place->error = error;
	need_retry(arg);
}

static bool
is_copy(void *arg, struct reader_file *f)
{
	const struct tailer *t = arg;

	return place_copy_decide(place_of(&t->places, f), f);
}

static bool
file_was_cut(void *arg, struct reader_file *f)
{
	const struct tailer *t = arg;
	struct place *p = f->place;

	if (resume_rest(f))
		return true;
	if (f->file->known.offset || f->file->head.len)
		return false;
	/* Nothing is known of it: so its copy is a file that came and went. */
	if (!p)
		p = place_of(&t->places, f);
	return p && place_look_beside(p);
}

static void
something_changed(void *arg)
{
	const struct tailer *t = arg;

	if (t->options.on_change)
		t->options.on_change(t->options.arg);
}

static void
files_are_finished(void *arg)
{
	struct tailer *t = arg;

	t->places.has_let_go = true;
	t->options.on_finished(t->options.arg);
}

static void
watches_are_full(void *arg, const char *path, int error)
{
	struct tailer *t = arg;
	struct event event = { EVENT_POLLED, NULL, path, NULL, error };

	t->options.on_event(t->options.arg, &event);
}

static void
pass_event_on(void *arg, const struct event *event)
{
	struct tailer *t = arg;

	t->options.on_event(t->options.arg, event);
}

void
tailer_drain(struct tailer *t)
{
	bool is_look = begin_look(t);
	struct source *s;
	struct place *p;

	watch_verify(t->watch);
	TAILQ_FOREACH(p, &t->places.list, entry)
		(void)place_look(p);
	reader_look_held(t->reader);
	TAILQ_FOREACH(s, &t->sources, entry) {
		if (s->base.is_glob)
			(void)place_glob_look(&s->glob);
	}
	end_look(t, is_look);
	t->is_draining = true;
	if (!reader_await(t->reader))
		files_caught_up(t);
}

int
tailer_create(struct uv_loop_s *loop, struct metrics *metrics,
    const struct tailer_options *options, struct tailer **ret_tailer)
{
	struct tailer *t = calloc(1, sizeof(*t));
	const struct reader_options reader_options = {
		.max_open_files = options->max_open_files,
		.on_event = pass_event_on,
		.on_caught_up = files_caught_up,
		.on_lost = file_was_lost,
		.on_cut = file_was_cut,
		.is_copy = is_copy,
		.on_change = something_changed,
		.on_finished = options->on_finished ? files_are_finished : NULL,
		.arg = t,
	};
	int error;

	if (!t)
		return -ENOMEM;
	error = watch_create(loop, look_dir, watches_are_full, t, &t->watch);
	if (error)
		goto free_tailer;
	error = reader_create(loop, metrics, &reader_options, &t->reader);
	if (error)
		goto destroy_watch;
	t->metrics = metrics;
	t->options = *options;
	TAILQ_INIT(&t->sources);
	TAILQ_INIT(&t->added);
	TAILQ_INIT(&t->places.list);
	t->places.reader = t->reader;
	t->places.watch = t->watch;
	t->places.from_start = options->from_start;
	t->places.on_retry = need_retry;
	t->places.arg = t;
	(void)uv_timer_init(loop, &t->retry); /* cannot fail */
	t->retry.data = t;
	*ret_tailer = t;
	return 0;

destroy_watch:
	watch_destroy(t->watch);
free_tailer:
	free(t);
	return error;
}

static void
retry_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
source_destroy(struct source *s)
{
	place_glob_release(&s->glob);
	paths_release(&s->excludes);
	paths_release(&s->base.reader.formats);
	free(s->argument);
	free(s->name);
	free(s);
}

void
tailer_destroy(struct tailer *t)
{
	struct source *s, *next_source;
	struct place *p, *next_place;

	if (!t)
		return;
	tailer_cancel(t);
	resume_destroy(t->resume);
	for (p = TAILQ_FIRST(&t->places.list); p; p = next_place) {
		next_place = TAILQ_NEXT(p, entry);
		place_destroy(p);
	}
	reader_destroy(t->reader);
	for (s = TAILQ_FIRST(&t->sources); s; s = next_source) {
		next_source = TAILQ_NEXT(s, entry);
		source_destroy(s);
	}
	watch_destroy(t->watch);
	uv_close((uv_handle_t *)&t->retry, retry_closed);
}

static void
set_gauge(struct tailer *t, enum metrics_id id, const struct str values[],
    uint64_t value)
{
	int error = metrics_set(t->metrics, id, values, decimal_of(value));

	(void)error; /* out of memory: a gauge of the exporter's own is old */
}

static void
publish_source(struct tailer *t, const struct source *s)
{
	static const char *const names[FILES_N] = {
		[FILES_FOLLOWING] = "following",
		[FILES_HELD] = "held",
		[FILES_MISSING] = "missing",
		[FILES_UNREADABLE] = "unreadable",
		[FILES_IGNORED] = "ignored",
		[FILES_FINISHED] = "finished",
	};
	struct str values[2] = { str_from(s->name) };
	size_t i;

	for (i = 0; i < FILES_N; i++) {
		values[1] = str_from(names[i]);
		set_gauge(t, METRICS_FILES, values, s->n_files[i]);
	}
}

/* So that increase() sees the first loss and the first rotation. */
static void
start_at_zero(const struct source *s)
{
	reader_count(&s->base.reader, METRICS_LOST_BYTES, "truncated", 0);
	reader_count(&s->base.reader, METRICS_LOST_BYTES, "removed", 0);
	reader_count(&s->base.reader, METRICS_ROTATIONS, "replaced", 0);
	reader_count(&s->base.reader, METRICS_ROTATIONS, "removed", 0);
	reader_count(&s->base.reader, METRICS_ROTATIONS, "truncated", 0);
}

void
tailer_begin(struct tailer *t)
{
	tailer_cancel(t);
}

void
tailer_cancel(struct tailer *t)
{
	struct source *s, *next;

	for (s = TAILQ_FIRST(&t->added); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		TAILQ_REMOVE(&t->added, s, entry);
		source_destroy(s);
	}
}

int
tailer_add(struct tailer *t, const struct tailer_path *path)
{
	struct source *s = calloc(1, sizeof(*s));
	struct stat st;
	size_t i;
	int error = 0;

	if (!s)
		return -ENOMEM;
	s->tailer = t;
	s->name = strdup(path->name);
	s->argument = strdup(path->argument);
	for (i = 0; i < path->n_excludes && !error; i++)
		error = paths_add(&s->excludes, path->excludes[i]);
	if (!s->name || !s->argument || error) {
		source_destroy(s);
		return -ENOMEM;
	}
	place_glob_init(&s->glob, &s->base, s->argument, &s->excludes);
	s->base.places = &t->places;
	s->index = path->source;
	s->base.is_glob = paths_is_glob(s->argument) &&
	    lstat(s->argument, &st) != 0;
	s->base.reader = (struct reader_source){ .reader = t->reader,
		.name = s->name,
		.keeps_finished = s->base.is_glob };
	TAILQ_INSERT_TAIL(&t->added, s, entry);
	return 0;
}

static struct source *
find_added(const struct tailer *t, const struct source *live)
{
	struct source *s;

	TAILQ_FOREACH(s, &t->added, entry) {
		if (!strcmp(s->name, live->name) &&
		    !strcmp(s->argument, live->argument))
			return s;
	}
	return NULL;
}

static bool
is_excluded(const struct source *s, const char *path)
{
	return paths_is_excluded(path, s->excludes.items, s->excludes.n);
}

/* A place of before; what has come and gone since is found as in any look. */
static void
reopen_place(void *arg, const struct state_place *saved)
{
	struct source *s = arg;
	struct place *p = NULL;

	if (!is_excluded(s, saved->path) && !place_find(&s->base, saved->path))
		p = place_create(&s->base, saved->path);
	if (!p)
		return;
	p->seen = saved->seen;
	p->left_ms = reader_now_ms(s->tailer->reader);
	p->had_file = true;
	(void)place_look(p);
}

/*
 * Opens what is there and not followed yet, as it is said of what is there; or,
 * where that was followed before this process, what is new from byte 0.
 */
static void
open_source(struct source *s)
{
	struct place *p = NULL;

	s->base.has_started = resume_knows(s->tailer->resume, s->argument);
	resume_visit_places(s->tailer->resume, s->argument, reopen_place, s);
	if (s->base.is_glob)
		(void)place_glob_look(&s->glob);
	else if (!is_excluded(s, s->argument) &&
	    !place_find(&s->base, s->argument))
		p = place_create(&s->base, s->argument);
	if (p)
		(void)place_look(p);
	s->base.has_started = true;
}

/* What was followed before this process, first by the names of sources. */
static void
resume_sources(struct tailer *t)
{
	struct source *s;

	TAILQ_FOREACH(s, &t->added, entry)
		resume_files(t->resume, &s->base.reader, s->argument, true);
	TAILQ_FOREACH(s, &t->added, entry)
		resume_files(t->resume, &s->base.reader, s->argument, false);
}

/* s goes on with what was said anew of it; takes anew. */
static void
renew(struct source *s, struct source *anew)
{
	struct tailer *t = s->tailer;
	struct paths excludes = s->excludes;
	struct place *p, *next;

	reader_rebind(&s->base.reader, anew->base.reader.ingest);
	/* What has come until now is new; what is let in now was there. */
	place_glob_expire(&s->glob);
	if (s->base.is_glob)
		(void)place_glob_look(&s->glob);
	s->excludes = anew->excludes;
	anew->excludes = excludes;
	TAILQ_REMOVE(&t->added, anew, entry);
	source_destroy(anew);
	for (p = TAILQ_FIRST(&t->places.list); p; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (p->source == &s->base && is_excluded(s, p->path))
			place_destroy(p);
	}
	place_glob_expire(&s->glob);
	open_source(s);
}

/* The source that has its path now, under another name; or NULL. */
static struct source *
find_heir(const struct source *s)
{
	struct source *other;

	TAILQ_FOREACH(other, &s->tailer->sources, entry) {
		if (!other->base.is_stale &&
		    !strcmp(other->argument, s->argument))
			return other;
	}
	return NULL;
}

/*
 * It is followed no more.  Files that are held or finished have no path by
 * which another source could find them.
 */
static void
drop_source(struct source *s)
{
	struct tailer *t = s->tailer;
	struct source *heir = find_heir(s);
	struct reader_file *f, *next_file;
	struct place *p, *next_place;

	for (p = TAILQ_FIRST(&t->places.list); p; p = next_place) {
		next_place = TAILQ_NEXT(p, entry);
		if (p->source == &s->base)
			place_destroy(p);
	}
	for (f = TAILQ_FIRST(reader_files(t->reader)); f; f = next_file) {
		next_file = TAILQ_NEXT(f, entry);
		if (f->source != &s->base.reader)
			continue;
		if (heir)
			reader_move(f, &heir->base.reader);
		else
			reader_forget(f);
	}
	memset(s->n_files, 0, sizeof(s->n_files));
	registry_lock(t->metrics->registry);
	publish_source(t, s);
	registry_unlock(t->metrics->registry);
	TAILQ_REMOVE(&t->sources, s, entry);
	source_destroy(s);
}

/* Files are counted at the first of the sources that share a name. */
static void
find_firsts(struct tailer *t)
{
	struct source *s;

	TAILQ_FOREACH(s, &t->sources, entry) {
		struct source *first = TAILQ_FIRST(&t->sources);

		while (strcmp(first->name, s->name) != 0)
			first = TAILQ_NEXT(first, entry);
		s->first = first;
	}
}

/*
 * New sources are opened before the old ones go, so that a file that only
 * changes its source is moved, with its offset.
 */
void
tailer_commit(struct tailer *t, const struct ingest *ingest)
{
	bool is_look = begin_look(t);
	struct source *s, *next;
	struct place *p;

	TAILQ_FOREACH(s, &t->added, entry)
		s->base.reader.ingest = ingest_source_at(ingest, s->index);
	TAILQ_FOREACH(s, &t->sources, entry)
		s->base.is_stale = true;
	TAILQ_FOREACH(s, &t->sources, entry) {
		struct source *anew = find_added(t, s);

		if (!anew)
			continue;
		s->base.is_stale = false;
		renew(s, anew);
	}
	resume_sources(t);
	for (s = TAILQ_FIRST(&t->added); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		TAILQ_REMOVE(&t->added, s, entry);
		TAILQ_INSERT_TAIL(&t->sources, s, entry);
		start_at_zero(s);
		open_source(s);
	}
	/* What was followed by a source that goes, others may have as well. */
	TAILQ_FOREACH(p, &t->places.list, entry) {
		if (p->state == PLACE_IGNORED && !p->source->is_stale)
			(void)place_look(p);
	}
	for (s = TAILQ_FIRST(&t->sources); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->base.is_stale)
			drop_source(s);
	}
	find_firsts(t);
	end_look(t, is_look);
	resume_destroy(t->resume);
	t->resume = NULL;
	if (!t->has_committed) {
		reader_start(t->reader);
		t->waits_until_ms = reader_now_ms(t->reader) + BOUNDS_UNSEEN_MS;
		(void)is_waiting(t); /* if so, until then */
	}
	t->has_committed = true;
}

int
tailer_restore(struct tailer *t, const struct state_image *saved)
{
	return resume_create(saved, &t->places.listing, &t->resume);
}

void
tailer_save(struct tailer *t, struct state_image *image)
{
	struct reader_file *f;
	const struct source *s;
	struct place *p;

	TAILQ_FOREACH(s, &t->sources, entry) {
		const struct state_place row = { .source = s->name,
			.path = s->argument };

		if (!place_find(&s->base, s->argument))
			state_image_add_place(image, &row);
	}
	TAILQ_FOREACH(p, &t->places.list, entry) {
		const struct state_place row = {
			.source = p->source->reader.name,
			.path = p->path,
			.seen = place_seen(p,
			    image->is_clean || t->places.has_let_go),
		};

		state_image_add_place(image, &row);
	}
	t->places.has_let_go = false;
	TAILQ_FOREACH(f, reader_files(t->reader), entry)
		resume_save(f, image);
}

void
tailer_saved(struct tailer *t)
{
	reader_saved(t->reader);
}

void
tailer_finish(struct tailer *t)
{
	reader_finish(t->reader,
	    uv_hrtime() + BOUNDS_STOP_READ_MS * (uint64_t)1000000);
}

static enum files_state
state_of(const struct place *p)
{
	switch (p->state) {
	case PLACE_FOLLOWING:
		return FILES_FOLLOWING;
	case PLACE_NEW:
	case PLACE_MISSING:
		return FILES_MISSING;
	case PLACE_UNREADABLE:
		return FILES_UNREADABLE;
	case PLACE_IGNORED:
		return FILES_IGNORED;
	}
	return FILES_MISSING;
}

void
tailer_publish(struct tailer *t)
{
	const struct reader_file *f;
	const struct place *p;
	struct source *s;

	TAILQ_FOREACH(s, &t->sources, entry)
		memset(s->n_files, 0, sizeof(s->n_files));
	TAILQ_FOREACH(p, &t->places.list, entry) {
		/* What a glob does not match any more is not missed. */
		if (p->source->is_glob && state_of(p) == FILES_MISSING)
			continue;
		source_of(p->source)->first->n_files[state_of(p)]++;
	}
	TAILQ_FOREACH(f, reader_files(t->reader), entry) {
		enum files_state state = f->file->fd >= 0 ? FILES_HELD
							  : FILES_FINISHED;

		if (!f->place && !f->is_copy)
			source_of(place_source_of(f))->first->n_files[state]++;
	}
	registry_lock(t->metrics->registry);
	TAILQ_FOREACH(s, &t->sources, entry) {
		if (s->first == s)
			publish_source(t, s);
	}
	registry_unlock(t->metrics->registry);
}
