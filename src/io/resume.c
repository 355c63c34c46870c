#include "io/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/rotated.h"

/* The flags of a saved file. */
enum {
	IS_FINISHED = 1,
	IS_COPY = 2,
	IS_IN_LONG_LINE = 4,
	IS_HELD = 8, /* its path was taken from it, which has been counted */
};

struct resume {
	const struct state_image *saved;
	struct listing *listing;
	bool *is_taken; /* for each file */
};

int
resume_create(const struct state_image *saved, struct listing *listing,
    struct resume **ret_resume)
{
	struct resume *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->saved = saved;
	r->listing = listing;
	r->is_taken = calloc(saved->n_files + 1, sizeof(*r->is_taken));
	if (!r->is_taken) {
		free(r);
		return -ENOMEM;
	}
	*ret_resume = r;
	return 0;
}

void
resume_destroy(struct resume *r)
{
	if (!r)
		return;
	free(r->is_taken);
	free(r);
}

bool
resume_knows(const struct resume *r, const char *argument)
{
	size_t i;

	for (i = 0; r && i < r->saved->n_places; i++) {
		if (!strcmp(r->saved->places[i].path, argument))
			return true;
	}
	return false;
}

/* Whether path, or the log that it was rotated from, is meant by argument. */
static bool
is_meant(const char *argument, const char *path)
{
	char *log = rotated_log(path);
	bool is = paths_is_match(argument, path) ||
	    (log && paths_is_match(argument, log));

	free(log);
	return is;
}

void
resume_visit_places(const struct resume *r, const char *argument,
    resume_place_fn visit, void *arg)
{
	size_t i;

	for (i = 0; r && i < r->saved->n_places; i++) {
		const struct state_place *p = &r->saved->places[i];

		/* A row without a time says that the argument was followed. */
		if (p->seen.tv_sec && paths_is_match(argument, p->path))
			visit(arg, p);
	}
}

/* What was known of it, as a file without a descriptor; or NULL. */
static struct file *
recall(const struct state_file *saved, struct ingest_source *source)
{
	const struct follow_known known = { saved->id, saved->offset,
		saved->size_bytes };
	struct file *f;

	if (file_remember(saved->path, &known, source, &f))
		return NULL;
	f->born = saved->born;
	f->modified = saved->modified;
	f->anchor = saved->anchor;
	f->head = saved->head;
	f->cut = saved->cut;
	f->cut_head = saved->cut_head;
	f->stream.lines.in_long_line = saved->flags & IS_IN_LONG_LINE;
	if (saved->format)
		ingest_recall(&f->stream, str_from(saved->format));
	return f;
}

/* Takes file.  Returns NULL where it is read already, or there is no room. */
static struct reader_file *
read_on(struct reader_source *s, struct file *file)
{
	struct reader_file *other = reader_find(s->reader, file->known.id);
	struct reader_file *f = NULL;

	if (other && other->file->fd < 0) {
		/* Its inode is used anew, or its name. */
		reader_yield(other, file);
		other = NULL;
	}
	if (other && other->is_undecided) {
		reader_replace(other, file);
		f = other;
	} else if (!other) {
		f = reader_add(s, file);
	}
	if (!f) {
		file_destroy(file);
		return NULL;
	}
	reader_hold(f);
	reader_read(f);
	return f;
}

/*
 * Whether the file at the path is another one, or there is none.  The device
 * may have another number since.
 */
static bool
is_elsewhere(const struct file *known, struct ingest_source *source)
{
	struct file *now;
	bool is;

	if (file_open(known->path, source, &now))
		return true;
	is = now->known.id.inode != known->known.id.inode ||
	    file_is_before(now->born, known->born) ||
	    file_is_before(known->born, now->born);
	file_destroy(now);
	return is;
}

/*
 * Takes known, which is nowhere to be found.  Should it come back, it is known.
 *
 * was_held   here and below: what became of its path has been counted
 * is_hidden  it may be there, and cannot be read now
 */
static void
give_up(struct reader_source *s, struct file *known, bool was_held,
    bool is_hidden)
{
	struct follow_known *k = &known->known;
	uint64_t n_lost = k->size_bytes - k->offset;
	bool is_lost = !is_hidden && paths_is_gone(known->path);
	struct reader_file *f;

	k->size_bytes = k->offset;
	if (is_lost) {
		bool is_cut = !is_elsewhere(known, s->ingest);

		reader_count(s, METRICS_LOST_BYTES,
		    is_cut ? "truncated" : "removed", n_lost);
		if (!was_held)
			reader_count(s, METRICS_ROTATIONS,
			    is_cut ? "truncated" : "removed", 1);
	}
	f = reader_remember(s, known);
	if (!f) {
		file_destroy(known);
		return;
	}
	f->is_unseen = !is_lost;
	f->is_hidden = is_hidden;
}

/* Takes known: where it is now, it is read on. */
static void
find_again(struct resume *r, struct reader_source *s, struct file *known,
    bool was_held)
{
	bool is_same = true, is_hidden;
	struct file *found = rotated_find_id(r->listing, known->path, known,
	    s->ingest, &is_hidden);
	struct file *cut;
	struct reader_file *f;

	if (!found && !is_hidden) {
		is_same = false;
		cut = rotated_find_cut(r->listing, known->path, known,
		    s->ingest);
		if (cut) {
			file_note_cut(cut, known);
			(void)read_on(s, cut);
		}
		/* Its last chance: no older look at the names will do. */
		found = rotated_find_rest(NULL, known->path, known,
		    &known->anchor, s->ingest);
	}
	if (!found) {
		give_up(s, known, was_held, is_hidden);
		return;
	}
	if (!was_held && is_elsewhere(known, s->ingest))
		reader_count(s, METRICS_ROTATIONS, "replaced", 1);
	else if (!was_held && !is_same)
		reader_count(s, METRICS_ROTATIONS, "truncated", 1);
	if (strcmp(found->path, known->path) != 0)
		reader_tell(s, EVENT_RESUMED, found->path, NULL, 0);
	file_resume(found, known, &known->anchor);
	if (is_same) {
		char *path = found->path;

		/* The one it had, so that it has it again if it still does. */
		found->path = known->path;
		known->path = path;
		found->cut = known->cut;
		found->cut_head = known->cut_head;
	}
	f = read_on(s, found);
	(void)f; /* no room: it is told when its place is opened */
	file_destroy(known);
}

/*
 * Takes known: it was finished.  The file system may have another number since,
 * and a glob must know it all the same.
 */
static void
remember(struct resume *r, struct reader_source *s, struct file *known,
    bool is_copy)
{
	struct reader_file *f;
	struct file *found;
	struct stat st;
	char *directory = paths_parent(known->path);
	bool is_hidden;

	if (directory && !stat(directory, &st) &&
	    st.st_dev != known->known.id.device) {
		found = rotated_find_id(r->listing, known->path, known,
		    s->ingest, &is_hidden);
		if (found)
			known->known.id = found->known.id;
		file_destroy(found);
	}
	free(directory);
	known->known.size_bytes = known->known.offset;
	f = reader_remember(s, known);
	if (f)
		f->is_copy = is_copy;
	else
		file_destroy(known);
}

void
resume_files(struct resume *r, struct reader_source *s, const char *argument,
    bool by_name)
{
	size_t i;

	for (i = 0; r && i < r->saved->n_files; i++) {
		const struct state_file *saved = &r->saved->files[i];
		struct file *known;

		if (r->is_taken[i] || !is_meant(argument, saved->path) ||
		    (by_name && strcmp(saved->source, s->name) != 0))
			continue;
		r->is_taken[i] = true;
		known = recall(saved, s->ingest);
		if (!known)
			continue;
		if (saved->flags & IS_FINISHED)
			remember(r, s, known, saved->flags & IS_COPY);
		else
			find_again(r, s, known, saved->flags & IS_HELD);
	}
}

bool
resume_rest(struct reader_file *f)
{
	struct reader_source *s = f->source;
	struct file *found = rotated_find_rest(NULL, f->file->path, f->file,
	    &f->file->anchor, s->ingest);

	if (!found)
		return false;
	reader_tell(s, EVENT_RESUMED, found->path, NULL, 0);
	file_resume(found, f->file, &f->file->anchor);
	(void)read_on(s, found);
	return true;
}

/* It may have a name at which nobody else looks: that of a rotation. */
static void
look_again(struct reader_file *f)
{
	struct reader *r = f->source->reader;
	struct file *found = rotated_find_id(NULL, f->file->path, f->file,
	    f->source->ingest, &f->is_hidden);

	if (found && !found->gunzip && !reader_is_full(r) &&
	    reader_find(r, found->known.id) == f &&
	    reader_reopen(f, found) == FOLLOW_READ_ON) {
		reader_hold(f);
		reader_read(f);
	}
	file_destroy(found);
}

bool
resume_is_waiting(const struct reader *r)
{
	struct reader_file *f;
	bool is = false;

	TAILQ_FOREACH(f, reader_files(r), entry) {
		if (f->is_unseen && f->file->fd < 0 && f->is_hidden)
			look_again(f);
		is |= f->is_unseen && f->file->fd < 0 &&
		    (f->is_hidden || !paths_is_gone(f->file->path));
	}
	return is;
}

/*
 * Of a held file that was empty what came since is noted, so that it is found
 * by how it begins: its log's place may have been looked at after it.
 */
static void
note_unread(struct reader_file *f)
{
	bool has_changed;

	if (f->file->fd < 0 || f->file->gunzip || f->place ||
	    f->file->known.offset)
		return;
	(void)file_look(f->file, NULL, &has_changed);
	f->file->is_stalled |= has_changed; /* it is read at the next look */
}

void
resume_save(struct reader_file *f, struct state_image *image)
{
	struct file *file = f->file;
	bool is_finished = (file->fd < 0 && !f->is_unseen) || f->is_finishing;
	bool is_in_long_line = file->stream.lines.in_long_line;
	struct state_file saved = {
		.source = f->source->name,
		.path = file->path,
		.id = file->known.id,
		.born = file->born,
		.offset = file->known.offset,
		.anchor = file->anchor,
		.cut = file->cut,
		.cut_head = file->cut_head,
		.format = ingest_format_name(&file->stream),
		.flags = (is_finished ? IS_FINISHED : 0u) |
		    (f->place ? 0u : IS_HELD) | (f->is_copy ? IS_COPY : 0u) |
		    (is_in_long_line ? IS_IN_LONG_LINE : 0u),
	};

	/* A copy of what is yet to be read: it is found anew, as that is. */
	if (f->is_undecided && file->known.size_bytes)
		return;
	if (file->fd >= 0)
		f->is_unseen = false;
	note_unread(f);
	/* Of what is being inflated it would have to be inflated again. */
	if (!file->gunzip)
		file_note_head(file);
	saved.head = file->head;
	saved.modified = file->modified;
	saved.size_bytes = file->known.size_bytes;
	state_image_add_file(image, &saved);
	f->is_saved = is_finished;
}
