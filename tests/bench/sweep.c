/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of reading: how long the kernel takes to tell all IPv4 services by
 * one socket option, and then the destinations of each by one more. Nothing is
 * kept of them but their number. Printed too is the CPU that the list alone takes.
 *
 * usage: sweep
 */
#include <errno.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define SERVICES_MAX 200000
#define DESTS_MAX    4096

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static void *room(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		perror("sweep");
		exit(1);
	}
	return p;
}

static void ask(int fd, int option, void *answer, size_t size)
{
	socklen_t len = (socklen_t)size;

	if (getsockopt(fd, IPPROTO_IP, option, answer, &len) < 0) {
		perror("getsockopt");
		exit(1);
	}
}

static struct ip_vs_get_services *list(int fd)
{
	struct ip_vs_getinfo info;
	struct ip_vs_get_services *all;
	size_t size;

	ask(fd, IP_VS_SO_GET_INFO, &info, sizeof(info));
	if (info.num_services > SERVICES_MAX) {
		fprintf(stderr, "sweep: %u services are too many\n", info.num_services);
		exit(1);
	}
	size = sizeof(*all) + info.num_services * sizeof(struct ip_vs_service_entry);
	all = room(size);
	all->num_services = info.num_services;
	ask(fd, IP_VS_SO_GET_SERVICES, all, size);
	return all;
}

static unsigned dests_of(int fd, const struct ip_vs_service_entry *s, struct ip_vs_get_dests *d)
{
	size_t size = sizeof(*d) + s->num_dests * sizeof(struct ip_vs_dest_entry);

	if (s->num_dests > DESTS_MAX)
		return 0;
	*d = (struct ip_vs_get_dests){ .protocol = s->protocol,
				       .addr = s->addr,
				       .port = s->port,
				       .fwmark = s->fwmark,
				       .num_dests = s->num_dests };
	ask(fd, IP_VS_SO_GET_DESTS, d, size);
	return d->num_dests;
}

int main(void)
{
	struct ip_vs_get_dests *d = room(sizeof(*d) + DESTS_MAX * sizeof(struct ip_vs_dest_entry));
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	double begin = now(), cpu = cpu_ms(), listed;
	struct ip_vs_get_services *all;
	unsigned dests = 0;

	if (fd < 0) {
		perror("socket");
		return 1;
	}
	all = list(fd);
	listed = cpu_ms() - cpu;
	for (unsigned i = 0; i < all->num_services; i++)
		dests += dests_of(fd, &all->entrytable[i], d);
	printf("sweep: %u services, %u destinations in %.3f s, the list alone %.1f ms of CPU\n",
	       all->num_services, dests, now() - begin, listed);
	free(all);
	free(d);
	return 0;
}
