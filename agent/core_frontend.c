/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frontends. One belongs to at most one pool; what leaves a pool drains on the
 * frontend, which may change hands or lose its owner meanwhile.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

static uint64_t hash_of_key(const struct endpoint *key)
{
	return hash_table(key, sizeof(*key));
}

static bool frontend_is(const void *object, const void *key)
{
	return endpoint_cmp(&((const struct frontend *)object)->key, key) == 0;
}

void frontends_start(struct core *c)
{
	map_init(&c->frontends, frontend_is);
}

struct frontend *frontend_get(const struct core *c, const struct endpoint *key)
{
	return map_get(&c->frontends, hash_of_key(key), key);
}

static struct frontend *frontend_make(struct core *c, const struct endpoint *key)
{
	struct frontend *f = frontend_get(c, key);

	if (f)
		return f;
	f = xcalloc(1, sizeof(*f));
	f->core = c;
	f->key = *key;
	map_put(&c->frontends, hash_of_key(key), f);
	ours_changed(c, key);
	return f;
}

static void frontend_free(struct frontend *f)
{
	if (f->is_draining)
		LIST_REMOVE(f, draining);
	loop_cancel(f->core->loop, f->timer);
	free(f->drains);
	free(f->shape);
	free(f->problem);
	free(f);
}

/* --- drains -------------------------------------------------------------------- */

static struct plan_drain *drain_find(const struct frontend *f, const struct endpoint *e)
{
	for (size_t i = 0; i < f->drain_count; i++) {
		if (endpoint_cmp(&f->drains[i].endpoint, e) == 0)
			return &f->drains[i];
	}
	return NULL;
}

/* True: there is one more. */
static bool add_drain(struct frontend *f, const struct plan_drain *d)
{
	mono_t soon = mono_add_ms(core_now(f->core), PLAN_DATAGRAM_MS);
	struct plan_drain *added;

	if (drain_find(f, &d->endpoint))
		return false;
	f->drains = xreallocarray(f->drains, f->drain_count + 1, sizeof(*f->drains));
	added = &f->drains[f->drain_count++];
	*added = *d;
	if (!protocol_has_connections(f->key.protocol) && mono_before(soon, added->deadline))
		added->deadline = soon;
	return true;
}

static void drains_changed(struct frontend *f)
{
	bool any = f->drain_count > 0;

	if (any && !f->is_draining)
		LIST_INSERT_HEAD(&f->core->draining, f, draining);
	else if (!any && f->is_draining)
		LIST_REMOVE(f, draining);
	f->is_draining = any;
	state_changed(f->core);
}

static void drain_add(struct frontend *f, const struct plan_drain *d)
{
	if (add_drain(f, d))
		drains_changed(f);
}

static bool is_terminating(const struct frontend *f, const struct endpoint *e)
{
	size_t place;

	return f->owner && pool_member_find(f->owner->pool, e, &place) &&
	       pool_member(f->owner->pool, place).terminating;
}

/* A member again, and planned into the table: until then its connections would be cut. */
static bool is_back(const struct frontend *f, const struct endpoint *e)
{
	const struct pool_state *ps = f->owner;
	size_t place;

	return ps && pool_member_find(ps->pool, e, &place) && ps->places[place].in_table;
}

/* Those that are over go, but a terminating member's is kept as the mark that it is through. */
static bool drop_drains(struct frontend *f, mono_t now)
{
	size_t before = f->drain_count;

	for (size_t i = 0; i < f->drain_count;) {
		struct plan_drain *d = &f->drains[i];

		if (!mono_before(now, d->deadline))
			d->done = true;
		if (is_back(f, &d->endpoint) || (d->done && !is_terminating(f, &d->endpoint)))
			*d = f->drains[--f->drain_count];
		else
			i++;
	}
	return f->drain_count != before;
}

static void drains_sweep(struct frontend *f, mono_t now)
{
	if (drop_drains(f, now))
		drains_changed(f);
}

/* Planning its pool applies it, and shows it. */
static void frontend_changed(struct frontend *f)
{
	if (f->owner)
		pool_state_dirty(f->owner);
	else
		frontend_apply(f);
}

static void drain_over(void *arg)
{
	struct frontend *f = arg;

	f->timer = 0;
	frontend_changed(f);
}

static void drains_schedule(struct frontend *f)
{
	mono_t next = { INT64_MAX };

	loop_cancel(f->core->loop, f->timer);
	f->timer = 0;
	for (size_t i = 0; i < f->drain_count; i++) {
		if (!f->drains[i].done && mono_before(f->drains[i].deadline, next))
			next = f->drains[i].deadline;
	}
	if (next.ns != INT64_MAX)
		f->timer = loop_timer_at(f->core->loop, next, drain_over, f);
}

/* --- frontends ------------------------------------------------------------------ */

/* Without destinations: as its owner has it, or as the last one had it, or the kernel. */
static struct ipvs_service frontend_shape(const struct frontend *f)
{
	if (f->owner)
		return plan_service(f->owner->pool, &f->key);
	return f->shape ? *f->shape : ipvs_service_of(&f->key);
}

static void set_owner(struct frontend *f, struct pool_state *owner)
{
	f->owner = owner;
	free(f->shape);
	f->shape = NULL;
}

static void keep_shape(struct frontend *f, const struct ipvs_service *shape)
{
	f->shape = xmalloc(sizeof(*f->shape));
	*f->shape = *shape;
	f->shape->dests = NULL;
	f->shape->dest_count = 0;
}

/* It goes on in the shape that it had. */
static void lose_owner(struct frontend *f)
{
	const struct ipvs_service shape = frontend_shape(f);

	set_owner(f, NULL);
	keep_shape(f, &shape);
}

void frontend_wanted(const struct frontend *f, struct ipvs_service *out)
{
	const struct pool_state *ps = f->owner;

	*out = frontend_shape(f);
	plan_dests(out, ps ? ps->pool : NULL, ps ? ps->places : NULL, f->drains, f->drain_count,
		   core_now(f->core));
}

/* Tell the kernel side what is wanted now, or that nothing is. May free f. */
void frontend_apply(struct frontend *f)
{
	struct core *c = f->core;

	drains_sweep(f, core_now(c));
	drains_schedule(f);
	if (!f->owner && f->drain_count == 0) {
		kernel_tell_gone(c, f);
		ours_changed(c, &f->key);
		map_take(&c->frontends, hash_of_key(&f->key), &f->key);
		frontend_free(f);
		return;
	}
	kernel_tell(c, f);
}

/* Members of `old` that `now` no longer has begin to drain on f. True: there are any. */
static bool add_lost(struct frontend *f, const struct pool *old, const struct plan_place *places,
		     const struct pool *now)
{
	mono_t deadline = mono_add_ms(core_now(f->core), (int64_t)old->set.drain_s * 1000);
	bool any = false;

	for (size_t i = 0; i < old->member_count; i++) {
		const struct pool_member m = pool_member(old, i);

		/* One that is down and out of the table has nothing left to drain. */
		if (pool_member_find(now, &m.endpoint, NULL) || (places && !places[i].in_table))
			continue;
		any |= add_drain(f, &(struct plan_drain){ .endpoint = m.endpoint,
							  .deadline = deadline,
							  .path = plan_path(old) });
	}
	return any;
}

static void drain_lost(struct frontend *f, const struct pool *old, const struct plan_place *places,
		       const struct pool *now)
{
	if (add_lost(f, old, places, now))
		drains_changed(f);
}

/* Those that terminate begin to drain; those that came back go on until they are in the table. */
static bool add_terminating(struct frontend *f, const struct pool *now)
{
	mono_t deadline = mono_add_ms(core_now(f->core), (int64_t)now->set.drain_s * 1000);
	bool any = false;

	for (size_t i = 0; i < now->member_count; i++) {
		const struct pool_member m = pool_member(now, i);

		if (m.terminating)
			any |= add_drain(f, &(struct plan_drain){ .endpoint = m.endpoint,
								  .deadline = deadline,
								  .path = plan_path(now) });
	}
	return any;
}

static void drain_match(struct frontend *f, const struct pool *now)
{
	if (add_terminating(f, now))
		drains_changed(f);
}

static bool has_frontend(const struct pool *pool, const struct endpoint *key)
{
	for (size_t i = 0; pool && i < pool->frontend_count; i++) {
		if (endpoint_cmp(&pool->frontends[i], key) == 0)
			return true;
	}
	return false;
}

/* The frontends of ps go from the pool it had to `now` (NULL: gone); ps still holds the old one. */
void frontends_move(struct pool_state *ps, struct pool *now)
{
	const struct pool *old = ps->pool;

	for (size_t i = 0; old && i < old->frontend_count; i++) {
		struct frontend *f = frontend_get(ps->core, &old->frontends[i]);

		if (!f || f->owner != ps || has_frontend(now, &f->key))
			continue;
		drain_lost(f, old, ps->places, NULL);
		lose_owner(f);
		frontend_apply(f);
	}
	for (size_t i = 0; now && i < now->frontend_count; i++) {
		struct frontend *f = frontend_make(ps->core, &now->frontends[i]);

		/* Its last owner may lose it later in this same update. */
		if (f->owner)
			drain_lost(f, f->owner->pool, f->owner->places, now);
		set_owner(f, ps);
		drain_match(f, now);
	}
}

bool frontend_preview(struct core *c, const struct endpoint *key, const struct pool_state *then,
		      struct ipvs_service *out)
{
	const struct frontend *now = frontend_get(c, key);
	struct ipvs_service shape;
	struct frontend f = { .core = c,
			      .key = *key,
			      .owner = (struct pool_state *)(uintptr_t)then };

	if (now) {
		shape = frontend_shape(now);
		f.shape = &shape;
		for (size_t i = 0; i < now->drain_count; i++)
			(void)add_drain(&f, &now->drains[i]);
	}
	if (now && now->owner)
		(void)add_lost(&f, now->owner->pool, now->owner->places, then ? then->pool : NULL);
	if (then)
		(void)add_terminating(&f, then->pool);
	(void)drop_drains(&f, core_now(c));
	frontend_wanted(&f, out);
	free(f.drains);
	return then || f.drain_count > 0;
}

void frontend_idle(struct core *c, const struct endpoint *key, const struct endpoint *dest)
{
	struct frontend *f = frontend_get(c, key);
	struct plan_drain *d = f ? drain_find(f, dest) : NULL;

	if (!d || d->done)
		return;
	d->done = true;
	state_changed(c);
	frontend_changed(f);
}

void frontends_restore(struct core *c)
{
	struct frontend *f;
	size_t pos = 0;

	while ((f = map_next(&c->frontends, &pos))) {
		const struct ipvs_service *image = ipvs_table_get(&c->kernel.image, &f->key);

		if (f->owner)
			continue;
		if (image) {
			free(f->shape);
			keep_shape(f, image);
		}
		frontend_apply(f);
	}
}

void frontend_restore_drain(struct core *c, const struct endpoint *key, const struct plan_drain *d)
{
	drain_add(frontend_make(c, key), d);
}

static void drain_surplus(struct frontend *f, const struct ipvs_service *image)
{
	uint32_t drain_s = f->owner ? f->owner->pool->set.drain_s : 0;

	for (uint32_t i = 0; i < image->dest_count; i++) {
		const struct ipvs_dest *d = &image->dests[i];
		struct endpoint e;

		memset(&e, 0, sizeof(e));
		e.addr = d->addr;
		e.port = d->port;
		e.protocol = f->key.protocol;
		if (f->owner && pool_member_find(f->owner->pool, &e, NULL))
			continue;
		drain_add(f, &(struct plan_drain){
				     .endpoint = e,
				     .deadline = mono_add_ms(core_now(f->core),
							     (int64_t)drain_s * 1000),
				     .path = { d->forward, d->tunnel, d->tunnel_port } });
	}
}

void frontends_drain_strangers(const struct pool_state *ps)
{
	for (size_t i = 0; i < ps->pool->frontend_count; i++) {
		const struct endpoint *key = &ps->pool->frontends[i];
		const struct ipvs_service *image = ipvs_table_get(&ps->core->kernel.image, key);
		struct frontend *f = frontend_get(ps->core, key);

		if (f && f->owner == ps && image)
			drain_surplus(f, image);
	}
}

void frontends_drain_surplus(struct core *c)
{
	struct frontend *f;
	size_t pos = 0;

	while ((f = map_next(&c->frontends, &pos))) {
		const struct ipvs_service *image = ipvs_table_get(&c->kernel.image, &f->key);

		if (!f->owner || !image)
			continue;
		drain_surplus(f, image);
		pool_state_dirty(f->owner);
	}
}

void frontends_end(struct core *c)
{
	struct frontend *f;
	size_t pos = 0;

	while ((f = map_next(&c->frontends, &pos)))
		frontend_free(f);
	map_done(&c->frontends);
}
