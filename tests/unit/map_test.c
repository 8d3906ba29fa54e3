/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map.c: a set of objects by key, however badly they hash. */
#include "agent/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/attr.h"
#include "agent/base/hash.h"
#include "tests/lib/random.h"

struct object {
	unsigned key;
	bool in;
	bool seen;
};

static bool has_key(const void *object, const void *key)
{
	return ((const struct object *)object)->key == *(const unsigned *)key;
}

static uint64_t good_hash(unsigned key)
{
	return hash_table(&key, sizeof(key));
}

/* All in a row of four: probing has to walk. */
static uint64_t poor_hash(unsigned key)
{
	return key & 3;
}

static uint64_t same_hash(unsigned key)
{
	(void)key;
	return UINT64_MAX;
}

static void an_empty_map_finds_nothing(void **state)
{
	struct map m;
	unsigned key = 1;
	size_t pos = 0;

	(void)state;
	map_init(&m, has_key);
	assert_null(map_get(&m, good_hash(1), &key));
	assert_null(map_take(&m, good_hash(1), &key));
	assert_null(map_next(&m, &pos));
	assert_int_equal(m.count, 0);
	map_done(&m);
}

static void a_map_can_be_used_again(void **state)
{
	struct object o = { .key = 7 };
	struct map m;

	(void)state;
	for (int i = 0; i < 2; i++) {
		map_init(&m, has_key);
		map_put(&m, good_hash(7), &o);
		assert_ptr_equal(map_get(&m, good_hash(7), &o.key), &o);
		map_done(&m);
		map_done(&m);
	}
}

static void equal_hashes_are_told_apart_by_key(void **state)
{
	struct object o[100];
	struct map m;

	(void)state;
	map_init(&m, has_key);
	for (unsigned i = 0; i < ARRAY_LEN(o); i++) {
		o[i] = (struct object){ .key = i };
		map_put(&m, same_hash(i), &o[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(o); i += 2)
		assert_ptr_equal(map_take(&m, same_hash(i), &i), &o[i]);
	for (unsigned i = 0; i < ARRAY_LEN(o); i++)
		assert_ptr_equal(map_get(&m, same_hash(i), &i), i % 2 ? &o[i] : NULL);
	assert_int_equal(m.count, 50);
	map_done(&m);
}

static void a_walk_sees_each_once_and_may_take_it(void **state)
{
	struct object o[1000];
	struct object *found;
	struct map m;
	size_t pos = 0;

	(void)state;
	map_init(&m, has_key);
	for (unsigned i = 0; i < ARRAY_LEN(o); i++) {
		o[i] = (struct object){ .key = i };
		map_put(&m, good_hash(i), &o[i]);
	}
	while ((found = map_next(&m, &pos))) {
		assert_false(found->seen);
		found->seen = true;
		if (found->key % 3 == 0)
			assert_ptr_equal(map_take(&m, good_hash(found->key), &found->key), found);
	}
	for (unsigned i = 0; i < ARRAY_LEN(o); i++) {
		assert_true(o[i].seen);
		assert_ptr_equal(map_get(&m, good_hash(i), &i), i % 3 ? &o[i] : NULL);
	}
	map_done(&m);
}

static void coming_and_going_does_not_make_it_grow(void **state)
{
	struct object o;
	struct map m;

	(void)state;
	map_init(&m, has_key);
	for (unsigned i = 0; i < 100000; i++) {
		o = (struct object){ .key = i };
		map_put(&m, good_hash(i), &o);
		assert_ptr_equal(map_take(&m, good_hash(i), &i), &o);
	}
	assert_int_equal(m.count, 0);
	assert_true(m.size <= 64);
	map_done(&m);
}

static void random_use_agrees_with_an_array(void **state)
{
	uint64_t (*hash)(unsigned) = *state;
	static struct object o[500];
	struct random r = random_new();
	struct map m;
	size_t count = 0;

	memset(o, 0, sizeof(o));
	map_init(&m, has_key);
	for (unsigned step = 0; step < 50000; step++) {
		/* A working set that wanders, so that marks of removed ones pile up. */
		unsigned key = (step / 100 + random_below(&r, 100)) % ARRAY_LEN(o);
		struct object *one = &o[key];

		assert_ptr_equal(map_get(&m, hash(key), &key), one->in ? one : NULL);
		if (one->in) {
			assert_ptr_equal(map_take(&m, hash(key), &key), one);
			count--;
		} else {
			one->key = key;
			map_put(&m, hash(key), one);
			count++;
		}
		one->in = !one->in;
		assert_int_equal(m.count, count);
	}
	for (unsigned key = 0; key < ARRAY_LEN(o); key++)
		assert_ptr_equal(map_get(&m, hash(key), &key), o[key].in ? &o[key] : NULL);
	map_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_finds_nothing),
		cmocka_unit_test(a_map_can_be_used_again),
		cmocka_unit_test(equal_hashes_are_told_apart_by_key),
		cmocka_unit_test(a_walk_sees_each_once_and_may_take_it),
		cmocka_unit_test(coming_and_going_does_not_make_it_grow),
		{ "random use agrees with an array: good hash", random_use_agrees_with_an_array,
		  NULL, NULL, good_hash },
		{ "random use agrees with an array: poor hash", random_use_agrees_with_an_array,
		  NULL, NULL, poor_hash },
		{ "random use agrees with an array: one hash", random_use_agrees_with_an_array,
		  NULL, NULL, same_hash },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
