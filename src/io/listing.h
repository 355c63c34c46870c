/*
 * The names in directories, each read once in one look at the logs.
 *
 * Thousands of logs in one directory are rotated together; to look beside each
 * of them would read the directory as often.
 *
 * It is as old as listing_began() says.  What came to a directory after that is
 * for the next look.
 *
 * Thread: one at a time.
 */
#ifndef ACCESSLOG_LISTING_H
#define ACCESSLOG_LISTING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct listing {
	struct timespec began; /* by the clock of files' time stamps; 0: none */
	void *by_name; /* tsearch(3): the directories; listing_end() */
};

struct listing_entry {
	char *name;
	ino_t inode;
};

/* From now on a directory is read when it is asked for, and then kept. */
void listing_begin(struct listing *l);

/* Forgets all; l may be used, and keeps nothing, until listing_begin(). */
void listing_end(struct listing *l);

/* When the look began: now, outside of one, or where l is NULL. */
struct timespec listing_began(const struct listing *l);

/*
 * Calls see for each name in a directory that begins with prefix, in the order
 * of bytes, until it returns false.  In no order where l is NULL or keeps
 * nothing.  What cannot be read has no names.
 *
 * entry  borrowed during the call
 *
 * Returns whether see was never false.
 */
typedef bool (*listing_fn)(void *arg, const char *directory,
    const struct listing_entry *entry);
bool listing_visit(struct listing *l, const char *directory, const char *prefix,
    listing_fn see, void *arg);

#endif
