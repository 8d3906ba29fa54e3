/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether an address of this host is one that the kernel picks as a source by itself: for what this
 * host sends, and for what it masquerades. Connection tracking cannot be kept from such an address,
 * for answers to what is masqueraded behind it would not be translated back.
 *
 * As in inet_select_addr() (net/ipv4/devinet.c) and ipv6_dev_get_saddr() (net/ipv6/addrconf.c). Where
 * in doubt it is one: a primary address with a network of its own, an IPv6 address that is not
 * deprecated (preferred_lft 0) and is not on lo, the source of any route, and what the kernel answers
 * for one way over each interface and to each of the given servers. Blocks; never logs.
 */
#ifndef IPVS_HOST_SOURCE_H
#define IPVS_HOST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"

struct host_routes;

/* -errno: it could not be found out, and *out says that it is. */
MUST_CHECK int host_source_picked(struct host_routes *r, const struct addr *a,
				  const struct addr *servers, size_t count, bool *out);

#endif
