/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proxy neighbours, `VIP dev LINK proto P` of ip-neighbour(8): the IPv6 VIPs for
 * which the kernel answers neighbour solicitations on a link (RFC 4861, section
 * 7.2.8; ndisc_recv_ns() of net/ipv6/ndisc.c). It does not for the address of a
 * local route, as ARP does. With each the kernel joins the group in which that
 * address is asked for.
 *
 * The protocol, that of our routes, says whose one is. Nothing is told when
 * others make or remove one, nor when the kernel does, with the link's carrier. Blocks; never logs.
 */
#ifndef IPVS_HOST_PROXY_H
#define IPVS_HOST_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "ipvs/host_link.h"
#include "ipvs/host_route.h"

struct host_proxy {
	struct addr addr; /* IPv6 */
	unsigned link;
	bool ours;
};

struct host_proxies {
	struct host_proxy *v; /* owned, by address and link */
	size_t count, size;
};

struct host_proxy_change {
	struct host_proxy proxy;
	bool add;
	int error; /* out: 0 or -errno */
};

struct host_proxy_changes {
	struct host_proxy_change *v; /* owned */
	size_t count, size;
};

/* All there are, whoever made them. -EINTR: somebody wrote meanwhile, ask again; *out is empty. */
MUST_CHECK int host_proxies_read(struct host_routes *r, struct host_proxies *out);
void host_proxies_done(struct host_proxies *p);
/* Of one as it was read; for tests too. */
void host_proxies_add(struct host_proxies *p, const struct host_proxy *proxy);
void host_proxies_sort(struct host_proxies *p);
/* Whether one of ours is on this link. */
bool host_proxies_on(const struct host_proxies *p, unsigned link);

/*
 * Appends what it takes for a VIP to be answered for on the links in whose networks it is and on no
 * others, or with `wanted` false on none. What somebody else made stays, and does as well.
 */
void host_proxies_plan(const struct host_proxies *p, const struct host_links *l,
		       const struct addr *vip, bool wanted, struct host_proxy_changes *out);
void host_proxy_changes_done(struct host_proxy_changes *c);

/*
 * As host_routes_change(); what was done is in *p as well. What is gone already counts as removed.
 * What others made is taken over: *p must be read, and the changes planned, just before.
 */
MUST_CHECK int host_proxies_change(struct host_routes *r, struct host_proxies *p,
				   struct host_proxy_changes *c);

#endif
