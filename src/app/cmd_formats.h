/*
 * `formats [NAME]`: the formats that are shipped, or one of them with a line.
 */
#ifndef ACCESSLOG_CMD_FORMATS_H
#define ACCESSLOG_CMD_FORMATS_H

#include "app/options.h"

/* Returns the exit status. */
int cmd_formats_run(const struct options *o);

#endif
