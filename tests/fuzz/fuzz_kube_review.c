/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers of an API server to the review of a token: the input is the TokenReview,
 * a line of 0xff, and the SubjectAccessReview for both rights. Whatever it says,
 * nobody is let in but under a name that can be shown, and what is asked is JSON.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "tests/lib/fake_http.h"
#include "tests/lib/turned_clock.h"
#include "watch/kube_review.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUESTS_MAX 3

struct ground {
	struct http *http;
	char *user; /* whose rights are asked for */
	unsigned said;
};

/* It may have texts that are no UTF-8, which the API server refuses: then nobody is let in. */
static void take_question(struct ground *g, const struct fake_request *r)
{
	struct doc_set set = { 0 };
	const char *user;

	if (doc_read_json(r->body, strlen(r->body), &DOC_LIMITS_DEFAULT, &set, NULL) < 0)
		return;
	assert(set.count == 1 && doc_get(set.roots[0], "spec"));
	user = doc_string(doc_get(doc_get(set.roots[0], "spec"), "user"));
	if (user && !g->user)
		g->user = xstrdup(user);
	doc_set_done(&set);
}

static void on_reviewed(void *arg, const struct kube_reviewed *r)
{
	struct ground *g = arg;

	g->said++;
	if (r->verdict != KUBE_REVIEW_SOMEBODY) {
		assert(!*r->user && *r->why);
		return;
	}
	assert(*r->user && strlen(r->user) <= KUBE_REVIEW_USER_MAX);
	for (const unsigned char *p = (const unsigned char *)r->user; *p; p++)
		assert(*p >= ' ' && *p != 0x7f);
	assert(!g->user || strcmp(g->user, r->user) == 0);
}

/* To the first request that waits. */
static void answer(struct ground *g, const void *data, size_t size)
{
	struct fake_request *r = fake_http_find(g->http, "", "");
	http_id id = r->id;

	take_question(g, r);
	fake_http_status(r, 201, -1, NULL);
	fake_http_data(r, data, size);
	if ((r = fake_http_get(g->http, id)))
		fake_http_end(r, HTTP_DONE, NULL);
}

static void review(struct ground *g, const uint8_t *data, size_t size)
{
	const uint8_t *cut = size ? memchr(data, 0xff, size) : NULL;
	size_t first = cut ? (size_t)(cut - data) : size;
	const uint8_t *rights = cut ? cut + 1 : data + size;
	size_t left = cut ? size - first - 1 : 0;

	answer(g, data, first);
	while (fake_http_count(g->http))
		answer(g, rights, left);
	assert(fake_http_total(g->http) <= REQUESTS_MAX);
	assert(g->said == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const servers[] = { "https://a" };
	struct ground g = { 0 };
	struct kube_access access = { 0 };
	struct kube_reviewer *r;
	struct loop *l;
	int bad = loop_new(&turned_clock, &l) | kube_access_set_servers(&access, servers, 1, NULL);

	assert(!bad);
	g.http = fake_http_new(l, NULL, NULL);
	r = kube_reviewer_new(l, g.http, &access, "node");
	(void)!kube_reviewer_ask(r, "eyA", on_reviewed, &g);
	assert(fake_http_count(g.http) == 1);
	review(&g, data, size);
	kube_reviewer_free(r);
	loop_free(l);
	free(g.user);
	return 0;
}
