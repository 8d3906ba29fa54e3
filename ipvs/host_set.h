/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ipsets for operators' own firewall rules; nothing of ours looks at them.
 *
 * parasaus-declared, parasaus-declared6 (hash:ip,port): address, protocol and
 * port of every frontend. Ours: kept as the frontends are.
 *
 * parasaus-sources, parasaus-sources6 (hash:net): made empty, for operators to
 * list client networks in, so that a rule such as
 *     iptables -A INPUT -m set --match-set parasaus-declared dst,dst \
 *         -m set ! --match-set parasaus-sources src -j REJECT
 * can be there before the first network is known. We never look into them.
 *
 * Blocks; never logs.
 */
#ifndef IPVS_HOST_SET_H
#define IPVS_HOST_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "ipvs/host_model.h"

#define HOST_SET_MAXELEM 262144

struct host_sets;

MUST_CHECK int host_sets_open(struct host_sets **out, struct err *err);
void host_sets_close(struct host_sets *s); /* NULL is fine */

/* Make those of the four that are missing; *out_made: how many. -EEXIST: a name is another type's. */
MUST_CHECK int host_sets_make(struct host_sets *s, unsigned *out_made, struct err *err);

/* How many entries the two declared sets have together. -ENOENT: one is missing. */
MUST_CHECK int host_sets_count(struct host_sets *s, size_t *out);
typedef void host_entry_fn(void *arg, const struct endpoint *key);
/* Each entry of the declared sets. -ENOENT: one is missing. */
MUST_CHECK int host_sets_read(struct host_sets *s, host_entry_fn *fn, void *arg);

/* Make the changes that are of HOST_DECLARED; others are skipped. What was done of them after a
 * failure is not known. */
MUST_CHECK int host_sets_change(struct host_sets *s, const struct host_change *c, size_t count,
				struct err *err);

/* Destroys the four. One that others' rules use stays and is the error (-EBUSY). */
typedef void host_set_removed_fn(void *arg, const char *name);
MUST_CHECK int host_sets_destroy(struct host_sets *s, host_set_removed_fn *removed, void *arg,
				 struct err *err);

#endif
