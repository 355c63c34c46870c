/*
 * The file of the state, as a database: opening it, setting it aside where it
 * is none of ours, and the queries that there are.  The only file that includes
 * sqlite3.h.
 *
 * What is in the tables is state.h's.
 *
 * Thread: one at a time; which one does not matter.
 */
#ifndef ACCESSLOG_STATE_DB_H
#define ACCESSLOG_STATE_DB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "accesslog/str.h"

/* Parameters count from 1, columns from 0, both in the order of the table. */
enum state_db_query {
	STATE_DB_BEGIN,
	STATE_DB_COMMIT,
	STATE_DB_ROLLBACK,
	STATE_DB_CLEAR_FILES,
	STATE_DB_CLEAR_PLACES,
	STATE_DB_CLEAR_FAMILIES,
	STATE_DB_CLEAR_SERIES,
	STATE_DB_GET_META, /* clean, saved */
	STATE_DB_PUT_META,
	STATE_DB_GET_FILES,
	STATE_DB_PUT_FILE,
	STATE_DB_DELETE_FILE, /* id */
	STATE_DB_GET_PLACES,
	STATE_DB_PUT_PLACE,
	STATE_DB_DELETE_PLACE, /* id */
	STATE_DB_GET_FAMILIES,
	STATE_DB_PUT_FAMILY,
	STATE_DB_DELETE_FAMILY, /* id */
	STATE_DB_GET_SERIES, /* of a family */
	STATE_DB_ADD_SERIES,
	STATE_DB_SET_SERIES, /* id, cells */
	STATE_DB_DELETE_SERIES, /* of a family */
	STATE_DB_QUERIES,
};

struct state_db;

/* directory: copied.  Opens nothing yet.  Returns 0 or -ENOMEM. */
int state_db_create(const char *directory, struct state_db **ret_db)
    __attribute__((warn_unused_result));

/* NULL does nothing. */
void state_db_destroy(struct state_db *db);

/*
 * Opens the file, and creates it, and its directory, where they are missing.
 * What is torn or none of ours is set aside first.
 *
 * is_loading  it will be read: then it is ours from now on, and where it
 *             cannot be written it is opened all the same.  Else it is ours
 *             only if it was opened or created by this db before.
 *
 * Returns 0; -EBUSY: another process has it; -Exxx.
 */
int state_db_open(struct state_db *db, bool is_loading)
    __attribute__((warn_unused_result));

/*
 * After a failure to load it: whether there may be a state all the same, which
 * just could not be read.
 */
bool state_db_is_unread(const struct state_db *db);

/* After a failure to open it: whether what its directory is in is missing. */
bool state_db_lacks_parent(const struct state_db *db);

/* Whether it was opened although it cannot be written. */
bool state_db_is_read_only(const struct state_db *db);

/* What was not committed is undone.  Does nothing where it is closed. */
void state_db_close(struct state_db *db);

bool state_db_is_open(const struct state_db *db);

/* Whether another file, or none, is where the open one was. */
bool state_db_is_moved(const struct state_db *db);

/* Closes it and renames it, never over another.  Returns 0 or -Exxx. */
int state_db_set_aside(struct state_db *db) __attribute__((warn_unused_result));

/*
 * Runs a query up to its next row.
 *
 * Returns 1 where there is a row, 0 at the end, after which it can be run
 * again; -ENOSPC, -EROFS, -EIO ...; -EBADMSG: the file is torn; -ENOMEM.
 */
int state_db_step(struct state_db *db, enum state_db_query query)
    __attribute__((warn_unused_result));

/* As a step to the end, in a transaction that begins where there is none. */
int state_db_change(struct state_db *db, enum state_db_query query)
    __attribute__((warn_unused_result));

/* Ends the transaction, if there is one.  Returns as state_db_step(). */
int state_db_commit(struct state_db *db) __attribute__((warn_unused_result));
void state_db_roll_back(struct state_db *db);
bool state_db_is_changing(const struct state_db *db);

/* The rest of its rows is not wanted. */
void state_db_reset(struct state_db *db, enum state_db_query query);

/* bytes: borrowed until the query has run. */
void state_db_bind(struct state_db *db, enum state_db_query query,
    int parameter, uint64_t value);
void state_db_bind_bytes(struct state_db *db, enum state_db_query query,
    int parameter, struct str bytes);
void state_db_bind_null(struct state_db *db, enum state_db_query query,
    int parameter);

/* Of the row at hand; bytes are valid until the next step. */
uint64_t state_db_column(struct state_db *db, enum state_db_query query,
    int column);
struct str state_db_column_bytes(struct state_db *db, enum state_db_query query,
    int column);

/* What is in it is impossible, for this reason.  Returns -EBADMSG. */
int state_db_torn(struct state_db *db, const char *reason);

/* How many rows were changed since it was created, undone ones as well. */
uint64_t state_db_n_changes(const struct state_db *db);

const char *state_db_path(const struct state_db *db);

/* Of the last failure.  Valid until the next. */
const char *state_db_reason(const struct state_db *db);

/* The name of what was set aside since the last call, or NULL; and why. */
const char *state_db_aside(struct state_db *db, const char **ret_reason);

/* After -EBUSY: who has it; 0: the system does not say. */
pid_t state_db_holder(const struct state_db *db);

#endif
