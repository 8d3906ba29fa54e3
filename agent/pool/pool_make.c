/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/pool_make.h"

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
	struct pool_member *members = pack_bytes(p, from->members,
						 from->member_count * sizeof(*members));
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

const struct pool_member *pool_member_find(const struct pool *pool, const struct endpoint *e)
{
	size_t low = 0, high = pool ? pool->member_count : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int r = endpoint_cmp(&pool->members[mid].endpoint, e);

		if (r == 0)
			return &pool->members[mid];
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
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
	       a->fail_policy == b->fail_policy && check_equal(a->check, b->check);
}

static bool members_equal(const struct pool *a, const struct pool *b)
{
	for (size_t i = 0; i < a->member_count; i++) {
		const struct pool_member *x = &a->members[i], *y = &b->members[i];

		if (endpoint_cmp(&x->endpoint, &y->endpoint) != 0 || x->weight != y->weight ||
		    x->terminating != y->terminating)
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
