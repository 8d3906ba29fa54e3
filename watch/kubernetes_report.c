/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with objects becomes Events, made by the one agent that holds
 * the Lease.
 */
#include "agent/base/xalloc.h"
#include "watch/kube_events.h"
#include "watch/kube_lease.h"
#include "watch/kubernetes_private.h"

#define EVENTS "events"

static void on_leading(void *arg, bool leading, uint64_t token)
{
	struct kubernetes *k = arg;

	(void)token; /* an Event that two make is one, by its name */
	kube_events_lead(k->events, leading);
}

static void on_problem(void *arg, const char *why)
{
	struct kubernetes *k = arg;
	CLEANUP(xfree_ptr) char *text = why ? xasprintf("no Events are made: %s", why) : NULL;

	k->sink.problem(k->sink.arg, EVENTS, 0, text);
}

void kube_report_start(struct kubernetes *k, const struct watch_kubernetes *c)
{
	const struct leader_sink sink = { on_leading, on_problem, k };
	CLEANUP(xfree_ptr) char *identity = NULL;
	struct kube_lease_config lease = { .api = &k->api,
					   .ns = c->lease_ns,
					   .name = c->lease_name };

	if (!c->lease_name)
		return;
	/* Another start of this agent is another candidate: it does not know what it told. */
	identity = xasprintf("%s_%08x", c->node, kube_api_random(&k->api, UINT32_MAX));
	lease.identity = identity;
	k->events = kube_events_new(&k->api, c->node, on_problem, k);
	k->lease = kube_lease_new(&lease, &sink);
}

void kube_report_done(struct kubernetes *k)
{
	kube_lease_free(k->lease);
	kube_events_free(k->events);
}

void kube_report(struct kubernetes *k, const struct watch_report *r)
{
	if (k->events)
		kube_events_set(k->events, r);
}
