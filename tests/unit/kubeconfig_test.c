/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch/kubeconfig.c and kube_access.c: what is read out of good files, and what is said of bad ones. */
#include "watch/kubeconfig.h"

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

/* "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n", and the same of a key. */
#define CERT_BASE64 \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClFVSkQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define KEY_BASE64 \
	"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tClFVSkQKLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQo="
#define CERT "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
#define KEY  "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n"

#define HEAD "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
#define CONTEXT                                                                         \
	"contexts:\n- name: other\n  context: {cluster: none, user: none}\n- name: c\n" \
	"  context: {cluster: k, user: u, namespace: x}\n"
#define CLUSTER(body)	       "clusters:\n- name: k\n  cluster: {" body "}\n"
#define USER(body)	       "users:\n- name: u\n  user: {" body "}\n"
#define FILE_OF(cluster, user) HEAD CONTEXT CLUSTER(cluster) USER(user)
#define SERVER		       "server: \"https://10.0.0.1:6443\""

/* An access as text: what tests compare. */
static void put_material(struct buf *b, const char *name, const struct kube_material *m)
{
	if (m->path)
		buf_printf(b, " %s=%s", name, m->path);
	if (m->data)
		buf_printf(b, " %s:%s", name,
			   strcmp(m->data, CERT) == 0  ? "CERT"
			   : strcmp(m->data, KEY) == 0 ? "KEY"
						       : "?");
	assert_true(!m->data || strlen(m->data) == m->len);
}

static void put_access(struct buf *b, const struct kube_access *a)
{
	for (size_t i = 0; i < a->server_count; i++)
		buf_printf(b, "%s%s", i ? "," : "", a->servers[i]);
	put_material(b, "ca", &a->ca);
	put_material(b, "cert", &a->cert);
	put_material(b, "key", &a->key);
	if (a->token)
		buf_printf(b, " token:%s", a->token);
	if (a->token_path)
		buf_printf(b, " token=%s", a->token_path);
	if (a->server_name)
		buf_printf(b, " name:%s", a->server_name);
	if (a->insecure)
		buf_str(b, " insecure");
}

struct file_case {
	const char *name;
	const char *text;
	const char *context; /* NULL: the current one */
	const char *want;    /* the access, or what is said after the path */
	bool good;
};

static const struct file_case cases[] = {
	/* --- good ones --- */
	{ "data",
	  FILE_OF(SERVER ", certificate-authority-data: " CERT_BASE64,
		  "client-certificate-data: " CERT_BASE64 ", client-key-data: " KEY_BASE64),
	  NULL, "https://10.0.0.1:6443 ca:CERT cert:CERT key:KEY", true },
	{ "files, relative to the folder",
	  FILE_OF(SERVER ", certificate-authority: pki/ca.crt",
		  "client-certificate: ../c.crt, client-key: /etc/c.key, tokenFile: token"),
	  NULL,
	  "https://10.0.0.1:6443 ca=/etc/k/pki/ca.crt cert=/etc/k/../c.crt key=/etc/c.key "
	  "token=/etc/k/token",
	  true },
	{ "data wins over a file, a token file over a token",
	  FILE_OF(SERVER ", certificate-authority: a, certificate-authority-data: " CERT_BASE64,
		  "token: abc, tokenFile: /t"),
	  NULL, "https://10.0.0.1:6443 ca:CERT token=/t", true },
	{ "a token, a server name, a path",
	  FILE_OF("server: \"https://api.test/prefix/\", tls-server-name: k8s.test",
		  "token: a.b_c"),
	  NULL, "https://api.test/prefix token:a.b_c name:k8s.test", true },
	{ "insecure", FILE_OF(SERVER ", insecure-skip-tls-verify: true", ""), NULL,
	  "https://10.0.0.1:6443 insecure", true },
	{ "empty and null values are none",
	  FILE_OF(SERVER ", proxy-url: \"\", tls-server-name: null",
		  "token: \"\", username: \"\", exec: null"),
	  NULL, "https://10.0.0.1:6443", true },
	{ "a context without a user",
	  HEAD "contexts: [{name: c, context: {cluster: k}}]\n" CLUSTER(SERVER), NULL,
	  "https://10.0.0.1:6443", true },
	{ "another context",
	  HEAD "contexts: [{name: c, context: {cluster: gone}}, {name: d, context: {cluster: "
	       "k}}]\n" CLUSTER(SERVER),
	  "d", "https://10.0.0.1:6443", true },
	{ "JSON",
	  "{\"kind\":\"Config\",\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\","
	  "\"context\":"
	  "{\"cluster\":\"k\",\"user\":\"u\"}}],\"clusters\":[{\"name\":\"k\",\"cluster\":"
	  "{\"server\":\"https://[::1]:6443\"}}],\"users\":[{\"name\":\"u\",\"user\":"
	  "{\"token\":\"t\"}}],\"preferences\":{}}",
	  NULL, "https://[::1]:6443 token:t", true },
	{ "plain http, nothing to steal", FILE_OF("server: \"http://10.0.0.1:8001\"", ""), NULL,
	  "http://10.0.0.1:8001", true },
	{ "plain http on this machine", FILE_OF("server: \"http://127.0.0.1:8001\"", "token: t"),
	  NULL, "http://127.0.0.1:8001 token:t", true },
	{ "what other tools leave",
	  FILE_OF(SERVER ", extensions: [{name: x, extension: {}}], disable-compression: true",
		  "extensions: []"),
	  NULL, "https://10.0.0.1:6443", true },

	/* --- bad ones --- */
	{ "no YAML", "a: [", NULL, "line 2: ", false },
	{ "nothing", "", NULL, "it is empty", false },
	{ "no map", "- a\n", NULL, "line 1: this is no kubeconfig: no map at its top", false },
	{ "another kind", "kind: Service\n", NULL,
	  "line 1: this is no kubeconfig: its kind is not Config", false },
	{ "no current context", "kind: Config\ncontexts: []\n", NULL,
	  "it has no current-context, and none is named; name the context", false },
	{ "no such context", FILE_OF(SERVER, ""), "prod",
	  "line 4: there is no context \"prod\" in contexts", false },
	{ "no such cluster", HEAD CONTEXT "clusters: []\n", NULL,
	  "line 9: there is no cluster \"k\" in clusters", false },
	{ "no such user", HEAD CONTEXT CLUSTER(SERVER), NULL, "there is no user \"u\" in users",
	  false },
	{ "a context without a cluster", HEAD "contexts: [{name: c, context: {user: u}}]\n", NULL,
	  "line 4: context \"c\": it names no cluster", false },
	{ "no server", FILE_OF("certificate-authority: x", ""), NULL,
	  "line 11: cluster \"k\": it has no server", false },
	{ "a server without a scheme", FILE_OF("server: \"10.0.0.1:6443\"", ""), NULL,
	  "line 11: cluster \"k\": server: a server begins with https:// (or http:// on this "
	  "machine)",
	  false },
	{ "a token over plain http", FILE_OF("server: \"http://10.0.0.1\"", "token: t"), NULL,
	  "line 11: cluster \"k\": server: 'http://10.0.0.1' is plain http: a token or a "
	  "certificate is presented over https only",
	  false },
	{ "exec", FILE_OF(SERVER, "exec: {command: aws}"), NULL,
	  "line 14: user \"u\": exec: programs are not run here; put a token into a file and name "
	  "it by tokenFile, or use a client certificate",
	  false },
	{ "auth-provider", FILE_OF(SERVER, "auth-provider: {name: gcp}"), NULL,
	  "line 14: user \"u\": auth-provider: programs are not run here; ", false },
	{ "a password", FILE_OF(SERVER, "username: me, password: secret"), NULL,
	  "line 14: user \"u\": username: API servers do not take passwords any more; use "
	  "tokenFile or a client certificate",
	  false },
	{ "impersonation", FILE_OF(SERVER, "as: root"), NULL,
	  "line 14: user \"u\": as: acting as somebody else is not done here; ", false },
	{ "a proxy", FILE_OF(SERVER ", proxy-url: \"http://p:1\"", ""), NULL,
	  "line 11: cluster \"k\": proxy-url: proxies are not used here; ", false },
	{ "a misspelt key", FILE_OF(SERVER ", certificate-autority: x", ""), NULL,
	  "line 11: cluster \"k\": unknown key 'certificate-autority'. Did you mean "
	  "'certificate-authority'?",
	  false },
	{ "an unknown key", FILE_OF(SERVER, "wallet: x"), NULL,
	  "line 14: user \"u\": unknown key 'wallet'; remove it", false },
	{ "a certificate without a key", FILE_OF(SERVER, "client-certificate-data: " CERT_BASE64),
	  NULL, "line 14: user \"u\": it has client-certificate but no client-key; give both",
	  false },
	{ "no base64", FILE_OF(SERVER ", certificate-authority-data: \"***\"", ""), NULL,
	  "line 11: cluster \"k\": certificate-authority-data is no base64 of a PEM file", false },
	{ "base64 that is cut", FILE_OF(SERVER ", certificate-authority-data: \"LS0tL\"", ""), NULL,
	  "line 11: cluster \"k\": certificate-authority-data is no base64 of a PEM file", false },
	{ "a key for an authority", FILE_OF(SERVER ", certificate-authority-data: " KEY_BASE64, ""),
	  NULL,
	  "line 11: cluster \"k\": certificate-authority-data: it holds no whole certificate in "
	  "PEM",
	  false },
	{ "an authority that is not to be used",
	  FILE_OF(SERVER ", insecure-skip-tls-verify: true, certificate-authority: x", ""), NULL,
	  "line 11: cluster \"k\": insecure-skip-tls-verify and an authority exclude each other",
	  false },
	{ "a word for a bool", FILE_OF(SERVER ", insecure-skip-tls-verify: \"true\"", ""), NULL,
	  "line 11: cluster \"k\": insecure-skip-tls-verify is neither true nor false", false },
	{ "a number for a token", FILE_OF(SERVER, "token: 12345"), NULL,
	  "line 14: user \"u\": token is no string; put it in quotes", false },
	{ "a token of two words", FILE_OF(SERVER, "token: \"a b\""), NULL,
	  "line 14: user \"u\": the token has blanks or control characters in it", false },
	{ "a server name that is none", FILE_OF(SERVER ", tls-server-name: \"a/b\"", ""), NULL,
	  "line 11: cluster \"k\": tls-server-name is no host name", false },
	{ "two documents", HEAD "---\n" HEAD, NULL, "more than one document", false },
	{ "a list that is none", HEAD "contexts: {}\n", NULL, "line 4: contexts is no list",
	  false },
};

static void reads(void **state)
{
	const struct file_case *c = *state;
	static const char path[] = "/etc/k/config";
	struct kube_access a = { 0 };
	struct err err = { 0 };
	CLEANUP(buf_done) struct buf got = { 0 };
	int r = kubeconfig_parse(c->text, strlen(c->text), path, c->context, &a, &err);

	if (r < 0)
		buf_str(&got, err.text);
	else
		put_access(&got, &a);
	if (c->good != (r == 0))
		fail_msg("%s", buf_cstr(&got));
	if (c->good) {
		assert_string_equal(buf_cstr(&got), c->want);
		assert_string_equal(a.origin, path);
	} else {
		CLEANUP(xfree_ptr) char *want = xasprintf("%s: %s", path, c->want);

		assert_int_equal(r, err.code);
		assert_null(strstr(err.text, "secret"));
		if (strncmp(err.text, want, strlen(want)) != 0)
			assert_string_equal(err.text, want);
	}
	kube_access_done(&a);
}

static void a_file_is_read(void **state)
{
	static const char text[] = FILE_OF(SERVER ", certificate-authority: ca.crt", "");
	char dir[] = "/tmp/kubeconfig_test.XXXXXX";
	CLEANUP(xfree_ptr) char *path = NULL;
	CLEANUP(buf_done) struct buf got = { 0 };
	CLEANUP(xfree_ptr) char *want = NULL;
	struct kube_access a;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/config", dir);
	assert_int_equal(kubeconfig_read(path, NULL, &a, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(file_write(path, text, strlen(text), &err), 0);
	assert_int_equal(kubeconfig_read(path, NULL, &a, &err), 0);
	put_access(&got, &a);
	want = xasprintf("https://10.0.0.1:6443 ca=%s/ca.crt", dir);
	assert_string_equal(buf_cstr(&got), want);
	kube_access_done(&a);
	unlink(path);
	rmdir(dir);
}

static void a_pod_has_its_own(void **state)
{
	static const struct {
		const char *host, *port, *want; /* NULL: refused */
	} rows[] = {
		{ "10.96.0.1", "443", "https://10.96.0.1:443 ca=/sa/ca.crt token=/sa/token" },
		{ "fd00::1", "443", "https://[fd00::1]:443 ca=/sa/ca.crt token=/sa/token" },
		{ NULL, "443", NULL },
		{ "10.96.0.1", NULL, NULL },
		{ "", "", NULL },
		{ "10.96.0.1", "https", NULL },
		{ "a/b", "443", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kube_access a = { 0 };
		CLEANUP(buf_done) struct buf got = { 0 };
		struct err err = { 0 };
		int r = kube_in_cluster(rows[i].host, rows[i].port, "/sa", &a, &err);

		assert_int_equal(r, err.code);
		if (!rows[i].want) {
			assert_true(r < 0);
			assert_non_null(strstr(err.text, "KUBERNETES_SERVICE_HOST"));
			continue;
		}
		put_access(&got, &a);
		assert_string_equal(buf_cstr(&got), rows[i].want);
		kube_access_done(&a);
	}
}

static void servers_are_checked(void **state)
{
	static const struct {
		const char *url;
		bool good;
	} rows[] = {
		{ "https://a", true },
		{ "HTTPS://a.b-c_d:6443", true },
		{ "https://[::1]:6443/x/y", true },
		{ "http://10.0.0.1", true },
		{ "https://", false },
		{ "https://:6443", false },
		{ "https:///x", false },
		{ "ftp://a", false },
		{ "a:6443", false },
		{ "https://me:pw@a", false },
		{ "https://a?x", false },
		{ "https://a#x", false },
		{ "https://a b", false },
		{ "https://a\n", false },
		{ "https://\xc3\xa9", false },
		{ "https://a:0", false },
		{ "https://a:65536", false },
		{ "https://a:06443", false },
		{ "https://a:", false },
		{ "https://::1", false },
		{ "https://[::1", false },
		{ "https://[::1]x", false },
		{ "https://[a]", false },
		{ "https://[fe80::1%eth0]", false },
		{ "https://a\\b", false },
	};
	char long_url[KUBE_SERVER_MAX + 16] = "https://a/";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { 0 };
		bool good = kube_server_check(rows[i].url, &err) == 0;

		if (good != rows[i].good)
			fail_msg("%s: %s", rows[i].url, err.text);
		assert_null(strstr(err.text, "pw"));
	}
	memset(long_url + 10, 'x', sizeof(long_url) - 11);
	assert_int_equal(kube_server_check(long_url, NULL), -EINVAL);
}

static void servers_of_ours_replace_those(void **state)
{
	static const char *const servers[] = { "https://a:1/", "https://b:2" };
	static const char *const plain[] = { "https://a", "http://b" };
	const char *many[KUBE_SERVERS_MAX + 1];
	struct kube_access a = { 0 };
	CLEANUP(buf_done) struct buf got = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(kube_access_set_servers(&a, plain, 2, &err), 0);
	assert_int_equal(kube_access_set_servers(&a, servers, 2, &err), 0);
	a.token = xstrdup("t");
	assert_int_equal(kube_access_set_servers(&a, plain, 2, &err), -EINVAL);
	assert_int_equal(kube_access_set_servers(&a, plain, 0, &err), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = "https://a";
	assert_int_equal(kube_access_set_servers(&a, many, ARRAY_LEN(many), &err), -EINVAL);
	put_access(&got, &a);
	assert_string_equal(buf_cstr(&got), "https://a:1,https://b:2 token:t");
	kube_access_done(&a);
	kube_access_done(&a);
}

static void secrets_are_checked(void **state)
{
	static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nQUJD\n"
					"-----END ENCRYPTED PRIVATE KEY-----\n";
	CLEANUP(buf_done) struct buf large = { 0 };

	(void)state;
	assert_null(kube_pem_problem(KUBE_PEM_CA, CERT, strlen(CERT)));
	assert_null(kube_pem_problem(KUBE_PEM_CERT, CERT KEY, strlen(CERT KEY)));
	assert_null(kube_pem_problem(KUBE_PEM_KEY, CERT KEY, strlen(CERT KEY)));
	assert_non_null(kube_pem_problem(KUBE_PEM_CA, "", 0));
	assert_non_null(kube_pem_problem(KUBE_PEM_CA, CERT, strlen(CERT) - 4));
	assert_non_null(kube_pem_problem(KUBE_PEM_CA, CERT, strlen(CERT) + 1));
	assert_non_null(kube_pem_problem(KUBE_PEM_KEY, CERT, strlen(CERT)));
	assert_non_null(
		strstr(kube_pem_problem(KUBE_PEM_KEY, encrypted, strlen(encrypted)), "password"));
	buf_str(&large, CERT);
	memset(buf_add(&large, KUBE_PEM_MAX), '\n', KUBE_PEM_MAX);
	assert_non_null(kube_pem_problem(KUBE_PEM_CA, (const char *)large.data, large.len));
	assert_null(kube_token_problem("a.b", 3));
	assert_non_null(kube_token_problem("", 0));
	assert_non_null(kube_token_problem("a\nb", 3));
	assert_non_null(kube_token_problem("a\xff", 2));
	memset(large.data, 'a', large.len);
	assert_null(kube_token_problem((const char *)large.data, KUBE_TOKEN_MAX));
	assert_non_null(kube_token_problem((const char *)large.data, KUBE_TOKEN_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest more[] = {
		cmocka_unit_test(a_file_is_read),
		cmocka_unit_test(a_pod_has_its_own),
		cmocka_unit_test(servers_are_checked),
		cmocka_unit_test(servers_of_ours_replace_those),
		cmocka_unit_test(secrets_are_checked),
	};
	struct CMUnitTest tests[ARRAY_LEN(cases) + ARRAY_LEN(more)];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = reads,
						.initial_state = (void *)(uintptr_t)&cases[i] };
	memcpy(&tests[ARRAY_LEN(cases)], more, sizeof(more));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
