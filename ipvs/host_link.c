/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_link.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"

/* --- the values --- */

struct host_link *host_links_add(struct host_links *l, unsigned index, const char *name,
				 const uint8_t mac[static HOST_MAC_LEN])
{
	size_t at = l->count;
	struct host_link *link;

	l->v = xreallocarray(l->v, l->count + 1, sizeof(*l->v));
	for (; at > 0 && l->v[at - 1].index > index; at--)
		l->v[at] = l->v[at - 1];
	link = &l->v[at];
	l->count++;
	*link = (struct host_link){ .index = index, .runs = true };
	snprintf(link->name, sizeof(link->name), "%s", name);
	memcpy(link->mac, mac, HOST_MAC_LEN);
	return link;
}

static bool has_net(const struct host_link *l, const struct prefix *p)
{
	for (size_t i = 0; i < l->net_count; i++) {
		if (l->nets[i].len == p->len && prefix_has(&l->nets[i], &p->addr))
			return true;
	}
	return false;
}

static bool is_link_local(const struct addr *a)
{
	return a->family == AF_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

void host_link_add_net(struct host_link *l, const struct addr *a, unsigned len)
{
	unsigned bits = (unsigned)addr_len(a) * 8;
	struct prefix p = { *a, (uint8_t)len };

	if (len >= bits || is_link_local(a))
		return;
	for (unsigned i = len; i < bits; i++)
		p.addr.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	if (has_net(l, &p))
		return;
	l->nets = xreallocarray(l->nets, l->net_count + 1, sizeof(*l->nets));
	l->nets[l->net_count++] = p;
}

void host_links_done(struct host_links *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->v[i].nets);
	free(l->v);
	*l = (struct host_links){ 0 };
}

bool host_link_has(const struct host_link *l, const struct addr *a)
{
	for (size_t i = 0; i < l->net_count; i++) {
		if (prefix_has(&l->nets[i], a))
			return true;
	}
	return false;
}

bool host_links_have(const struct host_links *l, const struct addr *a)
{
	for (size_t i = 0; i < l->count; i++) {
		if (host_link_has(&l->v[i], a))
			return true;
	}
	return false;
}

const struct host_link *host_links_find(const struct host_links *l, unsigned index)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->v[i].index == index)
			return &l->v[i];
	}
	return NULL;
}

/* --- the host --- */

bool host_link_addr(const struct sockaddr *sa, struct addr *out)
{
	if (!sa || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		return false;
	*out = (struct addr){ .family = (uint8_t)sa->sa_family };
	if (sa->sa_family == AF_INET)
		memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else
		memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	return true;
}

static unsigned bits_of(const struct addr *mask)
{
	unsigned n = 0;

	for (size_t i = 0; i < addr_len(mask); i++)
		n += (unsigned)__builtin_popcount(mask->bytes[i]);
	return n;
}

static void add_link(struct host_links *l, const struct ifaddrs *i)
{
	const struct sockaddr_ll *ll = (const struct sockaddr_ll *)(const void *)i->ifa_addr;

	if (!ll || ll->sll_family != AF_PACKET || ll->sll_hatype != ARPHRD_ETHER ||
	    ll->sll_halen != HOST_MAC_LEN || i->ifa_flags & (IFF_LOOPBACK | IFF_NOARP) ||
	    !(i->ifa_flags & IFF_UP))
		return;
	host_links_add(l, (unsigned)ll->sll_ifindex, i->ifa_name, ll->sll_addr)->runs =
		(i->ifa_flags & IFF_RUNNING) != 0;
}

static void add_net(struct host_links *l, const struct ifaddrs *i)
{
	struct addr a;
	struct addr mask;

	if (!host_link_addr(i->ifa_addr, &a) || !host_link_addr(i->ifa_netmask, &mask))
		return;
	for (size_t k = 0; k < l->count; k++) {
		if (strcmp(l->v[k].name, i->ifa_name) == 0)
			host_link_add_net(&l->v[k], &a, bits_of(&mask));
	}
}

int host_links_read(struct host_links *out)
{
	struct ifaddrs *all = NULL;

	*out = (struct host_links){ 0 };
	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		add_link(out, i);
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		add_net(out, i);
	freeifaddrs(all);
	return 0;
}
