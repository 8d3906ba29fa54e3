/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an edit would come to: worked out in a small model of its own, made of
 * copies of all that the edit can touch.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/pool/model.h"

#define RIVALS_MAX 4096 /* Services: with so many none is taken in for a frontend any more */

struct preview {
	const struct pools *from;
	struct pools *to;
	struct service_key *seen; /* names are those of `from` or of the edit */
	size_t seen_count, seen_size;
};

static void put_copy(struct pools *to, const struct object *o)
{
	CLEANUP(buf_done) struct buf bytes = { 0 };
	struct object *copy;
	struct wire w;

	if (o->kind == OBJECT_SECRET)
		return;
	wire_put_object(&bytes, o);
	w = wire_of(bytes.data, bytes.len);
	copy = wire_object(&w);
	if (copy)
		pools_put(to, copy);
}

/* With all of its objects. */
static void take_service(struct preview *v, const char *ns, const char *name)
{
	const struct service_key key = { .ns = ns, .name = name };
	const struct service *s;

	for (size_t i = 0; i < v->seen_count; i++) {
		if (strcmp(v->seen[i].ns, ns) == 0 && strcmp(v->seen[i].name, name) == 0)
			return;
	}
	if (v->seen_count == v->seen_size) {
		v->seen_size = v->seen_size ? v->seen_size * 2 : 16;
		v->seen = xreallocarray(v->seen, v->seen_size, sizeof(*v->seen));
	}
	v->seen[v->seen_count++] = key;
	s = model_find(v->from, &key);
	for (size_t i = 0; s && i < s->object_count; i++)
		put_copy(v->to, s->objects[i]);
}

/* That which an object belongs to now. */
static void take_service_now(struct preview *v, const struct object *o)
{
	const struct object *now = map_get(&v->from->objects, object_hash(o), o);

	if (now && now->kind != OBJECT_SECRET)
		take_service(v, now->ns, now->service);
}

static void edit(struct preview *v, const struct pools_edit *e)
{
	for (size_t i = 0; i < e->gone_count; i++)
		pools_remove(v->to, e->gone[i]);
	for (size_t i = 0; i < e->put_count; i++)
		put_copy(v->to, e->put[i]);
}

static void take_claimants(struct preview *v, const struct contest *c)
{
	for (const struct claim *k = c ? c->claims : NULL; k; k = k->next)
		take_service(v, k->service->ns, service_name(k->service));
}

/* Whoever wants a frontend that one in the small model wants, or has wanted. True: there was one. */
static bool take_rivals(struct preview *v)
{
	size_t before = v->seen_count;
	const struct contest *c;

	for (size_t i = 0; i < v->seen_count; i++) {
		const struct service *s = model_find(v->from, &v->seen[i]);

		for (size_t k = 0; s && k < s->claim_count; k++)
			take_claimants(v, s->claims[k].contest);
	}
	for (size_t pos = 0; (c = map_next(&v->to->contests, &pos));)
		take_claimants(v, map_get(&v->from->contests, claim_frontend_hash(&c->frontend),
					  &c->frontend));
	return v->seen_count > before && v->seen_count < RIVALS_MAX;
}

static const struct pool *find(const struct service *s, const char *id)
{
	for (size_t i = 0; s && i < s->pool_count; i++) {
		if (strcmp(s->pools[i]->id, id) == 0)
			return s->pools[i];
	}
	return NULL;
}

static void tell(const struct preview *v, pools_preview_fn *fn, void *arg)
{
	for (size_t i = 0; i < v->seen_count; i++) {
		const struct service *now = model_find(v->from, &v->seen[i]);
		const struct service *then = model_find(v->to, &v->seen[i]);

		for (size_t k = 0; now && k < now->pool_count; k++)
			fn(arg, now->pools[k], find(then, now->pools[k]->id));
		for (size_t k = 0; then && k < then->pool_count; k++) {
			if (!find(now, then->pools[k]->id))
				fn(arg, NULL, then->pools[k]);
		}
	}
}

static void take_effect(void *arg, const struct rules_effect *e)
{
	struct preview *v = arg;

	if (v->seen_count < RIVALS_MAX)
		take_service(v, e->service->ns, e->service->name);
}

void pools_preview(const struct pools *p, const struct pools_edit *e, pools_preview_fn *fn,
		   void *arg)
{
	struct preview v = { .from = p, .to = pools_new(e->rules ? e->rules : p->rules) };

	if (e->rules)
		pools_rules_effects(p, e->rules, take_effect, &v);

	for (size_t i = 0; i < e->gone_count; i++)
		take_service_now(&v, e->gone[i]);
	for (size_t i = 0; i < e->put_count; i++) {
		take_service_now(&v, e->put[i]);
		if (e->put[i]->kind != OBJECT_SECRET)
			take_service(&v, e->put[i]->ns, e->put[i]->service);
	}
	edit(&v, e);
	do
		pools_update(v.to, NULL, NULL);
	while (take_rivals(&v));
	tell(&v, fn, arg);
	pools_free(v.to);
	free(v.seen);
}
