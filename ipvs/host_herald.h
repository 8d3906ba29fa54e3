/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling a link that a VIP is here, unasked: gratuitous ARP in both forms
 * (RFC 826, RFC 5227), or an unsolicited neighbour advertisement (RFC 4861,
 * section 7.2.6), so that neighbours that know it elsewhere learn anew.
 * Each VIP is told twice, HOST_HERALD_AGAIN_MS apart, for a packet may be lost;
 * all together no faster than the link's neighbours can take.
 *
 * The packets are pure; the queue has the loop's clock. Never logs.
 */
#ifndef IPVS_HOST_HERALD_H
#define IPVS_HOST_HERALD_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/endpoint.h"
#include "agent/base/loop.h"
#include "ipvs/host_link.h"

#define HOST_HERALD_AGAIN_MS 1000
#define HOST_HERALD_TICK_MS  20
#define HOST_ARP_LEN	     28
#define HOST_NA_LEN	     72

/* Of ARP; an advertisement has the first alone. */
enum host_herald_form { HOST_HERALD_REQUEST, HOST_HERALD_REPLY, HOST_HERALD_FORMS };

/*
 * Sends one packet. Returns 1; 0: the VIP is not to be told on this link any more. Negative:
 * nothing can be sent at the moment, it is tried again.
 */
typedef int host_herald_fn(void *arg, const struct addr *vip, unsigned link,
			   enum host_herald_form form);

/* What follows the Ethernet header: "this VIP (IPv4) has this MAC". */
void host_arp_packet(const uint8_t mac[static HOST_MAC_LEN], const struct addr *vip,
		     enum host_herald_form form, uint8_t out[static HOST_ARP_LEN]);

/* The same of an IPv6 VIP, with the IPv6 header, to all nodes of the link. */
void host_na_packet(const uint8_t mac[static HOST_MAC_LEN], const struct addr *vip,
		    uint8_t out[static HOST_NA_LEN]);

/*
 * The checksum of an ICMPv6 packet with its IPv6 header and no other, where its own is 0 still
 * (RFC 8200, section 8.1); in network order. `len` is even.
 */
uint16_t host_icmp6_checksum(const uint8_t *packet, size_t len);

struct host_herald;

/* At most `rate` packets a second. */
struct host_herald *host_herald_new(struct loop *l, uint32_t rate, host_herald_fn *fn, void *arg);
void host_herald_free(struct host_herald *h); /* NULL is fine */
void host_herald_add(struct host_herald *h, const struct addr *vip, unsigned link);
/* What was added begins to be told now, not in the next turn, as far as the rate allows. */
void host_herald_go(struct host_herald *h);
/* What is still to be told on this link is not: it is about to be added anew. */
void host_herald_drop(struct host_herald *h, unsigned link);
/* How many VIPs are still to be told, on all links; one of which the first time is over counts. */
size_t host_herald_left(const struct host_herald *h);

#endif
