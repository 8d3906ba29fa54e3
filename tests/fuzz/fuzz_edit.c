/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to the store: "METHOD TARGET", then Content-Type, If-Match,
 * If-None-Match and Idempotency-Key on lines of their own, and the body behind
 * them, through admission, decoding, writing and the whole answer, over a real
 * store. What is refused and what is a dry run leaves the store's revision.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/api/backup_route.h"
#include "agent/api/batch.h"
#include "agent/api/edit.h"
#include "agent/api/schema.h"
#include "agent/api/token_route.h"
#include "agent/base/doc.h"
#include "agent/base/xalloc.h"

#define TURNS_MAX 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fuzzed {
	struct loop *loop;
	struct store *store;
	struct edits *edits;
	struct batches *batches;
	struct address_pool pool;
	struct addr_range vip;
	struct pool_rules rules;
	char dir[32];
} f;

static void clean_up(void)
{
	static const char *const names[] = { "store.db", "store.db-wal", "store.db-shm",
					     "store.db.lock" };
	char path[64];

	edits_free(f.edits);
	batches_free(f.batches);
	store_close(f.store);
	loop_free(f.loop);
	check_unref(f.rules.defaults.check);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f.dir, names[i]);
		unlink(path);
	}
	rmdir(f.dir);
}

static void turn(void)
{
	int r = loop_turn(f.loop, 10);

	assert(r == 0);
}

static void open_store(void)
{
	char path[64];
	struct store_options o = {
		.path = path, .owner = edit_store_owner, .objects_max = 200, .operations_max = 1000
	};
	struct store_status s;
	int r;

	strcpy(f.dir, "/tmp/fuzz_edit.XXXXXX");
	if (!mkdtemp(f.dir))
		abort();
	snprintf(path, sizeof(path), "%s/store.db", f.dir);
	r = loop_new(&clock_system, &f.loop);
	assert(r == 0);
	r = store_open(f.loop, &o, &f.store);
	assert(r == 0);
	f.edits = edits_new();
	f.batches = batches_new(f.loop);
	r = addr_parse("10.0.0.1", &f.vip.first);
	assert(r == 0);
	f.vip.last = f.vip.first;
	f.pool = (struct address_pool){ .name = (char *)(uintptr_t) "p",
					.addresses = &f.vip,
					.address_count = 1,
					.ports = { 30000, 32767 } };
	f.rules = (struct pool_rules){
		.address_pools = &f.pool,
		.address_pool_count = 1,
		.defaults = { .scheduler = "wrr", .weight = 1, .check = check_new(CHECK_TCP) }
	};
	atexit(clean_up);
	do {
		turn();
		store_status(f.store, &s);
	} while (s.state == STORE_OPENING);
	assert(s.state == STORE_READY);
}

struct got {
	bool answered;
	struct rest_reply reply;
};

static void on_answer(void *arg, struct rest_reply *reply)
{
	struct got *g = arg;

	g->answered = true;
	g->reply = *reply;
}

static void check_reply(struct rest_reply *r)
{
	struct doc_set set = { 0 };
	struct err err;
	int n = doc_read_json(r->body.data, r->body.len, &DOC_LIMITS_DEFAULT, &set, &err);

	assert(n == 0 && set.count == 1);
	doc_set_done(&set);
	assert((r->status < 300) != (strcmp(r->type, REST_PROBLEM) == 0));
	assert(r->allow == (r->status == 405));
	for (const char *p = r->etag; *p; p++)
		assert(*p > 0x20 && *p < 0x7f);
}

static bool is_dry_run(const char *target)
{
	const char *query = strchr(target, '?');

	return query && (strncmp(query, "?dryRun=all", 11) == 0 || strstr(query, "&dryRun=all"));
}

static void ask_edit(void *arg, const struct rest_request *r, struct edit_stage *stage,
		     edit_answer_fn *fn, void *fn_arg)
{
	const struct edit_place place = {
		.edits = f.edits, .store = f.store, .stage = stage, .rules = &f.rules
	};

	(void)arg;
	edit_begin(&place, r, fn, fn_arg);
}

static void begin(const struct rest_request *r, struct got *g)
{
	const struct batch_place place = { .batches = f.batches, .ask = ask_edit };

	if (batch_is_asked_for(r))
		batch_begin(&place, r, on_answer, g);
	else
		ask_edit(NULL, r, NULL, on_answer, g);
}

static void ask(const struct rest_request *r)
{
	struct got g = { 0 };
	struct store_status before, after;

	store_status(f.store, &before);
	begin(r, &g);
	for (int i = 0; i < TURNS_MAX && !g.answered; i++)
		turn();
	assert(g.answered);
	store_status(f.store, &after);
	if (g.reply.status >= 300 || is_dry_run(r->target))
		assert(after.revision == before.revision && after.objects == before.objects);
	check_reply(&g.reply);
	rest_reply_done(&g.reply);
}

/* Cuts the next line off; "" is a header that is not there. */
static const char *cut(char **rest)
{
	const char *line = *rest ? strsep(rest, "\n") : NULL;

	return line && *line ? line : NULL;
}

static enum edit_admission admit(const struct rest_request *r, struct rest_reply *reply)
{
	enum edit_admission a = EDIT_NOT_OURS;

	if (!r->target)
		return a;
	if (token_admit(r, reply) == EDIT_REFUSED || backup_admit(r, reply) == EDIT_REFUSED)
		return EDIT_REFUSED;
	a = batch_admit(r, reply);
	return a == EDIT_NOT_OURS ? edit_admit(r, reply) : a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size), *rest = text;
	struct rest_request r = { .header_bytes = 100, .may_write = true, .request_id = "r1" };
	struct rest_reply reply;

	if (!f.store)
		open_store();
	r.method = strsep(&rest, " ");
	r.target = cut(&rest);
	r.content_type = cut(&rest);
	r.if_match = cut(&rest);
	r.if_none_match = cut(&rest);
	r.idempotency_key = cut(&rest);
	r.body = rest;
	r.body_len = rest ? strlen(rest) : 0;
	r.has_body = r.body_len > 0;
	r.length = r.body_len;
	switch (admit(&r, &reply)) {
	case EDIT_NOT_OURS:
		break;
	case EDIT_REFUSED:
		check_reply(&reply);
		rest_reply_done(&reply);
		break;
	case EDIT_ADMITTED:
		ask(&r);
		break;
	}
	free(text);
	return 0;
}
