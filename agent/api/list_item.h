/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside lists: one thing of a list, the cursor that goes over all of them, the
 * filter that picks some, and the order that sorts those.
 */
#ifndef AGENT_API_LIST_ITEM_H
#define AGENT_API_LIST_ITEM_H

#include "agent/api/list.h"
#include "agent/api/view.h"

#define LIST_KIND(k) (1u << (k))

/* Which fields are set depends on the kind. */
struct list_item {
	const struct pool_view *pool;
	const struct member_mark *member; /* in `pool` */
	const struct target_view *target;
	const struct endpoint *frontend;
	struct problem_item problem;
};

static inline size_t list_member_place(const struct list_item *it)
{
	return (size_t)(it->member - it->pool->members);
}

static inline const struct endpoint *list_member_endpoint(const struct list_item *it,
							  struct endpoint *room)
{
	return pool_view_endpoint(it->pool, list_member_place(it), room);
}

/* --- the cursor: list_cursor.c -------------------------------------------------- */

struct list_place {
	uint32_t outer; /* a pool, a target; of problems, pool + 1 and 0 for nobody's */
	uint32_t inner; /* a member, a problem, a frontend of it */
};

struct list_cursor {
	const struct snapshot *s;
	const struct pool_view *only; /* LIST_POOL_MEMBERS */
	struct list_place next;
};

/* The next item and where it is; false: that was the last. */
bool list_next(struct list_cursor *c, enum list_kind kind, struct list_item *out,
	       struct list_place *at);
/* The item at a place that list_next() told, of a cursor over the same. */
struct list_item list_item_at(const struct list_cursor *c, enum list_kind kind,
			      struct list_place at);

/* --- the filter: list_filter.c --------------------------------------------------- */

/* Takes the value of a filter into the query. -ENOENT: this list has no such; -EINVAL: bad. */
MUST_CHECK int list_filter_take(struct list_query *q, const char *name, const char *value,
				struct err *err);
/* The needle of the query's FILTER_Q, worked out once for a list. */
struct list_needle list_needle_of(const struct list_query *q);
bool list_matches(const struct list_query *q, const struct list_needle *n, const struct snapshot *s,
		  const struct list_item *it);

/* --- the order: list_order.c ------------------------------------------------------ */

/* "-health,id" into the query. -EINVAL: not a field to sort this list by; err names it. */
MUST_CHECK int list_sort_take(struct list_query *q, const char *value, struct err *err);

struct list_order;
/* All items that match; the query is copied, the cursor's snapshot must outlive the order. */
MUST_CHECK struct list_order *list_order_new(const struct list_query *q,
					     const struct list_cursor *from);
size_t list_order_count(const struct list_order *o);
/*
 * Puts what belongs at from..to-1 there, whole lists never: a page of many thousands costs a few
 * looks at each. Clamped to what there is.
 */
void list_order_window(struct list_order *o, size_t from, size_t to);
struct list_item list_order_at(const struct list_order *o, size_t i); /* within a window */
void list_order_free(struct list_order *o);			      /* NULL is fine */

#endif
