/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes: from a body to a transaction of the store, and from what became of
 * it to an answer.
 */
#include "agent/api/edit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_cluster.h"
#include "agent/api/edit_private.h"
#include "agent/api/edit_stage.h"
#include "agent/api/origin.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"

/* --- one of them -------------------------------------------------------------------------- */

static void edit_free(struct edit *e)
{
	if (e->opening)
		store_unwatch(e->store, e->opening);
	edit_documents_done(e);
	pool_rules_unref(e->rules);
	rest_reply_done(&e->reply);
	free(e);
}

void edit_done(struct edit *e)
{
	edit_answer_fn *answer = e->answer;
	struct rest_reply reply = e->reply;
	void *arg = e->arg;

	e->reply = (struct rest_reply){ 0 };
	LIST_REMOVE(e, under_way);
	edit_free(e);
	answer(arg, &reply);
}

void edit_refuse(struct edit *e, enum rest_problem p, const char *detail)
{
	problem_answer(&e->reply, p, e->request, detail);
	edit_done(e);
}

static void refuse_invalid(struct edit *e)
{
	struct json_writer j;

	problem_begin(&e->reply, PROBLEM_INVALID, e->request, e->errors.items[0].text, &j);
	edit_put_problems(&j, REST_ERRORS, &e->errors);
	problem_end(&j);
	edit_done(e);
}

struct edits *edits_new(void)
{
	return xcalloc(1, sizeof(struct edits));
}

void edits_free(struct edits *all)
{
	struct edit *e;

	while (all && (e = LIST_FIRST(&all->under_way))) {
		LIST_REMOVE(e, under_way);
		e->backend->forget(e);
		edit_free(e);
	}
	free(all);
}

/* --- what was done -------------------------------------------------------------------------- */

/* What was asked for, as it may be shown; NULL: that it goes. */
static struct tree *shown(struct edit *e, const struct edit_document *d)
{
	return d->tree && d->key.kind == STORE_SECRET ? edit_tree_redact(&e->arena, d->tree)
						      : d->tree;
}

/* From what is there to what was asked for, as a part of a list. */
static void put_operations(struct edit *e, const struct edit_document *d,
			   const struct store_object *before, struct json_writer *j)
{
	struct tree *a = before ? edit_shown(e, d->key.kind, before->text, before->len) : NULL;

	edit_tree_put_operations(a, shown(e, d), j);
}

static void put_diff(struct edit *e, const struct edit_document *d,
		     const struct store_object *before, struct json_writer *j)
{
	json_put_array(j, REST_DIFF);
	put_operations(e, d, before, j);
	json_end_array(j);
}

void edit_set_etag(struct edit *e, uint64_t revision)
{
	snprintf(e->reply.etag, sizeof(e->reply.etag), "\"r%" PRIu64 "\"", revision);
}

static void put_item(struct edit *e, const struct edit_document *d, const struct store_done *done,
		     struct json_writer *j)
{
	const char *result = !done->changed ? REST_RESULT_UNCHANGED
			     : !d->tree	    ? REST_REMOVED
			     : d->before    ? REST_RESULT_CONFIGURED
					    : REST_RESULT_CREATED;

	json_put_text(j, REST_KIND, store_kind_text(d->key.kind));
	json_put_text(j, REST_NAMESPACE, d->key.ns);
	json_put_text(j, REST_NAME, d->key.name);
	json_put_text(j, REST_RESULT, result);
	json_put_uint(j, REST_REVISION, done->revision);
	json_put_bool(j, REST_CHANGED, done->changed);
	put_diff(e, d, d->before, j);
	edit_put_tree(j, REST_OBJECT, shown(e, d));
}

static void put_plan(struct edit *e, struct json_writer *j)
{
	struct edit_wish *wishes = arena_take(&e->arena, (e->count + 1) * sizeof(*wishes));
	size_t count = 0;

	for (size_t i = 0; i < e->count; i++) {
		const struct edit_document *d = &e->documents[i];

		if (d->guard)
			continue;
		wishes[count] = (struct edit_wish){ .key = d->key };
		if (d->tree) {
			wishes[count].text = (const char *)d->text.data;
			wishes[count].len = d->text.len;
			wishes[count].claims = d->claims;
			wishes[count].claim_count = d->claim_count;
		}
		count++;
	}
	e->place->plan(e->place->plan_arg, e->source, wishes, count,
		       e->rules_changed ? e->rules : NULL, j);
}

static void end_answer(struct edit *e, struct json_writer *j)
{
	if (e->params.dry_run && e->rules_changed)
		edit_put_address_pools(e, j);
	if (e->params.dry_run && e->place->plan)
		put_plan(e, j);
	json_put_bool(j, REST_DRY_RUN, e->params.dry_run);
	edit_put_problems(j, REST_WARNINGS, &e->warnings);
	json_end_object(j);
	buf_str(&e->reply.body, "\n");
}

static void answer_one(struct edit *e, const struct store_done *done)
{
	const struct edit_document *d = &e->documents[0];
	struct json_writer j = { .out = &e->reply.body };
	bool created = done->changed && d->tree && !d->before && !e->params.dry_run;

	e->reply.status = created ? 201 : 200;
	if (created && e->location)
		buf_str(&e->reply.location, e->location);
	e->reply.unchanged = !done->changed;
	if (d->tree && !e->params.dry_run)
		edit_set_etag(e, done->revision);
	json_put_object(&j, NULL);
	put_item(e, d, done, &j);
	end_answer(e, &j);
}

static void put_items(struct edit *e, const struct store_done *items, struct json_writer *j)
{
	e->reply.unchanged = true;
	json_put_array(j, REST_ITEMS);
	for (size_t i = 0; i < e->count; i++) {
		if (e->documents[i].guard)
			continue;
		json_put_object(j, NULL);
		put_item(e, &e->documents[i], &items[i], j);
		json_end_object(j);
		e->reply.unchanged &= !items[i].changed;
	}
	json_end_array(j);
}

static void answer_all(struct edit *e, const struct store_done *items)
{
	struct json_writer j = { .out = &e->reply.body };

	json_put_object(&j, NULL);
	put_items(e, items, &j);
	end_answer(e, &j);
}

/* The revision of a pool is the highest of its documents. */
static void answer_pool(struct edit *e, const struct store_done *items)
{
	struct json_writer j = { .out = &e->reply.body };
	uint64_t revision = 0;

	json_put_object(&j, NULL);
	put_items(e, items, &j);
	json_put_text(&j, REST_POOL_FIELD, e->pool);
	end_answer(e, &j);
	for (size_t i = 0; i < e->count; i++)
		if ((e->documents[i].tree || e->documents[i].guard) && items[i].revision > revision)
			revision = items[i].revision;
	if (revision && !e->params.dry_run)
		edit_set_etag(e, revision);
	if (!e->location || e->params.dry_run || e->reply.unchanged)
		return;
	e->reply.status = 201;
	buf_str(&e->reply.location, e->location);
}

/* --- what was refused ------------------------------------------------------------------------ */

/* Which revision is there, and whose; `now` NULL: no more than its number is known. */
static void put_maker(const struct store_object *now, uint64_t revision, struct json_writer *j)
{
	json_put_uint(j, REST_REVISION, now ? now->revision : revision);
	json_put_text(j, REST_USER, now ? now->user : NULL);
	json_put_text(j, REST_ACTION, now ? now->action : NULL);
	json_put_time(j, REST_AT, now ? now->changed_ms : 0);
}

/* Of a pool: the newest of its documents, and what would change of all. */
static void put_pool_current(struct edit *e, struct json_writer *j)
{
	const struct store_object *newest = NULL;

	json_put_object(j, REST_CURRENT);
	for (size_t i = 0; i < e->count; i++) {
		const struct store_object *now = edit_get(e, &e->documents[i].key);

		if (now && (!newest || now->revision > newest->revision))
			newest = now;
	}
	put_maker(newest, 0, j);
	json_put_array(j, REST_DIFF);
	for (size_t i = 0; i < e->count; i++)
		if (!e->documents[i].guard)
			put_operations(e, &e->documents[i], edit_get(e, &e->documents[i].key), j);
	json_end_array(j);
	json_end_object(j);
	if (newest)
		edit_set_etag(e, newest->revision);
}

/* What is there instead, who made it, and what would change if it were overwritten. */
static void put_current(struct edit *e, const struct edit_document *d, uint64_t revision,
			struct json_writer *j)
{
	const struct store_object *now = edit_get(e, &d->key);

	json_put_object(j, REST_CURRENT);
	put_maker(now, revision, j);
	put_diff(e, d, now, j);
	json_end_object(j);
	if (now && d->key.kind)
		edit_set_etag(e, now->revision);
}

static void put_holder(struct edit *e, const struct edit_document *d, struct json_writer *j)
{
	for (size_t i = 0; i < d->claim_count; i++) {
		const struct store_object *o = e->backend->holder(e, &d->claims[i].at);
		char at[ENDPOINT_TEXT_MAX];

		if (!o || store_key_same(&o->key, &d->key))
			continue;
		json_put_object(j, REST_HOLDER);
		json_put_text(j, REST_FRONTEND, endpoint_text(&d->claims[i].at, at));
		json_put_text(j, REST_KIND, store_kind_text(o->key.kind));
		json_put_text(j, REST_NAMESPACE, o->key.ns);
		json_put_text(j, REST_NAME, o->key.name);
		json_end_object(j);
		return;
	}
}

enum rest_problem edit_problem_of(enum store_result r)
{
	switch (r) {
	case STORE_ABSENT:
		return PROBLEM_NO_DOCUMENT;
	case STORE_EXISTS:
	case STORE_STALE:
		return PROBLEM_STALE;
	case STORE_TAKEN:
		return PROBLEM_FRONTEND_TAKEN;
	case STORE_IN_USE:
		return PROBLEM_IN_USE;
	case STORE_KEY_REUSED:
		return PROBLEM_KEY_REUSED;
	case STORE_TOO_LARGE:
		return PROBLEM_TOO_LARGE;
	case STORE_BUSY:
		return PROBLEM_BUSY;
	case STORE_OK:
	case STORE_FULL:
	case STORE_IO:
	case STORE_READ_ONLY:
	case STORE_CORRUPT:
		break;
	}
	return PROBLEM_STORE_TROUBLE;
}

static enum rest_problem problem_of(const struct edit *e, enum store_result r)
{
	bool said = e->condition.said || e->target.what == EDIT_APPLY;

	if (r != STORE_EXISTS)
		return edit_problem_of(r);
	if (edit_is_of_pool(e->target.what) || e->target.what == EDIT_ADDRESS_POOLS)
		return e->is_new ? PROBLEM_NAME_TAKEN : PROBLEM_STALE;
	return said ? PROBLEM_EXISTS : PROBLEM_NO_CONDITION;
}

static void refuse_write(struct edit *e, const struct store_outcome *o)
{
	enum rest_problem p = problem_of(e, o->result);
	const struct edit_document *d = &e->documents[o->refused < e->count ? o->refused : 0];
	struct json_writer j;

	problem_begin(&e->reply, p, e->request, o->why, &j);
	if (p == PROBLEM_STALE && edit_is_of_pool(e->target.what))
		put_pool_current(e, &j);
	else if (p == PROBLEM_STALE || p == PROBLEM_EXISTS || p == PROBLEM_NO_CONDITION)
		put_current(e, d, o->current, &j);
	if (p == PROBLEM_FRONTEND_TAKEN)
		put_holder(e, d, &j);
	problem_end(&j);
}

static void on_written(void *arg, const struct store_outcome *o)
{
	struct edit *e = arg;

	if (o->result == STORE_TAKEN && e->again && e->again(e))
		return;
	if (o->result != STORE_OK || o->count != e->count)
		refuse_write(e, o);
	else if (edit_is_of_pool(e->target.what))
		answer_pool(e, o->items);
	else if (e->target.what == EDIT_APPLY)
		answer_all(e, o->items);
	else
		answer_one(e, &o->items[0]);
	edit_done(e);
}

/* --- writing ----------------------------------------------------------------------------------- */

/* Of everything that the request asks for. */
static uint64_t hash_request(const struct edit *e)
{
	const struct rest_request *r = e->request;
	const char *parts[] = { r->method, r->target, r->if_match, r->if_none_match };
	CLEANUP(buf_wipe) struct buf all = { 0 };

	buf_reserve(&all, r->body_len + strlen(r->target) + 512);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		buf_put(&all, parts[i] ? parts[i] : "", parts[i] ? strlen(parts[i]) + 1 : 1);
	buf_put(&all, r->body, r->body_len);
	return hash_id(all.data, all.len);
}

const char *edit_source_word(const struct rest_request *r)
{
	if (!r->user_agent)
		return "rest";
	if (strncmp(r->user_agent, "parasausctl", 11) == 0)
		return "cli";
	return strncmp(r->user_agent, "Mozilla", 7) == 0 ? "web" : "rest";
}

static void fill_change(const struct edit *e, const struct edit_document *d,
			struct store_change *out)
{
	*out = (struct store_change){ .key = d->key,
				      .remove = !d->tree,
				      .expect = e->condition.expect,
				      .revision = e->condition.revision,
				      .text = (const char *)d->text.data,
				      .len = d->text.len,
				      .claims = d->claims,
				      .claim_count = d->claim_count };
	if (d->guard) {
		out->remove = false;
		out->text = d->before->text;
		out->len = d->before->len;
		out->claims = d->before->claims;
		out->claim_count = d->before->claim_count;
	}
	if (e->target.what != EDIT_APPLY && !edit_is_of_pool(e->target.what))
		return;
	/* What was read a moment ago is what is changed. */
	out->expect = d->before && !e->is_new ? STORE_EXPECT_REVISION : STORE_EXPECT_ABSENT;
	out->revision = d->before ? d->before->revision : 0;
	if (e->condition.expect == STORE_EXPECT_REVISION && e->newest &&
	    store_key_same(&d->key, e->newest))
		out->revision = e->condition.revision;
}

void edit_write(struct edit *e, const char *action)
{
	const struct rest_request *r = e->request;
	char user[REST_USER_TEXT_MAX], peer[32] = "tcp";
	/* A pool's request names a revision, or a name that nobody has: no repetition is done twice. */
	const char *key = edit_is_of_pool(e->target.what) ? NULL : r->idempotency_key;
	struct store_change *changes;
	struct store_write w;

	edit_judge_address_pools(e);
	if (e->errors.count) {
		refuse_invalid(e);
		return;
	}
	if (!edit_may_change_address_pools(e))
		return;
	changes = arena_take(&e->arena, e->count * sizeof(*changes));
	for (size_t i = 0; i < e->count; i++)
		fill_change(e, &e->documents[i], &changes[i]);
	if (!r->over_tcp)
		snprintf(peer, sizeof(peer), "pid %d", (int)r->peer.pid);
	w = (struct store_write){
		.who = { .user = rest_user(r, user) ? user : "unix:?",
			 .source = edit_source_word(r),
			 .peer = peer,
			 .request = r->request_id,
			 .action = action,
			 .reason = e->params.reason },
		.changes = changes,
		.count = e->count,
		.dry_run = e->params.dry_run,
		.idempotency_key = key,
		.idempotency_hash = key ? hash_request(e) : 0,
	};
	e->backend->write(e, &w, on_written);
}

bool edit_read_body(struct edit *e, const struct doc_set **out)
{
	const struct rest_request *r = e->request;
	struct err err = { 0 };

	if (edit_read(e, edit_is_type(r->content_type, REST_YAML) ? doc_read_yaml : doc_read_json,
		      r->body ? r->body : "", r->body_len, out, &err) == 0 &&
	    (*out)->count > 0)
		return true;
	edit_add_error(e, "", err.text[0] ? err.text : "there is no document");
	refuse_invalid(e);
	return false;
}

static void put_document(struct edit *e)
{
	const struct doc_set *set;

	if (!edit_read_body(e, &set))
		return;
	if (set->count != 1)
		problems_add(&e->errors, true, 0, "%zu documents instead of one", set->count);
	else
		(void)edit_take(e, set->roots[0], &e->target.key);
	edit_write(e, e->count && e->documents[0].before ? "update" : "create");
}

static void refuse_absent(struct edit *e)
{
	const struct store_key *key = &e->target.key;
	struct err err;

	err_set(&err, -ENOENT, "there is no %s %.253s%s%.100s", store_kind_text(key->kind), key->ns,
		*key->ns ? "/" : "", key->name);
	edit_refuse(e, PROBLEM_NO_DOCUMENT, err.text);
}

void edit_refuse_unconditional(struct edit *e, const struct store_object *now)
{
	struct json_writer j;

	problem_begin(&e->reply, PROBLEM_NO_CONDITION, e->request, NULL, &j);
	if (now) {
		edit_set_etag(e, now->revision);
		json_put_object(&j, REST_CURRENT);
		put_maker(now, 0, &j);
		json_end_object(&j);
	}
	problem_end(&j);
	edit_done(e);
}

/* A change of what exists needs to say which revision is meant. True: it may go on. */
static bool is_conditional(struct edit *e, const struct store_object *now)
{
	if (!now && !e->request->idempotency_key) {
		refuse_absent(e);
		return false;
	}
	if (e->condition.said && e->condition.expect != STORE_EXPECT_ABSENT)
		return true;
	edit_refuse_unconditional(e, now);
	return false;
}

static void delete_document(struct edit *e)
{
	if (!is_conditional(e, edit_get(e, &e->target.key)))
		return;
	edit_take_removal(e, &e->target.key);
	edit_write(e, "delete");
}

/* Merged with what is there now, and written only while that is there. */
static void patch_document(struct edit *e)
{
	const struct store_object *now = edit_get(e, &e->target.key);
	const struct doc_set *set;
	struct tree *tree, *patch;

	if (!is_conditional(e, now) || !edit_read_body(e, &set))
		return;
	tree = now ? edit_tree_of_text(e, now->text, now->len) : NULL;
	if (!tree) {
		edit_refuse(e, PROBLEM_NO_DOCUMENT, NULL);
		return;
	}
	set = &e->sets[0]; /* they may have moved */
	patch = tree_of(&e->arena, set->roots[0]);
	if (patch->type != DOC_MAP) {
		problems_add(&e->errors, true, 0, "a merge patch is an object");
		refuse_invalid(e);
		return;
	}
	if (e->condition.expect == STORE_EXPECT_ANY)
		e->condition = (struct edit_condition){ .said = true,
							.expect = STORE_EXPECT_REVISION,
							.revision = now->revision };
	edit_tree_merge(&e->arena, tree, patch);
	edit_take_tree(e, tree, &e->target.key);
	edit_write(e, "patch");
}

/* False: there are more than one write takes. */
static bool apply_one(struct edit *e, const struct doc *d)
{
	const struct store_key any = { .ns = e->params.ns };

	if (e->count == STORE_CHANGES_MAX) {
		problems_add(&e->errors, true, 0, "more documents than one write takes: %d",
			     STORE_CHANGES_MAX);
		return false;
	}
	(void)edit_take(e, d, &any);
	return true;
}

static bool apply_all(struct edit *e, const struct doc_set *all, bool address_pools)
{
	bool more = true;

	for (size_t i = 0; i < all->count && more; i++) {
		const struct doc *list = object_list(all->roots[i]);
		const struct doc *d = list ? list->first : all->roots[i];

		for (; d && more; d = list ? d->next : NULL)
			if (address_pool_is(d) == address_pools)
				more = apply_one(e, d);
	}
	return more;
}

static void apply(struct edit *e)
{
	const struct doc_set *set;
	bool more = true;
	struct doc_set all;

	if (!edit_read_body(e, &set))
		return;
	all = *set;
	/* Address pools first: others may get their frontends from them. */
	for (int pass = 0; pass < 2 && more; pass++)
		more = apply_all(e, &all, pass == 0);
	if (!e->count && !e->errors.count)
		problems_add(&e->errors, true, 0, "there is no document to apply");
	edit_write(e, "apply");
}

/* --- reading ----------------------------------------------------------------------------------- */

bool edit_is_known(struct edit *e)
{
	const char *known = e->request->if_none_match;

	if (!known || strcmp(known, e->reply.etag) != 0)
		return false;
	e->reply.status = 304; /* whoever asks has it already */
	return true;
}

static void get_document(struct edit *e)
{
	const struct store_object *o = edit_get(e, &e->target.key);
	struct tree *t;

	if (!o && edit_put_configured(e)) {
		edit_done(e);
		return;
	}
	if (!o) {
		refuse_absent(e);
		return;
	}
	t = edit_shown(e, o->key.kind, o->text, o->len);
	edit_set_etag(e, o->revision);
	if (!edit_is_known(e) && t)
		edit_tree_print(t, &e->reply.body);
	else if (!t)
		buf_str(&e->reply.body, "null"); /* another program wrote it, and badly */
	buf_str(&e->reply.body, "\n");
	edit_done(e);
}

/* --- what to do -------------------------------------------------------------------------------- */

static bool is_method(const struct edit *e, const char *method)
{
	return strcmp(e->request->method, method) == 0;
}

static void begin(struct edit *e)
{
	/* As they are by now: the store may have been opened while it waited. */
	e->rules = pool_rules_ref(e->place->pools ? pools_rules(e->place->pools) : e->place->rules);
	switch (e->target.what) {
	case EDIT_DOCUMENT:
		if (is_method(e, "PUT"))
			put_document(e);
		else if (is_method(e, "PATCH"))
			patch_document(e);
		else if (is_method(e, "DELETE"))
			delete_document(e);
		else
			get_document(e);
		return;
	case EDIT_ROLLBACK:
		edit_rollback(e);
		return;
	case EDIT_REVISIONS:
	case EDIT_REVISION:
		edit_answer_revisions(e);
		return;
	case EDIT_APPLY:
		apply(e);
		return;
	case EDIT_OPERATIONS:
	case EDIT_OPERATION:
		edit_answer_operations(e);
		return;
	case EDIT_ADDRESS_POOLS:
		edit_create_address_pool(e);
		return;
	case EDIT_POOLS:
	case EDIT_POOL:
	case EDIT_POOL_SPEC:
	case EDIT_POOL_MEMBERS:
	case EDIT_POOL_MEMBER:
		edit_pool(e);
		return;
	case EDIT_POOL_REVISIONS:
		edit_pool_revisions(e);
		return;
	case EDIT_POOL_ROLLBACK:
		edit_pool_rollback(e);
		return;
	}
}

/* Before all is in memory nothing can be said of what is there. */
static enum rest_problem store_problem(const struct edit *e, struct err *err)
{
	struct store_status s;

	if (!e->store)
		return PROBLEM_NO_STORE;
	store_status(e->store, &s);
	if (s.complete)
		return PROBLEM_COUNT;
	err_set(err, -EAGAIN, "%s", s.why[0] ? s.why : "the store is being opened");
	return s.trouble == STORE_OK ? PROBLEM_NOT_READY : PROBLEM_STORE_TROUBLE;
}

/* An API server has no transaction of several documents. */
static bool may_be_staged(const struct edit *e, struct err *err)
{
	if (e->stage)
		err_set(err, -EOPNOTSUPP,
			"the pool is from kubernetes:%.200s, whose API server writes one document "
			"at a time: leave it out, or ask without atomic",
			e->place->sources[e->source].where);
	return !e->stage;
}

static enum rest_problem prepare(struct edit *e, struct err *err)
{
	const struct rest_request *r = e->request;
	bool is_write = !origin_is_safe(r->method);

	if (uri_parse(r->target, &e->uri, err) < 0 || !edit_target_of(&e->uri, &e->target))
		return PROBLEM_BAD_REQUEST;
	if (edit_params_of(&e->uri, &e->target, is_write, &e->params, err) < 0)
		return PROBLEM_BAD_PARAMETER;
	e->source = edit_source_of(e);
	if (is_write && edit_condition_of(r, &e->condition, err) < 0)
		return PROBLEM_BAD_REQUEST;
	if (r->idempotency_key &&
	    (!*r->idempotency_key || strlen(r->idempotency_key) > STORE_WORD_MAX)) {
		err_set(err, -EINVAL, "Idempotency-Key: 1 to %d bytes", STORE_WORD_MAX);
		return PROBLEM_BAD_REQUEST;
	}
	if (edit_pool_is_foreign(e, err))
		return PROBLEM_NOT_OF_STORE;
	if (is_write && edit_is_configured(e, err))
		return PROBLEM_NOT_OF_STORE;
	if (e->source < e->place->source_count && e->place->sources[e->source].cluster)
		return may_be_staged(e, err) ? PROBLEM_COUNT : PROBLEM_NOT_OF_STORE;
	/* Who shows a token that is a cluster's was let in by that alone. */
	if (is_write && !r->may_write && r->reviewed.claim == REVIEW_SOMEBODY)
		return PROBLEM_NOT_GRANTED;
	if (is_write && !r->may_write)
		return r->over_tcp ? PROBLEM_BAD_TOKEN : PROBLEM_FORBIDDEN;
	return store_problem(e, err);
}

void edit_go_on(struct edit *e)
{
	begin(e);
}

static void go_on(struct edit *e, enum rest_problem p, const struct err *err)
{
	const struct edit_source *home = e->source < e->place->source_count
						 ? &e->place->sources[e->source]
						 : NULL;

	if (p == PROBLEM_COUNT && home && home->cluster)
		cluster_begin(e, home);
	else if (p == PROBLEM_COUNT)
		edit_go_on(e);
	else
		edit_refuse(e, p, err->text[0] ? err->text : NULL);
}

static void on_store(void *arg, const struct store_event *event)
{
	struct edit *e = arg;
	struct err err = { 0 };
	enum rest_problem p = store_problem(e, &err);

	(void)event;
	if (p == PROBLEM_NOT_READY)
		return;
	store_unwatch(e->store, e->opening);
	e->opening = 0;
	go_on(e, p, &err);
}

void edit_begin(const struct edit_place *p, const struct rest_request *r, edit_answer_fn *fn,
		void *arg)
{
	struct edit *e = xcalloc(1, sizeof(*e));
	struct err err = { 0 };
	enum rest_problem problem;

	e->all = p->edits;
	e->backend = p->stage ? &edit_backend_stage : &edit_backend_store;
	e->store = p->store;
	e->stage = p->stage;
	e->place = memcpy(arena_take(&e->arena, sizeof(*p)), p, sizeof(*p));
	e->request = r;
	e->answer = fn;
	e->arg = arg;
	e->reply = (struct rest_reply){ .status = 200, .type = REST_JSON };
	LIST_INSERT_HEAD(&p->edits->under_way, e, under_way);
	problem = prepare(e, &err);
	/* That takes a moment, and whoever starts an agent does not have to know of it. */
	if (problem == PROBLEM_NOT_READY)
		e->opening = store_watch(e->store, on_store, e);
	else
		go_on(e, problem, &err);
}
