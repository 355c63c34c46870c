/*
 * What the process costs, from /proc: the process_* metrics, as every
 * Prometheus client library names them.
 */
#ifndef ACCESSLOG_PROCESS_H
#define ACCESSLOG_PROCESS_H

#include "accesslog/metrics.h"

/*
 * Sets them; what cannot be read keeps its value.  A few system calls.
 * Thread: any, registry not locked.
 */
void process_publish(struct metrics *m);

#endif
