/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/address_pools.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"

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

static struct address_pool_room room_of(struct usage *u, const struct address_pool *p)
{
	struct address_pool_room r = { .size = (size_t)(p->ports.last - p->ports.first) + 1,
				       .used = u->used };

	for (size_t i = 0; i < p->reserved_count; i++)
		for (uint32_t port = p->reserved[i].first; port <= p->reserved[i].last; port++)
			if (port >= p->ports.first && port <= p->ports.last)
				use(u, (uint16_t)port);
	r.free = r.size - u->used;
	return r;
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

struct address_pool_room *address_pools_room(const struct snapshot *s)
{
	size_t n = s->rules ? s->rules->address_pool_count : 0;
	struct address_pool_room *rooms = n ? xcalloc(n, sizeof(*rooms)) : NULL;

	for (size_t i = 0; i < n; i++) {
		const struct address_pool *p = &s->rules->address_pools[i];
		struct usage u = usage_of(s, p);

		rooms[i] = room_of(&u, p);
	}
	return rooms;
}

struct holders {
	const struct address_pool *of;
	struct usage usage;
};

static void count_holder(void *arg, const struct endpoint *frontend)
{
	struct holders *h = arg;

	if (is_of(h->of, frontend))
		use(&h->usage, frontend->port);
}

struct address_pool_room address_pool_room(const struct pools *p, const struct address_pool *a)
{
	struct holders h = { .of = a };

	if (p)
		pools_frontends(p, count_holder, &h);
	return room_of(&h.usage, a);
}

static void put_ports(struct json_writer *j, const char *key, const struct port_range *p)
{
	char text[16];

	if (p->first == p->last)
		snprintf(text, sizeof(text), "%u", p->first);
	else
		snprintf(text, sizeof(text), "%u-%u", p->first, p->last);
	json_put_text(j, key, text);
}

static void put_addresses(struct json_writer *j, const struct address_pool *p)
{
	char text[ADDR_RANGE_TEXT_MAX];

	json_put_array(j, REST_ADDRESSES);
	for (size_t i = 0; i < p->address_count; i++)
		json_put_text(j, NULL, addr_range_text(&p->addresses[i], text));
	json_end_array(j);
}

/* What a document may say besides, and whose it is. */
static void put_document_parts(struct json_writer *j, const struct address_pool *p)
{
	json_put_array(j, REST_RESERVED);
	for (size_t i = 0; i < p->reserved_count; i++)
		put_ports(j, NULL, &p->reserved[i]);
	json_end_array(j);
	json_put_array(j, REST_NAMESPACES);
	for (size_t i = 0; i < p->namespace_count; i++)
		json_put_text(j, NULL, p->namespaces[i]);
	json_end_array(j);
	json_put_bool(j, REST_AUTO_ASSIGN, !p->manual);
	json_put_text(j, REST_SOURCE, p->revision ? "store" : "configuration");
	json_put_uint(j, REST_REVISION, p->revision);
	json_put_text(j, REST_USER, p->user);
	json_put_time(j, REST_AT, p->at_ms);
}

void address_pool_put_document(struct json_writer *j, const struct address_pool *p)
{
	json_put_object(j, NULL);
	json_put_text(j, "apiVersion", ADDRESS_POOL_API_VERSION);
	json_put_text(j, REST_KIND, ADDRESS_POOL_KIND);
	json_put_object(j, "metadata");
	json_put_text(j, REST_NAME, p->name);
	json_end_object(j);
	json_put_object(j, "spec");
	put_addresses(j, p);
	put_ports(j, REST_PORTS, &p->ports);
	json_end_object(j);
	json_end_object(j);
}

static void put_item(struct json_writer *j, const struct address_pool *p,
		     const struct address_pool_room *room)
{
	char text[ADDR_RANGE_TEXT_MAX];

	json_put_object(j, NULL);
	json_put_text(j, REST_NAME, p->name);
	put_addresses(j, p);
	put_ports(j, REST_PORTS, &p->ports);
	json_put_text(j, REST_VIP, addr_text(&p->addresses[0].first, text));
	json_put_uint(j, REST_SIZE, room->size);
	json_put_uint(j, REST_USED, room->used);
	json_put_uint(j, REST_FREE, room->free);
	put_document_parts(j, p);
	json_end_object(j);
}

void address_pools_put(struct json_writer *j, const struct snapshot *s)
{
	size_t n = s->rules ? s->rules->address_pool_count : 0;
	CLEANUP(xfree_ptr) struct address_pool_room *rooms = address_pools_room(s);

	json_put_object(j, NULL);
	json_put_array(j, REST_ITEMS);
	for (size_t i = 0; i < n; i++)
		put_item(j, &s->rules->address_pools[i], &rooms[i]);
	json_end_array(j);
	json_put_uint(j, REST_TOTAL, n);
	json_end_object(j);
}

/* --- allocations ------------------------------------------------------------------------ */

int allocations_query_parse(const struct uri *u, struct allocations_query *out, struct err *err)
{
	*out = (struct allocations_query){ .limit = REST_LIMIT_DEFAULT };
	for (size_t i = 0; i < u->param_count; i++) {
		const struct uri_param *p = &u->params[i];
		bool limit = strcmp(p->name, REST_LIMIT) == 0;
		uint64_t v;

		if (!limit && strcmp(p->name, REST_OFFSET) != 0)
			return err_set(err, -EINVAL, "unknown query parameter '%.64s'", p->name);
		if (value_uint(p->value, limit ? 1 : 0, limit ? REST_LIMIT_MAX : UINT32_MAX, &v) <
		    0)
			return err_set(err, -EINVAL, "parameter '%s' cannot be '%.64s'", p->name,
				       p->value);
		*(limit ? &out->limit : &out->offset) = (size_t)v;
	}
	return 0;
}

static void put_allocation(struct json_writer *j, const struct pool *pool,
			   const struct endpoint *frontend)
{
	char text[ENDPOINT_TEXT_MAX];

	json_put_object(j, NULL);
	json_put_text(j, REST_FRONTEND, endpoint_text(frontend, text));
	json_put_text(j, REST_PROTOCOL, protocol_text(frontend->protocol));
	json_put_text(j, REST_POOL_FIELD, pool->id);
	json_end_object(j);
}

void allocations_put(const struct allocations_query *q, const struct snapshot *s,
		     const struct address_pool *p, bool lines, struct buf *out)
{
	struct json_writer j = { .out = out };
	size_t total = 0;

	if (!lines) {
		json_put_object(&j, NULL);
		json_put_array(&j, REST_ITEMS);
	}
	for (size_t i = 0; i < s->pool_count; i++) {
		const struct pool *pool = s->pools[i]->pool;

		for (size_t k = 0; k < pool->frontend_count; k++) {
			if (!address_pool_has(p, &pool->frontends[k]) || total++ < q->offset ||
			    total > q->offset + q->limit)
				continue;
			put_allocation(&j, pool, &pool->frontends[k]);
			if (lines) {
				buf_str(out, "\n");
				j = (struct json_writer){ .out = out };
			}
		}
	}
	if (lines)
		return;
	json_end_array(&j);
	json_put_uint(&j, REST_TOTAL, total);
	json_put_uint(&j, REST_OFFSET, q->offset);
	json_put_uint(&j, REST_LIMIT, q->limit);
	json_end_object(&j);
	buf_str(out, "\n");
}
