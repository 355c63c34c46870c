/*
 * The rotation decision, pure: what we knew of a file, what fstat(), stat()
 * and the anchor say now, and what follows from it.
 *
 *	path:   access.log -------> the file that a new reader would open
 *	ours:   (device, inode) --> the file that we have open
 *	anchor: the bytes just before our offset, as they were when we read
 *	        them; they prove that the file was not cut and written anew
 *
 * It opens, reads and closes nothing; io/file and io/reader do what is decided
 * here.
 */
#ifndef ACCESSLOG_FOLLOW_H
#define ACCESSLOG_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

/* A file's identity while it is open: inodes are reused, open ones are not. */
struct follow_id {
	uint64_t device;
	uint64_t inode;
};

static inline bool
follow_same(struct follow_id a, struct follow_id b)
{
	return a.device == b.device && a.inode == b.inode;
}

/* What is known of the open file from the last look. */
struct follow_known {
	struct follow_id id;
	uint64_t offset; /* consumed up to here */
	uint64_t size_bytes; /* at the last look; at least offset */
};

enum follow_anchor {
	FOLLOW_ANCHOR_MATCHES, /* also where offset is 0: there is none */
	FOLLOW_ANCHOR_DIFFERS,
	FOLLOW_ANCHOR_UNREADABLE, /* the read failed; nothing is known */
};

/* What one look saw. */
struct follow_seen {
	uint64_t size_bytes; /* fstat() of the open file */
	enum follow_anchor anchor;
	bool path_exists; /* stat() of the path found something */
	bool path_unknown; /* stat() failed otherwise than by absence */
	struct follow_id path_id;
};

enum follow_content {
	FOLLOW_READ_ON, /* from the offset, if there is more */
	FOLLOW_TRUNCATED, /* from byte 0; the rest of the old is lost */
	FOLLOW_WAIT, /* it cannot be read now: look again */
};

enum follow_place {
	FOLLOW_STAYS,
	FOLLOW_REPLACED, /* another file is at the path: hold ours, open it */
	FOLLOW_REMOVED, /* nothing is at the path: hold ours, wait */
};

struct follow_decision {
	enum follow_content content;
	enum follow_place place;
	/* Bytes that were seen to exist, are gone and were never read. */
	uint64_t lost_bytes;
};

struct follow_decision follow_decide(const struct follow_known *known,
    const struct follow_seen *seen);

/*
 * Whether a held file that is read to its end may be let go: it was quiet for
 * hold_ms.  A clock that steps back only prolongs it.
 */
bool follow_finished(uint64_t quiet_since_ms, uint64_t now_ms,
    uint64_t hold_ms);

#endif
