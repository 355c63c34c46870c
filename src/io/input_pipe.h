/*
 * Standard input and FIFOs: one descriptor that others write lines to.
 *
 * A FIFO does not end: when its last writer has closed it, it is opened again,
 * before the old descriptor goes, so that nothing is lost in between.  Half a
 * line waits for whoever writes next.  When another FIFO is at its path, that
 * one is read from then on.
 *
 * Standard input ends once, and an unfinished last line is a line then.  Its
 * flags are left as they are: others may have it open as well.
 */
#ifndef ACCESSLOG_INPUT_PIPE_H
#define ACCESSLOG_INPUT_PIPE_H

#include "io/input.h"

/* Whether a FIFO is at path. */
bool input_pipe_is_fifo(const char *path);

/*
 * argument  "-", or the path of a FIFO
 *
 * Returns 0; -ENOMEM; -EINVAL: nothing can ever be read of it; -EBADF,
 * -EACCES ...; all but -ENOMEM with reterr.
 */
int input_pipe_create(struct input_common *common, const char *name,
    const char *argument, struct input **ret_input, struct config_error *reterr)
    __attribute__((warn_unused_result));

#endif
