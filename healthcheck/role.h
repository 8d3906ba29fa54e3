/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The healthcheck process: probes targets and says what it found. What may be probed is what its
 * own configuration leaves: core asked before, but core reads what strangers write.
 *
 * Our own trouble (no descriptors, no ports, a late loop, our link down) is
 * never counted against a target. It goes on probing while there is no core.
 * It never logs: what a person should know goes to core as HC_MSG_EVENT.
 */
#ifndef HEALTHCHECK_ROLE_H
#define HEALTHCHECK_ROLE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "agent/base/loop.h"
#include "healthcheck/io.h"

struct hc_config {
	const struct prefix *vip_ranges; /* never probed, nor are those of `refuse` */
	size_t vip_range_count;
	const struct prefix *refuse;
	size_t refuse_count;
	struct hc_from from;
	uint32_t max_in_flight; /* probes with an open descriptor; what is above waits, uncounted */
};

struct hc_role;

/* `c` and what it points to must outlive the role. */
MUST_CHECK int hc_role_new(struct loop *l, const struct hc_config *c, struct hc_role **out);
/* A core connected; an earlier one is forgotten, its targets are not. Takes fd over. */
void hc_role_connect(struct hc_role *r, int fd);
void hc_role_free(struct hc_role *r);

#endif
