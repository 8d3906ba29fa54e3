/* SPDX-License-Identifier: GPL-2.0-or-later */
/* order.c: beside a plain sorted array, and walks that go on after changes. */
#include "agent/base/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

#define COUNT 5000u

struct thing {
	uint32_t key;
	bool is_in;
};

static int by_key(const void *a, const void *b)
{
	uint32_t x = ((const struct thing *)a)->key, y = ((const struct thing *)b)->key;

	return (x > y) - (x < y);
}

static uint32_t random_of(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* things[i] has key i: walked `max` at a time, those that are in come in that order. */
static void assert_walk(const struct order *o, const struct thing *things, size_t max)
{
	CLEANUP(xfree_ptr) char *memory = xcalloc(max, sizeof(void *));
	void **out = (void **)memory;
	const struct thing *last = NULL;
	uint32_t i = 0;
	size_t n;

	while ((n = order_next(o, last, out, max)) > 0) {
		for (size_t k = 0; k < n; k++, i++) {
			while (i < COUNT && !things[i].is_in)
				i++;
			assert_true(i < COUNT);
			assert_ptr_equal(out[k], &things[i]);
		}
		last = out[n - 1];
	}
	for (; i < COUNT; i++)
		assert_false(things[i].is_in);
}

static void toggle(struct order *o, struct thing *t)
{
	if (t->is_in)
		order_remove(o, t);
	else
		order_add(o, t);
	t->is_in = !t->is_in;
}

static struct thing *things_new(void)
{
	struct thing *t = xcalloc(COUNT, sizeof(*t));

	for (uint32_t i = 0; i < COUNT; i++)
		t[i].key = i;
	return t;
}

static void any_history_ends_in_order(void **state)
{
	struct thing *things = things_new();
	uint32_t seed = 7;
	struct order o;

	(void)state;
	order_init(&o, by_key);
	assert_walk(&o, things, 10);
	for (uint32_t i = 0; i < 60000; i++) {
		/* By turns it grows and shrinks, in the middle and at the ends. */
		uint32_t k = random_of(&seed) % COUNT;
		bool grows = i / 8000 % 2 == 0;

		if (things[k].is_in != grows || i % 5 == 0)
			toggle(&o, &things[k]);
		if (i % 1000 == 0)
			assert_walk(&o, things, 1 + random_of(&seed) % 700);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		if (things[i].is_in)
			toggle(&o, &things[i]);
	}
	assert_int_equal(o.count, 0);
	assert_int_equal(o.chunk_count, 0);
	order_done(&o);
	free(things);
}

/* In order, or backwards: no more room than twice what it takes. */
static void what_comes_in_order_takes_little_room(void **state)
{
	struct thing *things = things_new();
	struct order up, down;

	(void)state;
	order_init(&up, by_key);
	order_init(&down, by_key);
	for (uint32_t i = 0; i < COUNT; i++) {
		things[i].is_in = true;
		order_add(&up, &things[i]);
		order_add(&down, &things[COUNT - 1 - i]);
	}
	assert_walk(&up, things, 999);
	assert_walk(&down, things, 999);
	assert_int_equal(up.chunk_count, (COUNT + 255) / 256);
	assert_true(down.chunk_count <= 2 * (COUNT + 255) / 256 + 1);
	order_done(&up);
	order_done(&down);
	free(things);
}

/* Those that were there all the time are seen once each; the place walked to may be gone. */
static void a_walk_goes_on_after_changes(void **state)
{
	struct thing *things = things_new();
	uint8_t *seen = xcalloc(COUNT, 1);
	struct thing at = { 0 };
	void *out[100];
	uint32_t seed = 3;
	struct order o;
	size_t n;

	(void)state;
	order_init(&o, by_key);
	for (uint32_t i = 0; i < COUNT; i++)
		toggle(&o, &things[i]);
	for (n = order_next(&o, NULL, out, 100); n > 0; n = order_next(&o, &at, out, 100)) {
		for (size_t k = 0; k < n; k++)
			seen[((struct thing *)out[k])->key]++;
		at = *(struct thing *)out[n - 1];
		/* Odd ones come and go, that one too. */
		for (int i = 0; i < 300; i++)
			toggle(&o, &things[random_of(&seed) % (COUNT / 2) * 2 + 1]);
		if (at.key % 2 && things[at.key].is_in)
			toggle(&o, &things[at.key]);
	}
	for (uint32_t i = 0; i < COUNT; i++)
		assert_true(i % 2 ? seen[i] <= 1 : seen[i] == 1);
	order_done(&o);
	free(seen);
	free(things);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_history_ends_in_order),
		cmocka_unit_test(what_comes_in_order_takes_little_room),
		cmocka_unit_test(a_walk_goes_on_after_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
