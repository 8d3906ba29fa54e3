/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens of a cluster that let people in from beyond loopback: what
 * agent/api/reviews.h wants to know is asked of the API server of the first
 * source that is a cluster, in the agent's own name and over connections of its
 * own, which are made when they are wanted first.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/reviews.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "watch/kube_review.h"

static_assert(REVIEW_USER_MAX >= KUBE_REVIEW_USER_MAX, "every name has room");

/* Of one that is asked for. */
struct inquiry {
	struct core *core;
	struct review *review;
	struct inquiry *next, **place;
};

static void say_trouble(struct core *c, struct review *v, const char *why)
{
	struct reviewed what = { .claim = REVIEW_TROUBLE };

	snprintf(what.why, sizeof(what.why), "%s", why);
	reviews_said(c->reviews, v, &what);
}

/* Told once, and once more when it is another one: who asks is told each time. */
static void note_trouble(struct core *c, const char *why)
{
	if (why && (!c->review_trouble || strcmp(why, c->review_trouble) != 0))
		log_warn("api", "tokens cannot be reviewed: %s", why);
	else if (!why && c->review_trouble)
		log_info("api", "tokens are reviewed again");
	else
		return;
	free(c->review_trouble);
	c->review_trouble = why ? xstrdup(why) : NULL;
}

static void inquiry_free(struct inquiry *q)
{
	*q->place = q->next;
	if (q->next)
		q->next->place = q->place;
	free(q);
}

static void on_reviewed(void *arg, const struct kube_reviewed *r)
{
	static const enum review_claim claims[] = {
		[KUBE_REVIEW_TROUBLE] = REVIEW_TROUBLE,
		[KUBE_REVIEW_NOBODY] = REVIEW_NOBODY,
		[KUBE_REVIEW_SOMEBODY] = REVIEW_SOMEBODY,
	};
	struct inquiry *q = arg;
	struct core *c = q->core;
	struct reviewed what = { .claim = claims[r->verdict],
				 .may_read = r->may_read,
				 .may_write = r->may_write };

	snprintf(what.user, sizeof(what.user), "%s", r->user);
	snprintf(what.why, sizeof(what.why), "%s", r->why);
	note_trouble(c, r->verdict == KUBE_REVIEW_TROUBLE ? r->why : NULL);
	reviews_said(c->reviews, q->review, &what);
	inquiry_free(q);
}

static void ask(void *arg, const char *token, struct review *v)
{
	struct core *c = arg;
	struct inquiry *q;
	struct err err = { 0 };

	if (!c->reviewer)
		c->reviewer = source_kubernetes_reviewer(
			&c->sources[config_first_cluster(c->config)], &err);
	if (!c->reviewer) {
		note_trouble(c, err.text);
		say_trouble(c, v, err.text);
		return;
	}
	q = xcalloc(1, sizeof(*q));
	q->core = c;
	q->review = v;
	q->next = c->inquiries;
	q->place = &c->inquiries;
	if (q->next)
		q->next->place = &q->next;
	c->inquiries = q;
	(void)!kube_reviewer_ask(c->reviewer, token, on_reviewed, q); /* ends with the reviewer */
}

int reviews_start(struct core *c)
{
	const struct reviews_place place = { .ask = ask, .arg = c };
	int r = c->config->kubernetes_tokens ? reviews_new(c->loop, &place, &c->reviews) : 0;

	if (r < 0)
		log_error("api", "no tokens of a cluster can be reviewed: %s", strerror(-r));
	return r;
}

void reviews_quiet(struct core *c)
{
	kube_reviewer_free(c->reviewer);
	c->reviewer = NULL;
	for (struct inquiry *q = c->inquiries, *next; q; q = next) {
		next = q->next;
		free(q);
	}
	c->inquiries = NULL;
}

void reviews_end(struct core *c)
{
	reviews_free(c->reviews);
	c->reviews = NULL;
	free(c->review_trouble);
	c->review_trouble = NULL;
}
