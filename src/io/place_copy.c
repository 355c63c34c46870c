#include "io/place_copy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "io/paths.h"
#include "io/rotated.h"

enum file_copy
place_copy_find(const struct place *p, const struct file *file, bool of_place,
    const struct reader_file *undecided)
{
	char *directory = paths_parent(p->path);
	enum file_copy answer = FILE_IS_NO_COPY;
	struct reader_file *f;
	bool has_changed;

	TAILQ_FOREACH(f, reader_files(p->source->places->reader), entry) {
		char *other;
		enum file_copy one;
		bool is_beside;

		if (answer == FILE_IS_COPY || f->file == file ||
		    (of_place &&
			(f->source != &p->source->reader ||
			    !rotated_is_same_log(p->path, f->file->path))))
			continue;
		other = paths_parent(f->file->path);
		is_beside = directory && other && !strcmp(directory, other);
		free(other);
		if (!is_beside)
			continue;
		one = file_compare(file, f->file);
		/*
		 * It may have been cut since it was looked at: what then?  To
		 * look at what is undecided would ask this of that one.
		 */
		if (one == FILE_IS_NO_COPY && f->file->fd >= 0 &&
		    !f->is_undecided) {
			(void)reader_look(f, NULL, &has_changed);
			if (undecided && !undecided->is_undecided) {
				answer = FILE_IS_NO_COPY;
				break;
			}
			one = file_compare(file, f->file);
		}
		if (one != FILE_IS_NO_COPY)
			answer = one;
	}
	free(directory);
	return answer;
}

/* A glob may match what another argument follows. */
static bool
is_any_copy(const struct place *p, const struct reader_file *f)
{
	return place_copy_find(p, f->file, true, f) != FILE_IS_NO_COPY ||
	    (p->source->is_glob && f->is_undecided &&
		place_copy_find(p, f->file, false, f) == FILE_IS_COPY);
}

/* Whether it is yet to be read from its first byte on, as after a start. */
static bool
is_unread(const struct place *p)
{
	return p->current && p->current->file->is_behind &&
	    !p->current->file->known.offset;
}

bool
place_copy_decide(const struct place *p, struct reader_file *f)
{
	bool has_changed, is_compressed, is_copy;

	/* If the log was cut, f may have the rest of it: then it is that. */
	if (p && p->current)
		(void)reader_look(p->current, NULL, &has_changed);
	is_compressed = f->is_undecided && file_is_compressed(f->file);
	is_copy = f->is_undecided && !is_compressed && p && is_any_copy(p, f);
	/* It may be all that is left of the log by the next look. */
	if (is_copy && is_unread(p))
		return false;
	f->is_undecided = false;
	return is_compressed || is_copy;
}

bool
place_copy_remember(struct place_source *s, struct file *file)
{
	struct reader_file *f;

	file_mark_read(file);
	f = reader_add(&s->reader, file);
	if (!f)
		return false;
	f->generation = s->generation;
	f->is_copy = true;
	reader_close(f);
	return true;
}
