/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose turn it is, at hundreds of thousands: things are numbers 0, 1, 2, ...
 * of the caller's, each with one place at most, which is on a wheel of
 * ticks of 2 ms, or in a queue, or nowhere.
 *
 * A place takes 12 bytes, and nothing is allocated but by places_reserve().
 * Putting and taking out are O(1); running the wheel costs what is due plus,
 * once in 16 s, one look at each number that is further away than that. Pure.
 */
#ifndef HEALTHCHECK_WHEEL_H
#define HEALTHCHECK_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/clock.h"

#define PLACE_NONE UINT32_MAX

/* First in, first out; PLACES_EMPTY at first. */
struct place_list {
	uint32_t first, last;
	uint32_t count;
};
#define PLACES_EMPTY ((struct place_list){ PLACE_NONE, PLACE_NONE, 0 })

struct place {
	uint32_t before, after;
};

/* Zeroed at first. */
struct places {
	struct place *links;
	uint32_t size;
};

/* For the numbers below `count`; may move all of them, and never takes room back. */
void places_reserve(struct places *p, uint32_t count);
void places_done(struct places *p);
/* n is below what was reserved, and in no list of p's. */
void places_push(struct places *p, struct place_list *l, uint32_t n);
void places_remove(struct places *p, struct place_list *l, uint32_t n); /* it is in there */

struct wheel;
/* May put n somewhere, but must leave others on the wheel where they are. */
typedef void wheel_fn(void *arg, uint32_t n);

/* `p` is the caller's and outlives it. */
MUST_CHECK struct wheel *wheel_new(struct places *p, mono_t now);
void wheel_free(struct wheel *w);		     /* NULL is fine */
void wheel_reserve(struct wheel *w, uint32_t count); /* and of its places */

/* `when` is cut to a whole tick. False: that time is over, and n is not on it. */
MUST_CHECK bool wheel_put(struct wheel *w, uint32_t n, mono_t when);
void wheel_remove(struct wheel *w, uint32_t n); /* it is there */
/* What n was put to last, whether it was taken then or not. */
mono_t wheel_due(const struct wheel *w, uint32_t n);

/* When it should run next: never late, at times early. False: it is empty. */
bool wheel_next(const struct wheel *w, mono_t *out);
/* Takes out what is due, the first first unless it was not run for 16 s, and calls fn for each. */
void wheel_run(struct wheel *w, mono_t now, wheel_fn *fn, void *arg);

#endif
