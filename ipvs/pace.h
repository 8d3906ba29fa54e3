/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much may be written now.
 *
 * Three things cost more than a command should. A batch holds up whoever else
 * uses generic netlink, and our own next health change: it is cut by what its
 * commands are expected to take. A deleted destination stays on a list for two
 * to three minutes, and each destination added meanwhile walks that list:
 * deletions are counted over three minutes. Changing the scheduler of a live
 * service makes the kernel wait for a grace period with its locks held:
 * such changes are spread out. Pure: time is passed in.
 */
#ifndef IPVS_PACE_H
#define IPVS_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/clock.h"
#include "ipvs/kernel.h"
#include "ipvs/table.h"

#define IPVS_BATCH_US	       2000
#define IPVS_PACE_WINDOW_MS    180000
#define IPVS_PACE_DELETES      2000  /* in a window while additions are expected */
#define IPVS_PACE_DELETES_MAX  20000 /* in a window otherwise */
#define IPVS_PACE_SCHEDULER_MS 100

#define IPVS_PACE_BUCKETS 18

struct ipvs_pace {
	int64_t bucket; /* the number of the newest, since the clock's zero */
	uint32_t deleted[IPVS_PACE_BUCKETS];
	uint32_t added[IPVS_PACE_BUCKETS];
	mono_t scheduler_at; /* the last change of a live scheduler */
};

/* What a command is expected to take of the kernel's time, in microseconds. `have` may be NULL. */
uint32_t ipvs_op_cost_us(const struct ipvs_op *op, const struct ipvs_service *have);
bool ipvs_op_changes_scheduler(const struct ipvs_op *op, const struct ipvs_service *have);

/* Count destinations. */
void ipvs_pace_added(struct ipvs_pace *p, mono_t now, uint32_t dests);
void ipvs_pace_deleted(struct ipvs_pace *p, mono_t now, uint32_t dests);
/*
 * May `dests` destinations be deleted now? Additions are expected while a source is still to
 * deliver (`expecting`), and after many of them. One service alone is never too many.
 */
bool ipvs_pace_may_delete(struct ipvs_pace *p, mono_t now, uint32_t dests, bool expecting);
bool ipvs_pace_may_change_scheduler(const struct ipvs_pace *p, mono_t now);
void ipvs_pace_scheduler_changed(struct ipvs_pace *p, mono_t now);

#endif
