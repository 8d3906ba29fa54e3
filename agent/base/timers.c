/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries live in one array and are linked by index into the slot of their
 * time. An id is the entry's index with a generation that grows each time the
 * entry is reused, so that an old id finds nothing.
 */
#include "agent/base/timers.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/base/slots.h"
#include "agent/base/xalloc.h"

#define SLOTS	4096u
#define SLOT_NS 4000000
#define NOWHERE UINT32_MAX

struct entry {
	int64_t when;
	timer_fn *fn;
	void *arg;
	uint32_t prev; /* in the slot's list; the free list uses next only */
	uint32_t next;
	uint32_t generation;
	uint32_t slot; /* NOWHERE: free */
};

struct timers {
	uint32_t heads[SLOTS];
	uint64_t filled[SLOTS / 64]; /* a bit for each slot that holds any */
	struct entry *entries;
	uint32_t size;
	uint32_t used; /* entries ever used */
	uint32_t free;
	uint32_t walking; /* the entry timers_run() looks at next, or NOWHERE */
	size_t count;
	int64_t done;	 /* every slot before this one's time has been run */
	int64_t soonest; /* where what is overdue goes: `done`, while running the last slot to run */
};

struct timers *timers_new(mono_t now)
{
	struct timers *t = xcalloc(1, sizeof(*t));

	for (uint32_t i = 0; i < SLOTS; i++)
		t->heads[i] = NOWHERE;
	t->free = NOWHERE;
	t->walking = NOWHERE;
	t->done = t->soonest = now.ns / SLOT_NS;
	return t;
}

void timers_free(struct timers *t)
{
	if (!t)
		return;
	free(t->entries);
	free(t);
}

size_t timers_count(const struct timers *t)
{
	return t->count;
}

static uint32_t take_entry(struct timers *t)
{
	uint32_t i = t->free;

	if (i != NOWHERE) {
		t->free = t->entries[i].next;
		return i;
	}
	if (t->used == t->size) {
		assert(t->size < (1u << 31));
		t->size = t->size ? t->size * 2 : 64;
		t->entries = xreallocarray(t->entries, t->size, sizeof(*t->entries));
	}
	i = t->used++;
	t->entries[i].generation = 0;
	return i;
}

static void link_entry(struct timers *t, uint32_t i, uint32_t slot)
{
	struct entry *e = &t->entries[i];

	e->slot = slot;
	e->prev = NOWHERE;
	e->next = t->heads[slot];
	if (e->next != NOWHERE)
		t->entries[e->next].prev = i;
	t->heads[slot] = i;
	slots_fill(t->filled, slot);
}

static void unlink_entry(struct timers *t, uint32_t i)
{
	struct entry *e = &t->entries[i];

	if (t->walking == i)
		t->walking = e->next;
	if (e->next != NOWHERE)
		t->entries[e->next].prev = e->prev;
	if (e->prev != NOWHERE)
		t->entries[e->prev].next = e->next;
	else
		t->heads[e->slot] = e->next;
	if (t->heads[e->slot] == NOWHERE)
		slots_empty(t->filled, e->slot);
	e->slot = NOWHERE;
	e->next = t->free;
	t->free = i;
	t->count--;
}

timer_id timers_add(struct timers *t, mono_t when, timer_fn *fn, void *arg)
{
	uint32_t i = take_entry(t);
	struct entry *e = &t->entries[i];
	int64_t tick = when.ns / SLOT_NS;

	e->when = when.ns;
	e->fn = fn;
	e->arg = arg;
	e->generation++;
	/* What is overdue goes where the next run looks first, never behind this one. */
	if (tick < t->soonest)
		tick = t->soonest;
	link_entry(t, i, (uint32_t)((uint64_t)tick % SLOTS));
	t->count++;
	return (uint64_t)e->generation << 32 | (i + 1u);
}

bool timers_cancel(struct timers *t, timer_id id)
{
	uint32_t i = (uint32_t)id - 1u;

	if (id == 0 || i >= t->used)
		return false;
	if (t->entries[i].slot == NOWHERE || t->entries[i].generation != (uint32_t)(id >> 32))
		return false;
	unlink_entry(t, i);
	return true;
}

bool timers_next(const struct timers *t, mono_t *out)
{
	uint32_t from = (uint32_t)((uint64_t)t->done % SLOTS);
	uint32_t slot = 0;
	int64_t tick;
	int64_t first = INT64_MAX;

	if (!slots_next(t->filled, SLOTS, from, &slot))
		return false;
	tick = t->done + (slot + SLOTS - from) % SLOTS;
	for (uint32_t i = t->heads[slot]; i != NOWHERE; i = t->entries[i].next) {
		if (t->entries[i].when < first)
			first = t->entries[i].when;
	}
	/* All of them may belong to a later round: then look again when this slot's time is over. */
	if (first >= (tick + 1) * SLOT_NS)
		first = (tick + 1) * SLOT_NS;
	out->ns = first;
	return true;
}

static size_t run_slot(struct timers *t, uint32_t slot, int64_t now, size_t max)
{
	size_t ran = 0;

	t->walking = t->heads[slot];
	while (t->walking != NOWHERE && ran < max) {
		uint32_t i = t->walking;
		struct entry *e = &t->entries[i];
		timer_fn *fn = e->fn;
		void *arg = e->arg;

		if (e->when > now) {
			t->walking = e->next;
			continue;
		}
		unlink_entry(t, i);
		fn(arg);
		ran++;
	}
	t->walking = NOWHERE;
	return ran;
}

size_t timers_run(struct timers *t, mono_t now, size_t max)
{
	int64_t last = now.ns / SLOT_NS;
	size_t ran = 0;

	/* After a gap longer than the wheel each slot needs one visit, not several. */
	if (last - t->done >= (int64_t)SLOTS)
		t->done = last - (int64_t)SLOTS + 1;
	if (t->done < last)
		t->soonest = last;
	for (;;) {
		ran += run_slot(t, (uint32_t)((uint64_t)t->done % SLOTS), now.ns, max - ran);
		if (ran >= max || t->done >= last)
			break;
		t->done++;
	}
	t->soonest = t->done;
	return ran;
}
