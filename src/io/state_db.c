#include "io/state_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "io/state_files.h"

#define FILE_NAME "accesslog_exporter.sqlite"

#define APPLICATION_ID 0x616C6F67 /* "alog" */
#define VERSION 1

/* One page of the smallest size. */
#define LEAST_FILE_BYTES 512

#define SQL_OF(number) #number
#define SQL(number) SQL_OF(number)

static const char schema[] =
    "CREATE TABLE meta(lineage INTEGER NOT NULL, clean INTEGER NOT NULL,"
    " saved INTEGER NOT NULL) STRICT;"
    "CREATE TABLE files(id INTEGER PRIMARY KEY, source BLOB NOT NULL,"
    " path BLOB NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,"
    " born INTEGER NOT NULL, modified INTEGER NOT NULL,"
    " read_offset INTEGER NOT NULL, size INTEGER NOT NULL,"
    " anchor BLOB NOT NULL, head BLOB NOT NULL, cut BLOB NOT NULL,"
    " format BLOB, flags INTEGER NOT NULL) STRICT;"
    "CREATE TABLE places(id INTEGER PRIMARY KEY, source BLOB NOT NULL,"
    " path BLOB NOT NULL, seen INTEGER NOT NULL) STRICT;"
    "CREATE TABLE families(id INTEGER PRIMARY KEY, name BLOB NOT NULL,"
    " type INTEGER NOT NULL, labels BLOB NOT NULL, bounds BLOB NOT NULL,"
    " max_value_bytes INTEGER NOT NULL, tag INTEGER NOT NULL,"
    " overflow INTEGER NOT NULL) STRICT;"
    "CREATE TABLE series(id INTEGER PRIMARY KEY, created INTEGER NOT NULL,"
    " label_values BLOB NOT NULL, cells BLOB NOT NULL) STRICT;"
    "PRAGMA application_id=" SQL(APPLICATION_ID) ";"
						 "PRAGMA user_version=" SQL(
						     VERSION) ";";

static const char *const queries[STATE_DB_QUERIES] = {
	[STATE_DB_BEGIN] = "BEGIN",
	[STATE_DB_COMMIT] = "COMMIT",
	[STATE_DB_ROLLBACK] = "ROLLBACK",
	[STATE_DB_CLEAR_FILES] = "DELETE FROM files",
	[STATE_DB_CLEAR_PLACES] = "DELETE FROM places",
	[STATE_DB_CLEAR_FAMILIES] = "DELETE FROM families",
	[STATE_DB_CLEAR_SERIES] = "DELETE FROM series",
	[STATE_DB_GET_META] = "SELECT clean, saved FROM meta",
	[STATE_DB_PUT_META] =
	    "UPDATE meta SET clean = ?1, saved = ifnull(?2, saved)",
	[STATE_DB_GET_FILES] = "SELECT * FROM files ORDER BY id",
	[STATE_DB_PUT_FILE] =
	    ("REPLACE INTO files VALUES"
	     "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)"),
	[STATE_DB_DELETE_FILE] = "DELETE FROM files WHERE id = ?1",
	[STATE_DB_GET_PLACES] = "SELECT * FROM places ORDER BY id",
	[STATE_DB_PUT_PLACE] = "REPLACE INTO places VALUES(?1, ?2, ?3, ?4)",
	[STATE_DB_DELETE_PLACE] = "DELETE FROM places WHERE id = ?1",
	[STATE_DB_GET_FAMILIES] = "SELECT * FROM families ORDER BY id",
	[STATE_DB_PUT_FAMILY] =
	    "REPLACE INTO families VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
	[STATE_DB_DELETE_FAMILY] = "DELETE FROM families WHERE id = ?1",
	[STATE_DB_GET_SERIES] =
	    ("SELECT id, created, label_values, cells FROM series"
	     " WHERE id BETWEEN ?1 << 32 AND (?1 << 32) + 0xFFFFFFFF"
	     " ORDER BY id"),
	[STATE_DB_ADD_SERIES] = "INSERT INTO series VALUES(?1, ?2, ?3, ?4)",
	[STATE_DB_SET_SERIES] = "UPDATE series SET cells = ?2 WHERE id = ?1",
	[STATE_DB_DELETE_SERIES] =
	    ("DELETE FROM series"
	     " WHERE id BETWEEN ?1 << 32 AND (?1 << 32) + 0xFFFFFFFF"),
};

static const char settings[] = "PRAGMA locking_mode=EXCLUSIVE;"
			       "PRAGMA synchronous=NORMAL;"
			       "PRAGMA temp_store=MEMORY;"
			       "PRAGMA journal_size_limit=" SQL(
				   BOUNDS_STATE_LOG_BYTES);

struct state_db {
	char *directory;
	char *path;
	sqlite3 *sqlite; /* NULL: closed */
	sqlite3_stmt *queries[STATE_DB_QUERIES];
	struct stat file; /* device and inode of what is open */
	uint64_t lineage; /* of what was opened or created; 0: nothing was */
	bool is_changing;
	bool is_read_only;
	bool is_torn; /* as the last failure has shown */
	bool lacks_parent; /* so had it when it was opened last */
	uint64_t n_changes;
	pid_t holder;
	struct buf reason; /* terminated, or empty */
	struct buf aside; /* terminated, or empty */
	struct buf aside_reason;
	bool is_aside_new;
};

/* Failures */

static void
set_text(struct buf *to, const char *text)
{
	buf_clear(to);
	buf_add_text(to, text);
	buf_add_char(to, '\0');
	if (buf_status(to))
		buf_clear(to); /* no memory for it */
}

static int
failed_with(struct state_db *db, int error)
{
	set_text(&db->reason, strerror(-error));
	return error;
}

int
state_db_torn(struct state_db *db, const char *reason)
{
	set_text(&db->reason, reason);
	db->is_torn = true;
	return -EBADMSG;
}

/* What a result of SQLite is here: few of them say that the file is torn. */
static int
failed(struct state_db *db, int code)
{
	int system_errno = db->sqlite ? sqlite3_system_errno(db->sqlite) : 0;
	const char *reason = db->sqlite ? sqlite3_errmsg(db->sqlite)
					: sqlite3_errstr(code);

	set_text(&db->reason, reason);
	if (code == SQLITE_IOERR_NOMEM)
		return -ENOMEM;
	switch (code & 0xFF) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return state_db_torn(db, reason);
	default:
		return system_errno ? -system_errno : -EIO;
	}
}

/* A query that cannot be prepared is for other tables than there are. */
static int
failed_to_prepare(struct state_db *db, int code)
{
	return (code & 0xFF) == SQLITE_ERROR
	    ? state_db_torn(db, sqlite3_errmsg(db->sqlite))
	    : failed(db, code);
}

/* Running queries */

int
state_db_step(struct state_db *db, enum state_db_query query)
{
	int code = sqlite3_step(db->queries[query]);

	if (code == SQLITE_ROW)
		return 1;
	(void)sqlite3_reset(db->queries[query]); /* says the same again */
	return code == SQLITE_DONE ? 0 : failed(db, code);
}

/* Binding what is not copied needs no memory. */
void
state_db_bind(struct state_db *db, enum state_db_query query, int parameter,
    uint64_t value)
{
	(void)sqlite3_bind_int64(db->queries[query], parameter,
	    (sqlite3_int64)value);
}

void
state_db_bind_bytes(struct state_db *db, enum state_db_query query,
    int parameter, struct str bytes)
{
	(void)sqlite3_bind_blob64(db->queries[query], parameter,
	    bytes.len ? bytes.data : "", bytes.len, SQLITE_STATIC);
}

void
state_db_bind_null(struct state_db *db, enum state_db_query query,
    int parameter)
{
	(void)sqlite3_bind_null(db->queries[query], parameter);
}

uint64_t
state_db_column(struct state_db *db, enum state_db_query query, int column)
{
	return (uint64_t)sqlite3_column_int64(db->queries[query], column);
}

struct str
state_db_column_bytes(struct state_db *db, enum state_db_query query,
    int column)
{
	sqlite3_stmt *q = db->queries[query];
	const char *data = sqlite3_column_blob(q, column);

	/* An empty blob is NULL as well. */
	return data ? str_of(data, (size_t)sqlite3_column_bytes(q, column))
		    : STR("");
}

void
state_db_reset(struct state_db *db, enum state_db_query query)
{
	(void)sqlite3_reset(db->queries[query]);
}

int
state_db_change(struct state_db *db, enum state_db_query query)
{
	if (!db->is_changing) {
		int error = state_db_step(db, STATE_DB_BEGIN);

		if (error)
			return error;
		db->is_changing = true;
	}
	db->n_changes++;
	return state_db_step(db, query);
}

int
state_db_commit(struct state_db *db)
{
	int error = db->is_changing ? state_db_step(db, STATE_DB_COMMIT) : 0;

	if (!error)
		db->is_changing = false;
	return error;
}

/* Some failures have undone it already. */
void
state_db_roll_back(struct state_db *db)
{
	if (db->is_changing && !sqlite3_get_autocommit(db->sqlite)) {
		(void)sqlite3_step(db->queries[STATE_DB_ROLLBACK]);
		(void)sqlite3_reset(db->queries[STATE_DB_ROLLBACK]);
	}
	db->is_changing = false;
}

bool
state_db_is_changing(const struct state_db *db)
{
	return db->is_changing;
}

static int
execute(struct state_db *db, const char *sql)
{
	int code = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);

	return code ? failed(db, code) : 0;
}

/* Runs sql, whose only row has one column: a number, or "ok" for 0. */
static int
ask(struct state_db *db, const char *sql, sqlite3_int64 *ret_number)
{
	sqlite3_stmt *q;
	const unsigned char *text;
	int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &q, NULL);
	int error = 0;

	if (code)
		return failed_to_prepare(db, code);
	code = sqlite3_step(q);
	if (code == SQLITE_DONE) {
		error = state_db_torn(db, "it is empty");
	} else if (code != SQLITE_ROW) {
		error = failed(db, code);
	} else if (sqlite3_column_type(q, 0) == SQLITE_TEXT) {
		text = sqlite3_column_text(q, 0);
		*ret_number = 0;
		if (text && strcmp((const char *)text, "ok") != 0)
			error = state_db_torn(db, (const char *)text);
	} else {
		*ret_number = sqlite3_column_int64(q, 0);
	}
	(void)sqlite3_finalize(q);
	return error;
}

/* Opening and closing */

void
state_db_close(struct state_db *db)
{
	size_t i;

	for (i = 0; i < STATE_DB_QUERIES; i++)
		(void)sqlite3_finalize(db->queries[i]);
	memset(db->queries, 0, sizeof(db->queries));
	(void)sqlite3_close(db->sqlite);
	db->sqlite = NULL;
	db->is_changing = false;
	db->is_read_only = false;
}

bool
state_db_is_open(const struct state_db *db)
{
	return db->sqlite;
}

bool
state_db_is_moved(const struct state_db *db)
{
	struct stat there;

	return stat(db->path, &there) || there.st_dev != db->file.st_dev ||
	    there.st_ino != db->file.st_ino;
}

int
state_db_set_aside(struct state_db *db)
{
	int error;

	state_db_close(db);
	error = state_files_set_aside(db->path, &db->aside);
	if (error)
		return failed_with(db, error);
	db->is_aside_new = true;
	db->is_torn = false;
	set_text(&db->aside_reason, state_db_reason(db));
	return 0;
}

/* SQLite's own would be for all to read, or wait for the writer of a FIFO. */
static int
create_one(struct state_db *db, const char *path, struct stat *ret_file)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
	int error = 0;

	if (fd < 0)
		return failed_with(db, -errno);
	if (fstat(fd, ret_file))
		error = -errno;
	else if (!S_ISREG(ret_file->st_mode))
		error = -EINVAL;
	(void)close(fd);
	return error ? failed_with(db, error) : 0;
}

/*
 * With its log, because where SQLite cannot make that, it tries to read it, and
 * tells how that went.
 */
static int
create_files(struct state_db *db)
{
	struct stat log;
	char *name;
	int error = state_files_make_directory(db->directory,
	    &db->lacks_parent);

	if (error)
		return failed_with(db, error);
	error = create_one(db, db->path, &db->file);
	if (error || !db->file.st_size)
		return error;
	/* SQLite would take it for an empty one. */
	if (db->file.st_size < LEAST_FILE_BYTES)
		return state_db_torn(db, "it is too short for a database");
	if (asprintf(&name, "%s-wal", db->path) < 0)
		return -ENOMEM;
	error = create_one(db, name, &log);
	free(name);
	return error;
}

static int
create_tables(struct state_db *db)
{
	struct buf insert;
	int error;

	while (!db->lineage)
		sqlite3_randomness(sizeof(db->lineage), &db->lineage);
	buf_init(&insert, SIZE_MAX / 2);
	buf_add_format(&insert, "INSERT INTO meta VALUES(%lld, 0, 0); COMMIT",
	    (long long)db->lineage);
	buf_add_char(&insert, '\0');
	error = buf_status(&insert);
	if (!error)
		error = execute(db, "PRAGMA journal_mode=WAL; BEGIN EXCLUSIVE");
	if (!error)
		error = execute(db, schema);
	if (!error)
		error = execute(db, insert.data);
	buf_release(&insert);
	return error;
}

/* Whether it may be used; a new one is given its tables. */
static int
check_kind(struct state_db *db, bool *ret_is_new)
{
	sqlite3_int64 application = 0, version = 0, n_tables = 0, result;
	int error;

	error = ask(db, "PRAGMA application_id", &application);
	if (!error)
		error = ask(db, "PRAGMA user_version", &version);
	if (!error)
		error = ask(db, "SELECT count(*) FROM sqlite_schema",
		    &n_tables);
	if (error)
		return error;
	*ret_is_new = !application && !version && !n_tables;
	if (*ret_is_new)
		return create_tables(db);
	if (application != APPLICATION_ID)
		return state_db_torn(db,
		    "it is the file of another application");
	if (version != VERSION)
		return state_db_torn(db,
		    "it is of another version of the exporter");
	return ask(db, "PRAGMA quick_check(1)", &result);
}

static int
check_ours(struct state_db *db, bool is_loading)
{
	sqlite3_int64 lineage = 0;
	bool is_new;
	size_t i;
	int error = check_kind(db, &is_new);

	for (i = 0; i < STATE_DB_QUERIES && !error; i++) {
		int code = sqlite3_prepare_v3(db->sqlite, queries[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &db->queries[i], NULL);

		if (code)
			error = failed_to_prepare(db, code);
	}
	if (!error)
		error = ask(db, "SELECT lineage FROM meta", &lineage);
	if (error || is_new)
		return error;
	if (is_loading)
		db->lineage = (uint64_t)lineage;
	return db->lineage == (uint64_t)lineage
	    ? 0
	    : state_db_torn(db, "it is not the one that was read at the start");
}

static int
open_database(struct state_db *db, const char *name, int flags)
{
	int code = sqlite3_open_v2(name, &db->sqlite,
	    flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (!code)
		code = sqlite3_busy_timeout(db->sqlite, BOUNDS_STATE_BUSY_MS);
	return code ? failed(db, code) : 0;
}

static int
open_to_write(struct state_db *db, bool is_loading)
{
	int error = create_files(db);

	if (!error)
		error = open_database(db, db->path, SQLITE_OPEN_READWRITE);
	if (!error)
		error = execute(db, settings);
	if (!error)
		error = check_ours(db, is_loading);
	/* A tool may have brought it into another mode. */
	if (!error)
		error = execute(db, "PRAGMA journal_mode=WAL");
	if (error)
		state_db_close(db);
	if (error == -EBUSY)
		db->holder = state_files_holder(db->path);
	return error;
}

/* All that was saved is in the file itself: it can be read as it is. */
static int
open_immutable(struct state_db *db)
{
	struct buf name;
	const char *c;
	int error;

	buf_init(&name, SIZE_MAX / 2);
	buf_add_text(&name, "file:");
	for (c = db->path; *c; c++) {
		if (strchr("%?#", *c))
			buf_add_format(&name, "%%%02X", (unsigned)*c);
		else
			buf_add_char(&name, *c);
	}
	buf_add_text(&name, "?immutable=1");
	buf_add_char(&name, '\0');
	error = buf_status(&name);
	if (!error)
		error = open_database(db, name.data,
		    SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
	if (!error)
		error = check_ours(db, true);
	buf_release(&name);
	return error;
}

static int
open_copy(struct state_db *db)
{
	char *copy;
	int error = state_files_copy(db->path, &copy);

	if (error)
		return failed_with(db, error);
	error = open_database(db, copy, SQLITE_OPEN_READWRITE);
	if (!error)
		error = execute(db, settings);
	if (!error)
		error = check_ours(db, true);
	state_files_remove_copy(copy);
	return error;
}

static int
open_to_read(struct state_db *db)
{
	struct stat log;
	char *name;
	int error;

	if (asprintf(&name, "%s-wal", db->path) < 0)
		return -ENOMEM;
	error = !stat(name, &log) && log.st_size ? open_copy(db)
						 : open_immutable(db);
	free(name);
	if (error)
		state_db_close(db);
	db->is_read_only = !error;
	return error;
}

bool
state_db_lacks_parent(const struct state_db *db)
{
	return db->lacks_parent;
}

bool
state_db_is_unread(const struct state_db *db)
{
	struct stat st;

	if (db->is_torn)
		return false;
	if (stat(db->path, &st))
		return errno != ENOENT && errno != ENOTDIR;
	return S_ISREG(st.st_mode) && st.st_size;
}

int
state_db_open(struct state_db *db, bool is_loading)
{
	int read_error, error;

	db->is_torn = false;
	error = open_to_write(db, is_loading);
	if (error == -EBADMSG) {
		error = state_db_set_aside(db);
		return error ? error : open_to_write(db, false);
	}
	if (!error || !is_loading || error == -EBUSY || error == -ENOMEM ||
	    !state_db_is_unread(db))
		return error;
	read_error = open_to_read(db);
	return read_error == -EBADMSG ? error : read_error;
}

bool
state_db_is_read_only(const struct state_db *db)
{
	return db->is_read_only;
}

int
state_db_create(const char *directory, struct state_db **ret_db)
{
	struct state_db *db = calloc(1, sizeof(*db));
	struct buf path;

	if (!db)
		return -ENOMEM;
	buf_init(&db->reason, SIZE_MAX / 2);
	buf_init(&db->aside, SIZE_MAX / 2);
	buf_init(&db->aside_reason, SIZE_MAX / 2);
	buf_init(&path, SIZE_MAX / 2);
	buf_add_format(&path, "%s/" FILE_NAME, directory);
	buf_add_char(&path, '\0');
	db->path = buf_take(&path);
	db->directory = strdup(directory);
	if (!db->path || !db->directory) {
		state_db_destroy(db);
		return -ENOMEM;
	}
	*ret_db = db;
	return 0;
}

void
state_db_destroy(struct state_db *db)
{
	if (!db)
		return;
	state_db_close(db);
	buf_release(&db->reason);
	buf_release(&db->aside);
	buf_release(&db->aside_reason);
	free(db->path);
	free(db->directory);
	free(db);
}

const char *
state_db_path(const struct state_db *db)
{
	return db->path;
}

const char *
state_db_reason(const struct state_db *db)
{
	return db->reason.len ? db->reason.data : "";
}

const char *
state_db_aside(struct state_db *db, const char **ret_reason)
{
	*ret_reason = db->aside_reason.len ? db->aside_reason.data : "";
	if (!db->is_aside_new)
		return NULL;
	db->is_aside_new = false;
	return db->aside.data;
}

pid_t
state_db_holder(const struct state_db *db)
{
	return db->holder;
}

uint64_t
state_db_n_changes(const struct state_db *db)
{
	return db->n_changes;
}
