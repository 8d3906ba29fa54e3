/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/order.h"

#include <string.h>
#include <sys/socket.h>

#include "agent/base/buf.h"
#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

#define OPS_PER_DEST 3 /* at most */

/* The weight that the table is to be built with; a server that is well has no other. */
static uint32_t table_weight(const struct ipvs_service *want, const struct ipvs_dest *d)
{
	return d->weight ? d->weight : ipvs_first_weight(want, d);
}

static bool is_same_place(const struct ipvs_dest *want, const struct ipvs_dest *have)
{
	return ipvs_dest_cmp(want, have) == 0;
}

/* Mostly all is well, and then it is seen at little cost. */
static bool in_order(const struct ipvs_service *want, const struct ipvs_service *have)
{
	for (uint32_t i = 0; i < want->dest_count; i++) {
		if (!is_same_place(&want->dests[i], &have->dests[i]) ||
		    table_weight(want, &want->dests[i]) != have->dests[i].nominal)
			return false;
	}
	return true;
}

/*
 * How many of the first can stay where they are. One that had a weight and shall have none in the
 * table cannot: the kernel forgets the last weight only of one that is added.
 */
static uint32_t count_staying(const struct ipvs_service *want, const struct ipvs_dest *const *have)
{
	uint32_t i = 0;

	while (i < want->dest_count && (i == 0 || have[i] > have[i - 1]) &&
	       (table_weight(want, &want->dests[i]) || have[i]->nominal == 0))
		i++;
	return i;
}

static bool is_to_be_renewed(const struct ipvs_service *want, const struct ipvs_dest *w,
			     const struct ipvs_dest *h)
{
	return table_weight(want, w) != h->nominal;
}

bool ipvs_order_is_right(const struct ipvs_service *want, const struct ipvs_service *have)
{
	return !ipvs_scheduler_builds(want->scheduler) || !ipvs_scheduler_builds(have->scheduler) ||
	       want->dest_count != have->dest_count || in_order(want, have);
}

static bool are_same(const struct ipvs_service *want, const struct ipvs_sorted *have)
{
	for (uint32_t i = 0; i < want->dest_count; i++) {
		if (!is_same_place(&want->dests[i], have->all[i]))
			return false;
	}
	return true;
}

/* At its weight, and then what it has now: as it would be loaded. There is room. */
static bool put(struct ipvs_ops *out, enum ipvs_op_kind kind, const struct ipvs_service *want,
		const struct ipvs_dest *d)
{
	uint32_t weight = table_weight(want, d);

	return (kind != IPVS_NEW_DEST || ipvs_add_dest_op(out, IPVS_DEL_DEST, &want->key, d, 0)) &&
	       ipvs_add_dest_op(out, kind, &want->key, d, weight) &&
	       (weight == d->weight ||
		ipvs_add_dest_op(out, IPVS_SET_DEST, &want->key, d, d->weight));
}

static uint32_t repair(const struct ipvs_service *want, const struct ipvs_sorted *have,
		       struct ipvs_ops *out)
{
	uint32_t staying = count_staying(want, have->all), done = 0;

	for (uint32_t i = 0; i < want->dest_count && out->size - out->count >= OPS_PER_DEST; i++) {
		const struct ipvs_dest *w = &want->dests[i];

		if (i < staying && !is_to_be_renewed(want, w, have->all[i]))
			continue;
		done += put(out, i < staying ? IPVS_SET_DEST : IPVS_NEW_DEST, want, w);
	}
	return done;
}

uint32_t ipvs_order_repair(const struct ipvs_service *want, const struct ipvs_service *have,
			   struct ipvs_ops *out)
{
	struct ipvs_sorted sorted;
	uint32_t done;

	if (ipvs_order_is_right(want, have))
		return 0;
	ipvs_sorted_dests(have, &sorted);
	done = are_same(want, &sorted) ? repair(want, &sorted, out) : 0;
	ipvs_sorted_done(&sorted);
	return done;
}

/* --- the fingerprint --- */

uint64_t ipvs_order_fingerprint(const struct ipvs_service *held)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	uint64_t hash;

	if (!ipvs_scheduler_builds(held->scheduler))
		return 0;
	buf_put(&b, held->scheduler, strlen(held->scheduler) + 1);
	wire_put_u32(&b, held->flags & (IPVS_SCHED1 | IPVS_SCHED2));
	for (uint32_t i = 0; i < held->dest_count; i++) {
		const struct ipvs_dest *d = &held->dests[i];
		bool v6 = d->addr.family == AF_INET6;

		if (d->nominal == IPVS_WEIGHT_UNKNOWN)
			return 0;
		wire_put_u8(&b, v6 ? 6 : 4);
		buf_put(&b, d->addr.bytes, v6 ? 16 : 4);
		wire_put_u16(&b, d->port);
		wire_put_u32(&b, d->nominal);
	}
	hash = hash_id(b.data, b.len);
	return hash ? hash : 1;
}
