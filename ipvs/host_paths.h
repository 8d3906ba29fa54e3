/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nftables table `inet parasaus-paths`, by which probes go by a VIP (paths.h). It is there only
 * while there are paths, and looks at TCP alone, of the ports of paths, from and to this host alone
 * (IPVS sends what it forwards with NAT through output, too):
 *   output      a packet of a path gets its mark and the VIP as its destination, after connection
 *               tracking and translation, and after IPVS (-98): it is routed anew, by `lo` to this host,
 *               where IPVS takes it as any that comes in. At output it would lower the path MTU of its
 *               socket's route with each packet into a tunnel, down to nothing
 *               (maybe_update_pmtu() in net/netfilter/ipvs/ip_vs_xmit.c). Where the VIP has no local
 *               route it is dropped, for it would leave.
 *   prerouting  before connection tracking, an answer from the VIP gets the server's address as its
 *               source, so that the socket, connection tracking and the check of the reverse path see
 *               that server alone
 */
#ifndef IPVS_HOST_PATHS_H
#define IPVS_HOST_PATHS_H

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "ipvs/paths.h"

/* Begins as HOST_RULES_TABLE does, by which host_watch.h knows what is ours. */
#define HOST_PATHS_TABLE "parasaus-paths"

/* The table, word for word as nftables 1.0.6 prints it; nothing where there are no paths. Pure. */
void host_paths_text(const struct ipvs_paths *p, struct buf *out);

struct host_shown;

/* The table itself (host_shown.h), to be closed. */
MUST_CHECK int host_paths_open(struct host_shown **out, struct err *err);

#endif
