/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/xalloc.h"

#define HEADER		  8
#define PACKETS_PER_EVENT 4 /* then others get their turn */
#define SOCKET_BUFFER	  (1 << 20)

struct packet {
	struct packet *next;
	struct buf data;
	int fd; /* goes along with it, or -1 */
	bool is_secret;
};

struct channel {
	struct loop *loop;
	int fd;
	loop_fd_id id;
	struct channel_handler handler;
	struct packet *first, *last; /* to be sent, oldest first */
	size_t queued;
	bool flush_pending;
	bool want_write;
	bool closed;
	bool freed;
	unsigned busy; /* callbacks and deferred calls that still know us */
	uint8_t in[CHANNEL_PACKET_MAX];
};

int channel_pair(int out[static 2])
{
	int size = SOCKET_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, out) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		/* Larger where we may; the kernel's limit is enough to work with. */
		if (setsockopt(out[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			(void)!setsockopt(out[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return 0;
}

int channel_split(const void *data, size_t len, channel_split_fn *fn, void *arg)
{
	struct wire w = wire_of(data, len);

	if (len == 0)
		return -EBADMSG;
	while (w.left) {
		uint16_t type = wire_u16(&w);
		uint16_t zero = wire_u16(&w);
		uint32_t size = wire_u32(&w);
		struct wire body;

		if (w.bad || zero != 0 || type == 0 || size > w.left)
			return -EBADMSG;
		body = wire_of(w.data, size);
		w.data += size;
		w.left -= size;
		if (!fn(arg, type, &body))
			return -EPROTO;
	}
	return 0;
}

static void drop_packet(struct channel *c)
{
	struct packet *p = c->first;

	c->first = p->next;
	if (!c->first)
		c->last = NULL;
	c->queued -= p->data.len;
	if (p->fd >= 0)
		close(p->fd);
	if (p->is_secret)
		buf_wipe(&p->data);
	buf_done(&p->data);
	free(p);
}

static void disconnect(struct channel *c)
{
	while (c->first)
		drop_packet(c);
	loop_del_fd(c->loop, c->id);
	c->id = 0;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->closed = true;
}

static void release(struct channel *c)
{
	if (--c->busy == 0 && c->freed)
		free(c);
}

static void fail(struct channel *c, const char *why)
{
	if (c->closed)
		return;
	disconnect(c);
	c->handler.closed(c->handler.arg, why);
}

static int send_packet(struct channel *c, const struct packet *p)
{
	struct iovec iov = { p->data.data, p->data.len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;

	if (p->fd >= 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &p->fd, sizeof(int));
	}
	for (;;) {
		if (sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

static void set_events(struct channel *c, bool want_write)
{
	if (c->want_write == want_write)
		return;
	c->want_write = want_write;
	if (loop_mod_fd(c->loop, c->id, EPOLLIN | (want_write ? (uint32_t)EPOLLOUT : 0)) < 0)
		fail(c, "epoll");
}

static void flush(struct channel *c)
{
	while (c->first && !c->closed) {
		int r = send_packet(c, c->first);

		if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM) {
			set_events(c, true);
			return;
		}
		if (r < 0) {
			fail(c, r == -EPIPE || r == -ECONNRESET ? "peer closed" : strerror(-r));
			return;
		}
		drop_packet(c);
	}
	if (!c->closed)
		set_events(c, false);
}

static void flush_later(void *arg)
{
	struct channel *c = arg;

	c->flush_pending = false;
	if (!c->closed)
		flush(c);
	release(c);
}

static struct packet *new_packet(struct channel *c, int fd)
{
	struct packet *p = xcalloc(1, sizeof(*p));

	p->fd = fd;
	if (c->last)
		c->last->next = p;
	else
		c->first = p;
	c->last = p;
	return p;
}

static void queue(struct channel *c, struct packet *p, uint16_t type, const struct buf *body)
{
	size_t len = body ? body->len : 0;

	wire_put_u16(&p->data, type);
	wire_put_u16(&p->data, 0);
	wire_put_u32(&p->data, (uint32_t)len);
	if (len)
		buf_put(&p->data, body->data, len);
	c->queued += HEADER + len;
	if (!c->flush_pending && !c->want_write) {
		c->flush_pending = true;
		c->busy++;
		loop_defer(c->loop, flush_later, c);
	}
}

void channel_send_fd(struct channel *c, uint16_t type, const struct buf *body, int fd)
{
	size_t len = body ? body->len : 0;
	struct packet *p = c->last;

	assert(type != 0 && len <= CHANNEL_BODY_MAX);
	if (c->closed) {
		if (fd >= 0)
			close(fd);
		return;
	}
	/* A descriptor belongs to one message, and a secret is alone: those have packets of their own. */
	if (!p || fd >= 0 || p->fd >= 0 || p->is_secret ||
	    p->data.len + HEADER + len > CHANNEL_PACKET_MAX)
		p = new_packet(c, fd);
	queue(c, p, type, body);
}

void channel_send_secret(struct channel *c, uint16_t type, const struct buf *body)
{
	struct packet *p;

	assert(type != 0 && body->len <= CHANNEL_BODY_MAX);
	if (c->closed)
		return;
	p = new_packet(c, -1);
	p->is_secret = true;
	buf_reserve(&p->data, HEADER + body->len);
	queue(c, p, type, body);
}

void channel_send(struct channel *c, uint16_t type, const struct buf *body)
{
	channel_send_fd(c, type, body, -1);
}

size_t channel_queued(const struct channel *c)
{
	return c->queued;
}

struct delivery {
	struct channel *c;
	int fd;
	uint16_t type;
};

static bool deliver(void *arg, uint16_t type, struct wire *body)
{
	struct delivery *d = arg;
	int fd = d->fd;

	d->fd = -1;
	d->type = type;
	if (d->c->closed) {
		if (fd >= 0)
			close(fd);
		return true;
	}
	return d->c->handler.message(d->c->handler.arg, type, body, fd);
}

/* Length of the packet, 0: the peer closed, -errno. A descriptor that came along is in *fd. */
static ssize_t receive(struct channel *c, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { c->in, sizeof(c->in) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    /* Not CMSG_SPACE: its padding has room for a second descriptor. */
			    .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
			memcpy(fd, CMSG_DATA(h), sizeof(*fd));
	}
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (*fd >= 0)
			close(*fd);
		return -EBADMSG;
	}
	return n;
}

static void read_packets(struct channel *c)
{
	for (int i = 0; i < PACKETS_PER_EVENT && !c->closed; i++) {
		struct delivery d = { c, -1, 0 };
		char why[64];
		ssize_t n = receive(c, &d.fd);
		int r;

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			fail(c, n == 0 || n == -ECONNRESET ? "peer closed"
				: n == -EBADMSG		   ? "malformed packet"
							   : strerror((int)-n));
			return;
		}
		r = channel_split(c->in, (size_t)n, deliver, &d);
		explicit_bzero(c->in, (size_t)n); /* it may have held a secret */
		if (d.fd >= 0)
			close(d.fd);
		if (r == -EPROTO) {
			snprintf(why, sizeof(why), "malformed message type %u", d.type);
			fail(c, why);
		} else if (r < 0) {
			fail(c, "malformed packet");
		}
	}
}

static void on_event(void *arg, uint32_t events)
{
	struct channel *c = arg;

	c->busy++;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_packets(c);
	if (!c->closed && events & EPOLLOUT)
		flush(c);
	release(c);
}

int channel_new(struct loop *l, int fd, const struct channel_handler *h, struct channel **out)
{
	struct channel *c = xcalloc(1, sizeof(*c));
	int r;

	c->loop = l;
	c->fd = fd;
	c->handler = *h;
	r = loop_add_fd(l, fd, EPOLLIN, on_event, c, &c->id);
	if (r < 0) {
		close(fd);
		free(c);
		return r;
	}
	*out = c;
	return 0;
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	if (!c->closed)
		disconnect(c);
	c->freed = true;
	if (c->busy == 0)
		free(c);
}
