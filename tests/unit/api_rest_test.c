/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rest.c, list.c, view.c: from a request to an answer, over the sample snapshot. */
#include "agent/api/rest.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/schema.h"
#include "agent/api/view.h"
#include "agent/base/doc.h"
#include "tests/lib/snapshots.h"

#define NOW INT64_C(1795316400000) /* 2026-11-22T03:00:00Z */

/* An answer, its body read as JSON where it is some. */
struct asked {
	struct rest_reply reply;
	struct doc_set set;
	const struct doc *root;
	char *text;
};

static struct pictures *kept; /* what lists may be gone on with */

static struct asked ask_as(const struct rest_request *r, struct snapshot *s)
{
	struct rest_request request = *r;
	struct asked a = { 0 };
	struct err err;

	request.names.node = "node-1";
	rest_answer(&request, &(struct rest_state){ .snapshot = s, .pictures = kept }, &a.reply);
	if (a.reply.stream)
		while (list_stream_read(a.reply.stream, &a.reply.body, 1))
			;
	a.text = strdup(buf_cstr(&a.reply.body));
	if (strstr(a.reply.type, "+json") || strcmp(a.reply.type, REST_JSON) == 0) {
		assert_int_equal(doc_read_json(a.reply.body.data, a.reply.body.len,
					       &DOC_LIMITS_DEFAULT, &a.set, &err),
				 0);
		a.root = a.set.roots[0];
	}
	return a;
}

static struct asked ask(void **state, const char *target)
{
	return ask_as(&(struct rest_request){ .method = "GET", .target = target }, *state);
}

static void asked_done(struct asked *a)
{
	rest_reply_done(&a->reply);
	doc_set_done(&a->set);
	free(a->text);
}

static const char *text_of(const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	return v && v->text ? v->text : v && v->type == DOC_NULL ? "null" : "(none)";
}

/* The ids of a list, or what else names its items. */
static const char *names(const struct asked *a, const char *key, char out[static 512])
{
	const struct doc *items = doc_get(a->root, REST_ITEMS);

	out[0] = '\0';
	for (const struct doc *i = items ? items->first : NULL; i; i = i->next)
		snprintf(out + strlen(out), 512 - strlen(out), "%s%s", *out ? " " : "",
			 text_of(i, key));
	return out;
}

/* --- errors ------------------------------------------------------------------------ */

static void bad_requests_are_told_what_is_wrong(void **state)
{
	static const struct {
		struct rest_request r;
		unsigned status;
		const char *code;
		const char *says;
	} cases[] = {
		{ { .method = "GET", .target = "/nothing" }, 404, "not-found", "no such path" },
		{ { .method = "GET", .target = "/api/v1/pools/" },
		  404,
		  "pool-not-found",
		  "no pool has the id ''" },
		{ { .method = "GET", .target = "/api/v1/pools/x" },
		  404,
		  "pool-not-found",
		  "the id 'x'" },
		{ { .method = "GET", .target = "/api/v1/pools/x/members" },
		  404,
		  "pool-not-found",
		  "the id 'x'" },
		{ { .method = "GET", .target = "/api/v1/pools/x/members/y" },
		  404,
		  "pool-not-found",
		  "the id 'x'" },
		{ { .method = "GET", .target = "/api/v1/pools/shop.web.http-tcp/members/y" },
		  404,
		  "member-not-found",
		  "no member 'y'" },
		{ { .method = "GET", .target = "/api/v1/pools/x/members/y/z" },
		  404,
		  "not-found",
		  "no such path" },
		{ { .method = "GET", .target = "/api/v1" }, 404, "not-found", "no such path" },
		{ { .method = "GET", .target = "/healthz/" }, 404, "not-found", "no such path" },
		{ { .method = "POST", .target = "/api/v1/pools" },
		  405,
		  "method-not-allowed",
		  "does not take" },
		{ { .method = "get", .target = "/api/v1/pools" },
		  405,
		  "method-not-allowed",
		  "does not take" },
		{ { .method = "DELETE", .target = "/healthz" },
		  405,
		  "method-not-allowed",
		  "does not take" },
		{ { .method = "POST", .target = "/nothing" }, 404, "not-found", "no such path" },
		{ { .method = "GET", .target = "/api/v1/pools", .accept = "text/html" },
		  406,
		  "not-acceptable",
		  "x-ndjson" },
		{ { .method = "GET", .target = "/api/v1/status", .accept = "application/x-ndjson" },
		  406,
		  "not-acceptable",
		  "application/json" },
		{ { .method = "GET", .target = "/metrics", .accept = "text/html" },
		  406,
		  "not-acceptable",
		  "text/plain" },
		{ { .method = "GET", .target = "/metrics?q=1" }, 400, "bad-parameter", "'q'" },
		{ { .method = "GET", .target = "/api/v1/pools", .accept = "application/json;q=0" },
		  406,
		  "not-acceptable",
		  "x-ndjson" },
		{ { .method = "GET", .target = "/api/v1/pools?colour=red" },
		  400,
		  "bad-parameter",
		  "unknown query parameter 'colour'" },
		{ { .method = "GET", .target = "/api/v1/status?q=1" },
		  400,
		  "bad-parameter",
		  "unknown query parameter 'q'" },
		{ { .method = "GET", .target = "/api/v1/targets?health=up" },
		  400,
		  "bad-parameter",
		  "unknown query parameter 'health'" },
		{ { .method = "GET", .target = "/api/v1/pools?limit=0" },
		  400,
		  "bad-parameter",
		  "from 1 to 1000" },
		{ { .method = "GET", .target = "/api/v1/pools?limit=1001" },
		  400,
		  "bad-parameter",
		  "from 1 to 1000" },
		{ { .method = "GET", .target = "/api/v1/pools?offset=-1" },
		  400,
		  "bad-parameter",
		  "'-1' is not" },
		{ { .method = "GET", .target = "/api/v1/pools?health=up,good" },
		  400,
		  "bad-parameter",
		  "'good' is none of up, degraded, down, unmonitored" },
		{ { .method = "GET", .target = "/api/v1/pools?health=,up" },
		  400,
		  "bad-parameter",
		  "'' is none of" },
		{ { .method = "GET", .target = "/api/v1/pools?sort=colour" },
		  400,
		  "bad-parameter",
		  "'colour' is none of id, namespace, service, vip" },
		{ { .method = "GET", .target = "/api/v1/pools?sort=" },
		  400,
		  "bad-parameter",
		  "'' is none of id" },
		{ { .method = "GET", .target = "/api/v1/pools?sort=id,-" },
		  400,
		  "bad-parameter",
		  "'' is none of id" },
		{ { .method = "GET", .target = "/api/v1/pools?sort=id,id,id,id" },
		  400,
		  "bad-parameter",
		  "more than 3 fields" },
		{ { .method = "GET", .target = "/api/v1/targets?sort=vip" },
		  400,
		  "bad-parameter",
		  "'vip' is none of address" },
		{ { .method = "GET", .target = "/api/v1/members?reason=tired" },
		  400,
		  "bad-parameter",
		  "'tired' is none of unhealthy, terminating" },
		{ { .method = "GET", .target = "/api/v1/status?snapshot=1-1" },
		  400,
		  "bad-parameter",
		  "'snapshot'" },
		{ { .method = "GET", .target = "/api/v1/pools?snapshot=1-1" },
		  410,
		  "snapshot-expired",
		  "anew" },
		{ { .method = "GET", .target = "/api/v1/pools?a=%zz" },
		  400,
		  "bad-request",
		  "hexadecimal" },
		{ { .method = "GET", .target = "/healthz", .header_bytes = 16385 },
		  431,
		  "headers-too-large",
		  "" },
		{ { .method = "GET", .target = "/healthz", .has_body = true },
		  400,
		  "body-refused",
		  "no body" },
		{ { .method = "GET", .target = "/healthz", .ambiguous = true },
		  400,
		  "bad-request",
		  "malformed" },
		{ { .method = "GET",
		    .target = "/healthz",
		    .over_tcp = true,
		    .host = "evil.example" },
		  421,
		  "wrong-host",
		  "" },
		{ { .method = "GET", .target = "/healthz", .over_tcp = true },
		  421,
		  "wrong-host",
		  "" },
		{ { .method = "GET",
		    .target = "/healthz",
		    .over_tcp = true,
		    .host = "127.0.0.1.evil.example" },
		  421,
		  "wrong-host",
		  "" },
		{ { .method = "GET",
		    .target = "/healthz",
		    .over_tcp = true,
		    .host = "localhost:80x" },
		  421,
		  "wrong-host",
		  "" },
		{ { .method = "GET", .target = "/", .over_tcp = true, .host = "128.0.0.1" },
		  421,
		  "wrong-host",
		  "" },
		{ { .method = "GET",
		    .target = "/",
		    .over_tcp = true,
		    .host = "node-1.evil.example" },
		  421,
		  "wrong-host",
		  "" },
		{ { .method = "POST", .target = "/api/v1/pools", .fetch_site = "cross-site" },
		  403,
		  "cross-site",
		  "another site" },
		{ { .method = "DELETE", .target = "/page/main.js", .fetch_site = "same-site" },
		  403,
		  "cross-site",
		  "" },
		{ { .method = "PUT", .target = "/", .origin = "null" }, 403, "cross-site", "" },
		{ { .method = "PUT", .target = "/", .origin = "http://evil.example" },
		  403,
		  "cross-site",
		  "" },
		/* Ours, or no browser: refused for what they ask alone. */
		{ { .method = "PUT", .target = "/", .origin = "http://node-1:9090" },
		  405,
		  "method-not-allowed",
		  "" },
		{ { .method = "PUT", .target = "/", .fetch_site = "same-origin" },
		  405,
		  "method-not-allowed",
		  "" },
		{ { .method = "POST", .target = "/page/main.js" }, 405, "method-not-allowed", "" },
		{ { .method = "GET", .target = "/page/nothing.js" }, 404, "not-found", "" },
		{ { .method = "GET", .target = "/page/" }, 404, "not-found", "" },
		{ { .method = "GET", .target = "/page/vendor" }, 404, "not-found", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a = ask_as(&cases[i].r, *state);
		char status[8];

		snprintf(status, sizeof(status), "%u", cases[i].status);
		assert_int_equal(a.reply.status, cases[i].status);
		assert_string_equal(a.reply.type, "application/problem+json");
		assert_string_equal(text_of(a.root, "code"), cases[i].code);
		assert_string_equal(text_of(a.root, "status"), status);
		assert_string_equal(text_of(a.root, "type"), "about:blank");
		assert_non_null(strstr(text_of(a.root, "detail"), cases[i].says));
		assert_int_equal(a.reply.allow, cases[i].status == 405);
		asked_done(&a);
	}
}

static void a_target_without_end_is_refused_without_repeating_it(void **state)
{
	char target[5000];
	struct asked a;

	memset(target, 'a', sizeof(target) - 1);
	target[0] = '/';
	target[sizeof(target) - 1] = '\0';
	a = ask(state, target);
	assert_int_equal(a.reply.status, 414);
	assert_true(a.reply.close);
	assert_true(a.reply.body.len < 400);
	asked_done(&a);
}

static void loopback_and_node_names_are_answered(void **state)
{
	static const char *const hosts[] = { "localhost",      "LOCALHOST:9443", "127.0.0.1",
					     "127.0.0.1:9443", "[::1]:9443",	 "127.8.9.10",
					     "node-1",	       "NODE-1:9090" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct asked a = ask_as(&(struct rest_request){ .method = "GET",
								.target = "/healthz",
								.over_tcp = true,
								.host = hosts[i] },
					*state);

		assert_int_equal(a.reply.status, 200);
		asked_done(&a);
	}
}

/* --- readiness --------------------------------------------------------------------- */

static void ready_is_a_table_written_and_every_source_read_once(void **state)
{
	struct snapshot *s = *state;
	struct asked a = ask_as(&(struct rest_request){ .method = "GET", .target = "/readyz" },
				NULL);

	assert_int_equal(a.reply.status, 503);
	assert_true(a.reply.retry);
	assert_string_equal(text_of(a.root, "detail"), "the agent is starting");
	asked_done(&a);

	a = ask(state, "/readyz"); /* one source cannot be read any more, but was */
	assert_int_equal(a.reply.status, 200);
	assert_string_equal(a.text, "ok\n");
	asked_done(&a);

	s->sources[1].delivered = false;
	a = ask(state, "/readyz");
	assert_int_equal(a.reply.status, 503);
	assert_non_null(strstr(text_of(a.root, "detail"), "source"));
	asked_done(&a);
	s->sources[1].delivered = true;

	s->ready = false;
	a = ask(state, "/readyz");
	assert_int_equal(a.reply.status, 503);
	assert_non_null(strstr(text_of(a.root, "detail"), "table"));
	asked_done(&a);
	s->ready = true;
}

static void an_agent_that_starts_is_healthy_and_says_that_it_has_nothing_yet(void **state)
{
	struct asked a = ask_as(&(struct rest_request){ .method = "GET", .target = "/healthz" },
				NULL);

	(void)state;
	assert_int_equal(a.reply.status, 200);
	asked_done(&a);
	a = ask_as(&(struct rest_request){ .method = "GET", .target = "/api/v1/status" }, NULL);
	assert_int_equal(a.reply.status, 503);
	assert_string_equal(text_of(a.root, "code"), "not-ready");
	asked_done(&a);
}

/* --- lists ------------------------------------------------------------------------- */

static void lists_are_filtered_and_cut_into_pages(void **state)
{
#define ORIGIN "parasaus.snake-demo-svc4.dcmp-svc4-tcp"
	static const struct {
		const char *target, *key, *names, *total;
	} cases[] = {
		{ "pools", "service", "orders dns snake-demo-svc4 web web empty", "6" },
		{ "pools?limit=2", "service", "orders dns", "6" },
		{ "pools?limit=2&offset=1", "service", "dns snake-demo-svc4", "6" },
		{ "pools?offset=5", "service", "empty", "6" },
		{ "pools?offset=6", "service", "", "6" },
		{ "pools?offset=4294967295", "service", "", "6" },
		{ "pools?q=SNAKE", "id", ORIGIN, "1" },
		{ "pools?q=10.0.0.1:40796", "id", ORIGIN, "1" },
		{ "pools?q=nowhere", "id", "", "0" },
		{ "pools?health=up", "id", "db.orders.mysql-tcp", "1" },
		{ "pools?health=down", "service", "web empty", "2" },
		{ "pools?health=unmonitored,degraded", "service", "dns snake-demo-svc4 web", "3" },
		{ "pools?namespace=shop,team", "service", "web web empty", "3" },
		{ "pools?namespace=sho", "service", "", "0" },
		{ "pools?namespace=,team", "service", "empty", "1" },
		{ "pools?namespace=,,team,", "service", "empty", "1" },
		{ "pools?vip=,", "port", "", "0" },
		{ "pools?q=Member:10.100.4.1", "service", "orders", "1" },
		{ "pools?q=member:10.100.4.1:3306", "service", "orders", "1" },
		{ "pools?q=member:10.100.4.1:80", "service", "", "0" },
		{ "pools?q=member:10.100.4", "service", "orders", "1" },
		{ "pools?q=member:10.0.0.1", "service", "", "0" }, /* a frontend, and no part */
		{ "pools?q=member:[2001:db8::2]:8443", "port", "https", "1" },
		{ "pools?vip=2001:db8:1::1", "port", "https", "1" },
		{ "pools?vip=10.0.0.1:40080,10.0.0.1:40081", "port", "http 80", "2" },
		{ "pools?vip=10.0.0", "port", "", "0" },
		{ "pools?protocol=udp", "service", "dns", "1" },
		{ "pools?check=tcp,none", "port", "dns https 80", "3" },
		{ "pools?source=directory:/srv/team/pools", "service", "empty", "1" },
		{ "pools?sort=-id&limit=2", "port", "80 https", "6" },
		{ "pools?sort=health,-id", "port", "80 https http dcmp-svc4 dns mysql", "6" },
		{ "pools?sort=-members&limit=2&offset=1", "port", "mysql dns", "6" },
		{ "pools?sort=vip&limit=2", "port", "dns http", "6" },
		{ "pools?sort=-vip&limit=1", "port", "https", "6" },
		{ "pools?sort=-draining,-down&limit=2", "port", "http https", "6" },
		{ "pools?sort=namespace&namespace=shop&offset=1", "port", "https", "2" },
		{ "members?sort=state&limit=2", "id", "10.100.4.3-3306 10.100.1.77-30253", "15" },
		{ "members?sort=-address&limit=1", "id", "2001:db8::2-8443", "15" },
		{ "members?reason=standby,saturated", "id", "10.100.4.1-3306 10.100.4.2-3306",
		  "2" },
		{ "members?vip=10.0.0.1:30053", "id", "10.100.2.1-53 10.100.2.2-53", "2" },
		{ "members?q=member:10.100.2.2", "id", "10.100.2.2-53", "1" },
		{ "pools/shop.web.http-tcp/members?sort=-weight,address&limit=1", "id",
		  "10.100.3.1-80", "6" },
		{ "targets?sort=-failed,address&limit=2", "address", "10.100.1.77 10.100.3.6",
		  "13" },
		{ "problems?sort=-severity&limit=1", "line", "12", "4" },
		{ "pools?namespace=shop&service=web&q=https", "port", "https", "1" },
		{ "members?limit=3", "id", "10.100.4.1-3306 10.100.4.2-3306 10.100.4.3-3306",
		  "15" },
		{ "members?state=down", "id",
		  "10.100.4.3-3306 10.100.1.77-30253 10.100.3.6-80 2001:db8::1-8443 "
		  "2001:db8::2-8443",
		  "5" },
		{ "members?pool=" ORIGIN, "id", "10.100.1.53-8090 10.100.1.77-30253", "2" },
		{ "members?namespace=default", "id", "10.100.2.1-53 10.100.2.2-53", "2" },
		{ "pools/" ORIGIN "/members", "id", "10.100.1.53-8090 10.100.1.77-30253", "2" },
		{ "pools/" ORIGIN "/members?q=30253", "id", "10.100.1.77-30253", "1" },
		{ "pools/team.empty.80-tcp/members", "id", "", "0" },
		{ "targets?limit=2", "address", "10.100.1.53 10.100.1.77", "13" },
		{ "targets?type=tcp", "address", "2001:db8::1 2001:db8::2", "2" },
		{ "targets?type=mysql", "secret", "db/check db/check db/check", "3" },
		{ "targets?type=mysql", "role", "writer writer writer", "3" },
		{ "targets?state=unknown", "address", "10.100.3.5", "1" },
		{ "members?state=unknown", "id", "10.100.2.1-53 10.100.2.2-53 10.100.3.5-80", "3" },
		{ "targets?q=[2001:db8::2]:8443", "address", "2001:db8::2", "1" },
		{ "problems", "severity", "error error warning error", "4" },
		{ "problems?severity=warning", "line", "12", "1" },
		{ "problems?severity=warning", "where", "/etc/parasaus/pools/snake.yaml", "1" },
		{ "problems?pool=shop.web.https-tcp", "where", "kernel", "1" },
		{ "problems?q=mapping", "where", "/etc/parasaus/pools/api.yaml:3", "1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char target[256], found[512];
		struct asked a;

		snprintf(target, sizeof(target), "/api/v1/%s", cases[i].target);
		a = ask(state, target);
		assert_int_equal(a.reply.status, 200);
		assert_string_equal(names(&a, cases[i].key, found), cases[i].names);
		assert_string_equal(text_of(a.root, "total"), cases[i].total);
		asked_done(&a);
	}
}

static void a_source_whose_path_has_a_comma_is_found(void **state)
{
	static const struct {
		const char *source, *names;
	} cases[] = {
		{ "directory:/srv/a,b", "empty" },
		{ "kubernetes:elsewhere,directory:/srv/a,b,directory:/none", "empty" },
		{ "directory:/srv/a", "" },
		{ "b", "" },
		{ "directory:/srv/a,", "" },
	};
	struct snapshot *s = *state;
	char *was = s->sources[1].where;
	char path[] = "/srv/a,b";

	s->sources[1].where = path;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char target[256], found[512];
		struct asked a;

		snprintf(target, sizeof(target), "/api/v1/pools?source=%s", cases[i].source);
		a = ask(state, target);
		assert_string_equal(names(&a, "service", found), cases[i].names);
		asked_done(&a);
	}
	s->sources[1].where = was;
}

/* Those of a store, here two of the sample, tell who changed them last, and when. */
static void pools_are_found_and_sorted_by_their_last_change(void **state)
{
	static struct object_change changes[] = {
		{ 12, NOW, (char *)(uintptr_t) "unix:alice", (char *)(uintptr_t) "update" },
		{ 9, NOW - 1000, (char *)(uintptr_t) "unix:bob", (char *)(uintptr_t) "create" },
	};
	struct snapshot *s = *state;
	char found[512];
	struct asked a;

	s->pools[1]->pool->change = &changes[0];
	s->pools[3]->pool->change = &changes[1];
	a = ask(state, "/api/v1/pools?sort=-lastOperationTime&limit=2");
	assert_string_equal(names(&a, "lastOperator", found), "unix:alice unix:bob");
	assert_string_equal(names(&a, "revision", found), "12 9");
	assert_string_equal(names(&a, "lastAction", found), "update create");
	assert_string_equal(names(&a, "lastOperationTime", found),
			    "2026-11-22T03:00:00.000Z 2026-11-22T02:59:59.000Z");
	asked_done(&a);
	a = ask(state, "/api/v1/pools?q=ALICE");
	assert_string_equal(names(&a, "id", found), "default.dns.dns-udp");
	asked_done(&a);
	a = ask(state, "/api/v1/pools/default.dns.dns-udp");
	assert_string_equal(a.reply.etag, "\"r12\"");
	asked_done(&a);
	s->pools[1]->pool->change = s->pools[3]->pool->change = NULL;
	a = ask(state, "/api/v1/pools/default.dns.dns-udp");
	assert_string_equal(a.reply.etag, "");
	assert_string_equal(text_of(a.root, "revision"), "null");
	assert_string_equal(text_of(a.root, "lastOperationTime"), "null");
	asked_done(&a);
}

static void a_page_says_where_it_is_and_of_which_picture(void **state)
{
	struct asked a = ask(state, "/api/v1/pools?limit=2&offset=1"), b;

	assert_string_equal(text_of(a.root, "offset"), "1");
	assert_string_equal(text_of(a.root, "limit"), "2");
	b = ask(state, "/api/v1/members");
	assert_string_equal(text_of(a.root, "snapshot"), text_of(b.root, "snapshot"));
	assert_string_equal(text_of(b.root, "limit"), "100");
	asked_done(&a);
	asked_done(&b);
}

static void a_page_names_the_next_one(void **state)
{
	static const struct {
		const char *target, *next; /* but for the snapshot */
	} cases[] = {
		{ "/api/v1/pools", "" },
		{ "/api/v1/pools?limit=6", "" },
		{ "/api/v1/pools?limit=5", "</api/v1/pools?limit=5&offset=5&snapshot=" },
		{ "/api/v1/pools?limit=2&offset=4", "" },
		{ "/api/v1/pools?offset=1&limit=2&sort=-health,id",
		  "</api/v1/pools?limit=2&sort=-health,id&offset=3&snapshot=" },
		{ "/api/v1/pools?limit=1&q=%31+0.%3E%22%C3%A9", "" },
		{ "/api/v1/members?limit=1&q=1%30.&namespace=shop%2Cdb",
		  "</api/v1/members?limit=1&q=10.&namespace=shop,db&offset=1&snapshot=" },
		{ "http://x/api/v1/pools/shop%2Eweb.http-tcp/members?limit=1",
		  "</api/v1/pools/shop.web.http-tcp/members?limit=1&offset=1&snapshot=" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a = ask(state, cases[i].target);
		char link[512] = "";

		if (*cases[i].next)
			snprintf(link, sizeof(link), "%s%s>; rel=\"next\"", cases[i].next,
				 text_of(a.root, "snapshot"));
		assert_string_equal(buf_cstr(&a.reply.link), link);
		asked_done(&a);
	}
}

static void a_stream_gives_every_item_a_line(void **state)
{
	static const struct {
		const char *target;
		unsigned lines;
	} cases[] = { { "/api/v1/members", 15 },
		      { "/api/v1/members?limit=3", 3 },
		      { "/api/v1/members?offset=10", 5 },
		      { "/api/v1/members?state=down", 5 },
		      { "/api/v1/pools?limit=100000", 6 },
		      { "/api/v1/targets", 13 },
		      { "/api/v1/problems", 4 },
		      { "/api/v1/pools?q=nowhere", 0 },
		      { "/api/v1/members?sort=-since", 15 },
		      { "/api/v1/members?sort=-since&offset=14", 1 },
		      { "/api/v1/members?sort=-since&offset=3&limit=4", 4 },
		      { "/api/v1/members?sort=since&offset=99", 0 },
		      { "/api/v1/pools/shop.web.http-tcp/members", 6 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a = ask_as(&(struct rest_request){ .method = "GET",
								.target = cases[i].target,
								.accept = REST_NDJSON },
					*state);
		unsigned lines = 0;

		assert_string_equal(a.reply.type, REST_NDJSON);
		for (char *line = strtok(a.text, "\n"); line; line = strtok(NULL, "\n")) {
			struct doc_set set;
			struct err err;

			assert_int_equal(
				doc_read_json(line, strlen(line), &DOC_LIMITS_DEFAULT, &set, &err),
				0);
			doc_set_done(&set);
			lines++;
		}
		assert_int_equal(lines, cases[i].lines);
		asked_done(&a);
	}
}

static void the_client_chooses_the_format(void **state)
{
	static const struct {
		const char *accept, *type;
	} cases[] = {
		{ NULL, REST_JSON },
		{ "*/*", REST_JSON },
		{ "application/*", REST_JSON },
		{ "Application/JSON", REST_JSON },
		{ "application/x-ndjson", REST_NDJSON },
		{ "application/x-ndjson, application/json;q=0.1", REST_NDJSON },
		{ "application/x-ndjson;q=0.5, application/json", REST_JSON },
		{ "text/html, */*;q=0.1", REST_JSON },
		{ "application/json;q=0, */*", REST_NDJSON },
		{ "application/json; charset=utf-8; q=0.2,application/x-ndjson;q=0.3",
		  REST_NDJSON },
		{ ",, application/json", REST_JSON },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a = ask_as(&(struct rest_request){ .method = "GET",
								.target = "/api/v1/pools",
								.accept = cases[i].accept },
					*state);

		assert_string_equal(a.reply.type, cases[i].type);
		asked_done(&a);
	}
}

/* --- other questions ---------------------------------------------------------------- */

static void counts_are_those_of_the_lists(void **state)
{
	static const struct {
		const char *path[3], *list;
	} cases[] = {
		{ { "pools", "total" }, "pools" },
		{ { "pools", "health", "down" }, "pools?health=down" },
		{ { "pools", "health", "degraded" }, "pools?health=degraded" },
		{ { "pools", "protocol", "udp" }, "pools?protocol=udp" },
		{ { "pools", "check", "http" }, "pools?check=http" },
		{ { "members", "total" }, "members" },
		{ { "members", "draining" }, "members?reason=terminating,removed" },
		{ { "members", "reasons", "unhealthy" }, "members?reason=unhealthy" },
		{ { "targets", "state", "down" }, "targets?state=down" },
		{ { "targets", "type", "mysql" }, "targets?type=mysql" },
		{ { "problems", "total" }, "problems" },
		{ { "problems", "severity", "warning" }, "problems?severity=warning" },
	};
	struct asked counts = ask(state, "/api/v1/counts");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct doc *d = counts.root;
		char target[64];
		struct asked list;

		snprintf(target, sizeof(target), "/api/v1/%s&limit=1", cases[i].list);
		if (!strchr(cases[i].list, '?'))
			*strchr(target, '&') = '?';
		list = ask(state, target);
		for (unsigned k = 0; k < 2 && cases[i].path[k + 1]; k++)
			d = doc_get(d, cases[i].path[k]);
		assert_string_equal(text_of(d, cases[i].path[cases[i].path[2] ? 2 : 1]),
				    text_of(list.root, "total"));
		asked_done(&list);
	}
	assert_non_null(strstr(counts.text, "{\"name\":\"shop\",\"total\":2}"));
	assert_non_null(strstr(counts.text, "\"namespaces\":5"));
	assert_non_null(
		strstr(counts.text, "{\"name\":\"directory:/srv/team/pools\",\"total\":1}"));
	asked_done(&counts);
}

/* What both tell is the same, by whichever of the two one asks. */
static void a_mass_failure_is_in_the_status(void **state)
{
	struct snapshot *s = *state;
	const struct mass_view before = s->mass;
	const struct doc *mass;
	struct asked a;

	s->mass = (struct mass_view){ 0 };
	a = ask(state, "/api/v1/status");
	assert_string_equal(text_of(a.root, "massFailure"), "null");
	assert_string_equal(text_of(doc_get(a.root, "notrack"), "ipv4"), "all");
	assert_string_equal(text_of(doc_get(a.root, "notrack"), "ipv6"), "off");
	asked_done(&a);
	s->mass = (struct mass_view){ .doubt = true,
				      .since_ms = 1700000000000,
				      .targets = 900,
				      .fallen = 300,
				      .waiting = 12 };
	a = ask(state, "/api/v1/status");
	mass = doc_get(a.root, "massFailure");
	assert_string_equal(text_of(mass, "mode"), "doubt");
	assert_string_equal(text_of(mass, "since"), "2023-11-14T22:13:20.000Z");
	assert_string_equal(text_of(mass, "targets"), "900");
	assert_string_equal(text_of(mass, "fallen"), "300");
	assert_string_equal(text_of(mass, "waiting"), "12");
	asked_done(&a);
	s->mass.freeze = true;
	a = ask(state, "/api/v1/status");
	assert_string_equal(text_of(doc_get(a.root, "massFailure"), "mode"), "freeze");
	asked_done(&a);
	s->mass = before;
}

static void a_node_tells_what_the_status_does(void **state)
{
	static const char *const both[] = { "version", "startedAt",  "ready",
					    "synced",  "generation", "appliedGeneration",
					    "pools",   "members",    "problems" };
	struct asked status = ask(state, "/api/v1/status"), a = ask(state, "/api/v1/nodes");
	const struct doc *items = doc_get(a.root, "items"), *node = items->first;

	assert_int_equal(a.reply.status, 200);
	assert_string_equal(text_of(a.root, "total"), "1");
	assert_int_equal(items->count, 1);
	assert_string_equal(text_of(node, "name"), text_of(status.root, "node"));
	assert_string_equal(text_of(node, "self"), "true");
	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		assert_string_equal(text_of(node, both[i]), text_of(status.root, both[i]));
	asked_done(&a);
	asked_done(&status);
}

static void a_node_tells_what_its_kernel_has_and_that_it_is_not_ready(void **state)
{
	struct snapshot *s = snapshot_large(1, 1);
	struct rest_request r = { .method = "GET", .target = "/api/v1/nodes" };
	const struct doc *node;
	struct asked a;

	(void)state;
	s->ready = s->synced = false;
	s->generation = 9;
	s->applied_generation = 8;
	s->kernel = (struct kernel_view){ .services = 31, .dests = 407 };
	a = ask_as(&r, s);
	node = doc_get(a.root, "items")->first;
	assert_string_equal(text_of(node, "ready"), "false");
	assert_string_equal(text_of(node, "synced"), "false");
	assert_string_equal(text_of(node, "generation"), "9");
	assert_string_equal(text_of(node, "appliedGeneration"), "8");
	assert_string_equal(text_of(node, "services"), "31");
	assert_string_equal(text_of(node, "destinations"), "407");
	asked_done(&a);
	snapshot_unref(s);
	a = ask_as(&r, NULL);
	assert_int_equal(a.reply.status, 503);
	asked_done(&a);
}

static void a_frontend_is_as_it_is_wanted_of_the_kernel(void **state)
{
	struct asked a = ask(state, "/api/v1/ipvs?vip=10.0.0.1:40080");
	const struct doc *f = doc_get(a.root, "items")->first, *d;

	assert_string_equal(text_of(a.root, "total"), "1");
	assert_string_equal(text_of(f, "frontend"), "10.0.0.1:40080/tcp");
	assert_string_equal(text_of(f, "pool"), "shop.web.http-tcp");
	assert_string_equal(text_of(f, "applied"), "true");
	assert_string_equal(text_of(f, "problem"), "null");
	/* Of its six members, one is out of the table. */
	assert_string_equal(text_of(f, "destinationCount"), "5");
	d = doc_get(f, "destinations")->first;
	assert_string_equal(text_of(d, "address"), "10.100.3.1");
	assert_string_equal(text_of(d, "port"), "80");
	assert_string_equal(text_of(d, "weight"), "1");
	assert_string_equal(text_of(d, "draining"), "false");
	d = d->next;
	assert_string_equal(text_of(d, "weight"), "0");
	assert_string_equal(text_of(d, "state"), "up");
	assert_string_equal(text_of(d, "draining"), "true");
	asked_done(&a);
	a = ask(state, "/api/v1/ipvs?q=https");
	f = doc_get(a.root, "items")->first;
	assert_string_equal(text_of(a.root, "total"), "1");
	assert_string_equal(text_of(f, "applied"), "false");
	assert_non_null(strstr(text_of(f, "problem"), "Address family not supported"));
	asked_done(&a);
	a = ask(state, "/api/v1/ipvs?protocol=udp");
	assert_string_equal(text_of(a.root, "total"), "1");
	assert_string_equal(text_of(doc_get(a.root, "items")->first, "frontend"),
			    "10.0.0.1:30053/udp");
	asked_done(&a);
	a = ask(state, "/api/v1/ipvs?sort=-vipPort&limit=1&vip=10.0.0.1");
	assert_string_equal(text_of(a.root, "total"), "5");
	assert_string_equal(text_of(doc_get(a.root, "items")->first, "frontend"),
			    "10.0.0.1:43306/tcp");
	asked_done(&a);
}

/* The first frontend of a large snapshot, as JSON. */
static struct asked ask_first_frontend(struct snapshot *s)
{
	return ask_as(&(struct rest_request){ .method = "GET", .target = "/api/v1/ipvs?limit=1" },
		      s);
}

static void flags_of_a_frontend_are_in_the_words_of_ipvsadm(void **state)
{
	static const struct {
		const char *scheduler;
		uint32_t flags, persistence_s;
		bool one_packet;
		uint8_t protocol;
		const char *want;
	} cases[] = {
		{ "wrr", 0, 0, false, IPPROTO_TCP, "\"flags\":[]" },
		{ "mh", 0, 0, false, IPPROTO_TCP, "\"flags\":[\"mh-fallback\"]" },
		{ "mh", 0x10, 0, false, IPPROTO_TCP, "\"flags\":[\"mh-fallback\",\"mh-port\"]" },
		{ "sh", 0x10, 0, false, IPPROTO_TCP, "\"flags\":[\"sh-port\"]" },
		{ "sh", 0x8, 0, false, IPPROTO_TCP, "\"flags\":[\"sh-fallback\"]" },
		{ "rr", 0, 60, true, IPPROTO_TCP, "\"flags\":[\"persistent\"]" },
		{ "rr", 0, 0, true, IPPROTO_UDP, "\"flags\":[\"ops\"]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct snapshot *s = snapshot_large(1, 1);
		struct pool *p = s->pools[0]->pool;
		struct asked a;

		snprintf(p->set.scheduler, sizeof(p->set.scheduler), "%s", cases[i].scheduler);
		p->set.scheduler_flags = cases[i].flags;
		p->set.one_packet = cases[i].one_packet;
		p->persistence_s = cases[i].persistence_s;
		p->protocol = cases[i].protocol;
		a = ask_first_frontend(s);
		if (!strstr(a.text, cases[i].want))
			fail_msg("%s is not in %s", cases[i].want, a.text);
		asked_done(&a);
		snapshot_unref(s);
	}
}

static void a_frontend_is_applied_once_the_kernel_has_its_generation(void **state)
{
	struct snapshot *s = snapshot_large(1, 300);
	const struct doc *f;
	struct asked a;

	(void)state;
	s->applied_generation = s->pools[0]->generation - 1;
	a = ask_first_frontend(s);
	f = doc_get(a.root, "items")->first;
	assert_string_equal(text_of(f, "applied"), "false");
	assert_string_equal(text_of(f, "destinationCount"), "300");
	assert_int_equal(doc_get(f, "destinations")->count, VIEW_DESTINATIONS_MAX);
	asked_done(&a);
	s->applied_generation++;
	a = ask_first_frontend(s);
	assert_string_equal(text_of(doc_get(a.root, "items")->first, "applied"), "true");
	asked_done(&a);
	snapshot_unref(s);
}

static void address_pools_tell_what_is_given_out(void **state)
{
	struct asked a = ask(state, "/api/v1/address-pools");
	const struct doc *items = doc_get(a.root, "items"), *p = items->first;

	assert_int_equal(a.reply.status, 200);
	assert_string_equal(text_of(a.root, "total"), "2");
	assert_string_equal(text_of(p, "name"), "main");
	assert_string_equal(doc_string(doc_get(p, "addresses")->first), "10.0.0.1-10.0.0.9");
	assert_string_equal(doc_string(doc_get(p, "addresses")->first->next), "10.0.1.0/24");
	assert_string_equal(text_of(p, "ports"), "30000-64999");
	assert_string_equal(text_of(p, "vip"), "10.0.0.1");
	assert_string_equal(text_of(p, "size"), "35000");
	assert_string_equal(text_of(p, "used"), "5");
	assert_string_equal(text_of(p, "free"), "34995");
	p = p->next;
	assert_string_equal(text_of(p, "ports"), "40443");
	assert_string_equal(text_of(p, "used"), "1");
	assert_string_equal(text_of(p, "free"), "0");
	asked_done(&a);
}

static void one_learns_who_one_is_and_what_one_may_do(void **state)
{
	struct rest_request r = { .method = "GET",
				  .target = "/api/v1/whoami",
				  .peer = { .known = true, .uid = 0, .gid = 7, .pid = 8 } };
	struct asked a = ask_as(&r, *state);

	assert_string_equal(text_of(a.root, "user"), "unix:root");
	assert_string_equal(text_of(a.root, "gid"), "7");
	assert_string_equal(text_of(a.root, "via"), "unix");
	assert_string_equal(text_of(a.root, "writeEnabled"), "false");
	assert_string_equal(text_of(a.root, "reason"), "no-store");
	for (const struct doc *can = doc_get(a.root, "can")->first; can; can = can->next)
		assert_string_equal(can->text, "false");
	asked_done(&a);
	r = (struct rest_request){
		.method = "GET", .target = "/api/v1/whoami", .over_tcp = true, .host = "localhost"
	};
	a = ask_as(&r, *state);
	assert_string_equal(text_of(a.root, "user"), "null");
	assert_string_equal(text_of(a.root, "via"), "tcp");
	assert_string_equal(text_of(a.root, "reason"), "no-store");
	asked_done(&a);
	r.bearer = (struct bearer){ .claim = BEARER_KNOWN, .role = TOKEN_EDITOR, .name = "alice" };
	r.may_write = true;
	a = ask_as(&r, *state);
	assert_string_equal(text_of(a.root, "user"), "token:alice");
	assert_string_equal(text_of(a.root, "reason"), "no-store");
	asked_done(&a);
}

/* Where there is a store: why one may not write, in a word that programs compare. */
static void one_learns_why_one_may_not_write(void **state)
{
	static const struct {
		struct rest_request r;
		const char *reason;
	} cases[] = {
		{ { .may_write = true }, "null" },
		{ { .may_write = false }, "forbidden" },
		{ { .over_tcp = true }, "token-needed" },
		{ { .over_tcp = true, .bearer = { .claim = BEARER_KNOWN, .role = TOKEN_VIEWER } },
		  "forbidden" },
		{ { .over_tcp = true,
		    .may_write = true,
		    .bearer = { .claim = BEARER_KNOWN, .role = TOKEN_EDITOR } },
		  "null" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rest_request r = cases[i].r;
		struct rest_state s = { .snapshot = *state, .writable = true };
		struct rest_reply reply;
		char want[64];

		r.method = "GET";
		r.target = "/api/v1/whoami";
		r.host = "localhost";
		rest_answer(&r, &s, &reply);
		snprintf(want, sizeof(want), "\"reason\":%s%s%s",
			 strcmp(cases[i].reason, "null") ? "\"" : "", cases[i].reason,
			 strcmp(cases[i].reason, "null") ? "\"" : "");
		if (!strstr(buf_cstr(&reply.body), want))
			fail_msg("%s: %s", want, buf_cstr(&reply.body));
		rest_reply_done(&reply);
	}
}

/* Where there are pools of a cluster: what a token of that is good for its API server says. */
static void one_learns_that_it_takes_a_token_of_the_cluster(void **state)
{
	struct rest_request r = {
		.method = "GET", .target = "/api/v1/whoami", .has_cluster = true, .may_write = true
	};
	struct asked a = ask_as(&r, *state);

	assert_string_equal(text_of(a.root, "reason"), "token-needed");
	assert_string_equal(doc_get(a.root, "writesTo")->first->text, "kubernetes");
	asked_done(&a);
	r.bearer.claim = BEARER_UNKNOWN;
	r.authorization = "bearer  eyJhbGciOi";
	a = ask_as(&r, *state);
	assert_string_equal(text_of(a.root, "writeEnabled"), "true");
	asked_done(&a);
	r.target = "/api/v1/pools";
	a = ask_as(&r, *state);
	assert_int_equal(a.reply.status, 200);
	asked_done(&a);
}

static void what_cannot_be_one_of_a_cluster_is_refused(void **state)
{
	static const char *const shown[] = { "Bearer ",
					     "Bearer pst_abc",
					     "Basic YWJj",
					     "Bearer a b",
					     "Bearer a\tb",
					     "Bearer \xc3\xa4",
					     "" };

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		struct asked a =
			ask_as(&(struct rest_request){ .method = "GET",
						       .target = "/api/v1/pools",
						       .has_cluster = true,
						       .authorization = shown[i],
						       .bearer = { .claim = BEARER_UNKNOWN } },
			       *state);

		assert_int_equal(a.reply.status, 401);
		assert_string_equal(text_of(a.root, "code"), "bad-token");
		asked_done(&a);
	}
}

/* From beyond loopback nothing is shown to who is not known, but that we are there and the page. */
static void who_reads_from_afar_has_to_be_known(void **state)
{
	static const struct {
		const char *target;
		unsigned nobody, wrong, viewer;
	} cases[] = {
		{ "/healthz", 200, 200, 200 },
		{ "/readyz", 200, 200, 200 },
		{ "/version", 200, 200, 200 },
		{ "/page/app.js", 200, 200, 200 },
		{ "/", 200, 200, 200 },
		{ "/api/v1/pools", 401, 401, 200 },
		{ "/api/v1/whoami", 401, 401, 200 },
		{ "/metrics", 401, 401, 200 },
		{ "/nothing", 401, 401, 404 },
		{ "/healthz/", 401, 401, 404 },
		{ "/%2e/metrics", 401, 401, 404 },
		{ "no path", 400, 400, 400 },
	};

	for (size_t i = 0; i < 3 * ARRAY_LEN(cases); i++) {
		const unsigned wants[] = { cases[i / 3].nobody, cases[i / 3].wrong,
					   cases[i / 3].viewer };
		static const enum bearer_claim claims[] = { BEARER_NONE, BEARER_UNKNOWN,
							    BEARER_KNOWN };
		struct rest_request r = { .method = "GET",
					  .target = cases[i / 3].target,
					  .over_tcp = true,
					  .remote = true,
					  .host = "localhost",
					  .bearer = { .claim = claims[i % 3],
						      .role = TOKEN_VIEWER } };
		struct rest_state s = { .snapshot = *state };
		struct rest_reply reply;

		rest_answer(&r, &s, &reply);
		if (reply.status != wants[i % 3])
			fail_msg("%s as %zu: %u", r.target, i % 3, reply.status);
		rest_reply_done(&reply);
	}
}

/* Names that are ours, whatever else they are called; an address where all are listened on. */
static void a_host_is_one_of_our_names(void **state)
{
	static const char *const others[] = { "lb.example", "192.0.2.1", "[2001:db8::1]", NULL };
	static const struct {
		const char *host;
		bool named, anywhere;
	} cases[] = {
		{ "lb.example", true, true },
		{ "LB.EXAMPLE:9090", true, true },
		{ "lb.example.evil", false, false },
		{ "192.0.2.1:9090", true, true },
		{ "192.0.2.10", false, true },
		{ "[2001:db8::1]:9090", true, true },
		{ "[2001:db8::2]:9090", false, true },
		{ "[2001:db8::2", false, false },
		{ "[]", false, false },
		{ "evil", false, false },
		{ "1.2.3.4.evil", false, false },
		{ "node-1", true, true },
	};
	struct origin_names names = { .node = "node-1", .others = others };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		names.addresses = false;
		assert_int_equal(origin_host_is_ours(cases[i].host, &names), cases[i].named);
		names.addresses = true;
		assert_int_equal(origin_host_is_ours(cases[i].host, &names), cases[i].anywhere);
	}
}

/* A token that is none is told wherever it could have counted, and nowhere else. */
static void a_wrong_token_is_not_ignored(void **state)
{
	static const struct {
		const char *target;
		unsigned status;
	} cases[] = { { "/api/v1/pools", 401 },	   { "/api/v1/pools?limit=1", 401 },
		      { "/api/v1", 401 },	   { "/api/%761/whoami", 401 },
		      { "/api/v1/nothing", 401 },  { "/api/v10/pools", 404 },
		      { "/healthz", 200 },	   { "/metrics", 200 },
		      { "/openapi.json", 200 },	   { "/nothing", 404 },
		      { "/api/v1/pools?%zz", 400 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a =
			ask_as(&(struct rest_request){ .method = "GET",
						       .target = cases[i].target,
						       .bearer = { .claim = BEARER_UNKNOWN } },
			       *state);

		if (a.reply.status != cases[i].status)
			fail_msg("%s: %u", cases[i].target, a.reply.status);
		if (cases[i].status == 401)
			assert_string_equal(text_of(a.root, "code"), "bad-token");
		asked_done(&a);
	}
}

static void errors_speak_the_language_that_is_asked_for(void **state)
{
	static const struct {
		const char *accept, *language, *title;
	} cases[] = {
		{ NULL, "en", "There is no such pool" },
		{ "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", "没有这个池" },
		{ "zh", "zh-CN", "没有这个池" },
		{ "en-GB, zh;q=0.5", "en", "There is no such pool" },
		{ "de, *;q=0.1", "en", "There is no such pool" },
		{ "zh-TW;q=0", "en", "There is no such pool" },
		{ "zhx", "en", "There is no such pool" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a =
			ask_as(&(struct rest_request){ .method = "GET",
						       .target = "/api/v1/pools/x",
						       .request_id = "abc.1",
						       .accept_language = cases[i].accept },
			       *state);

		assert_string_equal(a.reply.language, cases[i].language);
		assert_string_equal(text_of(a.root, "title"), cases[i].title);
		assert_string_equal(text_of(a.root, "code"), "pool-not-found");
		assert_string_equal(text_of(a.root, "requestId"), "abc.1");
		assert_non_null(strstr(text_of(a.root, "detail"), "the id 'x'"));
		asked_done(&a);
	}
}

/* --- objects ----------------------------------------------------------------------- */

static void a_member_tells_its_state_its_weights_and_its_reasons(void **state)
{
	struct asked a = ask(state,
			     "/api/v1/pools/parasaus%2Esnake-demo-svc4.dcmp-svc4-tcp/members?"
			     "state=down");

	assert_non_null(strstr(a.text, "{\"pool\":\"" ORIGIN "\",\"id\":\"10.100.1.77-30253\","
				       "\"address\":\"10.100.1.77\",\"port\":30253,\"weight\":1,"
				       "\"effectiveWeight\":0,\"state\":\"down\",\"inTable\":true,"
				       "\"reasons\":[\"unhealthy\"],"
				       "\"since\":\"2026-11-22T00:30:00.000Z\","
				       "\"removeAt\":\"2026-11-22T06:30:00.000Z\",\"target\":\""));
	assert_non_null(strstr(a.text, "\"lastCheck\":{\"reason\":\"status\",\"detail\":503,"
				       "\"proven\":true,\"ok\":127,\"failed\":24,"
				       "\"latencyMicroseconds\":0,\"flaps\":0,"
				       "\"heldUntil\":null}}"));
	asked_done(&a);
}

static void a_member_is_found_by_its_id(void **state)
{
	struct asked a = ask(state, "/api/v1/pools/shop.web.https-tcp/members/2001:db8::2-8443");

	assert_int_equal(a.reply.status, 200);
	assert_string_equal(text_of(a.root, "address"), "2001:db8::2");
	assert_string_equal(text_of(a.root, "port"), "8443");
	asked_done(&a);
}

static void a_member_names_its_target(void **state)
{
	struct asked m = ask(state, "/api/v1/members?q=10.100.3.5");
	struct asked t = ask(state, "/api/v1/targets?q=10.100.3.5");
	char member[512], target[512];

	assert_string_equal(names(&m, "target", member), names(&t, "id", target));
	assert_int_equal(strlen(target), 16);
	assert_string_equal(names(&t, "reason", target), "not-probed-yet");
	asked_done(&m);
	asked_done(&t);
	m = ask(state, "/api/v1/members?namespace=default&limit=1");
	assert_string_equal(names(&m, "target", member), "null");
	asked_done(&m);
}

static void a_pool_counts_its_members(void **state)
{
	struct asked a = ask(state, "/api/v1/pools/shop.web.http-tcp");
	const struct doc *m = doc_get(a.root, "members");

	assert_string_equal(text_of(m, "total"), "6");
	assert_string_equal(text_of(m, "up"), "2");
	assert_string_equal(text_of(m, "down"), "1");
	assert_string_equal(text_of(m, "unknown"), "1");
	assert_string_equal(text_of(m, "draining"), "2");
	assert_string_equal(text_of(doc_get(a.root, "check"), "expect"), "200-399");
	assert_string_equal(text_of(a.root, "source"), "directory:/etc/parasaus/pools");
	asked_done(&a);
}

static void the_status_keeps_its_contract(void **state)
{
	static const char *const fields[] = { "generation",	 "appliedGeneration",
					      "synced",		 "ready",
					      "pools",		 "members",
					      "targets",	 "kernelWrites",
					      "otherWrites",	 "repairs",
					      "lastSyncSeconds", "processes",
					      "sources",	 "problems",
					      "version",	 "node",
					      "startedAt",	 "remote",
					      "mhDisordered" };
	struct asked a = ask(state, "/api/v1/status");
	const struct doc *process = doc_get(doc_get(a.root, "processes"), "ipvs");

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		assert_non_null(doc_get(a.root, fields[i]));
	assert_string_equal(text_of(a.root, "kernelWrites"), "42");
	assert_string_equal(text_of(a.root, "mhDisordered"), "2");
	assert_string_equal(text_of(process, "pid"), "1003");
	assert_string_equal(text_of(process, "residentBytes"), "16777216");
	assert_string_equal(text_of(process, "restarts"), "0");
	asked_done(&a);
}

/* --- health ------------------------------------------------------------------------ */

static void health_is_what_checks_say_of_the_members_that_stay(void **state)
{
	static const struct {
		const char *id, *health;
	} cases[] = { { "default.dns.dns-udp", "unmonitored" },
		      { ORIGIN, "degraded" },
		      { "shop.web.http-tcp", "degraded" },
		      { "shop.web.https-tcp", "down" }, /* fail-open is no health */
		      { "team.empty.80-tcp", "down" } };
	struct snapshot *large = snapshot_large(1, 2);
	struct asked a;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char target[128];

		snprintf(target, sizeof(target), "/api/v1/pools/%s", cases[i].id);
		a = ask(state, target);
		assert_string_equal(text_of(a.root, "health"), cases[i].health);
		asked_done(&a);
	}
	a = ask_as(&(struct rest_request){ .method = "GET",
					   .target = "/api/v1/pools/ns.service-00000.http-tcp" },
		   large);
	assert_string_equal(text_of(a.root, "health"), "up");
	asked_done(&a);
	large->pools[0]->members[1].reasons = MEMBER_REMOVED;
	large->pools[0]->members[1].state = VERDICT_DOWN;
	a = ask_as(&(struct rest_request){ .method = "GET", .target = "/api/v1/pools?health=up" },
		   large);
	assert_string_equal(text_of(a.root, "total"), "1");
	asked_done(&a);
	snapshot_unref(large);
}

static int make_sample(void **state)
{
	kept = pictures_new();
	*state = snapshot_sample(NOW);
	return 0;
}

static int drop_sample(void **state)
{
	pictures_free(kept);
	snapshot_unref(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_requests_are_told_what_is_wrong),
		cmocka_unit_test(a_target_without_end_is_refused_without_repeating_it),
		cmocka_unit_test(loopback_and_node_names_are_answered),
		cmocka_unit_test(ready_is_a_table_written_and_every_source_read_once),
		cmocka_unit_test(an_agent_that_starts_is_healthy_and_says_that_it_has_nothing_yet),
		cmocka_unit_test(lists_are_filtered_and_cut_into_pages),
		cmocka_unit_test(a_source_whose_path_has_a_comma_is_found),
		cmocka_unit_test(pools_are_found_and_sorted_by_their_last_change),
		cmocka_unit_test(a_page_says_where_it_is_and_of_which_picture),
		cmocka_unit_test(a_page_names_the_next_one),
		cmocka_unit_test(a_stream_gives_every_item_a_line),
		cmocka_unit_test(the_client_chooses_the_format),
		cmocka_unit_test(counts_are_those_of_the_lists),
		cmocka_unit_test(a_mass_failure_is_in_the_status),
		cmocka_unit_test(a_node_tells_what_the_status_does),
		cmocka_unit_test(a_node_tells_what_its_kernel_has_and_that_it_is_not_ready),
		cmocka_unit_test(a_frontend_is_as_it_is_wanted_of_the_kernel),
		cmocka_unit_test(flags_of_a_frontend_are_in_the_words_of_ipvsadm),
		cmocka_unit_test(a_frontend_is_applied_once_the_kernel_has_its_generation),
		cmocka_unit_test(address_pools_tell_what_is_given_out),
		cmocka_unit_test(one_learns_who_one_is_and_what_one_may_do),
		cmocka_unit_test(one_learns_why_one_may_not_write),
		cmocka_unit_test(one_learns_that_it_takes_a_token_of_the_cluster),
		cmocka_unit_test(what_cannot_be_one_of_a_cluster_is_refused),
		cmocka_unit_test(who_reads_from_afar_has_to_be_known),
		cmocka_unit_test(a_host_is_one_of_our_names),
		cmocka_unit_test(a_wrong_token_is_not_ignored),
		cmocka_unit_test(errors_speak_the_language_that_is_asked_for),
		cmocka_unit_test(a_member_tells_its_state_its_weights_and_its_reasons),
		cmocka_unit_test(a_member_is_found_by_its_id),
		cmocka_unit_test(a_member_names_its_target),
		cmocka_unit_test(a_pool_counts_its_members),
		cmocka_unit_test(the_status_keeps_its_contract),
		cmocka_unit_test(health_is_what_checks_say_of_the_members_that_stay),
	};

	return cmocka_run_group_tests(tests, make_sample, drop_sample);
}
