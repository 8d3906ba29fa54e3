/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens of a cluster, shown from beyond loopback: whose one is and what he may,
 * as the API server says and as it was remembered.
 *
 * Kept are names, rights and keyed hashes of tokens, REVIEWS_MAX at most and in
 * memory alone; the key is made anew at each start. What was said holds for
 * REVIEW_GOOD_MS where somebody was known, REVIEW_BAD_MS where nobody was, and
 * REVIEW_TROUBLE_MS where the API server did not say: never is "not known" taken
 * for a yes. A token itself is kept here until the API server has it, and overwritten.
 *
 * One address may have so many tokens reviewed (a burst, then a few a second),
 * and REVIEWS_WAITING_MAX wait at most: who has a token that is remembered is not
 * held up by who tries them out.
 *
 * reviews_look() is for any thread and waits for nothing. The rest is for the
 * loop's, which asks.
 */
#ifndef AGENT_API_REVIEWS_H
#define AGENT_API_REVIEWS_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "agent/base/loop.h"

#define REVIEWS_MAX	    1024
#define REVIEWS_WAITING_MAX 64
#define REVIEW_GOOD_MS	    60000
#define REVIEW_BAD_MS	    5000
#define REVIEW_TROUBLE_MS   1000
#define REVIEW_SOURCES_MAX  1024 /* addresses that are counted */
#define REVIEW_BURST	    20	 /* reviews of one address at once */
#define REVIEW_EVERY_MS	    500	 /* and then one in that time */
#define REVIEW_USER_MAX	    250
#define REVIEW_WHY_MAX	    400

enum review_claim {
	REVIEW_NONE,	 /* it was not asked */
	REVIEW_WAITS,	 /* look again when you are woken */
	REVIEW_TOO_MANY, /* of this address, or of all; nothing is asked */
	REVIEW_TROUBLE,	 /* the API server does not say */
	REVIEW_NOBODY,
	REVIEW_SOMEBODY
};
struct reviewed {
	enum review_claim claim;
	bool may_read, may_write;
	char user[REVIEW_USER_MAX + 1]; /* of SOMEBODY */
	char why[REVIEW_WHY_MAX + 1];	/* of TROUBLE and NOBODY */
};

/* Who asks the API server: on the loop's thread; each is answered by reviews_said() once. */
struct reviews;
struct review;
struct reviews_place {
	void (*ask)(void *arg, const char *token, struct review *v); /* copies the token */
	void *arg;
	/* From the loop's thread, after something was said; NULL: nobody is woken. */
	void (*wake)(void *arg);
	void *wake_arg;
};
/* -errno: no descriptor, no random bytes. The clock is the loop's. */
MUST_CHECK int reviews_new(struct loop *l, const struct reviews_place *p, struct reviews **out);
/* Before anybody looks. */
void reviews_wake(struct reviews *r, void (*wake)(void *arg), void *arg);
/* The claim is one of those that reviews_look() gives, but WAITS and TOO_MANY. */
void reviews_said(struct reviews *r, struct review *v, const struct reviewed *what);
/* After the last look, and when nobody says anything any more. NULL is fine. */
void reviews_free(struct reviews *r);

/* From any thread. The token is printable ASCII; `from` is whom it is counted for. */
struct reviewed reviews_look(struct reviews *r, const char *token, const struct addr *from);

#endif
