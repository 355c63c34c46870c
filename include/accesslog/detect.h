/*
 * Which of several formats fits the lines of a file best.
 *
 * Each line gives each format points: 3 where the format describes the whole
 * line and every value in it, 2 where all its fields fit and more follows, 1
 * where only the core fits, or where a number would be a time by its place
 * alone and could be bytes as well.  The most points win; among equals the
 * format with the most values found.
 * So an extra column costs nothing, and `common` does not win over `combined`
 * because every combined line begins like a common one.
 */
#ifndef ACCESSLOG_DETECT_H
#define ACCESSLOG_DETECT_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/format.h"
#include "accesslog/str.h"

struct detect;

#define DETECT_NONE SIZE_MAX

struct detect_choice {
	size_t format; /* index as given to detect_create(), or DETECT_NONE */
	size_t n_lines; /* looked at; empty ones are not */
	size_t n_fit; /* of these, with a core that fits the chosen one */
	/* At least half of the lines are what the format describes, whole. */
	bool certain;
};

/*
 * formats     borrowed during the call
 * ret_detect  owned by the caller, detect_destroy(); untouched on failure
 *
 * Returns 0, -EINVAL with reterr (an expression does not compile), -ENOMEM.
 */
int detect_create(const struct format *const formats[], size_t n_formats,
    struct detect **ret_detect, struct config_error *reterr)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void detect_destroy(struct detect *d);

/*
 * Look at the whole lines at the front of window, at most BOUNDS_DETECT_LINES
 * of them in BOUNDS_DETECT_BYTES.
 *
 * final  an unfinished last line is a line
 */
struct detect_choice detect_choose(struct detect *d, struct str window,
    bool final);

/* The points that a format, by its index, had from the last window. */
size_t detect_points(const struct detect *d, size_t format);

#endif
