/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/address_pools.h"

#include <stdio.h>

#include "agent/api/schema.h"
#include "agent/base/xalloc.h"

/* What a NodePort service can have: the ports of the first address, whatever the protocol. */
struct usage {
	size_t used;
	uint8_t ports[(UINT16_MAX + 1) / 8]; /* a bit each */
};

static bool is_of(const struct address_pool *p, const struct endpoint *frontend)
{
	return frontend->port >= p->ports.first && frontend->port <= p->ports.last &&
	       addr_cmp(&frontend->addr, &p->addresses[0].first) == 0;
}

static void use(struct usage *u, uint16_t port)
{
	uint8_t bit = (uint8_t)(1u << port % 8);

	u->used += !(u->ports[port / 8] & bit);
	u->ports[port / 8] |= bit;
}

static struct usage usage_of(const struct snapshot *s, const struct address_pool *p)
{
	struct usage u = { 0 };

	for (size_t i = 0; i < s->pool_count; i++) {
		const struct pool *pool = s->pools[i]->pool;

		for (size_t k = 0; k < pool->frontend_count; k++)
			if (is_of(p, &pool->frontends[k]))
				use(&u, pool->frontends[k].port);
	}
	return u;
}

size_t *address_pools_used(const struct snapshot *s)
{
	size_t n = s->rules ? s->rules->address_pool_count : 0;
	size_t *used = n ? xcalloc(n, sizeof(*used)) : NULL;

	for (size_t i = 0; i < n; i++)
		used[i] = usage_of(s, &s->rules->address_pools[i]).used;
	return used;
}

size_t address_pool_size(const struct address_pool *p)
{
	return (size_t)(p->ports.last - p->ports.first) + 1;
}

static void put_ports(struct json_writer *j, const struct port_range *p)
{
	char text[16];

	if (p->first == p->last)
		snprintf(text, sizeof(text), "%u", p->first);
	else
		snprintf(text, sizeof(text), "%u-%u", p->first, p->last);
	json_put_text(j, REST_PORTS, text);
}

static void put_item(struct json_writer *j, const struct address_pool *p, size_t used)
{
	size_t size = address_pool_size(p);
	char text[ADDR_RANGE_TEXT_MAX];

	json_put_object(j, NULL);
	json_put_text(j, REST_NAME, p->name);
	json_put_array(j, REST_ADDRESSES);
	for (size_t i = 0; i < p->address_count; i++)
		json_put_text(j, NULL, addr_range_text(&p->addresses[i], text));
	json_end_array(j);
	put_ports(j, &p->ports);
	json_put_text(j, REST_VIP, addr_text(&p->addresses[0].first, text));
	json_put_uint(j, REST_SIZE, size);
	json_put_uint(j, REST_USED, used);
	json_put_uint(j, REST_FREE, size - used);
	json_end_object(j);
}

void address_pools_put(struct json_writer *j, const struct snapshot *s)
{
	size_t n = s->rules ? s->rules->address_pool_count : 0;
	CLEANUP(xfree_ptr) size_t *used = address_pools_used(s);

	json_put_object(j, NULL);
	json_put_array(j, REST_ITEMS);
	for (size_t i = 0; i < n; i++)
		put_item(j, &s->rules->address_pools[i], used[i]);
	json_end_array(j);
	json_put_uint(j, REST_TOTAL, n);
	json_end_object(j);
}
