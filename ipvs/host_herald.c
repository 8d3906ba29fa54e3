/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_herald.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"

void host_arp_packet(const uint8_t mac[static HOST_MAC_LEN], const struct addr *vip,
		     enum host_herald_form form, uint8_t out[static HOST_ARP_LEN])
{
	bool reply = form == HOST_HERALD_REPLY;
	const struct arphdr head = {
		.ar_hrd = htons(ARPHRD_ETHER),
		.ar_pro = htons(ETHERTYPE_IP),
		.ar_hln = HOST_MAC_LEN,
		.ar_pln = 4,
		.ar_op = htons(reply ? ARPOP_REPLY : ARPOP_REQUEST),
	};

	memset(out, 0, HOST_ARP_LEN);
	memcpy(out, &head, 8);
	memcpy(out + 8, mac, HOST_MAC_LEN);
	memcpy(out + 14, vip->bytes, 4);
	/* Linux takes a reply for a gratuitous one only if it is addressed to its sender. */
	if (reply)
		memcpy(out + 18, mac, HOST_MAC_LEN);
	memcpy(out + 24, vip->bytes, 4);
}

/* RFC 1071; of an even number of bytes. */
static uint32_t add_up(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	return sum;
}

uint16_t host_icmp6_checksum(const uint8_t *packet, size_t len)
{
	const size_t head = sizeof(struct ip6_hdr);
	uint32_t sum = (uint32_t)(len - head) + IPPROTO_ICMPV6;

	sum = add_up(sum, packet + 8, 32); /* source and destination */
	sum = add_up(sum, packet + head, len - head);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

void host_na_packet(const uint8_t mac[static HOST_MAC_LEN], const struct addr *vip,
		    uint8_t out[static HOST_NA_LEN])
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	struct {
		struct ip6_hdr ip;
		struct nd_neighbor_advert na;
		struct nd_opt_hdr option;
		uint8_t mac[HOST_MAC_LEN];
	} p = {
		.ip.ip6_flow = htonl(6u << 28),
		.ip.ip6_plen = htons(HOST_NA_LEN - sizeof(struct ip6_hdr)),
		.ip.ip6_nxt = IPPROTO_ICMPV6,
		.ip.ip6_hlim = 255,
		.na.nd_na_type = ND_NEIGHBOR_ADVERT,
		/* Not a router's, as the kernel's answers for the VIP are not. */
		.na.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE,
		.option.nd_opt_type = ND_OPT_TARGET_LINKADDR,
		.option.nd_opt_len = 1,
	};

	_Static_assert(sizeof(p) == HOST_NA_LEN, "HOST_NA_LEN");
	memcpy(&p.ip.ip6_src, vip->bytes, 16);
	memcpy(&p.ip.ip6_dst, all_nodes, 16);
	memcpy(&p.na.nd_na_target, vip->bytes, 16);
	memcpy(p.mac, mac, HOST_MAC_LEN);
	memcpy(out, &p, sizeof(p));
	p.na.nd_na_cksum = host_icmp6_checksum(out, sizeof(p));
	memcpy(out, &p, sizeof(p));
}

/* --- the queue --- */

struct entry {
	struct addr vip;
	unsigned link;
	enum host_herald_form form; /* the next */
	mono_t due;
};

/* First in, first out; entries become due in that order. */
struct line {
	struct entry *v;
	size_t at, count, size;
};

struct host_herald {
	struct loop *loop;
	host_herald_fn *fn;
	void *arg;
	uint32_t rate;
	struct line first, again;
	int64_t credit_us; /* below 0: more was sent than there was time for */
	mono_t counted;	   /* until when it is */
	timer_id timer;
};

/* A turn of the loop that writes tens of thousands of VIPs takes longer than what is timed here. */
static mono_t now_of(const struct host_herald *h)
{
	return clock_mono(loop_clock(h->loop));
}

/* The place of what was taken is used again. */
static void close_up(struct line *l)
{
	memmove(l->v, l->v + l->at, (l->count - l->at) * sizeof(*l->v));
	l->count -= l->at;
	l->at = 0;
}

static void put(struct line *l, const struct entry *e)
{
	if (l->v && l->count == l->size && l->at > l->size / 2)
		close_up(l);
	if (!l->v || l->count == l->size) {
		l->size = l->size ? l->size * 2 : 64;
		l->v = xreallocarray(l->v, l->size, sizeof(*l->v));
	}
	l->v[l->count++] = *e;
}

static struct entry *head(const struct line *l)
{
	return l->at < l->count ? &l->v[l->at] : NULL;
}

static void take(struct line *l)
{
	if (++l->at < l->count)
		return;
	/* A load fills it with tens of thousands, a change afterwards with a few. */
	free(l->v);
	*l = (struct line){ 0 };
}

static void forget_link(struct line *l, unsigned link)
{
	size_t kept = 0;

	for (size_t i = l->at; i < l->count; i++) {
		if (l->v[i].link != link)
			l->v[kept++] = l->v[i];
	}
	l->at = 0;
	l->count = kept;
}

static void on_timer(void *arg);

static void arm(struct host_herald *h)
{
	const struct entry *next = head(&h->again);
	int64_t ms = HOST_HERALD_TICK_MS;

	if (h->timer || (!head(&h->first) && !next))
		return;
	if (!head(&h->first) && mono_sub_ms(next->due, now_of(h)) > ms)
		ms = mono_sub_ms(next->due, now_of(h));
	h->timer = loop_timer_in(h->loop, ms, on_timer, h);
}

/* Time that was not used is not saved: a burst is no larger than a tick's. */
static void count_time(struct host_herald *h)
{
	const int64_t most = HOST_HERALD_TICK_MS * 1000;
	mono_t now = now_of(h);
	int64_t passed = (now.ns - h->counted.ns) / 1000;

	h->counted = now;
	h->credit_us += passed;
	if (h->credit_us > most)
		h->credit_us = most;
}

static void tell_again(struct host_herald *h, const struct entry *e)
{
	struct entry again = { .vip = e->vip, .link = e->link };

	again.due = mono_add_ms(now_of(h), HOST_HERALD_AGAIN_MS);
	put(&h->again, &again);
}

static enum host_herald_form forms_of(const struct addr *vip)
{
	return vip->family == AF_INET ? HOST_HERALD_FORMS : HOST_HERALD_REQUEST + 1;
}

/* False: nothing of this line can be told now. */
static bool tell_one(struct host_herald *h, struct line *from)
{
	struct entry *e = head(from);
	int sent;

	if (!e || h->credit_us <= 0 || (from == &h->again && mono_before(now_of(h), e->due)))
		return false;
	sent = h->fn(h->arg, &e->vip, e->link, e->form);
	if (sent < 0) {
		h->credit_us = 0;
		return false;
	}
	if (sent > 0) {
		h->credit_us -= 1000000 / h->rate;
		if (++e->form < forms_of(&e->vip))
			return true;
		if (from == &h->first)
			tell_again(h, e);
	}
	take(from);
	return true;
}

static void tell(struct host_herald *h)
{
	count_time(h);
	/* What nobody has heard of comes before what may have been heard. */
	while (tell_one(h, &h->first) || (!head(&h->first) && tell_one(h, &h->again)))
		;
	arm(h);
}

static void on_timer(void *arg)
{
	struct host_herald *h = arg;

	h->timer = 0;
	tell(h);
}

struct host_herald *host_herald_new(struct loop *l, uint32_t rate, host_herald_fn *fn, void *arg)
{
	struct host_herald *h = xcalloc(1, sizeof(*h));

	h->loop = l;
	h->rate = rate;
	h->fn = fn;
	h->arg = arg;
	h->counted = now_of(h);
	return h;
}

void host_herald_free(struct host_herald *h)
{
	if (!h)
		return;
	loop_cancel(h->loop, h->timer);
	free(h->first.v);
	free(h->again.v);
	free(h);
}

void host_herald_add(struct host_herald *h, const struct addr *vip, unsigned link)
{
	const struct entry e = { .vip = *vip, .link = link };
	bool is_first = !head(&h->first);

	put(&h->first, &e);
	/* The timer may be that of a repetition, which is far. */
	if (!is_first)
		return;
	loop_cancel(h->loop, h->timer);
	h->timer = loop_timer_in(h->loop, 0, on_timer, h);
}

void host_herald_go(struct host_herald *h)
{
	loop_cancel(h->loop, h->timer);
	h->timer = 0;
	tell(h);
}

void host_herald_drop(struct host_herald *h, unsigned link)
{
	forget_link(&h->first, link);
	forget_link(&h->again, link);
}

size_t host_herald_left(const struct host_herald *h)
{
	return h->first.count - h->first.at + h->again.count - h->again.at;
}
