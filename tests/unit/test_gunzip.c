#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "accesslog/bounds.h"
#include "accesslog/str.h"
#include "io/gunzip.h"
#include "support.h"

#define KEPT ((size_t)BOUNDS_READ_BYTES)
#define TEXT_BYTES (3 * KEPT + 12345)

/* Text that deflate shortens, none of it like the rest; and as gzip. */
static char text[TEXT_BYTES];
static unsigned char gzip[TEXT_BYTES];
static size_t gzip_len;

static size_t
compress_to(unsigned char *to, size_t room, struct str from)
{
	z_stream z = { 0 };

	assert_int_equal(
	    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
	    Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)from.data;
	z.avail_in = (uInt)from.len;
	z.next_out = to;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(deflateEnd(&z), Z_OK);
	return room - z.avail_out;
}

static int
make_text(void **state)
{
	uint64_t x = 1;
	size_t i;

	(void)state;
	for (i = 0; i < TEXT_BYTES; i++) {
		x = x * UINT64_C(6364136223846793005) + 1;
		text[i] = (char)('a' + (x >> 40) % 16);
	}
	gzip_len = compress_to(gzip, sizeof(gzip), str_of(text, TEXT_BYTES));
	return 0;
}

static int
file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("gunzip", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, 0), n);
	return fd;
}

static struct gunzip *
opened(const void *bytes, size_t n)
{
	struct gunzip *g;

	assert_int_equal(gunzip_open(file_of(bytes, n), &g), 0);
	return g;
}

/* Reads len at offset; what it returns must be the text there. */
static ssize_t
read_text(struct gunzip *g, size_t len, uint64_t offset)
{
	char *to = malloc(len + 1);
	ssize_t n;

	assert_non_null(to);
	n = gunzip_read_at(g, to, len, offset);
	if (n > 0)
		assert_memory_equal(to, text + offset, (size_t)n);
	free(to);
	return n;
}

static void
text_is_read_from_its_beginning_to_its_end(void **state)
{
	static const size_t sizes[] = { 1000, 4096, KEPT, TEXT_BYTES, 70001 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct gunzip *g = opened(gzip, gzip_len);
		uint64_t offset = 0;
		ssize_t n;

		do {
			n = read_text(g, sizes[i], offset);
			assert_true(n >= 0);
			offset += (uint64_t)n;
		} while ((size_t)n == sizes[i]);
		assert_int_equal(offset, TEXT_BYTES);
		assert_int_equal(read_text(g, 1, offset), 0);
		assert_int_equal(read_text(g, 1, offset + 1), 0);
		assert_false(gunzip_is_torn(g));
		assert_int_equal(gunzip_compressed_bytes(g), gzip_len);
		gunzip_close(g);
	}
}

static void
what_came_last_is_read_again_without_inflating_it_again(void **state)
{
	struct gunzip *g = opened(gzip, gzip_len);
	uint64_t n_inflated;
	size_t back;

	(void)state;
	assert_int_equal(read_text(g, KEPT, 0), KEPT);
	assert_int_equal(read_text(g, KEPT, KEPT), KEPT);
	n_inflated = gunzip_compressed_bytes(g);
	for (back = 0; back <= KEPT; back += KEPT / 8) {
		assert_int_equal(read_text(g, back, 2 * KEPT - back), back);
		assert_int_equal(gunzip_compressed_bytes(g), n_inflated);
	}
	/* Half of it again, half of it new; then all of the kept again. */
	assert_int_equal(read_text(g, KEPT, KEPT + KEPT / 2), KEPT);
	assert_true(gunzip_compressed_bytes(g) > n_inflated);
	n_inflated = gunzip_compressed_bytes(g);
	assert_int_equal(read_text(g, KEPT, KEPT + KEPT / 2), KEPT);
	assert_int_equal(gunzip_compressed_bytes(g), n_inflated);
	gunzip_close(g);
}

static void
going_back_further_begins_again(void **state)
{
	struct gunzip *g = opened(gzip, gzip_len);

	(void)state;
	assert_int_equal(read_text(g, TEXT_BYTES, 0), TEXT_BYTES);
	assert_int_equal(read_text(g, 100, TEXT_BYTES - KEPT - 1), 100);
	assert_true(gunzip_compressed_bytes(g) < gzip_len);
	assert_int_equal(read_text(g, 100, 7), 100);
	assert_int_equal(read_text(g, KEPT, TEXT_BYTES - 5), 5);
	gunzip_close(g);
}

static void
what_is_skipped_is_kept_too(void **state)
{
	struct gunzip *g = opened(gzip, gzip_len);
	uint64_t n_inflated;

	(void)state;
	assert_int_equal(read_text(g, 10, 2 * KEPT), 10);
	n_inflated = gunzip_compressed_bytes(g);
	assert_int_equal(read_text(g, 20, 2 * KEPT - 10), 20);
	assert_int_equal(gunzip_compressed_bytes(g), n_inflated);
	assert_int_equal(read_text(g, 1, TEXT_BYTES + KEPT), 0);
	gunzip_close(g);
}

static void
the_position_of_the_descriptor_does_not_matter(void **state)
{
	int fd = file_of(gzip, gzip_len);
	struct gunzip *g;

	(void)state;
	assert_int_equal(lseek(fd, 99, SEEK_SET), 99);
	assert_int_equal(gunzip_open(fd, &g), 0);
	assert_int_equal(read_text(g, 1000, 0), 1000);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 99);
	gunzip_close(g);
}

static void
members_are_one_text(void **state)
{
	static const unsigned char zeros[600];
	static unsigned char members[2 * TEXT_BYTES];
	size_t cut = KEPT / 3, len;
	struct gunzip *g;

	(void)state;
	len = compress_to(members, sizeof(members), str_of(text, cut));
	len += compress_to(members + len, sizeof(members) - len, STR(""));
	len += compress_to(members + len, sizeof(members) - len,
	    str_of(text + cut, TEXT_BYTES - cut));
	memcpy(members + len, zeros, sizeof(zeros));

	g = opened(members, len + sizeof(zeros));
	assert_int_equal(read_text(g, TEXT_BYTES, 0), TEXT_BYTES);
	assert_int_equal(read_text(g, 1, TEXT_BYTES), 0);
	assert_false(gunzip_is_torn(g));
	gunzip_close(g);
}

/* As a writer's compressed log looks at any moment. */
static void
a_torn_file_goes_on_where_it_grows(void **state)
{
	const size_t cuts[] = { 0, 1, 5, 11, 1000, gzip_len / 2, gzip_len - 9,
		gzip_len - 1, gzip_len };
	int fd = file_of("", 0);
	struct gunzip *g;
	uint64_t at = 0;
	size_t i, had = 0;

	(void)state;
	assert_int_equal(gunzip_open(fd, &g), 0);
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		ssize_t n;

		assert_int_equal(
		    pwrite(fd, gzip + had, cuts[i] - had, (off_t)had),
		    cuts[i] - had);
		had = cuts[i];
		/* In small steps, which leave zlib with what has no room. */
		while ((n = read_text(g, 100, at)) > 0)
			at += (uint64_t)n;
		assert_int_equal(n, 0);
		assert_int_equal(gunzip_is_torn(g), had < gzip_len);
		assert_true(at <= TEXT_BYTES);
	}
	assert_int_equal(at, TEXT_BYTES);
	gunzip_close(g);
}

static void
what_is_before_a_corrupt_place_is_read_then_it_is_said(void **state)
{
	static unsigned char members[2 * TEXT_BYTES];
	size_t cut = KEPT / 3, len, all;
	struct gunzip *g;

	(void)state;
	len = compress_to(members, sizeof(members), str_of(text, cut));
	all = len +
	    compress_to(members + len, sizeof(members) - len,
		str_of(text + cut, TEXT_BYTES - cut));
	members[len + 2] = 99; /* the method of compression */
	g = opened(members, all);
	assert_int_equal(read_text(g, TEXT_BYTES, 0), cut);
	assert_int_equal(read_text(g, TEXT_BYTES, cut), -EBADMSG);
	assert_int_equal(read_text(g, TEXT_BYTES, cut + 1), -EBADMSG);
	/* What came last is there all the same, and so is all before. */
	assert_int_equal(read_text(g, 100, cut - 50), 50);
	assert_int_equal(read_text(g, TEXT_BYTES, 0), cut);
	gunzip_close(g);
}

static void
a_wrong_checksum_is_said_after_the_text(void **state)
{
	static unsigned char corrupt[TEXT_BYTES];
	struct gunzip *g;

	(void)state;
	memcpy(corrupt, gzip, gzip_len);
	corrupt[gzip_len - 8] ^= 1;
	g = opened(corrupt, gzip_len);
	assert_int_equal(read_text(g, TEXT_BYTES + 1, 0), TEXT_BYTES);
	assert_int_equal(read_text(g, 1, TEXT_BYTES), -EBADMSG);
	gunzip_close(g);
}

static void
what_is_not_gzip_is_corrupt(void **state)
{
	static unsigned char followed[TEXT_BYTES];
	struct gunzip *g = opened("GET / HTTP/1.1\n", 15);

	(void)state;
	assert_int_equal(read_text(g, 10, 0), -EBADMSG);
	gunzip_close(g);

	memcpy(followed, gzip, gzip_len);
	memcpy(followed + gzip_len, "text", 4);
	g = opened(followed, gzip_len + 4);
	assert_int_equal(read_text(g, TEXT_BYTES + 1, 0), TEXT_BYTES);
	assert_int_equal(read_text(g, 1, TEXT_BYTES), -EBADMSG);
	gunzip_close(g);

	memset(followed + gzip_len, 0, 2);
	g = opened(followed, gzip_len + 4);
	assert_int_equal(read_text(g, TEXT_BYTES + 1, 0), TEXT_BYTES);
	assert_int_equal(read_text(g, 1, TEXT_BYTES), -EBADMSG);
	gunzip_close(g);
}

static void
what_the_system_says_is_passed_on(void **state)
{
	struct gunzip *g;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(gunzip_open(ends[0], &g), 0);
	assert_int_equal(read_text(g, 1, 0), -ESPIPE);
	gunzip_close(g);
	assert_int_equal(close(ends[1]), 0);
}

static void
an_allocation_that_fails_is_said_and_done_again(void **state)
{
	unsigned long n;

	(void)state;
	for (n = 1;; n++) {
		int fd = file_of(gzip, gzip_len);
		struct gunzip *g = NULL;
		ssize_t n_read;
		char to[100];
		int error;

		support_fail_allocation(n);
		error = gunzip_open(fd, &g);
		n_read = error ? 0 : gunzip_read_at(g, to, sizeof(to), 0);
		support_stop_failing();
		if (!support_did_fail()) {
			assert_int_equal(n_read, sizeof(to));
			gunzip_close(g);
			break;
		}
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_null(g);
			assert_int_equal(close(fd), 0);
			continue;
		}
		if (n_read != (ssize_t)sizeof(to))
			assert_int_equal(n_read, -ENOMEM);
		assert_int_equal(read_text(g, TEXT_BYTES, 0), TEXT_BYTES);
		gunzip_close(g);
	}
	assert_true(n > 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_read_from_its_beginning_to_its_end),
		cmocka_unit_test(
		    what_came_last_is_read_again_without_inflating_it_again),
		cmocka_unit_test(going_back_further_begins_again),
		cmocka_unit_test(what_is_skipped_is_kept_too),
		cmocka_unit_test(
		    the_position_of_the_descriptor_does_not_matter),
		cmocka_unit_test(members_are_one_text),
		cmocka_unit_test(a_torn_file_goes_on_where_it_grows),
		cmocka_unit_test(
		    what_is_before_a_corrupt_place_is_read_then_it_is_said),
		cmocka_unit_test(a_wrong_checksum_is_said_after_the_text),
		cmocka_unit_test(what_is_not_gzip_is_corrupt),
		cmocka_unit_test(what_the_system_says_is_passed_on),
		cmocka_unit_test(
		    an_allocation_that_fails_is_said_and_done_again),
	};

	return cmocka_run_group_tests(tests, make_text, NULL);
}
