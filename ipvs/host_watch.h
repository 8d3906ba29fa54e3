/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices when others change what is ours: routes in the table local, the
 * addresses and the state of interfaces, our nftables table.
 *
 * The kernel sorts out what is of interest (socket filters), so that a host
 * with a busy routing daemon or a busy kube-proxy costs nothing here.
 */
#ifndef IPVS_HOST_WATCH_H
#define IPVS_HOST_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/base/loop.h"

#define HOST_WATCH_SETTLE_MS 100 /* from the first notification to the call */

struct host_watch;
typedef void host_watch_fn(void *arg);

/*
 * `own_port` is the rtnetlink port whose changes are our own; `table` is the name of the nftables
 * tables.
 */
MUST_CHECK int host_watch_new(struct loop *l, uint32_t own_port, const char *table,
			      host_watch_fn *fn, void *arg, struct host_watch **out,
			      struct err *err);
void host_watch_free(struct host_watch *w); /* NULL is fine */

/*
 * Around a transaction of our own: between the two, notifications of nftables are not listened to.
 * The caller compares generations to learn whether anybody else wrote meanwhile.
 */
void host_watch_rules_pause(struct host_watch *w);
void host_watch_rules_resume(struct host_watch *w);
/* Has our table, for all we know, changed since this was asked last? True the first time. */
bool host_watch_rules_changed(struct host_watch *w);
/* As if a change of our table had been noticed. */
void host_watch_rules_trigger(struct host_watch *w);

#endif
