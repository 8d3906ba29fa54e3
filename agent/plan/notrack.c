/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/plan/notrack.h"

#include <assert.h>
#include <string.h>

static void enter(struct notrack *n, enum notrack_state state, mono_t now)
{
	n->state = state;
	n->since = now;
	n->is_applied = n->is_adopted = false;
	if (state == NOTRACK_WAITING || state == NOTRACK_REFUSED)
		n->count = 0;
}

bool notrack_leaves_time(const struct check *c)
{
	uint32_t between = c->fast_ms > c->timeout_ms ? c->fast_ms : c->timeout_ms;
	uint32_t more = c->fall - 1u; /* fall is 1 at least */

	/* From when the first of `fall` has ended until the last begins, where each is refused at once,
	 * and where each takes its whole time. */
	return more * c->fast_ms >= NOTRACK_REACTION_MS &&
	       more * between >= NOTRACK_REACTION_MS + c->timeout_ms;
}

void notrack_init(struct notrack *n, bool is_wanted, mono_t now)
{
	memset(n, 0, sizeof(*n));
	enter(n, is_wanted ? NOTRACK_WAITING : NOTRACK_OFF, now);
}

void notrack_adopt(struct notrack *n, mono_t now)
{
	if (n->state != NOTRACK_WAITING)
		return;
	enter(n, NOTRACK_ALL, now);
	n->is_applied = n->is_adopted = true;
}

static struct notrack_server *find(struct notrack *n, uint64_t id)
{
	for (uint32_t i = 0; i < n->count; i++) {
		if (n->servers[i].id == id)
			return &n->servers[i];
	}
	return NULL;
}

bool notrack_add(struct notrack *n, uint64_t id, const struct addr *addr)
{
	if (n->count == NOTRACK_SERVERS)
		return false;
	for (uint32_t i = 0; i < n->count; i++) {
		if (addr_cmp(&n->servers[i].addr, addr) == 0)
			return false;
	}
	n->servers[n->count++] = (struct notrack_server){ .id = id, .addr = *addr };
	return true;
}

void notrack_begin(struct notrack *n, mono_t now)
{
	if (n->state == NOTRACK_WAITING && n->count)
		enter(n, NOTRACK_CANARY, now);
}

/* --- what is seen ---------------------------------------------------------------------- */

void notrack_applied(struct notrack *n, mono_t now)
{
	if (n->is_applied)
		return;
	n->is_applied = true;
	n->since = now;
	for (uint32_t i = 0; i < n->count; i++) {
		struct notrack_server *s = &n->servers[i];

		s->is_counted = s->is_failing = false;
		s->good = s->bad = 0;
	}
}

void notrack_saw(struct notrack *n, uint64_t id, uint32_t ok, uint32_t failed)
{
	struct notrack_server *s = find(n, id);

	if (!s || !n->is_applied)
		return;
	/* Fewer than before: another prober, whose life begins. */
	if (s->is_counted && ok >= s->ok && failed >= s->failed) {
		s->good += ok - s->ok;
		s->bad += failed - s->failed;
		if (failed > s->failed)
			s->is_failing = true;
		else if (ok > s->ok)
			s->is_failing = false;
	} else if (!s->is_counted && n->is_adopted && !ok && failed) {
		s->bad = failed; /* before it could be looked at */
		s->is_failing = true;
	}
	s->is_counted = true;
	s->ok = ok;
	s->failed = failed;
}

static void drop(struct notrack *n, uint32_t i)
{
	n->servers[i] = n->servers[--n->count];
}

void notrack_lost(struct notrack *n, uint64_t id)
{
	struct notrack_server *s = find(n, id);

	if (s)
		drop(n, (uint32_t)(s - n->servers));
}

void notrack_picked(struct notrack *n, mono_t now)
{
	if (n->state == NOTRACK_OFF || n->state == NOTRACK_REFUSED)
		return;
	n->why = (struct notrack_why){ .is_picked = true };
	enter(n, NOTRACK_REFUSED, now);
}

void notrack_alarm(struct notrack *n, mono_t now)
{
	if (n->state != NOTRACK_CANARY && n->state != NOTRACK_ALL)
		return;
	n->why = (struct notrack_why){ .is_mass = true };
	enter(n, NOTRACK_REFUSED, now);
}

/* --- what comes of it -------------------------------------------------------------------- */

static void begin_doubt(struct notrack *n, mono_t now)
{
	for (uint32_t i = 0; i < n->count; i++)
		n->servers[i].is_suspect = n->servers[i].is_failing;
	enter(n, NOTRACK_DOUBT, now);
}

static void judge_canary(struct notrack *n, bool is_late, mono_t now)
{
	bool any_failing = false, all_good = true;

	for (uint32_t i = 0; i < n->count; i++) {
		struct notrack_server *s = &n->servers[i];

		s->is_failing = s->bad || (is_late && !s->good);
		any_failing |= s->is_failing;
		all_good &= s->good >= NOTRACK_GOOD;
	}
	if (!n->count)
		enter(n, NOTRACK_WAITING, now);
	else if (any_failing)
		begin_doubt(n, now);
	else if (all_good)
		enter(n, NOTRACK_ALL, now);
}

static void judge_all(struct notrack *n, mono_t now)
{
	uint32_t failing = 0, known = 0;
	bool any_good = false;

	for (uint32_t i = 0; i < n->count; i++) {
		struct notrack_server *s = &n->servers[i];

		s->has_strike = false;
		failing += s->is_failing;
		known += s->good || s->bad;
		any_good |= s->good;
	}
	n->is_adopted = n->is_adopted && !any_good;
	if (failing && 4 * failing >= known && (failing > 1 || n->count == 1 || n->is_adopted))
		begin_doubt(n, now);
}

/* Those that failed have shown whether they do so by themselves. */
static bool is_settled(const struct notrack *n, bool is_late)
{
	for (uint32_t i = 0; i < n->count && !is_late; i++) {
		const struct notrack_server *s = &n->servers[i];

		if (s->is_suspect && !s->good && s->bad < NOTRACK_BAD)
			return false;
	}
	return true;
}

/* On with those that are well now. */
static void try_again(struct notrack *n, mono_t now)
{
	for (uint32_t i = n->count; i-- > 0;) {
		struct notrack_server *s = &n->servers[i];

		s->has_strike |= s->is_suspect && s->good;
		if (s->is_suspect && !s->good)
			drop(n, i);
		else
			s->is_suspect = false;
	}
	enter(n, n->count ? NOTRACK_CANARY : NOTRACK_WAITING, now);
}

static void judge_doubt(struct notrack *n, bool is_late, mono_t now)
{
	uint32_t cleared = 0;
	bool is_second = false;

	if (!is_settled(n, is_late))
		return;
	for (uint32_t i = 0; i < n->count; i++) {
		const struct notrack_server *s = &n->servers[i];

		if (!s->is_suspect || !s->good)
			continue;
		cleared++;
		is_second |= s->has_strike;
	}
	if (is_second) {
		n->why = (struct notrack_why){ .failed = cleared, .tried = n->count };
		enter(n, NOTRACK_REFUSED, now);
	} else {
		try_again(n, now);
	}
}

bool notrack_judge(struct notrack *n, mono_t now)
{
	enum notrack_state before = n->state;
	int64_t for_ms = mono_sub_ms(now, n->since);
	bool is_late = for_ms >= NOTRACK_PATIENCE_MS;

	switch (n->state) {
	case NOTRACK_OFF:
	case NOTRACK_WAITING:
		break;
	case NOTRACK_CANARY:
		if (n->is_applied)
			judge_canary(n, is_late, now);
		break;
	case NOTRACK_DOUBT:
		if (n->is_applied)
			judge_doubt(n, is_late, now);
		break;
	case NOTRACK_ALL:
		if (n->is_applied)
			judge_all(n, now);
		break;
	case NOTRACK_REFUSED:
		if (for_ms >= NOTRACK_RETRY_MS)
			enter(n, NOTRACK_WAITING, now);
		break;
	}
	return n->state != before;
}
