/*
 * What serve answers over HTTP: the metrics, the page for people, whether it is
 * well, and a reload.
 *
 * A scrape waits until the loop has counted and saved what is in the logs; what
 * the loop does for that is not known here, but the rendezvous where it
 * is asked.
 *
 * Thread: what is not static in answers.c is for the loop thread, and for the
 * main thread before it; the rest runs on the HTTP threads.
 */
#ifndef ACCESSLOG_ANSWERS_H
#define ACCESSLOG_ANSWERS_H

#include <stdbool.h>

#include "accesslog/buf.h"
#include "app/keeper.h"
#include "app/options.h"
#include "app/pipeline.h"
#include "io/httpd.h"
#include "io/paths.h"
#include "io/rendezvous.h"

struct answers {
	/* Borrowed, and set before answers_create(). */
	const struct options *options;
	struct pipeline *pipeline;
	struct keeper *keeper;
	struct rendezvous *counted; /* what is in the logs is counted */
	struct rendezvous *saved; /* and saved */
	struct rendezvous *reload;
	struct rendezvous *alive; /* the loop; answered in its next turn */
	/* Guarded by the registry's lock. */
	struct paths names; /* of the sources */
	bool is_reloaded; /* how it went */
	struct buf why_not; /* what is to be said where it went wrong */
};

/*
 * ret_httpd  nothing listens yet; to be destroyed before a
 *
 * Returns 0 or -ENOMEM.
 */
int answers_create(struct answers *a, struct httpd **ret_httpd)
    __attribute__((warn_unused_result));

/* Who waits for the loop waits no more, now and from now on. */
void answers_let_go(struct answers *a);

/* The names of the sources; *names is then what they were before. */
void answers_swap_names(struct answers *a, struct paths *names);

/*
 * How the last reload went.
 *
 * why_not  where it went wrong, a string with its NUL; taken
 */
void answers_note_reload(struct answers *a, bool is_successful,
    struct buf *why_not);

/* After the server is gone. */
void answers_release(struct answers *a);

#endif
