/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_route.h"

#define BATCH_BYTES    (64 * 1024)
#define RECEIVE_BUFFER (4 * 1024 * 1024) /* an error of every message of a batch fits */

int host_routes_open(uint8_t protocol, struct host_routes **out, struct err *err)
{
	struct host_routes *r = xcalloc(1, sizeof(*r));
	int on = 1;
	int size = RECEIVE_BUFFER;
	int error;

	r->protocol = protocol;
	r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->nl || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	/* Only with it does the kernel filter dumps by table (Linux 4.20). */
	if (mnl_socket_setsockopt(r->nl, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
		goto fail;
	(void)mnl_socket_setsockopt(r->nl, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(mnl_socket_get_fd(r->nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	*out = r;
	return 0;
fail:
	error = -errno;
	host_routes_close(r);
	return err_set(err, error, "rtnetlink socket: %s", strerror(-error));
}

void host_routes_close(struct host_routes *r)
{
	if (!r)
		return;
	if (r->nl)
		mnl_socket_close(r->nl);
	free(r);
}

uint32_t host_routes_port(const struct host_routes *r)
{
	return mnl_socket_get_portid(r->nl);
}

/* What is left of an answer that was given up would be taken for the next one. */
static void drain(struct host_routes *r)
{
	char buf[8192];

	while (recv(mnl_socket_get_fd(r->nl), buf, sizeof(buf), MSG_DONTWAIT) >= 0 ||
	       errno == ENOBUFS)
		;
}

int host_rtnl_dump(struct host_routes *r, struct nlmsghdr *request, host_rtnl_message_fn *fn,
		   void *arg)
{
	char *buf = xmalloc(HOST_RTNL_RECEIVE_BYTES);
	int ret = MNL_CB_OK;

	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->nl, request, request->nlmsg_len) < 0)
		ret = -errno;
	while (ret > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(r->nl, buf, HOST_RTNL_RECEIVE_BYTES);

		ret = len < 0 ? -1 : mnl_cb_run(buf, len, r->seq, host_routes_port(r), fn, arg);
		if (ret < 0)
			ret = -errno;
	}
	if (ret < 0)
		drain(r);
	free(buf);
	return ret < 0 ? ret : 0;
}

int host_rtnl_keep(const struct nlattr *attr, void *data)
{
	const struct nlattr **table = data;

	if (mnl_attr_type_valid(attr, RTA_MAX) >= 0)
		table[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

ssize_t host_rtnl_ask_way(struct host_routes *r, const struct addr *to, uint32_t ifindex,
			  char answer[static HOST_RTNL_ANSWER_MAX])
{
	char buf[HOST_RTNL_MESSAGE_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	ssize_t len;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++r->seq;
	rt->rtm_family = to->family;
	rt->rtm_dst_len = (uint8_t)(addr_len(to) * 8);
	mnl_attr_put(nlh, RTA_DST, addr_len(to), to->bytes);
	if (ifindex)
		mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	if (mnl_socket_sendto(r->nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(r->nl, answer, HOST_RTNL_ANSWER_MAX);
	return len < 0 ? -errno : len;
}

bool host_rtnl_addr(const struct nlattr *attr, uint8_t family, struct addr *out)
{
	struct addr a = { .family = family };

	if (!attr || mnl_attr_get_payload_len(attr) != addr_len(&a))
		return false;
	memcpy(a.bytes, mnl_attr_get_payload(attr), addr_len(&a));
	*out = a;
	return true;
}

/* Reads until the answer to `last`; the message with sequence number `first` was that of
 * changes[start]. */
static int take_answers(struct host_routes *r, void *changes, size_t start, host_rtnl_answer_fn *fn,
			uint32_t first, uint32_t last)
{
	char buf[8192];

	for (;;) {
		ssize_t len = mnl_socket_recvfrom(r->nl, buf, sizeof(buf));
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
		int left = (int)len;

		if (len < 0)
			return -errno;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR || nlh->nlmsg_seq - first > last - first)
				continue;
			fn(changes, start + (nlh->nlmsg_seq - first), e->error);
			if (nlh->nlmsg_seq == last)
				return 0;
		}
	}
}

int host_rtnl_write(struct host_routes *r, void *changes, size_t count, host_rtnl_put_fn *put,
		    host_rtnl_answer_fn *answer)
{
	char *buf = xmalloc(BATCH_BYTES);
	int ret = 0;

	for (size_t i = 0; i < count && ret == 0;) {
		struct nlmsghdr *nlh;
		uint32_t first = r->seq + 1;
		size_t start = i;
		size_t len = 0;

		do {
			answer(changes, i, 0);
			nlh = put(buf + len, changes, i, r->protocol);
			nlh->nlmsg_seq = ++r->seq;
			len += NLMSG_ALIGN(nlh->nlmsg_len);
		} while (++i < count && len + HOST_RTNL_MESSAGE_MAX <= BATCH_BYTES);
		/* Errors always come; silence and the answer to the last mean all is well. */
		nlh->nlmsg_flags |= NLM_F_ACK;
		if (mnl_socket_sendto(r->nl, buf, len) < 0)
			ret = -errno;
		else
			ret = take_answers(r, changes, start, answer, first, r->seq);
	}
	if (ret < 0)
		drain(r);
	free(buf);
	return ret;
}
