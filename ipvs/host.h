/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What IPVS needs around it:
 *   routes    one `local` route for each VIP (host_route.h), but for those that
 *             are an address of an interface or have somebody else's route
 *   rules     the nftables table `inet parasaus`: steering, guard, masquerade
 *             (host_rules_text.c says what for); steering and masquerade for the
 *             ports of `ours`, the guard for all ports of a VIP that is not an
 *             address of an interface; and `arp parasaus`, where the configuration's
 *             `announce` wants silence about VIPs that another machine answers for
 *   probes    the nftables table `inet parasaus-probes` (host_probes.h), as core says
 *   paths     the nftables table `inet parasaus-paths` (host_paths.h) and virtual services by mark
 *             (path_services.h), as core says
 *   proxies   a proxy neighbour for each IPv6 VIP on the link of an interface that
 *             this machine answers for (host_proxy.h)
 *   ipsets    for operators' own rules; nothing depends on them (host_set.h)
 *   sysctls   by kernel version (host_sysctl.c)
 *
 * Everything is derived from the list of frontends. The host is compared with
 * what is wanted and only differences are written; what others made is not
 * touched. Calls block for as long as the kernel takes. Never logs.
 */
#ifndef IPVS_HOST_H
#define IPVS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "ipvs/notrack.h"
#include "ipvs/paths.h"
#include "ipvs/role.h"

struct ipvs_host;

struct ipvs_frontend {
	struct endpoint key;
	bool masquerade;
};

/* Where it tells of what a person should know; the ipvs process passes it on to core. */
typedef void ipvs_host_event_fn(void *arg, enum log_level level, const char *text);
/* Others changed rules or routes: call ipvs_host_sync() soon. */
typedef void ipvs_host_changed_fn(void *arg);

/* Opens sockets, loads modules where it may, sets sysctls that differ. `c` must outlive it. */
MUST_CHECK int ipvs_host_new(struct loop *l, const struct ipvs_config *c, ipvs_host_event_fn *event,
			     ipvs_host_changed_fn *changed, void *arg, struct ipvs_host **out,
			     struct err *err);
void ipvs_host_free(struct ipvs_host *h); /* leaves the host as it is */

/*
 * These frontends are about to be written to IPVS: make what they need. Adding one that is
 * there already changes its `masquerade`. A failure of one part (err) leaves the others done.
 */
MUST_CHECK int ipvs_host_add(struct ipvs_host *h, const struct ipvs_frontend *f, size_t count,
			     struct err *err);
/*
 * IPVS has the services of all frontends that were added: what was silent until then, and is to be
 * answered for here, is. A VIP that an earlier process had served needs no waiting.
 */
MUST_CHECK int ipvs_host_served(struct ipvs_host *h, struct err *err);
/* These have left IPVS: take away what no other frontend needs. */
MUST_CHECK int ipvs_host_remove(struct ipvs_host *h, const struct endpoint *keys, size_t count,
				struct err *err);
/*
 * Read the host and repair what differs from the frontends added so far; with `prune` also
 * remove what is ours and needed by none. *out_repairs counts the writes it took.
 */
MUST_CHECK int ipvs_host_sync(struct ipvs_host *h, bool prune, uint64_t *out_repairs,
			      struct err *err);
/* The configuration's `ours` is something else now: the next sync makes the rules of that. */
void ipvs_host_ours_changed(struct ipvs_host *h);
/*
 * Connection tracking is to leave these health checks alone; until this is called those that it found
 * when it was made. Of a family that has no address in the configuration none are.
 */
MUST_CHECK int ipvs_host_notrack(struct ipvs_host *h, const struct ipvs_notrack *n,
				 struct err *err);
/* What is in force; false: not what it should be, and *out is not written. */
MUST_CHECK bool ipvs_host_notrack_now(const struct ipvs_host *h, struct ipvs_notrack *out);
/*
 * Probes are to go these ways and no others; until this is called nothing is done about those that an
 * earlier process made. ipvs_host_sync() sees to them, too.
 */
MUST_CHECK int ipvs_host_paths(struct ipvs_host *h, const struct ipvs_paths *p, struct err *err);
/* Others may have changed them: repair that. *out_repairs counts the writes it took. */
MUST_CHECK int ipvs_host_paths_check(struct ipvs_host *h, uint64_t *out_repairs, struct err *err);
/* How it went the last time, and what can be of it by the routes there are; false: none were told. */
MUST_CHECK bool ipvs_host_paths_now(const struct ipvs_host *h, struct ipvs_paths_result *out);
/* Whether the host has an interface of that name. */
bool ipvs_host_has_device(struct ipvs_host *h, const char *name);
/*
 * While they are held, connections to a real server that is not in IPVS for a moment stay: their
 * packets are dropped and they go on when it is back (net.ipv4.vs.expire_nodest_conn is 0, and then
 * what it was). For the time of one batch. -errno: it could not be set.
 */
MUST_CHECK int ipvs_host_hold_connections(struct ipvs_host *h, bool hold);
/* Requests sent to the kernel since it was made: routes, rule transactions, set changes, sysctls. */
uint64_t ipvs_host_writes(const struct ipvs_host *h);

/* Remove all that any instance with this configuration made here. Calls `removed` with a line for each. */
typedef void ipvs_host_removed_fn(void *arg, const char *what);
MUST_CHECK int ipvs_host_cleanup(const struct ipvs_config *c, ipvs_host_removed_fn *removed,
				 void *arg, struct err *err);

#endif
