/* SPDX-License-Identifier: GPL-2.0-or-later */
/* histogram.c: what is counted where, sums, and what a share of all is within. */
#include "agent/base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void each_is_within_its_bound(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	histogram_add(&h, 0);
	histogram_add(&h, 1000);
	histogram_add(&h, 1001);
	histogram_add(&h, 60000000);
	histogram_add(&h, 60000001);
	assert_int_equal(h.counts[0], 2);
	assert_int_equal(h.counts[1], 1);
	assert_int_equal(h.counts[HISTOGRAM_BOUNDS - 1], 1);
	assert_int_equal(h.counts[HISTOGRAM_BOUNDS], 1);
	assert_int_equal(h.sum_us, 120002002);
}

static void merging_adds_all(void **state)
{
	struct histogram a = { 0 }, b = { 0 };

	(void)state;
	histogram_add(&a, 500);
	histogram_add(&b, 700);
	histogram_add(&b, 90000000);
	histogram_merge(&a, &b);
	assert_int_equal(a.counts[0], 2);
	assert_int_equal(a.counts[HISTOGRAM_BOUNDS], 1);
	assert_int_equal(a.sum_us, 90001200);
}

static bool is(double a, double b)
{
	return a > b - 1e-9 && a < b + 1e-9;
}

static void a_share_is_within_a_bound(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	assert_true(is(histogram_within_s(&h, 0.5), 0));
	h.counts[0] = 989;
	h.counts[3] = 10;
	h.counts[HISTOGRAM_BOUNDS] = 1;
	assert_true(is(histogram_within_s(&h, 0.5), 0.001));
	assert_true(is(histogram_within_s(&h, 0.989), 0.001));
	assert_true(is(histogram_within_s(&h, 0.99), 0.01));
	assert_true(is(histogram_within_s(&h, 0.999), 0.01));
	/* Beyond the last bound there is no other. */
	assert_true(is(histogram_within_s(&h, 1), 60));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_within_its_bound),
		cmocka_unit_test(merging_adds_all),
		cmocka_unit_test(a_share_is_within_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
