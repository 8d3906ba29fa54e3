/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is ours: the address pools there are, and the frontends that are kept
 * though no address pool has them any more. The ipvs process takes nothing else
 * from us, and deletes nothing else.
 *
 * It is told with the commit that needs it. It becomes more at once, and less only when the kernel
 * is rid of what was taken away: what is not ours is not deleted.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "agent/pool/address_pool.h"

#define OUTSIDE_MAX 4096 /* runs of ports of one address that no address pool has */

struct blocks {
	struct ipvs_ours *items;
	size_t count, size;
};

static void add_block(struct blocks *b, const struct ipvs_ours *o)
{
	if (b->count == b->size) {
		b->size = b->size ? b->size * 2 : 64;
		b->items = xreallocarray(b->items, b->size, sizeof(*b->items));
	}
	b->items[b->count++] = *o;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct ipvs_ours *x = a, *y = b;
	int order = addr_cmp(&x->addresses.first, &y->addresses.first);

	if (!order)
		order = addr_cmp(&x->addresses.last, &y->addresses.last);
	if (!order)
		order = (x->ports.first > y->ports.first) - (x->ports.first < y->ports.first);
	return order ? order : (x->ports.last > y->ports.last) - (x->ports.last < y->ports.last);
}

static void sort_blocks(struct blocks *b)
{
	if (b->count > 1)
		qsort(b->items, b->count, sizeof(*b->items), compare_blocks);
}

/* --- what is wanted ----------------------------------------------------------------------- */

/* Single frontends, in order: neighbours become one, and so do those of both protocols. */
static void join_runs(struct blocks *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct ipvs_ours *last = kept ? &b->items[kept - 1] : NULL;
		const struct ipvs_ours *o = &b->items[i];

		if (last && addr_cmp(&last->addresses.first, &o->addresses.first) == 0 &&
		    o->ports.first <= last->ports.last + 1)
			last->ports.last = o->ports.last;
		else
			b->items[kept++] = *o;
	}
	b->count = kept;
}

static struct blocks outside_of(const struct core *c)
{
	const struct frontend *f;
	struct blocks out = { 0 };

	for (size_t pos = 0; (f = map_next(&c->frontends, &pos));) {
		const struct ipvs_ours alone = { { f->key.addr, f->key.addr },
						 { f->key.port, f->key.port } };

		if (f->key.port && !pool_rules_pool(c->rules, &f->key, NULL))
			add_block(&out, &alone);
	}
	sort_blocks(&out);
	join_runs(&out);
	if (out.count > OUTSIDE_MAX) {
		log_error("kernel",
			  "frontends outside of every address pool are of %zu ranges of ports: "
			  "only %d are looked after; widen the address pools to hold them",
			  out.count, OUTSIDE_MAX);
		out.count = OUTSIDE_MAX;
	}
	return out;
}

static struct blocks ours_of(const struct core *c)
{
	struct blocks all = outside_of(c);

	for (size_t i = 0; i < c->rules->address_pool_count; i++) {
		const struct address_pool *p = &c->rules->address_pools[i];

		for (size_t k = 0; k < p->address_count; k++)
			add_block(&all, &(struct ipvs_ours){ p->addresses[k], p->ports });
	}
	sort_blocks(&all);
	return all;
}

/* --- telling ------------------------------------------------------------------------------ */

static bool are_same(const struct blocks *b, const struct kernel_ours *o)
{
	if (b->count != o->told_count)
		return false;
	for (size_t i = 0; i < b->count; i++) {
		if (compare_blocks(&b->items[i], &o->told[i]) != 0)
			return false;
	}
	return true;
}

/* Adds what was told and is not in there. Both are in order. True: there was something. */
static bool keep_told(struct blocks *b, const struct kernel_ours *o)
{
	size_t wanted = b->count;

	for (size_t i = 0, k = 0; i < o->told_count; i++) {
		while (k < wanted && compare_blocks(&b->items[k], &o->told[i]) < 0)
			k++;
		if (k == wanted || compare_blocks(&b->items[k], &o->told[i]) != 0)
			add_block(b, &o->told[i]);
	}
	sort_blocks(b);
	return b->count > wanted;
}

static void send_message(void *arg, uint16_t type, const struct buf *body)
{
	struct core *c = arg;

	channel_send(c->kernel.channel, type, body);
}

static void take_over(struct kernel_ours *o, const struct blocks *b)
{
	free(o->told);
	o->told = b->items;
	o->told_count = b->count;
}

void ours_tell(struct core *c)
{
	struct kernel_ours *o = &c->kernel.ours;
	struct blocks now;

	if (!o->changed && !o->due)
		return;
	now = ours_of(c);
	o->wide = keep_told(&now, o);
	if (o->due || !are_same(&now, o))
		ipvs_message_put_ours(now.items, now.count, send_message, c);
	take_over(o, &now);
	o->changed = o->due = false;
}

/* What is wanted now is enough, but for what the next commit adds. */
void ours_settled(struct core *c)
{
	struct kernel_ours *o = &c->kernel.ours;
	struct blocks now;

	if (!o->wide || !kernel_synced(c))
		return;
	now = ours_of(c);
	take_over(o, &now);
	o->wide = false;
	o->due = true;
	kernel_commit(c);
}

void ours_changed(struct core *c, const struct endpoint *frontend)
{
	if (!frontend || !pool_rules_pool(c->rules, frontend, NULL))
		c->kernel.ours.changed = true;
}

void ours_connected(struct core *c)
{
	ours_end(c);
	c->kernel.ours.due = true;
}

void ours_end(struct core *c)
{
	free(c->kernel.ours.told);
	c->kernel.ours = (struct kernel_ours){ 0 };
}

void core_set_rules(struct core *c, const struct pool_rules *rules)
{
	const struct pool_rules *old = c->rules;

	c->rules = rules;
	pools_set_rules(c->pools, rules);
	pool_rules_unref(old);
	ours_changed(c, NULL);
	if (c->planning) {
		core_plan_later(c);
		kernel_commit(c);
	}
	view_changed(c);
}
