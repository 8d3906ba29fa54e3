/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of the store: out by the reader, beside which writes go on, and in by
 * the writer.
 *
 * A backup that is restored is first copied to a file beside the store's, is
 * looked at and made a new epoch there, and then copied over the store in one
 * transaction: a crash at any moment leaves the old store or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "agent/store/commit.h"

struct copy_job {
	struct job job;
	char *path;
	struct store_who who; /* restore */
	int64_t now_ms;
	store_copied_fn *fn;
	struct loaded loaded;	   /* restored */
	struct writer_state after; /* a restore */
};

static void fail(struct job *j, const struct db *db)
{
	if (db_ok(db))
		return;
	j->result = db->trouble;
	j->err = db->err;
}

static void fail_errno(struct job *j, const char *path, int r)
{
	j->result = r == -ENOSPC || r == -EDQUOT ? STORE_FULL : STORE_IO;
	err_set(&j->err, r, "%s: %s", path, strerror(-r));
}

/* Empty, and nobody else's to read. */
static bool make_file(struct job *j, const char *path)
{
	int fd;

	db_remove(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		fail_errno(j, path, -errno);
		return false;
	}
	close(fd);
	return true;
}

static bool is_store_itself(struct store *s, const char *path)
{
	struct stat own, other;

	return stat(s->path, &own) == 0 && stat(path, &other) == 0 && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

/* --- backup ---------------------------------------------------------------------------- */

static void copy_out(struct store *s, struct job *j, const char *tmp)
{
	struct db to;

	db_open(&to, tmp, DB_WRITE, s->vfs);
	db_copy(&to, &s->reader);
	/* One file, without a log. */
	db_exec(&to, "PRAGMA journal_mode=DELETE");
	fail(j, &to);
	db_close(&to);
}

static void backup_run(struct store *s, struct job *j)
{
	const char *path = ((struct copy_job *)j)->path;
	CLEANUP(xfree_ptr) char *tmp = xasprintf("%s.tmp", path);
	int r;

	if (is_store_itself(s, path)) {
		j->result = STORE_IN_USE;
		err_set(&j->err, -EBUSY, "%s is the store itself", path);
		return;
	}
	if (!reader_open(s, j) || !make_file(j, tmp))
		return;
	copy_out(s, j, tmp);
	reader_end(s, j);
	r = j->result == STORE_OK ? file_rename(tmp, path) : 0;
	if (r < 0)
		fail_errno(j, path, r);
	if (j->result != STORE_OK)
		db_remove(tmp);
}

static void backup_done(struct store *s, struct job *j)
{
	struct copy_job *c = (struct copy_job *)j;

	(void)s;
	if (c->fn && !j->forgotten)
		c->fn(j->arg, j->result, j->err.text);
}

static const struct job_ops backup_ops = { backup_run, backup_done, NULL };

static struct copy_job *new_job(struct store *s, const struct job_ops *ops, const char *path,
				store_copied_fn *fn, void *arg)
{
	struct copy_job *c = job_new(ops, sizeof(*c), arg);

	c->path = job_str(&c->job, path);
	c->fn = fn;
	c->now_ms = clock_wall_ms(loop_clock(s->loop));
	return c;
}

void store_backup(struct store *s, const char *path, store_copied_fn *fn, void *arg)
{
	store_post(s, &s->reads, &new_job(s, &backup_ops, path, fn, arg)->job);
}

/* --- restore ---------------------------------------------------------------------------- */

static void copy_in(struct copy_job *c, struct db *to)
{
	struct db from;

	db_open(&from, c->path, DB_READ, NULL);
	db_copy(to, &from);
	if (!db_ok(&from))
		db_fail(to, from.trouble, "%s", from.err.text);
	db_close(&from);
}

/* Ids go on above all that were given out, so that none stands for two things. */
static void begin_epoch(struct store *s, struct copy_job *c, struct db *db)
{
	int64_t own = db_value(&s->writer.db, "SELECT max(id) FROM operation", 0);
	int64_t its = db_value(db, "SELECT max(id) FROM operation", 0);
	const struct store_who *who = &c->who;

	db_exec(db, "BEGIN");
	db_run(db, "UPDATE meta SET value = ? WHERE key = 'epoch'", "i", (int64_t)file_new_epoch());
	db_run(db, "INSERT INTO operation VALUES(?,?,?,?,?,?,?,?,0,'','',0,0,0,0,0,?)", "iisssssss",
	       (own > its ? own : its) + 1, c->now_ms, who->user, who->source, who->peer,
	       who->request, who->action[0] ? who->action : "restore", who->reason, c->path);
	db_exec(db, "COMMIT");
}

/* All of it but the last step, in a file of its own. */
static void prepare(struct store *s, struct copy_job *c, struct db *db)
{
	copy_in(c, db);
	/* An empty file could become a store, but is none. */
	if (db_value(db, "PRAGMA application_id", 0) != STORE_APPLICATION_ID)
		db_fail(db, STORE_CORRUPT, "not a store of parasausd");
	file_check(db, true);
	if (db_value(db, "PRAGMA page_size", 0) != db_value(&s->writer.db, "PRAGMA page_size", -1))
		db_fail(db, STORE_CORRUPT, "of another page size");
	begin_epoch(s, c, db);
	file_load(db, s->options.owner, &c->loaded);
}

static void restore(struct store *s, struct copy_job *c, const char *tmp)
{
	struct writer *w = &s->writer;
	struct db db;

	if (!make_file(&c->job, tmp))
		return;
	db_clear(&w->db); /* of a write that failed before */
	db_open(&db, tmp, DB_WRITE, s->vfs);
	prepare(s, c, &db);
	fail(&c->job, &db);
	if (db_ok(&db)) {
		db_copy(&w->db, &db);
		fail(&c->job, &w->db);
		if (db_ok(&w->db))
			file_count(&w->db, &w->counts);
		writer_failed(w);
		w->secrets = true; /* the old ones */
	}
	db_close(&db);
	db_remove(tmp);
}

static void restore_run(struct store *s, struct job *j)
{
	struct copy_job *c = (struct copy_job *)j;
	CLEANUP(xfree_ptr) char *tmp = xasprintf("%s.restore", s->path);
	struct writer *w = &s->writer;

	if (!w->ready) {
		j->result = w->trouble;
		j->err = w->err;
	} else if (is_store_itself(s, c->path)) {
		j->result = STORE_IN_USE;
		err_set(&j->err, -EBUSY, "%s is the store itself", c->path);
	} else {
		restore(s, c, tmp);
		if (j->result != STORE_OK)
			err_wrap(&j->err, -1, "%s", c->path);
	}
	if (j->result != STORE_OK)
		loaded_done(&c->loaded);
	c->after = writer_state(w);
}

static void restore_done(struct store *s, struct job *j)
{
	struct copy_job *c = (struct copy_job *)j;

	if (j->result == STORE_OK)
		store_took(s, &c->loaded);
	if (!s->opening)
		store_state_is(s, &c->after);
	backup_done(s, j);
}

static void restore_free(struct job *j)
{
	loaded_done(&((struct copy_job *)j)->loaded);
}

static const struct job_ops restore_ops = { restore_run, restore_done, restore_free };

void store_restore(struct store *s, const char *path, const struct store_who *who,
		   store_copied_fn *fn, void *arg)
{
	struct copy_job *c = new_job(s, &restore_ops, path, fn, arg);

	c->who = copy_who(&c->job, who);
	store_post(s, &s->writes, &c->job);
}
