/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/xalloc.h"

#define POLL_MAX 256

struct hc_net {
	int epoll;
	uint64_t random;
};

int hc_net_new(struct hc_net **out)
{
	struct hc_net *n = xcalloc(1, sizeof(*n));

	n->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (n->epoll < 0) {
		int r = -errno;

		free(n);
		return r;
	}
	if (getrandom(&n->random, sizeof(n->random), GRND_NONBLOCK) < 0 || !n->random)
		n->random = 0x9e3779b97f4a7c15; /* it only spreads probes */
	*out = n;
	return 0;
}

void hc_net_free(struct hc_net *n)
{
	if (!n)
		return;
	close(n->epoll);
	free(n);
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

/* The kernel chooses the port at connect(), so that ports are short only towards one server. */
static int begin(struct hc_net *n, int fd, const struct endpoint *to, bool complete, uint64_t token)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.u64 = token };
	struct sockaddr_storage sa;
	socklen_t len = sockaddr_of(to, &sa);
	int off = 0, on = 1;

	/* A conversation of small pieces: none waits for the acknowledgement of another. */
	if (complete && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return -errno;
	if (!complete && (setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)) < 0 ||
			  setsockopt(fd, SOL_SOCKET, SO_LINGER, &by_reset, sizeof(by_reset)) < 0))
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int net_connect(void *arg, const struct endpoint *to, bool complete, uint64_t token,
		       int *out_fd)
{
	int fd = socket(to->addr.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int r;

	if (fd < 0)
		return -errno;
	r = begin(arg, fd, to, complete, token);
	if (r < 0) {
		close(fd);
		return r;
	}
	*out_fd = fd;
	return 0;
}

static int net_wait(void *arg, int fd, uint64_t token, uint32_t events)
{
	struct hc_net *n = arg;
	struct epoll_event ev = { .events = events, .data.u64 = token };

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

static void net_close(void *arg, int fd, bool reset)
{
	static const struct linger by_fin = { .l_onoff = 0 };

	(void)arg;
	(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, reset ? &by_reset : &by_fin, sizeof(by_fin));
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
		.close = net_close,
		.poll = net_poll,
		.random = net_random,
		.arg = n,
	};
}
