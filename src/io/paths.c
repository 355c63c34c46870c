#include "io/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The kernel follows 40 links before it says ELOOP: path_resolution(7). */
#define MAX_LINKS 40

/* Time stamps step by this much on the coarsest file systems (FAT). */
#define RECENT_SECONDS 2

void
paths_release(struct paths *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free(p->items[i]);
	free(p->items);
	*p = (struct paths){ 0 };
}

static int
append(struct paths *p, const char *path)
{
	if (p->n == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 4;
		char **items = reallocarray(p->items, capacity, sizeof(*items));

		if (!items)
			return -ENOMEM;
		p->items = items;
		p->capacity = capacity;
	}
	p->items[p->n] = strdup(path);
	if (!p->items[p->n])
		return -ENOMEM;
	p->n++;
	return 0;
}

int
paths_add(struct paths *p, const char *path)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (!strcmp(p->items[i], path))
			return 0;
	}
	return append(p, path);
}

bool
paths_is_glob(const char *path)
{
	return strpbrk(path, "*?[") != NULL;
}

bool
paths_is_match(const char *argument, const char *path)
{
	return !strcmp(argument, path) ||
	    (paths_is_glob(argument) &&
		!fnmatch(argument, path, FNM_PATHNAME | FNM_PERIOD));
}

bool
paths_is_excluded(const char *path, char *const patterns[], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		bool is_whole = strchr(patterns[i], '/');

		if (!fnmatch(patterns[i], is_whole ? path : paths_name(path),
			0))
			return true;
	}
	return false;
}

char *
paths_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

const char *
paths_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int
paths_try(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

static bool
is_nothing_there(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

bool
paths_is_shut(const char *path)
{
	int error = paths_try(path);

	return error && !is_nothing_there(error);
}

bool
paths_is_gone(const char *path)
{
	char *directory = paths_is_shut(path) ? NULL : paths_parent(path);
	bool is = directory && !access(directory, R_OK | X_OK);

	free(directory);
	return is;
}

static int
add_parent(struct paths *p, const char *path)
{
	char *parent = paths_parent(path);
	int error = parent ? paths_add(p, parent) : -ENOMEM;

	free(parent);
	return error;
}

/*
 * Finds the first symbolic link among the components of path and replaces it
 * by what it holds.  Returns 1 with the directory of the link in p and the new
 * path in *ret_path (owned), 0 where there is no link, or -ENOMEM.
 */
static int
follow_first_link(const char *path, struct paths *p, char **ret_path)
{
	char target[PATH_MAX];
	const char *end = path;

	for (;;) {
		char *prefix, *joined = NULL;
		ssize_t n;
		int error;

		end += strspn(end, "/");
		if (!*end)
			return 0;
		end += strcspn(end, "/");
		prefix = strndup(path, (size_t)(end - path));
		if (!prefix)
			return -ENOMEM;
		n = readlink(prefix, target, sizeof(target) - 1);
		if (n <= 0) {
			free(prefix);
			continue;
		}
		target[n] = '\0';

		error = add_parent(p, prefix);
		if (!error && target[0] == '/') {
			if (asprintf(&joined, "%s%s", target, end) < 0)
				error = -ENOMEM;
		} else if (!error) {
			char *parent = paths_parent(prefix);

			if (!parent ||
			    asprintf(&joined, "%s/%s%s", parent, target, end) <
				0)
				error = -ENOMEM;
			free(parent);
		}
		free(prefix);
		if (error)
			return error;
		*ret_path = joined;
		return 1;
	}
}

int
paths_directories(const char *path, struct paths *ret_directories)
{
	struct paths p = { 0 };
	char *current = strdup(path);
	int n_links, found = current ? 1 : -ENOMEM;

	for (n_links = 0; found > 0 && n_links < MAX_LINKS; n_links++) {
		char *next = NULL;

		found = follow_first_link(current, &p, &next);
		if (found > 0) {
			free(current);
			current = next;
		}
	}
	if (found >= 0)
		found = add_parent(&p, current);
	free(current);
	if (found < 0) {
		paths_release(&p);
		return found;
	}
	*ret_directories = p;
	return 0;
}

/* glob(3) has no argument for its caller. */
static _Thread_local struct {
	char *path;
	int error;
} unlisted;

static int
note_unlisted(const char *path, int error)
{
	if (!unlisted.path && !is_nothing_there(-error)) {
		unlisted.path = strdup(path);
		unlisted.error = -error;
	}
	return 0; /* go on with the others */
}

/* on_error  as in glob(3), or NULL */
static int
add_matches(const char *pattern, int flags,
    int (*on_error)(const char *path, int error), struct paths *p)
{
	glob_t found;
	size_t i;
	int error = 0;

	switch (glob(pattern, flags, on_error, &found)) {
	case 0:
		break;
	case GLOB_NOSPACE:
		return -ENOMEM;
	default: /* GLOB_NOMATCH, GLOB_ABORTED */
		return 0;
	}
	for (i = 0; i < found.gl_pathc && !error; i++)
		error = append(p, found.gl_pathv[i]);
	globfree(&found);
	return error;
}

int
paths_glob_directories(const char *glob_text, struct paths *ret_directories)
{
	size_t first = strcspn(glob_text, "*?[");
	struct paths p = { 0 };
	const char *slash;
	char *prefix;
	int error;

	/* The directory that is fixed, then those that match, level by level. */
	prefix = strndup(glob_text, first);
	error = prefix ? add_parent(&p, prefix) : -ENOMEM;
	free(prefix);
	slash = strchr(glob_text + first, '/');
	while (slash && !error) {
		prefix = strndup(glob_text, (size_t)(slash - glob_text));
		error = prefix ? add_matches(prefix, GLOB_ONLYDIR, NULL, &p)
			       : -ENOMEM;
		free(prefix);
		slash = strchr(slash + 1, '/');
	}
	if (error) {
		paths_release(&p);
		return error;
	}
	*ret_directories = p;
	return 0;
}

uint64_t
paths_signature(const struct paths *directories)
{
	struct timespec now;
	uint64_t signature = 1;
	size_t i;

	(void)timespec_get(&now, TIME_UTC);
	for (i = 0; i < directories->n; i++) {
		uint64_t facts[5];
		struct stat st;

		if (stat(directories->items[i], &st))
			continue;
		if (st.st_mtim.tv_sec + RECENT_SECONDS >= now.tv_sec ||
		    st.st_ctim.tv_sec + RECENT_SECONDS >= now.tv_sec)
			return 0;
		facts[0] = st.st_ino;
		facts[1] = (uint64_t)st.st_mtim.tv_sec;
		facts[2] = (uint64_t)st.st_mtim.tv_nsec;
		facts[3] = (uint64_t)st.st_ctim.tv_sec;
		facts[4] = (uint64_t)st.st_ctim.tv_nsec;
		/* The one before is the seed of the next. */
		signature = XXH3_64bits_withSeed(facts, sizeof(facts),
		    signature);
	}
	return signature ? signature : 1;
}

int
paths_glob(const char *glob_text, struct paths *ret_matches,
    char **ret_unlisted, int *reterr_error)
{
	struct paths p = { 0 };
	int error = add_matches(glob_text, 0,
	    ret_unlisted ? note_unlisted : NULL, &p);
	char *directory = unlisted.path;

	unlisted.path = NULL;
	if (error) {
		free(directory);
		paths_release(&p);
		return error;
	}
	*ret_matches = p;
	if (ret_unlisted) {
		*ret_unlisted = directory;
		*reterr_error = unlisted.error;
	}
	return 0;
}
