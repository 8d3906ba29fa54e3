/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with a host for what it is to do, before its users find out:
 * facts of the kernel and of what is around it, judged by rules. Each finding
 * says what is the matter and what mends it.
 *
 * doctor_judge() is pure and has all the rules; doctor_read() collects the facts.
 */
#ifndef IPVS_DOCTOR_H
#define IPVS_DOCTOR_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "ipvs/host_sysctl.h"
#include "ipvs/role.h"
#include "ipvs/table.h"

#define DOCTOR_BUCKETS	 256 /* of services, IP_VS_SVC_TAB_SIZE before Linux 7.1 */
#define DOCTOR_VIPS_MAX	 64  /* on links, that are looked at and asked for */
#define DOCTOR_PATHS_MAX 4096
#define DOCTOR_UNKNOWN	 INT64_MIN /* of a number: it cannot be read */

/* A real server that is reached without nat: the way to it. */
struct doctor_path {
	struct endpoint service;
	struct ipvs_dest dest;
	bool routed;  /* there is a way at all */
	bool gateway; /* and it leads over a router */
	uint32_t mtu; /* of that way */
	char device[IF_NAMESIZE];
};

/* A VIP that is on the link of an interface. */
struct doctor_vip {
	struct addr addr;
	char device[IF_NAMESIZE];
	bool own;	    /* an address of the interface itself */
	bool silent;	    /* not to be answered for by this machine */
	bool elsewhere;	    /* but by its owner, another one */
	int64_t arp_ignore; /* that counts for the interface; IPv6: DOCTOR_UNKNOWN */
	/* of IPv6: what the kernel needs to answer for it */
	bool proxied;		       /* it has a proxy neighbour on the interface */
	int64_t forwarding, proxy_ndp; /* that count for the interface */
	bool answered;		       /* by somebody else, when asked for */
	uint8_t mac[6];		       /* by whom */
};

struct doctor_sysctl {
	struct host_sysctl want;
	int64_t is;
};

struct doctor_facts {
	bool running;		       /* the agent does, and keeps its sysctls as they should be */
	char release[65], version[65]; /* of uname(2) */
	bool no_ipvs;
	bool no_mh; /* there are modules, but none of this scheduler */
	bool ftp;   /* ip_vs_ftp is loaded */
	/* of the IPVS table of this network namespace, whoever's */
	uint32_t services, dests;
	uint32_t foreign; /* services that are not ours */
	uint32_t buckets
		[DOCTOR_BUCKETS]; /* services in each; up to a constant that no one can see */
	uint64_t connections;
	bool has_ipv6, has_tunnel, has_threshold, has_nat;
	int64_t conn_tab_bits;
	int64_t conntrack_count, conntrack_max;
	uint32_t check_interval_ms; /* of who has none of his own; 0: unknown, or not tracked */
	/* Of those that connection tracking is to be kept from: the kernel picks it for others, too. */
	struct addr picked[IPVS_NOTRACK_PARTS];
	int64_t tcp_keepalive_time;    /* seconds */
	struct ipvs_timeouts timeouts; /* all 0: unknown */
	int64_t nat_icmp_send;
	int64_t cpus_possible;
	struct doctor_sysctl sysctls[HOST_SYSCTLS_MAX];
	size_t sysctl_count;
	bool wants_ipv6; /* there are VIPs of it */
	bool ipv6_off;
	uint16_t ports_first, ports_last; /* of ip_local_port_range; 0: unknown */
	size_t probe_paths;		  /* paths of checks that go by VIPs (paths.h) */
	unsigned probe_ports;	/* of their ports, those that the kernel gives to others */
	struct port_range ours; /* the ports of all address pools, from the least to the last */
	const char
		*rival; /* a device of a program that deletes what it does not know; NULL: none */
	const char *writer;  /* a program that writes IPVS as well, and runs; NULL: none */
	uint32_t client_mtu; /* of the way to clients: the default route's, or 1500 */
	struct doctor_path *paths;
	size_t path_count;
	struct doctor_vip *vips;
	size_t vip_count;
	/* Of the VIPs that this machine may answer for, those on the link of no interface. */
	size_t off_link_count;
	struct addr off_link; /* the first */
};

enum doctor_grade { DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_ERROR };
const char *doctor_grade_text(enum doctor_grade g); /* "note", "warning", "error" */

struct doctor_finding {
	enum doctor_grade grade;
	const char *check;	/* what it is about: "sysctl", "arp"; one word, stable */
	const char *text, *fix; /* valid during the call; fix "": none is known */
};
typedef void doctor_finding_fn(void *arg, const struct doctor_finding *f);

/*
 * Of the ports that paths of checks have (paths.h), how many the kernel gives to others:
 * ip_local_port_range, and ip_local_reserved_ports as the kernel prints that. Pure.
 */
unsigned doctor_probe_ports(uint16_t first, uint16_t last, const char *reserved);

/* Errors, warnings and notes, in the order of the rules. */
void doctor_judge(const struct doctor_facts *f, doctor_finding_fn *fn, void *arg);

/*
 * Looks at this host, which takes up to two seconds, for neighbours are asked. Needs
 * CAP_NET_ADMIN, and CAP_NET_RAW to ask neighbours. What cannot be read is DOCTOR_UNKNOWN or
 * absent. *out is freed by doctor_facts_done(), on failure too. -EPERM: one may not.
 */
MUST_CHECK int doctor_read(const struct ipvs_config *c, struct doctor_facts *out, struct err *err);
void doctor_facts_done(struct doctor_facts *f);

#endif
