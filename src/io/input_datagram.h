/*
 * Syslog from datagram sockets, UDP and unix.  What is in a datagram is
 * syslog.h's; what the kernel drops, because the socket was full, it counts,
 * and so do we.
 *
 * A socket file that nobody listens to is left from a crash and replaced; one
 * that somebody does is refused.  Everybody may write to it, as to /dev/log:
 * who may is for the directory to say.  At the end it is removed.
 */
#ifndef ACCESSLOG_INPUT_DATAGRAM_H
#define ACCESSLOG_INPUT_DATAGRAM_H

#include "io/input.h"

/*
 * endpoint  ENDPOINT_SYSLOG_UDP or ENDPOINT_SYSLOG_UNIX, of argument
 *
 * Returns 0; -ENOMEM; -EADDRINUSE, -EACCES ...: with reterr.
 */
int input_datagram_create(struct input_common *common, const char *name,
    const char *argument, const struct endpoint *endpoint,
    struct input **ret_input, struct config_error *reterr)
    __attribute__((warn_unused_result));

#endif
