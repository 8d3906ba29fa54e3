/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rtnetlink socket of host_route.h, for the files that put messages into it:
 * dumps, and changes a hundred and more in a packet. Blocks; never logs.
 */
#ifndef IPVS_HOST_RTNL_H
#define IPVS_HOST_RTNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"

#define HOST_LOOPBACK_IFINDEX	1    /* in every network namespace; include/net/net_namespace.h */
#define HOST_RTNL_MESSAGE_MAX	128  /* more than any message that we put */
#define HOST_RTNL_ANSWER_MAX	4096 /* to a question that is none for a dump */
#define HOST_RTNL_RECEIVE_BYTES (64 * 1024) /* dumps come in pieces of up to 32 KiB */

struct mnl_socket;
struct nlattr;
struct nlmsghdr;

struct host_routes {
	struct mnl_socket *nl;
	uint8_t protocol; /* that marks what is ours */
	uint32_t seq;
};

/* One message of a dump; libmnl's mnl_cb_t. */
typedef int host_rtnl_message_fn(const struct nlmsghdr *nlh, void *arg);
/* Sends the request as one for a dump. What `fn` returns ends it if negative. -EINTR: ask again. */
MUST_CHECK int host_rtnl_dump(struct host_routes *r, struct nlmsghdr *request,
			      host_rtnl_message_fn *fn, void *arg);
/* libmnl's mnl_attr_cb_t: the attributes of a route or an address, in a table up to RTA_MAX. */
int host_rtnl_keep(const struct nlattr *attr, void *table);
/*
 * Which way the kernel would go, over that interface, or with 0 over any. Returns the length of its
 * answer, which is of r->seq and may say that there is none, or -errno of the exchange.
 */
MUST_CHECK ssize_t host_rtnl_ask_way(struct host_routes *r, const struct addr *to, uint32_t ifindex,
				     char answer[static HOST_RTNL_ANSWER_MAX]);
/* False where the attribute is missing or of another length than the family has. */
bool host_rtnl_addr(const struct nlattr *attr, uint8_t family, struct addr *out);

/* Writes the message of changes[i], all but its sequence number, of HOST_RTNL_MESSAGE_MAX at most. */
typedef struct nlmsghdr *host_rtnl_put_fn(void *buf, const void *changes, size_t i,
					  uint8_t protocol);
/* The kernel's answer to it: 0, before there is one and if it is well, or -errno. */
typedef void host_rtnl_answer_fn(void *changes, size_t i, int error);
/* In order. -errno is that of the exchange; -ENOBUFS: what became of some is not known. */
MUST_CHECK int host_rtnl_write(struct host_routes *r, void *changes, size_t count,
			       host_rtnl_put_fn *put, host_rtnl_answer_fn *answer);

#endif
