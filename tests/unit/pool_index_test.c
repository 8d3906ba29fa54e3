/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool_index.c: sorted whatever comes and goes; its lists stay as they were and share what they can. */
#include "agent/plan/pool_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/random.h"
#include "tests/lib/snapshots.h"

#define IDS	2000 /* of many pieces */
#define ROUNDS	300
#define KEPT	8
#define CHANGES 60

/* What a list should show: the generation of each pool that is there, 0 of one that is not. */
struct shown {
	uint64_t generation[IDS];
	struct pool_list *list;
};

struct scene {
	struct snapshot *all; /* whose pools come and go */
	struct pool_index *index;
	struct shown now;
	uint64_t changes;
};

static int make_scene(void **state)
{
	static struct scene s;

	s = (struct scene){ .all = snapshot_large(IDS, 1), .index = pool_index_new() };
	*state = &s;
	return 0;
}

static int end_scene(void **state)
{
	struct scene *s = *state;

	pool_index_free(s->index);
	snapshot_unref(s->all);
	return 0;
}

static struct pool *pool_of(const struct scene *s, unsigned i)
{
	return s->all->pools[i]->pool;
}

static void put(struct scene *s, unsigned i)
{
	const struct endpoint drains = pool_member(pool_of(s, i), 0).endpoint;
	struct member_view m[3] = { { .endpoint = drains }, { .endpoint = drains } };
	struct pool_view *v;

	m[1].endpoint.port++;
	m[2].endpoint.port += 2;
	v = pool_view_new(pool_ref(pool_of(s, i)), m, 1 + i % 3);

	v->generation = s->now.generation[i] = ++s->changes;
	pool_index_put(s->index, v);
}

static void remove_one(struct scene *s, unsigned i)
{
	s->now.generation[i] = 0;
	pool_index_remove(s->index, pool_of(s, i)->id);
}

static void assert_shows(const struct scene *s, const struct shown *want)
{
	const struct pool_list *l = want->list;
	size_t n = 0, members = 0, in_pieces = 0;

	for (unsigned i = 0; i < IDS; i++) {
		if (!want->generation[i])
			continue;
		assert_true(n < l->count);
		assert_ptr_equal(l->items[n]->pool, pool_of(s, i));
		assert_true(l->items[n++]->generation == want->generation[i]);
		members += 1 + i % 3;
	}
	assert_int_equal(l->count, n);
	assert_int_equal(l->members, members);
	for (size_t i = 0; i < l->piece_count; i++) {
		const struct pool_piece *p = l->pieces[i];

		assert_true(p->count > 0);
		for (size_t k = 0; k < p->count; k++)
			assert_ptr_equal(p->items[k], l->items[in_pieces + k]);
		in_pieces += p->count;
	}
	assert_int_equal(in_pieces, n);
}

static void keep(struct scene *s, struct shown *out)
{
	*out = s->now;
	out->list = pool_index_list(s->index);
}

/* --- tests ------------------------------------------------------------------------- */

static void lists_are_what_was_put_and_stay_so_whatever_comes_later(void **state)
{
	struct shown kept[KEPT] = { { .list = NULL } };
	struct scene *s = *state;
	struct random r = random_new();

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned slot = random_below(&r, KEPT);
		/* Times at which many come, times at which many go. */
		unsigned gone_of_10 = round % 100 < 50 ? 2 : 8;

		for (unsigned i = random_below(&r, CHANGES); i; i--) {
			unsigned id = random_below(&r, IDS);

			if (random_below(&r, 10) < gone_of_10)
				remove_one(s, id);
			else
				put(s, id);
		}
		pool_list_unref(kept[slot].list);
		keep(s, &kept[slot]);
		for (unsigned i = 0; i < KEPT; i++) {
			if (kept[i].list)
				assert_shows(s, &kept[i]);
		}
	}
	for (unsigned i = 0; i < KEPT; i++)
		pool_list_unref(kept[i].list);
}

static void what_did_not_change_is_shared(void **state)
{
	struct scene *s = *state;
	struct shown before, after;
	size_t other = 0;

	for (unsigned i = 0; i < IDS; i++)
		put(s, i);
	keep(s, &before);
	keep(s, &after);
	assert_ptr_equal(before.list, after.list);
	pool_list_unref(after.list);

	put(s, 1000);
	keep(s, &after);
	assert_shows(s, &before);
	assert_shows(s, &after);
	assert_int_equal(after.list->piece_count, before.list->piece_count);
	for (size_t i = 0; i < after.list->piece_count; i++)
		other += after.list->pieces[i] != before.list->pieces[i];
	assert_int_equal(other, 1);
	pool_list_unref(before.list);
	pool_list_unref(after.list);
}

/* In whatever order they come, and when most have gone, lists stay cheap. */
static void pieces_are_neither_many_nor_few(void **state)
{
	struct scene *s = *state;
	struct shown shown;

	for (unsigned i = 0; i < IDS; i++)
		put(s, i);
	keep(s, &shown);
	assert_int_equal(shown.list->piece_count, (IDS + POOL_PIECE_MAX - 1) / POOL_PIECE_MAX);
	pool_list_unref(shown.list);
	for (unsigned i = 0; i < IDS; i++)
		if (i % 100)
			remove_one(s, i);
	keep(s, &shown);
	assert_shows(s, &shown);
	assert_true(shown.list->piece_count <= 2);
	pool_list_unref(shown.list);
	for (unsigned i = 0; i < IDS; i++)
		remove_one(s, i);
	for (unsigned i = IDS; i-- > 0;)
		put(s, i);
	keep(s, &shown);
	assert_shows(s, &shown);
	assert_true(shown.list->piece_count <= 2 * IDS / POOL_PIECE_MAX + 1);
	pool_list_unref(shown.list);
}

static void an_empty_one_has_an_empty_list(void **state)
{
	struct scene *s = *state;
	struct shown shown;

	remove_one(s, 7);
	keep(s, &shown);
	assert_int_equal(shown.list->piece_count, 0);
	assert_shows(s, &shown);
	pool_list_unref(shown.list);
	pool_index_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			lists_are_what_was_put_and_stay_so_whatever_comes_later, make_scene,
			end_scene),
		cmocka_unit_test_setup_teardown(what_did_not_change_is_shared, make_scene,
						end_scene),
		cmocka_unit_test_setup_teardown(pieces_are_neither_many_nor_few, make_scene,
						end_scene),
		cmocka_unit_test_setup_teardown(an_empty_one_has_an_empty_list, make_scene,
						end_scene),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
