/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch/kube_credentials.c with files of its own, a clock that is turned, and an HTTP that only looks. */
#include "watch/kube_credentials.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "tests/lib/turned_clock.h"

#define CERT(body) "-----BEGIN CERTIFICATE-----\n" body "\n-----END CERTIFICATE-----\n"
#define KEY(body)  "-----BEGIN PRIVATE KEY-----\n" body "\n-----END PRIVATE KEY-----\n"

/* The HTTP: what trust it was given is written down. */
struct fixture {
	struct http http;
	struct loop *loop;
	char dir[64];
	struct kube_credentials *c;
	struct buf trust;    /* of the last time */
	struct buf problems; /* since they were looked at */
	int trusts;
	int trust_result;
};

static int on_trust(struct http *h, const struct http_trust *t)
{
	struct fixture *f = (struct fixture *)h;

	f->trusts++;
	if (f->trust_result < 0)
		return f->trust_result;
	buf_reset(&f->trust);
	if (t->ca_pem)
		buf_printf(&f->trust, "ca %.*s", (int)t->ca_len, t->ca_pem);
	if (t->cert_pem)
		buf_printf(&f->trust, "cert %.*s", (int)t->cert_len, t->cert_pem);
	if (t->key_pem)
		buf_printf(&f->trust, "key %.*s", (int)t->key_len, t->key_pem);
	if (t->server_name)
		buf_printf(&f->trust, "name %s", t->server_name);
	if (t->insecure)
		buf_str(&f->trust, "insecure");
	return 0;
}

static const struct http_ops ops = { .trust = on_trust };

static void on_problem(void *arg, const char *where, const char *text)
{
	struct fixture *f = arg;
	const char *file = strrchr(where, '/');

	buf_printf(&f->problems, "%s: %s\n", file ? file + 1 : where, text ? text : "-");
}

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .http = { &ops }, .dir = "/tmp/kube_credentials_test.XXXXXX" };
	assert_non_null(mkdtemp(f.dir));
	assert_int_equal(loop_new(&turned_clock, &f.loop), 0);
	*state = &f;
	return 0;
}

static char *path_of(const struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->dir, name);
}

static void drop(const struct fixture *f, const char *name)
{
	CLEANUP(xfree_ptr) char *path = path_of(f, name);

	unlink(path);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "token", "ca", "cert", "key", "config" };
	struct fixture *f = *state;

	kube_credentials_free(f->c);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		drop(f, names[i]);
	rmdir(f->dir);
	loop_free(f->loop);
	buf_done(&f->trust);
	buf_done(&f->problems);
	return 0;
}

static void put(const struct fixture *f, const char *name, const char *text)
{
	CLEANUP(xfree_ptr) char *path = path_of(f, name);

	assert_int_equal(file_write(path, text, strlen(text), NULL), 0);
}

static struct kube_access access_of(size_t servers)
{
	static const char *const all[] = { "https://a", "https://b", "https://c" };
	struct kube_access a = { .origin = xstrdup("/etc/config") };

	assert_int_equal(kube_access_set_servers(&a, all, servers, NULL), 0);
	return a;
}

static void begin(struct fixture *f, struct kube_access *a)
{
	f->c = kube_credentials_new(f->loop, &f->http, a, "node-1", on_problem, f);
	assert_int_equal(a->server_count, 0);
	assert_int_equal(f->problems.len, 0); /* never from inside */
}

static void pass(struct fixture *f, int64_t ms)
{
	now_ms += ms;
	for (int i = 0; i < 2; i++)
		assert_int_equal(loop_turn(f->loop, 0), 0);
}

static void assert_problems(struct fixture *f, const char *want)
{
	pass(f, 0);
	assert_string_equal(buf_cstr(&f->problems), want);
	buf_reset(&f->problems);
}

static void assert_token(const struct fixture *f, const char *want)
{
	const char *token = kube_credentials_token(f->c, NULL);

	if (!want || !token)
		assert_true(!want && !token);
	else
		assert_string_equal(token, want);
}

static uint32_t serial_of(const struct fixture *f)
{
	uint32_t serial;

	(void)kube_credentials_token(f->c, &serial);
	return serial;
}

/* --- tokens ------------------------------------------------------------------------ */

static void begin_with_token(struct fixture *f)
{
	struct kube_access a = access_of(1);

	a.token_path = path_of(f, "token");
	begin(f, &a);
}

static void a_token_file_is_read_each_minute(void **state)
{
	struct fixture *f = *state;

	put(f, "token", " \none\n\n");
	begin_with_token(f);
	assert_token(f, "one");
	put(f, "token", "two");
	pass(f, KUBE_TOKEN_EVERY_MS - 1000);
	assert_token(f, "one");
	pass(f, 1000);
	assert_token(f, "two");
	put(f, "token", "three\n");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_token(f, "three");
	assert_problems(f, "");
}

static void a_401_reads_it_at_once(void **state)
{
	struct fixture *f = *state;
	uint32_t first;

	put(f, "token", "one");
	begin_with_token(f);
	first = serial_of(f);
	assert_false(kube_credentials_unauthorized(f->c, first));
	put(f, "token", "two");
	assert_true(kube_credentials_unauthorized(f->c, first));
	assert_token(f, "two");
	/* Another request that had the first one need not wait either. */
	assert_true(kube_credentials_unauthorized(f->c, first));
	assert_false(kube_credentials_unauthorized(f->c, serial_of(f)));
}

static void a_bad_token_file_leaves_the_token(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_done) struct buf large = { 0 };

	put(f, "token", "one");
	begin_with_token(f);
	put(f, "token", "one two");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "token: the token has blanks or control characters in it\n");
	put(f, "token", "\n");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "token: the token is empty\n");
	memset(buf_add(&large, KUBE_TOKEN_MAX * 2), 'x', KUBE_TOKEN_MAX * 2);
	put(f, "token", buf_cstr(&large));
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "token: it is too large\n");
	drop(f, "token");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "token: No such file or directory\n");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "");
	assert_token(f, "one");
	put(f, "token", "one");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "token: -\n");
	assert_token(f, "one");
}

static void a_token_file_may_come_later(void **state)
{
	struct fixture *f = *state;

	begin_with_token(f);
	assert_token(f, NULL);
	assert_problems(f, "token: No such file or directory\n");
	put(f, "token", "one");
	assert_true(kube_credentials_unauthorized(f->c, serial_of(f)));
	assert_token(f, "one");
	assert_problems(f, "token: -\n");
}

static void an_inline_token_stays(void **state)
{
	struct fixture *f = *state;
	struct kube_access a = access_of(1);

	a.token = xstrdup("inline");
	begin(f, &a);
	assert_token(f, "inline");
	assert_false(kube_credentials_unauthorized(f->c, serial_of(f)));
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_token(f, "inline");
}

/* --- a kubeconfig ------------------------------------------------------------------ */

#define CONFIG(server, user)                                                             \
	"current-context: c\n"                                                           \
	"contexts: [{name: c, context: {cluster: k, user: u}}]\n"                        \
	"clusters: [{name: k, cluster: {server: '" server "', tls-server-name: api}}]\n" \
	"users: [{name: u, user: {" user "}}]\n"

static struct kube_access config_access(struct fixture *f, const char *text)
{
	CLEANUP(xfree_ptr) char *path = path_of(f, "config");
	struct kube_access a = { 0 };

	put(f, "config", text);
	assert_int_equal(kubeconfig_read(path, NULL, &a, NULL), 0);
	return a;
}

static void begin_with_config(struct fixture *f, const char *text)
{
	struct kube_access a = config_access(f, text);

	begin(f, &a);
}

static void a_kubeconfig_is_read_each_minute(void **state)
{
	struct fixture *f = *state;

	begin_with_config(f, CONFIG("https://a", "token: one"));
	assert_token(f, "one");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_int_equal(f->trusts, 1);
	assert_int_equal(serial_of(f), 1);
	put(f, "config", CONFIG("https://a", "token: two"));
	pass(f, KUBE_TOKEN_EVERY_MS - 1000);
	assert_token(f, "one");
	pass(f, 1000);
	assert_token(f, "two");
	assert_int_equal(f->trusts, 1); /* nothing of that has changed */
	assert_problems(f, "");
}

static void a_401_reads_the_kubeconfig_at_once(void **state)
{
	struct fixture *f = *state;

	begin_with_config(f, CONFIG("https://a", "token: one"));
	assert_false(kube_credentials_unauthorized(f->c, serial_of(f)));
	put(f, "config", CONFIG("https://a", "token: two"));
	assert_true(kube_credentials_unauthorized(f->c, serial_of(f)));
	assert_token(f, "two");
	assert_false(kube_credentials_unauthorized(f->c, serial_of(f)));
}

static void distrust_reads_the_kubeconfig_at_once(void **state)
{
	struct fixture *f = *state;

	begin_with_config(f, CONFIG("https://a", "token: one"));
	assert_string_equal(buf_cstr(&f->trust), "name api");
	put(f, "ca", CERT("1"));
	put(f, "config",
	    "current-context: c\n"
	    "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
	    "clusters: [{name: k, cluster: {server: 'https://a', certificate-authority: ca}}]\n"
	    "users: [{name: u, user: {token: one}}]\n");
	assert_true(kube_credentials_failed(f->c, "https://a", HTTP_UNTRUSTED));
	assert_string_equal(buf_cstr(&f->trust), "ca " CERT("1"));
	/* From now on that file is read, too. */
	put(f, "ca", CERT("2"));
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_string_equal(buf_cstr(&f->trust), "ca " CERT("2"));
}

static void a_bad_kubeconfig_changes_nothing_and_is_told_once(void **state)
{
	static const char *const bad[] = {
		"current-context: c\ncontexts: [{name: c, con", /* half written */
		"",
		CONFIG("https://a", "exec: {command: x}"),
	};
	struct fixture *f = *state;

	begin_with_config(f, CONFIG("https://a", "token: one"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put(f, "config", bad[i]);
		pass(f, KUBE_TOKEN_EVERY_MS);
		pass(f, 0);
		assert_int_equal(strncmp(buf_cstr(&f->problems), "config: ", 8), 0);
		buf_reset(&f->problems);
		pass(f, KUBE_TOKEN_EVERY_MS);
		assert_problems(f, "");
		assert_token(f, "one");
	}
	drop(f, "config");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "config: No such file or directory\n");
	put(f, "config", CONFIG("https://a", "token: one"));
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "config: -\n");
	assert_int_equal(f->trusts, 1);
	assert_int_equal(serial_of(f), 1);
}

static void another_server_takes_a_start(void **state)
{
	struct fixture *f = *state;

	begin_with_config(f, CONFIG("https://a", "token: one"));
	put(f, "config", CONFIG("https://b", "token: two"));
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "config: it names another server now, which takes a start of the "
			   "agent: https://a is asked on, as before\n");
	/* Nor does the first one get the second one's token. */
	assert_token(f, "one");
	assert_string_equal(kube_credentials_server(f->c), "https://a");
}

static void servers_of_our_own_stay_whatever_the_kubeconfig_names(void **state)
{
	static const char *const ours[] = { "https://c" };
	struct fixture *f = *state;
	struct kube_access a = config_access(f, CONFIG("https://a", "token: one"));

	assert_int_equal(kube_access_set_servers(&a, ours, 1, NULL), 0);
	begin(f, &a);
	put(f, "config", CONFIG("https://b", "token: two"));
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_token(f, "two");
	assert_string_equal(kube_credentials_server(f->c), "https://c");
	assert_problems(f, "");
}

static void trouble_with_a_file_ends_where_it_is_named_no_more(void **state)
{
	struct fixture *f = *state;

	begin_with_config(f, CONFIG("https://a", "tokenFile: token"));
	assert_token(f, NULL);
	assert_problems(f, "token: No such file or directory\n");
	put(f, "config", CONFIG("https://a", "tokenFile: key"));
	put(f, "key", "three");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_problems(f, "token: -\n");
	assert_token(f, "three");
	put(f, "key", "four");
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_token(f, "four");
	/* What a file that is gone said is not said any more. */
	put(f, "config", CONFIG("https://a", "tokenFile: token"));
	pass(f, KUBE_TOKEN_EVERY_MS);
	assert_token(f, NULL);
	assert_problems(f, "token: No such file or directory\n");
}

/* --- trust -------------------------------------------------------------------------- */

static void begin_with_trust(struct fixture *f, const char *ca, const char *cert, const char *key)
{
	struct kube_access a = access_of(1);

	a.ca.path = ca ? path_of(f, ca) : NULL;
	a.cert.path = cert ? path_of(f, cert) : NULL;
	a.key.path = key ? path_of(f, key) : NULL;
	begin(f, &a);
}

static void trust_is_set_where_it_changed(void **state)
{
	struct fixture *f = *state;

	put(f, "ca", CERT("1"));
	begin_with_trust(f, "ca", NULL, NULL);
	assert_int_equal(f->trusts, 1);
	assert_string_equal(buf_cstr(&f->trust), "ca " CERT("1"));
	put(f, "ca", CERT("1"));
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_int_equal(f->trusts, 1);
	put(f, "ca", CERT("2"));
	pass(f, KUBE_TRUST_EVERY_MS - 1000);
	assert_int_equal(f->trusts, 1);
	pass(f, 1000);
	assert_int_equal(f->trusts, 2);
	assert_string_equal(buf_cstr(&f->trust), "ca " CERT("2"));
}

static void what_is_inline_is_set_once(void **state)
{
	struct fixture *f = *state;
	struct kube_access a = access_of(1);

	a.ca = (struct kube_material){ .data = xstrdup(CERT("1")), .len = strlen(CERT("1")) };
	a.server_name = xstrdup("api.test");
	begin(f, &a);
	assert_string_equal(buf_cstr(&f->trust), "ca " CERT("1") "name api.test");
	assert_false(kube_credentials_failed(f->c, "https://a", HTTP_UNTRUSTED));
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_int_equal(f->trusts, 1);
}

static void distrust_reads_it_at_once(void **state)
{
	struct fixture *f = *state;

	put(f, "ca", CERT("1"));
	begin_with_trust(f, "ca", NULL, NULL);
	assert_false(kube_credentials_failed(f->c, "https://a", HTTP_UNTRUSTED));
	put(f, "ca", CERT("2"));
	assert_true(kube_credentials_failed(f->c, "https://a", HTTP_UNTRUSTED));
	assert_string_equal(buf_cstr(&f->trust), "ca " CERT("2"));
	assert_false(kube_credentials_failed(f->c, "https://a", HTTP_UNTRUSTED));
}

static void authorities_that_cannot_be_read_are_none(void **state)
{
	struct fixture *f = *state;

	begin_with_trust(f, "ca", NULL, NULL);
	assert_string_equal(buf_cstr(&f->trust), "ca "); /* not the system's */
	assert_problems(f, "ca: No such file or directory\n");
	put(f, "ca", CERT("1"));
	assert_true(kube_credentials_failed(f->c, "https://a", HTTP_UNTRUSTED));
	assert_string_equal(buf_cstr(&f->trust), "ca " CERT("1"));
	assert_problems(f, "ca: -\n");
	/* One that is half written leaves the good one in force. */
	put(f, "ca", "-----BEGIN CERTIFICATE-----\n");
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_int_equal(f->trusts, 2);
	assert_problems(f, "ca: it holds no whole certificate in PEM\n");
}

static void certificate_and_key_change_together(void **state)
{
	struct fixture *f = *state;

	put(f, "cert", CERT("1"));
	put(f, "key", KEY("1"));
	begin_with_trust(f, NULL, "cert", "key");
	assert_string_equal(buf_cstr(&f->trust), "cert " CERT("1") "key " KEY("1"));
	put(f, "cert", CERT("2"));
	drop(f, "key");
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_int_equal(f->trusts, 1);
	assert_problems(f, "key: No such file or directory\n");
	put(f, "key", KEY("2"));
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_string_equal(buf_cstr(&f->trust), "cert " CERT("2") "key " KEY("2"));
	assert_problems(f, "key: -\n");
}

/* As kubelet's kubelet-client-current.pem. */
static void one_file_may_hold_both(void **state)
{
	struct fixture *f = *state;

	put(f, "cert", CERT("1"));
	begin_with_trust(f, NULL, "cert", "cert");
	assert_problems(f, "cert: it holds no whole private key in PEM\n");
	put(f, "cert", KEY("1"));
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_problems(f, "cert: it holds no whole certificate in PEM\n");
	put(f, "cert", CERT("1") KEY("1"));
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_problems(f, "cert: -\n");
	assert_string_equal(buf_cstr(&f->trust),
			    "cert " CERT("1") KEY("1") "key " CERT("1") KEY("1"));
}

static void a_trust_that_is_refused_is_tried_again(void **state)
{
	struct fixture *f = *state;

	put(f, "ca", CERT("1"));
	f->trust_result = -EMFILE;
	begin_with_trust(f, "ca", NULL, NULL);
	assert_problems(f, "config: TLS cannot be set up: Too many open files\n");
	f->trust_result = 0;
	pass(f, KUBE_TRUST_EVERY_MS);
	assert_string_equal(buf_cstr(&f->trust), "ca " CERT("1"));
	assert_problems(f, "config: -\n");
}

/* --- servers ------------------------------------------------------------------------- */

static void servers_take_turns(void **state)
{
	struct fixture *f = *state;
	struct kube_access a = access_of(3);
	const char *first, *second, *third;

	begin(f, &a);
	first = kube_credentials_server(f->c);
	assert_true(kube_credentials_failed(f->c, first, HTTP_REFUSED));
	second = kube_credentials_server(f->c);
	assert_string_not_equal(first, second);
	/* More requests that failed on the first change nothing. */
	assert_true(kube_credentials_failed(f->c, first, HTTP_CUT));
	assert_string_equal(kube_credentials_server(f->c), second);
	assert_true(kube_credentials_failed(f->c, second, HTTP_IDLE));
	third = kube_credentials_server(f->c);
	assert_string_not_equal(third, first);
	assert_string_not_equal(third, second);
	/* All of them failed: wait, and go on round. */
	assert_false(kube_credentials_failed(f->c, third, HTTP_UNTRUSTED));
	assert_string_equal(kube_credentials_server(f->c), first);
	assert_false(kube_credentials_failed(f->c, first, HTTP_REFUSED));
	assert_string_equal(kube_credentials_server(f->c), second);
	/* One that answers is kept, and the next round is a new one. */
	kube_credentials_ok(f->c, second);
	assert_string_equal(kube_credentials_server(f->c), second);
	assert_true(kube_credentials_failed(f->c, second, HTTP_REFUSED));
	assert_string_equal(kube_credentials_server(f->c), third);
	/* The good end of a request to another one says nothing of this one. */
	assert_true(kube_credentials_failed(f->c, third, HTTP_REFUSED));
	kube_credentials_ok(f->c, second);
	assert_false(kube_credentials_failed(f->c, first, HTTP_REFUSED));
}

static void our_own_trouble_is_not_the_servers(void **state)
{
	struct fixture *f = *state;
	struct kube_access a = access_of(2);
	const char *first;

	begin(f, &a);
	first = kube_credentials_server(f->c);
	assert_false(kube_credentials_failed(f->c, first, HTTP_LOCAL));
	assert_false(kube_credentials_failed(f->c, first, HTTP_STOPPED));
	assert_false(kube_credentials_failed(f->c, first, HTTP_DONE));
	assert_string_equal(kube_credentials_server(f->c), first);
}

/* 254 nodes: each server is the first one of a fair share. */
static void nodes_spread_over_servers(void **state)
{
	struct fixture *f = *state;
	int counts[3] = { 0 };

	for (int i = 0; i < 254; i++) {
		struct kube_access a = access_of(3);
		CLEANUP(xfree_ptr) char *node = xasprintf("node-%d", i);
		struct kube_credentials *c = kube_credentials_new(f->loop, &f->http, &a, node,
								  on_problem, f);

		counts[kube_credentials_server(c)[8] - 'a']++;
		kube_credentials_free(c);
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(counts[i], 254 / 3 - 30, 254 / 3 + 30);
	kube_credentials_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_file_is_read_each_minute),
		TEST(a_401_reads_it_at_once),
		TEST(a_bad_token_file_leaves_the_token),
		TEST(a_token_file_may_come_later),
		TEST(an_inline_token_stays),
		TEST(a_kubeconfig_is_read_each_minute),
		TEST(a_401_reads_the_kubeconfig_at_once),
		TEST(distrust_reads_the_kubeconfig_at_once),
		TEST(a_bad_kubeconfig_changes_nothing_and_is_told_once),
		TEST(another_server_takes_a_start),
		TEST(servers_of_our_own_stay_whatever_the_kubeconfig_names),
		TEST(trouble_with_a_file_ends_where_it_is_named_no_more),
		TEST(trust_is_set_where_it_changed),
		TEST(what_is_inline_is_set_once),
		TEST(distrust_reads_it_at_once),
		TEST(authorities_that_cannot_be_read_are_none),
		TEST(certificate_and_key_change_together),
		TEST(one_file_may_hold_both),
		TEST(a_trust_that_is_refused_is_tried_again),
		TEST(servers_take_turns),
		TEST(our_own_trouble_is_not_the_servers),
		TEST(nodes_spread_over_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
