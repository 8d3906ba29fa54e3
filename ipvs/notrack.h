/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which packets of health checks the kernel's connection tracking is to leave alone, for each family
 * by itself: none, those between the address that checks come from and a few servers, or all to and
 * from that address.
 *
 * Core decides, the ipvs process writes it (host_probes.h): IPVS_MSG_NOTRACK, the same both ways.
 */
#ifndef IPVS_NOTRACK_H
#define IPVS_NOTRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"

#define IPVS_NOTRACK_SOME_MAX 16

enum ipvs_notrack_mode {
	IPVS_NOTRACK_NONE,
	IPVS_NOTRACK_SOME,
	IPVS_NOTRACK_ALL,
	/* None, whatever was asked for: the kernel picks that address for what others send, too
	 * (host_source.h). The ipvs process alone says it. */
	IPVS_NOTRACK_PICKED,
};

struct ipvs_notrack_part {
	enum ipvs_notrack_mode mode;
	uint32_t count; /* of servers, each of the part's family; 0 but for IPVS_NOTRACK_SOME */
	struct addr servers[IPVS_NOTRACK_SOME_MAX];
};

enum { IPVS_NOTRACK_V4, IPVS_NOTRACK_V6, IPVS_NOTRACK_PARTS };

struct ipvs_notrack {
	struct ipvs_notrack_part parts[IPVS_NOTRACK_PARTS]; /* by family */
};

uint8_t ipvs_notrack_family(unsigned part); /* AF_INET, AF_INET6 */
/* The command by which this machine gets an address that the kernel does not pick (host_source.h). */
const char *ipvs_notrack_remedy(unsigned part);
bool ipvs_notrack_part_same(const struct ipvs_notrack_part *a, const struct ipvs_notrack_part *b);
bool ipvs_notrack_same(const struct ipvs_notrack *a, const struct ipvs_notrack *b);

void wire_put_ipvs_notrack(struct buf *b, const struct ipvs_notrack *n);
/* Whatever is out of range makes w bad, and *out says none. */
void wire_ipvs_notrack(struct wire *w, struct ipvs_notrack *out);

#endif
