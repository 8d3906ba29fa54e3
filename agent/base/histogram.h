/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long something took, each time: counts by fixed bounds from a
 * millisecond to a minute, as metrics give them out. A plain value; pure.
 */
#ifndef AGENT_BASE_HISTOGRAM_H
#define AGENT_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 15

extern const double histogram_bounds_s[HISTOGRAM_BOUNDS]; /* upper ones, inclusive; ascending */

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS +
			1]; /* up to each bound and above the one before; beyond */
	uint64_t sum_us;
};

void histogram_add(struct histogram *h, uint64_t us);
uint64_t histogram_total(const struct histogram *h); /* how many */
void histogram_merge(struct histogram *h, const struct histogram *more);
/* The bound that `share` of them (0..1) are within: 0 where there are none, the last one beyond it. */
double histogram_within_s(const struct histogram *h, double share);

#endif
