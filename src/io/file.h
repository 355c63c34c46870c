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

/* What stands just before an offset: up to BOUNDS_ANCHOR_BYTES, hashed. */
struct file_anchor {
	uint64_t offset;
	uint64_t hash;
	uint32_t len; /* 0 proves nothing */
};

struct file {
	int fd; /* -1: let go; what is known of it stays */
	char *path; /* where it was found; owned */
	struct follow_known known;
	struct file_anchor anchor; /* at known.offset */
	/* Before it was truncated; offset 0 where it never was. */
	struct file_anchor cut;
	struct file_anchor head; /* of a file that was let go: its beginning */
	struct timespec modified; /* at the last look */
	struct timespec changed;
	struct timespec born; /* tv_sec 0: the file system does not say */
	bool is_behind; /* there is more to read than one turn may */
	bool has_begun; /* what is unread counts as lag */
	bool is_stalled; /* the last read has failed: try it again */
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

/* NULL does nothing. */
void file_destroy(struct file *f);

/* Lets the descriptor go and keeps what is known. */
void file_close(struct file *f);

/* Whether it begins as gzip, xz, zstd and bzip2 files do. */
bool file_is_compressed(const struct file *f);

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

/* After a truncation: what was unread is gone, and it begins at byte 0. */
void file_restart(struct file *f);

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

enum file_copy {
	FILE_IS_NO_COPY,
	FILE_IS_COPY,
	FILE_MAY_BE_COPY, /* too short to tell; look again when it has grown */
};

/*
 * Whether f, which is new, is a copy of what was read from other, as
 * copytruncate makes one.
 */
enum file_copy file_compare(const struct file *f, const struct file *other);

#endif
