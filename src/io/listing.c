#include "io/listing.h"

#include <dirent.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct directory {
	char *path;
	size_t n;
	struct listing_entry *entries; /* sorted */
};

static int
compare_directories(const void *a, const void *b)
{
	return strcmp(((const struct directory *)a)->path,
	    ((const struct directory *)b)->path);
}

static int
compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct listing_entry *)a)->name,
	    ((const struct listing_entry *)b)->name);
}

static void
directory_destroy(void *directory)
{
	struct directory *d = directory;
	size_t i;

	for (i = 0; i < d->n; i++)
		free(d->entries[i].name);
	free(d->entries);
	free(d->path);
	free(d);
}

static struct timespec
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return t;
}

void
listing_begin(struct listing *l)
{
	listing_end(l);
	l->began = now();
}

void
listing_end(struct listing *l)
{
	tdestroy(l->by_name, directory_destroy);
	*l = (struct listing){ 0 };
}

struct timespec
listing_began(const struct listing *l)
{
	return l && l->began.tv_sec ? l->began : now();
}

/* Returns false without memory. */
static bool
add_entry(struct directory *d, size_t *capacity, const struct dirent *entry)
{
	if (d->n == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 64;
		struct listing_entry *entries = reallocarray(d->entries, more,
		    sizeof(*entries));

		if (!entries)
			return false;
		d->entries = entries;
		*capacity = more;
	}
	d->entries[d->n] = (struct listing_entry){ strdup(entry->d_name),
		entry->d_ino };
	return d->entries[d->n++].name;
}

/* Returns NULL without memory. */
static struct directory *
read_directory(const char *path)
{
	struct directory *d = calloc(1, sizeof(*d));
	DIR *dir = d ? opendir(path) : NULL;
	const struct dirent *entry;
	size_t capacity = 0;
	bool is_whole = d && (d->path = strdup(path));

	while (is_whole && dir && (entry = readdir(dir)))
		is_whole = add_entry(d, &capacity, entry);
	if (dir)
		(void)closedir(dir);
	if (!is_whole) {
		if (d)
			directory_destroy(d);
		return NULL;
	}
	if (d->n)
		qsort(d->entries, d->n, sizeof(*d->entries), compare_entries);
	return d;
}

/* Reads it, unless it was read in this look. */
static struct directory *
find_directory(struct listing *l, const char *path)
{
	const struct directory wanted = { .path = (char *)(uintptr_t)path };
	void *found = tfind(&wanted, &l->by_name, compare_directories);
	struct directory *d;

	if (found)
		return *(struct directory **)found;
	d = read_directory(path);
	if (d && !tsearch(d, &l->by_name, compare_directories)) {
		directory_destroy(d);
		return NULL;
	}
	return d;
}

/* Without keeping anything. */
static bool
visit_now(const char *path, const char *prefix, listing_fn see, void *arg)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	bool goes_on = true;

	while (goes_on && dir && (e = readdir(dir))) {
		struct listing_entry entry = { (char *)(uintptr_t)e->d_name,
			e->d_ino };

		if (!strncmp(e->d_name, prefix, strlen(prefix)))
			goes_on = see(arg, path, &entry);
	}
	if (dir)
		(void)closedir(dir);
	return goes_on;
}

/* The first entry that is not before the prefix. */
static size_t
first_entry(const struct directory *d, const char *prefix)
{
	size_t begin = 0, end = d->n;

	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;

		if (strcmp(d->entries[middle].name, prefix) < 0)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

bool
listing_visit(struct listing *l, const char *directory, const char *prefix,
    listing_fn see, void *arg)
{
	const struct directory *d = l && l->began.tv_sec
	    ? find_directory(l, directory)
	    : NULL;
	size_t len = strlen(prefix);
	size_t i;

	if (!d)
		return visit_now(directory, prefix, see, arg);
	for (i = first_entry(d, prefix);
	     i < d->n && !strncmp(d->entries[i].name, prefix, len); i++) {
		if (!see(arg, directory, &d->entries[i]))
			return false;
	}
	return true;
}
