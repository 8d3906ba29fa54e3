/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an API server is reached, as plain values: out of a kubeconfig file, or
 * from inside a pod. Nothing here opens a connection, and of the files that
 * are named (authorities, certificates, tokens) none is read: that is
 * kube_credentials.h, because they change while we run.
 *
 * Whatever of a kubeconfig cannot be done is refused with the line, the object
 * and what to do instead; it is never left out in silence, for then we would
 * reach the wrong server, or the right one as somebody else.
 */
#ifndef WATCH_KUBECONFIG_H
#define WATCH_KUBECONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"

#define KUBECONFIG_MAX	    (1u << 20) /* bytes of the file */
#define KUBE_SERVERS_MAX    64
#define KUBE_SERVER_MAX	    512 /* bytes of one URL */
#define KUBE_TOKEN_MAX	    (64u << 10)
#define KUBE_PEM_MAX	    (1u << 20) /* bytes of authorities, a certificate or a key */
#define KUBE_IN_CLUSTER_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* Bytes given inline, or the path of a file that holds them; neither: not given. */
struct kube_material {
	char *path; /* absolute, or relative to the working directory; NULL where data is given */
	char *data; /* decoded, with a NUL behind that is not counted */
	size_t len;
};

/* A zeroed one is empty. */
struct kube_access {
	char **servers; /* "https://[::1]:6443"; no slash at the end */
	size_t server_count;
	struct kube_material ca; /* not given: the system's authorities */
	struct kube_material cert;
	struct kube_material key; /* given exactly where cert is */
	char *token;		  /* NULL: none; NULL where token_path is given */
	char *token_path;
	char *server_name; /* tls-server-name; NULL: the URL's host */
	bool insecure;	   /* insecure-skip-tls-verify */
	char *origin;	   /* where this comes from, for messages: the kubeconfig's path */
	/* What was read from a kubeconfig file is read again from it; NULL: from none. */
	char *kubeconfig, *context;
	bool servers_given; /* by kube_access_set_servers(): the file's do not count */
	bool nobody; /* who we are is taken from nowhere, a file that is read again included */
};

/* Secrets are overwritten first. A zeroed one is fine. */
void kube_access_done(struct kube_access *a);
/* Secrets can be told to its servers: over https, or on this machine. */
MUST_CHECK bool kube_access_may_tell(const struct kube_access *a);
/* Whoever asks by it from now on is nobody: no certificate, no token. */
void kube_access_drop_identity(struct kube_access *a);

/*
 * `context` NULL: the file's current-context. Relative paths in the file are
 * relative to its folder. Where both are given, data wins over a file and
 * tokenFile over token, as for kubectl. Refused: exec and auth-provider (no
 * program is ever run), username and password (servers do not take them any
 * more), proxy-url, impersonation, a token or a client certificate that would
 * go over plain http to another machine.
 */
MUST_CHECK int kubeconfig_read(const char *path, const char *context, struct kube_access *out,
			       struct err *err);
/* The same of a text; `path` is for messages and relative paths. Pure. */
MUST_CHECK int kubeconfig_parse(const void *text, size_t len, const char *path, const char *context,
				struct kube_access *out, struct err *err);

/*
 * From inside a pod: host and port as KUBERNETES_SERVICE_HOST and _PORT give
 * them (NULL: not set, an error that says so), token and ca.crt below `dir`
 * (KUBE_IN_CLUSTER_DIR outside of tests).
 */
MUST_CHECK int kube_in_cluster(const char *host, const char *port, const char *dir,
			       struct kube_access *out, struct err *err);

/* Servers of our own configuration instead of the file's; checked as the file's are. */
MUST_CHECK int kube_access_set_servers(struct kube_access *a, const char *const *servers,
				       size_t count, struct err *err);

/* "https://host[:port][/path]" or http, no user, query or fragment; the text says what is wrong. */
MUST_CHECK int kube_server_check(const char *url, struct err *err);

/* --- what its values have to be like; also of what is read from files later ---- */

enum kube_pem { KUBE_PEM_CA, KUBE_PEM_CERT, KUBE_PEM_KEY };
/* NULL, or what is wrong: no PEM of this sort, a NUL in it, a key with a password. */
const char *kube_pem_problem(enum kube_pem what, const char *data, size_t len);
/* NULL, or what is wrong with a bearer token: empty, too long, blanks or control characters. */
const char *kube_token_problem(const char *token, size_t len);

#endif
