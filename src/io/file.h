/*
 * One followed file: an identity, an offset, and what proves that the bytes
 * before the offset are still the ones that were read.
 *
 * It does what follow.h decides, and decides nothing about names itself.
 */
#ifndef ACCESSLOG_FILE_H
#define ACCESSLOG_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "accesslog/bounds.h"
#include "accesslog/follow.h"
#include "accesslog/ingest.h"

struct gunzip;

/* What stands just before an offset: up to BOUNDS_ANCHOR_BYTES, hashed. */
struct file_anchor {
	uint64_t offset;
	uint64_t hash;
	uint32_t len; /* 0 proves nothing */
};

/*
 * How a text begins: the hash of its first len bytes, and of its first 8, 16,
 * 32 ... as far as that goes.  So what ends before len is known as well.
 */
#define FILE_HEAD_STEPS 10
#define FILE_HEAD_STEP(i) ((size_t)8 << (i)) /* the last: BOUNDS_COPY_BYTES */
struct file_head {
	uint64_t hash;
	uint32_t len; /* 0: not known; BOUNDS_COPY_BYTES at most */
	uint32_t n_steps; /* 0 in a state of before there were any */
	uint64_t steps[FILE_HEAD_STEPS];
};

struct file {
	int fd; /* -1: let go; what is known of it stays */
	/* Reads what is compressed; offsets and sizes are those of its text. */
	struct gunzip *gunzip;
	char *path; /* where it was found; owned */
	struct follow_known known;
	struct file_anchor anchor; /* at known.offset */
	/*
	 * Before it was truncated: what was copied before that has it.  Offset
	 * 0 where it never was.
	 */
	struct file_anchor cut;
	struct file_head cut_head; /* and how it began */
	/* Its beginning, as file_note_head() saw it; read, if anything is. */
	struct file_head head;
	/*
	 * Were seen in the file that it is a copy of, and are not in it: for
	 * whoever counts them, who sets it to 0.
	 */
	uint64_t missing_bytes;
	struct timespec modified; /* at the last look */
	struct timespec changed;
	struct timespec born; /* tv_sec 0: the file system does not say */
	bool is_behind; /* there is more to read than one turn may */
	bool has_begun; /* what is unread counts as lag */
	bool is_stalled; /* the last read has failed: try it again */
	bool is_unlinked; /* no path leads to it any more */
	struct ingest_stream stream;
};

/*
 * Open a file to be read from byte 0.
 *
 * path      copied
 * ret_file  owned by the caller, file_destroy(); untouched on failure
 *
 * Returns 0; -ENOENT ...: from open(2); -EINVAL: not a regular file; -ENOMEM.
 */
int file_open(const char *path, struct ingest_source *source,
    struct file **ret_file) __attribute__((warn_unused_result));

/*
 * What follows is what was known of a file when it was last open.
 *
 * path       copied
 * ret_file   owned by the caller; without a descriptor
 *
 * Returns 0 or -ENOMEM.
 */
int file_remember(const char *path, const struct follow_known *known,
    struct ingest_source *source, struct file **ret_file)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void file_destroy(struct file *f);

/* Lets the descriptor go and keeps what is known. */
void file_close(struct file *f);

/* Whether it can be read now: 0 or -Exxx, of its first byte. */
int file_try(const struct file *f) __attribute__((warn_unused_result));

/* Whether it begins as gzip, xz, zstd and bzip2 files do. */
bool file_is_compressed(const struct file *f);

/*
 * From now on what is read is what gzip has compressed in it.  How much that
 * is shows when it is read: until then its size is what was read of it.
 *
 * Returns 0; -EMEDIUMTYPE: compressed otherwise; -ENOMEM, -EIO ...
 */
int file_inflate(struct file *f) __attribute__((warn_unused_result));

/* Brings f->head up to date, which the offset may have outgrown. */
void file_note_head(struct file *f);

/* Recognises the format from the first lines of the file. */
void file_recognise(struct file *f);

/*
 * Reading begins at the end: at the start of the last line if that has no
 * newline yet.  The format is recognised from the first lines.
 */
void file_seek_end(struct file *f);

/* Everything in it counts as read. */
void file_mark_read(struct file *f);

/* From here on its size counts as grown, and what is unread as lag. */
void file_begin(struct file *f);

/* What is unread is gone: nobody will read it. */
void file_abandon(struct file *f);

/*
 * Look at the open file and at the path.
 *
 * path             the path it is current at, or NULL for a held file, which
 *                  then always STAYS
 * ret_has_changed  whether size or times differ from the last look
 *
 * Writes what was seen into f->known.size_bytes, but for a truncated file,
 * which file_restart() brings up to date.
 */
struct follow_decision file_look(struct file *f, const char *path,
    bool *ret_has_changed);

/*
 * After a truncation: what was unread is gone, and it begins at byte 0; or at
 * its end, where what is left of it is how it began, which was read.
 */
void file_restart(struct file *f);

/* f is what known was before it was truncated: by that a copy is known. */
void file_note_cut(struct file *f, const struct file *known);

/* Whether nothing tells if f is known, because it cannot be read now. */
bool file_hides(const struct file *f, const struct file *known);

/* Whether f has, before the offset of a, what makes that anchor. */
bool file_has_anchor(const struct file *f, const struct file_anchor *a);

/* Whether f begins so, and is as long as that. */
bool file_has_head(const struct file *f, const struct file_head *head);

/*
 * Whether f, another file, is known with what comes after it: the same text up
 * to where that was read (or was cut).  Of a compressed one all up to there is
 * inflated, if it begins like known.
 */
bool file_continues(const struct file *f, const struct file *known,
    const struct file_anchor *at);

/*
 * Reading goes on in f where it stopped in known: behind this anchor, which f
 * has, or at the end of f where that is only known's beginning.  What was seen
 * of known and is not in f is f->missing_bytes: at once, or if f is compressed
 * when it is read to its end; until then it counts as unread.
 */
void file_resume(struct file *f, const struct file *known,
    const struct file_anchor *at);

/* Whether f, which is shorter than what was read of known, is how it began. */
bool file_begins(const struct file *f, const struct file *known);

/*
 * Read on, up to the size at the last look or to max_bytes, whichever comes
 * first, and feed the lines.  Sets f->is_behind.
 *
 * buffer  BOUNDS_READ_BYTES of it
 *
 * Returns 0; -ENOMEM; -ESTALE, -EIO ...: from pread(2).  After a failure the
 * next call goes on where this one stopped.
 */
int file_read(struct file *f, char *buffer, uint64_t max_bytes)
    __attribute__((warn_unused_result));

/* Feeds an unfinished last line as a line, before the file is let go. */
void file_read_rest(struct file *f, char *buffer);

/* Of two time stamps. */
static inline bool
file_is_before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec ||
	    (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/*
 * Whether both are the same inode, and that was not given to another file in
 * the meantime, as far as the file system says when it was made.
 */
bool file_was_born_as(const struct file *f, const struct file *other);

enum file_copy {
	FILE_IS_NO_COPY,
	FILE_IS_COPY,
	FILE_MAY_BE_COPY, /* too short to tell; look again when it has grown */
};

/*
 * Whether f, which is new, is a copy of what was read from other, as
 * copytruncate makes one.  What is longer than a short one is none.
 */
enum file_copy file_compare(const struct file *f, const struct file *other);

#endif
