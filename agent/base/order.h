/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The caller's own objects in an order that always holds, hundreds of thousands
 * of them: adding and removing one moves a few kilobytes at most, and a walk can
 * stop anywhere and go on later, whatever was added and removed meanwhile.
 */
#ifndef AGENT_BASE_ORDER_H
#define AGENT_BASE_ORDER_H

#include <stddef.h>

#include "agent/base/attr.h"

/* Below, above or 0; 0 for no two that are in it at once. */
typedef int order_cmp_fn(const void *a, const void *b);

struct order_chunk;

struct order {
	order_cmp_fn *cmp;
	struct order_chunk **chunks; /* none of them empty */
	size_t chunk_count, chunk_size;
	size_t count; /* of objects */
};

void order_init(struct order *o, order_cmp_fn *cmp);
void order_done(struct order *o); /* leaves the objects alone */

/* What an object is compared by must not change while it is in. */
void order_add(struct order *o, void *object);
void order_remove(struct order *o, const void *object); /* it is in */

/*
 * The next ones above `key`, which is compared like an object and need not be one of them; NULL:
 * from the beginning. Returns how many there are, `max` at most; 0 at the end.
 */
MUST_CHECK size_t order_next(const struct order *o, const void *key, void **out, size_t max);

#endif
