/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real kernel: commands by netlink, IPv4 read by socket options, IPv6 and
 * tunnels by netlink.
 *
 * Two netlink sockets, because a list is read in pieces over many turns of
 * the loop while commands go on, and a socket carries one dump at a time.
 */
#include "ipvs/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_sysctl.h"
#include "ipvs/netlink.h"
#include "ipvs/sockopt.h"

struct real {
	struct ipvs_netlink *commands; /* and dumps of destinations, whole at a time */
	struct ipvs_netlink *list;
	struct ipvs_sockopt *sockopt;
	uint8_t family; /* of the list being read */
};

static int list_start(void *kernel, uint8_t family)
{
	struct real *k = kernel;

	k->family = family;
	return family == AF_INET ? ipvs_sockopt_list(k->sockopt) : ipvs_netlink_dump(k->list, NULL);
}

static uint64_t list_digest(void *kernel)
{
	const struct real *k = kernel;

	return k->family == AF_INET ? ipvs_sockopt_list_digest(k->sockopt) : 0;
}

static void list_drop(void *kernel)
{
	const struct real *k = kernel;

	/* What is left of a dump is dropped by the next. */
	if (k->family == AF_INET)
		ipvs_sockopt_list_drop(k->sockopt);
}

struct listing {
	uint8_t family;
	ipvs_list_fn *fn;
	void *arg;
};

static void take_service(void *arg, const struct ipvs_reply *r)
{
	const struct listing *l = arg;
	struct ipvs_service s;

	/* One that cannot be understood is somebody else's: ours are plain. */
	if (ipvs_decode_service(r, &s) == 0 && s.key.addr.family == l->family)
		l->fn(l->arg, &s, IPVS_COUNT_UNKNOWN);
}

static int list_next(void *kernel, ipvs_list_fn *fn, void *arg)
{
	struct real *k = kernel;
	struct listing l = { k->family, fn, arg };

	if (k->family == AF_INET)
		return ipvs_sockopt_list_next(k->sockopt, fn, arg);
	return ipvs_netlink_dump_next(k->list, take_service, &l);
}

#define MEMBERS_MAX (1 << 20) /* others may have added more than we would */

/* As they come, which is the newest first. */
struct members {
	uint8_t family;
	struct member {
		struct ipvs_dest dest;
		uint64_t connections;
	} * all; /* owned */
	uint32_t count, size;
	int error;
};

static void take_dest(void *arg, const struct ipvs_reply *r)
{
	struct members *m = arg;
	struct member *at;
	int ret;

	if (m->count == MEMBERS_MAX) {
		m->error = -E2BIG;
		return;
	}
	if (m->count == m->size) {
		m->size = m->size ? m->size * 2 : 16;
		m->all = xreallocarray(m->all, m->size, sizeof(*m->all));
	}
	at = &m->all[m->count];
	ret = ipvs_decode_dest(r, m->family, &at->dest, &at->connections);
	if (ret < 0)
		m->error = ret;
	else
		m->count++;
}

static int dump_dests(struct ipvs_netlink *n, const struct endpoint *key, struct members *m)
{
	int r = ipvs_netlink_dump(n, key);

	if (r < 0)
		return r;
	do {
		r = ipvs_netlink_dump_next(n, take_dest, m);
	} while (r > 0);
	return r < 0 ? r : m->error;
}

static int read_dests(void *kernel, const struct endpoint *key, uint32_t dests, ipvs_dest_fn *fn,
		      void *arg)
{
	struct real *k = kernel;
	struct members m = { .family = key->addr.family };
	int r;

	if (key->addr.family == AF_INET) {
		r = ipvs_sockopt_dests(k->sockopt, key, dests, fn, arg);
		if (r != -EAGAIN)
			return r;
	}
	r = dump_dests(k->commands, key, &m);
	while (r == 0 && m.count > 0) {
		m.count--;
		fn(arg, &m.all[m.count].dest, m.all[m.count].connections);
	}
	free(m.all);
	return r;
}

/* --- what was counted --- */

struct counting {
	uint8_t family;
	struct ipvs_stats *out;
	int error;
};

static void take_service_stats(void *arg, const struct ipvs_reply *r)
{
	struct counting *c = arg;

	c->error = ipvs_decode_service_stats(r, &c->out->counters);
}

static void take_dest_stats(void *arg, const struct ipvs_reply *r)
{
	struct counting *c = arg;
	struct ipvs_dest_stats d;
	int ret = ipvs_decode_dest_stats(r, c->family, &d);

	if (ret < 0)
		c->error = ret;
	else if (c->out->dest_count < IPVS_DESTS_MAX)
		*ipvs_stats_add(c->out) = d;
}

static int read_whole(struct ipvs_netlink *n, ipvs_netlink_data_fn *fn, struct counting *c)
{
	int r;

	do {
		r = ipvs_netlink_dump_next(n, fn, c);
	} while (r > 0);
	return r < 0 ? r : c->error;
}

static bool estimator_runs(void)
{
	long value = 1;

	/* Where there is no such setting it always does. */
	return host_sysctl_read("/proc/sys", "net.ipv4.vs.run_estimation", &value) < 0 || value;
}

static int read_stats(void *kernel, const struct endpoint *key, struct ipvs_stats *out)
{
	struct real *k = kernel;
	struct counting c = { .family = key->addr.family, .out = out };
	int r = ipvs_netlink_get(k->commands, key);

	if (r == 0)
		r = read_whole(k->commands, take_service_stats, &c);
	if (r == 0)
		r = ipvs_netlink_dump(k->commands, key);
	if (r == 0)
		r = read_whole(k->commands, take_dest_stats, &c);
	if (r < 0) {
		ipvs_stats_done(out);
		return r;
	}
	out->counting = estimator_runs();
	return 0;
}

static int get_timeouts(void *kernel, struct ipvs_timeouts *out)
{
	struct real *k = kernel;

	return ipvs_sockopt_get_timeouts(k->sockopt, out);
}

static int set_timeouts(void *kernel, const struct ipvs_timeouts *t)
{
	struct real *k = kernel;

	return ipvs_sockopt_set_timeouts(k->sockopt, t);
}

static int write_ops(void *kernel, const struct ipvs_op *ops, size_t count, int *errors)
{
	struct real *k = kernel;

	return ipvs_netlink_write(k->commands, ops, count, errors);
}

static void close_kernel(void *kernel)
{
	struct real *k = kernel;

	ipvs_netlink_close(k->commands);
	ipvs_netlink_close(k->list);
	ipvs_sockopt_close(k->sockopt);
	free(k);
}

static const struct ipvs_kernel_ops real_ops = {
	.list_start = list_start,
	.list_next = list_next,
	.list_digest = list_digest,
	.list_drop = list_drop,
	.read_dests = read_dests,
	.read_stats = read_stats,
	.get_timeouts = get_timeouts,
	.set_timeouts = set_timeouts,
	.write = write_ops,
	.close = close_kernel,
};

static int explain(int r, struct err *err)
{
	struct utsname u = { 0 };

	switch (r) {
	case -ENOENT:
		(void)!uname(&u);
		return err_set(
			err, r,
			"this kernel (%.64s) has no IPVS: load the module by `modprobe ip_vs`; "
			"if there is none, install the full kernel package (Debian: "
			"linux-image-amd64 or -arm64, Ubuntu: linux-modules-extra, RHEL: "
			"kernel-modules)",
			u.release);
	case -EPERM:
		return err_set(err, r, "IPVS: CAP_NET_ADMIN is needed");
	default:
		return err_set(err, r, "cannot open IPVS");
	}
}

static void ignore_reply(void *arg, const struct ipvs_reply *r)
{
	(void)arg;
	(void)r;
}

/*
 * Inside a user namespace the socket options may be open to us where netlink is not. The
 * destinations of no service at all tell, and cost nothing.
 */
static int try_netlink(struct real *k)
{
	const struct endpoint none = { .addr = { .family = AF_INET } };
	int r = ipvs_netlink_dump(k->list, &none);

	while (r == 0) {
		r = ipvs_netlink_dump_next(k->list, ignore_reply, NULL);
		if (r == 0)
			return 0;
		r = r > 0 ? 0 : r;
	}
	return r;
}

int ipvs_kernel_open(struct ipvs_kernel *out, struct err *err)
{
	struct real *k = xcalloc(1, sizeof(*k));
	int r;

	/* Netlink first: asking for the family loads the module. */
	r = ipvs_netlink_open(&k->commands);
	if (r == 0)
		r = ipvs_netlink_open(&k->list);
	if (r == 0)
		r = ipvs_sockopt_open(&k->sockopt);
	if (r == 0)
		r = try_netlink(k);
	if (r < 0) {
		close_kernel(k);
		return explain(r, err);
	}
	*out = (struct ipvs_kernel){ &real_ops, k };
	return 0;
}
