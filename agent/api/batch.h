/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many pools or members changed by one request: those that are named, or those
 * that a filter of the lists finds, as many of them as whoever asks has seen.
 *
 * Each pool is changed by a request of its own, one after the other, as if a
 * client sent it: checked, recorded and answered by whoever answers pools, under
 * the one request id. One that is refused leaves the others done, and the
 * answer tells of each. What is refused as a whole has changed nothing. Where
 * three in a row cannot be done at the time (503), as of an API server that is
 * away, the others are not tried. Batches do not wait for each other.
 *
 * One that is atomic is one transaction of the store (edit_stage.h): all of it is
 * done, or nothing, and then the answer tells what of it was refused.
 *
 * Two halves, as agent/api/edit.h has them. Between two pools the loop turns.
 */
#ifndef AGENT_API_BATCH_H
#define AGENT_API_BATCH_H

#include "agent/api/edit.h"
#include "agent/api/rest.h"
#include "agent/base/loop.h"
#include "agent/plan/snapshot.h"

#define BATCH_MAX 1000 /* pools, and members that are removed */

extern const struct edit_path batch_paths[]; /* ends with a NULL path */

/* *out is written for EDIT_REFUSED alone. */
MUST_CHECK enum edit_admission batch_admit(const struct rest_request *r, struct rest_reply *out);
MUST_CHECK bool batch_is_asked_for(const struct rest_request *r);

struct batches; /* under way */
MUST_CHECK struct batches *batches_new(struct loop *l);
/* Those under way are never answered; after edits_free(). NULL is fine. */
void batches_free(struct batches *all);

/* Answers a request to one pool, now or later; it and what it points to stay until then. */
typedef void batch_ask_fn(void *arg, const struct rest_request *r, struct edit_stage *stage,
			  edit_answer_fn *fn, void *fn_arg);
struct batch_place {
	struct batches *batches;
	struct snapshot *snapshot; /* what filters are applied to; NULL: nothing is found */
	batch_ask_fn *ask;	   /* stays until the batch is answered */
	void *ask_arg;
};
/* A request that was admitted, with its body; it stays until fn is called, perhaps from inside. */
void batch_begin(const struct batch_place *p, const struct rest_request *r, edit_answer_fn *fn,
		 void *arg);

#endif
