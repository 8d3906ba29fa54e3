/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nftables table `inet parasaus-probes`, by which connection tracking does not see health checks:
 * at priority raw, before it, packets from the address that checks come from, and packets to it. The
 * table is there only while some or all of them are to be left alone.
 *
 * It is one of its own, for `inet parasaus` holds every VIP and is not to be written anew, nor to be
 * missing, because of this. That one takes connection tracking, so that there is always one to be
 * kept from. Blocks; never logs.
 */
#ifndef IPVS_HOST_PROBES_H
#define IPVS_HOST_PROBES_H

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "ipvs/notrack.h"
#include "ipvs/role.h"

/* Begins as HOST_RULES_TABLE does, by which host_watch.h knows what is ours. */
#define HOST_PROBES_TABLE "parasaus-probes"

/* The table, word for word as nftables 1.0.6 prints it; nothing where nothing is left alone. A family
 * without an address in c->probes_from has none. Pure. */
void host_probes_text(const struct ipvs_config *c, const struct ipvs_notrack *n, struct buf *out);

struct host_shown;

/* The table itself (host_shown.h), to be closed. */
MUST_CHECK int host_probes_open(struct host_shown **out, struct err *err);
/* What is in force; IPVS_NOTRACK_NONE and _ALL are known again, and anything else is none. */
MUST_CHECK int host_probes_read(struct host_shown *table, const struct ipvs_config *c,
				struct ipvs_notrack *out, struct err *err);

#endif
