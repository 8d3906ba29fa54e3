/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of the nftables tables. What each chain is for:
 *
 * steer: a VIP's `local` route makes it match `fib daddr type local`, so kube-proxy's NodePort
 * rules (nat, priority -100) would take its connections before IPVS sees them (LOCAL_IN 98 and
 * 99). A connection is given to one nat rule only: ours maps it to where it goes anyway, earlier.
 * Only the ports of `ours`: what somebody redirects at others is his business.
 *
 * guard: at 150 input has what IPVS did not take. Without it every service of the host that listens
 * on all addresses would answer at every VIP. Refused at once, so that the client of a connection
 * IPVS has forgotten learns of it. ICMP is for the kernel to answer, and answers to connections
 * that the host itself opened from a VIP pass. An address that somebody configured on an interface
 * is the host's own even if it is a VIP too: its services are meant to be reached there.
 *
 * masquerade: so that the answer of a real server comes back through us whatever its default route.
 * By the original destination, for IPVS has put the real server's in its place; where it has not
 * (dr), the source must stay.
 *
 * Of `arp parasaus`, for VIPs that another machine answers for: input drops requests for them, which
 * the kernel would answer as for any local address. output: what this host sends from a VIP (a
 * refusal, an answer to ping) may need a neighbour, and the kernel would ask for it in the VIP's name,
 * which tells the link that the VIP is here. Asked as by nobody (a probe, RFC 5227) it is answered
 * all the same and nobody learns anything.
 */
#include "ipvs/host_rules.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"

/* --- ours, in blocks that share nothing --- */

/* The address after a; false if it is the last one. */
static bool next_addr(struct addr *a)
{
	for (size_t i = addr_len(a); i-- > 0;) {
		if (++a->bytes[i])
			return true;
	}
	return false;
}

static void previous_addr(struct addr *a)
{
	for (size_t i = addr_len(a); i-- > 0;) {
		if (a->bytes[i]--)
			return;
	}
}

static int compare_addrs(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

static int compare_ports(const void *a, const void *b)
{
	const struct port_range *p = a;
	const struct port_range *q = b;

	return (int)p->first - (int)q->first;
}

/* Every address at which the set of ports may change: where a block begins, and after its end. */
static size_t borders_of(const struct ipvs_ours *ours, size_t count, struct addr *out)
{
	size_t n = 0;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		out[n++] = ours[i].addresses.first;
		out[n] = ours[i].addresses.last;
		n += next_addr(&out[n]);
	}
	if (n > 1)
		qsort(out, n, sizeof(*out), compare_addrs);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || addr_cmp(&out[kept - 1], &out[i]) != 0)
			out[kept++] = out[i];
	}
	return kept;
}

/* The ports that `ours` has at one address: in order, nothing twice, neighbours joined. */
static size_t ports_at(const struct ipvs_ours *ours, size_t count, const struct addr *a,
		       struct port_range *out)
{
	size_t n = 0;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (addr_range_has(&ours[i].addresses, a))
			out[n++] = ours[i].ports;
	}
	if (n > 1)
		qsort(out, n, sizeof(*out), compare_ports);
	for (size_t i = 0; i < n; i++) {
		if (kept && out[i].first <= out[kept - 1].last + 1) {
			if (out[i].last > out[kept - 1].last)
				out[kept - 1].last = out[i].last;
		} else {
			out[kept++] = out[i];
		}
	}
	return kept;
}

/* Do the last n blocks end right before a and have these ports? Then they reach on to `last`. */
static bool extend(struct ipvs_ours *blocks, size_t count, const struct port_range *ports, size_t n,
		   const struct addr *a, const struct addr *last)
{
	struct ipvs_ours *b = count >= n ? blocks + (count - n) : NULL;
	struct addr before = *a;

	previous_addr(&before);
	if (!b || n == 0 || (count > n && addr_cmp(&b[-1].addresses.last, &before) == 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (addr_cmp(&b[i].addresses.last, &before) != 0 ||
		    memcmp(&b[i].ports, &ports[i], sizeof(ports[i])) != 0)
			return false;
	}
	for (size_t i = 0; i < n; i++)
		b[i].addresses.last = *last;
	return true;
}

size_t host_ours_disjoint(const struct ipvs_ours *ours, size_t count, struct ipvs_ours **out)
{
	CLEANUP(xfree_ptr) struct addr *borders = xcalloc(count * 2 + 1, sizeof(*borders));
	CLEANUP(xfree_ptr) struct port_range *ports = xcalloc(count + 1, sizeof(*ports));
	size_t border_count = borders_of(ours, count, borders);
	struct ipvs_ours *blocks = NULL;
	size_t n = 0;
	size_t size = 0;

	for (size_t i = 0; i < border_count; i++) {
		size_t port_count = ports_at(ours, count, &borders[i], ports);
		struct addr last = borders[i];

		if (i + 1 < border_count && borders[i + 1].family == last.family) {
			last = borders[i + 1];
			previous_addr(&last);
		} else {
			memset(last.bytes, 0xff, addr_len(&last));
		}
		if (extend(blocks, n, ports, port_count, &borders[i], &last))
			continue;
		for (size_t k = 0; k < port_count; k++) {
			if (n == size) {
				size = size ? size * 2 : 8;
				blocks = xreallocarray(blocks, size, sizeof(*blocks));
			}
			blocks[n++] = (struct ipvs_ours){ { borders[i], last }, ports[k] };
		}
	}
	*out = blocks;
	return n;
}

/* --- the table --- */

static const char inet_text[] =
	"table inet " HOST_RULES_TABLE " {\n"
	"	comment \"written by parasausd, which undoes changes\"\n"
	"	set vips4 {\n"
	"		type ipv4_addr\n"
	"	}\n"
	"\n"
	"	set vips6 {\n"
	"		type ipv6_addr\n"
	"	}\n"
	"\n"
	"	set own4 {\n"
	"		type ipv4_addr\n"
	"	}\n"
	"\n"
	"	set own6 {\n"
	"		type ipv6_addr\n"
	"	}\n"
	"\n"
	"	set direct4 {\n"
	"		type ipv4_addr . inet_proto . inet_service\n"
	"	}\n"
	"\n"
	"	set direct6 {\n"
	"		type ipv6_addr . inet_proto . inet_service\n"
	"	}\n"
	"\n"
	"	set ours4 {\n"
	"		type ipv4_addr . inet_service\n"
	"		flags interval\n"
	"	}\n"
	"\n"
	"	set ours6 {\n"
	"		type ipv6_addr . inet_service\n"
	"		flags interval\n"
	"	}\n"
	"\n"
	"	chain prerouting {\n"
	"		type nat hook prerouting priority -110; policy accept;\n"
	"		ip daddr @vips4 jump steer\n"
	"		ip6 daddr @vips6 jump steer\n"
	"	}\n"
	"\n"
	"	chain output {\n"
	"		type nat hook output priority -110; policy accept;\n"
	"		ip daddr @vips4 jump steer\n"
	"		ip6 daddr @vips6 jump steer\n"
	"	}\n"
	"\n"
	"	chain steer {\n"
	"		meta l4proto { 6, 17, 132 } ip daddr . th dport @ours4 dnat ip to ip "
	"daddr\n"
	"		meta l4proto { 6, 17, 132 } ip6 daddr . th dport @ours6 dnat ip6 to ip6 "
	"daddr\n"
	"	}\n"
	"\n"
	"	chain input {\n"
	"		type filter hook input priority 150; policy accept;\n"
	"		ip daddr @vips4 ip daddr != @own4 jump guard\n"
	"		ip6 daddr @vips6 ip6 daddr != @own6 jump guard\n"
	"	}\n"
	"\n"
	"	chain guard {\n"
	"		ct direction reply accept\n"
	"		meta l4proto { 1, 58 } accept\n"
	"		meta l4proto 6 counter reject with tcp reset\n"
	"		counter reject\n"
	"	}\n"
	"\n"
	"	chain postrouting {\n"
	"		type nat hook postrouting priority 100; policy accept;\n"
	"		ct original ip daddr @vips4 jump masquerade4\n"
	"		ct original ip6 daddr @vips6 jump masquerade6\n"
	"	}\n"
	"\n"
	"	chain masquerade4 {\n"
	"		ip daddr @vips4 return\n"
	"		meta l4proto { 6, 17, 132 } ct original ip daddr . ct original proto-dst "
	"@ours4 "
	"ct original ip daddr . meta l4proto . ct original proto-dst != @direct4 masquerade\n"
	"	}\n"
	"\n"
	"	chain masquerade6 {\n"
	"		ip6 daddr @vips6 return\n"
	"		meta l4proto { 6, 17, 132 } ct original ip6 daddr . ct original proto-dst "
	"@ours6 "
	"ct original ip6 daddr . meta l4proto . ct original proto-dst != @direct6 masquerade\n"
	"	}\n"
	"}\n";

static const char arp_text[] =
	"table arp " HOST_RULES_TABLE " {\n"
	"	comment \"written by parasausd, which undoes changes\"\n"
	"	set silent4 {\n"
	"		type ipv4_addr\n"
	"	}\n"
	"\n"
	"	chain input {\n"
	"		type filter hook input priority 0; policy accept;\n"
	"		arp operation request arp daddr ip @silent4 drop\n"
	"	}\n"
	"\n"
	"	chain output {\n"
	"		type filter hook output priority 0; policy accept;\n"
	"		arp saddr ip @silent4 arp saddr ip set 0.0.0.0\n"
	"	}\n"
	"}\n";

void host_rules_text(unsigned tables, struct buf *out)
{
	if (tables & HOST_TABLE_INET)
		buf_str(out, inet_text);
	if (tables & HOST_TABLE_ARP)
		buf_str(out, arp_text);
}

/* --- elements --- */

static const char *const set_names[HOST_PARTS] = {
	[HOST_VIP] = "inet " HOST_RULES_TABLE " vips",
	[HOST_OWN] = "inet " HOST_RULES_TABLE " own",
	[HOST_DIRECT] = "inet " HOST_RULES_TABLE " direct",
	[HOST_SILENT] = "arp " HOST_RULES_TABLE " silent",
};

bool host_rules_has(enum host_part part)
{
	return set_names[part] != NULL;
}

static void put_element(struct buf *out, const struct host_change *c)
{
	char text[ADDR_TEXT_MAX];

	buf_str(out, addr_text(&c->key.addr, text));
	if (c->part == HOST_DIRECT)
		buf_printf(out, " . %u . %u", c->key.protocol, c->key.port);
}

/* One command for all changes of one kind to one set; none where there are none. */
static void put_elements(struct buf *out, const struct host_change *c, size_t count,
			 enum host_part part, uint8_t family, bool add)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (c[i].part != part || c[i].key.addr.family != family || c[i].add != add)
			continue;
		if (any)
			buf_str(out, ", ");
		else
			buf_printf(out, "%s element %s%d { ", add ? "add" : "delete",
				   set_names[part], family == AF_INET ? 4 : 6);
		any = true;
		put_element(out, &c[i]);
	}
	if (any)
		buf_str(out, " }\n");
}

void host_rules_element_text(const struct host_change *c, size_t count, struct buf *out)
{
	for (unsigned part = 0; part < HOST_PARTS; part++) {
		if (!host_rules_has(part))
			continue;
		put_elements(out, c, count, part, AF_INET, false);
		put_elements(out, c, count, part, AF_INET6, false);
		put_elements(out, c, count, part, AF_INET, true);
		put_elements(out, c, count, part, AF_INET6, true);
	}
}

static void put_block(struct buf *out, const struct ipvs_ours *o)
{
	char text[ADDR_TEXT_MAX];

	buf_str(out, addr_text(&o->addresses.first, text));
	if (addr_cmp(&o->addresses.first, &o->addresses.last) != 0)
		buf_printf(out, "-%s", addr_text(&o->addresses.last, text));
	buf_printf(out, " . %u", o->ports.first);
	if (o->ports.last != o->ports.first)
		buf_printf(out, "-%u", o->ports.last);
}

static void put_blocks(struct buf *out, const struct ipvs_ours *blocks, size_t count,
		       uint8_t family)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (blocks[i].addresses.first.family != family)
			continue;
		if (any)
			buf_str(out, ", ");
		else
			buf_printf(out, "add element inet " HOST_RULES_TABLE " ours%d { ",
				   family == AF_INET ? 4 : 6);
		any = true;
		put_block(out, &blocks[i]);
	}
	if (any)
		buf_str(out, " }\n");
}

void host_rules_replace_text(unsigned there, unsigned tables, const struct ipvs_ours *ours,
			     size_t count, const struct host_change *elements, size_t element_count,
			     struct buf *out)
{
	CLEANUP(xfree_ptr) struct ipvs_ours *blocks = NULL;
	size_t block_count = host_ours_disjoint(ours, count, &blocks);

	/* Adding first, so that there is something to delete. */
	buf_str(out, "add table inet " HOST_RULES_TABLE "\n"
		     "delete table inet " HOST_RULES_TABLE "\n");
	/* Not so this one: a kernel may be without ARP tables, and need none. */
	if (there & HOST_TABLE_ARP)
		buf_str(out, "delete table arp " HOST_RULES_TABLE "\n");
	host_rules_text(tables, out);
	put_blocks(out, blocks, block_count, AF_INET);
	put_blocks(out, blocks, block_count, AF_INET6);
	host_rules_element_text(elements, element_count, out);
}
