/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/batch_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_private.h"
#include "agent/api/edit_stage.h"
#include "agent/api/edit_tree.h"
#include "agent/api/problem.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "agent/store/write.h"

/* Where that many in a row could not be done for no fault of theirs, the next ones are not tried. */
#define FAILURES_MAX 3

const struct edit_path batch_paths[] = { { REST_POOLS_BATCH, "POST", false }, { 0 } };

struct batches {
	struct loop *loop;
	LIST_HEAD(, batch) under_way;
	loop_work_id work;
};

/* --- admission --------------------------------------------------------------------------------- */

bool batch_is_asked_for(const struct rest_request *r)
{
	struct uri u;
	struct err err;

	return uri_parse(r->target, &u, &err) == 0 && u.segment_count == 3 &&
	       strcmp(u.segments[0], "api") == 0 && strcmp(u.segments[1], "v1") == 0 &&
	       strcmp(u.segments[2], "pools:batch") == 0;
}

/* By whom a pool may be made, in the same form. */
enum edit_admission batch_admit(const struct rest_request *r, struct rest_reply *out)
{
	struct rest_request as_new = *r;

	if (!batch_is_asked_for(r))
		return EDIT_NOT_OURS;
	as_new.target = REST_POOLS;
	if (strcmp(r->method, "POST") == 0)
		return edit_admit(&as_new, out);
	*out = (struct rest_reply){ .close = true, .methods = batch_paths[0].methods };
	problem_answer(out, PROBLEM_BAD_METHOD, r, NULL);
	return EDIT_REFUSED;
}

/* --- one of them ------------------------------------------------------------------------------- */

struct batches *batches_new(struct loop *l)
{
	struct batches *all = xcalloc(1, sizeof(*all));

	all->loop = l;
	return all;
}

static void unit_done(struct unit *u)
{
	buf_done(&u->body);
	rest_reply_done(&u->reply);
}

static void batch_free(struct batch *b)
{
	for (struct unit *u = b->units; u; u = u->next)
		unit_done(u);
	edit_stage_free(b->stage);
	doc_set_done(&b->body);
	arena_done(&b->arena);
	rest_reply_done(&b->reply);
	free(b);
}

void batches_free(struct batches *all)
{
	struct batch *b;

	if (!all)
		return;
	loop_work_cancel(all->loop, all->work);
	while ((b = LIST_FIRST(&all->under_way))) {
		LIST_REMOVE(b, under_way);
		batch_free(b);
	}
	free(all);
}

static void finish(struct batch *b)
{
	edit_answer_fn *answer = b->answer;
	struct rest_reply reply = b->reply;
	void *arg = b->arg;

	b->reply = (struct rest_reply){ 0 };
	LIST_REMOVE(b, under_way);
	batch_free(b);
	answer(arg, &reply);
}

/* --- one request ----------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One that is named twice is said once. */
static void put_weights(struct unit *u, struct json_writer *j)
{
	const char **ids;
	size_t count = 0;

	for (const struct batch_member *m = u->members; m; m = m->next)
		count++;
	ids = arena_take(&u->batch->arena, (count + 1) * sizeof(*ids));
	ids[0] = REST_ALL_MEMBERS;
	count = 0;
	for (const struct batch_member *m = u->members; m; m = m->next)
		ids[count++] = m->id;
	qsort(ids, count, sizeof(*ids), by_id);
	json_put_object(j, REST_WEIGHTS);
	for (size_t i = 0; i < (count ? count : 1); i++) {
		if (i && strcmp(ids[i - 1], ids[i]) == 0)
			continue;
		if (u->verb == VERB_UNDRAIN)
			json_put_text(j, ids[i], NULL);
		else
			json_put_uint(j, ids[i], u->weight);
	}
	json_end_object(j);
}

static void make_body(struct unit *u)
{
	struct json_writer j = { .out = &u->body };
	struct batch *b = u->batch;

	if (u->verb == VERB_DELETE)
		return;
	if (u->verb == VERB_PATCH) {
		edit_tree_print(tree_of(&b->arena, u->patch), &u->body);
	} else {
		json_put_object(&j, NULL);
		put_weights(u, &j);
		json_end_object(&j);
	}
}

static const char *make_target(struct unit *u)
{
	struct batch *b = u->batch;
	CLEANUP(buf_done) struct buf t = { 0 };

	buf_str(&t, REST_POOLS "/");
	uri_encode(&t, u->pool);
	if (u->verb == VERB_DELETE && u->members) {
		buf_str(&t, "/members/");
		uri_encode(&t, u->members->id);
	}
	if (b->dry_run)
		buf_str(&t, "?" REST_DRY_RUN "=all");
	if (b->reason) {
		buf_str(&t, b->dry_run ? "&" REST_REASON "=" : "?" REST_REASON "=");
		uri_encode(&t, b->reason);
	}
	return arena_strdup(&b->arena, buf_cstr(&t));
}

static void on_answer(void *arg, struct rest_reply *reply);

/* As whoever asked would have sent it. */
static void ask_one(struct unit *u)
{
	const struct rest_request *from = u->batch->request;

	u->request = *from;
	u->request.method = u->verb == VERB_DELETE ? "DELETE" : "PATCH";
	u->request.target = make_target(u);
	u->request.idempotency_key = NULL;
	u->request.if_none_match = NULL;
	snprintf(u->if_match, sizeof(u->if_match), "*");
	if (u->revision)
		snprintf(u->if_match, sizeof(u->if_match), "\"r%" PRIu64 "\"", u->revision);
	u->request.if_match = u->if_match;
	make_body(u);
	u->request.content_type = u->verb == VERB_DELETE ? NULL : REST_MERGE_PATCH;
	u->request.body = u->body.len ? (const char *)u->body.data : NULL;
	u->request.body_len = u->body.len;
	u->request.length = u->body.len;
	u->request.has_body = u->body.len > 0;
	u->batch->ask(u->batch->ask_arg, &u->request, u->batch->stage, on_answer, u);
}

/* --- the answer ------------------------------------------------------------------------------------- */

static const char *result_of(const struct unit *u)
{
	if (u->reply.status >= 300)
		return REST_RESULT_REFUSED;
	if (u->reply.unchanged)
		return REST_RESULT_UNCHANGED;
	return u->verb == VERB_DELETE ? REST_REMOVED : REST_RESULT_CONFIGURED;
}

/* The pool's; of one that is gone the highest of its removal; 0: none, as of a dry run. */
static uint64_t revision_of(const struct unit *u)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	const struct rest_reply *r = &u->reply;
	const struct doc *items;
	int64_t highest = 0, n;
	uint64_t revision;
	char digits[32];
	struct err err;

	/* "r12" with its quotes */
	if (r->status < 300 && sscanf(r->etag, "\"r%20[0-9]\"", digits) == 1 &&
	    value_uint(digits, 1, INT64_MAX, &revision) == 0)
		return revision;
	if (r->status >= 300 || u->batch->dry_run ||
	    doc_read_json(r->body.data, r->body.len, &DOC_LIMITS_DEFAULT, &set, &err) < 0)
		return 0;
	items = doc_get(set.roots[0], REST_ITEMS);
	for (const struct doc *i = items ? items->first : NULL; i; i = i->next)
		if (doc_integer(doc_get(i, REST_REVISION), 1, INT64_MAX, &n) && n > highest)
			highest = n;
	return (uint64_t)highest;
}

/* What was told of the pool goes with the first: a refusal, or what would be. */
static void put_result(const struct unit *u, const struct batch_member *m, bool first,
		       struct json_writer *j)
{
	json_put_object(j, NULL);
	json_put_text(j, REST_POOL_FIELD, u->pool);
	if (m)
		json_put_text(j, REST_MEMBER, m->id);
	json_put_uint(j, REST_ERROR_STATUS, u->reply.status);
	json_put_text(j, REST_RESULT, result_of(u));
	if (u->made)
		json_put_uint(j, REST_REVISION, u->made);
	if (u->reply.status >= 300)
		json_put_raw(j, REST_PROBLEM_FIELD, &u->reply.body);
	else if (u->batch->dry_run && first)
		json_put_raw(j, REST_ANSWER, &u->reply.body);
	json_end_object(j);
}

static void put_unit(const struct unit *u, size_t counts[static 3], struct json_writer *j)
{
	bool first = true;

	for (const struct batch_member *m = u->members; m || (first && !u->members);
	     m = m ? m->next : NULL, first = false) {
		counts[u->reply.status >= 300 ? 0 : u->reply.unchanged ? 1 : 2]++;
		put_result(u, m, first, j);
	}
}

/* done: what was not refused is, or would be in a dry run. */
static void put_results(const struct batch *b, bool done, struct json_writer *j)
{
	size_t counts[3] = { 0 };

	json_put_array(j, REST_RESULTS);
	for (const struct unit *u = b->units; u; u = u->next)
		put_unit(u, counts, j);
	json_end_array(j);
	json_put_uint(j, REST_TOTAL, b->item_count);
	json_put_uint(j, REST_RESULT_REFUSED, counts[0]);
	json_put_uint(j, REST_RESULT_UNCHANGED, counts[1]);
	json_put_uint(j, REST_CHANGED, done ? counts[2] : 0);
	json_put_bool(j, REST_DRY_RUN, b->dry_run);
}

static void answer(struct batch *b)
{
	struct json_writer j = { .out = &b->reply.body };

	json_put_object(&j, NULL);
	put_results(b, true, &j);
	json_end_object(&j);
	buf_str(&b->reply.body, "\n");
	finish(b);
}

/* --- all of it, or nothing ---------------------------------------------------------------------------- */

static size_t count_refused(const struct batch *b)
{
	size_t n = 0;

	for (const struct unit *u = b->units; u; u = u->next)
		n += u->reply.status >= 300;
	return n;
}

static void answer_refused(struct batch *b, size_t refused)
{
	struct json_writer j;
	struct err err;

	err_set(&err, -ECANCELED, "%zu of %zu requests were refused, and nothing was changed",
		refused, b->unit_count);
	problem_begin(&b->reply, PROBLEM_BATCH_REFUSED, b->request, err.text, &j);
	put_results(b, false, &j);
	problem_end(&j);
	finish(b);
}

static void answer_full(struct batch *b)
{
	struct err err;

	err_set(&err, -E2BIG,
		"atomic: a write takes at most %d documents and %u MiB of them, and each pool has "
		"two documents at least: ask several times, or without atomic",
		EDIT_STAGE_DOCUMENTS_MAX, EDIT_STAGE_BYTES_MAX >> 20);
	problem_answer(&b->reply, PROBLEM_TOO_LARGE, b->request, err.text);
	finish(b);
}

/* Of all those that had to do with what the store refused. */
static void blame(struct batch *b, enum store_result r, const char *why)
{
	for (struct unit *u = b->units; u; u = u->next) {
		if (!edit_stage_is_to_blame(b->stage, &u->request))
			continue;
		rest_reply_done(&u->reply);
		u->reply = (struct rest_reply){ 0 };
		problem_answer(&u->reply, edit_problem_of(r), &u->request, why);
	}
}

static void go_on(struct batches *all);

static void on_stage_written(void *arg, enum store_result r, const char *why)
{
	struct batch *b = arg;
	struct batches *all = b->all;

	b->waiting = false;
	for (struct unit *u = b->units; u && r == STORE_OK; u = u->next)
		u->made = edit_stage_revision(b->stage, &u->request);
	if (r != STORE_OK)
		blame(b, r, why);
	if (r == STORE_OK) {
		answer(b);
	} else if (count_refused(b)) {
		answer_refused(b, count_refused(b));
	} else {
		/* It has nothing to do with what was asked for. */
		problem_answer(&b->reply, edit_problem_of(r), b->request, why);
		finish(b);
	}
	go_on(all);
}

static void settle(struct batch *b)
{
	size_t refused = count_refused(b);

	if (edit_stage_is_full(b->stage)) {
		answer_full(b);
	} else if (refused) {
		answer_refused(b, refused);
	} else {
		b->waiting = true;
		edit_stage_write(b->stage, b->dry_run, on_stage_written, b);
	}
}

/* --- one after the other ------------------------------------------------------------------------------ */

static bool work(void *arg);

/* The oldest of those that wait for nobody: the newest first would starve it. NULL: none. */
static struct batch *next_ready(const struct batches *all)
{
	struct batch *oldest = NULL, *b;

	LIST_FOREACH (b, &all->under_way, under_way)
		if (!b->waiting)
			oldest = b;
	return oldest;
}

static void go_on(struct batches *all)
{
	if (!all->work && next_ready(all))
		all->work = loop_work(all->loop, work, all);
}

/* Who meant the pool as it was before means it with what was just done to it. */
static void tell_others(const struct unit *u)
{
	for (struct unit *v = u->next; v && u->made; v = v->next)
		if (v->revision && strcmp(v->pool, u->pool) == 0)
			v->revision = u->made;
}

static void on_answer(void *arg, struct rest_reply *reply)
{
	struct unit *u = arg;

	struct batch *b = u->batch;

	u->reply = *reply;
	if (!b->stage) {
		u->made = revision_of(u);
		tell_others(u);
	}
	b->failures = reply->status == 503 ? b->failures + 1 : 0;
	b->waiting = false;
	go_on(b->all);
}

static void try_next(struct batch *b)
{
	struct unit *u = b->at;

	b->at = u->next;
	if (b->failures >= FAILURES_MAX && !b->stage) {
		problem_answer(&u->reply, PROBLEM_NOT_TRIED, b->request, NULL);
		return;
	}
	b->waiting = true; /* until on_answer(), perhaps before ask_one() returns */
	ask_one(u);
}

static bool work(void *arg)
{
	struct batches *all = arg;
	struct batch *b = next_ready(all);

	all->work = 0;
	if (b && b->at && !(b->stage && edit_stage_is_full(b->stage)))
		try_next(b);
	else if (b && b->stage && b->units)
		settle(b);
	else if (b)
		answer(b);
	go_on(all);
	return false;
}

/* --- beginning ----------------------------------------------------------------------------------------- */

static int read_params(struct batch *b, struct err *err)
{
	for (size_t i = 0; i < b->uri.param_count; i++) {
		const struct uri_param *p = &b->uri.params[i];

		if (strcmp(p->name, REST_DRY_RUN) == 0 && strcmp(p->value, "all") == 0)
			b->dry_run = true;
		else if (strcmp(p->name, REST_REASON) == 0 && strlen(p->value) <= STORE_REASON_MAX)
			b->reason = p->value;
		else
			return err_set(err, -EINVAL,
				       "parameter '%.64s' is unknown, or cannot be "
				       "'%.64s'",
				       p->name, p->value);
	}
	return 0;
}

static enum rest_problem prepare(struct batch *b, const struct snapshot *s, struct err *err)
{
	if (b->request->if_match || b->request->if_none_match) {
		err_set(err, -EINVAL, "If-Match is for one pool: say the revision of each in ops");
		return PROBLEM_BAD_REQUEST;
	}
	if (uri_parse(b->request->target, &b->uri, err) < 0)
		return PROBLEM_BAD_REQUEST;
	if (read_params(b, err) < 0)
		return PROBLEM_BAD_PARAMETER;
	switch (batch_read(b, s, err)) {
	case 0:
		return PROBLEM_COUNT;
	case -ERANGE:
		return PROBLEM_OTHER_COUNT; /* and it has been said */
	default:
		return PROBLEM_INVALID;
	}
}

void batch_begin(const struct batch_place *p, const struct rest_request *r, edit_answer_fn *fn,
		 void *arg)
{
	struct batch *b = xcalloc(1, sizeof(*b));
	struct err err = { 0 };
	enum rest_problem problem;

	*b = (struct batch){ .all = p->batches,
			     .request = r,
			     .answer = fn,
			     .arg = arg,
			     .ask = p->ask,
			     .ask_arg = p->ask_arg };
	b->last = &b->units;
	b->reply = (struct rest_reply){ .status = 200, .type = REST_JSON };
	LIST_INSERT_HEAD(&p->batches->under_way, b, under_way);
	problem = prepare(b, p->snapshot, &err);
	b->at = b->units;
	if (problem == PROBLEM_COUNT) {
		b->stage = b->atomic ? edit_stage_new(p->batches->loop) : NULL;
		go_on(p->batches);
		return;
	}
	if (problem != PROBLEM_OTHER_COUNT)
		problem_answer(&b->reply, problem, r, err.text[0] ? err.text : NULL);
	finish(b);
}
