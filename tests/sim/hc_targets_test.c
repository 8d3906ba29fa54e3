/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe engine: many targets, what is told of them, and HTTP from the first byte to the verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "healthcheck/engine_private.h"
#include "tests/lib/hc_world.h"

#define MANY 35000

/* --- many ------------------------------------------------------------------------------------ */

struct windows {
	uint32_t count[4000]; /* 100 ms each */
};

static void count_start(void *arg, const struct fake_server *s, mono_t now)
{
	struct windows *w = arg;
	int64_t i = (now.ns / 1000000 - WORLD_START_MS) / 100;

	(void)s;
	if (i < (int64_t)ARRAY_LEN(w->count))
		w->count[i]++;
}

static uint32_t most(const struct windows *w, size_t first, size_t last)
{
	uint32_t max = 0;

	for (size_t i = first; i < last; i++)
		max = w->count[i] > max ? w->count[i] : max;
	return max;
}

static uint32_t sum(const struct windows *w, size_t first, size_t last)
{
	uint32_t all = 0;

	for (size_t i = first; i < last; i++)
		all += w->count[i];
	return all;
}

static void many_targets_are_spread(void **state)
{
	struct windows *n = xcalloc(1, sizeof(*n));
	struct world w = world_new(1, 100000);

	(void)state;
	fake_net_on_start(w.net, count_start, n);
	for (uint32_t i = 0; i < MANY; i++) {
		world_server(&w, i);
		world_put(&w, i, VERDICT_UNKNOWN);
	}
	world_run_ms(&w, 20000);
	assert_int_equal(world_status(&w).up, MANY);
	print_message(
		"35,000 at 2 s, probes in 100 ms: first second at most %u, then %u (even: %u)\n",
		most(n, 0, 10), most(n, 50, 200), MANY / 20);
	/* One and a half times the steady rate over 150 ms, at any time. */
	assert_true(most(n, 0, 200) <= MANY / 2 * 3 / 2 * 15 / 100 + 1);
	assert_true(most(n, 50, 200) <= MANY / 20 * 6 / 5);
	/* And over any second. */
	for (size_t i = 0; i + 10 <= 200; i++)
		assert_true(sum(n, i, i + 10) <= MANY / 2 * 3 / 2 + 1);
	/* All of them within an interval at the start, and none twice as often as it should later. */
	for (uint32_t i = 0; i < MANY; i++)
		assert_in_range(world_server(&w, i)->connects, 9, 13);
	world_done(&w);
	free(n);
}

/* Half of them die at once: the rest is still looked at, and all verdicts come. */
static void half_of_many_dying_drowns_nobody(void **state)
{
	struct windows *n = xcalloc(1, sizeof(*n));
	struct world w = world_new(1, 100000);
	uint64_t watched;

	(void)state;
	fake_net_on_start(w.net, count_start, n);
	for (uint32_t i = 0; i < MANY / 5; i++) {
		world_server(&w, i);
		world_put(&w, i, VERDICT_UP);
	}
	watched = world_put(&w, 3, VERDICT_UP);
	world_run_ms(&w, 10000);
	for (uint32_t i = 0; i < MANY / 5; i += 2)
		world_server(&w, i)->mode = FAKE_SILENT;
	world_run_ms(&w, 7600);
	assert_int_equal(world_status(&w).down, MANY / 10);
	world_server(&w, 3)->mode = FAKE_REFUSES;
	assert_true(world_wait_for(&w, watched, VERDICT_DOWN, 7600) >= 0);
	assert_true(most(n, 0, 300) <= MANY / 5 / 2 * 3 / 2 * 15 / 100 + 1);
	world_done(&w);
	free(n);
}

/* Three times what the machine can do: all are looked at less often, and none is wronged. */
static void too_many_targets_are_probed_less_often(void **state)
{
	struct world w = world_new(1, 100000);
	uint64_t dead[10];
	struct hc_status s;

	(void)state;
	fake_net_cost(w.net, 100);
	w.check->interval_ms = 1000;
	for (uint32_t i = 0; i < 30000; i++) {
		world_server(&w, i);
		world_put(&w, i, VERDICT_UNKNOWN);
	}
	world_run_ms(&w, 20000);
	s = world_status(&w);
	assert_int_equal(s.up, 30000);
	assert_int_equal(s.inconclusive, 0);
	assert_true(s.lag_ms <= HC_LATE_MS);
	for (uint32_t i = 0; i < 10; i++) {
		world_server(&w, i)->mode = i % 2 ? FAKE_SILENT : FAKE_REFUSES;
		dead[i] = world_put(&w, i, VERDICT_UNKNOWN);
	}
	world_run_ms(&w, 20000);
	assert_int_equal(world_status(&w).down, 10);
	assert_int_equal(world_status(&w).up, 29990);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(world_verdict(&w, dead[i]).state, VERDICT_DOWN);
	world_done(&w);
}

/* --- what they take --------------------------------------------------------------------------- */

/* At 350,000 of them: 190 bytes each, with a place among turns, one to be told, one in a table. */
static void a_target_takes_little(void **state)
{
	const size_t place = sizeof(struct place), tick = 4;
	const size_t in_table = (sizeof(void *) + 4) * 524288 / 350000 + 1;

	(void)state;
	assert_true(sizeof(struct target) + 2 * place + tick + (2 * place + tick) / 8 + in_table <=
		    190);
}

/* However they come: those who are asked the same share one check, and the last one ends it. */
static void equal_checks_are_kept_once(void **state)
{
	struct world w = world_new(1, 1000);
	struct check *own = w.check;
	uint64_t ids[300];

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		w.check = check_new(i % 3 ? CHECK_TCP : CHECK_HTTP);
		w.check->interval_ms = 1000 + i % 5 * 1000;
		ids[i] = world_put(&w, i, VERDICT_UNKNOWN);
		check_unref(w.check);
	}
	w.check = own;
	assert_int_equal(w.engine->checks.count, 10);
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		if (i % 3)
			hc_engine_remove(w.engine, ids[i]);
	}
	assert_int_equal(w.engine->checks.count, 5);
	world_run_ms(&w, 3000);
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i += 3)
		hc_engine_remove(w.engine, ids[i]);
	assert_int_equal(w.engine->checks.count, 0);
	world_put(&w, 0, VERDICT_UNKNOWN);
	assert_int_equal(w.engine->checks.count, 1);
	assert_true(w.engine->number_count <= ARRAY_LEN(ids)); /* places are used again */
	world_done(&w);
}

/* --- being told ------------------------------------------------------------------------------ */

static void a_target_told_again_keeps_state_and_phase(void **state)
{
	struct world w = world_new(1, 100);
	uint64_t id, other;
	struct hc_verdict before, after;
	uint64_t connects;

	(void)state;
	world_server(&w, 0);
	world_server(&w, 1);
	id = world_put(&w, 0, VERDICT_UNKNOWN);
	other = world_put(&w, 1, VERDICT_UNKNOWN);
	world_run_ms(&w, 10000);
	connects = world_server(&w, 0)->connects;
	for (int i = 0; i < 100; i++) {
		before = world_verdict(&w, id);
		hc_engine_begin(w.engine);
		world_put(&w, 0, VERDICT_DOWN);
		hc_engine_commit(w.engine);
		after = world_verdict(&w, id);
		assert_int_equal(before.state, after.state);
		assert_int_equal(before.sequence, after.sequence);
		assert_int_equal(before.since_ms, after.since_ms);
		assert_int_equal(before.ok, after.ok);
		world_run_ms(&w, 20);
	}
	assert_in_range(world_server(&w, 0)->connects - connects, 0, 2);
	assert_int_equal(world_status(&w).targets, 1); /* the other was not told again */
	connects = world_server(&w, 1)->connects;
	world_run_ms(&w, 10000);
	assert_int_equal(world_server(&w, 1)->connects, connects);
	hc_engine_remove(w.engine, other); /* long gone: fine */
	hc_engine_remove(w.engine, id);
	assert_int_equal(world_status(&w).up, 0);
	world_done(&w);
}

static uint64_t put_from(struct world *w, uint16_t port)
{
	struct hc_target t = { .check = w->check, .from_port = port };

	t.endpoint = world_endpoint(0);
	t.id = check_target_id(t.check, &t.endpoint);
	hc_engine_put(w->engine, &t, true);
	return t.id;
}

static void a_target_is_probed_from_the_port_it_was_told_last(void **state)
{
	static const uint16_t ports[] = { 61007, 61007, 61008, 0, 61009 };
	struct world w = world_new(1, 100);
	uint64_t id = 0;

	(void)state;
	world_server(&w, 0);
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		uint64_t connects = world_server(&w, 0)->connects;

		id = put_from(&w, ports[i]);
		world_run_ms(&w, 5000);
		assert_in_range(world_server(&w, 0)->connects - connects, 2, 5);
		assert_int_equal(world_server(&w, 0)->last_from, ports[i]);
	}
	assert_int_equal(world_verdict(&w, id).state, VERDICT_UP);
	assert_int_equal(world_verdict(&w, id).failed, 0);
	world_done(&w);
}

static void a_begin_without_commit_drops_nothing(void **state)
{
	struct world w = world_new(1, 100);

	(void)state;
	world_put(&w, 0, VERDICT_UP);
	world_put(&w, 1, VERDICT_UP);
	hc_engine_begin(w.engine);
	world_put(&w, 0, VERDICT_UP);
	hc_engine_begin(w.engine); /* the next core begins anew */
	world_put(&w, 0, VERDICT_UP);
	world_put(&w, 2, VERDICT_UP);
	assert_int_equal(world_status(&w).targets, 3);
	hc_engine_commit(w.engine);
	assert_int_equal(world_status(&w).targets, 2);
	world_done(&w);
}

/* Removing a target in any stage leaves nothing behind (the sanitizers and world_done look). */
static void targets_go_at_any_moment(void **state)
{
	struct world w = world_new(9, 30);
	uint64_t ids[100] = { 0 };

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint32_t k = fake_net_random(w.net) % 100;

		world_server(&w, k)->mode = (enum fake_mode)(fake_net_random(w.net) % 4);
		world_server(&w, k)->latency_us = fake_net_random(w.net) % 2000000;
		if (ids[k]) {
			hc_engine_remove(w.engine, ids[k]);
			ids[k] = 0;
		} else {
			ids[k] = world_put(&w, k, (enum verdict_state)(fake_net_random(w.net) % 3));
		}
		world_run_ms(&w, fake_net_random(w.net) % 30);
		assert_true(fake_net_open(w.net) <= 30);
	}
	world_done(&w);
}

static void flapping_is_told_in_order(void **state)
{
	struct world w = world_new(5, 100);
	struct hc_verdict v, last;
	uint64_t id;
	unsigned changes = 0;

	(void)state;
	w.check->fall = 1;
	w.check->rise = 1;
	world_server(&w, 0);
	id = world_put(&w, 0, VERDICT_UNKNOWN);
	last = world_verdict(&w, id);
	for (int i = 0; i < 2000; i++) {
		world_server(&w, 0)->mode = fake_net_random(w.net) % 2 ? FAKE_UP : FAKE_REFUSES;
		world_run_ms(&w, 700);
		while (hc_engine_tell(w.engine, &v)) {
			assert_int_equal(v.id, id);
			assert_true(v.ok + v.failed >= last.ok + last.failed);
			assert_true(v.since_ms >= last.since_ms);
			assert_int_equal(v.sequence > last.sequence, v.state != last.state);
			changes += v.state != last.state;
			last = v;
		}
	}
	assert_int_equal(last.sequence, changes);
	assert_true(changes > 200);
	world_done(&w);
}

static void counters_are_told_each_five_seconds_at_most(void **state)
{
	struct world w = world_new(5, 100);
	struct hc_verdict v;
	mono_t last = { 0 };
	unsigned told = 0;

	(void)state;
	world_server(&w, 0);
	world_put(&w, 0, VERDICT_UNKNOWN);
	world_run_ms(&w, 100);
	while (hc_engine_tell(w.engine, &v))
		;
	for (int i = 0; i < 600; i++) {
		world_run_ms(&w, 100);
		while (hc_engine_tell(w.engine, &v)) {
			assert_true(!last.ns || mono_sub_ms(world_now(&w), last) >= HC_COUNTERS_MS);
			last = world_now(&w);
			told++;
		}
	}
	assert_in_range(told, 7, 12);
	world_done(&w);
}

static void a_target_that_must_not_be_probed_stays_as_it_was(void **state)
{
	struct world w = world_new(5, 100);
	struct hc_target t = { .endpoint = world_endpoint(0),
			       .check = w.check,
			       .initial = VERDICT_UP };
	struct check *none = check_new(CHECK_NONE);
	struct hc_target n = { .endpoint = world_endpoint(1), .check = none };

	(void)state;
	t.id = check_target_id(t.check, &t.endpoint);
	n.id = check_target_id(n.check, &n.endpoint);
	hc_engine_put(w.engine, &t, false);
	hc_engine_put(w.engine, &n, true);
	world_run_ms(&w, 10000);
	assert_int_equal(fake_net_attempts(w.net), 0);
	assert_int_equal(world_verdict(&w, t.id).state, VERDICT_UP);
	assert_int_equal(world_verdict(&w, t.id).reason, HC_REASON_NOT_ALLOWED);
	assert_int_equal(world_verdict(&w, n.id).state, VERDICT_UP);
	check_unref(none);
	world_done(&w);
}

/* --- http ------------------------------------------------------------------------------------- */

static void an_http_server_is_judged_by_its_answer(void **state)
{
	static const struct {
		const char *reply;
		enum hc_reason reason;
		int32_t detail;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nit works", HC_REASON_OK, 200 },
		{ "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", HC_REASON_STATUS, 503 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother", HC_REASON_NO_MATCH, 200 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nit works", HC_REASON_CLOSED, 0 },
		{ "SSH-2.0-OpenSSH_9.2\r\n", HC_REASON_BAD_REPLY, 0 },
		{ "", HC_REASON_CLOSED, 0 },
		{ NULL, HC_REASON_TIMEOUT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases) * 3; i++) {
		struct world w = world_new(i, 100);
		struct fake_server *s = world_server(&w, 0);
		struct hc_verdict v;
		uint64_t id;

		check_unref(w.check);
		w.check = check_new(CHECK_HTTP);
		w.check->match = xstrdup("works");
		s->reply = cases[i % ARRAY_LEN(cases)].reply;
		s->piece = i < ARRAY_LEN(cases) ? 0 : i < 2 * ARRAY_LEN(cases) ? 1 : 7;
		id = world_put(&w, 0, VERDICT_UNKNOWN);
		world_run_ms(&w, 6000);
		v = world_verdict(&w, id);
		assert_int_equal(v.reason, cases[i % ARRAY_LEN(cases)].reason);
		assert_int_equal(v.detail, cases[i % ARRAY_LEN(cases)].detail);
		assert_int_equal(v.state, v.reason == HC_REASON_OK ? VERDICT_UP : VERDICT_DOWN);
		world_done(&w);
	}
}

/* A byte now and then keeps no probe alive: the deadline is for the whole of it. */
static void dripping_bytes_do_not_stretch_the_deadline(void **state)
{
	struct world w = world_new(1, 100);
	struct fake_server *s = world_server(&w, 0);
	uint64_t id;

	(void)state;
	check_unref(w.check);
	w.check = check_new(CHECK_HTTP);
	s->reply = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nit works";
	s->piece = 1;
	s->latency_us = 300000;
	id = world_put(&w, 0, VERDICT_UNKNOWN);
	assert_true(world_wait_for(&w, id, VERDICT_DOWN, 5000) >= 0);
	assert_int_equal(world_verdict(&w, id).reason, HC_REASON_TIMEOUT);
	world_done(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_targets_are_spread),
		cmocka_unit_test(half_of_many_dying_drowns_nobody),
		cmocka_unit_test(too_many_targets_are_probed_less_often),
		cmocka_unit_test(a_target_takes_little),
		cmocka_unit_test(equal_checks_are_kept_once),
		cmocka_unit_test(a_target_told_again_keeps_state_and_phase),
		cmocka_unit_test(a_target_is_probed_from_the_port_it_was_told_last),
		cmocka_unit_test(a_begin_without_commit_drops_nothing),
		cmocka_unit_test(targets_go_at_any_moment),
		cmocka_unit_test(flapping_is_told_in_order),
		cmocka_unit_test(counters_are_told_each_five_seconds_at_most),
		cmocka_unit_test(a_target_that_must_not_be_probed_stays_as_it_was),
		cmocka_unit_test(an_http_server_is_judged_by_its_answer),
		cmocka_unit_test(dripping_bytes_do_not_stretch_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
