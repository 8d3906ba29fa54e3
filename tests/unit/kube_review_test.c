/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch/kube_review.c: what the API server is asked of a token, and what its answers are taken for. */
#include "watch/kube_review.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"
#include "tests/lib/turned_clock.h"

#define REQUESTS_MAX 8
#define TOKENS	     "/apis/authentication.k8s.io/v1/tokenreviews"
#define RIGHTS	     "/apis/authorization.k8s.io/v1/subjectaccessreviews"

struct fixture {
	struct http http;
	struct loop *loop;
	struct kube_reviewer *reviewer;
	struct {
		struct http_request r; /* its strings are gone but for these */
		char path[128], token[64];
		char *body;
	} requests[REQUESTS_MAX];
	unsigned started, cancelled;
	/* What was said: */
	unsigned said;
	enum kube_verdict verdict;
	char user[KUBE_REVIEW_USER_MAX + 1], why[400];
	bool may_read, may_write;
};

static http_id on_start(struct http *h, const struct http_request *r)
{
	struct fixture *f = (struct fixture *)h;
	unsigned i = f->started++;

	assert_true(i < REQUESTS_MAX);
	assert_string_equal(r->method, "POST");
	f->requests[i].r = *r;
	snprintf(f->requests[i].path, sizeof(f->requests[i].path), "%s", r->path);
	snprintf(f->requests[i].token, sizeof(f->requests[i].token), "%s",
		 r->token ? r->token : "");
	f->requests[i].body = xstrndup(r->body, r->body_len);
	return i + 1;
}

static void on_cancel(struct http *h, http_id id)
{
	(void)id;
	((struct fixture *)h)->cancelled++;
}

static int on_trust(struct http *h, const struct http_trust *t)
{
	(void)h, (void)t;
	return 0;
}

static void on_free(struct http *h)
{
	(void)h;
}

static const struct http_ops ops = {
	.start = on_start, .cancel = on_cancel, .trust = on_trust, .free = on_free
};

static void on_reviewed(void *arg, const struct kube_reviewed *r)
{
	struct fixture *f = arg;

	f->said++;
	f->verdict = r->verdict;
	f->may_read = r->may_read;
	f->may_write = r->may_write;
	snprintf(f->user, sizeof(f->user), "%s", r->user);
	snprintf(f->why, sizeof(f->why), "%s", r->why);
}

static int set_up(void **state)
{
	static const char *const servers[] = { "https://a", "https://b" };
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct kube_access access = { .token = xstrdup("agents-own") };

	f->http.ops = &ops;
	assert_int_equal(loop_new(&turned_clock, &f->loop), 0);
	assert_int_equal(kube_access_set_servers(&access, servers, 2, NULL), 0);
	f->reviewer = kube_reviewer_new(f->loop, &f->http, &access, "node");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	kube_reviewer_free(f->reviewer);
	loop_free(f->loop);
	for (unsigned i = 0; i < f->started; i++)
		free(f->requests[i].body);
	free(f);
	return 0;
}

static void end(struct fixture *f, unsigned i, int status, const char *body,
		enum http_result result)
{
	const struct http_status s = { .status = status,
				       .retry_after_s = -1,
				       .content_type = "application/json",
				       .server_warning = "" };
	const struct http_request r = f->requests[i].r;
	const struct err err = { .text = "cut" };

	assert_true(i < f->started);
	if (status)
		r.status(r.arg, &s);
	if (status)
		(void)r.data(r.arg, body, strlen(body));
	r.end(r.arg, result, &err);
}

static void answer(struct fixture *f, unsigned i, const char *body)
{
	end(f, i, 201, body, HTTP_DONE);
}

static void ask(struct fixture *f)
{
	(void)!kube_reviewer_ask(f->reviewer, "ey\"A\\", on_reviewed, f);
}

#define ALICE                                                                                      \
	"{\"spec\":{\"token\":\"eyA\"},\"status\":{\"authenticated\":true,\"user\":{"              \
	"\"username\":\"al\\\"ice\",\"uid\":\"u-1\",\"groups\":[\"g1\",\"system:authenticated\"]," \
	"\"extra\":{\"scope\":[\"a\",\"b\"],\"k\":[]}}}}"
#define ALLOWED "{\"status\":{\"allowed\":true}}"
#define REFUSED "{\"status\":{\"allowed\":false,\"reason\":\"no\"}}"

static void who_is_known_is_asked_for_with_all_that_is_known_of_him(void **state)
{
	struct fixture *f = *state;

	ask(f);
	assert_int_equal(f->started, 1);
	assert_string_equal(f->requests[0].path, TOKENS);
	assert_string_equal(f->requests[0].token, "agents-own");
	assert_string_equal(f->requests[0].body,
			    "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
			    "\"spec\":{\"token\":\"ey\\\"A\\\\\"}}");
	answer(f, 0, ALICE);
	assert_int_equal(f->said, 0);
	assert_int_equal(f->started, 3);
	assert_string_equal(f->requests[1].path, RIGHTS);
	assert_string_equal(
		f->requests[1].body,
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\","
		"\"spec\":{\"user\":\"al\\\"ice\",\"uid\":\"u-1\",\"groups\":[\"g1\","
		"\"system:authenticated\"],\"extra\":{\"scope\":[\"a\",\"b\"],\"k\":[]},"
		"\"nonResourceAttributes\":{\"path\":\"/parasaus\",\"verb\":\"get\"}}}");
	assert_non_null(strstr(f->requests[2].body, "\"verb\":\"update\""));
	answer(f, 2, REFUSED);
	answer(f, 1, ALLOWED);
	assert_int_equal(f->said, 1);
	assert_int_equal(f->verdict, KUBE_REVIEW_SOMEBODY);
	assert_string_equal(f->user, "al\"ice");
	assert_true(f->may_read);
	assert_false(f->may_write);
}

static void rights_are_those_that_are_granted_in_so_many_words(void **state)
{
	static const struct {
		const char *text;
		bool may;
	} cases[] = {
		{ ALLOWED, true },
		{ REFUSED, false },
		{ "{\"status\":{}}", false },
		{ "{\"status\":{\"allowed\":\"true\"}}", false },
		{ "{\"status\":{\"allowed\":1}}", false },
		{ "{\"status\":{\"allowed\":true,\"denied\":true}}", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *f;

		if (i > 0)
			(void)tear_down(state), (void)set_up(state);
		f = *state;
		ask(f);
		answer(f, 0, ALICE);
		answer(f, 1, ALLOWED);
		answer(f, 2, cases[i].text);
		assert_int_equal(f->verdict, KUBE_REVIEW_SOMEBODY);
		assert_int_equal(f->may_write, cases[i].may);
	}
}

static void who_is_not_known_is_nobody(void **state)
{
	static const char *const texts[] = {
		"{\"status\":{\"authenticated\":false,\"error\":\"expired\"}}",
		"{\"status\":{}}",
		"{\"status\":{\"authenticated\":\"true\",\"user\":{\"username\":\"a\"}}}",
		"{\"status\":{\"authenticated\":true}}",
		"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"\"}}}",
		"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"a\\u001b[2J\"}}}",
		"{\"status\":{\"user\":{\"username\":\"a\"}}}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ask(f);
		answer(f, f->started - 1, texts[i]);
		assert_int_equal(f->said, i + 1);
		assert_int_equal(f->verdict, KUBE_REVIEW_NOBODY);
		assert_string_equal(f->user, "");
		assert_true(*f->why);
	}
	assert_int_equal(f->started, ARRAY_LEN(texts)); /* nobody's rights are asked for */
}

static void what_is_not_said_is_trouble(void **state)
{
	static const struct {
		int status;
		const char *body, *why;
		enum http_result result;
	} cases[] = {
		{ 403, "{\"kind\":\"Status\",\"message\":\"no\"}",
		  "it takes the right to create tokenreviews: ", HTTP_DONE },
		{ 201, "{\"status\":", "cannot be read", HTTP_DONE },
		{ 201, "[]", "cannot be read", HTTP_DONE },
		{ 201, "{}", "cannot be read", HTTP_DONE },
		{ 429, "", "HTTP 429", HTTP_DONE },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(f);
		end(f, f->started - 1, cases[i].status, cases[i].body, cases[i].result);
		assert_int_equal(f->said, i + 1);
		assert_int_equal(f->verdict, KUBE_REVIEW_TROUBLE);
		if (!strstr(f->why, cases[i].why))
			fail_msg("%s", f->why);
	}
}

/* The other's no is not waited for in vain, and its yes is not enough. */
static void trouble_with_one_right_is_trouble(void **state)
{
	struct fixture *f = *state;

	ask(f);
	answer(f, 0, ALICE);
	end(f, 1, 403, "{\"kind\":\"Status\",\"message\":\"no\"}", HTTP_DONE);
	assert_int_equal(f->said, 0);
	answer(f, 2, ALLOWED);
	assert_int_equal(f->verdict, KUBE_REVIEW_TROUBLE);
	assert_non_null(strstr(f->why, "create subjectaccessreviews"));
	assert_string_equal(f->user, "");
}

static void another_server_is_asked_once(void **state)
{
	struct fixture *f = *state;

	ask(f);
	end(f, 0, 0, "", HTTP_REFUSED);
	assert_int_equal(f->said, 0);
	assert_int_equal(f->started, 2);
	assert_string_equal(f->requests[1].body, f->requests[0].body);
	end(f, 1, 0, "", HTTP_REFUSED);
	assert_int_equal(f->said, 1);
	assert_int_equal(f->verdict, KUBE_REVIEW_TROUBLE);
	assert_non_null(strstr(f->why, "cut"));
}

/* It may be in what a proxy of the API server's says, and that is logged. */
static void what_repeats_the_token_is_not_told(void **state)
{
	struct fixture *f = *state;

	ask(f);
	end(f, 0, 400, "bad request: {\"spec\":{\"token\":\"eyA\"}}", HTTP_DONE);
	assert_int_equal(f->verdict, KUBE_REVIEW_TROUBLE);
	assert_non_null(strstr(f->why, "answered HTTP 400"));
	assert_null(strstr(f->why, "eyA"));
}

static void a_long_answer_is_not_read(void **state)
{
	struct fixture *f = *state;
	char *text = xcalloc(1, KUBE_REVIEW_MAX + 2);

	memset(text, ' ', KUBE_REVIEW_MAX + 1);
	ask(f);
	end(f, 0, 201, text, HTTP_STOPPED);
	assert_int_equal(f->verdict, KUBE_REVIEW_TROUBLE);
	free(text);
}

static void who_leaves_is_told_nothing(void **state)
{
	struct fixture *f = *state;

	kube_review_cancel(kube_reviewer_ask(f->reviewer, "a", on_reviewed, f));
	assert_int_equal(f->cancelled, 1);
	ask(f);
	answer(f, 1, ALICE);
	kube_reviewer_free(f->reviewer);
	f->reviewer = NULL;
	assert_int_equal(f->cancelled, 3);
	assert_int_equal(f->said, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_is_known_is_asked_for_with_all_that_is_known_of_him),
		TEST(rights_are_those_that_are_granted_in_so_many_words),
		TEST(who_is_not_known_is_nobody),
		TEST(what_is_not_said_is_trouble),
		TEST(trouble_with_one_right_is_trouble),
		TEST(another_server_is_asked_once),
		TEST(what_repeats_the_token_is_not_told),
		TEST(a_long_answer_is_not_read),
		TEST(who_leaves_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
