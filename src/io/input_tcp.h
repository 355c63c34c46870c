/*
 * Lines of JSON over TCP, as Fluent Bit's out_tcp sends them with
 * `format json_lines`: one object a line, on connections that stay.
 *
 * A connection may be idle for as long as it likes; one whose other side is
 * gone without a word is closed after two minutes (tcp(7), keepalive).  An
 * unfinished last line is torn: its sender has not finished it, and sends it
 * again, so it is lost here.  There are at most BOUNDS_INPUT_CONNECTIONS at a
 * time; others are closed at once, and counted.
 */
#ifndef ACCESSLOG_INPUT_TCP_H
#define ACCESSLOG_INPUT_TCP_H

#include "io/input.h"

/*
 * endpoint  ENDPOINT_JSON_TCP, of argument
 *
 * Returns 0; -ENOMEM; -EADDRINUSE, -EACCES ...: with reterr.
 */
int input_tcp_create(struct input_common *common, const char *name,
    const char *argument, const struct endpoint *endpoint,
    struct input **ret_input, struct config_error *reterr)
    __attribute__((warn_unused_result));

#endif
