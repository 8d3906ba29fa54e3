/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe engine: keeps targets, starts their probes when they are due,
 * turns results into verdicts, and has the verdicts ready to be told.
 *
 * It owns its timers and reads its clock, but waits for nothing: the caller
 * runs it when hc_engine_next() says so and when the network (struct hc_io)
 * has something ready.
 *
 * Our own trouble is nobody's failure. Before a timeout is believed, what is
 * ready is read; in a lap that came HC_LATE_MS or more after it was due no
 * failure counts at all; no descriptors means a pause, not a verdict; what is
 * above the limits waits its turn.
 *
 * Connections that serve several probes rest between them. Those that rest make
 * way for those that are to be made; where there are more than may rest, each
 * probe has its own, as if nothing had been asked for.
 */
#ifndef HEALTHCHECK_ENGINE_H
#define HEALTHCHECK_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/clock.h"
#include "healthcheck/message.h"
#include "healthcheck/probe.h"
#include "healthcheck/schedule.h"

#define HC_LATE_MS  100
#define HC_PAUSE_MS 100	 /* after descriptors or memory ran out */
#define HC_RATE_MIN 1000 /* probes a second that are always allowed */
/* Beyond, this share of what the intervals ask for: with the burst (schedule.h) 1.5 of it at most
 * in any second. */
#define HC_RATE_PERMILLE (1500 * 1000 / (1000 + HC_BURST_MS))
#define HC_KEPT_PART	 4    /* of the descriptors, those of connections that rest */
#define HC_COUNTERS_MS	 5000 /* how long moved counters wait to be told */

struct hc_engine_config {
	struct hc_io io;
	const struct clock *clock;
	uint32_t max_in_flight; /* probes under way; the rest waits, uncounted */
	uint32_t max_open;	/* descriptors for these and for connections that rest */
	uint32_t max_kept_tls;	/* of those that rest, with a session of TLS, which takes memory */
};

struct hc_engine;

MUST_CHECK struct hc_engine *hc_engine_new(const struct hc_engine_config *c);
void hc_engine_free(struct hc_engine *e); /* NULL is fine */

/* Add a target, or confirm one: it keeps its state and its phase. One that may not be probed
 * stays what it was told to be. Takes a reference of its own to the check. Returns whether it was new. */
bool hc_engine_put(struct hc_engine *e, const struct hc_target *t, bool may_probe);
void hc_engine_remove(struct hc_engine *e, uint64_t id); /* unknown ids are fine */
/* For the mysql checks that name it; one that is not present is forgotten. */
void hc_engine_put_secret(struct hc_engine *e, const struct hc_secret *s);
/* Commit removes what was not put since the last begin. */
void hc_engine_begin(struct hc_engine *e);
void hc_engine_commit(struct hc_engine *e);

void hc_engine_run(struct hc_engine *e);
/* When to run it at the latest. False: not before something happens. */
bool hc_engine_next(const struct hc_engine *e, mono_t *out);

/* Take the next verdict that should be told now: changes first, then counters. False: none. */
MUST_CHECK bool hc_engine_tell(struct hc_engine *e, struct hc_verdict *out);
void hc_engine_tell_all(struct hc_engine *e); /* everything is news again */
bool hc_engine_has_news(const struct hc_engine *e);

/* How it is with a target just now, for who asks. */
void hc_engine_look(const struct hc_engine *e, uint64_t id, struct hc_sight *out);

/* lag_ms is the worst since the last call. */
void hc_engine_status(struct hc_engine *e, struct hc_status *out);
/* What kept probes from being run since the last call: how many, and the last cause. */
uint64_t hc_engine_take_trouble(struct hc_engine *e, struct hc_outcome *out);
/* Something about a login that a person should know, once. False: nothing. */
MUST_CHECK bool hc_engine_take_notice(struct hc_engine *e, char *out, size_t size);

#endif
