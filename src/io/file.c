#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "io/compression.h"
#include "io/gunzip.h"

/* All of [offset, offset + len), or fewer at the end of the file; -Exxx. */
static ssize_t
read_at(const struct file *f, char *to, size_t len, uint64_t offset)
{
	size_t done = 0;

	if (f->gunzip)
		return gunzip_read_at(f->gunzip, to, len, offset);
	while (done < len) {
		ssize_t n = pread(f->fd, to + done, len - done,
		    (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static struct follow_id
id_of(const struct stat *st)
{
	return (struct follow_id){ st->st_dev, st->st_ino };
}

static struct timespec
birth_of(int fd)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) ||
	    !(x.stx_mask & STATX_BTIME))
		return (struct timespec){ 0 };
	return (struct timespec){ x.stx_btime.tv_sec, x.stx_btime.tv_nsec };
}

int
file_open(const char *path, struct ingest_source *source,
    struct file **ret_file)
{
	struct file *f = calloc(1, sizeof(*f));
	struct stat st;
	int error = -ENOMEM;

	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->path = strdup(path);
	if (!f->path)
		goto destroy;
	/* O_NONBLOCK: the open of a FIFO must not wait for a writer. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0 || fstat(f->fd, &st)) {
		error = -errno;
		goto destroy;
	}
	if (!S_ISREG(st.st_mode)) {
		error = -EINVAL;
		goto destroy;
	}
	f->known = (struct follow_known){ id_of(&st), 0, (uint64_t)st.st_size };
	f->modified = st.st_mtim;
	f->changed = st.st_ctim;
	f->born = birth_of(f->fd);
	ingest_stream_init(&f->stream, source, true);
	*ret_file = f;
	return 0;

destroy:
	file_destroy(f);
	return error;
}

int
file_remember(const char *path, const struct follow_known *known,
    struct ingest_source *source, struct file **ret_file)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->path = strdup(path);
	if (!f->path) {
		free(f);
		return -ENOMEM;
	}
	f->known = *known;
	ingest_stream_init(&f->stream, source, known->offset == 0);
	*ret_file = f;
	return 0;
}

/* The anchor at offset, where bytes (len of them) stand just before it. */
static struct file_anchor
make_anchor(uint64_t offset, const char *bytes, size_t len)
{
	return (struct file_anchor){ .offset = offset,
		.hash = XXH3_64bits(bytes, len),
		.len = (uint32_t)len };
}

static struct file_head
make_head(const char *bytes, size_t len)
{
	struct file_head head = { .hash = XXH3_64bits(bytes, len),
		.len = (uint32_t)len };
	uint32_t i;

	for (i = 0; i < FILE_HEAD_STEPS && FILE_HEAD_STEP(i) <= len; i++)
		head.steps[i] = XXH3_64bits(bytes, FILE_HEAD_STEP(i));
	head.n_steps = i;
	return head;
}

static enum follow_anchor
check_anchor(const struct file *f, const struct file_anchor *a)
{
	char now[BOUNDS_COPY_BYTES];
	ssize_t n;

	if (!a->len)
		return FOLLOW_ANCHOR_MATCHES;
	n = read_at(f, now, a->len, a->offset - a->len);
	if (n < 0)
		return FOLLOW_ANCHOR_UNREADABLE;
	if ((size_t)n == a->len && XXH3_64bits(now, a->len) == a->hash)
		return FOLLOW_ANCHOR_MATCHES;
	return FOLLOW_ANCHOR_DIFFERS;
}

enum head {
	HEAD_MATCHES,
	HEAD_ENDS, /* what is there matches, and there is less of it */
	HEAD_DIFFERS,
	HEAD_UNREADABLE,
};

/* How f begins.  Where it is shorter, that is known in steps only. */
static enum head
compare_head(const struct file *f, const struct file_head *head)
{
	char bytes[BOUNDS_COPY_BYTES];
	ssize_t n = read_at(f, bytes, head->len, 0);
	uint32_t i = head->n_steps;

	if (n < 0)
		return HEAD_UNREADABLE;
	if ((size_t)n == head->len)
		return XXH3_64bits(bytes, head->len) == head->hash
		    ? HEAD_MATCHES
		    : HEAD_DIFFERS;
	while (i && (size_t)n < FILE_HEAD_STEP(i - 1))
		i--;
	return i &&
		XXH3_64bits(bytes, FILE_HEAD_STEP(i - 1)) == head->steps[i - 1]
	    ? HEAD_ENDS
	    : HEAD_DIFFERS;
}

/* Whether what was read still is there; or what was seen, if nothing was. */
static enum follow_anchor
check_content(const struct file *f)
{
	if (f->known.offset || !f->head.len)
		return check_anchor(f, &f->anchor);
	switch (compare_head(f, &f->head)) {
	case HEAD_MATCHES:
	case HEAD_ENDS:
		return FOLLOW_ANCHOR_MATCHES;
	case HEAD_DIFFERS:
		return FOLLOW_ANCHOR_DIFFERS;
	case HEAD_UNREADABLE:
		break;
	}
	return FOLLOW_ANCHOR_UNREADABLE;
}

void
file_note_head(struct file *f)
{
	char bytes[BOUNDS_COPY_BYTES];
	uint64_t end = f->known.offset ? f->known.offset : f->known.size_bytes;
	size_t len = end < sizeof(bytes) ? (size_t)end : sizeof(bytes);
	ssize_t n;

	if (f->fd < 0 || f->head.len == len)
		return;
	n = read_at(f, bytes, len, 0);
	/* If it was cut since, this is not what was read. */
	if (n == (ssize_t)len &&
	    check_anchor(f, &f->anchor) == FOLLOW_ANCHOR_MATCHES)
		f->head = make_head(bytes, len);
}

void
file_close(struct file *f)
{
	file_note_head(f);
	gunzip_close(f->gunzip);
	f->gunzip = NULL;
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
	f->is_behind = false;
}

void
file_destroy(struct file *f)
{
	if (!f)
		return;
	file_close(f);
	free(f->path);
	free(f);
}

int
file_try(const struct file *f)
{
	char byte;
	ssize_t n = read_at(f, &byte, 1, 0);

	return n < 0 ? (int)n : 0;
}

bool
file_is_compressed(const struct file *f)
{
	char head[COMPRESSION_MAGIC_BYTES];
	ssize_t n = read_at(f, head, sizeof(head), 0);

	return n > 0 && compression_is(str_of(head, (size_t)n));
}

int
file_inflate(struct file *f)
{
	int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
	char byte;
	ssize_t n;
	int error;

	if (fd < 0)
		return -errno;
	error = gunzip_open(fd, &f->gunzip);
	if (error) {
		(void)close(fd);
		return error;
	}
	n = gunzip_read_at(f->gunzip, &byte, 1, 0);
	if (n < 0) {
		gunzip_close(f->gunzip);
		f->gunzip = NULL;
		return n == -EBADMSG ? -EMEDIUMTYPE : (int)n;
	}
	f->known.size_bytes = (uint64_t)n;
	return 0;
}

/* Takes the anchor from the file, where the bytes are not at hand. */
static void
read_anchor(struct file *f)
{
	uint64_t offset = f->known.offset;
	char bytes[BOUNDS_ANCHOR_BYTES];
	size_t len = offset < sizeof(bytes) ? (size_t)offset : sizeof(bytes);
	ssize_t n = read_at(f, bytes, len, offset - len);

	/* What cannot be read proves nothing, and is not held against it. */
	f->anchor = make_anchor(offset, bytes, n == (ssize_t)len ? len : 0);
}

/* The file was seen to have this size. */
static void
set_size(struct file *f, uint64_t size_bytes)
{
	int64_t growth = (int64_t)(size_bytes - f->known.size_bytes);

	if (f->has_begun)
		ingest_grow(&f->stream, growth); /* negative: has shrunk */
	f->known.size_bytes = size_bytes;
}

void
file_mark_read(struct file *f)
{
	if (f->has_begun)
		ingest_grow(&f->stream,
		    (int64_t)(f->known.offset - f->known.size_bytes));
	f->known.offset = f->known.size_bytes;
	lines_init(&f->stream.lines, f->known.offset == 0);
	read_anchor(f);
}

void
file_begin(struct file *f)
{
	f->has_begun = true;
	ingest_grow(&f->stream,
	    (int64_t)(f->known.size_bytes - f->known.offset));
}

void
file_abandon(struct file *f)
{
	set_size(f, f->known.offset);
}

/* The loop thread's; too large for its stack. */
static char bytes[BOUNDS_DETECT_BYTES];

void
file_recognise(struct file *f)
{
	ssize_t n = read_at(f, bytes, sizeof(bytes), 0);

	if (n > 0)
		ingest_recognise(&f->stream, str_of(bytes, (size_t)n));
}

void
file_seek_end(struct file *f)
{
	uint64_t size = f->known.size_bytes;
	size_t back = size < sizeof(bytes) ? (size_t)size : sizeof(bytes);
	const char *newline;
	ssize_t n;

	file_recognise(f);
	f->known.offset = size;
	n = read_at(f, bytes, back, size - back);
	newline = n > 0 ? memrchr(bytes, '\n', (size_t)n) : NULL;
	if (newline)
		f->known.offset = size - back + (uint64_t)(newline + 1 - bytes);
	else if (back == size)
		f->known.offset = 0; /* one line, still being written */
	lines_init(&f->stream.lines, f->known.offset == 0);
	/* The end of a line that is too long is no line. */
	f->stream.lines.in_long_line = !newline && f->known.offset > 0;
	read_anchor(f);
	file_note_head(f);
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

struct follow_decision
file_look(struct file *f, const char *path, bool *ret_has_changed)
{
	struct follow_seen seen = { .size_bytes = f->known.size_bytes,
		.path_id = f->known.id,
		.path_exists = true };
	struct follow_decision decision;
	bool has_changed;
	struct stat st;

	if (path) {
		if (!stat(path, &st))
			seen.path_id = id_of(&st);
		else if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			seen.path_exists = false;
		else
			seen.path_unknown = true;
	}
	if (f->gunzip) {
		/* Complete when it was found; what is unread is_behind. */
		*ret_has_changed = false;
		return follow_decide(&f->known, &seen);
	}
	if (fstat(f->fd, &st)) {
		*ret_has_changed = false;
		seen.anchor = FOLLOW_ANCHOR_UNREADABLE;
		return follow_decide(&f->known, &seen);
	}

	has_changed = (uint64_t)st.st_size != f->known.size_bytes ||
	    !same_time(st.st_mtim, f->modified) ||
	    !same_time(st.st_ctim, f->changed);
	seen.size_bytes = (uint64_t)st.st_size;
	seen.anchor = has_changed ? check_content(f) : FOLLOW_ANCHOR_MATCHES;
	decision = follow_decide(&f->known, &seen);
	if (decision.content == FOLLOW_READ_ON) {
		f->is_unlinked = !st.st_nlink;
		set_size(f, seen.size_bytes);
		f->modified = st.st_mtim;
		f->changed = st.st_ctim;
	}
	*ret_has_changed = has_changed;
	return decision;
}

bool
file_hides(const struct file *f, const struct file *known)
{
	return !f->gunzip &&
	    (file_try(f) ||
		check_anchor(f, &known->anchor) == FOLLOW_ANCHOR_UNREADABLE);
}

bool
file_has_anchor(const struct file *f, const struct file_anchor *a)
{
	return a->len > 0 && check_anchor(f, a) == FOLLOW_ANCHOR_MATCHES;
}

bool
file_was_born_as(const struct file *f, const struct file *other)
{
	return follow_same(f->known.id, other->known.id) &&
	    same_time(f->born, other->born);
}

bool
file_has_head(const struct file *f, const struct file_head *head)
{
	return head->len && compare_head(f, head) == HEAD_MATCHES;
}

/* Whether f begins so, for long enough that it can be no other log. */
static bool
is_head(const struct file *f, const struct file_head *head)
{
	return head->len == BOUNDS_COPY_BYTES && file_has_head(f, head);
}

/*
 * Whether f, compressed, is what known began with: its writer went on after
 * that, and nobody has the rest.  Two logs may have their first lines in
 * common; but then one was written to after the other.
 */
static bool
is_beginning(const struct file *f, const struct file *known)
{
	return f->gunzip && !file_is_before(f->modified, known->born) &&
	    f->modified.tv_sec <= known->modified.tv_sec &&
	    compare_head(f, &known->head) == HEAD_ENDS;
}

bool
file_begins(const struct file *f, const struct file *known)
{
	return !f->gunzip && f->known.size_bytes < known->known.offset &&
	    is_head(f, &known->head);
}

void
file_note_cut(struct file *f, const struct file *known)
{
	bool was_read = known->known.offset > 0;

	f->cut = was_read ? known->anchor : known->cut;
	f->cut_head = was_read ? known->head : known->cut_head;
}

void
file_restart(struct file *f)
{
	bool was_read = f->known.offset > 0;
	struct stat st;

	file_abandon(f);
	file_note_cut(f, f);
	f->anchor = (struct file_anchor){ 0 };
	f->known.offset = 0;
	f->known.size_bytes = 0;
	if (!fstat(f->fd, &st)) {
		f->modified = st.st_mtim;
		f->changed = st.st_ctim;
		/* As after an editor's work, or a power failure. */
		if (was_read && (uint64_t)st.st_size < f->cut.offset &&
		    is_head(f, &f->head)) {
			f->known.offset = (uint64_t)st.st_size;
			f->known.size_bytes = f->known.offset;
			read_anchor(f);
		} else {
			set_size(f, (uint64_t)st.st_size);
			f->head = (struct file_head){ 0 };
		}
	}
	lines_init(&f->stream.lines, f->known.offset == 0);
	f->stream.n_looks = 0;
}

bool
file_continues(const struct file *f, const struct file *known,
    const struct file_anchor *at)
{
	/* Nothing was read; what was written then is there, and later lines. */
	if (!at->len)
		return is_head(f, &known->head) || is_beginning(f, known) ||
		    (file_has_head(f, &known->head) &&
			!file_is_before(f->modified, known->modified));
	return (!known->head.len || file_has_head(f, &known->head)) &&
	    file_has_anchor(f, at);
}

void
file_resume(struct file *f, const struct file *known,
    const struct file_anchor *at)
{
	bool is_cut = !f->gunzip && f->known.size_bytes < at->offset;

	f->stream = known->stream;
	f->head = known->head;
	f->known.offset = is_cut ? f->known.size_bytes : at->offset;
	/* Where nothing proves that f has it, others may have it. */
	if (f->gunzip)
		f->known.size_bytes = known->known.size_bytes;
	else if ((at->len || known->head.len) &&
	    f->known.size_bytes < known->known.size_bytes)
		f->missing_bytes = known->known.size_bytes -
		    (is_cut ? at->offset : f->known.size_bytes);
	if (is_cut)
		read_anchor(f);
	else
		f->anchor = *at;
}

/*
 * A hole reads as NULs, gigabytes of them after a copytruncate under a writer
 * that does not append; lseek(2) knows where it ends.  The offset stands at the
 * start of a line, in or before a hole.
 */
static void
skip_hole(struct file *f)
{
	off_t data = lseek(f->fd, (off_t)f->known.offset, SEEK_DATA);
	uint64_t to;

	if (data < 0 && errno != ENXIO)
		return; /* not told here: they are read and skipped */
	to = data < 0 ? f->known.size_bytes : (uint64_t)data;
	if (to > f->known.size_bytes)
		to = f->known.size_bytes;
	if (to <= f->known.offset)
		return;
	ingest_skip_nuls(&f->stream, to - f->known.offset);
	f->known.offset = to;
	read_anchor(f);
}

/*
 * One buffer.  What stands before the offset is read along with it and proves,
 * in the same system call, that the rest is what follows.
 *
 *	| before | unread ...                |
 *	         ^ known.offset              ^ known.size_bytes at most
 *
 * That is the anchor, or all there is as long as it makes the head.
 *
 * Returns how many bytes were done with, or -Exxx.
 */
static ssize_t
read_some(struct file *f, char *buffer, bool final)
{
	bool makes_head = !f->gunzip && f->known.offset < BOUNDS_COPY_BYTES;
	size_t before = makes_head ? (size_t)f->known.offset : f->anchor.len;
	size_t after, consumed;
	ssize_t n;
	int error;

	n = read_at(f, buffer, BOUNDS_READ_BYTES, f->known.offset - before);
	if (n < 0)
		return n;
	/* Less than a look saw, and no anchor: perhaps another beginning. */
	if (!before && !f->gunzip && n < BOUNDS_READ_BYTES &&
	    (uint64_t)n < f->known.size_bytes - f->known.offset)
		return 0; /* truncated: the next look tells */
	if ((size_t)n < before ||
	    (makes_head && !before && f->head.len && (size_t)n >= f->head.len &&
		XXH3_64bits(buffer, f->head.len) != f->head.hash) ||
	    (f->anchor.len &&
		XXH3_64bits(buffer + before - f->anchor.len, f->anchor.len) !=
		    f->anchor.hash))
		return 0; /* truncated: the next look tells */
	after = (size_t)n - before;
	if ((final || f->gunzip) &&
	    after > f->known.size_bytes - f->known.offset)
		set_size(f, f->known.offset + after);
	if (f->gunzip && n < BOUNDS_READ_BYTES &&
	    after < f->known.size_bytes - f->known.offset) {
		f->missing_bytes += f->known.size_bytes - f->known.offset -
		    after;
		set_size(f, f->known.offset + after);
	}
	/* What came since the look is the next look's. */
	if (after > f->known.size_bytes - f->known.offset)
		after = (size_t)(f->known.size_bytes - f->known.offset);

	error = ingest_feed(&f->stream, str_of(buffer + before, after), final,
	    &consumed);
	f->known.offset += consumed;
	if (makes_head) {
		/* Of what was read; or was seen, while nothing is read. */
		size_t len = f->known.offset ? (size_t)f->known.offset : after;

		f->head = make_head(buffer,
		    len < BOUNDS_COPY_BYTES ? len : BOUNDS_COPY_BYTES);
	}
	if (consumed) {
		size_t len = before + consumed < BOUNDS_ANCHOR_BYTES
		    ? before + consumed
		    : BOUNDS_ANCHOR_BYTES;

		f->anchor = make_anchor(f->known.offset,
		    buffer + before + consumed - len, len);
	}
	return error ? error : (ssize_t)consumed;
}

int
file_read(struct file *f, char *buffer, uint64_t max_bytes)
{
	static const char zeros[BOUNDS_ANCHOR_BYTES];
	const struct file_anchor nuls = make_anchor(0, zeros, sizeof(zeros));
	uint64_t begin = f->known.offset;

	f->is_behind = false;
	f->is_stalled = false;
	while (f->gunzip || f->known.offset < f->known.size_bytes) {
		ssize_t n;

		if (f->known.offset - begin >= max_bytes) {
			f->is_behind = true;
			break;
		}
		n = read_some(f, buffer, false);
		f->is_stalled = n < 0;
		if (n < 0)
			return (int)n;
		if (n == 0)
			break; /* an unfinished line, or shorter than it was */
		if (f->anchor.hash == nuls.hash && f->anchor.len == nuls.len &&
		    !f->gunzip)
			skip_hole(f);
	}
	if (f->head.len < BOUNDS_COPY_BYTES &&
	    f->known.offset >= BOUNDS_COPY_BYTES && !f->gunzip)
		file_note_head(f);
	return 0;
}

void
file_read_rest(struct file *f, char *buffer)
{
	while (f->fd >= 0 && read_some(f, buffer, true) > 0)
		;
}

/* Compares the first bytes of both, at most BOUNDS_COPY_BYTES. */
static enum file_copy
compare_heads(const struct file *f, const struct file *other)
{
	char a[BOUNDS_COPY_BYTES], b[BOUNDS_COPY_BYTES];
	ssize_t n_a = read_at(f, a, sizeof(a), 0);
	ssize_t n_b = read_at(other, b, sizeof(b), 0);
	ssize_t n = n_a < n_b ? n_a : n_b;

	/* What has more than the other was not copied from that. */
	if (n < 0 || (n > 0 && memcmp(a, b, (size_t)n) != 0) || n_a > n_b)
		return FILE_IS_NO_COPY;
	/*
	 * Two logs can begin with the same line, when one probe asks both
	 * sites in one second; not with BOUNDS_COPY_BYTES the same.
	 */
	return n == sizeof(a) ? FILE_IS_COPY : FILE_MAY_BE_COPY;
}

/*
 * What is compressed is complete, but other may have grown since: so all of
 * it, or BOUNDS_COPY_BYTES, must be what other begins with.
 */
static bool
begins_other(const struct file *f, const struct file *other)
{
	char a[BOUNDS_COPY_BYTES], b[BOUNDS_COPY_BYTES];
	ssize_t n_a = read_at(f, a, sizeof(a), 0);
	ssize_t n_b = read_at(other, b, sizeof(b), 0);

	return n_a > 0 && n_a <= n_b && !memcmp(a, b, (size_t)n_a);
}

static bool
is_packed(const struct file *f, const struct file *other)
{
	if (file_continues(f, other, &other->anchor) ||
	    file_has_anchor(f, &other->cut) || is_head(f, &other->cut_head))
		return true;
	if (other->fd >= 0)
		return begins_other(f, other);
	return other->known.offset &&
	    (file_has_head(f, &other->head) || is_beginning(f, other));
}

enum file_copy
file_compare(const struct file *f, const struct file *other)
{
	uint64_t size = f->known.size_bytes;
	enum file_copy alike;

	if (f->gunzip)
		return is_packed(f, other) ? FILE_IS_COPY : FILE_IS_NO_COPY;
	/*
	 * A whole copy is at least as long as what was read before the cut.  A
	 * longer one, which has what was unread, is known since the cut was
	 * noticed; or it is another log, with the same first lines.
	 */
	if (other->cut.len && size >= other->cut.offset &&
	    (size == other->cut.offset ||
		other->cut.offset >= BOUNDS_COPY_BYTES) &&
	    check_anchor(f, &other->cut) == FOLLOW_ANCHOR_MATCHES)
		return FILE_IS_COPY;
	/* Or it is shorter, where lines were written between copy and cut. */
	if (is_head(f, &other->cut_head))
		return FILE_IS_COPY;
	if (other->fd < 0 && other->known.offset &&
	    (size == other->head.len ||
		(other->head.len == BOUNDS_COPY_BYTES &&
		    size >= other->head.len)) &&
	    file_has_head(f, &other->head))
		return FILE_IS_COPY;
	if (other->fd >= 0 && other->known.size_bytes > 0) {
		alike = compare_heads(f, other);
		if (alike != FILE_IS_NO_COPY)
			return alike;
	}
	return size ? FILE_IS_NO_COPY : FILE_MAY_BE_COPY;
}
