/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools of a cluster over REST: read from an API server and written to it by
 * the token of who asks, with what can go wrong there. After each answer that
 * is not 2xx (but for one that says it was half written), and each of a dry run,
 * all documents are what they were.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/edit.h"
#include "agent/api/edit_stage.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"
#include "tests/lib/edit_world.h"
#include "tests/lib/fake_cluster.h"

#define SERVICE	  "/api/v1/namespaces/shop/services/web"
#define ENDPOINTS "/api/v1/namespaces/shop/endpoints/web"
#define SLICES	  "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
#define KEPT	  "/apis/apps/v1/namespaces/shop/controllerrevisions"
#define POOL	  "/api/v1/pools/shop.web.http-tcp"

#define SERVICE_TEXT                                                                        \
	"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"web\","       \
	"\"namespace\":\"shop\",\"finalizers\":[\"x/y\"]},\"spec\":{\"type\":\"NodePort\"," \
	"\"clusterIP\":\"10.96.0.9\",\"ports\":[{\"name\":\"http\",\"port\":80,"            \
	"\"protocol\":\"TCP\",\"nodePort\":30001}]},\"status\":{\"loadBalancer\":{}}}"
#define ENDPOINTS_TEXT                                                                  \
	"{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\",\"metadata\":{\"name\":\"web\"," \
	"\"namespace\":\"shop\"},\"subsets\":[{\"addresses\":[{\"ip\":\"10.1.0.1\"},"   \
	"{\"ip\":\"10.1.0.2\"}],\"ports\":[{\"name\":\"http\",\"port\":8080}]}]}"

struct world {
	struct loop *loop;
	struct edits *edits;
	struct fake_cluster server;
	struct edit_source sources[2];
	size_t source_count;
	struct addr_range vip;
	struct address_pool address_pool;
	struct pool_rules rules;
	mono_t now;
	const char *token; /* "Bearer TOKEN-alice" */
};

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	assert_int_equal(loop_new(&clock_system, &w->loop), 0);
	fake_cluster_init(&w->server, w->loop);
	w->edits = edits_new();
	w->sources[0] = (struct edit_source){ "kubernetes", "east", &w->server.ops };
	w->sources[1] = (struct edit_source){ "kubernetes", "west", &w->server.ops };
	w->source_count = 1;
	assert_int_equal(addr_range_parse("10.0.0.1", &w->vip), 0);
	w->address_pool = (struct address_pool){ .name = (char *)(uintptr_t) "main",
						 .addresses = &w->vip,
						 .address_count = 1,
						 .ports = { 30000, 30009 } };
	w->rules = (struct pool_rules){ .address_pools = &w->address_pool,
					.address_pool_count = 1,
					.defaults = { .scheduler = "wrr",
						      .masquerade = true,
						      .drain_s = 300,
						      .weight = 1,
						      .check = check_new(CHECK_TCP) } };
	w->now = (mono_t){ 1000000000 };
	w->token = "Bearer TOKEN-alice";
	fake_cluster_put(&w->server, "kubectl", SERVICE, SERVICE_TEXT);
	fake_cluster_put(&w->server, "kubectl", ENDPOINTS, ENDPOINTS_TEXT);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	edits_free(w->edits);
	fake_cluster_done(&w->server);
	check_unref(w->rules.defaults.check);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void on_answer(void *arg, struct rest_reply *reply)
{
	struct edit_answer *a = arg;

	a->called = true;
	a->reply = *reply;
}

static struct edit_place place_of(struct world *w)
{
	return (struct edit_place){ .edits = w->edits,
				    .rules = &w->rules,
				    .sources = w->sources,
				    .source_count = w->source_count,
				    .store_source = 9,
				    .now = w->now,
				    .now_ms = INT64_C(1795860000000) + w->server.seconds * 1000 };
}

static void ask(struct world *w, const char *method, const char *target, const char *match,
		const char *body, struct edit_answer *out)
{
	struct rest_request r = request_of(method, target, match, body);
	const struct edit_place place = place_of(w);
	struct rest_reply early;
	struct err err;

	*out = (struct edit_answer){ 0 };
	r.may_write = false;
	r.over_tcp = true;
	r.host = "localhost";
	r.has_cluster = true;
	r.authorization = w->token;
	r.bearer.claim = w->token ? BEARER_UNKNOWN : BEARER_NONE;
	switch (edit_admit(&r, &early)) {
	case EDIT_REFUSED:
		on_answer(out, &early);
		break;
	case EDIT_ADMITTED:
		edit_begin(&place, &r, on_answer, out);
		break;
	case EDIT_NOT_OURS:
		fail_msg("%s", target);
	}
	while (!out->called)
		assert_int_equal(loop_turn(w->loop, 10), 0);
	if (out->reply.body.len > 1 && doc_read_json(out->reply.body.data, out->reply.body.len,
						     &DOC_LIMITS_DEFAULT, &out->set, &err) == 0)
		out->root = out->set.roots[0];
}

/* The same, and its status. Other people's writes of meanwhile are not looked at: `alone`. */
static void expect(struct world *w, unsigned status, bool alone, const char *method,
		   const char *target, const char *match, const char *body, struct edit_answer *out)
{
	CLEANUP(xfree_ptr) char *before = fake_cluster_everything(&w->server);
	CLEANUP(xfree_ptr) char *after = NULL;
	struct edit_answer a;

	ask(w, method, target, match, body, &a);
	if (a.reply.status != status)
		fail_msg("%s %s: %u instead of %u\n%s", method, target, a.reply.status, status,
			 buf_cstr(&a.reply.body));
	after = fake_cluster_everything(&w->server);
	if (alone && (status >= 300 || strstr(target, "dryRun=all") || strcmp(method, "GET") == 0))
		assert_string_equal(before, after);
	if (out)
		*out = a;
	else
		answer_done(&a);
}

static void good(struct world *w, const char *method, const char *target, const char *match,
		 const char *body)
{
	expect(w, 200, true, method, target, match, body, NULL);
}

static void bad(struct world *w, unsigned status, const char *code, const char *says,
		const char *method, const char *target, const char *match, const char *body)
{
	struct edit_answer a;

	expect(w, status, true, method, target, match, body, &a);
	assert_string_equal(field(a.root, "code"), code);
	if (!strstr(buf_cstr(&a.reply.body), says))
		fail_msg("'%s' is not in %s", says, buf_cstr(&a.reply.body));
	answer_done(&a);
}

static const char *tag(struct world *w, char out[static 32])
{
	struct edit_answer a;

	expect(w, 200, true, "GET", POOL "/spec", NULL, NULL, &a);
	snprintf(out, 32, "%s", a.reply.etag);
	answer_done(&a);
	return out;
}

static void has(const struct world *w, const char *path, const char *text)
{
	const char *d = fake_cluster_get(&w->server, path);

	if (!d || !strstr(d, text))
		fail_msg("'%s' is not in %s: %s", text, path, d ? d : "(none)");
}

static void has_not(const struct world *w, const char *path, const char *text)
{
	const char *d = fake_cluster_get(&w->server, path);

	if (!d || strstr(d, text))
		fail_msg("'%s' is in %s: %s", text, path, d ? d : "(none)");
}

/* --- one person ---------------------------------------------------------------------------------- */

static void a_change_is_written_in_the_name_of_who_asks(void **state)
{
	struct world *w = *state;
	struct edit_answer a;
	char was[32];

	tag(w, was);
	assert_string_equal(was, "\"r102\"");
	expect(w, 200, true, "PATCH", POOL "?reason=night%20work", was,
	       "{\"settings\":{\"scheduler\":\"wlc\"}}", &a);
	has(w, ENDPOINTS, "\"parasaus.io/scheduler\":\"wlc\"");
	has(w, ENDPOINTS, "\"parasaus.io/last-operator\":\"kube:alice\"");
	has(w, ENDPOINTS, "\"parasaus.io/last-operation\":\"patch\"");
	has(w, ENDPOINTS, "\"parasaus.io/last-operation-time\":\"2026-11-28T10:");
	has(w, ENDPOINTS, "\"parasaus.io/change-reason\":\"night work\"");
	has_not(w, SERVICE, "last-operator");
	assert_string_equal(w->server.last_token, "TOKEN-alice");
	/* What is shown and compared is without what nobody edits. */
	assert_null(strstr(buf_cstr(&a.reply.body), "last-operator"));
	assert_null(strstr(buf_cstr(&a.reply.body), "managedFields"));
	assert_null(strstr(buf_cstr(&a.reply.body), "uid-"));
	answer_done(&a);
	expect(w, 200, true, "GET", POOL "/spec", NULL, NULL, &a);
	assert_string_equal(field(doc_get(a.root, "settings"), "scheduler"), "wlc");
	assert_int_equal(doc_get(a.root, "settings")->count, 1);
	answer_done(&a);
}

static void what_people_do_not_edit_stays(void **state)
{
	struct world *w = *state;
	char t[32];

	good(w, "PATCH", POOL, tag(w, t), "{\"port\":30002}");
	has(w, SERVICE, "\"nodePort\":30002");
	has(w, SERVICE, "\"finalizers\":[\"x/y\"]");
	has(w, SERVICE, "\"uid\":\"uid-101\"");
	has(w, SERVICE, "\"clusterIP\":\"10.96.0.9\"");
	has_not(w, ENDPOINTS, "last-operator");
}

static void nothing_changed_is_nothing_written(void **state)
{
	struct world *w = *state;
	CLEANUP(xfree_ptr) char *before = fake_cluster_everything(&w->server), *after = NULL;
	char t[32];

	good(w, "PATCH", POOL, tag(w, t), "{\"port\":30001}");
	after = fake_cluster_everything(&w->server);
	assert_string_equal(before, after);
	assert_int_equal(w->server.reviews, 0);
}

static void a_dry_run_is_asked_of_the_api_server(void **state)
{
	struct world *w = *state;
	char t[32];

	tag(w, t);
	good(w, "PATCH", POOL "?dryRun=all", t, "{\"port\":30002}");
	assert_int_equal(w->server.rehearsed, 1);
	assert_int_equal(w->server.written, 0);
}

static void a_name_is_asked_for_once_a_minute(void **state)
{
	struct world *w = *state;
	char t[32];

	good(w, "PATCH", POOL, tag(w, t), "{\"port\":30002}");
	good(w, "PATCH", POOL, tag(w, t), "{\"port\":30003}");
	assert_int_equal(w->server.reviews, 1);
	w->token = "bearer  TOKEN-bob";
	good(w, "PATCH", POOL, tag(w, t), "{\"port\":30001}");
	has(w, SERVICE, "kube:bob");
	assert_int_equal(w->server.reviews, 2);
	w->now = mono_add_ms(w->now, 61000);
	good(w, "PATCH", POOL, tag(w, t), "{\"port\":30002}");
	assert_int_equal(w->server.reviews, 3);
}

static void members_come_drain_and_go(void **state)
{
	struct world *w = *state;
	struct edit_answer a;
	char t[32];

	expect(w, 201, true, "POST", POOL "/members", tag(w, t),
	       "{\"address\":\"10.1.0.3\",\"port\":8080,\"weight\":5}", &a);
	answer_done(&a);
	has(w, ENDPOINTS, "10.1.0.3:8080=5");
	good(w, "PATCH", POOL "/members/10.1.0.1-8080", tag(w, t), "{\"drain\":true}");
	has(w, ENDPOINTS, "10.1.0.1:8080=0");
	has(w, ENDPOINTS, "\"parasaus.io/last-operation\":\"drain\"");
	good(w, "DELETE", POOL "/members/10.1.0.3-8080", tag(w, t), NULL);
	has_not(w, ENDPOINTS, "10.1.0.3");
}

/* --- who may not ------------------------------------------------------------------------------------- */

static void without_a_token_of_the_cluster_nothing_is_told(void **state)
{
	struct world *w = *state;

	w->token = NULL;
	bad(w, 401, "cluster-token-needed", "kubectl create token", "GET", POOL "/spec", NULL,
	    NULL);
	bad(w, 401, "token-needed", "", "PATCH", POOL, "*", "{\"port\":30002}");
	w->token = "Bearer pst_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	bad(w, 401, "bad-token", "", "PATCH", POOL, "*", "{\"port\":30002}");
	assert_int_equal(w->server.asked, 0);
	w->token = "Bearer stranger";
	bad(w, 401, "cluster-unauthorized", "Unauthorized", "GET", POOL "/spec", NULL, NULL);
}

static int forbid_updates(struct fake_cluster *f, const char *method, const char *path,
			  const char **body)
{
	(void)f;
	if (strcmp(method, "PUT") == 0 && strstr(path, "/services/"))
		*body = "{\"kind\":\"Status\",\"message\":\"User \\\"bob\\\" cannot update\"}";
	return 403;
}

static void a_missing_right_is_named(void **state)
{
	struct world *w = *state;
	struct edit_answer a;
	char t[32];

	tag(w, t);
	w->server.refuse = forbid_updates;
	/* What was before is kept first, and stays: it is no change of the pool. */
	expect(w, 403, false, "PATCH", POOL, t, "{\"port\":30002}", &a);
	assert_string_equal(field(a.root, "code"), "cluster-forbidden");
	assert_string_equal(field(a.root, "right"), "update services in namespace shop");
	assert_non_null(strstr(field(a.root, "detail"), "cannot update"));
	answer_done(&a);
	has(w, SERVICE, "30001");
	bad(w, 403, "cluster-forbidden", "update services in namespace shop", "PATCH",
	    POOL "?dryRun=all", t, "{\"port\":30002}");
}

static int no_history(struct fake_cluster *f, const char *method, const char *path,
		      const char **body)
{
	(void)f;
	if (strstr(path, "controllerrevisions") && strcmp(method, f->arg) == 0)
		*body = "{\"kind\":\"Status\",\"message\":\"no\"}";
	return 403;
}

static void who_may_keep_no_history_is_told_and_goes_on(void **state)
{
	static const char *const methods[] = { "GET", "POST" };
	static const char *const rights[] = { "list controllerrevisions in namespace shop",
					      "create controllerrevisions in namespace shop" };
	struct world *w = *state;
	char t[32];

	for (size_t i = 0; i < 2; i++) {
		struct edit_answer a;

		tag(w, t);
		w->server.refuse = no_history;
		w->server.arg = (void *)(uintptr_t)methods[i];
		expect(w, 200, true, "PATCH", POOL, t, i ? "{\"port\":30003}" : "{\"port\":30002}",
		       &a);
		assert_non_null(strstr(buf_cstr(&a.reply.body), "cannot be rolled back"));
		assert_non_null(strstr(buf_cstr(&a.reply.body), rights[i]));
		answer_done(&a);
		assert_int_equal(fake_cluster_count(&w->server, KEPT), 0);
	}
	has(w, SERVICE, "30003");
	w->server.arg = (void *)(uintptr_t) "GET";
	bad(w, 403, "cluster-forbidden", rights[0], "GET", POOL "/revisions", NULL, NULL);
}

/* --- two people ---------------------------------------------------------------------------------------- */

static void a_stale_change_names_the_other_and_the_difference(void **state)
{
	struct world *w = *state;
	struct edit_answer a;
	const struct doc *now;
	char t[32];

	tag(w, t);
	w->server.seconds += 5;
	fake_cluster_put(&w->server, "kubectl-edit", ENDPOINTS,
			 "{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\",\"metadata\":{\"name\":"
			 "\"web\",\"namespace\":\"shop\"},\"subsets\":[]}");
	expect(w, 412, true, "PATCH", POOL, t, "{\"settings\":{\"scheduler\":\"wlc\"}}", &a);
	now = doc_get(a.root, "current");
	assert_string_equal(field(now, "user"), "via kubectl-edit");
	assert_string_equal(field(now, "action"), "update");
	assert_string_equal(field(now, "revision"), "103");
	assert_string_equal(a.reply.etag, "\"r103\"");
	answer_done(&a);
}

/* Between what we read and what we write. */
static void edit_meanwhile(struct fake_cluster *f, const char *method, const char *path)
{
	if (strcmp(method, "PUT") != 0 || !strstr(path, "/endpoints/") || f->arg)
		return;
	f->arg = f;
	fake_cluster_put(f, "kubectl-edit", ENDPOINTS, ENDPOINTS_TEXT);
}

static void an_edit_of_that_very_moment_is_not_lost(void **state)
{
	struct world *w = *state;
	struct edit_answer a;
	char t[32];

	tag(w, t);
	w->server.before = edit_meanwhile;
	expect(w, 412, false, "PATCH", POOL, t, "{\"settings\":{\"scheduler\":\"wlc\"}}", &a);
	assert_string_equal(field(a.root, "code"), "stale-revision");
	assert_string_equal(field(doc_get(a.root, "current"), "user"), "via kubectl-edit");
	answer_done(&a);
	has_not(w, ENDPOINTS, "wlc");
	good(w, "PATCH", POOL, tag(w, t), "{\"settings\":{\"scheduler\":\"wlc\"}}");
}

static void both_are_in_the_record(void **state)
{
	struct world *w = *state;
	const struct doc *i;
	struct edit_answer a;
	char t[32];

	good(w, "PATCH", POOL, tag(w, t), "{\"settings\":{\"scheduler\":\"wlc\"}}");
	fake_cluster_put(&w->server, "kubectl-edit", ENDPOINTS, ENDPOINTS_TEXT);
	w->token = "Bearer TOKEN-bob";
	good(w, "PATCH", POOL, tag(w, t), "{\"settings\":{\"scheduler\":\"rr\"}}");
	expect(w, 200, true, "GET", "/api/v1/operations?pool=shop.web.http-tcp", NULL, NULL, &a);
	i = doc_get(a.root, "items")->first;
	assert_string_equal(field(i, "user"), "kube:bob");
	assert_string_equal(field(i->next, "user"), "via kubectl-edit");
	assert_string_equal(field(i, "before"), field(i->next, "id"));
	answer_done(&a);
	expect(w, 200, true, "GET", "/api/v1/operations?pool=shop.web.http-tcp&user=kube:bob", NULL,
	       NULL, &a);
	assert_string_equal(field(a.root, "total"), "1");
	answer_done(&a);
}

static void a_version_that_is_no_number_is_refused(void **state)
{
	struct world *w = *state;
	struct fake_document *d = &w->server.documents[0];
	char *at = strstr(d->text, "\"resourceVersion\":\"101\"");

	memcpy(at, "\"resourceVersion\":\"x01\"", 23);
	bad(w, 503, "cluster-trouble", "is no number", "GET", POOL "/spec", NULL, NULL);
}

/* Any moment of any request, another program may add a member of its own. */
static struct {
	struct fake_cluster *server;
	uint32_t random;
	unsigned others;
} crowd;

static uint32_t next_random(void)
{
	crowd.random = crowd.random * 1664525 + 1013904223;
	return crowd.random >> 8;
}

static void add_like_kubectl(void)
{
	const char *now = fake_cluster_get(crowd.server, ENDPOINTS);
	const char *at = strstr(now, "\"addresses\":[") + strlen("\"addresses\":[");
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_printf(&b, "%.*s{\"ip\":\"10.9.%u.%u\"},%s", (int)(at - now), now, crowd.others / 200,
		   crowd.others % 200, at);
	crowd.others++;
	fake_cluster_put(crowd.server, "kubectl-edit", ENDPOINTS, buf_cstr(&b));
}

static void interfere(struct fake_cluster *f, const char *method, const char *path)
{
	(void)f;
	(void)method;
	(void)path;
	if (next_random() % 24 == 0)
		add_like_kubectl();
}

/* What was acknowledged to anybody is there in the end, whoever wrote in between. */
static void no_update_is_lost_in_a_crowd(void **state)
{
	struct world *w = *state;
	bool done[300] = { false };
	unsigned good_ones = 0;
	char t[32], body[64], ip[32];

	crowd.server = &w->server;
	crowd.random = 7;
	crowd.others = 0;
	w->server.before = interfere;
	for (unsigned i = 0; i < ARRAY_LEN(done); i++) {
		struct edit_answer a;

		w->token = i % 2 ? "Bearer TOKEN-alice" : "Bearer TOKEN-bob";
		if (i == 0 || next_random() % 4) {
			ask(w, "GET", POOL "/spec", NULL, NULL, &a);
			snprintf(t, sizeof(t), "%s", a.reply.etag);
			answer_done(&a);
		}
		snprintf(body, sizeof(body), "{\"address\":\"10.8.%u.%u\",\"port\":8080}", i / 200,
			 i % 200);
		ask(w, "POST", POOL "/members", t, body, &a);
		done[i] = a.reply.status == 201;
		if (!done[i])
			assert_int_equal(a.reply.status, 412);
		good_ones += done[i];
		answer_done(&a);
	}
	for (unsigned i = 0; i < ARRAY_LEN(done); i++) {
		snprintf(ip, sizeof(ip), "\"10.8.%u.%u\"", i / 200, i % 200);
		assert_int_equal(strstr(fake_cluster_get(&w->server, ENDPOINTS), ip) != NULL,
				 done[i]);
	}
	for (unsigned i = 0; i < crowd.others; i++) {
		snprintf(ip, sizeof(ip), "\"10.9.%u.%u\"", i / 200, i % 200);
		has(w, ENDPOINTS, ip);
	}
	/* Both happened, or nothing was tested. */
	assert_true(good_ones > 50 && good_ones < 290 && crowd.others > 20);
}

/* --- the past -------------------------------------------------------------------------------------------- */

static void write_ports(struct world *w, unsigned count)
{
	char t[32], body[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(body, sizeof(body), "{\"port\":%u}", 30002 + i);
		good(w, "PATCH", POOL, tag(w, t), body);
	}
}

static void five_are_kept_and_the_oldest_go(void **state)
{
	struct world *w = *state;
	struct edit_answer a;

	write_ports(w, 8);
	assert_int_equal(fake_cluster_count(&w->server, KEPT), 5);
	expect(w, 200, true, "GET", POOL "/revisions", NULL, NULL, &a);
	assert_int_equal(doc_get(a.root, "items")->count, 6);
	answer_done(&a);
}

static void each_of_the_last_five_can_be_gone_back_to(void **state)
{
	struct world *w = *state;
	char t[32], body[64], port[32];

	for (unsigned back = 1; back <= 5; back++) {
		struct edit_answer list, a;
		const struct doc *i;

		write_ports(w, 6);
		expect(w, 200, true, "GET", POOL "/revisions", NULL, NULL, &list);
		i = doc_get(list.root, "items")->first;
		for (unsigned n = 0; n < back; n++)
			i = i->next;
		snprintf(body, sizeof(body), "{\"toRevision\":%s}", field(i, "revision"));
		expect(w, 200, true, "POST", POOL ":rollback?dryRun=all", tag(w, t), body, &a);
		answer_done(&a);
		expect(w, 200, true, "POST", POOL ":rollback", tag(w, t), body, &a);
		answer_done(&a);
		snprintf(port, sizeof(port), "\"nodePort\":%u", 30007 - back);
		has(w, SERVICE, port);
		has(w, SERVICE, "\"parasaus.io/last-operation\":\"rollback\"");
		answer_done(&list);
	}
}

static int immutable(struct fake_cluster *f, const char *method, const char *path,
		     const char **body)
{
	(void)f;
	if (strcmp(method, "PUT") == 0 && strstr(path, "/services/"))
		*body = "{\"kind\":\"Status\",\"message\":\"spec.clusterIP: field is immutable\"}";
	return 422;
}

static void what_cannot_be_applied_any_more_says_why(void **state)
{
	struct world *w = *state;
	struct edit_answer a;
	char t[32];

	write_ports(w, 2);
	tag(w, t);
	w->server.refuse = immutable;
	expect(w, 422, false, "POST", POOL ":rollback", t, "{\"toRevision\":102}", &a);
	assert_string_equal(field(a.root, "code"), "cluster-refused");
	assert_non_null(strstr(field(a.root, "detail"), "field is immutable"));
	answer_done(&a);
	has(w, SERVICE, "\"nodePort\":30003");
	bad(w, 404, "revision-not-found", "", "POST", POOL ":rollback", t, "{\"toRevision\":7}");
}

static void a_slice_that_came_later_goes_and_one_that_went_comes_back(void **state)
{
	static const char slice[] =
		"{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\",\"metadata\":{"
		"\"name\":\"%s\",\"namespace\":\"shop\",\"labels\":{"
		"\"kubernetes.io/service-name\":\"web\"}},\"addressType\":\"IPv4\",\"ports\":["
		"{\"name\":\"http\",\"port\":8080}],\"endpoints\":[{\"addresses\":[\"%s\"]}]}";
	struct world *w = *state;
	struct fake_document *d;
	struct edit_answer a;
	char t[32], text[600];

	snprintf(text, sizeof(text), slice, "by-hand", "10.1.0.8");
	fake_cluster_put(&w->server, "kubectl", SLICES "/by-hand", text);
	good(w, "PATCH", POOL, tag(w, t), "{\"port\":30002}"); /* keeps 103 */
	for (d = w->server.documents; strcmp(d->path, SLICES "/by-hand") != 0;)
		d++;
	*d->path = '\0';
	snprintf(text, sizeof(text), slice, "web-late", "10.1.0.9");
	fake_cluster_put(&w->server, "kubectl", SLICES "/web-late", text);
	expect(w, 200, true, "POST", POOL ":rollback", tag(w, t), "{\"toRevision\":103}", &a);
	answer_done(&a);
	has(w, SLICES "/by-hand", "10.1.0.8");
	assert_null(fake_cluster_get(&w->server, SLICES "/web-late"));
	has(w, SERVICE, "30001");
	assert_true(w->server.rehearsed >= 3);
}

/* --- two documents ------------------------------------------------------------------------------------------ */

#define NEW                                                                    \
	"{\"namespace\":\"shop\",\"name\":\"db\",\"port\":30002,\"members\":[" \
	"{\"address\":\"10.1.0.1\",\"port\":3306}]}"

static void a_new_pool_is_a_service_and_endpoints(void **state)
{
	struct world *w = *state;
	struct edit_answer a;

	expect(w, 201, true, "POST", "/api/v1/pools", NULL, NEW, &a);
	assert_string_equal(buf_cstr(&a.reply.location), "/api/v1/pools/shop.db.30002-tcp");
	answer_done(&a);
	has(w, "/api/v1/namespaces/shop/services/db",
	    "\"service.kubernetes.io/service-proxy-name\":\"parasaus\"");
	has(w, "/api/v1/namespaces/shop/services/db", "\"nodePort\":30002");
	has(w, "/api/v1/namespaces/shop/services/db", "kube:alice");
	has(w, "/api/v1/namespaces/shop/endpoints/db", "10.1.0.1");
	assert_int_equal(w->server.rehearsed, 2);
	bad(w, 409, "name-exists", "", "POST", "/api/v1/pools", NULL, NEW);
}

static void of_several_clusters_none_is_shown_a_token_at_a_guess(void **state)
{
	struct world *w = *state;

	w->source_count = 2;
	bad(w, 409, "not-of-the-store", "several clusters", "POST", "/api/v1/pools", NULL, NEW);
	bad(w, 409, "not-of-the-store", "several clusters", "GET", POOL "/revisions", NULL, NULL);
	bad(w, 409, "not-of-the-store", "several clusters", "DELETE", POOL, "*", NULL);
	assert_int_equal(w->server.asked, 0);
}

static int port_taken(struct fake_cluster *f, const char *method, const char *path,
		      const char **body)
{
	if (strcmp(method, "POST") == 0 && strstr(path, "/services") && !f->arg) {
		f->arg = f;
		*body = "{\"kind\":\"Status\",\"message\":\"spec.ports[0].nodePort: Invalid value: "
			"30000: provided port is already allocated\"}";
	}
	return 422;
}

static void a_node_port_that_is_taken_is_passed_over(void **state)
{
	struct world *w = *state;
	struct edit_answer a;

	w->server.refuse = port_taken;
	expect(w, 201, true, "POST", "/api/v1/pools", NULL,
	       "{\"namespace\":\"shop\",\"name\":\"db\"}", &a);
	assert_string_equal(buf_cstr(&a.reply.location), "/api/v1/pools/shop.db.30001-tcp");
	answer_done(&a);
	w->server.arg = NULL;
	bad(w, 409, "vip-port-in-use", "already allocated", "POST", "/api/v1/pools", NULL,
	    "{\"namespace\":\"shop\",\"name\":\"db2\",\"port\":30003}");
}

static int second_fails(struct fake_cluster *f, const char *method, const char *path,
			const char **body)
{
	(void)f;
	if (strcmp(method, "POST") != 0 || !strstr(path, "/endpoints") || strstr(path, "dryRun"))
		return 0;
	*body = f->arg ? "" : "{\"kind\":\"Status\",\"message\":\"etcd is full\"}";
	return f->arg ? 0 : 500;
}

static void a_failure_half_way_says_what_was_written(void **state)
{
	static const char *const results[] = { "not-written", "unknown" };
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		struct fake_document *d;
		const struct doc *items;
		struct edit_answer a;

		w->server.refuse = second_fails;
		w->server.arg = i ? w : NULL;
		expect(w, 502, false, "POST", "/api/v1/pools", NULL, NEW, &a);
		assert_string_equal(field(a.root, "code"), "half-written");
		assert_non_null(strstr(field(a.root, "detail"), "written: Service shop/db;"));
		items = doc_get(a.root, "items");
		assert_int_equal(items->count, 2);
		assert_string_equal(field(items->first, "kind"), "Service");
		assert_string_equal(field(items->first, "result"), "written");
		assert_string_equal(field(items->first->next, "kind"), "Endpoints");
		assert_string_equal(field(items->first->next, "result"), results[i]);
		answer_done(&a);
		/* A Service without members is a pool, without members. */
		has(w, "/api/v1/namespaces/shop/services/db", "30002");
		for (d = w->server.documents; !strstr(d->path, "services/db");)
			d++;
		*d->path = '\0';
	}
}

static int second_refused(struct fake_cluster *f, const char *method, const char *path,
			  const char **body)
{
	(void)f;
	if (strcmp(method, "POST") == 0 && strstr(path, "/endpoints"))
		*body = "{\"kind\":\"Status\",\"message\":\"no\"}";
	return 403;
}

static void what_the_second_would_be_refused_stops_the_first(void **state)
{
	struct world *w = *state;

	w->server.refuse = second_refused;
	bad(w, 403, "cluster-forbidden", "create endpoints in namespace shop", "POST",
	    "/api/v1/pools", NULL, NEW);
}

static void the_last_port_takes_the_documents_along(void **state)
{
	struct world *w = *state;
	char t[32];

	good(w, "DELETE", POOL, tag(w, t), NULL);
	assert_null(fake_cluster_get(&w->server, SERVICE));
	assert_null(fake_cluster_get(&w->server, ENDPOINTS));
	assert_int_equal(fake_cluster_count(&w->server, KEPT), 0);
	bad(w, 404, "pool-not-found", "", "GET", POOL "/spec", NULL, NULL);
}

/* --- whose they are ------------------------------------------------------------------------------------------- */

static void select_pods(struct world *w)
{
	fake_cluster_put(&w->server, "kubectl", SERVICE,
			 "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":"
			 "\"web\",\"namespace\":\"shop\"},\"spec\":{\"type\":\"NodePort\","
			 "\"selector\":{\"app\":\"web\"},\"ports\":[{\"name\":\"http\",\"port\":80,"
			 "\"protocol\":\"TCP\",\"nodePort\":30001}]}}");
	fake_cluster_put(&w->server, "kube-controller-manager", SLICES "/web-x1",
			 "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\","
			 "\"metadata\":{\"name\":\"web-x1\",\"namespace\":\"shop\",\"labels\":{"
			 "\"kubernetes.io/service-name\":\"web\","
			 "\"endpointslice.kubernetes.io/managed-by\":"
			 "\"endpointslice-controller.k8s.io\"}},\"addressType\":\"IPv4\","
			 "\"ports\":[{\"name\":\"http\",\"port\":8080}],\"endpoints\":["
			 "{\"addresses\":[\"10.2.0.1\"]}]}");
}

static void of_members_that_are_selected_the_weights_alone_can_be_said(void **state)
{
	struct world *w = *state;
	char t[32];

	select_pods(w);
	assert_string_equal(tag(w, t), "\"r103\""); /* that of the Service: pods come and go */
	bad(w, 409, "selector-members", "has a selector", "POST", POOL "/members", t,
	    "{\"address\":\"10.1.0.3\",\"port\":8080}");
	bad(w, 409, "selector-members", "drained", "DELETE", POOL "/members/10.2.0.1-8080", t,
	    NULL);
	good(w, "PATCH", POOL "/members/10.2.0.1-8080", t, "{\"drain\":true}");
	has(w, SERVICE, "\"parasaus.io/weights\":\"10.2.0.1:8080=0\"");
	has_not(w, SLICES "/web-x1", "parasaus");
	good(w, "PATCH", POOL "/members/10.2.0.1-8080", tag(w, t), "{\"drain\":false}");
	has_not(w, SERVICE, "weights");
	good(w, "POST", POOL ":rollback", tag(w, t), "{\"toRevision\":103}");
	assert_non_null(fake_cluster_get(&w->server, SLICES "/web-x1"));
}

static void who_keeps_a_document_elsewhere_is_warned_of(void **state)
{
	static const struct {
		const char *metadata, *owner;
	} cases[] = {
		{ "\"labels\":{\"app.kubernetes.io/managed-by\":\"Helm\"}", "Helm" },
		{ "\"annotations\":{\"argocd.argoproj.io/tracking-id\":\"x\"}", "Argo CD" },
		{ "\"labels\":{\"kustomize.toolkit.fluxcd.io/name\":\"x\"}", "Flux" },
		{ "\"labels\":{\"app.kubernetes.io/managed-by\":\"Helm\","
		  "\"helm.toolkit.fluxcd.io/name\":\"x\"}",
		  "Flux" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[700], says[64], t[32];
		struct edit_answer a;

		snprintf(text, sizeof(text),
			 "{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\",\"metadata\":{\"name\":"
			 "\"web\",\"namespace\":\"shop\",%s},\"subsets\":[]}",
			 cases[i].metadata);
		fake_cluster_put(&w->server, "helm", ENDPOINTS, text);
		snprintf(says, sizeof(says), "is kept by %s, which will undo", cases[i].owner);
		for (int dry = 1; dry >= 0; dry--) {
			expect(w, 200, true, "PATCH", dry ? POOL "?dryRun=all" : POOL, tag(w, t),
			       "{\"settings\":{\"scheduler\":\"wlc\"}}", &a);
			assert_non_null(strstr(buf_cstr(&a.reply.body), says));
			answer_done(&a);
		}
	}
}

/* What others wrote badly is there whatever we do: it is told, and in nobody's way. */
static void what_was_bad_before_is_no_reason_to_refuse(void **state)
{
	struct world *w = *state;
	struct edit_answer a;
	char t[32];

	fake_cluster_put(&w->server, "kubectl", ENDPOINTS,
			 "{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\",\"metadata\":{\"name\":"
			 "\"web\",\"namespace\":\"shop\",\"annotations\":{"
			 "\"parasaus.io/weight\":\"much\"}},\"subsets\":[]}");
	expect(w, 200, true, "PATCH", POOL, tag(w, t), "{\"settings\":{\"scheduler\":\"wlc\"}}",
	       &a);
	assert_non_null(
		strstr(buf_cstr(&a.reply.body), "\"detail\":\"annotation parasaus.io/weight"));
	answer_done(&a);
	bad(w, 422, "validation", "drain-seconds", "PATCH", POOL, tag(w, t),
	    "{\"settings\":{\"drain-seconds\":\"soon\"}}");
	good(w, "PATCH", POOL, tag(w, t), "{\"settings\":{\"weight\":null}}");
}

/* --- leaving in the midst ---------------------------------------------------------------------------------------- */

/* There is no transaction of several documents there. */
static void it_is_in_no_write_with_others(void **state)
{
	struct rest_request r = request_of("PATCH", POOL, "*", "{\"port\":30002}");
	struct world *w = *state;
	struct edit_place place = place_of(w);
	struct edit_stage *stage = edit_stage_new(w->loop);
	struct edit_answer a = { 0 };

	place.stage = stage;
	r.has_cluster = true;
	r.authorization = w->token;
	r.bearer.claim = BEARER_UNKNOWN;
	edit_begin(&place, &r, on_answer, &a);
	assert_true(a.called);
	assert_int_equal(a.reply.status, 409);
	assert_non_null(strstr(buf_cstr(&a.reply.body), "\"code\":\"not-of-the-store\""));
	assert_non_null(strstr(buf_cstr(&a.reply.body), "leave it out, or ask without atomic"));
	assert_null(w->server.calls);
	rest_reply_done(&a.reply);
	edit_stage_free(stage);
}

static void who_leaves_in_the_midst_is_called_no_more(void **state)
{
	struct world *w = *state;
	const struct edit_place place = place_of(w);

	for (int turns = 0; turns < 3; turns++) {
		struct rest_request r = request_of("PATCH", POOL, "*", "{\"port\":30002}");
		struct edit_answer a = { 0 };

		r.has_cluster = true;
		r.authorization = w->token;
		r.bearer.claim = BEARER_UNKNOWN;
		edit_begin(&place, &r, on_answer, &a);
		for (int i = 0; i < turns; i++)
			assert_int_equal(loop_turn(w->loop, 0), 0);
		edits_free(w->edits);
		w->edits = edits_new();
		((struct edit_place *)(uintptr_t)&place)->edits = w->edits;
		assert_int_equal(loop_turn(w->loop, 0), 0);
		assert_false(a.called);
		assert_null(w->server.calls);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_written_in_the_name_of_who_asks),
		TEST(what_people_do_not_edit_stays),
		TEST(nothing_changed_is_nothing_written),
		TEST(a_dry_run_is_asked_of_the_api_server),
		TEST(a_name_is_asked_for_once_a_minute),
		TEST(members_come_drain_and_go),
		TEST(without_a_token_of_the_cluster_nothing_is_told),
		TEST(a_missing_right_is_named),
		TEST(who_may_keep_no_history_is_told_and_goes_on),
		TEST(a_stale_change_names_the_other_and_the_difference),
		TEST(an_edit_of_that_very_moment_is_not_lost),
		TEST(both_are_in_the_record),
		TEST(a_version_that_is_no_number_is_refused),
		TEST(no_update_is_lost_in_a_crowd),
		TEST(five_are_kept_and_the_oldest_go),
		TEST(each_of_the_last_five_can_be_gone_back_to),
		TEST(what_cannot_be_applied_any_more_says_why),
		TEST(a_slice_that_came_later_goes_and_one_that_went_comes_back),
		TEST(a_new_pool_is_a_service_and_endpoints),
		TEST(of_several_clusters_none_is_shown_a_token_at_a_guess),
		TEST(a_node_port_that_is_taken_is_passed_over),
		TEST(a_failure_half_way_says_what_was_written),
		TEST(what_the_second_would_be_refused_stops_the_first),
		TEST(the_last_port_takes_the_documents_along),
		TEST(of_members_that_are_selected_the_weights_alone_can_be_said),
		TEST(who_keeps_a_document_elsewhere_is_warned_of),
		TEST(what_was_bad_before_is_no_reason_to_refuse),
		TEST(it_is_in_no_write_with_others),
		TEST(who_leaves_in_the_midst_is_called_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
