/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Services, Endpoints and EndpointSlices of an API server as a source.
 *
 * What becomes of what is not there any more:
 *
 *   a Service is deleted           an order, followed at once
 *   a Service is being deleted     (deletionTimestamp) served on until it is gone, as kube-proxy does:
 *                                  a finalizer stands for somebody who is not ready yet, such as a
 *                                  load balancer in front. That its endpoints go is then no surprise
 *   Endpoints, or the last slice,  suspect while the Service stays: asked for by name, and gone only
 *   are deleted, or not listed     where the server itself (a Status) says 404 to that
 *   a list lacks more than a       held, and read again after 30 s; believed where the
 *   fifth of 50 or more            second one lacks the same
 *   the server is away             nothing is removed
 *
 * Complete: all resources are listed and watched. A server without EndpointSlices is read without.
 */
#ifndef WATCH_KUBERNETES_H
#define WATCH_KUBERNETES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/loop.h"
#include "watch/http.h"
#include "watch/kubeconfig.h"
#include "watch/source.h"

struct watch_kubernetes {
	struct http *http;	    /* taken over */
	struct kube_access *access; /* taken over: empty afterwards */
	const char *node;
	const char *label_selector; /* of Services; NULL or "": all */
	/*
	 * The Lease by which one of all agents is chosen to make Events of what is wrong
	 * with objects; NULL: none are made.
	 */
	const char *lease_ns, *lease_name;
	uint32_t (*random)(void *arg);
	void *random_arg;
};

/* What is in *c is not needed afterwards. */
MUST_CHECK struct watch_source *watch_kubernetes_new(struct loop *l,
						     const struct watch_kubernetes *c,
						     unsigned source,
						     const struct watch_sink *sink);

#endif
