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

int
scan_file(const char *path, struct ingest_stream *stream)
{
	bool is_stdin = !strcmp(path, "-");
	char *buffer;
	int error;
	int fd = is_stdin ? STDIN_FILENO
			  : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	buffer = malloc(BOUNDS_READ_BYTES);
	error = buffer ? scan_descriptor(fd, stream, buffer) : -ENOMEM;
	free(buffer);
	if (!is_stdin)
		(void)close(fd);
	return error;
}
