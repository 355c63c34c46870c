#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/mapping.h"

#define N_PAGES 8

static size_t page;

static int
look_up_page(void **state)
{
	(void)state;
	page = (size_t)sysconf(_SC_PAGESIZE);
	return 0;
}

/* No byte is NUL, and pages differ. */
static char
byte_at(size_t i)
{
	return (char)('a' + (i + i / page) % 26);
}

static int
file_of_pages(void)
{
	int fd = memfd_create("mapping", MFD_CLOEXEC);
	char *bytes = malloc(N_PAGES * page);
	size_t i;

	assert_true(fd >= 0);
	assert_non_null(bytes);
	for (i = 0; i < N_PAGES * page; i++)
		bytes[i] = byte_at(i);
	assert_int_equal(pwrite(fd, bytes, N_PAGES * page, 0), N_PAGES * page);
	free(bytes);
	return fd;
}

/* The file's bytes up to n of the mapping's, then NULs. */
static void
assert_reads(const struct mapping *m, size_t offset, size_t n)
{
	size_t i;

	for (i = 0; i < m->len; i++) {
		char expected = (char)(i < n ? byte_at(offset + i) : '\0');

		/* Asked for each byte, assert_int_equal() takes seconds. */
		if (m->data[i] != expected)
			assert_int_equal(i, m->len);
	}
}

static void
the_bytes_are_those_of_the_file_from_any_offset(void **state)
{
	const size_t offsets[] = { 0, 1, page - 1, page, 3 * page + 17 };
	int fd = file_of_pages();
	struct mapping m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		size_t len = N_PAGES * page - offsets[i];

		assert_true(mapping_open(&m, fd, offsets[i], len));
		assert_int_equal(m.len, len);
		assert_reads(&m, offsets[i], len);
		assert_false(mapping_is_cut(&m));
		mapping_close(&m);
	}
	(void)close(fd);
}

static void
what_is_cut_off_reads_as_nuls_and_is_said(void **state)
{
	const size_t sizes[] = { 0, 1, page, 2 * page, 5 * page + 7 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t offset = 100;
		size_t left = sizes[i] > offset ? sizes[i] - offset : 0;
		int fd = file_of_pages();
		struct mapping m;

		assert_true(
		    mapping_open(&m, fd, offset, N_PAGES * page - offset));
		assert_reads(&m, offset, m.len);
		assert_int_equal(ftruncate(fd, (off_t)sizes[i]), 0);
		assert_false(mapping_is_cut(&m));
		errno = 0;
		assert_reads(&m, offset, left);
		assert_int_equal(errno, 0);
		assert_true(mapping_is_cut(&m));
		mapping_close(&m);
		(void)close(fd);
	}
}

static void
what_comes_back_behind_a_cut_is_not_read(void **state)
{
	int fd = file_of_pages();
	struct mapping m;

	(void)state;
	assert_true(mapping_open(&m, fd, 0, N_PAGES * page));
	assert_int_equal(ftruncate(fd, (off_t)page), 0);
	assert_int_equal(m.data[page], 0);
	assert_int_equal(pwrite(fd, "text", 4, (off_t)(3 * page)), 4);
	assert_reads(&m, 0, page);
	assert_true(mapping_is_cut(&m));
	mapping_close(&m);
	(void)close(fd);
}

static void *
read_a_cut_file(void *arg)
{
	int fd = file_of_pages();
	struct mapping m;

	(void)arg;
	assert_true(mapping_open(&m, fd, 0, N_PAGES * page));
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_reads(&m, 0, 0);
	assert_true(mapping_is_cut(&m));
	mapping_close(&m);
	(void)close(fd);
	return NULL;
}

static void
each_thread_has_its_own(void **state)
{
	int fd = file_of_pages();
	struct mapping m;
	pthread_t thread;

	(void)state;
	assert_true(mapping_open(&m, fd, 0, N_PAGES * page));
	assert_int_equal(pthread_create(&thread, NULL, read_a_cut_file, NULL),
	    0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_reads(&m, 0, m.len);
	assert_false(mapping_is_cut(&m));
	mapping_close(&m);
	(void)close(fd);
}

/* With a mapping, and after it, a fault elsewhere is nobody's. */
static void
a_fault_elsewhere_ends_the_program(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		int status;
		pid_t child = fork();

		assert_true(child >= 0);
		if (!child) {
			int fd = file_of_pages();
			int other = file_of_pages();
			volatile const char *bytes = mmap(NULL, page, PROT_READ,
			    MAP_PRIVATE, other, 0);
			struct mapping m;

			if (bytes == MAP_FAILED ||
			    !mapping_open(&m, fd, 0, page))
				_exit(1);
			if (i)
				mapping_close(&m);
			_exit(ftruncate(other, 0) + bytes[0]);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGBUS);
	}
}

static void
what_has_no_pages_is_said(void **state)
{
	struct mapping m;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_false(mapping_open(&m, ends[0], 0, page));
	(void)close(ends[0]);
	(void)close(ends[1]);
	assert_false(mapping_open(&m, -1, 0, page));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_bytes_are_those_of_the_file_from_any_offset),
		cmocka_unit_test(what_is_cut_off_reads_as_nuls_and_is_said),
		cmocka_unit_test(what_comes_back_behind_a_cut_is_not_read),
		cmocka_unit_test(each_thread_has_its_own),
		cmocka_unit_test(a_fault_elsewhere_ends_the_program),
		cmocka_unit_test(what_has_no_pages_is_said),
	};

	return cmocka_run_group_tests(tests, look_up_page, NULL);
}
