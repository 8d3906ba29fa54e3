/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timers.c: nothing runs early, late, twice, or after it was cancelled. */
#include "agent/base/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/random.h"

#define ALL SIZE_MAX

/* A day into the machine's life, and not at the beginning of a slot. */
static const mono_t start = { 86400000000000 + 1234567 };

static mono_t at_ms(int64_t ms)
{
	return mono_add_ms(start, ms);
}

static void count_up(void *arg)
{
	++*(unsigned *)arg;
}

static void runs_when_it_is_time_and_not_before(void **state)
{
	static const int64_t delays_ms[] = { 0,	   1,	  3,	 4,	5,     100,    1000,
					     5000, 16383, 16384, 16385, 40000, 3600000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(delays_ms); i++) {
		struct timers *t = timers_new(start);
		mono_t when = at_ms(delays_ms[i]);
		unsigned ran = 0;

		timers_add(t, when, count_up, &ran);
		assert_int_equal(timers_run(t, (mono_t){ when.ns - 1 }, ALL), 0);
		assert_int_equal(timers_count(t), 1);
		assert_int_equal(timers_run(t, when, ALL), 1);
		assert_int_equal(timers_count(t), 0);
		assert_int_equal(timers_run(t, mono_add_ms(when, 100000), ALL), 0);
		assert_int_equal(ran, 1);
		timers_free(t);
	}
}

static void what_is_overdue_runs_at_the_next_chance(void **state)
{
	struct timers *t = timers_new(start);
	unsigned ran = 0;
	mono_t next;

	(void)state;
	assert_int_equal(timers_run(t, at_ms(50000), ALL), 0);
	timers_add(t, at_ms(-1000), count_up, &ran);
	timers_add(t, at_ms(49999), count_up, &ran);
	assert_true(timers_next(t, &next));
	assert_false(mono_before(at_ms(50000), next));
	assert_int_equal(timers_run(t, at_ms(50000), ALL), 2);
	assert_int_equal(ran, 2);
	timers_free(t);
}

static void a_gap_longer_than_the_wheel_loses_nothing(void **state)
{
	struct timers *t = timers_new(start);
	unsigned ran = 0;

	(void)state;
	for (int64_t ms = 0; ms < 60000; ms += 7)
		timers_add(t, at_ms(ms), count_up, &ran);
	assert_int_equal(timers_run(t, at_ms(10000000), ALL), 60000 / 7 + 1);
	assert_int_equal(ran, 60000 / 7 + 1);
	assert_int_equal(timers_count(t), 0);
	timers_free(t);
}

static void a_cancelled_timer_never_runs(void **state)
{
	struct timers *t = timers_new(start);
	unsigned kept = 0, cancelled = 0;
	timer_id ids[3];

	(void)state;
	/* First, middle and last of one slot. */
	for (size_t i = 0; i < 3; i++) {
		timers_add(t, at_ms(10), count_up, &kept);
		ids[i] = timers_add(t, at_ms(10), count_up, &cancelled);
	}
	for (size_t i = 0; i < 3; i++)
		assert_true(timers_cancel(t, ids[i]));
	assert_int_equal(timers_count(t), 3);
	assert_int_equal(timers_run(t, at_ms(20), ALL), 3);
	assert_int_equal(kept, 3);
	assert_int_equal(cancelled, 0);
	timers_free(t);
}

static void a_stale_id_is_harmless(void **state)
{
	struct timers *t = timers_new(start);
	unsigned ran = 0;
	timer_id old, new;

	(void)state;
	assert_false(timers_cancel(t, 0));
	assert_false(timers_cancel(t, UINT64_MAX));
	old = timers_add(t, at_ms(10), count_up, &ran);
	assert_true(timers_cancel(t, old));
	assert_false(timers_cancel(t, old));
	/* Most likely in the same place as the first. */
	new = timers_add(t, at_ms(10), count_up, &ran);
	assert_true(new != old &&new != 0);
	assert_false(timers_cancel(t, old));
	assert_int_equal(timers_run(t, at_ms(10), ALL), 1);
	assert_false(timers_cancel(t, new));
	timers_free(t);
}

static void at_most_as_many_as_asked_for_run(void **state)
{
	struct timers *t = timers_new(start);
	unsigned ran = 0;

	(void)state;
	for (int64_t i = 0; i < 10; i++)
		timers_add(t, at_ms(i / 5 * 1000), count_up, &ran);
	assert_int_equal(timers_run(t, at_ms(5000), 3), 3);
	assert_int_equal(timers_run(t, at_ms(5000), 3), 3);
	assert_int_equal(timers_run(t, at_ms(5000), 3), 3);
	assert_int_equal(timers_run(t, at_ms(5000), 3), 1);
	assert_int_equal(timers_run(t, at_ms(5000), 3), 0);
	timers_free(t);
}

/* What a callback does to the timers it runs among. */
struct meddler {
	struct timers *timers;
	timer_id own, other, added;
	mono_t add_at;
	unsigned ran;
};

static void cancel_both(void *arg)
{
	struct meddler *m = arg;

	m->ran++;
	assert_false(timers_cancel(m->timers, m->own)); /* it is no more to run */
	timers_cancel(m->timers, m->other);
}

static void a_callback_may_cancel_its_neighbours(void **state)
{
	(void)state;
	/* The other before it and after it in the slot, and in another slot. */
	for (int64_t other_ms = 9; other_ms <= 15; other_ms++) {
		struct meddler a = { .timers = timers_new(start) };
		struct meddler b = { .timers = a.timers };

		a.own = b.other = timers_add(a.timers, at_ms(12), cancel_both, &a);
		b.own = a.other = timers_add(a.timers, at_ms(other_ms), cancel_both, &b);
		assert_int_equal(timers_run(a.timers, at_ms(20), ALL), 1);
		assert_int_equal(a.ran + b.ran, 1);
		assert_int_equal(timers_count(a.timers), 0);
		timers_free(a.timers);
	}
}

static void add_again(void *arg)
{
	struct meddler *m = arg;

	m->ran++;
	m->added = timers_add(m->timers, m->add_at, add_again, m);
}

static void a_callback_may_add_itself(void **state)
{
	struct meddler m = { .timers = timers_new(start), .add_at = at_ms(30) };

	(void)state;
	m.own = timers_add(m.timers, at_ms(10), add_again, &m);
	assert_int_equal(timers_run(m.timers, at_ms(10), ALL), 1);
	assert_true(m.added != m.own);
	assert_int_equal(timers_run(m.timers, at_ms(29), ALL), 0);
	assert_int_equal(timers_run(m.timers, at_ms(30), 1), 1);
	assert_int_equal(m.ran, 2);
	timers_free(m.timers);
}

static void a_callback_may_grow_the_store(void **state)
{
	struct timers *t = timers_new(start);
	struct meddler m[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = (struct meddler){ .timers = t, .add_at = at_ms(1000) };
		timers_add(t, at_ms(10), add_again, &m[i]);
	}
	assert_int_equal(timers_run(t, at_ms(10), ALL), ARRAY_LEN(m));
	assert_int_equal(timers_count(t), ARRAY_LEN(m));
	timers_free(t);
}

static void next_is_none_without_timers(void **state)
{
	struct timers *t = timers_new(start);
	mono_t next;

	(void)state;
	assert_false(timers_next(t, &next));
	assert_true(timers_cancel(t, timers_add(t, at_ms(100), count_up, NULL)));
	assert_false(timers_next(t, &next));
	timers_free(t);
	timers_free(NULL);
}

/* Sleeping until timers_next() and running is all a loop does. */
static void sleeping_until_next_runs_each_in_time(void **state)
{
	struct timers *t = timers_new(start);
	mono_t now = start, next;
	unsigned ran = 0, wakes = 0;

	(void)state;
	for (int64_t s = 1; s <= 100; s++)
		timers_add(t, at_ms(s * 1000), count_up, &ran);
	while (timers_next(t, &next)) {
		assert_true(++wakes < 1000);
		if (mono_before(now, next))
			now = next;
		timers_run(t, now, ALL);
		assert_int_equal(ran, mono_sub_ms(now, start) / 1000);
	}
	assert_int_equal(ran, 100);
	timers_free(t);
}

/* 350,000 targets probed each 2 s: a minute's worth of adding, running and cancelling. */
struct probe {
	struct timers *timers;
	mono_t due;
	timer_id id;
	unsigned ran;
};

static void probe_again(void *arg)
{
	struct probe *p = arg;

	p->ran++;
	p->due = mono_add_ms(p->due, 2000);
	p->id = timers_add(p->timers, p->due, probe_again, p);
}

static void as_many_timers_as_there_are_targets(void **state)
{
	enum { COUNT = 350000 };
	struct timers *t = timers_new(start);
	struct probe *probes = xcalloc(COUNT, sizeof(*probes));

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		probes[i].timers = t;
		probes[i].due = (mono_t){ start.ns + (int64_t)i * 2000000000 / COUNT };
		probes[i].id = timers_add(t, probes[i].due, probe_again, &probes[i]);
	}
	assert_int_equal(timers_count(t), COUNT);
	for (int64_t ms = 0; ms < 10000; ms += 10)
		timers_run(t, at_ms(ms), ALL);
	timers_run(t, (mono_t){ at_ms(10000).ns - 1 }, ALL);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(probes[i].ran, 5);
	for (unsigned i = 0; i < COUNT; i += 2)
		assert_true(timers_cancel(t, probes[i].id));
	assert_int_equal(timers_count(t), COUNT / 2);
	assert_int_equal(timers_run(t, (mono_t){ at_ms(12000).ns - 1 }, ALL), COUNT / 2);
	timers_free(t);
	free(probes);
}

/* --- against a list that is too simple to be wrong --------------------------- */

enum { MODEL_MAX = 300 };

struct modelled {
	timer_id id; /* 0: not pending */
	mono_t when;
	bool ran;
};

static void note_run(void *arg)
{
	((struct modelled *)arg)->ran = true;
}

static mono_t random_time(struct random *r, mono_t now)
{
	switch (random_below(r, 4)) {
	case 0:
		return mono_add_ms(now, random_below(r, 20));
	case 1:
		return mono_add_ms(now, random_below(r, 20000));
	case 2:
		return (mono_t){ now.ns + random_below(r, 8000000) };
	default:
		return mono_add_ms(now, (int64_t)random_below(r, 100000) - 1000);
	}
}

static void check_model(struct timers *t, struct modelled m[static MODEL_MAX], mono_t now)
{
	size_t pending = 0;
	mono_t first = { INT64_MAX }, next;

	for (size_t i = 0; i < MODEL_MAX; i++) {
		assert_int_equal(m[i].ran, m[i].id && !mono_before(now, m[i].when));
		if (m[i].ran)
			m[i] = (struct modelled){ 0 };
		if (!m[i].id)
			continue;
		pending++;
		if (mono_before(m[i].when, first))
			first = m[i].when;
	}
	assert_int_equal(timers_count(t), pending);
	assert_int_equal(timers_next(t, &next), pending > 0);
	if (pending)
		assert_false(mono_before(first, next)); /* early perhaps, never late */
}

static void random_use_agrees_with_a_plain_list(void **state)
{
	struct random r = random_new();
	struct timers *t = timers_new(start);
	struct modelled m[MODEL_MAX] = { 0 };
	mono_t now = start;

	(void)state;
	for (unsigned step = 0; step < 20000; step++) {
		struct modelled *one = &m[random_below(&r, MODEL_MAX)];

		if (one->id && random_below(&r, 2)) {
			assert_true(timers_cancel(t, one->id));
			one->id = 0;
		} else if (!one->id) {
			one->when = random_time(&r, now);
			one->id = timers_add(t, one->when, note_run, one);
		}
		if (random_below(&r, 3) == 0) {
			now = mono_add_ms(now, random_below(&r, step % 100 == 0 ? 40000 : 30));
			timers_run(t, now, ALL);
			check_model(t, m, now);
		}
	}
	timers_free(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_when_it_is_time_and_not_before),
		cmocka_unit_test(what_is_overdue_runs_at_the_next_chance),
		cmocka_unit_test(a_gap_longer_than_the_wheel_loses_nothing),
		cmocka_unit_test(a_cancelled_timer_never_runs),
		cmocka_unit_test(a_stale_id_is_harmless),
		cmocka_unit_test(at_most_as_many_as_asked_for_run),
		cmocka_unit_test(a_callback_may_cancel_its_neighbours),
		cmocka_unit_test(a_callback_may_add_itself),
		cmocka_unit_test(a_callback_may_grow_the_store),
		cmocka_unit_test(next_is_none_without_timers),
		cmocka_unit_test(sleeping_until_next_runs_each_in_time),
		cmocka_unit_test(as_many_timers_as_there_are_targets),
		cmocka_unit_test(random_use_agrees_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
