#include "io/state.h"

#include <errno.h>
#include <stdlib.h>

#include "io/state_db.h"
#include "io/state_rows.h"
#include "io/state_series.h"

struct state {
	struct state_db *db;
	/* What is in the file; else everything in it is written anew. */
	bool is_known;
	struct state_image before;
	uint64_t last_row; /* of files and places */
	uint64_t last_number; /* of families */
	uint64_t *numbers; /* of the families of before */
};

int
state_create(const char *directory, struct state **ret_state)
{
	struct state *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return -ENOMEM;
	error = state_db_create(directory, &s->db);
	if (error) {
		free(s);
		return error;
	}
	*ret_state = s;
	return 0;
}

/* Nothing is known of what is in the file. */
static void
forget(struct state *s)
{
	s->is_known = false;
	state_image_release(&s->before);
	free(s->numbers);
	s->numbers = NULL;
}

void
state_destroy(struct state *s)
{
	if (!s)
		return;
	forget(s);
	state_db_destroy(s->db);
	free(s);
}

const char *
state_path(const struct state *s)
{
	return state_db_path(s->db);
}

const char *
state_reason(const struct state *s)
{
	return state_db_reason(s->db);
}

const char *
state_set_aside(struct state *s, const char **ret_reason)
{
	return state_db_aside(s->db, ret_reason);
}

pid_t
state_holder(const struct state *s)
{
	return state_db_holder(s->db);
}

uint64_t
state_n_rows(const struct state *s)
{
	return state_db_n_changes(s->db);
}

static int
load(struct state *s, struct registry *r, struct state_loaded *l)
{
	int error = state_db_step(s->db, STATE_DB_GET_META);

	if (error <= 0)
		return error ? error : state_db_torn(s->db, "it is empty");
	l->is_clean = state_db_column(s->db, STATE_DB_GET_META, 0);
	l->image.saved_ms = state_db_column(s->db, STATE_DB_GET_META, 1);
	l->is_found = l->image.saved_ms;
	state_db_reset(s->db, STATE_DB_GET_META);
	error = state_series_load(s->db, r);
	return error ? error : state_rows_load(s->db, &l->image);
}

int
state_load(struct state *s, struct registry *r, struct state_loaded *ret_loaded)
{
	struct state_loaded l = { 0 };
	int error = state_db_open(s->db, true);

	if (!error)
		error = load(s, r, &l);
	if (error == -EBADMSG) {
		int aside_error = state_db_set_aside(s->db);

		/* The reason of the first failure is the one to tell. */
		(void)aside_error;
	}
	if (error) {
		state_db_close(s->db);
		state_loaded_release(&l);
		return error;
	}
	/* To write it it is opened anew, which says why it cannot be. */
	if (state_db_is_read_only(s->db))
		state_db_close(s->db);
	*ret_loaded = l;
	return 0;
}

bool
state_is_unread(const struct state *s)
{
	return state_db_is_unread(s->db);
}

bool
state_lacks_parent(const struct state *s)
{
	return state_db_lacks_parent(s->db);
}

void
state_loaded_release(struct state_loaded *l)
{
	state_image_release(&l->image);
	*l = (struct state_loaded){ 0 };
}

/* Whatever an earlier process has left there. */
static int
clear_tables(struct state *s)
{
	int error = state_db_change(s->db, STATE_DB_CLEAR_FILES);

	if (!error)
		error = state_db_change(s->db, STATE_DB_CLEAR_PLACES);
	if (!error)
		error = state_db_change(s->db, STATE_DB_CLEAR_FAMILIES);
	if (!error)
		error = state_db_change(s->db, STATE_DB_CLEAR_SERIES);
	return error;
}

static int
write_image(struct state *s, struct state_image *image, uint64_t numbers[])
{
	struct state_image *before = &s->before;
	int error = s->is_known ? 0 : clear_tables(s);

	if (!error)
		error = state_rows_write(s->db, image, before, &s->last_row);
	if (!error)
		error = state_series_write(s->db, &image->series, numbers,
		    &before->series, s->numbers, &s->last_number);
	if (error)
		return error;
	if (!state_db_is_changing(s->db) && image->is_clean == before->is_clean)
		return 0;
	state_db_bind(s->db, STATE_DB_PUT_META, 1, image->is_clean);
	state_db_bind(s->db, STATE_DB_PUT_META, 2, image->saved_ms);
	error = state_db_change(s->db, STATE_DB_PUT_META);
	return error ? error : state_db_commit(s->db);
}

/*
 * A failure: what is in the file is what was there before.  A full disk may
 * have room again; after others the file is opened anew.
 */
static int
undo(struct state *s, int error)
{
	int aside_error;

	state_db_roll_back(s->db);
	if (error == -ENOSPC || error == -ENOMEM)
		return error;
	forget(s);
	if (error == -EBADMSG) {
		aside_error = state_db_set_aside(s->db);
		if (aside_error)
			return aside_error;
	}
	state_db_close(s->db);
	return error;
}

static int
open_to_write(struct state *s)
{
	if (state_db_is_open(s->db) && state_db_is_moved(s->db)) {
		forget(s);
		state_db_close(s->db);
	}
	return state_db_is_open(s->db) ? 0 : state_db_open(s->db, false);
}

int
state_begin(struct state *s)
{
	int error = open_to_write(s);

	if (error)
		return error;
	state_db_bind(s->db, STATE_DB_PUT_META, 1, false);
	state_db_bind_null(s->db, STATE_DB_PUT_META, 2);
	error = state_db_change(s->db, STATE_DB_PUT_META);
	if (!error)
		error = state_db_commit(s->db);
	return error ? undo(s, error) : 0;
}

int
state_write(struct state *s, struct state_image *image)
{
	struct state_image before;
	uint64_t *numbers;
	int error = image->error;

	if (error)
		return error;
	numbers = calloc(image->series.n_families + 1, sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	error = open_to_write(s);
	if (!error) {
		error = write_image(s, image, numbers);
		if (error)
			error = undo(s, error);
	}
	if (error) {
		free(numbers);
		return error;
	}
	free(s->numbers);
	s->numbers = numbers;
	s->is_known = true;
	before = s->before;
	s->before = *image;
	*image = before;
	state_image_empty(image);
	return 0;
}
