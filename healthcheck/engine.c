/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "agent/base/xalloc.h"
#include "healthcheck/engine_private.h"

#define READY_MAX  256
#define TIMERS_MAX 100000
#define DUE_IN_ROW 2
#define STARTS_MAX 256 /* in one run: then answers are read again, however many wait */
#define GIVEN_UP   64  /* connections that rest, where descriptors are short */

static struct slot *slot_of(const struct hc_engine *e, const struct target *t)
{
	return e->slots[t->slot - 1];
}

static void take_slot(struct hc_engine *e, struct target *t)
{
	struct slot *s;
	uint32_t i;

	if (!e->slot_free) {
		uint32_t count = e->slot_count ? e->slot_count * 2 : 64;

		e->slots = xreallocarray(e->slots, count, sizeof(struct slot *));
		for (i = count; i > e->slot_count; i--) {
			e->slots[i - 1] = xcalloc(1, sizeof(struct slot));
			e->slots[i - 1]->engine = e;
			e->slots[i - 1]->next_free = e->slot_free;
			e->slot_free = i;
		}
		e->slot_count = count;
	}
	t->slot = e->slot_free;
	s = slot_of(e, t);
	e->slot_free = s->next_free;
	s->target = t;
}

static void free_slot(struct hc_engine *e, struct target *t)
{
	struct slot *s = slot_of(e, t);

	hc_probe_stop(&s->probe, &e->io);
	s->target = NULL;
	s->next_free = e->slot_free;
	e->slot_free = t->slot;
	t->slot = 0;
}

static void begin_slot(struct hc_engine *e, struct slot *s)
{
	s->generation++;
	e->in_flight++;
}

static void end_slot(struct hc_engine *e, struct slot *s)
{
	timers_cancel(e->deadlines, s->deadline);
	s->deadline = 0;
	s->is_settled = false;
	s->generation++;
	e->in_flight--;
}

static uint64_t token_of(const struct hc_engine *e, uint32_t i)
{
	return (uint64_t)e->slots[i]->generation << 32 | i;
}

/* --- connections that rest --------------------------------------------------------- */

static bool is_of_tls(const struct slot *s)
{
	return s->target->check->type == CHECK_HTTPS;
}

static bool may_keep(const struct hc_engine *e, const struct slot *s)
{
	return s->probe.from_port == s->target->from_port &&
	       e->kept_count < e->max_open / HC_KEPT_PART &&
	       (!is_of_tls(s) || e->kept_tls_count < e->max_kept_tls);
}

/* The probe in it is over. */
static bool keep(struct hc_engine *e, struct slot *s)
{
	if (!may_keep(e, s) || !hc_probe_keep(&s->probe, &e->io))
		return false;
	TAILQ_INSERT_TAIL(&e->kept, s, kept);
	e->kept_count++;
	e->kept_tls_count += is_of_tls(s);
	return true;
}

static void take_kept(struct hc_engine *e, struct slot *s)
{
	TAILQ_REMOVE(&e->kept, s, kept);
	e->kept_count--;
	e->kept_tls_count -= is_of_tls(s);
}

/* Those that rested longest: of them it is likeliest that their servers have closed them. */
static void give_up_kept(struct hc_engine *e, unsigned count)
{
	struct slot *s;

	for (; count > 0 && (s = TAILQ_FIRST(&e->kept)); count--) {
		take_kept(e, s);
		free_slot(e, s->target);
	}
}

/* --- probes ------------------------------------------------------------------------- */

static bool ran_dry(const struct hc_outcome *o)
{
	return o->reason == HC_REASON_NO_RESOURCE &&
	       (o->detail == EMFILE || o->detail == ENFILE || o->detail == ENOBUFS ||
		o->detail == ENOMEM || o->detail == ENOSPC);
}

static void on_turn(void *arg, uint32_t number)
{
	struct hc_engine *e = arg;

	hc_target_at(e, number)->stage = WAITING;
	places_push(&e->turns, &e->due, number);
	e->due_total++;
}

static void rest(struct hc_engine *e, struct target *t, bool look_again_soon, mono_t now)
{
	mono_t when = hc_schedule_next(t->check, t->id, t->began, look_again_soon,
				       e->io.random(e->io.arg));

	/* Who took longer than until its next turn made nobody late. */
	if (mono_before(when, now))
		when = now;
	t->stage = RESTING;
	if (!wheel_put(e->wheel, t->number, when))
		on_turn(e, t->number);
}

/* Silence takes as long as it is listened to. */
static void note_latency(struct hc_engine *e, struct target *t, enum hc_reason reason)
{
	t->latency_us = reason == HC_REASON_SILENT ? 0 : t->took_us;
	if (t->latency_us)
		histogram_add(&e->latency[t->check->type], t->took_us);
}

static void count(struct hc_engine *e, struct target *t, const struct hc_outcome *o, mono_t now)
{
	const struct hc_health before = t->health;
	enum hc_meaning meaning = hc_reason_meaning(t->check, t->health.state, o->reason);
	bool stands_anew;

	t->reason = (uint8_t)o->reason;
	t->detail = o->detail;
	if (meaning == HC_MEANS_GOOD) {
		t->ok++;
		note_latency(e, t, o->reason);
	} else {
		t->failed++;
	}
	stands_anew = hc_health_stand(&t->health, meaning, o->reason);
	if (!hc_health_feed(&t->health, t->check, meaning, now)) {
		/* That an inherited state holds is news, too. */
		if (t->health.proven != before.proven || stands_anew)
			hc_target_tell_news(e, t);
		else
			hc_target_tell_moved(e, t, now);
		return;
	}
	e->state_count[before.state]--;
	e->state_count[t->health.state]++;
	t->sequence++;
	t->since_ms = clock_wall_ms(e->clock);
	hc_target_tell_news(e, t);
}

static void note_trouble(struct hc_engine *e, struct target *t, const struct hc_outcome *o,
			 mono_t now)
{
	e->inconclusive++;
	e->trouble_count++;
	e->trouble = *o;
	if (ran_dry(o))
		e->paused_until = mono_add_ms(now, HC_PAUSE_MS);
	if (((t->ok || t->failed) && !hc_reason_is_of_login(o->reason)) || t->reason == o->reason)
		return;
	/* Why nothing is known of it yet, or any more. */
	t->reason = (uint8_t)o->reason;
	t->detail = o->detail;
	hc_target_tell_moved(e, t, now);
}

/* The probe of t is over and its slot given back. */
static void conclude(struct hc_engine *e, struct target *t, struct hc_outcome o)
{
	mono_t now = clock_mono(e->clock);
	enum hc_meaning meaning = hc_reason_meaning(t->check, t->health.state, o.reason);
	int64_t us = (now.ns - t->began.ns) / 1000;

	t->took_us = us > 0 ? (uint32_t)us : 1;
	if (e->is_late && meaning == HC_MEANS_BAD) {
		o = (struct hc_outcome){ HC_REASON_LATE, 0 };
		meaning = HC_MEANS_NOTHING;
	}
	if (meaning == HC_MEANS_NOTHING)
		note_trouble(e, t, &o, now);
	else
		count(e, t, &o, now);
	/* Asked again at once, who answered by words would say the same. */
	if (meaning == HC_MEANS_NOTHING)
		rest(e, t, !hc_reason_is_of_login(o.reason), now);
	else
		rest(e, t, hc_health_in_doubt(&t->health, t->check, now), now);
}

/* The probe of t ends here, of its own or not: what is to be made of it. */
static struct hc_outcome end_probe(struct hc_engine *e, struct target *t, struct hc_outcome o)
{
	struct slot *s = slot_of(e, t);
	enum hc_login_end end = hc_probe_login_end(&s->probe);

	end_slot(e, s);
	if (!keep(e, s))
		free_slot(e, t);
	return t->login ? hc_login_ended(t->login, end, o, clock_mono(e->clock)) : o;
}

static void on_deadline(void *arg)
{
	struct slot *s = arg;
	struct target *t = s->target;
	struct hc_outcome o;

	s->deadline = 0;
	o = hc_probe_timed_out(&s->probe);
	if (s->is_settled)
		(void)!hc_probe_is_settled(&s->probe, &o);
	conclude(s->engine, t, end_probe(s->engine, t, o));
}

/* What was asked may be lost: it is asked once more. */
static void on_half_time(void *arg)
{
	struct slot *s = arg;
	struct hc_engine *e = s->engine;
	struct target *t = s->target;
	struct hc_outcome o;

	s->deadline = timers_add(e->deadlines, mono_add_ms(t->began, t->check->timeout_ms),
				 on_deadline, s);
	if (hc_probe_again(&s->probe, &e->io, &o))
		conclude(e, t, end_probe(e, t, o));
}

/* The answer is here: all that is left is the peer's to do. */
static void settle(struct hc_engine *e, struct target *t)
{
	struct slot *s = slot_of(e, t);
	mono_t when = mono_add_ms(clock_mono(e->clock), HC_SETTLED_MS);
	mono_t limit = mono_add_ms(t->began, t->check->timeout_ms);

	s->is_settled = true;
	timers_cancel(e->deadlines, s->deadline);
	s->deadline = timers_add(e->deadlines, mono_before(when, limit) ? when : limit, on_deadline,
				 s);
}

static bool lacks_descriptors(const struct hc_outcome *o)
{
	return o->reason == HC_REASON_NO_RESOURCE && (o->detail == EMFILE || o->detail == ENFILE);
}

/* On a connection of its own; as hc_probe_start(). */
static bool start_new(struct hc_engine *e, struct target *t, struct hc_account *account,
		      struct hc_outcome *out)
{
	struct slot *s = slot_of(e, t);
	uint64_t token = token_of(e, t->slot - 1);

	if (e->in_flight + e->kept_count > e->max_open)
		give_up_kept(e, 1);
	if (!hc_probe_start(&s->probe, &e->io, t->check, &t->endpoint, t->from_port, account, token,
			    out))
		return false;
	if (!lacks_descriptors(out) || e->kept_count == 0)
		return true;
	give_up_kept(e, GIVEN_UP);
	/* No descriptor: the reference to the account is all that there is of it. */
	return hc_probe_start(&s->probe, &e->io, t->check, &t->endpoint, t->from_port, account,
			      token, out);
}

/* As hc_probe_start(), in a slot. */
static bool start(struct hc_engine *e, struct target *t, struct hc_outcome *out)
{
	struct hc_account *account = t->login ? hc_login_account(t->login, t->began) : NULL;
	bool is_kept = t->slot != 0;
	struct slot *s;

	if (is_kept)
		take_kept(e, slot_of(e, t));
	else
		take_slot(e, t);
	s = slot_of(e, t);
	begin_slot(e, s);
	return is_kept ? hc_probe_resume(&s->probe, &e->io, account, token_of(e, t->slot - 1), out)
		       : start_new(e, t, account, out);
}

static void begin_probe(struct hc_engine *e, struct target *t)
{
	struct hc_outcome outcome;
	struct slot *s;
	bool repeats;

	e->probes++;
	t->is_fresh = false;
	t->began = clock_mono(e->clock);
	if (start(e, t, &outcome)) {
		conclude(e, t, end_probe(e, t, outcome));
		return;
	}
	s = slot_of(e, t);
	t->stage = PROBING;
	repeats = hc_probe_repeats(&s->probe);
	s->deadline = timers_add(e->deadlines,
				 mono_add_ms(t->began, t->check->timeout_ms / (repeats ? 2 : 1)),
				 repeats ? on_half_time : on_deadline, s);
}

static void handle(struct hc_engine *e, const struct hc_ready *r)
{
	uint32_t i = (uint32_t)r->token;
	struct hc_outcome outcome;
	struct target *t;
	struct slot *s;

	if (i >= e->slot_count || token_of(e, i) != r->token || !e->slots[i]->target)
		return; /* of a probe that is over */
	s = e->slots[i];
	t = s->target;
	if (!hc_probe_event(&s->probe, &e->io, r->token, r->events, &outcome)) {
		if (!s->is_settled && hc_probe_is_settled(&s->probe, &outcome))
			settle(e, t);
		return;
	}
	conclude(e, t, end_probe(e, t, outcome));
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
	const struct place_list *l = &e->due;

	if (!e->due.count || (e->fresh.count && e->due_in_row >= DUE_IN_ROW))
		l = &e->fresh;
	return l->count ? hc_target_at(e, l->first) : NULL;
}

static void stop_waiting(struct hc_engine *e, struct target *t)
{
	places_remove(&e->turns, t->is_fresh ? &e->fresh : &e->due, t->number);
}

/* A limit keeps those from beginning whose turn it is: each is counted once. They wait in order. */
static void note_deferred(struct hc_engine *e)
{
	uint64_t oldest = e->due_total - e->due.count;

	if (oldest < e->due_deferred)
		oldest = e->due_deferred;
	e->deferred += e->due_total - oldest;
	e->due_deferred = e->due_total;
}

static void note_late(struct hc_engine *e, const struct target *t, mono_t now)
{
	int64_t us = (now.ns - wheel_due(e->wheel, t->number).ns) / 1000;

	histogram_add(&e->late, us > 0 ? (uint64_t)us : 0);
}

/*
 * In small portions: where more is asked for than can be done, targets are looked at less often,
 * but each answer is still read in time.
 */
static void begin_waiting(struct hc_engine *e)
{
	struct target *t;

	for (int i = 0; i < STARTS_MAX && (t = first_waiting(e)); i++) {
		mono_t now = clock_mono(e->clock);

		if (e->in_flight >= e->max_in_flight || mono_before(now, e->paused_until) ||
		    !hc_bucket_take(&e->bucket, now)) {
			note_deferred(e);
			return;
		}
		e->due_in_row = t->is_fresh ? 0 : e->due_in_row + 1;
		stop_waiting(e, t);
		if (!t->is_fresh)
			note_late(e, t, now);
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
	timers_run(e->deadlines, now, TIMERS_MAX);
	wheel_run(e->wheel, now, on_turn, e);
	e->is_late = false;
	begin_waiting(e);
	if (!hc_engine_next(e, &e->expected))
		e->expected = (mono_t){ 0 };
}

bool hc_engine_next(const struct hc_engine *e, mono_t *out)
{
	mono_t start = clock_mono(e->clock), turn;
	bool any = timers_next(e->deadlines, out);

	if (wheel_next(e->wheel, &turn) && (!any || mono_before(turn, *out))) {
		*out = turn;
		any = true;
	}

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

void hc_target_drop_kept(struct hc_engine *e, struct target *t)
{
	if (!t->slot)
		return;
	take_kept(e, slot_of(e, t));
	free_slot(e, t);
}

void hc_target_stop(struct hc_engine *e, struct target *t)
{
	if (t->stage == RESTING)
		wheel_remove(e->wheel, t->number);
	if (t->stage == WAITING)
		stop_waiting(e, t);
	if (t->stage == PROBING)
		(void)end_probe(e, t, (struct hc_outcome){ HC_REASON_LATE, 0 });
	hc_target_drop_kept(e, t);
}
