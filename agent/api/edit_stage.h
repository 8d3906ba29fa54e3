/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to pools of the store that are to be one transaction of it: what each
 * would write is kept back, and those behind it find the documents as it would
 * leave them. Nothing is written before edit_stage_write().
 *
 * A document on the stage keeps the revision of what is in the store: who says
 * a revision means what was there before the first of these requests. Whose the
 * frontends are is for the store to judge, of all documents together: two pools
 * may change theirs with each other.
 *
 * Nothing here blocks; all of it is of the loop's thread. An edit that has one
 * (edit_place.stage) is answered as if it had been written.
 */
#ifndef AGENT_API_EDIT_STAGE_H
#define AGENT_API_EDIT_STAGE_H

#include "agent/api/edit_backend.h"
#include "agent/api/rest.h"
#include "agent/base/loop.h"

#define EDIT_STAGE_DOCUMENTS_MAX STORE_CHANGES_MAX
#define EDIT_STAGE_BYTES_MAX	 (16u << 20)

struct edit_stage;
MUST_CHECK struct edit_stage *edit_stage_new(struct loop *l);
/* Nothing is called back any more; its edits are answered or gone. NULL is fine. */
void edit_stage_free(struct edit_stage *s);
/* More came than one write takes: that request was refused, and the rest is of no use. */
bool edit_stage_is_full(const struct edit_stage *s);

/*
 * All of it or nothing, as the operation that its requests were (or "batch", where they were
 * several), by who they were from; fn from the loop, once. What would be refused is found out by a
 * dry run before, and is not on record but where somebody else was quicker. One was staged at least.
 */
typedef void edit_stage_fn(void *arg, enum store_result r, const char *why);
void edit_stage_write(struct edit_stage *s, bool dry_run, edit_stage_fn *fn, void *arg);
/* The newest revision that was made for a request; 0: none, or not yet. */
uint64_t edit_stage_revision(const struct edit_stage *s, const struct rest_request *r);
/* The store refused the documents that this request has to do with. */
bool edit_stage_is_to_blame(const struct edit_stage *s, const struct rest_request *r);

extern const struct edit_backend edit_backend_stage;

#endif
