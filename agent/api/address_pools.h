/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address pools, and how much of each is given out. One walk over the
 * snapshot for all of them.
 */
#ifndef AGENT_API_ADDRESS_POOLS_H
#define AGENT_API_ADDRESS_POOLS_H

#include "agent/api/json_writer.h"
#include "agent/api/uri.h"
#include "agent/base/attr.h"
#include "agent/plan/snapshot.h"

/* How many ports of each are given out, in their order; the caller frees. NULL: there are none. */
MUST_CHECK size_t *address_pools_used(const struct snapshot *s);
/* What a NodePort service can have: ports of its first address. */
size_t address_pool_size(const struct address_pool *p);
/* How many of these somebody has in the model. */
size_t address_pool_held(const struct pools *p, const struct address_pool *a);
/* As a document, of one that is none: the configuration's. */
void address_pool_put_document(struct json_writer *j, const struct address_pool *p);

struct allocations_query {
	size_t offset, limit;
};
/* -EINVAL: a parameter that there is not, or a bad value; err names it. */
MUST_CHECK int allocations_query_parse(const struct uri *u, struct allocations_query *out,
				       struct err *err);
/* Frontends out of p and the pools that have them: a list, or an item a line. */
void allocations_put(const struct allocations_query *q, const struct snapshot *s,
		     const struct address_pool *p, bool lines, struct buf *out);
void address_pools_put(struct json_writer *j, const struct snapshot *s);

#endif
