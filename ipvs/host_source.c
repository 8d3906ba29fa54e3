/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_source.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_route.h"
#include "ipvs/host_rtnl.h"

#define READ_TRIES 3 /* while somebody else writes */

/* Somewhere to ask the way to. */
struct way {
	uint32_t ifindex; /* 0: whichever the kernel takes */
	struct addr to;
};

struct search {
	struct addr a;
	bool found;
	struct way *ways; /* one for each interface that a route goes over */
	size_t way_count;
};

static bool is_it(const struct search *s, const struct nlattr *attr)
{
	struct addr a;

	return host_rtnl_addr(attr, s->a.family, &a) && addr_cmp(&a, &s->a) == 0;
}

/* --- addresses --- */

/* May it be picked for what it is, wherever to? The 8 bits of ifa_flags have all that it takes. */
static bool is_ordinary(const struct ifaddrmsg *ifa)
{
	if (ifa->ifa_family == AF_INET)
		return !(ifa->ifa_flags & IFA_F_SECONDARY) && ifa->ifa_prefixlen < 32;
	return !(ifa->ifa_flags & IFA_F_DEPRECATED) && ifa->ifa_index != HOST_LOOPBACK_IFINDEX;
}

static int read_address(const struct nlmsghdr *nlh, void *data)
{
	struct search *s = data;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[RTA_MAX + 1] = { 0 };

	if (nlh->nlmsg_type != RTM_NEWADDR || ifa->ifa_family != s->a.family)
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*ifa), host_rtnl_keep, (void *)attr) < 0)
		return MNL_CB_ERROR;
	if (is_it(s, attr[IFA_LOCAL] ? attr[IFA_LOCAL] : attr[IFA_ADDRESS]))
		s->found |= is_ordinary(ifa);
	return MNL_CB_OK;
}

static int read_addresses(struct host_routes *r, struct search *s)
{
	char buf[HOST_RTNL_MESSAGE_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	nlh->nlmsg_type = RTM_GETADDR;
	ifa->ifa_family = s->a.family;
	return host_rtnl_dump(r, nlh, read_address, s);
}

/* --- routes --- */

static void add_way(struct search *s, uint32_t ifindex, const struct addr *to)
{
	if (ifindex == HOST_LOOPBACK_IFINDEX) /* to itself */
		return;
	for (size_t i = 0; i < s->way_count; i++) {
		if (s->ways[i].ifindex == ifindex)
			return;
	}
	s->ways = xreallocarray(s->ways, s->way_count + 1, sizeof(*s->ways));
	s->ways[s->way_count++] = (struct way){ ifindex, *to };
}

static int read_route(const struct nlmsghdr *nlh, void *data)
{
	struct search *s = data;
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[RTA_MAX + 1] = { 0 };
	struct addr to;

	if (nlh->nlmsg_type != RTM_NEWROUTE || rt->rtm_family != s->a.family ||
	    rt->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*rt), host_rtnl_keep, (void *)attr) < 0)
		return MNL_CB_ERROR;
	s->found |= is_it(s, attr[RTA_PREFSRC]);
	if (attr[RTA_OIF] && mnl_attr_validate(attr[RTA_OIF], MNL_TYPE_U32) == 0 &&
	    (host_rtnl_addr(attr[RTA_GATEWAY], rt->rtm_family, &to) ||
	     host_rtnl_addr(attr[RTA_DST], rt->rtm_family, &to)))
		add_way(s, mnl_attr_get_u32(attr[RTA_OIF]), &to);
	return MNL_CB_OK;
}

static int read_routes(struct host_routes *r, struct search *s)
{
	char buf[HOST_RTNL_MESSAGE_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));

	nlh->nlmsg_type = RTM_GETROUTE;
	rt->rtm_family = s->a.family;
	rt->rtm_type = RTN_UNICAST;
	return host_rtnl_dump(r, nlh, read_route, s);
}

/* --- ways --- */

static int read_way(const struct nlmsghdr *nlh, void *data)
{
	struct search *s = data;
	const struct nlattr *attr[RTA_MAX + 1] = { 0 };

	if (nlh->nlmsg_type == RTM_NEWROUTE &&
	    mnl_attr_parse(nlh, sizeof(struct rtmsg), host_rtnl_keep, (void *)attr) >= 0)
		s->found |= is_it(s, attr[RTA_PREFSRC]);
	return MNL_CB_STOP;
}

/* Without an address that it is to come from. Where there is no way nothing is picked. */
static int ask_way(struct host_routes *r, struct search *s, const struct way *w)
{
	char answer[HOST_RTNL_ANSWER_MAX];
	ssize_t len = host_rtnl_ask_way(r, &w->to, w->ifindex, answer);

	if (len < 0)
		return (int)len;
	(void)mnl_cb_run(answer, (size_t)len, r->seq, host_routes_port(r), read_way, s);
	return 0;
}

static int ask_ways(struct host_routes *r, struct search *s, const struct addr *servers,
		    size_t count)
{
	int ret = 0;

	for (size_t i = 0; i < s->way_count && ret == 0 && !s->found; i++)
		ret = ask_way(r, s, &s->ways[i]);
	for (size_t i = 0; i < count && ret == 0 && !s->found; i++) {
		const struct way w = { 0, servers[i] };

		ret = ask_way(r, s, &w);
	}
	return ret;
}

typedef int read_fn(struct host_routes *r, struct search *s);

static int read_whole(struct host_routes *r, struct search *s, read_fn *fn)
{
	int ret = -EINTR;

	for (unsigned i = 0; i < READ_TRIES && ret == -EINTR; i++)
		ret = fn(r, s);
	return ret;
}

int host_source_picked(struct host_routes *r, const struct addr *a, const struct addr *servers,
		       size_t count, bool *out)
{
	struct search s = { .a = *a };
	int ret = read_whole(r, &s, read_addresses);

	if (ret == 0 && !s.found)
		ret = read_whole(r, &s, read_routes);
	if (ret == 0 && !s.found)
		ret = ask_ways(r, &s, servers, count);
	free(s.ways);
	*out = s.found || ret < 0;
	return s.found ? 0 : ret;
}
