#include "io/rotated.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/paths.h"

/* Of a directory in which names come and go meanwhile. */
#define MAX_SEARCHES 8

/* Whether the first len bytes of suffix are what a rotation adds to a name. */
static bool
is_suffix(const char *suffix, size_t len)
{
	if (len == 4 && !memcmp(suffix, ".old", 4))
		return true;
	return len > 1 && strchr(".-_", suffix[0]) &&
	    strspn(suffix, ".-_0123456789T:") >= len &&
	    (suffix[0] == '.' || strspn(suffix + 1, "0123456789") >= 4);
}

static size_t
length_without_gz(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && !strcmp(name + len - 3, ".gz") ? len - 3 : len;
}

bool
rotated_is_name(const char *name, const char *stem)
{
	size_t stem_len = strlen(stem);
	size_t len = length_without_gz(name);

	if (len < stem_len || strncmp(name, stem, stem_len) != 0)
		return false;
	return len == stem_len ? name[len] != '\0'
			       : is_suffix(name + stem_len, len - stem_len);
}

/* The length of the log's name in that of one of its rotated files. */
static size_t
stem_length(const char *name)
{
	size_t len = length_without_gz(name);
	size_t i;

	for (i = 1; i < len; i++) {
		if (is_suffix(name + i, len - i))
			return i;
	}
	return len;
}

char *
rotated_log(const char *path)
{
	const char *name = paths_name(path);

	return strndup(path, (size_t)(name - path) + stem_length(name));
}

bool
rotated_is_same_log(const char *a, const char *b)
{
	char *log_a = rotated_log(a);
	char *log_b = rotated_log(b);
	bool is = log_a && log_b && !strcmp(log_a, log_b);

	free(log_a);
	free(log_b);
	return is;
}

/*
 * When what is in a compressed file was last written: gzip keeps that as the
 * file's own time, and in its header (RFC 1952, 2.3.1: four bytes from the
 * fifth on; 0: not known).
 */
static void
note_original_time(struct file *f)
{
	unsigned char h[8];
	uint32_t seconds;

	if (pread(f->fd, h, sizeof(h), 0) != sizeof(h))
		return;
	seconds = h[4] | (uint32_t)h[5] << 8 | (uint32_t)h[6] << 16 |
	    (uint32_t)h[7] << 24;
	if (seconds && (time_t)seconds < f->modified.tv_sec)
		f->modified = (struct timespec){ seconds, 999999999 };
}

/* Returns it, or NULL where it has no text. */
static struct file *
open_text(const char *path, struct ingest_source *source)
{
	struct file *f;

	if (file_open(path, source, &f))
		return NULL;
	if (!file_is_compressed(f))
		return f;
	note_original_time(f);
	if (!file_inflate(f))
		return f;
	file_destroy(f);
	return NULL;
}

/*
 * Looks at the directory that path is in, and at that of what it links to.
 *
 * look     one of them; returns whether to go on
 * listing  of this look, or NULL
 */
typedef bool (*look_fn)(struct listing *listing, const char *directory,
    const char *log, void *arg);

static bool
look_at(struct listing *listing, const char *log, look_fn look, void *arg)
{
	char *directory = paths_parent(log);
	bool goes_on = !directory || look(listing, directory, log, arg);

	free(directory);
	return goes_on;
}

static void
walk(struct listing *listing, const char *path, look_fn look, void *arg)
{
	struct stat st;
	char *target;

	if (!look_at(listing, path, look, arg) || lstat(path, &st) ||
	    !S_ISLNK(st.st_mode))
		return;
	target = realpath(path, NULL);
	if (target)
		(void)look_at(listing, target, look, arg);
	free(target);
}

static char *
join(const char *directory, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

struct visit {
	const char *log; /* the name that rotations add to */
	struct timespec since;
	struct ingest_source *source;
	size_t n;
	struct file **files;
};

static bool
came_after(const struct file *f, struct timespec since)
{
	/* What was compressed just now may have been written long ago. */
	if (f->gunzip && file_is_before(f->modified, since))
		return false;
	/* Empty: it may yet be written to, or gzip is at work. */
	if (!f->known.size_bytes && f->path[length_without_gz(f->path)])
		return false;
	return !file_is_before(f->born.tv_sec ? f->born : f->modified, since);
}

/*
 * While the file that is being compressed is there, that is read.  gzip sets
 * the times of its own before it removes it.
 */
static bool
is_beside_original(const char *path)
{
	char *original = strndup(path, length_without_gz(path));
	bool is_there = original && strcmp(original, path) != 0 &&
	    !access(original, F_OK);

	free(original);
	return is_there;
}

static bool
visit_entry(void *arg, const char *directory, const struct listing_entry *entry)
{
	struct visit *v = arg;
	struct file **files;
	struct file *f;
	char *path;

	if (!rotated_is_name(entry->name, v->log))
		return true;
	path = join(directory, entry->name);
	f = path && !is_beside_original(path) ? open_text(path, v->source)
					      : NULL;
	free(path);
	if (!f)
		return true;
	files = reallocarray(v->files, v->n + 1, sizeof(*files));
	if (files)
		v->files = files;
	if (files && came_after(f, v->since))
		files[v->n++] = f;
	else
		file_destroy(f);
	return true;
}

static bool
visit_directory(struct listing *listing, const char *directory, const char *log,
    void *arg)
{
	struct visit *v = arg;

	v->log = paths_name(log);
	return listing_visit(listing, directory, v->log, visit_entry, v);
}

static int
compare_ages(const void *a, const void *b)
{
	struct timespec x = (*(struct file *const *)a)->modified;
	struct timespec y = (*(struct file *const *)b)->modified;

	return file_is_before(x, y) ? -1 : file_is_before(y, x);
}

void
rotated_visit(struct listing *listing, const char *path, struct timespec since,
    struct ingest_source *source, rotated_fn take, void *arg)
{
	struct visit v = { .since = since, .source = source };
	size_t i;

	walk(listing, path, visit_directory, &v);
	if (v.n)
		qsort(v.files, v.n, sizeof(struct file *), compare_ages);
	for (i = 0; i < v.n; i++)
		take(arg, v.files[i]);
	free(v.files);
}

struct find {
	const struct file *known;
	const struct file_anchor *at; /* NULL: by identity */
	struct ingest_source *source;
	const char *log; /* the name that rotations add to */
	struct file *found;
	bool is_cut; /* by identity, and what was read is not in it any more */
	bool is_hidden; /* what may be it cannot be read now */
};

/* Without an anchor there is but the inode, which others may use by now. */
static bool
may_be(const struct find *find, const struct listing_entry *entry)
{
	if (!find->at && entry->inode != find->known->known.id.inode)
		return false;
	return rotated_is_name(entry->name, find->log) ||
	    (!find->at && find->known->anchor.len && !find->is_cut);
}

static bool
is_same(const struct file *f, const struct file *known)
{
	if (f->known.id.inode != known->known.id.inode)
		return false;
	if (!known->anchor.len)
		return file_was_born_as(f, known) &&
		    (!known->head.len || file_has_head(f, &known->head));
	return file_has_anchor(f, &known->anchor) || file_begins(f, known);
}

static bool
is_found(const struct find *find, const struct file *f)
{
	if (find->is_cut)
		return file_was_born_as(f, find->known) &&
		    !file_hides(f, find->known);
	return find->at ? file_continues(f, find->known, find->at)
			: is_same(f, find->known);
}

/*
 * Takes the file at path if it is the one.  What else has its inode and cannot
 * be read may be it.
 */
static void
try_path(struct find *find, const char *path, bool has_inode)
{
	struct file *f = open_text(path, find->source);

	if (f && is_found(find, f)) {
		find->found = f;
		return;
	}
	if (f)
		has_inode = f->known.id.inode == find->known->known.id.inode;
	find->is_hidden |= has_inode &&
	    (f ? file_hides(f, find->known) : paths_is_shut(path));
	file_destroy(f);
}

static bool
find_entry(void *arg, const char *directory, const struct listing_entry *entry)
{
	struct find *find = arg;
	char *path;

	if (!may_be(find, entry))
		return true;
	path = join(directory, entry->name);
	if (path)
		try_path(find, path,
		    entry->inode == find->known->known.id.inode);
	free(path);
	return !find->found;
}

static bool
find_in_directory(struct listing *listing, const char *directory,
    const char *path, void *arg)
{
	struct find *find = arg;
	char *log = rotated_log(path);
	bool goes_on = true;

	if (log) {
		find->log = paths_name(log);
		/* By identity it may have any name. */
		goes_on = listing_visit(listing, directory,
		    find->at ? find->log : "", find_entry, find);
	}
	free(log);
	return goes_on;
}

struct change {
	struct timespec since;
	bool has_come;
};

static bool
see_change(struct listing *listing, const char *directory, const char *path,
    void *arg)
{
	struct change *c = arg;
	struct stat st;

	(void)listing;
	(void)path;
	c->has_come |= !stat(directory, &st) &&
	    !file_is_before(st.st_mtim, c->since);
	return true;
}

/*
 * What is renamed while names are read may be missed under the old name and
 * under the new one: then they are read again.
 */
static void
find_file(struct listing *listing, const char *path, struct find *find)
{
	struct change change = { .has_come = true };
	unsigned n;

	for (n = 0; n < MAX_SEARCHES && change.has_come && !find->found; n++) {
		change.since = listing_began(listing);
		change.has_come = false;
		walk(listing, path, find_in_directory, find);
		walk(NULL, path, see_change, &change);
		listing = NULL;
	}
}

struct file *
rotated_find_id(struct listing *listing, const char *path,
    const struct file *known, struct ingest_source *source, bool *ret_is_hidden)
{
	struct find find = { .known = known, .source = source };

	try_path(&find, path, false);
	if (!find.found)
		find_file(listing, path, &find);
	*ret_is_hidden = find.is_hidden;
	return find.found;
}

struct file *
rotated_find_cut(struct listing *listing, const char *path,
    const struct file *known, struct ingest_source *source)
{
	struct find find = { .known = known, .source = source, .is_cut = true };
	struct file *f = known->born.tv_sec ? open_text(path, source) : NULL;

	if (f && is_found(&find, f))
		return f;
	file_destroy(f);
	if (known->born.tv_sec)
		find_file(listing, path, &find);
	return find.found;
}

struct file *
rotated_find_rest(struct listing *listing, const char *path,
    const struct file *known, const struct file_anchor *at,
    struct ingest_source *source)
{
	struct find find = { .known = known, .at = at, .source = source };

	if (at->len || known->head.len)
		find_file(listing, path, &find);
	return find.found;
}
