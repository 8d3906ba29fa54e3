/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many pools changed by one request, each on its own or all at once, over core's sockets: a real store, a real plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "agent/api/batch.h"
#include "agent/base/xalloc.h"
#include "tests/lib/core_client.h"
#include "tests/lib/core_world.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/random.h"
#include "tests/lib/store_world.h"

#define POOLS  "/api/v1/pools"
#define BATCH  "/api/v1/pools:batch"
#define JSON   "Content-Type: application/json\r\n"
#define SHARED "10.1.0.7" /* a server of every pool */

static char *everything(struct world *w)
{
	return store_world_everything(writes_store(w->context.arg));
}

/* a, b, ... each with a server of its own and one that all have. */
static void start_with(struct world *w, int pools)
{
	unsigned status;

	w->over_tcp = true;
	start_all(w, "");
	for (int i = 0; i < pools; i++) {
		char body[300];

		snprintf(body, sizeof(body),
			 "{\"name\":\"p%d\",\"portName\":\"x\",\"settings\":{\"health-check-type\":"
			 "\"none\"},\"members\":[{\"address\":\"10.1.1.%d\",\"port\":80},"
			 "{\"address\":\"" SHARED "\",\"port\":80}]}",
			 i, i + 1);
		do {
			struct core_answer a;

			core_ask(w, UNIX, "POST", POOLS, JSON, body, &a);
			status = a.status;
			core_answer_done(&a);
		} while (status == 503);
		assert_int_equal(status, 201);
	}
	pass(w, 500); /* lists have them */
}

static int64_t number(const struct doc *d, const char *key)
{
	int64_t n = -1;

	(void)!doc_integer(doc_get(d, key), 0, INT64_MAX, &n);
	return n;
}

/* Asks, and has this many results: changed, unchanged, refused. */
static void batch(struct world *w, const char *target, const char *body, int changed, int unchanged,
		  int refused, struct core_answer *out)
{
	struct core_answer a;

	core_ask(w, UNIX, "POST", target, JSON, body, &a);
	if (a.status != 200 || number(a.root, "changed") != changed ||
	    number(a.root, "unchanged") != unchanged || number(a.root, "refused") != refused ||
	    (int)doc_get(a.root, "results")->count != changed + unchanged + refused)
		fail_msg("%s: %s", body, buf_cstr(&a.text));
	if (out)
		*out = a;
	else
		core_answer_done(&a);
}

/* How often the wanted table has the shared server at this weight. */
static int shared_at(struct world *w, const char *weight)
{
	CLEANUP(xfree_ptr) char *wanted = xasprintf("-r " SHARED ":80 -m -w %s\n", weight);
	const char *text = wanted_text(w);
	int n = 0;

	for (const char *p = text; (p = strstr(p, wanted)); p++)
		n++;
	return n;
}

static void await_shared(struct world *w, const char *weight, int count)
{
	for (int i = 0; i < TURNS_MAX && shared_at(w, weight) != count; i++)
		turn(w);
	assert_int_equal(shared_at(w, weight), count);
}

#define DRAIN(count)                                                                      \
	"{\"filter\":\"q=member:" SHARED "\",\"of\":\"members\",\"expectedCount\":" count \
	",\"op\":\"drain\"}"

static void a_server_is_drained_in_every_pool_and_back(void **state)
{
	struct world *w = *state;
	struct core_answer a;

	start_with(w, 5);
	await_shared(w, "1", 5);
	batch(w, BATCH "?reason=a%20new%20disk", DRAIN("5"), 5, 0, 0, NULL);
	await_shared(w, "0", 5);
	batch(w, BATCH, DRAIN("5"), 0, 5, 0, NULL);
	core_ask(w, UNIX, "GET", "/api/v1/operations?action=drain", "", NULL, &a);
	assert_true(doc_get(a.root, "items")->count >= 5);
	assert_string_equal(doc_string(doc_get(doc_get(a.root, "items")->first, "reason")),
			    "a new disk");
	core_answer_done(&a);
	batch(w, BATCH,
	      "{\"filter\":\"q=member:" SHARED
	      "\",\"of\":\"members\",\"expectedCount\":5,\"op\":\"undrain\"}",
	      5, 0, 0, NULL);
	await_shared(w, "1", 5);
}

static void what_is_not_as_many_as_expected_is_left_alone(void **state)
{
	struct world *w = *state;
	char *before, *after;
	struct core_answer a;

	start_with(w, 3);
	before = everything(w);
	core_ask(w, UNIX, "POST", BATCH, JSON, DRAIN("4"), &a);
	assert_int_equal(a.status, 409);
	assert_string_equal(core_field(&a, "code"), "expected-count-mismatch");
	assert_int_equal(number(a.root, "count"), 3);
	core_answer_done(&a);
	batch(w, BATCH "?dryRun=all", DRAIN("3"), 3, 0, 0, &a);
	assert_non_null(strstr(buf_cstr(&a.text), "\"plan\":[{"));
	core_answer_done(&a);
	after = everything(w);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void pools_that_are_named_are_changed_each_as_it_is_meant(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	char body[600];
	int64_t revision;

	start_with(w, 4);
	core_ask(w, UNIX, "GET", POOLS "/default.p1.x-tcp/spec", "", NULL, &a);
	revision = number(a.root, "revision");
	core_answer_done(&a);
	snprintf(body, sizeof(body),
		 "{\"ops\":["
		 "{\"op\":\"patch\",\"pool\":\"default.p0.x-tcp\",\"patch\":{\"settings\":"
		 "{\"scheduler\":\"rr\"}}},"
		 "{\"op\":\"weight\",\"pool\":\"default.p1.x-tcp\",\"member\":\"10.1.1.2-80\","
		 "\"weight\":7,\"revision\":\"r%lld\"},"
		 "{\"op\":\"weight\",\"pool\":\"default.p1.x-tcp\",\"member\":\"10.1.0.7-80\","
		 "\"weight\":7},"
		 "{\"op\":\"patch\",\"pool\":\"default.p2.x-tcp\",\"revision\":1,\"patch\":{}},"
		 "{\"op\":\"delete\",\"pool\":\"default.p3.x-tcp\"},"
		 "{\"op\":\"delete\",\"pool\":\"default.nobody.x-tcp\"}]}",
		 (long long)revision);
	batch(w, BATCH, body, 4, 0, 2, &a);
	assert_non_null(strstr(buf_cstr(&a.text), "\"code\":\"stale-revision\""));
	assert_non_null(strstr(buf_cstr(&a.text), "\"code\":\"pool-not-found\""));
	core_answer_done(&a);
	await_wanted(w, "-A -t 10.0.0.1:30000 -s rr\n"
			"-a -t 10.0.0.1:30000 -r 10.1.0.7:80 -m -w 1\n"
			"-a -t 10.0.0.1:30000 -r 10.1.1.1:80 -m -w 1\n"
			"-A -t 10.0.0.1:30001 -s wrr\n"
			"-a -t 10.0.0.1:30001 -r 10.1.0.7:80 -m -w 7\n"
			"-a -t 10.0.0.1:30001 -r 10.1.1.2:80 -m -w 7\n"
			"-A -t 10.0.0.1:30002 -s wrr\n"
			"-a -t 10.0.0.1:30002 -r 10.1.0.7:80 -m -w 1\n"
			"-a -t 10.0.0.1:30002 -r 10.1.1.3:80 -m -w 1\n"
			"-A -t 10.0.0.1:30003 -s wrr\n"
			"-a -t 10.0.0.1:30003 -r 10.1.0.7:80 -m -w 0\n"
			"-a -t 10.0.0.1:30003 -r 10.1.1.4:80 -m -w 0\n");
}

/* Pools as such; and one that is meant at a revision several times is meant as it becomes. */
static void a_pool_is_drained_as_a_whole_and_its_members_in_turn(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	char body[600];
	int64_t revision;

	start_with(w, 2);
	batch(w, BATCH,
	      "{\"filter\":\"q=default.p\",\"of\":\"pools\",\"expectedCount\":2,\"op\":\"drain\"}",
	      2, 0, 0, NULL);
	await_shared(w, "0", 2);
	batch(w, BATCH,
	      "{\"filter\":\"q=default.p\",\"of\":\"pools\",\"expectedCount\":2,\"op\":"
	      "\"undrain\"}",
	      2, 0, 0, NULL);
	await_shared(w, "1", 2);
	core_ask(w, UNIX, "GET", POOLS "/default.p0.x-tcp/spec", "", NULL, &a);
	revision = number(a.root, "revision");
	core_answer_done(&a);
	snprintf(body, sizeof(body),
		 "{\"ops\":[{\"op\":\"drain\",\"pool\":\"default.p0.x-tcp\",\"member\":\"10.1.0.7-"
		 "80\","
		 "\"revision\":%lld},{\"op\":\"drain\",\"pool\":\"default.p1.x-tcp\",\"member\":"
		 "\"10.1.0.7-80\"},{\"op\":\"delete\",\"pool\":\"default.p0.x-tcp\",\"member\":"
		 "\"10.1.1.1-80\",\"revision\":%lld},{\"op\":\"delete\",\"pool\":\"default.p0.x-"
		 "tcp\","
		 "\"revision\":%lld}]}",
		 (long long)revision, (long long)revision, (long long)revision);
	batch(w, BATCH, body, 4, 0, 0, &a);
	assert_true(number(doc_get(a.root, "results")->first->next->next->next, "revision") >
		    revision);
	core_answer_done(&a);
}

/* --- all of it, or nothing ------------------------------------------------------------------- */

/* All that the store holds, and its record. */
static char *whole_state(struct world *w)
{
	CLEANUP(xfree_ptr) char *documents = everything(w);
	struct core_answer a;
	char *all;

	core_ask(w, UNIX, "GET", "/api/v1/operations?limit=100", "", NULL, &a);
	assert_int_equal(a.status, 200);
	all = xasprintf("%s%s", documents, strstr(buf_cstr(&a.text), "\r\n\r\n"));
	core_answer_done(&a);
	return all;
}

/* It is refused as a whole, and nothing has changed. */
static void refused_whole(struct world *w, const char *target, const char *body, unsigned status,
			  const char *code, const char *says, int refused)
{
	CLEANUP(xfree_ptr) char *before = whole_state(w);
	CLEANUP(xfree_ptr) char *after = NULL;
	struct core_answer a;

	core_ask(w, UNIX, "POST", target, JSON, body, &a);
	if (a.status != status || strcmp(core_field(&a, "code"), code) != 0 ||
	    !strstr(buf_cstr(&a.text), says))
		fail_msg("%s: %s", body, buf_cstr(&a.text));
	if (refused) {
		assert_int_equal(number(a.root, "refused"), refused);
		assert_int_equal(number(a.root, "changed"), 0);
	}
	core_answer_done(&a);
	after = whole_state(w);
	assert_string_equal(before, after);
}

#define P(n) "default.p" n ".x-tcp"

static void an_atomic_batch_is_one_operation_of_the_store(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	int64_t revision;

	start_with(w, 3);
	core_ask(w, UNIX, "GET", "/api/v1/operations?limit=1", "", NULL, &a);
	revision = number(doc_get(a.root, "items")->first, "id");
	core_answer_done(&a);
	batch(w, BATCH "?reason=all%20of%20it",
	      "{\"atomic\":true,\"ops\":["
	      "{\"op\":\"weight\",\"pool\":\"" P(
		      "0") "\",\"member\":\"10.1.0.7-80\",\"weight\":7},"
			   "{\"op\":\"delete\",\"pool\":\"" P(
				   "0") "\",\"member\":\"10.1.1.1-80\"},"
					"{\"op\":\"patch\",\"pool\":\"" P(
						"1") "\",\"patch\":{\"settings\":{\"scheduler\":"
						     "\"rr\"}}},"
						     "{\"op\":\"delete\",\"pool\":\"" P(
							     "2") "\"},"
								  "{\"op\":\"patch\",\"pool\":\"" P(
									  "1") "\",\"patch\":{"
									       "\"settings\":{"
									       "\"scheduler\":"
									       "\"rr\"}}}]}",
	      4, 1, 0, &a);
	for (const struct doc *d = doc_get(a.root, "results")->first; d; d = d->next)
		assert_true(number(d, "revision") > 0);
	core_answer_done(&a);
	await_wanted(w, "-A -t 10.0.0.1:30000 -s wrr\n"
			"-a -t 10.0.0.1:30000 -r 10.1.0.7:80 -m -w 7\n"
			"-a -t 10.0.0.1:30000 -r 10.1.1.1:80 -m -w 0\n"
			"-A -t 10.0.0.1:30001 -s rr\n"
			"-a -t 10.0.0.1:30001 -r 10.1.0.7:80 -m -w 1\n"
			"-a -t 10.0.0.1:30001 -r 10.1.1.2:80 -m -w 1\n"
			"-A -t 10.0.0.1:30002 -s wrr\n"
			"-a -t 10.0.0.1:30002 -r 10.1.0.7:80 -m -w 0\n"
			"-a -t 10.0.0.1:30002 -r 10.1.1.3:80 -m -w 0\n");
	/* One id, one operation: Endpoints of p0 and p1, and both documents of p2. */
	core_ask(w, UNIX, "GET", "/api/v1/operations?action=batch", "", NULL, &a);
	assert_int_equal(doc_get(a.root, "items")->count, 4);
	for (const struct doc *d = doc_get(a.root, "items")->first; d; d = d->next) {
		assert_true(number(d, "id") > revision);
		assert_string_equal(doc_string(doc_get(d, "reason")), "all of it");
	}
	core_answer_done(&a);
	/* What is one thing is on record as that. */
	pass(w, 500);
	batch(w, BATCH,
	      "{\"filter\":\"q=default.p\",\"of\":\"pools\",\"expectedCount\":2,\"op\":\"drain\","
	      "\"atomic\":true}",
	      2, 0, 0, NULL);
	core_ask(w, UNIX, "GET", "/api/v1/operations?action=drain", "", NULL, &a);
	assert_int_equal(doc_get(a.root, "items")->count, 2);
	core_answer_done(&a);
	batch(w, BATCH,
	      "{\"filter\":\"q=nobody\",\"of\":\"pools\",\"expectedCount\":0,\"op\":\"drain\","
	      "\"atomic\":true}",
	      0, 0, 0, NULL);
}

/* One that cannot be done, wherever it stands among those that can. */
static void one_that_is_refused_leaves_all_as_it_was(void **state)
{
	static const struct {
		const char *op, *says;
	} bad[] = {
		{ "{\"op\":\"drain\",\"pool\":\"" P("9") "\"}", "pool-not-found" },
		{ "{\"op\":\"drain\",\"pool\":\"" P("4") "\",\"revision\":\"r1\"}",
		  "stale-revision" },
		{ "{\"op\":\"drain\",\"pool\":\"" P("4") "\",\"member\":\"10.9.9.9-80\"}",
		  "no member" },
		{ "{\"op\":\"patch\",\"pool\":\"" P("4") "\",\"patch\":{\"hue\":1}}", "hue" },
		{ "{\"op\":\"patch\",\"pool\":\"" P("4") "\",\"patch\":{\"settings\":{"
							 "\"scheduler\":\"best\"}}}",
		  "scheduler" },
		{ "{\"op\":\"patch\",\"pool\":\"" P("4") "\",\"patch\":{\"port\":30003}}",
		  "vip-port-in-use" },
		{ "{\"op\":\"delete\",\"pool\":\"" P("4") "\"},{\"op\":\"drain\",\"pool\":\"" P(
			  "4") "\"}",
		  "pool-not-found" },
	};
	static const char *const good[] = {
		"{\"op\":\"drain\",\"pool\":\"" P("0") "\"}",
		"{\"op\":\"patch\",\"pool\":\"" P("1") "\",\"patch\":{\"port\":31000}}",
		"{\"op\":\"delete\",\"pool\":\"" P("2") "\"}",
		"{\"op\":\"weight\",\"pool\":\"" P("1") "\",\"weight\":3}",
	};
	struct world *w = *state;

	start_with(w, 5);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t at = 0; at <= ARRAY_LEN(good); at++) {
			CLEANUP(buf_done) struct buf body = { 0 };

			buf_str(&body, "{\"atomic\":true,\"ops\":[");
			for (size_t n = 0; n <= ARRAY_LEN(good); n++)
				buf_printf(&body, "%s%s", n ? "," : "",
					   n == at ? bad[i].op : good[n - (n > at)]);
			buf_str(&body, "]}");
			refused_whole(w, BATCH, buf_cstr(&body), 409, "batch-refused", bad[i].says,
				      1);
			refused_whole(w, BATCH "?dryRun=all", buf_cstr(&body), 409, "batch-refused",
				      bad[i].says, 1);
		}
}

static void two_pools_change_their_ports_with_each_other(void **state)
{
	static const char swap[] =
		"{\"atomic\":true,\"ops\":["
		"{\"op\":\"patch\",\"pool\":\"" P("0") "\",\"patch\":{\"port\":"
						       "30001}},"
						       "{\"op\":\"patch\",\"pool\":\"" P(
							       "1") "\",\"patch\":{\"port\":"
								    "30000}}]}";
	CLEANUP(xfree_ptr) char *before = NULL;
	CLEANUP(xfree_ptr) char *after = NULL;
	struct world *w = *state;

	start_with(w, 2);
	before = whole_state(w);
	batch(w, BATCH "?dryRun=all", swap, 2, 0, 0, NULL);
	after = whole_state(w);
	assert_string_equal(before, after);
	batch(w, BATCH, swap, 2, 0, 0, NULL);
	/* Those that were there drain. */
	await_wanted(w, "-A -t 10.0.0.1:30000 -s wrr\n"
			"-a -t 10.0.0.1:30000 -r 10.1.0.7:80 -m -w 1\n"
			"-a -t 10.0.0.1:30000 -r 10.1.1.1:80 -m -w 0\n"
			"-a -t 10.0.0.1:30000 -r 10.1.1.2:80 -m -w 1\n"
			"-A -t 10.0.0.1:30001 -s wrr\n"
			"-a -t 10.0.0.1:30001 -r 10.1.0.7:80 -m -w 1\n"
			"-a -t 10.0.0.1:30001 -r 10.1.1.1:80 -m -w 1\n"
			"-a -t 10.0.0.1:30001 -r 10.1.1.2:80 -m -w 0\n");
}

/* Of a revision all that mean it mean what was there before. */
static void a_revision_means_what_was_there_before_the_batch(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	int64_t revision;
	char body[400];

	start_with(w, 1);
	core_ask(w, UNIX, "GET", POOLS "/" P("0") "/spec", "", NULL, &a);
	revision = number(a.root, "revision");
	core_answer_done(&a);
	for (int late = 1; late >= 0; late--) {
		snprintf(body, sizeof(body),
			 "{\"atomic\":true,\"ops\":[{\"op\":\"weight\",\"pool\":\"" P(
				 "0") "\",\"weight\":2},"
				      "{\"op\":\"patch\",\"pool\":\"" P(
					      "0") "\",\"revision\":%lld,\"patch\":"
						   "{\"settings\":{\"scheduler\":\"rr\"}}}]}",
			 (long long)revision - late);
		if (late)
			refused_whole(w, BATCH, body, 409, "batch-refused", "stale-revision", 1);
		else
			batch(w, BATCH, body, 2, 0, 0, NULL);
	}
}

static void apply_many(struct world *w, int first, int count)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct core_answer a;

	buf_str(&body, "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[");
	for (int i = first; i < first + count; i++)
		buf_printf(&body,
			   "%s{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":"
			   "\"m%d\"},\"spec\":{\"type\":\"ClusterIP\",\"ports\":[{\"name\":\"x\","
			   "\"port\":80}]}},{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\","
			   "\"metadata\":{\"name\":\"m%d\"},\"subsets\":[{\"addresses\":[{\"ip\":"
			   "\"10.2.0.1\"}],\"ports\":[{\"name\":\"x\",\"port\":80}]}]}",
			   i > first ? "," : "", i, i);
	buf_str(&body, "]}");
	core_ask(w, UNIX, "POST", "/api/v1/apply", JSON, buf_cstr(&body), &a);
	if (a.status != 200)
		fail_msg("%s", buf_cstr(&a.text));
	core_answer_done(&a);
}

static void as_many_as_one_write_takes_and_no_more(void **state)
{
	struct world *w = *state;

	start_with(w, 1);
	apply_many(w, 0, 250);
	apply_many(w, 250, 251);
	for (int count = 500; count <= 501; count++) {
		CLEANUP(buf_done) struct buf body = { 0 };

		buf_str(&body, "{\"atomic\":true,\"ops\":[");
		for (int i = 0; i < count; i++)
			buf_printf(&body, "%s{\"op\":\"drain\",\"pool\":\"default.m%d.x-tcp\"}",
				   i ? "," : "", i);
		buf_str(&body, "]}");
		if (count == 501)
			refused_whole(w, BATCH, buf_cstr(&body), 413, "too-large",
				      "ask several times, or without atomic", 0);
		else
			batch(w, BATCH, buf_cstr(&body), 500, 0, 0, NULL);
	}
}

/* --- random batches against a model ------------------------------------------------------------- */

#define MODEL_POOLS 4
#define ROUNDS	    40

struct model {
	bool there;
	int shared; /* the shared server's weight; -1: none of its own */
};

/* One op, and what it does to the model; false: it will be refused. */
static bool random_op(struct random *r, struct model *m, struct buf *out)
{
	uint32_t n = random_below(r, MODEL_POOLS);
	struct model *p = &m[n];

	switch (random_below(r, 8)) {
	case 0:
		buf_printf(out, "{\"op\":\"delete\",\"pool\":\"default.p%u.x-tcp\"}", n);
		if (!p->there)
			return false;
		p->there = false;
		return true;
	case 1:
		buf_printf(out,
			   "{\"op\":\"drain\",\"pool\":\"default.p%u.x-tcp\",\"member\":"
			   "\"10.9.9.9-80\"}",
			   n);
		return false;
	case 2:
	case 3:
		buf_printf(out,
			   "{\"op\":\"undrain\",\"pool\":\"default.p%u.x-tcp\",\"member\":"
			   "\"10.1.0.7-80\"}",
			   n);
		p->shared = p->there ? -1 : p->shared;
		return p->there;
	default:
		p->shared = p->there ? (int)random_below(r, 9) : p->shared;
		buf_printf(out,
			   "{\"op\":\"weight\",\"pool\":\"default.p%u.x-tcp\",\"member\":"
			   "\"10.1.0.7-80\",\"weight\":%d}",
			   n, p->there ? p->shared : 1);
		return p->there;
	}
}

static void model_is(struct world *w, const struct model *m)
{
	for (int i = 0; i < MODEL_POOLS; i++) {
		const struct doc *member;
		struct core_answer a;
		char target[64];

		snprintf(target, sizeof(target), POOLS "/default.p%d.x-tcp/spec", i);
		core_ask(w, UNIX, "GET", target, "", NULL, &a);
		assert_int_equal(a.status, m[i].there ? 200 : 404);
		member = m[i].there ? doc_get(a.root, "members")->first : NULL;
		if (member)
			assert_int_equal(number(member, "weight"), m[i].shared);
		core_answer_done(&a);
	}
}

static void whatever_is_asked_for_is_done_as_one_or_not_at_all(void **state)
{
	struct random r = random_new();
	struct model m[MODEL_POOLS];
	struct world *w = *state;
	int done = 0, refused = 0;

	start_with(w, MODEL_POOLS);
	for (int i = 0; i < MODEL_POOLS; i++)
		m[i] = (struct model){ true, -1 };
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t count = 1 + random_below(&r, 5);
		CLEANUP(buf_done) struct buf body = { 0 };
		struct model then[MODEL_POOLS];
		struct core_answer a;
		int wrong = 0;

		memcpy(then, m, sizeof(m));
		buf_str(&body, "{\"atomic\":true,\"ops\":[");
		for (uint32_t i = 0; i < count; i++) {
			buf_str(&body, i ? "," : "");
			wrong += !random_op(&r, then, &body);
		}
		buf_str(&body, "]}");
		if (wrong) {
			/* How many depends on how they join: that it is refused does not. */
			refused_whole(w, BATCH, buf_cstr(&body), 409, "batch-refused",
				      "nothing was changed", 0);
			refused++;
		} else {
			core_ask(w, UNIX, "POST", BATCH, JSON, buf_cstr(&body), &a);
			if (a.status != 200 || number(a.root, "refused"))
				fail_msg("%s: %s", buf_cstr(&body), buf_cstr(&a.text));
			core_answer_done(&a);
			memcpy(m, then, sizeof(m));
			done++;
		}
		model_is(w, m);
	}
	assert_true(done > 0 && refused > 0);
}

static void all_that_a_filter_finds_are_deleted(void **state)
{
	struct world *w = *state;

	start_with(w, 3);
	batch(w, BATCH,
	      "{\"filter\":\"q=member:" SHARED
	      "\",\"of\":\"members\",\"expectedCount\":3,\"op\":\"delete\"}",
	      3, 0, 0, NULL);
	pass(w, 500);
	batch(w, BATCH, DRAIN("3"), 0, 0, 0, NULL); /* they only drain, and are of no pool */
	batch(w, BATCH,
	      "{\"filter\":\"q=default.p\",\"of\":\"pools\",\"expectedCount\":3,\"op\":"
	      "\"delete\"}",
	      3, 0, 0, NULL);
	pass(w, 500);
	batch(w, BATCH, "{\"filter\":\"\",\"of\":\"pools\",\"expectedCount\":0,\"op\":\"delete\"}",
	      0, 0, 0, NULL);
}

static void what_is_not_understood_changes_nothing(void **state)
{
	static const char *const bodies[] = {
		"[]",
		"{}",
		"{\"ops\":[]}",
		"{\"ops\":[{\"op\":\"destroy\",\"pool\":\"default.p0.x-tcp\"}]}",
		"{\"ops\":[{\"op\":\"delete\",\"pool\":\"default.p0.x-tcp\"},{\"op\":\"delete\"}]}",
		"{\"ops\":[{\"op\":\"delete\",\"pool\":\"default.p0.x-tcp\",\"force\":true}]}",
		"{\"ops\":[{\"op\":\"weight\",\"pool\":\"p\",\"member\":\"m\",\"weight\":65536}]}",
		"{\"ops\":[{\"op\":\"delete\",\"pool\":\"default.p0.x-tcp\",\"revision\":\"x\"}]}",
		"{\"filter\":\"q=p\",\"of\":\"pools\",\"op\":\"delete\"}",
		"{\"filter\":\"hue=1\",\"of\":\"pools\",\"expectedCount\":1,\"op\":\"delete\"}",
		"{\"filter\":\"limit=1\",\"of\":\"pools\",\"expectedCount\":1,\"op\":\"delete\"}",
		"{\"filter\":\"q=p\",\"of\":\"servers\",\"expectedCount\":1,\"op\":\"delete\"}",
		"{\"filter\":\"q=p\",\"of\":\"members\",\"expectedCount\":2,\"op\":\"patch\"}",
		"{\"filter\":\"q=p\",\"of\":\"pools\",\"expectedCount\":1,\"op\":\"patch\"}",
		"{\"atomic\":1,\"ops\":[{\"op\":\"delete\",\"pool\":\"default.p0.x-tcp\"}]}",
		"{\"atomic\":true}",
	};
	struct world *w = *state;
	char *before, *after;

	start_with(w, 1);
	before = everything(w);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		core_want(w, 422, "validation", UNIX, "POST", BATCH, JSON, bodies[i]);
	core_want(w, 400, "bad-request", UNIX, "POST", BATCH, JSON "If-Match: *\r\n", DRAIN("1"));
	core_want(w, 400, "bad-parameter", UNIX, "POST", BATCH "?limit=1", JSON, DRAIN("1"));
	core_want(w, 405, "method-not-allowed", UNIX, "GET", BATCH, "", NULL);
	core_want(w, 415, "unsupported-type", UNIX, "POST", BATCH, "", DRAIN("1"));
	core_want(w, 401, "token-needed", TCP, "POST", BATCH, JSON, DRAIN("1"));
	after = everything(w);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* One more than may be; whoever waits meanwhile is answered. */
static void there_is_an_end_to_what_is_asked_at_a_time(void **state)
{
	struct world *w = *state;
	struct buf body = { 0 };

	start_with(w, 1);
	buf_str(&body, "{\"ops\":[");
	for (int i = 0; i <= BATCH_MAX; i++)
		buf_printf(&body, "%s{\"op\":\"delete\",\"pool\":\"default.n%d.x-tcp\"}",
			   i ? "," : "", i);
	buf_str(&body, "]}");
	core_want(w, 422, "validation", UNIX, "POST", BATCH, JSON, buf_cstr(&body));
	buf_done(&body);
}

static int up_on_a_disk_that_can_fail(void **state)
{
	static bool registered;

	if (!registered) {
		fault_vfs_register();
		sqlite3_vfs_register(sqlite3_vfs_find("fault"), 1);
		registered = true;
	}
	return core_world_up_store(state);
}

static void a_disk_that_fails_is_no_fault_of_what_was_asked(void **state)
{
	static const char body[] = "{\"atomic\":true,\"ops\":["
				   "{\"op\":\"drain\",\"pool\":\"" P(
					   "0") "\"},"
						"{\"op\":\"drain\",\"pool\":\"" P("1") "\"}]}";
	struct world *w = *state;
	struct core_answer a;

	start_with(w, 2);
	fault_vfs_set(FAULT_FULL, 0);
	core_ask(w, UNIX, "POST", BATCH, JSON, body, &a);
	fault_vfs_set(FAULT_NONE, 0);
	assert_int_equal(a.status, 503);
	assert_string_equal(core_field(&a, "code"), "store-trouble");
	core_answer_done(&a);
	batch(w, BATCH, body, 2, 0, 0, NULL);
}

static void the_end_of_core_leaves_no_batch_waiting(void **state)
{
	struct world *w = *state;
	char piece[4096];
	int fd;

	start_with(w, 5);
	fd = core_dial(w, UNIX);
	{
		char text[512];
		int n = snprintf(text, sizeof(text),
				 "POST " BATCH " HTTP/1.1\r\nHost: x\r\n" JSON
				 "Content-Length: %zu\r\n\r\n%s",
				 strlen(DRAIN("5")), DRAIN("5"));

		core_say(fd, text, (size_t)n);
	}
	for (int i = 0; i < 20; i++)
		turn(w);
	stop_core(w);
	while (recv(fd, piece, sizeof(piece), 0) > 0)
		;
	close(fd);
	start_all(w, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up_store, core_world_down)
		T(a_server_is_drained_in_every_pool_and_back),
		T(what_is_not_as_many_as_expected_is_left_alone),
		T(pools_that_are_named_are_changed_each_as_it_is_meant),
		T(a_pool_is_drained_as_a_whole_and_its_members_in_turn),
		T(an_atomic_batch_is_one_operation_of_the_store),
		T(one_that_is_refused_leaves_all_as_it_was),
		T(two_pools_change_their_ports_with_each_other),
		T(a_revision_means_what_was_there_before_the_batch),
		T(as_many_as_one_write_takes_and_no_more),
		T(whatever_is_asked_for_is_done_as_one_or_not_at_all),
		T(all_that_a_filter_finds_are_deleted),
		T(what_is_not_understood_changes_nothing),
		T(there_is_an_end_to_what_is_asked_at_a_time),
		T(the_end_of_core_leaves_no_batch_waiting),
		cmocka_unit_test_setup_teardown(a_disk_that_fails_is_no_fault_of_what_was_asked,
						up_on_a_disk_that_can_fail, core_world_down),
	};

	return cmocka_run_group_tests_name("core's batches", tests, NULL, NULL);
}
