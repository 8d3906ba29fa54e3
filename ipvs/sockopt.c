/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/sockopt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/xalloc.h"

#define SERVICES_MAX   2000000 /* a bound on what is allocated because the kernel says so */
#define LIST_PIECE     1024
#define LIST_ATTEMPTS  5
#define DESTS_AT_FIRST 64

struct ipvs_sockopt {
	int fd;
	/* What list looked at, until it has been handed out. */
	struct ip_vs_get_services *services;
	size_t size; /* of these */
	uint32_t count, at;
	/* The last answer of dests; kept for the next. */
	struct ip_vs_get_dests *dests;
	uint32_t dest_room;
};

static int get(const struct ipvs_sockopt *s, int option, void *data, size_t size)
{
	socklen_t len = (socklen_t)size;

	return getsockopt(s->fd, IPPROTO_IP, option, data, &len) < 0 ? -errno : 0;
}

int ipvs_sockopt_open(struct ipvs_sockopt **out)
{
	struct ipvs_sockopt *s = xcalloc(1, sizeof(*s));
	struct ip_vs_getinfo info;
	int r;

	/* Any IPv4 socket does; a raw one would need CAP_NET_RAW as well. */
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = s->fd < 0 ? -errno : get(s, IP_VS_SO_GET_INFO, &info, sizeof(info));
	if (r < 0) {
		ipvs_sockopt_close(s);
		return r;
	}
	*out = s;
	return 0;
}

/*
 * Megabytes for a moment: mapped and unmapped, for of a heap they would become a part. Pages that
 * are there already take the kernel less time than one after the other as it comes to them.
 */
static bool make_list(struct ipvs_sockopt *s, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		return false;
	s->services = at;
	s->size = size;
	return true;
}

static void forget_list(struct ipvs_sockopt *s)
{
	if (s->services)
		munmap(s->services, s->size);
	s->services = NULL;
}

void ipvs_sockopt_close(struct ipvs_sockopt *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	forget_list(s);
	free(s->dests);
	free(s);
}

static bool is_zero(const void *data, size_t size)
{
	const uint8_t *p = data;

	return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

/*
 * The kernel fills in what fits and does not say how many it found: the first entry that is
 * all zero ends them. With none left over there may have been more.
 */
static int list_with_room(struct ipvs_sockopt *s, uint32_t room)
{
	size_t size = sizeof(*s->services) + room * sizeof(s->services->entrytable[0]);
	int r;

	forget_list(s);
	if (!make_list(s, size))
		return -ENOMEM;
	s->services->num_services = room;
	r = get(s, IP_VS_SO_GET_SERVICES, s->services, size);
	if (r < 0)
		return r;
	for (s->count = 0; s->count < room; s->count++) {
		const struct ip_vs_service_entry *e = &s->services->entrytable[s->count];

		if (!e->protocol && is_zero(e, sizeof(*e)))
			return 0;
	}
	return -EAGAIN;
}

int ipvs_sockopt_list(struct ipvs_sockopt *s)
{
	struct ip_vs_getinfo info;
	int r = -EAGAIN;

	s->at = s->count = 0;
	for (unsigned i = 0; i < LIST_ATTEMPTS && r == -EAGAIN; i++) {
		r = get(s, IP_VS_SO_GET_INFO, &info, sizeof(info));
		if (r < 0)
			return r;
		if (info.num_services > SERVICES_MAX)
			return -E2BIG;
		/* Others may add some before the next call. */
		r = list_with_room(s, info.num_services + info.num_services / 16 + 16);
	}
	return r;
}

static struct addr addr_of(__be32 network_order)
{
	struct addr a = { .family = AF_INET };

	memcpy(a.bytes, &network_order, sizeof(network_order));
	return a;
}

static void tell_service(const struct ip_vs_service_entry *e, ipvs_list_fn *fn, void *arg)
{
	struct ipvs_service s = {
		.key = { .addr = addr_of(e->addr),
			 .protocol = (uint8_t)e->protocol,
			 .port = ntohs(e->port) },
		.flags = e->flags & IPVS_FLAGS_ALL,
		.timeout = e->timeout,
		.netmask = e->netmask,
	};

	if (e->fwmark || !protocol_is_served((uint8_t)e->protocol))
		return;
	memcpy(s.scheduler, e->sched_name, strnlen(e->sched_name, sizeof(s.scheduler) - 1));
	fn(arg, &s, e->num_dests);
}

int ipvs_sockopt_list_next(struct ipvs_sockopt *s, ipvs_list_fn *fn, void *arg)
{
	uint32_t end = s->count - s->at > LIST_PIECE ? s->at + LIST_PIECE : s->count;

	while (s->at < end)
		tell_service(&s->services->entrytable[s->at++], fn, arg);
	if (s->at < s->count)
		return 1;
	forget_list(s);
	return 0;
}

/*
 * In words: tens of thousands of services are looked at while nothing changes. It is compared with
 * our own alone, and who can write to IPVS need not deceive us.
 */
uint64_t ipvs_sockopt_list_digest(const struct ipvs_sockopt *s)
{
	uint64_t digest = s->count, word;

	_Static_assert(offsetof(struct ip_vs_service_entry, stats) % sizeof(word) == 0,
		       "what is before the counters is whole words");
	for (uint32_t i = 0; i < s->count; i++) {
		const uint8_t *e = (const uint8_t *)&s->services->entrytable[i];

		for (size_t k = 0; k < offsetof(struct ip_vs_service_entry, stats);
		     k += sizeof(word)) {
			memcpy(&word, e + k, sizeof(word));
			digest = (digest ^ word) * 0x9e3779b97f4a7c15;
			digest ^= digest >> 32;
		}
	}
	return digest ? digest : 1;
}

void ipvs_sockopt_list_drop(struct ipvs_sockopt *s)
{
	s->at = s->count = 0;
	forget_list(s);
}

static int ask_dests(struct ipvs_sockopt *s, const struct endpoint *key, uint32_t room)
{
	size_t size;

	if (room > s->dest_room || !s->dests) {
		s->dest_room = room > DESTS_AT_FIRST ? room : DESTS_AT_FIRST;
		size = sizeof(*s->dests) + s->dest_room * sizeof(s->dests->entrytable[0]);
		s->dests = xreallocarray(s->dests, 1, size);
	}
	size = sizeof(*s->dests) + room * sizeof(s->dests->entrytable[0]);
	memset(s->dests, 0, size);
	s->dests->protocol = key->protocol;
	memcpy(&s->dests->addr, key->addr.bytes, sizeof(s->dests->addr));
	s->dests->port = htons(key->port);
	s->dests->num_dests = room;
	return get(s, IP_VS_SO_GET_DESTS, s->dests, size);
}

int ipvs_sockopt_dests(struct ipvs_sockopt *s, const struct endpoint *key, uint32_t dests,
		       ipvs_dest_fn *fn, void *arg)
{
	const struct ip_vs_dest_entry *e;
	uint32_t room, n;
	int r;

	if (dests > IPVS_DESTS_MAX)
		return -EAGAIN;
	room = dests + 1; /* the one left over says that there were no more */
	r = ask_dests(s, key, room);
	if (r < 0)
		return r;
	e = s->dests->entrytable;
	for (n = 0; n < room && (e[n].addr || !is_zero(&e[n], sizeof(e[n]))); n++) {
		if ((e[n].conn_flags & IP_VS_CONN_F_FWD_MASK) == IP_VS_CONN_F_TUNNEL)
			return -EAGAIN;
	}
	if (n != dests)
		return -EAGAIN;
	/* The kernel lists the newest first. */
	for (uint32_t i = n; i-- > 0;) {
		const struct ipvs_dest d = {
			.addr = addr_of(e[i].addr),
			.forward = e[i].conn_flags & IP_VS_CONN_F_FWD_MASK,
			.port = ntohs(e[i].port),
			.weight = (uint32_t)e[i].weight,
			.upper = e[i].u_threshold,
			.lower = e[i].l_threshold,
		};

		fn(arg, &d, (uint64_t)e[i].activeconns + e[i].inactconns + e[i].persistconns);
	}
	return 0;
}

int ipvs_sockopt_get_timeouts(struct ipvs_sockopt *s, struct ipvs_timeouts *out)
{
	struct ip_vs_timeout_user t;
	int r = get(s, IP_VS_SO_GET_TIMEOUT, &t, sizeof(t));

	if (r < 0)
		return r;
	if (t.tcp_timeout < 0 || t.tcp_fin_timeout < 0 || t.udp_timeout < 0)
		return -EBADMSG;
	*out = (struct ipvs_timeouts){ (uint32_t)t.tcp_timeout, (uint32_t)t.tcp_fin_timeout,
				       (uint32_t)t.udp_timeout };
	return 0;
}

int ipvs_sockopt_set_timeouts(struct ipvs_sockopt *s, const struct ipvs_timeouts *t)
{
	const struct ip_vs_timeout_user user = { .tcp_timeout = (int)t->tcp,
						 .tcp_fin_timeout = (int)t->fin,
						 .udp_timeout = (int)t->udp };

	return setsockopt(s->fd, IPPROTO_IP, IP_VS_SO_SET_TIMEOUT, &user, sizeof(user)) < 0 ? -errno
											    : 0;
}
