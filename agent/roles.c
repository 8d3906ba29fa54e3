/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of roles: what each may do, how it begins and ends. A role's own
 * work is in its folder; here it is only given its configuration.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/sandbox.h"
#include "agent/base/xalloc.h"
#include "agent/core.h"
#include "agent/http_role.h"
#include "agent/ipvs_role.h"
#include "agent/role.h"
#include "healthcheck/role.h"
#include "ipvs/doctor.h"
#include "ipvs/role.h"

#define HEALTHCHECK_FILES     262144
#define HEALTHCHECK_IN_FLIGHT 60000
#define CORE_FILES	      65536
#define HTTP_FILES	      2048 /* twice its connections */

static enum sandbox_filter filter(const char *role, enum sandbox_filter wanted)
{
	if (sandbox_filter_available())
		return wanted;
	log_warn(role, "this build or kernel has no system call filter: running without");
	return SANDBOX_FILTER_NONE;
}

/* --- ipvs ------------------------------------------------------------------ */

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
		.audit_ms = c->audit_ms,
		.order_quiet_ms = IPVS_ORDER_QUIET_MS,
		.route_protocol = c->route_protocol,
		.node_v4 = c->node_v4,
		.node_v6 = c->node_v6,
		.timeouts = { c->timeout_tcp_s, c->timeout_fin_s, c->timeout_udp_s },
		.announce = announce_of(c, &parts->shares),
	};

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
		.filter = filter("ipvs", SANDBOX_FILTER_NETLINK),
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

/* --- healthcheck ----------------------------------------------------------- */

static int healthcheck_drop(const struct config *c, struct err *err)
{
	const struct sandbox s = {
		.user = c->user,
		.filter = filter("healthcheck", SANDBOX_FILTER_HELPER),
		.max_files = HEALTHCHECK_FILES,
	};

	return sandbox_enter(&s, err);
}

struct healthcheck_life {
	struct hc_config config;
	struct hc_role *role;
};

static void healthcheck_peer(void *arg, enum role_id role, int fd)
{
	struct healthcheck_life *l = arg;

	(void)role;
	hc_role_connect(l->role, fd);
}

static int healthcheck_start(struct role_context *c)
{
	struct healthcheck_life *l = xcalloc(1, sizeof(*l));
	int r;

	c->arg = l;
	c->peer = healthcheck_peer;
	l->config = (struct hc_config){
		.refuse = c->config->vip_ranges,
		.refuse_count = c->config->vip_range_count,
		.max_in_flight = HEALTHCHECK_IN_FLIGHT,
	};
	r = hc_role_new(c->loop, &l->config, &l->role);
	if (r < 0)
		log_error("healthcheck", "cannot start: %s", strerror(-r));
	return r;
}

static void healthcheck_end(struct role_context *c)
{
	struct healthcheck_life *l = c->arg;

	if (!l)
		return;
	hc_role_free(l->role);
	free(l);
}

/* --- http ------------------------------------------------------------------ */

static int http_drop(const struct config *c, struct err *err)
{
	const struct sandbox s = {
		.user = c->user,
		.filter = filter("http", SANDBOX_FILTER_SERVER),
		.max_files = HTTP_FILES,
	};

	return sandbox_enter(&s, err);
}

/* --- core ------------------------------------------------------------------ */

/* Whatever its user: what a pod mounts is readable by this group (fsGroup), whose members we are. */
static const char *core_group(void)
{
	return getgrnam("parasaus") ? "parasaus" : NULL;
}

static int core_drop(const struct config *c, struct err *err)
{
	const struct sandbox s = {
		.user = c->user,
		.group = core_group(),
		.filter = filter("core", SANDBOX_FILTER_CORE),
		.max_files = CORE_FILES,
	};

	return sandbox_enter(&s, err);
}

const struct role roles[ROLE_COUNT] = {
	[ROLE_IPVS] = {
		.name = "ipvs",
		.title = "parasausd: ipvs",
		.prepare = ipvs_prepare,
		.drop = ipvs_drop,
		.start = ipvs_start,
		.end = ipvs_end,
	},
	[ROLE_HEALTHCHECK] = {
		.name = "healthcheck",
		.title = "parasausd: healthcheck",
		.drop = healthcheck_drop,
		.start = healthcheck_start,
		.end = healthcheck_end,
	},
	[ROLE_HTTP] = {
		.name = "http",
		.title = "parasausd: http",
		.prepare = http_role_prepare,
		.drop = http_drop,
		.start = http_role_start,
		.end = http_role_end,
	},
	[ROLE_CORE] = {
		.name = "core",
		.title = "parasausd: core",
		.prepare = core_prepare,
		.drop = core_drop,
		.start = core_start,
		.end = core_end,
	},
};
