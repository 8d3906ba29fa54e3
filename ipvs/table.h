/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's IPVS table as plain values: virtual services and their real
 * servers. Used for what is wanted and for what is there.
 *
 * The text form is that of `ipvsadm -Sn`, the one form in which unit,
 * simulation and kernel tests state tables.
 */
#ifndef IPVS_TABLE_H
#define IPVS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "agent/base/map.h"

#define IPVS_SCHEDULER_MAX 16	 /* with the NUL; IP_VS_SCHEDNAME_MAXLEN */
#define IPVS_DESTS_MAX	   16384 /* per service */
/* Of a held one that is at 0: the kernel does not tell, and it was not us who set it. */
#define IPVS_WEIGHT_UNKNOWN UINT32_MAX

/* include/uapi/linux/ip_vs.h, IP_VS_SVC_F_*; the kernel's own "hashed" (2) is never in here. */
enum {
	IPVS_PERSISTENT = 0x1,
	IPVS_ONE_PACKET = 0x4,
	IPVS_SCHED1 = 0x8,  /* mh, sh: fallback */
	IPVS_SCHED2 = 0x10, /* mh, sh: port */
	IPVS_SCHED3 = 0x20,
	IPVS_FLAGS_ALL = 0x3d,
};

/* IP_VS_CONN_F_FWD_MASK */
enum ipvs_forward { IPVS_NAT = 0, IPVS_LOCAL = 1, IPVS_TUNNEL = 2, IPVS_DIRECT = 3 };

struct ipvs_dest {
	struct addr addr;
	uint8_t forward; /* enum ipvs_forward */
	uint8_t tunnel;	 /* 0 ipip, 1 gue, 2 gre; only with IPVS_TUNNEL */
	bool draining;	 /* wanted only: report when it has no connection left */
	uint16_t port;
	uint16_t tunnel_port; /* gue */
	uint32_t weight;
	/*
	 * Wanted: its weight when well; mh is loaded with this. Held (image.h): the last weight it
	 * had that was not 0, or with which it was added; mh goes on with that.
	 */
	uint32_t nominal;
	uint32_t upper; /* connection thresholds; 0: none */
	uint32_t lower;
};

/* A block of frontends that are ours: any of the addresses with any of the ports. */
struct ipvs_ours {
	struct addr_range addresses;
	struct port_range ports;
};

struct ipvs_service {
	struct endpoint key;
	char scheduler[IPVS_SCHEDULER_MAX];
	uint32_t flags;	  /* IPVS_PERSISTENT ... */
	uint32_t timeout; /* of persistence, seconds */
	uint32_t netmask; /* IPv4: network order, all ones if unused; IPv6: prefix length */
	bool masquerade;  /* wanted only: rewrite the source too (nat) */
	uint32_t dest_count;
	/*
	 * A counted block that copies of the service share: what is wanted and what is there are
	 * mostly the same. Whoever changes it has one of its own first: ipvs_service_edit().
	 */
	const struct ipvs_dest *dests;
};

/* A zeroed service with the netmask of its family and scheduler "wrr". */
struct ipvs_service ipvs_service_of(const struct endpoint *key);
void ipvs_service_done(struct ipvs_service *s);
/* Shares the destinations. */
struct ipvs_service ipvs_service_copy(const struct ipvs_service *s);
/* Its destinations, to be changed; NULL: it has none. Good until the next call on s. */
struct ipvs_dest *ipvs_service_edit(struct ipvs_service *s);
/* Room for so many in all, of a service that has none yet. */
void ipvs_service_reserve(struct ipvs_service *s, uint32_t count);
/* Appends and returns the place; the caller keeps endpoints unique and sorts at the end. */
struct ipvs_dest *ipvs_service_add(struct ipvs_service *s);
/* Takes out that at place i; those behind it move up. */
void ipvs_service_remove(struct ipvs_service *s, uint32_t i);
void ipvs_service_sort(struct ipvs_service *s); /* by (address, port) */
/*
 * Where both have the same destinations, every byte of them in the same order: s has those of
 * `with` from now on, and its own are given up. False: they differ, and nothing was done.
 */
bool ipvs_service_share(struct ipvs_service *s, const struct ipvs_service *with);
/* A forwarding with the tunnel that it has, or has not. */
bool ipvs_forward_is_valid(uint8_t forward, uint8_t tunnel, uint16_t tunnel_port);
int ipvs_dest_cmp(const struct ipvs_dest *a, const struct ipvs_dest *b); /* (address, port) */

/* Services by key; owns them. */
struct ipvs_table {
	struct map by_key;
};
void ipvs_table_init(struct ipvs_table *t);
void ipvs_table_done(struct ipvs_table *t);
struct ipvs_service *ipvs_table_get(const struct ipvs_table *t, const struct endpoint *key);
/* Takes the contents of *s over (and zeroes it), replacing a service of the same key. */
struct ipvs_service *ipvs_table_put(struct ipvs_table *t, struct ipvs_service *s);
bool ipvs_table_remove(struct ipvs_table *t, const struct endpoint *key);
/* Services sorted by key; the array is the caller's (free), the services stay the table's. */
MUST_CHECK struct ipvs_service **ipvs_table_sorted(const struct ipvs_table *t, size_t *out_count);

/* `ipvsadm -Sn` form, sorted; and back. `-a` lines before their `-A` are an error. */
void ipvs_table_print(const struct ipvs_table *t, struct buf *out);
MUST_CHECK int ipvs_table_parse(const char *text, struct ipvs_table *t, struct err *err);

#endif
