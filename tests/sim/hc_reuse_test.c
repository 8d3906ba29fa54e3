/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe engine and connections that serve several probes: fewer of them,
 * nobody down by what becomes of one between two probes, and no more of them
 * than there may be.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/hc_world.h"

#define MINUTE_MS (60 * INT64_C(1000))
#define HEAD	  "HTTP/1.1 200 OK\r\n"

static const char *const well = HEAD "Content-Length: 2\r\n\r\nhi";

/* What a server does with a connection. */
enum habit {
	STAYS,
	ENDS_AFTER, /* its answer */
	RESETS_AFTER,
	ENDS_WHEN_ASKED, /* for the second time, instead of an answer */
	RESETS_WHEN_ASKED,
	ENDS_IN_ANSWER, /* the second one */
	ENDS_AT_ONCE,	/* and never answers */
	HANGS,
};

struct site {
	struct world w;
	struct fake_service service;
	uint64_t id; /* of the first target */
	const char *answer;
	enum habit habit;
	/* what it saw */
	unsigned connections, closed, by_fin, requests, told_to_close;
	struct fake_conn *newest;
};

struct visit {
	struct site *site;
	struct fake_conn *conn;
	unsigned asked;
};

static void *accepted(void *arg, struct fake_conn *c)
{
	struct site *s = arg;
	struct visit *v = xcalloc(1, sizeof(*v));

	s->connections++;
	s->newest = c;
	v->site = s;
	v->conn = c;
	return v;
}

static void end(struct fake_conn *c, bool reset)
{
	if (reset)
		fake_conn_reset(c);
	else
		fake_conn_end(c);
}

static void answer(struct visit *v, bool closes)
{
	const struct site *s = v->site;

	fake_conn_say(v->conn, s->answer, strlen(s->answer));
	if (closes || s->habit == ENDS_AFTER || s->habit == RESETS_AFTER)
		end(v->conn, s->habit == RESETS_AFTER);
}

static void heard(void *talk, const void *data, size_t len)
{
	struct visit *v = talk;
	struct site *s = v->site;
	char head[HC_HTTP_REQUEST_MAX];
	bool closes;

	assert_true(len > 4 && len < sizeof(head));
	memcpy(head, data, len);
	head[len] = '\0';
	assert_string_equal(head + len - 4, "\r\n\r\n");
	closes = strstr(head, "\r\nConnection: close\r\n") != NULL;
	s->requests++;
	s->told_to_close += closes;
	v->asked++;
	if (s->habit == HANGS)
		return;
	if (v->asked == 2 && s->habit == ENDS_IN_ANSWER)
		fake_conn_say(v->conn, "H", 1);
	if (s->habit == ENDS_AT_ONCE || (v->asked == 2 && s->habit > RESETS_AFTER))
		end(v->conn, s->habit == RESETS_WHEN_ASKED);
	else
		answer(v, closes);
}

static void closed(void *talk, bool reset)
{
	struct visit *v = talk;

	v->site->closed++;
	v->site->by_fin += !reset;
	free(v);
}

static uint64_t put(struct site *s, uint32_t i)
{
	world_server(&s->w, i)->service = &s->service;
	return world_put(&s->w, i, VERDICT_UNKNOWN);
}

static void site_up(struct site *s, uint32_t max_open, uint16_t reuse)
{
	*s = (struct site){ .w = world_new(1, max_open), .answer = well };
	s->service = (struct fake_service){ accepted, heard, closed, s };
	check_unref(s->w.check);
	s->w.check = check_new(CHECK_HTTP);
	s->w.check->reuse = reuse;
	s->id = put(s, 0);
}

static void site_down(struct site *s)
{
	world_done(&s->w);
	assert_int_equal(s->closed, s->connections);
	assert_int_equal(s->by_fin, 0);
}

static struct hc_verdict verdict(struct site *s)
{
	return world_verdict(&s->w, s->id);
}

static void nothing_failed(struct site *s)
{
	assert_int_equal(verdict(s).state, VERDICT_UP);
	assert_int_equal(verdict(s).failed, 0);
	assert_int_equal(world_status(&s->w).inconclusive, 0);
}

static void each_probe_has_its_own_connection_by_default(void **state)
{
	struct site s;

	(void)state;
	site_up(&s, 100, 1);
	world_run_ms(&s.w, 10 * MINUTE_MS);
	assert_in_range(s.requests, 295, 310);
	assert_int_equal(s.connections, s.requests);
	assert_int_equal(s.told_to_close, s.requests);
	nothing_failed(&s);
	assert_int_equal(fake_net_open(s.w.net), 0);
	site_down(&s);
}

static void one_connection_serves_so_many_probes(void **state)
{
	static const uint16_t reuses[] = { 2, 3, 10, CHECK_REUSE_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reuses); i++) {
		unsigned n = reuses[i];
		struct site s;

		site_up(&s, 100, reuses[i]);
		world_run_ms(&s.w, 10 * MINUTE_MS);
		assert_in_range(s.requests, 295, 310);
		assert_int_equal(s.connections, (s.requests + n - 1) / n);
		/* The last of each says so. */
		assert_int_equal(s.told_to_close, s.requests / n);
		nothing_failed(&s);
		assert_int_equal(fake_net_open(s.w.net), s.requests % n != 0);
		site_down(&s);
	}
}

/* Whenever a connection ends, and however: a new one is made, and nothing is counted. */
static void put_from(struct site *s, uint16_t port)
{
	struct hc_target t = { .id = s->id, .check = s->w.check, .from_port = port };

	t.endpoint = world_endpoint(0);
	hc_engine_put(s->w.engine, &t, true);
}

/* It rests, or a probe on it is under way: the next one comes from elsewhere. */
static void who_is_to_be_asked_from_another_port_is(void **state)
{
	static const int64_t before_ms[] = { 2900, 3000, 3010, 4000, 4700 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(before_ms); i++) {
		struct site s;
		unsigned asked;

		site_up(&s, 100, 100);
		world_server(&s.w, 0)->latency_us = 20000;
		world_run_ms(&s.w, before_ms[i]);
		assert_int_equal(s.connections, 1);
		assert_int_equal(world_server(&s.w, 0)->last_from, 0);
		put_from(&s, 61007);
		asked = s.requests;
		world_run_ms(&s.w, 5000);
		assert_int_equal(s.connections, 2);
		assert_in_range(s.requests - asked, 2, 4);
		assert_int_equal(world_server(&s.w, 0)->last_from, 61007);
		nothing_failed(&s);
		site_down(&s);
	}
}

static void what_ends_between_two_probes_counts_for_nothing(void **state)
{
	static const enum habit habits[] = { ENDS_AFTER, RESETS_AFTER, ENDS_WHEN_ASKED,
					     RESETS_WHEN_ASKED };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(habits); i++) {
		struct site s;

		site_up(&s, 100, 100);
		s.habit = habits[i];
		world_run_ms(&s.w, 10 * MINUTE_MS);
		assert_in_range(verdict(&s).ok, 295, 310);
		/* Asked once more where it was seen only then. */
		if (s.habit == ENDS_AFTER || s.habit == RESETS_AFTER)
			assert_int_equal(s.requests, s.connections);
		else
			assert_in_range(s.requests, 2 * s.connections - 2, 2 * s.connections);
		assert_in_range(s.connections, verdict(&s).ok, verdict(&s).ok + 1);
		nothing_failed(&s);
		site_down(&s);
	}
}

/* Once: a new connection that ends without an answer is a failure as ever. */
static void who_closes_every_connection_is_down_in_time(void **state)
{
	struct site s;

	(void)state;
	site_up(&s, 100, 100);
	world_run_ms(&s.w, MINUTE_MS);
	s.habit = ENDS_AT_ONCE;
	assert_true(world_wait_for(&s.w, s.id, VERDICT_DOWN, 3500) >= 0);
	assert_int_equal(verdict(&s).reason, HC_REASON_CLOSED);
	assert_int_equal(verdict(&s).failed, 3);
	s.habit = STAYS;
	assert_true(world_wait_for(&s.w, s.id, VERDICT_UP, 3000) >= 0);
	site_down(&s);
}

static void who_breaks_off_its_answer_fails(void **state)
{
	struct site s;

	(void)state;
	site_up(&s, 100, 100);
	s.habit = ENDS_IN_ANSWER;
	world_run_ms(&s.w, MINUTE_MS);
	/* Each second one. */
	assert_in_range(verdict(&s).failed, verdict(&s).ok - 1, verdict(&s).ok);
	site_down(&s);
}

/* Who hangs answers nobody, whoever asks on which connection. */
static void a_timeout_counts_as_ever(void **state)
{
	struct hc_sight sight;
	struct site s;

	(void)state;
	site_up(&s, 100, 100);
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(s.connections, 1);
	s.habit = HANGS;
	assert_true(world_wait_for(&s.w, s.id, VERDICT_DOWN, 6500) >= 0);
	assert_int_equal(verdict(&s).reason, HC_REASON_TIMEOUT);
	assert_int_equal(verdict(&s).failed, 3);
	hc_engine_look(s.w.engine, s.id, &sight);
	assert_in_range(sight.took_us, 1000000, 1010000);
	s.habit = STAYS;
	assert_true(world_wait_for(&s.w, s.id, VERDICT_UP, 4000) >= 0);
	site_down(&s);
}

/* Asked once more, there is no more time for it than there was. */
static void asking_once_more_takes_no_longer(void **state)
{
	struct hc_sight sight;
	struct site s;

	(void)state;
	site_up(&s, 100, 100);
	world_run_ms(&s.w, MINUTE_MS);
	world_server(&s.w, 0)->latency_us = 400000;
	s.habit = ENDS_AT_ONCE; /* 0.4 s; then as long to connect, and to be told of the end */
	assert_true(world_wait_for(&s.w, s.id, VERDICT_DOWN, 6500) >= 0);
	assert_true(verdict(&s).reason == HC_REASON_TIMEOUT ||
		    verdict(&s).reason == HC_REASON_CLOSED);
	hc_engine_look(s.w.engine, s.id, &sight);
	assert_in_range(sight.took_us, 1, 1010000);
	site_down(&s);
}

/* An answer that does not say where it ends, or a server that says it closes. */
static void only_what_may_be_kept_is(void **state)
{
	static const char *const answers[] = {
		HEAD "\r\nhi",
		HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		HEAD "Content-Length: 2\r\n\r\nhi, and more",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct site s;

		site_up(&s, 100, 100);
		s.answer = answers[i];
		s.habit = i == 0 ? ENDS_AFTER : STAYS;
		world_run_ms(&s.w, MINUTE_MS);
		assert_int_equal(fake_net_open(s.w.net), 0);
		assert_int_equal(s.connections, s.requests);
		nothing_failed(&s);
		site_down(&s);
	}
}

/* A server that is not well is asked afresh: perhaps it is only who has this connection. */
static void a_bad_answer_is_the_last_of_its_connection(void **state)
{
	unsigned before;
	struct site s;

	(void)state;
	site_up(&s, 100, 100);
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(s.connections, 1);
	s.answer = "HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n";
	assert_true(world_wait_for(&s.w, s.id, VERDICT_DOWN, 3500) >= 0);
	assert_int_equal(verdict(&s).reason, HC_REASON_STATUS);
	before = s.connections;
	assert_int_equal(before, 3);
	s.answer = well;
	assert_true(world_wait_for(&s.w, s.id, VERDICT_UP, 3000) >= 0);
	assert_int_equal(s.connections, before + 1);
	site_down(&s);
}

/* What comes while nobody asks is an answer for nobody. */
static void what_is_said_unasked_is_not_heard(void **state)
{
	struct hc_sight sight;
	struct site s;

	(void)state;
	site_up(&s, 100, 100);
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(s.connections, 1);
	do {
		world_run_ms(&s.w, 1);
		hc_engine_look(s.w.engine, s.id, &sight);
	} while (sight.is_under_way || sight.due_in_ms < 100);
	s.answer = "HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n";
	fake_conn_say(s.newest, well, strlen(well));
	world_run_ms(&s.w, 2500);
	assert_in_range(verdict(&s).failed, 1, 4);
	assert_int_equal(verdict(&s).reason, HC_REASON_STATUS);
	assert_true(s.connections >= 2);
	site_down(&s);
}

static void who_only_accepts_no_more_is_seen_by_the_next_connection(void **state)
{
	struct site s;

	(void)state;
	site_up(&s, 100, 10);
	world_run_ms(&s.w, 10 * INT64_C(1000));
	assert_int_equal(s.connections, 1);
	world_server(&s.w, 0)->mode = FAKE_REFUSES;
	world_run_ms(&s.w, 7000);
	assert_int_equal(verdict(&s).state, VERDICT_UP);
	assert_true(world_wait_for(&s.w, s.id, VERDICT_DOWN, 10000) >= 0);
	assert_int_equal(verdict(&s).reason, HC_REASON_REFUSED);
	site_down(&s);
}

static void who_leaves_takes_the_connection_along(void **state)
{
	struct site s;

	(void)state;
	site_up(&s, 100, 100);
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(fake_net_open(s.w.net), 1);
	hc_engine_remove(s.w.engine, s.id);
	assert_int_equal(fake_net_open(s.w.net), 0);
	s.id = put(&s, 0);
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(s.connections, 2);
	/* Not told again, in any stage. */
	for (int ms = 0; ms < 3000; ms += 7) {
		world_run_ms(&s.w, 7);
		hc_engine_begin(s.w.engine);
		hc_engine_commit(s.w.engine);
		assert_int_equal(fake_net_open(s.w.net), 0);
		s.id = put(&s, 0);
		world_run_ms(&s.w, ms);
	}
	site_down(&s);
}

static void no_more_rest_than_may(void **state)
{
	uint64_t ids[60];
	struct site s;

	(void)state;
	site_up(&s, 40, 100);
	ids[0] = s.id;
	for (uint32_t i = 1; i < ARRAY_LEN(ids); i++)
		ids[i] = put(&s, i);
	world_run_ms(&s.w, 10 * MINUTE_MS);
	assert_true(fake_net_open(s.w.net) <= 40 / HC_KEPT_PART + world_status(&s.w).in_flight);
	/* Those that have one keep it. */
	assert_in_range(s.connections, 50 * 299 + 10 * 3, 51 * 305 + 10 * 4);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		assert_int_equal(world_verdict(&s.w, ids[i]).failed, 0);
		assert_in_range(world_verdict(&s.w, ids[i]).ok, 295, 310);
	}
	site_down(&s);
}

struct bound {
	struct fake_net *net;
	uint32_t max;
};

static void never_more_than(void *arg, const struct fake_server *server, mono_t now)
{
	const struct bound *b = arg;

	(void)server;
	(void)now;
	assert_true(fake_net_open(b->net) < b->max);
}

/* Those that rest make way for a crowd that hangs, and are back once it is gone. */
static void those_under_way_come_first(void **state)
{
	struct bound bound;
	uint64_t ids[40];
	struct site s;

	(void)state;
	site_up(&s, 40, 100);
	bound = (struct bound){ s.w.net, 40 };
	fake_net_on_start(s.w.net, never_more_than, &bound);
	for (uint32_t i = 1; i < 10; i++)
		put(&s, i);
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(fake_net_open(s.w.net) - world_status(&s.w).in_flight, 10);
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		world_server(&s.w, 100 + i)->mode = FAKE_SILENT;
		ids[i] = world_put(&s.w, 100 + i, VERDICT_UNKNOWN);
	}
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(world_status(&s.w).inconclusive, 0);
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		assert_int_equal(world_verdict(&s.w, ids[i]).state, VERDICT_DOWN);
		hc_engine_remove(s.w.engine, ids[i]);
	}
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(fake_net_open(s.w.net) - world_status(&s.w).in_flight, 10);
	nothing_failed(&s);
	site_down(&s);
}

/* The process has fewer than it thought, or the machine: nobody has to wait for that. */
static void where_descriptors_run_out_those_that_rest_are_given_up(void **state)
{
	uint64_t ids[20];
	struct site s;

	(void)state;
	site_up(&s, 400, 100);
	for (uint32_t i = 1; i < 20; i++)
		put(&s, i);
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(fake_net_open(s.w.net), 20);
	fake_net_limit(s.w.net, 20);
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++)
		ids[i] = put(&s, 100 + i);
	world_run_ms(&s.w, MINUTE_MS);
	assert_int_equal(world_status(&s.w).inconclusive, 0);
	assert_int_equal(world_status(&s.w).deferred, 0);
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		assert_int_equal(world_verdict(&s.w, ids[i]).failed, 0);
		assert_in_range(world_verdict(&s.w, ids[i]).ok, 29, 33);
	}
	nothing_failed(&s);
	/* None at all: as ever. */
	fake_net_limit(s.w.net, 0);
	world_run_ms(&s.w, 10000);
	assert_true(world_status(&s.w).inconclusive > 0);
	assert_int_equal(verdict(&s).state, VERDICT_UP);
	assert_int_equal(verdict(&s).failed, 0);
	site_down(&s);
}

/* Servers of any habit that change it at any time, come and go: nobody who answers is ever down. */
static void whatever_becomes_of_connections_who_answers_is_up(void **state)
{
	static const enum habit habits[] = { STAYS, ENDS_AFTER, RESETS_AFTER, ENDS_WHEN_ASKED,
					     RESETS_WHEN_ASKED };

	(void)state;
	for (uint16_t reuse = 2; reuse < 40; reuse++) {
		uint64_t ids[12];
		struct site s;

		site_up(&s, 20, reuse);
		ids[0] = s.id;
		for (uint32_t i = 1; i < ARRAY_LEN(ids); i++)
			ids[i] = put(&s, i);
		for (int i = 0; i < 300; i++) {
			uint32_t k = fake_net_random(s.w.net) % ARRAY_LEN(ids);

			s.habit = habits[fake_net_random(s.w.net) % ARRAY_LEN(habits)];
			world_run_ms(&s.w, fake_net_random(s.w.net) % 1500);
			assert_int_equal(world_verdict(&s.w, ids[k]).failed, 0);
			if (k && k % 3 == 0) {
				hc_engine_remove(s.w.engine, ids[k]);
				ids[k] = put(&s, k);
			}
		}
		assert_int_equal(world_status(&s.w).inconclusive, 0);
		site_down(&s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_probe_has_its_own_connection_by_default),
		cmocka_unit_test(one_connection_serves_so_many_probes),
		cmocka_unit_test(who_is_to_be_asked_from_another_port_is),
		cmocka_unit_test(what_ends_between_two_probes_counts_for_nothing),
		cmocka_unit_test(who_closes_every_connection_is_down_in_time),
		cmocka_unit_test(who_breaks_off_its_answer_fails),
		cmocka_unit_test(a_timeout_counts_as_ever),
		cmocka_unit_test(asking_once_more_takes_no_longer),
		cmocka_unit_test(only_what_may_be_kept_is),
		cmocka_unit_test(a_bad_answer_is_the_last_of_its_connection),
		cmocka_unit_test(what_is_said_unasked_is_not_heard),
		cmocka_unit_test(who_only_accepts_no_more_is_seen_by_the_next_connection),
		cmocka_unit_test(who_leaves_takes_the_connection_along),
		cmocka_unit_test(no_more_rest_than_may),
		cmocka_unit_test(those_under_way_come_first),
		cmocka_unit_test(where_descriptors_run_out_those_that_rest_are_given_up),
		cmocka_unit_test(whatever_becomes_of_connections_who_answers_is_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
