/*
 * The metrics in use: those of metrics.def and those of the configuration, in
 * the same terms.  tally_plan.h counts in them.
 *
 *	metric  a family, a value (1, or the number in a field), labels
 *	label   a field and what becomes of it (labels.h); metrics whose labels
 *	        are the same share them, so each is worked out once an entry
 *	group   the values of the static labels of one or more sources; every
 *	        metric has the static labels of all sources, empty where a
 *	        source has not that one
 */
#ifndef ACCESSLOG_TALLY_H
#define ACCESSLOG_TALLY_H

#include <stdbool.h>

#include "accesslog/config.h"
#include "accesslog/config_error.h"
#include "accesslog/fields.h"
#include "accesslog/metrics.h"

struct tally;

/*
 * metrics     borrowed for the life of the tally
 * config      borrowed during the call; NULL: the default metrics, no static
 *             labels
 * with_zeros  counters by status alone start at 0 for the common codes
 * fields      the fields that the metrics need are added; their names belong
 *             to the tally
 *
 * Its families are shown only after tally_commit(); what is shown now does not
 * change, whether it fails or not.
 *
 * Returns 0, -EINVAL with reterr, -ENOMEM.
 * Thread: registry locked.
 */
int tally_create(struct metrics *metrics, const struct config *config,
    bool with_zeros, struct fields *fields, struct tally **ret_tally,
    struct config_error *reterr) __attribute__((warn_unused_result));

/* NULL does nothing.  What was counted stays in the registry. */
void tally_destroy(struct tally *t);

/*
 * The families of this tally are shown, in place of those of the one before
 * it; a family that both have goes on.  Cannot fail.  Thread: registry locked.
 */
void tally_commit(struct tally *t);

/*
 * The group of a source with these static labels; names that no source of the
 * configuration had when the tally was created are ignored.
 *
 * pairs  copied
 *
 * Returns 0 or -ENOMEM.  Thread: registry locked.
 */
int tally_add_group(struct tally *t, const struct config_pair pairs[],
    size_t n_pairs, size_t *ret_group) __attribute__((warn_unused_result));

#endif
