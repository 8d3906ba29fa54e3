/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the kernel's IPVS table changed, to the millisecond: reads it again and
 * again by the sockopts and prints each difference with the time at which it
 * was seen.
 *
 *   ipvs_poll [-i MS] [-f STOP-FILE] [-t SECONDS] [-s VIP:PORT]
 *
 * One line an event, "TIME EVENT TCP|UDP VIP:PORT [SERVER:PORT [WORDS...]]":
 *
 *   clock WALL       the first line: the wall clock at TIME; what is in the
 *                    table by then is no event
 *   service          a service is new; service-gone: it went
 *   dest WEIGHT      a destination is new, with this weight
 *   weight OLD NEW   its weight changed
 *   dest-gone        it went
 *   late N           it was given N new connections while its weight was 0
 *
 * TIME is CLOCK_MONOTONIC in seconds. Connections are counted as active plus
 * inactive ones: that sum falls as they expire and rises only by a new one.
 * Ends on SIGTERM, with the file, or after the time. IPv4 only. With a TCP
 * service named, it reads that one alone: a large table takes many milliseconds.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVICES_MAX 4096
#define DESTS_MAX    65536

struct dest {
	__be32 vip, addr; /* addr 0: the service itself */
	__be16 vport, port;
	uint16_t protocol;
	int weight;
	uint32_t connections;
};

struct table {
	struct dest items[DESTS_MAX];
	size_t count;
};

struct poll {
	int fd;
	struct ip_vs_get_services *services;
	struct ip_vs_get_dests *dests;
	const struct ip_vs_service_entry *only; /* this one's address, port and protocol; or NULL */
	struct table tables[2];			/* as it was, as it is */
};

static volatile sig_atomic_t told_to_stop;

static void on_signal(int signo)
{
	(void)signo;
	told_to_stop = 1;
}

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct dest *table_add(struct table *t)
{
	if (t->count == DESTS_MAX)
		errx(2, "more than %d entries", DESTS_MAX);
	t->items[t->count] = (struct dest){ 0 };
	return &t->items[t->count++];
}

static void read_dests(struct poll *p, const struct ip_vs_service_entry *s, struct table *t)
{
	socklen_t len =
		(socklen_t)(sizeof(*p->dests) + s->num_dests * sizeof(p->dests->entrytable[0]));

	*p->dests = (struct ip_vs_get_dests){
		.protocol = s->protocol,
		.addr = s->addr,
		.port = s->port,
		.num_dests = s->num_dests,
	};
	/* Gone or grown meanwhile: the next reading will have it. */
	if (getsockopt(p->fd, IPPROTO_IP, IP_VS_SO_GET_DESTS, p->dests, &len))
		return;
	for (unsigned i = 0; i < p->dests->num_dests; i++) {
		const struct ip_vs_dest_entry *e = &p->dests->entrytable[i];
		struct dest *d = table_add(t);

		*d = (struct dest){
			.vip = s->addr,
			.vport = s->port,
			.protocol = s->protocol,
			.addr = e->addr,
			.port = e->port,
			.weight = e->weight,
			.connections = e->activeconns + e->inactconns,
		};
	}
}

static int by_key(const void *a, const void *b)
{
	const struct dest *x = a, *y = b;

	if (x->vip != y->vip)
		return ntohl(x->vip) < ntohl(y->vip) ? -1 : 1;
	if (x->vport != y->vport)
		return ntohs(x->vport) < ntohs(y->vport) ? -1 : 1;
	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	if (x->addr != y->addr)
		return ntohl(x->addr) < ntohl(y->addr) ? -1 : 1;
	return (ntohs(x->port) > ntohs(y->port)) - (ntohs(x->port) < ntohs(y->port));
}

static void read_one(struct poll *p, struct table *t)
{
	struct ip_vs_service_entry s = *p->only;
	socklen_t len = sizeof(s);

	t->count = 0;
	if (getsockopt(p->fd, IPPROTO_IP, IP_VS_SO_GET_SERVICE, &s, &len))
		return; /* there is none */
	*table_add(t) = (struct dest){ .vip = s.addr, .vport = s.port, .protocol = s.protocol };
	read_dests(p, &s, t);
	qsort(t->items, t->count, sizeof(t->items[0]), by_key);
}

/* False: the table changed between two calls; read it again. */
static bool read_all(struct poll *p, struct table *t)
{
	struct ip_vs_getinfo info;
	socklen_t len = sizeof(info);

	t->count = 0;
	if (getsockopt(p->fd, IPPROTO_IP, IP_VS_SO_GET_INFO, &info, &len))
		err(2, "IP_VS_SO_GET_INFO");
	if (info.num_services > SERVICES_MAX)
		errx(2, "more than %d services", SERVICES_MAX);
	p->services->num_services = info.num_services;
	len = (socklen_t)(sizeof(*p->services) +
			  info.num_services * sizeof(p->services->entrytable[0]));
	if (getsockopt(p->fd, IPPROTO_IP, IP_VS_SO_GET_SERVICES, p->services, &len))
		return false;
	for (unsigned i = 0; i < p->services->num_services; i++) {
		const struct ip_vs_service_entry *s = &p->services->entrytable[i];
		struct dest *d = table_add(t);

		*d = (struct dest){ .vip = s->addr, .vport = s->port, .protocol = s->protocol };
		read_dests(p, s, t);
	}
	qsort(t->items, t->count, sizeof(t->items[0]), by_key);
	return true;
}

static bool read_table(struct poll *p, struct table *t)
{
	if (!p->only)
		return read_all(p, t);
	read_one(p, t);
	return true;
}

static void print_event(double at, const char *event, const struct dest *d)
{
	char address[INET_ADDRSTRLEN];

	printf("%.6f %s %s %s:%u", at, event, d->protocol == IPPROTO_UDP ? "UDP" : "TCP",
	       inet_ntop(AF_INET, &d->vip, address, sizeof(address)), ntohs(d->vport));
	if (d->addr)
		printf(" %s:%u", inet_ntop(AF_INET, &d->addr, address, sizeof(address)),
		       ntohs(d->port));
}

static void print_new(double at, const struct dest *d)
{
	print_event(at, d->addr ? "dest" : "service", d);
	if (d->addr)
		printf(" %d", d->weight);
	putchar('\n');
}

static void print_gone(double at, const struct dest *d)
{
	print_event(at, d->addr ? "dest-gone" : "service-gone", d);
	putchar('\n');
}

static void print_change(double at, const struct dest *old, const struct dest *new)
{
	if (old->weight != new->weight) {
		print_event(at, "weight", new);
		printf(" %d %d\n", old->weight, new->weight);
	} else if (new->addr &&new->weight == 0 && new->connections > old->connections) {
		print_event(at, "late", new);
		printf(" %u\n", new->connections - old->connections);
	}
}

static void compare(const struct table *old, const struct table *new, double at)
{
	size_t i = 0, k = 0;

	while (i < old->count || k < new->count) {
		int c = i == old->count	  ? 1
			: k == new->count ? -1
					  : by_key(&old->items[i], &new->items[k]);

		if (c < 0)
			print_gone(at, &old->items[i++]);
		else if (c > 0)
			print_new(at, &new->items[k++]);
		else
			print_change(at, &old->items[i++], &new->items[k++]);
	}
	fflush(stdout);
}

static void run(struct poll *p, double pause, const char *stop_file, double end)
{
	struct timespec ts = { .tv_sec = (time_t)pause,
			       .tv_nsec = (long)((pause - (double)(time_t)pause) * 1e9) };
	unsigned turn = 1;

	while (!read_table(p, &p->tables[0]))
		continue;
	printf("%.6f clock %.6f\n", now(CLOCK_MONOTONIC), now(CLOCK_REALTIME));
	fflush(stdout);
	while (!told_to_stop && !(stop_file && !access(stop_file, F_OK))) {
		double at = now(CLOCK_MONOTONIC);

		if (end > 0 && at >= end)
			return;
		if (read_table(p, &p->tables[turn & 1])) {
			compare(&p->tables[(turn + 1) & 1], &p->tables[turn & 1],
				now(CLOCK_MONOTONIC));
			turn++;
		}
		nanosleep(&ts, NULL);
	}
}

static struct poll *poll_new(void)
{
	struct poll *p = calloc(1, sizeof(*p));

	if (!p)
		err(2, "calloc");
	p->services =
		calloc(1, sizeof(*p->services) + SERVICES_MAX * sizeof(p->services->entrytable[0]));
	p->dests = calloc(1, sizeof(*p->dests) + DESTS_MAX * sizeof(p->dests->entrytable[0]));
	if (!p->services || !p->dests)
		err(2, "calloc");
	p->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (p->fd < 0)
		err(2, "socket");
	return p;
}

static bool parse_service(char *text, struct ip_vs_service_entry *s)
{
	char *colon = strrchr(text, ':');
	struct in_addr vip;

	if (!colon)
		return false;
	*colon = '\0';
	if (inet_pton(AF_INET, text, &vip) != 1)
		return false;
	*s = (struct ip_vs_service_entry){ .protocol = IPPROTO_TCP,
					   .addr = vip.s_addr,
					   .port = htons((uint16_t)atoi(colon + 1)) };
	return true;
}

static int usage(void)
{
	fputs("usage: ipvs_poll [-i MS] [-f STOP-FILE] [-t SECONDS] [-s VIP:PORT]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const struct sigaction stop = { .sa_handler = on_signal };
	const char *stop_file = NULL;
	struct ip_vs_service_entry one, *only = NULL;
	double pause = 0.002, end = 0;
	struct poll *p;
	int opt;

	while ((opt = getopt(argc, argv, "i:f:t:s:")) != -1) {
		switch (opt) {
		case 'i':
			pause = atof(optarg) / 1e3;
			break;
		case 'f':
			stop_file = optarg;
			break;
		case 't':
			end = now(CLOCK_MONOTONIC) + atof(optarg);
			break;
		case 's':
			if (!parse_service(optarg, &one))
				return usage();
			only = &one;
			break;
		default:
			return usage();
		}
	}
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	p = poll_new();
	p->only = only;
	run(p, pause, stop_file, end);
	close(p->fd);
	free(p->services);
	free(p->dests);
	free(p);
	return 0;
}
