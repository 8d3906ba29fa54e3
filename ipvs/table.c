/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/table.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

#define TUNNEL_LAST 2 /* gre */

struct ipvs_service ipvs_service_of(const struct endpoint *key)
{
	return (struct ipvs_service){
		.key = *key,
		.scheduler = "wrr",
		.netmask = key->addr.family == AF_INET6 ? 128 : UINT32_MAX,
	};
}

/* What `dests` points into. It is counted without locks: services stay in one thread. */
struct block {
	uint32_t users;
	uint32_t room;
	struct ipvs_dest dests[];
};

static struct block *block_of(const struct ipvs_service *s)
{
	return (struct block *)((uintptr_t)s->dests - offsetof(struct block, dests));
}

static void leave(struct ipvs_service *s)
{
	if (s->dests && --block_of(s)->users == 0)
		free(block_of(s));
	s->dests = NULL;
}

void ipvs_service_done(struct ipvs_service *s)
{
	leave(s);
	s->dest_count = 0;
}

struct ipvs_service ipvs_service_copy(const struct ipvs_service *s)
{
	if (s->dests)
		block_of(s)->users++;
	return *s;
}

/* A block of its own, with that much room and what it has. */
static struct block *own(struct ipvs_service *s, uint32_t room)
{
	struct block *old = s->dests ? block_of(s) : NULL, *b;

	if (old && old->users == 1 && old->room >= room)
		return old;
	if (old && old->users > 1) {
		b = xmalloc(sizeof(*b) + room * sizeof(*b->dests));
		memcpy(b->dests, old->dests, s->dest_count * sizeof(*b->dests));
		old->users--;
	} else {
		b = xreallocarray(old, 1, sizeof(*b) + room * sizeof(*b->dests));
	}
	b->users = 1;
	b->room = room;
	s->dests = b->dests;
	return b;
}

struct ipvs_dest *ipvs_service_edit(struct ipvs_service *s)
{
	return s->dests ? own(s, s->dest_count)->dests : NULL;
}

void ipvs_service_reserve(struct ipvs_service *s, uint32_t count)
{
	if (count)
		own(s, count);
}

struct ipvs_dest *ipvs_service_add(struct ipvs_service *s)
{
	struct block *b = s->dests ? block_of(s) : NULL;
	struct ipvs_dest *d;

	/* By an eighth, two at least, so that little is wasted where there are ten. */
	if (!b || b->users > 1 || s->dest_count >= b->room)
		b = own(s, s->dest_count + (s->dest_count < 16 ? 2 : s->dest_count / 8));
	d = &b->dests[s->dest_count++];
	memset(d, 0, sizeof(*d));
	return d;
}

void ipvs_service_remove(struct ipvs_service *s, uint32_t i)
{
	struct ipvs_dest *d = ipvs_service_edit(s) + i;

	s->dest_count--;
	memmove(d, d + 1, (s->dest_count - i) * sizeof(*d));
}

bool ipvs_forward_is_valid(uint8_t forward, uint8_t tunnel, uint16_t tunnel_port)
{
	if (forward == IPVS_TUNNEL)
		return tunnel <= TUNNEL_LAST;
	return forward <= IPVS_DIRECT && !tunnel && !tunnel_port;
}

int ipvs_dest_cmp(const struct ipvs_dest *a, const struct ipvs_dest *b)
{
	int c = addr_cmp(&a->addr, &b->addr);

	return c ? c : (int)a->port - (int)b->port;
}

static int compare_dests(const void *a, const void *b)
{
	return ipvs_dest_cmp(a, b);
}

static bool is_sorted(const struct ipvs_service *s)
{
	for (uint32_t i = 1; i < s->dest_count; i++) {
		if (ipvs_dest_cmp(&s->dests[i - 1], &s->dests[i]) > 0)
			return false;
	}
	return true;
}

void ipvs_service_sort(struct ipvs_service *s)
{
	if (!is_sorted(s))
		qsort(ipvs_service_edit(s), s->dest_count, sizeof(*s->dests), compare_dests);
}

bool ipvs_service_share(struct ipvs_service *s, const struct ipvs_service *with)
{
	if (s->dests == with->dests)
		return s->dest_count == with->dest_count;
	if (s->dest_count != with->dest_count ||
	    (s->dest_count &&
	     memcmp(s->dests, with->dests, s->dest_count * sizeof(*s->dests)) != 0))
		return false;
	leave(s);
	s->dests = ipvs_service_copy(with).dests;
	return true;
}

static bool has_key(const void *object, const void *key)
{
	const struct ipvs_service *s = object;

	return memcmp(&s->key, key, sizeof(s->key)) == 0;
}

static uint64_t hash_of(const struct endpoint *key)
{
	return hash_table(key, sizeof(*key));
}

void ipvs_table_init(struct ipvs_table *t)
{
	map_init(&t->by_key, has_key);
}

static void free_service(struct ipvs_service *s)
{
	ipvs_service_done(s);
	free(s);
}

void ipvs_table_done(struct ipvs_table *t)
{
	struct ipvs_service *s;

	for (size_t pos = 0; (s = map_next(&t->by_key, &pos));)
		free_service(s);
	map_done(&t->by_key);
}

struct ipvs_service *ipvs_table_get(const struct ipvs_table *t, const struct endpoint *key)
{
	return map_get(&t->by_key, hash_of(key), key);
}

struct ipvs_service *ipvs_table_put(struct ipvs_table *t, struct ipvs_service *s)
{
	struct ipvs_service *place = ipvs_table_get(t, &s->key);

	if (place) {
		ipvs_service_done(place);
	} else {
		place = xmalloc(sizeof(*place));
		place->key = s->key;
		map_put(&t->by_key, hash_of(&s->key), place);
	}
	*place = *s;
	memset(s, 0, sizeof(*s));
	return place;
}

bool ipvs_table_remove(struct ipvs_table *t, const struct endpoint *key)
{
	struct ipvs_service *s = map_take(&t->by_key, hash_of(key), key);

	if (!s)
		return false;
	free_service(s);
	return true;
}

static int compare_services(const void *a, const void *b)
{
	const struct ipvs_service *const *x = a;
	const struct ipvs_service *const *y = b;

	return endpoint_cmp(&(*x)->key, &(*y)->key);
}

struct ipvs_service **ipvs_table_sorted(const struct ipvs_table *t, size_t *out_count)
{
	size_t count = t->by_key.count, n = 0;
	struct ipvs_service **all = xcalloc(count ? count : 1, sizeof(*all)), *s;

	for (size_t pos = 0; (s = map_next(&t->by_key, &pos));)
		all[n++] = s;
	if (n > 1)
		qsort(all, n, sizeof(*all), compare_services);
	*out_count = n;
	return all;
}
