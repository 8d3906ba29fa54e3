/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VIP routes: `local ADDRESS dev lo proto P` in the table local, by rtnetlink.
 *
 * rtm_protocol says whose a route is: only those of the given one are
 * removed. Blocks; never logs.
 */
#ifndef IPVS_HOST_ROUTE_H
#define IPVS_HOST_ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"

struct host_routes;

struct host_route {
	struct addr dst;
	struct addr source; /* preferred source; family 0: none */
	bool ours;	    /* carries our protocol */
};

struct host_route_change {
	struct host_route route;
	bool add;
	int error; /* out: 0 or -errno */
};

MUST_CHECK int host_routes_open(uint8_t protocol, struct host_routes **out, struct err *err);
void host_routes_close(struct host_routes *r); /* NULL is fine */
/* The netlink port of this socket, which marks our own changes in notifications. */
uint32_t host_routes_port(const struct host_routes *r);

/* Each local route to a single address, whoever made it. -EINTR: somebody wrote meanwhile, ask again. */
typedef void host_route_fn(void *arg, const struct host_route *route);
MUST_CHECK int host_routes_read(struct host_routes *r, host_route_fn *fn, void *arg);
/* Each address of each interface. */
typedef void host_address_fn(void *arg, const struct addr *a);
MUST_CHECK int host_addresses_read(struct host_routes *r, host_address_fn *fn, void *arg);
/* Whether an interface has this name. */
bool host_has_device(struct host_routes *r, const char *name);
/* The interface of each IPv6 default route that came by router advertisement. */
typedef void host_advertised_fn(void *arg, unsigned ifindex);
MUST_CHECK int host_advertised_read(struct host_routes *r, host_advertised_fn *fn, void *arg);

/* How packets of this host reach an address. */
struct host_way {
	bool gateway; /* over a router */
	uint32_t mtu;
	char device[IF_NAMESIZE];
};
/* -ENETUNREACH and the like: not at all. */
MUST_CHECK int host_way_to(struct host_routes *r, const struct addr *a, struct host_way *out);

/*
 * Make the changes in order, a hundred and more in a packet. Each tells its own error; the
 * return value is that of the exchange (-ENOBUFS: what became of some is not known, read again).
 */
MUST_CHECK int host_routes_change(struct host_routes *r, struct host_route_change *c, size_t count);

#endif
