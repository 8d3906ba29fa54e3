/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /api/v1/pools/{id}/statistics: what the kernel counted of one pool, by
 * frontend and real server. It is read when it is asked for, one frontend
 * after the other, so that a pool costs what it has and nothing else is held.
 *
 * Two halves, as agent/api/edit.h has them.
 */
#ifndef AGENT_API_STATISTICS_H
#define AGENT_API_STATISTICS_H

#include "agent/api/edit.h"
#include "agent/api/rest.h"
#include "agent/plan/snapshot.h"
#include "ipvs/stats.h"

extern const struct edit_path statistics_paths[]; /* ends with a NULL path */

/* *out is written for EDIT_REFUSED alone. */
MUST_CHECK enum edit_admission statistics_admit(const struct rest_request *r,
						struct rest_reply *out);
MUST_CHECK bool statistics_is_asked_for(const struct rest_request *r);

struct statistics; /* requests under way */
MUST_CHECK struct statistics *statistics_new(void);
/* Those under way are never answered; after whoever counts has ended. NULL is fine. */
void statistics_free(struct statistics *all);

struct statistics_place {
	struct statistics *all;
	const struct snapshot *snapshot; /* for the call of statistics_begin(); NULL: no pools */
	/* What was counted of a frontend? False: nobody can be asked now. Stays until all is answered. */
	bool (*count)(void *arg, const struct endpoint *frontend, ipvs_stats_fn *fn, void *fn_arg);
	void *arg;
	int64_t now_ms; /* wall clock */
};
/* A request that was admitted; it stays until fn is called, perhaps from inside. */
void statistics_begin(const struct statistics_place *p, const struct rest_request *r,
		      edit_answer_fn *fn, void *arg);

#endif
