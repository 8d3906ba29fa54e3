/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A generic netlink socket to IPVS: batches of commands, and dumps.
 *
 * The kernel does what a sendmsg() holds before that returns, and each chunk
 * of a dump inside the recv() that asks for it: nothing here waits.
 */
#ifndef IPVS_NETLINK_H
#define IPVS_NETLINK_H

#include "agent/base/attr.h"
#include "ipvs/codec.h"
#include "ipvs/kernel.h"

struct ipvs_netlink;

/* -ENOENT: the kernel has no IPVS and did not load it when asked. */
MUST_CHECK int ipvs_netlink_open(struct ipvs_netlink **out);
void ipvs_netlink_close(struct ipvs_netlink *n); /* NULL is fine */

/* See struct ipvs_kernel_ops. */
MUST_CHECK int ipvs_netlink_write(struct ipvs_netlink *n, const struct ipvs_op *ops, size_t count,
				  int *errors);

typedef void ipvs_netlink_data_fn(void *arg, const struct ipvs_reply *r);
/* Ask for all services, or for the destinations of one. What an earlier dump left is dropped. */
MUST_CHECK int ipvs_netlink_dump(struct ipvs_netlink *n, const struct endpoint *key);
/* Ask for one service; its answer is read as a dump of one. -ESRCH: there is none. */
MUST_CHECK int ipvs_netlink_get(struct ipvs_netlink *n, const struct endpoint *key);
/* The same two for the service of a firewall mark. */
MUST_CHECK int ipvs_netlink_dump_mark(struct ipvs_netlink *n, uint8_t family, uint32_t mark);
MUST_CHECK int ipvs_netlink_get_mark(struct ipvs_netlink *n, uint8_t family, uint32_t mark);
/* The next chunk. 1: there is more, 0: the dump is over. */
MUST_CHECK int ipvs_netlink_dump_next(struct ipvs_netlink *n, ipvs_netlink_data_fn *fn, void *arg);

#endif
