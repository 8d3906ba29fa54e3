/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kubeconfig's tree: the context, and the cluster and the user that it
 * names. Other contexts are not looked at: they may be for other programs.
 */
#include "watch/kubeconfig.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/doc.h"
#include "agent/base/file.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"

#define NODES 20000

struct reading {
	const char *path; /* of the file */
	struct kube_access *out;
	struct err *err;
};

/* One of clusters, users or contexts. */
struct entry {
	const char *section; /* "cluster" */
	const char *name;
	const struct doc *body;
};

static void note(const struct reading *r, const struct doc *at, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void note(const struct reading *r, const struct doc *at, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (at && at->line)
		err_set(r->err, -EINVAL, "%s: line %u: %s", r->path, at->line, text);
	else
		err_set(r->err, -EINVAL, "%s: %s", r->path, text);
}

/* Plainly negative, for analyzers do not look into variadic functions. */
#define FAIL(...) (note(__VA_ARGS__), -EINVAL)

#define IN_ENTRY     "%s \"%.100s\": "
#define ENTRY_ARG(e) (e)->section, (e)->name

/* --- values -------------------------------------------------------------------------- */

/* *out is NULL where it is not there or empty, which is the same to kubectl. */
static int get_string(const struct reading *r, const struct entry *e, const char *key,
		      const char **out)
{
	const struct doc *d = doc_get(e->body, key);
	const char *s = doc_string(d);

	if (d && d->type != DOC_NULL && !s)
		return FAIL(r, d, IN_ENTRY "%s is no string; put it in quotes", ENTRY_ARG(e), key);
	*out = s && *s ? s : NULL;
	return 0;
}

static int get_bool(const struct reading *r, const struct entry *e, const char *key, bool *out)
{
	const struct doc *d = doc_get(e->body, key);

	*out = false;
	if (!d || d->type == DOC_NULL || doc_bool(d, out))
		return 0;
	return FAIL(r, d, IN_ENTRY "%s is neither true nor false", ENTRY_ARG(e), key);
}

static int digit_of(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* Line ends are passed over. False: no base64. */
static bool decode_base64(const char *s, char *out, size_t *out_len)
{
	uint32_t bits = 0;
	unsigned have = 0, pads = 0;
	size_t n = 0;

	for (; *s; s++) {
		int digit = digit_of(*s);

		if (isspace((unsigned char)*s))
			continue;
		if (*s == '=')
			pads++;
		else if (digit < 0 || pads)
			return false;
		bits = bits << 6 | (digit < 0 ? 0 : (uint32_t)digit);
		if (++have < 4)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8)
			out[n++] = (char)(bits >> shift & 0xff);
		bits = 0;
		have = 0;
	}
	if (have || pads > 2)
		return false;
	*out_len = n - pads;
	return true;
}

/* Relative to the kubeconfig's folder. */
static char *path_from(const struct reading *r, const char *path)
{
	const char *slash = strrchr(r->path, '/');

	if (*path == '/' || !slash)
		return xstrdup(path);
	return xasprintf("%.*s/%s", (int)(slash - r->path), r->path, path);
}

static int take_data(const struct reading *r, const struct entry *e, const char *key,
		     enum kube_pem what, const char *base64, struct kube_material *out)
{
	size_t size = strlen(base64);
	const char *wrong;

	out->data = xmalloc(size + 4);
	if (!decode_base64(base64, out->data, &out->len)) {
		out->len = size;
		return FAIL(r, doc_get(e->body, key), IN_ENTRY "%s is no base64 of a PEM file",
			    ENTRY_ARG(e), key);
	}
	out->data[out->len] = '\0';
	wrong = kube_pem_problem(what, out->data, out->len);
	if (wrong)
		return FAIL(r, doc_get(e->body, key), IN_ENTRY "%s: %s", ENTRY_ARG(e), key, wrong);
	return 0;
}

/* `key`-data, or the file that `key` names. */
static int get_material(const struct reading *r, const struct entry *e, const char *key,
			const char *data_key, enum kube_pem what, struct kube_material *out)
{
	const char *data = NULL, *path = NULL;
	int x = get_string(r, e, data_key, &data);

	if (x == 0)
		x = get_string(r, e, key, &path);
	if (x < 0)
		return x;
	if (data)
		return take_data(r, e, data_key, what, data, out);
	out->path = path ? path_from(r, path) : NULL;
	return 0;
}

/* --- what is not done ------------------------------------------------------------------ */

struct refusal {
	const char *key;
	const char *why; /* NULL: known, and nothing to us */
};

static int refuse(const struct reading *r, const struct entry *e, const struct doc *d,
		  const struct refusal *known, size_t count)
{
	const char *keys[32];
	const char *near;

	for (size_t i = 0; i < count; i++) {
		keys[i] = known[i].key;
		if (strcmp(d->key, known[i].key) != 0)
			continue;
		if (!known[i].why || d->type == DOC_NULL || (d->text && !*d->text))
			return 0;
		return FAIL(r, d, IN_ENTRY "%s: %s", ENTRY_ARG(e), d->key, known[i].why);
	}
	near = value_nearest(d->key, keys, count);
	return FAIL(r, d, IN_ENTRY "unknown key '%.60s'%s%s%s", ENTRY_ARG(e), d->key,
		    near ? ". Did you mean '" : "; remove it", near ? near : "", near ? "'?" : "");
}

static int check_keys(const struct reading *r, const struct entry *e, const struct refusal *known,
		      size_t count)
{
	for (const struct doc *d = e->body->first; d; d = d->next) {
		int x = refuse(r, e, d, known, count);

		if (x < 0)
			return x;
	}
	return 0;
}

#define NO_PROGRAM                                                                         \
	"programs are not run here; put a token into a file and name it by tokenFile, or " \
	"use a client certificate"
#define NO_PASSWORD \
	"API servers do not take passwords any more; use tokenFile or a client certificate"
#define NO_OTHER_USER "acting as somebody else is not done here; give this user its own rights"

static const struct refusal cluster_keys[] = {
	{ "server", NULL },
	{ "tls-server-name", NULL },
	{ "insecure-skip-tls-verify", NULL },
	{ "certificate-authority", NULL },
	{ "certificate-authority-data", NULL },
	{ "disable-compression", NULL },
	{ "extensions", NULL },
	{ "proxy-url", "proxies are not used here; name a server that is reached without one" },
};

static const struct refusal user_keys[] = {
	{ "client-certificate", NULL },
	{ "client-certificate-data", NULL },
	{ "client-key", NULL },
	{ "client-key-data", NULL },
	{ "token", NULL },
	{ "tokenFile", NULL },
	{ "extensions", NULL },
	{ "exec", NO_PROGRAM },
	{ "auth-provider", NO_PROGRAM },
	{ "username", NO_PASSWORD },
	{ "password", NO_PASSWORD },
	{ "as", NO_OTHER_USER },
	{ "as-uid", NO_OTHER_USER },
	{ "as-groups", NO_OTHER_USER },
	{ "as-user-extra", NO_OTHER_USER },
};

static const struct refusal context_keys[] = {
	{ "cluster", NULL },
	{ "user", NULL },
	{ "namespace", NULL },
	{ "extensions", NULL },
};

/* --- the three entries ------------------------------------------------------------------ */

static int find(const struct reading *r, const struct doc *root, const char *list,
		const char *section, const char *name, struct entry *out)
{
	const struct doc *l = doc_get(root, list);

	if (l && l->type != DOC_LIST && l->type != DOC_NULL)
		return FAIL(r, l, "%s is no list", list);
	for (const struct doc *d = l ? l->first : NULL; d; d = d->next) {
		const char *its = doc_string(doc_get(d, "name"));

		if (!its || strcmp(its, name) != 0)
			continue;
		*out = (struct entry){ section, its, doc_get(d, section) };
		if (!out->body || out->body->type != DOC_MAP)
			return FAIL(r, d, "%s \"%.100s\" has no map '%s'", section, its, section);
		return 0;
	}
	return FAIL(r, l, "there is no %s \"%.100s\" in %s", section, name, list);
}

static bool is_host(const char *name)
{
	CLEANUP(xfree_ptr)
	char *url = xasprintf(strchr(name, ':') ? "https://[%s]" : "https://%s", name);

	return !strchr(name, '/') && kube_server_check(url, NULL) == 0;
}

static int read_cluster(const struct reading *r, const struct entry *e)
{
	struct kube_access *a = r->out;
	const char *server = NULL, *name = NULL;
	int x = check_keys(r, e, cluster_keys, ARRAY_LEN(cluster_keys));

	if (x == 0)
		x = get_string(r, e, "server", &server);
	if (x == 0)
		x = get_string(r, e, "tls-server-name", &name);
	if (x == 0)
		x = get_bool(r, e, "insecure-skip-tls-verify", &a->insecure);
	if (x == 0)
		x = get_material(r, e, "certificate-authority", "certificate-authority-data",
				 KUBE_PEM_CA, &a->ca);
	if (x < 0)
		return x;
	if (a->insecure && (a->ca.path || a->ca.data))
		return FAIL(r, doc_get(e->body, "insecure-skip-tls-verify"),
			    IN_ENTRY "insecure-skip-tls-verify and an authority exclude each other",
			    ENTRY_ARG(e));
	if (name && !is_host(name))
		return FAIL(r, doc_get(e->body, "tls-server-name"),
			    IN_ENTRY "tls-server-name is no host name", ENTRY_ARG(e));
	a->server_name = name ? xstrdup(name) : NULL;
	if (!server)
		return FAIL(r, e->body, IN_ENTRY "it has no server", ENTRY_ARG(e));
	/* The user is read by now: whether secrets would go over plain http is known. */
	if (kube_access_set_servers(a, &server, 1, r->err) < 0) {
		char why[ERR_TEXT_MAX];

		memcpy(why, r->err->text, sizeof(why));
		return FAIL(r, doc_get(e->body, "server"), IN_ENTRY "server: %s", ENTRY_ARG(e),
			    why);
	}
	a->servers_given = false; /* they are the file's own */
	return 0;
}

static int read_token(const struct reading *r, const struct entry *e)
{
	const char *token = NULL, *file = NULL, *wrong;
	int x = get_string(r, e, "tokenFile", &file);

	if (x == 0)
		x = get_string(r, e, "token", &token);
	if (x < 0)
		return x;
	if (file) {
		r->out->token_path = path_from(r, file);
		return 0;
	}
	wrong = token ? kube_token_problem(token, strlen(token)) : NULL;
	if (wrong)
		return FAIL(r, doc_get(e->body, "token"), IN_ENTRY "%s", ENTRY_ARG(e), wrong);
	r->out->token = token ? xstrdup(token) : NULL;
	return 0;
}

static int read_user(const struct reading *r, const struct entry *e)
{
	struct kube_access *a = r->out;
	bool has_cert, has_key;
	int x = check_keys(r, e, user_keys, ARRAY_LEN(user_keys));

	if (x == 0)
		x = get_material(r, e, "client-certificate", "client-certificate-data",
				 KUBE_PEM_CERT, &a->cert);
	if (x == 0)
		x = get_material(r, e, "client-key", "client-key-data", KUBE_PEM_KEY, &a->key);
	if (x == 0)
		x = read_token(r, e);
	if (x < 0)
		return x;
	has_cert = a->cert.path || a->cert.data;
	has_key = a->key.path || a->key.data;
	if (has_cert != has_key)
		return FAIL(r, e->body, IN_ENTRY "it has client-%s but no client-%s; give both",
			    ENTRY_ARG(e), has_cert ? "certificate" : "key",
			    has_cert ? "key" : "certificate");
	return 0;
}

static int read_context(const struct reading *r, const struct doc *root, const char *name)
{
	struct entry context, cluster, user;
	const char *cluster_name = NULL, *user_name = NULL;
	int x = find(r, root, "contexts", "context", name, &context);

	if (x == 0)
		x = check_keys(r, &context, context_keys, ARRAY_LEN(context_keys));
	if (x == 0)
		x = get_string(r, &context, "cluster", &cluster_name);
	if (x == 0)
		x = get_string(r, &context, "user", &user_name);
	if (x < 0)
		return x;
	if (!cluster_name)
		return FAIL(r, context.body, IN_ENTRY "it names no cluster", ENTRY_ARG(&context));
	x = find(r, root, "clusters", "cluster", cluster_name, &cluster);
	if (x == 0 && user_name) /* without one we are nobody, which some servers allow */
		x = find(r, root, "users", "user", user_name, &user);
	if (x == 0 && user_name)
		x = read_user(r, &user);
	return x < 0 ? x : read_cluster(r, &cluster);
}

static int read_root(const struct reading *r, const struct doc *root, const char *context)
{
	const struct doc *kind = doc_get(root, "kind");
	const char *current = doc_string(doc_get(root, "current-context"));

	if (root->type != DOC_MAP)
		return FAIL(r, root, "this is no kubeconfig: no map at its top");
	if (kind && (!doc_string(kind) || strcmp(doc_string(kind), "Config") != 0))
		return FAIL(r, kind, "this is no kubeconfig: its kind is not Config");
	if (!context && (!current || !*current))
		return FAIL(r, doc_get(root, "current-context"),
			    "it has no current-context, and none is named; name the context");
	return read_context(r, root, context ? context : current);
}

/* --- the file ---------------------------------------------------------------------------- */

int kubeconfig_parse(const void *text, size_t len, const char *path, const char *context,
		     struct kube_access *out, struct err *err)
{
	const struct doc_limits limits = { .nodes = NODES, .depth = DOC_LIMITS_DEFAULT.depth };
	struct kube_access a = { .origin = xstrdup(path) };
	struct err unread;
	const struct reading reading = { path, &a, err ? err : &unread };
	struct doc_set set = { 0 };
	int r = doc_read_any(text, len, &limits, &set, err);

	if (r < 0)
		r = err_wrap(err, r, "%s", path);
	else if (set.count != 1)
		r = FAIL(&reading, NULL, set.count ? "more than one document" : "it is empty");
	else
		r = read_root(&reading, set.roots[0], context);
	doc_set_wipe(&set);
	if (r < 0)
		kube_access_done(&a);
	else
		*out = a;
	return r;
}

int kubeconfig_read(const char *path, const char *context, struct kube_access *out, struct err *err)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	int r = file_read(path, KUBECONFIG_MAX, &text, err);

	if (r == 0)
		r = kubeconfig_parse(text.data, text.len, path, context, out, err);
	if (r == 0) {
		out->kubeconfig = xstrdup(path);
		out->context = context ? xstrdup(context) : NULL;
	}
	return r;
}
