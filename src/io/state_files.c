#include "io/state_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COPY_NAME "/copy.sqlite"

/* What a copy has of a database, under its name. */
static const char *const suffixes[] = { "", "-wal" };
#define N_SUFFIXES (sizeof(suffixes) / sizeof(*suffixes))

int
state_files_make_directory(const char *directory, bool *ret_lacks_parent)
{
	struct stat there;

	*ret_lacks_parent = false;
	if (!mkdir(directory, 0750) || errno == EROFS)
		return 0;
	/* A symbolic link to nothing exists. */
	if (errno == EEXIST &&
	    (!stat(directory, &there) || (errno != ENOENT && errno != ENOTDIR)))
		return 0;
	*ret_lacks_parent = errno == ENOENT || errno == ENOTDIR;
	return -errno;
}

pid_t
state_files_holder(const char *path)
{
	/* Where SQLite's locks are: from 1 GiB on. */
	struct flock lock = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = 0x40000000,
		.l_len = 512 };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	pid_t holder = 0;

	if (fd < 0)
		return 0;
	if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK &&
	    lock.l_pid > 0)
		holder = lock.l_pid;
	(void)close(fd);
	return holder;
}

static int
copy_bytes(int from, int to)
{
	ssize_t n;

	do
		n = sendfile(to, from, NULL, 1 << 20);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

/* from and to, each with suffix. */
static int
copy_file(const char *from, const char *to, const char *suffix)
{
	char *old_name = NULL, *new_name = NULL;
	int in = -1, out = -1, error = -ENOMEM;

	if (asprintf(&old_name, "%s%s", from, suffix) < 0)
		return -ENOMEM;
	if (asprintf(&new_name, "%s%s", to, suffix) < 0)
		goto free_old;
	in = open(old_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (in < 0) {
		error = *suffix && errno == ENOENT ? 0 : -errno;
		goto free_new;
	}
	out = open(new_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	error = out < 0 ? -errno : copy_bytes(in, out);
	if (out >= 0)
		(void)close(out);
	(void)close(in);

free_new:
	free(new_name);
free_old:
	free(old_name);
	return error;
}

int
state_files_copy(const char *path, char **ret_copy)
{
	const char *parent = getenv("TMPDIR");
	char *copy, *name;
	size_t i;
	int error = 0;

	if (asprintf(&copy, "%s/accesslog_exporter.XXXXXX" COPY_NAME,
		parent && *parent ? parent : "/tmp") < 0)
		return -ENOMEM;
	name = copy + strlen(copy) - strlen(COPY_NAME);
	*name = '\0';
	if (!mkdtemp(copy)) {
		error = -errno;
		free(copy);
		return error;
	}
	*name = '/';
	for (i = 0; i < N_SUFFIXES && !error; i++)
		error = copy_file(path, copy, suffixes[i]);
	if (error) {
		state_files_remove_copy(copy);
		return error;
	}
	*ret_copy = copy;
	return 0;
}

void
state_files_remove_copy(char *copy)
{
	char *name;
	size_t i;

	for (i = 0; i < N_SUFFIXES; i++) {
		if (asprintf(&name, "%s%s", copy, suffixes[i]) < 0)
			continue;
		(void)unlink(name);
		free(name);
	}
	copy[strlen(copy) - strlen(COPY_NAME)] = '\0';
	(void)rmdir(copy);
	free(copy);
}

/* from and to, each with suffix; where there is no such file, nothing. */
static int
rename_with(const char *from, const char *to, const char *suffix)
{
	char *old_name, *new_name;
	int error = 0;

	if (asprintf(&old_name, "%s%s", from, suffix) < 0)
		return -ENOMEM;
	if (asprintf(&new_name, "%s%s", to, suffix) < 0) {
		free(old_name);
		return -ENOMEM;
	}
	if (rename(old_name, new_name) && errno != ENOENT)
		error = -errno;
	free(new_name);
	free(old_name);
	return error;
}

/* The name with the time, and a number where there is one like it. */
static int
make_aside_name(const char *path, struct buf *name)
{
	char stamp[sizeof("20261120T183000Z")] = "";
	struct timespec now;
	struct tm utc;
	unsigned n = 1;
	int error;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &utc))
		(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
	do {
		buf_clear(name);
		buf_add_format(name, "%s.%s", path, stamp);
		if (n > 1)
			buf_add_format(name, ".%u", n);
		buf_add_char(name, '\0');
		error = buf_status(name);
		n++;
	} while (!error && !access(name->data, F_OK));
	return error;
}

/*
 * What was logged beside it goes first: alone, the file is what it was before
 * those changes; but alone, they would be deleted.
 */
int
state_files_set_aside(const char *path, struct buf *name)
{
	static const char *const all[] = { "-wal", "-journal", "-shm", "" };
	int error = make_aside_name(path, name);
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(*all) && !error; i++)
		error = rename_with(path, name->data, all[i]);
	return error;
}
