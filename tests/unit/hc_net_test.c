/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes on real sockets: what the server sees of them, and what they leave behind. */
#include "healthcheck/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/clock.h"
#include "agent/base/xalloc.h"
#include "healthcheck/account.h"
#include "healthcheck/verdict.h"

#define QUICK_MS	  20
#define PROBES		  300
#define PATIENCE_MS	  5000 /* for what the kernel does at once */
#define STATE_ESTABLISHED 1
#define STATE_TIME_WAIT	  6

struct ground {
	struct hc_net *net;
	struct hc_io io;
	int listener;
	struct endpoint endpoint;
};

/* Our sockets towards the listener that are in this TCP state. */
static unsigned sockets_in(const struct ground *g, unsigned tcp_state)
{
	FILE *f = fopen("/proc/self/net/tcp", "re");
	unsigned port, st, n = 0;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*u: %*[0-9A-F]:%*x %*[0-9A-F]:%x %x", &port, &st) == 2)
			n += port == g->endpoint.port && st == tcp_state;
	}
	fclose(f);
	return n;
}

static void listen_anywhere(struct ground *g)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	g->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(g->listener >= 0);
	assert_int_equal(bind(g->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(g->listener, 64), 0);
	assert_int_equal(getsockname(g->listener, (struct sockaddr *)&in, &len), 0);
	memset(&g->endpoint, 0, sizeof(g->endpoint));
	g->endpoint.addr = addr_v4(INADDR_LOOPBACK);
	g->endpoint.port = ntohs(in.sin_port);
	g->endpoint.protocol = IPPROTO_TCP;
}

static int ground_up(void **state)
{
	struct ground *g = xcalloc(1, sizeof(*g));

	assert_int_equal(hc_net_new(NULL, &g->net), 0);
	g->io = hc_net_io(g->net);
	/* A test before this one may have left sockets that a port given out again would show. */
	g->listener = -1;
	do {
		if (g->listener >= 0)
			close(g->listener);
		listen_anywhere(g);
	} while (sockets_in(g, STATE_TIME_WAIT) > 0);
	*state = g;
	return 0;
}

static int ground_down(void **state)
{
	struct ground *g = *state;

	close(g->listener);
	hc_net_free(g->net);
	free(g);
	return 0;
}

static bool wait_ready(const struct ground *g)
{
	struct pollfd p = { .fd = hc_net_fd(g->net), .events = POLLIN };

	return poll(&p, 1, PATIENCE_MS) == 1;
}

/* One turn of the probe's events; true once it is over. */
static bool turn(struct ground *g, struct hc_probe *p, struct hc_outcome *out)
{
	struct hc_ready ready[4];
	bool over = false;
	size_t n;

	assert_true(wait_ready(g));
	n = g->io.poll(g->io.arg, ready, 4);
	for (size_t i = 0; i < n && !over; i++) {
		assert_int_equal(ready[i].token, 77);
		over = hc_probe_event(p, &g->io, 77, ready[i].events, out);
	}
	return over;
}

static struct hc_outcome probe_from(struct ground *g, const struct check *c, uint16_t port)
{
	struct hc_outcome out = { 0 };
	struct hc_probe p;

	if (!hc_probe_start(&p, &g->io, c, &g->endpoint, port, NULL, 77, &out)) {
		while (!turn(g, &p, &out))
			;
	}
	hc_probe_stop(&p, &g->io);
	return out;
}

static struct hc_outcome probe(struct ground *g, const struct check *c)
{
	return probe_from(g, c, 0);
}

static void a_half_open_probe_is_never_seen_by_the_server(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);

	/* The kernel acknowledges by itself after 40 ms: a test that was held up says nothing. */
	for (int quick = 0, i = 0; quick < PROBES; i++) {
		mono_t begin = clock_mono(&clock_system);
		struct hc_outcome out = probe(g, c);
		int fd = accept(g->listener, NULL, NULL);

		assert_int_equal(out.reason, HC_REASON_OK);
		assert_true(i < 10 * PROBES);
		if (mono_sub_ms(clock_mono(&clock_system), begin) < QUICK_MS) {
			assert_int_equal(fd, -1);
			quick++;
		} else if (fd >= 0) {
			close(fd);
		}
	}
	assert_int_equal(sockets_in(g, STATE_TIME_WAIT), 0);
	assert_int_equal(sockets_in(g, STATE_ESTABLISHED), 0);
	check_unref(c);
}

/* The same without our two socket options: proof that the test above can fail. */
static void a_plain_connect_is_seen_and_stays(void **state)
{
	struct ground *g = *state;
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(g->endpoint.port) };

	for (int i = 0; i < 20; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int accepted;

		assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
		close(fd);
		accepted = accept(g->listener, NULL, NULL);
		assert_true(accepted >= 0);
		close(accepted);
	}
	assert_int_equal(sockets_in(g, STATE_TIME_WAIT), 20);
}

/* What ends by reset is used again, whatever became of it, and does not speak while it waits. */
static void sockets_are_used_again(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);
	struct endpoint open = g->endpoint, closed = g->endpoint;
	struct hc_ready ready[4];
	struct hc_outcome out;
	struct hc_probe p;
	int fd;

	assert_int_equal(probe(g, c).reason, HC_REASON_OK);
	assert_false(hc_probe_start(&p, &g->io, c, &g->endpoint, 0, NULL, 5, &out));
	fd = p.fd;
	hc_probe_stop(&p, &g->io);
	closed.port = 1;
	for (unsigned i = 0; i < 3 * PROBES; i++) {
		/* The one that was stopped at most, and once. */
		assert_true(g->io.poll(g->io.arg, ready, ARRAY_LEN(ready)) <= (i == 0));
		g->endpoint = i % 3 == 1 ? closed : open;
		out = probe(g, c);
		assert_int_equal(out.reason, i % 3 == 1 ? HC_REASON_REFUSED : HC_REASON_OK);
	}
	g->endpoint = open;
	/* Stopped before its answer was read: what it had to say is not taken for the next one's. */
	for (unsigned i = 0; i < PROBES; i++) {
		assert_false(hc_probe_start(&p, &g->io, c, &g->endpoint, 0, NULL, 1000 + i, &out));
		assert_int_equal(p.fd, fd);
		hc_probe_stop(&p, &g->io);
	}
	assert_int_equal(probe(g, c).reason, HC_REASON_OK);
	assert_int_equal(sockets_in(g, STATE_TIME_WAIT), 0);
	assert_int_equal(sockets_in(g, STATE_ESTABLISHED), 0);
	check_unref(c);
}

/* Those that wait are given up where another family, or another kind of probe, needs descriptors. */
static void idle_sockets_keep_nobody_from_descriptors(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);
	struct rlimit before, few;
	int fd = -1;

	assert_int_equal(probe(g, c).reason, HC_REASON_OK);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	fd = dup(g->listener);
	close(fd);
	few.rlim_cur = (rlim_t)fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(g->io.connect(g->io.arg, &g->endpoint, 0, true, 9, &fd), 0);
	g->io.close(g->io.arg, fd, true);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	check_unref(c);
}

static void a_closed_port_is_refused(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);

	close(g->listener);
	g->listener = -1;
	assert_int_equal(probe(g, c).reason, HC_REASON_REFUSED);
	check_unref(c);
}

/* Another one of this machine's: all of 127.0.0.0/8 is. */
static void probes_come_from_the_address_that_is_said(void **state)
{
	const struct hc_from from = { .v4 = addr_v4(0x7f000007) };
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP_FULL);
	struct sockaddr_in peer = { 0 };
	socklen_t len = sizeof(peer);
	int fd;

	hc_net_free(g->net);
	assert_int_equal(hc_net_new(&from, &g->net), 0);
	g->io = hc_net_io(g->net);
	assert_int_equal(probe(g, c).reason, HC_REASON_OK);
	fd = accept(g->listener, (struct sockaddr *)&peer, &len);
	assert_true(fd >= 0);
	assert_int_equal(peer.sin_addr.s_addr, htonl(0x7f000007));
	close(fd);
	check_unref(c);
	/* A socket that is used again is no exception: it would be seen where it is not reset. */
	c = check_new(CHECK_TCP);
	for (int i = 0; i < PROBES; i++)
		assert_int_equal(probe(g, c).reason, HC_REASON_OK);
	check_unref(c);
}

/* A socket that has a port, which nobody else has either; *fd < 0: not any more. */
static uint16_t take_port(int *fd)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*fd >= 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

static uint16_t free_port(void)
{
	int fd;
	uint16_t port = take_port(&fd);

	close(fd);
	return port;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

static void accept_from(struct ground *g, uint16_t port)
{
	struct sockaddr_in peer = { 0 };
	socklen_t len = sizeof(peer);
	int fd = accept(g->listener, (struct sockaddr *)&peer, &len);

	assert_true(fd >= 0);
	assert_int_equal(ntohs(peer.sin_port), port);
	close(fd);
}

static void probes_come_from_the_port_that_is_said_again_and_again(void **state)
{
	const struct hc_from from = { .v4 = addr_v4(0x7f000007) };
	struct ground *g = *state;
	struct check *half = check_new(CHECK_TCP), *full = check_new(CHECK_TCP_FULL);
	uint16_t port = free_port();

	for (int i = 0; i < PROBES; i++) {
		if (i == PROBES / 2) {
			hc_net_free(g->net);
			assert_int_equal(hc_net_new(&from, &g->net), 0);
			g->io = hc_net_io(g->net);
		}
		assert_int_equal(probe_from(g, half, port).reason, HC_REASON_OK);
		assert_int_equal(probe_from(g, full, port).reason, HC_REASON_OK);
		accept_from(g, port);
	}
	assert_int_equal(sockets_in(g, STATE_TIME_WAIT), 0);
	assert_int_equal(sockets_in(g, STATE_ESTABLISHED), 0);
	check_unref(half);
	check_unref(full);
}

/* Also where the server closes first, which it does between probes that one connection serves. */
static void a_port_is_free_again_whoever_closed_first(void **state)
{
	struct ground *g = *state;
	uint16_t port = free_port();

	for (int i = 0; i < 10; i++) {
		struct hc_ready ready;
		char byte;
		int fd;

		assert_int_equal(g->io.connect(g->io.arg, &g->endpoint, port, true, 77, &fd), 0);
		assert_true(wait_ready(g));
		assert_int_equal(g->io.poll(g->io.arg, &ready, 1), 1);
		assert_int_equal(g->io.wait(g->io.arg, fd, 77, EPOLLIN), 0);
		accept_from(g, port);
		assert_true(wait_ready(g));
		assert_int_equal(g->io.recv(g->io.arg, fd, &byte, 1), 0);
		g->io.close(g->io.arg, fd, true);
	}
}

static int connect_from(struct ground *g, uint16_t port)
{
	struct hc_ready ready;
	int fd;

	assert_int_equal(g->io.connect(g->io.arg, &g->endpoint, port, true, 77, &fd), 0);
	assert_true(wait_ready(g));
	assert_int_equal(g->io.poll(g->io.arg, &ready, 1), 1);
	assert_int_equal(g->io.error(g->io.arg, fd), 0);
	return fd;
}

/* How it ended, for the server: 0, or a negative errno. */
static int hear_end(const struct ground *g)
{
	int fd = accept(g->listener, NULL, NULL), r;
	char byte;

	assert_true(fd >= 0);
	r = recv(fd, &byte, 1, 0) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* In the midst of a conversation: the kernel closes what it had, and nothing is left of it. */
static void a_prober_that_is_killed_leaves_the_port(void **state)
{
	struct ground *g = *state;
	uint16_t port = free_port();

	for (int i = 0; i < 3; i++) {
		close(connect_from(g, port));
		assert_int_equal(hear_end(g), -ECONNRESET);
	}
	/* One that is to end in peace does. */
	g->io.close(g->io.arg, connect_from(g, port), false);
	assert_int_equal(hear_end(g), 0);
}

static void the_port_of_a_target_is_nobody_elses(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);
	uint16_t port = free_port();
	struct hc_outcome out;
	struct hc_probe p;

	assert_int_equal(probe(g, c).reason, HC_REASON_OK); /* its socket waits */
	assert_false(hc_probe_start(&p, &g->io, c, &g->endpoint, port, NULL, 77, &out));
	assert_int_equal(port_of(p.fd), port);
	while (!turn(g, &p, &out))
		;
	hc_probe_stop(&p, &g->io);
	assert_int_equal(out.reason, HC_REASON_OK);
	for (int i = 0; i < 3; i++) {
		assert_false(hc_probe_start(&p, &g->io, c, &g->endpoint, 0, NULL, 77, &out));
		assert_int_not_equal(port_of(p.fd), port);
		while (!turn(g, &p, &out))
			;
		hc_probe_stop(&p, &g->io);
	}
	check_unref(c);
}

static void a_port_that_somebody_has_is_our_own_trouble(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);
	struct hc_outcome out;
	int fd;
	uint16_t port = take_port(&fd);

	out = probe_from(g, c, port);
	assert_int_equal(out.reason, HC_REASON_NO_RESOURCE);
	assert_int_equal(out.detail, EADDRINUSE);
	assert_int_equal(hc_reason_meaning(c, VERDICT_UP, out.reason), HC_MEANS_NOTHING);
	close(fd);
	assert_int_equal(probe_from(g, c, port).reason, HC_REASON_OK);
	check_unref(c);
}

static void an_address_of_somebody_else_is_our_own_trouble(void **state)
{
	const struct hc_from from = { .v4 = addr_v4(0xcb007109) }; /* 203.0.113.9 */
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);
	struct hc_outcome out;

	hc_net_free(g->net);
	assert_int_equal(hc_net_new(&from, &g->net), 0);
	g->io = hc_net_io(g->net);
	out = probe(g, c);
	assert_int_equal(hc_reason_meaning(c, VERDICT_UP, out.reason), HC_MEANS_NOTHING);
	assert_int_equal(out.detail, EADDRNOTAVAIL);
	check_unref(c);
}

static void without_descriptors_it_is_our_own_trouble(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);
	struct rlimit before, none;
	struct hc_outcome out;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	out = probe(g, c);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(out.reason, HC_REASON_NO_RESOURCE);
	assert_int_equal(out.detail, EMFILE);
	check_unref(c);
}

/*
 * An error by ICMP stays in the queue of a socket whatever becomes of its connection, and would be
 * taken for one of the next. That of a packet's time stands in for it here.
 */
static void a_socket_with_an_error_in_its_queue_is_not_used_again(void **state)
{
	const int stamp = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
			  SOF_TIMESTAMPING_OPT_TSONLY;
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP);

	for (int i = 0; i < 2; i++) {
		struct hc_outcome out;
		struct hc_probe p;
		int fd;

		assert_false(hc_probe_start(&p, &g->io, c, &g->endpoint, 0, NULL, 77, &out));
		assert_true(wait_ready(g));
		fd = p.fd;
		if (i == 1) {
			assert_int_equal(
				setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamp, sizeof(stamp)),
				0);
			assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
			assert_int_equal(poll(&(struct pollfd){ .fd = fd }, 1, PATIENCE_MS), 1);
		}
		hc_probe_stop(&p, &g->io);
		/* Kept for the next probe, or closed. */
		assert_int_equal(fcntl(fd, F_GETFD) >= 0, i == 0);
	}
	check_unref(c);
}

/* Starts an http probe and takes its connection at the server's end, the question read. */
static int http_accept(struct ground *g, struct hc_probe *p, const struct check *c, char *question,
		       size_t size)
{
	struct hc_outcome out;
	int fd;
	ssize_t n;

	assert_false(hc_probe_start(p, &g->io, c, &g->endpoint, 0, NULL, 77, &out));
	assert_false(turn(g, p, &out));
	fd = accept(g->listener, NULL, NULL);
	assert_true(fd >= 0);
	n = recv(fd, question, size - 1, 0);
	assert_true(n > 0);
	question[n] = '\0';
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The answer whole, and the server's end of the connection closed or not: its socket is used again. */
static void http_resets_once_the_answer_is_here(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_HTTP);
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	char question[2048], byte;
	int fd, before = -1;

	for (int i = 0; i < 20; i++) {
		fd = http_accept(g, &p, c, question, sizeof(question));
		assert_true(i == 0 || p.fd == before);
		before = p.fd;
		assert_memory_equal(question, "GET / HTTP/1.1\r\n", 16);
		say(fd, "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n");
		assert_false(turn(g, &p, &out));
		say(fd, "no");
		if (i % 2)
			shutdown(fd, SHUT_WR);
		while (!turn(g, &p, &out))
			;
		hc_probe_stop(&p, &g->io);
		assert_int_equal(out.reason, HC_REASON_STATUS);
		assert_int_equal(out.detail, 500);
		assert_int_equal(recv(fd, &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNRESET);
		close(fd);
	}
	assert_int_equal(sockets_in(g, STATE_TIME_WAIT), 0);
	check_unref(c);
}

static void http_tells_a_reset_from_an_answer(void **state)
{
	static const struct linger reset = { 1, 0 };
	struct ground *g = *state;
	struct check *c = check_new(CHECK_HTTP);
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	char question[2048];
	int fd = http_accept(g, &p, c, question, sizeof(question));

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	while (!turn(g, &p, &out))
		;
	hc_probe_stop(&p, &g->io);
	assert_int_equal(out.reason, HC_REASON_CLOSED);
	check_unref(c);
}

/* The server answers, and the probe's connection is kept. */
static void answer_and_keep(struct ground *g, struct hc_probe *p, int fd)
{
	struct hc_outcome out = { 0 };

	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	while (!turn(g, p, &out))
		;
	assert_int_equal(out.reason, HC_REASON_OK);
	assert_true(hc_probe_keep(p, &g->io));
}

static void hear_question(int fd, bool is_last)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char question[2048];
	ssize_t n;

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	n = recv(fd, question, sizeof(question) - 1, 0);
	assert_true(n > 0);
	question[n] = '\0';
	assert_memory_equal(question, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(strstr(question, "Connection: close") != NULL, is_last);
}

static struct check *reusing_check(uint16_t reuse)
{
	struct check *c = check_new(CHECK_HTTP);

	c->reuse = reuse;
	return c;
}

static void http_asks_again_on_the_same_connection(void **state)
{
	struct ground *g = *state;
	struct check *c = reusing_check(20);
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	char question[2048];
	int fd = http_accept(g, &p, c, question, sizeof(question)), ours = p.fd;

	for (int i = 1; i < 20; i++) {
		answer_and_keep(g, &p, fd);
		assert_false(hc_probe_resume(&p, &g->io, NULL, 77, &out));
		assert_int_equal(p.fd, ours);
		hear_question(fd, i == 19);
	}
	assert_int_equal(sockets_in(g, STATE_ESTABLISHED), 1);
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	while (!turn(g, &p, &out))
		;
	assert_false(hc_probe_keep(&p, &g->io));
	hc_probe_stop(&p, &g->io);
	assert_int_equal(sockets_in(g, STATE_ESTABLISHED), 0);
	assert_int_equal(sockets_in(g, STATE_TIME_WAIT), 0);
	close(fd);
	check_unref(c);
}

/*
 * As a server whose library does not set TCP_NODELAY: what is small waits until what was sent before is
 * acknowledged. A client that holds that back takes 40 ms at least, each time.
 */
static void an_answer_in_pieces_does_not_wait(void **state)
{
	struct ground *g = *state;
	struct check *c = reusing_check(PROBES);
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	char question[2048];
	int fd = http_accept(g, &p, c, question, sizeof(question));
	int quick = 0;

	c->match = xstrdup("hi");
	for (int i = 1; i < PROBES && quick < 20; i++) {
		mono_t begin = clock_mono(&clock_system);

		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
		say(fd, "h");
		say(fd, "i");
		while (!turn(g, &p, &out))
			;
		quick += mono_sub_ms(clock_mono(&clock_system), begin) < QUICK_MS;
		assert_int_equal(out.reason, HC_REASON_OK);
		assert_true(hc_probe_keep(&p, &g->io));
		assert_false(hc_probe_resume(&p, &g->io, NULL, 77, &out));
		hear_question(fd, false);
	}
	assert_int_equal(quick, 20);
	hc_probe_stop(&p, &g->io);
	close(fd);
	check_unref(c);
}

static void end_by(int fd, bool reset)
{
	static const struct linger by_reset = { 1, 0 };

	if (reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &by_reset, sizeof(by_reset));
	close(fd);
}

static int accept_new(const struct ground *g)
{
	struct pollfd p = { .fd = g->listener, .events = POLLIN };
	int fd;

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	fd = accept(g->listener, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* Waits until `fd` of ours has something to tell, and our epoll has not. */
static void wait_in_silence(const struct ground *g, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(g->io.poll(g->io.arg, &(struct hc_ready){ 0 }, 1), 0);
}

/* By FIN, by RST, or by words that nobody asked for. */
static void a_connection_that_is_over_wakes_nobody_and_is_replaced(void **state)
{
	struct ground *g = *state;
	struct check *c = reusing_check(20);
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	char question[2048], byte;
	int fd, again;

	for (int i = 0; i < 9; i++) {
		fd = http_accept(g, &p, c, question, sizeof(question));
		answer_and_keep(g, &p, fd);
		if (i % 3 == 2)
			say(fd, "HTTP/1.1 200 OK\r\n\r\n");
		else
			end_by(fd, i % 3 == 1);
		wait_in_silence(g, p.fd);
		assert_false(hc_probe_resume(&p, &g->io, NULL, 77, &out));
		assert_int_equal(p.served, 0);
		if (i % 3 == 2) {
			assert_int_equal(recv(fd, &byte, 1, 0), -1);
			assert_int_equal(errno, ECONNRESET);
			close(fd);
		}
		assert_false(turn(g, &p, &out));
		again = accept_new(g);
		hear_question(again, false);
		answer_and_keep(g, &p, again);
		hc_probe_stop(&p, &g->io);
		close(again);
	}
	assert_int_equal(sockets_in(g, STATE_ESTABLISHED), 0);
	check_unref(c);
}

/* It looked well when it was asked: once more, and only once. */
static void a_connection_that_ends_as_it_is_asked_is_replaced_once(void **state)
{
	struct ground *g = *state;
	struct check *c = reusing_check(20);
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	char question[2048];
	int fd, again;

	for (int i = 0; i < 10; i++) {
		fd = http_accept(g, &p, c, question, sizeof(question));
		answer_and_keep(g, &p, fd);
		assert_false(hc_probe_resume(&p, &g->io, NULL, 77, &out));
		assert_int_equal(p.served, 1);
		end_by(fd, i % 2);
		assert_false(turn(g, &p, &out)); /* told of the end */
		assert_false(turn(g, &p, &out)); /* connected */
		again = accept_new(g);
		hear_question(again, false);
		end_by(again, i % 2);
		while (!turn(g, &p, &out))
			;
		assert_int_equal(out.reason, HC_REASON_CLOSED);
		assert_false(hc_probe_keep(&p, &g->io));
		hc_probe_stop(&p, &g->io);
	}
	check_unref(c);
}

/* What the half-open probe never does: the server has a connection, and what it says is read. */
static void tcp_full_is_seen_by_the_server_and_reset(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_TCP_FULL);
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	char question[16], byte;
	int fd;

	assert_int_equal(probe(g, c).reason, HC_REASON_OK);
	fd = accept(g->listener, NULL, NULL);
	assert_true(fd >= 0);
	close(fd);
	c->send = xstrdup("well?");
	c->answer = xstrdup("fine");
	fd = http_accept(g, &p, c, question, sizeof(question));
	assert_string_equal(question, "well?");
	say(fd, "I am fi");
	assert_false(turn(g, &p, &out));
	say(fd, "ne");
	while (!turn(g, &p, &out))
		;
	hc_probe_stop(&p, &g->io);
	assert_int_equal(out.reason, HC_REASON_OK);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	assert_int_equal(sockets_in(g, STATE_TIME_WAIT), 0);
	check_unref(c);
}

/* A socket of UDP in the listener's place. */
static void listen_by_udp(struct ground *g)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	close(g->listener);
	g->listener = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(g->listener >= 0);
	assert_int_equal(bind(g->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(g->listener, (struct sockaddr *)&in, &len), 0);
	g->endpoint.port = ntohs(in.sin_port);
	g->endpoint.protocol = IPPROTO_UDP;
}

/* What comes next at the server, and from whom. */
static void hear_datagram(const struct ground *g, const char *want, struct sockaddr_in *from)
{
	struct pollfd p = { .fd = g->listener, .events = POLLIN };
	socklen_t size = sizeof(*from);
	char data[100];

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(
		recvfrom(g->listener, data, sizeof(data), 0, (struct sockaddr *)from, &size),
		strlen(want));
	assert_memory_equal(data, want, strlen(want));
}

static void udp_asks_again_and_takes_the_answer(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_UDP);
	struct sockaddr_in first, second;
	struct hc_outcome out = { 0 };
	struct hc_probe p;

	listen_by_udp(g);
	c->send = xstrdup("well?");
	c->answer = xstrdup("fine");
	assert_false(hc_probe_start(&p, &g->io, c, &g->endpoint, 0, NULL, 77, &out));
	assert_true(hc_probe_repeats(&p));
	hear_datagram(g, "well?", &first);
	assert_false(hc_probe_again(&p, &g->io, &out));
	hear_datagram(g, "well?", &second);
	assert_int_equal(first.sin_port, second.sin_port);
	assert_int_equal(hc_probe_timed_out(&p).reason, HC_REASON_TIMEOUT);
	assert_int_equal(sendto(g->listener, "fi", 2, 0, (struct sockaddr *)&first, sizeof(first)),
			 2);
	assert_false(turn(g, &p, &out));
	assert_int_equal(hc_probe_timed_out(&p).reason, HC_REASON_NO_MATCH);
	assert_int_equal(
		sendto(g->listener, "I am fine", 9, 0, (struct sockaddr *)&first, sizeof(first)),
		9);
	assert_true(turn(g, &p, &out));
	assert_int_equal(out.reason, HC_REASON_OK);
	hc_probe_stop(&p, &g->io);
	check_unref(c);
}

/* It hears of nobody but whom it asked. */
static void udp_hears_no_stranger(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_UDP);
	struct sockaddr_in from;
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	listen_by_udp(g);
	assert_false(hc_probe_start(&p, &g->io, c, &g->endpoint, 0, NULL, 77, &out));
	hear_datagram(g, "", &from);
	/* The stranger is told by ICMP, or nothing: either way before the server speaks. */
	assert_int_equal(sendto(other, "x", 1, 0, (struct sockaddr *)&from, sizeof(from)), 1);
	assert_int_equal(g->io.poll(g->io.arg, &(struct hc_ready){ 0 }, 1), 0);
	assert_int_equal(sendto(g->listener, "", 0, 0, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_true(turn(g, &p, &out));
	assert_int_equal(out.reason, HC_REASON_OK);
	hc_probe_stop(&p, &g->io);
	close(other);
	check_unref(c);
}

/* Each time anew: what ICMP told of one probe is not taken for the next one's. */
static void udp_is_told_of_a_closed_port(void **state)
{
	struct ground *g = *state;
	struct check *udp = check_new(CHECK_UDP), *tcp = check_new(CHECK_TCP);
	struct endpoint open = g->endpoint;
	struct sockaddr_in from;
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	int tcp_listener = dup(g->listener);

	for (int i = 0; i < 20; i++) {
		listen_by_udp(g);
		assert_false(hc_probe_start(&p, &g->io, udp, &g->endpoint, 0, NULL, 77, &out));
		hear_datagram(g, "", &from);
		close(g->listener);
		g->listener = -1;
		/* The second is refused by who took the first. */
		assert_false(hc_probe_again(&p, &g->io, &out));
		assert_true(turn(g, &p, &out));
		assert_int_equal(out.reason, HC_REASON_REFUSED);
		hc_probe_stop(&p, &g->io);
		g->endpoint = open;
		assert_int_equal(probe(g, tcp).reason, HC_REASON_OK);
	}
	close(tcp_listener);
	check_unref(udp);
	check_unref(tcp);
}

static struct check *mysql_check(void)
{
	struct check *c = check_new(CHECK_MYSQL);

	c->secret = xstrdup("db/check");
	c->tls = CHECK_TLS_OFF;
	return c;
}

/* A probe that is to log in, accepted by the server; waits for what it says. */
static int mysql_accept(struct ground *g, struct hc_probe *p, const struct check *c)
{
	struct hc_secret secret = { .present = true };
	struct hc_outcome out = { 0 };
	int fd = -1;

	secret.username = xstrdup("parasaus");
	secret.password = xstrdup("a word");
	assert_false(
		hc_probe_start(p, &g->io, c, &g->endpoint, 0, hc_account_new(&secret), 77, &out));
	hc_secret_done(&secret);
	assert_false(turn(g, p, &out));
	for (int i = 0; fd < 0 && i < PATIENCE_MS; i++) {
		fd = accept(g->listener, NULL, NULL);
		if (fd < 0)
			poll(NULL, 0, 1);
	}
	assert_true(fd >= 0); /* complete at once, although it says nothing */
	assert_int_equal(hc_probe_login_end(p), HC_LOGIN_BROKEN);
	return fd;
}

/* How the connection ended, as the server sees it: 0 for FIN, or the error. */
static int end_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char data[1000];
	ssize_t n;

	do {
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		n = recv(fd, data, sizeof(data), 0);
	} while (n > 0);
	return n == 0 ? 0 : errno;
}

static void mysql_leaves_in_peace_once_it_was_answered(void **state)
{
	static const char refusal[] = "\x11\0\0\0\xff\x10\x04Too many conn.";
	struct ground *g = *state;
	struct check *c = mysql_check();
	struct hc_outcome out = { 0 };
	struct hc_probe p;
	int fd = mysql_accept(g, &p, c);

	assert_int_equal(send(fd, refusal, 21, 0), 21);
	assert_false(turn(g, &p, &out));
	assert_true(hc_probe_is_settled(&p, &out));
	assert_int_equal(out.reason, HC_REASON_SATURATED);
	assert_int_equal(hc_probe_login_end(&p), HC_LOGIN_REFUSED);
	hc_probe_stop(&p, &g->io);
	assert_int_equal(end_of(fd), 0);
	close(fd);
	check_unref(c);
}

static void mysql_resets_where_the_server_hangs(void **state)
{
	struct ground *g = *state;
	struct check *c = mysql_check();
	struct hc_probe p;
	int fd = mysql_accept(g, &p, c);

	hc_probe_stop(&p, &g->io);
	assert_int_equal(end_of(fd), ECONNRESET);
	close(fd);
	check_unref(c);
}

static void a_probe_may_be_stopped_at_any_moment(void **state)
{
	struct ground *g = *state;
	struct check *c = check_new(CHECK_HTTP);
	struct hc_outcome out;
	struct hc_ready ready;
	struct hc_probe p;
	char question[2048];
	int fd;

	assert_false(hc_probe_start(&p, &g->io, c, &g->endpoint, 0, NULL, 77, &out));
	hc_probe_stop(&p, &g->io);
	hc_probe_stop(&p, &g->io);
	fd = http_accept(g, &p, c, question, sizeof(question));
	hc_probe_stop(&p, &g->io);
	/* What its socket still tells of bears the token of who is gone. */
	while (g->io.poll(g->io.arg, &ready, 1) > 0)
		assert_int_equal(ready.token, 77);
	close(fd);
	check_unref(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_half_open_probe_is_never_seen_by_the_server,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(a_plain_connect_is_seen_and_stays, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(sockets_are_used_again, ground_up, ground_down),
		cmocka_unit_test_setup_teardown(
			a_socket_with_an_error_in_its_queue_is_not_used_again, ground_up,
			ground_down),
		cmocka_unit_test_setup_teardown(idle_sockets_keep_nobody_from_descriptors,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(a_closed_port_is_refused, ground_up, ground_down),
		cmocka_unit_test_setup_teardown(probes_come_from_the_address_that_is_said,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(
			probes_come_from_the_port_that_is_said_again_and_again, ground_up,
			ground_down),
		cmocka_unit_test_setup_teardown(a_port_is_free_again_whoever_closed_first,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(a_prober_that_is_killed_leaves_the_port, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(the_port_of_a_target_is_nobody_elses, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(a_port_that_somebody_has_is_our_own_trouble,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(an_address_of_somebody_else_is_our_own_trouble,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(without_descriptors_it_is_our_own_trouble,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(http_resets_once_the_answer_is_here, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(http_tells_a_reset_from_an_answer, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(http_asks_again_on_the_same_connection, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(an_answer_in_pieces_does_not_wait, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(
			a_connection_that_is_over_wakes_nobody_and_is_replaced, ground_up,
			ground_down),
		cmocka_unit_test_setup_teardown(
			a_connection_that_ends_as_it_is_asked_is_replaced_once, ground_up,
			ground_down),
		cmocka_unit_test_setup_teardown(tcp_full_is_seen_by_the_server_and_reset, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(udp_asks_again_and_takes_the_answer, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(udp_hears_no_stranger, ground_up, ground_down),
		cmocka_unit_test_setup_teardown(udp_is_told_of_a_closed_port, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(mysql_leaves_in_peace_once_it_was_answered,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(mysql_resets_where_the_server_hangs, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(a_probe_may_be_stopped_at_any_moment, ground_up,
						ground_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
