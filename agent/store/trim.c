/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is written down of the past, and what of it goes.
 *
 * An operation goes when there are too many or it is too old; the newest
 * always stays, so that ids only grow. A revision goes once the operation that
 * replaced it has gone and it is none of its document's newest; with the
 * operation that removed a document goes all that was before.
 */
#include "agent/store/commit.h"

#define TRIM_MAX 4 /* operations for each that comes: the record shrinks, but nobody waits for it */

static int64_t keep(const struct store *s)
{
	return (int64_t)s->options.revisions_max;
}

/* The revision that `by` has replaced. */
static void trim_replaced(struct store *s, struct db *db, const struct store_key *key,
			  int64_t revision)
{
	db_run(db,
	       "DELETE FROM revision WHERE revision = ?4 AND ?5 <= (SELECT count(*) FROM"
	       " (SELECT 1 FROM revision WHERE kind = ?1 AND ns = ?2 AND name = ?3"
	       " AND revision > ?4 LIMIT ?5))",
	       "issii", (int64_t)key->kind, key->ns, key->name, revision, keep(s));
}

static void trim_removed(struct db *db, const struct store_key *key, int64_t revision)
{
	db_run(db,
	       "DELETE FROM revision WHERE kind = ?1 AND ns = ?2 AND name = ?3 AND revision <= ?4",
	       "issi", (int64_t)key->kind, key->ns, key->name, revision);
}

/* The row must not be read any more when its operation is deleted: a copy. */
static bool trim_oldest(struct store *s, struct writer *w, int64_t now_ms)
{
	struct db *db = &w->db;
	struct arena arena = { 0 };
	struct sqlite3_stmt *q =
		db_bind(db,
			"SELECT id, at, kind, ns, name, before, changed, removed FROM operation"
			" ORDER BY id LIMIT 1",
			"");
	bool due = false;

	if (!db_row(db, q))
		return false;
	w->counts.oldest = (uint64_t)db_int(q, 0);
	due = w->counts.operations > s->options.operations_max ||
	      db_int(q, 1) < now_ms - s->options.operations_ms;
	if (due && w->counts.operations > 1) {
		int64_t id = db_int(q, 0), before = db_int(q, 5);
		bool changed = db_int(q, 6), removed = db_int(q, 7);
		const struct store_key key = {
			(enum store_kind)db_int(q, 2),
			arena_strndup(&arena, db_text(q, 3), db_text_len(q, 3)),
			arena_strndup(&arena, db_text(q, 4), db_text_len(q, 4)),
		};

		db_reset(q);
		db_run(db, "DELETE FROM operation WHERE id = ?", "i", id);
		w->counts.operations--;
		if (removed)
			trim_removed(db, &key, id);
		else if (changed && before)
			trim_replaced(s, db, &key, before);
		w->counts.oldest = (uint64_t)db_value(db, "SELECT min(id) FROM operation", 0);
	} else {
		due = false;
		db_reset(q);
	}
	arena_done(&arena);
	return due && db_ok(db);
}

uint64_t history_add(struct store *s, struct writer *w, const struct operation *o)
{
	const struct store_who *who = o->who;
	uint64_t id;

	db_run(&w->db,
	       "INSERT INTO operation(at, user, source, peer, request, action, reason, kind,"
	       " ns, name, before, changed, removed, forced, result, detail)"
	       " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	       "issssssissiiiiis", o->at_ms, who->user, who->source, who->peer, who->request,
	       who->action, who->reason, (int64_t)o->key.kind, o->key.ns, o->key.name,
	       (int64_t)o->before, (int64_t)o->changed, (int64_t)o->removed, (int64_t)o->forced,
	       (int64_t)o->result, o->detail);
	if (!db_ok(&w->db))
		return 0;
	id = db_last_id(&w->db);
	w->counts.operations++;
	for (int i = 0; i < TRIM_MAX && trim_oldest(s, w, o->at_ms); i++)
		;
	return id;
}

/* One is one too many by now: it goes unless the operation that replaced it is kept. */
static void trim_revisions(struct store *s, struct writer *w, const struct store_key *key)
{
	struct sqlite3_stmt *q = db_bind(&w->db,
					 "SELECT revision FROM revision WHERE kind = ? AND ns = ?"
					 " AND name = ? ORDER BY revision DESC LIMIT 2 OFFSET ?",
					 "issi", (int64_t)key->kind, key->ns, key->name,
					 keep(s) - 1);
	int64_t rows[2];
	int n = 0;

	while (db_row(&w->db, q)) {
		if (n < 2)
			rows[n++] = db_int(q, 0);
	}
	if (n == 2 && (uint64_t)rows[0] < w->counts.oldest)
		db_run(&w->db, "DELETE FROM revision WHERE revision = ?", "i", rows[1]);
}

void history_add_revision(struct store *s, struct writer *w, const struct operation *o,
			  uint64_t revision, const char *text, size_t len)
{
	if (o->before && o->key.kind == STORE_SECRET) {
		db_run(&w->db, "UPDATE revision SET text = NULL WHERE revision = ?", "i",
		       (int64_t)o->before);
		w->secrets = true;
	}
	db_run(&w->db,
	       "INSERT INTO revision(revision, kind, ns, name, at, user, action, removed, text)"
	       " VALUES(?,?,?,?,?,?,?,?,?)",
	       "iississit", (int64_t)revision, (int64_t)o->key.kind, o->key.ns, o->key.name,
	       o->at_ms, o->who->user, o->who->action, (int64_t)!text, text, len);
	trim_revisions(s, w, &o->key);
}
