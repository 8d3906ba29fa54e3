/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe engine: how soon it sees, and that nothing but a server's own failure counts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "healthcheck/verdict.h"
#include "tests/lib/hc_world.h"

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
		struct fake_server *s = world_server(&w, (uint32_t)i);
		int64_t down_ms = p->fall * p->interval + p->interval / 5 + p->timeout + 200;
		int64_t up_ms = p->rise * p->interval + p->interval / 5 + 200;
		uint64_t id;

		w.check->interval_ms = p->interval;
		w.check->timeout_ms = p->timeout;
		w.check->fast_ms = p->fast;
		w.check->fall = p->fall;
		w.check->rise = p->rise;
		id = world_put(&w, (uint32_t)i, VERDICT_UNKNOWN);
		world_run_ms(&w, 3 * p->interval + fake_net_random(w.net) % p->interval);
		assert_int_equal(world_verdict(&w, id).state, VERDICT_UP);
		s->mode = deaths[i / ARRAY_LEN(promises) % ARRAY_LEN(deaths)];
		assert_true(world_wait_for(&w, id, VERDICT_DOWN, down_ms) >= 0);
		world_run_ms(&w, 3 * p->interval + fake_net_random(w.net) % p->interval);
		assert_int_equal(world_verdict(&w, id).state, VERDICT_DOWN);
		s->mode = FAKE_UP;
		assert_true(world_wait_for(&w, id, VERDICT_UP, up_ms) >= 0);
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
		struct fake_server *s = world_server(&w, i);
		uint64_t id = world_put(&w, i, VERDICT_UNKNOWN);
		int64_t us;

		world_run_ms(&w, 4000 + fake_net_random(w.net) % 2000);
		s->mode = i % 2 ? FAKE_SILENT : FAKE_REFUSES;
		us = world_wait_for(&w, id, VERDICT_DOWN, 7600);
		assert_true(us >= 0);
		if (i % 2)
			silent = us > silent ? us : silent;
		else
			refused = us > refused ? us : refused;
		s->mode = FAKE_UP;
		us = world_wait_for(&w, id, VERDICT_UP, 4600);
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
	world_server(&w, 0);
	id = world_put(&w, 0, VERDICT_UNKNOWN);
	/* Unknown and new: probed at once, up after one success. */
	assert_in_range(world_wait_for(&w, id, VERDICT_UP, 100), 0, 1000);
	assert_true(world_verdict(&w, id).proven);
	world_done(&w);
}

/* Nothing to do is not being late: what comes after an hour's rest is judged as usual. */
static void rest_is_not_lateness(void **state)
{
	struct world w = world_new(1, 100);
	uint64_t id;

	(void)state;
	w.check->fall = 1;
	world_server(&w, 0)->mode = FAKE_REFUSES;
	hc_engine_run(w.engine);
	fake_net_set(w.net, mono_add_ms(world_now(&w), 3600000));
	id = world_put(&w, 0, VERDICT_UNKNOWN);
	assert_in_range(world_wait_for(&w, id, VERDICT_DOWN, 100), 0, 1000);
	assert_int_equal(world_status(&w).lag_ms, 0);
	world_done(&w);
}

static void an_inherited_state_holds_until_probes_speak(void **state)
{
	struct world w = world_new(1, 100);
	uint64_t dead = world_put(&w, 0, VERDICT_UP);
	uint64_t alive = world_put(&w, 1, VERDICT_DOWN);
	struct hc_verdict v;

	(void)state;
	world_server(&w, 0)->mode = FAKE_REFUSES;
	world_server(&w, 1);
	v = world_verdict(&w, dead);
	assert_int_equal(v.state, VERDICT_UP);
	assert_int_equal(v.reason, HC_REASON_INHERITED);
	assert_int_equal(v.since_ms, 0);
	assert_false(v.proven);
	world_run_ms(&w, 300); /* one failure and one success: both in doubt, neither changed */
	assert_int_equal(world_verdict(&w, dead).state, VERDICT_UP);
	assert_int_equal(world_verdict(&w, alive).state, VERDICT_DOWN);
	world_run_ms(&w, 1500);
	v = world_verdict(&w, dead);
	assert_int_equal(v.state, VERDICT_DOWN);
	assert_int_equal(v.reason, HC_REASON_REFUSED);
	assert_true(v.proven);
	assert_int_equal(world_verdict(&w, alive).state, VERDICT_UP);
	world_done(&w);
}

static void that_an_inherited_state_holds_is_told_at_once(void **state)
{
	struct world w = world_new(1, 100);
	struct hc_verdict v = { 0 };

	(void)state;
	world_server(&w, 0);
	world_put(&w, 0, VERDICT_UP);
	assert_true(hc_engine_tell(w.engine, &v));
	assert_false(v.proven);
	world_run_ms(&w, 10);
	assert_true(hc_engine_tell(w.engine, &v));
	assert_true(v.proven);
	assert_int_equal(v.state, VERDICT_UP);
	assert_int_equal(v.sequence, 0);
	world_done(&w);
}

/*
 * It comes for three seconds each time it may, and dies: the checker holds it down for longer and
 * longer, asks as often as always meanwhile, and says until when.
 */
static void who_flaps_is_held_down(void **state)
{
	static const int64_t held_s[] = { 0, 10, 20, 40, 80 };
	struct world w = world_new(1, 100);
	struct fake_server *s = world_server(&w, 0);
	uint64_t id;

	(void)state;
	w.check->hold_down_s = 10;
	id = world_put(&w, 0, VERDICT_UP);
	world_run_ms(&w, 10000);
	for (size_t i = 0; i < ARRAY_LEN(held_s); i++) {
		int64_t began;
		struct hc_verdict v;
		uint64_t probes;

		s->mode = FAKE_REFUSES;
		assert_true(world_wait_for(&w, id, VERDICT_DOWN, 10000) >= 0);
		began = mono_sub_ms(world_now(&w), (mono_t){ 0 });
		s->mode = FAKE_UP;
		v = world_verdict(&w, id);
		assert_int_equal(v.flaps, i);
		assert_int_equal(v.held_ms, held_s[i] * 1000);
		probes = world_status(&w).probes;
		if (held_s[i])
			world_run_ms(&w, held_s[i] * 1000 - 10);
		v = world_verdict(&w, id);
		assert_int_equal(v.state, VERDICT_DOWN);
		if (held_s[i]) {
			assert_int_equal(v.reason, HC_REASON_OK);
			assert_in_range(world_status(&w).probes - probes, held_s[i] / 2 - 1,
					held_s[i] / 2 + 3);
		}
		/* Two successes at the fast interval where it is not held, and else the next. */
		assert_true(world_wait_for(&w, id, VERDICT_UP, 4500) >= 0);
		assert_in_range(mono_sub_ms(world_now(&w), (mono_t){ 0 }) - began, held_s[i] * 1000,
				held_s[i] * 1000 + 4500);
		assert_int_equal(world_verdict(&w, id).held_ms, 0);
		world_run_ms(&w, 3000);
	}
	world_run_ms(&w, HC_FLAP_MS);
	assert_int_equal(world_verdict(&w, id).flaps, 0);
	world_done(&w);
}

/* A third of all falls silent at once and is back: each of them changes twice, and nobody else. */
static void a_zone_gone_and_back_changes_each_of_it_twice(void **state)
{
	enum { COUNT = 3000 };
	struct world w = world_new(1, 20000);
	size_t changes[3] = { 0 };
	struct hc_verdict v;
	struct hc_status s;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		world_server(&w, i);
		world_put(&w, i, VERDICT_UP);
	}
	world_run_ms(&w, 10000);
	for (uint32_t i = 0; i < COUNT; i += 3)
		world_server(&w, i)->mode = FAKE_SILENT;
	world_run_ms(&w, 5500);
	s = world_status(&w);
	assert_int_equal(s.down, COUNT / 3);
	world_run_ms(&w, 30000);
	for (uint32_t i = 0; i < COUNT; i += 3)
		world_server(&w, i)->mode = FAKE_UP;
	world_run_ms(&w, 3000);
	s = world_status(&w);
	assert_int_equal(s.up, COUNT);
	assert_int_equal(s.lag_ms, 0);
	world_run_ms(&w, 30000);
	hc_engine_tell_all(w.engine);
	while (hc_engine_tell(w.engine, &v))
		changes[v.sequence < 2 ? v.sequence : 2] += v.sequence <= 2;
	assert_int_equal(changes[0], COUNT * 2 / 3);
	assert_int_equal(changes[2], COUNT / 3);
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
		world_server(&w, i)->loss_permille = 10;
		world_put(&w, i, VERDICT_UP);
	}
	for (int i = 0; i < 3600; i++) {
		world_run_ms(&w, 1000);
		while (hc_engine_tell(w.engine, &v))
			assert_int_equal(v.state, VERDICT_UP);
	}
	s = world_status(&w);
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
		uint64_t dead = world_put(&w, 100, VERDICT_UNKNOWN);
		uint64_t fresh, before;
		struct hc_outcome trouble = { 0 };
		struct hc_verdict v;

		for (uint32_t k = 0; k < 100; k++) {
			world_server(&w, k);
			world_put(&w, k, VERDICT_UNKNOWN);
		}
		world_run_ms(&w, 8000);
		assert_int_equal(world_status(&w).up, 100);
		assert_int_equal(world_verdict(&w, dead).state, VERDICT_DOWN);
		hc_engine_take_trouble(w.engine, &trouble);
		fake_net_fail(w.net, errors[i]);
		before = fake_net_attempts(w.net);
		world_server(&w, 101);
		fresh = world_put(&w, 101, VERDICT_UNKNOWN);
		world_run_ms(&w, 20000);
		assert_int_equal(world_status(&w).up, 100);
		assert_int_equal(world_status(&w).down, 1);
		v = world_verdict(&w, fresh);
		assert_int_equal(v.state, VERDICT_UNKNOWN);
		assert_int_equal(v.ok + v.failed, 0);
		assert_int_equal(hc_engine_take_trouble(w.engine, &trouble),
				 fake_net_attempts(w.net) - before);
		assert_int_equal(trouble.detail, errors[i]);
		/* No storm of attempts either: at most the fast rhythm. */
		assert_true(fake_net_attempts(w.net) - before <= 102 * 20 * 3);
		fake_net_fail(w.net, 0);
		world_run_ms(&w, 3000);
		assert_int_equal(world_status(&w).up, 101);
		assert_int_equal(world_verdict(&w, fresh).state, VERDICT_UP);
		world_done(&w);
	}
}

static void without_descriptors_it_pauses(void **state)
{
	struct world w = world_new(3, 100000);
	uint64_t before;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		world_server(&w, i);
		world_put(&w, i, VERDICT_UP);
	}
	world_run_ms(&w, 10000);
	fake_net_fail(w.net, EMFILE);
	before = fake_net_attempts(w.net);
	world_run_ms(&w, 10000);
	assert_in_range(fake_net_attempts(w.net) - before, 50, 110); /* ten a second */
	fake_net_fail(w.net, 0);
	world_run_ms(&w, 10000);
	assert_int_equal(world_status(&w).up, 5000);
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
			world_server(&w, i)->latency_us = 30000;
			world_put(&w, i, VERDICT_UP);
		}
		world_run_ms(&w, 10000 + fake_net_random(w.net) % 2000);
		for (uint32_t i = 0; i < 200; i++)
			world_server(&w, i)->mode =
				FAKE_SILENT; /* whatever begins now gets no answer */
		world_run_ms(&w, 60);
		for (uint32_t i = 0; i < 200; i++)
			world_server(&w, i)->mode = FAKE_UP;
		fake_net_set(w.net, mono_add_ms(world_now(&w), 1000 + stall));
		hc_engine_run(w.engine);
		assert_int_equal(world_status(&w).up, 200);
		world_run_ms(&w, 10000);
		assert_int_equal(world_status(&w).up, 200);
		assert_int_equal(world_status(&w).down, 0);
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
		world_server(&w, i)->latency_us = 95000;
		world_put(&w, i, VERDICT_UP);
	}
	for (int i = 0; i < 400; i++) { /* every lap is late, but not so late that it is void */
		mono_t next = mono_add_ms(world_now(&w), 90);

		fake_net_set(w.net, next);
		hc_engine_run(w.engine);
	}
	assert_int_equal(world_status(&w).up, 50);
	assert_int_equal(world_status(&w).inconclusive, 0);
	world_done(&w);
}

static void what_is_above_the_limit_waits_uncounted(void **state)
{
	struct world w = world_new(1, 10);
	struct hc_status s;

	(void)state;
	/* 40 black holes want 20 s of probing each 2 s from 10 places; the living wait, and live. */
	for (uint32_t i = 0; i < 60; i++) {
		world_server(&w, i)->mode = i < 40 ? FAKE_SILENT : FAKE_UP;
		world_put(&w, i, VERDICT_UP);
	}
	for (int i = 0; i < 60000; i += 10) {
		world_run_ms(&w, 10);
		assert_true(fake_net_open(w.net) <= 10);
	}
	s = world_status(&w);
	assert_int_equal(s.up, 20);
	assert_int_equal(s.down, 40);
	assert_int_equal(s.inconclusive, 0);
	/* That it waited is told: each time of each target once. */
	assert_true(s.deferred > 100);
	assert_true(s.deferred <= s.probes + 60);
	assert_true(histogram_within_s(&s.late, 0.9) >= 1);
	for (uint32_t i = 40; i < 60; i++)
		assert_true(world_server(&w, i)->connects > 8);
	world_done(&w);
}

static void nothing_is_deferred_or_late_where_there_is_room(void **state)
{
	struct world w = world_new(1, 100);
	struct hc_status s;

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		world_server(&w, i);
		world_put(&w, i, VERDICT_UP);
	}
	world_run_ms(&w, 60000);
	s = world_status(&w);
	assert_true(s.probes > 60 * 25);
	assert_int_equal(s.deferred, 0);
	/* First probes were never due before; all others are in the histogram. */
	assert_int_equal(s.late.counts[0] + s.late.counts[1], s.probes - 60);
	assert_true(s.late.sum_us <= 2000 * s.probes);
	world_done(&w);
}

/* Its probes end after their next turn would have been, which is nothing that we are late by. */
static void a_black_hole_makes_nobody_late(void **state)
{
	struct world w = world_new(1, 100);
	struct hc_status s;

	(void)state;
	world_server(&w, 0)->mode = FAKE_SILENT;
	world_put(&w, 0, VERDICT_UP);
	world_run_ms(&w, 30000);
	s = world_status(&w);
	assert_int_equal(s.down, 1);
	assert_int_equal(s.late.counts[0] + s.late.counts[1], s.probes - 1);
	assert_int_equal(s.deferred, 0);
	world_done(&w);
}

/* After a minute's stop all are due at once: they come as fast as at the start, and each is late. */
static void after_a_stop_there_is_no_burst(void **state)
{
	struct world w = world_new(1, 100000);
	struct hc_status before, s;

	(void)state;
	w.check->interval_ms = 10000;
	for (uint32_t i = 0; i < 20000; i++) {
		world_server(&w, i);
		world_put(&w, i, VERDICT_UP);
	}
	world_run_ms(&w, 30000);
	before = world_status(&w);
	fake_net_set(w.net, mono_add_ms(world_now(&w), 60000));
	world_run_ms(&w, 1000);
	s = world_status(&w);
	assert_in_range(s.probes - before.probes, 2000, 2000 * 3 / 2 + 1);
	assert_true(s.deferred - before.deferred >= 19000);
	assert_true(s.late.counts[HISTOGRAM_BOUNDS - 1] > 0);
	world_run_ms(&w, 20000);
	s = world_status(&w);
	assert_int_equal(s.up, 20000);
	assert_int_equal(s.down, 0);
	world_done(&w);
}

static struct hc_sight look(const struct world *w, uint64_t id)
{
	struct hc_sight s;

	hc_engine_look(w->engine, id, &s);
	assert_int_equal(s.id, id);
	return s;
}

static void a_look_tells_how_it_is_just_now(void **state)
{
	struct world w = world_new(3, 100);
	struct fake_server *server = world_server(&w, 0);
	struct hc_sight s;
	uint64_t id;

	(void)state;
	server->latency_us = 3000;
	assert_false(look(&w, 4711).is_known);
	id = world_put(&w, 0, VERDICT_UNKNOWN);
	s = look(&w, id);
	assert_true(s.is_known && s.is_probed && !s.is_under_way && !s.has_begun);
	assert_int_equal(s.due_in_ms, 0);
	world_run_ms(&w, 1);
	assert_true(look(&w, id).is_under_way);
	world_run_ms(&w, 10);
	s = look(&w, id);
	assert_true(s.has_begun && !s.is_under_way);
	assert_in_range(s.took_us, 3000, 7000);
	assert_in_range(s.began_ago_ms, 5, 11);
	assert_int_equal(s.interval_ms, w.check->interval_ms);
	assert_in_range(s.due_in_ms, 1, w.check->interval_ms * 12 / 10);
	/* It was there when it was said to be. */
	world_run_ms(&w, s.due_in_ms - 2);
	assert_true(look(&w, id).began_ago_ms >= s.due_in_ms);
	world_run_ms(&w, 20);
	assert_in_range(look(&w, id).began_ago_ms, 0, 25);
	server->mode = FAKE_REFUSES;
	while (look(&w, id).streak == 0)
		world_run_ms(&w, 10);
	s = look(&w, id);
	assert_int_equal(s.streak, 1);
	assert_int_equal(s.interval_ms, w.check->fast_ms);
	assert_int_equal(s.reason, HC_REASON_REFUSED);
	assert_int_equal(s.failed, 1);
	assert_true(world_wait_for(&w, id, VERDICT_DOWN, 10000) >= 0);
	assert_int_equal(look(&w, id).streak, 0);
	world_done(&w);
}

static void good_probes_are_timed_by_type(void **state)
{
	struct world w = world_new(4, 100);
	struct hc_status s;

	(void)state;
	world_server(&w, 0)->latency_us = 3000;
	world_server(&w, 1)->mode = FAKE_REFUSES;
	world_put(&w, 0, VERDICT_UNKNOWN);
	world_put(&w, 1, VERDICT_UNKNOWN);
	world_run_ms(&w, 60000);
	s = world_status(&w);
	for (unsigned i = 0; i < CHECK_TYPES; i++) {
		uint64_t n = histogram_total(&s.latency[i]);

		if (i != CHECK_TCP)
			assert_int_equal(n, 0);
		else
			assert_in_range(s.latency[i].sum_us / n, 3000, 7000);
	}
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
		cmocka_unit_test(who_flaps_is_held_down),
		cmocka_unit_test(a_zone_gone_and_back_changes_each_of_it_twice),
		cmocka_unit_test(one_lost_probe_in_a_hundred_takes_nobody_out),
		cmocka_unit_test(our_own_trouble_counts_for_nothing),
		cmocka_unit_test(without_descriptors_it_pauses),
		cmocka_unit_test(a_stalled_loop_counts_for_nothing),
		cmocka_unit_test(a_late_loop_reads_answers_before_timeouts),
		cmocka_unit_test(what_is_above_the_limit_waits_uncounted),
		cmocka_unit_test(nothing_is_deferred_or_late_where_there_is_room),
		cmocka_unit_test(a_black_hole_makes_nobody_late),
		cmocka_unit_test(after_a_stop_there_is_no_burst),
		cmocka_unit_test(a_look_tells_how_it_is_just_now),
		cmocka_unit_test(good_probes_are_timed_by_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
