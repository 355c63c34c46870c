#include "io/mapping.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * What this thread reads.  A fault of it interrupts its own reading, between
 * mapping_open() and mapping_close(), so that no lock is needed.
 */
static _Thread_local struct mapping *volatile current;
static _Thread_local size_t page_mask; /* the bytes of an address in a page */

/*
 * Runs in the thread, and in the middle of the instruction, that read what is
 * not there; that instruction is tried again afterwards.  mmap() and
 * sigaction() are bare system calls: neither locks nor allocates.
 */
static void
on_fault(int number, siginfo_t *info, void *context)
{
	struct mapping *m = current;
	uintptr_t fault = (uintptr_t)info->si_addr;
	uintptr_t first = m ? (uintptr_t)m->pages : 0;
	int error = errno;

	(void)context;
	if (m && fault >= first && fault - first < m->n_pages_bytes) {
		size_t skipped = (fault - first) & ~page_mask;
		size_t len = m->n_pages_bytes - skipped;
		int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
		char *at = m->pages + skipped;

		/* All that follows is missing too, or is as good as that. */
		m->is_cut = 1;
		/* cppcheck-suppress [invalidFunctionArg, leakReturnValNotUsed] */
		if (mmap(at, len, PROT_READ, flags, -1, 0) != MAP_FAILED) {
			errno = error;
			return;
		}
	}
	/* Tried again, it ends the program as if we were not here. */
	(void)sigaction(number, &(struct sigaction){ .sa_handler = SIG_DFL },
	    NULL);
	errno = error;
}

static bool
guard(void)
{
	struct sigaction action = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO };

	(void)sigemptyset(&action.sa_mask);
	return !sigaction(SIGBUS, &action, NULL);
}

bool
mapping_open(struct mapping *ret_m, int fd, uint64_t offset, size_t len)
{
	size_t before;
	void *pages;

	assert(len && !current);
	page_mask = (size_t)sysconf(_SC_PAGESIZE) - 1;
	before = (size_t)offset & page_mask;
	if (!guard())
		return false;
	/*
	 * Page by page as they are read, a scan of a file that is in memory
	 * takes a tenth longer; from the disk it takes the same either way.
	 */
	pages = mmap(NULL, before + len, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
	    fd, (off_t)(offset - before));
	if (pages == MAP_FAILED)
		return false;
	*ret_m = (struct mapping){ .data = (char *)pages + before,
		.len = len,
		.pages = pages,
		.n_pages_bytes = before + len };
	current = ret_m;
	return true;
}

bool
mapping_is_cut(const struct mapping *m)
{
	return m->is_cut;
}

void
mapping_close(struct mapping *m)
{
	current = NULL;
	(void)munmap(m->pages, m->n_pages_bytes);
}
