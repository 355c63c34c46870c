#include "app/crew.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "accesslog/merge.h"
#include "app/pipeline.h"

struct worker {
	struct crew *crew;
	pthread_t thread;
	struct pipeline pipeline;
	bool is_made; /* the pipeline */
	char *buffer; /* BOUNDS_SCAN_BYTES of it, once the worker works */
	/* The log that was read last, and a stream at its beginning. */
	size_t log;
	struct ingest_stream begun;
	struct scan_count count;
	int error; /* in making the pipeline */
};

struct crew {
	const struct config *config;
	size_t n_logs;
	struct crew_log *logs;
	uint64_t size_bytes;
	bool is_endless; /* a stream is among them */
	size_t n_workers;
	size_t n_started;
	struct worker *workers;
	struct timespec start;
	/* Guards what follows, and what was found out about the logs. */
	pthread_mutex_t lock;
	pthread_cond_t done;
	size_t next_log;
	size_t next_part;
	size_t n_done; /* workers */
};

_Static_assert(BOUNDS_DETECT_BYTES <= BOUNDS_SCAN_BYTES,
    "a worker's buffer has the beginning of a log");

static size_t
count_cores(void)
{
	cpu_set_t cores;

	/* Fails above 1,024 cores, of which BOUNDS_WORKERS are enough. */
	if (sched_getaffinity(0, sizeof(cores), &cores))
		return BOUNDS_WORKERS;
	return (size_t)CPU_COUNT(&cores);
}

static int
make_pipeline(struct worker *w, struct config_error *reterr)
{
	struct ingest *before;
	int error;

	if (w->is_made)
		return 0;
	error = pipeline_init(&w->pipeline);
	if (error)
		return error;
	w->is_made = true;
	return pipeline_configure(&w->pipeline, w->crew->config, false, &before,
	    reterr);
}

static size_t
look_at_logs(struct crew *c)
{
	size_t i, n_parts = 0;

	for (i = 0; i < c->n_logs; i++) {
		struct crew_log *l = &c->logs[i];

		l->log.path = c->config->sources[i].paths[0];
		l->error = scan_look(l->log.path, &l->log);
		if (l->error)
			continue;
		n_parts += l->log.n_parts;
		c->size_bytes += l->log.size_bytes;
		c->is_endless |= l->log.kind == SCAN_STREAM;
	}
	return n_parts;
}

int
crew_create(const struct config *config, struct crew **ret_crew,
    struct config_error *reterr)
{
	struct crew *c = calloc(1, sizeof(*c));
	size_t n_cores = count_cores();
	pthread_condattr_t clock;
	size_t n_parts, i;
	int error = -ENOMEM;

	if (!c)
		return -ENOMEM;
	c->config = config;
	c->n_logs = config->n_sources;
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_condattr_init(&clock);
	(void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->done, &clock);
	(void)pthread_condattr_destroy(&clock);
	c->logs = calloc(c->n_logs + 1, sizeof(*c->logs));
	if (!c->logs)
		goto destroy;
	n_parts = look_at_logs(c);
	c->n_workers = n_parts < n_cores ? n_parts : n_cores;
	if (c->n_workers > BOUNDS_WORKERS)
		c->n_workers = BOUNDS_WORKERS;
	if (!c->n_workers)
		c->n_workers = 1; /* who counts nothing, for each source */
	c->workers = calloc(c->n_workers, sizeof(*c->workers));
	if (!c->workers)
		goto destroy;
	for (i = 0; i < c->n_workers; i++)
		c->workers[i] = (struct worker){ .crew = c, .log = SIZE_MAX };
	/* The first tells whether the configuration is right. */
	error = make_pipeline(&c->workers[0], reterr);
	if (error)
		goto destroy;
	*ret_crew = c;
	return 0;

destroy:
	crew_destroy(c);
	return error;
}

void
crew_destroy(struct crew *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; c->workers && i < c->n_workers; i++) {
		pipeline_release(&c->workers[i].pipeline);
		free(c->workers[i].buffer);
	}
	free(c->workers);
	free(c->logs);
	(void)pthread_cond_destroy(&c->done);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

const struct ingest *
crew_ingest(const struct crew *c)
{
	return c->workers[0].pipeline.ingest;
}

/* The next part that nobody has taken; false where there is none. */
static bool
take(struct crew *c, size_t *ret_log, size_t *ret_part)
{
	bool found = false;

	(void)pthread_mutex_lock(&c->lock);
	while (!found && c->next_log < c->n_logs) {
		const struct crew_log *l = &c->logs[c->next_log];

		if (c->next_part < l->log.n_parts) {
			*ret_log = c->next_log;
			*ret_part = c->next_part++;
			found = true;
		} else {
			c->next_log++;
			c->next_part = 0;
		}
	}
	(void)pthread_mutex_unlock(&c->lock);
	return found;
}

/* A part may be said to be over in any order. */
static void
note(struct crew *c, size_t log, size_t part, const struct ingest_stream *st,
    int error)
{
	struct crew_log *l = &c->logs[log];
	const char *format = ingest_format_name(st);
	bool has_time = decimal_compare(st->last_line, decimal_of(0)) != 0;

	(void)pthread_mutex_lock(&c->lock);
	l->has_lines |= st->lines.n_bytes[LINES_BYTES_READ] != 0;
	if (format && part >= l->format_part) {
		l->format = format;
		l->format_part = part;
	}
	if (has_time && part >= l->last_part) {
		l->last_line = st->last_line;
		l->last_part = part;
	}
	if (error && (!l->error || part < l->error_part)) {
		l->error = error;
		l->error_part = part;
	}
	(void)pthread_mutex_unlock(&c->lock);
}

/* The format of all parts is that of the beginning of the log. */
static int
begin(struct worker *w, size_t log, size_t part, struct ingest_stream *ret)
{
	const struct scan_log *l = &w->crew->logs[log].log;
	struct ingest_source *source = ingest_source_at(w->pipeline.ingest,
	    log);
	size_t len;
	int error;

	if (!part) {
		ingest_stream_init(ret, source, true);
		return 0;
	}
	if (w->log != log) {
		ingest_stream_init(&w->begun, source, false);
		error = scan_head(l, w->buffer, BOUNDS_DETECT_BYTES, &len);
		if (error)
			return error;
		ingest_recognise(&w->begun, str_of(w->buffer, len));
		w->log = log;
	}
	*ret = w->begun;
	return 0;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct crew *c = w->crew;
	struct config_error why;
	size_t log, part;

	w->buffer = malloc(BOUNDS_SCAN_BYTES);
	w->error = w->buffer ? make_pipeline(w, &why) : -ENOMEM;
	while (!w->error && take(c, &log, &part)) {
		struct ingest_stream stream;
		int error = begin(w, log, part, &stream);

		if (error)
			ingest_stream_init(&stream,
			    ingest_source_at(w->pipeline.ingest, log), false);
		else
			error = scan_part(&c->logs[log].log, part, w->buffer,
			    &stream, &w->count);
		note(c, log, part, &stream, error);
	}
	(void)pthread_mutex_lock(&c->lock);
	c->n_done++;
	(void)pthread_cond_signal(&c->done);
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

int
crew_start(struct crew *c)
{
	int error = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &c->start);
	while (c->n_started < c->n_workers && !error) {
		struct worker *w = &c->workers[c->n_started];

		error = pthread_create(&w->thread, NULL, work, w);
		c->n_started += !error;
	}
	/* Fewer do the work of all. */
	return c->n_started ? 0 : -error;
}

bool
crew_wait(struct crew *c, unsigned max_ms)
{
	struct timespec end;
	bool is_done;
	size_t i;
	int error = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += max_ms / 1000;
	end.tv_nsec += (long)(max_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	(void)pthread_mutex_lock(&c->lock);
	while (c->n_done < c->n_started && !error)
		error = max_ms
		    ? pthread_cond_timedwait(&c->done, &c->lock, &end)
		    : pthread_cond_wait(&c->done, &c->lock);
	is_done = c->n_done == c->n_started;
	(void)pthread_mutex_unlock(&c->lock);
	for (i = 0; is_done && i < c->n_started; i++)
		(void)pthread_join(c->workers[i].thread, NULL);
	return is_done;
}

void
crew_progress(struct crew *c, struct progress *ret_progress)
{
	struct progress p = { .size_bytes = c->is_endless ? 0 : c->size_bytes };
	struct timespec now;
	size_t i;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	p.ms = (uint64_t)(now.tv_sec - c->start.tv_sec) * 1000 +
	    (uint64_t)((now.tv_nsec - c->start.tv_nsec) / 1000000);
	for (i = 0; i < c->n_started; i++) {
		p.n_bytes += atomic_load(&c->workers[i].count.n_bytes);
		p.n_lines += atomic_load(&c->workers[i].count.n_lines);
	}
	*ret_progress = p;
}

int
crew_merge(struct crew *c, struct metrics *m)
{
	struct registry *registries[BOUNDS_WORKERS];
	size_t i, n = 0;
	int error = 0;

	assert(c->n_started <= BOUNDS_WORKERS);
	/* One that could not begin has left its work to the others. */
	for (i = 0; i < c->n_started; i++) {
		if (c->workers[i].error)
			error = c->workers[i].error;
		else
			registries[n++] = c->workers[i].pipeline.registry;
	}
	if (n)
		error = merge_registries(m->registry, registries, n);
	registry_lock(m->registry);
	for (i = 0; i < c->n_logs && !error; i++) {
		const struct crew_log *l = &c->logs[i];
		struct str values[2] = { str_from(c->config->sources[i].name) };

		if (decimal_compare(l->last_line, decimal_of(0)) != 0)
			error = metrics_set(m, METRICS_LAST_LINE, values,
			    l->last_line);
		if (l->format && !error) {
			values[1] = str_from(l->format);
			error = metrics_set(m, METRICS_FORMAT_INFO, values,
			    decimal_of(1));
		}
	}
	registry_unlock(m->registry);
	return error;
}

const struct crew_log *
crew_log_at(const struct crew *c, size_t i)
{
	return &c->logs[i];
}
