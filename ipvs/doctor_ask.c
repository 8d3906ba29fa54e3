/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/doctor_ask.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/xalloc.h"
#include "ipvs/host_herald.h"

#define ANSWER_MS 500 /* that a neighbour has */

static bool mac_of(int fd, const char *device, uint8_t out[static ETH_ALEN])
{
	struct ifreq req = { 0 };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", device);
	if (ioctl(fd, SIOCGIFHWADDR, &req) < 0 || req.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return false;
	memcpy(out, req.ifr_hwaddr.sa_data, ETH_ALEN);
	return true;
}

static void send_to(int fd, const struct doctor_vip *v, uint16_t protocol,
		    const uint8_t mac[static ETH_ALEN], const void *packet, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(protocol),
				  .sll_ifindex = (int)if_nametoindex(v->device),
				  .sll_halen = ETH_ALEN };

	memcpy(to.sll_addr, mac, ETH_ALEN);
	(void)!sendto(fd, packet, len, 0, (const struct sockaddr *)&to, sizeof(to));
}

/* The VIP that an answer is about, which came in by an interface; NULL: it is about none. */
static struct doctor_vip *find_vip(struct doctor_facts *f, const struct addr *a, int ifindex)
{
	char device[IF_NAMESIZE] = "";

	(void)if_indextoname((unsigned)ifindex, device);
	for (size_t i = 0; i < f->vip_count; i++) {
		if (addr_cmp(&f->vips[i].addr, a) == 0 && strcmp(f->vips[i].device, device) == 0)
			return &f->vips[i];
	}
	return NULL;
}

static void take_answer(struct doctor_facts *f, const struct addr *a, int ifindex,
			const uint8_t mac[static ETH_ALEN])
{
	struct doctor_vip *v = find_vip(f, a, ifindex);

	if (!v)
		return;
	v->answered = true;
	memcpy(v->mac, mac, sizeof(v->mac));
}

/* False: it is not one of that length, or our own. */
static bool receive(int fd, void *packet, size_t len, struct sockaddr_ll *from)
{
	socklen_t from_len = sizeof(*from);
	ssize_t got = recvfrom(fd, packet, len, MSG_DONTWAIT, (struct sockaddr *)from, &from_len);

	return got >= (ssize_t)len && from->sll_pkttype != PACKET_OUTGOING;
}

/* --- IPv4 ----------------------------------------------------------------------------------- */

/* An ARP packet of Ethernet and IPv4 (RFC 826). */
struct arp {
	struct arphdr head;
	uint8_t from_mac[ETH_ALEN], from[4], to_mac[ETH_ALEN], to[4];
} __attribute__((packed));

static void ask_arp(int fd, const struct doctor_vip *v)
{
	static const uint8_t everybody[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct arp a = { .head = { .ar_hrd = htons(ARPHRD_ETHER),
				   .ar_pro = htons(ETH_P_IP),
				   .ar_hln = ETH_ALEN,
				   .ar_pln = 4,
				   .ar_op = htons(ARPOP_REQUEST) } };

	if (!mac_of(fd, v->device, a.from_mac))
		return;
	memcpy(a.to, v->addr.bytes, sizeof(a.to));
	send_to(fd, v, ETH_P_ARP, everybody, &a, sizeof(a));
}

static void hear_arp(int fd, struct doctor_facts *f)
{
	struct addr vip = { .family = AF_INET };
	struct sockaddr_ll from = { 0 };
	struct arp a = { .head = { 0 } };

	if (!receive(fd, &a, sizeof(a), &from) || a.head.ar_op != htons(ARPOP_REPLY))
		return;
	memcpy(vip.bytes, a.from, sizeof(a.from));
	take_answer(f, &vip, from.sll_ifindex, a.from_mac);
}

/* --- IPv6 ----------------------------------------------------------------------------------- */

/* A solicitation or an advertisement, which begin alike (RFC 4861, sections 4.3 and 4.4). */
struct ndp {
	struct ip6_hdr ip;
	struct icmp6_hdr icmp;
	uint8_t target[16];
};

static void ask_ndp(int fd, const struct doctor_vip *v)
{
	const uint8_t *low = v->addr.bytes + 13; /* of the VIP, by which it is asked for */
	const uint8_t group[ETH_ALEN] = { 0x33, 0x33, 0xff, low[0], low[1], low[2] };
	struct ndp n = { .ip.ip6_flow = htonl(6u << 28),
			 .ip.ip6_plen = htons(sizeof(n) - sizeof(n.ip)),
			 .ip.ip6_nxt = IPPROTO_ICMPV6,
			 .ip.ip6_hlim = 255,
			 .icmp.icmp6_type = ND_NEIGHBOR_SOLICIT };
	const uint8_t to[16] = { 0xff, 2, [11] = 1, 0xff, low[0], low[1], low[2] };
	uint8_t packet[sizeof(n)];

	memcpy(&n.ip.ip6_dst, to, sizeof(to));
	memcpy(n.target, v->addr.bytes, sizeof(n.target));
	memcpy(packet, &n, sizeof(n));
	n.icmp.icmp6_cksum = host_icmp6_checksum(packet, sizeof(packet));
	send_to(fd, v, ETH_P_IPV6, group, &n, sizeof(n));
}

static void hear_ndp(int fd, struct doctor_facts *f)
{
	struct addr vip = { .family = AF_INET6 };
	struct sockaddr_ll from = { 0 };
	struct ndp n = { .icmp = { 0 } };

	if (!receive(fd, &n, sizeof(n), &from) || from.sll_halen != ETH_ALEN ||
	    n.icmp.icmp6_type != ND_NEIGHBOR_ADVERT)
		return;
	memcpy(vip.bytes, n.target, sizeof(n.target));
	take_answer(f, &vip, from.sll_ifindex, from.sll_addr);
}

/* All else of IPv6 that passes this host is none of our business. */
static int hear_advertisements_only(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct ip6_hdr, ip6_nxt)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct ndp, icmp)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* --- both ----------------------------------------------------------------------------------- */

/* It hears nothing before it is bound. -1: there is none. */
static int open_packets(uint16_t protocol)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };

	if (fd >= 0 && ((protocol == ETH_P_IPV6 && hear_advertisements_only(fd) < 0) ||
			bind(fd, (const struct sockaddr *)&all, sizeof(all)) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void hear_all(const struct pollfd p[static 2], struct doctor_facts *f)
{
	if (p[0].revents)
		hear_arp(p[0].fd, f);
	if (p[1].revents)
		hear_ndp(p[1].fd, f);
}

void doctor_ask(struct doctor_facts *f)
{
	struct pollfd p[2] = { { open_packets(ETH_P_ARP), POLLIN, 0 },
			       { open_packets(ETH_P_IPV6), POLLIN, 0 } };
	mono_t end = mono_add_ms(clock_mono(&clock_system), ANSWER_MS);
	int64_t left = p[0].fd >= 0 || p[1].fd >= 0 ? ANSWER_MS : 0;

	for (size_t i = 0; i < f->vip_count; i++) {
		if (f->vips[i].addr.family == AF_INET)
			ask_arp(p[0].fd, &f->vips[i]);
		else
			ask_ndp(p[1].fd, &f->vips[i]);
	}
	while (f->vip_count && left > 0) {
		if (poll(p, ARRAY_LEN(p), (int)left) > 0)
			hear_all(p, f);
		left = mono_sub_ms(end, clock_mono(&clock_system));
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		if (p[i].fd >= 0)
			close(p[i].fd);
	}
}
