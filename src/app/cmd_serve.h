/*
 * accesslog_exporter serve: follow access logs, answer scrapes.
 */
#ifndef ACCESSLOG_CMD_SERVE_H
#define ACCESSLOG_CMD_SERVE_H

#include "app/options.h"

/* Runs until SIGTERM or SIGINT.  Returns the exit code. */
int cmd_serve_run(const struct options *o);

#endif
