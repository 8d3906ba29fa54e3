/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/pace.h"

#include <string.h>

#include "ipvs/diff.h"

#define BUCKET_MS (IPVS_PACE_WINDOW_MS / IPVS_PACE_BUCKETS)

/* Measured on Linux 6.1, one CPU, rounded up. */
enum {
	COST_NEW_SERVICE = 5,
	COST_SET_SERVICE = 1,
	COST_DEL_SERVICE = 3, /* and 1 for each destination */
	COST_NEW_DEST = 3,
	COST_SET_DEST = 2,
	COST_DEL_DEST = 4,
	COST_BUILD = 150, /* an mh table */
	COST_GRACE_PERIOD = 18000,
};

bool ipvs_op_changes_scheduler(const struct ipvs_op *op, const struct ipvs_service *have)
{
	return op->kind == IPVS_SET_SERVICE && have && strcmp(have->scheduler, "none") != 0 &&
	       strncmp(have->scheduler, op->scheduler, sizeof(op->scheduler)) != 0;
}

uint32_t ipvs_op_cost_us(const struct ipvs_op *op, const struct ipvs_service *have)
{
	uint32_t build = have && ipvs_scheduler_builds(have->scheduler) ? COST_BUILD : 0;

	switch (op->kind) {
	case IPVS_NEW_SERVICE:
		return COST_NEW_SERVICE;
	case IPVS_SET_SERVICE:
		if (ipvs_op_changes_scheduler(op, have))
			return COST_GRACE_PERIOD;
		return build == 0 && ipvs_scheduler_builds(op->scheduler) ? COST_BUILD
									  : COST_SET_SERVICE;
	case IPVS_DEL_SERVICE:
		return COST_DEL_SERVICE + (have ? have->dest_count : 0);
	case IPVS_NEW_DEST:
		return COST_NEW_DEST + build;
	case IPVS_SET_DEST:
		return COST_SET_DEST + build;
	case IPVS_DEL_DEST:
		return COST_DEL_DEST + build;
	}
	return 0;
}

/* Forget the buckets that have left the window. */
static unsigned turn_to(struct ipvs_pace *p, mono_t now)
{
	int64_t bucket = now.ns / ((int64_t)BUCKET_MS * 1000000);

	if (bucket - p->bucket > IPVS_PACE_BUCKETS)
		p->bucket = bucket - IPVS_PACE_BUCKETS;
	while (p->bucket < bucket) {
		p->bucket++;
		p->deleted[p->bucket % IPVS_PACE_BUCKETS] = 0;
		p->added[p->bucket % IPVS_PACE_BUCKETS] = 0;
	}
	return (unsigned)(p->bucket % IPVS_PACE_BUCKETS);
}

static uint64_t sum(const uint32_t counts[static IPVS_PACE_BUCKETS])
{
	uint64_t all = 0;

	for (unsigned i = 0; i < IPVS_PACE_BUCKETS; i++)
		all += counts[i];
	return all;
}

void ipvs_pace_added(struct ipvs_pace *p, mono_t now, uint32_t dests)
{
	p->added[turn_to(p, now)] += dests;
}

void ipvs_pace_deleted(struct ipvs_pace *p, mono_t now, uint32_t dests)
{
	p->deleted[turn_to(p, now)] += dests;
}

bool ipvs_pace_may_delete(struct ipvs_pace *p, mono_t now, uint32_t dests, bool expecting)
{
	uint64_t deleted, limit = IPVS_PACE_DELETES_MAX;

	turn_to(p, now);
	deleted = sum(p->deleted);
	if (expecting || sum(p->added) > IPVS_PACE_DELETES)
		limit = IPVS_PACE_DELETES;
	return deleted == 0 || deleted + dests <= limit;
}

bool ipvs_pace_may_change_scheduler(const struct ipvs_pace *p, mono_t now)
{
	return p->scheduler_at.ns == 0 ||
	       mono_sub_ms(now, p->scheduler_at) >= IPVS_PACE_SCHEDULER_MS;
}

void ipvs_pace_scheduler_changed(struct ipvs_pace *p, mono_t now)
{
	p->scheduler_at = now;
}
