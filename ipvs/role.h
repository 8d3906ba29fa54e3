/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ipvs process: keeps the kernel as the last commit wants it.
 *
 * It reads the table, adopts it, writes differences only, audits, and repairs.
 * Whatever core says, it touches nothing but what `ours` covers, and core may say what is ours only
 * inside `vip_ranges`. It never logs: what a person should know goes to core as IPVS_MSG_EVENT.
 */
#ifndef IPVS_ROLE_H
#define IPVS_ROLE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "agent/base/loop.h"
#include "ipvs/announce.h"
#include "ipvs/notrack.h"
#include "ipvs/table.h"
#include "ipvs/timeouts.h"

#define IPVS_ORDER_QUIET_MS 30000

struct ipvs_config {
	const struct prefix *vip_ranges; /* never touch an address outside */
	size_t vip_range_count;
	const struct prefix *refuse; /* nor a real server inside */
	size_t refuse_count;
	const struct ipvs_ours *ours; /* "ours" as defined in parasausd(8), until core says more */
	size_t ours_count;
	uint32_t audit_ms; /* between looks at the whole service list */
	/* For so long an mh service is left alone before its order is put right (order.h):
	 * IPVS_ORDER_QUIET_MS. */
	uint32_t order_quiet_ms;
	uint8_t route_protocol; /* rtm_protocol of VIP routes (112) */
	struct addr node_v4;	/* preferred source of VIP routes; family 0: the kernel's choice */
	struct addr node_v6;
	/* Where health checks come from that connection tracking may be kept from, by family (notrack.h);
	 * family 0: it may not. */
	struct addr probes_from[IPVS_NOTRACK_PARTS];
	struct ipvs_timeouts timeouts;
	struct ipvs_announce announce;
};

struct ipvs_role;

/*
 * Opens the sockets (CAP_NET_ADMIN), reads the kernel; `c` and what it points
 * to must outlive the role. If IPVS is missing, err says which module or
 * package helps. Blocks while reading.
 */
MUST_CHECK int ipvs_role_new(struct loop *l, const struct ipvs_config *c, struct ipvs_role **out,
			     struct err *err);
/* A core connected; an earlier one is forgotten, its last commit is not. Takes fd over. */
void ipvs_role_connect(struct ipvs_role *r, int fd);
void ipvs_role_free(struct ipvs_role *r); /* leaves the kernel as it is */

/* Removes everything of ours from the kernel, and says on stdout what. For `parasausd --cleanup`. */
MUST_CHECK int ipvs_cleanup(const struct ipvs_config *c, struct err *err);

#endif
