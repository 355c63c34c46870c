/*
 * Which directories may have changed.
 *
 *	            more than BOUNDS_EVENTS_PER_SECOND
 *	  WATCHED ------------------------------------> POLLED
 *	  (inotify, no timer)                           (timer, no inotify)
 *	          <------------------------------------
 *	            BOUNDS_QUIET_TICKS looks that found nothing,
 *	            and then one more, so that nothing falls between
 *
 * An idle directory costs nothing; a busy one four looks a second, whatever
 * the rate of writes.  A directory that cannot be watched (it is on a network
 * file system, or the table of watches is full) stays POLLED, slowly while
 * nothing happens in it.  For one that does not exist the nearest directory
 * above it is watched, in which it, or what leads to it, will appear.
 *
 * When inotify's queue overflows the kernel drops events, and libuv does not
 * say so.  It shows in that a whole queue of events arrives at once; then
 * every directory is looked at.
 *
 * Thread: the loop thread.
 */
#ifndef ACCESSLOG_WATCH_H
#define ACCESSLOG_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;
struct watch;
struct watch_dir;

/*
 * Look at the files of a directory.
 *
 * Returns whether one of them has grown or changed since the last look.
 */
typedef bool (*watch_look_fn)(void *arg, struct watch_dir *dir);

/*
 * The kernel has no room for another watch, and what is in path is polled; told
 * once, and again only after there was room in between.
 *
 * error  -ENOSPC: fs.inotify.max_user_watches; -EMFILE: max_user_instances
 */
typedef void (*watch_full_fn)(void *arg, const char *path, int error);

/* Returns 0, -ENOMEM or -Exxx. */
int watch_create(struct uv_loop_s *loop, watch_look_fn look,
    watch_full_fn on_full, void *arg, struct watch **ret_watch)
    __attribute__((warn_unused_result));

/*
 * Closes all handles; the memory is freed by the loop's next turn.  Every
 * directory has been released before.  NULL does nothing.
 */
void watch_destroy(struct watch *w);

/*
 * Begin to watch a directory; the second call for the same path counts.
 *
 * path  copied; need not exist
 *
 * Returns 0 or -ENOMEM.
 */
int watch_acquire(struct watch *w, const char *path, struct watch_dir **ret_dir)
    __attribute__((warn_unused_result));

/* The last of its users lets it go. */
void watch_release(struct watch_dir *dir);

/*
 * See whether the paths still lead to the directories that are watched, and
 * if not, watch the ones they lead to now.
 */
void watch_verify(struct watch *w);

/*
 * A number that changes before what was looked at must be looked at again, so
 * that what several directories lead to is looked at once for all of them.
 */
uint64_t watch_turn(const struct watch *w);

#endif
