/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools and frontends. A frontend belongs to at most one pool; what leaves a
 * pool drains on the frontend, which may change hands or lose its owner
 * meanwhile. Planning is always from the facts; what is kept between plans is
 * listed in struct member_state and struct frontend.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
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

static bool state_is(const void *object, const void *key)
{
	return strcmp(((const struct pool_state *)object)->id, key) == 0;
}

void pool_states_start(struct core *c)
{
	map_init(&c->states, state_is);
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
	f->shape = ipvs_service_of(key);
	map_put(&c->frontends, hash_of_key(key), f);
	return f;
}

static void frontend_free(struct frontend *f)
{
	loop_cancel(f->core->loop, f->timer);
	free(f->drains);
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

static void drain_add(struct frontend *f, const struct plan_drain *d)
{
	/* A datagram has no connection to wait for. */
	if (f->key.protocol != IPPROTO_TCP || drain_find(f, &d->endpoint))
		return;
	f->drains = xreallocarray(f->drains, f->drain_count + 1, sizeof(*f->drains));
	f->drains[f->drain_count++] = *d;
	state_changed(f->core);
}

static void drain_drop(struct frontend *f, struct plan_drain *d)
{
	*d = f->drains[--f->drain_count];
	state_changed(f->core);
}

static const struct pool_member *member_find(const struct pool *pool, const struct endpoint *e)
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

static bool is_terminating(const struct frontend *f, const struct endpoint *e)
{
	const struct pool_member *m = f->owner ? member_find(f->owner->pool, e) : NULL;

	return m && m->terminating;
}

/* Those that are over go, but a terminating member's is kept as the mark that it is through. */
static void drains_sweep(struct frontend *f, mono_t now)
{
	for (size_t i = 0; i < f->drain_count;) {
		struct plan_drain *d = &f->drains[i];

		if (!mono_before(now, d->deadline))
			d->done = true;
		if (d->done && !is_terminating(f, &d->endpoint))
			drain_drop(f, d);
		else
			i++;
	}
}

static void frontend_apply(struct frontend *f);

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

void frontend_wanted(const struct frontend *f, struct ipvs_service *out)
{
	const struct pool_state *ps = f->owner;

	*out = f->shape;
	plan_dests(out, ps ? ps->pool : NULL, ps ? ps->plan : NULL, f->drains, f->drain_count,
		   core_now(f->core));
}

/* Tell the kernel side what is wanted now, or that nothing is. May free f. */
static void frontend_apply(struct frontend *f)
{
	struct core *c = f->core;

	drains_sweep(f, core_now(c));
	drains_schedule(f);
	if (f->owner) {
		f->shape = plan_service(f->owner->pool, &f->key);
	} else if (f->drain_count == 0) {
		kernel_tell_gone(c, f);
		map_take(&c->frontends, hash_of_key(&f->key), &f->key);
		frontend_free(f);
		return;
	}
	kernel_tell(c, f);
}

/* Members of `old` that `now` no longer has begin to drain on f. */
static void drain_lost(struct frontend *f, const struct pool *old, const struct plan_member *plan,
		       const struct pool *now)
{
	mono_t deadline = mono_add_ms(core_now(f->core), (int64_t)old->set.drain_s * 1000);

	for (size_t i = 0; i < old->member_count; i++) {
		const struct pool_member *m = &old->members[i];

		/* One that is down and out of the table has nothing left to drain. */
		if (member_find(now, &m->endpoint) || (plan && !plan[i].in_table))
			continue;
		drain_add(f, &(struct plan_drain){ .endpoint = m->endpoint,
						   .deadline = deadline,
						   .forward = (uint8_t)plan_forward(old) });
	}
}

/* Those that came back stop draining; those that terminate begin. */
static void drain_match(struct frontend *f, const struct pool *now)
{
	mono_t deadline = mono_add_ms(core_now(f->core), (int64_t)now->set.drain_s * 1000);

	for (size_t i = 0; i < now->member_count; i++) {
		const struct pool_member *m = &now->members[i];
		struct plan_drain *d = drain_find(f, &m->endpoint);

		if (d && !m->terminating)
			drain_drop(f, d);
		if (!d && m->terminating)
			drain_add(f, &(struct plan_drain){ .endpoint = m->endpoint,
							   .deadline = deadline,
							   .forward = (uint8_t)plan_forward(now) });
	}
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
static void move_frontends(struct pool_state *ps, struct pool *now)
{
	const struct pool *old = ps->pool;

	for (size_t i = 0; old && i < old->frontend_count; i++) {
		struct frontend *f = frontend_get(ps->core, &old->frontends[i]);

		if (!f || f->owner != ps || has_frontend(now, &f->key))
			continue;
		drain_lost(f, old, ps->plan, NULL);
		f->owner = NULL;
		frontend_apply(f);
	}
	for (size_t i = 0; now && i < now->frontend_count; i++) {
		struct frontend *f = frontend_make(ps->core, &now->frontends[i]);

		/* Its last owner may lose it later in this same update. */
		if (f->owner)
			drain_lost(f, f->owner->pool, f->owner->plan, now);
		f->owner = ps;
		drain_match(f, now);
	}
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
			f->shape = *image;
			f->shape.dests = NULL;
			f->shape.dest_count = 0;
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
		if (f->owner && member_find(f->owner->pool, &e))
			continue;
		drain_add(f, &(struct plan_drain){ .endpoint = e,
						   .deadline = mono_add_ms(core_now(f->core),
									   (int64_t)drain_s * 1000),
						   .forward = d->forward });
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

/* --- pools ------------------------------------------------------------------------ */

static void plan_first_facts(const struct core *c, const struct pool *pool,
			     const struct pool_member *m, struct plan_first *out)
{
	*out = (struct plan_first){ .nominal_zero = m->weight == 0 };
	for (size_t i = 0; i < pool->frontend_count && !out->in_kernel; i++) {
		const struct ipvs_service *s = ipvs_table_get(&c->kernel.image,
							      &pool->frontends[i]);

		for (uint32_t k = 0; s && k < s->dest_count; k++) {
			if (addr_cmp(&s->dests[k].addr, &m->endpoint.addr) != 0 ||
			    s->dests[k].port != m->endpoint.port) {
				out->kernel_serves = out->kernel_serves || s->dests[k].weight > 0;
				continue;
			}
			out->in_kernel = true;
			out->kernel_weight = s->dests[k].weight;
		}
	}
}

/* The same member under another check: what is known of it goes on being known. */
static const struct target *old_target(const struct pool_state *ps, const struct endpoint *e)
{
	const struct pool_member *m = member_find(ps->pool, e);

	return m ? ps->members[m - ps->pool->members].target : NULL;
}

static bool is_proven(const struct pool_state *ps)
{
	for (size_t i = 0; ps->pool && i < ps->pool->member_count; i++) {
		const struct target *t = ps->members[i].target;

		if (t && t->verdict.state == VERDICT_UP && t->verdict.proven)
			return true;
	}
	return false;
}

static void release_members(struct pool_state *ps)
{
	for (size_t i = 0; ps->pool && i < ps->pool->member_count; i++) {
		if (ps->members[i].target)
			target_release(ps->core, ps->members[i].target, ps);
	}
	free(ps->members);
	ps->members = NULL;
}

static bool was_last_good(const struct pool_state *ps, const struct endpoint *e)
{
	const struct pool_member *m = member_find(ps->pool, e);

	if (m)
		return ps->members[m - ps->pool->members].last_good;
	return !ps->pool && saved_last_good(ps->core, ps->id, e);
}

/* Targets are taken before the old ones are released, so that shared ones live on. */
static struct member_state *use_members(struct pool_state *ps, struct pool *now)
{
	struct member_state *members = xcalloc(now->member_count, sizeof(*members));
	bool proven = is_proven(ps);

	for (size_t i = 0; i < now->member_count; i++) {
		const struct pool_member *m = &now->members[i];
		struct plan_first first;

		members[i].last_good = was_last_good(ps, &m->endpoint);
		if (m->terminating || now->set.check->type == CHECK_NONE)
			continue;
		plan_first_facts(ps->core, now, m, &first);
		first.pool_proven = proven;
		members[i].target = target_use(ps->core, now->set.check, &m->endpoint, &first,
					       old_target(ps, &m->endpoint), ps);
	}
	return members;
}

static void pool_state_free(struct pool_state *ps)
{
	loop_cancel(ps->core->loop, ps->timer);
	release_members(ps);
	pool_view_unref(ps->view);
	if (ps->pool)
		pool_unref(ps->pool);
	free(ps->plan);
	free(ps->id);
	free(ps);
}

static void forget(struct core *c, struct pool_state *ps)
{
	for (size_t i = 0; ps->dirty && i < c->dirty_count; i++) {
		if (c->dirty[i] == ps)
			c->dirty[i] = NULL;
	}
	map_take(&c->states, hash_table_str(ps->id), ps->id);
	pool_state_free(ps);
}

static void on_change(void *arg, const char *id, struct pool *pool)
{
	struct core *c = arg;
	struct pool_state *ps = map_get(&c->states, hash_table_str(id), id);
	struct member_state *members;

	if (!ps && !pool)
		return;
	if (!ps) {
		ps = xcalloc(1, sizeof(*ps));
		ps->core = c;
		ps->id = xstrdup(id);
		map_put(&c->states, hash_table_str(id), ps);
	}
	move_frontends(ps, pool);
	view_changed(c);
	if (!pool) {
		forget(c, ps);
		return;
	}
	members = use_members(ps, pool);
	release_members(ps);
	if (ps->pool)
		pool_unref(ps->pool);
	ps->pool = pool_ref(pool);
	ps->members = members;
	free(ps->plan);
	ps->plan = xcalloc(pool->member_count, sizeof(*ps->plan));
	pool_state_dirty(ps);
}

void pool_states_end(struct core *c)
{
	struct pool_state *ps;
	struct frontend *f;
	size_t pos = 0;

	while ((f = map_next(&c->frontends, &pos)))
		frontend_free(f);
	map_done(&c->frontends);
	pos = 0;
	while ((ps = map_next(&c->states, &pos)))
		pool_state_free(ps);
	map_done(&c->states);
	free(c->dirty);
}

/* --- planning --------------------------------------------------------------------- */

void pool_state_dirty(struct pool_state *ps)
{
	struct core *c = ps->core;

	if (ps->dirty)
		return;
	ps->dirty = true;
	if (c->dirty_count == c->dirty_size) {
		c->dirty_size = c->dirty_size ? c->dirty_size * 2 : 64;
		c->dirty = xreallocarray(c->dirty, c->dirty_size, sizeof(struct pool_state *));
	}
	c->dirty[c->dirty_count++] = ps;
	core_plan_later(c);
}

void pool_states_confirm(struct core *c, unsigned source)
{
	struct pool_state *ps;
	size_t pos = 0;

	while ((ps = map_next(&c->states, &pos))) {
		if (ps->view && ps->view->inherited && ps->pool->source == source)
			pool_state_dirty(ps);
	}
}

static void leave_due(void *arg)
{
	struct pool_state *ps = arg;

	ps->timer = 0;
	pool_state_dirty(ps);
}

/* The first guess of a fresh pool is no proof. */
static bool is_good(const struct target *t)
{
	return t->verdict.state == VERDICT_UP && (t->verdict.proven || t->inherited);
}

static void facts_of(const struct pool_state *ps, struct plan_fact *facts)
{
	for (size_t i = 0; i < ps->pool->member_count; i++) {
		const struct target *t = ps->members[i].target;

		facts[i] = (struct plan_fact){
			.state = t ? t->verdict.state : VERDICT_UP,
			.good = !t || is_good(t),
			.last_good = ps->members[i].last_good,
		};
		if (t && t->verdict.state == VERDICT_DOWN)
			facts[i].down_since = t->since;
	}
}

static size_t count_serving(const struct pool_state *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->pool->member_count; i++)
		n += ps->plan[i].weight > 0;
	return n;
}

static void log_fail_open(const struct pool_state *ps, bool before)
{
	if (ps->fail_open && !before)
		log_warn("plan", "pool %s: no member is up; its fail-policy keeps %zu in service",
			 ps->id, count_serving(ps));
	if (!ps->fail_open && before)
		log_info("plan", "pool %s: a member is up again", ps->id);
}

static void plan_state(struct pool_state *ps)
{
	struct core *c = ps->core;
	struct plan_fact *facts = xcalloc(ps->pool->member_count, sizeof(*facts));
	bool before = ps->fail_open;
	mono_t next;

	ps->dirty = false;
	facts_of(ps, facts);
	plan_last_good(ps->pool, facts, core_now(c));
	for (size_t i = 0; i < ps->pool->member_count; i++)
		ps->members[i].last_good = facts[i].last_good;
	plan_pool(ps->pool, facts, core_now(c), ps->plan, &ps->fail_open, &next);
	free(facts);
	if (before != ps->fail_open)
		state_changed(c);
	log_fail_open(ps, before);
	loop_cancel(c->loop, ps->timer);
	ps->timer = next.ns ? loop_timer_at(c->loop, next, leave_due, ps) : 0;
	for (size_t i = 0; i < ps->pool->frontend_count; i++) {
		struct frontend *f = frontend_get(c, &ps->pool->frontends[i]);

		if (f && f->owner == ps)
			frontend_apply(f);
	}
	pool_view_unref(ps->view);
	ps->view = view_of_pool(c, ps);
	view_changed(c);
}

void pool_states_update(struct core *c)
{
	if (!c->planning)
		return;
	pools_update(c->pools, on_change, c);
	/* Planning may make none dirty again, but the list may have holes. */
	for (size_t i = 0; i < c->dirty_count; i++) {
		if (c->dirty[i])
			plan_state(c->dirty[i]);
	}
	c->dirty_count = 0;
}
