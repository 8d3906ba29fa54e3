/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The API server asked in the name of a person: each request carries the token
 * of who wants it, so that the API server's own rights and its audit log see
 * that person, and nothing of ours.
 *
 * That is why this has connections of its own: a client certificate of ours
 * would go before any token. Servers, and the authorities that they are known
 * by, are those of the access; who we are is dropped from it.
 *
 * Nothing here waits, retries or logs. A token is kept for as long as its
 * request is under way, and overwritten then.
 */
#ifndef WATCH_KUBE_WRITE_H
#define WATCH_KUBE_WRITE_H

#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/loop.h"
#include "watch/http.h"
#include "watch/kubeconfig.h"

#define KUBE_WRITE_TIME_S 35 /* of one request: admission of others may take 30 s */

struct kube_writer;
/* Takes h and *access over (it is empty afterwards); `node` chooses where the round of servers begins. */
MUST_CHECK struct kube_writer *kube_writer_new(struct loop *l, struct http *h,
					       struct kube_access *access, const char *node);
/* Those under way are never answered. NULL is fine. */
void kube_writer_free(struct kube_writer *w);

struct kube_said {
	int status;	  /* 0: there was no answer, or not all of it */
	const char *body; /* with a NUL behind it; of what is not 2xx at most 8 KiB */
	size_t len;
	const char *why; /* for people; "" where it is 2xx and whole */
};
/* From the loop, once, never from inside kube_writer_ask(); valid during the call. */
typedef void kube_said_fn(void *arg, const struct kube_said *s);

struct kube_call;
/* All is copied; json "": no body. The call is gone once fn is called. */
MUST_CHECK struct kube_call *kube_writer_ask(struct kube_writer *w, const char *method,
					     const char *path, const char *token, const char *json,
					     kube_said_fn *fn, void *arg);
void kube_call_cancel(struct kube_call *c);

#endif
