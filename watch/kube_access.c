/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of a kube_access: what they have to be like, and those of a pod. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "watch/kubeconfig.h"

/* --- freeing ---------------------------------------------------------------------- */

static void wipe(char *s, size_t len)
{
	if (s)
		explicit_bzero(s, len);
	free(s);
}

static void material_done(struct kube_material *m)
{
	wipe(m->data, m->len);
	free(m->path);
}

static void servers_done(struct kube_access *a)
{
	for (size_t i = 0; i < a->server_count; i++)
		free(a->servers[i]);
	free(a->servers);
	a->servers = NULL;
	a->server_count = 0;
}

void kube_access_done(struct kube_access *a)
{
	servers_done(a);
	material_done(&a->ca);
	material_done(&a->cert);
	material_done(&a->key);
	wipe(a->token, a->token ? strlen(a->token) : 0);
	free(a->token_path);
	free(a->server_name);
	free(a->origin);
	free(a->kubeconfig);
	free(a->context);
	*a = (struct kube_access){ 0 };
}

void kube_access_drop_identity(struct kube_access *a)
{
	material_done(&a->cert);
	material_done(&a->key);
	a->cert = a->key = (struct kube_material){ 0 };
	wipe(a->token, a->token ? strlen(a->token) : 0);
	free(a->token_path);
	a->token = a->token_path = NULL;
	a->nobody = true;
}

/* --- servers ----------------------------------------------------------------------- */

static bool is_name(const char *s, size_t n)
{
	if (n == 0 || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.' && s[i] != '_')
			return false;
	}
	return true;
}

static bool is_ipv6(const char *s, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &a) == 1;
}

/* Behind the scheme; *host_len without brackets. NULL: neither http nor https. */
static const char *host_of(const char *url, size_t *host_len)
{
	const char *host;

	if (strncasecmp(url, "https://", 8) == 0)
		host = url + 8;
	else if (strncasecmp(url, "http://", 7) == 0)
		host = url + 7;
	else
		return NULL;
	if (*host == '[') {
		*host_len = strcspn(++host, "]");
		return host;
	}
	*host_len = strcspn(host, ":/");
	return host;
}

static bool is_port(const char *s, size_t n)
{
	char text[8];
	uint64_t port;

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	return value_uint(text, 1, 65535, &port) == 0;
}

/* What it holds is not repeated: it may have a password in it. */
int kube_server_check(const char *url, struct err *err)
{
	size_t n = strnlen(url, KUBE_SERVER_MAX + 1);
	const char *host, *rest;

	if (n > KUBE_SERVER_MAX)
		return err_set(err, -EINVAL, "a server of more than %d bytes", KUBE_SERVER_MAX);
	for (size_t i = 0; i < n; i++) {
		if (url[i] <= ' ' || url[i] >= 0x7f)
			return err_set(err, -EINVAL,
				       "a server with a blank or a character "
				       "that is not ASCII");
	}
	if (strpbrk(url, "@?#\\"))
		return err_set(err, -EINVAL,
			       "a server is https://HOST:PORT/PATH alone, without "
			       "user, query or fragment");
	host = host_of(url, &n);
	if (!host)
		return err_set(err, -EINVAL,
			       "a server begins with https:// (or http:// on this machine)");
	rest = host + n;
	if (host[-1] == '[' ? *rest != ']' || !is_ipv6(host, n) : !is_name(host, n))
		return err_set(err, -EINVAL,
			       "'%.100s' has no host that is a name, an IPv4 address or an IPv6 "
			       "address in brackets",
			       url);
	rest += *rest == ']';
	if (*rest == ':') {
		n = strcspn(++rest, "/");
		if (!is_port(rest, n))
			return err_set(err, -EINVAL, "'%.100s' has a port that is not in 1-65535",
				       url);
		rest += n;
	}
	if (*rest && *rest != '/')
		return err_set(err, -EINVAL, "'%.100s' is no https://HOST:PORT", url);
	return 0;
}

static bool is_plain_elsewhere(const char *url)
{
	size_t n = 0;
	const char *host = host_of(url, &n);

	if (!host || strncasecmp(url, "https://", 8) == 0)
		return false;
	return !(n == 9 && strncasecmp(host, "localhost", n) == 0) &&
	       !(n == 3 && strncmp(host, "::1", n) == 0) &&
	       !(strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n);
}

bool kube_access_may_tell(const struct kube_access *a)
{
	for (size_t i = 0; i < a->server_count; i++)
		if (is_plain_elsewhere(a->servers[i]))
			return false;
	return true;
}

static int check_servers(const struct kube_access *a, const char *const *servers, size_t count,
			 struct err *err)
{
	bool has_secret = a->token || a->token_path || a->cert.path || a->cert.data;

	if (count == 0)
		return err_set(err, -EINVAL, "no server is named");
	if (count > KUBE_SERVERS_MAX)
		return err_set(err, -EINVAL, "more than %d servers", KUBE_SERVERS_MAX);
	for (size_t i = 0; i < count; i++) {
		int r = kube_server_check(servers[i], err);

		if (r < 0)
			return r;
		if (has_secret && is_plain_elsewhere(servers[i]))
			return err_set(err, -EINVAL,
				       "'%.100s' is plain http: a token or a certificate is "
				       "presented over https only",
				       servers[i]);
	}
	return 0;
}

static char *without_slash(const char *url)
{
	size_t n = strlen(url);

	while (n && url[n - 1] == '/')
		n--;
	return xstrndup(url, n);
}

int kube_access_set_servers(struct kube_access *a, const char *const *servers, size_t count,
			    struct err *err)
{
	char **copy;
	int r = check_servers(a, servers, count, err);

	if (r < 0)
		return r;
	copy = xcalloc(count, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = without_slash(servers[i]);
	servers_done(a);
	a->servers = copy;
	a->server_count = count;
	a->servers_given = true;
	return 0;
}

/* --- secrets ------------------------------------------------------------------------ */

static bool holds(const char *data, size_t len, const char *what)
{
	return memmem(data, len, what, strlen(what)) != NULL;
}

const char *kube_pem_problem(enum kube_pem what, const char *data, size_t len)
{
	if (len == 0)
		return "it is empty";
	if (len > KUBE_PEM_MAX)
		return "it is larger than 1 MiB";
	if (memchr(data, '\0', len))
		return "it is binary: PEM (\"-----BEGIN ...\") is needed";
	switch (what) {
	case KUBE_PEM_CA:
	case KUBE_PEM_CERT:
		if (!holds(data, len, "-----BEGIN CERTIFICATE-----") ||
		    !holds(data, len, "-----END CERTIFICATE-----"))
			return "it holds no whole certificate in PEM";
		return NULL;
	case KUBE_PEM_KEY:
		if (holds(data, len, "ENCRYPTED"))
			return "the key has a password, and nobody is there to ask for it: "
			       "store it without one";
		if (!holds(data, len, " PRIVATE KEY-----") || !holds(data, len, "-----END "))
			return "it holds no whole private key in PEM";
		return NULL;
	}
	return NULL;
}

const char *kube_token_problem(const char *token, size_t len)
{
	if (len == 0)
		return "the token is empty";
	if (len > KUBE_TOKEN_MAX)
		return "the token is longer than 64 KiB";
	for (size_t i = 0; i < len; i++) {
		if (token[i] <= ' ' || token[i] >= 0x7f)
			return "the token has blanks or control characters in it";
	}
	return NULL;
}

/* --- in a pod ------------------------------------------------------------------------ */

int kube_in_cluster(const char *host, const char *port, const char *dir, struct kube_access *out,
		    struct err *err)
{
	struct kube_access a = { 0 };
	CLEANUP(xfree_ptr) char *server = NULL;
	int r;

	if (!host || !*host || !port || !*port)
		return err_set(err, -ENOENT,
			       "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: "
			       "this is no pod; name a kubeconfig");
	server = xasprintf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
	a.origin = xstrdup("the pod's service account");
	a.ca.path = xasprintf("%s/ca.crt", dir);
	a.token_path = xasprintf("%s/token", dir);
	if (strchr(host, '/'))
		r = err_set(err, -EINVAL, "'%.100s' is no host", host);
	else
		r = kube_access_set_servers(&a, (const char *const[]){ server }, 1, err);
	if (r < 0) {
		kube_access_done(&a);
		return err_wrap(err, r, "KUBERNETES_SERVICE_HOST and _PORT");
	}
	*out = a;
	return 0;
}
