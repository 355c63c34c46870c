#include "io/gunzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "accesslog/bounds.h"

/* Read at once: a quarter of a second-level cache, which the text shares. */
#define INPUT_BYTES (64u * 1024)

enum place {
	IN_MEMBER,
	BETWEEN, /* a member has ended: another one, padding or the end */
	IN_PADDING,
};

struct gunzip {
	int fd;
	z_stream z;
	enum place place;
	uint64_t n_read; /* of the file, into input */
	uint64_t at; /* in the text: how far it is inflated */
	int error; /* what the next read from `at` on returns */
	size_t n_kept; /* of the text before `at` */
	unsigned char input[INPUT_BYTES];
	char kept[BOUNDS_READ_BYTES];
};

/* zlib's window of 32 KiB, its largest, around which gzip's header is. */
#define GZIP_WINDOW (15 + 16)

/* zlib's memory is calloc(3)'s, as all of ours; so tests can let it fail. */
static void *
allocate(void *unused, uInt n, uInt size)
{
	(void)unused;
	return calloc(n, size);
}

static void
let_go(void *unused, void *memory)
{
	(void)unused;
	free(memory);
}

int
gunzip_open(int fd, struct gunzip **ret_gunzip)
{
	struct gunzip *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->fd = fd;
	g->z.zalloc = allocate;
	g->z.zfree = let_go;
	if (inflateInit2(&g->z, GZIP_WINDOW) != Z_OK) {
		free(g);
		return -ENOMEM;
	}
	*ret_gunzip = g;
	return 0;
}

void
gunzip_close(struct gunzip *g)
{
	if (!g)
		return;
	(void)inflateEnd(&g->z);
	(void)close(g->fd);
	free(g);
}

static void
rewind_text(struct gunzip *g)
{
	(void)inflateReset(&g->z);
	g->z.avail_in = 0;
	g->place = IN_MEMBER;
	g->n_read = 0;
	g->at = 0;
	g->error = 0;
	g->n_kept = 0;
}

/* Returns 1; 0 at the end of the file; -Exxx. */
static int
fill(struct gunzip *g)
{
	ssize_t n;

	if (g->z.avail_in)
		return 1;
	do
		n = pread(g->fd, g->input, sizeof(g->input), (off_t)g->n_read);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	g->n_read += (uint64_t)n;
	g->z.next_in = g->input;
	g->z.avail_in = (uInt)n;
	return n > 0;
}

/* What stands behind a member.  Returns as inflate_some(). */
static int
pass_end(struct gunzip *g)
{
	if (g->place == BETWEEN && *g->z.next_in) {
		(void)inflateReset(&g->z);
		g->place = IN_MEMBER;
		return 1;
	}
	g->place = IN_PADDING;
	while (g->z.avail_in && !*g->z.next_in) {
		g->z.next_in++;
		g->z.avail_in--;
	}
	return g->z.avail_in ? -EBADMSG : 1;
}

/* Returns 1: go on; 0: the end, for now; -Exxx. */
static int
inflate_some(struct gunzip *g)
{
	int n = fill(g);

	if (n < 0)
		return n;
	if (g->place != IN_MEMBER)
		return n ? pass_end(g) : 0;
	/* At the end of the file too: zlib may hold what found no room. */
	switch (inflate(&g->z, Z_NO_FLUSH)) {
	case Z_OK:
		return 1;
	case Z_BUF_ERROR: /* nothing was left to do */
		return 0;
	case Z_STREAM_END:
		g->place = BETWEEN;
		return 1;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

/* Inflates up to len bytes.  Returns how many; what stopped it is g->error. */
static size_t
inflate_to(struct gunzip *g, char *to, size_t len)
{
	size_t n = 0;
	int more = 1;

	while (n < len && more > 0) {
		size_t room = len - n < INPUT_BYTES ? len - n : INPUT_BYTES;

		g->z.next_out = (unsigned char *)to + n;
		g->z.avail_out = (uInt)room;
		more = inflate_some(g);
		n += room - g->z.avail_out;
	}
	g->at += n;
	g->error = more < 0 ? more : 0;
	return n;
}

/* The text [.., at) has grown by the n bytes at `from`. */
static void
keep(struct gunzip *g, const char *from, size_t n)
{
	size_t n_old = g->n_kept;

	if (n >= sizeof(g->kept)) {
		memcpy(g->kept, from + n - sizeof(g->kept), sizeof(g->kept));
		g->n_kept = sizeof(g->kept);
		return;
	}
	if (n_old > sizeof(g->kept) - n)
		n_old = sizeof(g->kept) - n;
	memmove(g->kept, g->kept + g->n_kept - n_old, n_old);
	memcpy(g->kept + n_old, from, n);
	g->n_kept = n_old + n;
}

/* Inflates the text before offset.  Returns whether there is as much. */
static bool
skip_to(struct gunzip *g, uint64_t offset)
{
	while (g->at < offset && !g->error) {
		uint64_t left = offset - g->at;
		size_t len = left < sizeof(g->kept) ? (size_t)left
						    : sizeof(g->kept);

		/* All that is kept goes: a read that ends here reads on. */
		g->n_kept = inflate_to(g, g->kept, len);
		if (g->n_kept < len)
			break;
	}
	return g->at == offset;
}

ssize_t
gunzip_read_at(struct gunzip *g, char *to, size_t len, uint64_t offset)
{
	size_t n = 0;

	/* Without memory zlib gives up for good. */
	if (g->error == -ENOMEM ||
	    (offset < g->at && g->at - offset > g->n_kept))
		rewind_text(g);
	if (g->error != -EBADMSG)
		g->error = 0; /* what the system says may be over */
	if (offset < g->at) {
		size_t n_back = (size_t)(g->at - offset);

		n = n_back < len ? n_back : len;
		memcpy(to, g->kept + g->n_kept - n_back, n);
	} else if (!skip_to(g, offset)) {
		return g->error;
	}
	if (n < len && !g->error) {
		size_t n_new = inflate_to(g, to + n, len - n);

		keep(g, to + n, n_new);
		n += n_new;
	}
	return n ? (ssize_t)n : g->error;
}

uint64_t
gunzip_compressed_bytes(const struct gunzip *g)
{
	return g->n_read - g->z.avail_in;
}

bool
gunzip_is_torn(const struct gunzip *g)
{
	return g->place == IN_MEMBER;
}
