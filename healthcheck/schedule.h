/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to probe. Pure: time and randomness are passed in.
 *
 * Each target has a fixed phase in its interval, taken from its id, so that
 * many targets are spread evenly however they were told. Jitter is around
 * that phase and does not add up: a million rounds later the spread is the
 * same, and a target is never probed more than 1.2 intervals after the last.
 */
#ifndef HEALTHCHECK_SCHEDULE_H
#define HEALTHCHECK_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/check.h"
#include "agent/base/clock.h"

#define HC_JITTER_PERCENT 10 /* of the interval, to either side */

/*
 * When the probe after the one that began at `began` is due. In doubt: after the fast interval,
 * up to a tenth of it earlier, never later. May lie in the past, if the probe took long.
 */
mono_t hc_schedule_next(const struct check *c, uint64_t id, mono_t began, bool in_doubt,
			uint32_t random);

/*
 * A limit on starts: `rate` a second, and at once no more than HC_BURST_MS of that. In any
 * window of w ms there are at most rate * (w + HC_BURST_MS) / 1000 + 1.
 */
#define HC_BURST_MS 50

struct hc_bucket {
	int64_t full_at; /* ns: when all that was taken will have been paid for */
	uint32_t rate;	 /* a second, > 0 */
};

bool hc_bucket_take(struct hc_bucket *b, mono_t now);
/* When the next one can be taken; may be in the past. */
mono_t hc_bucket_next(const struct hc_bucket *b);

#endif
