/*
 * Questions about paths that need the file system.  No state.
 */
#ifndef ACCESSLOG_PATHS_H
#define ACCESSLOG_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growable list of owned strings. */
struct paths {
	size_t n;
	size_t capacity;
	char **items;
};

void paths_release(struct paths *p);

/* Adds a copy unless it is there.  Returns 0 or -ENOMEM. */
int paths_add(struct paths *p, const char *path)
    __attribute__((warn_unused_result));

/* Whether path has one of the characters of glob(7). */
bool paths_is_glob(const char *path);

/* Whether path is argument, or one that argument, a glob, matches. */
bool paths_is_match(const char *argument, const char *path);

/*
 * Whether one of n fnmatch(3) patterns is for path: those with a slash for all
 * of it, the others for its last part.
 */
bool paths_is_excluded(const char *path, char *const patterns[], size_t n);

/* The directory that path is in: "." for a bare name.  Owned by the caller. */
char *paths_parent(const char *path) __attribute__((warn_unused_result));

/* Whether path can be opened to be read now: 0 or -Exxx.  It waits for nobody. */
int paths_try(const char *path) __attribute__((warn_unused_result));

/* Whether something is at path that cannot be opened now. */
bool paths_is_shut(const char *path);

/*
 * Whether what was at path has gone from there: not found, as opposed to not to
 * be seen for the moment.  A directory that is away, or that cannot be listed,
 * says nothing of what is in it.
 */
bool paths_is_gone(const char *path);

/* What follows the last slash of path; borrowed from it. */
const char *paths_name(const char *path);

/*
 * The directories in which a change can make path lead elsewhere: the one it
 * is in, and for each symbolic link on the way the one that holds the link.
 *
 *	/srv/log/access.log       /srv/log/access.log -> ../real/a.log
 *	    -> /srv/log               -> /srv/log, /srv/log/../real
 *
 * Returns 0 or -ENOMEM.
 */
int paths_directories(const char *path, struct paths *ret_directories)
    __attribute__((warn_unused_result));

/*
 * The same for a glob: the directories in which a match can come or go.
 *
 *	/srv/?/log/a.log
 *	    -> /srv, /srv/a, /srv/a/log, /srv/b, /srv/b/log ...
 */
int paths_glob_directories(const char *glob, struct paths *ret_directories)
    __attribute__((warn_unused_result));

/*
 * A number that changes when a name comes or goes in one of these directories,
 * or who may list it; 0, which stands for any change, when one was changed too
 * recently for that to show in its time stamps.
 */
uint64_t paths_signature(const struct paths *directories);

/*
 * What matches, sorted.  In a directory that cannot be listed nothing does.
 *
 * ret_unlisted  NULL, or the first such directory that is there; owned by the
 *               caller, NULL where there is none
 * reterr_error  why: -Exxx; NULL with ret_unlisted only
 *
 * Returns 0 or -ENOMEM.
 */
int paths_glob(const char *glob, struct paths *ret_matches, char **ret_unlisted,
    int *reterr_error) __attribute__((warn_unused_result));

#endif
