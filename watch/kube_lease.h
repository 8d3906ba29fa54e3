/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leadership by a Lease (coordination.k8s.io/v1), as client-go elects leaders:
 * the holder renews it; the others look at it, and whoever finds it unchanged
 * for its whole duration writes it with the resourceVersion that was seen, so
 * that one of them wins. How long it has not changed is measured here: the
 * times in it are for people, and clocks are never compared.
 *
 * Those who do not hold it look about once in its duration, each at a moment
 * of its own: with 254 agents some four requests a second. After a holder's
 * death it takes about two durations until there is another, and four at most:
 * an agent may have looked just before the last renewal.
 *
 * A holder that could not renew it for two thirds of its duration leads no
 * more, whether answers fail or none comes.
 *
 * What the server refuses for good (no right to it, no such namespace, a name
 * that is none) is told as a problem, with what to do, and tried again each
 * five minutes; anything else, each few seconds.
 */
#ifndef WATCH_KUBE_LEASE_H
#define WATCH_KUBE_LEASE_H

#include "agent/base/attr.h"
#include "watch/kube_api.h"
#include "watch/leader.h"

#define KUBE_LEASE_S 60 /* its duration */

struct kube_lease_config {
	struct kube_api *api;
	const char *ns, *name;
	const char *identity; /* of this agent and this start of it */
};

struct kube_lease;
/* Begins at once; the strings are copied. */
MUST_CHECK struct kube_lease *kube_lease_new(const struct kube_lease_config *c,
					     const struct leader_sink *sink);
/* Does not give it up: it runs out. NULL is fine. */
void kube_lease_free(struct kube_lease *l);

#endif
