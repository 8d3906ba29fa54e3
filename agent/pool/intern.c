/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Equal checks are one: thousands of pools with the same annotations share
 * it, and comparing two pools compares two pointers.
 */
#include "agent/base/hash.h"
#include "agent/pool/model.h"

/* Below this many it is not worth looking for those that nobody uses any more. */
#define SWEEP_MIN 64

static bool eq(const void *object, const void *key)
{
	return check_equal(object, key);
}

static uint64_t hash_of(const struct check *c)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_check(&b, c);
	return hash_table(b.data, b.len);
}

void checks_init(struct pools *p)
{
	map_init(&p->checks, eq);
	p->checks_swept = SWEEP_MIN;
}

static void sweep(struct pools *p)
{
	struct check *c;

	for (size_t pos = 0; (c = map_next(&p->checks, &pos));) {
		/* The map's own reference is the last: nobody else can take one. */
		if (atomic_load_explicit(&c->refs, memory_order_acquire) > 1)
			continue;
		(void)map_take(&p->checks, hash_of(c), c);
		check_unref(c);
	}
	p->checks_swept = p->checks.count > SWEEP_MIN ? p->checks.count : SWEEP_MIN;
}

struct check *check_intern(struct pools *p, struct check *c)
{
	uint64_t h = hash_of(c);
	struct check *known = map_get(&p->checks, h, c);

	if (known) {
		check_ref(known);
		check_unref(c);
		return known;
	}
	if (p->checks.count >= 2 * p->checks_swept)
		sweep(p);
	map_put(&p->checks, h, check_ref(c));
	return c;
}

void checks_done(struct pools *p)
{
	struct check *c;

	for (size_t pos = 0; (c = map_next(&p->checks, &pos));)
		check_unref(c);
	map_done(&p->checks);
}
