/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What readers see of all pools, kept sorted by id from one snapshot to the
 * next. It is in pieces, which the lists taken of it share: a change copies
 * the piece it falls into, once a list, whatever the number of pools; a list
 * costs a reference to each piece and a copy of the pointers in them.
 *
 * One thread has the index; its lists go to any.
 */
#ifndef AGENT_PLAN_POOL_INDEX_H
#define AGENT_PLAN_POOL_INDEX_H

#include "agent/base/attr.h"
#include "agent/plan/snapshot.h"

struct pool_index;
MUST_CHECK struct pool_index *pool_index_new(void);
void pool_index_free(struct pool_index *x); /* NULL is fine; lists live on */

/* In place of the one of its pool's id, if there is one. Takes the reference over. */
void pool_index_put(struct pool_index *x, struct pool_view *v);
/* One that is not there is ignored. */
void pool_index_remove(struct pool_index *x, const char *id);

/* A reference, the caller's. While nothing was put or removed it is the same list. */
MUST_CHECK struct pool_list *pool_index_list(struct pool_index *x);

#endif
