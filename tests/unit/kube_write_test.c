/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch/kube_write.c: what goes out in whose name, over an HTTP that only looks. */
#include "watch/kube_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "tests/lib/turned_clock.h"
#include "watch/kube_credentials.h"

struct fixture {
	struct http http;
	struct loop *loop;
	struct kube_writer *writer;
	struct http_request request; /* the last that was started; its strings are copies */
	char method[16], path[128], token[64], body[128];
	unsigned started, cancelled;
	bool has_cert, has_ca;
	/* What was said: */
	unsigned said;
	int status;
	char text[256], why[256];
	char dir[64], config[128];
};

static http_id on_start(struct http *h, const struct http_request *r)
{
	struct fixture *f = (struct fixture *)h;

	f->request = *r;
	snprintf(f->method, sizeof(f->method), "%s", r->method);
	snprintf(f->path, sizeof(f->path), "%s%s", r->server, r->path);
	snprintf(f->token, sizeof(f->token), "%s", r->token ? r->token : "");
	snprintf(f->body, sizeof(f->body), "%.*s", (int)r->body_len,
		 r->body ? (const char *)r->body : "");
	return ++f->started;
}

static void on_cancel(struct http *h, http_id id)
{
	(void)id;
	((struct fixture *)h)->cancelled++;
}

static int on_trust(struct http *h, const struct http_trust *t)
{
	struct fixture *f = (struct fixture *)h;

	f->has_cert = t->cert_pem || t->key_pem;
	f->has_ca = t->ca_pem != NULL;
	return 0;
}

static void on_free(struct http *h)
{
	(void)h;
}

static const struct http_ops ops = {
	.start = on_start, .cancel = on_cancel, .trust = on_trust, .free = on_free
};

static void on_said(void *arg, const struct kube_said *s)
{
	struct fixture *f = arg;

	f->said++;
	f->status = s->status;
	assert_int_equal(s->body[s->len], '\0');
	snprintf(f->text, sizeof(f->text), "%s", s->body);
	snprintf(f->why, sizeof(f->why), "%s", s->why);
}

/* A kubeconfig with a certificate and a token of the agent's own. */
static void write_config(struct fixture *f, const char *more)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_printf(&b,
		   "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
		   "clusters: [{name: c, cluster: {server: \"https://a\", "
		   "certificate-authority-data: %s}}]\n"
		   "users: [{name: u, user: {token: agents-own, client-certificate-data: %s, "
		   "client-key-data: %s}}]\n"
		   "contexts: [{name: c, context: {cluster: c, user: u}}]\n%s\n",
		   "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K",
		   "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K",
		   "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCkFBCi0tLS0tRU5EIFBSSVZBVEUgS0VZLS0tLS0K",
		   more);
	assert_int_equal(file_write(f->config, b.data, b.len, NULL), 0);
}

static int set_up(void **state)
{
	static struct fixture f;
	struct kube_access access = { 0 };
	struct err err = { 0 };

	f = (struct fixture){ .http = { &ops }, .dir = "/tmp/kube_write_test.XXXXXX" };
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.config, sizeof(f.config), "%s/config", f.dir);
	write_config(&f, "");
	assert_int_equal(loop_new(&turned_clock, &f.loop), 0);
	if (kubeconfig_read(f.config, NULL, &access, &err) < 0)
		fail_msg("%s", err.text);
	assert_non_null(access.token);
	assert_non_null(access.cert.data);
	f.writer = kube_writer_new(f.loop, &f.http, &access, "node");
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	kube_writer_free(f->writer);
	loop_free(f->loop);
	unlink(f->config);
	rmdir(f->dir);
	return 0;
}

static void answer(struct fixture *f, int status, const char *body, enum http_result result)
{
	const struct http_status s = { .status = status,
				       .retry_after_s = -1,
				       .content_type = "application/json",
				       .server_warning = "" };
	const struct http_request r = f->request;
	const struct err err = { .text = "cut" };
	bool more = true;

	if (status)
		r.status(r.arg, &s);
	if (status)
		more = r.data(r.arg, body, strlen(body));
	assert_true(more);
	r.end(r.arg, result, &err);
}

static struct kube_call *ask(struct fixture *f)
{
	return kube_writer_ask(f->writer, "PUT", "/x", "alices", "{}", on_said, f);
}

static void a_request_has_the_persons_token_and_nothing_of_ours(void **state)
{
	struct fixture *f = *state;

	(void)!ask(f);
	assert_string_equal(f->method, "PUT");
	assert_string_equal(f->path, "https://a/x");
	assert_string_equal(f->token, "alices");
	assert_string_equal(f->body, "{}");
	assert_false(f->has_cert);
	assert_true(f->has_ca);
	answer(f, 200, "{\"a\":1}", HTTP_DONE);
	assert_int_equal(f->said, 1);
	assert_int_equal(f->status, 200);
	assert_string_equal(f->text, "{\"a\":1}");
	assert_string_equal(f->why, "");
}

static void a_kubeconfig_that_is_read_again_brings_nothing_of_ours(void **state)
{
	struct fixture *f = *state;

	write_config(f, "# another one");
	now_ms += KUBE_TRUST_EVERY_MS + 1;
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_false(f->has_cert);
	(void)!ask(f);
	assert_string_equal(f->token, "alices");
	answer(f, 200, "{}", HTTP_DONE);
}

static void an_error_comes_with_its_words(void **state)
{
	struct fixture *f = *state;

	(void)!ask(f);
	answer(f, 403, "{\"kind\":\"Status\",\"message\":\"you cannot\"}", HTTP_DONE);
	assert_int_equal(f->status, 403);
	assert_non_null(strstr(f->text, "you cannot"));
	assert_string_equal(f->why, "https://a answered HTTP 403: you cannot");
	(void)!ask(f);
	answer(f, 401, "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}", HTTP_DONE);
	assert_int_equal(f->status, 401);
}

static void half_an_answer_is_none(void **state)
{
	struct fixture *f = *state;

	(void)!ask(f);
	answer(f, 200, "{\"a\":", HTTP_CUT);
	assert_int_equal(f->status, 0);
	assert_non_null(strstr(f->why, "cut"));
	(void)!ask(f);
	answer(f, 0, "", HTTP_REFUSED);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->said, 2);
}

static void who_leaves_is_told_nothing(void **state)
{
	struct fixture *f = *state;

	kube_call_cancel(ask(f));
	assert_int_equal(f->cancelled, 1);
	(void)!ask(f);
	kube_writer_free(f->writer);
	f->writer = NULL;
	assert_int_equal(f->cancelled, 2);
	assert_int_equal(f->said, 0);
}

static void tokens_are_not_told_over_plain_http(void **state)
{
	static const char *const servers[] = { "http://10.0.0.1:8080", "http://127.0.0.1:8080",
					       "https://10.0.0.1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		struct kube_access a = { 0 };

		assert_int_equal(kube_access_set_servers(&a, &servers[i], 1, NULL), 0);
		assert_int_equal(kube_access_may_tell(&a), i > 0);
		kube_access_done(&a);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_has_the_persons_token_and_nothing_of_ours),
		TEST(a_kubeconfig_that_is_read_again_brings_nothing_of_ours),
		TEST(an_error_comes_with_its_words),
		TEST(half_an_answer_is_none),
		TEST(who_leaves_is_told_nothing),
		cmocka_unit_test(tokens_are_not_told_over_plain_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
