/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mass.c: many that go down at once, and what becomes of each. */
#include "agent/plan/mass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/random.h"

#define MANY 1000u

/* A target as its user has it: is it told up, and is it in use? */
struct server {
	bool up, in_use;
	mass_ticket ticket;
	int64_t fell_ms, applied_ms;
};

struct ground {
	struct mass *mass;
	struct server servers[MANY];
	int64_t now_ms;
	size_t applied;	      /* ever */
	int64_t last_fell_ms; /* of the last that was applied */
	bool in_order;
};

static const struct mass_config usual = { 100, 30, 50, 10 };

static struct ground *ground_new(const struct mass_config *c, size_t up)
{
	struct ground *g = xcalloc(1, sizeof(*g));

	g->mass = mass_new(c);
	g->now_ms = 1000000;
	g->in_order = true;
	for (size_t i = 0; i < up; i++) {
		g->servers[i] = (struct server){ .up = true, .in_use = true };
		mass_add_up(g->mass);
	}
	return g;
}

static void ground_free(struct ground *g)
{
	mass_free(g->mass);
	free(g);
}

static mono_t now(const struct ground *g)
{
	return (mono_t){ g->now_ms * 1000000 };
}

static void on_apply(void *arg, void *what)
{
	struct ground *g = arg;
	struct server *s = what;

	assert_false(s->up);
	assert_true(s->in_use);
	s->in_use = false;
	s->applied_ms = g->now_ms;
	g->applied++;
	if (s->fell_ms < g->last_fell_ms)
		g->in_order = false;
	g->last_fell_ms = s->fell_ms;
}

static void fall(struct ground *g, size_t i)
{
	struct server *s = &g->servers[i];

	s->up = false;
	s->fell_ms = g->now_ms;
	s->ticket = mass_fell(g->mass, s, MASS_CONFIRM_MS, now(g));
}

static void rise(struct ground *g, size_t i)
{
	struct server *s = &g->servers[i];

	mass_rose(g->mass, s->ticket, s);
	mass_add_up(g->mass);
	s->up = s->in_use = true;
}

static void judge(struct ground *g)
{
	mass_judge(g->mass, now(g), on_apply, g);
}

static void fall_together(struct ground *g, size_t from, size_t count)
{
	for (size_t i = from; i < from + count; i++)
		fall(g, i);
	judge(g);
}

static void run(struct ground *g)
{
	while (mass_run(g->mass, now(g), 7, on_apply, g))
		;
}

static void pass(struct ground *g, int64_t ms)
{
	for (int64_t end = g->now_ms + ms; g->now_ms < end;) {
		g->now_ms += MASS_TICK_MS;
		run(g);
	}
}

static size_t in_use(const struct ground *g)
{
	size_t n = 0;

	for (size_t i = 0; i < MANY; i++)
		n += g->servers[i].in_use;
	return n;
}

static void few_are_applied_at_once(void **state)
{
	struct ground *g = ground_new(&usual, 1000);

	(void)state;
	fall_together(g, 0, 300); /* 30 %, and not more */
	assert_int_equal(in_use(g), 700);
	assert_false(mass_is_busy(g->mass));
	g->now_ms += MASS_DOUBT_MS;
	fall_together(g, 300, 190); /* of 700 that were up; 49 % in all */
	assert_int_equal(in_use(g), 510);
	assert_false(mass_is_busy(g->mass));
	ground_free(g);
}

static void more_wait_until_they_have_stood(void **state)
{
	struct ground *g = ground_new(&usual, 1000);

	(void)state;
	fall_together(g, 0, 301);
	assert_int_equal(in_use(g), 1000);
	assert_int_equal(mass_status(g->mass).mode, MASS_DOUBT);
	assert_int_equal(mass_status(g->mass).targets, 1000);
	assert_int_equal(mass_status(g->mass).fallen, 301);
	assert_int_equal(mass_status(g->mass).waiting, 301);
	pass(g, MASS_CONFIRM_MS - MASS_TICK_MS);
	assert_int_equal(in_use(g), 1000);
	/* Who came back meanwhile was never out. */
	for (size_t i = 0; i < 100; i++)
		rise(g, i);
	pass(g, MASS_TICK_MS);
	assert_int_equal(in_use(g), 1000 - 201);
	assert_int_equal(mass_status(g->mass).applied, 201);
	assert_int_equal(mass_status(g->mass).returned, 100);
	assert_false(mass_is_busy(g->mass));
	ground_free(g);
}

/* What was applied is a proof of its own; what comes when there are too many waits. */
static void those_before_stay_applied(void **state)
{
	struct ground *g = ground_new(&usual, 1000);

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		fall_together(g, i, 1);
		g->now_ms += 10;
	}
	assert_int_equal(in_use(g), 700);
	assert_int_equal(mass_status(g->mass).waiting, 100);
	pass(g, MASS_CONFIRM_MS);
	assert_int_equal(in_use(g), 600);
	assert_true(mass_is_busy(g->mass)); /* it was 40 % in ten seconds, and still is */
	fall_together(g, 400, 1);
	assert_int_equal(in_use(g), 600);
	pass(g, MASS_DOUBT_MS);
	assert_int_equal(in_use(g), 599);
	assert_false(mass_is_busy(g->mass));
	ground_free(g);
}

static void each_waits_as_long_as_its_check_needs(void **state)
{
	struct check quick = { .interval_ms = 2000, .timeout_ms = 1000 };
	struct check slow = { .interval_ms = 60000, .timeout_ms = 5000 };
	struct ground *g = ground_new(&usual, 100);

	(void)state;
	assert_int_equal(mass_confirm_ms(&quick), MASS_CONFIRM_MS);
	assert_int_equal(mass_confirm_ms(&slow), 77000);
	for (size_t i = 0; i < 40; i++) {
		struct server *s = &g->servers[i];

		s->up = false;
		s->fell_ms = g->now_ms;
		s->ticket = mass_fell(g->mass, s, mass_confirm_ms(i ? &quick : &slow), now(g));
	}
	judge(g);
	pass(g, 6000);
	assert_int_equal(in_use(g), 61);
	pass(g, 70000);
	assert_true(g->servers[0].in_use);
	pass(g, 2000);
	assert_false(g->servers[0].in_use);
	assert_false(mass_is_busy(g->mass));
	ground_free(g);
}

static void half_of_all_is_a_freeze(void **state)
{
	struct ground *g = ground_new(&usual, 1000);
	struct mass_status s;

	(void)state;
	fall_together(g, 0, 600);
	s = mass_status(g->mass);
	assert_int_equal(s.mode, MASS_FREEZE);
	assert_int_equal(s.targets, 1000);
	assert_int_equal(s.fallen, 600);
	assert_int_equal(in_use(g), 1000);
	/* A tenth of a thousand in a minute; one that falls now waits behind them. */
	fall_together(g, 700, 1);
	for (unsigned minute = 1; minute <= 5; minute++) {
		pass(g, 60000);
		/* In the first seconds none has stood long enough. */
		assert_in_range(in_use(g), 1000 - 100 * minute, 1000 - 100 * minute + 9);
		assert_int_equal(mass_status(g->mass).mode, MASS_FREEZE);
		assert_true(g->servers[700].in_use);
	}
	/* With less than a minute's share it ends, and what waits is applied. */
	pass(g, 10000);
	assert_int_equal(in_use(g), 399);
	assert_true(g->in_order);
	assert_false(mass_is_busy(g->mass));
	assert_int_equal(mass_status(g->mass).applied, 601);
	ground_free(g);
}

static void all_gone_and_back_loses_nobody(void **state)
{
	struct ground *g = ground_new(&usual, 1000);

	(void)state;
	fall_together(g, 0, 1000);
	pass(g, 90000);
	assert_in_range(in_use(g), 850, 859);
	for (size_t i = 0; i < 1000; i++)
		rise(g, i);
	assert_int_equal(in_use(g), 1000);
	run(g);
	assert_false(mass_is_busy(g->mass));
	assert_int_equal(mass_status(g->mass).waiting, 0);
	/* And the next single one is ordinary. */
	fall_together(g, 5, 1);
	assert_int_equal(in_use(g), 999);
	ground_free(g);
}

static void few_targets_and_none_are_left_alone(void **state)
{
	static const struct mass_config off = { 0, 30, 50, 10 };
	struct ground *g = ground_new(&usual, 99);

	(void)state;
	fall_together(g, 0, 99);
	assert_int_equal(in_use(g), 0);
	ground_free(g);
	g = ground_new(&off, 1000);
	fall_together(g, 0, 1000);
	assert_int_equal(in_use(g), 0);
	assert_false(mass_is_busy(g->mass));
	ground_free(g);
}

static void one_that_is_gone_is_no_fall(void **state)
{
	struct ground *g = ground_new(&usual, 1000);

	(void)state;
	fall_together(g, 0, 400);
	for (size_t i = 0; i < 400; i++) {
		mass_rose(g->mass, g->servers[i].ticket, &g->servers[i]);
		mass_rose(g->mass, g->servers[i].ticket, &g->servers[i]); /* stale: fine */
	}
	run(g);
	assert_false(mass_is_busy(g->mass));
	pass(g, MASS_FREEZE_MS);
	mass_rose(g->mass, g->servers[3].ticket, &g->servers[3]);
	assert_int_equal(g->applied, 0);
	ground_free(g);
}

/*
 * Whatever comes: nobody who is up is out, each that fell is out in the end, none before its time
 * while it waited, in a freeze no more than a minute's share in any minute, and the counts are
 * those of looking at all of them.
 */
static void random_events(struct random *rnd, struct ground *g)
{
	size_t some = random_below(rnd, 40) == 0 ? 400 : random_below(rnd, 3);

	for (size_t k = 0; k < some; k++) {
		size_t i = (size_t)random_below(rnd, MANY);

		if (g->servers[i].up)
			fall(g, i);
		else if (random_below(rnd, 3) == 0)
			rise(g, i);
	}
	judge(g);
}

static void check_counts(const struct ground *g)
{
	size_t waiting = 0;

	for (size_t i = 0; i < MANY; i++) {
		const struct server *s = &g->servers[i];

		assert_true(s->in_use || !s->up);
		waiting += s->in_use && !s->up;
	}
	assert_int_equal(mass_status(g->mass).waiting, waiting);
	assert_true(mass_is_busy(g->mass) || waiting == 0);
}

static void nothing_is_lost_whatever_comes(void **state)
{
	struct random rnd = random_new();

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct ground *g = ground_new(&usual, MANY);
		size_t frozen_applied = 0;
		int64_t frozen_since = 0;

		for (int i = 0; i < 3000; i++) {
			size_t before;

			random_events(&rnd, g);
			check_counts(g);
			before = g->applied;
			g->now_ms += MASS_TICK_MS;
			if (mass_status(g->mass).mode == MASS_FREEZE) {
				if (!frozen_since)
					frozen_since = g->now_ms;
				run(g);
				frozen_applied += g->applied - before;
				/* 10 % of 1,000 a minute, and a second to catch up with. */
				assert_true((int64_t)frozen_applied * 600 <=
					    g->now_ms - frozen_since + 2 * 600 + 1000);
			} else {
				frozen_since = 0;
				frozen_applied = 0;
				run(g);
			}
		}
		pass(g, 20 * 60000);
		for (size_t i = 0; i < MANY; i++)
			assert_int_equal(g->servers[i].in_use, g->servers[i].up);
		assert_false(mass_is_busy(g->mass));
		ground_free(g);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_are_applied_at_once),
		cmocka_unit_test(more_wait_until_they_have_stood),
		cmocka_unit_test(those_before_stay_applied),
		cmocka_unit_test(each_waits_as_long_as_its_check_needs),
		cmocka_unit_test(half_of_all_is_a_freeze),
		cmocka_unit_test(all_gone_and_back_loses_nobody),
		cmocka_unit_test(few_targets_and_none_are_left_alone),
		cmocka_unit_test(one_that_is_gone_is_no_fall),
		cmocka_unit_test(nothing_is_lost_whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
