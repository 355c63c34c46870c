#include "io/place_glob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "accesslog/bounds.h"
#include "io/reader.h"

/* A finished file that so many looks at its glob did not find is forgotten. */
#define MISSED_LOOKS 3

void
place_glob_init(struct place_glob *g, struct place_source *source,
    const char *pattern, const struct paths *excludes)
{
	*g = (struct place_glob){ .source = source,
		.pattern = pattern,
		.excludes = excludes };
}

void
place_glob_release(struct place_glob *g)
{
	size_t i;

	for (i = 0; i < g->n_dirs; i++)
		watch_release(g->dirs[i]);
	free(g->dirs);
	free(g->unlisted);
}

/*
 * Watches the directories.
 *
 * Returns their signature (paths.h), or 0 without memory.
 */
static uint64_t
watch_directories(struct place_glob *g)
{
	struct watch *watch = g->source->places->watch;
	struct watch_dir **dirs;
	struct paths paths;
	uint64_t signature = 0;
	size_t i, n = 0;

	if (paths_glob_directories(g->pattern, &paths))
		return 0;
	dirs = calloc(paths.n + 1, sizeof(struct watch_dir *));
	if (!dirs)
		goto release_paths;
	for (i = 0; i < paths.n; i++) {
		if (!watch_acquire(watch, paths.items[i], &dirs[n]))
			n++;
	}
	for (i = 0; i < g->n_dirs; i++)
		watch_release(g->dirs[i]);
	free(g->dirs);
	g->dirs = dirs;
	g->n_dirs = n;
	signature = paths_signature(&paths);

release_paths:
	paths_release(&paths);
	return signature;
}

/* Otherwise it has grown, or its inode is used anew. */
static bool
is_unchanged(const struct file *f, const struct stat *st)
{
	return f->known.size_bytes == (uint64_t)st->st_size &&
	    f->modified.tv_sec == st->st_mtim.tv_sec &&
	    f->modified.tv_nsec == st->st_mtim.tv_nsec;
}

/* One match.  Returns whether something has changed. */
static bool
look_match(const struct place_glob *g, const char *path)
{
	struct place_source *s = g->source;
	struct reader *reader = s->places->reader;
	struct place *p = place_find(s, path);
	struct reader_file *known;
	struct stat st;

	if (p) {
		p->generation = s->generation;
		known = p->state == PLACE_IGNORED
		    ? reader_find(reader, p->ignored)
		    : p->current;
		if (known)
			known->generation = s->generation;
		return false; /* it is looked at with all places */
	}
	/* A followed file under a new name needs no place of its own. */
	if (!stat(path, &st)) {
		known = reader_find(reader,
		    (struct follow_id){ st.st_dev, st.st_ino });
		if (known && !place_source_of(known)->is_stale &&
		    (known->file->fd >= 0 ||
			(!known->is_unseen &&
			    is_unchanged(known->file, &st)))) {
			known->generation = s->generation;
			return false;
		}
	}
	if (paths_is_excluded(path, g->excludes->items, g->excludes->n))
		return false;
	p = place_create(s, path);
	if (!p)
		return false;
	p->generation = s->generation;
	return place_look(p);
}

/*
 * Whether a directory is away, and with it what was in it: a mount that comes
 * late has an empty directory of another file system in its place.
 *
 * device  of the file at path, or 0
 */
static bool
is_away(const char *path, uint64_t device)
{
	char *directory = device ? paths_parent(path) : NULL;
	struct stat st;
	bool is_other = directory && !stat(directory, &st) &&
	    st.st_dev != device;

	free(directory);
	return is_other || !paths_is_gone(path);
}

/*
 * What is no longer matched, and has nothing left to read, is forgotten, here
 * and below; not while its directory is away, but for the oldest.
 */
static void
forget_places(const struct place_source *s)
{
	struct place *p, *previous;
	size_t n_away = 0;

	for (p = TAILQ_LAST(&s->places->list, place_list); p; p = previous) {
		previous = TAILQ_PREV(p, place_list, entry);
		if (p->source != s || p->current ||
		    p->generation == s->generation || place_is_expected(p))
			continue;
		if (n_away < BOUNDS_AWAY && is_away(p->path, 0))
			n_away++;
		else
			place_destroy(p);
	}
}

static void
forget_files(const struct place_source *s)
{
	struct places *places = s->places;
	struct reader_file *f, *previous;
	size_t n_away = 0;

	for (f = TAILQ_LAST(reader_files(places->reader), reader_list); f;
	     f = previous) {
		previous = TAILQ_PREV(f, reader_list, entry);
		/* One look can miss a name that is being changed. */
		if (f->source != &s->reader || f->place || f->file->fd >= 0 ||
		    f->is_hidden ||
		    f->generation + MISSED_LOOKS >= s->generation)
			continue;
		if (n_away < BOUNDS_AWAY &&
		    is_away(f->file->path, f->file->known.id.device)) {
			n_away++;
			/* Looks that miss it count from when it is back. */
			f->generation = s->generation;
			continue;
		}
		places->has_let_go = true;
		reader_forget(f);
	}
}

/*
 * directory  taken; NULL: all of them can be listed
 */
static void
tell_unlisted(struct place_glob *g, char *directory, int error)
{
	bool is_told = g->unlisted && directory &&
	    !strcmp(g->unlisted, directory) && g->unlisted_error == error;

	if (directory && !is_told)
		reader_tell(&g->source->reader, EVENT_UNLISTED, directory, NULL,
		    error);
	free(g->unlisted);
	g->unlisted = directory;
	g->unlisted_error = error;
}

bool
place_glob_look(struct place_glob *g)
{
	struct place_source *s = g->source;
	struct paths matches;
	bool has_changed = false;
	uint64_t signature = watch_directories(g);
	char *unlisted;
	size_t i;
	int error;

	if (signature && signature == g->signature)
		return false;
	if (paths_glob(g->pattern, &matches, &unlisted, &error))
		return false;
	/* Only a permission leaves a trace in the directory when it comes. */
	if (unlisted && error != -EACCES)
		signature = 0;
	tell_unlisted(g, unlisted, error);
	if (!matches.n && (s->generation == 0 || g->n_matches > 0))
		reader_tell(&s->reader, EVENT_NO_MATCH, g->pattern, NULL, 0);
	g->n_matches = matches.n;
	g->signature = signature;
	s->generation++;
	for (i = 0; i < matches.n; i++)
		has_changed |= look_match(g, matches.items[i]);
	paths_release(&matches);

	forget_places(s);
	forget_files(s);
	return has_changed;
}

static bool
is_one_of(const struct place_glob *g, const struct watch_dir *dir)
{
	size_t i;

	for (i = 0; i < g->n_dirs; i++) {
		if (g->dirs[i] == dir)
			return true;
	}
	return false;
}

bool
place_glob_look_dir(struct place_glob *g, const struct watch_dir *dir)
{
	uint64_t turn = watch_turn(g->source->places->watch);

	if (g->turn == turn || !is_one_of(g, dir))
		return false;
	g->turn = turn;
	return place_glob_look(g);
}

void
place_glob_expire(struct place_glob *g)
{
	g->signature = 0;
}
