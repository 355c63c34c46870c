#include "io/rotated.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/paths.h"

bool
rotated_is_name(const char *name, const char *stem)
{
	size_t len = strlen(stem);

	if (strncmp(name, stem, len) != 0 || !name[len])
		return false;
	name += len;
	if (!strcmp(name, ".old"))
		return true;
	return strchr(".-_", name[0]) &&
	    strspn(name, ".-_0123456789T:") == strlen(name) &&
	    (name[0] == '.' || strspn(name + 1, "0123456789") >= 4);
}

static bool
came_after(const struct file *f, struct timespec since)
{
	struct timespec born = f->born.tv_sec ? f->born : f->modified;

	if (!f->known.size_bytes || file_is_compressed(f))
		return false;
	return born.tv_sec > since.tv_sec ||
	    (born.tv_sec == since.tv_sec && born.tv_nsec >= since.tv_nsec);
}

static void
visit_beside(const char *path, struct timespec since,
    struct ingest_source *source, rotated_fn take, void *arg)
{
	char *directory = paths_parent(path);
	DIR *d = directory ? opendir(directory) : NULL;
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		struct file *file;
		char *beside;
		int error;

		if (!rotated_is_name(e->d_name, paths_name(path)) ||
		    asprintf(&beside, "%s/%s", directory, e->d_name) < 0)
			continue;
		error = file_open(beside, source, &file);
		free(beside);
		if (error)
			continue;
		if (came_after(file, since))
			take(arg, file);
		else
			file_destroy(file);
	}
	if (d)
		(void)closedir(d);
	free(directory);
}

void
rotated_visit(const char *path, struct timespec since,
    struct ingest_source *source, rotated_fn take, void *arg)
{
	char *target = realpath(path, NULL);
	struct stat st;

	visit_beside(path, since, source, take, arg);
	if (target && !lstat(path, &st) && S_ISLNK(st.st_mode))
		visit_beside(target, since, source, take, arg);
	free(target);
}
