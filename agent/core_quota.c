/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much is checked for one namespace: `quotas` of the configuration.
 *
 * A checked target is on the account of one namespace, of those whose pools hold it: the same, as
 * long as it does. What a namespace asks for beyond its quota is not probed, and serves as if it
 * had no check: it is up, unless it was known to be down, or the check asks for a role. Who was
 * first stays, also under another check: those that wait for room do so in a row, and of those that
 * come in the same turn, as all do at a start, whom a probe has seen goes first, then the lower
 * address; so a restart keeps checking those it checked. A target that nobody holds is on no
 * account and not probed.
 *
 * Who comes to hold a target, and lets go of it, is only noted. All that follows from it is done in
 * quotas_judge(), when no pool is half made or half gone.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

/* The account of a namespace; kept once it was opened, for there are few. */
struct quota {
	struct core *core;
	char *ns;
	const struct config_quota *limit;
	uint32_t targets; /* that are probed */
	uint64_t milli;	  /* of their probes in 1000 s */
	uint32_t unchecked;
	bool told;	 /* that there are some: the log has it */
	bool is_open;	 /* there may be room for the first of the row */
	bool is_changed; /* `unchecked` is another one */
	TAILQ_ENTRY(quota) open, changed;
	TAILQ_HEAD(, place) row;
};

/* Of one that is not checked, with each of the namespaces that hold it. */
struct place {
	struct claim *claim;
	struct quota *quota;
	bool in_row; /* it could be checked, if nobody else was */
	bool held;
	TAILQ_ENTRY(place) row;
	SLIST_ENTRY(place) next;
};

/* What a target has where there are quotas. */
struct claim {
	struct target *target;
	enum {
		CLAIM_FRESH,   /* to be judged at the end of the turn; or nobody holds it */
		CLAIM_WAITING, /* not probed */
		CLAIM_CHECKED,
	} is;
	bool is_heir;		    /* to be judged: a member of it was checked, by another check */
	struct quota *payer;	    /* of a checked one; NULL: a namespace without limits */
	SLIST_HEAD(, place) places; /* of one that waits */
	bool is_noted;
	TAILQ_ENTRY(claim) entry; /* while it is noted */
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
	TAILQ_INIT(&c->quotas.noted);
	TAILQ_INIT(&c->quotas.open);
	TAILQ_INIT(&c->quotas.changed);
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
	q->core = c;
	q->ns = xstrdup(ns);
	q->limit = config_quota_of(&c->config->quotas, ns);
	TAILQ_INIT(&q->row);
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

static bool can_ever_fit(const struct quota *q, const struct target *t)
{
	const struct config_quota *l = q->limit;

	return !l->probes_per_s || milli_of(t) <= UINT64_C(1000) * l->probes_per_s;
}

/* --- accounts and rows ------------------------------------------------------------------ */

static void open_quota(struct quota *q)
{
	if (q->is_open)
		return;
	q->is_open = true;
	TAILQ_INSERT_TAIL(&q->core->quotas.open, q, open);
}

static void count_unchecked(struct quota *q, int more)
{
	q->unchecked += (uint32_t)more;
	if (q->is_changed)
		return;
	q->is_changed = true;
	TAILQ_INSERT_TAIL(&q->core->quotas.changed, q, changed);
}

static void take_place(struct claim *claim, struct quota *q)
{
	struct place *p = xcalloc(1, sizeof(*p));

	*p = (struct place){ .claim = claim, .quota = q, .held = true };
	SLIST_INSERT_HEAD(&claim->places, p, next);
	count_unchecked(q, 1);
	p->in_row = can_ever_fit(q, claim->target);
	if (!p->in_row)
		return;
	if (claim->is_heir)
		TAILQ_INSERT_HEAD(&q->row, p, row);
	else
		TAILQ_INSERT_TAIL(&q->row, p, row);
	open_quota(q);
}

static void give_place_back(struct place *p)
{
	struct quota *q = p->quota;

	SLIST_REMOVE(&p->claim->places, p, place, next);
	count_unchecked(q, -1);
	if (p->in_row) {
		TAILQ_REMOVE(&q->row, p, row);
		open_quota(q);
	}
	free(p);
}

/* It is on no account and in no row. */
static void give_back(struct claim *claim)
{
	struct quotas *all = &claim->target->core->quotas;

	while (!SLIST_EMPTY(&claim->places))
		give_place_back(SLIST_FIRST(&claim->places));
	if (claim->is == CLAIM_WAITING)
		all->unchecked--;
	if (claim->payer) {
		claim->payer->targets--;
		claim->payer->milli -= milli_of(claim->target);
		open_quota(claim->payer);
	}
	claim->payer = NULL;
	claim->is = CLAIM_FRESH;
}

/* --- one target ------------------------------------------------------------------------- */

static void mark_users(struct target *t)
{
	for (uint32_t i = 0; i < t->user_count; i++)
		pool_state_dirty(t->users[i]);
	t->core->view.targets_changed = true;
}

/* It is as it was until its first probes say otherwise. */
static void begin_checks(struct target *t)
{
	if (t->verdict.reason == HC_REASON_OVER_QUOTA)
		t->verdict.reason = t->inherited ? HC_REASON_INHERITED : HC_REASON_NONE;
	falls_join(t, false);
	vip_check_join(t);
	target_tell(t);
	mark_users(t);
}

/* payer: NULL where that is a namespace without limits. */
static void check(struct claim *claim, struct quota *payer)
{
	bool was_checked = claim->is == CLAIM_CHECKED;

	give_back(claim);
	claim->is = CLAIM_CHECKED;
	claim->payer = payer;
	if (payer) {
		payer->targets++;
		payer->milli += milli_of(claim->target);
	}
	if (!was_checked)
		begin_checks(claim->target);
}

/*
 * As a member without a check is. But who is known to be down stays so, and who is asked for a role
 * stays as it was: nobody is taken for a writer, or for a replica that does not lag, unasked.
 */
static enum verdict_state state_unasked(const struct target *t)
{
	enum verdict_state now = t->verdict.state;

	if (t->check->role != CHECK_ROLE_ANY ||
	    (now == VERDICT_DOWN && (t->inherited || t->verdict.proven)))
		return now;
	return VERDICT_UP;
}

static void wait_for_room(struct claim *claim)
{
	struct target *t = claim->target;
	enum verdict_state state = state_unasked(t);
	int64_t since_ms = t->verdict.since_ms;

	if (state != t->verdict.state) {
		since_ms = clock_wall_ms(loop_clock(t->core->loop));
		t->since = core_now(t->core);
	}
	falls_leave(t);
	vip_check_leave(t);
	t->verdict = (struct hc_verdict){
		.id = t->id,
		.state = state,
		.reason = HC_REASON_OVER_QUOTA,
		.since_ms = since_ms,
	};
	t->inherited = state == VERDICT_DOWN;
	t->came_back = false;
	claim->is = CLAIM_WAITING;
	claim->is_heir = false;
	t->core->quotas.unchecked++;
	mark_users(t);
}

/* Nobody holds it. What was known of it is, in case that somebody will. */
static void let_go(struct claim *claim)
{
	struct target *t = claim->target;

	if (claim->is == CLAIM_CHECKED) {
		t->verdict.state = target_applied_state(t);
		t->verdict.reason = HC_REASON_INHERITED;
		t->inherited = true;
		t->came_back = false;
		falls_leave(t);
		target_tell_gone(t);
	}
	give_back(claim);
	claim->is_heir = false;
}

bool quota_is_checked(const struct target *t)
{
	return !t->claim || t->claim->is == CLAIM_CHECKED;
}

/* --- who holds it ------------------------------------------------------------------------ */

static void note(struct target *t)
{
	struct claim *claim = t->claim;

	if (!claim) {
		t->claim = claim = xcalloc(1, sizeof(*claim));
		claim->target = t;
	}
	if (claim->is_noted)
		return;
	claim->is_noted = true;
	TAILQ_INSERT_TAIL(&t->core->quotas.noted, claim, entry);
}

void quota_join(struct target *t, bool is_new, bool was_checked)
{
	if (t->core->quotas.any) {
		note(t);
		if (was_checked && !quota_is_checked(t))
			t->claim->is_heir = true;
	} else if (is_new) {
		begin_checks(t);
	}
}

void quota_released(struct target *t)
{
	if (t->core->quotas.any)
		note(t);
}

void quota_leave(struct target *t)
{
	struct claim *claim = t->claim;

	if (!claim)
		return;
	give_back(claim);
	if (claim->is_noted)
		TAILQ_REMOVE(&t->core->quotas.noted, claim, entry);
	free(claim);
	t->claim = NULL;
}

static struct quota *quota_of_user(const struct target *t, uint32_t i)
{
	return account_of(t->core, t->users[i]->pool->ns);
}

/* Who pays for one that is checked: who does already, or else one that has room, or else any. */
static struct quota *payer_of(const struct claim *claim)
{
	const struct target *t = claim->target;
	struct quota *found = NULL;

	for (uint32_t i = 0; i < t->user_count; i++) {
		struct quota *q = quota_of_user(t, i);

		if (q == claim->payer)
			return q;
		if (!found || (!fits(found, t) && fits(q, t)))
			found = q;
	}
	return found;
}

static bool is_free(const struct target *t)
{
	for (uint32_t i = 0; i < t->user_count; i++) {
		if (is_unlimited(quota_of_user(t, i)))
			return true;
	}
	return false;
}

static struct place *place_with(const struct claim *claim, const struct quota *q)
{
	struct place *p;

	SLIST_FOREACH(p, &claim->places, next)
	{
		if (p->quota == q)
			return p;
	}
	return NULL;
}

/* In the rows of those that hold it, and of no others; where it stands it goes on to. */
static void stand_in_rows(struct claim *claim)
{
	struct place *p, *next;

	SLIST_FOREACH(p, &claim->places, next)
	p->held = false;
	for (uint32_t i = 0; i < claim->target->user_count; i++) {
		struct quota *q = quota_of_user(claim->target, i);

		p = place_with(claim, q);
		if (p)
			p->held = true;
		else
			take_place(claim, q);
	}
	for (p = SLIST_FIRST(&claim->places); p; p = next) {
		next = SLIST_NEXT(p, next);
		if (!p->held)
			give_place_back(p);
	}
}

/* Whose holders changed. True: it is fresh, and has to be judged with the others that are. */
static bool settle(struct claim *claim)
{
	struct target *t = claim->target;
	struct quota *payer;

	if (!t->user_count) {
		let_go(claim);
	} else if (is_free(t)) {
		check(claim, NULL);
	} else if (claim->is == CLAIM_CHECKED) {
		/* It goes on being checked, be it above that quota: what others do ends no checks. */
		payer = payer_of(claim);
		if (payer != claim->payer)
			check(claim, payer);
	} else if (claim->is == CLAIM_WAITING && !claim->is_heir) {
		stand_in_rows(claim);
	} else {
		give_back(claim); /* its places, where it is an heir only now */
		return true;
	}
	return false;
}

/* Nobody is overtaken: one that does not fit now is not passed by a smaller one. */
static void fill(struct quota *q)
{
	struct place *p;

	while ((p = TAILQ_FIRST(&q->row)) && fits(q, p->claim->target))
		check(p->claim, q);
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

/* Heirs stand before all that wait, in their order. */
static void judge(struct core *c, struct claim *const *fresh, size_t count)
{
	struct quota *q;

	for (size_t i = count; i-- > 0;) {
		if (fresh[i]->is_heir)
			stand_in_rows(fresh[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (!fresh[i]->is_heir)
			stand_in_rows(fresh[i]);
	}
	while ((q = TAILQ_FIRST(&c->quotas.open))) {
		TAILQ_REMOVE(&c->quotas.open, q, open);
		q->is_open = false;
		fill(q);
	}
	for (size_t i = 0; i < count; i++) {
		if (fresh[i]->is == CLAIM_FRESH)
			wait_for_room(fresh[i]);
	}
}

static void tell_change(struct quota *q)
{
	if (q->unchecked && !q->told)
		log_warn("health",
			 "namespace %s asks for more checks than its quota: %u targets are not "
			 "checked, and serve unless they are known to be down",
			 q->ns, q->unchecked);
	if (!q->unchecked && q->told)
		log_info("health", "namespace %s: all targets are checked", q->ns);
	q->told = q->unchecked > 0;
}

void quotas_judge(struct core *c)
{
	CLEANUP(xfree_ptr) struct claim **all = NULL;
	size_t count = 0, room = 0;
	struct claim *claim;
	struct quota *q;

	while ((claim = TAILQ_FIRST(&c->quotas.noted))) {
		TAILQ_REMOVE(&c->quotas.noted, claim, entry);
		claim->is_noted = false;
		if (!settle(claim))
			continue;
		if (count == room) {
			room = room ? room * 2 : 64;
			all = xreallocarray(all, room, sizeof(struct claim *));
		}
		all[count++] = claim;
	}
	if (count)
		qsort(all, count, sizeof(struct claim *), by_claim);
	judge(c, all, count);
	while ((q = TAILQ_FIRST(&c->quotas.changed))) {
		TAILQ_REMOVE(&c->quotas.changed, q, changed);
		q->is_changed = false;
		tell_change(q);
	}
}

static void put_limits(struct buf *b, const struct config_quota *l)
{
	if (l->targets)
		buf_printf(b, "%u targets%s", l->targets, l->probes_per_s ? " and " : "");
	if (l->probes_per_s)
		buf_printf(b, "%u probes a second", l->probes_per_s);
}

char *quota_words(const struct pool_state *ps)
{
	const struct pool *pool = ps->pool;
	size_t count = 0, never = 0;
	struct buf b = { 0 };
	struct quota *q;

	if (!ps->core->quotas.unchecked)
		return NULL;
	q = account_of(ps->core, pool->ns);
	for (size_t i = 0; ps->members && i < pool->member_count; i++) {
		const struct target *t = ps->members[i].target;

		if (!t || quota_is_checked(t))
			continue;
		count++;
		never += !can_ever_fit(q, t);
	}
	if (!count)
		return NULL;
	buf_printf(&b,
		   "%zu of its %u members are not checked and serve unless they are known to be "
		   "down: namespace %s has its quota, ",
		   count, pool->member_count, pool->ns);
	put_limits(&b, q->limit);
	buf_str(&b, " (quotas in parasaus.yaml(5))");
	if (never)
		buf_printf(&b,
			   "; %zu of them cannot be within it: each asks for more probes a "
			   "second by itself",
			   never);
	return (char *)(uintptr_t)buf_cstr(&b);
}
