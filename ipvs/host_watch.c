/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"

struct host_watch {
	struct loop *loop;
	host_watch_fn *fn;
	void *arg;
	struct mnl_socket *routes;
	struct mnl_socket *rules;
	loop_fd_id routes_id;
	loop_fd_id rules_id;
	timer_id settle;
	bool rules_changed;
};

/*
 * Socket filters are classic BPF: loads are in network order, and of a netlink message the header
 * is in host order, so constants to compare with it are turned around first.
 */
#define AT(member)	  ((uint32_t)offsetof(struct nlmsghdr, member))
#define BODY(s, member)	  ((uint32_t)(NLMSG_HDRLEN + offsetof(struct s, member)))
#define LOAD8(offset)	  BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (offset))
#define LOAD16(offset)	  BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (offset))
#define LOAD32(offset)	  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define EQUAL(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (yes), (no))
#define TAKE		  BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)
#define DROP		  BPF_STMT(BPF_RET | BPF_K, 0)

static int set_filter(struct mnl_socket *s, struct sock_filter *code, size_t len)
{
	struct sock_fprog program = { (unsigned short)len, code };

	return setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program));
}

/*
 * Not ours, and: an address; the state of an interface; a route of the table local. Any interface:
 * of what hangs on one the kernel does not tell when it goes, as proxy neighbours with a carrier.
 */
static int filter_routes(struct mnl_socket *s, uint32_t own_port)
{
	struct sock_filter code[] = {
		LOAD32(AT(nlmsg_pid)),		 EQUAL(htonl(own_port), 6, 0),	  /* drop */
		LOAD16(AT(nlmsg_type)),		 EQUAL(htons(RTM_NEWADDR), 5, 0), /* take */
		EQUAL(htons(RTM_DELADDR), 4, 0),				  /* take */
		EQUAL(htons(RTM_NEWLINK), 3, 0),				  /* take */
		LOAD8(BODY(rtmsg, rtm_table)),	 EQUAL(RT_TABLE_LOCAL, 1, 0),	  DROP, TAKE,
	};

	return set_filter(s, code, ARRAY_LEN(code));
}

/*
 * Every message of nftables but those of a generation begins with the name of the table; we want
 * those of a table of the families inet and arp whose first eight letters are ours.
 */
static int filter_rules(struct mnl_socket *s, const char *table)
{
	uint32_t name = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg)) + NLA_HDRLEN;
	uint32_t words[2] = { 0, 0 };
	struct sock_filter code[] = {
		LOAD8(BODY(nfgenmsg, nfgen_family)),
		EQUAL(NFPROTO_INET, 1, 0),
		EQUAL(NFPROTO_ARP, 0, 5),
		LOAD32(name),
		EQUAL(0, 0, 3),
		LOAD32(name + 4),
		EQUAL(0, 0, 1),
		TAKE,
		DROP,
	};

	memcpy(words, table, strnlen(table, sizeof(words)));
	code[4].k = ntohl(words[0]);
	code[6].k = ntohl(words[1]);
	return set_filter(s, code, ARRAY_LEN(code));
}

static void settled(void *arg)
{
	struct host_watch *w = arg;

	w->settle = 0;
	w->fn(w->arg);
}

static void trigger(struct host_watch *w)
{
	if (w->settle == 0)
		w->settle = loop_timer_in(w->loop, HOST_WATCH_SETTLE_MS, settled, w);
}

void host_watch_rules_trigger(struct host_watch *w)
{
	w->rules_changed = true;
	trigger(w);
}

/* What happened does not matter, for everything is read again; nor does how often (ENOBUFS). */
static bool drain(struct mnl_socket *s)
{
	bool any = false;
	char buf[4096];

	for (;;) {
		if (recv(mnl_socket_get_fd(s), buf, sizeof(buf), MSG_DONTWAIT) < 0 &&
		    errno != ENOBUFS)
			return any;
		any = true;
	}
}

static void on_routes(void *arg, uint32_t events)
{
	struct host_watch *w = arg;

	(void)events;
	if (drain(w->routes))
		trigger(w);
}

static void on_rules(void *arg, uint32_t events)
{
	struct host_watch *w = arg;

	(void)events;
	if (drain(w->rules))
		host_watch_rules_trigger(w);
}

static int join(struct mnl_socket *s, int group)
{
	return mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

static struct mnl_socket *open_watch(int family)
{
	struct mnl_socket *s = mnl_socket_open2(family, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = errno;

		mnl_socket_close(s);
		errno = error;
		return NULL;
	}
	return s;
}

static int open_all(struct host_watch *w, uint32_t own_port, const char *table)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };
	int r;

	w->routes = open_watch(NETLINK_ROUTE);
	w->rules = open_watch(NETLINK_NETFILTER);
	if (!w->routes || !w->rules || filter_routes(w->routes, own_port) < 0 ||
	    filter_rules(w->rules, table) < 0 || join(w->rules, NFNLGRP_NFTABLES) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (join(w->routes, groups[i]) < 0)
			return -errno;
	}
	r = loop_add_fd(w->loop, mnl_socket_get_fd(w->routes), EPOLLIN, on_routes, w,
			&w->routes_id);
	if (r == 0)
		r = loop_add_fd(w->loop, mnl_socket_get_fd(w->rules), EPOLLIN, on_rules, w,
				&w->rules_id);
	return r;
}

int host_watch_new(struct loop *l, uint32_t own_port, const char *table, host_watch_fn *fn,
		   void *arg, struct host_watch **out, struct err *err)
{
	struct host_watch *w = xcalloc(1, sizeof(*w));
	int r;

	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	w->rules_changed = true;
	r = open_all(w, own_port, table);
	if (r < 0) {
		host_watch_free(w);
		return err_set(err, r, "netlink notifications: %s", strerror(-r));
	}
	*out = w;
	return 0;
}

void host_watch_free(struct host_watch *w)
{
	if (!w)
		return;
	loop_del_fd(w->loop, w->routes_id);
	loop_del_fd(w->loop, w->rules_id);
	loop_cancel(w->loop, w->settle);
	if (w->routes)
		mnl_socket_close(w->routes);
	if (w->rules)
		mnl_socket_close(w->rules);
	free(w);
}

void host_watch_rules_pause(struct host_watch *w)
{
	int group = NFNLGRP_NFTABLES;

	(void)mnl_socket_setsockopt(w->rules, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group));
}

void host_watch_rules_resume(struct host_watch *w)
{
	(void)join(w->rules, NFNLGRP_NFTABLES);
}

bool host_watch_rules_changed(struct host_watch *w)
{
	bool changed = drain(w->rules) || w->rules_changed;

	w->rules_changed = false;
	return changed;
}
