/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config_api.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "agent/api/holder.h"
#include "agent/base/doc.h"
#include "agent/base/xalloc.h"

#define PATH_LEN 1024
#define HOST_MAX 253

/* --- listen ------------------------------------------------------------------------- */

static bool is_loopback(const struct addr *a)
{
	static const struct in6_addr one = IN6ADDR_LOOPBACK_INIT;

	if (a->family == AF_INET)
		return a->bytes[0] == 127;
	return memcmp(a->bytes, &one, sizeof(one)) == 0;
}

static int read_listen(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		       void *base)
{
	struct config *c = base;
	const char *s = schema_string(r, d);
	struct endpoint e;

	(void)k;
	if (!s)
		return -EINVAL;
	if (endpoint_parse(s, IPPROTO_TCP, &e) < 0 || e.port == 0)
		return schema_bad(r, d,
				  "'%.64s' is not an address and port, such as 127.0.0.1:9090", s);
	c->api_listen = e;
	c->api_remote = !is_loopback(&e.addr);
	return 0;
}

static void print_listen(const struct schema_key *k, const void *base, unsigned depth,
			 struct buf *out)
{
	const struct config *c = base;
	char text[ENDPOINT_TEXT_MAX];

	(void)k;
	(void)depth;
	if (c->api_listen.port != 0)
		buf_printf(out, " \"%s\"", endpoint_text(&c->api_listen, text));
}

static const struct schema_type listen_type = { .read = read_listen, .print = print_listen };

/* --- tls and hosts ---------------------------------------------------------------- */

static const char *path_fault(const char *s)
{
	return s[0] == '/' ? NULL : "has to be a whole path, beginning with '/'";
}

static const struct schema_key tls_keys[] = {
	{ .name = "certificate",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config, tls_certificate),
	  .min = 1,
	  .max = PATH_LEN,
	  .fault = path_fault },
	{ .name = "key",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config, tls_key),
	  .min = 1,
	  .max = PATH_LEN,
	  .fault = path_fault },
	{ .name = "selfSigned",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct config, tls_self_signed),
	  .words = &schema_truth },
};

static int read_tls(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		    void *base)
{
	struct config *c = base;
	int code = schema_read_keys(r, k, d, base);

	if (code < 0)
		return code;
	if (c->tls_self_signed ? c->tls_certificate || c->tls_key
			       : !c->tls_certificate || !c->tls_key)
		return schema_bad(r, d,
				  "has to be 'selfSigned: true', or a 'certificate' and its 'key'");
	return 0;
}

static void print_tls(const struct schema_key *k, const void *base, unsigned depth, struct buf *out)
{
	const struct config *c = base;

	if (c->tls_self_signed || c->tls_certificate)
		schema_print_keys(k, base, depth, out);
}

static const struct schema_type tls_type = {
	.read = read_tls, .print = print_tls, .keys = tls_keys, .key_count = ARRAY_LEN(tls_keys)
};

/* A name as it stands in a Host: no port, no brackets but an address's. */
static bool is_host(const char *s)
{
	struct endpoint e;
	CLEANUP(xfree_ptr) char *with_port = xasprintf("%s:1", s);

	if (endpoint_parse(with_port, IPPROTO_TCP, &e) == 0)
		return true;
	return *s && strlen(s) <= HOST_MAX &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] ==
		       '\0';
}

static const char *host_fault(const char *s)
{
	return is_host(s) ? NULL
			  : "is no name of a host, such as lb.example, 192.0.2.1 or [2001:db8::1]";
}

/* --- clientCertificates -------------------------------------------------------------- */

static const struct schema_key certificate_keys[] = {
	{ .name = "ca",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config, client_ca),
	  .min = 1,
	  .max = PATH_LEN,
	  .fault = path_fault },
	{ .name = "editors",
	  .type = &schema_texts,
	  SCHEMA_FIELD(struct config, cert_editors),
	  .max = CONFIG_HOLDERS_MAX,
	  .fault = holder_item_fault },
	{ .name = "viewers",
	  .type = &schema_texts,
	  SCHEMA_FIELD(struct config, cert_viewers),
	  .max = CONFIG_HOLDERS_MAX,
	  .fault = holder_item_fault },
};

static int read_certificates(struct schema_reader *r, const struct schema_key *k,
			     const struct doc *d, void *base)
{
	struct config *c = base;
	int code = schema_read_keys(r, k, d, base);

	if (code < 0)
		return code;
	if (!c->client_ca)
		return schema_bad(r, d,
				  "has no 'ca': name the file of the authority whose certificates "
				  "let people in");
	if (!c->cert_editors.count && !c->cert_viewers.count)
		return schema_bad(r, d,
				  "lets nobody in: put common names, or units as \"OU=NAME\", into "
				  "'editors' or 'viewers'");
	return 0;
}

static void print_certificates(const struct schema_key *k, const void *base, unsigned depth,
			       struct buf *out)
{
	const struct config *c = base;

	if (c->client_ca)
		schema_print_keys(k, base, depth, out);
}

static const struct schema_type certificates_type = { .read = read_certificates,
						      .print = print_certificates,
						      .keys = certificate_keys,
						      .key_count = ARRAY_LEN(certificate_keys) };

/* --- api ---------------------------------------------------------------------------- */

static const struct schema_key api_keys[] = {
	{ .name = "socket",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config, api_socket),
	  .min = 1,
	  .max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
	  .fault = path_fault,
	  .fallback = "/run/parasaus/api.sock" },
	{ .name = "listen", .type = &listen_type },
	{ .name = "tls", .type = &tls_type },
	{ .name = "hosts",
	  .type = &schema_texts,
	  SCHEMA_FIELD(struct config, api_hosts),
	  .max = CONFIG_HOSTS_MAX,
	  .fault = host_fault },
	{ .name = "clientCertificates", .type = &certificates_type },
	{ .name = "kubernetesTokens",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct config, kubernetes_tokens),
	  .words = &schema_truth,
	  .fallback = "false" },
	{ .name = "metricsPools",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config, metrics_pools),
	  .min = 0,
	  .max = METRICS_POOLS_MAX,
	  .fallback = "0" },
};

/* What goes over the network is encrypted, and what does not needs no certificate. */
static int check_remote(struct schema_reader *r, const struct doc *d, const struct config *c)
{
	bool has_tls = c->tls_self_signed || c->tls_certificate;
	char e[ENDPOINT_TEXT_MAX];

	if (c->api_remote && !has_tls)
		return schema_bad_key(
			r, d, "listen",
			"%s is not on loopback, where it takes TLS: add 'tls: "
			"{selfSigned: true}', or name a certificate and its key there",
			endpoint_text(&c->api_listen, e));
	if (!c->api_remote && has_tls)
		return schema_bad_key(r, d, "tls",
				      "is of no use without a `listen` beyond loopback, such as "
				      "\"0.0.0.0:9090\"");
	if (!c->api_remote && c->api_hosts.count)
		return schema_bad_key(r, d, "hosts",
				      "is of no use without a `listen` beyond loopback");
	if (!c->api_remote && c->kubernetes_tokens)
		return schema_bad_key(r, d, "kubernetesTokens",
				      "is of no use without a `listen` beyond loopback");
	if (!c->api_remote && c->client_ca)
		return schema_bad_key(r, d, "clientCertificates",
				      "is of no use without a `listen` beyond loopback");
	return 0;
}

static int read_api(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		    void *base)
{
	int code = schema_read_keys(r, k, d, base);

	return code == 0 ? check_remote(r, d, base) : code;
}

const struct schema_type config_api = { .read = read_api,
					.print = schema_print_keys,
					.keys = api_keys,
					.key_count = ARRAY_LEN(api_keys) };

void config_api_defaults(struct config *c)
{
	const struct schema_section section = { api_keys, ARRAY_LEN(api_keys), c };

	schema_defaults(&section);
}
