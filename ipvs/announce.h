/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which machine answers for a VIP on the link, as parasaus.yaml(5) has it
 * under `announce`. Values and pure functions.
 */
#ifndef IPVS_ANNOUNCE_H
#define IPVS_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/endpoint.h"

enum ipvs_announce_mode {
	IPVS_ANNOUNCE_ALL,   /* every machine that has the VIP */
	IPVS_ANNOUNCE_NONE,  /* none: VIPs are routed here */
	IPVS_ANNOUNCE_OWNER, /* the one that the first share with the VIP in it names */
};

/* A part of the VIPs and whether this machine is its owner. */
struct ipvs_share {
	struct prefix addresses;
	bool here;
};

struct ipvs_announce {
	enum ipvs_announce_mode mode;
	const struct ipvs_share *shares; /* with IPVS_ANNOUNCE_OWNER, in order of precedence */
	size_t share_count;
	/* An owner tells the links that it is, by this packet socket; -1: it does not. */
	int packet_fd;
	uint32_t rate; /* packets a second, at most; not 0 */
};

/* Does this machine answer for a VIP? NULL is IPVS_ANNOUNCE_ALL; a VIP in no share has no owner. */
bool ipvs_answers_for(const struct ipvs_announce *a, const struct addr *vip);

#endif
