/*
 * A path at which a file is followed: where one is, was, or is waited for.
 *
 *	new --> following --> missing      another file, or none, is at the
 *	 |  \                 unreadable   path: the one that was is held, and
 *	 |   '-> ignored                   what is there now is opened
 *	 '-----> ...
 *
 * It has at most one current file, and it owns no file: those are the
 * reader's.  A file that is known by its identity is never read again under
 * another name, whatever happens to names.
 *
 * Thread: the loop thread.
 */
#ifndef ACCESSLOG_PLACE_H
#define ACCESSLOG_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include "io/listing.h"
#include "io/reader.h"
#include "io/watch.h"

/*
 * Symbolic links on the way to a file, each in a directory to watch; links
 * beyond that are noticed by the next scrape.
 */
#define PLACE_MAX_DIRECTORIES 8

enum place_state {
	PLACE_NEW, /* not looked at yet */
	PLACE_FOLLOWING,
	PLACE_MISSING,
	PLACE_UNREADABLE,
	PLACE_IGNORED, /* compressed, a copy, or followed elsewhere */
};

TAILQ_HEAD(place_list, place);

/* All places, and what they have in common. */
struct places {
	struct reader *reader; /* borrowed, as the watch */
	struct watch *watch;
	bool from_start; /* also files that are there at the beginning */
	bool has_let_go; /* of files, since the last save: see place_seen() */
	/* Something cannot be read now: look at the places again, in a while. */
	void (*on_retry)(void *arg);
	void *arg;
	struct listing listing; /* of the look that is under way */
	struct place_list list;
};

/* What the places of one path or glob have in common. */
struct place_source {
	struct places *places;
	struct reader_source reader;
	bool is_stale; /* not followed any more, and about to go */
	bool is_glob;
	bool has_started; /* what appears from now on is read from byte 0 */
	unsigned generation; /* looks at the glob */
	void *by_path; /* tsearch(3): struct place */
};

struct place {
	TAILQ_ENTRY(place) entry;
	struct place_source *source;
	char *path;
	struct reader_file *current; /* or NULL */
	enum place_state state;
	int error; /* of PLACE_UNREADABLE, as it was reported */
	bool had_file;
	bool was_unread; /* at the last look nothing of it was read */
	uint64_t left_ms; /* when that left, on the clock of uv_now() */
	/*
	 * Since when files may have come to the path that are not known yet;
	 * tv_sec 0: it was never looked at.  Where a look found another one
	 * there, that is since the look before: while names change, one look
	 * does not see all of them.
	 */
	struct timespec seen;
	/* As it is saved; tv_sec 0: seen.  See place_seen(). */
	struct timespec kept;
	struct timespec kept_looked; /* when that was looked at last */
	struct timespec looked; /* when the last began */
	bool is_beside_due; /* another came to the path in the last look */
	unsigned generation; /* of the glob, when it matched last */
	/* What was ignored, to notice when it is another. */
	struct follow_id ignored;
	uint64_t ignored_size_bytes;
	bool is_undecided; /* too short to tell whether it is a copy */
	size_t n_dirs;
	struct watch_dir *dirs[PLACE_MAX_DIRECTORIES];
};

/*
 * Returns a new place of s, or NULL without memory.
 *
 * path  copied; no place of s has it yet
 */
struct place *place_create(struct place_source *s, const char *path);

/* Its current file is forgotten. */
void place_destroy(struct place *p);

/* Returns the place of this path, or NULL. */
struct place *place_find(const struct place_source *s, const char *path);

/* The source that f is read for. */
struct place_source *place_source_of(const struct reader_file *f);

/*
 * Looks at the path: reads on, opens what is new, holds what has gone.
 * Returns whether something has changed.
 */
bool place_look(struct place *p);

/*
 * Has files read that came to the path since it was last looked at, and were
 * rotated away again.
 */
bool place_look_beside(struct place *p);

/*
 * What is saved of seen: an older one, so that an idle place is not saved again
 * and again.  Since then nothing has changed at the place, and for all but the
 * last BOUNDS_HOLD_MS / 2 no names have come beside it.
 *
 * is_exact  seen itself: a file that is let go may be forgotten, and must not
 *           count as one that came since
 */
struct timespec place_seen(struct place *p, bool is_exact);

/* The place that f was at, or has a name that a rotation gives there; or NULL. */
struct place *place_of(const struct places *places,
    const struct reader_file *f);

/*
 * A place of a glob: whether its file left it only lately (BOUNDS_HOLD_MS), so
 * that another one is to come there.
 */
bool place_is_expected(const struct place *p);

/* Whether a change in this directory can be one of what is at the path. */
bool place_is_watched_through(const struct place *p,
    const struct watch_dir *dir);

#endif
