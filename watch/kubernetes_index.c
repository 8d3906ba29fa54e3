/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kubernetes_index.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

/* Slices of one Service. */
struct group {
	size_t count;
	size_t suspects;
	size_t listed;	     /* as of the last list that was believed */
	const char *service; /* behind ns */
	char ns[];
};

struct names {
	const char *ns, *name;
};

static uint64_t hash_names(const char *ns, const char *name)
{
	/* Rotated: "a/b" and "b/a" are different. */
	uint64_t h = hash_table_str(ns);

	return (h << 7 | h >> 57) ^ hash_table_str(name);
}

static bool entry_is(const void *object, const void *key)
{
	const struct kube_entry *e = object;
	const struct names *n = key;

	return strcmp(kube_entry_name(e), n->name) == 0 && strcmp(e->ns, n->ns) == 0;
}

static bool group_is(const void *object, const void *key)
{
	const struct group *g = object;
	const struct names *n = key;

	return strcmp(g->service, n->name) == 0 && strcmp(g->ns, n->ns) == 0;
}

const char *kube_entry_name(const struct kube_entry *e)
{
	return e->ns + strlen(e->ns) + 1;
}

const char *kube_entry_service(const struct kube_index *x, const struct kube_entry *e)
{
	const char *name = kube_entry_name(e);

	return x->kind == OBJECT_SLICE ? name + strlen(name) + 1 : name;
}

uint64_t kube_entry_content(const struct object *o)
{
	return (o->content << 1 | o->content >> 63) ^ o->place ^ o->deleting;
}

void kube_index_init(struct kube_index *x, enum object_kind kind)
{
	*x = (struct kube_index){ .kind = kind };
	map_init(&x->entries, entry_is);
	map_init(&x->groups, group_is);
}

void kube_index_done(struct kube_index *x)
{
	void *item;

	for (size_t pos = 0; (item = map_next(&x->entries, &pos));)
		free(item);
	for (size_t pos = 0; (item = map_next(&x->groups, &pos));)
		free(item);
	map_done(&x->entries);
	map_done(&x->groups);
}

/* --- slices of a Service -------------------------------------------------------- */

static struct group *group_of(const struct kube_index *x, const struct kube_entry *e)
{
	const struct names n = { e->ns, kube_entry_service(x, e) };

	return map_get(&x->groups, hash_names(n.ns, n.name), &n);
}

bool kube_index_is_last(const struct kube_index *x, const struct kube_entry *e)
{
	const struct group *g = group_of(x, e);

	return e->missed ? g->listed == 0 : g->count - g->suspects <= 1;
}

void kube_index_set_suspect(struct kube_index *x, struct kube_entry *e, bool suspect)
{
	if (x->kind == OBJECT_SLICE && suspect != e->suspect)
		group_of(x, e)->suspects += suspect ? 1 : (size_t)-1;
	e->suspect = suspect;
}

static void count_listed(struct kube_index *x)
{
	struct group *g;
	const struct kube_entry *e;

	for (size_t pos = 0; (g = map_next(&x->groups, &pos));)
		g->listed = 0;
	for (size_t pos = 0; x->kind == OBJECT_SLICE && (e = map_next(&x->entries, &pos));) {
		if (!e->missed)
			group_of(x, e)->listed++;
	}
}

static void join_group(struct kube_index *x, const char *ns, const char *service)
{
	size_t ns_size = strlen(ns) + 1, size = ns_size + strlen(service) + 1;
	const struct names n = { ns, service };
	uint64_t hash = hash_names(ns, service);
	struct group *g = map_get(&x->groups, hash, &n);

	if (!g) {
		g = xcalloc(1, sizeof(*g) + size);
		strcpy(g->ns, ns);
		strcpy(g->ns + ns_size, service);
		g->service = g->ns + ns_size;
		map_put(&x->groups, hash, g);
	}
	g->count++;
}

static void leave_group(struct kube_index *x, const struct kube_entry *e)
{
	const struct names n = { e->ns, kube_entry_service(x, e) };
	uint64_t hash = hash_names(n.ns, n.name);
	struct group *g = map_get(&x->groups, hash, &n);

	if (--g->count == 0)
		free(map_take(&x->groups, hash, &n));
}

/* --- entries ----------------------------------------------------------------------- */

struct kube_entry *kube_index_find(const struct kube_index *x, const char *ns, const char *name)
{
	const struct names n = { ns, name };

	return map_get(&x->entries, hash_names(ns, name), &n);
}

static struct kube_entry *add(struct kube_index *x, const char *ns, const char *name,
			      const char *service)
{
	size_t ns_size = strlen(ns) + 1, name_size = strlen(name) + 1;
	size_t service_size = x->kind == OBJECT_SLICE ? strlen(service) + 1 : 0;
	struct kube_entry *e = xcalloc(1, sizeof(*e) + ns_size + name_size + service_size);

	memcpy(e->ns, ns, ns_size);
	memcpy(e->ns + ns_size, name, name_size);
	if (service_size) {
		memcpy(e->ns + ns_size + name_size, service, service_size);
		join_group(x, ns, service);
	}
	e->list = x->list;
	map_put(&x->entries, hash_names(ns, name), e);
	return e;
}

static void take_out(struct kube_index *x, struct kube_entry *e)
{
	const struct names n = { e->ns, kube_entry_name(e) };

	if (x->kind == OBJECT_SLICE)
		leave_group(x, e);
	(void)map_take(&x->entries, hash_names(n.ns, n.name), &n);
}

/* A slice that went over to another Service. */
static struct kube_entry *move(struct kube_index *x, struct kube_entry *old, const char *service)
{
	struct kube_entry *e;

	take_out(x, old);
	e = add(x, old->ns, kube_entry_name(old), service);
	e->content = old->content;
	e->revision = old->revision;
	e->list = old->list;
	e->missed = old->missed;
	e->told = old->told;
	e->bad = old->bad;
	e->why = old->why;
	e->deleting = old->deleting;
	free(old);
	return e;
}

struct kube_entry *kube_index_need(struct kube_index *x, const char *ns, const char *name,
				   const char *service)
{
	struct kube_entry *e = kube_index_find(x, ns, name);

	if (!e)
		return add(x, ns, name, service);
	if (x->kind == OBJECT_SLICE && strcmp(kube_entry_service(x, e), service) != 0)
		return move(x, e, service);
	return e;
}

void kube_index_set_told(struct kube_index *x, struct kube_entry *e)
{
	x->told += !e->told;
	e->told = true;
}

void kube_index_drop(struct kube_index *x, struct kube_entry *e)
{
	x->told -= e->told;
	take_out(x, e);
	free(e);
}

/* --- lists ----------------------------------------------------------------------- */

void kube_index_begin(struct kube_index *x)
{
	x->list++;
	x->unnamed = false;
}

static bool is_much(const struct kube_index *x, size_t count)
{
	return x->told >= KUBE_HOLD_COUNT && count > x->told / KUBE_HOLD_PART;
}

/* Counts the lists that lacked each; returns for how many this was the first. */
static size_t count_missing(struct kube_index *x, uint64_t revision, size_t *all)
{
	struct kube_entry *e;
	size_t first = 0;

	*all = 0;
	for (size_t pos = 0; (e = map_next(&x->entries, &pos));) {
		/* From before the server went back: what comes now counts from anew. */
		if (e->revision > revision)
			e->revision = 0;
		if (e->list == x->list) {
			e->missed = 0;
			continue;
		}
		/* One whose deletion was ordered is expected to go. */
		first += e->missed == 0 && e->told && !e->deleting && !e->suspect;
		e->missed = (uint8_t)(e->missed + (e->missed < UINT8_MAX));
		(*all)++;
	}
	return first;
}

static enum kube_verdict hold(struct kube_index *x, uint64_t revision, mono_t now, size_t count,
			      uint32_t *again_ms)
{
	x->holding = true;
	x->held_at = now;
	x->held_revision = revision;
	x->held_count = count;
	*again_ms = KUBE_HOLD_MS;
	return KUBE_HELD;
}

enum kube_verdict kube_index_end(struct kube_index *x, uint64_t revision, mono_t now,
				 uint32_t *again_ms)
{
	size_t all, first;
	int64_t held_ms = x->holding ? mono_sub_ms(now, x->held_at) : 0;

	*again_ms = 0;
	if (x->unnamed)
		return KUBE_HELD; /* what is missing may be what could not be told by name */
	first = count_missing(x, revision, &all);
	if (is_much(x, first) || (x->holding && is_much(x, all) && revision < x->held_revision))
		return hold(x, revision, now, all, again_ms);
	if (x->holding && is_much(x, all) && held_ms < KUBE_HOLD_MS) {
		*again_ms = (uint32_t)(KUBE_HOLD_MS - held_ms);
		return KUBE_HELD;
	}
	x->holding = false;
	count_listed(x);
	return KUBE_BELIEVED;
}
