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

/* The ports of its first address, which is what a NodePort service can have. */
struct address_pool_room {
	size_t size;
	size_t used; /* that somebody has */
	size_t free; /* that are left to give out: reserved ones are not */
};
/* One for each address pool of its rules, the caller's to free; NULL: there is none. */
MUST_CHECK struct address_pool_room *address_pools_room(const struct snapshot *s);
/* Of one, with what the model holds; NULL: nothing. */
struct address_pool_room address_pool_room(const struct pools *p, const struct address_pool *a);
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
