/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services of mh whose table is not as other nodes have it (order.h) are put
 * right when nothing else is to be done and they have been left alone for a
 * while: whatever is done to one again begins its wait anew.
 *
 * A destination that is moved is gone for the time it takes to build two
 * tables, a fraction of a millisecond: packets of its connections that come
 * just then are lost and sent again. net.ipv4.vs.expire_nodest_conn would end
 * those connections instead, so it is 0 for as long as one batch takes; where
 * that cannot be, nothing is moved.
 */
#include <string.h>

#include "ipvs/order.h"
#include "ipvs/role_parts.h"

#define PACE_MS	      100 /* between batches */
#define OPS_PER_PIECE 32  /* ten destinations: 5 ms, for which a health change may wait */
/* For so long after a deletion the kernel may be ending connections, see may_begin(). */
#define ENDING_MS 5000

static void on_timer(void *arg);

bool ipvs_ordering_wanted(const struct ipvs_role *r, const struct ipvs_row *row)
{
	return r->committed && r->commit.complete && row->want && row->have && !row->troubles &&
	       !row->draining && !ipvs_order_is_right(row->want, row->have);
}

static mono_t ripe_at(const struct ipvs_role *r, const struct ipvs_row *row)
{
	return mono_add_ms(row->ordered_at, r->config->order_quiet_ms);
}

/* Wake up when the first may be put right, and no sooner than a pace from now. */
static void arm(struct ipvs_role *r, int64_t pace_ms)
{
	const struct ipvs_row *first = r->queues[IPVS_QUEUE_ORDER].first;
	mono_t at = mono_add_ms(loop_now(r->loop), pace_ms);
	mono_t ripe;

	if (!first || r->ordering.timer)
		return;
	ripe = ripe_at(r, first);
	r->ordering.timer = loop_timer_at(r->loop, mono_before(at, ripe) ? ripe : at, on_timer, r);
}

void ipvs_ordering_add(struct ipvs_role *r, struct ipvs_row *row)
{
	row->ordered_at = loop_now(r->loop);
	ipvs_enqueue(r, row, IPVS_QUEUE_ORDER);
	arm(r, 0);
}

static bool is_ripe(const struct ipvs_role *r, const struct ipvs_row *row)
{
	return row && !mono_before(loop_now(r->loop), ripe_at(r, row));
}

/*
 * Nothing else is to be done, and nobody is reading what would change. After a deletion the kernel
 * walks all connections and ends those of whatever destination is not there just then, even if the
 * sysctl is 0 by that time.
 */
static bool may_begin(const struct ipvs_role *r)
{
	mono_t now = loop_now(r->loop);

	return ipvs_is_quiet(r) && !r->audit_work && !mono_before(now, r->pause_until) &&
	       !mono_before(now, mono_add_ms(r->deleted_at, ENDING_MS));
}

/* True: connections stay. */
static bool hold_connections(struct ipvs_role *r)
{
	int ret = r->host_ops->hold_connections(r->host, true);

	if (ret < 0 && !r->ordering.refused)
		ipvs_tell_event(r, LOG_LEVEL_WARNING,
				"net.ipv4.vs.expire_nodest_conn cannot be set to 0 (%s): real "
				"servers of %u mh services stay in an order of their own, by which "
				"this node sends a few clients elsewhere than other nodes do",
				strerror(-ret), r->queues[IPVS_QUEUE_ORDER].count);
	r->ordering.refused = ret < 0;
	return ret == 0;
}

static void release_connections(struct ipvs_role *r)
{
	int ret = r->host_ops->hold_connections(r->host, false);

	if (ret < 0)
		ipvs_tell_event(r, LOG_LEVEL_ERROR,
				"net.ipv4.vs.expire_nodest_conn stays 0 (%s): clients of a removed "
				"server may hang; it is set again with the next look at the host",
				strerror(-ret));
}

static void repair(struct ipvs_role *r, struct ipvs_row *row)
{
	struct ipvs_ops out = { .ops = r->ops, .size = OPS_PER_PIECE };
	uint32_t done = ipvs_order_repair(row->want, row->have, &out);

	for (size_t i = 0; i < out.count; i++)
		ipvs_image_apply(&r->image, row, &out.ops[i]);
	ipvs_write(r, out.count);
	ipvs_settle(r, row);
	r->ordering.dests += done;
	r->ordering.services += row->queue == IPVS_QUEUE_NONE;
}

/* All that was ripe is done: one line for all of it. */
static void end_round(struct ipvs_role *r)
{
	if (r->ordering.dests)
		ipvs_tell_event(r, LOG_LEVEL_INFO,
				"%u mh services have their real servers in the order that all "
				"nodes have: %u were put right, and connections go on",
				r->ordering.services, r->ordering.dests);
	r->ordering.dests = r->ordering.services = 0;
}

static void on_timer(void *arg)
{
	struct ipvs_role *r = arg;
	struct ipvs_row *row = r->queues[IPVS_QUEUE_ORDER].first;
	int64_t pace_ms = PACE_MS;

	r->ordering.timer = 0;
	if (is_ripe(r, row) && may_begin(r)) {
		if (hold_connections(r)) {
			repair(r, row);
			release_connections(r);
			ipvs_pump(r);
		} else {
			pace_ms += r->config->order_quiet_ms;
		}
	}
	if (!is_ripe(r, r->queues[IPVS_QUEUE_ORDER].first))
		end_round(r);
	ipvs_tell_status(r);
	arm(r, pace_ms);
}

void ipvs_ordering_end(struct ipvs_role *r)
{
	loop_cancel(r->loop, r->ordering.timer);
}
