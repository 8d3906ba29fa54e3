/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /api/v1/targets/{id}: all there is to tell of one target. What core knows
 * is in `struct target_details`; what changes with each probe, the healthcheck
 * process is asked for. Where it does not answer, the rest is told without.
 *
 * Two halves, as agent/api/edit.h has them.
 */
#ifndef AGENT_API_TARGET_ROUTE_H
#define AGENT_API_TARGET_ROUTE_H

#include "agent/api/edit.h"
#include "agent/api/rest.h"
#include "agent/plan/snapshot.h"
#include "agent/plan/transitions.h"
#include "healthcheck/message.h"

#define TARGET_USERS_MAX 100 /* members that are named; the others are counted */

/* A member that is checked by it. */
struct target_user {
	const char *pool; /* its id */
	struct endpoint member;
};

struct target_details {
	struct target_view target; /* its login is no reference */
	const struct check *check;
	enum hc_reason reason; /* as target.reason has it */
	size_t past_count;
	struct transition
		past[TRANSITIONS_EACH]; /* enum verdict_state and hc_reason; newest first */
	size_t user_count;		/* in all */
	size_t users_shown;
	struct target_user users[TARGET_USERS_MAX];
};

extern const struct edit_path target_paths[]; /* ends with a NULL path */

/* *out is written for EDIT_REFUSED alone. */
MUST_CHECK enum edit_admission target_admit(const struct rest_request *r, struct rest_reply *out);
MUST_CHECK bool target_is_asked_for(const struct rest_request *r);

struct target_looks; /* requests under way */
MUST_CHECK struct target_looks *target_looks_new(void);
/* Those under way are never answered; after whoever looks has ended. NULL is fine. */
void target_looks_free(struct target_looks *all);

/* NULL: nobody says. */
typedef void target_seen_fn(void *arg, const struct hc_sight *s);

/* What its functions are called with stays until all is answered. */
struct target_look_place {
	struct target_looks *all;
	/* False: there is none. What *out points to stays until the caller returns. */
	bool (*find)(void *arg, uint64_t id, struct target_details *out);
	/* Calls fn, now or later. False: there is none, or nobody can be asked; fn is not called. */
	bool (*look)(void *arg, uint64_t id, target_seen_fn *fn, void *fn_arg);
	int64_t (*now_ms)(void *arg); /* wall clock */
	void *arg;
};
/* A request that was admitted; it stays until fn is called, perhaps from inside. */
void target_begin(const struct target_look_place *p, const struct rest_request *r,
		  edit_answer_fn *fn, void *arg);

#endif
