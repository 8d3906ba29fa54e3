/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/pool_make.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/pool/object_build.h"

void pool_id(const struct pool *p, uint16_t port, char *out, size_t size)
{
	const char *protocol = protocol_text(p->protocol);

	if (*p->port_name)
		snprintf(out, size, "%s.%s.%s-%s", p->ns, p->service, p->port_name, protocol);
	else
		snprintf(out, size, "%s.%s.%u-%s", p->ns, p->service, port, protocol);
}

static bool are_v4(const struct pool *p)
{
	for (size_t i = 0; i < p->member_count; i++) {
		const struct endpoint *e = &p->members.any[i].endpoint;

		if (e->addr.family != AF_INET || e->protocol != p->protocol)
			return false;
	}
	return true;
}

static struct pool_members pack_members(struct pack *p, const struct pool *from)
{
	const struct pool_member *any = from->members.any;
	struct pool_members to = { 0 };

	if (!are_v4(from)) {
		to.any = pack_bytes(p, from->members.any, from->member_count * sizeof(*to.any));
		return to;
	}
	to.v4 = pack_room(p, from->member_count * sizeof(*to.v4));
	for (size_t i = 0; to.v4 && i < from->member_count; i++) {
		to.v4[i] = (struct pool_member_v4){ .family = any[i].endpoint.addr.family,
						    .port = any[i].endpoint.port,
						    .weight = any[i].weight,
						    .terminating = any[i].terminating };
		memcpy(to.v4[i].bytes, any[i].endpoint.addr.bytes, sizeof(to.v4[i].bytes));
	}
	return to;
}

/* Returns the copy, or `from` itself while measuring. */
static struct pool *pack_pool(struct pack *p, struct pool *from)
{
	struct pool *to = pack_bytes(p, from, sizeof(*from));
	char *id = pack_str(p, from->id);
	char *ns = pack_str(p, from->ns);
	char *service = pack_str(p, from->service);
	char *port_name = pack_str(p, from->port_name);
	struct endpoint *frontends = pack_bytes(p, from->frontends,
						from->frontend_count * sizeof(*frontends));
	struct pool_members members = pack_members(p, from);
	struct object_change *change = object_pack_change(p, from->change);

	if (p->block) {
		to->id = id;
		to->ns = ns;
		to->service = service;
		to->port_name = port_name;
		to->frontends = frontends;
		to->members = members;
		to->change = change;
	}
	return to;
}

struct pool *pool_make(struct pool *parts)
{
	struct pack p = { 0 };
	struct pool *made;

	(void)pack_pool(&p, parts);
	p = (struct pack){ .block = xmalloc(p.used) };
	made = pack_pool(&p, parts);
	atomic_init(&made->refs, 1);
	check_ref(made->set.check);
	return made;
}

struct pool *pool_ref(struct pool *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

/* acq_rel: what other threads did with the pool happens before it is freed here. */
void pool_unref(struct pool *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	check_unref(p->set.check);
	problems_done(&p->problems);
	free(p);
}

struct pool_member pool_member(const struct pool *p, size_t i)
{
	const struct pool_member_v4 *m;
	struct pool_member out = { 0 };

	if (!p->members.v4)
		return p->members.any[i];
	m = &p->members.v4[i];
	(void)pool_member_endpoint(p, i, &out.endpoint);
	out.weight = m->weight;
	out.terminating = m->terminating;
	return out;
}

bool pool_member_find(const struct pool *pool, const struct endpoint *e, size_t *out_place)
{
	size_t low = 0, high = pool ? pool->member_count : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct endpoint room;
		int r = endpoint_cmp(pool_member_endpoint(pool, mid, &room), e);

		if (r == 0) {
			if (out_place)
				*out_place = mid;
			return true;
		}
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static bool settings_equal(const struct pool_settings *a, const struct pool_settings *b)
{
	return strcmp(a->scheduler, b->scheduler) == 0 &&
	       a->scheduler_flags == b->scheduler_flags && a->forward == b->forward &&
	       a->tunnel.type == b->tunnel.type && a->tunnel.port == b->tunnel.port &&
	       a->persistence.v4 == b->persistence.v4 && a->persistence.v6 == b->persistence.v6 &&
	       a->masquerade == b->masquerade && a->one_packet == b->one_packet &&
	       a->drain_s == b->drain_s && a->weight == b->weight &&
	       a->max_connections == b->max_connections && a->unhealthy == b->unhealthy &&
	       a->fail_policy == b->fail_policy && a->slow_start_s == b->slow_start_s &&
	       a->min_healthy == b->min_healthy && check_equal(a->check, b->check);
}

static bool members_equal(const struct pool *a, const struct pool *b)
{
	for (size_t i = 0; i < a->member_count; i++) {
		const struct pool_member x = pool_member(a, i), y = pool_member(b, i);

		if (endpoint_cmp(&x.endpoint, &y.endpoint) != 0 || x.weight != y.weight ||
		    x.terminating != y.terminating)
			return false;
	}
	return true;
}

static bool problems_equal(const struct problems *a, const struct problems *b)
{
	for (size_t i = 0; i < a->count && a->count == b->count; i++) {
		const struct problem *x = &a->items[i], *y = &b->items[i];

		if (x->error != y->error || x->line != y->line || strcmp(x->text, y->text) != 0 ||
		    strcmp(x->path, y->path) != 0)
			return false;
	}
	return a->count == b->count;
}

static uint64_t revision_of(const struct pool *p)
{
	return p->change ? p->change->revision : 0;
}

bool pool_equal(const struct pool *a, const struct pool *b)
{
	return strcmp(a->id, b->id) == 0 && a->source == b->source &&
	       revision_of(a) == revision_of(b) && a->persistence_s == b->persistence_s &&
	       a->local_wanted == b->local_wanted && a->local_only == b->local_only &&
	       a->elsewhere == b->elsewhere && a->frontend_count == b->frontend_count &&
	       a->member_count == b->member_count && settings_equal(&a->set, &b->set) &&
	       memcmp(a->frontends, b->frontends, a->frontend_count * sizeof(*a->frontends)) == 0 &&
	       members_equal(a, b) && problems_equal(&a->problems, &b->problems);
}
