/*
 * A glob and its matches, each of which is a place.
 *
 *	look --> a new match      is a place, unless it is a followed file under
 *	     |                    another name, or excluded
 *	     '-> what matches no  a place without a file, or a finished file, is
 *	         longer           forgotten
 *
 * The directories of the glob are watched, and listed again when names have
 * come or gone in them.
 *
 * Thread: the loop thread.
 */
#ifndef ACCESSLOG_PLACE_GLOB_H
#define ACCESSLOG_PLACE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/paths.h"
#include "io/place.h"
#include "io/watch.h"

struct place_glob {
	struct place_source *source; /* borrowed, as the next two */
	const char *pattern;
	const struct paths *excludes; /* fnmatch(3) patterns */
	size_t n_matches; /* of the last look */
	char *unlisted; /* a directory, as it was told; NULL: none */
	int unlisted_error;
	uint64_t turn; /* the watch's, of the last look for a directory */
	uint64_t signature; /* of the directories at the last look, or 0 */
	size_t n_dirs;
	struct watch_dir **dirs;
};

/* Looks at nothing yet.  All is borrowed for the life of g. */
void place_glob_init(struct place_glob *g, struct place_source *source,
    const char *pattern, const struct paths *excludes);

/* Its places stay.  One of zeros may be released as well. */
void place_glob_release(struct place_glob *g);

/*
 * Takes in what matches now, if that can have changed since the last look.
 * Returns whether something has changed.
 */
bool place_glob_look(struct place_glob *g);

/*
 * The same, if dir is one of the directories: once in a turn of the watch,
 * however many of them it is called for.
 */
bool place_glob_look_dir(struct place_glob *g, const struct watch_dir *dir);

/* The next look takes in all matches, whether or not names came or went. */
void place_glob_expire(struct place_glob *g);

#endif
