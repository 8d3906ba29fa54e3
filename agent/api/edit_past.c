/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revisions, operations, and back to what was. */
#include <errno.h>
#include <string.h>

#include "agent/api/edit_private.h"
#include "agent/api/schema.h"
#include "agent/base/value.h"

/* --- what both have ------------------------------------------------------------------------- */

/* A text as it may be shown; NULL where it is not kept. Texts of Secrets are never. */
static struct tree *shown(struct edit *e, enum store_kind kind, const char *text)
{
	return text ? edit_shown(e, kind, text, strlen(text)) : NULL;
}

static void ask_for_one(struct edit *e, uint64_t revision, store_revisions_fn *fn)
{
	const struct store_revisions_query q = {
		.key = e->target.key, .revision = revision, .limit = 1, .texts = true
	};

	e->backend->revisions(e, &q, fn);
}

/* --- revisions -------------------------------------------------------------------------------- */

static void put_revision(const struct store_revision *r, struct json_writer *j)
{
	json_put_uint(j, REST_REVISION, r->revision);
	json_put_time(j, REST_AT, r->at_ms);
	json_put_text(j, REST_USER, r->user);
	json_put_text(j, REST_ACTION, r->action);
	json_put_bool(j, REST_REMOVED, r->removed);
}

static void on_revisions(void *arg, enum store_result r, const struct store_revision *items,
			 size_t count)
{
	struct edit *e = arg;
	struct json_writer j = { .out = &e->reply.body };

	if (r != STORE_OK || !count) {
		edit_refuse(e, r != STORE_OK ? PROBLEM_STORE_TROUBLE : PROBLEM_NO_DOCUMENT, NULL);
		return;
	}
	json_put_object(&j, NULL);
	json_put_array(&j, REST_ITEMS);
	for (size_t i = 0; i < count; i++) {
		json_put_object(&j, NULL);
		put_revision(&items[i], &j);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_str(&e->reply.body, "\n");
	edit_done(e);
}

/* With the difference that going back to it would make. */
static void on_revision(void *arg, enum store_result r, const struct store_revision *items,
			size_t count)
{
	struct edit *e = arg;
	const struct store_key *key = &e->target.key;
	const struct store_object *now;
	struct tree *then;
	struct json_writer j = { .out = &e->reply.body };

	if (r != STORE_OK || !count) {
		edit_refuse(e, r != STORE_OK ? PROBLEM_STORE_TROUBLE : PROBLEM_NO_REVISION, NULL);
		return;
	}
	now = edit_get(e, key);
	then = shown(e, key->kind, items[0].text);
	json_put_object(&j, NULL);
	put_revision(&items[0], &j);
	edit_put_tree(&j, REST_OBJECT, then);
	edit_tree_put_diff(now ? shown(e, key->kind, now->text) : NULL, then, REST_DIFF, &j);
	json_end_object(&j);
	buf_str(&e->reply.body, "\n");
	edit_done(e);
}

void edit_answer_revisions(struct edit *e)
{
	const struct store_revisions_query q = { .key = e->target.key,
						 .limit = e->params.past.limit };

	if (e->target.what == EDIT_REVISION)
		ask_for_one(e, e->target.number, on_revision);
	else
		e->backend->revisions(e, &q, on_revisions);
}

/* --- rollback --------------------------------------------------------------------------------- */

/* The old text is decoded and claims its frontends as a new one would. */
static void on_old(void *arg, enum store_result r, const struct store_revision *items, size_t count)
{
	struct edit *e = arg;
	const struct doc_set *set;
	struct err err = { 0 };

	if (r != STORE_OK) {
		edit_refuse(e, PROBLEM_STORE_TROUBLE, NULL);
		return;
	}
	if (!count || !items[0].text) {
		edit_refuse(e, PROBLEM_NO_REVISION,
			    !count	       ? NULL
			    : items[0].removed ? "that revision is the document's removal"
					       : "of a Secret only the newest revision is kept");
		return;
	}
	if (edit_read(e, doc_read_any, items[0].text, items[0].len, &set, &err) < 0)
		edit_add_error(e, "", err.text);
	else if (set->count == 1)
		(void)edit_take(e, set->roots[0], &e->target.key);
	if (!e->count && !e->errors.count)
		problems_add(&e->errors, true, 0, "that revision holds no document");
	edit_write(e, "rollback");
}

bool edit_read_rollback(struct edit *e, uint64_t *out, struct err *err)
{
	const struct doc_set *set;
	const struct doc *reason;
	int64_t to;

	if (edit_read(e, doc_read_json, e->request->body ? e->request->body : "",
		      e->request->body_len, &set, err) < 0)
		return false;
	for (const struct doc *c = set->roots[0]->first; c; c = c->next)
		if (!c->key ||
		    (strcmp(c->key, REST_TO_REVISION) != 0 && strcmp(c->key, REST_REASON) != 0)) {
			err_set(err, -EINVAL, "\"%.64s\" is unknown", c->key ? c->key : "");
			return false;
		}
	reason = doc_get(set->roots[0], REST_REASON);
	if (reason && (!doc_string(reason) || strlen(reason->text) > STORE_REASON_MAX)) {
		err_set(err, -EINVAL, "reason is a text of %d bytes at most", STORE_REASON_MAX);
		return false;
	}
	if (reason)
		e->params.reason = reason->text;
	if (!doc_integer(doc_get(set->roots[0], REST_TO_REVISION), 1, INT64_MAX, &to)) {
		err_set(err, -EINVAL, "toRevision is the number of a revision");
		return false;
	}
	*out = (uint64_t)to;
	return true;
}

void edit_rollback(struct edit *e)
{
	const struct store_object *now = edit_get(e, &e->target.key);
	struct err err = { 0 };
	uint64_t revision;

	if (!edit_read_rollback(e, &revision, &err)) {
		edit_add_error(e, "", err.text);
		edit_write(e, "rollback"); /* says what is wrong */
		return;
	}
	/* A repetition of what made it is answered by its key; the store expects none all the same. */
	if (now && !e->condition.said && !e->request->idempotency_key) {
		edit_set_etag(e, now->revision);
		edit_refuse(e, PROBLEM_NO_CONDITION, NULL);
		return;
	}
	ask_for_one(e, revision, on_old);
}

/* --- operations ------------------------------------------------------------------------------- */

static void put_texts(struct edit *e, const struct store_operation *o, struct json_writer *j)
{
	struct tree *before = shown(e, o->key.kind, o->before_text);
	struct tree *after = shown(e, o->key.kind, o->after_text);

	edit_put_tree(j, REST_BEFORE_OBJECT, before);
	edit_put_tree(j, REST_AFTER_OBJECT, after);
	edit_tree_put_diff(before, after, REST_DIFF, j);
}

static void put_operation(struct edit *e, const struct store_operation *o, struct json_writer *j)
{
	json_put_uint(j, REST_ID, o->id);
	json_put_time(j, REST_AT, o->at_ms);
	json_put_text(j, REST_USER, o->who.user);
	json_put_text(j, REST_SOURCE, o->who.source);
	json_put_text(j, REST_PEER, o->who.peer);
	json_put_text(j, REST_REQUEST_ID, o->who.request);
	json_put_text(j, REST_ACTION, o->who.action);
	json_put_text(j, REST_REASON, o->who.reason);
	json_put_text(j, REST_KIND, o->key.kind ? store_kind_text(o->key.kind) : NULL);
	json_put_text(j, REST_NAMESPACE, o->key.ns);
	json_put_text(j, REST_NAME, o->key.name);
	json_put_uint(j, REST_BEFORE, o->before);
	json_put_bool(j, REST_CHANGED, o->changed);
	json_put_bool(j, REST_REMOVED, o->removed);
	json_put_bool(j, REST_FORCED, o->forced);
	json_put_text(j, REST_RESULT, store_result_text(o->result));
	json_put_text(j, REST_DETAIL, o->detail);
	if (e->target.what == EDIT_OPERATION)
		put_texts(e, o, j);
}

static void on_operations(void *arg, enum store_result r, const struct store_operations *o)
{
	struct edit *e = arg;
	bool one = e->target.what == EDIT_OPERATION;
	struct json_writer j = { .out = &e->reply.body };

	if (r != STORE_OK || (one && !o->count)) {
		edit_refuse(e, r != STORE_OK ? PROBLEM_STORE_TROUBLE : PROBLEM_NO_OPERATION, NULL);
		return;
	}
	json_put_object(&j, NULL);
	if (!one)
		json_put_array(&j, REST_ITEMS);
	for (size_t i = 0; i < o->count; i++) {
		if (!one)
			json_put_object(&j, NULL);
		put_operation(e, &o->items[i], &j);
		if (!one)
			json_end_object(&j);
	}
	if (!one) {
		json_end_array(&j);
		json_put_uint(&j, REST_TOTAL, o->total);
	}
	json_end_object(&j);
	buf_str(&e->reply.body, "\n");
	edit_done(e);
}

void edit_ask_operations(struct edit *e, const struct store_operations_query *q)
{
	e->backend->operations(e, q, on_operations);
}

void edit_answer_operations(struct edit *e)
{
	struct store_operations_query q = e->params.past;

	if (e->params.pool) {
		edit_pool_operations(e);
		return;
	}
	if (e->target.what == EDIT_OPERATION) {
		q.id = e->target.number;
		q.limit = 1;
		q.texts = true;
	}
	edit_ask_operations(e, &q);
}
