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

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"

#define HOST_RTNL_MESSAGE_MAX	128	    /* more than any message that we put */
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
