/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wheel.c: whose turn it is, beside a plain list of all. */
#include "healthcheck/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

#define COUNT	 200u
#define TICK_NS	 INT64_C(2000000)
#define NOWHERE	 INT64_MIN
#define START_MS 7000000

struct model {
	struct places places;
	struct wheel *wheel;
	int64_t due[COUNT]; /* ticks; NOWHERE: not on it */
	mono_t now;
	uint32_t ran;
	uint32_t state;
	int64_t last;
};

static uint32_t random_of(struct model *m)
{
	m->state = m->state * 1664525u + 1013904223u;
	return m->state >> 8;
}

static struct model *model_new(void)
{
	struct model *m = xcalloc(1, sizeof(*m));

	m->now = (mono_t){ START_MS * INT64_C(1000000) };
	m->state = 42;
	m->wheel = wheel_new(&m->places, m->now);
	wheel_reserve(m->wheel, COUNT);
	for (uint32_t i = 0; i < COUNT; i++)
		m->due[i] = NOWHERE;
	return m;
}

static void model_free(struct model *m)
{
	wheel_free(m->wheel);
	places_done(&m->places);
	free(m);
}

static void put(struct model *m, uint32_t n, mono_t when)
{
	m->due[n] = when.ns / TICK_NS;
	assert_true(wheel_put(m->wheel, n, when));
	assert_int_equal(wheel_due(m->wheel, n).ns, m->due[n] * TICK_NS);
}

static void take(void *arg, uint32_t n)
{
	struct model *m = arg;

	assert_true(m->due[n] != NOWHERE);
	assert_true(m->due[n] <= m->now.ns / TICK_NS);
	assert_true(m->due[n] >= m->last);
	assert_int_equal(wheel_due(m->wheel, n).ns, m->due[n] * TICK_NS);
	m->last = m->due[n];
	m->due[n] = NOWHERE;
	m->ran++;
	/* Some come again at once, up to a minute later. */
	if (random_of(m) % 3 == 0)
		put(m, n, mono_add_ms(m->now, 2 + random_of(m) % 60000));
}

static void run(struct model *m)
{
	mono_t next;

	m->last = NOWHERE;
	if (wheel_next(m->wheel, &next)) {
		for (uint32_t n = 0; n < COUNT; n++)
			assert_true(m->due[n] == NOWHERE || m->due[n] * TICK_NS >= next.ns);
	}
	wheel_run(m->wheel, m->now, take, m);
	for (uint32_t n = 0; n < COUNT; n++)
		assert_true(m->due[n] == NOWHERE || m->due[n] > m->now.ns / TICK_NS);
}

static void each_comes_in_its_time_and_once(void **state)
{
	struct model *m = model_new();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint32_t n = random_of(m) % COUNT;

		if (m->due[n] != NOWHERE && random_of(m) % 4 == 0) {
			wheel_remove(m->wheel, n);
			m->due[n] = NOWHERE;
		} else if (m->due[n] == NOWHERE) {
			put(m, n, mono_add_ms(m->now, 2 + random_of(m) % 60000));
		}
		m->now = mono_add_ms(m->now, random_of(m) % 40);
		run(m);
	}
	assert_true(m->ran > 3000);
	model_free(m);
}

static void any(void *arg, uint32_t n)
{
	struct model *m = arg;

	m->due[n] = NOWHERE;
	m->ran++;
}

/* After any gap, one longer than the wheel included, all that is due comes, and nothing else. */
static void a_gap_loses_nothing(void **state)
{
	static const int64_t gaps_ms[] = { 0, 1, 16383, 16384, 16385, 40000, 3600000, 5000000000 };

	(void)state;
	for (size_t g = 0; g < sizeof(gaps_ms) / sizeof(gaps_ms[0]); g++) {
		struct model *m = model_new();
		uint32_t want = 0;

		for (uint32_t n = 0; n < COUNT; n++)
			put(m, n, mono_add_ms(m->now, 2 + n * 300));
		m->now = mono_add_ms(m->now, gaps_ms[g]);
		for (uint32_t n = 0; n < COUNT; n++)
			want += m->due[n] <= m->now.ns / TICK_NS;
		wheel_run(m->wheel, m->now, any, m);
		assert_int_equal(m->ran, want);
		m->now = mono_add_ms(m->now, 60000);
		wheel_run(m->wheel, m->now, any, m);
		assert_int_equal(m->ran, COUNT);
		assert_false(wheel_next(m->wheel, &m->now));
		model_free(m);
	}
}

static void what_is_over_is_not_taken(void **state)
{
	struct model *m = model_new();

	(void)state;
	m->now = mono_add_ms(m->now, 1000);
	wheel_run(m->wheel, m->now, any, m);
	assert_false(wheel_put(m->wheel, 3, mono_add_ms(m->now, -500)));
	assert_int_equal(wheel_due(m->wheel, 3).ns, mono_add_ms(m->now, -500).ns);
	assert_false(wheel_put(m->wheel, 3, m->now)); /* this tick has been */
	assert_true(wheel_put(m->wheel, 3, mono_add_ms(m->now, 2)));
	model_free(m);
}

static void lists_keep_their_order(void **state)
{
	struct places p = { 0 };
	struct place_list a = PLACES_EMPTY, b = PLACES_EMPTY;

	(void)state;
	places_reserve(&p, 10);
	for (uint32_t n = 0; n < 10; n++)
		places_push(&p, n % 2 ? &a : &b, n);
	assert_int_equal(a.count, 5);
	places_remove(&p, &a, 1);
	places_remove(&p, &a, 5);
	places_remove(&p, &a, 9);
	places_push(&p, &b, 5);
	assert_int_equal(a.first, 3);
	assert_int_equal(a.last, 7);
	for (uint32_t n = 0; n < 10; n += 2) {
		assert_int_equal(b.first, n);
		places_remove(&p, &b, n);
	}
	assert_int_equal(b.first, 5);
	places_remove(&p, &b, 5);
	assert_int_equal(b.count, 0);
	assert_int_equal(b.first, PLACE_NONE);
	assert_int_equal(b.last, PLACE_NONE);
	places_done(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_comes_in_its_time_and_once),
		cmocka_unit_test(a_gap_loses_nothing),
		cmocka_unit_test(what_is_over_is_not_taken),
		cmocka_unit_test(lists_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
