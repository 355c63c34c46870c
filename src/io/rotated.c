#include "io/rotated.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/paths.h"

/* Whether name is stem with what a rotation adds. */
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

/* Whether f came after left and is not a copy of it. */
static bool
came_after(const struct file *f, const struct file *left)
{
	if (!f->known.size_bytes || follow_same(f->known.id, left->known.id) ||
	    file_is_compressed(f) || file_compare(f, left) != FILE_IS_NO_COPY)
		return false;
	if (f->born.tv_sec && left->born.tv_sec)
		return is_later(f->born, left->born);
	return is_later(f->modified, left->modified);
}

void
rotated_visit(const char *path, const struct file *left,
    struct ingest_source *source, rotated_fn take, void *arg)
{
	char *directory = paths_parent(path);
	DIR *d = directory ? opendir(directory) : NULL;
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		struct file *file;
		char *beside;
		int error;

		if (!is_rotated_name(e->d_name, paths_name(path)) ||
		    asprintf(&beside, "%s/%s", directory, e->d_name) < 0)
			continue;
		error = file_open(beside, source, &file);
		free(beside);
		if (error)
			continue;
		if (came_after(file, left))
			take(arg, file);
		else
			file_destroy(file);
	}
	if (d)
		(void)closedir(d);
	free(directory);
}
