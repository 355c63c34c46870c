/*
 * accesslog_exporter scan: count files once, print the metrics.
 */
#ifndef ACCESSLOG_CMD_SCAN_H
#define ACCESSLOG_CMD_SCAN_H

#include "app/options.h"

/* Returns the exit code. */
int cmd_scan_run(const struct options *o);

#endif
