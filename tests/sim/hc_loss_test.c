/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A day of healthy servers behind a network that loses probes: how many are taken out wrongly.
 *
 * With loss p and `fall` failures in a row that should be about one in p^-fall probes, fast ones
 * included. The day is walked target by target, with the schedule and the verdicts that the engine
 * has; that it walks as the engine does is shown first. In `make check` one seed and 1,000 targets;
 *
 *   LOSS_SEEDS=10 LOSS_TARGETS=10000 build/release/sim/hc_loss_test
 *
 * takes a minute or two; it is what tests/bench/RESULTS.md has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/base/hash.h"
#include "healthcheck/schedule.h"
#include "healthcheck/verdict.h"
#include "tests/lib/hc_world.h"
#include "tests/lib/random.h"

#define HOUR_MS INT64_C(3600000)

struct tally {
	uint64_t probes;
	uint64_t falls; /* all of them wrong */
	int64_t out_ns; /* how long targets were out, all together */
};

struct day {
	const struct check *check;
	uint32_t targets, loss_permille;
	int64_t length_ms;
};

static struct random seeded(uint64_t seed)
{
	return (struct random){ seed * 0x9e3779b97f4a7c15ull | 1 };
}

/* One target through the day; a probe that is lost is over when its time is. */
static void walk_target(const struct day *d, uint64_t id, struct random *rnd, struct tally *out)
{
	const struct check *c = d->check;
	struct hc_health h = hc_health_new(VERDICT_UP);
	mono_t end = { d->length_ms * 1000000 };
	mono_t fell = { 0 };
	mono_t began = { (int64_t)(id % c->interval_ms) * 1000000 };

	while (mono_before(began, end)) {
		bool is_lost = random_below(rnd, 1000) < d->loss_permille;
		mono_t over = is_lost ? mono_add_ms(began, c->timeout_ms) : began;

		out->probes++;
		if (hc_health_feed(&h, c, is_lost ? HC_MEANS_BAD : HC_MEANS_GOOD, over)) {
			if (h.state == VERDICT_DOWN) {
				out->falls++;
				fell = over;
			} else {
				out->out_ns += over.ns - fell.ns;
			}
		}
		began = hc_schedule_next(c, id, began, hc_health_in_doubt(&h, c, over),
					 (uint32_t)random_next(rnd));
		if (mono_before(began, over))
			began = over;
	}
}

static struct tally walk(const struct day *d, uint64_t seed)
{
	struct random rnd = seeded(seed);
	struct tally t = { 0 };

	for (uint32_t i = 0; i < d->targets; i++)
		walk_target(d, hash_id(&i, sizeof(i)), &rnd, &t);
	return t;
}

/* The same by the engine itself, on the fake network. */
static struct tally probe(const struct day *d, uint64_t seed)
{
	struct world w = world_new(seed, 1000);
	struct tally t = { 0 };
	struct hc_verdict v;

	for (uint32_t i = 0; i < d->targets; i++) {
		world_server(&w, i)->loss_permille = d->loss_permille;
		world_put(&w, i, VERDICT_UP);
	}
	world_run_ms(&w, d->length_ms);
	hc_engine_tell_all(w.engine);
	while (hc_engine_tell(w.engine, &v))
		t.falls += (v.sequence + 1) / 2; /* down, up, down, ... */
	t.probes = world_status(&w).probes;
	assert_int_equal(world_status(&w).inconclusive, 0);
	world_done(&w);
	return t;
}

static void assert_close(const char *what, uint64_t a, uint64_t b, unsigned percent)
{
	if (a * 100 > b * (100 + percent) || b * 100 > a * (100 + percent))
		fail_msg("%s: %llu and %llu are more than %u %% apart", what, (unsigned long long)a,
			 (unsigned long long)b, percent);
}

static void the_walk_is_what_the_engine_does(void **state)
{
	struct check *c = check_new(CHECK_TCP);
	struct day d = { c, 200, 200, HOUR_MS };

	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct tally walked = walk(&d, seed), probed = probe(&d, seed);

		print_message("seed %u: engine %llu probes, %llu falls; walk %llu and %llu\n",
			      (unsigned)seed, (unsigned long long)probed.probes,
			      (unsigned long long)probed.falls, (unsigned long long)walked.probes,
			      (unsigned long long)walked.falls);
		assert_true(probed.falls > 1000);
		assert_close("probes", walked.probes, probed.probes, 2);
		assert_close("falls", walked.falls, probed.falls, 10);
	}
	check_unref(c);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : otherwise;
}

static double expected(const struct day *d, uint64_t probes)
{
	double n = (double)probes;

	for (unsigned i = 0; i < d->check->fall; i++)
		n = n * d->loss_permille / 1000;
	return n;
}

static void a_day_at(uint32_t loss_permille)
{
	struct check *c = check_new(CHECK_TCP);
	struct day d = { c, (uint32_t)from_environment("LOSS_TARGETS", 1000), loss_permille,
			 24 * HOUR_MS };
	uint64_t planned = d.targets * (uint64_t)d.length_ms / c->interval_ms;
	uint64_t seeds = from_environment("LOSS_SEEDS", 1);

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct tally t = walk(&d, seed);
		double want = expected(&d, t.probes);

		print_message("loss %.1f %%, seed %2u: %u targets, %llu probes (%.1f %% more than "
			      "planned), %llu wrong falls, %.2f x the expected %.0f, each for "
			      "%.1f s\n",
			      loss_permille / 10.0, (unsigned)seed, d.targets,
			      (unsigned long long)t.probes,
			      (double)t.probes * 100 / (double)planned - 100,
			      (unsigned long long)t.falls, (double)t.falls / want, want,
			      t.falls ? (double)t.out_ns / 1e9 / (double)t.falls : 0.0);
		assert_true((double)t.falls <= want * 1.5);
		assert_true((double)t.falls >= want / 1.5); /* or the losses did not arrive */
	}
	assert_true(seeds > 0);
	check_unref(c);
}

static void one_percent_of_loss_takes_out_no_more_than_it_must(void **state)
{
	(void)state;
	a_day_at(10);
}

static void nor_do_five(void **state)
{
	(void)state;
	a_day_at(50);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_walk_is_what_the_engine_does),
		cmocka_unit_test(one_percent_of_loss_takes_out_no_more_than_it_must),
		cmocka_unit_test(nor_do_five),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
