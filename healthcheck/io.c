/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/xalloc.h"

#define POLL_MAX  256
#define IDLE_MAX  256 /* sockets of a family that wait to be used again */
#define IDLE_PART 16  /* and no more than this part of what descriptors there may be */

/*
 * A probe costs the kernel less for its packets than for its socket. So those that began half-open
 * and end by reset are disconnected, which sends it, and used again: they stay in the epoll, which
 * has them tell of one thing at a time (EPOLLONESHOT) and is asked to again with the next probe.
 * What such a socket has been through leaves nothing behind but options and errors by ICMP; those
 * of them that would have either are closed, and those that would have a port of their own.
 */
enum use {
	HALF_OPEN = 1,
	BY_IPV6 = 2,
	ANSWERED = 4,  /* since, it is a connection; it still tells of one thing at a time */
	LASTING = 8,   /* since, it tells of one again and again */
	ITS_PORT = 16, /* it is bound to one, which is one target's */
};

struct idle {
	int fds[IDLE_MAX];
	unsigned count;
};

struct hc_net {
	int epoll;
	struct hc_from from;
	uint64_t random;
	/* Of enum use, by descriptor; 0: it did not begin half-open, and has no port of its own. */
	uint8_t *uses;
	int use_size;
	struct idle idle[2]; /* IPv4, IPv6 */
	unsigned idle_max;   /* of a family */
};

static unsigned idle_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / IDLE_PART > IDLE_MAX)
		return IDLE_MAX;
	return (unsigned)(files.rlim_cur / IDLE_PART);
}

int hc_net_new(const struct hc_from *from, struct hc_net **out)
{
	struct hc_net *n = xcalloc(1, sizeof(*n));

	if (from)
		n->from = *from;
	n->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (n->epoll < 0) {
		int r = -errno;

		free(n);
		return r;
	}
	n->idle_max = idle_limit();
	if (getrandom(&n->random, sizeof(n->random), GRND_NONBLOCK) < 0 || !n->random)
		n->random = 0x9e3779b97f4a7c15; /* it only spreads probes */
	*out = n;
	return 0;
}

static void close_idle(struct hc_net *n)
{
	for (unsigned i = 0; i < 2; i++) {
		while (n->idle[i].count)
			close(n->idle[i].fds[--n->idle[i].count]);
	}
}

void hc_net_free(struct hc_net *n)
{
	if (!n)
		return;
	close_idle(n);
	close(n->epoll);
	free(n->uses);
	free(n);
}

unsigned hc_net_spare(const struct hc_net *n)
{
	return 2 * n->idle_max;
}

int hc_net_fd(const struct hc_net *n)
{
	return n->epoll;
}

static socklen_t sockaddr_of(const struct endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (e->addr.family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->addr.bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	memcpy(&in6->sin6_addr, e->addr.bytes, 16);
	return sizeof(*in6);
}

static const struct linger by_reset = { .l_onoff = 1, .l_linger = 0 };

static void set_use(struct hc_net *n, int fd, unsigned use)
{
	if (fd >= n->use_size) {
		int size = fd + fd / 2 + 64;

		n->uses = xreallocarray(n->uses, (size_t)size, sizeof(*n->uses));
		memset(n->uses + n->use_size, 0, (size_t)(size - n->use_size));
		n->use_size = size;
	}
	n->uses[fd] = (uint8_t)use;
}

static unsigned use_of(const struct hc_net *n, int fd)
{
	return fd < n->use_size ? n->uses[fd] : 0;
}

static struct idle *idle_of(struct hc_net *n, int family)
{
	return &n->idle[family == AF_INET6];
}

/*
 * The port is left to connect(): one that is bound is not there for other servers' probes. A socket
 * that is used again keeps the address. One target's own port is bound even while what is left of its
 * last connection holds it; -EADDRINUSE where somebody else has it.
 */
static int bind_from(const struct hc_net *n, int fd, int family, uint16_t port)
{
	struct endpoint from = { .addr = family == AF_INET ? n->from.v4 : n->from.v6,
				 .port = port };
	struct sockaddr_storage sa;
	socklen_t len;
	int on = 1, r;

	if (!from.addr.family && !port)
		return 0;
	from.addr.family = (uint8_t)family;
	len = sockaddr_of(&from, &sa);
	r = port ? setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))
		 : setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (r < 0 || bind(fd, (const struct sockaddr *)&sa, len) < 0)
		return -errno;
	return 0;
}

static int new_socket(struct hc_net *n, const struct endpoint *to, uint16_t from_port)
{
	int family = to->addr.family, protocol = to->protocol;
	int type = (protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK |
		   SOCK_CLOEXEC;
	int fd = socket(family, type, protocol), r;

	/* None is left, and some of ours do nothing: of the other family, or where all must be new. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) &&
	    n->idle[0].count + n->idle[1].count > 0) {
		close_idle(n);
		fd = socket(family, type, protocol);
	}
	if (fd < 0)
		return -errno;
	r = bind_from(n, fd, family, from_port);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* The kernel chooses the port at connect(), so that ports are short only towards one server. */
static int begin(int fd, const struct endpoint *to)
{
	struct sockaddr_storage sa;
	socklen_t len = sockaddr_of(to, &sa);

	return connect(fd, (const struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS ? -errno
											  : 0;
}

static int connect_complete(struct hc_net *n, int fd, const struct endpoint *to, unsigned use,
			    uint64_t token)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.u64 = token };
	int on = 1, r;

	/* Should we be killed, what is left of it would keep its port from whoever comes after us. */
	if (use && setsockopt(fd, SOL_SOCKET, SO_LINGER, &by_reset, sizeof(by_reset)) < 0)
		return -errno;
	/* A conversation of small pieces: none waits for the acknowledgement of another. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return -errno;
	r = begin(fd, to);
	if (r < 0)
		return r;
	if (epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	if (use)
		set_use(n, fd, use);
	return 0;
}

static int connect_half_open(struct hc_net *n, int fd, bool is_new, const struct endpoint *to,
			     unsigned use, uint64_t token)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLONESHOT, .data.u64 = token };
	int off = 0, r;

	/* Should we be killed, it ends by reset, too. */
	if (is_new && setsockopt(fd, SOL_SOCKET, SO_LINGER, &by_reset, sizeof(by_reset)) < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)) < 0)
		return -errno;
	r = begin(fd, to);
	if (r < 0)
		return r;
	if (epoll_ctl(n->epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) < 0)
		return -errno;
	set_use(n, fd, HALF_OPEN | use | (to->addr.family == AF_INET6 ? BY_IPV6 : 0));
	return 0;
}

/*
 * Without IP_RECVERR a socket of UDP is told of closed ports alone, not that there is no way to a
 * host, or no neighbour. What it was told stays with it: it is never used again.
 */
static int connect_datagrams(struct hc_net *n, int fd, const struct endpoint *to, uint64_t token)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = token };
	bool v6 = to->addr.family == AF_INET6;
	int on = 1, r;

	if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &on,
		       sizeof(on)) < 0)
		return -errno;
	r = begin(fd, to);
	if (r < 0)
		return r;
	return epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int net_connect(void *arg, const struct endpoint *to, uint16_t from_port, bool complete,
		       uint64_t token, int *out_fd)
{
	struct hc_net *n = arg;
	struct idle *idle = idle_of(n, to->addr.family);
	bool is_udp = to->protocol == IPPROTO_UDP;
	unsigned use = from_port ? ITS_PORT : 0;
	bool is_new = complete || is_udp || from_port || !idle->count;
	int fd = is_new ? new_socket(n, to, from_port) : idle->fds[--idle->count];
	int r;

	if (fd < 0)
		return fd;
	if (is_udp)
		r = connect_datagrams(n, fd, to, token);
	else if (complete)
		r = connect_complete(n, fd, to, use, token);
	else
		r = connect_half_open(n, fd, is_new, to, use, token);
	if (r < 0) {
		close(fd);
		return r;
	}
	*out_fd = fd;
	return 0;
}

/*
 * A server that writes an answer in pieces, by the rules of Nagle (RFC 896), sends the second once the
 * first is acknowledged. A conversation holds acknowledgements back for 40 ms (TCP_DELACK_MIN); this
 * sends the one that is due and has the next not wait, until we begin to talk by turns again.
 */
static void acknowledge(int fd)
{
	int on = 1;

	(void)!setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on)); /* it is but slower */
}

static int net_wait(void *arg, int fd, uint64_t token, uint32_t events)
{
	struct hc_net *n = arg;
	struct epoll_event ev = { .events = events, .data.u64 = token };
	unsigned use = use_of(n, fd);

	/* Mostly a first answer comes in one piece: it is for what follows. */
	if (events & EPOLLIN && (!(use & HALF_OPEN) || use & ANSWERED))
		acknowledge(fd);
	if (use)
		set_use(n, fd, use | (events & EPOLLONESHOT ? ANSWERED : LASTING));
	return epoll_ctl(n->epoll, EPOLL_CTL_MOD, fd, &ev) < 0 ? -errno : 0;
}

static int net_error(void *arg, int fd)
{
	socklen_t len = sizeof(int);
	int error = 0;

	(void)arg;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

static ssize_t net_send(void *arg, int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

	(void)arg;
	return n < 0 ? -errno : n;
}

static ssize_t net_recv(void *arg, int fd, void *data, size_t len)
{
	ssize_t n = recv(fd, data, len, 0);

	(void)arg;
	return n < 0 ? -errno : n;
}

static bool net_is_silent(void *arg, int fd)
{
	char byte;

	(void)arg;
	return recv(fd, &byte, sizeof(byte), MSG_PEEK) < 0 && errno == EAGAIN;
}

/*
 * The error that ICMP told while it was connecting (net/ipv4/tcp_ipv4.c, tcp_v4_err()) stays in its
 * queue over a disconnection, and is EPOLLERR to whoever waits on it next. Once it is a connection,
 * none is put there.
 */
static bool has_errors(int fd)
{
	char byte;

	return recv(fd, &byte, sizeof(byte), MSG_ERRQUEUE | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

/* Resets it, and keeps its socket. False: it is to be closed. */
static bool keep(struct hc_net *n, int fd, unsigned use)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct idle *idle = &n->idle[use & BY_IPV6 ? 1 : 0];

	if (use & (LASTING | ITS_PORT) || idle->count >= n->idle_max ||
	    connect(fd, &nowhere, sizeof(nowhere)) < 0 || (!(use & ANSWERED) && has_errors(fd)))
		return false;
	idle->fds[idle->count++] = fd;
	return true;
}

static void net_close(void *arg, int fd, bool reset)
{
	static const struct linger by_fin = { .l_onoff = 0 };
	struct hc_net *n = arg;
	unsigned use = use_of(n, fd);

	if (use) {
		n->uses[fd] = 0;
		if (reset && keep(n, fd, use))
			return;
	}
	/* One that has a use ends by reset unless it is told not to. */
	if (reset != (use != 0))
		(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, reset ? &by_reset : &by_fin,
				  sizeof(by_fin));
	close(fd);
}

static size_t net_poll(void *arg, struct hc_ready *out, size_t max)
{
	struct hc_net *net = arg;
	struct epoll_event events[POLL_MAX];
	int n = epoll_wait(net->epoll, events, (int)(max < POLL_MAX ? max : POLL_MAX), 0);

	for (int i = 0; i < n; i++)
		out[i] = (struct hc_ready){ events[i].data.u64, events[i].events };
	return n > 0 ? (size_t)n : 0;
}

/* xorshift64* (Vigna): good enough to spread probes. */
static uint32_t net_random(void *arg)
{
	struct hc_net *n = arg;

	n->random ^= n->random >> 12;
	n->random ^= n->random << 25;
	n->random ^= n->random >> 27;
	return (uint32_t)((n->random * 0x2545f4914f6cdd1d) >> 32);
}

struct hc_io hc_net_io(struct hc_net *n)
{
	return (struct hc_io){
		.connect = net_connect,
		.wait = net_wait,
		.error = net_error,
		.send = net_send,
		.recv = net_recv,
		.is_silent = net_is_silent,
		.close = net_close,
		.poll = net_poll,
		.random = net_random,
		.arg = n,
	};
}
