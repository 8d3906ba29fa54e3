/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_net.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/timers.h"
#include "agent/base/xalloc.h"

#define FD_BASE	   1000
#define WALL_START INT64_C(1700000000000)

struct fake_conn {
	struct fake_net *net;
	struct fake_server *server; /* NULL: free */
	uint64_t token;
	uint32_t waits_for; /* 0: it told, and was to do so once */
	uint32_t events;    /* that hold now */
	int error;
	int comes,
		told; /* UDP: an error that is on its way; one that is here, until it was taken */
	bool is_lost, is_complete;
	bool is_udp;	 /* what is said has its length before it, 2 bytes, for each datagram */
	struct buf said; /* by the server */
	bool is_ending, has_ended;
	bool by_reset;	      /* its end */
	size_t arrived, read; /* of it */
	void *talk;	      /* the service's */
	timer_id timer;
	bool is_ready;
	TAILQ_ENTRY(fake_conn) ready;
	struct fake_conn *next_free;
	int fd;
};

struct fake_net {
	struct clock clock;
	mono_t now;
	struct timers *timers;
	struct map servers;
	struct fake_conn **conns; /* by fd - FD_BASE */
	size_t conn_count;
	struct fake_conn *free;
	TAILQ_HEAD(, fake_conn) ready;
	uint32_t open, max_open;
	uint64_t attempts;
	int error, datagram_error;
	uint32_t cost_us;
	uint64_t random;
	fake_net_start_fn *on_start;
	void *on_start_arg;
};

static mono_t fake_mono(void *arg)
{
	return ((struct fake_net *)arg)->now;
}

static int64_t fake_wall_ms(void *arg)
{
	return WALL_START + ((struct fake_net *)arg)->now.ns / 1000000;
}

static bool is_server(const void *object, const void *key)
{
	return endpoint_cmp(&((const struct fake_server *)object)->endpoint, key) == 0;
}

static uint64_t hash_of(const struct endpoint *e)
{
	return hash_id(e, sizeof(*e));
}

struct fake_net *fake_net_new(uint64_t seed, int64_t start_ms)
{
	struct fake_net *n = xcalloc(1, sizeof(*n));

	n->clock = (struct clock){ fake_mono, fake_wall_ms, n };
	n->now = (mono_t){ start_ms * 1000000 };
	n->timers = timers_new(n->now);
	n->random = seed * 2 + 1;
	n->max_open = UINT32_MAX;
	map_init(&n->servers, is_server);
	TAILQ_INIT(&n->ready);
	return n;
}

void fake_net_free(struct fake_net *n)
{
	size_t pos = 0;
	struct fake_server *s;

	while ((s = map_next(&n->servers, &pos)))
		free(s);
	map_done(&n->servers);
	for (size_t i = 0; i < n->conn_count; i++) {
		buf_done(&n->conns[i]->said);
		free(n->conns[i]);
	}
	free(n->conns);
	timers_free(n->timers);
	free(n);
}

const struct clock *fake_net_clock(struct fake_net *n)
{
	return &n->clock;
}

struct fake_server *fake_net_server(struct fake_net *n, const struct endpoint *e)
{
	struct fake_server *s = map_get(&n->servers, hash_of(e), e);

	if (s)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->endpoint = *e;
	s->latency_us = 300;
	map_put(&n->servers, hash_of(e), s);
	return s;
}

void fake_net_fail(struct fake_net *n, int error)
{
	n->error = error;
}

void fake_net_fail_datagrams(struct fake_net *n, int error)
{
	n->datagram_error = error;
}

void fake_net_limit(struct fake_net *n, uint32_t max_open)
{
	n->max_open = max_open;
}

void fake_net_cost(struct fake_net *n, uint32_t us)
{
	n->cost_us = us;
}

void fake_net_on_start(struct fake_net *n, fake_net_start_fn *fn, void *arg)
{
	n->on_start = fn;
	n->on_start_arg = arg;
}

uint32_t fake_net_random(struct fake_net *n)
{
	n->random = n->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(n->random >> 32);
}

uint32_t fake_net_open(const struct fake_net *n)
{
	return n->open;
}

uint64_t fake_net_attempts(const struct fake_net *n)
{
	return n->attempts;
}

void fake_net_set(struct fake_net *n, mono_t now)
{
	assert(!mono_before(now, n->now));
	n->now = now;
	timers_run(n->timers, now, SIZE_MAX);
}

bool fake_net_next(const struct fake_net *n, mono_t *out)
{
	if (TAILQ_EMPTY(&n->ready))
		return timers_next(n->timers, out);
	*out = n->now;
	return true;
}

/* --- connections ----------------------------------------------------------------- */

static void update(struct fake_conn *c)
{
	bool is_ready = c->waits_for && c->events & (c->waits_for | EPOLLERR | EPOLLHUP);

	if (is_ready == c->is_ready)
		return;
	c->is_ready = is_ready;
	if (is_ready)
		TAILQ_INSERT_TAIL(&c->net->ready, c, ready);
	else
		TAILQ_REMOVE(&c->net->ready, c, ready);
}

static void arrive_later(struct fake_conn *c, timer_fn *fn)
{
	mono_t when = { c->net->now.ns + c->server->latency_us * INT64_C(1000) };

	c->timer = timers_add(c->net->timers, when, fn, c);
}

static void on_piece(void *arg);

static void hear_error(struct fake_conn *c, int error)
{
	c->told = error;
	c->events |= EPOLLERR;
	update(c);
}

/* The first call that is made is told, and no other; it stays readable (the queue of errors). */
static int take_error(struct fake_conn *c)
{
	int error = c->told;

	c->told = 0;
	return error;
}

/* Something was said, or the end: it is on its way, if nothing is yet. */
static void send_on(struct fake_conn *c)
{
	if (!c->timer && !c->has_ended && (c->arrived < c->said.len || c->is_ending))
		arrive_later(c, on_piece);
}

static void on_answer(void *arg)
{
	struct fake_conn *c = arg;
	const struct fake_service *s = c->server->service;

	c->timer = 0;
	if (c->is_udp) {
		hear_error(c, c->error);
		return;
	}
	c->events = c->error ? EPOLLERR | EPOLLHUP | EPOLLOUT : EPOLLOUT;
	update(c);
	if (!c->error && c->is_complete && s)
		c->talk = s->accepted(s->arg, c);
}

static void on_piece(void *arg)
{
	struct fake_conn *c = arg;
	size_t left = c->said.len - c->arrived;
	size_t piece = c->server->piece && c->server->piece < left ? c->server->piece : left;

	c->timer = 0;
	c->arrived += piece;
	c->events |= EPOLLIN;
	c->has_ended = c->is_ending && piece == left;
	if (c->has_ended)
		c->events |= EPOLLRDHUP;
	if (c->comes)
		hear_error(c, c->comes);
	c->comes = 0;
	update(c);
	send_on(c);
}

void fake_conn_say(struct fake_conn *c, const void *data, size_t len)
{
	if (c->is_udp)
		wire_put_u16(&c->said, (uint16_t)len);
	buf_put(&c->said, data, len);
	send_on(c);
}

void fake_conn_tell(struct fake_conn *c, int error)
{
	c->comes = error;
}

void fake_conn_end(struct fake_conn *c)
{
	c->is_ending = true;
	send_on(c);
}

void fake_conn_reset(struct fake_conn *c)
{
	c->by_reset = true;
	fake_conn_end(c);
}

static struct fake_conn *take_conn(struct fake_net *n)
{
	struct fake_conn *c = n->free;

	if (c) {
		n->free = c->next_free;
		return c;
	}
	c = xcalloc(1, sizeof(*c));
	c->net = n;
	c->fd = FD_BASE + (int)n->conn_count;
	n->conns = xreallocarray(n->conns, n->conn_count + 1, sizeof(struct fake_conn *));
	n->conns[n->conn_count++] = c;
	return c;
}

static struct fake_conn *conn_of(void *arg, int fd)
{
	struct fake_net *n = arg;

	assert(fd >= FD_BASE && (size_t)(fd - FD_BASE) < n->conn_count);
	assert(n->conns[fd - FD_BASE]->server);
	return n->conns[fd - FD_BASE];
}

static bool is_lost(struct fake_conn *c)
{
	struct fake_server *s = c->server;

	return s->mode == FAKE_SILENT || fake_net_random(c->net) % 1000 < s->loss_permille;
}

static ssize_t send_datagram(struct fake_conn *c, const void *data, size_t len)
{
	struct fake_server *s = c->server;
	int error = take_error(c);

	if (!error)
		error = c->net->datagram_error;
	if (error)
		return -error;
	s->datagrams++;
	if (s->lose > 0)
		s->lose--;
	else if (is_lost(c))
		return (ssize_t)len;
	else if (c->error && !c->timer)
		arrive_later(c, on_answer);
	else if (!c->error && s->asked)
		s->asked(s->asked_arg, c, data, len);
	return (ssize_t)len;
}

static ssize_t recv_datagram(struct fake_conn *c, void *data, size_t size)
{
	int error = take_error(c);
	size_t len;

	if (error)
		return -error;
	if (c->read == c->arrived)
		return -EAGAIN;
	len = c->said.data[c->read] | (size_t)c->said.data[c->read + 1] << 8;
	memcpy(data, c->said.data + c->read + 2, len < size ? len : size);
	c->read += 2 + len;
	if (c->read == c->arrived)
		c->events &= ~(uint32_t)EPOLLIN;
	update(c);
	return (ssize_t)(len < size ? len : size);
}

static int fake_connect(void *arg, const struct endpoint *to, uint16_t from_port, bool complete,
			uint64_t token, int *out_fd)
{
	struct fake_net *n = arg;
	struct fake_server *s;
	struct fake_conn *c;

	n->attempts++;
	n->now.ns += n->cost_us * INT64_C(1000);
	if (n->error)
		return -n->error;
	if (n->open >= n->max_open)
		return -EMFILE;
	s = map_get(&n->servers, hash_of(to), to);
	if (!s) {
		s = fake_net_server(n, to);
		s->mode = FAKE_SILENT;
	}
	s->connects++;
	s->last_connect = n->now;
	s->last_from = from_port;
	if (n->on_start)
		n->on_start(n->on_start_arg, s, n->now);
	c = take_conn(n);
	buf_done(&c->said);
	*c = (struct fake_conn){ .net = n,
				 .server = s,
				 .token = token,
				 .waits_for = to->protocol == IPPROTO_UDP ? EPOLLIN
					      : complete		  ? EPOLLOUT
									  : EPOLLOUT | EPOLLONESHOT,
				 .is_complete = complete,
				 .is_udp = to->protocol == IPPROTO_UDP,
				 .fd = c->fd };
	c->error = s->mode == FAKE_REFUSES	 ? ECONNREFUSED
		   : s->mode == FAKE_UNREACHABLE ? EHOSTUNREACH
						 : 0;
	n->open++;
	*out_fd = c->fd;
	if (c->is_udp)
		return 0;
	c->is_lost = is_lost(c);
	if (!c->is_lost)
		arrive_later(c, on_answer);
	return 0;
}

static int fake_wait(void *arg, int fd, uint64_t token, uint32_t events)
{
	struct fake_conn *c = conn_of(arg, fd);

	c->token = token;
	c->waits_for = events;
	update(c);
	return 0;
}

static int fake_error(void *arg, int fd)
{
	struct fake_conn *c = conn_of(arg, fd);

	return c->is_udp ? take_error(c) : c->error;
}

static ssize_t fake_send(void *arg, int fd, const void *data, size_t len)
{
	struct fake_conn *c = conn_of(arg, fd);
	const struct fake_service *s = c->server->service;

	if (c->is_udp)
		return send_datagram(c, data, len);
	/* What was half-open is complete with what is sent. */
	if (!c->talk && s)
		c->talk = s->accepted(s->arg, c);
	if (c->talk) {
		s->heard(c->talk, data, len);
		return (ssize_t)len;
	}
	assert(len > 4 && memcmp(data, "GET ", 4) == 0);
	if (c->server->reply) {
		fake_conn_say(c, c->server->reply, strlen(c->server->reply));
		fake_conn_end(c);
	}
	return (ssize_t)len;
}

static ssize_t fake_recv(void *arg, int fd, void *data, size_t len)
{
	struct fake_conn *c = conn_of(arg, fd);
	size_t n = c->arrived - c->read;

	if (c->is_udp)
		return recv_datagram(c, data, len);
	if (n == 0 && !c->has_ended)
		return -EAGAIN;
	if (n == 0 && c->by_reset)
		return -ECONNRESET;
	if (n > len)
		n = len;
	if (n)
		memcpy(data, c->said.data + c->read, n);
	c->read += n;
	/* At its end what was said is followed by a close, which stays readable. */
	if (c->read == c->arrived && !c->has_ended)
		c->events &= ~(uint32_t)EPOLLIN;
	update(c);
	return (ssize_t)n;
}

static bool fake_is_silent(void *arg, int fd)
{
	struct fake_conn *c = conn_of(arg, fd);

	return c->arrived == c->read && !c->has_ended;
}

static void fake_close(void *arg, int fd, bool reset)
{
	struct fake_conn *c = conn_of(arg, fd);

	if (c->talk)
		c->server->service->closed(c->talk, reset);
	timers_cancel(c->net->timers, c->timer);
	c->events = 0;
	update(c);
	c->server = NULL;
	c->next_free = c->net->free;
	c->net->free = c;
	c->net->open--;
}

static size_t fake_poll(void *arg, struct hc_ready *out, size_t max)
{
	TAILQ_HEAD(, fake_conn) told = TAILQ_HEAD_INITIALIZER(told);
	struct fake_net *n = arg;
	struct fake_conn *c;
	size_t count = 0;

	while (count < max && (c = TAILQ_FIRST(&n->ready))) {
		out[count++] = (struct hc_ready){ c->token, c->events };
		TAILQ_REMOVE(&n->ready, c, ready);
		TAILQ_INSERT_TAIL(&told, c, ready);
	}
	while ((c = TAILQ_FIRST(&told))) {
		TAILQ_REMOVE(&told, c, ready);
		TAILQ_INSERT_TAIL(&n->ready, c, ready);
		if (c->waits_for & EPOLLONESHOT)
			c->waits_for = 0;
		update(c);
	}
	return count;
}

static uint32_t fake_random(void *arg)
{
	return fake_net_random(arg);
}

struct hc_io fake_net_io(struct fake_net *n)
{
	return (struct hc_io){
		.connect = fake_connect,
		.wait = fake_wait,
		.error = fake_error,
		.send = fake_send,
		.recv = fake_recv,
		.is_silent = fake_is_silent,
		.close = fake_close,
		.poll = fake_poll,
		.random = fake_random,
		.arg = n,
	};
}
