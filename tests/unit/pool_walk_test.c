/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.c: all objects of a source, told piece by piece while they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "agent/pool/pool.h"
#include "tests/lib/random.h"

#define NAMES  300
#define ROUNDS 40

static struct pool_rules rules;

static int set_up(void **state)
{
	(void)state;
	rules = (struct pool_rules){ .defaults = { .scheduler = "wrr",
						   .check = check_new(CHECK_TCP) } };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	check_unref(rules.defaults.check);
	return 0;
}

/* Service sN, which differs by its port. */
static struct object *service(unsigned source, unsigned n, unsigned port)
{
	const struct object_origin from = { .source = source, .path = "" };
	struct doc_set set;
	struct object *o;
	struct err err;
	char text[128];

	snprintf(text, sizeof(text),
		 "apiVersion: v1\nkind: Service\nmetadata: {name: s%u}\nspec: {ports: [{port: "
		 "%u}]}\n",
		 n, port);
	assert_int_equal(doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &set, &err), 0);
	assert_int_equal(object_decode(set.roots[0], &from, &o, &err), 0);
	doc_set_done(&set);
	return o;
}

struct scene {
	struct pools *pools;
	struct random random;
	uint64_t there[NAMES]; /* contents of source 0; 0: it is not there */
	uint64_t told[NAMES];
};

static void put(struct scene *s, unsigned n)
{
	struct object *o = service(0, n, 80 + random_below(&s->random, 3));

	s->there[n] = o->content;
	pools_put(s->pools, o);
}

static void take(struct scene *s, unsigned n)
{
	struct object *o = service(0, n, 80);

	s->there[n] = 0;
	pools_remove(s->pools, o);
	object_free(o);
}

static void on_object(void *arg, const struct object *o)
{
	struct scene *s = arg;
	int n = atoi(o->name + 1);

	assert_int_equal(o->source, 0);
	assert_true(s->told[n] == 0);
	s->told[n] = o->content;
}

static void disturb(struct scene *s, unsigned times)
{
	for (; times; times--) {
		if (random_below(&s->random, 3))
			put(s, random_below(&s->random, NAMES));
		else
			take(s, random_below(&s->random, NAMES));
	}
	pools_update(s->pools, NULL, NULL);
}

/* However much comes, changes and goes meanwhile, and whenever the table grows. */
static void each_is_told_once_as_it_was_at_the_beginning(void **state)
{
	struct random r = random_new();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct scene s = { .pools = pools_new(&rules), .random = { random_next(&r) | 1 } };
		struct pools_walk w = { .source = 0, .fn = on_object, .arg = &s };
		unsigned busy = random_below(&r, 12);

		for (unsigned n = 0; n < NAMES; n++) {
			if (random_below(&r, 4) == 0)
				put(&s, n);
			pools_put(s.pools, service(1, n, 80));
		}
		/* Again and again, some of them given up. */
		for (unsigned walks = 0; walks < 4; walks++) {
			bool whole = random_below(&r, 3) > 0;
			uint64_t then[NAMES];

			memcpy(then, s.there, sizeof(then));
			memset(s.told, 0, sizeof(s.told));
			pools_walk_begin(s.pools, &w);
			while (pools_walk_step(s.pools, &w, 1 + random_below(&r, 5)) &&
			       (whole || random_below(&r, 50)))
				disturb(&s, random_below(&r, busy + 1));
			pools_walk_end(s.pools, &w);
			if (whole)
				assert_memory_equal(s.told, then, sizeof(then));
			disturb(&s,
				busy); /* nobody is told of what it replaces: it would be twice */
		}
		pools_free(s.pools);
	}
}

static void who_has_ended_is_told_nothing(void **state)
{
	struct scene s = { .pools = pools_new(&rules), .random = { 1 } };
	struct pools_walk w = { .fn = on_object, .arg = &s };

	(void)state;
	put(&s, 1);
	put(&s, 2);
	pools_walk_begin(s.pools, &w);
	take(&s, 1);
	assert_true(s.told[1] != 0);
	pools_walk_end(s.pools, &w);
	take(&s, 2);
	assert_true(s.told[2] == 0);
	pools_walk_end(s.pools, &w); /* once more is fine */
	pools_free(s.pools);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_told_once_as_it_was_at_the_beginning),
		cmocka_unit_test(who_has_ended_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
