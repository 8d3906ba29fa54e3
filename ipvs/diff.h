/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a service that is wanted and one that is held to the smallest list of
 * commands between them, cut into steps so that over all services what
 * matters most comes first. Pure.
 *
 * Whoever runs it applies each command to what is held and asks again: a
 * step that did not fit goes on where it stopped, and the end of all steps
 * is the wanted service.
 */
#ifndef IPVS_DIFF_H
#define IPVS_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"
#include "ipvs/kernel.h"
#include "ipvs/table.h"

/* In the order in which they run. */
enum ipvs_step {
	IPVS_STEP_WEIGHTS, /* servers that went down or came back: to 0 first */
	IPVS_STEP_ADD,	   /* services and destinations that are missing */
	IPVS_STEP_EDIT,	   /* everything else that SET can change */
	IPVS_STEP_DELETE,
	IPVS_STEP_COUNT,
};

struct ipvs_diff_rules {
	bool may_delete; /* what is ours and not wanted may go */
	bool quiesce;	 /* not just now: until then give it weight 0 */
	/* Leave this destination, or with NULL the service as a whole, as it is. May be NULL. */
	bool (*blocked)(void *arg, const struct ipvs_dest *d);
	void *arg;
};

/* Commands, in the caller's array. */
struct ipvs_ops {
	struct ipvs_op *ops;
	size_t count;
	size_t size;
};

/* Appends one; op.dest is *d with that weight. False: there is no room. */
MUST_CHECK bool ipvs_add_dest_op(struct ipvs_ops *out, enum ipvs_op_kind kind,
				 const struct endpoint *key, const struct ipvs_dest *d,
				 uint32_t weight);

/* A service's destinations by (address, port); they stay the service's. */
#define IPVS_SORTED_SMALL 64 /* so many need no allocation */
struct ipvs_sorted {
	const struct ipvs_dest **all;
	uint32_t count;
	const struct ipvs_dest *small[IPVS_SORTED_SMALL];
};
void ipvs_sorted_dests(const struct ipvs_service *s, struct ipvs_sorted *out); /* NULL: none */
void ipvs_sorted_done(struct ipvs_sorted *s);

/*
 * Appends the commands of one step. `want` or `have` may be NULL; `lost` too: what the kernel
 * held before, in whose order missing destinations are added. False: there was no room for all.
 */
MUST_CHECK bool ipvs_diff_step(const struct ipvs_service *want, const struct ipvs_service *have,
			       const struct ipvs_service *lost, enum ipvs_step step,
			       const struct ipvs_diff_rules *rules, struct ipvs_ops *out);
/* The first step that has something to do; IPVS_STEP_COUNT: they are as they should be. */
enum ipvs_step ipvs_diff_first(const struct ipvs_service *want, const struct ipvs_service *have,
			       const struct ipvs_diff_rules *rules);

/* Does this scheduler build a table anew at each change of a destination? */
bool ipvs_scheduler_builds(const char *scheduler);
/* The weight a destination of that service is added with. */
uint32_t ipvs_first_weight(const struct ipvs_service *want, const struct ipvs_dest *d);

#endif
