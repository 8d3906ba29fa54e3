/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts: from a row of probe results to "up" or "down". Pure.
 *
 * A result that says nothing about the server (we ran out of descriptors, our
 * loop was late) moves no counter: our own trouble must never take a healthy
 * server out of service, nor bring a dead one back.
 *
 * A flap is an "up" that a probe of ours gave and that fell again within
 * HC_FLAP_MS. Each of them holds the target down for longer, where its check
 * says so: after the n-th in a row it does not come back before hold_down_s x
 * 2^(n-1), CHECK_HOLD_MAX_S at most, have passed since it went down, however
 * many successes it has. One that lasted HC_FLAP_MS forgets all of them.
 */
#ifndef HEALTHCHECK_VERDICT_H
#define HEALTHCHECK_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "healthcheck/message.h"

enum hc_meaning {
	HC_MEANS_NOTHING, /* about the server */
	HC_MEANS_GOOD,
	HC_MEANS_BAD,
};

/*
 * What the result of a probe says of a server in that state, asked as c asks: that it is alive is
 * enough where any will do, and nothing where a role is asked for. A half-open probe that is well
 * for want of a Secret brings nobody back: who was down may be hanging, and still accept.
 */
enum hc_meaning hc_reason_meaning(const struct check *c, enum verdict_state state,
				  enum hc_reason r);

#define HC_FLAP_MS 600000

/* Eight bytes: there are hundreds of thousands of them. */
struct hc_health {
	enum verdict_state state : 8;
	bool proven : 1; /* by a probe of ours, not inherited */
	/* A probe of ours made it so, at changed_ms, and that still matters: up for less than
	 * HC_FLAP_MS; down, and held. */
	bool recent : 1;
	enum hc_standing standing : 2;
	uint8_t streak;	     /* results in a row that speak against `state` */
	uint8_t flaps;	     /* in a row; as many as fit */
	uint32_t changed_ms; /* monotonic, its lower half */
};

struct hc_health hc_health_new(enum verdict_state initial);
/*
 * One more result. An unknown target is up after one success; one that is down
 * needs `rise` of them; `fall` failures in a row make either down. Returns
 * whether `state` changed.
 */
bool hc_health_feed(struct hc_health *h, const struct check *c, enum hc_meaning m, mono_t now);
/* ... and what a good one said besides: it holds at once, and until another good one says
 * otherwise. Returns whether that changed. */
bool hc_health_stand(struct hc_health *h, enum hc_meaning m, enum hc_reason r);
/*
 * The state may be about to change, or rests on no probe of ours: look again soon. Who is held down
 * is not in doubt, whatever probes say.
 */
bool hc_health_in_doubt(const struct hc_health *h, const struct check *c, mono_t now);
/* How long it is still held down at least; 0: it is not. */
uint32_t hc_health_held_ms(const struct hc_health *h, const struct check *c, mono_t now);

#endif
