/*
 * Lines that come in by other ways than files: standard input and FIFOs, syslog
 * over UDP and unix sockets, JSON lines over TCP.  What files there are is
 * tailer.h's.
 *
 * None of it can be read again.  What comes while nobody listens is lost, or
 * its sender waits; what was received is counted, or lost and counted as such.
 *
 * Lines are read as they come, at most BOUNDS_READ_BYTES of one descriptor in
 * one turn of the loop.
 *
 * Thread: the loop thread.  It writes no log; what happens is told by events,
 * once per change.
 */
#ifndef ACCESSLOG_INPUTS_H
#define ACCESSLOG_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/config_error.h"
#include "accesslog/ingest.h"
#include "accesslog/metrics.h"
#include "io/event.h"

struct uv_loop_s;
struct inputs;

struct inputs_options {
	event_fn on_event;
	void (*on_change)(void *arg); /* there is something new to save */
	/* Standard input has ended, and there is no other input. */
	void (*on_ended)(void *arg);
	void *arg; /* passed to all */
};

/*
 * loop, metrics  borrowed for the life of the inputs
 * Returns 0 or -ENOMEM.
 */
int inputs_create(struct uv_loop_s *loop, struct metrics *metrics,
    const struct inputs_options *options, struct inputs **ret_inputs)
    __attribute__((warn_unused_result));

/* Closes everything; the memory is freed by the loop's next turn. */
void inputs_destroy(struct inputs *ins);

/* Whether an argument is for inputs_add(): no path, or a FIFO is there now. */
bool inputs_take(const char *argument);

/*
 * What is listened to is said anew, at the beginning and when the configuration
 * is read again, as in tailer.h:
 *
 *	inputs_begin(ins);
 *	inputs_add(ins, ...);    as often as there are inputs
 *	inputs_commit(ins);      or inputs_cancel(ins): all stays as it was
 */
void inputs_begin(struct inputs *ins);

/*
 * What is open already stays open, with all that is in it, also under another
 * name; what is new is opened now, so that commit cannot fail.  It may have the
 * port of one that is not added again.
 *
 * name      of the source, as the label has it; copied, as is argument
 * argument  inputs_take() said true
 * source    its place among the ingest's (ingest_source_at())
 * reterr    without line and column
 *
 * Returns 0, -ENOMEM; -EINVAL: it is there twice, or no such thing; others,
 * as -EADDRINUSE or -EACCES: it cannot be opened; all of them with reterr.
 */
int inputs_add(struct inputs *ins, const char *name, const char *argument,
    size_t source, struct config_error *reterr)
    __attribute__((warn_unused_result));

/*
 * Closes what was not added again, begins to read what is new.
 *
 * ingest  where all lines go from now on; borrowed until the next commit
 */
void inputs_commit(struct inputs *ins, const struct ingest *ingest);

void inputs_cancel(struct inputs *ins);

/*
 * What has come until now is counted when this returns, but no more than
 * BOUNDS_DRAIN_BYTES of all inputs together: some tenths of a second.  What is
 * behind that, or comes meanwhile, is left to later turns.
 */
void inputs_drain(struct inputs *ins);

#endif
