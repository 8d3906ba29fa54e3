/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of each number's time the wheel keeps 32 bits of ticks, and compares
 * them as distances from where it is: what is on it is never behind that, and
 * never 49 days ahead.
 */
#include "healthcheck/wheel.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/base/slots.h"
#include "agent/base/xalloc.h"

#define SLOTS	8192u
#define SLOT_NS INT64_C(2000000)

struct wheel {
	struct places *places;
	uint32_t *ticks; /* when, by number; its lower half */
	uint32_t size;
	int64_t done; /* every tick before this one has been run */
	uint32_t count;
	uint64_t filled[SLOTS / 64]; /* a bit for each slot that holds any */
	struct place_list slots[SLOTS];
};

/* --- lists ------------------------------------------------------------------------ */

/* An eighth more: what is reserved one by one moves seldom, and little room is left over. */
static uint32_t grown(uint32_t size, uint32_t count)
{
	uint32_t more = size + size / 8 + 64;

	return more > count ? more : count;
}

void places_reserve(struct places *p, uint32_t count)
{
	if (count <= p->size)
		return;
	p->size = grown(p->size, count);
	p->links = xreallocarray(p->links, p->size, sizeof(*p->links));
}

void places_done(struct places *p)
{
	free(p->links);
	*p = (struct places){ 0 };
}

void places_push(struct places *p, struct place_list *l, uint32_t n)
{
	assert(n < p->size);
	p->links[n] = (struct place){ .before = l->last, .after = PLACE_NONE };
	if (l->last == PLACE_NONE)
		l->first = n;
	else
		p->links[l->last].after = n;
	l->last = n;
	l->count++;
}

void places_remove(struct places *p, struct place_list *l, uint32_t n)
{
	struct place at = p->links[n];

	assert(l->count);
	if (at.before == PLACE_NONE)
		l->first = at.after;
	else
		p->links[at.before].after = at.after;
	if (at.after == PLACE_NONE)
		l->last = at.before;
	else
		p->links[at.after].before = at.before;
	l->count--;
}

/* --- the wheel ---------------------------------------------------------------------- */

struct wheel *wheel_new(struct places *p, mono_t now)
{
	struct wheel *w = xcalloc(1, sizeof(*w));

	w->places = p;
	w->done = now.ns / SLOT_NS;
	for (uint32_t i = 0; i < SLOTS; i++)
		w->slots[i] = PLACES_EMPTY;
	return w;
}

void wheel_free(struct wheel *w)
{
	if (!w)
		return;
	free(w->ticks);
	free(w);
}

void wheel_reserve(struct wheel *w, uint32_t count)
{
	places_reserve(w->places, count);
	if (w->size >= w->places->size)
		return;
	w->size = w->places->size;
	w->ticks = xreallocarray(w->ticks, w->size, sizeof(*w->ticks));
}

static void take_out(struct wheel *w, uint32_t slot, uint32_t n)
{
	places_remove(w->places, &w->slots[slot], n);
	if (!w->slots[slot].count)
		slots_empty(w->filled, slot);
	w->count--;
}

bool wheel_put(struct wheel *w, uint32_t n, mono_t when)
{
	int64_t tick = when.ns / SLOT_NS;
	uint32_t slot = (uint32_t)tick % SLOTS;

	assert(n < w->size && tick - w->done < INT32_MAX);
	w->ticks[n] = (uint32_t)tick;
	if (tick < w->done)
		return false;
	places_push(w->places, &w->slots[slot], n);
	slots_fill(w->filled, slot);
	w->count++;
	return true;
}

void wheel_remove(struct wheel *w, uint32_t n)
{
	take_out(w, w->ticks[n] % SLOTS, n);
}

mono_t wheel_due(const struct wheel *w, uint32_t n)
{
	return (mono_t){ (w->done + (int32_t)(w->ticks[n] - (uint32_t)w->done)) * SLOT_NS };
}

bool wheel_next(const struct wheel *w, mono_t *out)
{
	uint32_t from = (uint32_t)w->done % SLOTS;
	uint32_t slot = 0;

	if (!w->count || !slots_next(w->filled, SLOTS, from, &slot))
		return false;
	/* Those there may all be of a later round: then it is asked again behind this slot. */
	out->ns = (w->done + (slot + SLOTS - from) % SLOTS) * SLOT_NS;
	return true;
}

void wheel_run(struct wheel *w, mono_t now, wheel_fn *fn, void *arg)
{
	int64_t begin = w->done, gap = now.ns / SLOT_NS - begin;

	if (gap < 0)
		return;
	/* What fn puts is for later than now. */
	w->done = begin + gap + 1;
	for (int64_t i = 0; i <= gap && i < SLOTS; i++) {
		uint32_t slot = (uint32_t)(begin + i) % SLOTS;
		uint32_t n = w->slots[slot].first, after;

		for (; n != PLACE_NONE; n = after) {
			after = w->places->links[n].after;
			if (w->ticks[n] - (uint32_t)begin > gap)
				continue;
			take_out(w, slot, n);
			fn(arg, n);
		}
	}
}
