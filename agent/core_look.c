/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions of people about one target: what core knows of it, and what the
 * healthcheck process says of it just now. Whom that does not answer in
 * LOOK_PATIENCE_MS, or who asked a process that is gone, is told that nobody
 * says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/target_route.h"
#include "agent/core_private.h"

#define LOOK_PATIENCE_MS 1000
#define WATCHED_MAX	 (NOTRACK_SERVERS * IPVS_NOTRACK_PARTS) /* each is asked after once at a time */

/* NULL: nothing that is shown has that id. */
static const struct target *find(const struct core *c, uint64_t id)
{
	const struct target *t = target_of_id(c, id);

	return t && t->check && t->user_count ? t : NULL;
}

/* --- the healthcheck process ------------------------------------------------------------- */

static void answer(const struct question *q, const struct hc_sight *s)
{
	((target_seen_fn *)q->fn)(q->arg, s);
}

static void on_given_up(void *owner, const struct question *q, int error)
{
	(void)owner;
	(void)error;
	answer(q, NULL);
}

void looks_start(struct core *c)
{
	questions_init(&c->looks, c->loop, LOOK_PATIENCE_MS, on_given_up, c);
}

bool looks_ask(void *arg, uint64_t id, target_seen_fn *fn, void *fn_arg)
{
	struct core *c = arg;

	return c->looks.count < QUESTIONS_MAX - WATCHED_MAX && looks_watch(c, id, fn, fn_arg);
}

bool looks_watch(struct core *c, uint64_t id, target_seen_fn *fn, void *fn_arg)
{
	const struct question q = { id, (void (*)(void))fn, fn_arg };
	CLEANUP(buf_done) struct buf b = { 0 };

	if (!c->health || !find(c, id) || !questions_add(&c->looks, &q))
		return false;
	wire_put_u64(&b, id);
	channel_send(c->health, HC_MSG_LOOK, &b);
	return true;
}

bool looks_hear(struct core *c, struct wire *body)
{
	struct question q;
	struct hc_sight s;

	wire_hc_sight(body, &s);
	if (!wire_end(body))
		return false;
	/* Otherwise it comes too late. */
	if (questions_take(&c->looks, s.id, &q))
		answer(&q, &s);
	return true;
}

void looks_disconnected(struct core *c)
{
	questions_give_up(&c->looks, EPIPE);
}

void looks_end(struct core *c)
{
	questions_done(&c->looks);
}

/* --- what core knows ---------------------------------------------------------------------- */

/* The first member that does not come before this address. */
static size_t first_at(const struct pool *pool, const struct addr *a)
{
	const struct endpoint low = { .addr = *a };
	size_t from = 0, to = pool->member_count;
	struct endpoint room;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (endpoint_cmp(pool_member_endpoint(pool, mid, &room), &low) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

/* Those of a pool that are checked by it: they all have its address. */
static void add_users(const struct pool_state *ps, const struct target *t,
		      struct target_details *out)
{
	const struct pool *pool = ps->pool;
	struct endpoint room;

	for (size_t i = first_at(pool, &t->endpoint.addr);
	     i < pool->member_count && out->users_shown < TARGET_USERS_MAX; i++) {
		const struct endpoint *e = pool_member_endpoint(pool, i, &room);

		if (addr_cmp(&e->addr, &t->endpoint.addr) != 0)
			return;
		if (pool_state_member(ps, i).target == t)
			out->users[out->users_shown++] = (struct target_user){ pool->id, *e };
	}
}

/* One that holds it by several members is a user for each of them. */
static bool is_told(const struct target_details *d, const struct pool_state *ps)
{
	for (size_t i = 0; i < d->users_shown; i++)
		if (d->users[i].pool == ps->pool->id)
			return true;
	return false;
}

static int by_pool(const void *a, const void *b)
{
	const struct target_user *x = a, *y = b;
	int r = strcmp(x->pool, y->pool);

	return r ? r : endpoint_cmp(&x->member, &y->member);
}

bool look_find(void *arg, uint64_t id, struct target_details *out)
{
	struct core *c = arg;
	const struct target *t = find(c, id);

	if (!t)
		return false;
	out->check = t->check;
	out->reason = t->verdict.reason;
	view_target(t, &out->target);
	check_unref(out->target.login); /* it is the target's as well */
	out->past_count = transitions_read(c->transitions, t->newest, out->past);
	out->user_count = t->user_count;
	out->users_shown = 0;
	for (uint32_t i = 0; i < t->user_count && out->users_shown < TARGET_USERS_MAX; i++)
		if (!is_told(out, t->users[i]))
			add_users(t->users[i], t, out);
	qsort(out->users, out->users_shown, sizeof(out->users[0]), by_pool);
	return true;
}

int64_t look_now_ms(void *arg)
{
	const struct core *c = arg;

	return clock_wall_ms(loop_clock(c->loop));
}
