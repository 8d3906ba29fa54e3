/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health checks that connection tracking does not see: whether that goes well on this machine. Pure:
 * time and what was seen are passed in. One for each family.
 *
 * Each probe that is tracked leaves an entry for 10 s, and the table of them has room for 262,144 as
 * a rule. But who drops what is not part of a tracked connection drops probes that are not tracked,
 * and every server would be down. So it is tried out first:
 *
 *   waiting   for servers to try it with
 *   canary    probes of a few servers are not tracked. NOTRACK_GOOD good ones of each: all
 *   all       none is tracked. The few are watched on, and at first whoever goes down
 *   doubt     some of the few failed, and all is tracked again. Those that fail on are forgotten, and
 *             it is tried again with the others
 *   refused   several servers failed untracked and were well when tracked, twice, or one that went
 *             down for it; or the ipvs process says that it must not be: for NOTRACK_RETRY_MS all is
 *             tracked
 *
 *            begin            good
 *   waiting -------> canary --------> all ---> waiting, when many targets go down at once
 *      ^               |  ^            |
 *      |      one fails|  | again      | some
 *      |               v  |            v fail
 *      '------------- doubt <----------'     refused --> waiting
 *       none is left    |                       ^
 *                       '-----------------------'
 *                              the second time
 *
 * Doubt comes with the first failure of a canary, when it is still up: callers take only servers whose
 * checks leave the time for that (notrack_leaves_time()). Afterwards, with `all`, a failure is an
 * everyday thing: a quarter of those that had a result have to fail, and more than one of several.
 * But the way to some server may be another than to those that were tried: who goes down just after
 * the step to `all` is a reason for doubt, whoever it is, and is tried next.
 *
 * One server of many that fails now and then may be cleared twice by chance: where it is not down for
 * it, it is left out.
 *
 * A restart goes on with `all` where the kernel has it, for at the rates that need it a trial would
 * fill the table each time. But meanwhile somebody may have loaded a firewall: until a server was seen
 * well, whichever fails first begins the doubt.
 *
 * Where packets are tracked in one mode only, a probe that is under way when it changes may fail once.
 */
#ifndef AGENT_PLAN_NOTRACK_H
#define AGENT_PLAN_NOTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "agent/base/endpoint.h"

#define NOTRACK_SERVERS	    16 /* that are watched */
#define NOTRACK_GOOD	    3
#define NOTRACK_BAD	    3 /* in doubt: so many failures are its own */
#define NOTRACK_RETRY_MS    3600000
#define NOTRACK_PATIENCE_MS 300000 /* without a result a server has failed */
/* From the end of a probe that failed until nothing is sent untracked any more, at most: notrack_saw()
 * has to be called that often. */
#define NOTRACK_REACTION_MS 500

enum notrack_state {
	NOTRACK_OFF, /* not wanted, for good */
	NOTRACK_WAITING,
	NOTRACK_CANARY,
	NOTRACK_DOUBT,
	NOTRACK_ALL,
	NOTRACK_REFUSED,
};

struct notrack_server {
	uint64_t id;
	struct addr addr;
	bool is_counted;     /* `ok` and `failed` are from after the last change */
	uint32_t ok, failed; /* its probes, as seen last */
	uint32_t good, bad;  /* of them, since the last change */
	bool is_failing;     /* as far as is known */
	bool is_suspect;     /* in doubt: it is one of those that failed */
	bool has_strike;     /* it failed untracked, and was well when tracked */
	bool has_fallen;     /* it went down while none was tracked */
};

/* Why it was refused. */
struct notrack_why {
	uint64_t first; /* one of those that failed; 0: none */
	bool is_picked; /* the kernel picks the address that checks come from for others, too */
	uint32_t failed,
		tried; /* else: so many of those that were tried were well only when tracked */
};

struct notrack {
	enum notrack_state state;
	bool is_applied; /* the kernel does what the state says */
	bool is_adopted; /* `all` is from before the start, and no server was seen well since */
	mono_t since;	 /* of the state; of is_applied, where that came later */
	struct notrack_server servers[NOTRACK_SERVERS];
	uint32_t count;
	uint32_t left_out; /* were cleared twice, in this trial, and are not watched any more */
	struct notrack_why why;
};

/* Could it be seen failing before it is down? */
bool notrack_leaves_time(const struct check *c);

void notrack_init(struct notrack *n, bool is_wanted, mono_t now);
/* At the start: the kernel has `all` from before. */
void notrack_adopt(struct notrack *n, mono_t now);

/* One more server to watch, that is up, and while it waits has been seen well; of several with one
 * address the first counts. Fine only in NOTRACK_WAITING and NOTRACK_ALL. False: it is not taken. */
bool notrack_add(struct notrack *n, uint64_t id, const struct addr *addr);
/* While it waits: have all of them been seen, and been well NOTRACK_GOOD times? Who failed meanwhile,
 * and if it is late who was not well, is not watched any more. */
MUST_CHECK bool notrack_is_ready(struct notrack *n, bool is_late);
/* Waiting is over, if there is any server. */
void notrack_begin(struct notrack *n, mono_t now);

/* What the state asks for is so in the kernel: of what is seen from now on it is judged. */
void notrack_applied(struct notrack *n, mono_t now);
/* So many probes of it were good, and failed, in the life of a prober. */
void notrack_saw(struct notrack *n, uint64_t id, uint32_t ok, uint32_t failed);
/* It is not probed any more, or is down for whatever reason. */
void notrack_lost(struct notrack *n, uint64_t id);
/* It went down so soon after the step to NOTRACK_ALL that this may be why; or after another one did. */
void notrack_fell(struct notrack *n, uint64_t id, const struct addr *addr, mono_t now);
/* Back to waiting: nobody can be watched. */
void notrack_give_up(struct notrack *n, mono_t now);
/* One of those that failed, in NOTRACK_DOUBT; 0: none. */
uint64_t notrack_suspect(const struct notrack *n);
/* The ipvs process will not do it, whatever was asked of it, for that is the kernel's own source. */
void notrack_picked(struct notrack *n, mono_t now);
/* Many targets went down at once: waiting, for the cause of that may be another. */
void notrack_alarm(struct notrack *n, mono_t now);
/* Whatever comes of that, and of time. True: the state is another one. */
MUST_CHECK bool notrack_judge(struct notrack *n, mono_t now);

#endif
