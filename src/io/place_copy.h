/*
 * Copies: whether a file that has come is one of a log that is followed beside
 * it, so that its lines are counted already.
 *
 *	access.log      followed, read to 5,000
 *	access.log.1    new, begins as that does: its copy
 *	other.log       in the same directory, begins otherwise: a log
 *
 * What becomes of the place that a copy is at is place.h's.
 *
 * Thread: the loop thread.
 */
#ifndef ACCESSLOG_PLACE_COPY_H
#define ACCESSLOG_PLACE_COPY_H

#include <stdbool.h>

#include "io/file.h"
#include "io/place.h"
#include "io/reader.h"

/*
 * Whether the new file is a copy of one that is followed beside p.  Those that
 * it is compared with are looked at on the way: one that was cut may have its
 * rest read from file, which the reader knows then.
 *
 * of_place   only of those that were at p, or have a name that a rotation gives
 *            there
 * undecided  whose file it is, or NULL; if it is undecided no more, that has
 *            the rest of one that was cut, and it is no copy
 */
enum file_copy place_copy_find(const struct place *p, const struct file *file,
    bool of_place, const struct reader_file *undecided);

/*
 * f was empty when it was found beside a place, and is not any more: whether it
 * is a copy of what is read at that place, or compressed.  It is undecided no
 * more, unless it is a copy of what is yet to be read.
 *
 * p  that place (place_of()), or NULL
 */
bool place_copy_decide(const struct place *p, struct reader_file *f);

/*
 * A copy is known from then on as a file that was read to its end, and will be
 * so under each name that later rotations give it.
 *
 * Returns whether it took file; not without memory or room.
 */
bool place_copy_remember(struct place_source *s, struct file *file);

#endif
