/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers on a hashed wheel: 4,096 slots of 4 ms. Adding and cancelling are
 * O(1) at any number of timers; running costs what is due plus, once in 16 s,
 * one look at each timer that is further away than that.
 *
 * A timer_id is never 0 and never used twice, so a stale one is harmless.
 * Callbacks may add and cancel any timer, their own included.
 */
#ifndef AGENT_BASE_TIMERS_H
#define AGENT_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/clock.h"

struct timers;
typedef uint64_t timer_id;
typedef void timer_fn(void *arg);

MUST_CHECK struct timers *timers_new(mono_t now);
void timers_free(struct timers *t); /* NULL is fine; callbacks do not run */

timer_id timers_add(struct timers *t, mono_t when, timer_fn *fn, void *arg);
/* True if it was still to run. */
bool timers_cancel(struct timers *t, timer_id id);

/* When the next one may be due: never late, at times early. False: none. */
bool timers_next(const struct timers *t, mono_t *out);
/* Run what is due at `now`, `max` at most; returns how many ran. */
size_t timers_run(struct timers *t, mono_t now, size_t max);
size_t timers_count(const struct timers *t);

#endif
