/*
 * The threads of a scan, one a core.  Each has a pipeline of its own and takes
 * the next part of the next log that nobody has taken; at the end what they
 * have counted is added up.
 *
 * What a part counts does not depend on who reads it or when, and what is not a
 * sum (the format of a log, the time of its last line, its failure) is that of
 * the part that comes last, or first, in the log.  So the result is the same
 * for any number of cores.
 *
 * Thread: the main thread.
 */
#ifndef ACCESSLOG_CREW_H
#define ACCESSLOG_CREW_H

#include "accesslog/config.h"
#include "accesslog/ingest.h"
#include "accesslog/metrics.h"
#include "accesslog/progress.h"
#include "io/scan.h"

struct crew_log {
	struct scan_log log;
	bool has_lines;
	const char *format; /* NULL: none was recognised */
	size_t format_part;
	struct decimal last_line; /* its time; 0: none had one */
	size_t last_part;
	int error; /* as scan_look() and scan_part() return it, or 0 */
	size_t error_part;
};

struct crew;

/*
 * Looks at the logs.
 *
 * config    each source is one log, its path the first; borrowed for the life
 *           of the crew
 * ret_crew  crew_destroy(); untouched on failure
 *
 * Returns 0; -EINVAL with reterr: a format is wrong; -ENOMEM, -Exxx.
 */
int crew_create(const struct config *config, struct crew **ret_crew,
    struct config_error *reterr) __attribute__((warn_unused_result));

/* NULL does nothing.  Nobody may be at work. */
void crew_destroy(struct crew *c);

/* Before the work: what the logs go through, its sources those of the config. */
const struct ingest *crew_ingest(const struct crew *c);

/* Sends the threads to work.  Returns 0, -EAGAIN, -ENOMEM. */
int crew_start(struct crew *c) __attribute__((warn_unused_result));

/*
 * Waits for all of them, but not longer than it is told.
 *
 * max_ms  0: without end
 *
 * Returns whether the work is done.
 */
bool crew_wait(struct crew *c, unsigned max_ms);

/* How far they are now. */
void crew_progress(struct crew *c, struct progress *ret_progress);

/*
 * After the work: add what was counted to the families of m, which are empty.
 *
 * Returns 0; -ENOMEM, -Exxx: nothing was counted, or not all of it was added.
 */
int crew_merge(struct crew *c, struct metrics *m)
    __attribute__((warn_unused_result));

/* After the work: the log of one source. */
const struct crew_log *crew_log_at(const struct crew *c, size_t i);

#endif
