#include "io/reader.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include <uv.h>

#include "io/wall_clock.h"

struct reader {
	struct metrics *metrics;
	struct reader_options options;
	uv_loop_t *loop;
	uv_timer_t poll; /* while files are held, or could not be read */
	uv_idle_t idle; /* while some file is behind */
	unsigned n_handles; /* not closed yet */
	struct reader_list files;
	size_t n_files;
	size_t n_open_files; /* with a descriptor */
	void *by_id; /* tsearch(3): struct reader_file */
	bool has_started; /* what was there at the start was read */
	bool is_awaiting; /* on_caught_up is due when n_awaited is 0 */
	size_t n_awaited;
	char buffer[BOUNDS_READ_BYTES];
};

static int
compare_ids(const void *a, const void *b)
{
	struct follow_id x = ((const struct reader_file *)a)->file->known.id;
	struct follow_id y = ((const struct reader_file *)b)->file->known.id;

	if (x.device != y.device)
		return x.device < y.device ? -1 : 1;
	return (x.inode > y.inode) - (x.inode < y.inode);
}

const struct reader_list *
reader_files(const struct reader *r)
{
	return &r->files;
}

struct reader_file *
reader_find(const struct reader *r, struct follow_id id)
{
	struct file file = { .known = { .id = id } };
	struct reader_file wanted = { .file = &file };
	void *found = tfind(&wanted, &r->by_id, compare_ids);

	return found ? *(struct reader_file **)found : NULL;
}

void
reader_tell(const struct reader_source *s, enum event_kind kind,
    const char *path, const char *detail, int error)
{
	const struct reader_options *o = &s->reader->options;
	struct event event = { kind, s->name, path, detail, error };

	o->on_event(o->arg, &event);
}

void
reader_count(const struct reader_source *s, enum metrics_id id,
    const char *label, uint64_t n)
{
	struct metrics *m = s->reader->metrics;
	struct str values[] = { str_from(s->name), str_from(label) };
	int error;

	registry_lock(m->registry);
	error = metrics_add(m, id, values, decimal_of(n));
	registry_unlock(m->registry);
	(void)error; /* out of memory: a count of the exporter's own is short */
}

uint64_t
reader_now_ms(const struct reader *r)
{
	return uv_now(r->loop);
}

bool
reader_is_full(const struct reader *r)
{
	return r->n_files == BOUNDS_FILES ||
	    r->n_open_files >= r->options.max_open_files;
}

static struct reader_file *
add(struct reader_source *s, struct file *file)
{
	struct reader *r = s->reader;
	struct reader_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->source = s;
	f->file = file;
	f->quiet_since_ms = uv_now(r->loop);
	if (!tsearch(f, &r->by_id, compare_ids)) {
		free(f);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&r->files, f, entry);
	r->n_files++;
	file_begin(file);
	return f;
}

struct reader_file *
reader_add(struct reader_source *s, struct file *file)
{
	struct reader_file *f = reader_is_full(s->reader) ? NULL : add(s, file);

	if (f)
		s->reader->n_open_files++;
	return f;
}

/* Of a file whose inode another one has: no file system is device 0. */
static struct follow_id
unused_id(const struct reader *r, struct follow_id id)
{
	id.device = 0;
	while (reader_find(r, id))
		id.inode++;
	return id;
}

struct reader_file *
reader_remember(struct reader_source *s, struct file *file)
{
	const struct reader_file *other = reader_find(s->reader,
	    file->known.id);

	if (s->reader->n_files == BOUNDS_FILES ||
	    (other && file_was_born_as(other->file, file)))
		return NULL;
	if (other)
		file->known.id = unused_id(s->reader, file->known.id);
	return add(s, file);
}

void
reader_yield(struct reader_file *f, const struct file *file)
{
	struct reader *r = f->source->reader;
	struct follow_id id = f->file->known.id;
	bool is_other = !file_was_born_as(f->file, file);

	if (is_other) {
		(void)tdelete(f, &r->by_id, compare_ids);
		f->file->known.id = unused_id(r, id);
		if (tsearch(f, &r->by_id, compare_ids))
			return;
		f->file->known.id = id; /* out of memory */
	}
	reader_forget(f);
}

void
reader_replace(struct reader_file *f, struct file *file)
{
	file_abandon(f->file);
	file_destroy(f->file);
	f->file = file;
	f->is_undecided = false;
	file_begin(file);
}

/* It is awaited no more, once it was read so far or can be read no more. */
static void
settle(struct reader_file *f)
{
	const struct file *file = f->file;
	bool is_reached = !file->gunzip &&
	    file->known.offset >= f->awaited_bytes;

	if (!f->is_awaited || (file->is_behind && !is_reached))
		return;
	f->is_awaited = false;
	f->source->reader->n_awaited--;
}

void
reader_close(struct reader_file *f)
{
	if (f->file->fd < 0)
		return;
	file_close(f->file);
	settle(f);
	f->source->reader->n_open_files--;
}

enum follow_content
reader_reopen(struct reader_file *f, struct file *file)
{
	enum follow_content content;
	bool has_changed;

	f->file->fd = file->fd;
	content = file_look(f->file, NULL, &has_changed).content;
	if (content != FOLLOW_READ_ON) {
		f->file->fd = -1;
		return content;
	}
	file->fd = -1;
	f->is_unseen = false;
	f->is_hidden = false;
	f->source->reader->n_open_files++;
	return content;
}

/* What it lags behind by goes with it. */
static void
rebind_file(struct reader_file *f, struct ingest_source *to)
{
	const struct follow_known *known = &f->file->known;
	int64_t lag_bytes = (int64_t)(known->size_bytes - known->offset);

	ingest_grow(&f->file->stream, -lag_bytes);
	ingest_stream_move(&f->file->stream, to);
	ingest_grow(&f->file->stream, lag_bytes);
}

void
reader_move(struct reader_file *f, struct reader_source *to)
{
	struct place *place = f->place;
	const struct reader_options *o = &to->reader->options;

	rebind_file(f, to->ingest);
	f->source = to;
	f->place = NULL;
	if (place)
		o->on_lost(o->arg, place, -ENOENT);
}

void
reader_rebind(struct reader_source *s, struct ingest_source *to)
{
	struct reader_file *f;

	TAILQ_FOREACH(f, &s->reader->files, entry) {
		if (f->source == s)
			rebind_file(f, to);
	}
	/* What was given is told of when it is recognised. */
	if (ingest_source_has_format(s->ingest) &&
	    !ingest_source_has_format(to))
		paths_release(&s->formats);
	s->ingest = to;
	s->told_no_format = false;
}

void
reader_forget(struct reader_file *f)
{
	struct reader *r = f->source->reader;

	file_abandon(f->file);
	reader_close(f);
	r->options.on_change(r->options.arg);
	(void)tdelete(f, &r->by_id, compare_ids);
	TAILQ_REMOVE(&r->files, f, entry);
	r->n_files--;
	file_destroy(f->file);
	free(f);
}

static void
poll_came(uv_timer_t *timer)
{
	struct reader *r = timer->data;
	struct reader_file *f;
	bool is_needed = false;

	reader_look_held(r);
	TAILQ_FOREACH(f, &r->files, entry) {
		if (f->file->is_stalled)
			reader_read(f);
		is_needed |= f->file->is_stalled ||
		    (!f->place && f->file->fd >= 0);
	}
	if (!is_needed)
		(void)uv_timer_stop(timer);
}

static void
need_poll(struct reader *r)
{
	if (!uv_is_active((uv_handle_t *)&r->poll))
		(void)uv_timer_start(&r->poll, poll_came, BOUNDS_POLL_MS,
		    BOUNDS_POLL_MS);
}

void
reader_hold(struct reader_file *f)
{
	struct reader *r = f->source->reader;

	f->place = NULL;
	f->quiet_since_ms = uv_now(r->loop);
	need_poll(r);
}

static void
set_format_info(const struct reader_source *s, const char *format)
{
	struct metrics *m = s->reader->metrics;
	struct str values[] = { str_from(s->name), str_from(format) };
	int error;

	registry_lock(m->registry);
	error = metrics_set(m, METRICS_FORMAT_INFO, values, decimal_of(1));
	registry_unlock(m->registry);
	(void)error; /* out of memory: it is not shown */
}

static void
tell_format(const struct reader_file *f)
{
	struct reader_source *s = f->source;
	const char *name = ingest_format_name(&f->file->stream);
	size_t n = s->formats.n;

	if (!name) {
		if (f->file->known.offset && !s->told_no_format) {
			s->told_no_format = true;
			reader_tell(s, EVENT_NO_FORMAT, f->file->path, NULL, 0);
		}
		return;
	}
	if (paths_add(&s->formats, name) || s->formats.n == n)
		return; /* known, or no memory to remember it */
	set_format_info(s, name);
	if (!ingest_source_has_format(f->file->stream.source))
		reader_tell(s, EVENT_FORMAT, f->file->path, name, 0);
}

/* What is unread will not be read. */
static void
abandon(struct reader_file *f)
{
	const struct follow_known *known = &f->file->known;

	if (known->size_bytes > known->offset)
		reader_count(f->source, METRICS_LOST_BYTES, "removed",
		    known->size_bytes - known->offset);
	file_abandon(f->file);
}

/* The file is gone for good, as on NFS when it was removed elsewhere. */
static void
lose(struct reader_file *f, int error)
{
	const struct reader_options *o = &f->source->reader->options;
	struct place *place = f->place;

	abandon(f);
	reader_close(f);
	f->place = NULL;
	if (place)
		o->on_lost(o->arg, place, error);
}

static void
read_now(struct reader_file *f, uint64_t max_bytes)
{
	struct reader *r = f->source->reader;
	uint64_t before = f->file->known.offset;
	int error;

	registry_lock(r->metrics->registry);
	wall_clock_tell(r->metrics->registry);
	registry_unlock(r->metrics->registry);
	error = file_read(f->file, r->buffer, max_bytes);
	if (f->file->known.offset != before)
		r->options.on_change(r->options.arg);
	if (f->file->missing_bytes)
		reader_count(f->source, METRICS_LOST_BYTES,
		    f->file->gunzip ? "removed" : "truncated",
		    f->file->missing_bytes);
	f->file->missing_bytes = 0;
	settle(f);
	tell_format(f);
	if (error && error != f->error && error != -ENOMEM)
		reader_tell(f->source, EVENT_UNREADABLE, f->file->path, NULL,
		    error);
	f->error = error;
	if (error == -ESTALE || error == -EBADMSG)
		lose(f, error);
	else if (error)
		need_poll(r); /* nothing is lost: it is read on from there */
}

/* One that is awaited, before one that is not. */
static struct reader_file *
find_behind(const struct reader *r)
{
	struct reader_file *f, *behind = NULL;

	TAILQ_FOREACH(f, &r->files, entry) {
		if (f->file->is_behind && f->is_awaited)
			return f;
		if (f->file->is_behind && !behind)
			behind = f;
	}
	return behind;
}

bool
reader_await(struct reader *r)
{
	struct reader_file *f;

	TAILQ_FOREACH(f, &r->files, entry) {
		if (!f->file->is_behind)
			continue;
		r->n_awaited += !f->is_awaited;
		f->is_awaited = true;
		f->awaited_bytes = f->file->known.size_bytes;
	}
	r->is_awaiting = r->n_awaited > 0;
	return r->is_awaiting;
}

bool
reader_is_awaiting(const struct reader *r)
{
	return r->is_awaiting;
}

/*
 * One file that is behind gets its turn, and goes to the end of the list; then
 * the loop gets its own.
 */
static void
idle_came(uv_idle_t *idle)
{
	struct reader *r = idle->data;
	struct reader_file *f = find_behind(r);

	if (f) {
		if (r->has_started) {
			TAILQ_REMOVE(&r->files, f, entry);
			TAILQ_INSERT_TAIL(&r->files, f, entry);
		}
		read_now(f, BOUNDS_TURN_BYTES);
	} else {
		(void)uv_idle_stop(idle);
	}
	if (!r->is_awaiting || r->n_awaited)
		return;
	r->is_awaiting = false;
	r->has_started = true;
	r->options.on_caught_up(r->options.arg);
}

void
reader_read(struct reader_file *f)
{
	struct reader *r = f->source->reader;

	if (r->has_started)
		read_now(f, BOUNDS_READ_BYTES);
	else
		f->file->is_behind = true;
	if (f->file->is_behind)
		(void)uv_idle_start(&r->idle, idle_came);
}

static int
compare_ages(const void *a, const void *b)
{
	struct timespec x = (*(struct reader_file *const *)a)->file->modified;
	struct timespec y = (*(struct reader_file *const *)b)->file->modified;

	if (x.tv_sec != y.tv_sec)
		return x.tv_sec < y.tv_sec ? -1 : 1;
	return (x.tv_nsec > y.tv_nsec) - (x.tv_nsec < y.tv_nsec);
}

void
reader_start(struct reader *r)
{
	struct reader_file **files = calloc(r->n_files + 1,
	    sizeof(struct reader_file *));
	struct reader_file *f;
	size_t n = 0, i;

	if (!files) {
		r->has_started = true; /* in the order in which they came */
		return;
	}
	TAILQ_FOREACH(f, &r->files, entry)
		files[n++] = f;
	qsort(files, n, sizeof(struct reader_file *), compare_ages);
	TAILQ_INIT(&r->files);
	for (i = 0; i < n; i++)
		TAILQ_INSERT_TAIL(&r->files, files[i], entry);
	free(files);
	r->has_started = !reader_await(r);
}

static void
decide(struct reader_file *f)
{
	const struct reader_options *o = &f->source->reader->options;

	if (o->is_copy(o->arg, f)) {
		file_mark_read(f->file);
		f->is_copy = true;
		reader_close(f);
	} else if (f->is_undecided) {
		f->file->is_stalled = true; /* until it is decided */
	}
}

enum follow_place
reader_look(struct reader_file *f, const char *path, bool *ret_has_changed)
{
	bool has_changed;
	struct follow_decision d = file_look(f->file, path, &has_changed);

	switch (d.content) {
	case FOLLOW_READ_ON:
		if (d.lost_bytes &&
		    (f->file->known.offset > 0 ||
			!f->source->reader->options.on_cut(
			    f->source->reader->options.arg, f)))
			reader_count(f->source, METRICS_LOST_BYTES, "truncated",
			    d.lost_bytes);
		break;
	case FOLLOW_TRUNCATED:
		if (!f->source->reader->options.on_cut(
			f->source->reader->options.arg, f) &&
		    d.lost_bytes)
			reader_count(f->source, METRICS_LOST_BYTES, "truncated",
			    d.lost_bytes);
		reader_count(f->source, METRICS_ROTATIONS, "truncated", 1);
		reader_tell(f->source, EVENT_TRUNCATED, f->file->path, NULL, 0);
		file_restart(f->file);
		f->awaited_bytes = f->file->known.size_bytes;
		f->was_cut = true;
		has_changed = true;
		break;
	case FOLLOW_WAIT:
		*ret_has_changed = false;
		return d.place;
	}
	if (f->is_undecided && f->file->known.size_bytes)
		decide(f);
	if (f->file->fd >= 0 && !f->is_undecided &&
	    (has_changed || f->file->is_stalled))
		reader_read(f);
	*ret_has_changed = has_changed;
	return d.place;
}

/* Keeps the last BOUNDS_FINISHED finished files of a source without a glob. */
static void
forget_oldest(struct reader_source *s)
{
	struct reader_file *f, *oldest = NULL;
	size_t n = 0;

	if (s->keeps_finished)
		return;
	TAILQ_FOREACH(f, &s->reader->files, entry) {
		if (f->source != s || f->place || f->file->fd >= 0)
			continue;
		if (!oldest)
			oldest = f;
		n++;
	}
	if (n > BOUNDS_FINISHED)
		reader_forget(oldest);
}

/* It may come back to a path: it must be known as read. */
static void
finish(struct reader_file *f)
{
	f->is_finishing = false;
	reader_tell(f->source, EVENT_FINISHED, f->file->path, NULL, 0);
	reader_close(f);
	forget_oldest(f->source);
}

/* Finished ones may be forgotten on the way, open ones not. */
static struct reader_file *
next_open(const struct reader_file *f)
{
	struct reader_file *next = TAILQ_NEXT(f, entry);

	while (next && next->file->fd < 0)
		next = TAILQ_NEXT(next, entry);
	return next;
}

static void
look_held(struct reader_file *f)
{
	struct reader *r = f->source->reader;
	uint64_t now_ms = uv_now(r->loop);
	bool has_changed;

	(void)reader_look(f, NULL, &has_changed);
	if (has_changed || f->file->is_behind)
		f->quiet_since_ms = now_ms;
	if (f->file->fd < 0) {
		forget_oldest(f->source); /* it was lost */
		return;
	}
	if (f->file->is_stalled ||
	    !follow_finished(f->quiet_since_ms, now_ms, BOUNDS_HOLD_MS)) {
		f->is_finishing = false;
		f->is_saved = false;
		return;
	}
	if (f->is_finishing)
		return; /* until it is saved */
	file_read_rest(f->file, r->buffer);
	abandon(f);
	f->is_finishing = true;
	r->options.on_change(r->options.arg);
	if (r->options.on_finished)
		r->options.on_finished(r->options.arg);
	else
		finish(f);
}

void
reader_saved(struct reader *r)
{
	struct reader_file *f, *next;

	for (f = TAILQ_FIRST(&r->files); f; f = next) {
		next = next_open(f);
		if (f->is_finishing && f->is_saved)
			finish(f);
	}
}

void
reader_look_held(struct reader *r)
{
	struct reader_file *f, *next;

	for (f = TAILQ_FIRST(&r->files); f; f = next) {
		bool is_held = !f->place && f->file->fd >= 0;

		next = next_open(f);
		if (is_held)
			look_held(f);
	}
}

void
reader_finish(struct reader *r, uint64_t deadline_ns)
{
	struct reader_file *f;
	bool has_changed;

	TAILQ_FOREACH(f, &r->files, entry) {
		if (f->file->fd < 0 || uv_hrtime() >= deadline_ns)
			continue;
		(void)reader_look(f, NULL, &has_changed);
		while (f->file->is_unlinked && f->file->is_behind &&
		    uv_hrtime() < deadline_ns)
			read_now(f, BOUNDS_TURN_BYTES);
	}
}

int
reader_create(struct uv_loop_s *loop, struct metrics *metrics,
    const struct reader_options *options, struct reader **ret_reader)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->metrics = metrics;
	r->options = *options;
	TAILQ_INIT(&r->files);
	(void)uv_timer_init(loop, &r->poll); /* these two cannot fail */
	(void)uv_idle_init(loop, &r->idle);
	r->poll.data = r;
	r->idle.data = r;
	r->n_handles = 2;
	*ret_reader = r;
	return 0;
}

static void
handle_closed(uv_handle_t *handle)
{
	struct reader *r = handle->data;

	if (!--r->n_handles)
		free(r);
}

void
reader_destroy(struct reader *r)
{
	struct reader_file *f, *next;

	if (!r)
		return;
	for (f = TAILQ_FIRST(&r->files); f; f = next) {
		next = TAILQ_NEXT(f, entry);
		reader_forget(f);
	}
	uv_close((uv_handle_t *)&r->poll, handle_closed);
	uv_close((uv_handle_t *)&r->idle, handle_closed);
}
