/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cursor goes over everything: that costs microseconds a thousand items,
 * and an index would have to be kept right.
 */
#include "agent/api/list_item.h"

#define FETCH_AHEAD 3 /* pools */

static const struct pool_view *pool_at(const struct list_cursor *c, uint32_t outer)
{
	return c->only ? c->only : c->s->pools[outer];
}

static size_t outer_count(const struct list_cursor *c, enum list_kind kind)
{
	switch (kind) {
	case LIST_POOLS:
	case LIST_MEMBERS:
	case LIST_FRONTENDS:
		return c->s->pool_count;
	case LIST_POOL_MEMBERS:
		return 1;
	case LIST_TARGETS:
		return c->s->targets ? c->s->targets->count : 0;
	case LIST_PROBLEMS:
		return c->s->pool_count + 1;
	}
	return 0;
}

/* Of a list whose items stand alone, one each. */
static size_t inner_count(const struct list_cursor *c, enum list_kind kind, uint32_t outer)
{
	switch (kind) {
	case LIST_POOLS:
	case LIST_TARGETS:
		return 1;
	case LIST_POOL_MEMBERS:
	case LIST_MEMBERS:
		return pool_at(c, outer)->member_count;
	case LIST_FRONTENDS:
		return pool_at(c, outer)->pool->frontend_count;
	case LIST_PROBLEMS: /* those of the snapshot, then each pool's */
		return outer ? pool_view_problems(pool_at(c, outer - 1)) : c->s->problem_count;
	}
	return 0;
}

static struct list_item problem_at(const struct list_cursor *c, struct list_place at)
{
	const struct problem_view *p;

	if (at.outer) {
		const struct pool_view *v = pool_at(c, at.outer - 1);

		return (struct list_item){ .pool = v, .problem = view_pool_problem(v, at.inner) };
	}
	p = &c->s->problems[at.inner];
	return (struct list_item){
		.problem = { .where = p->where, .text = p->text, .error = p->error }
	};
}

struct list_item list_item_at(const struct list_cursor *c, enum list_kind kind,
			      struct list_place at)
{
	switch (kind) {
	case LIST_POOLS:
		return (struct list_item){ .pool = pool_at(c, at.outer) };
	case LIST_POOL_MEMBERS:
	case LIST_MEMBERS:
		return (struct list_item){ .pool = pool_at(c, at.outer),
					   .member = &pool_at(c, at.outer)->members[at.inner] };
	case LIST_TARGETS:
		return (struct list_item){ .target = &c->s->targets->items[at.outer] };
	case LIST_FRONTENDS:
		return (struct list_item){
			.pool = pool_at(c, at.outer),
			.frontend = &pool_at(c, at.outer)->pool->frontends[at.inner],
		};
	case LIST_PROBLEMS:
		break;
	}
	return problem_at(c, at);
}

/*
 * Pools lie anywhere in memory: while one is looked at, what is kept of another's members comes; of
 * those marks a line of the cache holds eight.
 */
static void fetch_ahead(const struct list_cursor *c, uint32_t outer)
{
	if (c->only || c->s->pool_count - outer <= FETCH_AHEAD)
		return;
	__builtin_prefetch(c->s->pools[outer + FETCH_AHEAD]);
	__builtin_prefetch(&c->s->pools[outer + FETCH_AHEAD]->members[8]);
}

bool list_next(struct list_cursor *c, enum list_kind kind, struct list_item *out,
	       struct list_place *at)
{
	size_t outers = outer_count(c, kind);

	for (; c->next.outer < outers; c->next.outer++, c->next.inner = 0) {
		if (c->next.inner >= inner_count(c, kind, c->next.outer))
			continue;
		if (c->next.inner == 0 && kind == LIST_MEMBERS)
			fetch_ahead(c, c->next.outer);
		*at = c->next;
		*out = list_item_at(c, kind, *at);
		c->next.inner++;
		return true;
	}
	return false;
}
