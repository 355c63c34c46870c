/*
 * Files that nobody looked at for a while, found again, so that reading goes
 * on where it stopped: after a restart, and after a log was cut.
 *
 *	saved: access.log, inode 7, read to 5,000
 *
 *	now:   access.log    inode 9      another one
 *	       access.log.1  inode 7      (1) the file itself
 *	       access.log.1  inode 8      (2) a copy: has the anchor at 5,000
 *	       access.log.1.gz            (2) the same, compressed
 *	       none of these              (3) lost: what was unread is counted
 *
 * It opens files and adds them to a reader, as held ones; tailer.h decides
 * which of them is at which path.
 *
 * Thread: the loop thread.
 */
#ifndef ACCESSLOG_RESUME_H
#define ACCESSLOG_RESUME_H

#include <stdbool.h>

#include "io/listing.h"
#include "io/reader.h"
#include "io/state.h"

struct resume;

/* saved, listing: borrowed for its life.  Returns 0 or -ENOMEM. */
int resume_create(const struct state_image *saved, struct listing *listing,
    struct resume **ret_resume) __attribute__((warn_unused_result));

/* NULL does nothing. */
void resume_destroy(struct resume *r);

/* Whether this path or glob was followed; r may be NULL: then it was not. */
bool resume_knows(const struct resume *r, const char *argument);

/* The places that were saved of a path or glob. */
typedef void (*resume_place_fn)(void *arg, const struct state_place *place);
void resume_visit_places(const struct resume *r, const char *argument,
    resume_place_fn visit, void *arg);

/*
 * Adds the files that were saved of a path or glob to the reader of s: to be
 * read on, or known as finished.  Each file is added once.
 *
 * by_name  only those that were of a source with the name of s
 */
void resume_files(struct resume *r, struct reader_source *s,
    const char *argument, bool by_name);

/*
 * f was cut, and its anchor still is that of before: looks for a copy with the
 * rest of it, and has that read.
 *
 * Returns whether there is one.
 */
bool resume_rest(struct reader_file *f);

/*
 * Whether a file that was to be read on is there, and cannot be opened or read
 * for the moment; has what can be read by now read on.
 */
bool resume_is_waiting(const struct reader *r);

/* What is saved of f. */
void resume_save(struct reader_file *f, struct state_image *image);

#endif
