/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "healthcheck/engine_private.h"

static bool is_target(const void *object, const void *key)
{
	return ((const struct target *)object)->id == *(const uint64_t *)key;
}

static bool is_check(const void *object, const void *key)
{
	return check_equal(object, key);
}

struct hc_engine *hc_engine_new(const struct hc_engine_config *c)
{
	struct hc_engine *e = xcalloc(1, sizeof(*e));

	e->io = c->io;
	e->clock = c->clock;
	e->max_in_flight = c->max_in_flight;
	e->max_open = c->max_open;
	e->max_kept_tls = c->max_kept_tls;
	TAILQ_INIT(&e->kept);
	e->wheel = wheel_new(&e->turns, clock_mono(e->clock));
	e->deadlines = timers_new(clock_mono(e->clock));
	e->bucket.rate = HC_RATE_MIN;
	e->logins = hc_logins_new();
	map_init(&e->targets, is_target);
	map_init(&e->checks, is_check);
	e->due = e->fresh = e->news = e->moved = e->spare = PLACES_EMPTY;
	return e;
}

/* --- telling ------------------------------------------------------------------ */

static void untell(struct hc_engine *e, struct target *t)
{
	if (t->telling == NEWS)
		places_remove(&e->tellings, &e->news, t->number);
	else if (t->telling == MOVED)
		places_remove(&e->tellings, &e->moved, t->number);
	t->telling = TOLD;
}

void hc_target_tell_news(struct hc_engine *e, struct target *t)
{
	if (t->telling == NEWS)
		return;
	untell(e, t);
	t->telling = NEWS;
	places_push(&e->tellings, &e->news, t->number);
}

void hc_target_tell_moved(struct hc_engine *e, struct target *t, mono_t now)
{
	if (t->telling != TOLD)
		return;
	t->telling = MOVED;
	t->moved_ms = (uint32_t)(now.ns / 1000000);
	/* All wait equally long: the first is due first. */
	places_push(&e->tellings, &e->moved, t->number);
}

static bool has_waited(const struct target *t, mono_t now)
{
	return (uint32_t)(now.ns / 1000000) - t->moved_ms >= HC_COUNTERS_MS;
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
	return e->news.count > 0;
}

/* From since_ms on, by the wall clock as it is now. */
static uint32_t held_ms(const struct hc_engine *e, const struct target *t)
{
	uint32_t left = hc_health_held_ms(&t->health, t->check, clock_mono(e->clock));
	int64_t ms = clock_wall_ms(e->clock) + left - t->since_ms;

	return left && ms > 0 && ms < UINT32_MAX ? (uint32_t)ms : left;
}

bool hc_engine_tell(struct hc_engine *e, struct hc_verdict *out)
{
	const struct place_list *l = e->news.count ? &e->news : &e->moved;
	struct target *t = l->count ? hc_target_at(e, l->first) : NULL;

	if (!t || (l == &e->moved && !has_waited(t, clock_mono(e->clock))))
		return false;
	untell(e, t);
	*out = (struct hc_verdict){
		.id = t->id,
		.sequence = t->sequence,
		.state = t->health.state,
		.reason = (enum hc_reason)t->reason,
		.detail = t->detail,
		.proven = t->health.proven,
		.standing = t->health.standing,
		.since_ms = t->since_ms,
		.ok = t->ok,
		.failed = t->failed,
		.latency_us = t->latency_us,
		.flaps = t->health.flaps,
		.held_ms = held_ms(e, t),
	};
	return true;
}

/* --- targets ------------------------------------------------------------------ */

static void set_demand(struct hc_engine *e, int64_t more_milli)
{
	uint64_t rate;

	e->demand_milli += (uint64_t)more_milli;
	rate = e->demand_milli * HC_RATE_PERMILLE / 1000 / 1000;
	e->bucket.rate = rate > HC_RATE_MIN ? (uint32_t)rate : HC_RATE_MIN;
}

static int64_t demand_of(const struct check *c)
{
	return 1000000 / c->interval_ms;
}

static uint64_t hash_of(const struct check *c)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_check(&b, c);
	return hash_table(b.data, b.len);
}

/* Targets that are asked the same share one check; besides them only the map refers to it. */
static struct check *share_check(struct hc_engine *e, struct check *c)
{
	struct check *shared = e->last_check;
	uint64_t hash;

	if (!shared || !check_equal(shared, c)) {
		hash = hash_of(c);
		shared = map_get(&e->checks, hash, c);
		if (!shared) {
			shared = check_ref(c);
			map_put(&e->checks, hash, shared);
		}
		e->last_check = shared;
	}
	return check_ref(shared);
}

static void unshare_check(struct hc_engine *e, struct check *c)
{
	check_unref(c);
	if (atomic_load(&c->refs) > 1)
		return;
	if (e->last_check == c)
		e->last_check = NULL;
	check_unref(map_take(&e->checks, hash_of(c), c));
}

/* In chunks that never move: growing copies little, and pointers stay. */
static struct target *take_number(struct hc_engine *e)
{
	uint32_t n = e->spare.first;

	if (e->spare.count) {
		places_remove(&e->tellings, &e->spare, n);
	} else {
		n = e->number_count++;
		if (n % HC_CHUNK == 0) {
			e->chunks = xreallocarray(e->chunks, n / HC_CHUNK + 1,
						  sizeof(struct target *));
			e->chunks[n / HC_CHUNK] = xcalloc(HC_CHUNK, sizeof(struct target));
		}
		wheel_reserve(e->wheel, n + 1);
		places_reserve(&e->tellings, n + 1);
	}
	*hc_target_at(e, n) = (struct target){ .number = n };
	return hc_target_at(e, n);
}

static struct target *new_target(struct hc_engine *e, const struct hc_target *told)
{
	struct target *t = take_number(e);
	bool is_known = told->initial != VERDICT_UNKNOWN;

	t->id = told->id;
	t->check = share_check(e, told->check);
	t->endpoint = told->endpoint;
	t->from_port = told->from_port;
	if (t->check->secret)
		t->login = hc_login_new(e->logins, t->check, &t->endpoint);
	t->health = hc_health_new(told->initial);
	t->reason = is_known ? HC_REASON_INHERITED : HC_REASON_NONE;
	t->since_ms = is_known ? 0 : clock_wall_ms(e->clock);
	return t;
}

/* A connection that rests comes from where it is not to come from any more. */
static void set_from_port(struct hc_engine *e, struct target *t, uint16_t port)
{
	if (t->from_port == port)
		return;
	t->from_port = port;
	if (t->stage != PROBING)
		hc_target_drop_kept(e, t);
}

bool hc_engine_put(struct hc_engine *e, const struct hc_target *told, bool may_probe)
{
	struct target *t = map_get(&e->targets, hash_table_u64(told->id), &told->id);

	if (t) {
		t->round = e->round;
		set_from_port(e, t, told->from_port);
		return false;
	}
	t = new_target(e, told);
	t->round = e->round;
	if (told->check->type == CHECK_NONE) {
		t->health = hc_health_new(VERDICT_UP);
	} else if (!may_probe) {
		t->reason = HC_REASON_NOT_ALLOWED;
	} else {
		t->stage = WAITING;
		t->is_fresh = true;
		places_push(&e->turns, &e->fresh, t->number);
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
	unshare_check(e, t->check);
	places_push(&e->tellings, &e->spare, t->number);
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
	struct check *c;

	if (!e)
		return;
	while ((t = map_next(&e->targets, &pos)))
		free_target(e, t);
	/* Those that somebody else holds as well. */
	for (pos = 0; (c = map_next(&e->checks, &pos));)
		check_unref(c);
	hc_logins_free(e->logins);
	map_done(&e->targets);
	map_done(&e->checks);
	wheel_free(e->wheel);
	places_done(&e->turns);
	places_done(&e->tellings);
	timers_free(e->deadlines);
	for (uint32_t i = 0; i < e->slot_count; i++)
		free(e->slots[i]);
	free(e->slots);
	for (uint32_t n = 0; n < e->number_count; n += HC_CHUNK)
		free(e->chunks[n / HC_CHUNK]);
	free(e->chunks);
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
		.deferred = e->deferred,
		.late = e->late,
	};
	memcpy(out->latency, e->latency, sizeof(out->latency));
	e->lag_ms = 0;
}

static uint32_t interval_of(const struct target *t, mono_t now)
{
	return hc_health_in_doubt(&t->health, t->check, now) ? t->check->fast_ms
							     : t->check->interval_ms;
}

/* A new one is due at once, and one that waits for a place has been due. */
static int64_t due_in_ms(const struct hc_engine *e, const struct target *t, mono_t now)
{
	if (t->stage == PROBING || t->is_fresh)
		return 0;
	return mono_sub_ms(wheel_due(e->wheel, t->number), now);
}

void hc_engine_look(const struct hc_engine *e, uint64_t id, struct hc_sight *out)
{
	const struct target *t = map_get(&e->targets, hash_table_u64(id), &id);
	mono_t now = clock_mono(e->clock);

	*out = (struct hc_sight){ .id = id, .is_known = t != NULL };
	if (!t || t->stage == NEVER)
		return;
	out->is_probed = true;
	out->is_under_way = t->stage == PROBING;
	out->has_begun = !t->is_fresh;
	out->streak = t->health.streak;
	out->interval_ms = interval_of(t, now);
	out->took_us = t->took_us;
	out->began_ago_ms = t->is_fresh ? 0 : mono_sub_ms(now, t->began);
	out->due_in_ms = due_in_ms(e, t, now);
	out->reason = (enum hc_reason)t->reason;
	out->detail = t->detail;
	out->ok = t->ok;
	out->failed = t->failed;
	out->latency_us = t->latency_us;
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
