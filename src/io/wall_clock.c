#include "io/wall_clock.h"

#include <time.h>

uint64_t
wall_clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
wall_clock_tell(struct registry *r)
{
	registry_set_now(r, wall_clock_ms());
}
