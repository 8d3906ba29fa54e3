/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

/* --- objects: one block each -------------------------------------------------- */

/* A claim in the table of claims. */
struct held {
	struct endpoint at;
	const struct store_claim *claim;
	const struct store_object *by;
};

struct block {
	struct store_object object; /* first */
	struct held *held;	    /* as many as it has claims */
	bool holds;		    /* they are in the table of claims */
	struct block *next, *prev;  /* of the same owner; prev NULL: it is in the table of parts */
	size_t size;
};

static char *append(char **to, const char *s, size_t len)
{
	char *at = *to;

	memcpy(at, s, len);
	at[len] = '\0';
	*to += len + 1;
	return at;
}

static char *append_str(char **to, const char *s)
{
	return append(to, s, strlen(s));
}

static size_t block_size(const struct store_object *o)
{
	size_t size = sizeof(struct block) + strlen(o->key.ns) + strlen(o->key.name) +
		      strlen(o->user) + strlen(o->action) + strlen(o->owner) + o->len + 6;

	for (size_t i = 0; i < o->claim_count; i++)
		size += sizeof(struct held) + sizeof(struct store_claim) +
			strlen(o->claims[i].pool) + 1;
	return size;
}

static struct store_object *copy_parts(const struct store_object *parts)
{
	size_t size = block_size(parts);
	struct block *b = xmalloc(size);
	struct store_object *o = &b->object;
	struct store_claim *claims;
	char *at;

	*o = *parts;
	atomic_init(&o->refs, 1);
	b->size = size;
	b->holds = false;
	b->next = b->prev = NULL;
	b->held = (struct held *)(b + 1);
	claims = (struct store_claim *)(b->held + o->claim_count);
	at = (char *)(claims + o->claim_count);
	for (size_t i = 0; i < o->claim_count; i++) {
		claims[i].at = parts->claims[i].at;
		claims[i].pool = append_str(&at, parts->claims[i].pool);
		b->held[i] = (struct held){ claims[i].at, &claims[i], o };
	}
	o->claims = claims;
	o->key.ns = append_str(&at, parts->key.ns);
	o->key.name = append_str(&at, parts->key.name);
	o->user = append_str(&at, parts->user);
	o->action = append_str(&at, parts->action);
	o->owner = append_str(&at, parts->owner);
	o->text = append(&at, parts->text, parts->len);
	return o;
}

struct store_object *object_of_store(const struct store_object *parts, store_owner_fn *owner)
{
	char name[STORE_NAME_MAX + 1] = "";
	struct store_object with = *parts;

	if (!owner || !owner(parts->key.kind, parts->text, parts->len, name))
		name[0] = '\0';
	with.owner = name;
	return copy_parts(&with);
}

const struct store_object *store_object_ref(const struct store_object *o)
{
	atomic_fetch_add(&((struct store_object *)(uintptr_t)o)->refs, 1);
	return o;
}

void store_object_unref(const struct store_object *o)
{
	struct block *b = (struct block *)(uintptr_t)o;

	if (!b || atomic_fetch_sub(&b->object.refs, 1) > 1)
		return;
	if (b->object.key.kind == STORE_SECRET)
		explicit_bzero(b, b->size);
	free(b);
}

/* --- tables ---------------------------------------------------------------------- */

static bool key_eq(const void *object, const void *key)
{
	return store_key_same(&((const struct store_object *)object)->key, key);
}

static struct store_key key_of_owner(const struct store_object *o)
{
	return (struct store_key){ o->key.kind, o->key.ns, o->owner };
}

static bool owner_eq(const void *object, const void *key)
{
	const struct store_key own = key_of_owner(object);

	return store_key_same(&own, key);
}

static uint64_t endpoint_hash(const struct endpoint *e)
{
	return hash_table(e, sizeof(*e));
}

/* Every object of these tables begins with its endpoint. */
static bool endpoint_eq(const void *object, const void *key)
{
	return memcmp(object, key, sizeof(struct endpoint)) == 0;
}

struct asked {
	struct endpoint at;
	unsigned times;
};

struct given {
	struct endpoint at; /* port 0 */
	uint16_t port;
};

void memory_init(struct memory *m)
{
	*m = (struct memory){ 0 };
	map_init(&m->objects, key_eq);
	map_init(&m->parts, owner_eq);
	map_init(&m->claims, endpoint_eq);
	map_init(&m->asked, endpoint_eq);
	map_init(&m->given, endpoint_eq);
}

static void forget_changes(struct memory *m)
{
	for (; m->count; m->count--) {
		store_object_unref(m->changes[m->first].object);
		m->first = (m->first + 1) % MEMORY_CHANGES;
	}
}

static void forget_objects(struct memory *m)
{
	size_t pos = 0;
	struct store_object *o;

	forget_changes(m);
	while ((o = map_next(&m->objects, &pos)))
		store_object_unref(o);
	map_done(&m->objects);
	map_done(&m->parts);
	map_done(&m->claims);
}

static void free_all(struct map *map)
{
	size_t pos = 0;
	void *p;

	while ((p = map_next(map, &pos)))
		free(p);
	map_done(map);
}

void memory_done(struct memory *m)
{
	forget_objects(m);
	free_all(&m->asked);
	free_all(&m->given);
}

static void add_claims(struct memory *m, struct store_object *o)
{
	struct block *b = (struct block *)o;

	b->holds = true;
	for (size_t i = 0; i < o->claim_count; i++)
		map_put(&m->claims, endpoint_hash(&b->held[i].at), &b->held[i]);
}

/* Once: they may be another's by then. */
static void drop_claims(struct memory *m, struct store_object *o)
{
	struct block *b = (struct block *)o;

	if (!b->holds)
		return;
	b->holds = false;
	for (size_t i = 0; i < o->claim_count; i++)
		map_take(&m->claims, endpoint_hash(&o->claims[i].at), &o->claims[i].at);
}

static void add_part(struct memory *m, struct store_object *o)
{
	const struct store_key key = key_of_owner(o);
	uint64_t hash = store_key_hash(&key);
	struct block *b = (struct block *)o, *first;

	if (!*o->owner)
		return;
	first = map_get(&m->parts, hash, &key);
	if (!first) {
		map_put(&m->parts, hash, b);
		return;
	}
	b->prev = first;
	b->next = first->next;
	if (b->next)
		b->next->prev = b;
	first->next = b;
}

static void drop_part(struct memory *m, struct store_object *o)
{
	const struct store_key key = key_of_owner(o);
	uint64_t hash = store_key_hash(&key);
	struct block *b = (struct block *)o;

	if (!*o->owner)
		return;
	if (b->next)
		b->next->prev = b->prev;
	if (b->prev) {
		b->prev->next = b->next;
	} else {
		map_take(&m->parts, hash, &key);
		if (b->next)
			map_put(&m->parts, hash, b->next);
	}
	b->next = b->prev = NULL;
}

static void add_object(struct memory *m, struct store_object *o)
{
	map_put(&m->objects, store_key_hash(&o->key), o);
	add_part(m, o);
	add_claims(m, o);
}

void memory_load(struct memory *m, uint64_t epoch, uint64_t revision, struct store_object **objects,
		 size_t count)
{
	forget_objects(m);
	for (size_t i = 0; i < count; i++)
		add_object(m, objects[i]);
	m->epoch = epoch;
	m->revision = m->known_after = revision;
}

/* Keeps the reference it is given. */
static void remember(struct memory *m, uint64_t revision, bool removed,
		     const struct store_object *o)
{
	if (m->count == MEMORY_CHANGES) {
		m->known_after = m->changes[m->first].revision;
		store_object_unref(m->changes[m->first].object);
		m->first = (m->first + 1) % MEMORY_CHANGES;
		m->count--;
	}
	m->changes[(m->first + m->count++) % MEMORY_CHANGES] = (struct memory_change){ revision,
										       removed, o };
	m->revision = revision;
}

static struct store_object *take(struct memory *m, const struct store_key *key)
{
	struct store_object *o = map_take(&m->objects, store_key_hash(key), key);

	if (o) {
		drop_claims(m, o);
		drop_part(m, o);
	}
	return o;
}

void memory_let_go(struct memory *m, const struct store_key *key)
{
	struct store_object *o = map_get(&m->objects, store_key_hash(key), key);

	if (o)
		drop_claims(m, o);
}

void memory_put(struct memory *m, struct store_object *o)
{
	store_object_unref(take(m, &o->key));
	add_object(m, o);
	remember(m, o->revision, false, store_object_ref(o));
}

const struct store_object *memory_remove(struct memory *m, const struct store_key *key,
					 uint64_t revision)
{
	struct store_object *o = take(m, key);

	if (o)
		remember(m, revision, true, o);
	return o;
}

const struct store_object *memory_get(const struct memory *m, const struct store_key *key)
{
	return map_get(&m->objects, store_key_hash(key), key);
}

void memory_each_part(const struct memory *m, const struct store_key *of, store_each_fn *fn,
		      void *arg)
{
	const struct block *b = *of->name ? map_get(&m->parts, store_key_hash(of), of) : NULL;

	for (; b; b = b->next)
		fn(arg, &b->object);
}

/* --- ports ----------------------------------------------------------------------- */

void memory_ask(struct memory *m, const struct store_claim *claims, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t hash = endpoint_hash(&claims[i].at);
		struct asked *a = map_get(&m->asked, hash, &claims[i].at);

		if (!a) {
			a = xcalloc(1, sizeof(*a));
			a->at = claims[i].at;
			map_put(&m->asked, hash, a);
		}
		a->times++;
	}
}

void memory_unask(struct memory *m, const struct store_claim *claims, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t hash = endpoint_hash(&claims[i].at);
		struct asked *a = map_get(&m->asked, hash, &claims[i].at);

		if (a && --a->times == 0)
			free(map_take(&m->asked, hash, a));
	}
}

static bool is_reserved(uint32_t port, const struct port_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (port >= ranges[i].first && port <= ranges[i].last)
			return true;
	}
	return false;
}

static bool is_free(const struct memory *m, const struct endpoint *at)
{
	uint64_t hash = endpoint_hash(at);

	return !map_get(&m->claims, hash, at) && !map_get(&m->asked, hash, at);
}

/* The lowest free one in first..last of any range; 0: none. */
static uint16_t lowest_free(const struct memory *m, struct endpoint *at, uint32_t first,
			    uint32_t last, const struct port_range *ports, size_t port_count,
			    const struct port_range *reserved, size_t reserved_count)
{
	for (uint32_t p = first; p <= last; p++) {
		at->port = (uint16_t)p;
		if (is_reserved(p, ports, port_count) &&
		    !is_reserved(p, reserved, reserved_count) && is_free(m, at))
			return at->port;
	}
	return 0;
}

static struct given *given_out(struct memory *m, const struct endpoint *at)
{
	uint64_t hash = endpoint_hash(at);
	struct given *g = map_get(&m->given, hash, at);

	if (!g) {
		g = xcalloc(1, sizeof(*g));
		g->at = *at;
		map_put(&m->given, hash, g);
	}
	return g;
}

int memory_free_port(struct memory *m, const struct addr *vip, uint8_t protocol,
		     const struct port_range *ports, size_t port_count,
		     const struct port_range *reserved, size_t reserved_count, uint16_t *out)
{
	struct endpoint at;
	struct given *g;
	uint16_t port;

	memset(&at, 0, sizeof(at)); /* hashed as bytes */
	at.addr = *vip;
	at.protocol = protocol;
	g = given_out(m, &at);
	port = lowest_free(m, &at, g->port + 1u, UINT16_MAX, ports, port_count, reserved,
			   reserved_count);
	if (!port)
		port = lowest_free(m, &at, 1, g->port, ports, port_count, reserved, reserved_count);
	if (!port)
		return -ENOSPC;
	g->port = *out = port;
	return 0;
}

const struct store_object *memory_claimed_by(const struct memory *m, const struct endpoint *at)
{
	const struct held *h = map_get(&m->claims, endpoint_hash(at), at);

	return h ? h->by : NULL;
}

void memory_each_claim(const struct memory *m, const char *pool, store_claim_fn *fn, void *arg)
{
	const struct held *h;
	size_t pos = 0;

	while ((h = map_next(&m->claims, &pos))) {
		if (strcmp(h->claim->pool, pool) == 0)
			fn(arg, h->by, h->claim);
	}
}
