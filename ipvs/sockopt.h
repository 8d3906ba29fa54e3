/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the IPv4 part of the table by socket options: one consistent look
 * at all services in one call, and one call for the destinations of one,
 * where netlink takes many and may miss or repeat entries. What the options
 * leave out: IPv6, and the details of tunnels.
 */
#ifndef IPVS_SOCKOPT_H
#define IPVS_SOCKOPT_H

#include "agent/base/attr.h"
#include "ipvs/kernel.h"

struct ipvs_sockopt;

/* -EPERM: CAP_NET_ADMIN is missing. */
MUST_CHECK int ipvs_sockopt_open(struct ipvs_sockopt **out);
void ipvs_sockopt_close(struct ipvs_sockopt *s); /* NULL is fine */

/* Look at all services; next hands out the next of them. 1: there are more, 0: that was all. */
MUST_CHECK int ipvs_sockopt_list(struct ipvs_sockopt *s);
MUST_CHECK int ipvs_sockopt_list_next(struct ipvs_sockopt *s, ipvs_list_fn *fn, void *arg);
/* Of what list looked at, but for what is counted: equal for equal lists; never 0. */
uint64_t ipvs_sockopt_list_digest(const struct ipvs_sockopt *s);
void ipvs_sockopt_list_drop(struct ipvs_sockopt *s); /* it has been looked at enough */

/*
 * The destinations of one service, of which there should be `dests`. -ESRCH: no such service.
 * -EAGAIN, with nothing told: they are more, or some are tunnels or IPv6. Ask by netlink.
 */
MUST_CHECK int ipvs_sockopt_dests(struct ipvs_sockopt *s, const struct endpoint *key,
				  uint32_t dests, ipvs_dest_fn *fn, void *arg);

/* In whole seconds. */
MUST_CHECK int ipvs_sockopt_get_timeouts(struct ipvs_sockopt *s, struct ipvs_timeouts *out);
/* One that is 0 stays as it is. */
MUST_CHECK int ipvs_sockopt_set_timeouts(struct ipvs_sockopt *s, const struct ipvs_timeouts *t);

#endif
