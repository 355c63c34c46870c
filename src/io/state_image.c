#include "io/state_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of strings: a block is let go with the image, so none moves. */
#define BLOCK_BYTES ((size_t)64 * 1024)

struct state_text {
	struct state_text *next;
	size_t used;
	size_t capacity;
	char bytes[];
};

int
state_image_take(struct registry *r, struct state_image *image)
{
	return registry_snapshot_retake(r, &image->series);
}

void
state_image_empty(struct state_image *image)
{
	struct registry_snapshot series = image->series;
	struct state_text *block, *next;

	for (block = image->text; block; block = next) {
		next = block->next;
		free(block);
	}
	free(image->files);
	free(image->places);
	*image = (struct state_image){ .series = series };
}

void
state_image_release(struct state_image *image)
{
	state_image_empty(image);
	registry_snapshot_release(&image->series);
}

/* NULL stays NULL, and is what there is without memory. */
static const char *
copy(struct state_image *image, const char *text)
{
	struct state_text *block = image->text;
	size_t len, capacity;
	char *to;

	if (!text)
		return NULL;
	len = strlen(text) + 1;
	if (!block || block->capacity - block->used < len) {
		capacity = len > BLOCK_BYTES ? len : BLOCK_BYTES;
		block = malloc(sizeof(*block) + capacity);
		if (!block) {
			image->error = -ENOMEM;
			return NULL;
		}
		block->next = image->text;
		block->used = 0;
		block->capacity = capacity;
		image->text = block;
	}
	to = block->bytes + block->used;
	memcpy(to, text, len);
	block->used += len;
	return to;
}

/* One more item of an array that doubles; NULL without memory. */
static void *
grow(struct state_image *image, void *items, size_t n, size_t item_bytes,
    size_t *capacity)
{
	size_t more = *capacity ? *capacity * 2 : 16;
	void *grown;

	if (n < *capacity)
		return items;
	grown = reallocarray(items, more, item_bytes);
	if (grown)
		*capacity = more;
	else
		image->error = -ENOMEM;
	return grown;
}

void
state_image_add_file(struct state_image *image, const struct state_file *file)
{
	struct state_file *files = grow(image, image->files, image->n_files,
	    sizeof(*files), &image->files_capacity);
	struct state_file *to;

	if (!files)
		return;
	image->files = files;
	to = &files[image->n_files];
	*to = *file;
	to->source = copy(image, file->source);
	to->path = copy(image, file->path);
	to->format = copy(image, file->format);
	if (!image->error)
		image->n_files++;
}

void
state_image_add_place(struct state_image *image,
    const struct state_place *place)
{
	struct state_place *places = grow(image, image->places, image->n_places,
	    sizeof(*places), &image->places_capacity);
	struct state_place *to;

	if (!places)
		return;
	image->places = places;
	to = &places[image->n_places];
	*to = *place;
	to->source = copy(image, place->source);
	to->path = copy(image, place->path);
	if (!image->error)
		image->n_places++;
}
