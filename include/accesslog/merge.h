/*
 * Several registries that were counted in side by side, added up in one.
 *
 * Series come in the order of their label values, whatever the order was in
 * which each registry has met them; so the same lines give the same page,
 * however they were divided.  The sums are exact (decimal.h), so their order
 * does not matter either.  That holds while no limit is met: which label sets
 * a registry at its limit has put into `other` depends on what it met first,
 * and only the sums are still right.
 */
#ifndef ACCESSLOG_MERGE_H
#define ACCESSLOG_MERGE_H

#include "accesslog/registry.h"

/*
 * Add what is in n registries to another one.
 *
 * to    without a series in the families that the others have; its own limits
 *       hold: what finds no room goes to `other`, as one addition a series
 * from  families that have the same name have the same spec.  A gauge has the
 *       value of the last registry that has it; where that is not what it
 *       should be, the caller sets it afterwards.
 *
 * Returns 0; -EEXIST, -ENOSPC as registry_add_family(); -ENOMEM.  After a
 * failure `to` holds a part.
 * Thread: registries not locked, and nobody counts in them.
 */
int merge_registries(struct registry *to, struct registry *const from[],
    size_t n) __attribute__((warn_unused_result));

#endif
