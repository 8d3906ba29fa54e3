/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pace.c: how many deletions and changes of schedulers fit into a stretch of time. */
#include "ipvs/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static mono_t at(int64_t seconds)
{
	return (mono_t){ (1000000 + seconds) * 1000000000 };
}

static void deletions_have_a_limit_that_moves_with_time(void **state)
{
	struct ipvs_pace p = { 0 };

	(void)state;
	assert_true(ipvs_pace_may_delete(&p, at(0), 2000, true));
	ipvs_pace_deleted(&p, at(0), 1500);
	assert_true(ipvs_pace_may_delete(&p, at(60), 500, true));
	assert_false(ipvs_pace_may_delete(&p, at(60), 501, true));
	ipvs_pace_deleted(&p, at(60), 500);
	assert_false(ipvs_pace_may_delete(&p, at(170), 1, true));
	/* The first have left the window. */
	assert_true(ipvs_pace_may_delete(&p, at(191), 1500, true));
	assert_false(ipvs_pace_may_delete(&p, at(191), 1501, true));
	/* Long after nothing is left of it. */
	assert_true(ipvs_pace_may_delete(&p, at(100000), 2000, true));
}

static void one_service_is_never_too_many(void **state)
{
	struct ipvs_pace p = { 0 };

	(void)state;
	assert_true(ipvs_pace_may_delete(&p, at(0), IPVS_DESTS_MAX, true));
	ipvs_pace_deleted(&p, at(0), IPVS_DESTS_MAX);
	assert_false(ipvs_pace_may_delete(&p, at(0), 1, true));
}

static void more_may_go_when_nothing_comes(void **state)
{
	struct ipvs_pace p = { 0 };

	(void)state;
	ipvs_pace_deleted(&p, at(0), 2000);
	assert_false(ipvs_pace_may_delete(&p, at(0), 100, true));
	assert_true(ipvs_pace_may_delete(&p, at(0), 100, false));
	ipvs_pace_added(&p, at(1), 2001);
	assert_false(ipvs_pace_may_delete(&p, at(1), 100, false));
	ipvs_pace_deleted(&p, at(200), 20000);
	assert_false(ipvs_pace_may_delete(&p, at(200), 1, false));
}

static void live_schedulers_change_one_after_the_other(void **state)
{
	struct ipvs_pace p = { 0 };

	(void)state;
	assert_true(ipvs_pace_may_change_scheduler(&p, at(0)));
	ipvs_pace_scheduler_changed(&p, at(0));
	assert_false(ipvs_pace_may_change_scheduler(&p, at(0)));
	assert_true(ipvs_pace_may_change_scheduler(&p, mono_add_ms(at(0), 100)));
}

static void what_builds_a_table_or_waits_is_dear(void **state)
{
	struct ipvs_service mh = { .scheduler = "mh" }, rr = { .scheduler = "rr" };
	struct ipvs_service none = { .scheduler = "none" };
	struct ipvs_op dest = { .kind = IPVS_SET_DEST };
	struct ipvs_op to_mh = { .kind = IPVS_SET_SERVICE, .scheduler = "mh" };

	(void)state;
	assert_true(ipvs_op_cost_us(&dest, &mh) > 20 * ipvs_op_cost_us(&dest, &rr));
	assert_true(ipvs_op_cost_us(&to_mh, &none) >= 100);
	assert_true(ipvs_op_cost_us(&to_mh, &rr) > IPVS_BATCH_US);
	assert_true(ipvs_op_cost_us(&to_mh, &mh) < 10);
	assert_true(ipvs_op_changes_scheduler(&to_mh, &rr));
	assert_false(ipvs_op_changes_scheduler(&to_mh, &none));
	assert_false(ipvs_op_changes_scheduler(&to_mh, &mh));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(deletions_have_a_limit_that_moves_with_time),
		cmocka_unit_test(one_service_is_never_too_many),
		cmocka_unit_test(more_may_go_when_nothing_comes),
		cmocka_unit_test(live_schedulers_change_one_after_the_other),
		cmocka_unit_test(what_builds_a_table_or_waits_is_dear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
