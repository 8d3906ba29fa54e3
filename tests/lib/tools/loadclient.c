/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients under load for tests and the demo: asks on, and keeps exact books of
 * what failed and who answered.
 *
 *   loadclient [-k N] [-n N] [-t SECONDS] [-f STOP-FILE] [-i MS] [-T MS]
 *              [-p PATH] [-m ANSWERS] ADDRESS:PORT...
 *
 *   -k N        keep-alive clients (1); they connect again only after the
 *               server said close, or after a failure
 *   -n N        clients with a new connection for each request (1)
 *   -t SECONDS  run so long; -f: until the file exists; always until SIGTERM
 *   -i MS       pause of each client between two requests (20)
 *   -T MS       a request that takes longer has failed (3000)
 *   -m N        fail the run as a whole with fewer answers than this (1)
 *
 * A request failed if connecting failed, the connection was reset or closed
 * before the answer was whole, time ran out, or the answer was not a 200. A
 * kept connection that breaks between two requests counts as well. Who
 * answered is the first line of the body. Each failure goes to standard error
 * as it happens (the first 2,000); at the end a summary in JSON goes to standard output. Times
 * are CLOCK_MONOTONIC in seconds ("t", "began", "first", "last"); start_wall is the
 * wall clock at "start". Requests under way at the end are waited for. Exits
 * 0: none failed, 1: some did, 2: it could not run.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS		 INT64_C(1000000)
#define ANSWER_MAX	 16384
#define TARGETS_MAX	 1024
#define CLIENTS_MAX	 20000
#define SERVERS_MAX	 256
#define NAME_MAX_LEN	 48
#define FAILURES_MAX	 2000 /* listed one by one; all are counted */
#define EVENTS		 256
#define TICK_MS		 5
#define LATENCY_BUCKETS	 64 /* powers of the square root of two, from 10 us */
#define PAUSE_AFTER_FAIL (50 * MS)

enum reason {
	REFUSED,
	CONNECT_ERROR,
	CONNECT_TIMEOUT,
	ANSWER_TIMEOUT,
	RESET,
	CLOSED,
	LOST_WHILE_IDLE,
	BAD_ANSWER,
	REASONS
};

static const char *const reason_text[REASONS] = {
	[REFUSED] = "connect refused",
	[CONNECT_ERROR] = "connect error",
	[CONNECT_TIMEOUT] = "connect timeout",
	[ANSWER_TIMEOUT] = "answer timeout",
	[RESET] = "reset",
	[CLOSED] = "closed before answer",
	[LOST_WHILE_IDLE] = "lost while idle",
	[BAD_ANSWER] = "bad answer",
};

enum phase { PAUSED, CONNECTING, SENDING, READING, CLOSING };

struct client {
	unsigned number;
	bool keep;
	enum phase phase;
	int fd; /* -1: none */
	size_t target;
	size_t sent, answer_len;
	unsigned requests_on_connection;
	int64_t wake_at;  /* PAUSED: when to go on */
	int64_t deadline; /* else: when the request has failed */
	int64_t started, connected_at;
	char last_server[NAME_MAX_LEN];
	char answer[ANSWER_MAX + 1];
};

struct server {
	char name[NAME_MAX_LEN];
	uint64_t ok, connections;
	int64_t first, last, last_connection;
};

struct failure {
	int64_t t, began;
	enum reason reason;
	bool keep, fresh; /* fresh: the first request of its connection */
	unsigned client;
	char server[NAME_MAX_LEN];
};

struct target {
	struct sockaddr_storage addr;
	socklen_t len;
	char request[2][768]; /* [keep] */
	size_t request_len[2];
};

struct load {
	const char *path, *stop_file;
	unsigned keep, fresh;
	int64_t pause, timeout, run_ns, start;
	int64_t start_wall_ms;
	uint64_t min_ok;
	int epoll;
	bool stopping;
	struct client *clients;
	size_t busy; /* clients with a request under way */
	struct target targets[TARGETS_MAX];
	size_t target_count, next_target;
	struct server servers[SERVERS_MAX];
	size_t server_count;
	struct failure failures[FAILURES_MAX];
	uint64_t ok, failed, failed_by[REASONS], connections;
	uint64_t latency[LATENCY_BUCKETS];
	int64_t latency_max;
};

static volatile sig_atomic_t told_to_stop;

static void on_signal(int signo)
{
	(void)signo;
	told_to_stop = 1;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

static void disconnect(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->requests_on_connection = 0;
}

static void pause_client(struct load *l, struct client *c, int64_t now, int64_t pause)
{
	c->phase = PAUSED;
	c->wake_at = now + pause;
	l->busy--;
}

static void failure_print(const struct failure *f, unsigned request)
{
	fprintf(stderr, "%.6f failed: %s, %s client %u, request %u of its connection%s%s\n",
		seconds(f->t), reason_text[f->reason], f->keep ? "keep-alive" : "new-connection",
		f->client, request, f->server[0] ? ", last answer by " : "", f->server);
}

static void fail(struct load *l, struct client *c, int64_t now, enum reason why)
{
	const struct failure f = {
		.t = now,
		.began = why == LOST_WHILE_IDLE ? now : c->started,
		.reason = why,
		.keep = c->keep,
		.fresh = c->requests_on_connection == 0,
		.client = c->number,
	};

	if (l->failed < FAILURES_MAX) {
		l->failures[l->failed] = f;
		memcpy(l->failures[l->failed].server, c->last_server, sizeof(f.server));
		failure_print(&l->failures[l->failed], c->requests_on_connection + 1);
	}
	l->failed++;
	l->failed_by[why]++;
	disconnect(c);
	c->last_server[0] = '\0';
	if (c->phase != PAUSED)
		pause_client(l, c, now, PAUSE_AFTER_FAIL);
}

static void latency_add(struct load *l, int64_t ns)
{
	double edge = 10e3;
	size_t i = 0;

	while (i < LATENCY_BUCKETS - 1 && (double)ns > edge) {
		edge *= 1.41421356;
		i++;
	}
	l->latency[i]++;
	if (ns > l->latency_max)
		l->latency_max = ns;
}

/* The upper edge of the bucket that holds this share of the answers, in ms. */
static double latency_at(const struct load *l, double share)
{
	double edge = 10e3;
	uint64_t below = 0;

	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		below += l->latency[i];
		if ((double)below >= share * (double)l->ok)
			break;
		edge *= 1.41421356;
	}
	return (edge < (double)l->latency_max ? edge : (double)l->latency_max) / 1e6;
}

static struct server *server_of(struct load *l, const char *name)
{
	for (size_t i = 0; i < l->server_count; i++)
		if (!strcmp(l->servers[i].name, name))
			return &l->servers[i];
	if (l->server_count == SERVERS_MAX)
		errx(2, "more than %d different answers", SERVERS_MAX);
	strcpy(l->servers[l->server_count].name, name);
	return &l->servers[l->server_count++];
}

static void answered(struct load *l, struct client *c, int64_t now, const char *body)
{
	struct server *s;
	size_t n = 0;

	while (n < NAME_MAX_LEN - 1 && isprint((unsigned char)body[n]) && !strchr("\"\\<", body[n]))
		n++;
	memcpy(c->last_server, body, n);
	c->last_server[n] = '\0';
	s = server_of(l, c->last_server);
	s->ok++;
	s->last = now;
	if (!s->first)
		s->first = now;
	if (!c->requests_on_connection) {
		s->connections++;
		if (c->connected_at > s->last_connection)
			s->last_connection = c->connected_at;
	}
	l->ok++;
	latency_add(l, now - c->started);
	c->requests_on_connection++;
}

/* 1: the answer is whole, `close` tells whether the server wants to; 0: more; -1: bad. */
static int answer_check(struct client *c, const char **body, bool *close_after)
{
	char *end, *p;
	long length;
	int status;

	c->answer[c->answer_len] = '\0';
	end = strstr(c->answer, "\r\n\r\n");
	if (!end)
		return c->answer_len == ANSWER_MAX ? -1 : 0;
	*end = '\0';
	if (sscanf(c->answer, "HTTP/1.%*1[01] %3d", &status) != 1 || status != 200)
		return -1;
	p = strcasestr(c->answer, "\r\nContent-Length:");
	*close_after = strcasestr(c->answer, "\r\nConnection: close") != NULL;
	*body = end + 4;
	length = p ? strtol(p + 17, NULL, 10) : -1;
	*end = '\r';
	if (length < 0 || length > ANSWER_MAX - (*body - c->answer))
		return -1;
	return c->answer_len >= (size_t)(*body - c->answer + length);
}

static void watch(struct load *l, struct client *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev))
		err(2, "epoll_ctl");
}

static void send_request(struct load *l, struct client *c, int64_t now)
{
	const struct target *t = &l->targets[c->target];
	ssize_t n;

	c->phase = SENDING;
	n = send(c->fd, t->request[c->keep] + c->sent, t->request_len[c->keep] - c->sent,
		 MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		fail(l, c, now, RESET);
		return;
	}
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < t->request_len[c->keep]) {
		watch(l, c, EPOLLOUT);
		return;
	}
	c->phase = READING;
	watch(l, c, EPOLLIN);
}

static void start_connect(struct load *l, struct client *c, int64_t now)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };
	const struct target *t;
	int one = 1;

	c->target = l->next_target++ % l->target_count;
	t = &l->targets[c->target];
	c->fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		err(2, "socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev))
		err(2, "epoll_ctl");
	c->phase = CONNECTING;
	if (connect(c->fd, (const struct sockaddr *)&t->addr, t->len) && errno != EINPROGRESS)
		fail(l, c, now, errno == ECONNREFUSED ? REFUSED : CONNECT_ERROR);
}

static void start_request(struct load *l, struct client *c, int64_t now)
{
	l->busy++;
	c->sent = c->answer_len = 0;
	c->started = now;
	c->deadline = now + l->timeout;
	if (c->fd < 0)
		start_connect(l, c, now);
	else
		send_request(l, c, now);
}

static void connected(struct load *l, struct client *c, int64_t now)
{
	socklen_t len = sizeof(int);
	int error = 0;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error) {
		fail(l, c, now,
		     error == ECONNREFUSED ? REFUSED
		     : error == ETIMEDOUT  ? CONNECT_TIMEOUT
					   : CONNECT_ERROR);
		return;
	}
	l->connections++;
	c->connected_at = now;
	send_request(l, c, now);
}

static void read_answer(struct load *l, struct client *c, int64_t now)
{
	const char *body = NULL;
	bool close_after = false;
	ssize_t n = recv(c->fd, c->answer + c->answer_len, ANSWER_MAX - c->answer_len, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		fail(l, c, now, n < 0 ? RESET : CLOSED);
		return;
	}
	c->answer_len += (size_t)n;
	switch (answer_check(c, &body, &close_after)) {
	case 0:
		return;
	case 1:
		answered(l, c, now, body);
		break;
	default:
		fail(l, c, now, BAD_ANSWER);
		return;
	}
	if (close_after || !c->keep)
		c->phase = CLOSING; /* the server's FIN first: TIME_WAIT stays there */
	else
		pause_client(l, c, now, l->pause);
}

static void client_event(struct load *l, struct client *c, int64_t now)
{
	char byte;
	ssize_t n;

	switch (c->phase) {
	case CONNECTING:
		connected(l, c, now);
		return;
	case SENDING:
		send_request(l, c, now);
		return;
	case READING:
		read_answer(l, c, now);
		return;
	case PAUSED:
		n = recv(c->fd, &byte, 1, 0);
		if (n >= 0 || errno != EAGAIN)
			fail(l, c, now, n > 0 ? BAD_ANSWER : LOST_WHILE_IDLE);
		return;
	case CLOSING:
		disconnect(c);
		pause_client(l, c, now, l->pause);
		return;
	}
}

static void client_tick(struct load *l, struct client *c, int64_t now)
{
	if (c->phase == PAUSED) {
		if (now >= c->wake_at && !l->stopping)
			start_request(l, c, now);
		return;
	}
	if (now < c->deadline)
		return;
	if (c->phase == CLOSING) { /* it has answered: that it does not close is its own affair */
		disconnect(c);
		pause_client(l, c, now, l->pause);
		return;
	}
	fail(l, c, now, c->phase == CONNECTING ? CONNECT_TIMEOUT : ANSWER_TIMEOUT);
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS];
	int64_t now = now_ns();
	int n;

	for (;;) {
		if (told_to_stop || (l->run_ns && now >= l->start + l->run_ns) ||
		    (l->stop_file && !access(l->stop_file, F_OK)))
			l->stopping = true;
		for (unsigned i = 0; i < l->keep + l->fresh; i++)
			client_tick(l, &l->clients[i], now);
		if (l->stopping && !l->busy)
			return;
		n = epoll_wait(l->epoll, events, EVENTS, TICK_MS);
		now = now_ns();
		for (int i = 0; i < n; i++)
			client_event(l, events[i].data.ptr, now);
	}
}

static void print_servers(const struct load *l)
{
	printf("  \"servers\": {");
	for (size_t i = 0; i < l->server_count; i++) {
		const struct server *s = &l->servers[i];

		printf("%s\n    \"%s\": {\"ok\": %" PRIu64 ", \"connections\": %" PRIu64
		       ", \"first\": %.6f, \"last\": %.6f, \"last_connection\": %.6f}",
		       i ? "," : "", s->name, s->ok, s->connections, seconds(s->first),
		       seconds(s->last), seconds(s->last_connection));
	}
	printf("\n  },\n");
}

static void print_failures(const struct load *l)
{
	const char *comma = "";

	printf("  \"failed_by\": {");
	for (int r = 0; r < REASONS; r++) {
		if (!l->failed_by[r])
			continue;
		printf("%s\"%s\": %" PRIu64, comma, reason_text[r], l->failed_by[r]);
		comma = ", ";
	}
	printf("},\n  \"failures\": [");
	for (size_t i = 0; i < l->failed && i < FAILURES_MAX; i++) {
		const struct failure *f = &l->failures[i];

		printf("%s\n    {\"t\": %.6f, \"began\": %.6f, \"reason\": \"%s\", \"client\": %u, "
		       "\"keep\": %s, \"new_connection\": %s, \"last_server\": \"%s\"}",
		       i ? "," : "", seconds(f->t), seconds(f->began), reason_text[f->reason],
		       f->client, f->keep ? "true" : "false", f->fresh ? "true" : "false",
		       f->server);
	}
	printf("\n  ]\n");
}

static void print_summary(const struct load *l)
{
	int64_t end = now_ns();

	printf("{\n  \"start\": %.6f, \"end\": %.6f, \"start_wall\": %.3f,\n", seconds(l->start),
	       seconds(end), (double)l->start_wall_ms / 1e3);
	printf("  \"keep_clients\": %u, \"new_clients\": %u, \"connections\": %" PRIu64 ",\n",
	       l->keep, l->fresh, l->connections);
	printf("  \"requests\": %" PRIu64 ", \"ok\": %" PRIu64 ", \"failed\": %" PRIu64 ",\n",
	       l->ok + l->failed, l->ok, l->failed);
	printf("  \"latency_ms\": {\"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f},\n",
	       latency_at(l, 0.5), latency_at(l, 0.99), latency_at(l, 0.999),
	       (double)l->latency_max / 1e6);
	print_servers(l);
	print_failures(l);
	printf("}\n");
}

static void target_add(struct load *l, const char *where)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	struct target *t = &l->targets[l->target_count];
	const char *colon = strrchr(where, ':');
	struct addrinfo *ai;
	char host[64];
	int n;

	if (!colon || l->target_count == TARGETS_MAX)
		errx(2, "%s: not ADDRESS:PORT, or too many", where);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	if (host[0] == '[') {
		memmove(host, host + 1, strlen(host));
		host[strcspn(host, "]")] = '\0';
	}
	if (getaddrinfo(host, colon + 1, &hints, &ai))
		errx(2, "%s: not ADDRESS:PORT", where);
	memcpy(&t->addr, ai->ai_addr, ai->ai_addrlen);
	t->len = ai->ai_addrlen;
	freeaddrinfo(ai);
	for (int keep = 0; keep < 2; keep++) {
		n = snprintf(t->request[keep], sizeof(t->request[keep]),
			     "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: loadclient\r\n%s\r\n",
			     l->path, where, keep ? "" : "Connection: close\r\n");
		if (n < 0 || (size_t)n >= sizeof(t->request[keep]))
			errx(2, "path too long");
		t->request_len[keep] = (size_t)n;
	}
	l->target_count++;
}

static unsigned number(const char *s, unsigned max)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (end == s || *end || v > max)
		errx(2, "%s: not a number up to %u", s, max);
	return (unsigned)v;
}

static void options(struct load *l, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "k:n:t:f:i:T:p:m:")) != -1) {
		switch (opt) {
		case 'k':
			l->keep = number(optarg, CLIENTS_MAX);
			break;
		case 'n':
			l->fresh = number(optarg, CLIENTS_MAX);
			break;
		case 't':
			l->run_ns = (int64_t)(strtod(optarg, NULL) * 1e9);
			break;
		case 'f':
			l->stop_file = optarg;
			break;
		case 'i':
			l->pause = number(optarg, 3600000) * MS;
			break;
		case 'T':
			l->timeout = number(optarg, 3600000) * MS;
			break;
		case 'p':
			l->path = optarg;
			break;
		case 'm':
			l->min_ok = number(optarg, UINT32_MAX);
			break;
		default:
			exit(2);
		}
	}
	if (optind == argc)
		errx(2, "usage: loadclient [-k N] [-n N] [-t SECONDS] [-f STOP-FILE] [-i MS] "
			"[-T MS] [-p PATH] [-m ANSWERS] ADDRESS:PORT...");
	for (int i = optind; i < argc; i++)
		target_add(l, argv[i]);
}

/* The clients start spread over one pause, so that they do not ask in step. */
static void clients_make(struct load *l)
{
	unsigned count = l->keep + l->fresh;

	l->clients = calloc(count, sizeof(*l->clients));
	if (count && !l->clients)
		err(2, "calloc");
	for (unsigned i = 0; i < count; i++)
		l->clients[i] = (struct client){
			.number = i,
			.keep = i < l->keep,
			.fd = -1,
			.wake_at = l->start + l->pause * i / count,
		};
}

int main(int argc, char **argv)
{
	struct load *l = calloc(1, sizeof(*l));
	struct timespec wall;
	struct rlimit files;

	if (!l)
		err(2, "calloc");
	l->path = "/";
	l->keep = l->fresh = 1;
	l->pause = 20 * MS;
	l->timeout = 3000 * MS;
	l->min_ok = 1;
	options(l, argc, argv);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		err(2, "epoll_create1");
	clock_gettime(CLOCK_REALTIME, &wall);
	l->start = now_ns();
	l->start_wall_ms = wall.tv_sec * INT64_C(1000) + wall.tv_nsec / 1000000;
	clients_make(l);
	run(l);
	print_summary(l);
	return l->failed || l->ok < l->min_ok;
}
