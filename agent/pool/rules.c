/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address pools change while the model is there. Which Services that can
 * touch is found by asking twice, by the old rules and by the new: looking costs
 * little, and building a pool anew much.
 */
#include <stdlib.h>

#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/model.h"

/* Address pools that only one of two rules has, or that say something else now. */
struct changed {
	const struct address_pool **pools;
	size_t count;
};

static void add_changed(struct changed *c, const struct pool_rules *a, const struct pool_rules *b)
{
	for (size_t i = 0; i < a->address_pool_count; i++) {
		const struct address_pool *p = &a->address_pools[i];
		const struct address_pool *q = pool_rules_named(b, p->name);

		if (!q || !address_pool_same(p, q))
			c->pools[c->count++] = p;
	}
}

static struct changed changed_of(const struct pool_rules *a, const struct pool_rules *b)
{
	struct changed c = { .pools = xcalloc(a->address_pool_count + b->address_pool_count + 1,
					      sizeof(c.pools[0])) };

	add_changed(&c, a, b);
	add_changed(&c, b, a);
	return c;
}

/* --- frontends ----------------------------------------------------------------------------- */

struct asked {
	bool has;
	struct endpoint frontend;
	const struct address_pool *from; /* NULL: none has it */
};

static struct asked ask(const struct pool_rules *r, const struct object *o,
			const struct object_port *port)
{
	const struct frontend_wish wish = frontend_wish(o, port);
	CLEANUP(buf_done) struct buf why = { 0 };
	struct asked a = { 0 };

	a.has = frontend_of(r, &wish, &a.frontend, &why);
	if (a.has)
		a.from = pool_rules_pool(r, &a.frontend, o->ns);
	return a;
}

/* Outside before and after is nothing new. */
static bool differs(const struct asked *a, const struct asked *b)
{
	if (a->has != b->has || !a->from != !b->from)
		return true;
	return a->has && endpoint_cmp(&a->frontend, &b->frontend) != 0;
}

static void look_at(const struct pools *p, const struct pool_rules *rules, const struct object *o,
		    rules_effect_fn *fn, void *arg)
{
	for (size_t i = 0; o->type == SERVICE_NODE_PORT && i < o->port_count; i++) {
		const struct asked now = ask(p->rules, o, &o->ports[i]);
		const struct asked then = ask(rules, o, &o->ports[i]);
		const struct rules_effect e = { .service = o,
						.port = &o->ports[i],
						.now = now.has ? &now.frontend : NULL,
						.then = then.has ? &then.frontend : NULL,
						.from = now.from,
						.outside = then.has && !then.from };

		if (differs(&now, &then))
			fn(arg, &e);
	}
}

void pools_rules_effects(const struct pools *p, const struct pool_rules *rules, rules_effect_fn *fn,
			 void *arg)
{
	const struct service *s;

	for (size_t pos = 0; (s = map_next(&p->services, &pos));) {
		const struct object *o = s->is_secret ? NULL : service_object(s);

		if (o)
			look_at(p, rules, o, fn, arg);
	}
}

const struct pool_rules *pools_rules(const struct pools *p)
{
	return p->rules;
}

void pools_frontends(const struct pools *p, pools_frontend_fn *fn, void *arg)
{
	const struct contest *c;

	for (size_t pos = 0; (c = map_next(&p->contests, &pos));) {
		if (c->winner)
			fn(arg, &c->frontend);
	}
}

/* --- what is worked out again -------------------------------------------------------------- */

static void mark(void *arg, const struct rules_effect *e)
{
	(void)e;
	*(bool *)arg = true;
}

static bool is_in(const struct changed *c, const struct addr *a)
{
	for (size_t i = 0; i < c->count; i++) {
		for (size_t k = 0; k < c->pools[i]->address_count; k++) {
			if (addr_range_has(&c->pools[i]->addresses[k], a))
				return true;
		}
	}
	return false;
}

/* Nobody's real server is an address that we give out: it may be one now, or have been. */
static bool has_server_in(const struct changed *c, const struct object *o)
{
	for (size_t i = 0; i < o->subset_count; i++) {
		for (size_t k = 0; k < o->subsets[i].address_count; k++) {
			const struct object_address a = object_address_at(&o->subsets[i], k);

			if (is_in(c, &a.addr))
				return true;
		}
	}
	return false;
}

/* What it is told of the address pools there are may be wrong now. */
static bool lacks_frontend(const struct service *s)
{
	for (size_t i = 0; i < s->pool_count; i++) {
		if (s->pools[i]->frontend_count == 0)
			return true;
	}
	return false;
}

static bool is_touched(const struct pools *p, const struct service *s,
		       const struct pool_rules *rules, const struct changed *c)
{
	const struct object *o = s->is_secret ? NULL : service_object(s);
	bool touched = false;

	if (!o)
		return false;
	look_at(p, rules, o, mark, &touched);
	for (size_t i = 0; i < s->object_count && !touched; i++)
		touched = has_server_in(c, s->objects[i]);
	return touched || (o->type == SERVICE_NODE_PORT && lacks_frontend(s));
}

void pools_set_rules(struct pools *p, const struct pool_rules *rules)
{
	struct changed c = changed_of(p->rules, rules);
	struct service *s;

	for (size_t pos = 0; c.count && (s = map_next(&p->services, &pos));) {
		if (!s->dirty && is_touched(p, s, rules, &c))
			model_mark_dirty(p, s);
	}
	free(c.pools);
	(void)pool_rules_ref(rules);
	pool_rules_unref(p->rules);
	p->rules = rules;
}
