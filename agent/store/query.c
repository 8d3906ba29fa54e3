/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about the past, answered by the reader from the file. */
#include <limits.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/store/store_private.h"

bool reader_open(struct store *s, struct job *j)
{
	struct db *db = &s->reader;
	int mode = s->read_mode;

	if (db->handle)
		return true;
	if (mode < 0) {
		j->result = STORE_READ_ONLY;
		err_set(&j->err, -1, "the store's file could not be opened");
		return false;
	}
	db_open(db, s->path, (enum db_mode)mode, s->vfs);
	return true;
}

/* After trouble the next question begins with a new connection. */
void reader_end(struct store *s, struct job *j)
{
	if (db_ok(&s->reader))
		return;
	j->result = s->reader.trouble;
	j->err = s->reader.err;
	db_close(&s->reader);
}

static const char *copy(struct job *j, struct sqlite3_stmt *q, int column)
{
	const char *text = db_text(q, column);

	return text ? arena_strndup(&j->arena, text, db_text_len(q, column)) : NULL;
}

static size_t bounded(size_t limit)
{
	return limit < 1 ? 1 : limit > STORE_ROWS_MAX ? STORE_ROWS_MAX : limit;
}

/* --- revisions -------------------------------------------------------------------------- */

struct revisions_job {
	struct job job;
	struct store_revisions_query query;
	store_revisions_fn *fn;
	struct store_revision *items;
	size_t count;
};

static void revisions_run(struct store *s, struct job *j)
{
	struct revisions_job *r = (struct revisions_job *)j;
	const struct store_revisions_query *query = &r->query;
	struct sqlite3_stmt *q;

	if (!reader_open(s, j))
		return;
	q = db_bind(&s->reader,
		    "SELECT r.revision, r.at, r.user, r.action, r.removed,"
		    " CASE WHEN ?5 THEN r.text END, coalesce(o.reason, ''), coalesce(o.request, '')"
		    " FROM revision r LEFT JOIN operation o ON o.id = r.revision"
		    " WHERE r.kind = ?1 AND r.ns = ?2 AND r.name = ?3"
		    " AND (?4 = 0 OR r.revision = ?4) AND (?7 = 0 OR r.revision <= ?7)"
		    " ORDER BY r.revision DESC LIMIT ?6",
		    "issiiii", (int64_t)query->key.kind, query->key.ns, query->key.name,
		    (int64_t)query->revision, (int64_t)query->texts, (int64_t)bounded(query->limit),
		    (int64_t)query->until);
	r->items = arena_take(&j->arena, bounded(query->limit) * sizeof(*r->items));
	while (db_row(&s->reader, q)) {
		r->items[r->count++] = (struct store_revision){
			.key = query->key,
			.revision = (uint64_t)db_int(q, 0),
			.at_ms = db_int(q, 1),
			.user = copy(j, q, 2),
			.action = copy(j, q, 3),
			.removed = db_int(q, 4),
			.text = copy(j, q, 5),
			.len = db_text_len(q, 5),
			.reason = copy(j, q, 6),
			.request = copy(j, q, 7),
		};
	}
	reader_end(s, j);
}

static void revisions_done(struct store *s, struct job *j)
{
	struct revisions_job *r = (struct revisions_job *)j;

	(void)s;
	if (!j->forgotten)
		r->fn(j->arg, j->result, r->items, j->result == STORE_OK ? r->count : 0);
}

static const struct job_ops revisions_ops = { revisions_run, revisions_done, NULL };

void store_revisions(struct store *s, const struct store_revisions_query *q, store_revisions_fn *fn,
		     void *arg)
{
	struct revisions_job *r = job_new(&revisions_ops, sizeof(*r), arg);

	r->fn = fn;
	r->query = *q;
	r->query.key.ns = job_str(&r->job, q->key.ns);
	r->query.key.name = job_str(&r->job, q->key.name);
	store_post(s, &s->reads, &r->job);
}

/* --- operations --------------------------------------------------------------------------- */

struct operations_job {
	struct job job;
	struct store_operations_query query;
	enum store_result result;
	store_operations_fn *fn;
	struct store_operation *items;
	struct store_operations answer;
};

#define FILTER                                                                 \
	" FROM operation WHERE id BETWEEN ?1 AND ?2 AND (?3 = 0 OR kind = ?3)" \
	" AND (?6 IS NULL OR user = ?6) AND (?7 IS NULL OR action = ?7)"       \
	" AND (?8 IS NULL OR source = ?8) AND (?9 IS NULL OR request = ?9)"    \
	" AND (?10 < 0 OR result = ?10) AND at >= ?11 AND (?12 = 0 OR at <= ?12)"
#define FILTER_TYPES "iiissssssiii"
#define ANY_OBJECT   " AND (?4 IS NULL OR ns = ?4) AND (?5 IS NULL OR name = ?5)"
#define ONE_OBJECT   " AND ns = ?4 AND name = ?5" /* which has an index */
/* Then the name is a list of "1/web", each between two line breaks. */
#define SOME_OBJECTS " AND ns = ?4 AND instr(?5, char(10) || kind || '/' || name || char(10))"
#define ROWS                                                                          \
	"SELECT id, at, user, source, peer, request, action, reason, kind, ns, name," \
	" before, changed, removed, forced, result, detail,"                          \
	" CASE WHEN ?13 AND kind <> 4 THEN (SELECT text FROM revision r"              \
	" WHERE r.revision = operation.before) END,"                                  \
	" CASE WHEN ?13 AND kind <> 4 AND changed THEN (SELECT text FROM revision r"  \
	" WHERE r.revision = operation.id) END"
#define PAGE " ORDER BY id DESC LIMIT ?14 OFFSET ?15"

static int64_t highest(const struct store_operations_query *q)
{
	if (q->id)
		return (int64_t)q->id;
	return q->before ? (int64_t)q->before - 1 : INT64_MAX;
}

#define FILTER_ARGS(q)                                                                   \
	(int64_t)(q)->id, highest(q), (int64_t)(q)->kind, (q)->ns, (q)->name, (q)->user, \
		(q)->action, (q)->source, (q)->request,                                  \
		(q)->result ? (int64_t) * (q)->result : -1, (q)->since_ms, (q)->until_ms

static struct store_operation operation_of(struct job *j, struct sqlite3_stmt *q)
{
	return (struct store_operation){
		.id = (uint64_t)db_int(q, 0),
		.at_ms = db_int(q, 1),
		.who = { .user = copy(j, q, 2),
			 .source = copy(j, q, 3),
			 .peer = copy(j, q, 4),
			 .request = copy(j, q, 5),
			 .action = copy(j, q, 6),
			 .reason = copy(j, q, 7) },
		.key = { (enum store_kind)db_int(q, 8), copy(j, q, 9), copy(j, q, 10) },
		.before = (uint64_t)db_int(q, 11),
		.changed = db_int(q, 12),
		.removed = db_int(q, 13),
		.forced = db_int(q, 14),
		.result = (enum store_result)db_int(q, 15),
		.detail = copy(j, q, 16),
		.before_text = copy(j, q, 17),
		.after_text = copy(j, q, 18),
	};
}

static void operations_run(struct store *s, struct job *j)
{
	struct operations_job *o = (struct operations_job *)j;
	const struct store_operations_query *query = &o->query;
	size_t limit = bounded(query->limit);
	bool one = query->ns && query->name && !query->key_count;
	bool some = query->key_count > 0;
	struct sqlite3_stmt *q;

	if (!reader_open(s, j))
		return;
	q = db_bind(&s->reader,
		    one	   ? "SELECT count(*)" FILTER ONE_OBJECT
		    : some ? "SELECT count(*)" FILTER SOME_OBJECTS
			   : "SELECT count(*)" FILTER ANY_OBJECT,
		    FILTER_TYPES, FILTER_ARGS(query));
	if (db_row(&s->reader, q)) {
		o->answer.total = (size_t)db_int(q, 0);
		db_reset(q);
	}
	q = db_bind(&s->reader,
		    one	   ? ROWS FILTER ONE_OBJECT PAGE
		    : some ? ROWS FILTER SOME_OBJECTS PAGE
			   : ROWS FILTER ANY_OBJECT PAGE,
		    FILTER_TYPES "iii", FILTER_ARGS(query), (int64_t)query->texts, (int64_t)limit,
		    (int64_t)query->offset);
	o->items = arena_take(&j->arena, limit * sizeof(*o->items));
	while (db_row(&s->reader, q))
		o->items[o->answer.count++] = operation_of(j, q);
	o->answer.items = o->items;
	reader_end(s, j);
	if (j->result != STORE_OK)
		o->answer = (struct store_operations){ 0 };
}

static void operations_done(struct store *s, struct job *j)
{
	struct operations_job *o = (struct operations_job *)j;

	(void)s;
	if (!j->forgotten)
		o->fn(j->arg, j->result, &o->answer);
}

static const struct job_ops operations_ops = { operations_run, operations_done, NULL };

static char *key_list(struct job *j, const struct store_operations_query *q)
{
	struct buf list = { 0 };
	char *text;

	for (size_t i = 0; i < q->key_count; i++)
		buf_printf(&list, "\n%d/%s\n", (int)q->keys[i].kind, q->keys[i].name);
	text = job_str(j, buf_cstr(&list));
	buf_done(&list);
	return text;
}

void store_operations(struct store *s, const struct store_operations_query *q,
		      store_operations_fn *fn, void *arg)
{
	struct operations_job *o = job_new(&operations_ops, sizeof(*o), arg);
	struct store_operations_query *c = &o->query;

	o->fn = fn;
	*c = *q;
	c->ns = job_str_or_null(&o->job, q->ns);
	c->name = q->key_count ? key_list(&o->job, q) : job_str_or_null(&o->job, q->name);
	c->keys = NULL;
	c->user = job_str_or_null(&o->job, q->user);
	c->action = job_str_or_null(&o->job, q->action);
	c->source = job_str_or_null(&o->job, q->source);
	c->request = job_str_or_null(&o->job, q->request);
	if (q->result) {
		o->result = *q->result;
		c->result = &o->result;
	}
	store_post(s, &s->reads, &o->job);
}
