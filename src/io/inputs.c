#include "io/inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "io/input.h"
#include "io/input_datagram.h"
#include "io/input_pipe.h"
#include "io/input_tcp.h"
#include "io/listening.h"

struct inputs {
	struct inputs_options options;
	TAILQ_HEAD(input_list, input) list;
	size_t n;
	uv_timer_t retry; /* while some input is stalled */
	struct input_common common; /* its buffer comes last */
};

static void
retry_came(uv_timer_t *timer)
{
	struct inputs *ins = timer->data;
	struct input *in;
	bool is_over = true;

	TAILQ_FOREACH(in, &ins->list, entry)
		is_over = in->ops->retry(in) && is_over;
	if (is_over)
		(void)uv_timer_stop(timer);
}

static void
input_stalled(void *arg)
{
	struct inputs *ins = arg;

	if (!uv_is_active((uv_handle_t *)&ins->retry))
		(void)uv_timer_start(&ins->retry, retry_came, BOUNDS_POLL_MS,
		    BOUNDS_POLL_MS);
}

static void
stdin_ended(void *arg)
{
	struct inputs *ins = arg;

	if (ins->n == 1)
		ins->options.on_ended(ins->options.arg);
}

int
inputs_create(struct uv_loop_s *loop, struct metrics *metrics,
    const struct inputs_options *options, struct inputs **ret_inputs)
{
	struct inputs *ins = malloc(sizeof(*ins));

	if (!ins)
		return -ENOMEM;
	/* No page of the buffer is used where there is no input. */
	memset(ins, 0, offsetof(struct inputs, common.buffer));
	ins->options = *options;
	ins->common.loop = loop;
	ins->common.metrics = metrics;
	ins->common.on_event = options->on_event;
	ins->common.on_change = options->on_change;
	ins->common.on_stalled = input_stalled;
	ins->common.on_ended = stdin_ended;
	ins->common.options_arg = options->arg;
	ins->common.arg = ins;
	TAILQ_INIT(&ins->list);
	(void)uv_timer_init(loop, &ins->retry); /* cannot fail */
	ins->retry.data = ins;
	*ret_inputs = ins;
	return 0;
}

static void
drop(struct inputs *ins, struct input *in)
{
	TAILQ_REMOVE(&ins->list, in, entry);
	ins->n--;
	in->ops->destroy(in);
}

static void
handle_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
inputs_destroy(struct inputs *ins)
{
	if (!ins)
		return;
	while (!TAILQ_EMPTY(&ins->list))
		drop(ins, TAILQ_FIRST(&ins->list));
	uv_close((uv_handle_t *)&ins->retry, handle_closed);
}

bool
inputs_take(const char *argument)
{
	struct config_error why;
	struct endpoint endpoint;

	return endpoint_parse(argument, &endpoint, &why) ||
	    endpoint.kind != ENDPOINT_PATH || input_pipe_is_fifo(argument);
}

/* What was added since the last commit goes. */
void
inputs_cancel(struct inputs *ins)
{
	struct input *in, *next;

	for (in = TAILQ_FIRST(&ins->list); in; in = next) {
		next = TAILQ_NEXT(in, entry);
		free(in->next_name);
		in->next_name = NULL;
		in->is_wanted = false;
		in->has_shared = false;
		if (in->is_new)
			drop(ins, in);
	}
}

void
inputs_begin(struct inputs *ins)
{
	inputs_cancel(ins);
	inputs_drain(ins); /* of those that go */
}

static int
open_input(struct inputs *ins, const char *name, const char *argument,
    struct input **ret_input, struct config_error *reterr)
{
	struct endpoint endpoint;
	int error = endpoint_parse(argument, &endpoint, reterr);

	if (error)
		return error;
	switch (endpoint.kind) {
	case ENDPOINT_PATH:
	case ENDPOINT_STDIN:
		return input_pipe_create(&ins->common, name, argument,
		    ret_input, reterr);
	case ENDPOINT_SYSLOG_UDP:
	case ENDPOINT_SYSLOG_UNIX:
		return input_datagram_create(&ins->common, name, argument,
		    &endpoint, ret_input, reterr);
	case ENDPOINT_JSON_TCP:
		return input_tcp_create(&ins->common, name, argument, &endpoint,
		    ret_input, reterr);
	}
	return -EINVAL;
}

/* Those that the configuration has not named yet may be on their way out. */
static void
share_ports(struct inputs *ins, bool shares)
{
	struct input *in;

	ins->common.shares = shares;
	TAILQ_FOREACH(in, &ins->list, entry) {
		if (in->listening_fd >= 0 && !in->is_wanted)
			listening_share(in->listening_fd, shares);
	}
}

static bool
has_same_port(const struct input *a, const struct input *b)
{
	return a->kind == b->kind && a->listening_fd >= 0 &&
	    b->listening_fd >= 0 &&
	    listening_port(a->listening_fd) == listening_port(b->listening_fd);
}

/* Whether it has its port from one that the configuration has not named yet. */
static bool
has_taken_over(const struct inputs *ins, const struct input *in)
{
	const struct input *other;

	TAILQ_FOREACH(other, &ins->list, entry) {
		if (!other->is_wanted && has_same_port(other, in))
			return true;
	}
	return false;
}

/*
 * Where an address is in use by an input that goes, as 127.0.0.1 by one that
 * shall listen everywhere, both have the port until the commit: there is a way
 * back.
 */
static int
open_or_take_over(struct inputs *ins, const char *name, const char *argument,
    struct input **ret_input, struct config_error *reterr)
{
	int error = open_input(ins, name, argument, ret_input, reterr);
	struct config_error why;
	struct input *in;

	if (error != -EADDRINUSE)
		return error;
	share_ports(ins, true);
	error = open_input(ins, name, argument, &in, &why);
	share_ports(ins, false);
	if (error)
		return -EADDRINUSE; /* as it was said */
	if (!has_taken_over(ins, in)) {
		in->ops->destroy(in); /* somebody else shares theirs */
		return -EADDRINUSE;
	}
	in->has_shared = true;
	*ret_input = in;
	return 0;
}

/* Whether in, which stays, has lost its port to one that is new. */
static bool
is_taken_over(const struct inputs *ins, const struct input *in)
{
	const struct input *other;

	TAILQ_FOREACH(other, &ins->list, entry) {
		if (other->has_shared && has_same_port(other, in))
			return true;
	}
	return false;
}

static struct input *
find(const struct inputs *ins, const char *argument)
{
	struct input *in;

	TAILQ_FOREACH(in, &ins->list, entry) {
		if (!strcmp(in->argument, argument))
			return in;
	}
	return NULL;
}

/* Those of the configuration so far. */
static size_t
count_wanted(const struct inputs *ins)
{
	const struct input *in;
	size_t n = 0;

	TAILQ_FOREACH(in, &ins->list, entry)
		n += in->is_wanted;
	return n;
}

int
inputs_add(struct inputs *ins, const char *name, const char *argument,
    size_t source, struct config_error *reterr)
{
	struct input *in = find(ins, argument);
	char *next_name;
	int error;

	if (in && in->is_wanted)
		return config_error_set(reterr, 0, 0,
		    "%.160s is there twice; each of its lines is read once, so "
		    "write it in one place",
		    argument);
	if (in && is_taken_over(ins, in)) {
		(void)config_error_set(reterr, 0, 0,
		    "the port of %.160s is in use by another input of this "
		    "configuration; choose another",
		    argument);
		return -EADDRINUSE;
	}
	if (count_wanted(ins) == BOUNDS_INPUTS)
		return config_error_set(reterr, 0, 0,
		    "more than %d inputs that are no files; write fewer",
		    BOUNDS_INPUTS);
	next_name = strdup(name);
	if (!next_name)
		return -ENOMEM;
	if (!in) {
		error = open_or_take_over(ins, name, argument, &in, reterr);
		if (error) {
			free(next_name);
			return error;
		}
		in->is_new = true;
		TAILQ_INSERT_TAIL(&ins->list, in, entry);
		ins->n++;
	}
	in->is_wanted = true;
	in->next_name = next_name;
	in->next_source = source;
	return 0;
}

/* It goes on, or begins, as it was said of it. */
static void
renew(struct input *in, struct ingest_source *to)
{
	bool has_new_name = strcmp(in->name, in->next_name) != 0;

	free(in->name);
	in->name = in->next_name;
	in->next_name = NULL;
	in->is_wanted = false;
	in->is_new = false;
	in->has_shared = false;
	in->told_no_format = false;
	/* What was given is told of when it is recognised. */
	if (has_new_name ||
	    (in->ingest && ingest_source_has_format(in->ingest) &&
		!ingest_source_has_format(to)))
		paths_release(&in->formats);
	if (!in->ingest) {
		in->ingest = to;
		in->ops->start(in);
		return;
	}
	in->ops->move(in, to);
	in->ingest = to;
}

void
inputs_commit(struct inputs *ins, const struct ingest *ingest)
{
	struct input *in, *next;

	for (in = TAILQ_FIRST(&ins->list); in; in = next) {
		next = TAILQ_NEXT(in, entry);
		if (in->is_wanted)
			renew(in, ingest_source_at(ingest, in->next_source));
		else
			drop(ins, in);
	}
}

void
inputs_drain(struct inputs *ins)
{
	struct input *in, *last;

	ins->common.drain_bytes = BOUNDS_DRAIN_BYTES;
	/* Those that had their turn go behind those that the next begins with. */
	last = TAILQ_LAST(&ins->list, input_list);
	for (in = NULL; in != last && ins->common.drain_bytes;) {
		in = TAILQ_FIRST(&ins->list);
		TAILQ_REMOVE(&ins->list, in, entry);
		TAILQ_INSERT_TAIL(&ins->list, in, entry);
		in->ops->drain(in);
	}
}
