/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection to SQLite, of one thread. Blocks on the disk.
 *
 * The first failure stays in `trouble` and makes the rest do nothing, so that
 * a transaction is written down as what it does and asked about once;
 * db_clear() begins anew.
 */
#ifndef AGENT_STORE_DB_H
#define AGENT_STORE_DB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/store.h"

#define DB_STATEMENTS_MAX 64

struct sqlite3;
struct sqlite3_stmt;

struct db {
	struct sqlite3 *handle; /* NULL: not open */
	struct {
		const char *sql;
		struct sqlite3_stmt *statement;
	} statements[DB_STATEMENTS_MAX];
	enum store_result trouble;
	struct err err;
	bool constraint; /* the last statement ran into one */
	int wal_pages;	 /* of the log after the last commit */
};

enum db_mode {
	DB_WRITE,     /* makes the file where there is none */
	DB_READ,      /* beside a writer */
	DB_IMMUTABLE, /* nobody writes, the directory included */
};

/* Sets the trouble on failure; db_close() in any case. */
void db_open(struct db *db, const char *path, enum db_mode mode, const char *vfs);
/* Once it is known to be ours: what makes a commit durable. */
void db_begin_writing(struct db *db);
void db_close(struct db *db); /* a zeroed one is fine; leaves a zeroed one */
/* A file that nobody has open, with what may be beside it. */
void db_remove(const char *path);
void db_clear(struct db *db);
static inline bool db_ok(const struct db *db)
{
	return db->trouble == STORE_OK;
}
/* Sets a trouble of our own, unless there is one. */
void db_fail(struct db *db, enum store_result trouble, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Takes SQLite's code for this connection. */
void db_failed(struct db *db, int code, const char *what);

/* Statements without parameters or rows. */
void db_exec(struct db *db, const char *sql);
/*
 * A statement (a string literal: it is kept by its address) with its parameters: 'i' int64_t,
 * 's' const char * (NULL: NULL), 't' const char * and size_t. They must stay until the last row.
 */
struct sqlite3_stmt *db_bind(struct db *db, const char *sql, const char *types, ...);
/* The next row. False: no more, or trouble; the statement is reset then. */
bool db_row(struct db *db, struct sqlite3_stmt *statement);
void db_reset(struct sqlite3_stmt *statement); /* before its rows are at their end */
/* Until the next row. */
int64_t db_int(struct sqlite3_stmt *statement, int column);
const char *db_text(struct sqlite3_stmt *statement, int column); /* NULL: NULL */
size_t db_text_len(struct sqlite3_stmt *statement, int column);
/* db_bind(), all rows done. */
void db_run(struct db *db, const char *sql, const char *types, ...);
/* The same; false: it ran into a constraint, which is no trouble. */
MUST_CHECK bool db_try(struct db *db, const char *sql, const char *types, ...);
/* The first column of the only row; otherwise `none`. */
int64_t db_value(struct db *db, const char *sql, int64_t none);
uint64_t db_last_id(const struct db *db);
bool db_in_transaction(const struct db *db);
/* The file is not at its path any more: what is written now would be lost. */
bool db_has_moved(struct db *db);
/*
 * Brings the log into the file; with `truncate` leaves none, and waits a moment for who reads.
 * Failure is no trouble: later.
 */
void db_checkpoint(struct db *db, bool truncate);
/* All pages of one to the other, as one transaction. */
void db_copy(struct db *to, struct db *from);

#endif
