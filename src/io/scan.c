#include "io/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accesslog/bounds.h"
#include "io/compression.h"

static ssize_t
read_once(int fd, char *to, size_t size)
{
	ssize_t n;

	do
		n = read(fd, to, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int
scan_descriptor(int fd, struct ingest_stream *stream, char *buffer)
{
	size_t len = 0;
	bool is_first = true;

	for (;;) {
		ssize_t n = read_once(fd, buffer + len,
		    BOUNDS_READ_BYTES - len);
		size_t consumed;
		int error;

		if (n < 0)
			return (int)n;
		len += (size_t)n;
		if (is_first && compression_is(str_of(buffer, len)))
			return -EMEDIUMTYPE;
		is_first = false;
		error = ingest_feed(stream, str_of(buffer, len), n == 0,
		    &consumed);
		if (error)
			return error;
		if (n == 0)
			return 0;
		/* An unfinished line goes to the front, to be finished. */
		len -= consumed;
		memmove(buffer, buffer + consumed, len);
	}
}

static bool
is_stdin(const char *path)
{
	return !strcmp(path, "-");
}

static int
open_path(const char *path)
{
	return is_stdin(path) ? STDIN_FILENO
			      : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

int
scan_head(const char *path, char *buffer, size_t size, size_t *ret_len)
{
	int fd = open_path(path);
	size_t len = 0;
	ssize_t n = 1;
	int error = 0;

	if (fd < 0)
		return -errno;
	while (len < size && n > 0) {
		n = read_once(fd, buffer + len, size - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		error = (int)n;
	else if (compression_is(str_of(buffer, len)))
		error = -EMEDIUMTYPE;
	else
		*ret_len = len;
	if (!is_stdin(path))
		(void)close(fd);
	return error;
}

int
scan_file(const char *path, struct ingest_stream *stream)
{
	char *buffer;
	int error;
	int fd = open_path(path);

	if (fd < 0)
		return -errno;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	buffer = malloc(BOUNDS_READ_BYTES);
	error = buffer ? scan_descriptor(fd, stream, buffer) : -ENOMEM;
	free(buffer);
	if (!is_stdin(path))
		(void)close(fd);
	return error;
}
