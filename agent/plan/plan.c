/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/plan/plan.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "agent/pool/settings.h"

#define NOBODY SIZE_MAX

static bool is_mh(const struct pool *pool)
{
	return strcmp(pool->set.scheduler, "mh") == 0;
}

/* Each weight has its say in which server a client is hashed to. */
static bool hashes(const struct pool *pool)
{
	const char *s = pool->set.scheduler;

	return is_mh(pool) || strcmp(s, "sh") == 0 || strcmp(s, "dh") == 0;
}

static bool has_one_writer(const struct pool *pool)
{
	return pool->set.check && pool->set.check->role == CHECK_ROLE_WRITER;
}

struct plan_path plan_path(const struct pool *pool)
{
	switch (pool->set.forward) {
	case FORWARD_NAT:
		break;
	case FORWARD_DIRECT:
		return (struct plan_path){ .forward = IPVS_DIRECT };
	case FORWARD_TUNNEL:
		return (struct plan_path){ .forward = IPVS_TUNNEL,
					   .tunnel = (uint8_t)pool->set.tunnel.type,
					   .tunnel_port = pool->set.tunnel.port };
	}
	return (struct plan_path){ .forward = IPVS_NAT };
}

/* How many members have to be up, so that those that are down stay out. */
static size_t needed(const struct pool *pool, const struct plan_fact *facts)
{
	size_t known = 0, need;

	for (size_t i = 0; i < pool->member_count; i++) {
		const struct pool_member m = pool_member(pool, i);

		known += !m.terminating && m.weight && facts[i].state != VERDICT_UNKNOWN;
	}
	need = (known * pool->set.min_healthy + 99) / 100;
	return need ? need : 1;
}

void plan_last_good(const struct pool *pool, struct plan_fact *facts, mono_t now)
{
	mono_t last = { 0 }, end; /* until when they may have been down for so long */
	size_t good = 0;

	for (size_t i = 0; i < pool->member_count; i++) {
		good += facts[i].good && !pool_member(pool, i).terminating;
		if (facts[i].last_good && facts[i].state == VERDICT_DOWN &&
		    mono_before(last, facts[i].down_since))
			last = facts[i].down_since;
	}
	if (good >= needed(pool, facts))
		end = now;
	else
		end = pool->set.min_healthy ? (mono_t){ 0 } : last;
	for (size_t i = 0; i < pool->member_count; i++) {
		struct plan_fact *f = &facts[i];
		mono_t until = mono_add_ms(f->down_since, PLAN_UNHEALTHY_KEEP_MS);

		if (f->last_good && f->state == VERDICT_DOWN)
			f->last_good = mono_before(end, until);
		if (f->good)
			f->last_good = true;
		if (pool_member(pool, i).terminating)
			f->last_good = false;
	}
}

/* Which members hold the pool together while none is up, or too few are. */
struct fallback {
	bool active;
	bool last_good; /* those that were up last; otherwise every one */
};

static struct fallback fallback_of(const struct pool *pool, const struct plan_fact *facts)
{
	struct fallback f = { .active = pool->set.fail_policy != FAIL_CLOSED };
	size_t up = 0;

	for (size_t i = 0; i < pool->member_count; i++) {
		const struct pool_member m = pool_member(pool, i);

		if (m.terminating || m.weight == 0)
			continue;
		up += facts[i].state == VERDICT_UP;
		if (facts[i].last_good && facts[i].state != VERDICT_UP &&
		    pool->set.fail_policy == FAIL_OPEN_LAST)
			f.last_good = true;
	}
	if (up >= needed(pool, facts))
		f.active = false;
	return f;
}

/* How long a member that is down keeps weight 0 before it leaves; -1: for ever. */
static int64_t keep_down_ms(const struct pool *pool)
{
	if (is_mh(pool))
		return -1;
	if (!protocol_has_connections(pool->protocol))
		return 0;
	switch (pool->set.unhealthy) {
	case UNHEALTHY_DRAIN:
		return PLAN_UNHEALTHY_KEEP_MS;
	case UNHEALTHY_KEEP:
		return -1;
	case UNHEALTHY_RESET:
		return 0;
	}
	return -1;
}

static void plan_down(const struct pool *pool, const struct plan_fact *fact, mono_t now,
		      struct plan_member *out)
{
	int64_t keep = keep_down_ms(pool);

	out->reasons |= fact->other_role ? MEMBER_ROLE : MEMBER_UNHEALTHY;
	if (keep < 0) {
		out->in_table = true;
		return;
	}
	out->remove_at = mono_add_ms(fact->down_since, keep);
	out->in_table = mono_before(now, out->remove_at);
	if (!out->in_table)
		out->remove_at = (mono_t){ 0 };
}

static void plan_member(const struct pool *pool, const struct pool_member *m,
			const struct plan_fact *fact, const struct fallback *fb, mono_t now,
			struct plan_member *out)
{
	*out = (struct plan_member){ 0 };
	if (m->terminating) {
		out->reasons = MEMBER_TERMINATING;
		return;
	}
	if (m->weight == 0)
		out->reasons |= MEMBER_WEIGHT_ZERO;
	if (fact->state == VERDICT_UP) {
		out->in_table = true;
		out->weight = m->weight;
		out->reasons |= fact->waiting ? MEMBER_MASS_FAILURE : 0;
		return;
	}
	if (fb->active && (!fb->last_good || fact->last_good || fact->state == VERDICT_UNKNOWN)) {
		out->in_table = true;
		out->weight = m->weight;
		out->reasons |= MEMBER_FAIL_OPEN;
		if (fact->state == VERDICT_UNKNOWN)
			out->reasons |= MEMBER_UNPROVEN;
		else
			out->reasons |= fact->other_role ? MEMBER_ROLE : MEMBER_UNHEALTHY;
		return;
	}
	if (fact->state == VERDICT_UNKNOWN) {
		out->reasons |= MEMBER_UNPROVEN;
		out->in_table = is_mh(pool);
		return;
	}
	plan_down(pool, fact, now, out);
}

/* --- one writer --------------------------------------------------------------- */

struct election {
	size_t writer; /* an index, or NOBODY */
	size_t claims; /* how many */
};

static struct election elect(const struct pool *pool, const struct plan_fact *facts)
{
	struct election e = { .writer = NOBODY };
	size_t claimant = NOBODY;
	bool all_known = true;

	for (size_t i = 0; i < pool->member_count; i++) {
		const struct plan_fact *f = &facts[i];

		if (pool_member(pool, i).terminating)
			continue;
		if (f->writer && e.writer == NOBODY)
			e.writer = i;
		all_known = all_known && (f->claims || f->state == VERDICT_DOWN);
		if (!f->claims)
			continue;
		e.claims++;
		if (pool_member(pool, i).weight)
			claimant = i;
	}
	if (e.writer == NOBODY ? all_known && e.claims == 1
			       : facts[e.writer].state == VERDICT_DOWN && e.claims == 1)
		e.writer = claimant == NOBODY ? e.writer : claimant;
	return e;
}

/* One that is not the writer: there is but one answer to each state it may be in. */
static void plan_other(const struct pool *pool, const struct pool_member *m,
		       const struct plan_fact *fact, mono_t now, struct plan_member *out)
{
	const struct fallback none = { 0 };

	plan_member(pool, m, fact, &none, now, out);
	if (m->terminating || fact->state != VERDICT_UP)
		return;
	out->weight = 0;
	out->reasons |= MEMBER_STANDBY;
	out->in_table = is_mh(pool) || pool->set.unhealthy == UNHEALTHY_KEEP;
}

static void plan_writer(const struct pool *pool, const struct pool_member *m,
			const struct plan_fact *fact, mono_t now, struct plan_member *out)
{
	struct fallback fb = { .active = fact->state == VERDICT_UNKNOWN ||
					 pool->set.fail_policy != FAIL_CLOSED };

	plan_member(pool, m, fact, &fb, now, out);
	/* It goes on being the writer, and not for want of a better one. */
	if (fact->state == VERDICT_UNKNOWN)
		out->reasons &= ~(uint32_t)MEMBER_FAIL_OPEN;
	out->writer = true;
}

/* Who has just lost its weight is at 0 for a moment. */
static void hand_over(const struct plan_fact *fact, mono_t now, struct plan_member *out)
{
	bool stays = out->in_table && !out->remove_at.ns;
	mono_t until;

	if (out->weight)
		return;
	out->retired = fact->serving ? now : fact->retired;
	until = mono_add_ms(out->retired, PLAN_HANDOVER_MS);
	if (!out->retired.ns || !mono_before(now, until) || stays)
		return;
	out->in_table = true;
	if (mono_before(out->remove_at, until))
		out->remove_at = until;
}

static void plan_one_writer(const struct pool *pool, const struct plan_fact *facts, mono_t now,
			    struct plan_member *out, struct plan_outcome *outcome)
{
	struct election e = elect(pool, facts);

	outcome->torn = e.claims > 1;
	for (size_t i = 0; i < pool->member_count; i++) {
		const struct pool_member member = pool_member(pool, i), *m = &member;

		if (i == e.writer)
			plan_writer(pool, m, &facts[i], now, &out[i]);
		else
			plan_other(pool, m, &facts[i], now, &out[i]);
		if (!m->terminating)
			hand_over(&facts[i], now, &out[i]);
	}
}

/* --- a pool --------------------------------------------------------------------- */

static void plan_equals(const struct pool *pool, const struct plan_fact *facts, mono_t now,
			struct plan_member *out)
{
	struct fallback fb = fallback_of(pool, facts);

	for (size_t i = 0; i < pool->member_count; i++) {
		const struct pool_member m = pool_member(pool, i);

		plan_member(pool, &m, &facts[i], &fb, now, &out[i]);
	}
}

/* Who says that it is about to go gets nothing new, if there are others to get it. */
static void let_drain(const struct pool *pool, const struct plan_fact *facts,
		      struct plan_member *out)
{
	bool others = false;

	for (size_t i = 0; i < pool->member_count; i++)
		others = others ||
			 (out[i].weight && facts[i].state == VERDICT_UP && !facts[i].draining);
	for (size_t i = 0; i < pool->member_count; i++) {
		if (facts[i].state != VERDICT_UP || !facts[i].draining)
			continue;
		out[i].reasons |= MEMBER_DRAINING;
		if (others)
			out[i].weight = 0;
	}
}

static bool is_weak(const struct plan_fact *f)
{
	return f->saturated || f->degraded;
}

/* Taken out, its load would fall on the others: it keeps a little, if there are any. */
static void spare_weak(const struct pool *pool, const struct plan_fact *facts,
		       struct plan_member *out)
{
	bool others = false;

	for (size_t i = 0; i < pool->member_count; i++)
		others = others ||
			 (out[i].weight && facts[i].state == VERDICT_UP && !is_weak(&facts[i]));
	for (size_t i = 0; i < pool->member_count; i++) {
		if (facts[i].state != VERDICT_UP || !is_weak(&facts[i]))
			continue;
		out[i].reasons |= facts[i].saturated ? MEMBER_SATURATED : MEMBER_DEGRADED;
		if (others && out[i].weight && !hashes(pool))
			out[i].weight = 1;
	}
}

/* When something changes that nobody tells; { 0 }: it does not. */
static void note_next(mono_t *next, mono_t when)
{
	if (when.ns && (!next->ns || mono_before(when, *next)))
		*next = when;
}

#define TENTHS 10

/* How many tenths of its weight it has; *next: when it has one more, { 0 }: it has all. */
static uint32_t tenths_of(const struct pool *pool, mono_t since, mono_t now, mono_t *next)
{
	int64_t step = pool->set.slow_start_s * INT64_C(1000000000) / TENTHS;
	int64_t steps = mono_before(since, now) ? (now.ns - since.ns) / step : 0;

	*next = (mono_t){ 0 };
	if (steps >= TENTHS - 1)
		return TENTHS;
	next->ns = since.ns + (steps + 1) * step;
	return (uint32_t)steps + 1;
}

static size_t count_serving(const struct pool *pool, const struct plan_fact *facts,
			    const struct plan_member *out)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->member_count; i++)
		n += facts[i].state == VERDICT_UP && out[i].weight;
	return n;
}

/* Who comes back cold would break down under its full share: it gets that by and by, if there are
 * others to carry the rest. */
static void start_slowly(const struct pool *pool, const struct plan_fact *facts, mono_t now,
			 struct plan_member *out, mono_t *next)
{
	if (!pool->set.slow_start_s || pool_scheduler_no_shares(pool->set.scheduler) ||
	    count_serving(pool, facts, out) < 2)
		return;
	for (size_t i = 0; i < pool->member_count; i++) {
		const struct plan_fact *f = &facts[i];
		uint32_t weight;
		mono_t more;

		if (f->state != VERDICT_UP || !f->up_since.ns || !out[i].weight)
			continue;
		weight = (pool_member(pool, i).weight * tenths_of(pool, f->up_since, now, &more) +
			  TENTHS - 1) /
			 TENTHS;
		if (weight >= out[i].weight)
			continue;
		out[i].weight = weight;
		out[i].reasons |= MEMBER_SLOW_START;
		note_next(next, more);
	}
}

/* Who is of the last good set and down leaves it in time, so that it is known who was when too few
 * are up. */
static void note_last_good(const struct pool *pool, const struct plan_fact *facts, mono_t now,
			   mono_t *next)
{
	if (!pool->set.min_healthy)
		return;
	for (size_t i = 0; i < pool->member_count; i++) {
		const struct plan_fact *f = &facts[i];
		mono_t until = mono_add_ms(f->down_since, PLAN_UNHEALTHY_KEEP_MS);

		if (f->last_good && f->state == VERDICT_DOWN && mono_before(now, until))
			note_next(next, until);
	}
}

static void mark_held(const struct pool *pool, const struct plan_fact *facts, mono_t now,
		      struct plan_member *out, mono_t *next)
{
	for (size_t i = 0; i < pool->member_count; i++) {
		const struct plan_fact *f = &facts[i];

		if (f->state != VERDICT_DOWN || !mono_before(now, f->held_until))
			continue;
		out[i].reasons |= MEMBER_HELD;
		note_next(next, f->held_until);
	}
}

void plan_pool(const struct pool *pool, const struct plan_fact *facts, mono_t now,
	       struct plan_member *out, struct plan_outcome *outcome)
{
	*outcome = (struct plan_outcome){ 0 };
	if (has_one_writer(pool))
		plan_one_writer(pool, facts, now, out, outcome);
	else
		plan_equals(pool, facts, now, out);
	let_drain(pool, facts, out);
	spare_weak(pool, facts, out);
	start_slowly(pool, facts, now, out, &outcome->next);
	mark_held(pool, facts, now, out, &outcome->next);
	note_last_good(pool, facts, now, &outcome->next);
	for (size_t i = 0; i < pool->member_count; i++) {
		if (out[i].reasons & MEMBER_FAIL_OPEN)
			outcome->fail_open = true;
		note_next(&outcome->next, out[i].remove_at);
	}
}

/* In the kernel's form: a mask for IPv4, a length for IPv6. */
static uint32_t client_netmask(const struct pool *pool, const struct ipvs_service *s)
{
	const struct pool_prefixes *p = &pool->set.persistence;

	if (s->key.addr.family == AF_INET6)
		return p->v6 ? p->v6 : s->netmask;
	return p->v4 ? htonl(UINT32_MAX << (32 - p->v4)) : s->netmask;
}

struct ipvs_service plan_service(const struct pool *pool, const struct endpoint *frontend)
{
	struct ipvs_service s = ipvs_service_of(frontend);

	snprintf(s.scheduler, sizeof(s.scheduler), "%s", pool->set.scheduler);
	s.flags = pool->set.scheduler_flags;
	/* Without it, clients hashed to a member of weight 0 would be refused. */
	if (is_mh(pool))
		s.flags |= IPVS_SCHED1;
	if (pool->set.one_packet && pool->protocol == IPPROTO_UDP)
		s.flags |= IPVS_ONE_PACKET;
	if (pool->persistence_s) {
		s.flags |= IPVS_PERSISTENT;
		s.timeout = pool->persistence_s;
		s.netmask = client_netmask(pool, &s);
	}
	s.masquerade = pool->set.forward == FORWARD_NAT && pool->set.masquerade;
	return s;
}

static bool is_leaving(const struct endpoint *e, const struct plan_drain *drains, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (endpoint_cmp(&drains[i].endpoint, e) == 0)
			return true;
	}
	return false;
}

static void go_by(struct ipvs_dest *d, struct plan_path path)
{
	d->forward = path.forward;
	d->tunnel = path.tunnel;
	d->tunnel_port = path.tunnel_port;
}

void plan_dests(struct ipvs_service *s, const struct pool *pool, const struct plan_place *members,
		const struct plan_drain *drains, size_t drain_count, mono_t now)
{
	for (size_t i = 0; pool && i < pool->member_count; i++) {
		const struct pool_member m = pool_member(pool, i);
		struct ipvs_dest *d;

		if (!members[i].in_table || is_leaving(&m.endpoint, drains, drain_count))
			continue;
		d = ipvs_service_add(s);
		d->addr = m.endpoint.addr;
		d->port = m.endpoint.port;
		go_by(d, plan_path(pool));
		d->weight = members[i].weight;
		d->nominal = m.weight;
		d->upper = pool->set.max_connections;
	}
	for (size_t i = 0; i < drain_count; i++) {
		struct ipvs_dest *d;

		if (drains[i].done || !mono_before(now, drains[i].deadline))
			continue;
		d = ipvs_service_add(s);
		d->addr = drains[i].endpoint.addr;
		d->port = drains[i].endpoint.port;
		go_by(d, drains[i].path);
		d->draining = true;
	}
	ipvs_service_sort(s);
}

enum verdict_state plan_first_state(const struct plan_first *f)
{
	/*
	 * Weight 0 in the kernel is newer than the state file: the kernel is written first. A
	 * weight there may be the fail-open set's, so against "down" the file wins.
	 */
	if (f->in_kernel && f->kernel_weight == 0 && !f->nominal_zero)
		return VERDICT_DOWN;
	if (f->saved != VERDICT_UNKNOWN)
		return f->saved;
	if (f->in_kernel)
		return VERDICT_UP;
	return f->pool_proven || f->kernel_serves || f->has_role ? VERDICT_UNKNOWN : VERDICT_UP;
}
