#include "io/watch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <uv.h>

#include "accesslog/bounds.h"
#include "io/paths.h"

/* What the kernel's inotify(7) queues when nothing else is set. */
#define DEFAULT_QUEUED_EVENTS 16384

struct watch_dir {
	TAILQ_ENTRY(watch_dir) entry;
	struct watch *watch;
	unsigned n_users;
	char *path;
	uv_fs_event_t event;
	bool is_watched; /* the event handle is running; else it is polled */
	bool is_pending; /* an event came in this turn of the loop */
	dev_t device; /* of what is watched */
	ino_t inode;
	uint64_t second; /* the events of this second of the loop's clock */
	unsigned n_events;
	unsigned n_quiet; /* ticks in a row that found nothing */
};

struct watch {
	uv_loop_t *loop;
	watch_look_fn look;
	watch_full_fn on_full;
	bool is_full; /* it was told */
	void *arg;
	TAILQ_HEAD(dir_list, watch_dir) dirs;
	uv_timer_t timer;
	uint64_t n_ticks;
	uint64_t tick_ms; /* 0 while the timer does not run */
	uv_check_t check; /* runs once after the events of a turn */
	uint64_t n_events; /* in this turn */
	uint64_t queue_events; /* so many at once, and some were dropped */
	uint64_t turn; /* see watch_turn() */
	unsigned n_open; /* handles that are not closed yet */
};

/*
 * File systems that other machines can change: inotify sees only what this one
 * does.  The numbers are in statfs(2).
 */
static bool
is_remote(const char *path)
{
	static const long remote[] = {
		0x6969, /* NFS */
		0x517B, /* SMB */
		0xFE534D42, /* SMB2 */
		0xFF534D42, /* CIFS */
		0x65735546, /* FUSE */
		0x01021997, /* 9P */
		0x00C36400, /* Ceph */
		0x5346414F, /* AFS */
		0x73757245, /* Coda */
		0x0BD00BD0, /* Lustre */
		0x01161970, /* GFS2 */
		0x7461636F, /* OCFS2 */
	};
	struct statfs fs;
	size_t i;

	if (statfs(path, &fs))
		return false;
	for (i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
		if (((unsigned long)fs.f_type & 0xFFFFFFFFu) ==
		    (unsigned long)remote[i])
			return true;
	}
	return false;
}

static uint64_t
read_queue_events(void)
{
	char text[24] = { 0 };
	unsigned long n = 0;
	int fd = open("/proc/sys/fs/inotify/max_queued_events",
	    O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) > 0)
			n = strtoul(text, NULL, 10);
		(void)close(fd);
	}
	return n ? n : DEFAULT_QUEUED_EVENTS;
}

static void
count_event(struct watch_dir *d)
{
	uint64_t second = uv_now(d->watch->loop) / 1000;

	if (d->second != second) {
		d->second = second;
		d->n_events = 0;
	}
	d->n_events++;
}

static void
event_came(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct watch_dir *d = handle->data;
	struct watch *w = d->watch;

	(void)name;
	(void)events;
	(void)status; /* whatever it is, a look tells */
	w->n_events++;
	if (!d->is_pending) {
		d->is_pending = true;
		count_event(d);
	}
}

/*
 * The directory itself, or where that does not exist the nearest one above it,
 * in which it will appear.  Returns its path, owned by the caller, or NULL.
 */
static char *
nearest_directory(const char *path, struct stat *ret_stat)
{
	char *here = strdup(path);

	while (here && (stat(here, ret_stat) || !S_ISDIR(ret_stat->st_mode))) {
		bool is_top = !strcmp(here, "/") || !strcmp(here, ".");
		char *above = is_top ? NULL : paths_parent(here);

		free(here);
		here = above;
	}
	return here;
}

/* Whether what is watched is still the nearest directory of the path. */
static bool
leads_there(const struct watch_dir *d)
{
	struct stat st;
	char *path = nearest_directory(d->path, &st);
	bool is_same;

	is_same = path && st.st_dev == d->device && st.st_ino == d->inode;
	free(path);
	return is_same;
}

static void
stop_watching(struct watch_dir *d)
{
	if (!d->is_watched)
		return;
	(void)uv_fs_event_stop(&d->event);
	d->is_watched = false;
	d->n_quiet = 0;
}

/* Returns whether it is watched now. */
static bool
start_watching(struct watch_dir *d)
{
	struct watch *w = d->watch;
	struct stat st;
	char *path = nearest_directory(d->path, &st);
	int error;

	if (!path || is_remote(path)) {
		free(path);
		return false;
	}
	error = uv_fs_event_start(&d->event, event_came, path, 0);
	free(path);
	if (error == -ENOSPC || error == -EMFILE) {
		if (!w->is_full)
			w->on_full(w->arg, d->path, error);
		w->is_full = true;
	}
	if (error)
		return false;
	w->is_full = false;
	d->is_watched = true;
	d->device = st.st_dev;
	d->inode = st.st_ino;
	/* The path was looked up twice; was it the same both times? */
	if (!leads_there(d)) {
		stop_watching(d);
		return false;
	}
	return true;
}

static void tick(uv_timer_t *timer);

/* Runs the timer as fast as the directories that are polled need it. */
static void
set_timer(struct watch *w)
{
	uint64_t tick_ms = 0;
	struct watch_dir *d;

	TAILQ_FOREACH(d, &w->dirs, entry) {
		if (d->is_watched)
			continue;
		if (d->n_quiet <= BOUNDS_QUIET_TICKS) {
			tick_ms = BOUNDS_TICK_MS;
			break;
		}
		tick_ms = BOUNDS_POLL_MS;
	}
	if (tick_ms == w->tick_ms)
		return;
	w->tick_ms = tick_ms;
	if (tick_ms)
		(void)uv_timer_start(&w->timer, tick, tick_ms, tick_ms);
	else
		(void)uv_timer_stop(&w->timer);
}

static void
look(struct watch_dir *d)
{
	if (d->watch->look(d->watch->arg, d))
		d->n_quiet = 0;
	else
		d->n_quiet++;
}

static void
tick_dir(struct watch_dir *d)
{
	bool is_slow = d->n_quiet > BOUNDS_QUIET_TICKS;

	if (d->is_watched)
		return; /* if they all are, the timer may have been stopped */
	if (is_slow && d->watch->n_ticks % (BOUNDS_POLL_MS / d->watch->tick_ms))
		return;
	look(d);
	if (d->n_quiet < BOUNDS_QUIET_TICKS)
		return;
	if (start_watching(d)) {
		d->n_events = 0;
		d->watch->turn++;
		look(d);
	}
}

/* Looks may acquire directories, and release any but the one looked at. */
static void
visit_dirs(struct watch *w, void (*visit)(struct watch_dir *))
{
	struct watch_dir *d, *next;

	for (d = TAILQ_FIRST(&w->dirs); d; d = next) {
		d->n_users++; /* it stays until we have passed it */
		visit(d);
		next = TAILQ_NEXT(d, entry);
		watch_release(d);
	}
}

static void
tick(uv_timer_t *timer)
{
	struct watch *w = timer->data;

	w->n_ticks++;
	w->turn++;
	visit_dirs(w, tick_dir);
	set_timer(w);
}

static void
look_if_pending(struct watch_dir *d)
{
	if (!d->is_pending)
		return;
	d->is_pending = false;
	if (!leads_there(d) || d->n_events > BOUNDS_EVENTS_PER_SECOND)
		stop_watching(d);
	look(d);
	if (!d->is_watched && !leads_there(d) && start_watching(d)) {
		d->watch->turn++;
		look(d);
	}
}

static void
after_events(uv_check_t *check)
{
	struct watch *w = check->data;
	struct watch_dir *d;
	bool overflowed = w->n_events >= w->queue_events;

	if (!w->n_events)
		return;
	w->n_events = 0;
	w->turn++;
	if (overflowed) {
		TAILQ_FOREACH(d, &w->dirs, entry)
			d->is_pending = true;
	}
	visit_dirs(w, look_if_pending);
	set_timer(w);
}

int
watch_create(struct uv_loop_s *loop, watch_look_fn look_fn,
    watch_full_fn on_full, void *arg, struct watch **ret_watch)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->look = look_fn;
	w->on_full = on_full;
	w->arg = arg;
	w->queue_events = read_queue_events();
	TAILQ_INIT(&w->dirs);
	(void)uv_timer_init(loop, &w->timer); /* these two cannot fail */
	(void)uv_check_init(loop, &w->check);
	w->timer.data = w;
	w->check.data = w;
	w->n_open = 2;
	(void)uv_check_start(&w->check, after_events);
	uv_unref((uv_handle_t *)&w->check);
	*ret_watch = w;
	return 0;
}

static void
handle_closed(uv_handle_t *handle)
{
	struct watch *w = handle->data;

	if (!--w->n_open)
		free(w);
}

void
watch_destroy(struct watch *w)
{
	if (!w)
		return;
	assert(TAILQ_EMPTY(&w->dirs));
	uv_close((uv_handle_t *)&w->timer, handle_closed);
	uv_close((uv_handle_t *)&w->check, handle_closed);
}

int
watch_acquire(struct watch *w, const char *path, struct watch_dir **ret_dir)
{
	struct watch_dir *d;
	int error;

	TAILQ_FOREACH(d, &w->dirs, entry) {
		if (!strcmp(d->path, path)) {
			d->n_users++;
			*ret_dir = d;
			return 0;
		}
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->path = strdup(path);
	error = d->path ? uv_fs_event_init(w->loop, &d->event) : -ENOMEM;
	if (error) {
		free(d->path);
		free(d);
		return error;
	}
	d->watch = w;
	d->n_users = 1;
	d->event.data = d;
	d->n_quiet = BOUNDS_QUIET_TICKS + 1;
	(void)start_watching(d);
	TAILQ_INSERT_TAIL(&w->dirs, d, entry);
	set_timer(w);
	*ret_dir = d;
	return 0;
}

static void
dir_closed(uv_handle_t *handle)
{
	struct watch_dir *d = handle->data;

	free(d->path);
	free(d);
}

void
watch_release(struct watch_dir *d)
{
	if (--d->n_users)
		return;
	TAILQ_REMOVE(&d->watch->dirs, d, entry);
	set_timer(d->watch);
	uv_close((uv_handle_t *)&d->event, dir_closed);
}

static void
verify(struct watch_dir *d)
{
	if (d->is_watched && !leads_there(d)) {
		stop_watching(d);
		(void)start_watching(d);
	}
}

void
watch_verify(struct watch *w)
{
	visit_dirs(w, verify);
	set_timer(w);
}

uint64_t
watch_turn(const struct watch *w)
{
	return w->turn;
}
