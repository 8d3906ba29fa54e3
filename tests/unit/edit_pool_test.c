/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edit_pool*.c: pools made, edited and removed over the real store
 * (tests/lib/edit_world.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/schema.h"
#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "tests/lib/edit_world.h"

#define POOL	"/api/v1/pools/shop.web.http-tcp"
#define MEMBERS POOL "/members"
#define SPEC	POOL "/spec"

#define WEB                                                                              \
	"{\"name\":\"web\",\"namespace\":\"shop\",\"portName\":\"http\",\"port\":30001," \
	"\"settings\":{\"scheduler\":\"rr\"},"                                           \
	"\"members\":[{\"address\":\"10.1.0.1\",\"port\":80},"                           \
	"{\"address\":\"10.1.0.2\",\"port\":80,\"weight\":5}]}"

#define ONE "{\"address\":\"10.1.0.1\",\"port\":80}"

static struct edit_world *with_web(void **state)
{
	want(*state, 201, "POST", "/api/v1/pools", NULL, WEB, NULL);
	return *state;
}

/* --- making ---------------------------------------------------------------------------------------- */

static void a_pool_is_made_of_a_service_and_its_endpoints(void **state)
{
	struct edit_world *w = *state;
	struct edit_answer a;

	want(w, 200, "POST", "/api/v1/pools?dryRun=all", NULL, WEB, &a);
	assert_string_equal(a.reply.etag, "");
	assert_int_equal(a.reply.location.len, 0);
	answer_done(&a);
	want(w, 201, "POST", "/api/v1/pools", NULL, WEB, &a);
	assert_string_equal(buf_cstr(&a.reply.location), POOL);
	assert_string_equal(field(a.root, "pool"), "shop.web.http-tcp");
	assert_string_equal(a.reply.etag, "\"r2\"");
	assert_int_equal(doc_get(a.root, "items")->count, 2);
	assert_string_equal(field(doc_get(a.root, "items")->first, "result"), "created");
	answer_done(&a);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.1:80*1 10.1.0.2:80*5");
	assert_string_equal(store_world_text(&w->store, STORE_SERVICE, "web"),
			    "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":"
			    "\"web\",\"namespace\":\"shop\"},\"spec\":{\"type\":\"NodePort\","
			    "\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":30001,"
			    "\"nodePort\":30001}]}}");
	want(w, 200, "GET", SPEC, NULL, NULL, &a);
	assert_string_equal(
		buf_cstr(&a.reply.body),
		"{\"id\":\"shop.web.http-tcp\",\"namespace\":\"shop\",\"name\":\"web\","
		"\"portName\":\"http\",\"protocol\":\"TCP\",\"port\":30001,"
		"\"settings\":{\"scheduler\":\"rr\",\"weights\":\"10.1.0.2:80=5\"},"
		"\"members\":[{\"id\":\"10.1.0.1-80\",\"address\":\"10.1.0.1\",\"port\":80,"
		"\"weight\":null},{\"id\":\"10.1.0.2-80\",\"address\":\"10.1.0.2\",\"port\":80,"
		"\"weight\":5}],\"revision\":2,\"documents\":[{\"kind\":\"Endpoints\","
		"\"name\":\"web\",\"revision\":1},{\"kind\":\"Service\",\"name\":\"web\","
		"\"revision\":2}]}\n");
	answer_done(&a);
}

static void a_name_that_is_taken_is_refused(void **state)
{
	struct edit_world *w = with_web(state);

	refused(w, 409, "name-exists", "web", "POST", "/api/v1/pools", NULL, WEB);
	refused(w, 409, "vip-port-in-use", "\"holder\"", "POST", "/api/v1/pools", NULL,
		"{\"name\":\"b\",\"port\":30001}");
}

static void port_of(struct edit_world *w, const char *body, const char *id, unsigned port)
{
	const struct pool *p;
	struct edit_answer a;

	want(w, 201, "POST", "/api/v1/pools", NULL, body, &a);
	assert_string_equal(field(a.root, "pool"), id);
	answer_done(&a);
	p = pool_of(w, id);
	assert_non_null(p);
	assert_int_equal(p->frontends[0].port, port);
}

/* Through one address pool after the other; what was given back is given out again. */
static void without_a_port_the_lowest_free_one_is_given_out(void **state)
{
	struct edit_world *w = with_web(state);
	char tag[32];

	port_of(w, "{\"name\":\"a\",\"portName\":\"p\"}", "default.a.p-tcp", 30000);
	port_of(w, "{\"name\":\"b\",\"portName\":\"p\"}", "default.b.p-tcp", 30002);
	port_of(w, "{\"name\":\"c\",\"portName\":\"p\"}", "default.c.p-tcp", 30003);
	port_of(w, "{\"name\":\"u\",\"protocol\":\"UDP\"}", "default.u.30000-udp", 30000);
	port_of(w, "{\"name\":\"d\"}", "default.d.40000-tcp", 40000);
	refused(w, 409, "no-free-port", "address pool main has 4 ports (30000-30003)", "POST",
		"/api/v1/pools", NULL, "{\"name\":\"e\"}");
	want(w, 200, "DELETE", "/api/v1/pools/default.b.p-tcp", tag_of(w, "default.b.p-tcp", tag),
	     NULL, NULL);
	port_of(w, "{\"name\":\"e\",\"portName\":\"p\"}", "default.e.p-tcp", 30002);
}

static void of_two_at_once_each_has_a_port(void **state)
{
	static const char *const bodies[] = { "{\"name\":\"a\",\"portName\":\"p\"}",
					      "{\"name\":\"b\",\"portName\":\"p\"}",
					      "{\"name\":\"c\",\"portName\":\"p\"}" };
	struct rest_request requests[3];
	struct edit_world *w = *state;
	struct edit_answer answers[3] = { 0 };

	for (size_t i = 0; i < 3; i++) {
		requests[i] = request_of("POST", "/api/v1/pools", NULL, bodies[i]);
		edit_world_begin(w, &requests[i], &answers[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		edit_world_wait(w, &answers[i]);
		assert_int_equal(answers[i].reply.status, 201);
		answer_done(&answers[i]);
	}
#define EMPTY " (Endpoints: no port is named \"p\" with protocol TCP: no members)"
	pool_is(w, "default.a.p-tcp", "10.0.0.1:30000" EMPTY);
	pool_is(w, "default.b.p-tcp", "10.0.0.1:30001" EMPTY);
	pool_is(w, "default.c.p-tcp", "10.0.0.1:30002" EMPTY);
}

/* Both name it themselves: the second is refused, and nothing of it is there. */
static void of_two_that_name_a_port_one_has_it(void **state)
{
	const struct rest_request first = request_of("POST", "/api/v1/pools", NULL,
						     "{\"name\":\"a\",\"port\":30000}");
	const struct rest_request second = request_of("POST", "/api/v1/pools", NULL,
						      "{\"name\":\"b\",\"port\":30000}");
	struct edit_answer a = { 0 }, b = { 0 };
	struct edit_world *w = *state;

	edit_world_begin(w, &first, &a);
	edit_world_begin(w, &second, &b);
	edit_world_wait(w, &a);
	edit_world_wait(w, &b);
	assert_int_equal(a.reply.status, 201);
	assert_int_equal(b.reply.status, 409);
	answer_done(&a);
	answer_done(&b);
	assert_int_equal(store_world_status(&w->store).objects, 2);
}

/* --- conditions -------------------------------------------------------------------------------------- */

static void a_change_says_which_revision_it_means(void **state)
{
	static const struct {
		const char *method, *target, *body;
	} changes[] = {
		{ "PATCH", POOL, "{\"settings\":{\"scheduler\":\"wlc\"}}" },
		{ "DELETE", POOL, NULL },
		{ "POST", MEMBERS, "{\"address\":\"10.1.0.3\",\"port\":80}" },
		{ "PATCH", MEMBERS "/10.1.0.1-80", "{\"drain\":true}" },
		{ "DELETE", MEMBERS "/10.1.0.1-80", NULL },
	};
	struct edit_world *w = with_web(state);
	const struct doc *current;
	struct edit_answer a;

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		want(w, 428, changes[i].method, changes[i].target, NULL, changes[i].body, &a);
		assert_string_equal(field(a.root, "code"), "precondition-required");
		assert_string_equal(a.reply.etag, "\"r2\"");
		answer_done(&a);
		want(w, 412, changes[i].method, changes[i].target, "\"r1\"", changes[i].body, &a);
		assert_string_equal(field(a.root, "code"), "stale-revision");
		current = doc_get(a.root, "current");
		assert_string_equal(field(current, "revision"), "2");
		assert_memory_equal(field(current, "user"), "unix:", 5);
		assert_string_equal(field(current, "action"), "create");
		assert_true(doc_get(current, "diff")->count > 0);
		answer_done(&a);
		want(w, 400, changes[i].method, changes[i].target, "r2", changes[i].body, NULL);
	}
	/* Those five are on record, and so have ids. By force. */
	want(w, 200, "PATCH", MEMBERS "/10.1.0.1-80", "*", "{\"drain\":true}", &a);
	assert_string_equal(a.reply.etag, "\"r8\"");
	answer_done(&a);
	refused(w, 412, "stale-revision", "Endpoints shop/web is at revision 8, not 2", "PATCH",
		POOL, "\"r2\"", "{\"port\":30002}");
	want(w, 200, "GET", "/api/v1/operations?result=stale&pool=shop.web.http-tcp", NULL, NULL,
	     &a);
	assert_string_equal(field(a.root, "total"), "6");
	answer_done(&a);
}

/* Read at the same revision, by two: what one has written the other has not seen. */
static void of_two_changes_of_one_revision_one_is_made(void **state)
{
	const struct rest_request first = request_of("PATCH", POOL, "\"r2\"",
						     "{\"settings\":{\"scheduler\":\"lc\"}}");
	const struct rest_request second = request_of("PATCH", POOL, "\"r2\"", "{\"port\":30002}");
	struct edit_answer a = { 0 }, b = { 0 };
	struct edit_world *w = with_web(state);

	edit_world_begin(w, &first, &a);
	edit_world_begin(w, &second, &b);
	edit_world_wait(w, &a);
	edit_world_wait(w, &b);
	assert_int_equal(a.reply.status, 200);
	assert_int_equal(b.reply.status, 412); /* of other documents, all the same */
	assert_string_equal(field(doc_get(b.root, "current"), "revision"), "3");
	answer_done(&a);
	answer_done(&b);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.1:80*1 10.1.0.2:80*5");
}

/* --- settings ------------------------------------------------------------------------------------------ */

/* Every annotation there is, with a value that is not its default, and what else it needs. */
static const struct {
	const char *key, *value, *with;
} settings[] = {
	{ "health-check-type", "http", NULL },
	{ "health-check-port", "8080", NULL },
	{ "health-check-path", "/up", "\"health-check-type\":\"http\"" },
	{ "health-check-host", "a.example", "\"health-check-type\":\"http\"" },
	{ "health-check-expect", "204", "\"health-check-type\":\"http\"" },
	{ "health-check-drain-status", "503", "\"health-check-type\":\"http\"" },
	{ "health-check-degraded-status", "520-529", "\"health-check-type\":\"http\"" },
	{ "health-check-reuse", "100", "\"health-check-type\":\"http\"" },
	{ "health-check-via", "vip", "\"forwarding\":\"dr\"" },
	{ "health-check-match", "fine", "\"health-check-type\":\"http\"" },
	{ "health-check-send", "PING", "\"health-check-type\":\"tcp-full\"" },
	{ "health-check-answer", "PONG", "\"health-check-type\":\"tcp-full\"" },
	{ "health-check-dns-name", "example.org", "\"health-check-type\":\"dns\"" },
	{ "health-check-dns-type", "A", "\"health-check-type\":\"dns\"" },
	{ "health-check-dns-rcodes", "NXDOMAIN", "\"health-check-type\":\"dns\"" },
	{ "health-check-grpc-service", "shop.v1.Cart", "\"health-check-type\":\"grpc\"" },
	{ "health-check-interval", "7s", NULL },
	{ "health-check-timeout", "1500ms", NULL },
	{ "health-check-fast", "700ms", NULL },
	{ "health-check-rise", "4", NULL },
	{ "health-check-fall", "5", NULL },
	{ "health-check-hold-down", "30", NULL },
	{ "health-check-secret", "login", "\"health-check-type\":\"mysql\"" },
	{ "health-check-tls", "off", "\"health-check-type\":\"mysql\"" },
	{ "health-check-role", "writer",
	  "\"health-check-type\":\"mysql\",\"health-check-secret\":\"login\"" },
	{ "health-check-max-lag", "30",
	  "\"health-check-type\":\"mysql\",\"health-check-secret\":\"login\","
	  "\"health-check-role\":\"reader\"" },
	{ "scheduler", "sh", NULL },
	{ "scheduler-flags", "port", "\"scheduler\":\"sh\"" },
	{ "forwarding", "dr", NULL },
	{ "tunnel-type", "gue:7000", "\"forwarding\":\"tunnel\"" },
	{ "snat", "none", NULL },
	{ "weight", "9", NULL },
	{ "weights", "10.1.0.1=7", NULL },
	{ "drain-seconds", "12", NULL },
	{ "on-unhealthy", "keep", NULL },
	{ "fail-policy", "closed", NULL },
	{ "min-healthy", "50", NULL },
	{ "slow-start", "45", "\"weight\":\"10\"" },
	{ "max-connections", "77", NULL },
	{ "udp-one-packet", "true", NULL }, /* without a use for TCP */
};

static void setting_in_spec(struct edit_world *w, const char *key, const char *value)
{
	struct edit_answer a;

	want(w, 200, "GET", SPEC, NULL, NULL, &a);
	assert_string_equal(field(doc_get(a.root, "settings"), key), value);
	answer_done(&a);
}

static bool same_settings(const struct pool *a, const struct pool *b)
{
	bool same = a->member_count == b->member_count &&
		    strcmp(a->set.scheduler, b->set.scheduler) == 0 &&
		    a->set.scheduler_flags == b->set.scheduler_flags &&
		    a->set.forward == b->set.forward && a->set.masquerade == b->set.masquerade &&
		    a->set.tunnel.port == b->set.tunnel.port &&
		    a->set.persistence.v4 == b->set.persistence.v4 &&
		    a->set.drain_s == b->set.drain_s && a->set.weight == b->set.weight &&
		    a->set.max_connections == b->set.max_connections &&
		    a->set.unhealthy == b->set.unhealthy &&
		    a->set.fail_policy == b->set.fail_policy &&
		    a->set.slow_start_s == b->set.slow_start_s &&
		    a->set.min_healthy == b->set.min_healthy &&
		    check_equal(a->set.check, b->set.check);

	for (size_t i = 0; i < a->member_count && same; i++)
		same = pool_member(a, i).weight == pool_member(b, i).weight;
	return same;
}

static const char *all_gone(char out[static 2048])
{
	strcpy(out, "{\"settings\":{\"pin\":null");
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		snprintf(out + strlen(out), 2048 - strlen(out), ",\"%s\":null", settings[i].key);
	return strcat(out, "}}");
}

static void every_setting_reaches_the_pool_and_goes_again(void **state)
{
	struct edit_world *w = with_web(state);
	char body[2048];

	put(w, "secrets/login",
	    "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"login\"},"
	    "\"stringData\":{\"username\":\"u\",\"password\":\"p\"}}");
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const char *with = settings[i].with ? settings[i].with : "";
		struct pool *before, *after;

		if (*with) {
			snprintf(body, sizeof(body), "{\"settings\":{%s}}", with);
			edit(w, 200, "PATCH", POOL, body, NULL);
		}
		before = pool_ref((struct pool *)(uintptr_t)pool_of(w, "shop.web.http-tcp"));
		snprintf(body, sizeof(body), "{\"settings\":{\"%s\":\"%s\"}}", settings[i].key,
			 settings[i].value);
		edit(w, 200, "PATCH", POOL, body, NULL);
		setting_in_spec(w, settings[i].key, settings[i].value);
		after = pool_ref((struct pool *)(uintptr_t)pool_of(w, "shop.web.http-tcp"));
		assert_int_equal(after->problems.count, 0);
		if (same_settings(before, after) && strcmp(settings[i].key, "udp-one-packet") != 0)
			fail_msg("%s does not reach the pool", settings[i].key);
		pool_unref(before);
		pool_unref(after);
		edit(w, 200, "PATCH", POOL, all_gone(body), NULL);
		setting_in_spec(w, settings[i].key, "");
	}
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.1:80*1 10.1.0.2:80*1");
}

static void a_port_is_changed_and_all_else_stays(void **state)
{
	struct edit_world *w = with_web(state);
	struct edit_answer a;

	edit(w, 200, "PATCH", POOL "?dryRun=all", "{\"port\":30002}", NULL);
	edit(w, 200, "PATCH", POOL, "{\"port\":30002}", &a);
	assert_int_equal(doc_get(a.root, "items")->count, 1);
	assert_string_equal(field(doc_get(doc_get(a.root, "items")->first, "diff")->first, "path"),
			    "/spec/ports/0/nodePort");
	answer_done(&a);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30002 10.1.0.1:80*1 10.1.0.2:80*5");
	/* The same again changes nothing. */
	edit(w, 200, "PATCH", POOL, "{\"port\":30002,\"settings\":{\"scheduler\":\"rr\"}}", &a);
	assert_true(a.reply.unchanged);
	assert_int_equal(doc_get(a.root, "items")->count, 0);
	answer_done(&a);
}

/* The first that says it counts: there it is changed, and what we do not know of is left alone. */
static void a_setting_is_changed_where_it_is_said(void **state)
{
	struct edit_world *w = *state;

	put(w, "services/web",
	    "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\","
	    "\"labels\":{\"a\":\"b\"},\"annotations\":{\"parasaus.io/scheduler\":\"lc\","
	    "\"parasaus.io/weight\":\"3\",\"other/one\":\"x\"}},\"spec\":{\"type\":\"NodePort\","
	    "\"ports\":[{\"name\":\"http\",\"port\":80,\"nodePort\":30001}]}}");
	put(w, "endpoints/web",
	    "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"},"
	    "\"annotations\":{\"healthCheckType\":\"HTTP\",\"parasaus.io/weight\":\"4\"},"
	    "\"subsets\":[{\"ports\":[{\"name\":\"http\",\"port\":80}],\"addresses\":"
	    "[{\"ip\":\"10.1.0.1\",\"nodeName\":\"n1\"}]}]}");
	edit(w, 200, "PATCH", POOL,
	     "{\"settings\":{\"scheduler\":\"wlc\",\"weight\":\"6\",\"health-check-type\":\"tcp\"}"
	     "}",
	     NULL);
	assert_string_equal(
		store_world_text(&w->store, STORE_SERVICE, "web"),
		"{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\","
		"\"labels\":{\"a\":\"b\"},\"annotations\":{\"parasaus.io/scheduler\":\"wlc\","
		"\"parasaus.io/weight\":\"3\",\"other/one\":\"x\"},\"namespace\":\"shop\"},"
		"\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"name\":\"http\",\"port\":80,"
		"\"nodePort\":30001}]}}");
	assert_string_equal(
		store_world_text(&w->store, STORE_ENDPOINTS, "web"),
		"{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\","
		"\"namespace\":\"shop\"},\"annotations\":{\"parasaus.io/weight\":\"6\","
		"\"parasaus.io/health-check-type\":\"tcp\"},\"subsets\":[{\"ports\":"
		"[{\"name\":\"http\",\"port\":80}],\"addresses\":[{\"ip\":\"10.1.0.1\","
		"\"nodeName\":\"n1\"}]}]}");
	edit(w, 200, "PATCH", POOL, "{\"settings\":{\"weight\":null}}", NULL);
	setting_in_spec(w, "weight", "");
}

static void what_cannot_be_used_is_refused_with_its_name(void **state)
{
	static const struct {
		const char *method, *target, *body, *says;
	} cases[] = {
		{ "POST", "/api/v1/pools", "[]", "the body is a list where an object belongs" },
		{ "POST", "/api/v1/pools", "{", "" },
		{ "POST", "/api/v1/pools", "{\"name\":\"A\"}", "name is \\\"A\\\": lower-case" },
		{ "POST", "/api/v1/pools", "{}", "name is \\\"\\\"" },
		{ "POST", "/api/v1/pools", "{\"name\":\"a\",\"colour\":1}", "colour is none of" },
		{ "POST", "/api/v1/pools", "{\"name\":\"a\",\"port\":0}", "from 1 to 65535" },
		{ "POST", "/api/v1/pools", "{\"name\":\"a\",\"port\":29999}",
		  "/spec/ports/0/nodePort" },
		{ "POST", "/api/v1/pools", "{\"name\":\"a\",\"protocol\":\"DCCP\"}",
		  "write TCP, UDP or SCTP" },
		{ "POST", "/api/v1/pools",
		  "{\"name\":\"a\",\"members\":[{\"address\":\"10.1.0.1\",\"port\":1},{\"port\":1}]"
		  "}",
		  "members[1].address is missing" },
		{ "POST", "/api/v1/pools",
		  "{\"name\":\"a\",\"members\":[{\"address\":\"a.example\",\"port\":1}]}",
		  "names are not looked up" },
		{ "POST", "/api/v1/pools",
		  "{\"name\":\"a\",\"members\":[{\"address\":\"10.1.0.1\",\"port\":1},"
		  "{\"address\":\"10.1.0.1\",\"port\":1}]}",
		  "10.1.0.1:1 is there twice" },
		/* What the agent would not use. */
		{ "POST", "/api/v1/pools",
		  "{\"name\":\"a\",\"members\":[{\"address\":\"10.0.0.2\",\"port\":1}]}",
		  "it is one of the address pool more" },
		{ "POST", MEMBERS, "{\"address\":\"127.0.0.1\",\"port\":1}",
		  "loopback addresses are no real servers" },
		{ "POST", MEMBERS, "{\"address\":\"2001:db8::1\",\"port\":1}",
		  "the frontend is of the other family" },
		{ "POST", MEMBERS, "{\"address\":\"10.1.0.9\",\"port\":1,\"weight\":65536}",
		  "from 0 to 65535" },
		{ "PATCH", POOL, "{\"settings\":{\"scheduler\":\"best\"}}", "is not a scheduler" },
		{ "PATCH", POOL, "{\"settings\":{\"shceduler\":\"rr\"}}", "did you mean" },
		{ "PATCH", POOL, "{\"settings\":{\"scheduler\":1}}", "settings.scheduler is" },
		{ "PATCH", POOL, "{\"settings\":[]}", "settings is a list" },
		{ "PATCH", POOL, "{\"name\":\"b\"}", "name is none of port, settings, members" },
		{ "PATCH", POOL, "{\"members\":{}}", "members is a map where a list" },
		{ "PATCH", POOL, "{\"members\":[{\"address\":\"10.1.0.1\"}]}",
		  "members[0].port is missing" },
		{ "PATCH", POOL, "{\"members\":[" ONE "," ONE "]}", "10.1.0.1:80 is there twice" },
		{ "PATCH", POOL, "{\"members\":[" ONE "],\"settings\":{\"weights\":null}}",
		  "say them once" },
		{ "PATCH", POOL,
		  "{\"settings\":{\"health-check-type\":\"mysql\",\"health-check-secret\":\"s\"}}",
		  "Secret shop/s is not there" },
		{ "PATCH", MEMBERS "/10.1.0.1-80", "{}", "say one of weight and drain" },
		{ "PATCH", MEMBERS "/10.1.0.1-80", "{\"weight\":1,\"drain\":false}",
		  "say one of weight and drain" },
		{ "PATCH", MEMBERS "/10.1.0.1-80", "{\"drain\":\"yes\"}", "true or false" },
		{ "PATCH", MEMBERS "/10.1.0.1-80", "{\"weight\":-1}", "from 0 to 65535" },
	};
	struct edit_world *w = with_web(state);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refused(w, 422, "validation", cases[i].says, cases[i].method, cases[i].target,
			"\"r2\"", cases[i].body);
	refused(w, 404, "pool-not-found", "shop.web.x-tcp", "PATCH", "/api/v1/pools/shop.web.x-tcp",
		"\"r2\"", "{}");
	refused(w, 404, "pool-not-found", "nothing", "DELETE", "/api/v1/pools/nothing", "*", NULL);
	refused(w, 404, "member-not-found", "10.1.0.9-80", "DELETE", MEMBERS "/10.1.0.9-80", "*",
		NULL);
	refused(w, 409, "member-exists", "10.1.0.1-80", "POST", MEMBERS, "\"r2\"",
		"{\"address\":\"10.1.0.1\",\"port\":80}");
	refused(w, 409, "vip-port-in-use", "", "POST", "/api/v1/pools", NULL,
		"{\"name\":\"a\",\"port\":30001}");
}

/* --- members -------------------------------------------------------------------------------------------- */

static void members_come_drain_come_back_and_go(void **state)
{
	struct edit_world *w = with_web(state);
	struct edit_answer a;

	edit(w, 200, "POST", MEMBERS "?dryRun=all", "{\"address\":\"10.1.0.3\",\"port\":80}", NULL);
	edit(w, 201, "POST", MEMBERS, "{\"address\":\"10.1.0.3\",\"port\":80}", &a);
	assert_string_equal(buf_cstr(&a.reply.location), MEMBERS "/10.1.0.3-80");
	answer_done(&a);
	edit(w, 201, "POST", MEMBERS, "{\"address\":\"10.1.0.3\",\"port\":81,\"weight\":2}", NULL);
	pool_is(w, "shop.web.http-tcp",
		"10.0.0.1:30001 10.1.0.1:80*1 10.1.0.2:80*5 10.1.0.3:80*1 10.1.0.3:81*2");
	edit(w, 200, "PATCH", MEMBERS "/10.1.0.3-81", "{\"drain\":true}", NULL);
	edit(w, 200, "PATCH", MEMBERS "/10.1.0.2-80", "{\"weight\":0}", NULL);
	pool_is(w, "shop.web.http-tcp",
		"10.0.0.1:30001 10.1.0.1:80*1 10.1.0.2:80*0 10.1.0.3:80*1 10.1.0.3:81*0");
	edit(w, 200, "PATCH", MEMBERS "/10.1.0.3-81", "{\"drain\":false}", NULL);
	edit(w, 200, "PATCH", MEMBERS "/10.1.0.2-80", "{\"weight\":null}", NULL);
	pool_is(w, "shop.web.http-tcp",
		"10.0.0.1:30001 10.1.0.1:80*1 10.1.0.2:80*1 10.1.0.3:80*1 10.1.0.3:81*1");
	edit(w, 200, "PATCH", MEMBERS "/10.1.0.3-81", "{\"weight\":4}", NULL);
	edit(w, 200, "DELETE", MEMBERS "/10.1.0.3-81", NULL, NULL);
	edit(w, 200, "DELETE", MEMBERS "/10.1.0.1-80", NULL, NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.2:80*1 10.1.0.3:80*1");
	setting_in_spec(w, "weights", "");
	edit(w, 200, "DELETE", MEMBERS "/10.1.0.2-80", NULL, NULL);
	edit(w, 200, "DELETE", MEMBERS "/10.1.0.3-80", NULL, NULL);
	edit(w, 201, "POST", MEMBERS, "{\"address\":\"10.1.0.7\",\"port\":82}", NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.7:82*1");
}

static void members_become_those_of_a_list(void **state)
{
	struct edit_world *w = with_web(state);
	struct edit_answer a;

	edit(w, 200, "PATCH", POOL "?dryRun=all", "{\"members\":[]}", NULL);
	edit(w, 200, "PATCH", POOL,
	     "{\"port\":30002,\"members\":[" ONE ",{\"address\":\"10.1.0.3\",\"port\":80,"
	     "\"weight\":2},{\"address\":\"10.1.0.3\",\"port\":81}]}",
	     NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30002 10.1.0.1:80*1 10.1.0.3:80*2 10.1.0.3:81*1");
	setting_in_spec(w, "weights", "10.1.0.3:80=2");
	/* A weight is another, and one is taken away; the same again is no change. */
	edit(w, 200, "PATCH", POOL,
	     "{\"members\":[{\"address\":\"10.1.0.3\",\"port\":81,\"weight\":0}," ONE "]}", NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30002 10.1.0.1:80*1 10.1.0.3:81*0");
	edit(w, 200, "PATCH", POOL,
	     "{\"members\":[" ONE ",{\"address\":\"10.1.0.3\",\"port\":81,\"weight\":0}]}", &a);
	assert_int_equal(doc_get(a.root, "items")->count, 0);
	answer_done(&a);
	edit(w, 200, "PATCH", POOL,
	     "{\"members\":[{\"address\":\"10.1.0.3\",\"port\":81,\"weight\":null}]}", NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30002 10.1.0.3:81*1");
	setting_in_spec(w, "weights", "");
	edit(w, 200, "PATCH", POOL, "{\"members\":[]}", NULL);
	edit(w, 200, "PATCH", POOL, "{\"members\":[" ONE "]}", NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30002 10.1.0.1:80*1");
}

/* What is set at once is bounded; a list that is longer changes nothing. */
static void a_list_of_members_has_an_end(void **state)
{
	struct edit_world *w = with_web(state);
	struct buf body = { 0 };

	buf_str(&body, "{\"members\":[");
	for (int i = 0; i < 1001; i++)
		buf_printf(&body, "%s{\"address\":\"10.2.%d.%d\",\"port\":80}", i ? "," : "",
			   i / 256, i % 256);
	buf_str(&body, "]}");
	refused(w, 422, "validation", "members has 1001 items, and 1000 are the most", "PATCH",
		POOL, "\"r2\"", buf_cstr(&body));
	buf_done(&body);
}

/* Taken away from one of them it stays said of the other. */
static void a_weight_of_an_address_is_that_of_each_of_its_members(void **state)
{
	struct edit_world *w = with_web(state);

	edit(w, 201, "POST", MEMBERS, "{\"address\":\"10.1.0.1\",\"port\":81}", NULL);
	edit(w, 200, "PATCH", POOL, "{\"settings\":{\"weights\":\"10.1.0.1=3\"}}", NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.1:80*3 10.1.0.1:81*3 10.1.0.2:80*1");
	edit(w, 200, "PATCH", MEMBERS "/10.1.0.1-80", "{\"weight\":null}", NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.1:80*1 10.1.0.1:81*3 10.1.0.2:80*1");
	setting_in_spec(w, "weights", "10.1.0.1:81=3");
}

#define TWO_PORTS                                                                      \
	"{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"}," \
	"\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"name\":\"http\",\"port\":80,"   \
	"\"nodePort\":30001},{\"name\":\"https\",\"port\":443,\"nodePort\":30002}]}}"
#define TWO_ENDPOINTS                                                                   \
	"{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"," \
	"\"annotations\":{\"parasaus.io/weights\":\"10.1.0.1:80=2,10.1.0.1:443=3\"}},"  \
	"\"subsets\":[{\"ports\":[{\"name\":\"http\",\"port\":80},"                     \
	"{\"name\":\"https\",\"port\":443}],\"addresses\":[{\"ip\":\"10.1.0.1\"},"      \
	"{\"ip\":\"10.1.0.2\"}]}]}"

static void a_member_of_one_of_two_ports_goes_alone(void **state)
{
	struct edit_world *w = *state;

	put(w, "services/web", TWO_PORTS);
	put(w, "endpoints/web", TWO_ENDPOINTS);
	edit(w, 200, "DELETE", MEMBERS "/10.1.0.1-80", NULL, NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.2:80*1");
	pool_is(w, "shop.web.https-tcp", "10.0.0.1:30002 10.1.0.1:443*3 10.1.0.2:443*1");
	edit(w, 201, "POST", MEMBERS, "{\"address\":\"10.1.0.9\",\"port\":80}", NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.2:80*1 10.1.0.9:80*1");
	pool_is(w, "shop.web.https-tcp", "10.0.0.1:30002 10.1.0.1:443*3 10.1.0.2:443*1");
}

static void one_of_two_ports_goes_and_the_last_takes_all_along(void **state)
{
	struct edit_world *w = *state;

	put(w, "services/web", TWO_PORTS);
	put(w, "endpoints/web", TWO_ENDPOINTS);
	edit(w, 200, "DELETE", POOL "?dryRun=all", NULL, NULL);
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	pool_is(w, "shop.web.http-tcp", "none");
	pool_is(w, "shop.web.https-tcp", "10.0.0.1:30002 10.1.0.1:443*3 10.1.0.2:443*1");
	edit(w, 200, "DELETE", "/api/v1/pools/shop.web.https-tcp", NULL, NULL);
	assert_int_equal(store_world_status(&w->store).objects, 0);
	refused(w, 404, "pool-not-found", "", "DELETE", "/api/v1/pools/shop.web.https-tcp", "*",
		NULL);
}

#define SLICE(name, port, address)                                                            \
	"{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{"   \
	"\"name\":\"" name "\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},"         \
	"\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"http\",\"port\":" port "}],"         \
	"\"endpoints\":[{\"addresses\":[\"" address "\"],\"hints\":{\"forZones\":[{\"name\":" \
	"\"z\"}]}}]}"

/* Those of another Service, of a name that this one's begins with, are left alone. */
static void members_of_slices_are_edited_where_they_stand(void **state)
{
	struct edit_world *w = *state;

	put(w, "services/web",
	    "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"},\"spec\":"
	    "{\"type\":\"NodePort\",\"ports\":[{\"name\":\"http\",\"port\":80,\"nodePort\":30001}"
	    "]}}");
	put(w, "endpointslices/web-a", SLICE("web-a", "8080", "10.1.0.1"));
	put(w, "endpointslices/web-b", SLICE("web-b", "8081", "10.1.0.2"));
	put(w, "endpointslices/web2-a",
	    "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{"
	    "\"name\":\"web2-a\",\"labels\":{\"kubernetes.io/service-name\":\"web2\"}},"
	    "\"addressType\":\"IPv4\",\"endpoints\":[]}");
	edit(w, 201, "POST", MEMBERS, "{\"address\":\"10.1.0.3\",\"port\":8081,\"weight\":7}",
	     NULL);
	pool_is(w, "shop.web.http-tcp",
		"10.0.0.1:30001 10.1.0.1:8080*1 10.1.0.2:8081*1 10.1.0.3:8081*7");
	edit(w, 200, "PATCH", MEMBERS "/10.1.0.1-8080", "{\"drain\":true}", NULL);
	edit(w, 200, "DELETE", MEMBERS "/10.1.0.2-8081", NULL, NULL);
	pool_is(w, "shop.web.http-tcp", "10.0.0.1:30001 10.1.0.1:8080*0 10.1.0.3:8081*7");
	refused(w, 422, "validation", "with port 99 alone: write one", "POST", MEMBERS, "*",
		"{\"address\":\"10.1.0.4\",\"port\":99}");
	assert_string_equal(
		store_world_text(&w->store, STORE_SLICE, "web-a"),
		"{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\","
		"\"metadata\":{\"name\":\"web-a\",\"labels\":{"
		"\"kubernetes.io/service-name\":\"web\"},\"namespace\":\"shop\"},"
		"\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"http\",\"port\":8080}],"
		"\"endpoints\":[{\"addresses\":[\"10.1.0.1\"],\"hints\":{\"forZones\":"
		"[{\"name\":\"z\"}]}}]}");
	edit(w, 200, "DELETE", POOL, NULL, NULL);
	assert_int_equal(store_world_status(&w->store).objects, 1);
}

/* By a look at the text where that says it, by reading it where the label's name is there twice. */
static void a_slice_is_its_services_by_its_label_alone(void **state)
{
#define LABEL "\"kubernetes.io/service-name\":"
	static const struct {
		const char *text, *owner; /* NULL: nobody's */
	} cases[] = {
		{ "{\"metadata\":{\"labels\":{" LABEL "\"web\"}}}", "web" },
		{ "metadata: {labels: {kubernetes.io/service-name: web}}", "web" },
		{ "{\"metadata\":{\"annotations\":{" LABEL "\"old\"},\"labels\":{" LABEL
		  "\"web\"}}}",
		  "web" },
		{ "{\"metadata\":{\"annotations\":{\"last\":\"{\\\"kubernetes.io/service-name"
		  "\\\":\\\"old\\\"}\"},\"labels\":{" LABEL "\"web\"}}}",
		  "web" },
		{ "{\"metadata\":{\"labels\":{" LABEL "\"we\\u0062\"}}}", "web" },
		{ "{\"metadata\":{\"labels\":{" LABEL "\"\"}}}", NULL },
		{ "{\"metadata\":{\"labels\":{" LABEL "7}}}", NULL },
		{ "{\"metadata\":{}}", NULL },
		{ "{", NULL },
		{ "", NULL },
	};
	char owner[STORE_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text = cases[i].text;

		assert_int_equal(edit_store_owner(STORE_SLICE, text, strlen(text), owner),
				 cases[i].owner != NULL);
		if (cases[i].owner)
			assert_string_equal(owner, cases[i].owner);
		assert_false(edit_store_owner(STORE_SERVICE, text, strlen(text), owner));
	}
#undef LABEL
}

/* --- other sources ---------------------------------------------------------------------------------------- */

static void a_pool_of_another_source_is_not_edited_here(void **state)
{
	static const char text[] =
		"kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: shop}\nspec: "
		"{type: NodePort, ports: [{name: http, port: 80, nodePort: 30000}]}\n";
	const struct object_origin from = { .path = "a.yaml" };
	struct edit_world *w = *state;
	struct doc_set set;
	struct object *o;
	struct err err;

	assert_int_equal(doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &set, &err), 0);
	assert_int_equal(object_decode(set.roots[0], &from, &o, &err), 0);
	pools_put(w->others, o);
	pools_update(w->others, NULL, NULL);
	doc_set_done(&set);
	refused(w, 409, "not-of-the-store", "directory:/etc/pools: edit it in the files there",
		"GET", SPEC, NULL, NULL);
	refused(w, 409, "not-of-the-store", "directory:/etc/pools", "PATCH", POOL, "*", "{}");
	refused(w, 409, "not-of-the-store", "directory:/etc/pools", "DELETE", POOL, "*", NULL);
	refused(w, 409, "not-of-the-store", "directory:/etc/pools", "POST", MEMBERS, "*",
		"{\"address\":\"10.1.0.1\",\"port\":80}");
	refused(w, 409, "name-exists", "Service shop/web is from directory:/etc/pools", "POST",
		"/api/v1/pools", NULL, WEB);
	refused(w, 409, "vip-port-in-use", "port 30000 is that of Service shop/web", "POST",
		"/api/v1/pools", NULL, "{\"name\":\"a\",\"port\":30000}");
	port_of(w, "{\"name\":\"a\",\"portName\":\"p\"}", "default.a.p-tcp", 30001);
}

/* Of a source that keeps no record of frontends nothing may change on account of address pools. */
static void an_address_pool_that_others_use_does_not_shrink(void **state)
{
	static const char text[] =
		"kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: shop}\nspec: "
		"{type: NodePort, ports: [{name: http, port: 80, nodePort: 20001}]}\n";
	const struct object_origin from = { .path = "a.yaml" };
	struct edit_world *w = *state;
	struct addr_range vip = { addr_v4(0x0a000008), addr_v4(0x0a000008) };
	struct address_pool edge = { .name = (char[]){ "edge" },
				     .addresses = &vip,
				     .address_count = 1,
				     .ports = { 20000, 20009 },
				     .revision = 1,
				     .created = 1 };
	const struct pool_rules *rules = pool_rules_with(&w->rules, "edge", &edge);
	struct edit_answer a;
	struct doc_set set;
	struct object *o;
	struct err err;

	want(w, 201, "POST", "/api/v1/address-pools", NULL,
	     "{\"name\":\"edge\",\"addresses\":[\"10.0.0.8\"],\"ports\":\"20000-20009\"}", NULL);
	pools_set_rules(w->others, rules);
	pool_rules_unref(rules);
	assert_int_equal(doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &set, &err), 0);
	assert_int_equal(object_decode(set.roots[0], &from, &o, &err), 0);
	doc_set_done(&set);
	pools_put(w->others, o);
	pools_update(w->others, NULL, NULL);
	refused(w, 409, "address-pool-in-use", "1 pools of other sources would lose", "PATCH",
		"/api/v1/address-pools/edge", "*", "{\"spec\":{\"ports\":\"20002-20009\"}}");
	refused(w, 409, "address-pool-in-use", "shop/web (10.0.0.8:20001)", "PATCH",
		"/api/v1/address-pools/edge", "*", "{\"spec\":{\"addresses\":[\"10.0.0.9\"]}}");
	refused(w, 409, "address-pool-in-use", "shop/web", "DELETE", "/api/v1/address-pools/edge",
		"*", NULL);
	want(w, 200, "PATCH", "/api/v1/address-pools/edge?dryRun=all", "*",
	     "{\"spec\":{\"ports\":\"20001\"}}", &a);
	assert_string_equal(field(doc_get(a.root, "addressPools")->first, "used"), "1");
	assert_string_equal(field(doc_get(a.root, "addressPools")->first, "free"), "0");
	answer_done(&a);
}

static void a_port_that_is_left_to_an_address_does_not_become_the_pools(void **state)
{
	struct edit_world *w = *state;
	struct edit_answer a;

	put(w, "services/web",
	    "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"},"
	    "\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":30001}]}}");
	put(w, "endpoints/web",
	    "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"},"
	    "\"subsets\":[{\"ports\":[{\"port\":80},{\"name\":\"metrics\",\"port\":9100}],"
	    "\"addresses\":[{\"ip\":\"10.1.0.1\"},{\"ip\":\"10.1.0.2\"}]}]}");
	edit(w, 422, "DELETE", "/api/v1/pools/shop.web.80-tcp/members/10.1.0.1-80", NULL, &a);
	assert_non_null(strstr(buf_cstr(&a.reply.body), "10.1.0.1:9100 would become a member"));
	answer_done(&a);
	pool_is(w, "shop.web.80-tcp", "10.0.0.1:30001 10.1.0.1:80*1 10.1.0.2:80*1");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, edit_world_up, edit_world_down)
	const struct CMUnitTest tests[] = {
		T(a_pool_is_made_of_a_service_and_its_endpoints),
		T(a_name_that_is_taken_is_refused),
		T(without_a_port_the_lowest_free_one_is_given_out),
		T(of_two_at_once_each_has_a_port),
		T(of_two_that_name_a_port_one_has_it),
		T(a_change_says_which_revision_it_means),
		T(of_two_changes_of_one_revision_one_is_made),
		T(every_setting_reaches_the_pool_and_goes_again),
		T(a_port_is_changed_and_all_else_stays),
		T(a_setting_is_changed_where_it_is_said),
		T(what_cannot_be_used_is_refused_with_its_name),
		T(members_come_drain_come_back_and_go),
		T(members_become_those_of_a_list),
		T(a_list_of_members_has_an_end),
		T(a_weight_of_an_address_is_that_of_each_of_its_members),
		T(a_member_of_one_of_two_ports_goes_alone),
		T(a_port_that_is_left_to_an_address_does_not_become_the_pools),
		T(one_of_two_ports_goes_and_the_last_takes_all_along),
		T(members_of_slices_are_edited_where_they_stand),
		cmocka_unit_test(a_slice_is_its_services_by_its_label_alone),
		T(a_pool_of_another_source_is_not_edited_here),
		T(an_address_pool_that_others_use_does_not_shrink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
