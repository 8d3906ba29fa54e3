/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What changed: pools and members, found by comparing each snapshot with the
 * one before it, so that however often something changed in between it is one
 * change. Numbered, and kept in a ring of the last FEED_MAX: who reads too late
 * learns that he missed some. Pools that did not change are the same block in
 * both snapshots, so comparing costs a pointer each.
 *
 * Beside it the last transitions, for people: what a member's or a pool's health
 * was and became, and whether all was in step.
 *
 * Safe from any thread; one alone calls feed_take(). A mutex inside, held for
 * as long as a comparison takes: milliseconds where everything changed.
 */
#ifndef AGENT_API_FEED_H
#define AGENT_API_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/api/view.h"
#include "agent/base/attr.h"
#include "agent/plan/snapshot.h"

#define FEED_MAX	16384 /* changes; each may hold a pool's block */
#define FEED_EVENTS_MAX 4096
#define FEED_NAME_MAX	40

enum feed_kind { FEED_POOL, FEED_POOL_GONE, FEED_MEMBER, FEED_MEMBER_GONE };

struct feed_change {
	uint64_t number; /* 1, 2, ... */
	enum feed_kind kind;
	struct pool_view *pool; /* a reference; of what is gone, as it was last */
	size_t member;		/* of that pool; FEED_POOL: 0 */
};

enum feed_event_kind { EVENT_MEMBER, EVENT_POOL, EVENT_SYNC };

struct feed_event {
	uint64_t number; /* 1, 2, ... */
	int64_t at_ms;	 /* when it was seen, within a quarter of a second */
	enum feed_event_kind kind;
	struct pool_view *pool; /* a reference, as it became; NULL: EVENT_SYNC */
	struct endpoint member; /* EVENT_MEMBER */
	const char *from, *to;	/* words, static */
	char reason[24];	/* of the check that decided it; "": none is known */
};

struct feed;
MUST_CHECK struct feed *feed_new(void);
void feed_free(struct feed *f); /* NULL is fine */

/* The newest snapshot, `s` being a reference that is taken over. True: something changed. */
bool feed_take(struct feed *f, struct snapshot *s, int64_t now_ms);

/* The number of the newest change; 0: none yet. */
uint64_t feed_last(struct feed *f);
/* A reference to the snapshot that was compared last; NULL: none yet. */
MUST_CHECK struct snapshot *feed_snapshot(struct feed *f);
/*
 * The first `max` changes after that number, oldest first, into `out`; each pool is a reference
 * for the caller. *out_lost: there were changes after it that are gone by now; what is told
 * then begins with the oldest there is.
 */
MUST_CHECK size_t feed_read(struct feed *f, uint64_t after, struct feed_change *out, size_t max,
			    bool *out_lost);
/* The newest `max` events, newest first; the same. */
MUST_CHECK size_t feed_events(struct feed *f, struct feed_event *out, size_t max);

/* A change's name to clients, "19f3a-17": of this run, by its first snapshot. Returns out. */
const char *feed_name(struct feed *f, uint64_t number, char out[static FEED_NAME_MAX]);
/* The number that a name has; false: it is not of this run, or not one at all. */
MUST_CHECK bool feed_number(struct feed *f, const char *name, uint64_t *out);

#endif
