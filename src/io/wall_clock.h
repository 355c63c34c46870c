/*
 * The time of day, which the core does not know.
 *
 * Thread: any.
 */
#ifndef ACCESSLOG_WALL_CLOCK_H
#define ACCESSLOG_WALL_CLOCK_H

#include <stdint.h>

#include "accesslog/registry.h"

/* Milliseconds since 1970. */
uint64_t wall_clock_ms(void);

/* Series that r gets from now on were created now.  Registry locked. */
void wall_clock_tell(struct registry *r);

#endif
