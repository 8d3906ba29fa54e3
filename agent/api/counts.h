/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many of what there are, in one answer: for badges, and for the filters
 * of a page. One walk over the snapshot: milliseconds at 350,000 members.
 */
#ifndef AGENT_API_COUNTS_H
#define AGENT_API_COUNTS_H

#include "agent/api/json_writer.h"
#include "agent/api/view.h"
#include "agent/plan/snapshot.h"

#define COUNTS_NAMESPACES_MAX 1000 /* that are told; their number is told in any case */

#define COUNTS_HEALTHS	   (HEALTH_UNMONITORED + 1)
#define COUNTS_STATES	   (VERDICT_DOWN + 1)
#define COUNTS_TYPES	   CHECK_TYPES
#define COUNTS_REASONS_MAX 32
#define COUNTS_PROTOCOLS   3 /* tcp, udp, sctp */

struct counts {
	size_t health[COUNTS_HEALTHS], protocol[COUNTS_PROTOCOLS],
		check[COUNTS_TYPES]; /* of pools */
	size_t fail_open, inherited, with_problems, with_draining;
	size_t up, down, unknown, draining, reasons[COUNTS_REASONS_MAX]; /* of members */
	size_t target_state[COUNTS_STATES], target_type[COUNTS_TYPES];
	size_t errors, warnings;
};
struct counts counts_of(const struct snapshot *s);

void counts_put(struct json_writer *j, const struct snapshot *s);

#endif
