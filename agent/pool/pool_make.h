/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pool as a value: making, comparing and sharing it. */
#ifndef AGENT_POOL_POOL_MAKE_H
#define AGENT_POOL_POOL_MAKE_H

#include "agent/pool/pool.h"

/* "{namespace}.{service}.{port name or number}-{protocol}" of p's parts. */
void pool_id(const struct pool *p, uint16_t port, char *out, size_t size);

/*
 * One block of memory, one reference. The parts are copied, the members from members.any, the check
 * gets a reference more, the problems move over.
 */
MUST_CHECK struct pool *pool_make(struct pool *parts);
bool pool_equal(const struct pool *a, const struct pool *b);

#endif
