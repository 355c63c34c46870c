/*
 * What the log says of what happens to files and inputs (io/event.h).
 */
#ifndef ACCESSLOG_EVENTS_H
#define ACCESSLOG_EVENTS_H

#include "io/event.h"

/* An event_fn; arg is not used. */
void events_log(void *arg, const struct event *event);

#endif
