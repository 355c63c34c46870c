/*
 * `explain FILE`: which format its lines have and why, what the fields of one
 * line are, and where the lines that do not fit stop fitting.
 */
#ifndef ACCESSLOG_CMD_EXPLAIN_H
#define ACCESSLOG_CMD_EXPLAIN_H

#include "app/options.h"

/* Returns the exit status: 0 where every line that was looked at fits. */
int cmd_explain_run(const struct options *o);

#endif
