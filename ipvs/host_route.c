/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_rtnl.h"

/* --- reading --- */

struct read_routes {
	host_route_fn *fn;
	void *arg;
	uint8_t family;
	uint8_t protocol;
};

static int read_route(const struct nlmsghdr *nlh, void *data)
{
	const struct read_routes *read = data;
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[RTA_MAX + 1] = { 0 };
	struct host_route route = { 0 };

	/* A kernel without IPv6 answers with all that it has. */
	if (nlh->nlmsg_type != RTM_NEWROUTE || rt->rtm_family != read->family ||
	    rt->rtm_type != RTN_LOCAL || rt->rtm_table != RT_TABLE_LOCAL)
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*rt), host_rtnl_keep, (void *)attr) < 0)
		return MNL_CB_ERROR;
	if (!host_rtnl_addr(attr[RTA_DST], rt->rtm_family, &route.dst) ||
	    rt->rtm_dst_len != addr_len(&route.dst) * 8)
		return MNL_CB_OK;
	(void)host_rtnl_addr(attr[RTA_PREFSRC], rt->rtm_family, &route.source);
	route.ours = rt->rtm_protocol == read->protocol;
	read->fn(read->arg, &route);
	return MNL_CB_OK;
}

static int read_routes_of(struct host_routes *r, uint8_t family, host_route_fn *fn, void *arg)
{
	struct read_routes read = { fn, arg, family, r->protocol };
	char buf[HOST_RTNL_MESSAGE_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	int ret;

	nlh->nlmsg_type = RTM_GETROUTE;
	rt->rtm_family = family;
	rt->rtm_table = RT_TABLE_LOCAL;
	ret = host_rtnl_dump(r, nlh, read_route, &read);
	/* No such table yet; no such family. */
	return ret == -ENOENT || ret == -EOPNOTSUPP || ret == -EAFNOSUPPORT ? 0 : ret;
}

int host_routes_read(struct host_routes *r, host_route_fn *fn, void *arg)
{
	int ret = read_routes_of(r, AF_INET, fn, arg);

	return ret < 0 ? ret : read_routes_of(r, AF_INET6, fn, arg);
}

struct read_addresses {
	host_address_fn *fn;
	void *arg;
};

static int read_address(const struct nlmsghdr *nlh, void *data)
{
	const struct read_addresses *read = data;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[RTA_MAX + 1] = { 0 };
	struct addr a;

	/* One that is still being looked for on the link may not be used as a source yet. */
	if (nlh->nlmsg_type != RTM_NEWADDR ||
	    ifa->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*ifa), host_rtnl_keep, (void *)attr) < 0)
		return MNL_CB_ERROR;
	/* On a point-to-point link IFA_ADDRESS is the peer's. */
	if (host_rtnl_addr(attr[IFA_LOCAL] ? attr[IFA_LOCAL] : attr[IFA_ADDRESS], ifa->ifa_family,
			   &a))
		read->fn(read->arg, &a);
	return MNL_CB_OK;
}

int host_addresses_read(struct host_routes *r, host_address_fn *fn, void *arg)
{
	struct read_addresses read = { fn, arg };
	char buf[HOST_RTNL_MESSAGE_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = RTM_GETADDR;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
	return host_rtnl_dump(r, nlh, read_address, &read);
}

static int saw_device(const struct nlmsghdr *nlh, void *data)
{
	*(bool *)data = nlh->nlmsg_type == RTM_NEWLINK;
	return MNL_CB_STOP;
}

bool host_has_device(struct host_routes *r, const char *name)
{
	bool found = false;
	char buf[HOST_RTNL_MESSAGE_MAX];
	char *answer = xmalloc(HOST_RTNL_RECEIVE_BYTES);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	ssize_t len = -1;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++r->seq;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	/* One message comes: the interface, or an error where there is none. */
	if (mnl_socket_sendto(r->nl, nlh, nlh->nlmsg_len) >= 0)
		len = mnl_socket_recvfrom(r->nl, answer, HOST_RTNL_RECEIVE_BYTES);
	if (len > 0)
		(void)mnl_cb_run(answer, (size_t)len, r->seq, host_routes_port(r), saw_device,
				 &found);
	free(answer);
	return found;
}

struct read_advertised {
	host_advertised_fn *fn;
	void *arg;
};

static int read_advertised(const struct nlmsghdr *nlh, void *data)
{
	const struct read_advertised *read = data;
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[RTA_MAX + 1] = { 0 };

	if (nlh->nlmsg_type != RTM_NEWROUTE || rt->rtm_family != AF_INET6 ||
	    rt->rtm_protocol != RTPROT_RA || rt->rtm_dst_len != 0)
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*rt), host_rtnl_keep, (void *)attr) < 0)
		return MNL_CB_ERROR;
	if (attr[RTA_OIF] && mnl_attr_validate(attr[RTA_OIF], MNL_TYPE_U32) == 0)
		read->fn(read->arg, mnl_attr_get_u32(attr[RTA_OIF]));
	return MNL_CB_OK;
}

int host_advertised_read(struct host_routes *r, host_advertised_fn *fn, void *arg)
{
	struct read_advertised read = { fn, arg };
	char buf[HOST_RTNL_MESSAGE_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));

	nlh->nlmsg_type = RTM_GETROUTE;
	rt->rtm_family = AF_INET6;
	rt->rtm_protocol = RTPROT_RA;
	return host_rtnl_dump(r, nlh, read_advertised, &read);
}

/* --- one way --- */

static int read_metric(const struct nlattr *a, void *data)
{
	if (mnl_attr_get_type(a) == RTAX_MTU && mnl_attr_validate(a, MNL_TYPE_U32) == 0)
		*(uint32_t *)data = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int read_way(const struct nlmsghdr *nlh, void *data)
{
	struct host_way *way = data;
	const struct nlattr *attr[RTA_MAX + 1] = { 0 };

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    mnl_attr_parse(nlh, sizeof(struct rtmsg), host_rtnl_keep, (void *)attr) < 0)
		return MNL_CB_ERROR;
	way->gateway = attr[RTA_GATEWAY] || attr[RTA_VIA];
	if (attr[RTA_OIF] && mnl_attr_validate(attr[RTA_OIF], MNL_TYPE_U32) == 0)
		(void)if_indextoname(mnl_attr_get_u32(attr[RTA_OIF]), way->device);
	if (attr[RTA_METRICS])
		(void)mnl_attr_parse_nested(attr[RTA_METRICS], read_metric, &way->mtu);
	return MNL_CB_STOP;
}

/* 0: it cannot be read. */
static uint32_t mtu_of(const char *device)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { 0 };
	uint32_t mtu = 0;

	memcpy(req.ifr_name, device, sizeof(req.ifr_name));
	if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &req) == 0)
		mtu = (uint32_t)req.ifr_mtu;
	if (fd >= 0)
		close(fd);
	return mtu;
}

int host_way_to(struct host_routes *r, const struct addr *a, struct host_way *out)
{
	char answer[HOST_RTNL_ANSWER_MAX];
	ssize_t len = host_rtnl_ask_way(r, a, 0, answer);

	*out = (struct host_way){ 0 };
	if (len < 0)
		return (int)len;
	if (mnl_cb_run(answer, (size_t)len, r->seq, host_routes_port(r), read_way, out) < 0)
		return -errno;
	if (!out->mtu)
		out->mtu = mtu_of(out->device);
	return 0;
}

/* --- writing --- */

static struct nlmsghdr *put_change(void *buf, const void *changes, size_t i, uint8_t protocol)
{
	const struct host_route_change *c = (const struct host_route_change *)changes + i;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));

	nlh->nlmsg_type = c->add ? RTM_NEWROUTE : RTM_DELROUTE;
	/* EXCL: never in the place of a route that somebody else made. */
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (c->add ? NLM_F_CREATE | NLM_F_EXCL : 0));
	rt->rtm_family = c->route.dst.family;
	rt->rtm_dst_len = (uint8_t)(addr_len(&c->route.dst) * 8);
	rt->rtm_table = RT_TABLE_LOCAL;
	rt->rtm_protocol = protocol;
	rt->rtm_type = RTN_LOCAL;
	rt->rtm_scope = c->add ? RT_SCOPE_HOST : RT_SCOPE_NOWHERE;
	mnl_attr_put(nlh, RTA_DST, addr_len(&c->route.dst), c->route.dst.bytes);
	mnl_attr_put_u32(nlh, RTA_OIF, HOST_LOOPBACK_IFINDEX);
	if (c->add && c->route.source.family)
		mnl_attr_put(nlh, RTA_PREFSRC, addr_len(&c->route.source), c->route.source.bytes);
	return nlh;
}

static void take_answer(void *changes, size_t i, int error)
{
	((struct host_route_change *)changes)[i].error = error;
}

int host_routes_change(struct host_routes *r, struct host_route_change *c, size_t count)
{
	return host_rtnl_write(r, c, count, put_change, take_answer);
}
