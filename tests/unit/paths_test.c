/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paths.c: whose number is whose, and since when. */
#include "agent/plan/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const mono_t at_first = { 1000000000 };

static mono_t later(int64_t ms)
{
	return mono_add_ms(at_first, ms);
}

static void a_number_follows_from_the_target(void **state)
{
	struct paths p;

	(void)state;
	paths_init(&p, 7);
	assert_int_equal(paths_take(&p, 4005, at_first), 5);
	assert_int_equal(paths_take(&p, 6, at_first), 6);
	/* Its own is another one's: the next that is free. */
	assert_int_equal(paths_take(&p, 9005, at_first), 7);
	assert_int_equal(paths_take(&p, 999, at_first), 999);
	assert_int_equal(paths_take(&p, 1999, at_first), 0);
	assert_int_equal(p.taken, 5);
}

static void a_path_is_there_once_its_version_is_in_force(void **state)
{
	struct paths p;

	(void)state;
	paths_init(&p, 7);
	assert_int_equal(paths_take(&p, 1, at_first), 1);
	assert_true(p.changed);
	assert_false(paths_has(&p, 1));
	assert_int_equal(paths_tell(&p), 7);
	assert_false(p.changed);
	assert_false(paths_has(&p, 1));
	/* This one is not in what was told. */
	assert_int_equal(paths_take(&p, 2, at_first), 2);
	assert_true(paths_hear(&p, 7, at_first));
	assert_true(paths_has(&p, 1));
	assert_false(paths_has(&p, 2));
	assert_false(paths_hear(&p, 7, at_first));
	/* Nobody has told that one. */
	assert_false(paths_hear(&p, 8, at_first));
	assert_false(paths_hear(&p, 6, at_first));
	assert_int_equal(paths_tell(&p), 8);
	assert_int_equal(paths_tell(&p), 9);
	/* A later version has all that one before it had. */
	assert_true(paths_hear(&p, 9, at_first));
	assert_true(paths_has(&p, 1) && paths_has(&p, 2));
	assert_false(paths_hear(&p, 8, at_first));
}

static void a_number_given_up_is_given_anew_when_nothing_is_left_of_it(void **state)
{
	struct paths p;
	mono_t when;

	(void)state;
	paths_init(&p, 1);
	assert_int_equal(paths_take(&p, 1, at_first), 1);
	(void)paths_tell(&p);
	assert_true(paths_hear(&p, 1, at_first));
	paths_give_up(&p, 1);
	assert_false(paths_has(&p, 1));
	assert_int_equal(p.taken, 0);
	assert_false(paths_next(&p, &when));
	assert_int_equal(paths_take(&p, 1001, later(PATHS_REST_MS * 2)), 2);
	/* What comes into force is what was told before. */
	assert_int_equal(paths_tell(&p), 2);
	assert_false(paths_hear(&p, 1, later(100)));
	assert_int_equal(paths_take(&p, 2001, later(PATHS_REST_MS * 2)), 3);
	assert_true(paths_hear(&p, 2, later(200)));
	assert_true(paths_next(&p, &when));
	assert_true(when.ns == later(200 + PATHS_REST_MS).ns);
	assert_int_equal(paths_take(&p, 3001, later(199 + PATHS_REST_MS)), 4);
	assert_int_equal(paths_take(&p, 4001, later(200 + PATHS_REST_MS)), 1);
	assert_false(paths_next(&p, &when));
}

static void a_number_that_was_never_told_of_is_free_at_once(void **state)
{
	struct paths p;

	(void)state;
	paths_init(&p, UINT32_MAX); /* versions go around */
	assert_int_equal(paths_take(&p, 1, at_first), 1);
	paths_give_up(&p, 1);
	assert_int_equal(paths_take(&p, 1001, at_first), 1);
	assert_int_equal(paths_tell(&p), UINT32_MAX);
	paths_give_up(&p, 1);
	assert_int_equal(paths_tell(&p), 0);
	/* The list without it was told while the one with it was not answered. */
	assert_true(paths_hear(&p, UINT32_MAX, at_first));
	assert_int_equal(paths_take(&p, 1, later(PATHS_REST_MS)), 2);
	assert_true(paths_hear(&p, 0, later(1)));
	assert_int_equal(paths_take(&p, 1, later(1 + PATHS_REST_MS)), 1);
}

static void there_are_no_more_than_the_kernel_takes(void **state)
{
	struct paths p;

	(void)state;
	paths_init(&p, 1);
	for (unsigned i = 0; i < IPVS_PATHS_MAX; i++)
		assert_in_range(paths_take(&p, UINT64_C(7919) * i, at_first), 0,
				IPVS_PATHS_MAX - 1);
	assert_int_equal(p.taken, IPVS_PATHS_MAX);
	assert_int_equal(paths_take(&p, 5, at_first), -1);
	(void)paths_tell(&p);
	paths_give_up(&p, 17);
	assert_int_equal(paths_take(&p, 5, at_first), -1);
	(void)paths_tell(&p);
	assert_true(paths_hear(&p, 2, at_first));
	assert_int_equal(paths_take(&p, 5, later(PATHS_REST_MS)), 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_follows_from_the_target),
		cmocka_unit_test(a_path_is_there_once_its_version_is_in_force),
		cmocka_unit_test(a_number_given_up_is_given_anew_when_nothing_is_left_of_it),
		cmocka_unit_test(a_number_that_was_never_told_of_is_free_at_once),
		cmocka_unit_test(there_are_no_more_than_the_kernel_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
