/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe engine on a network and a clock of the test's own. Nothing here waits for real time. */
#include "healthcheck/engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/fake_net.h"

#define START_MS 5000000
#define MANY	 35000

struct world {
	struct fake_net *net;
	struct hc_engine *engine;
	struct check *check;
	uint64_t last_sequence[16]; /* of the first targets; told ones must grow */
};

static struct world world_new(uint64_t seed, uint32_t max_in_flight)
{
	struct world w = { .net = fake_net_new(seed, START_MS), .check = check_new(CHECK_TCP) };
	struct hc_engine_config c = { .io = fake_net_io(w.net),
				      .clock = fake_net_clock(w.net),
				      .max_in_flight = max_in_flight };

	w.engine = hc_engine_new(&c);
	return w;
}

static void world_done(struct world *w)
{
	hc_engine_free(w->engine);
	assert_int_equal(fake_net_open(w->net), 0);
	check_unref(w->check);
	fake_net_free(w->net);
}

static mono_t now_of(const struct world *w)
{
	return clock_mono(fake_net_clock(w->net));
}

static struct endpoint endpoint_at(uint32_t i)
{
	struct endpoint e;

	memset(&e, 0, sizeof(e));
	e.addr = addr_v4(0x0a800000 + i);
	e.port = 80;
	e.protocol = IPPROTO_TCP;
	return e;
}

static struct fake_server *server_at(struct world *w, uint32_t i)
{
	struct endpoint e = endpoint_at(i);

	return fake_net_server(w->net, &e);
}

static uint64_t put(struct world *w, uint32_t i, enum verdict_state initial)
{
	struct hc_target t = { .endpoint = endpoint_at(i), .check = w->check, .initial = initial };

	t.id = check_target_id(w->check, &t.endpoint);
	hc_engine_put(w->engine, &t, true);
	return t.id;
}

/* One step: to the next thing that happens, but not beyond `end`. */
static void step(struct world *w, mono_t end)
{
	mono_t next = end, t;

	if (hc_engine_next(w->engine, &t) && mono_before(t, next))
		next = t;
	if (fake_net_next(w->net, &t) && mono_before(t, next))
		next = t;
	if (mono_before(next, now_of(w)))
		next = now_of(w);
	fake_net_set(w->net, next);
	hc_engine_run(w->engine);
}

static void run_to(struct world *w, mono_t end)
{
	while (mono_before(now_of(w), end))
		step(w, end);
}

static void run_ms(struct world *w, int64_t ms)
{
	run_to(w, mono_add_ms(now_of(w), ms));
}

/* The newest verdict told of `id`; what is told of others is dropped. */
static struct hc_verdict verdict_of(struct world *w, uint64_t id)
{
	struct hc_verdict v, found = { 0 };

	hc_engine_tell_all(w->engine);
	while (hc_engine_tell(w->engine, &v)) {
		if (v.id == id)
			found = v;
	}
	assert_int_equal(found.id, id);
	return found;
}

/* Runs until id is told to be in `state`, `limit_ms` at most; returns how long it took in us. */
static int64_t wait_for(struct world *w, uint64_t id, enum verdict_state state, int64_t limit_ms)
{
	mono_t begin = now_of(w), end = mono_add_ms(begin, limit_ms);
	struct hc_verdict v;

	for (;;) {
		while (hc_engine_tell(w->engine, &v)) {
			if (v.id == id && v.state == state)
				return (now_of(w).ns - begin.ns) / 1000;
		}
		if (!mono_before(now_of(w), end))
			return -1;
		step(w, end);
	}
}

static struct hc_status status_of(struct world *w)
{
	struct hc_status s;

	hc_engine_status(w->engine, &s);
	return s;
}

/* --- how soon -------------------------------------------------------------------------- */

struct promise {
	uint32_t interval, timeout, fast;
	uint8_t fall, rise;
};

/* A server dies at any moment in any way, and comes back: both are seen in time. */
static void death_and_return_are_seen_in_time(void **state)
{
	static const struct promise promises[] = {
		{ 2000, 1000, 500, 3, 2 },   { 2000, 1000, 2000, 3, 2 },
		{ 2000, 2000, 2000, 3, 2 },  { 1000, 1000, 500, 5, 5 },
		{ 5000, 1000, 500, 1, 1 },   { 1000, 100, 1000, 10, 10 },
		{ 60000, 100, 60000, 2, 2 }, { 100, 100, 100, 3, 2 },
	};
	static const enum fake_mode deaths[] = { FAKE_SILENT, FAKE_REFUSES, FAKE_UNREACHABLE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(promises) * ARRAY_LEN(deaths) * 20; i++) {
		const struct promise *p = &promises[i % ARRAY_LEN(promises)];
		struct world w = world_new(i, 100);
		struct fake_server *s = server_at(&w, (uint32_t)i);
		int64_t down_ms = p->fall * p->interval + p->interval / 5 + p->timeout + 200;
		int64_t up_ms = p->rise * p->interval + p->interval / 5 + 200;
		uint64_t id;

		w.check->interval_ms = p->interval;
		w.check->timeout_ms = p->timeout;
		w.check->fast_ms = p->fast;
		w.check->fall = p->fall;
		w.check->rise = p->rise;
		id = put(&w, (uint32_t)i, VERDICT_UNKNOWN);
		run_ms(&w, 3 * p->interval + fake_net_random(w.net) % p->interval);
		assert_int_equal(verdict_of(&w, id).state, VERDICT_UP);
		s->mode = deaths[i / ARRAY_LEN(promises) % ARRAY_LEN(deaths)];
		assert_true(wait_for(&w, id, VERDICT_DOWN, down_ms) >= 0);
		run_ms(&w, 3 * p->interval + fake_net_random(w.net) % p->interval);
		assert_int_equal(verdict_of(&w, id).state, VERDICT_DOWN);
		s->mode = FAKE_UP;
		assert_true(wait_for(&w, id, VERDICT_UP, up_ms) >= 0);
		world_done(&w);
	}
}

/* With the defaults the fast interval does better than the promise; these are the figures. */
static void the_fast_interval_shortens_it(void **state)
{
	int64_t refused = 0, silent = 0, back = 0;

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		struct world w = world_new(i, 100);
		struct fake_server *s = server_at(&w, i);
		uint64_t id = put(&w, i, VERDICT_UNKNOWN);
		int64_t us;

		run_ms(&w, 4000 + fake_net_random(w.net) % 2000);
		s->mode = i % 2 ? FAKE_SILENT : FAKE_REFUSES;
		us = wait_for(&w, id, VERDICT_DOWN, 7600);
		assert_true(us >= 0);
		if (i % 2)
			silent = us > silent ? us : silent;
		else
			refused = us > refused ? us : refused;
		s->mode = FAKE_UP;
		us = wait_for(&w, id, VERDICT_UP, 4600);
		assert_true(us >= 0);
		back = us > back ? us : back;
		world_done(&w);
	}
	print_message("worst of 300: refused %.2f s, silent %.2f s, back %.2f s\n",
		      (double)refused / 1e6, (double)silent / 1e6, (double)back / 1e6);
	assert_true(refused <= 3400000 + 10000);
	assert_true(silent <= 5400000 + 10000);
	assert_true(back <= 2900000 + 10000);
}

static void what_is_told_first_is_the_first_probe(void **state)
{
	struct world w = world_new(1, 100);
	uint64_t id;

	(void)state;
	server_at(&w, 0);
	id = put(&w, 0, VERDICT_UNKNOWN);
	/* Unknown and new: probed at once, up after one success. */
	assert_in_range(wait_for(&w, id, VERDICT_UP, 100), 0, 1000);
	assert_true(verdict_of(&w, id).proven);
	world_done(&w);
}

/* Nothing to do is not being late: what comes after an hour's rest is judged as usual. */
static void rest_is_not_lateness(void **state)
{
	struct world w = world_new(1, 100);
	uint64_t id;

	(void)state;
	w.check->fall = 1;
	server_at(&w, 0)->mode = FAKE_REFUSES;
	hc_engine_run(w.engine);
	fake_net_set(w.net, mono_add_ms(now_of(&w), 3600000));
	id = put(&w, 0, VERDICT_UNKNOWN);
	assert_in_range(wait_for(&w, id, VERDICT_DOWN, 100), 0, 1000);
	assert_int_equal(status_of(&w).lag_ms, 0);
	world_done(&w);
}

static void an_inherited_state_holds_until_probes_speak(void **state)
{
	struct world w = world_new(1, 100);
	uint64_t dead = put(&w, 0, VERDICT_UP);
	uint64_t alive = put(&w, 1, VERDICT_DOWN);
	struct hc_verdict v;

	(void)state;
	server_at(&w, 0)->mode = FAKE_REFUSES;
	server_at(&w, 1);
	v = verdict_of(&w, dead);
	assert_int_equal(v.state, VERDICT_UP);
	assert_int_equal(v.reason, HC_REASON_INHERITED);
	assert_int_equal(v.since_ms, 0);
	assert_false(v.proven);
	run_ms(&w, 300); /* one failure and one success: both in doubt, neither changed */
	assert_int_equal(verdict_of(&w, dead).state, VERDICT_UP);
	assert_int_equal(verdict_of(&w, alive).state, VERDICT_DOWN);
	run_ms(&w, 1500);
	v = verdict_of(&w, dead);
	assert_int_equal(v.state, VERDICT_DOWN);
	assert_int_equal(v.reason, HC_REASON_REFUSED);
	assert_true(v.proven);
	assert_int_equal(verdict_of(&w, alive).state, VERDICT_UP);
	world_done(&w);
}

static void that_an_inherited_state_holds_is_told_at_once(void **state)
{
	struct world w = world_new(1, 100);
	struct hc_verdict v = { 0 };

	(void)state;
	server_at(&w, 0);
	put(&w, 0, VERDICT_UP);
	assert_true(hc_engine_tell(w.engine, &v));
	assert_false(v.proven);
	run_ms(&w, 10);
	assert_true(hc_engine_tell(w.engine, &v));
	assert_true(v.proven);
	assert_int_equal(v.state, VERDICT_UP);
	assert_int_equal(v.sequence, 0);
	world_done(&w);
}

/* --- nothing but the server's own failure counts -------------------------------------------- */

static void one_lost_probe_in_a_hundred_takes_nobody_out(void **state)
{
	struct world w = world_new(7, 1000);
	struct hc_verdict v;
	struct hc_status s;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		server_at(&w, i)->loss_permille = 10;
		put(&w, i, VERDICT_UP);
	}
	for (int i = 0; i < 3600; i++) {
		run_ms(&w, 1000);
		while (hc_engine_tell(w.engine, &v))
			assert_int_equal(v.state, VERDICT_UP);
	}
	s = status_of(&w);
	assert_int_equal(s.up, 100);
	assert_true(s.probes > 180000);
	world_done(&w);
}

static void our_own_trouble_counts_for_nothing(void **state)
{
	static const int errors[] = { EMFILE, ENFILE, ENOBUFS,	ENOMEM,	     EADDRNOTAVAIL, EPERM,
				      EACCES, EAGAIN, ENETDOWN, ENETUNREACH, EHOSTUNREACH };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct world w = world_new(i, 1000);
		uint64_t dead = put(&w, 100, VERDICT_UNKNOWN);
		uint64_t fresh, before;
		struct hc_outcome trouble = { 0 };
		struct hc_verdict v;

		for (uint32_t k = 0; k < 100; k++) {
			server_at(&w, k);
			put(&w, k, VERDICT_UNKNOWN);
		}
		run_ms(&w, 8000);
		assert_int_equal(status_of(&w).up, 100);
		assert_int_equal(verdict_of(&w, dead).state, VERDICT_DOWN);
		hc_engine_take_trouble(w.engine, &trouble);
		fake_net_fail(w.net, errors[i]);
		before = fake_net_attempts(w.net);
		server_at(&w, 101);
		fresh = put(&w, 101, VERDICT_UNKNOWN);
		run_ms(&w, 20000);
		assert_int_equal(status_of(&w).up, 100);
		assert_int_equal(status_of(&w).down, 1);
		v = verdict_of(&w, fresh);
		assert_int_equal(v.state, VERDICT_UNKNOWN);
		assert_int_equal(v.ok + v.failed, 0);
		assert_int_equal(hc_engine_take_trouble(w.engine, &trouble),
				 fake_net_attempts(w.net) - before);
		assert_int_equal(trouble.detail, errors[i]);
		/* No storm of attempts either: at most the fast rhythm. */
		assert_true(fake_net_attempts(w.net) - before <= 102 * 20 * 3);
		fake_net_fail(w.net, 0);
		run_ms(&w, 3000);
		assert_int_equal(status_of(&w).up, 101);
		assert_int_equal(verdict_of(&w, fresh).state, VERDICT_UP);
		world_done(&w);
	}
}

static void without_descriptors_it_pauses(void **state)
{
	struct world w = world_new(3, 100000);
	uint64_t before;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		server_at(&w, i);
		put(&w, i, VERDICT_UP);
	}
	run_ms(&w, 10000);
	fake_net_fail(w.net, EMFILE);
	before = fake_net_attempts(w.net);
	run_ms(&w, 10000);
	assert_in_range(fake_net_attempts(w.net) - before, 50, 110); /* ten a second */
	fake_net_fail(w.net, 0);
	run_ms(&w, 10000);
	assert_int_equal(status_of(&w).up, 5000);
	world_done(&w);
}

/* The process was stopped for a while with probes under way: nothing can be said of those. */
static void a_stalled_loop_counts_for_nothing(void **state)
{
	(void)state;
	for (uint32_t stall = 150; stall < 20000; stall = stall * 3 / 2) {
		struct world w = world_new(stall, 1000);

		w.check->fall = 1;
		for (uint32_t i = 0; i < 200; i++) {
			server_at(&w, i)->latency_us = 30000;
			put(&w, i, VERDICT_UP);
		}
		run_ms(&w, 10000 + fake_net_random(w.net) % 2000);
		for (uint32_t i = 0; i < 200; i++)
			server_at(&w, i)->mode =
				FAKE_SILENT; /* whatever begins now gets no answer */
		run_ms(&w, 60);
		for (uint32_t i = 0; i < 200; i++)
			server_at(&w, i)->mode = FAKE_UP;
		fake_net_set(w.net, mono_add_ms(now_of(&w), 1000 + stall));
		hc_engine_run(w.engine);
		assert_int_equal(status_of(&w).up, 200);
		run_ms(&w, 10000);
		assert_int_equal(status_of(&w).up, 200);
		assert_int_equal(status_of(&w).down, 0);
		world_done(&w);
	}
}

/* Answers that came while we slept are read before any timeout is believed. */
static void a_late_loop_reads_answers_before_timeouts(void **state)
{
	struct world w = world_new(1, 1000);

	(void)state;
	w.check->fall = 1;
	w.check->timeout_ms = 100;
	for (uint32_t i = 0; i < 50; i++) {
		server_at(&w, i)->latency_us = 95000;
		put(&w, i, VERDICT_UP);
	}
	for (int i = 0; i < 400; i++) { /* every lap is late, but not so late that it is void */
		mono_t next = mono_add_ms(now_of(&w), 90);

		fake_net_set(w.net, next);
		hc_engine_run(w.engine);
	}
	assert_int_equal(status_of(&w).up, 50);
	assert_int_equal(status_of(&w).inconclusive, 0);
	world_done(&w);
}

static void what_is_above_the_limit_waits_uncounted(void **state)
{
	struct world w = world_new(1, 10);
	struct hc_status s;

	(void)state;
	/* 40 black holes want 20 s of probing each 2 s from 10 places; the living wait, and live. */
	for (uint32_t i = 0; i < 60; i++) {
		server_at(&w, i)->mode = i < 40 ? FAKE_SILENT : FAKE_UP;
		put(&w, i, VERDICT_UP);
	}
	for (int i = 0; i < 60000; i += 10) {
		run_ms(&w, 10);
		assert_true(fake_net_open(w.net) <= 10);
	}
	s = status_of(&w);
	assert_int_equal(s.up, 20);
	assert_int_equal(s.down, 40);
	assert_int_equal(s.inconclusive, 0);
	for (uint32_t i = 40; i < 60; i++)
		assert_true(server_at(&w, i)->connects > 8);
	world_done(&w);
}

/* --- many ------------------------------------------------------------------------------------ */

struct windows {
	uint32_t count[4000]; /* 100 ms each */
};

static void count_start(void *arg, const struct fake_server *s, mono_t now)
{
	struct windows *w = arg;
	int64_t i = (now.ns / 1000000 - START_MS) / 100;

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

static void many_targets_are_spread(void **state)
{
	struct windows *n = xcalloc(1, sizeof(*n));
	struct world w = world_new(1, 100000);

	(void)state;
	fake_net_on_start(w.net, count_start, n);
	for (uint32_t i = 0; i < MANY; i++) {
		server_at(&w, i);
		put(&w, i, VERDICT_UNKNOWN);
	}
	run_ms(&w, 20000);
	assert_int_equal(status_of(&w).up, MANY);
	print_message(
		"35,000 at 2 s, probes in 100 ms: first second at most %u, then %u (even: %u)\n",
		most(n, 0, 10), most(n, 50, 200), MANY / 20);
	/* One and a half times the steady rate over 150 ms, at any time. */
	assert_true(most(n, 0, 200) <= MANY / 2 * 3 / 2 * 15 / 100 + 1);
	assert_true(most(n, 50, 200) <= MANY / 20 * 6 / 5);
	/* All of them within an interval at the start, and none twice as often as it should later. */
	for (uint32_t i = 0; i < MANY; i++)
		assert_in_range(server_at(&w, i)->connects, 9, 13);
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
		server_at(&w, i);
		put(&w, i, VERDICT_UP);
	}
	watched = put(&w, 3, VERDICT_UP);
	run_ms(&w, 10000);
	for (uint32_t i = 0; i < MANY / 5; i += 2)
		server_at(&w, i)->mode = FAKE_SILENT;
	run_ms(&w, 7600);
	assert_int_equal(status_of(&w).down, MANY / 10);
	server_at(&w, 3)->mode = FAKE_REFUSES;
	assert_true(wait_for(&w, watched, VERDICT_DOWN, 7600) >= 0);
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
		server_at(&w, i);
		put(&w, i, VERDICT_UNKNOWN);
	}
	run_ms(&w, 20000);
	s = status_of(&w);
	assert_int_equal(s.up, 30000);
	assert_int_equal(s.inconclusive, 0);
	assert_true(s.lag_ms <= HC_LATE_MS);
	for (uint32_t i = 0; i < 10; i++) {
		server_at(&w, i)->mode = i % 2 ? FAKE_SILENT : FAKE_REFUSES;
		dead[i] = put(&w, i, VERDICT_UNKNOWN);
	}
	run_ms(&w, 20000);
	assert_int_equal(status_of(&w).down, 10);
	assert_int_equal(status_of(&w).up, 29990);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(verdict_of(&w, dead[i]).state, VERDICT_DOWN);
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
	server_at(&w, 0);
	server_at(&w, 1);
	id = put(&w, 0, VERDICT_UNKNOWN);
	other = put(&w, 1, VERDICT_UNKNOWN);
	run_ms(&w, 10000);
	connects = server_at(&w, 0)->connects;
	for (int i = 0; i < 100; i++) {
		before = verdict_of(&w, id);
		hc_engine_begin(w.engine);
		put(&w, 0, VERDICT_DOWN);
		hc_engine_commit(w.engine);
		after = verdict_of(&w, id);
		assert_int_equal(before.state, after.state);
		assert_int_equal(before.sequence, after.sequence);
		assert_int_equal(before.since_ms, after.since_ms);
		assert_int_equal(before.ok, after.ok);
		run_ms(&w, 20);
	}
	assert_in_range(server_at(&w, 0)->connects - connects, 0, 2);
	assert_int_equal(status_of(&w).targets, 1); /* the other was not told again */
	connects = server_at(&w, 1)->connects;
	run_ms(&w, 10000);
	assert_int_equal(server_at(&w, 1)->connects, connects);
	hc_engine_remove(w.engine, other); /* long gone: fine */
	hc_engine_remove(w.engine, id);
	assert_int_equal(status_of(&w).up, 0);
	world_done(&w);
}

static void a_begin_without_commit_drops_nothing(void **state)
{
	struct world w = world_new(1, 100);

	(void)state;
	put(&w, 0, VERDICT_UP);
	put(&w, 1, VERDICT_UP);
	hc_engine_begin(w.engine);
	put(&w, 0, VERDICT_UP);
	hc_engine_begin(w.engine); /* the next core begins anew */
	put(&w, 0, VERDICT_UP);
	put(&w, 2, VERDICT_UP);
	assert_int_equal(status_of(&w).targets, 3);
	hc_engine_commit(w.engine);
	assert_int_equal(status_of(&w).targets, 2);
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

		server_at(&w, k)->mode = (enum fake_mode)(fake_net_random(w.net) % 4);
		server_at(&w, k)->latency_us = fake_net_random(w.net) % 2000000;
		if (ids[k]) {
			hc_engine_remove(w.engine, ids[k]);
			ids[k] = 0;
		} else {
			ids[k] = put(&w, k, (enum verdict_state)(fake_net_random(w.net) % 3));
		}
		run_ms(&w, fake_net_random(w.net) % 30);
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
	server_at(&w, 0);
	id = put(&w, 0, VERDICT_UNKNOWN);
	last = verdict_of(&w, id);
	for (int i = 0; i < 2000; i++) {
		server_at(&w, 0)->mode = fake_net_random(w.net) % 2 ? FAKE_UP : FAKE_REFUSES;
		run_ms(&w, 700);
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
	server_at(&w, 0);
	put(&w, 0, VERDICT_UNKNOWN);
	run_ms(&w, 100);
	while (hc_engine_tell(w.engine, &v))
		;
	for (int i = 0; i < 600; i++) {
		run_ms(&w, 100);
		while (hc_engine_tell(w.engine, &v)) {
			assert_true(!last.ns || mono_sub_ms(now_of(&w), last) >= HC_COUNTERS_MS);
			last = now_of(&w);
			told++;
		}
	}
	assert_in_range(told, 7, 12);
	world_done(&w);
}

static void a_target_that_must_not_be_probed_stays_unknown(void **state)
{
	struct world w = world_new(5, 100);
	struct hc_target t = { .endpoint = endpoint_at(0),
			       .check = w.check,
			       .initial = VERDICT_UP };
	struct check *none = check_new(CHECK_NONE);
	struct hc_target n = { .endpoint = endpoint_at(1), .check = none };

	(void)state;
	t.id = check_target_id(t.check, &t.endpoint);
	n.id = check_target_id(n.check, &n.endpoint);
	hc_engine_put(w.engine, &t, false);
	hc_engine_put(w.engine, &n, true);
	run_ms(&w, 10000);
	assert_int_equal(fake_net_attempts(w.net), 0);
	assert_int_equal(verdict_of(&w, t.id).state, VERDICT_UNKNOWN);
	assert_int_equal(verdict_of(&w, n.id).state, VERDICT_UP);
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
		struct fake_server *s = server_at(&w, 0);
		struct hc_verdict v;
		uint64_t id;

		check_unref(w.check);
		w.check = check_new(CHECK_HTTP);
		w.check->match = xstrdup("works");
		s->reply = cases[i % ARRAY_LEN(cases)].reply;
		s->piece = i < ARRAY_LEN(cases) ? 0 : i < 2 * ARRAY_LEN(cases) ? 1 : 7;
		id = put(&w, 0, VERDICT_UNKNOWN);
		run_ms(&w, 6000);
		v = verdict_of(&w, id);
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
	struct fake_server *s = server_at(&w, 0);
	uint64_t id;

	(void)state;
	check_unref(w.check);
	w.check = check_new(CHECK_HTTP);
	s->reply = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nit works";
	s->piece = 1;
	s->latency_us = 300000;
	id = put(&w, 0, VERDICT_UNKNOWN);
	assert_true(wait_for(&w, id, VERDICT_DOWN, 5000) >= 0);
	assert_int_equal(verdict_of(&w, id).reason, HC_REASON_TIMEOUT);
	world_done(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(death_and_return_are_seen_in_time),
		cmocka_unit_test(the_fast_interval_shortens_it),
		cmocka_unit_test(what_is_told_first_is_the_first_probe),
		cmocka_unit_test(rest_is_not_lateness),
		cmocka_unit_test(an_inherited_state_holds_until_probes_speak),
		cmocka_unit_test(that_an_inherited_state_holds_is_told_at_once),
		cmocka_unit_test(one_lost_probe_in_a_hundred_takes_nobody_out),
		cmocka_unit_test(our_own_trouble_counts_for_nothing),
		cmocka_unit_test(without_descriptors_it_pauses),
		cmocka_unit_test(a_stalled_loop_counts_for_nothing),
		cmocka_unit_test(a_late_loop_reads_answers_before_timeouts),
		cmocka_unit_test(what_is_above_the_limit_waits_uncounted),
		cmocka_unit_test(many_targets_are_spread),
		cmocka_unit_test(half_of_many_dying_drowns_nobody),
		cmocka_unit_test(too_many_targets_are_probed_less_often),
		cmocka_unit_test(a_target_told_again_keeps_state_and_phase),
		cmocka_unit_test(a_begin_without_commit_drops_nothing),
		cmocka_unit_test(targets_go_at_any_moment),
		cmocka_unit_test(flapping_is_told_in_order),
		cmocka_unit_test(counters_are_told_each_five_seconds_at_most),
		cmocka_unit_test(a_target_that_must_not_be_probed_stays_unknown),
		cmocka_unit_test(an_http_server_is_judged_by_its_answer),
		cmocka_unit_test(dripping_bytes_do_not_stretch_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
