/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "healthcheck/engine_private.h"

static bool is_target(const void *object, const void *key)
{
	return ((const struct target *)object)->id == *(const uint64_t *)key;
}

struct hc_engine *hc_engine_new(const struct hc_engine_config *c)
{
	struct hc_engine *e = xcalloc(1, sizeof(*e));

	e->io = c->io;
	e->clock = c->clock;
	e->max_in_flight = c->max_in_flight;
	e->timers = timers_new(clock_mono(e->clock));
	e->bucket.rate = HC_RATE_MIN;
	e->logins = hc_logins_new();
	map_init(&e->targets, is_target);
	TAILQ_INIT(&e->due);
	TAILQ_INIT(&e->fresh);
	TAILQ_INIT(&e->news);
	TAILQ_INIT(&e->moved);
	return e;
}

/* --- telling ------------------------------------------------------------------ */

static void untell(struct hc_engine *e, struct target *t)
{
	if (t->telling == NEWS)
		TAILQ_REMOVE(&e->news, t, told);
	else if (t->telling == MOVED)
		TAILQ_REMOVE(&e->moved, t, told);
	t->telling = TOLD;
}

void hc_target_tell_news(struct hc_engine *e, struct target *t)
{
	if (t->telling == NEWS)
		return;
	untell(e, t);
	t->telling = NEWS;
	TAILQ_INSERT_TAIL(&e->news, t, told);
}

void hc_target_tell_moved(struct hc_engine *e, struct target *t, mono_t now)
{
	if (t->telling != TOLD)
		return;
	t->telling = MOVED;
	t->tell_at = mono_add_ms(now, HC_COUNTERS_MS);
	TAILQ_INSERT_TAIL(&e->moved, t, told); /* all wait equally long: the first is due first */
}

void hc_engine_tell_all(struct hc_engine *e)
{
	size_t pos = 0;
	struct target *t;

	while ((t = map_next(&e->targets, &pos)))
		hc_target_tell_news(e, t);
}

bool hc_engine_has_news(const struct hc_engine *e)
{
	return !TAILQ_EMPTY(&e->news);
}

bool hc_engine_tell(struct hc_engine *e, struct hc_verdict *out)
{
	struct target *t = TAILQ_FIRST(&e->news);

	if (!t) {
		t = TAILQ_FIRST(&e->moved);
		if (!t || mono_before(clock_mono(e->clock), t->tell_at))
			return false;
	}
	untell(e, t);
	*out = (struct hc_verdict){
		.id = t->id,
		.sequence = t->sequence,
		.state = t->health.state,
		.reason = (enum hc_reason)t->reason,
		.detail = t->detail,
		.proven = t->health.proven,
		.since_ms = t->since_ms,
		.ok = t->ok,
		.failed = t->failed,
		.latency_us = t->latency_us,
	};
	return true;
}

/* --- targets ------------------------------------------------------------------ */

static void set_demand(struct hc_engine *e, int64_t more_milli)
{
	uint64_t rate;

	e->demand_milli += (uint64_t)more_milli;
	rate = e->demand_milli * 3 / 2 / 1000;
	e->bucket.rate = rate > HC_RATE_MIN ? (uint32_t)rate : HC_RATE_MIN;
}

static int64_t demand_of(const struct check *c)
{
	return 1000000 / c->interval_ms;
}

/* Targets that are asked the same share one check. */
static struct check *share_check(struct hc_engine *e, struct check *c)
{
	if (!e->last_check || !check_equal(e->last_check, c)) {
		check_unref(e->last_check);
		e->last_check = check_ref(c);
	}
	return check_ref(e->last_check);
}

static struct target *new_target(struct hc_engine *e, const struct hc_target *told)
{
	struct target *t = xcalloc(1, sizeof(*t));
	bool is_known = told->initial != VERDICT_UNKNOWN;

	t->id = told->id;
	t->engine = e;
	t->check = share_check(e, told->check);
	t->endpoint = told->endpoint;
	if (t->check->secret)
		t->login = hc_login_new(e->logins, t->check, &t->endpoint);
	t->health = hc_health_new(told->initial);
	t->reason = is_known ? HC_REASON_INHERITED : HC_REASON_NONE;
	t->since_ms = is_known ? 0 : clock_wall_ms(e->clock);
	return t;
}

bool hc_engine_put(struct hc_engine *e, const struct hc_target *told, bool may_probe)
{
	struct target *t = map_get(&e->targets, hash_table_u64(told->id), &told->id);

	if (t) {
		t->round = e->round;
		return false;
	}
	t = new_target(e, told);
	t->round = e->round;
	if (told->check->type == CHECK_NONE) {
		t->health = hc_health_new(VERDICT_UP);
	} else if (!may_probe) {
		t->health = hc_health_new(VERDICT_UNKNOWN);
		t->reason = HC_REASON_NONE;
	} else {
		t->stage = WAITING;
		t->is_fresh = true;
		TAILQ_INSERT_TAIL(&e->fresh, t, waiting);
		set_demand(e, demand_of(t->check));
	}
	e->state_count[t->health.state]++;
	map_put(&e->targets, hash_table_u64(t->id), t);
	hc_target_tell_news(e, t);
	return true;
}

static void free_target(struct hc_engine *e, struct target *t)
{
	hc_target_stop(e, t);
	if (t->stage != NEVER)
		set_demand(e, -demand_of(t->check));
	untell(e, t);
	e->state_count[t->health.state]--;
	hc_login_free(t->login);
	check_unref(t->check);
	free(t);
}

void hc_engine_remove(struct hc_engine *e, uint64_t id)
{
	struct target *t = map_take(&e->targets, hash_table_u64(id), &id);

	if (t)
		free_target(e, t);
}

void hc_engine_put_secret(struct hc_engine *e, const struct hc_secret *s)
{
	hc_logins_put(e->logins, s);
}

void hc_engine_begin(struct hc_engine *e)
{
	e->round++;
	hc_logins_begin(e->logins);
}

void hc_engine_commit(struct hc_engine *e)
{
	size_t pos = 0;
	struct target *t;

	while ((t = map_next(&e->targets, &pos))) {
		if (t->round != e->round)
			hc_engine_remove(e, t->id);
	}
	hc_logins_commit(e->logins);
}

void hc_engine_free(struct hc_engine *e)
{
	size_t pos = 0;
	struct target *t;

	if (!e)
		return;
	while ((t = map_next(&e->targets, &pos)))
		free_target(e, t);
	hc_logins_free(e->logins);
	check_unref(e->last_check);
	map_done(&e->targets);
	timers_free(e->timers);
	free(e->slots);
	free(e);
}

/* --- what it tells of itself --------------------------------------------------- */

void hc_engine_status(struct hc_engine *e, struct hc_status *out)
{
	*out = (struct hc_status){
		.targets = (uint32_t)e->targets.count,
		.up = e->state_count[VERDICT_UP],
		.down = e->state_count[VERDICT_DOWN],
		.in_flight = e->in_flight,
		.probes = e->probes,
		.inconclusive = e->inconclusive,
		.lag_ms = (uint32_t)e->lag_ms,
	};
	e->lag_ms = 0;
}

uint64_t hc_engine_take_trouble(struct hc_engine *e, struct hc_outcome *out)
{
	uint64_t n = e->trouble_count;

	if (n)
		*out = e->trouble;
	e->trouble_count = 0;
	return n;
}

bool hc_engine_take_notice(struct hc_engine *e, char *out, size_t size)
{
	return hc_logins_notice(e->logins, out, size);
}
