/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: from a pool, its verdicts and what is draining to the virtual
 * service the kernel should hold. Pure: the same facts give the same plan,
 * however they came about; nothing is remembered here.
 *
 *   up                     nominal weight
 *   up again               with slow-start and others up: a tenth of it, and one
 *                          more each tenth of that time, rounded up (schedulers
 *                          that share by weight)
 *   unproven               out until one success (mh: weight 0)
 *   down                   weight 0 at once; out of the table after
 *                          PLAN_UNHEALTHY_KEEP_MS (`keep` and mh: never,
 *                          `reset` and UDP: at once)
 *   terminating, removed   weight 0 until it has no connection, or its
 *                          drain-seconds are over; UDP: PLAN_DATAGRAM_MS
 *   no member up, or       the last good set and the unproven, or all, at
 *   fewer than             nominal weight, unless the pool's fail-policy is
 *   min-healthy percent    closed; who is not known yet does not count
 *   saturated, degraded    weight 1 while others are up that are neither (mh, sh,
 *                          dh: nominal)
 *   draining               weight 0 while others are up that are not; stays in the
 *                          table, and counts as up
 *
 * A pool whose check asks for a role begins with no member up, for a role that
 * is not known is no role; its fail-policy is closed and its on-unhealthy
 * reset unless its owner said otherwise (pool/annotations.c). For reader and
 * galera the table above holds: a replica that lags or a node outside the
 * primary component would give wrong answers, which is worse than none. For
 * writer at most one member has a weight, whatever the fail-policy:
 *
 *   the writer is up       it, and nobody else; others that take writes too
 *   or unknown             are a fault of the pool ("torn")
 *   the writer is down,    that one is the writer from here on; the old one
 *   just one other claims
 *   the writer is down,    nobody; by a fail-policy other than closed the
 *   none or several claim  writer, down as it is
 *   there is no writer     just one claims and nobody's role is unknown: that
 *                          one; otherwise nobody
 *
 * Who loses its weight stays at 0 for PLAN_HANDOVER_MS before it leaves, for
 * the kernel adds before it deletes: the old writer has to be out before the
 * new one is in.
 *
 * Who claims has been seen to take writes by the last probe. Down is also who
 * was seen to be read-only.
 */
#ifndef AGENT_PLAN_PLAN_H
#define AGENT_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "agent/plan/snapshot.h"
#include "agent/pool/pool.h"
#include "ipvs/table.h"

#define PLAN_UNHEALTHY_KEEP_MS 30000
#define PLAN_HANDOVER_MS       1000
/* A datagram has no connection to wait for, but its answer may be on the way, and the kernel lets
 * no answer through once the destination is gone. */
#define PLAN_DATAGRAM_MS 1000

/* What is known of a member, in the order of the pool's members. */
struct plan_fact {
	enum verdict_state state; /* VERDICT_UP where it is not checked */
	bool good;		  /* up by proof: a probe, the kernel or the state file */
	bool last_good;		  /* of the last good set */
	mono_t down_since;	  /* with VERDICT_DOWN; so is the next */
	mono_t held_until;	  /* not up before that, for it flapped; { 0 }: it is not held */
	mono_t up_since;	  /* with VERDICT_UP: after it was seen failed; { 0 }: it was not */
	bool waiting;		  /* with VERDICT_UP: is down, with many others (plan/mass.h) */
	bool saturated;		  /* with VERDICT_UP: has as many connections as it takes */
	bool degraded;		  /* with VERDICT_UP: says that it is not at its best */
	bool draining;		  /* with VERDICT_UP: says that it is about to go */
	bool other_role;	  /* with VERDICT_DOWN: alive, but not in the role */
	bool claims;		  /* role writer: seen to take writes */
	bool writer;		  /* role writer: it is the one; at most one member's */
	bool serving;		  /* role writer: has had a weight until now */
	mono_t retired;		  /* role writer: when it had one last; { 0 }: long ago */
};

/*
 * Who is of the last good set now: those that are good, and while none has replaced them those
 * that went down within PLAN_UNHEALTHY_KEEP_MS of the last one, so that a failure that
 * takes them one after the other does not leave the set to whoever was probed last. With
 * min-healthy they leave it so while enough are up; nobody does while too few are.
 */
void plan_last_good(const struct pool *pool, struct plan_fact *facts, mono_t now);

/* What the plan says of it. */
struct plan_member {
	mono_t remove_at; /* when it leaves the table; { 0 }: it stays */
	mono_t retired;	  /* fact for the next plan; `writer` too */
	uint32_t weight;
	uint32_t reasons; /* enum member_reason; without INHERITED, which is the caller's to know */
	bool in_table;
	bool writer;
};

/* What of it is for the kernel, and all that is kept of it: there are many. */
struct plan_place {
	uint16_t weight;
	bool in_table;
};
static inline struct plan_place plan_place(const struct plan_member *m)
{
	return (struct plan_place){ (uint16_t)m->weight, m->in_table };
}

/* ... and of the pool. */
struct plan_outcome {
	bool fail_open; /* members that are down are kept because none is up, or too few are */
	bool torn;	/* more than one member claims to be the writer */
	mono_t next;	/* when it comes out differently by itself; { 0 }: not at all */
};

/*
 * Decide each member of a pool at `now`. facts and out have pool->member_count entries.
 * Terminating members come out as not in the table: they are drains (below).
 */
void plan_pool(const struct pool *pool, const struct plan_fact *facts, mono_t now,
	       struct plan_member *out, struct plan_outcome *outcome);

/* How packets get to a server, as struct ipvs_dest has it. */
struct plan_path {
	uint8_t forward; /* enum ipvs_forward */
	uint8_t tunnel;
	uint16_t tunnel_port;
};
struct plan_path plan_path(const struct pool *pool);

/* A member that is leaving one frontend. */
struct plan_drain {
	struct endpoint endpoint;
	mono_t deadline;
	struct plan_path path; /* as it is in the kernel */
	bool done;	       /* no connection left: out of the table, though still in the pool */
};

/* A frontend's service without destinations, from the pool that owns it. */
struct ipvs_service plan_service(const struct pool *pool, const struct endpoint *frontend);

/*
 * The destinations of s: the pool's members as planned and the drains that are neither done nor
 * over. `pool` is NULL for a frontend that only drains.
 */
void plan_dests(struct ipvs_service *s, const struct pool *pool, const struct plan_place *members,
		const struct plan_drain *drains, size_t drain_count, mono_t now);

/* The state a target starts with, decided once, when it first appears. */
struct plan_first {
	bool in_kernel;		  /* the kernel's table held it when we started */
	uint32_t kernel_weight;	  /* with in_kernel */
	bool nominal_zero;	  /* weight 0 says nothing about its health */
	enum verdict_state saved; /* the state file's word; UNKNOWN: none */
	bool kernel_serves;	  /* the kernel's table held others of its pool in service */
	bool pool_proven;	  /* a member of its pool has been seen up by a probe */
	bool has_role;		  /* its check asks for a role, which has to be seen */
};
enum verdict_state plan_first_state(const struct plan_first *f);

#endif
