#include "io/place.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/paths.h"
#include "io/place_copy.h"
#include "io/rotated.h"

struct place_source *
place_source_of(const struct reader_file *f)
{
	return (struct place_source *)(void *)((char *)f->source -
	    offsetof(struct place_source, reader));
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->path,
	    ((const struct place *)b)->path);
}

static void
need_retry(struct places *places)
{
	places->on_retry(places->arg);
}

static void
set_state(struct place *p, enum place_state state, int error,
    enum event_kind event)
{
	bool is_told = p->state == state && p->error == error;

	p->state = state;
	p->error = error;
	if (!is_told)
		reader_tell(&p->source->reader, event, p->path, NULL, error);
}

/* Watches the directories that lead to the place. */
static void
watch_place(struct place *p)
{
	struct watch_dir *dirs[PLACE_MAX_DIRECTORIES];
	struct paths paths;
	size_t i, n = 0;

	if (paths_directories(p->path, &paths)) {
		need_retry(p->source->places);
		return; /* out of memory: what was watched stays watched */
	}
	for (i = 0; i < paths.n && n < PLACE_MAX_DIRECTORIES; i++) {
		if (!watch_acquire(p->source->places->watch, paths.items[i],
			&dirs[n]))
			n++;
	}
	paths_release(&paths);
	for (i = 0; i < p->n_dirs; i++)
		watch_release(p->dirs[i]);
	memcpy(p->dirs, dirs, n * sizeof(*dirs));
	p->n_dirs = n;
}

bool
place_is_watched_through(const struct place *p, const struct watch_dir *dir)
{
	size_t i;

	for (i = 0; i < p->n_dirs; i++) {
		if (p->dirs[i] == dir)
			return true;
	}
	return false;
}

static void
make_current(struct place *p, struct reader_file *f)
{
	f->place = p;
	f->is_undecided = false;
	f->is_finishing = false; /* a save that began before will not end it */
	p->current = f;
	p->had_file = true;
	watch_place(p);
	set_state(p, PLACE_FOLLOWING, 0, EVENT_FOLLOWING);
}

/* Returns whether that is new. */
static bool
ignore(struct place *p, const struct file *file, enum event_kind why)
{
	bool is_new = p->state != PLACE_IGNORED ||
	    !follow_same(p->ignored, file->known.id) ||
	    p->ignored_size_bytes != file->known.size_bytes;

	p->is_undecided = false;
	p->ignored = file->known.id;
	p->ignored_size_bytes = file->known.size_bytes;
	if (!p->n_dirs)
		watch_place(p);
	if (file->known.size_bytes)
		set_state(p, PLACE_IGNORED, 0, why);
	else
		p->state = PLACE_IGNORED; /* nothing to tell yet */
	return is_new;
}

/* The file if it is known, and not only its inode, which is used anew. */
static struct reader_file *
find_known(struct reader *r, const struct file *file)
{
	struct reader_file *known = reader_find(r, file->known.id);

	if (!known || known->file->fd >= 0 || !known->file->born.tv_sec ||
	    file_was_born_as(file, known->file))
		return known;
	reader_yield(known, file);
	return NULL;
}

/* Whether p has the name that a rotation gives to the file of another place. */
static bool
is_rotated_place(const struct place *p)
{
	const struct place *other;

	TAILQ_FOREACH(other, &p->source->places->list, entry) {
		if (rotated_is_name(p->path, other->path))
			return true;
	}
	return false;
}

/* Whether a copy that comes there takes the place of the log. */
static bool
is_logs_place(const struct place *p)
{
	return p->had_file && !is_rotated_place(p);
}

static bool
is_place(const struct places *places, const char *path)
{
	const struct place *p;

	TAILQ_FOREACH(p, &places->list, entry) {
		if (!strcmp(p->path, path))
			return true;
	}
	return false;
}

/* It may be written to when no name leads to it.  Takes file if it can. */
static bool
hold_empty(struct place_source *s, struct file *file)
{
	struct reader_file *f = reader_add(&s->reader, file);

	if (!f)
		return false;
	f->generation = s->generation;
	f->is_undecided = true;
	reader_hold(f);
	return true;
}

/* Copies of what is unread may be all that is left of it at the next look. */
static bool
is_read(const struct place *p)
{
	return !p->current || p->current->file->known.offset > 0;
}

/* Its writer went on after it was let go, or it was not found for a while. */
static struct reader_file *
take_again(struct reader_file *known, struct file *file)
{
	if (known->is_copy || file->gunzip || known->file->fd >= 0 ||
	    file->known.size_bytes <= known->file->known.offset ||
	    reader_reopen(known, file) != FOLLOW_READ_ON)
		return NULL;
	return known;
}

struct beside {
	const struct place *place;
	size_t n_new;
};

/* A file that came and went between two looks is read as if it were held. */
static void
take_rotated(void *arg, struct file *file)
{
	struct beside *beside = arg;
	const struct place *p = beside->place;
	struct reader_source *s = &p->source->reader;
	struct reader_file *known = find_known(s->reader, file);
	struct reader_file *f = NULL;
	enum file_copy copy = FILE_IS_NO_COPY;

	if (known) {
		beside->n_new += known->is_undecided &&
		    file->known.size_bytes > 0; /* it is read from now on */
		f = take_again(known, file);
	} else if (!file->gunzip && is_place(p->source->places, file->path))
		beside->n_new++; /* that place opens it */
	else {
		if (file->known.size_bytes)
			copy = place_copy_find(p, file, true, NULL);
		/* Unless it has the rest of what was cut, and is known now. */
		if (find_known(s->reader, file))
			copy = FILE_MAY_BE_COPY;
		if (copy == FILE_IS_COPY && is_read(p) && !file->gunzip &&
		    place_copy_remember(p->source, file))
			return;
		/* The first lines of a log are a copy in the making. */
		if (copy == FILE_IS_NO_COPY)
			f = reader_add(s, file);
	}
	if (!f) {
		file_destroy(file);
		return;
	}
	beside->n_new += file->known.size_bytes > 0;
	f->is_undecided = !file->known.size_bytes;
	reader_hold(f);
	reader_count(s, METRICS_ROTATIONS, "replaced", 1);
	reader_tell(s, EVENT_FOLLOWING, file->path, NULL, 0);
	if (f == known)
		file_destroy(file);
	if (!f->is_undecided)
		reader_read(f);
}

/*
 * A file that is known by its identity is never read twice: it is the same
 * file under a new name.  Returns whether something has changed.
 */
static bool
adopt(struct place *p, struct reader_file *known, struct file *file)
{
	bool has_changed;

	if (place_source_of(known)->is_stale) {
		reader_move(known, &p->source->reader);
	} else if (known->place && known->place != p) {
		return ignore(p, file, EVENT_DUPLICATE);
	}
	if (known->is_undecided && known->file->fd >= 0 &&
	    is_rotated_place(p)) {
		(void)reader_look(known, NULL, &has_changed);
		if (known->is_undecided)
			return ignore(p, file, EVENT_COPY);
	}
	if (known->is_copy && is_logs_place(p)) {
		known->is_copy = false; /* it is the log now */
		file_recognise(known->file);
	}
	if (known->is_copy) {
		file_mark_read(known->file);
		reader_close(known);
		return ignore(p, file, EVENT_COPY);
	}
	free(known->file->path);
	known->file->path = file->path;
	file->path = NULL;
	make_current(p, known);
	/* It may have grown since it was looked at as a held one. */
	(void)reader_look(known, NULL, &has_changed);
	if (p->current == known)
		reader_read(known);
	return true;
}

/* gzip makes its file before it writes to it. */
static bool
is_being_packed(const struct file *file)
{
	const char *end = strrchr(file->path, '.');

	return !file->known.size_bytes && end && !strcmp(end, ".gz");
}

/* What was ignored is what is there, and nothing else follows from it. */
static bool
is_still_ignored(const struct place *p)
{
	const struct reader_file *f;
	struct stat st;

	if (p->state != PLACE_IGNORED || p->is_undecided ||
	    stat(p->path, &st) || p->ignored.device != st.st_dev ||
	    p->ignored.inode != st.st_ino ||
	    p->ignored_size_bytes != (uint64_t)st.st_size)
		return false;
	f = reader_find(p->source->places->reader, p->ignored);
	return !f || (f->place && !place_source_of(f)->is_stale);
}

/* Nothing is at the path, or it cannot be read now. */
static void
wait_for(struct place *p, int error)
{
	bool is_missing = error == -ENOENT || error == -ENOTDIR;
	enum place_state state = is_missing ? PLACE_MISSING : PLACE_UNREADABLE;
	bool is_new = p->state != state;

	set_state(p, state, is_missing ? 0 : error,
	    is_missing ? EVENT_MISSING : EVENT_UNREADABLE);
	if (is_new || (is_missing && !p->n_dirs))
		watch_place(p);
	if (!is_missing)
		need_retry(p->source->places);
}

/*
 * Nobody adds to a copy: one that does was another log, with the same first
 * lines.  A longer one may have been seen while it was made.
 */
static bool
has_outgrown(const struct place *p, const struct reader_file *known,
    const struct file *file)
{
	return known->is_copy && !is_logs_place(p) &&
	    known->file->known.offset < BOUNDS_COPY_BYTES &&
	    file->known.size_bytes > known->file->known.offset;
}

/*
 * The file if it is known, with a descriptor: *ret_known is NULL where it is
 * not.  Returns 0; -EIO ...: nobody can tell now.
 */
static int
recognise(const struct place *p, struct file *file,
    struct reader_file **ret_known)
{
	struct reader_file *known;
	int error = file_try(file);

	if (error)
		return error;
	known = find_known(p->source->places->reader, file);
	if (known && has_outgrown(p, known, file)) {
		reader_forget(known);
		known = NULL;
	}
	if (known && known->file->fd < 0) {
		/* Has it grown, or is the inode used anew? */
		switch (reader_reopen(known, file)) {
		case FOLLOW_READ_ON:
			break;
		case FOLLOW_TRUNCATED:
			reader_forget(known);
			known = NULL;
			break;
		case FOLLOW_WAIT:
			return -EIO;
		}
	}
	*ret_known = known;
	return 0;
}

/* Whether a file that is not known has to be a log of its own. */
static enum file_copy
compare(const struct place *p, const struct file *file)
{
	/* Where there is no room, there is nothing to compare it for. */
	if (!p->source->is_glob || !p->source->has_started ||
	    is_logs_place(p) || reader_is_full(p->source->places->reader))
		return FILE_IS_NO_COPY;
	return place_copy_find(p, file, false, NULL);
}

/* Ignores what is no log, or may be none.  Returns whether it took file. */
static bool
ignore_new(struct place *p, struct file *file, enum file_copy copy)
{
	bool is_taken = false;

	if (copy == FILE_IS_COPY) {
		(void)ignore(p, file, EVENT_COPY);
		is_taken = place_copy_remember(p->source, file);
	} else if (copy == FILE_MAY_BE_COPY && !is_being_packed(file)) {
		(void)ignore(p, file, EVENT_COPY);
		p->is_undecided = true;
		is_taken = !file->known.size_bytes && is_rotated_place(p) &&
		    hold_empty(p->source, file);
	} else if (file_is_compressed(file) || is_being_packed(file)) {
		(void)ignore(p, file, EVENT_COMPRESSED);
	} else {
		return false;
	}
	if (!is_taken)
		file_destroy(file);
	return true;
}

/* Takes file.  Returns whether there was room for it. */
static bool
follow_new(struct place *p, struct file *file)
{
	struct places *places = p->source->places;
	struct reader_file *f;

	if (!p->source->has_started && !places->from_start)
		file_seek_end(file);
	f = reader_add(&p->source->reader, file);
	if (!f) {
		file_destroy(file);
		set_state(p, PLACE_UNREADABLE,
		    reader_is_full(places->reader) ? -EMFILE : -ENOMEM,
		    EVENT_UNREADABLE);
		need_retry(places);
		return false;
	}
	f->generation = p->source->generation;
	make_current(p, f);
	reader_read(f);
	return true;
}

/* Opens what is at the path.  Returns whether something has changed. */
static bool
open_place(struct place *p)
{
	struct reader_file *known = NULL;
	struct file *file;
	enum file_copy copy;
	bool has_changed;
	int error;

	if (is_still_ignored(p))
		return false;
	error = file_open(p->path, p->source->reader.ingest, &file);
	if (!error) {
		error = recognise(p, file, &known);
		if (error)
			file_destroy(file);
	}
	if (error) {
		wait_for(p, error);
		return false;
	}
	if (known) {
		has_changed = adopt(p, known, file);
		file_destroy(file);
		return has_changed;
	}
	copy = compare(p, file);
	if (reader_find(p->source->places->reader, file->known.id)) {
		/* Just now: it has the rest of what was cut. */
		file_destroy(file);
		return true;
	}
	return !ignore_new(p, file, copy) && follow_new(p, file);
}

/* Another file, or none, is at the path: its own is held. */
static void
leave(struct place *p, enum follow_place why)
{
	struct reader_file *f = p->current;
	bool is_removed = why == FOLLOW_REMOVED;
	struct stat st;
	bool is_known = !is_removed && !stat(p->path, &st) &&
	    reader_find(p->source->places->reader,
		(struct follow_id){ st.st_dev, st.st_ino });

	p->current = NULL;
	p->left_ms = reader_now_ms(p->source->places->reader);
	reader_hold(f);
	/* The names of rotated files move on with every rotation. */
	if (!is_known) {
		reader_count(&p->source->reader, METRICS_ROTATIONS,
		    is_removed ? "removed" : "replaced", 1);
		reader_tell(&p->source->reader,
		    is_removed ? EVENT_REMOVED : EVENT_REPLACED, p->path, NULL,
		    0);
	}
	p->state = is_removed ? PLACE_MISSING : PLACE_NEW;
	p->error = 0;
	watch_place(p);
}

/* Whether names have come or gone beside the path since that look. */
static bool
has_new_names(const struct place *p)
{
	struct paths directories;
	struct stat st;
	bool has = false;
	size_t i;

	if (paths_directories(p->path, &directories))
		return true; /* out of memory: the look will tell */
	for (i = 0; i < directories.n && !has; i++)
		has = !stat(directories.items[i], &st) &&
		    (st.st_mtim.tv_sec > p->seen.tv_sec ||
			(st.st_mtim.tv_sec == p->seen.tv_sec &&
			    st.st_mtim.tv_nsec >= p->seen.tv_nsec));
	paths_release(&directories);
	return has;
}

static bool
look_beside(struct place *p, struct listing *listing)
{
	struct beside beside = { p, 0 };

	if (p->seen.tv_sec && has_new_names(p))
		rotated_visit(listing, p->path, p->seen,
		    p->source->reader.ingest, take_rotated, &beside);
	return beside.n_new > 0;
}

bool
place_look_beside(struct place *p)
{
	return look_beside(p, NULL);
}

/*
 * Links lead to other directories, which are not asked: then names may have
 * come.
 */
static bool
has_new_names_beside(const struct place *p, struct timespec since)
{
	char *directory = paths_parent(p->path);
	struct stat st;
	bool has = p->n_dirs != 1 || !directory || stat(directory, &st) ||
	    !file_is_before(st.st_mtim, since);

	free(directory);
	return has;
}

static void
keep_seen(struct place *p, bool has_changed)
{
	time_t age = p->seen.tv_sec - p->kept_looked.tv_sec;
	bool is_due = age < 0 || age >= BOUNDS_HOLD_MS / 1000 / 2;

	if (is_due)
		p->kept_looked = p->seen;
	if (has_changed || !p->kept.tv_sec ||
	    (is_due && has_new_names_beside(p, p->kept)))
		p->kept = p->seen;
}

struct timespec
place_seen(struct place *p, bool is_exact)
{
	if (is_exact || !p->kept.tv_sec)
		p->kept = p->seen;
	return p->kept;
}

/*
 * A log of which nothing is read has no anchor by which a copy of it would be
 * found: those that were made since it was read last must count as new.
 */
static void
note_seen(struct place *p, struct timespec began, bool has_stayed,
    bool has_changed)
{
	const struct follow_known *known = p->current ? &p->current->file->known
						      : NULL;

	p->was_unread = known && !known->offset;
	if (!p->seen.tv_sec ||
	    (has_stayed && (!p->was_unread || !known->size_bytes)))
		p->seen = began;
	else if (p->looked.tv_sec && (!p->was_unread || !known->size_bytes))
		p->seen = p->looked;
	p->looked = began;
	keep_seen(p, has_changed);
}

bool
place_look(struct place *p)
{
	bool has_changed = false;
	struct listing *listing = &p->source->places->listing;
	struct timespec began = listing_began(listing);

	if (p->current) {
		enum follow_place place;

		place = reader_look(p->current, p->path, &has_changed);
		if (p->current && place == FOLLOW_STAYS) {
			/* Cut before anything was read, it shows no trace. */
			if (p->current->was_cut || p->was_unread)
				(void)place_look_beside(p);
			else if (p->is_beside_due)
				(void)look_beside(p, listing);
			p->is_beside_due = false;
			p->current->was_cut = false;
			note_seen(p, began, true, has_changed);
			return has_changed;
		}
		if (p->current)
			leave(p, place);
		has_changed = true;
	}
	has_changed |= open_place(p);
	if (p->current || p->state == PLACE_MISSING) {
		(void)look_beside(p, listing);
		/* What was renamed meanwhile is found by the next look. */
		p->is_beside_due = true;
		note_seen(p, began, false, has_changed);
	}
	return has_changed;
}

struct place *
place_of(const struct places *places, const struct reader_file *f)
{
	struct place *p;

	TAILQ_FOREACH(p, &places->list, entry) {
		if (&p->source->reader == f->source &&
		    rotated_is_same_log(p->path, f->file->path))
			return p;
	}
	return NULL;
}

bool
place_is_expected(const struct place *p)
{
	return p->had_file &&
	    reader_now_ms(p->source->places->reader) - p->left_ms <
	    BOUNDS_HOLD_MS;
}

void
place_destroy(struct place *p)
{
	size_t i;

	for (i = 0; i < p->n_dirs; i++)
		watch_release(p->dirs[i]);
	if (p->current)
		reader_forget(p->current);
	(void)tdelete(p, &p->source->by_path, compare_paths);
	TAILQ_REMOVE(&p->source->places->list, p, entry);
	free(p->path);
	free(p);
}

struct place *
place_create(struct place_source *s, const char *path)
{
	struct place *p = calloc(1, sizeof(*p));

	assert(!place_find(s, path));
	if (!p)
		return NULL;
	p->source = s;
	p->path = strdup(path);
	if (!p->path || !tsearch(p, &s->by_path, compare_paths)) {
		free(p->path);
		free(p);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->places->list, p, entry);
	return p;
}

struct place *
place_find(const struct place_source *s, const char *path)
{
	struct place wanted = { .path = (char *)(uintptr_t)path };
	void *found = tfind(&wanted, &s->by_path, compare_paths);

	return found ? *(struct place **)found : NULL;
}
