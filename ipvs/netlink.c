/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/netlink.h"

#include <assert.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"

/* An answer takes up to 1 KB of the receive buffer: all of a batch may fail and still fit. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)
#define SEND_BUFFER    (1024 * 1024)
#define CHUNK_SIZE     65536 /* the kernel fills at most 32 KB of it */

struct ipvs_netlink {
	struct nl_sock *socket;
	int fd;
	uint16_t genl; /* the number this boot gave the family */
	uint32_t seq;
	bool dumping;
	uint8_t chunk[CHUNK_SIZE];
	uint8_t batch[IPVS_BATCH_MAX * IPVS_MESSAGE_SIZE];
};

/* Larger buffers and short acknowledgements make it quicker; it works without. */
static void tune(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER },
		{ SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER },
		{ SOL_NETLINK, NETLINK_CAP_ACK, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		(void)!setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				  sizeof(int));
}

static int open_socket(struct ipvs_netlink *n)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int r;

	n->socket = nl_socket_alloc();
	if (!n->socket)
		return -ENOMEM;
	if (genl_connect(n->socket) < 0)
		return errno ? -errno : -EPROTONOSUPPORT;
	/* Asking for the family makes the kernel load ip_vs. */
	r = genl_ctrl_resolve(n->socket, IPVS_GENL_NAME);
	if (r < 0)
		return r == -NLE_OBJ_NOTFOUND ? -ENOENT : -EIO;
	n->genl = (uint16_t)r;
	n->fd = nl_socket_get_fd(n->socket);
	tune(n->fd);
	/* From here on only the kernel is heard. */
	if (connect(n->fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

int ipvs_netlink_open(struct ipvs_netlink **out)
{
	struct ipvs_netlink *n = xcalloc(1, sizeof(*n));
	int r = open_socket(n);

	if (r < 0) {
		ipvs_netlink_close(n);
		return r;
	}
	*out = n;
	return 0;
}

void ipvs_netlink_close(struct ipvs_netlink *n)
{
	if (!n)
		return;
	nl_socket_free(n->socket);
	free(n);
}

static int receive(struct ipvs_netlink *n, size_t *out_len)
{
	ssize_t len;

	do {
		/* With MSG_TRUNC the length is the true one. */
		len = recv(n->fd, n->chunk, sizeof(n->chunk), MSG_DONTWAIT | MSG_TRUNC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	if ((size_t)len > sizeof(n->chunk))
		return -EMSGSIZE;
	*out_len = (size_t)len;
	return 0;
}

/* Read on until nothing is left: after an overflow the kernel drops answers until then. */
static void drain(struct ipvs_netlink *n)
{
	size_t len;

	for (;;) {
		int r = receive(n, &len);

		if (r == -EAGAIN || (r < 0 && r != -ENOBUFS && r != -EMSGSIZE))
			return;
	}
}

/* Sort the answers of one datagram to their commands. 1: the last command is answered. */
static int take_answers(struct ipvs_netlink *n, size_t len, uint32_t first, size_t count,
			int *errors)
{
	const uint8_t *at = n->chunk;
	struct ipvs_reply reply;
	int r, last = 0;

	while ((r = ipvs_reply_next(&at, &len, &reply)) > 0) {
		uint32_t i = reply.seq - first;

		if (reply.kind != IPVS_REPLY_ACK || i >= count)
			continue; /* of an earlier batch whose answers overflowed */
		errors[i] = reply.error;
		last |= i == count - 1;
	}
	return r < 0 ? r : last;
}

int ipvs_netlink_write(struct ipvs_netlink *n, const struct ipvs_op *ops, size_t count, int *errors)
{
	uint32_t first = n->seq + 1;
	size_t len = 0;
	int r;

	assert(count > 0 && count <= IPVS_BATCH_MAX);
	for (size_t i = 0; i < count; i++) {
		errors[i] = 0;
		len += ipvs_encode_op(n->batch + len, n->genl, first + (uint32_t)i, i == count - 1,
				      &ops[i]);
	}
	n->seq += (uint32_t)count;
	if (send(n->fd, n->batch, len, 0) < 0)
		return errno == ENOBUFS ? -ENOMEM : -errno;
	do {
		r = receive(n, &len);
		if (r == 0)
			r = take_answers(n, len, first, count, errors);
	} while (r == 0);
	if (r < 0) {
		drain(n);
		return -ENOBUFS;
	}
	return 0;
}

static void forget_dump(struct ipvs_netlink *n)
{
	if (n->dumping)
		drain(n);
}

static int ask(struct ipvs_netlink *n, size_t len)
{
	if (send(n->fd, n->batch, len, 0) < 0)
		return -errno;
	n->dumping = true;
	return 0;
}

int ipvs_netlink_dump(struct ipvs_netlink *n, const struct endpoint *key)
{
	forget_dump(n);
	return ask(n, ipvs_encode_dump(n->batch, n->genl, ++n->seq, key));
}

int ipvs_netlink_get(struct ipvs_netlink *n, const struct endpoint *key)
{
	forget_dump(n);
	return ask(n, ipvs_encode_get(n->batch, n->genl, ++n->seq, key));
}

int ipvs_netlink_dump_mark(struct ipvs_netlink *n, uint8_t family, uint32_t mark)
{
	forget_dump(n);
	return ask(n, ipvs_encode_dump_mark(n->batch, n->genl, ++n->seq, family, mark));
}

int ipvs_netlink_get_mark(struct ipvs_netlink *n, uint8_t family, uint32_t mark)
{
	forget_dump(n);
	return ask(n, ipvs_encode_get_mark(n->batch, n->genl, ++n->seq, family, mark));
}

int ipvs_netlink_dump_next(struct ipvs_netlink *n, ipvs_netlink_data_fn *fn, void *arg)
{
	const uint8_t *at = n->chunk;
	struct ipvs_reply reply;
	size_t len;
	int r = receive(n, &len);

	if (r < 0)
		return r;
	while ((r = ipvs_reply_next(&at, &len, &reply)) > 0) {
		if (reply.seq != n->seq)
			continue;
		if (reply.kind == IPVS_REPLY_DATA) {
			fn(arg, &reply);
			continue;
		}
		n->dumping = false;
		return reply.error;
	}
	return r < 0 ? r : 1;
}
