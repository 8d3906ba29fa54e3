/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/schedule.h"

#define MS INT64_C(1000000)

/* Evenly in -span..span. */
static int64_t jitter(int64_t span, uint32_t random)
{
	/* In microseconds: of an hour, too, the product fits. */
	return (int64_t)((uint64_t)(2 * span / 1000) * random / UINT32_MAX) * 1000 - span;
}

mono_t hc_schedule_next(const struct check *c, uint64_t id, mono_t began, bool in_doubt,
			uint32_t random)
{
	int64_t interval = c->interval_ms * MS;
	int64_t fast = c->fast_ms * MS;
	int64_t phase = (int64_t)(id % c->interval_ms) * MS;
	int64_t span = interval * HC_JITTER_PERCENT / 100;
	int64_t round, next, limit;

	if (in_doubt) {
		span = fast * HC_JITTER_PERCENT / 200;
		return (mono_t){ began.ns + fast - span + jitter(span, random) };
	}
	/* The round that began belongs to is the nearest: it was early or late by the jitter. */
	round = (began.ns - phase + interval / 2) / interval;
	next = phase + (round + 1) * interval + jitter(span, random);
	/* Out of step, as after the first probe or after fast ones: fall into step again, but
	 * never leave more than 1.2 intervals between two looks. */
	limit = began.ns + interval + 2 * interval * HC_JITTER_PERCENT / 100;
	return (mono_t){ next < limit ? next : limit };
}

static int64_t cost(const struct hc_bucket *b)
{
	return 1000 * MS / b->rate;
}

mono_t hc_bucket_next(const struct hc_bucket *b)
{
	return (mono_t){ b->full_at - HC_BURST_MS * MS };
}

bool hc_bucket_take(struct hc_bucket *b, mono_t now)
{
	if (mono_before(now, hc_bucket_next(b)))
		return false;
	if (b->full_at < now.ns)
		b->full_at = now.ns;
	b->full_at += cost(b);
	return true;
}
