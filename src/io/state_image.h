/*
 * What there is to save at one moment: a copy, so that it can be written while
 * reading goes on.
 *
 * Thread: made on the loop thread, then whoever has it.
 */
#ifndef ACCESSLOG_STATE_IMAGE_H
#define ACCESSLOG_STATE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "accesslog/follow.h"
#include "accesslog/registry_snapshot.h"
#include "io/file.h"

struct state_text;

/* One file that was read; the strings are borrowed. */
struct state_file {
	const char *source; /* the name of its source */
	const char *path; /* where it was last */
	struct follow_id id;
	struct timespec born; /* tv_sec 0: the file system does not say */
	struct timespec modified;
	uint64_t offset;
	uint64_t size_bytes;
	struct file_anchor anchor;
	struct file_head head;
	struct file_anchor cut;
	struct file_head cut_head;
	const char *format; /* that was recognised; NULL: none */
	uint32_t flags; /* the tailer's own */
	uint64_t row; /* the state's own */
};

/* One path at which files are followed; the strings are borrowed. */
struct state_place {
	const char *source;
	const char *path;
	struct timespec seen; /* when it last led to a file of ours */
	uint64_t row; /* the state's own */
};

/* What there is to save at one moment. */
struct state_image {
	struct registry_snapshot series;
	size_t n_files;
	struct state_file *files;
	size_t n_places;
	struct state_place *places;
	bool is_clean; /* nothing will be counted after this */
	uint64_t saved_ms;
	/* Inside: the bytes of the strings, room, and the first failure. */
	struct state_text *text;
	size_t files_capacity;
	size_t places_capacity;
	int error; /* 0 or -ENOMEM */
};

/*
 * An image without files, whose series are r's now.
 *
 * image  one that was released or emptied, or zero; after a failure as it was
 *
 * Returns 0 or -ENOMEM.
 */
int state_image_take(struct registry *r, struct state_image *image)
    __attribute__((warn_unused_result));

/* Copies; the first failure sticks and fails state_write(). */
void state_image_add_file(struct state_image *image,
    const struct state_file *file);
void state_image_add_place(struct state_image *image,
    const struct state_place *place);

/* Nothing is in it any more; the memory of the series stays for the next. */
void state_image_empty(struct state_image *image);

void state_image_release(struct state_image *image);

#endif
