/*
 * usage: fuzz_NAME FILE...
 *
 * Runs a fuzz target over files, in place of libFuzzer.  Says how many, and
 * which of them failed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

/* Returns 0 or a positive errno. */
static int
read_whole(const char *path, struct buf *ret_bytes)
{
	FILE *file = fopen(path, "rbe");
	int error = 0;

	if (!file)
		return errno;
	for (;;) {
		char *end = buf_reserve(ret_bytes, BUFSIZ);
		size_t n;

		if (!end) {
			error = -buf_status(ret_bytes);
			break;
		}
		errno = 0;
		n = fread(end, 1, BUFSIZ, file);
		ret_bytes->len += n;
		if (!n) {
			error = ferror(file) ? errno : 0;
			break;
		}
	}
	(void)fclose(file);
	return error;
}

/*
 * In a process of its own, so that every input meets the same state, and a
 * crash can be told from which file it came.  Returns 0, or -1 with a message.
 */
static int
replay(const char *name, const char *path, struct str bytes)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		struct str input = fuzz_exact(bytes);

		(void)LLVMFuzzerTestOneInput((const uint8_t *)input.data,
		    input.len);
		free((char *)(uintptr_t)input.data);
		exit(0);
	}
	if (child > 0 && waitpid(child, &status, 0) == child && !status)
		return 0;
	fprintf(stderr, "%s: %s: wait status %#x\n", name, path,
	    (unsigned)status);
	return -1;
}

int
main(int argc, char *argv[])
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	int failed = 0;
	int i;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", name);
		return 2;
	}
	/* What a target prepares once is prepared here, for all children. */
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);

	for (i = 1; i < argc; i++) {
		struct buf bytes;
		int error;

		buf_init(&bytes, SIZE_MAX / 2);
		error = read_whole(argv[i], &bytes);
		if (error)
			fprintf(stderr, "%s: %s: error %d\n", name, argv[i],
			    error);
		if (error || replay(name, argv[i], buf_str(&bytes)))
			failed++;
		buf_release(&bytes);
	}
	printf("%s: %d inputs, %d failed\n", name, argc - 1, failed);
	return failed != 0;
}
