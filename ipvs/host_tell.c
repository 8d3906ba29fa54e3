/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An owner tells the links of its VIPs that they are here: when it becomes
 * their owner, when the agent starts, and when an interface comes up or changes.
 * An interface that was away for less than HOST_WATCH_SETTLE_MS was not away.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/socket.h>

#include "ipvs/host_state.h"

static int send_to_all(int fd, const struct host_link *l, const struct addr *vip,
		       enum host_herald_form form)
{
	static const uint8_t all_nodes[HOST_MAC_LEN] = { 0x33, 0x33, 0, 0, 0, 1 }; /* ff02::1 */
	bool v6 = vip->family == AF_INET6;
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(v6 ? ETHERTYPE_IPV6 : ETHERTYPE_ARP),
				  .sll_ifindex = (int)l->index,
				  .sll_halen = HOST_MAC_LEN };
	uint8_t packet[HOST_NA_LEN];
	size_t len = v6 ? HOST_NA_LEN : HOST_ARP_LEN;

	if (v6) {
		memcpy(to.sll_addr, all_nodes, HOST_MAC_LEN);
		host_na_packet(l->mac, vip, packet);
	} else {
		memset(to.sll_addr, 0xff, HOST_MAC_LEN);
		host_arp_packet(l->mac, vip, form, packet);
	}
	if (sendto(fd, packet, len, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

/* Once a process: what cannot be sent for one VIP cannot for the others either. */
static void complain(struct ipvs_host *h, const struct host_link *l, int error)
{
	if (!h->herald_complained)
		host_tell(h, LOG_LEVEL_WARNING, "telling neighbours on %s of VIPs: %s", l->name,
			  strerror(-error));
	h->herald_complained = true;
}

static int tell(void *arg, const struct addr *vip, unsigned link, enum host_herald_form form)
{
	struct ipvs_host *h = arg;
	const struct host_link *l = host_links_find(&h->links, link);
	int fd = h->config->announce.packet_fd;
	int r;

	if (!l || !host_model_is_owned(&h->model, vip))
		return 0;
	r = send_to_all(fd, l, vip, form);
	if (r == -EAGAIN || r == -ENOBUFS)
		return r;
	/* A link that went is told of again when it comes back. */
	if (r < 0 && r != -ENETDOWN && r != -ENXIO && r != -ENODEV)
		complain(h, l, r);
	return r < 0 ? 0 : 1;
}

static void add_vip(struct ipvs_host *h, const struct host_link *l, const struct addr *vip)
{
	if (l->runs && host_link_has(l, vip))
		host_herald_add(h->herald, vip, l->index);
}

static void add_on_all(void *arg, const struct addr *vip)
{
	struct ipvs_host *h = arg;

	for (size_t i = 0; i < h->links.count; i++)
		add_vip(h, &h->links.v[i], vip);
}

void host_tell_fresh(struct ipvs_host *h)
{
	if (!h->herald)
		return;
	host_model_owned(&h->model, true, add_on_all, h);
	host_herald_go(h->herald);
}

struct one_link {
	struct ipvs_host *host;
	const struct host_link *link;
};

static void add_on_one(void *arg, const struct addr *vip)
{
	const struct one_link *one = arg;

	add_vip(one->host, one->link, vip);
}

static bool is_same(const struct host_link *a, const struct host_link *b)
{
	return memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->runs == b->runs &&
	       a->net_count == b->net_count &&
	       (a->net_count == 0 ||
		memcmp(a->nets, b->nets, a->net_count * sizeof(*a->nets)) == 0);
}

void host_tell_links(struct ipvs_host *h, const struct host_links *before)
{
	for (size_t i = 0; h->herald && i < h->links.count; i++) {
		struct one_link one = { h, &h->links.v[i] };
		const struct host_link *was = host_links_find(before, one.link->index);

		if (was && is_same(was, one.link))
			continue;
		host_herald_drop(h->herald, one.link->index);
		host_model_owned(&h->model, false, add_on_one, &one);
	}
}

void host_tell_open(struct ipvs_host *h)
{
	const struct ipvs_announce *a = &h->config->announce;

	if (a->mode == IPVS_ANNOUNCE_OWNER && a->packet_fd >= 0)
		h->herald = host_herald_new(h->loop, a->rate, tell, h);
}

void host_tell_close(struct ipvs_host *h)
{
	host_herald_free(h->herald);
}
