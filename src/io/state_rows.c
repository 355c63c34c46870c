#include "io/state_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "io/state_blob.h"

#define ANCHOR_BYTES 20 /* offset 8, hash 8, len 4 */
#define HEAD_BYTES (ANCHOR_BYTES + 8 * FILE_HEAD_STEPS)

/* Returns what is behind it, as put_head() does. */
static char *
put_anchor(char *to, const struct file_anchor *a)
{
	to = state_blob_put_number(to, a->offset, 8);
	to = state_blob_put_number(to, a->hash, 8);
	return state_blob_put_number(to, a->len, 4);
}

static char *
put_head(char *to, const struct file_head *h)
{
	uint32_t i;

	to = state_blob_put_number(to, h->len, 8);
	to = state_blob_put_number(to, h->hash, 8);
	to = state_blob_put_number(to, h->len, 4);
	for (i = 0; i < h->n_steps; i++)
		to = state_blob_put_number(to, h->steps[i], 8);
	return to;
}

static uint64_t
nanoseconds(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct timespec
timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000) };
}

static const char *
copy_column(struct state_db *db, enum state_db_query query, int column,
    struct buf *out)
{
	struct str bytes = state_db_column_bytes(db, query, column);

	buf_clear(out);
	buf_add(out, bytes);
	buf_add_char(out, '\0');
	return buf_status(out) ? "" : out->data;
}

/* Takes one off the front of bytes. */
static bool
cut_anchor(struct str *bytes, struct file_anchor *ret_anchor)
{
	if (bytes->len < ANCHOR_BYTES)
		return false;
	ret_anchor->offset = state_blob_cut_number(bytes, 8);
	ret_anchor->hash = state_blob_cut_number(bytes, 8);
	ret_anchor->len = (uint32_t)state_blob_cut_number(bytes, 4);
	return ret_anchor->len <= BOUNDS_COPY_BYTES;
}

/* All that is left of bytes. */
static bool
cut_head(struct str bytes, struct file_head *ret_head)
{
	struct file_anchor a;
	uint32_t i;

	if (!cut_anchor(&bytes, &a) || bytes.len % 8 ||
	    bytes.len / 8 > FILE_HEAD_STEPS)
		return false;
	ret_head->hash = a.hash;
	ret_head->len = a.len;
	ret_head->n_steps = (uint32_t)(bytes.len / 8);
	for (i = 0; i < ret_head->n_steps; i++)
		ret_head->steps[i] = state_blob_cut_number(&bytes, 8);
	return true;
}

static bool
get_anchors(struct state_db *db, struct state_file *f)
{
	struct str anchor = state_db_column_bytes(db, STATE_DB_GET_FILES, 9);
	struct str head = state_db_column_bytes(db, STATE_DB_GET_FILES, 10);
	struct str cut = state_db_column_bytes(db, STATE_DB_GET_FILES, 11);

	return cut_anchor(&anchor, &f->anchor) && !anchor.len &&
	    cut_head(head, &f->head) && cut_anchor(&cut, &f->cut) &&
	    (!cut.len || cut_head(cut, &f->cut_head));
}

static int
load_files(struct state_db *db, struct state_image *image)
{
	struct buf texts[3];
	size_t i;
	int error;

	for (i = 0; i < 3; i++)
		buf_init(&texts[i], SIZE_MAX / 2);
	while ((error = state_db_step(db, STATE_DB_GET_FILES)) > 0) {
		struct state_file f = {
			.source = copy_column(db, STATE_DB_GET_FILES, 1,
			    &texts[0]),
			.path = copy_column(db, STATE_DB_GET_FILES, 2,
			    &texts[1]),
			.id = { state_db_column(db, STATE_DB_GET_FILES, 3),
			    state_db_column(db, STATE_DB_GET_FILES, 4) },
			.born = timespec_of(
			    state_db_column(db, STATE_DB_GET_FILES, 5)),
			.modified = timespec_of(
			    state_db_column(db, STATE_DB_GET_FILES, 6)),
			.offset = state_db_column(db, STATE_DB_GET_FILES, 7),
			.size_bytes = state_db_column(db, STATE_DB_GET_FILES,
			    8),
			.format = copy_column(db, STATE_DB_GET_FILES, 12,
			    &texts[2]),
			.flags = (uint32_t)state_db_column(db,
			    STATE_DB_GET_FILES, 13),
		};

		if (!*f.format)
			f.format = NULL;
		if (!get_anchors(db, &f) || f.offset > f.size_bytes ||
		    f.size_bytes > INT64_MAX) {
			error = state_db_torn(db, "a file in it is impossible");
			break;
		}
		for (i = 0; i < 3; i++)
			image->error |= buf_status(&texts[i]);
		state_image_add_file(image, &f);
	}
	for (i = 0; i < 3; i++)
		buf_release(&texts[i]);
	return error ? error : image->error ? -ENOMEM : 0;
}

static int
load_places(struct state_db *db, struct state_image *image)
{
	struct buf texts[2];
	size_t i;
	int error;

	for (i = 0; i < 2; i++)
		buf_init(&texts[i], SIZE_MAX / 2);
	while ((error = state_db_step(db, STATE_DB_GET_PLACES)) > 0) {
		struct state_place p = {
			.source = copy_column(db, STATE_DB_GET_PLACES, 1,
			    &texts[0]),
			.path = copy_column(db, STATE_DB_GET_PLACES, 2,
			    &texts[1]),
			.seen = timespec_of(
			    state_db_column(db, STATE_DB_GET_PLACES, 3)),
		};

		for (i = 0; i < 2; i++)
			image->error |= buf_status(&texts[i]);
		state_image_add_place(image, &p);
	}
	for (i = 0; i < 2; i++)
		buf_release(&texts[i]);
	return error ? error : image->error ? -ENOMEM : 0;
}

static void
bind_text(struct state_db *db, enum state_db_query query, int parameter,
    const char *text)
{
	if (text)
		state_db_bind_bytes(db, query, parameter, str_from(text));
	else
		state_db_bind_null(db, query, parameter);
}

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Files and places are written by the same rules. */
struct table {
	size_t item_bytes;
	uint64_t *(*row)(void *item);
	int (*compare)(const void *a, const void *b); /* which one it is */
	bool (*equal)(const void *a, const void *b); /* and what is said */
	int (*put)(struct state_db *db, const void *item);
	enum state_db_query delete;
};

static uint64_t *
row_of_file(void *item)
{
	return &((struct state_file *)item)->row;
}

static int
compare_files(const void *a, const void *b)
{
	const struct state_file *x = a, *y = b;
	int order = compare_numbers(x->id.device, y->id.device);

	if (!order)
		order = compare_numbers(x->id.inode, y->id.inode);
	if (!order)
		order = compare_numbers(nanoseconds(x->born),
		    nanoseconds(y->born));
	if (!order)
		order = strcmp(x->source, y->source);
	return order ? order : strcmp(x->path, y->path);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool
same_anchor(const struct file_anchor *a, const struct file_anchor *b)
{
	return a->offset == b->offset && a->hash == b->hash && a->len == b->len;
}

static bool
same_head(const struct file_head *a, const struct file_head *b)
{
	return a->hash == b->hash && a->len == b->len &&
	    a->n_steps == b->n_steps;
}

static bool
same_file(const void *a, const void *b)
{
	const struct state_file *x = a, *y = b;

	return nanoseconds(x->modified) == nanoseconds(y->modified) &&
	    x->offset == y->offset && x->size_bytes == y->size_bytes &&
	    same_anchor(&x->anchor, &y->anchor) &&
	    same_head(&x->head, &y->head) && same_anchor(&x->cut, &y->cut) &&
	    same_head(&x->cut_head, &y->cut_head) &&
	    same_text(x->format, y->format) && x->flags == y->flags;
}

static int
put_file(struct state_db *db, const void *item)
{
	const enum state_db_query q = STATE_DB_PUT_FILE;
	const struct state_file *f = item;
	char anchor[ANCHOR_BYTES], head[HEAD_BYTES];
	char cut[ANCHOR_BYTES + HEAD_BYTES];
	const char *head_end = put_head(head, &f->head);
	char *cut_end = put_anchor(cut, &f->cut);

	(void)put_anchor(anchor, &f->anchor);
	if (f->cut_head.len)
		cut_end = put_head(cut_end, &f->cut_head);
	state_db_bind(db, q, 1, f->row);
	bind_text(db, q, 2, f->source);
	bind_text(db, q, 3, f->path);
	state_db_bind(db, q, 4, f->id.device);
	state_db_bind(db, q, 5, f->id.inode);
	state_db_bind(db, q, 6, nanoseconds(f->born));
	state_db_bind(db, q, 7, nanoseconds(f->modified));
	state_db_bind(db, q, 8, f->offset);
	state_db_bind(db, q, 9, f->size_bytes);
	state_db_bind_bytes(db, q, 10, str_of(anchor, sizeof(anchor)));
	state_db_bind_bytes(db, q, 11, str_of(head, (size_t)(head_end - head)));
	state_db_bind_bytes(db, q, 12, str_of(cut, (size_t)(cut_end - cut)));
	bind_text(db, q, 13, f->format);
	state_db_bind(db, q, 14, f->flags);
	return state_db_change(db, q);
}

static uint64_t *
row_of_place(void *item)
{
	return &((struct state_place *)item)->row;
}

static int
compare_places(const void *a, const void *b)
{
	const struct state_place *x = a, *y = b;
	int order = strcmp(x->source, y->source);

	return order ? order : strcmp(x->path, y->path);
}

static bool
same_place(const void *a, const void *b)
{
	const struct state_place *x = a, *y = b;

	return nanoseconds(x->seen) == nanoseconds(y->seen);
}

static int
put_place(struct state_db *db, const void *item)
{
	const enum state_db_query q = STATE_DB_PUT_PLACE;
	const struct state_place *p = item;

	state_db_bind(db, q, 1, p->row);
	bind_text(db, q, 2, p->source);
	bind_text(db, q, 3, p->path);
	state_db_bind(db, q, 4, nanoseconds(p->seen));
	return state_db_change(db, q);
}

static const struct table file_table = { sizeof(struct state_file), row_of_file,
	compare_files, same_file, put_file, STATE_DB_DELETE_FILE };

static const struct table place_table = { sizeof(struct state_place),
	row_of_place, compare_places, same_place, put_place,
	STATE_DB_DELETE_PLACE };

static int
delete_row(struct state_db *db, enum state_db_query query, uint64_t row)
{
	state_db_bind(db, query, 1, row);
	return state_db_change(db, query);
}

/* Both sides sorted, walked in step; items get the rows that they have. */
static int
write_rows(struct state_db *db, const struct table *t, char *items, size_t n,
    char *before, size_t n_before, uint64_t *last_row)
{
	char *end = items + n * t->item_bytes;
	char *end_before = before + n_before * t->item_bytes;
	int error = 0;

	if (n)
		qsort(items, n, t->item_bytes, t->compare);
	while (!error && (items < end || before < end_before)) {
		int order = items == end   ? 1
		    : before == end_before ? -1
					   : t->compare(items, before);

		if (order > 0) {
			error = delete_row(db, t->delete, *t->row(before));
			before += t->item_bytes;
			continue;
		}
		*t->row(items) = order ? ++*last_row : *t->row(before);
		if (order || !t->equal(items, before))
			error = t->put(db, items);
		if (!order)
			before += t->item_bytes;
		items += t->item_bytes;
	}
	return error;
}

int
state_rows_load(struct state_db *db, struct state_image *image)
{
	int error = load_files(db, image);

	return error ? error : load_places(db, image);
}

int
state_rows_write(struct state_db *db, struct state_image *image,
    struct state_image *before, uint64_t *last_row)
{
	int error = write_rows(db, &file_table, (char *)image->files,
	    image->n_files, (char *)before->files, before->n_files, last_row);

	if (error)
		return error;
	return write_rows(db, &place_table, (char *)image->places,
	    image->n_places, (char *)before->places, before->n_places,
	    last_row);
}
