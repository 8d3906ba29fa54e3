/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes as transactions. All that wait share one, so that they share its
 * fsync; each has a savepoint of its own, so that one that is refused takes
 * nothing with it. Where the transaction fails, each is tried alone: one that
 * the disk has no room for does not take the others with it either.
 *
 * What is expected is compared with the file, not with memory, which is behind
 * by what waits; and whose a frontend is, the file's unique index says.
 */
#include "agent/store/commit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

#define GROUP_MAX   256
#define GROUP_BYTES (8u << 20)

/* Begins a statement's parameters where they are a key. */
#define KEY(k) (int64_t)(k)->kind, (k)->ns, (k)->name

static bool refuse(struct write_job *j, size_t change, enum store_result r, uint64_t current,
		   const char *fmt, ...) PRINTF_LIKE(5, 6);
static bool refuse(struct write_job *j, size_t change, enum store_result r, uint64_t current,
		   const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	j->job.result = r;
	j->refused = change;
	j->current = current;
	err_set(&j->job.err, -1, "%s", text);
	return false;
}

/* --- what is there ------------------------------------------------------------------ */

struct current {
	uint64_t revision; /* 0: it is not there */
	int64_t created_ms;
	uint64_t born;
	bool same_text;
};

static struct current find_current(struct db *db, const struct store_change *c)
{
	struct sqlite3_stmt *q =
		db_bind(db,
			"SELECT o.revision, o.created, o.born, coalesce(r.text = ?4, 0)"
			" FROM object o LEFT JOIN revision r ON r.revision = o.revision"
			" WHERE o.kind = ?1 AND o.ns = ?2 AND o.name = ?3",
			"isst", KEY(&c->key), c->text, c->len);
	struct current now = { 0 };

	if (db_row(db, q)) {
		now = (struct current){ (uint64_t)db_int(q, 0), db_int(q, 1),
					(uint64_t)db_int(q, 2), db_int(q, 3) };
		db_reset(q);
	}
	return now;
}

static bool has_claim(struct db *db, const struct store_key *key, const struct store_claim *c)
{
	char vip[ADDR_TEXT_MAX];
	struct sqlite3_stmt *q =
		db_bind(db,
			"SELECT 1 FROM claim WHERE kind = ? AND ns = ? AND name = ? AND vip = ?"
			" AND port = ? AND protocol = ? AND pool = ?",
			"isssiis", KEY(key), addr_text(&c->at.addr, vip), (int64_t)c->at.port,
			(int64_t)c->at.protocol, c->pool);
	bool has = db_row(db, q);

	if (has)
		db_reset(q);
	return has;
}

static bool has_claims(struct db *db, const struct store_change *c)
{
	struct sqlite3_stmt *q =
		db_bind(db, "SELECT count(*) FROM claim WHERE kind = ? AND ns = ? AND name = ?",
			"iss", KEY(&c->key));
	bool same = db_row(db, q) && db_int(q, 0) == (int64_t)c->claim_count;

	if (q)
		db_reset(q);
	for (size_t i = 0; i < c->claim_count && same; i++)
		same = has_claim(db, &c->key, &c->claims[i]);
	return same;
}

/* "shop/web", or "edge" of what has no namespace. */
#define KEY_TEXT_MAX (2 * STORE_NAME_MAX + 2)
static const char *key_text(const struct store_key *key, char out[static KEY_TEXT_MAX])
{
	snprintf(out, KEY_TEXT_MAX, "%s%s%s", key->ns, *key->ns ? "/" : "", key->name);
	return out;
}

enum store_result store_judge(const struct store_change *c, uint64_t revision, struct err *why)
{
	const char *kind = store_kind_text(c->key.kind);
	char key[KEY_TEXT_MAX];

	key_text(&c->key, key);
	if (c->expect == STORE_EXPECT_ABSENT && revision) {
		err_set(why, -1, "%s %s exists already", kind, key);
		return STORE_EXISTS;
	}
	if (!revision && (c->remove || c->expect == STORE_EXPECT_REVISION)) {
		err_set(why, -1, "there is no %s %s", kind, key);
		return STORE_ABSENT;
	}
	if (c->expect == STORE_EXPECT_REVISION && c->revision != revision) {
		err_set(why, -1, "%s %s is at revision %" PRIu64 ", not %" PRIu64, kind, key,
			revision, c->revision);
		return STORE_STALE;
	}
	return STORE_OK;
}

static bool is_expected(struct write_job *j, size_t i, const struct current *now)
{
	struct err why;
	enum store_result r = store_judge(&j->write.changes[i], now->revision, &why);

	return r == STORE_OK || refuse(j, i, r, now->revision, "%s", why.text);
}

/* --- claims ---------------------------------------------------------------------------- */

static bool refuse_claim(struct db *db, struct write_job *j, size_t i, uint64_t current,
			 const struct store_claim *c, const char *vip)
{
	struct sqlite3_stmt *q = db_bind(db,
					 "SELECT kind, ns, name FROM claim WHERE vip = ?"
					 " AND port = ? AND protocol = ?",
					 "sii", vip, (int64_t)c->at.port, (int64_t)c->at.protocol);
	char text[ENDPOINT_TEXT_MAX];

	if (!db_row(db, q))
		return false;
	refuse(j, i, STORE_TAKEN, current, "%s/%s is taken by %s %.253s/%.253s",
	       endpoint_text(&c->at, text), protocol_text(c->at.protocol),
	       store_kind_text((enum store_kind)db_int(q, 0)), db_text(q, 1), db_text(q, 2));
	db_reset(q);
	return false;
}

static void drop_claims(struct db *db, const struct store_key *key)
{
	db_run(db, "DELETE FROM claim WHERE kind = ? AND ns = ? AND name = ?", "iss", KEY(key));
}

/* Documents of one write may hand theirs to each other, all the way round: marks those that do. */
static void let_go(struct db *db, struct write_job *j)
{
	const struct store_write *w = &j->write;

	for (size_t i = 0; w->count > 1 && i < w->count && db_ok(db); i++) {
		const struct store_change *c = &w->changes[i];

		j->items[i].changed = c->remove || !has_claims(db, c);
		if (j->items[i].changed)
			drop_claims(db, &c->key);
	}
}

static bool put_claims(struct db *db, struct write_job *j, size_t i, uint64_t current)
{
	const struct store_change *c = &j->write.changes[i];
	char vip[ADDR_TEXT_MAX];

	if (current)
		drop_claims(db, &c->key);
	for (size_t n = 0; n < c->claim_count && db_ok(db); n++) {
		const struct store_claim *claim = &c->claims[n];

		if (!db_try(db,
			    "INSERT INTO claim(kind, ns, name, vip, port, protocol, pool)"
			    " VALUES(?,?,?,?,?,?,?)",
			    "isssiis", KEY(&c->key), addr_text(&claim->at.addr, vip),
			    (int64_t)claim->at.port, (int64_t)claim->at.protocol, claim->pool))
			return refuse_claim(db, j, i, current, claim, vip);
	}
	return true;
}

static bool may_go(struct db *db, struct write_job *j, size_t i, uint64_t current)
{
	const struct store_key *key = &j->write.changes[i].key;
	struct sqlite3_stmt *q;

	if (key->kind != STORE_ADDRESS_POOL)
		return true;
	q = db_bind(db, "SELECT count(*), vip, port, ns, min(name) FROM claim WHERE pool = ?", "s",
		    key->name);
	if (db_row(db, q) && db_int(q, 0) > 0)
		refuse(j, i, STORE_IN_USE, current,
		       "address pool %s is in use: %lld frontends are from it, as that of %s/%s",
		       key->name, (long long)db_int(q, 0), db_text(q, 3), db_text(q, 4));
	if (q)
		db_reset(q);
	return j->job.result == STORE_OK;
}

/* --- one change -------------------------------------------------------------------------- */

static void put_object(struct store *s, struct write_job *j, size_t i, struct current *now,
		       const struct operation *o, uint64_t revision)
{
	const struct store_change *c = &j->write.changes[i];
	struct writer *w = &s->writer;
	struct store_object parts = {
		.key = c->key,
		.revision = revision,
		.created_revision = now->revision ? now->born : revision,
		.created_ms = now->revision ? now->created_ms : j->now_ms,
		.changed_ms = j->now_ms,
		.user = o->who->user,
		.action = o->who->action,
		.text = c->text,
		.len = c->len,
		.claims = c->claims,
		.claim_count = c->claim_count,
	};

	db_run(&w->db,
	       "INSERT INTO object(kind, ns, name, revision, created, born) VALUES(?,?,?,?,?,?)"
	       " ON CONFLICT DO UPDATE SET revision = excluded.revision",
	       "issiii", KEY(&c->key), (int64_t)revision, parts.created_ms,
	       (int64_t)parts.created_revision);
	if (!now->revision)
		w->counts.objects++;
	if (!j->write.dry_run)
		j->objects[i] = object_of_store(&parts, s->options.owner);
}

static void change(struct store *s, struct write_job *j, size_t i, struct current *now)
{
	const struct store_change *c = &j->write.changes[i];
	struct writer *w = &s->writer;
	const struct operation o = {
		.at_ms = j->now_ms,
		.who = &j->write.who,
		.key = c->key,
		.before = now->revision,
		.changed = true,
		.removed = c->remove,
		.forced = now->revision && c->expect == STORE_EXPECT_ANY,
		.detail = "",
	};
	uint64_t id = history_add(s, w, &o);

	if (!id)
		return;
	history_add_revision(s, w, &o, id, c->remove ? NULL : c->text, c->remove ? 0 : c->len);
	if (c->remove) {
		db_run(&w->db, "DELETE FROM object WHERE kind = ? AND ns = ? AND name = ?", "iss",
		       KEY(&c->key));
		w->counts.objects--;
	} else {
		put_object(s, j, i, now, &o, id);
	}
	j->items[i] = (struct store_done){ j->write.dry_run ? 0 : id, true };
}

/* False: refused, or trouble. */
static bool apply_change(struct store *s, struct write_job *j, size_t i)
{
	const struct store_change *c = &j->write.changes[i];
	struct db *db = &s->writer.db;
	struct current now = find_current(db, c);

	if (!db_ok(db) || !is_expected(j, i, &now))
		return false;
	if (c->remove && !may_go(db, j, i, now.revision))
		return false;
	if (!c->remove && !j->items[i].changed && now.revision && now.same_text &&
	    has_claims(db, c)) {
		j->items[i] = (struct store_done){ now.revision, false };
		return db_ok(db);
	}
	if (!c->remove && !now.revision && s->writer.counts.objects >= s->options.objects_max)
		return refuse(j, i, STORE_FULL, 0, "there are %zu documents, which is the limit",
			      s->options.objects_max);
	if (!put_claims(db, j, i, now.revision))
		return false;
	change(s, j, i, &now);
	return db_ok(db);
}

/* --- idempotency keys ---------------------------------------------------------------------- */

static bool read_answer(struct write_job *j, const char *text)
{
	for (size_t i = 0; i < j->write.count; i++) {
		char *end;

		j->items[i].revision = strtoull(text, &end, 10);
		if (end == text || (*end != '+' && *end != '-'))
			return false;
		j->items[i].changed = *end == '+';
		text = end + 1;
	}
	return !*text;
}

/* True: it is an earlier one's repetition, or refused as none. */
static bool is_answered(struct db *db, struct write_job *j)
{
	const struct store_write *w = &j->write;
	struct sqlite3_stmt *q;

	if (!w->idempotency_key)
		return false;
	q = db_bind(db,
		    "SELECT hash, answer FROM idempotency WHERE user = ? AND key = ?"
		    " AND at > ?",
		    "ssi", w->who.user, w->idempotency_key, j->now_ms - STORE_KEY_MS);
	if (!db_row(db, q))
		return false;
	if ((uint64_t)db_int(q, 0) == w->idempotency_hash && read_answer(j, db_text(q, 1)))
		j->repeated = true;
	else
		refuse(j, 0, STORE_KEY_REUSED, 0,
		       "the idempotency key was used for another request");
	db_reset(q);
	return true;
}

static void keep_answer(struct db *db, struct write_job *j)
{
	struct buf b = { 0 };

	if (!j->write.idempotency_key)
		return;
	for (size_t i = 0; i < j->write.count; i++)
		buf_printf(&b, "%" PRIu64 "%c", j->items[i].revision,
			   j->items[i].changed ? '+' : '-');
	db_run(db,
	       "INSERT OR REPLACE INTO idempotency(user, key, hash, at, answer)"
	       " VALUES(?,?,?,?,?)",
	       "ssiis", j->write.who.user, j->write.idempotency_key,
	       (int64_t)j->write.idempotency_hash, j->now_ms, buf_cstr(&b));
	buf_done(&b);
	db_run(db, "DELETE FROM idempotency WHERE at <= ?", "i", j->now_ms - STORE_KEY_MS);
	db_run(db, "DELETE FROM idempotency WHERE id <= (SELECT max(id) FROM idempotency) - ?", "i",
	       (int64_t)STORE_KEYS_MAX);
}

/* --- one write ------------------------------------------------------------------------------- */

static void forget_answer(struct write_job *j)
{
	for (size_t i = 0; i < j->write.count; i++) {
		store_object_unref(j->objects[i]);
		j->objects[i] = NULL;
		j->items[i] = (struct store_done){ 0 };
	}
	j->job.result = STORE_OK;
	j->job.err = (struct err){ 0 };
	j->repeated = false;
}

static void record_refusal(struct store *s, struct write_job *j)
{
	const struct store_change *c = &j->write.changes[j->refused];
	const struct operation o = {
		.at_ms = j->now_ms,
		.who = &j->write.who,
		.key = c->key,
		.before = j->current,
		.result = j->job.result,
		.detail = j->job.err.text,
	};

	history_add(s, &s->writer, &o);
}

static void apply(struct store *s, struct write_job *j)
{
	struct db *db = &s->writer.db;
	struct counts before = s->writer.counts;
	bool done = true;

	db_exec(db, "SAVEPOINT one");
	if (!is_answered(db, j)) {
		let_go(db, j);
		for (size_t i = 0; i < j->write.count && done; i++)
			done = apply_change(s, j, i);
		if (done && !j->write.dry_run)
			keep_answer(db, j);
	}
	if (j->job.result != STORE_OK || j->write.dry_run) {
		db_exec(db, "ROLLBACK TO one");
		s->writer.counts = before;
	}
	if (j->job.result != STORE_OK && !j->write.dry_run)
		record_refusal(s, j);
	db_exec(db, "RELEASE one");
}

/* --- a group ----------------------------------------------------------------------------------- */

static void begin(struct writer *w)
{
	db_clear(&w->db);
	/* What would be written now nobody would find again. */
	if (db_has_moved(&w->db)) {
		w->ready = false;
		db_fail(&w->db, STORE_IO,
			"the store's file was moved or removed: no writes until the next start");
	}
	db_exec(&w->db, "BEGIN IMMEDIATE");
}

/* True: committed. Otherwise nothing of it has happened, and w->db says why. */
static bool transaction(struct store *s, struct write_job *group)
{
	struct writer *w = &s->writer;
	struct counts before = w->counts;

	begin(w);
	for (struct write_job *j = group; j && db_ok(&w->db); j = j->next)
		apply(s, j);
	db_exec(&w->db, "COMMIT");
	if (db_ok(&w->db))
		return true;
	w->counts = before;
	if (db_in_transaction(&w->db)) {
		struct db failed = w->db;

		db_clear(&w->db);
		db_exec(&w->db, "ROLLBACK");
		w->db.trouble = failed.trouble;
		w->db.err = failed.err;
	}
	for (struct write_job *j = group; j; j = j->next)
		forget_answer(j);
	return false;
}

static void answer(struct store *s, struct write_job *group)
{
	struct writer *w = &s->writer;

	for (struct write_job *j = group, *next; j; j = next) {
		next = j->next;
		j->ran = true;
		j->after = writer_state(w);
		worker_answer(s, &j->job);
	}
}

static void fail(struct store *s, struct write_job *group)
{
	for (struct write_job *j = group; j; j = j->next) {
		j->job.result = s->writer.trouble;
		j->job.err = s->writer.err;
	}
	answer(s, group);
}

static void commit(struct store *s, struct write_job *group)
{
	struct writer *w = &s->writer;

	if (!w->ready) {
		fail(s, group);
		return;
	}
	if (transaction(s, group)) {
		w->trouble = STORE_OK;
		w->err = (struct err){ 0 };
		answer(s, group);
		return;
	}
	writer_failed(w);
	if (w->trouble == STORE_CORRUPT)
		w->ready = false;
	if (!group->next || !w->ready) {
		fail(s, group);
		return;
	}
	while (group) {
		struct write_job *next = group->next;

		group->next = NULL;
		commit(s, group);
		group = next;
	}
}

void writer_commit(struct store *s, struct job *first)
{
	struct write_job *group = (struct write_job *)first, *last = group;
	size_t bytes = first->bytes;
	struct job *j;

	for (int n = 1; n < GROUP_MAX && bytes < GROUP_BYTES; n++) {
		j = queue_take_more(&s->writes, &write_ops);
		if (!j)
			break;
		bytes += j->bytes;
		last->next = (struct write_job *)j;
		last = last->next;
	}
	commit(s, group);
}
