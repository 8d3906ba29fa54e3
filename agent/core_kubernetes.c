/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source in a cluster: its access, its transport, and whether this process,
 * which has given its privileges up by now, can read what it has to go on
 * reading for as long as it runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "watch/kube_review.h"
#include "watch/kube_write.h"
#include "watch/kubernetes.h"

/* As deploy/kubernetes installs it. */
#define INSTALLED_IN "parasaus-system"
#define LEASE_NAME   "parasaus-writer"

static uint32_t random32(void *arg)
{
	uint32_t v = 0;

	(void)arg;
	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != sizeof(v))
		v = (uint32_t)getpid() * 2654435761u; /* spreads a fleet, and is no secret */
	return v;
}

/* Says who we are, and what would mend it. */
static int unreadable(const char *what, const char *path, int error, struct err *err)
{
	const struct passwd *pw = getpwuid(geteuid());
	const struct group *gr = getgrgid(getegid());
	const char *group = gr ? gr->gr_name : "?";

	if (error != EACCES && error != EPERM)
		return err_set(err, -error, "%s %s: %s", what, path, strerror(error));
	return err_set(err, -error,
		       "%s %s: %s to user %s (uid %u), group %s (gid %u): chgrp %s and chmod g+r "
		       "the file, or in a pod set securityContext.fsGroup to %u",
		       what, path, strerror(error), pw ? pw->pw_name : "?", (unsigned)geteuid(),
		       group, (unsigned)getegid(), group, (unsigned)getegid());
}

static int check_readable(const char *what, const char *path, struct err *err)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;

	if (!path)
		return 0;
	if (fd < 0)
		return unreadable(what, path, errno, err);
	close(fd);
	return 0;
}

static int check_files(const struct kube_access *a, struct err *err)
{
	int r = check_readable("the token", a->token_path, err);

	if (r == 0)
		r = check_readable("the certificate of the authority", a->ca.path, err);
	if (r == 0)
		r = check_readable("the client certificate", a->cert.path, err);
	if (r == 0)
		r = check_readable("the client key", a->key.path, err);
	return r;
}

static int read_access(const struct config_source *c, struct kube_access *a, struct err *err)
{
	int r;

	if (c->kubeconfig) {
		r = check_readable("the kubeconfig", c->kubeconfig, err);
		if (r == 0)
			r = kubeconfig_read(c->kubeconfig, c->context, a, err);
	} else {
		r = kube_in_cluster(getenv("KUBERNETES_SERVICE_HOST"),
				    getenv("KUBERNETES_SERVICE_PORT"), KUBE_IN_CLUSTER_DIR, a, err);
	}
	if (r == 0 && c->server_count)
		r = kube_access_set_servers(a, (const char *const *)c->servers, c->server_count,
					    err);
	return r == 0 ? check_files(a, err) : r;
}

/* --- the Lease --------------------------------------------------------------------- */

/* The namespace we run in; NULL: in none. */
static char *own_namespace(void)
{
	struct buf b = { 0 };
	char *end;

	if (file_read(KUBE_IN_CLUSTER_DIR "/namespace", OBJECT_NAME_MAX, &b, NULL) < 0) {
		buf_done(&b);
		return NULL;
	}
	end = (char *)(uintptr_t)buf_cstr(&b);
	end[strcspn(end, " \r\n")] = '\0';
	return end;
}

/* For the caller to free; NULL: no Lease is to be had. */
static char *lease_of(const struct config_source *c)
{
	CLEANUP(xfree_ptr) char *ns = NULL;

	if (c->lease)
		return strcmp(c->lease, "none") == 0 ? NULL : xstrdup(c->lease);
	ns = c->kubeconfig ? NULL : own_namespace();
	return xasprintf("%s/%s", ns ? ns : INSTALLED_IN, LEASE_NAME);
}

/* *access is for the caller to be done with. */
static int reach(struct core_source *s, struct kube_access *access, struct http **out,
		 struct err *err)
{
	const char *node = s->core->config->node;
	CLEANUP(xfree_ptr) char *agent = xasprintf("parasaus/%s (%s)", PARASAUS_VERSION, node);
	int r = read_access(s->config, access, err);

	if (r < 0)
		return r;
	if (!kube_access_may_tell(access))
		return err_set(err, -EPERM,
			       "a server is plain http: a token is presented over https only");
	r = s->core->http_new(s->core->loop, agent, out);
	return r < 0 ? err_set(err, r, "HTTP: %s", strerror(-r)) : 0;
}

struct kube_writer *source_kubernetes_writer(struct core_source *s, struct err *err)
{
	CLEANUP(kube_access_done) struct kube_access access = { 0 };
	struct http *http = NULL;

	if (reach(s, &access, &http, err) < 0)
		return NULL;
	return kube_writer_new(s->core->loop, http, &access, s->core->config->node);
}

struct kube_reviewer *source_kubernetes_reviewer(struct core_source *s, struct err *err)
{
	CLEANUP(kube_access_done) struct kube_access access = { 0 };
	struct http *http = NULL;

	if (reach(s, &access, &http, err) < 0)
		return NULL;
	return kube_reviewer_new(s->core->loop, http, &access, s->core->config->node);
}

struct watch_source *source_kubernetes_new(struct core_source *s, const struct watch_sink *sink)
{
	const char *node = s->core->config->node;
	CLEANUP(xfree_ptr) char *agent = xasprintf("parasaus/%s (%s)", PARASAUS_VERSION, node);
	CLEANUP(kube_access_done) struct kube_access access = { 0 };
	CLEANUP(xfree_ptr) char *lease = lease_of(s->config);
	struct watch_kubernetes k = { .access = &access, .node = node, .random = random32 };
	struct err err = { 0 };
	int r = read_access(s->config, &access, &err);

	if (r < 0) {
		log_error("source", "kubernetes: %s", err.text);
		return NULL;
	}
	r = s->core->http_new(s->core->loop, agent, &k.http);
	if (r < 0) {
		log_error("source", "%s: HTTP: %s", source_where(s), strerror(-r));
		return NULL;
	}
	k.label_selector = s->config->label_selector;
	if (lease) {
		char *slash = strchr(lease, '/');

		*slash = '\0';
		k.lease_ns = lease;
		k.lease_name = slash + 1;
	}
	return watch_kubernetes_new(s->core->loop, &k, s->index, sink);
}
