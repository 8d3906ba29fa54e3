/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/db.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/xalloc.h"

#define READER_PATIENCE_MS 200
#define LOCK_PATIENCE_MS   5000 /* for the other thread's connection, which recovers or checkpoints */

void db_clear(struct db *db)
{
	db->trouble = STORE_OK;
	db->err = (struct err){ 0 };
	db->constraint = false;
}

static enum store_result trouble_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return STORE_FULL;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return STORE_READ_ONLY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
		return STORE_CORRUPT;
	default:
		return STORE_IO;
	}
}

void db_fail(struct db *db, enum store_result trouble, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	if (!db_ok(db))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	db->trouble = trouble;
	err_set(&db->err, -1, "%s", text);
}

void db_failed(struct db *db, int code, const char *what)
{
	int error = db->handle ? sqlite3_system_errno(db->handle) : 0;
	const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);

	if (error && (code & 0xff) != SQLITE_CORRUPT)
		db_fail(db, trouble_of(code), "%s: %s (%s)", what, text, strerror(error));
	else
		db_fail(db, trouble_of(code), "%s: %s", what, text);
}

/* --- statements -------------------------------------------------------------- */

void db_exec(struct db *db, const char *sql)
{
	int code;

	if (!db_ok(db))
		return;
	code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		db_failed(db, code, "writing");
}

static sqlite3_stmt *prepare(struct db *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
				      NULL);

	if (code != SQLITE_OK)
		db_failed(db, code, "reading");
	return statement;
}

static sqlite3_stmt *kept(struct db *db, const char *sql)
{
	size_t i = 0;

	while (i < DB_STATEMENTS_MAX && db->statements[i].sql && db->statements[i].sql != sql)
		i++;
	assert(i < DB_STATEMENTS_MAX);
	if (!db->statements[i].sql) {
		db->statements[i].statement = prepare(db, sql);
		if (db->statements[i].statement)
			db->statements[i].sql = sql;
	}
	return db->statements[i].statement;
}

static void bind_all(sqlite3_stmt *statement, const char *types, va_list args)
{
	for (int i = 1; types[i - 1]; i++) {
		const char *text;
		size_t len;

		switch (types[i - 1]) {
		case 'i':
			sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
			break;
		case 's':
			text = va_arg(args, const char *);
			sqlite3_bind_text(statement, i, text, -1, SQLITE_STATIC);
			break;
		default:
			assert(types[i - 1] == 't');
			text = va_arg(args, const char *);
			len = va_arg(args, size_t);
			sqlite3_bind_text64(statement, i, text, len, SQLITE_STATIC, SQLITE_UTF8);
		}
	}
}

struct sqlite3_stmt *db_bind(struct db *db, const char *sql, const char *types, ...)
{
	sqlite3_stmt *statement = db_ok(db) ? kept(db, sql) : NULL;
	va_list args;

	if (!statement)
		return NULL;
	va_start(args, types);
	bind_all(statement, types, args);
	va_end(args);
	return statement;
}

bool db_row(struct db *db, struct sqlite3_stmt *statement)
{
	int code;

	if (!statement)
		return false;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		return true;
	db->constraint = (code & 0xff) == SQLITE_CONSTRAINT;
	if (code != SQLITE_DONE && !db->constraint)
		db_failed(db, code, sqlite3_stmt_readonly(statement) ? "reading" : "writing");
	db_reset(statement);
	return false;
}

void db_reset(struct sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

int64_t db_int(struct sqlite3_stmt *statement, int column)
{
	return sqlite3_column_int64(statement, column);
}

const char *db_text(struct sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}

size_t db_text_len(struct sqlite3_stmt *statement, int column)
{
	return (size_t)sqlite3_column_bytes(statement, column);
}

static void run(struct db *db, const char *sql, const char *types, va_list args)
{
	sqlite3_stmt *statement = db_ok(db) ? kept(db, sql) : NULL;

	if (!statement)
		return;
	bind_all(statement, types, args);
	while (db_row(db, statement))
		;
}

void db_run(struct db *db, const char *sql, const char *types, ...)
{
	va_list args;

	db->constraint = false;
	va_start(args, types);
	run(db, sql, types, args);
	va_end(args);
	if (db->constraint)
		db_failed(db, SQLITE_CONSTRAINT, "writing");
}

bool db_try(struct db *db, const char *sql, const char *types, ...)
{
	va_list args;

	db->constraint = false;
	va_start(args, types);
	run(db, sql, types, args);
	va_end(args);
	return !db->constraint;
}

int64_t db_value(struct db *db, const char *sql, int64_t none)
{
	struct sqlite3_stmt *q = db_bind(db, sql, "");
	int64_t value = none;

	if (db_row(db, q)) {
		value = db_int(q, 0);
		db_reset(q);
	}
	return value;
}

uint64_t db_last_id(const struct db *db)
{
	return (uint64_t)sqlite3_last_insert_rowid(db->handle);
}

bool db_in_transaction(const struct db *db)
{
	return !sqlite3_get_autocommit(db->handle);
}

/* --- the file ------------------------------------------------------------------ */

static int on_commit(void *arg, sqlite3 *handle, const char *name, int pages)
{
	struct db *db = arg;

	(void)handle;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

/* What somebody else put into the file must not make us do anything. */
static void distrust(struct db *db)
{
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, 4 * STORE_TEXT_MAX);
	db_exec(db, "PRAGMA cell_size_check=ON");
	db_exec(db, "PRAGMA temp_store=MEMORY");
}

void db_begin_writing(struct db *db)
{
	struct sqlite3_stmt *q;

	/* SQLite opens it all the same. */
	if (db_ok(db) && sqlite3_db_readonly(db->handle, "main") != 0)
		db_fail(db, STORE_READ_ONLY, "it cannot be written to");
	q = db_bind(db, "PRAGMA journal_mode=WAL", "");

	if (db_row(db, q)) {
		if (strcmp(db_text(q, 0), "wal") != 0)
			db_fail(db, STORE_IO, "the file system cannot hold a write-ahead log");
		db_reset(q);
	}
	db_exec(db, "PRAGMA synchronous=FULL");
	db_exec(db, "PRAGMA secure_delete=ON");
	/* Not inside a commit that somebody waits for; see db_checkpoint(). */
	db_exec(db, "PRAGMA wal_autocheckpoint=0");
	db_exec(db, "PRAGMA journal_size_limit=16777216");
	if (db_ok(db))
		sqlite3_wal_hook(db->handle, on_commit, db);
}

/* '?', '#' and '%' mean something in a URI. */
static char *uri_of(const char *path)
{
	char *uri = xmalloc(strlen(path) * 3 + sizeof("file:?immutable=1")), *p = uri;

	p += sprintf(p, "file:");
	for (; *path; path++)
		p += sprintf(p, strchr("?#%", *path) ? "%%%02x" : "%c", (unsigned char)*path);
	sprintf(p, "?immutable=1");
	return uri;
}

void db_open(struct db *db, const char *path, enum db_mode mode, const char *vfs)
{
	CLEANUP(xfree_ptr) char *uri = uri_of(path);
	const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	const int flags[] = {
		[DB_WRITE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		[DB_READ] = SQLITE_OPEN_READONLY,
		[DB_IMMUTABLE] = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
	};
	int code;

	*db = (struct db){ 0 };
	code = sqlite3_open_v2(mode == DB_IMMUTABLE ? uri : path, &db->handle, common | flags[mode],
			       vfs);
	if (code != SQLITE_OK) {
		db_failed(db, code, "opening");
		return;
	}
	sqlite3_busy_timeout(db->handle, LOCK_PATIENCE_MS);
	distrust(db);
}

void db_close(struct db *db)
{
	for (size_t i = 0; i < DB_STATEMENTS_MAX && db->statements[i].sql; i++)
		sqlite3_finalize(db->statements[i].statement);
	sqlite3_close(db->handle);
	*db = (struct db){ 0 };
}

void db_remove(const char *path)
{
	static const char *const endings[] = { "-journal", "-wal", "-shm", "" };

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		CLEANUP(xfree_ptr) char *file = xasprintf("%s%s", path, endings[i]);

		unlink(file);
	}
}

bool db_has_moved(struct db *db)
{
	int moved = 0;

	return sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
		       SQLITE_OK &&
	       moved;
}

void db_checkpoint(struct db *db, bool truncate)
{
	const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;

	sqlite3_busy_timeout(db->handle, truncate ? READER_PATIENCE_MS : 0);
	if (sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, NULL, NULL) == SQLITE_OK)
		db->wal_pages = 0;
	sqlite3_busy_timeout(db->handle, LOCK_PATIENCE_MS);
}

void db_copy(struct db *to, struct db *from)
{
	sqlite3_backup *copy;
	int code;

	if (!db_ok(to) || !db_ok(from))
		return;
	copy = sqlite3_backup_init(to->handle, "main", from->handle, "main");
	if (!copy) {
		db_failed(to, sqlite3_errcode(to->handle), "copying");
		return;
	}
	code = sqlite3_backup_step(copy, -1);
	sqlite3_backup_finish(copy);
	if (code != SQLITE_DONE)
		db_failed(to, code, "copying");
}
