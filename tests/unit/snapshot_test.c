/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.c: blocks shared between snapshots, and the slot that threads meet at. */
#include "agent/plan/snapshot.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/snapshots.h"

#define ROUNDS	2000
#define READERS 4

static void an_empty_slot_gives_nothing(void **state)
{
	struct snapshot_slot *slot = snapshot_slot_new();

	(void)state;
	assert_null(snapshot_slot_get(slot));
	snapshot_slot_free(slot);
	snapshot_slot_free(NULL);
	snapshot_unref(NULL);
	pool_view_unref(NULL);
}

static void the_newest_is_given_and_the_old_one_lives_while_it_is_read(void **state)
{
	struct snapshot_slot *slot = snapshot_slot_new();
	struct snapshot *first, *second;

	(void)state;
	snapshot_slot_put(slot, snapshot_large(3, 2));
	first = snapshot_slot_get(slot);
	snapshot_slot_put(slot, snapshot_turned(first, 1, 0, VERDICT_DOWN, 0));
	second = snapshot_slot_get(slot);

	assert_int_equal(first->sequence, 1);
	assert_int_equal(second->sequence, 2);
	assert_ptr_equal(first->pools[0], second->pools[0]);
	assert_ptr_not_equal(first->pools[1], second->pools[1]);
	assert_ptr_equal(first->targets, second->targets);
	snapshot_slot_free(slot);
	assert_string_equal(first->pools[1]->pool->id, second->pools[1]->pool->id);
	snapshot_unref(second);
	assert_int_equal(first->pools[0]->member_count, 2);
	snapshot_unref(first);
}

static void a_put_counts_the_problems_of_all_pools(void **state)
{
	struct snapshot_slot *slot = snapshot_slot_new();
	struct snapshot *s;

	(void)state;
	snapshot_slot_put(slot, snapshot_sample(0));
	s = snapshot_slot_get(slot);
	assert_int_equal(s->problem_total, 4); /* a file's, an object's, the kernel's, a fault */
	snapshot_unref(s);
	snapshot_slot_free(slot);
}

/* --- threads ----------------------------------------------------------------------- */

static void *read_many(void *arg)
{
	struct snapshot_slot *slot = arg;
	uint64_t last = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct snapshot *s = snapshot_slot_get(slot);
		uint64_t sum = 0;

		for (size_t k = 0; k < s->pool_count; k++)
			sum += s->pools[k]->members[0].nominal;
		if (s->sequence < last || sum != s->pool_count)
			abort();
		last = s->sequence;
		snapshot_unref(s);
	}
	return NULL;
}

static void readers_and_a_writer_never_wait_for_or_hurt_each_other(void **state)
{
	struct snapshot_slot *slot = snapshot_slot_new();
	pthread_t readers[READERS];

	(void)state;
	snapshot_slot_put(slot, snapshot_large(5, 1));
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_many, slot), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct snapshot *s = snapshot_slot_get(slot);

		snapshot_slot_put(slot, snapshot_turned(s, i % 5, 0, VERDICT_UP, 0));
		snapshot_unref(s);
	}
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	snapshot_slot_free(slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_slot_gives_nothing),
		cmocka_unit_test(the_newest_is_given_and_the_old_one_lives_while_it_is_read),
		cmocka_unit_test(a_put_counts_the_problems_of_all_pools),
		cmocka_unit_test(readers_and_a_writer_never_wait_for_or_hurt_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
