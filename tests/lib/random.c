/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct random random_new(void)
{
	const char *given = getenv("TEST_SEED");
	struct random r = { 0 };

	if (given)
		r.state = strtoull(given, NULL, 10);
	else if (getrandom(&r.state, sizeof(r.state), 0) != (ssize_t)sizeof(r.state))
		abort();
	if (r.state == 0)
		r.state = 1;
	printf("# TEST_SEED=%" PRIu64 "\n", r.state);
	return r;
}

uint64_t random_next(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1d;
}

uint32_t random_below(struct random *r, uint32_t below)
{
	return (uint32_t)((random_next(r) >> 32) * below >> 32);
}
