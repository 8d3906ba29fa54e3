/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts: from a row of probe results to "up" or "down". Pure.
 *
 * A result that says nothing about the server (we ran out of descriptors, our
 * loop was late) moves no counter: our own trouble must never take a healthy
 * server out of service, nor bring a dead one back.
 */
#ifndef HEALTHCHECK_VERDICT_H
#define HEALTHCHECK_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
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

struct hc_health {
	enum verdict_state state;
	bool proven;	/* by a probe of ours, not inherited */
	uint8_t streak; /* results in a row that speak against `state` */
};

struct hc_health hc_health_new(enum verdict_state initial);
/*
 * One more result. An unknown target is up after one success; one that is down
 * needs `rise` of them; `fall` failures in a row make either down. Returns
 * whether `state` changed.
 */
bool hc_health_feed(struct hc_health *h, const struct check *c, enum hc_meaning m);
/* The state may be about to change, or rests on no probe of ours: look again soon. */
bool hc_health_in_doubt(const struct hc_health *h);

#endif
