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
	if (state != NOTRACK_CANARY && state != NOTRACK_DOUBT)
		n->left_out = 0;
}

bool notrack_leaves_time(const struct check *c)
{
	uint32_t fast_ms = c->fast_ms / 10 * 9; /* probes come up to a tenth early */
	uint32_t between = fast_ms > c->timeout_ms ? fast_ms : c->timeout_ms;
	uint32_t more = c->fall - 1u; /* fall is 1 at least */

	/* From when the first of `fall` has ended until the last begins, where each is refused at once,
	 * and where each takes its whole time. */
	return more * fast_ms >= NOTRACK_REACTION_MS &&
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

static void drop(struct notrack *n, uint32_t i)
{
	n->servers[i] = n->servers[--n->count];
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

bool notrack_is_ready(struct notrack *n, bool is_late)
{
	bool all_good = true;

	for (uint32_t i = n->count; i-- > 0;) {
		const struct notrack_server *s = &n->servers[i];

		if (s->bad || (is_late && !s->good))
			drop(n, i);
		else
			all_good &= s->good >= NOTRACK_GOOD;
	}
	return all_good || is_late;
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

		s->is_failing = false;
		s->good = s->bad = 0;
	}
}

void notrack_saw(struct notrack *n, uint64_t id, uint32_t ok, uint32_t failed)
{
	struct notrack_server *s = find(n, id);

	bool counts = n->is_applied || n->state == NOTRACK_WAITING;

	if (!s)
		return;
	/* One that failed before all was tracked again has to be well before there is a next trial. */
	if (n->state == NOTRACK_DOUBT && s->is_counted && failed > s->failed)
		s->is_suspect = true;
	/* Fewer than before: another prober, whose life begins. */
	if (counts && s->is_counted && ok >= s->ok && failed >= s->failed) {
		s->good += ok - s->ok;
		s->bad += failed - s->failed;
		if (failed > s->failed)
			s->is_failing = true;
		else if (ok > s->ok)
			s->is_failing = false;
	} else if (counts && !s->is_counted && n->is_adopted && !ok && failed) {
		s->bad = failed; /* before it could be looked at */
		s->is_failing = true;
	}
	s->is_counted = true;
	s->ok = ok;
	s->failed = failed;
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
	enter(n, NOTRACK_WAITING, now);
}

/* --- what comes of it -------------------------------------------------------------------- */

static void begin_doubt(struct notrack *n, mono_t now)
{
	for (uint32_t i = 0; i < n->count; i++)
		n->servers[i].is_suspect = n->servers[i].is_failing;
	enter(n, NOTRACK_DOUBT, now);
}

/* In the place of another one, where there are as many as there may be. */
void notrack_fell(struct notrack *n, uint64_t id, const struct addr *addr, mono_t now)
{
	struct notrack_server *s = find(n, id);

	if (n->state != NOTRACK_ALL && n->state != NOTRACK_DOUBT)
		return;
	for (uint32_t i = 0; i < n->count && !s; i++) {
		if (addr_cmp(&n->servers[i].addr, addr) == 0)
			s = &n->servers[i];
	}
	for (uint32_t i = 0; i < n->count && !s && n->count == NOTRACK_SERVERS; i++) {
		if (!n->servers[i].has_fallen && !n->servers[i].is_failing)
			drop(n, i);
	}
	if (!s && n->count < NOTRACK_SERVERS) {
		s = &n->servers[n->count++];
		*s = (struct notrack_server){ .id = id, .addr = *addr };
	}
	if (s)
		s->has_fallen = s->is_failing = s->is_suspect = true;
	if (n->state == NOTRACK_ALL)
		begin_doubt(n, now);
}

uint64_t notrack_suspect(const struct notrack *n)
{
	for (uint32_t i = 0; i < n->count; i++) {
		if (n->servers[i].is_suspect)
			return n->servers[i].id;
	}
	return 0;
}

void notrack_give_up(struct notrack *n, mono_t now)
{
	if (n->state == NOTRACK_ALL)
		enter(n, NOTRACK_WAITING, now);
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

		s->has_strike = s->has_fallen = false;
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

		if (s->is_suspect && (!s->good || s->has_strike)) {
			n->left_out += s->good > 0;
			drop(n, i);
			continue;
		}
		s->has_strike |= s->is_suspect;
		s->is_suspect = false;
	}
	enter(n, n->count ? NOTRACK_CANARY : NOTRACK_WAITING, now);
}

static void judge_doubt(struct notrack *n, bool is_late, mono_t now)
{
	uint32_t cleared = 0, twice = 0;
	bool is_down = false;
	uint64_t first = 0;

	if (!is_settled(n, is_late))
		return;
	for (uint32_t i = 0; i < n->count; i++) {
		const struct notrack_server *s = &n->servers[i];

		if (!s->is_suspect || !s->good)
			continue;
		cleared++;
		twice += s->has_strike;
		is_down |= s->has_strike && s->has_fallen;
		if (!first || s->has_strike)
			first = s->id;
	}
	twice += n->left_out;
	if (is_down || twice > 1 || (twice && 4 * twice >= n->count)) {
		n->why = (struct notrack_why){ .first = first,
					       .failed = cleared + n->left_out,
					       .tried = n->count + n->left_out };
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
