/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edit_pool_past.c: what a pool was, who made it so, and back to it, over the
 * real store (tests/lib/edit_world.h).
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/schema.h"
#include "agent/base/xalloc.h"
#include "tests/lib/edit_world.h"

#define ID	 "shop.web.http-tcp"
#define POOL	 "/api/v1/pools/" ID
#define ROLLBACK POOL ":rollback"
#define PAST	 POOL "/revisions"
#define WEB                                                                              \
	"{\"name\":\"web\",\"namespace\":\"shop\",\"portName\":\"http\",\"port\":30001," \
	"\"members\":[{\"address\":\"10.1.0.1\",\"port\":80}]}"

/* "5 drain, 4 patch, 2 create": the revisions, the newest first; "(removed)" behind some. */
static void past_is(struct edit_world *w, const char *target, const char *want_text)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct edit_answer a;

	want(w, 200, "GET", target, NULL, NULL, &a);
	for (const struct doc *i = doc_get(a.root, "items")->first; i; i = i->next)
		buf_printf(&b, "%s%s %s%s", b.len ? ", " : "", field(i, "revision"),
			   field(i, "action"),
			   strcmp(field(i, "removed"), "true") == 0 ? " (removed)" : "");
	assert_string_equal(buf_cstr(&b), want_text);
	answer_done(&a);
}

static const char *to(uint64_t revision, char out[static 64])
{
	snprintf(out, 64, "{\"toRevision\":%" PRIu64 "}", revision);
	return out;
}

#define STEPS 5

/* A pool in five states, each with its revision and what it came to. */
static const char *const states[STEPS] = {
	"10.0.0.1:30001 10.1.0.1:80*1",
	"10.0.0.1:30001 10.1.0.1:80*1 10.1.0.2:80*7",
	"10.0.0.1:30001 10.1.0.1:80*0 10.1.0.2:80*7",
	"10.0.0.1:30002 10.1.0.1:80*0 10.1.0.2:80*7",
	"10.0.0.1:30002 10.1.0.2:80*7",
};

static void live(struct edit_world *w)
{
	want(w, 201, "POST", "/api/v1/pools", NULL, WEB, NULL);
	edit(w, 201, "POST", POOL "/members?reason=more%20room",
	     "{\"address\":\"10.1.0.2\",\"port\":80,\"weight\":7}", NULL);
	edit(w, 200, "PATCH", POOL "/members/10.1.0.1-80", "{\"drain\":true}", NULL);
	edit(w, 200, "PATCH", POOL, "{\"port\":30002}", NULL);
	edit(w, 200, "DELETE", POOL "/members/10.1.0.1-80", NULL, NULL);
	pool_is(w, ID, states[STEPS - 1]);
}

static const uint64_t revisions[STEPS] = { 2, 3, 4, 5, 6 };

static void what_was_done_to_a_pool_is_told_step_by_step(void **state)
{
	struct edit_world *w = *state;
	const struct doc *first;
	struct edit_answer a;

	live(w);
	past_is(w, PAST, "6 delete-member, 5 patch, 4 drain, 3 add-member, 2 create");
	past_is(w, PAST "?limit=2", "6 delete-member, 5 patch");
	want(w, 200, "GET", PAST, NULL, NULL, &a);
	first = doc_get(a.root, "items")->first->next->next->next;
	assert_string_equal(field(first, "reason"), "more room");
	assert_memory_equal(field(first, "user"), "unix:", 5);
	assert_memory_equal(field(first, "at"), "20", 2);
	/* The making was of two documents, and is one step. */
	assert_int_equal(doc_get(first->next, "documents")->count, 2);
	answer_done(&a);
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	past_is(w, PAST "?limit=2", "8 delete (removed), 6 delete-member");
	refused(w, 404, "pool-not-found", "shop.web.x-tcp", "GET",
		"/api/v1/pools/shop.web.x-tcp/revisions", NULL, NULL);
	refused(w, 404, "pool-not-found", "x", "GET", "/api/v1/pools/x/revisions", NULL, NULL);
	refused(w, 404, "pool-not-found", "a.b.c-tcp", "GET", "/api/v1/pools/a.b.c-tcp/revisions",
		NULL, NULL);
}

/* From wherever it is to each of them, and each time as a new revision. */
static void a_pool_goes_back_to_each_of_its_revisions(void **state)
{
	struct edit_world *w = *state;
	char body[64];

	live(w);
	for (size_t from = 0; from < 2; from++)
		for (size_t i = 0; i < STEPS; i++) {
			edit(w, 200, "POST", ROLLBACK "?dryRun=all", to(revisions[i], body), NULL);
			edit(w, 200, "POST", ROLLBACK, to(revisions[i], body), NULL);
			pool_is(w, ID, states[i]);
			assert_int_equal(store_world_status(&w->store).objects, 2);
		}
}

/* The Endpoints were written first, of one request: that state never was. */
static void in_the_midst_of_a_step_is_its_end(void **state)
{
	struct edit_world *w = *state;
	char body[64];

	live(w);
	edit(w, 200, "POST", ROLLBACK, to(1, body), NULL);
	pool_is(w, ID, states[0]);
}

static void a_pool_that_is_gone_comes_back(void **state)
{
	struct edit_world *w = *state;
	struct edit_answer a;
	char body[64];

	live(w);
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	pool_is(w, ID, "none");
	want(w, 200, "POST", ROLLBACK "?dryRun=all", NULL, to(4, body), NULL);
	/* Who means a revision does not know that it was deleted. */
	refused(w, 412, "stale-revision", "nothing of the pool", "POST", ROLLBACK, "\"r6\"",
		to(4, body));
	pool_is(w, ID, "none");
	want(w, 201, "POST", ROLLBACK, NULL, "{\"toRevision\":4,\"reason\":\"it was needed\"}", &a);
	assert_string_equal(buf_cstr(&a.reply.location), POOL);
	assert_string_equal(field(a.root, "pool"), ID);
	answer_done(&a);
	pool_is(w, ID, states[2]);
	want(w, 200, "GET", PAST "?limit=1", NULL, NULL, &a);
	assert_string_equal(field(doc_get(a.root, "items")->first, "reason"), "it was needed");
	answer_done(&a);
}

static void going_back_says_which_revision_it_means(void **state)
{
	struct edit_world *w = *state;
	struct edit_answer a;
	char body[64];

	live(w);
	refused(w, 428, "precondition-required", "", "POST", ROLLBACK, NULL, to(3, body));
	want(w, 412, "POST", ROLLBACK, "\"r5\"", to(3, body), &a);
	assert_string_equal(field(doc_get(a.root, "current"), "revision"), "6");
	assert_string_equal(field(doc_get(a.root, "current"), "action"), "delete-member");
	assert_true(doc_get(doc_get(a.root, "current"), "diff")->count > 0);
	answer_done(&a);
	refused(w, 422, "validation", "toRevision", "POST", ROLLBACK, "*", "{}");
	refused(w, 422, "validation", "unknown", "POST", ROLLBACK, "*", "{\"to\":1}");
	refused(w, 404, "revision-not-found", "", "POST", ROLLBACK, "*", to(99, body));
	want(w, 200, "POST", ROLLBACK, "*", to(3, body), NULL);
	pool_is(w, ID, states[1]);
}

static void what_cannot_be_any_more_says_why(void **state)
{
	struct edit_world *w = *state;
	char body[64];

	live(w);
	/* Its frontend is another one's by now. */
	want(w, 201, "POST", "/api/v1/pools", NULL, "{\"name\":\"heir\",\"port\":30001}", NULL);
	refused(w, 409, "vip-port-in-use", "\"name\":\"heir\"", "POST", ROLLBACK, "*", to(3, body));
	/* The address pool was made smaller. */
	want(w, 200, "DELETE", "/api/v1/pools/default.heir.30001-tcp", "*", NULL, NULL);
	w->address_pools[0].ports.first = 30002;
	refused(w, 422, "validation", "/spec/ports/0/nodePort", "POST", ROLLBACK, "*", to(3, body));
	/* A member is an address of the pool's own now. */
	w->address_pools[0].ports.first = 30000;
	edit(w, 200, "POST", ROLLBACK, to(6, body), NULL);
	assert_int_equal(addr_range_parse("10.1.0.1", &w->other_vip), 0);
	refused(w, 422, "validation", "it is one of the address pool more", "POST", ROLLBACK, "*",
		to(2, body));
	pool_is(w, ID, states[4]);
	/* A revision that is its removal is none to go back to. */
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	refused(w, 404, "revision-not-found", "there was no such pool", "POST", ROLLBACK, NULL,
		to(store_world_status(&w->store).revision, body));
}

/* The Service is as it was made; what the Endpoints were then nobody knows any more. */
static void what_is_not_kept_any_more_is_not_guessed(void **state)
{
	struct edit_world *w = *state;
	char body[64];

	w->store.options.revisions_max = w->store.options.operations_max = 2;
	store_world_reopen(&w->store);
	want(w, 201, "POST", "/api/v1/pools", NULL, WEB, NULL);
	for (int i = 0; i < 4; i++)
		edit(w, 200, "PATCH", POOL "/members/10.1.0.1-80",
		     i % 2 ? "{\"drain\":false}" : "{\"drain\":true}", NULL);
	refused(w, 404, "revision-not-found", "what Endpoints web was then is not kept any more",
		"POST", ROLLBACK, "*", to(2, body));
	edit(w, 200, "POST", ROLLBACK, to(5, body), NULL);
	pool_is(w, ID, "10.0.0.1:30001 10.1.0.1:80*0");
}

#define SLICE(address)                                                                      \
	"{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{" \
	"\"name\":\"web-a\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},"          \
	"\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"http\",\"port\":80}],"             \
	"\"endpoints\":[{\"addresses\":[\"" address "\"]}]}"

/* That of a Service whose name goes on is none of it. */
static void slices_go_and_come_back_with_their_pool(void **state)
{
	struct edit_world *w = *state;
	uint64_t good, other;
	char body[64];

	want(w, 201, "POST", "/api/v1/pools", NULL, WEB, NULL);
	put(w, "endpointslices/web-a", SLICE("10.1.0.8"));
	good = store_world_status(&w->store).revision;
	put(w, "endpointslices/web-b",
	    "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{"
	    "\"name\":\"web-b\",\"labels\":{\"kubernetes.io/service-name\":\"web-b\"}},"
	    "\"addressType\":\"IPv4\",\"endpoints\":[]}");
	other = store_world_status(&w->store).revision;
	pool_is(w, ID, "10.0.0.1:30001 10.1.0.8:80*1");
	/* To before it was there: it goes. */
	edit(w, 200, "POST", ROLLBACK, to(2, body), NULL);
	pool_is(w, ID, "10.0.0.1:30001 10.1.0.1:80*1");
	edit(w, 200, "POST", ROLLBACK, to(good, body), NULL);
	pool_is(w, ID, "10.0.0.1:30001 10.1.0.8:80*1");
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	assert_int_equal(store_world_status(&w->store).objects, 1);
	refused(w, 404, "revision-not-found", "", "POST", ROLLBACK, NULL, to(other, body));
	want(w, 201, "POST", ROLLBACK, NULL, to(good, body), NULL);
	pool_is(w, ID, "10.0.0.1:30001 10.1.0.8:80*1");
	assert_int_equal(store_world_status(&w->store).objects, 4);
}

/* Its name was given to another Service's in the meantime: that is left alone. */
static void a_slice_that_is_anothers_by_now_stays(void **state)
{
	struct edit_world *w = *state;
	uint64_t with, without;
	char body[64];

	want(w, 201, "POST", "/api/v1/pools", NULL, WEB, NULL);
	without = store_world_status(&w->store).revision;
	put(w, "endpointslices/web-a", SLICE("10.1.0.8"));
	with = store_world_status(&w->store).revision;
	want(w, 200, "PUT", "/api/v1/namespaces/shop/endpointslices/web-a", "*",
	     "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{"
	     "\"name\":\"web-a\",\"labels\":{\"kubernetes.io/service-name\":\"other\"}},"
	     "\"addressType\":\"IPv4\",\"endpoints\":[]}",
	     NULL);
	edit(w, 200, "PATCH", POOL, "{\"port\":30002}", NULL);
	refused(w, 422, "validation", "is another Service's by now", "POST", ROLLBACK, "*",
		to(with, body));
	edit(w, 200, "POST", ROLLBACK, to(without, body), NULL);
	assert_non_null(strstr(store_world_text(&w->store, STORE_SLICE, "web-a"), "other"));
	pool_is(w, ID, states[0]);
}

/* Another program may have written one between the question and the answer. */
static void what_is_written_meanwhile_is_not_overwritten(void **state)
{
	struct edit_world *w = *state;
	struct rest_request back = request_of("POST", ROLLBACK, "\"r6\"", "{\"toRevision\":2}");
	struct rest_request patch = request_of("PATCH", POOL, "\"r6\"", "{\"port\":30000}");
	struct edit_answer a = { 0 }, b = { 0 };

	live(w);
	edit_world_begin(w, &back, &a);
	edit_world_begin(w, &patch, &b);
	edit_world_wait(w, &a);
	edit_world_wait(w, &b);
	assert_int_equal(b.reply.status, 200);
	assert_int_equal(a.reply.status, 412);
	answer_done(&a);
	answer_done(&b);
	pool_is(w, ID, "10.0.0.1:30000 10.1.0.2:80*7");
}

static void total_is(struct edit_world *w, const char *target, const char *total)
{
	struct edit_answer a;

	want(w, 200, "GET", target, NULL, NULL, &a);
	assert_string_equal(field(a.root, "total"), total);
	answer_done(&a);
}

static void operations_are_those_of_the_pools_documents(void **state)
{
	struct edit_world *w = *state;

	live(w);
	want(w, 201, "POST", "/api/v1/pools", NULL, "{\"name\":\"heir\",\"namespace\":\"shop\"}",
	     NULL);
	total_is(w, "/api/v1/operations?pool=" ID, "6");
	total_is(w, "/api/v1/operations?pool=" ID "&action=drain", "1");
	total_is(w, "/api/v1/operations?pool=" ID "&kind=services", "2");
	total_is(w, "/api/v1/operations?pool=a.b.c-tcp", "0");
	put(w, "endpointslices/web-a", SLICE("10.1.0.8"));
	total_is(w, "/api/v1/operations?pool=" ID, "7");
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	total_is(w, "/api/v1/operations?pool=" ID, "10");
	refused(w, 400, "bad-parameter", "'pool'", "GET", "/api/v1/operations?pool=x", NULL, NULL);
	refused(w, 400, "bad-parameter", "'pool'", "GET", "/api/v1/operations?pool=" ID "&name=web",
		NULL, NULL);
}

static void a_port_that_is_gone_does_not_come_back_over_another_pools_edits(void **state)
{
	struct edit_world *w = *state;
	uint64_t good;
	char body[64];

	put(w, "services/web",
	    "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"},"
	    "\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"name\":\"http\",\"port\":80,"
	    "\"nodePort\":30001},{\"name\":\"https\",\"port\":443,\"nodePort\":30002}]}}");
	put(w, "endpoints/web",
	    "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"},"
	    "\"subsets\":[{\"ports\":[{\"name\":\"http\",\"port\":80},"
	    "{\"name\":\"https\",\"port\":443}],\"addresses\":[{\"ip\":\"10.1.0.1\"}]}]}");
	good = store_world_status(&w->store).revision;
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	edit(w, 201, "POST", "/api/v1/pools/shop.web.https-tcp/members",
	     "{\"address\":\"10.1.0.7\",\"port\":443}", NULL);
	want(w, 428, "POST", ROLLBACK, NULL, to(good, body), NULL);
	pool_is(w, "shop.web.https-tcp", "10.0.0.1:30002 10.1.0.1:443*1 10.1.0.7:443*1");
	want(w, 201, "POST", ROLLBACK, "*", to(good, body), NULL);
	pool_is(w, ID, "10.0.0.1:30001 10.1.0.1:80*1");
}

static void slices_that_cannot_all_be_found_are_not_guessed(void **state)
{
	struct edit_world *w = *state;
	uint64_t good;
	char body[64], name[32], path[64], text[300];

	want(w, 201, "POST", "/api/v1/pools", NULL, WEB, NULL);
	put(w, "endpointslices/web-a", SLICE("10.1.0.8"));
	good = store_world_status(&w->store).revision;
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	for (int i = 0; i < 65; i++) {
		snprintf(name, sizeof(name), "web-api-%d", i);
		snprintf(path, sizeof(path), "endpointslices/%s", name);
		snprintf(text, sizeof(text),
			 "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\","
			 "\"metadata\":{\"name\":\"%s\",\"labels\":"
			 "{\"kubernetes.io/service-name\":\"web-api\"}},"
			 "\"addressType\":\"IPv4\",\"endpoints\":[]}",
			 name);
		put(w, path, text);
		store_world_remove(&w->store, STORE_SLICE, name);
	}
	want(w, 404, "POST", ROLLBACK, NULL, to(good, body), NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, edit_world_up, edit_world_down)
	const struct CMUnitTest tests[] = {
		T(what_was_done_to_a_pool_is_told_step_by_step),
		T(a_pool_goes_back_to_each_of_its_revisions),
		T(in_the_midst_of_a_step_is_its_end),
		T(a_pool_that_is_gone_comes_back),
		T(going_back_says_which_revision_it_means),
		T(what_cannot_be_any_more_says_why),
		T(what_is_not_kept_any_more_is_not_guessed),
		T(a_port_that_is_gone_does_not_come_back_over_another_pools_edits),
		T(slices_that_cannot_all_be_found_are_not_guessed),
		T(slices_go_and_come_back_with_their_pool),
		T(a_slice_that_is_anothers_by_now_stays),
		T(what_is_written_meanwhile_is_not_overwritten),
		T(operations_are_those_of_the_pools_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
