/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.c: blocks shared between snapshots, and the slot that threads meet at. */
#include "agent/plan/snapshot.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "agent/pool/pool_make.h"
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

/* Items of a check that is counted. */
static struct target_list *ten_targets(struct check *c)
{
	struct target_list *l = target_list_resize(target_list_new(0), 4);

	for (size_t i = 0; i < 10; i++) {
		if (i == 4)
			l = target_list_resize(l, 10);
		l->items[l->count++] = (struct target_view){ .id = i, .login = check_ref(c) };
	}
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(l->items[i].id, i);
	return l;
}

static void a_list_of_targets_goes_piece_by_piece(void **state)
{
	struct check *c = check_new(CHECK_MYSQL);
	struct target_list *l = ten_targets(c);
	unsigned refs = 11;

	(void)state;
	assert_int_equal(atomic_load(&c->refs), 11);
	while (target_list_unref_piece(&l, 4)) {
		refs -= 4;
		assert_int_equal(atomic_load(&c->refs), refs);
	}
	assert_null(l);
	assert_int_equal(refs, 3);
	assert_int_equal(atomic_load(&c->refs), 1);
	assert_false(target_list_unref_piece(&l, 4));
	check_unref(c);
}

static void a_list_of_targets_that_is_read_stays_whole(void **state)
{
	struct check *c = check_new(CHECK_MYSQL);
	struct target_list *l = ten_targets(c), *reader = target_list_ref(l);

	(void)state;
	assert_false(target_list_unref_piece(&l, 4));
	assert_null(l);
	assert_int_equal(reader->count, 10);
	assert_int_equal(atomic_load(&c->refs), 11);
	target_list_unref(reader);
	assert_int_equal(atomic_load(&c->refs), 1);
	check_unref(c);
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

/* --- members ------------------------------------------------------------------------- */

#define PLACES 7

/* Those whose bit is set are the pool's; the others only drain. Every second one has a time to go. */
static void assert_kept(unsigned in_pool, unsigned with_since)
{
	struct member_view m[PLACES];
	struct pool_member members[PLACES];
	struct pool parts = { .id = (char[]){ "a" },
			      .ns = (char[]){ "a" },
			      .service = (char[]){ "a" },
			      .port_name = (char[]){ "" },
			      .protocol = with_since ? IPPROTO_TCP : IPPROTO_UDP,
			      .set.check = check_new(CHECK_TCP),
			      .members.any = members };
	struct pool_view *v;

	for (unsigned i = 0; i < PLACES; i++) {
		m[i] = (struct member_view){ .endpoint = { addr_v4(i + 1), IPPROTO_TCP, 80 },
					     .since_ms = with_since & 1u << i
								 ? INT64_C(1700000000000) + i
								 : 0,
					     .remove_at_ms = i % 2 ? 1 + i : 0,
					     .nominal = 65535 - i,
					     .weight = 65535 - 2 * i,
					     .reasons = i % 3 ? MEMBER_STANDBY : 0,
					     .state = (enum verdict_state)(i % 3),
					     .in_table = i % 2 == 0,
					     .checked = i % 4 == 0 };
		if (in_pool & 1u << i)
			members[parts.member_count++] = (struct pool_member){
				.endpoint = m[i].endpoint, .weight = (uint16_t)m[i].nominal
			};
	}
	v = pool_view_new(pool_make(&parts), m, PLACES);
	assert_int_equal(v->member_count, PLACES);
	for (unsigned i = 0; i < PLACES; i++) {
		const struct member_view is = pool_view_member(v, i);

		struct endpoint room;

		assert_memory_equal(pool_view_endpoint(v, i, &room), &m[i].endpoint, sizeof(room));
		assert_memory_equal(&is.endpoint, &m[i].endpoint, sizeof(m[i].endpoint));
		assert_true(is.since_ms == m[i].since_ms && is.remove_at_ms == m[i].remove_at_ms);
		assert_true(pool_view_since(v, i) == m[i].since_ms);
		assert_int_equal(is.nominal, m[i].nominal);
		assert_int_equal(is.weight, m[i].weight);
		assert_int_equal(is.reasons, m[i].reasons);
		assert_int_equal(is.state, m[i].state);
		assert_int_equal(is.in_table, m[i].in_table);
		assert_int_equal(is.checked, m[i].checked);
	}
	pool_view_unref(v);
	check_unref(parts.set.check);
}

static void a_view_tells_of_its_members_what_it_was_made_of(void **state)
{
	(void)state;
	for (unsigned in_pool = 0; in_pool < 1u << PLACES; in_pool++) {
		assert_kept(in_pool, 0);
		assert_kept(in_pool, 1u << (PLACES - 1));
		assert_kept(in_pool, ~0u);
	}
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
			sum += pool_view_member(s->pools[k], 0).nominal;
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
		cmocka_unit_test(a_view_tells_of_its_members_what_it_was_made_of),
		cmocka_unit_test(a_list_of_targets_goes_piece_by_piece),
		cmocka_unit_test(a_list_of_targets_that_is_read_stays_whole),
		cmocka_unit_test(a_put_counts_the_problems_of_all_pools),
		cmocka_unit_test(readers_and_a_writer_never_wait_for_or_hurt_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
