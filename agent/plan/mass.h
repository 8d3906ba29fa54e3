/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mass failure: when many targets go down at once, it may be us. Pure: time is
 * passed in, and what is done about a target is the caller's.
 *
 * A target that was up and went down has fallen, until it is up again. What
 * becomes of a fall:
 *
 *   ordinary   it is applied at once
 *   doubt      more than `doubt` % of those that were up have fallen within
 *              MASS_DOUBT_MS: one that is heard of now is applied once it has
 *              stood for its time of confirmation, in which it was probed again
 *   freeze     more than `freeze` % have fallen within MASS_FREEZE_MS: all of
 *              them wait, for their time of confirmation at least, and are
 *              applied the oldest first, in a minute no more than `per_minute` %
 *              of those that were up when it began
 *
 * What is heard of together, until mass_judge(), is judged together: all of it
 * counts for what becomes of any of it. What was applied before stays applied:
 * each is a proof of its own, and nothing comes back but by another proof.
 * Doubt ends when no more than its share have fallen within its time and none
 * waits; a freeze when no more than its share have, and less than what one
 * minute lets go waits, which is then applied as in doubt. Coming up is never
 * delayed. With fewer than `targets` that were up nothing of this applies.
 */
#ifndef AGENT_PLAN_MASS_H
#define AGENT_PLAN_MASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
#include "agent/base/clock.h"

#define MASS_DOUBT_MS	10000
#define MASS_FREEZE_MS	30000
#define MASS_CONFIRM_MS 5000
#define MASS_TICK_MS	100 /* how often mass_run() is wanted while it is busy */

struct mass_config {
	uint32_t targets; /* that were up; 0: it never applies */
	uint32_t doubt;	  /* %, 1..100; so are the next two */
	uint32_t freeze;
	uint32_t per_minute;
};

enum mass_mode { MASS_ORDINARY, MASS_DOUBT, MASS_FREEZE };

struct mass_status {
	enum mass_mode mode;
	/* Of what is no longer ordinary: */
	mono_t since;	   /* it is in this mode */
	uint32_t targets;  /* that were up when it began */
	uint32_t fallen;   /* of them, within the mode's time, when it began */
	uint32_t waiting;  /* now */
	uint32_t applied;  /* falls, since it was ordinary last */
	uint32_t returned; /* that waited, and came up again */
};

struct mass;
typedef uint32_t mass_ticket;
/* A fall is applied from here on. It may not call anything here. */
typedef void mass_apply_fn(void *arg, void *what);

MUST_CHECK struct mass *mass_new(const struct mass_config *c);
void mass_free(struct mass *m); /* NULL is fine */

/* How long a fall that a check has found must stand: long enough for the next probe's result. */
uint32_t mass_confirm_ms(const struct check *c);

/* One more that is up, or one less that did not fall (it is gone). */
void mass_add_up(struct mass *m);
void mass_drop_up(struct mass *m);
/* One of those that are up fell. The caller keeps the ticket until mass_rose(). */
mass_ticket mass_fell(struct mass *m, void *what, uint32_t confirm_ms, mono_t now);
/* It is no fall any more: it is up again (mass_add_up() besides), or gone. A fall that is long
 * over is fine. */
void mass_rose(struct mass *m, mass_ticket t, const void *what);

/* Before anything comes of what was heard of: fn is called for each that is applied at once. */
void mass_judge(struct mass *m, mono_t now, mass_apply_fn *fn, void *arg);
/* Those that have waited long enough, `max` of them. True: there may be more; call again. */
MUST_CHECK bool mass_run(struct mass *m, mono_t now, size_t max, mass_apply_fn *fn, void *arg);
bool mass_is_busy(const struct mass *m);
struct mass_status mass_status(const struct mass *m);

#endif
