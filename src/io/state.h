/*
 * What survives a restart, in one SQLite file (state_db.h): how far each log was
 * read, and every series.
 *
 *	DIR/accesslog_exporter.sqlite
 *	    application_id  "alog"          user_version  1
 *	    meta      lineage | clean | saved
 *	    files     id | source | path | device | inode | ... | anchors
 *	    places    id | source | path | seen
 *	    families  id | name | type | labels | bounds | tag | overflow | ...
 *	    series    id | created | label_values | cells
 *	              ^ family << 32 | index
 *
 *	label_values, labels  for each its length in two bytes, then its bytes
 *	bounds                for each 8 bytes whole, 4 bytes billionths
 *	anchor                8 bytes offset, 8 bytes hash, 4 bytes length
 *	head                  the same, and hashes of 8 bytes (file.h)
 *	cut                   an anchor, and a head unless that is empty
 *	cells                 8 bytes each; registry.h says which
 *
 * Numbers in blobs are big-endian.  Times are milliseconds since 1970 where
 * they are of a series or of a save, else nanoseconds.
 *
 * Invariant: files and series change in one transaction only, so to read on
 * from any file that was ever saved gives the totals that there would be
 * without a restart.
 *
 * One process has the file at a time (an exclusive lock, gone with the
 * process).  What is no state of ours, or is torn, is renamed out of the way
 * and never deleted.
 *
 * Thread: one at a time; which one does not matter.
 */
#ifndef ACCESSLOG_STATE_H
#define ACCESSLOG_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "accesslog/registry.h"
#include "io/state_image.h"

/* What was saved last; of the series see state_load(). */
struct state_loaded {
	bool is_found; /* something was saved */
	bool is_clean; /* and nothing was counted after it */
	struct state_image image; /* files, places, saved_ms */
};

struct state;

/*
 * Opens no file yet.
 *
 * directory  copied; created if only its last part is missing
 *
 * Returns 0 or -ENOMEM.
 */
int state_create(const char *directory, struct state **ret_state)
    __attribute__((warn_unused_result));

/* Lets go of the file and the lock.  NULL does nothing. */
void state_destroy(struct state *s);

/*
 * Reads what was saved, and the series into r: before any configuration uses
 * r, so that budgets of labels open with the values that are there.
 *
 * ret_loaded  state_loaded_release(); untouched on failure
 *
 * Returns 0; -EBUSY: another process has it (state_holder()); -EBADMSG: torn,
 * series may have been added to r, and the file is out of the way; -ENOMEM;
 * -Exxx: it cannot be read now.
 */
int state_load(struct state *s, struct registry *r,
    struct state_loaded *ret_loaded) __attribute__((warn_unused_result));

/*
 * After a failure to load it: whether there may be a state all the same, which
 * must not be taken for none.
 */
bool state_is_unread(const struct state *s);

/*
 * After a failure to load it: whether what its directory is in is missing, be
 * it that it is still to be mounted.
 */
bool state_lacks_parent(const struct state *s);

void state_loaded_release(struct state_loaded *l);

/*
 * From now on what is saved is not all there is: unless a last image says so,
 * the next state_load() will not be clean.
 *
 * Returns 0 or what state_write() returns.
 */
int state_begin(struct state *s) __attribute__((warn_unused_result));

/*
 * One transaction: what differs from the image before, or everything where
 * there is none.  Nothing is written where nothing differs.
 *
 * image  taken on success: *image is then empty, with memory for another; else
 *        it is the caller's as it was
 *
 * Returns 0; -ENOSPC, -EROFS, -EACCES, -ENOENT, -EIO ...; -EBUSY; -EBADMSG:
 * torn, and out of the way; -ENOMEM.  After a failure the next call tries
 * anew, and opens the file again where that may help.
 * Cost: reads all cells twice; some microseconds a changed series.
 */
int state_write(struct state *s, struct state_image *image)
    __attribute__((warn_unused_result));

/* How many rows were written since the start. */
uint64_t state_n_rows(const struct state *s);

/* The file's name, for messages. */
const char *state_path(const struct state *s);

/* What SQLite said of the last failure, for messages. */
const char *state_reason(const struct state *s);

/*
 * Where a file was put that had to be out of the way, since the last call, and
 * why; NULL: there was none.  Borrowed until the next call of any function.
 */
const char *state_set_aside(struct state *s, const char **ret_reason);

/* After -EBUSY: who has it, or 0 where the system does not say. */
pid_t state_holder(const struct state *s);

#endif
