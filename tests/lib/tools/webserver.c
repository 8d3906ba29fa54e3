/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small web server for tests and the demo: says who it is, and counts.
 *
 *   webserver [-n NAME] [-s STATS-FILE] [-d DOWN-FILE] [-c COUNT] ADDRESS:PORT...
 *
 * Every path answers 200 and NAME, except
 *   /slow[?ms=N]   the same after N ms (2000)
 *   /status/N      status N
 *   /stats         the counters as JSON
 * While DOWN-FILE exists every answer but that of /stats is 503: a server
 * that lives but is ill. Connections are kept unless the client asks for
 * close or speaks HTTP/1.0, or has had COUNT answers on one. The counters go to STATS-FILE each second, on
 * SIGUSR1 and at the end (SIGTERM, SIGINT). "listening ADDRESS:PORT" is
 * printed when connections are taken. Times are CLOCK_MONOTONIC, in seconds.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX  8192
#define ANSWER_MAX   2048
#define EVENTS	     64
#define SLOW_MS	     2000
#define STATS_MS     1000
#define LISTENERS    64
#define TARGET_MAX   256
#define NAME_DEFAULT "webserver"

struct conn {
	struct conn *prev, *next;
	int fd;
	bool close_after;
	unsigned requests;
	size_t in_len;
	size_t out_len, out_sent;
	int64_t answer_at_ns; /* 0: nothing is held back */
	char in[REQUEST_MAX];
	char out[ANSWER_MAX];
};

struct server {
	const char *name;
	const char *stats_file;
	const char *down_file;
	unsigned per_connection; /* 0: no end */
	int epoll;
	int signals;
	int listeners[LISTENERS];
	size_t listener_count;
	struct conn *conns;
	int64_t stats_at_ns;
	uint64_t connections, open, requests;
	int64_t first_connection_ns, last_connection_ns, last_request_ns;
};

/* What one request asks for. */
struct request {
	char target[TARGET_MAX];
	bool close;
	bool head;
};

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

static int stats_text(const struct server *s, char *out, size_t size)
{
	return snprintf(out, size,
			"{\"name\": \"%s\", \"connections\": %" PRIu64 ", \"open\": %" PRIu64
			", \"requests\": %" PRIu64 ", \"first_connection\": %.6f"
			", \"last_connection\": %.6f, \"last_request\": %.6f}\n",
			s->name, s->connections, s->open, s->requests,
			seconds(s->first_connection_ns), seconds(s->last_connection_ns),
			seconds(s->last_request_ns));
}

/* By rename, so that a reader never sees half of it. */
static void stats_write(const struct server *s)
{
	char text[512], temporary[4096];
	FILE *f;

	if (!s->stats_file)
		return;
	stats_text(s, text, sizeof(text));
	snprintf(temporary, sizeof(temporary), "%s.new", s->stats_file);
	f = fopen(temporary, "we");
	if (!f) {
		warn("%s", temporary);
		return;
	}
	fputs(text, f);
	if (fclose(f) || rename(temporary, s->stats_file))
		warn("%s", s->stats_file);
}

static void conn_free(struct server *s, struct conn *c)
{
	close(c->fd);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->open--;
	free(c);
}

static void conn_accept(struct server *s, int listener)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *c;
	int one = 1;
	int fd;

	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		err(1, "calloc");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->fd = fd;
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	ev.data.ptr = c;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev))
		err(1, "epoll_ctl");
	s->connections++;
	s->open++;
	s->last_connection_ns = now_ns();
	if (!s->first_connection_ns)
		s->first_connection_ns = s->last_connection_ns;
}

/* Length of the first whole request in the buffer, 0: not whole yet. */
static size_t request_length(const struct conn *c)
{
	const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);

	return end ? (size_t)(end - c->in) + 4 : 0;
}

/* Only what the tests need: GET and HEAD without a body. */
static bool request_parse(const char *text, size_t len, struct request *out)
{
	char line[REQUEST_MAX + 1], method[8], version[16];

	memcpy(line, text, len);
	line[len] = '\0';
	if (sscanf(line, "%7[A-Z] %255[^ \r\n] HTTP/%15[0-9.]", method, out->target, version) != 3)
		return false;
	out->head = !strcmp(method, "HEAD");
	if (!out->head && strcmp(method, "GET") != 0)
		return false;
	out->close = !strcmp(version, "1.0") || strcasestr(line, "\r\nConnection: close");
	return true;
}

static void answer(struct conn *c, const struct request *r, int status, const char *type,
		   const char *body)
{
	int n = snprintf(c->out, sizeof(c->out),
			 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			 "Connection: %s\r\n\r\n%s",
			 status, status < 400 ? "OK" : "Error", type, strlen(body),
			 r->close ? "close" : "keep-alive", r->head ? "" : body);

	c->out_len = (size_t)n < sizeof(c->out) ? (size_t)n : sizeof(c->out) - 1;
	c->out_sent = 0;
	c->close_after = r->close;
}

static void request_answer(struct server *s, struct conn *c, const struct request *r)
{
	char body[512];
	int status = 200;
	int slow = SLOW_MS;

	if (!strcmp(r->target, "/stats")) {
		stats_text(s, body, sizeof(body));
		answer(c, r, 200, "application/json", body);
		return;
	}
	s->requests++;
	s->last_request_ns = now_ns();
	if (!strncmp(r->target, "/slow", 5)) {
		sscanf(r->target, "/slow?ms=%d", &slow);
		c->answer_at_ns = s->last_request_ns + slow * INT64_C(1000000);
	}
	sscanf(r->target, "/status/%d", &status);
	if (s->down_file && !access(s->down_file, F_OK))
		status = 503;
	snprintf(body, sizeof(body), "%s\n", s->name);
	answer(c, r, status, "text/plain", body);
}

/* Sends what is ready. False: the connection is over. */
static bool conn_send(struct server *s, struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	ssize_t n;

	while (c->out_sent < c->out_len) {
		n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			ev.events = EPOLLOUT;
			epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &ev);
			return true;
		}
		if (n < 0)
			return false;
		c->out_sent += (size_t)n;
	}
	c->out_len = 0;
	epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	return !c->close_after;
}

/* Answers requests in order; pipelined ones wait in the buffer. False: over. */
static bool conn_serve(struct server *s, struct conn *c)
{
	struct request r = { 0 };
	size_t len;

	while (!c->out_len && (len = request_length(c)) > 0) {
		if (!request_parse(c->in, len, &r)) {
			r.close = true;
			answer(c, &r, 400, "text/plain", "bad request\n");
		} else {
			c->requests++;
			r.close |= s->per_connection && c->requests >= s->per_connection;
			request_answer(s, c, &r);
		}
		memmove(c->in, c->in + len, c->in_len - len);
		c->in_len -= len;
		if (!c->answer_at_ns && !conn_send(s, c))
			return false;
	}
	return c->in_len < sizeof(c->in);
}

static bool conn_event(struct server *s, struct conn *c, uint32_t events)
{
	ssize_t n;

	if (events & EPOLLOUT)
		return conn_send(s, c) && conn_serve(s, c);
	n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	c->in_len += (size_t)n;
	return conn_serve(s, c);
}

/* Sends the slow answers that are due; returns ms until something else is. */
static int timers_run(struct server *s)
{
	int64_t now = now_ns();
	int64_t next = s->stats_at_ns;
	struct conn *following;

	if (now >= s->stats_at_ns) {
		stats_write(s);
		next = s->stats_at_ns = now + STATS_MS * INT64_C(1000000);
	}
	for (struct conn *c = s->conns; c; c = following) {
		following = c->next;
		if (!c->answer_at_ns)
			continue;
		if (c->answer_at_ns > now) {
			next = c->answer_at_ns < next ? c->answer_at_ns : next;
			continue;
		}
		c->answer_at_ns = 0;
		if (!conn_send(s, c) || !conn_serve(s, c))
			conn_free(s, c);
	}
	return (int)((next - now) / 1000000) + 1;
}

/* Listeners are told apart from connections by their address: they point into the array. */
static void listener_add(struct server *s, const char *where)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
				  .ai_socktype = SOCK_STREAM };
	struct epoll_event ev = { .events = EPOLLIN };
	struct addrinfo *ai;
	char host[64];
	const char *colon = strrchr(where, ':');
	int one = 1;
	int fd;

	if (!colon || s->listener_count == LISTENERS)
		errx(2, "%s: not ADDRESS:PORT, or too many", where);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	if (host[0] == '[') {
		memmove(host, host + 1, strlen(host));
		host[strcspn(host, "]")] = '\0';
	}
	if (getaddrinfo(host, colon + 1, &hints, &ai))
		errx(2, "%s: not ADDRESS:PORT", where);
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, SOMAXCONN))
		err(1, "%s", where);
	freeaddrinfo(ai);
	s->listeners[s->listener_count] = fd;
	ev.data.ptr = &s->listeners[s->listener_count++];
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev))
		err(1, "epoll_ctl");
	printf("listening %s\n", where);
}

static void signals_open(struct server *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &s->signals };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->signals, &ev))
		err(1, "signalfd");
}

/* False: time to go. */
static bool signal_event(struct server *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return true;
	stats_write(s);
	return info.ssi_signo == SIGUSR1;
}

static void serve(struct server *s)
{
	struct epoll_event events[EVENTS];
	int n;

	for (;;) {
		n = epoll_wait(s->epoll, events, EVENTS, timers_run(s));
		for (int i = 0; i < n; i++) {
			void *ptr = events[i].data.ptr;

			if (ptr == &s->signals) {
				if (!signal_event(s))
					return;
			} else if ((int *)ptr >= s->listeners &&
				   (int *)ptr < s->listeners + s->listener_count) {
				conn_accept(s, *(int *)ptr);
			} else if (!conn_event(s, ptr, events[i].events)) {
				conn_free(s, ptr);
			}
		}
	}
}

int main(int argc, char **argv)
{
	struct server s = { .name = NAME_DEFAULT };
	struct rlimit files;
	int opt;

	while ((opt = getopt(argc, argv, "n:s:d:c:")) != -1) {
		switch (opt) {
		case 'n':
			s.name = optarg;
			break;
		case 's':
			s.stats_file = optarg;
			break;
		case 'd':
			s.down_file = optarg;
			break;
		case 'c':
			s.per_connection = (unsigned)atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	if (optind == argc) {
		fprintf(stderr,
			"usage: webserver [-n NAME] [-s STATS-FILE] [-d DOWN-FILE] [-c COUNT] "
			"ADDRESS:PORT...\n");
		return 2;
	}
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s.epoll < 0)
		err(1, "epoll_create1");
	signals_open(&s);
	for (int i = optind; i < argc; i++)
		listener_add(&s, argv[i]);
	fflush(stdout);
	serve(&s);
	while (s.conns)
		conn_free(&s, s.conns);
	return 0;
}
