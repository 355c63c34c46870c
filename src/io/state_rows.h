/*
 * Files and places as rows of the state.
 */
#ifndef ACCESSLOG_STATE_ROWS_H
#define ACCESSLOG_STATE_ROWS_H

#include <stdint.h>

#include "io/state_db.h"
#include "io/state_image.h"

/* Adds all to image.  Returns as state_db_step(). */
int state_rows_load(struct state_db *db, struct state_image *image)
    __attribute__((warn_unused_result));

/*
 * Changes what differs from before, which is what is in the file.
 *
 * image     is put into order, and its rows are set
 * last_row  the highest that was ever used
 *
 * Returns as state_db_change().
 */
int state_rows_write(struct state_db *db, struct state_image *image,
    struct state_image *before, uint64_t *last_row)
    __attribute__((warn_unused_result));

#endif
