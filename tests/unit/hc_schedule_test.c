/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schedule.c: phases, jitter that does not add up, and the limit on starts. */
#include "healthcheck/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

static const struct check two_seconds = { .interval_ms = 2000, .timeout_ms = 1000, .fast_ms = 500 };

static uint32_t random_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 32);
}

static void the_phase_is_kept_for_ever(void **state)
{
	uint64_t seed = 1, id = 1234567891;
	int64_t phase = (int64_t)(id % 2000);
	mono_t t = { 777777 * MS };

	(void)state;
	for (int i = 0; i < 10; i++) /* fall into step */
		t = hc_schedule_next(&two_seconds, id, t, false, random_next(&seed));
	for (int i = 0; i < 1000000; i++) {
		mono_t next = hc_schedule_next(&two_seconds, id, t, false, random_next(&seed));
		int64_t off = ((next.ns / MS - phase) % 2000 + 2000) % 2000;

		assert_true(off <= 200 || off >= 1800);
		assert_in_range(next.ns - t.ns, 1600 * MS, 2400 * MS);
		t = next;
	}
}

static void jitter_goes_to_both_sides_of_a_long_interval(void **state)
{
	struct check *c = check_new(CHECK_TCP);
	int64_t early, late;

	(void)state;
	c->interval_ms = 60000;
	early = hc_schedule_next(c, 0, (mono_t){ 0 }, false, 0).ns;
	late = hc_schedule_next(c, 0, (mono_t){ 0 }, false, UINT32_MAX).ns;
	assert_int_equal(early, INT64_C(54000) * 1000000);
	assert_int_equal(late, INT64_C(66000) * 1000000);
	check_unref(c);
}

static void falling_into_step_leaves_no_gap(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		mono_t t = { (1000000 + random_next(&seed) % 4000) * MS };
		uint64_t id = random_next(&seed);
		mono_t next = hc_schedule_next(&two_seconds, id, t, false, random_next(&seed));

		assert_in_range(next.ns - t.ns, 800 * MS, 2400 * MS);
	}
}

static void phases_are_spread_evenly(void **state)
{
	uint32_t count[20] = { 0 };
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 35000; i++) {
		uint64_t id = (uint64_t)random_next(&seed) << 32 | random_next(&seed);
		mono_t t = { 5000000 * MS };

		for (int k = 0; k < 4; k++)
			t = hc_schedule_next(&two_seconds, id, t, false, random_next(&seed));
		count[t.ns / MS % 2000 / 100]++;
	}
	for (int i = 0; i < 20; i++)
		assert_in_range(count[i], 1575, 1925); /* even: 1750 */
}

static void doubt_looks_again_soon(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		mono_t t = { 9000000 * MS + i };
		mono_t next = hc_schedule_next(&two_seconds, 5, t, true, random_next(&seed));

		assert_in_range(next.ns - t.ns, 450 * MS, 500 * MS);
	}
}

static void shortly_after_boot_is_no_special_time(void **state)
{
	(void)state;
	for (uint64_t id = 0; id < 4000; id++) {
		for (int64_t ms = 0; ms < 4000; ms += 100) {
			mono_t t = { ms * MS };
			mono_t next = hc_schedule_next(&two_seconds, id, t, false, UINT32_MAX / 2);

			assert_in_range(next.ns - t.ns, 800 * MS, 2400 * MS);
		}
	}
}

static void no_window_holds_more_than_the_rate(void **state)
{
	struct hc_bucket b = { .rate = 1000 };
	mono_t now = { 1000 * MS };
	int64_t taken[20000];
	size_t n = 0, first = 0;

	(void)state;
	/* One that takes all it can get, at odd moments and after a long rest. */
	for (int i = 0; n < 18000; i++) {
		while (n < 18000 && hc_bucket_take(&b, now))
			taken[n++] = now.ns;
		now.ns += i % 1000 == 999 ? 5000 * MS : i % 7 * MS / 3 + 1000;
	}
	for (size_t i = 0; i < n; i++) {
		while (taken[i] - taken[first] >= 100 * MS)
			first++;
		assert_true(i - first + 1 <= 100 + HC_BURST_MS + 1);
	}
}

static void what_is_refused_may_be_taken_when_told(void **state)
{
	struct hc_bucket b = { .rate = 10 };
	mono_t now = { 1000 * MS };
	unsigned early = 0;

	(void)state;
	assert_true(hc_bucket_take(&b, now));
	now = hc_bucket_next(&b);
	for (int i = 0; i < 1000; i++) {
		early += !hc_bucket_take(&b, (mono_t){ now.ns - 1 });
		assert_true(hc_bucket_take(&b, now));
		now = hc_bucket_next(&b);
	}
	assert_int_equal(early, 1000);
	assert_in_range(now.ns, (1000 + 100000) * MS, (1000 + 100100) * MS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_phase_is_kept_for_ever),
		cmocka_unit_test(jitter_goes_to_both_sides_of_a_long_interval),
		cmocka_unit_test(falling_into_step_leaves_no_gap),
		cmocka_unit_test(phases_are_spread_evenly),
		cmocka_unit_test(doubt_looks_again_soon),
		cmocka_unit_test(shortly_after_boot_is_no_special_time),
		cmocka_unit_test(no_window_holds_more_than_the_rate),
		cmocka_unit_test(what_is_refused_may_be_taken_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
