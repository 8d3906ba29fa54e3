/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ipvs_role.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/sandbox.h"
#include "agent/base/xalloc.h"
#include "ipvs/doctor.h"
#include "ipvs/role.h"

/* What an ipvs_config points to. */
struct ipvs_parts {
	struct ipvs_ours *ours;
	struct ipvs_share *shares;
};

static void ipvs_parts_done(struct ipvs_parts *p)
{
	free(p->ours);
	free(p->shares);
}

struct ipvs_life {
	struct ipvs_config config;
	struct ipvs_parts parts;
	struct ipvs_role *role;
	int packet_fd;
};

/* Each address range of each address pool, with the ports of that pool. */
static struct ipvs_ours *ours_of(const struct config *c, size_t *count)
{
	struct ipvs_ours *ours;
	size_t n = 0;

	for (size_t i = 0; i < c->address_pool_count; i++)
		n += c->address_pools[i].address_count;
	ours = xcalloc(n, sizeof(*ours));
	n = 0;
	for (size_t i = 0; i < c->address_pool_count; i++) {
		const struct address_pool *p = &c->address_pools[i];

		for (size_t k = 0; k < p->address_count; k++)
			ours[n++] = (struct ipvs_ours){ p->addresses[k], p->ports };
	}
	*count = n;
	return ours;
}

/* An owner without addresses has all of both families. */
static size_t put_shares(const struct config_owner *o, bool here, struct ipvs_share *out)
{
	size_t n = 0;

	for (size_t i = 0; i < o->address_count; i++)
		out[n++] = (struct ipvs_share){ o->addresses[i], here };
	if (n)
		return n;
	out[n++] = (struct ipvs_share){ { .addr.family = AF_INET }, here };
	out[n++] = (struct ipvs_share){ { .addr.family = AF_INET6 }, here };
	return n;
}

static struct ipvs_announce announce_of(const struct config *c, struct ipvs_share **shares)
{
	static const enum ipvs_announce_mode modes[] = {
		[CONFIG_ANNOUNCE_ALL] = IPVS_ANNOUNCE_ALL,
		[CONFIG_ANNOUNCE_NONE] = IPVS_ANNOUNCE_NONE,
		[CONFIG_ANNOUNCE_OWNER] = IPVS_ANNOUNCE_OWNER,
	};
	const struct config_announce *a = &c->announce;
	struct ipvs_announce out = { .mode = modes[a->mode], .packet_fd = -1, .rate = a->rate };
	size_t room = 0;

	for (size_t i = 0; i < a->owner_count; i++)
		room += a->owners[i].address_count + 2;
	*shares = xcalloc(room + 1, sizeof(**shares));
	for (size_t i = 0; i < a->owner_count; i++)
		out.share_count += put_shares(&a->owners[i],
					      strcmp(a->owners[i].node, c->node) == 0,
					      *shares + out.share_count);
	out.shares = *shares;
	return out;
}

static struct ipvs_config ipvs_config_of(const struct config *c, struct ipvs_parts *parts)
{
	struct ipvs_config out = {
		.vip_ranges = c->vip_ranges,
		.vip_range_count = c->vip_range_count,
		.refuse = c->refuse,
		.refuse_count = c->refuse_count,
		.audit_ms = c->audit_ms,
		.order_quiet_ms = IPVS_ORDER_QUIET_MS,
		.route_protocol = c->route_protocol,
		.node_v4 = c->node_address.v4,
		.node_v6 = c->node_address.v6,
		.timeouts = { c->timeout_tcp_s, c->timeout_fin_s, c->timeout_udp_s },
		.announce = announce_of(c, &parts->shares),
	};

	if (c->check_notrack) {
		out.probes_from[IPVS_NOTRACK_V4] = c->check_from.v4;
		out.probes_from[IPVS_NOTRACK_V6] = c->check_from.v6;
	}
	parts->ours = ours_of(c, &out.ours_count);
	out.ours = parts->ours;
	return out;
}

int role_ipvs_cleanup(const struct config *c, struct err *err)
{
	CLEANUP(ipvs_parts_done) struct ipvs_parts parts;
	struct ipvs_config config = ipvs_config_of(c, &parts);

	return ipvs_cleanup(&config, err);
}

int role_ipvs_look(const struct config *c, struct doctor_facts *out, struct err *err)
{
	CLEANUP(ipvs_parts_done) struct ipvs_parts parts;
	struct ipvs_config config = ipvs_config_of(c, &parts);

	return doctor_read(&config, out, err);
}

/* Opened while CAP_NET_RAW is there; to send by it takes none. It hears nothing (protocol 0). */
static int open_packet(void)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		log_warn("ipvs",
			 "neighbours are not told when a VIP comes here (%s): gratuitous ARP takes "
			 "CAP_NET_RAW",
			 strerror(errno));
	return fd;
}

static int ipvs_prepare(struct role_context *c)
{
	struct ipvs_life *l = xcalloc(1, sizeof(*l));

	c->arg = l;
	l->packet_fd = -1;
	if (c->config->announce.mode == CONFIG_ANNOUNCE_OWNER)
		l->packet_fd = open_packet();
	return 0;
}

static int ipvs_drop(const struct config *c, struct err *err)
{
	static const int capabilities[] = { CAP_NET_ADMIN };
	const struct sandbox s = {
		.user = c->user,
		.capabilities = capabilities,
		.capability_count = ARRAY_LEN(capabilities),
		.filter = role_filter(ROLE_IPVS, SANDBOX_FILTER_NETLINK),
	};

	return sandbox_enter(&s, err);
}

static void ipvs_peer(void *arg, enum role_id role, int fd)
{
	struct ipvs_life *l = arg;

	(void)role; /* only core is linked to us */
	ipvs_role_connect(l->role, fd);
}

static int ipvs_start(struct role_context *c)
{
	struct ipvs_life *l = c->arg;
	struct err err = { 0 };

	c->peer = ipvs_peer;
	l->config = ipvs_config_of(c->config, &l->parts);
	l->config.announce.packet_fd = l->packet_fd;
	if (ipvs_role_new(c->loop, &l->config, &l->role, &err) < 0) {
		log_error("ipvs", "%s", err.text);
		return -1;
	}
	return 0;
}

static void ipvs_end(struct role_context *c)
{
	struct ipvs_life *l = c->arg;

	if (!l)
		return;
	ipvs_role_free(l->role);
	ipvs_parts_done(&l->parts);
	if (l->packet_fd >= 0)
		close(l->packet_fd);
	free(l);
}

const struct role role_ipvs = {
	.id = ROLE_IPVS,
	.prepare = ipvs_prepare,
	.drop = ipvs_drop,
	.start = ipvs_start,
	.end = ipvs_end,
};
