/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Destinations that drain: core wants to know when one has no connection
 * left. The kernel tells by nothing but its counters, so these are read once
 * a second, a few services at a time.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/base/xalloc.h"
#include "ipvs/role_parts.h"

#define DRAIN_MS	1000
#define READS_PER_PIECE 64

static void on_timer(void *arg);

static bool has_draining(const struct ipvs_row *row)
{
	for (uint32_t i = 0; row->want && i < row->want->dest_count; i++) {
		if (row->want->dests[i].draining)
			return true;
	}
	return false;
}

void ipvs_drain_add(struct ipvs_role *r, struct ipvs_row *row)
{
	if (row->draining || !has_draining(row))
		return;
	if (r->drain_count == r->drain_size) {
		r->drain_size = r->drain_size ? r->drain_size * 2 : 64;
		r->drains = xreallocarray(r->drains, r->drain_size, sizeof(struct ipvs_row *));
	}
	r->drains[r->drain_count++] = row;
	row->draining = true;
	if (!r->drain_timer && !r->drain_work)
		r->drain_timer = loop_timer_in(r->loop, DRAIN_MS, on_timer, r);
}

struct look {
	struct ipvs_role *role;
	struct ipvs_row *row;
};

/* It is told once: in our copy it then drains no more, until core says so again. */
static void tell(struct look *l, const struct ipvs_dest *d)
{
	struct ipvs_service *want = l->row->want;
	size_t i = (size_t)(d - want->dests);

	ipvs_service_edit(want)[i].draining = false;
	ipvs_tell_idle(l->role, &l->row->key, &want->dests[i]);
}

static void take_dest(void *arg, const struct ipvs_dest *d, uint64_t connections)
{
	struct look *l = arg;
	const struct ipvs_dest *want = ipvs_service_find(l->row->want, d);

	if (want && want->draining && d->weight == 0 && connections == 0)
		tell(l, want);
}

/* One that is not in the kernel has nothing to wait for. */
static void tell_absent(struct look *l)
{
	const struct ipvs_row *row = l->row;

	for (uint32_t i = 0; i < row->want->dest_count; i++) {
		const struct ipvs_dest *d = &row->want->dests[i];

		if (d->draining && (!row->have || !ipvs_service_find(row->have, d)))
			tell(l, d);
	}
}

static void look_at(struct ipvs_role *r, struct ipvs_row *row)
{
	struct look l = { r, row };
	int ret;

	if (row->queue != IPVS_QUEUE_NONE)
		return; /* what is in the kernel is about to change */
	if (row->have) {
		ret = r->kernel.ops->read_dests(r->kernel.kernel, &row->key, row->have->dest_count,
						take_dest, &l);
		if (ret < 0)
			return; /* the audit sees to it */
	}
	tell_absent(&l);
}

static bool piece(void *arg)
{
	struct ipvs_role *r = arg;

	for (unsigned i = 0; i < READS_PER_PIECE && r->drain_at < r->drain_count; i++) {
		struct ipvs_row *row = r->drains[r->drain_at];

		if (r->core && has_draining(row))
			look_at(r, row);
		if (has_draining(row)) {
			r->drain_at++;
			continue;
		}
		r->drains[r->drain_at] = r->drains[--r->drain_count];
		row->draining = false;
		ipvs_settle(r, row);
	}
	if (r->drain_at < r->drain_count)
		return true;
	r->drain_work = 0;
	if (r->drain_count)
		r->drain_timer = loop_timer_in(r->loop, DRAIN_MS, on_timer, r);
	return false;
}

static void on_timer(void *arg)
{
	struct ipvs_role *r = arg;

	r->drain_timer = 0;
	r->drain_at = 0;
	r->drain_work = loop_work(r->loop, piece, r);
}
