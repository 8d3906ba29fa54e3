/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The links of this host on which VIPs can be asked for by ARP or by neighbour
 * solicitation: interfaces of Ethernet kind that are up, and the networks that
 * their addresses say are on them. Blocks for as long as the kernel takes; never
 * logs.
 */
#ifndef IPVS_HOST_LINK_H
#define IPVS_HOST_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"

#define HOST_MAC_LEN 6

struct host_link {
	unsigned index;
	char name[IF_NAMESIZE];
	uint8_t mac[HOST_MAC_LEN];
	bool runs; /* it has a carrier */
	struct prefix *nets;
	size_t net_count;
};

struct host_links {
	struct host_link *v; /* owned, by index */
	size_t count;
};

/* All of them now. -errno: *out is empty. */
MUST_CHECK int host_links_read(struct host_links *out);
void host_links_done(struct host_links *l);

/* Is it in a network of this link? */
bool host_link_has(const struct host_link *l, const struct addr *a);
/* Is it in a network of any? */
bool host_links_have(const struct host_links *l, const struct addr *a);
/* NULL: there is no such link, or not any more. */
const struct host_link *host_links_find(const struct host_links *l, unsigned index);

/* False: it is NULL, or of another family than IPv4 and IPv6. */
bool host_link_addr(const struct sockaddr *sa, struct addr *out);

/* Of an interface of this kind (index, name, mac), that runs, and of each of its addresses; for
 * tests too. */
struct host_link *host_links_add(struct host_links *l, unsigned index, const char *name,
				 const uint8_t mac[static HOST_MAC_LEN]);
/* The network that an address with a prefix of so many bits is in; of all its bits, or link-local,
 * there is none. */
void host_link_add_net(struct host_link *l, const struct addr *a, unsigned len);

#endif
