/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel counted, asked for over core's sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/core_client.h"
#include "tests/lib/core_world.h"

#define STATISTICS "/api/v1/pools/default.web.x-tcp/statistics"

static void start_with_a_pool(struct world *w)
{
	struct core_answer a;

	w->over_tcp = true;
	start_all(w, "");
	core_ask(w, UNIX, "POST", "/api/v1/pools", "Content-Type: application/json\r\n",
		 "{\"name\":\"web\",\"portName\":\"x\",\"settings\":{\"health-check-type\":"
		 "\"none\"},"
		 "\"members\":[{\"address\":\"10.1.0.1\",\"port\":80},{\"address\":\"10.1.0.2\","
		 "\"port\":80,\"weight\":3}]}",
		 &a);
	assert_int_equal(a.status, 201);
	core_answer_done(&a);
	pass(w, 500); /* lists have it */
}

static int64_t number(const struct doc *d, const char *key)
{
	int64_t n = -1;

	(void)!doc_integer(doc_get(d, key), 0, INT64_MAX, &n);
	return n;
}

static void a_pool_is_told_by_frontend_and_destination(void **state)
{
	struct world *w = *state;
	const struct doc *f, *d;
	struct core_answer a;

	start_with_a_pool(w);
	for (int via = UNIX; via <= TCP; via++) {
		core_ask(w, (enum via)via, "GET", STATISTICS, "", NULL, &a);
		if (a.status != 200)
			fail_msg("%s", buf_cstr(&a.text));
		assert_string_equal(core_field(&a, "pool"), "default.web.x-tcp");
		assert_int_equal(doc_get(a.root, "frontends")->count, 1);
		f = doc_get(a.root, "frontends")->first;
		assert_true(strstr(doc_string(doc_get(f, "frontend")), "/tcp"));
		assert_int_equal(number(f, "connections"), 11);
		assert_int_equal(doc_get(f, "fingerprint")->type, DOC_NULL);
		assert_int_equal(number(f, "bytesOut"), 1ll << 40);
		assert_int_equal(doc_get(f, "destinations")->count, 2);
		d = doc_get(f, "destinations")->first->next;
		assert_string_equal(doc_string(doc_get(d, "address")), "10.1.0.2");
		assert_int_equal(number(d, "weight"), 3);
		assert_int_equal(number(d, "active"), 2);
		assert_int_equal(number(d, "inactive"), 2);
		assert_int_equal(number(d, "packetsIn"), 12);
		core_answer_done(&a);
	}
	assert_int_equal(w->questions, 2);
}

static void what_it_does_not_take_is_refused_unasked(void **state)
{
	struct world *w = *state;

	start_with_a_pool(w);
	core_want(w, 404, "pool-not-found", UNIX, "GET", "/api/v1/pools/a.b.c/statistics", "",
		  NULL);
	core_want(w, 405, "method-not-allowed", UNIX, "DELETE", STATISTICS, "", NULL);
	core_want(w, 400, "bad-parameter", UNIX, "GET", STATISTICS "?q=x", "", NULL);
	core_want(w, 406, "not-acceptable", UNIX, "GET", STATISTICS, "Accept: text/csv\r\n", NULL);
	core_want(w, 401, "bad-token", TCP, "GET", STATISTICS, "Authorization: Bearer x\r\n", NULL);
	assert_int_equal(w->questions, 0);
}

/* Sends the request, and turns until the ipvs process has it. */
static int ask_in_vain(struct world *w)
{
	static const char request[] = "GET " STATISTICS
				      " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	int fd = core_dial(w, UNIX);

	core_say(fd, request, sizeof(request) - 1);
	for (int i = 0; i < TURNS_MAX && !w->questions; i++) {
		turn(w);
		usleep(100);
	}
	assert_int_equal(w->questions, 1);
	return fd;
}

static void must_be_503(struct world *w, int fd, const char *why)
{
	struct core_answer a;

	core_hear(w, fd, &a);
	assert_int_equal(a.status, 503);
	if (!strstr(core_field(&a, "detail"), why))
		fail_msg("%s", buf_cstr(&a.text));
	core_answer_done(&a);
}

static void who_asks_a_process_that_dies_is_told_so(void **state)
{
	struct world *w = *state;
	int fd;

	start_with_a_pool(w);
	w->silent = true;
	fd = ask_in_vain(w);
	connect_kernel(w, "");
	must_be_503(w, fd, "Broken pipe");
}

static void who_gets_no_answer_is_told_so(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	int fd;

	start_with_a_pool(w);
	w->silent = true;
	fd = ask_in_vain(w);
	pass(w, 5000);
	must_be_503(w, fd, "timed out");
	w->silent = false;
	core_ask(w, UNIX, "GET", STATISTICS, "", NULL, &a);
	assert_int_equal(a.status, 200);
	core_answer_done(&a);
}

#define in_a_world(test) cmocka_unit_test_setup_teardown(test, core_world_up_store, core_world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_world(a_pool_is_told_by_frontend_and_destination),
		in_a_world(what_it_does_not_take_is_refused_unasked),
		in_a_world(who_asks_a_process_that_dies_is_told_so),
		in_a_world(who_gets_no_answer_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
