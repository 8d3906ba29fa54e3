/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/histogram.h"

const double histogram_bounds_s[HISTOGRAM_BOUNDS] = { 0.001, 0.0025, 0.005, 0.01, 0.025,
						      0.05,  0.1,    0.25,  0.5,  1,
						      2.5,   5,	     10,    30,	  60 };

void histogram_add(struct histogram *h, uint64_t us)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BOUNDS && (double)us > histogram_bounds_s[i] * 1e6)
		i++;
	h->counts[i]++;
	h->sum_us += us;
}

uint64_t histogram_total(const struct histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += h->counts[i];
	return n;
}

void histogram_merge(struct histogram *h, const struct histogram *more)
{
	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		h->counts[i] += more->counts[i];
	h->sum_us += more->sum_us;
}

double histogram_within_s(const struct histogram *h, double share)
{
	uint64_t all = histogram_total(h), seen = 0;
	unsigned i = 0;

	if (!all)
		return 0;
	while (i < HISTOGRAM_BOUNDS - 1 && (double)(seen + h->counts[i]) < share * (double)all)
		seen += h->counts[i++];
	return histogram_bounds_s[i];
}
