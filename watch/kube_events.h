/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with objects, told to their owners as Events
 * (events.k8s.io/v1), where `kubectl describe` shows it.
 *
 * An Event is made when something has been wrong for a moment (a Service comes
 * before its Endpoints, and nothing is wrong with that), and again while it
 * stays so once the server has forgotten it (an hour). Its name
 * comes of what it says, so that whoever leads next makes no second one.
 * No more than KUBE_EVENTS_BURST at once and one a second after that; what has
 * to wait waits, and is not made if it was mended meanwhile. One that the
 * server does not take counts as told; where we may make none at all, they wait. Only while
 * kube_events_lead() says so.
 */
#ifndef WATCH_KUBE_EVENTS_H
#define WATCH_KUBE_EVENTS_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "watch/kube_api.h"
#include "watch/source.h"

#define KUBE_EVENTS_AFTER_MS 5000
#define KUBE_EVENTS_BURST    25
#define KUBE_EVENTS_MAX	     10000 /* things wrong that are kept; one more is not told */
#define KUBE_EVENTS_EVERY_MS (61 * 60 * 1000)
#define KUBE_EVENTS_NOTE_MAX 1000 /* bytes; the API server takes 1024 */

struct kube_events;
/* None can be made ("... it takes a ClusterRole ..."); NULL: they can. Told when it changes. */
typedef void kube_events_problem_fn(void *arg, const char *why);
/* `node` names this agent in what it makes. */
MUST_CHECK struct kube_events *kube_events_new(struct kube_api *api, const char *node,
					       kube_events_problem_fn *problem, void *arg);
void kube_events_free(struct kube_events *e); /* NULL is fine */
void kube_events_lead(struct kube_events *e, bool leading);
void kube_events_set(struct kube_events *e, const struct watch_report *s);

#endif
