/*
 * accesslog_exporter check: is this configuration right, and what would each
 * source follow right now?
 */
#ifndef ACCESSLOG_CMD_CHECK_H
#define ACCESSLOG_CMD_CHECK_H

#include "app/options.h"

/* Returns the exit code. */
int cmd_check_run(const struct options *o);

#endif
