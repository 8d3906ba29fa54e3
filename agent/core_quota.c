/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much is checked for one namespace: `quotas` of the configuration.
 *
 * A target is on the account of one namespace, of those whose pools hold it: the first, as long
 * as it does. What a namespace asks for beyond its quota is not probed, and serves as if it had no
 * check: it is up, unless the check asks for a role. Who was first stays: those that wait for room do so in a row, and of those
 * that come in the same turn, as all do at a start, whom a probe has seen goes first, then
 * the lower address; so a restart keeps checking those it checked.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

/* The account of a namespace; kept once it was opened, for there are few. */
struct quota {
	char *ns;
	const struct config_quota *limit;
	uint32_t targets; /* that are probed */
	uint64_t milli;	  /* of their probes in 1000 s */
	uint32_t unchecked;
	bool told; /* that there are some: the log has it */
	TAILQ_HEAD(, claim) waiting;
};

/* What a target has where its namespace has a limit. */
struct claim {
	struct target *target;
	struct quota *quota;
	enum {
		CLAIM_FRESH,   /* to be judged at the end of the turn */
		CLAIM_WAITING, /* not probed */
		CLAIM_CHECKED,
	} is;
	TAILQ_ENTRY(claim) entry; /* unless it is checked */
};

static bool is_quota(const void *object, const void *key)
{
	return strcmp(((const struct quota *)object)->ns, key) == 0;
}

void quotas_start(struct core *c)
{
	const struct config_quotas *q = &c->config->quotas;

	c->quotas.any = q->all.targets || q->all.probes_per_s || q->own_count;
	map_init(&c->quotas.accounts, is_quota);
	TAILQ_INIT(&c->quotas.fresh);
}

void quotas_end(struct core *c)
{
	size_t pos = 0;
	struct quota *q;

	while ((q = map_next(&c->quotas.accounts, &pos))) {
		free(q->ns);
		free(q);
	}
	map_done(&c->quotas.accounts);
}

static struct quota *account_of(struct core *c, const char *ns)
{
	uint64_t hash = hash_table_str(ns);
	struct quota *q = map_get(&c->quotas.accounts, hash, ns);

	if (q)
		return q;
	q = xcalloc(1, sizeof(*q));
	q->ns = xstrdup(ns);
	q->limit = config_quota_of(&c->config->quotas, ns);
	TAILQ_INIT(&q->waiting);
	map_put(&c->quotas.accounts, hash, q);
	return q;
}

static bool is_unlimited(const struct quota *q)
{
	return !q->limit->targets && !q->limit->probes_per_s;
}

static uint64_t milli_of(const struct target *t)
{
	return 1000000 / t->check->interval_ms;
}

static bool fits(const struct quota *q, const struct target *t)
{
	const struct config_quota *l = q->limit;

	return (!l->targets || q->targets < l->targets) &&
	       (!l->probes_per_s || q->milli + milli_of(t) <= UINT64_C(1000) * l->probes_per_s);
}

/* Nobody is overtaken: one that does not fit is not passed by a smaller one. */
static bool has_room(const struct quota *q, const struct target *t)
{
	return TAILQ_EMPTY(&q->waiting) && fits(q, t);
}

/* --- one target ------------------------------------------------------------------------- */

static void mark_users(struct target *t)
{
	for (uint32_t i = 0; i < t->user_count; i++)
		pool_state_dirty(t->users[i]);
	t->core->view.targets_changed = true;
}

static void charge(struct quota *q, struct claim *claim)
{
	claim->quota = q;
	claim->is = CLAIM_CHECKED;
	q->targets++;
	q->milli += milli_of(claim->target);
}

static void count_unchecked(struct quota *q, struct core *c, int more)
{
	q->unchecked += (uint32_t)more;
	c->quotas.unchecked += (uint32_t)more;
	c->quotas.changed = true;
}

/*
 * As a member without a check is. But who is asked for a role stays as it was: nobody is taken for
 * a writer, or for a replica that does not lag, unasked.
 */
static void wait_for_room(struct claim *claim)
{
	struct target *t = claim->target;

	falls_leave(t);
	t->verdict = (struct hc_verdict){
		.id = t->id,
		.state = t->check->role == CHECK_ROLE_ANY ? VERDICT_UP : t->verdict.state,
		.reason = HC_REASON_OVER_QUOTA,
		.since_ms = clock_wall_ms(loop_clock(t->core->loop)),
	};
	t->inherited = t->came_back = false;
	t->since = core_now(t->core);
	claim->is = CLAIM_WAITING;
	TAILQ_INSERT_TAIL(&claim->quota->waiting, claim, entry);
	count_unchecked(claim->quota, t->core, 1);
	mark_users(t);
}

/* It is up until its first probes say otherwise. */
static void begin_checks(struct target *t)
{
	if (t->verdict.reason == HC_REASON_OVER_QUOTA)
		t->verdict.reason = HC_REASON_NONE;
	target_tell(t);
	mark_users(t);
}

/* It stands in no list any more, and is on no account. */
static void take_out(struct claim *claim)
{
	struct quota *q = claim->quota;
	struct core *c = claim->target->core;

	switch (claim->is) {
	case CLAIM_FRESH:
		TAILQ_REMOVE(&c->quotas.fresh, claim, entry);
		return;
	case CLAIM_WAITING:
		TAILQ_REMOVE(&q->waiting, claim, entry);
		count_unchecked(q, c, -1);
		return;
	case CLAIM_CHECKED:
		q->targets--;
		q->milli -= milli_of(claim->target);
	}
}

static void fill(struct quota *q)
{
	struct claim *claim;

	while ((claim = TAILQ_FIRST(&q->waiting)) && fits(q, claim->target)) {
		take_out(claim);
		charge(q, claim);
		begin_checks(claim->target);
	}
}

void quota_leave(struct target *t)
{
	struct claim *claim = t->claim;

	if (!claim)
		return;
	take_out(claim);
	fill(claim->quota);
	free(claim);
	t->claim = NULL;
}

bool quota_is_checked(const struct target *t)
{
	return !t->claim || t->claim->is == CLAIM_CHECKED;
}

/* --- who has it ---------------------------------------------------------------------------- */

/* A namespace without limits has what it asks for. */
static void have_checked(struct target *t, bool is_new)
{
	bool was_checked = quota_is_checked(t) && !is_new;

	quota_leave(t);
	if (!was_checked)
		begin_checks(t);
}

void quota_join(struct target *t, const char *ns, bool is_new)
{
	struct core *c = t->core;
	struct quota *q = c->quotas.any ? account_of(c, ns) : NULL;
	struct claim *claim = t->claim;

	if (!q || is_unlimited(q)) {
		have_checked(t, is_new);
	} else if (is_new) {
		t->claim = claim = xcalloc(1, sizeof(*claim));
		*claim = (struct claim){ .target = t, .quota = q, .is = CLAIM_FRESH };
		TAILQ_INSERT_TAIL(&c->quotas.fresh, claim, entry);
	} else if (claim && claim->is == CLAIM_WAITING && q != claim->quota && has_room(q, t)) {
		take_out(claim);
		charge(q, claim);
		begin_checks(t);
	}
}

/* One of those whose pools hold it: `before` where that is one of them. NULL: nobody's. */
static struct quota *payer_of(struct target *t, struct quota *before)
{
	struct quota *found = NULL;

	for (uint32_t i = 0; i < t->user_count; i++) {
		const struct pool *pool = t->users[i]->pool;
		struct quota *q = pool ? account_of(t->core, pool->ns) : NULL;

		if (q && (q == before || is_unlimited(q)))
			return q;
		found = q ? q : found;
	}
	return found;
}

void quota_released(struct target *t)
{
	struct claim *claim = t->claim;
	struct quota *before = claim ? claim->quota : NULL, *q;

	if (!t->core->quotas.any || !quota_is_checked(t))
		return;
	q = payer_of(t, before);
	if (!q || q == before || is_unlimited(q))
		return;
	/* It goes on being checked, be it above that quota: what others do ends no checks. */
	if (claim)
		take_out(claim);
	else
		t->claim = claim = xcalloc(1, sizeof(*claim));
	claim->target = t;
	charge(q, claim);
	if (before)
		fill(before);
}

/* --- those that are new ----------------------------------------------------------------------- */

static int by_claim(const void *a, const void *b)
{
	const struct target *x = (*(struct claim *const *)a)->target;
	const struct target *y = (*(struct claim *const *)b)->target;
	int r = (int)y->verdict.proven - (int)x->verdict.proven;

	if (r == 0)
		r = endpoint_cmp(&x->endpoint, &y->endpoint);
	return r ? r : (x->id > y->id) - (x->id < y->id);
}

static void judge(struct claim *claim)
{
	if (!has_room(claim->quota, claim->target)) {
		wait_for_room(claim);
		return;
	}
	charge(claim->quota, claim);
	begin_checks(claim->target);
}

static void tell_change(struct quota *q)
{
	if (q->unchecked && !q->told)
		log_warn("health",
			 "namespace %s asks for more checks than its quota: %u targets are not "
			 "checked, and serve as if they had no check",
			 q->ns, q->unchecked);
	if (!q->unchecked && q->told)
		log_info("health", "namespace %s: all targets are checked", q->ns);
	q->told = q->unchecked > 0;
}

void quotas_judge(struct core *c)
{
	CLEANUP(xfree_ptr) struct claim **all = NULL;
	size_t count = 0, room = 0, pos = 0;
	struct claim *claim;
	struct quota *q;

	while ((claim = TAILQ_FIRST(&c->quotas.fresh))) {
		TAILQ_REMOVE(&c->quotas.fresh, claim, entry);
		if (count == room) {
			room = room ? room * 2 : 64;
			all = xreallocarray(all, room, sizeof(struct claim *));
		}
		all[count++] = claim;
	}
	if (count)
		qsort(all, count, sizeof(struct claim *), by_claim);
	for (size_t i = 0; i < count; i++)
		judge(all[i]);
	while (c->quotas.changed && (q = map_next(&c->quotas.accounts, &pos)))
		tell_change(q);
	c->quotas.changed = false;
}

char *quota_words(const struct pool_state *ps)
{
	const struct config_quota *l = config_quota_of(&ps->core->config->quotas, ps->pool->ns);
	size_t count = 0;

	if (!ps->core->quotas.unchecked)
		return NULL;
	for (size_t i = 0; ps->members && i < ps->pool->member_count; i++) {
		const struct target *t = ps->members[i].target;

		count += t && !quota_is_checked(t);
	}
	if (!count)
		return NULL;
	if (l->targets && l->probes_per_s)
		return xasprintf("%zu of its %u members are not checked and serve as if they were "
				 "well: namespace %s has its quota, %u targets and %u probes a "
				 "second (quotas in parasaus.yaml(5))",
				 count, ps->pool->member_count, ps->pool->ns, l->targets,
				 l->probes_per_s);
	return xasprintf("%zu of its %u members are not checked and serve as if they were well: "
			 "namespace %s has its quota, %u %s (quotas in parasaus.yaml(5))",
			 count, ps->pool->member_count, ps->pool->ns,
			 l->targets ? l->targets : l->probes_per_s,
			 l->targets ? "targets" : "probes a second");
}
