/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets what two want: the same namespace/name, or the same frontend.
 *
 * The order is one of the objects alone, so that every node decides alike and
 * the loser has it back as soon as the winner is gone. What a Service claims
 * does not depend on what it gets; so one pass over the claims that changed
 * decides all.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/model.h"

static int compare_i64(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* Oldest first; one without a time stamp is no older than any. */
static int by_age(const struct object *a, const struct object *b)
{
	if (!a->created_ms || !b->created_ms)
		return compare_i64(!a->created_ms, !b->created_ms);
	return compare_i64(a->created_ms, b->created_ms);
}

/* Stamps and uids in files are somebody's copy: they do not count. */
static int by_cluster(const struct object *a, const struct object *b)
{
	int order;

	if (a->from_cluster != b->from_cluster)
		return a->from_cluster ? -1 : 1;
	if (!a->from_cluster)
		return 0;
	order = by_age(a, b);
	return order ? order : strcmp(a->uid, b->uid);
}

int object_precedence(const struct object *a, const struct object *b)
{
	int order = by_cluster(a, b);

	if (!order)
		order = strcmp(a->ns, b->ns);
	if (!order)
		order = strcmp(a->name, b->name);
	if (!order)
		order = strcmp(a->path, b->path);
	return order ? order : compare_i64(a->source, b->source);
}

const struct object *service_object(const struct service *s)
{
	const struct object *best = NULL;

	for (size_t i = 0; i < s->object_count; i++) {
		const struct object *o = s->objects[i];

		if (o->kind == OBJECT_SERVICE && (!best || object_precedence(o, best) < 0))
			best = o;
	}
	return best;
}

/* --- frontends ------------------------------------------------------------- */

static bool is_in_vip_ranges(const struct pool_rules *rules, const struct addr *a)
{
	return rules->vip_range_count == 0 ||
	       prefixes_have(rules->vip_ranges, rules->vip_range_count, a);
}

static void list_ports(const struct pool_rules *rules, const char *ns, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < rules->address_pool_count; i++) {
		const struct address_pool *p = &rules->address_pools[i];

		if (!address_pool_serves(p, ns))
			continue;
		buf_printf(out, "%s%u-%u (%s)", any ? ", " : "", p->ports.first, p->ports.last,
			   p->name);
		any = true;
	}
	if (rules->address_pool_count == 0)
		buf_str(out, "none, for no address pool is configured");
	else if (!any)
		buf_printf(out, "none, for no address pool is for the namespace %s", ns);
}

/* What is on record is kept: nobody is given another address because address pools changed. */
static bool keeps_held(const struct pool_rules *rules, const struct frontend_wish *w,
		       struct endpoint *out)
{
	for (size_t i = 0; i < w->held_count; i++) {
		const struct endpoint *h = &w->held[i];

		if (h->port != w->port->node_port || h->protocol != w->port->protocol ||
		    !is_in_vip_ranges(rules, &h->addr))
			continue;
		*out = *h;
		return true;
	}
	return false;
}

bool frontend_of(const struct pool_rules *rules, const struct frontend_wish *w,
		 struct endpoint *out, struct buf *why)
{
	const struct object_port *port = w->port;
	char text[ADDR_TEXT_MAX];

	if (port->node_port == 0) {
		buf_str(why, "no nodePort is stated; the address pools have ports ");
		list_ports(rules, w->ns, why);
		return false;
	}
	if (keeps_held(rules, w, out))
		return true;
	for (size_t i = 0; i < rules->address_pool_count; i++) {
		const struct address_pool *a = &rules->address_pools[i];

		if (port->node_port < a->ports.first || port->node_port > a->ports.last ||
		    a->address_count == 0 || !address_pool_serves(a, w->ns))
			continue;
		if (!is_in_vip_ranges(rules, &a->addresses[0].first)) {
			buf_printf(why, "%s, the first address of %s, is outside vipRanges",
				   addr_text(&a->addresses[0].first, text), a->name);
			return false;
		}
		*out = (struct endpoint){ .addr = a->addresses[0].first,
					  .protocol = port->protocol,
					  .port = port->node_port };
		return true;
	}
	buf_printf(why,
		   "nodePort %u is outside the ports of every address pool: ", port->node_port);
	list_ports(rules, w->ns, why);
	return false;
}

uint64_t claim_frontend_hash(const struct endpoint *e)
{
	return hash_table(e, sizeof(*e));
}

static void touch(struct pools *p, struct contest *c)
{
	if (c->touched)
		return;
	c->touched = true;
	c->next_touched = p->touched;
	p->touched = c;
}

static struct contest *contest_for(struct pools *p, const struct endpoint *frontend)
{
	uint64_t h = claim_frontend_hash(frontend);
	struct contest *c = map_get(&p->contests, h, frontend);

	if (c)
		return c;
	c = xcalloc(1, sizeof(*c));
	c->frontend = *frontend;
	map_put(&p->contests, h, c);
	return c;
}

static void enter(struct pools *p, struct claim *claim, const struct endpoint *frontend)
{
	struct contest *c = contest_for(p, frontend);

	claim->contest = c;
	claim->next = c->claims;
	if (c->claims)
		c->claims->prev = claim;
	c->claims = claim;
	c->count++;
	touch(p, c);
}

static void leave(struct pools *p, struct claim *claim)
{
	struct contest *c = claim->contest;

	*(claim->prev ? &claim->prev->next : &c->claims) = claim->next;
	if (claim->next)
		claim->next->prev = claim->prev;
	if (c->winner == claim)
		c->winner = NULL;
	if (c->second == claim)
		c->second = NULL;
	c->count--;
	touch(p, c);
}

static size_t count_frontends(const struct pools *p, const struct object *o)
{
	struct buf why = { 0 };
	struct endpoint frontend;
	size_t n = 0;

	for (size_t i = 0; o && o->type == SERVICE_NODE_PORT && i < o->port_count; i++) {
		const struct frontend_wish wish = frontend_wish(o, &o->ports[i]);

		n += frontend_of(p->rules, &wish, &frontend, &why);
	}
	buf_done(&why);
	return n;
}

void claims_renew(struct pools *p, struct service *s)
{
	const struct object *o = service_object(s);
	size_t room = count_frontends(p, o);
	struct buf why = { 0 };
	struct endpoint frontend;

	for (size_t i = 0; i < s->claim_count; i++)
		leave(p, &s->claims[i]);
	free(s->claims);
	s->claims = room ? xcalloc(room, sizeof(*s->claims)) : NULL;
	s->claim_count = 0;
	for (size_t i = 0; room && i < o->port_count; i++) {
		const struct frontend_wish wish = frontend_wish(o, &o->ports[i]);
		struct claim *claim = &s->claims[s->claim_count];

		if (!frontend_of(p->rules, &wish, &frontend, &why))
			continue;
		*claim = (struct claim){ .service = s, .port = i };
		s->claim_count++;
		enter(p, claim, &frontend);
	}
	buf_done(&why);
}

const struct claim *claim_of(const struct service *s, size_t port)
{
	for (size_t i = 0; i < s->claim_count; i++) {
		if (s->claims[i].port == port)
			return &s->claims[i];
	}
	return NULL;
}

const struct object *pools_frontend(const struct pools *p, const struct endpoint *frontend)
{
	const struct contest *c = map_get(&p->contests, claim_frontend_hash(frontend), frontend);

	return c && c->winner ? service_object(c->winner->service) : NULL;
}

static bool claim_precedes(const struct claim *a, const struct claim *b)
{
	if (a->service == b->service)
		return a->port < b->port;
	return object_precedence(service_object(a->service), service_object(b->service)) < 0;
}

static void find_first_two(struct contest *c)
{
	c->winner = c->second = NULL;
	for (struct claim *i = c->claims; i; i = i->next) {
		if (!c->winner || claim_precedes(i, c->winner)) {
			c->second = c->winner;
			c->winner = i;
		} else if (!c->second || claim_precedes(i, c->second)) {
			c->second = i;
		}
	}
}

static void decide(struct pools *p, struct contest *c)
{
	const struct claim *before = c->winner;

	find_first_two(c);
	assert(c->winner); /* of at least one claim */
	/* The winner tells who else wants it, the losers who has it. */
	model_mark_dirty(p, c->winner->service);
	for (struct claim *i = c->claims; i && before != c->winner; i = i->next)
		model_mark_dirty(p, i->service);
}

void claims_decide(struct pools *p)
{
	struct contest *c;

	while ((c = p->touched)) {
		p->touched = c->next_touched;
		c->touched = false;
		if (c->count) {
			decide(p, c);
			continue;
		}
		(void)map_take(&p->contests, claim_frontend_hash(&c->frontend), &c->frontend);
		free(c);
	}
}
