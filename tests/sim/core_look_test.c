/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One target, asked for over core's sockets: how it is just now, and what became of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/core_client.h"
#include "tests/lib/core_world.h"

#define NOBODY	 "/api/v1/targets/00000000000000aa"
#define MAX_PATH 64

/* Two pools, one of which has the server twice, checked at one port: three members, one target. */
static void make_pool(struct world *w, const char *name, const char *members)
{
	struct core_answer a;
	char body[1024];

	snprintf(body, sizeof(body),
		 "{\"name\":\"%s\",\"portName\":\"x\",\"settings\":{\"health-check-type\":\"http\","
		 "\"health-check-path\":\"/healthz\",\"health-check-port\":\"9000\"},"
		 "\"members\":[%s]}",
		 name, members);
	core_ask(w, UNIX, "POST", "/api/v1/pools", "Content-Type: application/json\r\n", body, &a);
	if (a.status != 201)
		fail_msg("%s", buf_cstr(&a.text));
	core_answer_done(&a);
}

static void start_with_pools(struct world *w)
{
	w->sight = (struct hc_sight){ .is_known = true,
				      .is_probed = true,
				      .has_begun = true,
				      .streak = 2,
				      .interval_ms = 500,
				      .took_us = 3049,
				      .began_ago_ms = 700,
				      .due_in_ms = -50,
				      .reason = HC_REASON_STATUS,
				      .detail = 503,
				      .ok = 12,
				      .failed = 3,
				      .latency_us = 412 };
	w->over_tcp = true;
	start_all(w, "");
	make_pool(w, "web",
		  "{\"address\":\"10.1.0.1\",\"port\":80},"
		  "{\"address\":\"10.1.0.1\",\"port\":81},"
		  "{\"address\":\"10.1.0.2\",\"port\":80}");
	make_pool(w, "api", "{\"address\":\"10.1.0.1\",\"port\":8080}");
	pass(w, 2000);
	await_targets(w, 2);
}

static const char *path_of(struct world *w, char out[static MAX_PATH])
{
	snprintf(out, MAX_PATH, "/api/v1/targets/%016llx",
		 (unsigned long long)target_at(w, "10.1.0.1:9000")->id);
	return out;
}

static void ask_well(struct world *w, const char *headers, struct core_answer *out)
{
	char path[MAX_PATH];

	core_ask(w, UNIX, "GET", path_of(w, path), headers, NULL, out);
	if (out->status != 200)
		fail_msg("%s", buf_cstr(&out->text));
}

static int64_t number(const struct doc *d, const char *key)
{
	int64_t n = -1;

	(void)!doc_integer(doc_get(d, key), INT64_MIN, INT64_MAX, &n);
	return n;
}

static void must_be(const struct doc *d, const char *key, const char *text)
{
	const char *is = doc_string(doc_get(d, key));

	assert_string_equal(is ? is : "null", text);
}

static const struct doc *item(const struct doc *d, const char *list, unsigned n)
{
	const struct doc *i = doc_get(d, list)->first;

	while (n-- > 0)
		i = i->next;
	return i;
}

static void it_is_told_as_it_is_just_now(void **state)
{
	struct world *w = *state;
	const struct doc *probe;
	struct core_answer a;

	start_with_pools(w);
	ask_well(w, "", &a);
	must_be(a.root, "text",
		"GET http://10.1.0.1:9000/healthz answered 503 after 3.0 ms; 200-399 is expected");
	must_be(a.root, "state", "up");
	must_be(a.root, "reason", "status");
	assert_int_equal(number(a.root, "detail"), 503);
	assert_int_equal(number(a.root, "ok"), 12);
	assert_int_equal(number(a.root, "failed"), 3);
	assert_int_equal(number(a.root, "latencyMicroseconds"), 412);
	must_be(doc_get(a.root, "check"), "path", "/healthz");
	probe = doc_get(a.root, "probe");
	assert_int_equal(number(probe, "tookMicroseconds"), 3049);
	assert_int_equal(number(probe, "intervalMilliseconds"), 500);
	assert_int_equal(number(probe, "streak"), 2);
	assert_int_equal(number(probe, "streakNeeded"), 3);
	assert_int_equal(doc_get(a.root, "transitions")->count, 0);
	core_answer_done(&a);
	assert_int_equal(w->looks, 1);
	ask_well(w, "Accept-Language: zh-CN\r\n", &a);
	must_be(a.root, "text",
		"GET http://10.1.0.1:9000/healthz 应答 503，用时 3.0 ms；应为 200-399");
	assert_non_null(strstr(buf_cstr(&a.text), "Content-Language: zh-CN"));
	core_answer_done(&a);
}

static void every_member_that_it_is_for_is_named(void **state)
{
	static const char *const members[][2] = { { "default.api.x-tcp", "10.1.0.1-8080" },
						  { "default.web.x-tcp", "10.1.0.1-80" },
						  { "default.web.x-tcp", "10.1.0.1-81" } };
	struct world *w = *state;
	struct core_answer a;

	start_with_pools(w);
	ask_well(w, "", &a);
	assert_int_equal(number(a.root, "memberCount"), ARRAY_LEN(members));
	assert_int_equal(doc_get(a.root, "members")->count, ARRAY_LEN(members));
	for (unsigned i = 0; i < ARRAY_LEN(members); i++) {
		must_be(item(a.root, "members", i), "pool", members[i][0]);
		must_be(item(a.root, "members", i), "id", members[i][1]);
	}
	core_answer_done(&a);
}

static void its_last_changes_are_told_the_newest_first(void **state)
{
	struct world *w = *state;
	const struct doc *last;
	struct core_answer a;

	start_with_pools(w);
	for (int i = 0; i < 25; i++) {
		pass(w, 1000);
		if (i % 2)
			verdict_why(w, "10.1.0.1:9000", VERDICT_UP, HC_REASON_OK);
		else
			verdict_why(w, "10.1.0.1:9000", VERDICT_DOWN, HC_REASON_TIMEOUT);
		verdict(w, "10.1.0.2:9000", VERDICT_UP); /* once, and then no change */
	}
	pass(w, 100);
	ask_well(w, "", &a);
	assert_int_equal(doc_get(a.root, "transitions")->count, 20);
	last = item(a.root, "transitions", 0);
	must_be(last, "state", "down");
	must_be(last, "reason", "timeout");
	must_be(last, "text", "GET http://10.1.0.1:9000/healthz had no answer within 1s");
	must_be(item(a.root, "transitions", 1), "state", "up");
	must_be(last, "at", core_field(&a, "since"));
	assert_string_not_equal(doc_string(doc_get(item(a.root, "transitions", 1), "at")),
				core_field(&a, "since"));
	assert_int_equal(number(doc_get(a.root, "probe"), "streakNeeded"), 2);
	core_answer_done(&a);
}

static void what_it_does_not_take_is_refused_unasked(void **state)
{
	struct world *w = *state;
	char path[MAX_PATH], more[MAX_PATH + 8];

	start_with_pools(w);
	path_of(w, path);
	core_want(w, 404, "target-not-found", UNIX, "GET", NOBODY, "", NULL);
	core_want(w, 404, "target-not-found", UNIX, "GET", "/api/v1/targets/x", "", NULL);
	snprintf(more, sizeof(more), "%s0", path);
	core_want(w, 404, "target-not-found", UNIX, "GET", more, "", NULL);
	core_want(w, 405, "method-not-allowed", UNIX, "DELETE", path, "", NULL);
	snprintf(more, sizeof(more), "%s?q=x", path);
	core_want(w, 400, "bad-parameter", UNIX, "GET", more, "", NULL);
	core_want(w, 406, "not-acceptable", UNIX, "GET", path, "Accept: text/csv\r\n", NULL);
	core_want(w, 401, "bad-token", TCP, "GET", path, "Authorization: Bearer x\r\n", NULL);
	assert_int_equal(w->looks, 0);
}

/* Sends the request, and turns until the healthcheck process has it. */
static int ask_in_vain(struct world *w)
{
	char path[MAX_PATH], request[256];
	int fd = core_dial(w, UNIX), n;

	n = snprintf(request, sizeof(request),
		     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		     path_of(w, path));
	core_say(fd, request, (size_t)n);
	for (int i = 0; i < TURNS_MAX && !w->looks; i++) {
		turn(w);
		usleep(100);
	}
	assert_int_equal(w->looks, 1);
	return fd;
}

/* Nobody answers while w->unseeing. */
static int start_and_ask_in_vain(struct world *w)
{
	start_with_pools(w);
	w->unseeing = true;
	return ask_in_vain(w);
}

static void must_be_told_without(struct world *w, int fd)
{
	struct core_answer a;

	core_hear(w, fd, &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(doc_get(a.root, "probe")->type, DOC_NULL);
	must_be(a.root, "text", "GET http://10.1.0.1:9000/healthz was not probed yet");
	core_answer_done(&a);
}

static void where_nobody_says_how_it_is_the_rest_is_told(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	int fd;

	fd = start_and_ask_in_vain(w);
	pass(w, 1000);
	must_be_told_without(w, fd);
	w->unseeing = false;
	ask_well(w, "", &a); /* a late answer would do no harm */
	assert_int_equal(doc_get(a.root, "probe")->type, DOC_MAP);
	core_answer_done(&a);
}

static void who_asks_a_process_that_dies_is_told_the_rest(void **state)
{
	struct world *w = *state;
	int fd;

	fd = start_and_ask_in_vain(w);
	connect_health(w);
	must_be_told_without(w, fd);
}

/* Between the question and its answer the pool was deleted, and what was known of it forgotten. */
static void what_is_gone_meanwhile_is_gone(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	int fd;

	fd = start_and_ask_in_vain(w);
	core_want(w, 200, "", UNIX, "DELETE", "/api/v1/pools/default.web.x-tcp", "If-Match: *\r\n",
		  NULL);
	core_want(w, 200, "", UNIX, "DELETE", "/api/v1/pools/default.api.x-tcp", "If-Match: *\r\n",
		  NULL);
	pass(w, 1000);
	core_hear(w, fd, &a);
	assert_int_equal(a.status, 404);
	core_answer_done(&a);
}

/* Many members that are not checked, and one server that always changes. */
static void what_is_kept_of_changes_is_bounded(void **state)
{
	struct world *w = *state;
	struct core *c;
	struct core_answer a;

	w->over_tcp = true;
	start_all(w, "");
	c = w->context.arg;
	core_ask(w, UNIX, "POST", "/api/v1/pools", "Content-Type: application/json\r\n",
		 "{\"name\":\"idle\",\"portName\":\"x\",\"settings\":{\"health-check-type\":"
		 "\"none\"},\"members\":[{\"address\":\"10.2.0.1\",\"port\":80},"
		 "{\"address\":\"10.2.0.2\",\"port\":80}]}",
		 &a);
	assert_int_equal(a.status, 201);
	core_answer_done(&a);
	pass(w, 2000);
	assert_true(transitions_room(c->transitions) < 100);
	make_pool(w, "web", "{\"address\":\"10.1.0.1\",\"port\":80}");
	pass(w, 2000);
	await_targets(w, 1);
	for (unsigned i = 0; i < TRANSITIONS_MAX + 100; i++) {
		verdict(w, "10.1.0.1:9000", i % 2 ? VERDICT_UP : VERDICT_DOWN);
		if (i % 100 == 0)
			turn(w);
	}
	pass(w, 1000);
	assert_in_range(transitions_room(c->transitions), TRANSITIONS_MAX * 16,
			TRANSITIONS_MAX * 16 + 100);
	ask_well(w, "", &a);
	assert_int_equal(doc_get(a.root, "transitions")->count, TRANSITIONS_EACH);
	core_answer_done(&a);
}

#define in_a_world(test) cmocka_unit_test_setup_teardown(test, core_world_up_store, core_world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_world(it_is_told_as_it_is_just_now),
		in_a_world(every_member_that_it_is_for_is_named),
		in_a_world(its_last_changes_are_told_the_newest_first),
		in_a_world(what_it_does_not_take_is_refused_unasked),
		in_a_world(where_nobody_says_how_it_is_the_rest_is_told),
		in_a_world(who_asks_a_process_that_dies_is_told_the_rest),
		in_a_world(what_is_gone_meanwhile_is_gone),
		in_a_world(what_is_kept_of_changes_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
