/*
 * What happens to followed files, as lines of the log.
 */
#ifndef ACCESSLOG_EVENTS_H
#define ACCESSLOG_EVENTS_H

#include "io/event.h"

/* An event_fn; arg is not used. */
void events_tell(void *arg, const struct event *event);

#endif
