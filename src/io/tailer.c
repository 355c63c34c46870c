#include "io/tailer.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <uv.h>

#include "io/file.h"
#include "io/paths.h"
#include "io/watch.h"

/*
 * Symbolic links on the way to a file, each in a directory to watch; links
 * beyond that are noticed by the next scrape.
 */
#define MAX_DIRECTORIES 8

enum place_state {
	PLACE_NEW, /* not looked at yet */
	PLACE_FOLLOWING,
	PLACE_MISSING,
	PLACE_UNREADABLE,
	PLACE_IGNORED, /* compressed, a copy, or followed elsewhere */
};

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

struct source;
struct place;

/* A file that is read, was read, or is held. */
struct followed {
	TAILQ_ENTRY(followed) entry;
	struct source *source;
	struct place *place; /* where it is current; NULL: held or finished */
	struct file *file;
	uint64_t quiet_since_ms;
	unsigned generation; /* the look at the glob that saw it last */
};

struct place {
	TAILQ_ENTRY(place) entry;
	struct source *source;
	char *path;
	struct followed *current; /* or NULL */
	enum place_state state;
	int error; /* of PLACE_UNREADABLE, as it was reported */
	bool had_file;
	unsigned generation;
	/* What was ignored, to notice when it is another. */
	struct follow_id ignored;
	uint64_t ignored_size_bytes;
	size_t n_dirs;
	struct watch_dir *dirs[MAX_DIRECTORIES];
};

struct source {
	TAILQ_ENTRY(source) entry;
	struct tailer *tailer;
	struct ingest_source *ingest;
	char *argument;
	bool is_glob;
	bool has_started; /* what appears from now on is read from byte 0 */
	bool told_no_format;
	unsigned generation;
	uint64_t signature; /* of the directories at the last look, or 0 */
	struct paths formats; /* that were told */
	void *by_path; /* tsearch(3): struct place */
	size_t n_dirs;
	struct watch_dir **dirs; /* of a glob */
	uint64_t n_files[FILES_N]; /* counted by tailer_publish() */
	uint64_t lag_bytes;
};

struct tailer {
	struct metrics *metrics;
	struct tailer_options options;
	uv_loop_t *loop;
	struct watch *watch;
	uv_timer_t poll; /* for what is held, and what cannot be read */
	uv_idle_t idle; /* while some file is behind */
	unsigned n_open;
	bool is_draining;
	TAILQ_HEAD(, source) sources;
	TAILQ_HEAD(, place) places;
	TAILQ_HEAD(, followed) files;
	size_t n_files;
	void *by_id; /* tsearch(3): struct followed */
	char buffer[BOUNDS_READ_BYTES];
};

static int
compare_ids(const void *a, const void *b)
{
	struct follow_id x = ((const struct followed *)a)->file->known.id;
	struct follow_id y = ((const struct followed *)b)->file->known.id;

	if (x.device != y.device)
		return x.device < y.device ? -1 : 1;
	return (x.inode > y.inode) - (x.inode < y.inode);
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->path,
	    ((const struct place *)b)->path);
}

static struct followed *
find_file(const struct tailer *t, struct follow_id id)
{
	struct file file = { .known = { .id = id } };
	struct followed wanted = { .file = &file };
	void *found = tfind(&wanted, &t->by_id, compare_ids);

	return found ? *(struct followed **)found : NULL;
}

static void
tell(struct source *s, enum tailer_event_kind kind, const char *path,
    const char *detail, int error)
{
	struct tailer_event event = { kind, s->argument, path, detail, error };

	s->tailer->options.on_event(s->tailer->options.arg, &event);
}

/* Adds to a counter with the labels source and another. */
static void
count(struct source *s, enum metrics_id id, const char *label, uint64_t n)
{
	struct metrics *m = s->tailer->metrics;
	struct str values[] = { str_from(s->argument), str_from(label) };
	int error;

	registry_lock(m->registry);
	error = metrics_add(m, id, values, decimal_of(n));
	registry_unlock(m->registry);
	(void)error; /* out of memory: a count of the exporter's own is short */
}

static void
set_state(struct place *p, enum place_state state, int error,
    enum tailer_event_kind event)
{
	bool is_told = p->state == state && p->error == error;

	p->state = state;
	p->error = error;
	if (!is_told)
		tell(p->source, event, p->path, NULL, error);
}

/*
 * What is held or cannot be read is looked at by the timer; the timer runs
 * only while there is such a file.
 */
static void poll_came(uv_timer_t *timer);

static void
need_poll(struct tailer *t)
{
	if (!uv_is_active((uv_handle_t *)&t->poll))
		(void)uv_timer_start(
		    &t->poll, poll_came, BOUNDS_POLL_MS, BOUNDS_POLL_MS);
}

static void idle_came(uv_idle_t *idle);

static void
tell_format(struct followed *f)
{
	struct source *s = f->source;
	const char *name = ingest_format_name(&f->file->stream);
	size_t n = s->formats.n;

	if (!name) {
		if (f->file->known.offset && !s->told_no_format) {
			s->told_no_format = true;
			tell(s, TAILER_NO_FORMAT, f->file->path, NULL, 0);
		}
		return;
	}
	if (paths_add(&s->formats, name) || s->formats.n == n)
		return; /* known, or no memory to remember it */
	count(s, METRICS_FORMAT_INFO, name, 1);
	tell(s, TAILER_FORMAT, f->file->path, name, 0);
}

/* The file cannot be read any more, as on NFS when it was removed (ESTALE). */
static void
lose(struct followed *f, int error)
{
	struct follow_known *known = &f->file->known;

	count(f->source, METRICS_LOST_BYTES, "removed",
	    known->size_bytes - known->offset);
	tell(f->source, TAILER_UNREADABLE, f->file->path, NULL, error);
	known->size_bytes = known->offset;
	file_close(f->file);
	if (f->place) {
		f->place->current = NULL;
		f->place->state = PLACE_UNREADABLE;
		f->place->error = error;
		f->place = NULL;
	}
}

static void
read_on(struct followed *f)
{
	struct tailer *t = f->source->tailer;
	int error = file_read(f->file, t->buffer, BOUNDS_TURN_BYTES);

	tell_format(f);
	if (error == -ENOMEM || error == -EINTR || error == -EAGAIN)
		need_poll(t); /* nothing is lost: the next look reads on */
	else if (error) {
		lose(f, error);
		need_poll(t);
	}
	if (f->file->is_behind)
		(void)uv_idle_start(&t->idle, idle_came);
}

/* Returns whether something happened in the file. */
static bool
apply_content(
    struct followed *f, const struct follow_decision *d, bool has_changed)
{
	switch (d->content) {
	case FOLLOW_READ_ON:
		break;
	case FOLLOW_TRUNCATED:
		if (d->lost_bytes)
			count(f->source, METRICS_LOST_BYTES, "truncated",
			    d->lost_bytes);
		count(f->source, METRICS_ROTATIONS, "truncated", 1);
		tell(f->source, TAILER_TRUNCATED, f->file->path, NULL, 0);
		file_restart(f->file);
		has_changed = true;
		break;
	case FOLLOW_WAIT:
		need_poll(f->source->tailer);
		return false;
	}
	if (f->file->known.offset < f->file->known.size_bytes &&
	    (has_changed || f->file->stream.lines.in_long_line))
		read_on(f);
	return has_changed;
}

static void
forget(struct followed *f)
{
	struct tailer *t = f->source->tailer;

	(void)tdelete(f, &t->by_id, compare_ids);
	TAILQ_REMOVE(&t->files, f, entry);
	t->n_files--;
	file_destroy(f->file);
	free(f);
}

/* Takes file.  Returns it as followed, or NULL without memory. */
static struct followed *
remember(struct source *s, struct file *file)
{
	struct tailer *t = s->tailer;
	struct followed *f;

	if (t->n_files == BOUNDS_FILES)
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->source = s;
	f->file = file;
	f->generation = s->generation;
	f->quiet_since_ms = uv_now(t->loop);
	if (!tsearch(f, &t->by_id, compare_ids)) {
		free(f);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&t->files, f, entry);
	t->n_files++;
	return f;
}

static void
hold(struct followed *f)
{
	struct tailer *t = f->source->tailer;

	f->place = NULL;
	f->quiet_since_ms = uv_now(t->loop);
	need_poll(t);
}

/* Whether name is stem with what a rotation adds: ".1", "-20260131", ".old" */
static bool
is_rotated_name(const char *name, const char *stem)
{
	size_t len = strlen(stem);

	if (strncmp(name, stem, len) != 0 || !name[len])
		return false;
	name += len;
	if (!strcmp(name, ".old"))
		return true;
	return strchr(".-_", name[0]) &&
	    strspn(name, ".-_0123456789T:") == strlen(name);
}

static bool
is_later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec ||
	    (a.tv_sec == b.tv_sec && a.tv_nsec >= b.tv_nsec);
}

/* Whether f, beside the log, came after left and is not a copy of it. */
static bool
came_between(const struct file *f, const struct file *left)
{
	if (!f->known.size_bytes || file_is_compressed(f) ||
	    file_compare(f, left) != FILE_IS_NO_COPY)
		return false;
	if (f->born.tv_sec && left->born.tv_sec)
		return is_later(f->born, left->born);
	return is_later(f->modified, left->modified);
}

/*
 * A file that came to the path and was rotated away between two looks has no
 * descriptor of ours.  It is beside the log, under a rotated name, younger
 * than the file that we have left.
 */
static void
find_between(struct place *p, const struct followed *left)
{
	struct tailer *t = p->source->tailer;
	char *directory = paths_parent(p->path);
	DIR *d = directory ? opendir(directory) : NULL;
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		struct followed *f;
		struct file *file;
		char *path;

		if (!is_rotated_name(e->d_name, paths_name(p->path)) ||
		    asprintf(&path, "%s/%s", directory, e->d_name) < 0)
			continue;
		if (file_open(path, p->source->ingest, &file)) {
			free(path);
			continue;
		}
		free(path);
		f = find_file(t, file->known.id) ||
			!came_between(file, left->file)
		    ? NULL
		    : remember(p->source, file);
		if (!f) {
			file_destroy(file);
			continue;
		}
		hold(f);
		count(p->source, METRICS_ROTATIONS, "replaced", 1);
		tell(p->source, TAILER_FOLLOWING, file->path, NULL, 0);
		read_on(f);
	}
	if (d)
		(void)closedir(d);
	free(directory);
}

/* Watches the directories that lead to the place. */
static void
watch_place(struct place *p)
{
	struct watch_dir *dirs[MAX_DIRECTORIES];
	struct paths paths;
	size_t i, n = 0;

	if (paths_directories(p->path, &paths)) {
		need_poll(p->source->tailer);
		return; /* out of memory: what was watched stays watched */
	}
	for (i = 0; i < paths.n && n < MAX_DIRECTORIES; i++) {
		if (!watch_acquire(p->source->tailer->watch, paths.items[i],
			&dirs[n]))
			n++;
	}
	paths_release(&paths);
	for (i = 0; i < p->n_dirs; i++)
		watch_release(p->dirs[i]);
	memcpy(p->dirs, dirs, n * sizeof(*dirs));
	p->n_dirs = n;
}

static bool
watched_through(const struct place *p, const struct watch_dir *dir)
{
	size_t i;

	for (i = 0; i < p->n_dirs; i++) {
		if (p->dirs[i] == dir)
			return true;
	}
	return false;
}

static void
make_current(struct place *p, struct followed *f)
{
	f->place = p;
	p->current = f;
	p->had_file = true;
	watch_place(p);
	set_state(p, PLACE_FOLLOWING, 0, TAILER_FOLLOWING);
}

static void
ignore(struct place *p, const struct file *file, enum tailer_event_kind why)
{
	p->ignored = file->known.id;
	p->ignored_size_bytes = file->known.size_bytes;
	set_state(p, PLACE_IGNORED, 0, why);
}

/* Whether the new file is a copy of one that is followed beside it. */
static enum file_copy
find_original(const struct place *p, const struct file *file)
{
	char *directory = paths_parent(p->path);
	enum file_copy answer = FILE_IS_NO_COPY;
	const struct followed *f;

	TAILQ_FOREACH(f, &p->source->tailer->files, entry) {
		char *other;
		enum file_copy one;
		bool is_beside;

		if (answer == FILE_IS_COPY || f->source != p->source)
			continue;
		other = paths_parent(f->file->path);
		is_beside = directory && other && !strcmp(directory, other);
		free(other);
		if (!is_beside)
			continue;
		one = file_compare(file, f->file);
		if (one != FILE_IS_NO_COPY)
			answer = one;
	}
	free(directory);
	return answer;
}

/*
 * A file that is known by its identity is never read twice: it is the same
 * file under a new name.  Returns whether that settles the place.
 */
static bool
adopt(struct place *p, struct followed *known, struct file *file)
{
	if (known->place && known->place != p) {
		ignore(p, file, TAILER_DUPLICATE);
		return true;
	}
	if (known->file->fd < 0) {
		bool has_changed;

		/* Was let go; has it grown, or is the inode used anew? */
		known->file->fd = file->fd;
		file->fd = -1;
		if (file_look(known->file, NULL, &has_changed).content !=
		    FOLLOW_READ_ON) {
			file->fd = known->file->fd;
			known->file->fd = -1;
			forget(known);
			return false;
		}
	}
	free(known->file->path);
	known->file->path = file->path;
	file->path = NULL;
	make_current(p, known);
	read_on(known);
	return true;
}

/* Opens what is at the path.  Returns whether something has changed. */
static bool
open_place(struct place *p)
{
	struct tailer *t = p->source->tailer;
	enum file_copy copy = FILE_IS_NO_COPY;
	struct followed *f;
	struct file *file;
	struct stat st;
	int error;

	if (p->state == PLACE_IGNORED && !stat(p->path, &st) &&
	    p->ignored.device == st.st_dev && p->ignored.inode == st.st_ino &&
	    p->ignored_size_bytes == (uint64_t)st.st_size) {
		f = find_file(t, p->ignored);
		if (!f || f->place)
			return false;
	}
	error = file_open(p->path, p->source->ingest, &file);
	if (error == -ENOENT || error == -ENOTDIR) {
		bool is_new = p->state != PLACE_MISSING;

		set_state(p, PLACE_MISSING, 0, TAILER_MISSING);
		if (is_new || !p->n_dirs)
			watch_place(p);
		return false;
	}
	if (error) {
		if (p->state != PLACE_UNREADABLE)
			watch_place(p);
		set_state(p, PLACE_UNREADABLE, error, TAILER_UNREADABLE);
		need_poll(t);
		return false;
	}

	f = find_file(t, file->known.id);
	if (f && adopt(p, f, file)) {
		file_destroy(file);
		return true;
	}
	if (p->source->is_glob && p->source->has_started && !p->had_file)
		copy = find_original(p, file);
	if (copy != FILE_IS_NO_COPY) {
		ignore(p, file, TAILER_COPY);
		file_destroy(file);
		return false;
	}
	if (file_is_compressed(file)) {
		ignore(p, file, TAILER_COMPRESSED);
		file_destroy(file);
		return false;
	}
	if (!p->source->has_started && !t->options.from_start)
		file_seek_end(file);
	f = remember(p->source, file);
	if (!f) {
		file_destroy(file);
		set_state(p, PLACE_UNREADABLE, -ENOMEM, TAILER_UNREADABLE);
		need_poll(t);
		return false;
	}
	make_current(p, f);
	read_on(f);
	return true;
}

/* Another file, or none, is at the path: its own is held. */
static void
leave(struct place *p, enum follow_place why)
{
	struct followed *f = p->current;
	bool is_removed = why == FOLLOW_REMOVED;
	struct stat st;
	bool is_known = !is_removed && !stat(p->path, &st) &&
	    find_file(p->source->tailer,
		(struct follow_id){ st.st_dev, st.st_ino });

	p->current = NULL;
	hold(f);
	/* The names of rotated files move on with every rotation. */
	if (!is_known) {
		count(p->source, METRICS_ROTATIONS,
		    is_removed ? "removed" : "replaced", 1);
		tell(p->source, is_removed ? TAILER_REMOVED : TAILER_REPLACED,
		    p->path, NULL, 0);
	}
	p->state = is_removed ? PLACE_MISSING : PLACE_NEW;
	p->error = 0;
	watch_place(p);
	find_between(p, f);
}

static bool
look_place(struct place *p)
{
	bool has_changed = false;

	if (p->current) {
		struct followed *f = p->current;
		struct follow_decision d =
		    file_look(f->file, p->path, &has_changed);

		has_changed = apply_content(f, &d, has_changed);
		if (p->current && d.place == FOLLOW_STAYS)
			return has_changed;
		if (p->current)
			leave(p, d.place);
		has_changed = true;
	}
	return open_place(p) || has_changed;
}

static void
look_held(struct followed *f)
{
	struct tailer *t = f->source->tailer;
	uint64_t now_ms = uv_now(t->loop);
	struct follow_decision d;
	bool has_changed;

	if (f->place || f->file->fd < 0)
		return;
	d = file_look(f->file, NULL, &has_changed);
	if (apply_content(f, &d, has_changed) || f->file->is_behind)
		f->quiet_since_ms = now_ms;
	if (f->file->fd >= 0 &&
	    !follow_finished(&f->file->known, f->quiet_since_ms, now_ms,
		BOUNDS_HOLD_MS))
		return;

	file_read_rest(f->file, t->buffer);
	tell(f->source, TAILER_FINISHED, f->file->path, NULL, 0);
	file_close(f->file);
	/* A glob may still match it: it must be known as read. */
	if (!f->source->is_glob)
		forget(f);
}

static void
place_destroy(struct place *p)
{
	size_t i;

	for (i = 0; i < p->n_dirs; i++)
		watch_release(p->dirs[i]);
	(void)tdelete(p, &p->source->by_path, compare_paths);
	TAILQ_REMOVE(&p->source->tailer->places, p, entry);
	free(p->path);
	free(p);
}

/* Returns the place of this path, made if it is new; NULL without memory. */
static struct place *
add_place(struct source *s, const char *path)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->source = s;
	p->path = strdup(path);
	if (!p->path || !tsearch(p, &s->by_path, compare_paths)) {
		free(p->path);
		free(p);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->tailer->places, p, entry);
	return p;
}

static struct place *
find_place(const struct source *s, char *path)
{
	struct place wanted = { .path = path };
	void *found = tfind(&wanted, &s->by_path, compare_paths);

	return found ? *(struct place **)found : NULL;
}

/*
 * Watches the directories of a glob, and returns a number that changes when
 * one of them does; 0 when a change may have been too recent to be seen in
 * its time stamp.
 */
static uint64_t
watch_glob(struct source *s)
{
	struct watch_dir **dirs;
	uint64_t signature = 1469598103934665603u; /* FNV-1a */
	struct timespec now;
	struct paths paths;
	size_t i, n = 0;
	bool is_recent = false;

	if (paths_glob_directories(s->argument, &paths))
		return 0;
	dirs = calloc(paths.n + 1, sizeof(struct watch_dir *));
	if (!dirs) {
		paths_release(&paths);
		return 0;
	}
	(void)timespec_get(&now, TIME_UTC);
	for (i = 0; i < paths.n; i++) {
		struct stat st;

		if (!watch_acquire(s->tailer->watch, paths.items[i], &dirs[n]))
			n++;
		if (stat(paths.items[i], &st))
			continue;
		signature = (signature ^ st.st_ino) * 1099511628211u;
		signature =
		    (signature ^ (uint64_t)st.st_mtim.tv_sec) * 1099511628211u;
		signature =
		    (signature ^ (uint64_t)st.st_mtim.tv_nsec) * 1099511628211u;
		is_recent |= st.st_mtim.tv_sec + 2 >= now.tv_sec;
	}
	paths_release(&paths);
	for (i = 0; i < s->n_dirs; i++)
		watch_release(s->dirs[i]);
	free(s->dirs);
	s->dirs = dirs;
	s->n_dirs = n;
	return is_recent ? 0 : signature;
}

/* One match of a glob.  Returns whether something has changed. */
static bool
look_match(struct source *s, char *path)
{
	struct place *p = find_place(s, path);
	struct followed *known;
	struct stat st;

	if (p) {
		p->generation = s->generation;
		if (p->current)
			p->current->generation = s->generation;
		return false; /* it is looked at with all places */
	}
	/* A followed file under a new name needs no place of its own. */
	if (!stat(path, &st)) {
		known = find_file(s->tailer,
		    (struct follow_id){ st.st_dev, st.st_ino });
		if (known && (known->file->fd >= 0 ||
			known->file->known.size_bytes ==
			    (uint64_t)st.st_size)) {
			known->generation = s->generation;
			return false;
		}
	}
	p = add_place(s, path);
	if (!p)
		return false;
	p->generation = s->generation;
	return look_place(p);
}

/* Takes in what a glob matches now.  Returns whether something has changed. */
static bool
look_glob(struct source *s)
{
	struct tailer *t = s->tailer;
	struct followed *f, *next_file;
	struct place *p, *next_place;
	struct paths matches;
	bool has_changed = false;
	uint64_t signature = watch_glob(s);
	size_t i;

	if (signature && signature == s->signature)
		return false;
	if (paths_glob(s->argument, &matches))
		return false;
	s->signature = signature;
	s->generation++;
	for (i = 0; i < matches.n; i++)
		has_changed |= look_match(s, matches.items[i]);
	paths_release(&matches);

	/* What no longer matches, and has nothing left to read, is forgotten. */
	for (p = TAILQ_FIRST(&t->places); p; p = next_place) {
		next_place = TAILQ_NEXT(p, entry);
		if (p->source == s && !p->current &&
		    p->generation != s->generation)
			place_destroy(p);
	}
	for (f = TAILQ_FIRST(&t->files); f; f = next_file) {
		next_file = TAILQ_NEXT(f, entry);
		if (f->source == s && !f->place && f->file->fd < 0 &&
		    f->generation != s->generation)
			forget(f);
	}
	return has_changed;
}

static bool
is_glob_dir(const struct source *s, const struct watch_dir *dir)
{
	size_t i;

	for (i = 0; i < s->n_dirs; i++) {
		if (s->dirs[i] == dir)
			return true;
	}
	return false;
}

/*
 * Places first, so that files that were renamed are known as held when the
 * globs find them under their new names.
 */
static bool
look_dir(void *arg, struct watch_dir *dir)
{
	struct tailer *t = arg;
	struct source *s;
	struct place *p;
	bool has_changed = false;

	TAILQ_FOREACH(p, &t->places, entry) {
		if (watched_through(p, dir))
			has_changed |= look_place(p);
	}
	TAILQ_FOREACH(s, &t->sources, entry) {
		if (is_glob_dir(s, dir))
			has_changed |= look_glob(s);
	}
	return has_changed;
}

static void
look_all_held(struct tailer *t)
{
	struct followed *f, *next;

	for (f = TAILQ_FIRST(&t->files); f; f = next) {
		next = TAILQ_NEXT(f, entry);
		look_held(f);
	}
}

static void
poll_came(uv_timer_t *timer)
{
	struct tailer *t = timer->data;
	const struct followed *f;
	struct place *p;

	(void)uv_timer_stop(timer);
	look_all_held(t);
	TAILQ_FOREACH(p, &t->places, entry) {
		if (p->state == PLACE_UNREADABLE)
			(void)look_place(p);
	}
	TAILQ_FOREACH(f, &t->files, entry) {
		if (!f->place && f->file->fd >= 0)
			need_poll(t);
	}
}

/* Every file that is behind gets its turn; then the loop gets its own. */
static void
idle_came(uv_idle_t *idle)
{
	struct tailer *t = idle->data;
	struct followed *f;
	bool is_behind = false;

	TAILQ_FOREACH(f, &t->files, entry) {
		if (f->file->is_behind)
			read_on(f);
		is_behind |= f->file->is_behind;
	}
	if (is_behind)
		return;
	(void)uv_idle_stop(idle);
	if (t->is_draining) {
		t->is_draining = false;
		t->options.on_drained(t->options.arg);
	}
}

void
tailer_drain(struct tailer *t)
{
	struct source *s;
	struct place *p;

	watch_verify(t->watch);
	TAILQ_FOREACH(p, &t->places, entry)
		(void)look_place(p);
	look_all_held(t);
	TAILQ_FOREACH(s, &t->sources, entry) {
		if (s->is_glob)
			(void)look_glob(s);
	}
	if (uv_is_active((uv_handle_t *)&t->idle))
		t->is_draining = true;
	else
		t->options.on_drained(t->options.arg);
}

int
tailer_create(struct uv_loop_s *loop, struct metrics *metrics,
    const struct tailer_options *options, struct tailer **ret_tailer)
{
	struct tailer *t = calloc(1, sizeof(*t));
	int error;

	if (!t)
		return -ENOMEM;
	error = watch_create(loop, look_dir, t, &t->watch);
	if (error) {
		free(t);
		return error;
	}
	t->loop = loop;
	t->metrics = metrics;
	t->options = *options;
	TAILQ_INIT(&t->sources);
	TAILQ_INIT(&t->places);
	TAILQ_INIT(&t->files);
	(void)uv_timer_init(loop, &t->poll); /* these two cannot fail */
	(void)uv_idle_init(loop, &t->idle);
	t->poll.data = t;
	t->idle.data = t;
	t->n_open = 2;
	*ret_tailer = t;
	return 0;
}

static void
handle_closed(uv_handle_t *handle)
{
	struct tailer *t = handle->data;

	if (!--t->n_open)
		free(t);
}

static void
source_destroy(struct source *s)
{
	size_t i;

	for (i = 0; i < s->n_dirs; i++)
		watch_release(s->dirs[i]);
	free(s->dirs);
	paths_release(&s->formats);
	free(s->argument);
	free(s);
}

void
tailer_destroy(struct tailer *t)
{
	struct source *s;
	struct place *p;
	struct followed *f;

	if (!t)
		return;
	while ((p = TAILQ_FIRST(&t->places)))
		place_destroy(p);
	while ((f = TAILQ_FIRST(&t->files)))
		forget(f);
	while ((s = TAILQ_FIRST(&t->sources))) {
		TAILQ_REMOVE(&t->sources, s, entry);
		source_destroy(s);
	}
	watch_destroy(t->watch);
	uv_close((uv_handle_t *)&t->poll, handle_closed);
	uv_close((uv_handle_t *)&t->idle, handle_closed);
}

int
tailer_add(
    struct tailer *t, const char *argument, struct ingest_source *ingest)
{
	struct source *s = calloc(1, sizeof(*s));
	struct stat st;

	if (!s)
		return -ENOMEM;
	s->tailer = t;
	s->ingest = ingest;
	s->argument = strdup(argument);
	s->is_glob = paths_is_glob(argument) && lstat(argument, &st) != 0;
	if (!s->argument || (!s->is_glob && !add_place(s, argument))) {
		free(s->argument);
		free(s);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&t->sources, s, entry);
	return 0;
}

void
tailer_start(struct tailer *t)
{
	struct source *s;
	struct place *p;

	TAILQ_FOREACH(p, &t->places, entry)
		(void)look_place(p);
	TAILQ_FOREACH(s, &t->sources, entry) {
		if (s->is_glob)
			(void)look_glob(s);
		s->has_started = true;
	}
}

static void
set_gauge(struct tailer *t, enum metrics_id id, const struct str values[],
    uint64_t value)
{
	int error = metrics_set(t->metrics, id, values, decimal_of(value));

	(void)error; /* out of memory: a gauge of the exporter's own is old */
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
	struct str values[2] = { str_from(s->argument) };
	size_t i;

	set_gauge(t, METRICS_LAG_BYTES, values, s->lag_bytes);
	for (i = 0; i < FILES_N; i++) {
		values[1] = str_from(names[i]);
		set_gauge(t, METRICS_FILES, values, s->n_files[i]);
	}
}

void
tailer_publish(struct tailer *t)
{
	const struct followed *f;
	const struct place *p;
	struct source *s;

	TAILQ_FOREACH(s, &t->sources, entry) {
		memset(s->n_files, 0, sizeof(s->n_files));
		s->lag_bytes = 0;
	}
	TAILQ_FOREACH(p, &t->places, entry)
		p->source->n_files[state_of(p)]++;
	TAILQ_FOREACH(f, &t->files, entry) {
		const struct follow_known *known = &f->file->known;

		f->source->lag_bytes += known->size_bytes - known->offset;
		if (!f->place)
			f->source->n_files[f->file->fd >= 0 ? FILES_HELD
							    : FILES_FINISHED]++;
	}
	registry_lock(t->metrics->registry);
	TAILQ_FOREACH(s, &t->sources, entry)
		publish_source(t, s);
	registry_unlock(t->metrics->registry);
}
