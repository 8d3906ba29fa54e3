/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools: their members' targets, and planning. A plan is always made from the
 * facts; what is kept between plans is struct member_state.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define FAULT_LIST_MAX 200  /* bytes */
#define DIRTY_KEPT     1024 /* pools that the list has room for between plans */

static bool state_is(const void *object, const void *key)
{
	return strcmp(((const struct pool_state *)object)->pool->id, key) == 0;
}

static struct pool_state *pool_state_find(const struct core *c, const char *id)
{
	return map_get(&c->states, hash_table_str(id), id);
}

void pool_states_start(struct core *c)
{
	map_init(&c->states, state_is);
	frontends_start(c);
}

struct member_state pool_state_member(const struct pool_state *ps, size_t i)
{
	if (ps->members)
		return ps->members[i];
	return (struct member_state){ .last_good = !pool_member(ps->pool, i).terminating };
}

static void plan_first_facts(const struct core *c, const struct pool *pool,
			     const struct pool_member *m, struct plan_first *out)
{
	*out = (struct plan_first){ .nominal_zero = m->weight == 0,
				    .has_role = pool->set.check->role != CHECK_ROLE_ANY };
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
	size_t place;

	return pool_member_find(ps->pool, e, &place) ? pool_state_member(ps, place).target : NULL;
}

static bool is_proven(const struct pool_state *ps)
{
	for (size_t i = 0; ps->members && i < ps->pool->member_count; i++) {
		const struct target *t = ps->members[i].target;

		if (t && t->verdict.state == VERDICT_UP && t->verdict.proven)
			return true;
	}
	return false;
}

static void release_members(struct pool_state *ps)
{
	for (size_t i = 0; ps->members && i < ps->pool->member_count; i++) {
		if (ps->members[i].target)
			target_release(ps->core, ps->members[i].target, ps);
	}
	free(ps->members);
	ps->members = NULL;
}

static bool was_last_good(const struct pool_state *ps, const struct pool *now,
			  const struct endpoint *e)
{
	size_t place;

	if (pool_member_find(ps->pool, e, &place))
		return pool_state_member(ps, place).last_good;
	return !ps->pool && saved_last_good(ps->core, now->id, e);
}

/* --- who is the writer of a pool for one ------------------------------------------- */

static bool has_one_writer(const struct pool *pool)
{
	return pool && pool->set.check->role == CHECK_ROLE_WRITER;
}

/* What a member's weight was until now: as planned, or in the kernel when we started. */
static bool was_serving(const struct pool_state *ps, const struct pool *now,
			const struct endpoint *e)
{
	size_t place;

	if (ps->pool)
		return pool_member_find(ps->pool, e, &place) && ps->places[place].weight > 0;
	for (size_t i = 0; i < now->frontend_count; i++) {
		const struct ipvs_service *s = ipvs_table_get(&ps->core->kernel.image,
							      &now->frontends[i]);

		for (uint32_t k = 0; s && k < s->dest_count; k++) {
			if (addr_cmp(&s->dests[k].addr, &e->addr) == 0 &&
			    s->dests[k].port == e->port && s->dests[k].weight > 0)
				return true;
		}
	}
	return false;
}

/* Of a pool that had none: who served alone, or else who was it when the state was saved. */
static void begin_writer(const struct pool_state *ps, const struct pool *now,
			 struct member_state *members)
{
	size_t serving = 0;

	for (size_t i = 0; i < now->member_count; i++)
		serving += members[i].serving;
	for (size_t i = 0; i < now->member_count; i++) {
		const struct pool_member m = pool_member(now, i);

		if (serving == 1)
			members[i].writer = members[i].serving;
		else if (!ps->pool)
			members[i].writer = saved_writer(ps->core, now->id, &m.endpoint);
	}
}

static void find_writer(const struct pool_state *ps, const struct pool *now,
			struct member_state *members)
{
	if (!has_one_writer(now))
		return;
	for (size_t i = 0; i < now->member_count; i++) {
		const struct pool_member m = pool_member(now, i);
		struct member_state was;
		size_t place;

		members[i].serving = was_serving(ps, now, &m.endpoint);
		if (!pool_member_find(ps->pool, &m.endpoint, &place))
			continue;
		was = pool_state_member(ps, place);
		members[i].writer = was.writer;
		members[i].retired = was.retired;
	}
	if (!has_one_writer(ps->pool))
		begin_writer(ps, now, members);
}

/* --- members ------------------------------------------------------------------------ */

/*
 * Targets are taken before the old ones are released, so that shared ones live on. NULL: the pool is
 * not checked.
 */
static struct member_state *use_members(struct pool_state *ps, struct pool *now)
{
	bool proven = is_proven(ps);
	struct member_state *members;

	if (now->set.check->type == CHECK_NONE)
		return NULL;
	members = xcalloc(now->member_count, sizeof(*members));
	for (size_t i = 0; i < now->member_count; i++) {
		const struct pool_member member = pool_member(now, i), *m = &member;
		struct plan_first first;

		members[i].last_good = was_last_good(ps, now, &m->endpoint);
		if (m->terminating)
			continue;
		plan_first_facts(ps->core, now, m, &first);
		first.pool_proven = proven;
		members[i].target = target_use(ps->core, now, &m->endpoint, &first,
					       old_target(ps, &m->endpoint), ps);
	}
	find_writer(ps, now, members);
	return members;
}

static void drop_pool(struct pool_state *ps)
{
	if (!ps->pool)
		return;
	secrets_release(ps->core, ps->pool->set.check);
	pool_unref(ps->pool);
	ps->pool = NULL;
}

static void pool_state_free(struct pool_state *ps)
{
	state_note_gone(ps);
	loop_cancel(ps->core->loop, ps->timer);
	release_members(ps);
	pool_view_unref(ps->view);
	drop_pool(ps);
	free(ps->places);
	free(ps);
}

static void forget(struct core *c, struct pool_state *ps)
{
	report_pool_gone(ps);
	for (size_t i = 0; ps->dirty && i < c->dirty_count; i++) {
		if (c->dirty[i] == ps)
			c->dirty[i] = NULL;
	}
	map_take(&c->states, hash_table_str(ps->pool->id), ps->pool->id);
	view_pool_gone(c, ps);
	pool_state_free(ps);
}

static void on_change(void *arg, const char *id, struct pool *pool)
{
	struct core *c = arg;
	struct pool_state *ps = pool_state_find(c, id);
	struct member_state *members;
	bool is_new = !ps;

	if (!ps && !pool)
		return;
	if (!ps) {
		ps = xcalloc(1, sizeof(*ps));
		ps->core = c;
	}
	frontends_move(ps, pool);
	view_changed(c);
	if (!pool) {
		forget(c, ps);
		return;
	}
	secrets_use(c, pool); /* before the targets that need it */
	members = use_members(ps, pool);
	release_members(ps);
	if (ps->pool && ps->pool->source != pool->source)
		report_pool_gone(ps);
	drop_pool(ps);
	ps->pool = pool_ref(pool);
	if (is_new)
		map_put(&c->states, hash_table_str(id), ps);
	ps->members = members;
	free(ps->places);
	ps->places = xcalloc(pool->member_count, sizeof(*ps->places));
	if (is_new && has_one_writer(pool))
		frontends_drain_strangers(ps);
	pool_state_dirty(ps);
}

void pool_states_end(struct core *c)
{
	struct pool_state *ps;
	size_t pos = 0;

	frontends_end(c);
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

/* Seen by a probe of now to take writes: what was inherited, or is in doubt again, proves nothing. */
static bool claims_writes(const struct pool *pool, const struct target *t)
{
	return has_one_writer(pool) && t && t->verdict.state == VERDICT_UP && t->verdict.proven &&
	       !t->inherited && t->verdict.reason == HC_REASON_OK;
}

static struct plan_fact fact_of(const struct pool *pool, const struct member_state *m)
{
	const struct target *t = m->target;
	struct plan_fact f = {
		.state = t ? target_applied_state(t) : VERDICT_UP,
		.good = !t || t->waiting || is_good(t),
		.last_good = m->last_good,
		.claims = claims_writes(pool, t),
		.writer = m->writer,
		.serving = m->serving,
		.retired = m->retired,
	};

	if (!t)
		return f;
	f.saturated = t->verdict.reason == HC_REASON_SATURATED;
	f.degraded = t->verdict.standing == HC_STANDING_DEGRADED;
	f.draining = t->verdict.standing == HC_STANDING_DRAINING;
	f.other_role = t->verdict.reason == HC_REASON_ROLE;
	f.waiting = t->waiting;
	if (t->verdict.state == VERDICT_DOWN)
		f.down_since = t->since;
	if (t->came_back)
		f.up_since = t->since;
	if (t->verdict.held_ms)
		f.held_until = core_mono_of(t->core, hc_verdict_held_until(&t->verdict));
	return f;
}

static void facts_of(const struct pool_state *ps, struct plan_fact *facts)
{
	for (size_t i = 0; i < ps->pool->member_count; i++) {
		const struct member_state m = pool_state_member(ps, i);

		facts[i] = fact_of(ps->pool, &m);
	}
}

/* Of one that `then` would have: as it is, as it is in another pool, or as a new one begins. */
static struct plan_fact fact_then(struct core *c, const struct pool_state *ps,
				  const struct pool *then, const struct pool_member *m)
{
	struct member_state s = { 0 };
	struct plan_fact f;
	struct plan_first first;
	size_t place;

	if (ps && pool_member_find(ps->pool, &m->endpoint, &place))
		s = pool_state_member(ps, place);
	if (m->terminating || then->set.check->type == CHECK_NONE)
		s.target = NULL;
	else if (!s.target)
		s.target = target_find(c, then->set.check, &m->endpoint);
	f = fact_of(then, &s);
	if (s.target || m->terminating || then->set.check->type == CHECK_NONE)
		return f;
	plan_first_facts(c, then, m, &first);
	first.pool_proven = ps && is_proven(ps);
	f.state = plan_first_state(&first);
	f.good = false;
	return f;
}

/* What of it is for the kernel. */
static void keep_places(struct pool_state *ps, const struct plan_member *plan)
{
	for (size_t i = 0; i < ps->pool->member_count; i++)
		ps->places[i] = plan_place(&plan[i]);
}

struct pool_state *pool_state_preview(struct core *c, const struct pool *then)
{
	const struct pool_state *now = pool_state_find(c, then->id);
	struct pool_state *ps = xcalloc(1, sizeof(*ps));
	struct plan_fact *facts = xcalloc(then->member_count, sizeof(*facts));
	struct plan_member *plan = xcalloc(then->member_count, sizeof(*plan));
	struct plan_outcome outcome;

	ps->core = c;
	ps->pool = pool_ref((struct pool *)(uintptr_t)then);
	ps->places = xcalloc(then->member_count, sizeof(*ps->places));
	for (size_t i = 0; i < then->member_count; i++) {
		const struct pool_member m = pool_member(then, i);

		facts[i] = fact_then(c, now, then, &m);
	}
	plan_last_good(then, facts, core_now(c));
	plan_pool(then, facts, core_now(c), plan, &outcome);
	keep_places(ps, plan);
	free(plan);
	free(facts);
	return ps;
}

void pool_state_preview_done(struct pool_state *ps)
{
	if (!ps)
		return;
	pool_unref(ps->pool);
	free(ps->places);
	free(ps);
}

static size_t count_serving(const struct pool_state *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->pool->member_count; i++)
		n += ps->places[i].weight > 0;
	return n;
}

static void log_fail_open(const struct pool_state *ps, bool before)
{
	const char *too_few = ps->pool->set.min_healthy ? "too few members are" : "no member is";

	if (ps->fail_open && !before)
		log_warn("plan", "pool %s: %s up; its fail-policy keeps %zu in service",
			 ps->pool->id, too_few, count_serving(ps));
	if (!ps->fail_open && before)
		log_info("plan", "pool %s: %s up again", ps->pool->id,
			 ps->pool->set.min_healthy ? "enough members are" : "a member is");
}

char *pool_state_fault(const struct pool_state *ps)
{
	struct buf b = { 0 };
	const char *before = ": ";
	struct pool_member writer = { 0 };
	char text[ENDPOINT_TEXT_MAX];

	if (!ps->torn)
		return NULL;
	buf_str(&b, "more than one member accepts writes");
	for (size_t i = 0; i < ps->pool->member_count && b.len < FAULT_LIST_MAX; i++) {
		const struct pool_member m = pool_member(ps->pool, i);

		if (ps->members[i].writer && ps->places[i].weight)
			writer = m;
		if (!claims_writes(ps->pool, ps->members[i].target))
			continue;
		buf_printf(&b, "%s%s", before, endpoint_text(&m.endpoint, text));
		before = ", ";
	}
	if (writer.endpoint.port)
		buf_printf(&b, "; only %s is used", endpoint_text(&writer.endpoint, text));
	else
		buf_str(&b, "; none is used until it is one alone");
	return (char *)(uintptr_t)buf_cstr(&b);
}

static void log_torn(const struct pool_state *ps, bool before)
{
	CLEANUP(xfree_ptr) char *fault = pool_state_fault(ps);

	if (ps->torn && !before)
		log_error("plan", "pool %s: %s", ps->pool->id, fault);
	if (!ps->torn && before)
		log_info("plan", "pool %s: no more than one member accepts writes", ps->pool->id);
}

/* What the plan says for the next one. */
static void keep_writer(struct pool_state *ps, const struct plan_member *plan)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; ps->members && i < ps->pool->member_count; i++) {
		struct member_state *m = &ps->members[i];
		const struct plan_member *p = &plan[i];
		const struct pool_member member = pool_member(ps->pool, i);

		if (p->writer && !m->writer)
			log_info("plan", "pool %s: its writer is %s", ps->pool->id,
				 endpoint_text(&member.endpoint, text));
		if (p->writer != m->writer)
			state_changed(ps->core);
		m->writer = p->writer;
		m->serving = p->weight > 0;
		m->retired = p->retired;
	}
}

static void work_out(struct pool_state *ps, struct plan_member *plan)
{
	struct core *c = ps->core;
	struct plan_fact *facts = xcalloc(ps->pool->member_count, sizeof(*facts));
	bool was_open = ps->fail_open, was_torn = ps->torn;
	struct plan_outcome outcome;

	facts_of(ps, facts);
	plan_last_good(ps->pool, facts, core_now(c));
	for (size_t i = 0; ps->members && i < ps->pool->member_count; i++)
		ps->members[i].last_good = facts[i].last_good;
	plan_pool(ps->pool, facts, core_now(c), plan, &outcome);
	free(facts);
	keep_places(ps, plan);
	ps->fail_open = outcome.fail_open;
	ps->torn = outcome.torn;
	keep_writer(ps, plan);
	state_note(ps);
	if (was_open != ps->fail_open)
		state_changed(c);
	log_fail_open(ps, was_open);
	log_torn(ps, was_torn);
	loop_cancel(c->loop, ps->timer);
	ps->timer = outcome.next.ns ? loop_timer_at(c->loop, outcome.next, leave_due, ps) : 0;
}

static void plan_state(struct pool_state *ps)
{
	struct plan_member *plan = xcalloc(ps->pool->member_count, sizeof(*plan));
	struct core *c = ps->core;

	ps->dirty = false;
	work_out(ps, plan);
	for (size_t i = 0; i < ps->pool->frontend_count; i++) {
		struct frontend *f = frontend_get(c, &ps->pool->frontends[i]);

		if (f && f->owner == ps)
			frontend_apply(f);
	}
	view_pool_new(c, ps, plan);
	free(plan);
	report_pool(ps);
}

void pool_states_update(struct core *c)
{
	if (!c->planning)
		return;
	pools_update(c->pools, on_change, c);
	secrets_update(c);
	quotas_judge(c);
	falls_judge(c);
	/* Planning may make none dirty again, but the list may have holes. */
	for (size_t i = 0; i < c->dirty_count; i++) {
		if (c->dirty[i])
			plan_state(c->dirty[i]);
	}
	c->dirty_count = 0;
	/* After the first plan they are few. */
	if (c->dirty_size > DIRTY_KEPT) {
		free(c->dirty);
		c->dirty = NULL;
		c->dirty_size = 0;
	}
}
