/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address pools, and how much of each is given out. One walk over the
 * snapshot for all of them.
 */
#ifndef AGENT_API_ADDRESS_POOLS_H
#define AGENT_API_ADDRESS_POOLS_H

#include "agent/api/json_writer.h"
#include "agent/base/attr.h"
#include "agent/plan/snapshot.h"

/* How many ports of each are given out, in their order; the caller frees. NULL: there are none. */
MUST_CHECK size_t *address_pools_used(const struct snapshot *s);
/* What a NodePort service can have: ports of its first address. */
size_t address_pool_size(const struct address_pool *p);
void address_pools_put(struct json_writer *j, const struct snapshot *s);

#endif
