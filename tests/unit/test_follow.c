#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/follow.h"

#define OFFSET 1000
#define SIZE 1300

static const struct follow_id ours = { .device = 7, .inode = 42 };

/*
 * The table has two halves that do not depend on one another: what happened
 * to the content, and what is at the path.  Each is written out here, and the
 * test goes through every pair.
 */
static const struct {
	uint64_t size_bytes;
	enum follow_anchor anchor;
	enum follow_content content;
	uint64_t lost_bytes;
} contents[] = {
	/* Unchanged, grown, grown by nothing but the known rest. */
	{ SIZE, FOLLOW_ANCHOR_MATCHES, FOLLOW_READ_ON, 0 },
	{ SIZE + 1, FOLLOW_ANCHOR_MATCHES, FOLLOW_READ_ON, 0 },
	{ UINT64_MAX, FOLLOW_ANCHOR_MATCHES, FOLLOW_READ_ON, 0 },
	/* Shorter than seen, but not than read: an editor at the last line. */
	{ SIZE - 1, FOLLOW_ANCHOR_MATCHES, FOLLOW_READ_ON, 1 },
	{ OFFSET, FOLLOW_ANCHOR_MATCHES, FOLLOW_READ_ON, SIZE - OFFSET },

	/* Cut: shorter than what was read, whatever the anchor says. */
	{ OFFSET - 1, FOLLOW_ANCHOR_MATCHES, FOLLOW_TRUNCATED, 300 },
	{ OFFSET - 1, FOLLOW_ANCHOR_DIFFERS, FOLLOW_TRUNCATED, 300 },
	{ OFFSET - 1, FOLLOW_ANCHOR_UNREADABLE, FOLLOW_TRUNCATED, 300 },
	{ 0, FOLLOW_ANCHOR_MATCHES, FOLLOW_TRUNCATED, 300 },
	{ 0, FOLLOW_ANCHOR_DIFFERS, FOLLOW_TRUNCATED, 300 },
	{ 0, FOLLOW_ANCHOR_UNREADABLE, FOLLOW_TRUNCATED, 300 },

	/* Cut and regrown: to the offset, to the same size, beyond. */
	{ OFFSET, FOLLOW_ANCHOR_DIFFERS, FOLLOW_TRUNCATED, 300 },
	{ SIZE - 1, FOLLOW_ANCHOR_DIFFERS, FOLLOW_TRUNCATED, 300 },
	{ SIZE, FOLLOW_ANCHOR_DIFFERS, FOLLOW_TRUNCATED, 300 },
	{ SIZE + 1, FOLLOW_ANCHOR_DIFFERS, FOLLOW_TRUNCATED, 300 },
	{ UINT64_MAX, FOLLOW_ANCHOR_DIFFERS, FOLLOW_TRUNCATED, 300 },

	/* Nothing is known of the bytes before the offset. */
	{ OFFSET, FOLLOW_ANCHOR_UNREADABLE, FOLLOW_WAIT, 0 },
	{ SIZE, FOLLOW_ANCHOR_UNREADABLE, FOLLOW_WAIT, 0 },
	{ SIZE + 1, FOLLOW_ANCHOR_UNREADABLE, FOLLOW_WAIT, 0 },
};

static const struct {
	bool path_exists, path_unknown;
	struct follow_id path_id;
	enum follow_place place;
} places[] = {
	{ true, false, { 7, 42 }, FOLLOW_STAYS },
	{ true, false, { 7, 43 }, FOLLOW_REPLACED },
	/* The same inode number on another device. */
	{ true, false, { 8, 42 }, FOLLOW_REPLACED },
	{ false, false, { 0, 0 }, FOLLOW_REMOVED },
	/* What an earlier look left in path_id does not count. */
	{ false, false, { 7, 42 }, FOLLOW_REMOVED },
	/* stat() failed for another reason: nothing is concluded from it. */
	{ false, true, { 0, 0 }, FOLLOW_STAYS },
	{ true, true, { 7, 43 }, FOLLOW_STAYS },
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void
every_content_at_every_place_is_decided(void **state)
{
	const struct follow_known known = { ours, OFFSET, SIZE };
	size_t c, p;

	(void)state;
	for (c = 0; c < N(contents); c++) {
		for (p = 0; p < N(places); p++) {
			const struct follow_seen seen = {
				.size_bytes = contents[c].size_bytes,
				.anchor = contents[c].anchor,
				.path_exists = places[p].path_exists,
				.path_unknown = places[p].path_unknown,
				.path_id = places[p].path_id,
			};
			struct follow_decision d = follow_decide(&known, &seen);

			if (d.content != contents[c].content ||
			    d.place != places[p].place)
				print_error("content %zu, place %zu\n", c, p);
			assert_int_equal(d.content, contents[c].content);
			assert_int_equal(d.lost_bytes, contents[c].lost_bytes);
			assert_int_equal(d.place, places[p].place);
		}
	}
}

static void
nothing_is_lost_where_everything_had_been_read(void **state)
{
	const struct follow_known known = { ours, SIZE, SIZE };
	const struct follow_seen seen = { .size_bytes = 10,
		.anchor = FOLLOW_ANCHOR_DIFFERS,
		.path_exists = true,
		.path_id = ours };
	struct follow_decision d = follow_decide(&known, &seen);

	(void)state;
	assert_int_equal(d.content, FOLLOW_TRUNCATED);
	assert_int_equal(d.lost_bytes, 0);
}

static void
an_unread_file_that_is_empty_now_is_just_read_on(void **state)
{
	const struct follow_known known = { ours, 0, 0 };
	const struct follow_seen seen = { .size_bytes = 0,
		.anchor = FOLLOW_ANCHOR_MATCHES,
		.path_exists = true,
		.path_id = ours };
	struct follow_decision d = follow_decide(&known, &seen);

	(void)state;
	assert_int_equal(d.content, FOLLOW_READ_ON);
	assert_int_equal(d.place, FOLLOW_STAYS);
	assert_int_equal(d.lost_bytes, 0);
}

static void
files_are_the_same_by_device_and_inode(void **state)
{
	(void)state;
	assert_true(follow_same(ours, (struct follow_id){ 7, 42 }));
	assert_false(follow_same(ours, (struct follow_id){ 8, 42 }));
	assert_false(follow_same(ours, (struct follow_id){ 7, 43 }));
	assert_false(follow_same(ours, (struct follow_id){ 42, 7 }));
}

static void
bytes_that_are_gone_and_were_not_read_are_lost(void **state)
{
	const struct follow_known known = { ours, 100, 250 };
	const struct follow_seen seen = { .size_bytes = 180,
		.anchor = FOLLOW_ANCHOR_MATCHES,
		.path_exists = true,
		.path_id = ours };
	struct follow_decision d = follow_decide(&known, &seen);

	(void)state;
	assert_int_equal(d.content, FOLLOW_READ_ON);
	assert_int_equal(d.lost_bytes, 70);
}

static void
a_held_file_is_let_go_when_it_was_quiet_for_long_enough(void **state)
{
	(void)state;
	assert_false(follow_finished(5000, 5000, 60000));
	assert_false(follow_finished(5000, 64999, 60000));
	assert_true(follow_finished(5000, 65000, 60000));
	assert_true(follow_finished(0, UINT64_MAX, 60000));
	assert_true(follow_finished(5000, 5000, 0));
}

static void
a_clock_that_steps_back_only_prolongs_the_holding(void **state)
{
	(void)state;
	assert_false(follow_finished(5000, 4999, 0));
	assert_false(follow_finished(100000, 0, 60000));
	assert_false(follow_finished(UINT64_MAX, 0, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_content_at_every_place_is_decided),
		cmocka_unit_test(
		    nothing_is_lost_where_everything_had_been_read),
		cmocka_unit_test(
		    an_unread_file_that_is_empty_now_is_just_read_on),
		cmocka_unit_test(files_are_the_same_by_device_and_inode),
		cmocka_unit_test(
		    bytes_that_are_gone_and_were_not_read_are_lost),
		cmocka_unit_test(
		    a_held_file_is_let_go_when_it_was_quiet_for_long_enough),
		cmocka_unit_test(
		    a_clock_that_steps_back_only_prolongs_the_holding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
