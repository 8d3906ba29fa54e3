/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe engine and servers that are asked by datagrams: what is lost, what
 * else comes, what the network says, and how often they are asked.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "healthcheck/datagram.h"
#include "tests/lib/hc_world.h"

#define MINUTE_MS (60 * INT64_C(1000))

struct ground {
	struct world w;
	struct fake_server *server;
	uint64_t id;
	/* how the server answers */
	uint32_t others; /* datagrams before the answer that are none */
	bool is_mute;
	uint32_t lost_of_each; /* so many first datagrams of each probe are lost */
	int told;	       /* an error that comes with the answer */
	int cuts_off;	       /* it is the last that can be sent: with this error by our routes */
};

static void answer(void *arg, struct fake_conn *c, const void *data, size_t len)
{
	struct ground *g = arg;

	assert_int_equal(len, 4);
	assert_memory_equal(data, "ping", 4);
	for (uint32_t i = 0; i < g->others; i++)
		fake_conn_say(c, "pin", 3);
	fake_conn_tell(c, g->told);
	fake_net_fail_datagrams(g->w.net, g->cuts_off);
	if (!g->is_mute)
		fake_conn_say(c, "a pong", 6);
}

static void on_start(void *arg, const struct fake_server *s, mono_t now)
{
	struct ground *g = arg;

	(void)now;
	fake_net_fail_datagrams(g->w.net, 0);
	if (s == g->server)
		g->server->lose = g->lost_of_each;
}

static void ground_up(struct ground *g, const char *wanted)
{
	*g = (struct ground){ .w = world_new(7, 100) };
	check_unref(g->w.check);
	g->w.check = check_new(CHECK_UDP);
	g->w.check->send = xstrdup("ping");
	g->w.check->answer = wanted ? xstrdup(wanted) : NULL;
	g->server = world_server(&g->w, 1);
	g->server->asked = answer;
	g->server->asked_arg = g;
	fake_net_on_start(g->w.net, on_start, g);
	g->id = world_put(&g->w, 1, VERDICT_UNKNOWN);
}

static struct hc_verdict verdict(struct ground *g)
{
	return world_verdict(&g->w, g->id);
}

static void assert_verdict(struct ground *g, enum verdict_state state, enum hc_reason reason)
{
	assert_int_equal(verdict(g).state, state);
	assert_int_equal(verdict(g).reason, reason);
}

static void one_datagram_is_enough_where_it_is_answered(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, "pong");
	assert_in_range(world_wait_for(&g.w, g.id, VERDICT_UP, 2500), 0, 2000000 + 300);
	world_run_ms(&g.w, 10 * MINUTE_MS);
	assert_verdict(&g, VERDICT_UP, HC_REASON_OK);
	assert_int_equal(verdict(&g).failed, 0);
	assert_int_equal(verdict(&g).latency_us, 300);
	assert_in_range(g.server->connects, 280, 320);
	assert_int_equal(g.server->datagrams, g.server->connects);
	world_done(&g.w);
}

static void one_lost_datagram_fails_nothing(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, "pong");
	g.lost_of_each = 1;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_UP, HC_REASON_OK);
	assert_int_equal(verdict(&g).failed, 0);
	/* It came when half of the time was over. */
	assert_int_equal(verdict(&g).latency_us, 500000 + 300);
	assert_int_equal(g.server->datagrams, 2 * g.server->connects);
	g.lost_of_each = 2;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_DOWN, HC_REASON_TIMEOUT);
	assert_in_range(g.server->datagrams, 2 * g.server->connects - 2, 2 * g.server->connects);
	world_done(&g.w);
}

static void an_answer_may_take_all_of_the_time(void **state)
{
	(void)state;
	for (uint32_t late = 0; late < 2; late++) {
		struct ground g;

		ground_up(&g, "pong");
		g.server->latency_us = late ? 1000000 + 1 : 1000000 - 1;
		world_run_ms(&g.w, MINUTE_MS);
		if (late)
			assert_verdict(&g, VERDICT_DOWN, HC_REASON_TIMEOUT);
		else
			assert_verdict(&g, VERDICT_UP, HC_REASON_OK);
		world_done(&g.w);
	}
}

/* Nothing is looked for: whatever comes is well, and so is nothing, unless somebody says otherwise. */
static void silence_is_well_only_where_no_answer_is_looked_for(void **state)
{
	struct ground g;

	(void)state;
	for (int looks = 0; looks < 2; looks++) {
		ground_up(&g, looks ? "pong" : NULL);
		g.is_mute = true;
		world_run_ms(&g.w, MINUTE_MS);
		if (looks) {
			assert_verdict(&g, VERDICT_DOWN, HC_REASON_TIMEOUT);
		} else {
			assert_verdict(&g, VERDICT_UP, HC_REASON_SILENT);
			assert_int_equal(verdict(&g).failed, 0);
			assert_int_equal(verdict(&g).latency_us, 0);
			assert_in_range(g.server->connects, 28, 32);
			g.others = 1;
			world_run_ms(&g.w, MINUTE_MS);
			assert_verdict(&g, VERDICT_UP, HC_REASON_OK);
			assert_int_equal(verdict(&g).latency_us, 300);
		}
		world_done(&g.w);
	}
}

static void what_the_network_says_takes_it_out(void **state)
{
	static const struct {
		enum fake_mode mode;
		enum hc_reason reason;
		int detail;
	} rows[] = { { FAKE_REFUSES, HC_REASON_REFUSED, 0 },
		     { FAKE_UNREACHABLE, HC_REASON_UNREACHABLE, EHOSTUNREACH } };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		struct ground g;

		ground_up(&g, i % 2 ? "pong" : NULL);
		world_run_ms(&g.w, MINUTE_MS);
		assert_int_equal(verdict(&g).state, VERDICT_UP);
		g.server->mode = rows[i / 2].mode;
		/* At once, not when the time is over: two fast intervals after the first. */
		assert_in_range(world_wait_for(&g.w, g.id, VERDICT_DOWN, 5000), 0, 3700000);
		assert_verdict(&g, VERDICT_DOWN, rows[i / 2].reason);
		assert_int_equal(verdict(&g).detail, rows[i / 2].detail);
		/* Each time, the second datagram is told of, too. */
		g.lost_of_each = 1;
		world_run_ms(&g.w, MINUTE_MS);
		assert_verdict(&g, VERDICT_DOWN, rows[i / 2].reason);
		g.lost_of_each = 0;
		g.server->mode = FAKE_UP;
		assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 5000) >= 0);
		world_done(&g.w);
	}
}

static void what_is_no_answer_is_passed_over_but_not_for_ever(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, "pong");
	g.others = HC_DATAGRAM_OTHERS;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_UP, HC_REASON_OK);
	assert_int_equal(g.server->datagrams, g.server->connects);
	g.others++;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_DOWN, HC_REASON_NO_MATCH);
	assert_int_equal(g.server->datagrams, g.server->connects);
	/* Fewer, and nothing else: it was waited for. */
	g.others = 1;
	g.is_mute = true;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_DOWN, HC_REASON_NO_MATCH);
	assert_true(g.server->datagrams > g.server->connects);
	world_done(&g.w);
}

static void our_own_network_counts_for_nothing(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, NULL);
	world_run_ms(&g.w, MINUTE_MS);
	fake_net_fail(g.w.net, ENETUNREACH);
	world_run_ms(&g.w, MINUTE_MS);
	assert_int_equal(verdict(&g).state, VERDICT_UP);
	assert_int_equal(verdict(&g).failed, 0);
	assert_true(world_status(&g.w).inconclusive > 0);
	world_done(&g.w);
}

/* It was asked once, and has all of its time. */
static void that_it_cannot_be_asked_again_is_not_its_fault(void **state)
{
	static const int errors[] = { ENETUNREACH, EHOSTUNREACH, EACCES, ENOBUFS };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct ground g;

		ground_up(&g, "pong");
		g.cuts_off = errors[i];
		g.server->latency_us = 700000;
		world_run_ms(&g.w, MINUTE_MS);
		assert_verdict(&g, VERDICT_UP, HC_REASON_OK);
		assert_int_equal(verdict(&g).failed, 0);
		assert_int_equal(verdict(&g).latency_us, 700000);
		assert_int_equal(g.server->datagrams, g.server->connects);
		world_done(&g.w);
	}
}

static void an_answer_that_is_here_holds_whatever_is_told_besides(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, "pong");
	g.told = ECONNREFUSED;
	g.others = 1;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_UP, HC_REASON_OK);
	assert_int_equal(verdict(&g).failed, 0);
	/* What comes with it is none. */
	g.is_mute = true;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_DOWN, HC_REASON_REFUSED);
	world_done(&g.w);
}

/* Wherever it is taken back, or checked otherwise, nothing of it stays. */
static void a_target_may_go_at_any_moment(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 2100; ms += 50) {
		struct ground g;

		ground_up(&g, NULL);
		g.is_mute = true;
		world_run_ms(&g.w, 3000 + ms);
		hc_engine_remove(g.w.engine, g.id);
		assert_int_equal(fake_net_open(g.w.net), 0);
		world_run_ms(&g.w, 3000);
		world_done(&g.w);
	}
}

/* As a name server: the question comes back, with a code, or with the id of another. */
static void answer_dns(void *arg, struct fake_conn *c, const void *data, size_t len)
{
	struct ground *g = arg;
	uint8_t said[HC_DATAGRAM_MAX];

	assert_in_range(len, 17, sizeof(said));
	memcpy(said, data, len);
	said[2] |= 0x80;
	said[3] = 0;
	said[0] ^= 1;
	for (uint32_t i = 0; i < g->others; i++)
		fake_conn_say(c, said, len);
	said[0] ^= 1;
	if (g->is_mute)
		said[3] = 2; /* SERVFAIL */
	fake_conn_say(c, said, len);
}

static void dns_is_asked_once_more_and_told_from_others(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, NULL);
	check_unref(g.w.check);
	g.w.check = check_new(CHECK_DNS);
	hc_engine_remove(g.w.engine, g.id);
	g.id = world_put(&g.w, 1, VERDICT_UNKNOWN);
	g.server->asked = answer_dns;
	g.lost_of_each = 1;
	g.others = 3;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_UP, HC_REASON_OK);
	assert_int_equal(verdict(&g).failed, 0);
	/* The last one may be under way. */
	assert_in_range(g.server->datagrams, 2 * g.server->connects - 1, 2 * g.server->connects);
	g.others = HC_DATAGRAM_OTHERS + 1;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_DOWN, HC_REASON_BAD_REPLY);
	g.others = 0;
	g.is_mute = true;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_DOWN, HC_REASON_DNS_ERROR);
	assert_int_equal(verdict(&g).detail, 2);
	g.server->mode = FAKE_REFUSES;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_DOWN, HC_REASON_REFUSED);
	g.server->mode = FAKE_SILENT;
	world_run_ms(&g.w, MINUTE_MS);
	assert_verdict(&g, VERDICT_DOWN, HC_REASON_TIMEOUT);
	world_done(&g.w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_datagram_is_enough_where_it_is_answered),
		cmocka_unit_test(one_lost_datagram_fails_nothing),
		cmocka_unit_test(an_answer_may_take_all_of_the_time),
		cmocka_unit_test(silence_is_well_only_where_no_answer_is_looked_for),
		cmocka_unit_test(what_the_network_says_takes_it_out),
		cmocka_unit_test(what_is_no_answer_is_passed_over_but_not_for_ever),
		cmocka_unit_test(our_own_network_counts_for_nothing),
		cmocka_unit_test(that_it_cannot_be_asked_again_is_not_its_fault),
		cmocka_unit_test(an_answer_that_is_here_holds_whatever_is_told_besides),
		cmocka_unit_test(dns_is_asked_once_more_and_told_from_others),
		cmocka_unit_test(a_target_may_go_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
