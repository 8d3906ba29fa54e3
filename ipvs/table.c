/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/table.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

struct ipvs_service ipvs_service_of(const struct endpoint *key)
{
	return (struct ipvs_service){
		.key = *key,
		.scheduler = "wrr",
		.netmask = key->addr.family == AF_INET6 ? 128 : UINT32_MAX,
	};
}

void ipvs_service_done(struct ipvs_service *s)
{
	free(s->dests);
	s->dests = NULL;
	s->dest_count = 0;
}

/*
 * There is room for room(dest_count) destinations: a service carries no capacity of its own. It
 * grows by an eighth, two at least, so that little is wasted where there are ten.
 */
static uint32_t room(uint32_t count)
{
	uint32_t step = 2;

	while (step * 8 <= count)
		step *= 2;
	return (count + step - 1) / step * step;
}

struct ipvs_dest *ipvs_service_add(struct ipvs_service *s)
{
	uint32_t size = room(s->dest_count + 1);
	struct ipvs_dest *d;

	if (s->dest_count == 0 || size != room(s->dest_count))
		s->dests = xreallocarray(s->dests, size, sizeof(*s->dests));
	d = &s->dests[s->dest_count++];
	memset(d, 0, sizeof(*d));
	return d;
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

void ipvs_service_sort(struct ipvs_service *s)
{
	if (s->dest_count > 1)
		qsort(s->dests, s->dest_count, sizeof(*s->dests), compare_dests);
}

struct ipvs_service ipvs_service_copy(const struct ipvs_service *s)
{
	struct ipvs_service copy = *s;

	copy.dests = NULL;
	if (s->dest_count) {
		copy.dests = xreallocarray(NULL, room(s->dest_count), sizeof(*s->dests));
		memcpy(copy.dests, s->dests, s->dest_count * sizeof(*s->dests));
	}
	return copy;
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
