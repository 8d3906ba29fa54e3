/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The API server asked, in the agent's own name, whose a token is and what he
 * may: a TokenReview (authentication.k8s.io/v1), and of who is known two
 * SubjectAccessReviews (authorization.k8s.io/v1) of the nonResourceURL
 * KUBE_REVIEW_PATH: the verb "get" for who reads, "update" for who writes. That
 * takes the right to create tokenreviews and subjectaccessreviews.
 *
 * Nothing here waits, remembers or logs; where another server or a token of ours
 * that was read anew may help, a request is made once more. The token under
 * review is kept for as long as its request is under way, and overwritten then.
 */
#ifndef WATCH_KUBE_REVIEW_H
#define WATCH_KUBE_REVIEW_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "agent/base/loop.h"
#include "watch/http.h"
#include "watch/kubeconfig.h"

#define KUBE_REVIEW_PATH     "/parasaus"
#define KUBE_REVIEW_TIME_S   10		  /* of each request */
#define KUBE_REVIEW_MAX	     (256u << 10) /* bytes of an answer: who is in very many groups */
#define KUBE_REVIEW_USER_MAX 250	  /* bytes of a name; a longer one is not let in */

struct kube_reviewer;
/* Takes h and *access over (it is empty afterwards); `node` chooses where the round of servers begins. */
MUST_CHECK struct kube_reviewer *kube_reviewer_new(struct loop *l, struct http *h,
						   struct kube_access *access, const char *node);
/* Those under way are never answered. NULL is fine. */
void kube_reviewer_free(struct kube_reviewer *r);

enum kube_verdict {
	KUBE_REVIEW_TROUBLE, /* it is not known: no answer, or a right of ours is missing */
	KUBE_REVIEW_NOBODY,  /* the API server does not know the token, or he has no usable name */
	KUBE_REVIEW_SOMEBODY,
};
struct kube_reviewed {
	enum kube_verdict verdict;
	const char *user; /* without control characters; "" but of SOMEBODY */
	bool may_read, may_write;
	const char *why; /* for people; "" of SOMEBODY */
};
/* From the loop, once, never from inside kube_reviewer_ask(); valid during the call. */
typedef void kube_reviewed_fn(void *arg, const struct kube_reviewed *r);

struct kube_review;
/* The token is copied: printable ASCII. The review is gone once fn is called. */
MUST_CHECK struct kube_review *kube_reviewer_ask(struct kube_reviewer *r, const char *token,
						 kube_reviewed_fn *fn, void *arg);
void kube_review_cancel(struct kube_review *v);

#endif
