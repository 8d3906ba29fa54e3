/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an API server answers to an edit of a pool: "METHOD TARGET" and the body
 * of the request on two lines, then answers of the server in the order in which
 * they are asked for, "STATUS" and a body each, with a line "---" between them.
 * When they are used up it does not answer any more. Whatever it says, the
 * request is answered, and what is asked for are paths of the pool's namespace.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit.h"
#include "agent/api/schema.h"
#include "agent/base/doc.h"
#include "agent/base/xalloc.h"

#define ASKS_MAX 10000 /* of one request */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct call {
	struct call *next;
	edit_said_fn *fn;
	void *arg;
};

static struct fuzzed {
	struct edits *edits;
	struct pool_rules rules;
	struct edit_cluster cluster;
	struct edit_source source;
	struct call *calls, **last;
	unsigned asks;
	char *answers;
} f;

static void *ask(void *arg, const struct edit_ask *q, edit_said_fn *fn, void *fn_arg)
{
	struct call *c = xcalloc(1, sizeof(*c));

	(void)arg;
	assert(++f.asks < ASKS_MAX);
	assert(strcmp(q->token, "t0ken") == 0);
	assert(strncmp(q->path, "/api/v1/namespaces/", 19) == 0 ||
	       strncmp(q->path, "/apis/", 6) == 0);
	for (const char *p = q->path; *p; p++)
		assert(*p > ' ' && *p <= '~');
	if (*q->json) {
		struct doc_set set = { 0 };
		int r = doc_read_json(q->json, strlen(q->json), &DOC_LIMITS_DEFAULT, &set, NULL);

		assert(r == 0);
		doc_set_done(&set);
	}
	*c = (struct call){ .fn = fn, .arg = fn_arg };
	*f.last = c;
	f.last = &c->next;
	return c;
}

static void cancel(void *arg, void *call)
{
	(void)arg;
	(void)call;
	abort(); /* nobody leaves here */
}

/* The next of them; NULL: there is none. */
static char *next_answer(void)
{
	char *a = f.answers, *end = a ? strstr(a, "\n---\n") : NULL;

	f.answers = end ? end + 5 : NULL;
	if (end)
		*end = '\0';
	return a;
}

static void answer_next(void)
{
	struct call *c = f.calls;
	char *a = next_answer(), *body = a ? strchr(a, '\n') : NULL;
	struct edit_said s = { .body = body ? body + 1 : "", .why = "" };

	f.calls = c->next;
	if (!f.calls)
		f.last = &f.calls;
	s.status = a ? atoi(a) : 0;
	s.status = s.status >= 200 && s.status < 600 ? s.status : 0;
	s.len = strlen(s.body);
	if (s.status < 200 || s.status >= 300)
		s.why = "it said no";
	c->fn(c->arg, &s);
	free(c);
}

static void on_answer(void *arg, struct rest_reply *reply)
{
	*(struct rest_reply *)arg = *reply;
}

static void check_reply(struct rest_reply *r)
{
	struct doc_set set = { 0 };
	int n = doc_read_json(r->body.data, r->body.len, &DOC_LIMITS_DEFAULT, &set, NULL);

	assert(n == 0 && set.count == 1);
	doc_set_done(&set);
	assert((r->status < 300) != (strcmp(r->type, REST_PROBLEM) == 0));
}

static void set_up(void)
{
	static struct addr_range vip;
	static struct address_pool pool = { .name = (char *)(uintptr_t) "p",
					    .addresses = &vip,
					    .address_count = 1,
					    .ports = { 30000, 32767 } };
	int r = addr_range_parse("10.0.0.1", &vip);

	assert(r == 0);
	f.edits = edits_new();
	f.cluster = (struct edit_cluster){ ask, cancel, NULL };
	f.source = (struct edit_source){ "kubernetes", "east", &f.cluster };
	f.rules = (struct pool_rules){
		.address_pools = &pool,
		.address_pool_count = 1,
		.defaults = { .scheduler = "wrr", .weight = 1, .check = check_new(CHECK_TCP) }
	};
}

static void run(const struct rest_request *r)
{
	const struct edit_place place = { .edits = f.edits,
					  .rules = &f.rules,
					  .sources = &f.source,
					  .source_count = 1,
					  .store_source = 9,
					  .now = { 1 },
					  .now_ms = 1 };
	struct rest_reply reply = { 0 };

	f.calls = NULL;
	f.last = &f.calls;
	f.asks = 0;
	edit_begin(&place, r, on_answer, &reply);
	while (f.calls)
		answer_next();
	assert(reply.status);
	check_reply(&reply);
	rest_reply_done(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size), *rest = text;
	struct rest_request r = { .header_bytes = 100,
				  .request_id = "r1",
				  .if_match = "*",
				  .has_cluster = true,
				  .bearer = { .claim = BEARER_UNKNOWN },
				  .authorization = "Bearer t0ken" };
	struct rest_reply early = { 0 };

	if (!f.edits)
		set_up();
	r.method = strsep(&rest, " ");
	r.target = rest ? strsep(&rest, "\n") : NULL;
	r.body = rest ? strsep(&rest, "\n") : NULL;
	r.body_len = r.body ? strlen(r.body) : 0;
	r.has_body = r.body_len > 0;
	r.content_type = strcmp(r.method, "PATCH") == 0 ? REST_MERGE_PATCH : REST_JSON;
	f.answers = rest;
	/* Pools alone are a cluster's. */
	if (r.target && (strncmp(r.target, "/api/v1/pools", 13) == 0 ||
			 strncmp(r.target, "/api/v1/operations?pool=", 24) == 0)) {
		switch (edit_admit(&r, &early)) {
		case EDIT_ADMITTED:
			run(&r);
			break;
		case EDIT_REFUSED:
			rest_reply_done(&early);
			break;
		case EDIT_NOT_OURS:
			break;
		}
	}
	free(text);
	return 0;
}
