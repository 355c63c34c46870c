#include "io/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Fields of /proc/PID/stat that follow the name, from 3 on: proc(5). */
#define STAT_STARTTIME 22
#define STAT_VSIZE 23
#define STAT_RSS 24

/* Reads a small file of /proc.  Returns its length, or 0. */
static size_t
read_proc(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, to, size - 1);
		(void)close(fd);
	}
	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* The number in field of /proc/self/stat. */
static bool
stat_field(const char *stat, unsigned field, uint64_t *ret_value)
{
	const char *p = strrchr(stat, ')'); /* the name may hold anything */
	unsigned i;

	for (i = 2; p && i < field; i++)
		p = strchr(p + 1, ' ');
	if (!p)
		return false;
	errno = 0;
	*ret_value = strtoull(p + 1, NULL, 10);
	return !errno;
}

/* When the system started, in seconds since 1970. */
static bool
boot_time(struct decimal *ret_time)
{
	struct timespec now, up;

	if (clock_gettime(CLOCK_REALTIME, &now) ||
	    clock_gettime(CLOCK_BOOTTIME, &up))
		return false;
	if (now.tv_nsec < up.tv_nsec) {
		now.tv_sec--;
		now.tv_nsec += 1000000000;
	}
	*ret_time = (struct decimal){ (uint64_t)(now.tv_sec - up.tv_sec),
		(uint32_t)(now.tv_nsec - up.tv_nsec) };
	return true;
}

static uint64_t
count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;
	uint64_t n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return n ? n - 1 : 0; /* the directory's own */
}

static void
set(struct metrics *m, enum metrics_id id, struct decimal value)
{
	int error = metrics_set(m, id, NULL, value);

	(void)error; /* out of memory: it is missing from this scrape */
}

static void
set_start(struct metrics *m, uint64_t start_ticks)
{
	static struct decimal start; /* a step of the clock must not move it */
	uint64_t ticks_a_second = (uint64_t)sysconf(_SC_CLK_TCK);
	struct decimal since_boot = { start_ticks / ticks_a_second,
		(uint32_t)(start_ticks % ticks_a_second *
		    (1000000000 / ticks_a_second)) };

	if (!start.whole && boot_time(&start)) {
		decimal_add(&start, since_boot);
		start.nanos -= start.nanos % 10000000; /* as exact as a tick */
	}
	set(m, METRICS_PROCESS_START, start);
}

void
process_publish(struct metrics *m)
{
	char stat[1024]; /* 52 numbers of at most 20 digits */
	struct timespec cpu;
	struct rlimit limit;
	uint64_t n_descriptors = count_descriptors();
	uint64_t value;
	size_t len = read_proc("/proc/self/stat", stat, sizeof(stat));

	registry_lock(m->registry);
	if (!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu))
		set(m, METRICS_PROCESS_CPU,
		    (struct decimal){ (uint64_t)cpu.tv_sec,
			(uint32_t)cpu.tv_nsec });
	if (n_descriptors)
		set(m, METRICS_PROCESS_OPEN_FDS, decimal_of(n_descriptors));
	if (!getrlimit(RLIMIT_NOFILE, &limit))
		set(m, METRICS_PROCESS_MAX_FDS, decimal_of(limit.rlim_cur));
	if (len && stat_field(stat, STAT_VSIZE, &value))
		set(m, METRICS_PROCESS_VIRTUAL, decimal_of(value));
	if (len && stat_field(stat, STAT_RSS, &value))
		set(m, METRICS_PROCESS_RESIDENT,
		    decimal_of(value * (uint64_t)sysconf(_SC_PAGESIZE)));
	if (len && stat_field(stat, STAT_STARTTIME, &value))
		set_start(m, value);
	registry_unlock(m->registry);
}
