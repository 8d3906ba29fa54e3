/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Falls stand in a ring in the order in which they came, each by its number,
 * until they are too old to count and do not wait. Those that rose meanwhile
 * leave a hole.
 */
#include "agent/plan/mass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

#define SIZE_MIN    64u
#define MINUTE_NS   INT64_C(60000000000)
#define CATCH_UP_MS 1000 /* a freeze that could let nobody go makes up for no more than that */

enum stage { ROSE, HEARD, WAITING, APPLIED };

struct fall {
	void *what;
	mono_t at;
	uint32_t confirm_ms;
	uint8_t stage; /* enum stage */
};

/* Those of the last while. */
struct window {
	int64_t ms;
	uint32_t from; /* the number of the first in it */
	uint32_t down; /* those in it that did not rise */
};

struct mass {
	struct mass_config config;
	struct fall *ring;
	uint32_t size;	 /* a power of two */
	uint32_t head;	 /* number of the first */
	uint32_t count;	 /* holes, too */
	uint32_t waits;	 /* none before this number waits */
	uint32_t judged; /* number of the first that is only heard of */
	struct window doubt, freeze;
	uint32_t up; /* now */
	mono_t next; /* MASS_FREEZE: when one more may go */
	struct mass_status status;
};

struct mass *mass_new(const struct mass_config *c)
{
	struct mass *m = xcalloc(1, sizeof(*m));

	m->config = *c;
	m->size = SIZE_MIN;
	m->ring = xcalloc(m->size, sizeof(*m->ring));
	m->doubt.ms = MASS_DOUBT_MS;
	m->freeze.ms = MASS_FREEZE_MS;
	return m;
}

void mass_free(struct mass *m)
{
	if (!m)
		return;
	free(m->ring);
	free(m);
}

/* The next probe begins 1.2 intervals after this one at the latest (healthcheck/schedule.h). */
uint32_t mass_confirm_ms(const struct check *c)
{
	uint32_t ms = c->interval_ms + c->interval_ms / 5 + c->timeout_ms;

	return ms > MASS_CONFIRM_MS ? ms : MASS_CONFIRM_MS;
}

/* --- the ring --------------------------------------------------------------------- */

static uint32_t end_of(const struct mass *m)
{
	return m->head + m->count;
}

static struct fall *fall_at(const struct mass *m, uint32_t number)
{
	return &m->ring[number & (m->size - 1)];
}

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static void resize(struct mass *m, uint32_t size)
{
	struct fall *to = xcalloc(size, sizeof(*to));

	for (uint32_t n = m->head; n != end_of(m); n++)
		to[n & (size - 1)] = *fall_at(m, n);
	free(m->ring);
	m->ring = to;
	m->size = size;
}

static void advance(const struct mass *m, struct window *w, mono_t now)
{
	for (; w->from != end_of(m); w->from++) {
		const struct fall *f = fall_at(m, w->from);

		if (mono_sub_ms(now, f->at) < w->ms)
			return;
		w->down -= f->stage != ROSE;
	}
}

/* Too old to count, and none of them waits. */
static void drop_old(struct mass *m)
{
	while (is_before(m->head, m->freeze.from) && fall_at(m, m->head)->stage != HEARD &&
	       fall_at(m, m->head)->stage != WAITING) {
		m->waits += m->waits == m->head;
		m->head++;
		m->count--;
	}
	if (m->size > SIZE_MIN && m->count < m->size / 8)
		resize(m, m->size / 2);
}

/* --- what is heard ------------------------------------------------------------------ */

void mass_add_up(struct mass *m)
{
	m->up++;
}

void mass_drop_up(struct mass *m)
{
	assert(m->up > 0);
	m->up--;
}

mass_ticket mass_fell(struct mass *m, void *what, uint32_t confirm_ms, mono_t now)
{
	mass_ticket t = end_of(m);

	mass_drop_up(m);
	if (m->count == m->size)
		resize(m, m->size * 2);
	m->count++;
	*fall_at(m, t) = (struct fall){ what, now, confirm_ms, HEARD };
	m->doubt.down++;
	m->freeze.down++;
	return t;
}

void mass_rose(struct mass *m, mass_ticket t, const void *what)
{
	struct fall *f = fall_at(m, t);

	if (t - m->head >= m->count || f->what != what || f->stage == ROSE)
		return;
	if (f->stage == WAITING) {
		m->status.waiting--;
		m->status.returned++;
	}
	m->doubt.down -= !is_before(t, m->doubt.from);
	m->freeze.down -= !is_before(t, m->freeze.from);
	f->stage = ROSE;
	f->what = NULL;
}

/* --- what comes of it ---------------------------------------------------------------- */

static bool is_mass(const struct mass *m, const struct window *w, uint32_t percent)
{
	uint64_t were_up = (uint64_t)m->up + w->down;

	return m->config.targets && were_up >= m->config.targets &&
	       (uint64_t)w->down * 100 > were_up * percent;
}

static bool is_doubtful(const struct mass *m)
{
	return is_mass(m, &m->doubt, m->config.doubt);
}

static bool is_frozen(const struct mass *m)
{
	return is_mass(m, &m->freeze, m->config.freeze);
}

/* How long a freeze has to let one of them go. */
static int64_t step_ns(const struct mass *m)
{
	uint64_t in_a_minute = (uint64_t)m->status.targets * m->config.per_minute / 100;

	return MINUTE_NS / (int64_t)(in_a_minute ? in_a_minute : 1);
}

static void begin(struct mass *m, enum mass_mode mode, const struct window *w, mono_t now)
{
	struct mass_status *s = &m->status;

	if (s->mode == MASS_ORDINARY)
		s->applied = s->returned = 0;
	s->mode = mode;
	s->since = now;
	s->targets = m->up + w->down;
	s->fallen = w->down;
	m->next = (mono_t){ now.ns + step_ns(m) };
}

static void begin_what_is_due(struct mass *m, mono_t now)
{
	if (m->status.mode != MASS_FREEZE && is_frozen(m))
		begin(m, MASS_FREEZE, &m->freeze, now);
	else if (m->status.mode == MASS_ORDINARY && is_doubtful(m))
		begin(m, MASS_DOUBT, &m->doubt, now);
}

static void end_what_is_over(struct mass *m, mono_t now)
{
	struct mass_status *s = &m->status;

	if (s->mode == MASS_FREEZE && !is_frozen(m) &&
	    (!s->waiting ||
	     (uint64_t)s->waiting * 100 < (uint64_t)s->targets * m->config.per_minute)) {
		s->mode = MASS_DOUBT;
		s->since = now;
	}
	if (s->mode == MASS_DOUBT && !is_doubtful(m) && !s->waiting)
		s->mode = MASS_ORDINARY;
}

static void apply(struct mass *m, struct fall *f, mass_apply_fn *fn, void *arg)
{
	m->status.waiting -= f->stage == WAITING;
	m->status.applied++;
	f->stage = APPLIED;
	fn(arg, f->what);
}

void mass_judge(struct mass *m, mono_t now, mass_apply_fn *fn, void *arg)
{
	bool waits;

	advance(m, &m->doubt, now);
	advance(m, &m->freeze, now);
	begin_what_is_due(m, now);
	waits = m->status.mode == MASS_FREEZE || is_doubtful(m);
	for (; m->judged != end_of(m); m->judged++) {
		struct fall *f = fall_at(m, m->judged);

		if (f->stage != HEARD)
			continue;
		if (waits) {
			f->stage = WAITING;
			m->status.waiting++;
		} else {
			apply(m, f, fn, arg);
		}
	}
	drop_old(m);
}

static bool may_go(const struct fall *f, mono_t now)
{
	return f->stage == WAITING && !mono_before(now, mono_add_ms(f->at, f->confirm_ms));
}

bool mass_run(struct mass *m, mono_t now, size_t max, mass_apply_fn *fn, void *arg)
{
	mono_t earliest = mono_add_ms(now, -CATCH_UP_MS);
	bool is_frozen_now = m->status.mode == MASS_FREEZE;
	size_t done = 0;

	advance(m, &m->doubt, now);
	advance(m, &m->freeze, now);
	if (mono_before(m->next, earliest))
		m->next = earliest;
	for (uint32_t n = m->waits; n != m->judged && done < max; n++) {
		struct fall *f = fall_at(m, n);

		if (is_frozen_now && mono_before(now, m->next))
			break;
		if (may_go(f, now)) {
			apply(m, f, fn, arg);
			m->next.ns += step_ns(m);
			done++;
		}
		m->waits += n == m->waits && f->stage != WAITING;
	}
	end_what_is_over(m, now);
	drop_old(m);
	return done == max;
}

bool mass_is_busy(const struct mass *m)
{
	return m->status.mode != MASS_ORDINARY;
}

struct mass_status mass_status(const struct mass *m)
{
	return m->status;
}
