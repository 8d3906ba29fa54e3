/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/timers.h"
#include "agent/base/xalloc.h"
#include "healthcheck/schedule.h"
#include "healthcheck/verdict.h"

#define READY_MAX  256
#define TIMERS_MAX 100000
#define DUE_IN_ROW 2
#define STARTS_MAX 256 /* in one run: then answers are read again, however many wait */

enum stage {
	NEVER,	 /* not to be probed */
	RESTING, /* until its timer */
	WAITING, /* on a queue, for a place among those under way */
	PROBING,
};

enum telling {
	TOLD,
	MOVED, /* counters alone */
	NEWS,
};

struct target {
	uint64_t id;
	struct hc_engine *engine;
	struct check *check;
	struct endpoint endpoint;
	struct hc_health health;
	uint8_t stage;	 /* enum stage */
	uint8_t telling; /* enum telling */
	uint8_t reason;	 /* enum hc_reason */
	bool is_fresh;	 /* never probed yet */
	uint32_t round;	 /* of telling: the begin it was last put after */
	uint32_t slot;	 /* PROBING: index of its probe */
	int32_t detail;
	uint32_t ok, failed, latency_us;
	uint64_t sequence;
	int64_t since_ms;
	mono_t began;	/* the last probe */
	timer_id timer; /* RESTING: its turn; PROBING: its deadline */
	mono_t tell_at; /* MOVED */
	TAILQ_ENTRY(target) waiting;
	TAILQ_ENTRY(target) told;
};

TAILQ_HEAD(target_list, target);

/* A probe under way. The generation is odd while in use and makes stale tokens harmless. */
struct slot {
	struct hc_probe probe;
	struct target *target;
	uint32_t generation;
	uint32_t next_free; /* index + 1; 0: none */
};

struct hc_engine {
	struct hc_io io;
	const struct clock *clock;
	struct timers *timers;
	struct map targets;
	struct slot *slots;
	uint32_t slot_count, slot_free; /* slot_free: index + 1 */
	uint32_t max_in_flight, in_flight;
	struct target_list due, fresh; /* waiting: known targets; first probes */
	unsigned due_in_row;
	struct target_list news, moved;
	struct hc_bucket bucket;
	uint64_t demand_milli; /* probes in 1000 s that the intervals ask for */
	mono_t paused_until;
	mono_t expected; /* when the next run should be; { 0 }: nobody knows */
	bool is_late;
	int64_t lag_ms;
	uint32_t round;
	uint32_t state_count[VERDICT_DOWN + 1];
	uint64_t probes, inconclusive;
	uint64_t trouble_count;
	struct hc_outcome trouble;
	struct check *last_check; /* of the target put last: the next one's is mostly the same */
};

/* Ids are hashes, but of a key that everybody knows: tables are hashed with our own. */
static uint64_t hash_of(uint64_t id)
{
	return hash_table(&id, sizeof(id));
}

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

static void tell_news(struct hc_engine *e, struct target *t)
{
	if (t->telling == NEWS)
		return;
	untell(e, t);
	t->telling = NEWS;
	TAILQ_INSERT_TAIL(&e->news, t, told);
}

static void tell_moved(struct hc_engine *e, struct target *t, mono_t now)
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
		tell_news(e, t);
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

/* --- probes ------------------------------------------------------------------- */

static uint32_t take_slot(struct hc_engine *e)
{
	uint32_t i;

	if (!e->slot_free) {
		uint32_t count = e->slot_count ? e->slot_count * 2 : 64;

		e->slots = xreallocarray(e->slots, count, sizeof(*e->slots));
		for (i = count; i > e->slot_count; i--) {
			e->slots[i - 1] = (struct slot){ .next_free = e->slot_free };
			e->slot_free = i;
		}
		e->slot_count = count;
	}
	i = e->slot_free - 1;
	e->slot_free = e->slots[i].next_free;
	e->slots[i].generation++;
	e->in_flight++;
	return i;
}

static void give_slot(struct hc_engine *e, uint32_t i)
{
	struct slot *s = &e->slots[i];

	hc_probe_stop(&s->probe, &e->io);
	s->target = NULL;
	s->generation++;
	s->next_free = e->slot_free;
	e->slot_free = i + 1;
	e->in_flight--;
}

static uint64_t token_of(const struct hc_engine *e, uint32_t i)
{
	return (uint64_t)e->slots[i].generation << 32 | i;
}

static bool ran_dry(const struct hc_outcome *o)
{
	return o->reason == HC_REASON_NO_RESOURCE &&
	       (o->detail == EMFILE || o->detail == ENFILE || o->detail == ENOBUFS ||
		o->detail == ENOMEM || o->detail == ENOSPC);
}

static void on_turn(void *arg)
{
	struct target *t = arg;

	t->timer = 0;
	t->stage = WAITING;
	TAILQ_INSERT_TAIL(&t->engine->due, t, waiting);
}

static void rest(struct hc_engine *e, struct target *t, bool look_again_soon)
{
	mono_t when = hc_schedule_next(t->check, t->id, t->began, look_again_soon,
				       e->io.random(e->io.arg));

	t->stage = RESTING;
	t->timer = timers_add(e->timers, when, on_turn, t);
}

static void count(struct hc_engine *e, struct target *t, const struct hc_outcome *o, mono_t now)
{
	const struct hc_health before = t->health;
	enum hc_meaning meaning = hc_reason_meaning(o->reason);

	t->reason = (uint8_t)o->reason;
	t->detail = o->detail;
	if (meaning == HC_MEANS_GOOD) {
		int64_t us = (now.ns - t->began.ns) / 1000;

		t->ok++;
		t->latency_us = us > 0 ? (uint32_t)us : 1;
	} else {
		t->failed++;
	}
	if (!hc_health_feed(&t->health, t->check, meaning)) {
		/* That an inherited state holds is news, too. */
		if (t->health.proven != before.proven)
			tell_news(e, t);
		else
			tell_moved(e, t, now);
		return;
	}
	e->state_count[before.state]--;
	e->state_count[t->health.state]++;
	t->sequence++;
	t->since_ms = clock_wall_ms(e->clock);
	tell_news(e, t);
}

static void note_trouble(struct hc_engine *e, struct target *t, const struct hc_outcome *o,
			 mono_t now)
{
	e->inconclusive++;
	e->trouble_count++;
	e->trouble = *o;
	if (ran_dry(o))
		e->paused_until = mono_add_ms(now, HC_PAUSE_MS);
	if (t->ok || t->failed || t->reason == o->reason)
		return;
	/* Why nothing is known of it yet. */
	t->reason = (uint8_t)o->reason;
	t->detail = o->detail;
	tell_moved(e, t, now);
}

/* The probe of t is over and its slot given back. */
static void conclude(struct hc_engine *e, struct target *t, struct hc_outcome o)
{
	mono_t now = clock_mono(e->clock);
	enum hc_meaning meaning = hc_reason_meaning(o.reason);

	if (e->is_late && meaning == HC_MEANS_BAD) {
		o = (struct hc_outcome){ HC_REASON_LATE, 0 };
		meaning = HC_MEANS_NOTHING;
	}
	if (meaning == HC_MEANS_NOTHING)
		note_trouble(e, t, &o, now);
	else
		count(e, t, &o, now);
	rest(e, t, meaning == HC_MEANS_NOTHING || hc_health_in_doubt(&t->health));
}

static void on_deadline(void *arg)
{
	struct target *t = arg;

	t->timer = 0;
	give_slot(t->engine, t->slot);
	conclude(t->engine, t, (struct hc_outcome){ HC_REASON_TIMEOUT, 0 });
}

static void begin_probe(struct hc_engine *e, struct target *t)
{
	uint32_t i = take_slot(e);
	struct hc_outcome outcome;

	e->probes++;
	t->is_fresh = false;
	t->began = clock_mono(e->clock);
	if (hc_probe_start(&e->slots[i].probe, &e->io, t->check, &t->endpoint, token_of(e, i),
			   &outcome)) {
		give_slot(e, i);
		conclude(e, t, outcome);
		return;
	}
	e->slots[i].target = t;
	t->slot = i;
	t->stage = PROBING;
	t->timer = timers_add(e->timers, mono_add_ms(t->began, t->check->timeout_ms), on_deadline,
			      t);
}

static void handle(struct hc_engine *e, const struct hc_ready *r)
{
	uint32_t i = (uint32_t)r->token;
	struct hc_outcome outcome;
	struct target *t;

	if (i >= e->slot_count || token_of(e, i) != r->token || !e->slots[i].target)
		return;
	if (!hc_probe_event(&e->slots[i].probe, &e->io, r->token, r->events, &outcome))
		return;
	t = e->slots[i].target;
	timers_cancel(e->timers, t->timer);
	t->timer = 0;
	give_slot(e, i);
	conclude(e, t, outcome);
}

/* All that is ready, but no more rounds than it takes to see each probe under way once. */
static void drain(struct hc_engine *e)
{
	struct hc_ready ready[READY_MAX];
	uint32_t rounds = e->in_flight / READY_MAX + 1;
	size_t n;

	do {
		n = e->io.poll(e->io.arg, ready, READY_MAX);
		for (size_t i = 0; i < n; i++)
			handle(e, &ready[i]);
	} while (n == READY_MAX && --rounds > 0);
}

/*
 * Known targets first, so that a load of new ones delays none of them: their share of the rate is
 * what they ask for. Every third place goes to a new one, so that these are not starved either.
 */
static struct target *first_waiting(const struct hc_engine *e)
{
	struct target *due = TAILQ_FIRST(&e->due);
	struct target *fresh = TAILQ_FIRST(&e->fresh);

	if (due && fresh)
		return e->due_in_row < DUE_IN_ROW ? due : fresh;
	return due ? due : fresh;
}

/*
 * In small portions: where more is asked for than can be done, targets are looked at less often,
 * but each answer is still read in time.
 */
static void begin_waiting(struct hc_engine *e)
{
	struct target *t;

	for (int i = 0; i < STARTS_MAX && e->in_flight < e->max_in_flight; i++) {
		mono_t now = clock_mono(e->clock);

		t = first_waiting(e);
		if (!t || mono_before(now, e->paused_until) || !hc_bucket_take(&e->bucket, now))
			return;
		e->due_in_row = t->is_fresh ? 0 : e->due_in_row + 1;
		TAILQ_REMOVE(t->is_fresh ? &e->fresh : &e->due, t, waiting);
		begin_probe(e, t);
	}
}

void hc_engine_run(struct hc_engine *e)
{
	mono_t now = clock_mono(e->clock);
	int64_t lag = e->expected.ns ? mono_sub_ms(now, e->expected) : 0;

	if (lag > e->lag_ms)
		e->lag_ms = lag;
	e->is_late = lag > HC_LATE_MS;
	drain(e);
	timers_run(e->timers, now, TIMERS_MAX);
	e->is_late = false;
	begin_waiting(e);
	if (!hc_engine_next(e, &e->expected))
		e->expected = (mono_t){ 0 };
}

bool hc_engine_next(const struct hc_engine *e, mono_t *out)
{
	bool any = timers_next(e->timers, out);
	mono_t start = clock_mono(e->clock);

	if (!first_waiting(e) || e->in_flight >= e->max_in_flight)
		return any;
	/* What can begin at once is due now, not since the place became free. */
	if (mono_before(start, hc_bucket_next(&e->bucket)))
		start = hc_bucket_next(&e->bucket);
	if (mono_before(start, e->paused_until))
		start = e->paused_until;
	if (!any || mono_before(start, *out))
		*out = start;
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
	t->health = hc_health_new(told->initial);
	t->reason = is_known ? HC_REASON_INHERITED : HC_REASON_NONE;
	t->since_ms = is_known ? 0 : clock_wall_ms(e->clock);
	return t;
}

bool hc_engine_put(struct hc_engine *e, const struct hc_target *told, bool may_probe)
{
	struct target *t = map_get(&e->targets, hash_of(told->id), &told->id);

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
	map_put(&e->targets, hash_of(t->id), t);
	tell_news(e, t);
	return true;
}

static void free_target(struct hc_engine *e, struct target *t)
{
	if (t->stage == WAITING)
		TAILQ_REMOVE(t->is_fresh ? &e->fresh : &e->due, t, waiting);
	if (t->stage == PROBING)
		give_slot(e, t->slot);
	if (t->stage != NEVER)
		set_demand(e, -demand_of(t->check));
	timers_cancel(e->timers, t->timer);
	untell(e, t);
	e->state_count[t->health.state]--;
	check_unref(t->check);
	free(t);
}

void hc_engine_remove(struct hc_engine *e, uint64_t id)
{
	struct target *t = map_take(&e->targets, hash_of(id), &id);

	if (t)
		free_target(e, t);
}

void hc_engine_begin(struct hc_engine *e)
{
	e->round++;
}

void hc_engine_commit(struct hc_engine *e)
{
	size_t pos = 0;
	struct target *t;

	while ((t = map_next(&e->targets, &pos))) {
		if (t->round != e->round)
			hc_engine_remove(e, t->id);
	}
}

void hc_engine_free(struct hc_engine *e)
{
	size_t pos = 0;
	struct target *t;

	if (!e)
		return;
	while ((t = map_next(&e->targets, &pos)))
		free_target(e, t);
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
