/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file on its way to being the store. In this order, each step the reason
 * not to go on: a disk of this machine, nobody else's, a database, ours, whole,
 * of this version. Only then is it written to.
 *
 *   another process has it      nothing is read; tried again
 *   cannot be written to        all of it is read; no writes; tried again
 *   damaged, or none of ours    nothing is read; stays where it is
 *   the same, start_empty       put aside under another name, an empty one begun
 *   by a newer version          nothing is read; tried again
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "agent/store/store_private.h"

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif

/* Each makes of the version before it the next one; the first of nothing version 1. */
static const char *const migrations[] = {
	/* revision.text: NULL of a removal and of a secret that was replaced. */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE operation(id INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
	" user TEXT NOT NULL, source TEXT NOT NULL, peer TEXT NOT NULL,"
	" request TEXT NOT NULL, action TEXT NOT NULL, reason TEXT NOT NULL,"
	" kind INTEGER NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL,"
	" before INTEGER NOT NULL, changed INTEGER NOT NULL, removed INTEGER NOT NULL,"
	" forced INTEGER NOT NULL, result INTEGER NOT NULL, detail TEXT NOT NULL) STRICT;"
	"CREATE INDEX operation_object ON operation(ns, name, kind, id);"
	"CREATE TABLE revision(revision INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
	" ns TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, user TEXT NOT NULL,"
	" action TEXT NOT NULL, removed INTEGER NOT NULL, text TEXT) STRICT;"
	"CREATE UNIQUE INDEX revision_object ON revision(kind, ns, name, revision);"
	"CREATE TABLE object(kind INTEGER NOT NULL CHECK(kind BETWEEN 1 AND 5),"
	" ns TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL,"
	" created INTEGER NOT NULL, born INTEGER NOT NULL,"
	" PRIMARY KEY(kind, ns, name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE claim(vip TEXT NOT NULL, port INTEGER NOT NULL CHECK(port BETWEEN 1 AND "
	"65535),"
	" protocol INTEGER NOT NULL CHECK(protocol IN (6, 17)), kind INTEGER NOT NULL,"
	" ns TEXT NOT NULL, name TEXT NOT NULL, pool TEXT NOT NULL,"
	" PRIMARY KEY(vip, port, protocol)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX claim_object ON claim(kind, ns, name);"
	"CREATE INDEX claim_pool ON claim(pool);"
	"CREATE TABLE idempotency(id INTEGER PRIMARY KEY, user TEXT NOT NULL,"
	" key TEXT NOT NULL, hash INTEGER NOT NULL, at INTEGER NOT NULL, answer TEXT NOT NULL,"
	" UNIQUE(user, key)) STRICT;"
	"CREATE INDEX idempotency_at ON idempotency(at);",
	/* Claims of any protocol: which are served is not for the file to say. */
	"CREATE TABLE claim_2(vip TEXT NOT NULL, port INTEGER NOT NULL CHECK(port BETWEEN 1 AND "
	"65535),"
	" protocol INTEGER NOT NULL CHECK(protocol BETWEEN 1 AND 255), kind INTEGER NOT NULL,"
	" ns TEXT NOT NULL, name TEXT NOT NULL, pool TEXT NOT NULL,"
	" PRIMARY KEY(vip, port, protocol)) STRICT, WITHOUT ROWID;"
	"INSERT INTO claim_2 SELECT * FROM claim;"
	"DROP TABLE claim;"
	"ALTER TABLE claim_2 RENAME TO claim;"
	"CREATE INDEX claim_object ON claim(kind, ns, name);"
	"CREATE INDEX claim_pool ON claim(pool);",
};
#define VERSION ((int64_t)ARRAY_LEN(migrations))

uint64_t file_new_epoch(void)
{
	uint64_t epoch = 0;

	if (getrandom(&epoch, sizeof(epoch), 0) != (ssize_t)sizeof(epoch))
		abort(); /* only before the machine has booted */
	epoch &= INT64_MAX;
	return epoch ? epoch : 1;
}

const char *file_system_is_remote(long type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} remote[] = {
		{ NFS_SUPER_MAGIC, "nfs" },   { SMB_SUPER_MAGIC, "smb" },
		{ CIFS_SUPER_MAGIC, "cifs" }, { SMB2_SUPER_MAGIC, "smb2" },
		{ CEPH_SUPER_MAGIC, "ceph" }, { AFS_SUPER_MAGIC, "afs" },
		{ AFS_FS_MAGIC, "afs" },      { CODA_SUPER_MAGIC, "coda" },
		{ V9FS_MAGIC, "9p" },
	};

	for (size_t i = 0; i < ARRAY_LEN(remote); i++) {
		if (remote[i].type == (uint32_t)type)
			return remote[i].name;
	}
	return NULL;
}

/* --- what is in the file ------------------------------------------------------------ */

static void migrate(struct db *db, int64_t version)
{
	struct buf b = { 0 };

	db_exec(db, "BEGIN IMMEDIATE");
	if (version == 0) {
		buf_printf(&b, "PRAGMA application_id=%d;", STORE_APPLICATION_ID);
		db_exec(db, buf_cstr(&b));
	}
	for (int64_t i = version; i < VERSION; i++)
		db_exec(db, migrations[i]);
	buf_reset(&b);
	buf_printf(&b, "PRAGMA user_version=%d", (int)VERSION);
	db_exec(db, buf_cstr(&b));
	buf_done(&b);
	if (version == 0)
		db_run(db, "INSERT INTO meta VALUES('epoch', ?)", "i", (int64_t)file_new_epoch());
	db_exec(db, "COMMIT");
}

/* The schema's text, as one. */
static char *schema_of(struct db *db)
{
	struct sqlite3_stmt *q = db_bind(
		db,
		"SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10))"
		" FROM (SELECT * FROM sqlite_schema ORDER BY type, name)",
		"");
	char *text = NULL;

	if (db_row(db, q)) {
		text = xstrdup(db_text(q, 0) ? db_text(q, 0) : "");
		db_reset(q);
	}
	return text;
}

/* Tables that are not ours would do what we have not thought of. */
static void check_schema(struct db *db)
{
	struct db fresh;
	char *want, *have;

	db_open(&fresh, ":memory:", DB_WRITE, NULL);
	migrate(&fresh, 0);
	want = schema_of(&fresh);
	have = schema_of(db);
	if (have && (!want || strcmp(want, have) != 0))
		db_fail(db, STORE_CORRUPT, "its tables are not those of a store");
	free(want);
	free(have);
	db_close(&fresh);
}

static void check_integrity(struct db *db)
{
	struct sqlite3_stmt *q = db_bind(db, "PRAGMA integrity_check(1)", "");

	if (db_row(db, q)) {
		if (strcmp(db_text(q, 0), "ok") != 0)
			db_fail(db, STORE_CORRUPT, "damaged: %s", db_text(q, 0));
		db_reset(q);
	}
}

void file_check(struct db *db, bool write)
{
	int64_t version = db_value(db, "PRAGMA user_version", 0);
	int64_t id = db_value(db, "PRAGMA application_id", 0);
	/* Also where a first opening did not get beyond making the file. */
	bool fresh = id == 0 && version == 0 &&
		     db_value(db, "SELECT count(*) FROM sqlite_schema", -1) == 0;

	if (!fresh && (id != STORE_APPLICATION_ID || version < 1))
		db_fail(db, STORE_CORRUPT, "not a store of parasausd");
	if (version > VERSION)
		db_fail(db, STORE_READ_ONLY,
			"written by a newer version of parasausd (its version %lld, ours %lld)",
			(long long)version, (long long)VERSION);
	if (version < VERSION && !write)
		db_fail(db, STORE_READ_ONLY, "of an older version, and cannot be written to");
	if (!fresh)
		check_integrity(db);
	if (write)
		db_begin_writing(db);
	if (db_ok(db) && version < VERSION)
		migrate(db, version);
	if (!fresh)
		check_schema(db);
}

void file_count(struct db *db, struct counts *out)
{
	out->objects = (size_t)db_value(db, "SELECT count(*) FROM object", 0);
	out->operations = (size_t)db_value(db, "SELECT count(*) FROM operation", 0);
	out->oldest = (uint64_t)db_value(db, "SELECT min(id) FROM operation", 0);
}

/* --- all of it to memory --------------------------------------------------------------- */

void loaded_done(struct loaded *l)
{
	for (size_t i = 0; i < l->count; i++)
		store_object_unref(l->objects[i]);
	free(l->objects);
	*l = (struct loaded){ 0 };
}

struct claims {
	struct store_claim items[STORE_CLAIMS_MAX];
	size_t count;
	struct arena arena;
};

static int compare_keys(int64_t kind, const char *ns, const char *name, const struct store_key *k)
{
	int c = strcmp(ns, k->ns);

	if (kind != (int64_t)k->kind)
		return kind < (int64_t)k->kind ? -1 : 1;
	return c ? c : strcmp(name, k->name);
}

/* One that is nobody's must not go unseen: its frontend could never be given out. */
static void take_claims(struct db *db, struct sqlite3_stmt *q, bool *more,
			const struct store_key *key, struct claims *c)
{
	arena_done(&c->arena);
	for (c->count = 0; *more; *more = db_row(db, q)) {
		int order = compare_keys(db_int(q, 3), db_text(q, 4), db_text(q, 5), key);
		struct store_claim *claim = &c->items[c->count];
		struct addr vip;

		if (order > 0)
			return;
		memset(&vip, 0, sizeof(vip));
		if (order < 0 || c->count == STORE_CLAIMS_MAX ||
		    addr_parse(db_text(q, 0), &vip) < 0) {
			db_fail(db, STORE_CORRUPT, "damaged: the claim of %s %s", db_text(q, 0),
				order < 0 ? "is nobody's" : "cannot be read");
			return;
		}
		memset(claim, 0, sizeof(*claim));
		claim->at.addr = vip;
		claim->at.port = (uint16_t)db_int(q, 1);
		claim->at.protocol = (uint8_t)db_int(q, 2);
		claim->pool = arena_strndup(&c->arena, db_text(q, 6), db_text_len(q, 6));
		c->count++;
	}
}

/* In the order that was asked for, and with a name; an index that lies would give another. */
static bool is_after(const struct store_key *key, const struct loaded *l)
{
	return key->name[0] && strlen(key->name) <= STORE_NAME_MAX &&
	       strlen(key->ns) <= STORE_NAME_MAX &&
	       (l->count == 0 || compare_keys((int64_t)key->kind, key->ns, key->name,
					      &l->objects[l->count - 1]->key) > 0);
}

static void take_object(struct db *db, struct sqlite3_stmt *q, const struct store_key *key,
			const struct claims *claims, store_owner_fn *owner, struct loaded *out)
{
	struct store_object parts = {
		.key = *key,
		.revision = (uint64_t)db_int(q, 3),
		.created_ms = db_int(q, 4),
		.created_revision = (uint64_t)db_int(q, 5),
		.changed_ms = db_int(q, 6),
		.user = db_text(q, 7),
		.action = db_text(q, 8),
		.text = db_text(q, 9),
		.len = db_text_len(q, 9),
		.claims = claims->items,
		.claim_count = claims->count,
	};

	if (!is_after(key, out)) {
		db_fail(db, STORE_CORRUPT, "damaged: %s %.253s/%.253s is there twice or misplaced",
			store_kind_text(key->kind), key->ns, key->name);
		return;
	}
	if (!parts.user || !parts.text || parts.len > STORE_TEXT_MAX) {
		db_fail(db, STORE_CORRUPT, "damaged: %s %s/%s has no document",
			store_kind_text(key->kind), key->ns, key->name);
		return;
	}
	if ((out->count & (out->count - 1)) == 0)
		out->objects = xreallocarray(out->objects, out->count ? out->count * 2 : 1,
					     sizeof(*out->objects));
	out->objects[out->count++] = object_of_store(&parts, owner);
}

void file_load(struct db *db, store_owner_fn *owner, struct loaded *out)
{
	struct claims *claims = xcalloc(1, sizeof(*claims));
	struct sqlite3_stmt *q, *c;
	bool more;

	*out = (struct loaded){ 0 };
	db_exec(db, "BEGIN");
	out->epoch = (uint64_t)db_value(db, "SELECT value FROM meta WHERE key = 'epoch'", 0);
	out->revision = (uint64_t)db_value(db, "SELECT max(revision) FROM revision", 0);
	q = db_bind(db,
		    "SELECT o.kind, o.ns, o.name, o.revision, o.created, o.born, r.at,"
		    " r.user, r.action, r.text FROM object o LEFT JOIN revision r"
		    " ON r.revision = o.revision ORDER BY o.kind, o.ns, o.name",
		    "");
	c = db_bind(db,
		    "SELECT vip, port, protocol, kind, ns, name, pool FROM claim"
		    " ORDER BY kind, ns, name",
		    "");
	more = db_row(db, c);
	while (db_ok(db) && db_row(db, q)) {
		const struct store_key key = { (enum store_kind)db_int(q, 0), db_text(q, 1),
					       db_text(q, 2) };

		take_claims(db, c, &more, &key, claims);
		if (db_ok(db))
			take_object(db, q, &key, claims, owner, out);
	}
	if (db_ok(db) && more)
		db_fail(db, STORE_CORRUPT, "damaged: the claim of %s is nobody's", db_text(c, 0));
	if (q)
		db_reset(q);
	if (c)
		db_reset(c);
	db_exec(db, "COMMIT");
	arena_done(&claims->arena);
	free(claims);
	if (!db_ok(db))
		loaded_done(out);
}

/* --- the file itself --------------------------------------------------------------------- */

static void check_place(struct store *s, struct db *db)
{
	CLEANUP(xfree_ptr) char *dir = xstrdup(s->path);
	char *slash = strrchr(dir, '/');
	struct statfs fs;
	const char *remote;

	if (slash)
		slash[1] = '\0';
	else
		strcpy(dir, "."); /* the name has a byte at least */
	if (statfs(dir, &fs) < 0) {
		db_fail(db, STORE_READ_ONLY, "%s: %s", dir, strerror(errno));
		return;
	}
	remote = file_system_is_remote((long)fs.f_type);
	if (remote)
		db_fail(db, STORE_READ_ONLY,
			"%s is on a %s file system: a store has to be on a disk of this machine",
			dir, remote);
}

/* One writer: whoever has the lock. */
static void take_lock(struct store *s, struct writer *w)
{
	CLEANUP(xfree_ptr) char *path = xasprintf("%s.lock", s->path);

	w->foreign = false;
	if (w->locked)
		return;
	w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->lock_fd < 0) {
		db_fail(&w->db, STORE_READ_ONLY, "its lock: %s", strerror(errno));
		return;
	}
	if (flock(w->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		w->locked = true;
		return;
	}
	w->foreign = true;
	db_fail(&w->db, STORE_READ_ONLY, "in use by another process");
	close(w->lock_fd);
	w->lock_fd = -1;
}

/* SQLite gives the log the file's mode. */
static void keep_private(struct store *s, struct db *db)
{
	int fd;

	if (!db_ok(db))
		return;
	fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0) {
		db_fail(db, STORE_READ_ONLY, "%s", strerror(errno));
		return;
	}
	(void)!fchmod(fd, 0600);
	close(fd);
}

static bool set_aside(struct store *s)
{
	static const char *const endings[] = { "-wal", "-shm", "" };
	long long now = (long long)clock_wall_ms(&clock_system);

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		CLEANUP(xfree_ptr) char *from = xasprintf("%s%s", s->path, endings[i]);
		CLEANUP(xfree_ptr)
		char *to = xasprintf("%s.damaged-%lld%s", s->path, now, endings[i]);

		if (rename(from, to) < 0 && errno != ENOENT)
			return false;
	}
	return true;
}

void writer_failed(struct writer *w)
{
	w->trouble = w->db.trouble;
	w->err = w->db.err;
}

struct writer_state writer_state(const struct writer *w)
{
	return (struct writer_state){ w->ready, w->trouble, w->err };
}

static void open_to_write(struct store *s, struct writer *w, struct loaded *out)
{
	CLEANUP(xfree_ptr) char *half_restored = xasprintf("%s.restore", s->path);

	db_close(&w->db);
	check_place(s, &w->db);
	if (db_ok(&w->db))
		take_lock(s, w);
	keep_private(s, &w->db);
	if (!db_ok(&w->db))
		return;
	db_remove(half_restored);
	db_open(&w->db, s->path, DB_WRITE, s->options.vfs);
	file_check(&w->db, true);
	/* What an end in the midst of a commit has left in the log may not be on the disk yet, and
	 * is served from here on. */
	if (db_ok(&w->db))
		db_checkpoint(&w->db, true);
	file_count(&w->db, &w->counts);
	file_load(&w->db, s->options.owner, out);
}

/* What is there, for reading; true: all of it. */
static bool open_to_read(struct store *s, enum db_mode mode, struct loaded *out)
{
	struct db db = { 0 };
	bool complete;

	db_open(&db, s->path, mode, s->options.vfs);
	file_check(&db, false);
	file_load(&db, s->options.owner, out);
	complete = db_ok(&db);
	db_close(&db);
	if (complete)
		s->read_mode = (int)mode;
	return complete;
}

/* Acknowledged writes that are in the log alone are not seen in an immutable file. */
static bool log_is_empty(struct store *s)
{
	CLEANUP(xfree_ptr) char *path = xasprintf("%s-wal", s->path);
	struct stat st;

	return stat(path, &st) < 0 ? errno == ENOENT : st.st_size == 0;
}

void writer_open(struct store *s, struct writer *w, struct loaded *out, bool *complete)
{
	bool read_before = s->read_mode >= 0;
	struct err err;

	*complete = false;
	open_to_write(s, w, out);
	if (w->db.trouble == STORE_CORRUPT && w->locked && s->options.start_empty) {
		err = w->db.err;
		db_close(&w->db);
		if (set_aside(s))
			open_to_write(s, w, out);
		else
			db_fail(&w->db, STORE_CORRUPT, "%s, and cannot be renamed", err.text);
	}
	writer_failed(w);
	w->ready = db_ok(&w->db);
	if (w->ready) {
		s->read_mode = DB_READ;
		*complete = true;
		return;
	}
	db_close(&w->db);
	/* What another process writes is its own to serve. */
	if (w->trouble == STORE_READ_ONLY && !read_before && !w->foreign)
		*complete = open_to_read(s, DB_READ, out) ||
			    (log_is_empty(s) && open_to_read(s, DB_IMMUTABLE, out));
}

void writer_close(struct writer *w)
{
	if (w->ready)
		db_checkpoint(&w->db, true);
	db_close(&w->db);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
}
