/*
 * Families and series as rows of the state.
 */
#ifndef ACCESSLOG_STATE_SERIES_H
#define ACCESSLOG_STATE_SERIES_H

#include <stdint.h>

#include "accesslog/registry_snapshot.h"
#include "io/state_db.h"

/*
 * Restores all of them; a family for which r has no room is left out.
 *
 * Returns as state_db_step(); after a failure some may be restored.
 */
int state_series_load(struct state_db *db, struct registry *r)
    __attribute__((warn_unused_result));

/*
 * Changes what differs from before, which is what is in the file.
 *
 * numbers         of the families in the file, set here; as many as series has
 *                 families, 0 for those that are not saved
 * numbers_before  those of before
 * last_number     the highest that was ever used
 *
 * Returns as state_db_change().
 */
int state_series_write(struct state_db *db,
    const struct registry_snapshot *series, uint64_t numbers[],
    const struct registry_snapshot *before, const uint64_t numbers_before[],
    uint64_t *last_number) __attribute__((warn_unused_result));

#endif
