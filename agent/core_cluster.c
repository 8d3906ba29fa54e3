/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing to the cluster that a source reads: what agent/api asks for goes to
 * the API server over connections of its own, which are made when they are
 * wanted first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "watch/kube_write.h"

struct cluster_call {
	struct core_source *source;
	struct kube_call *call; /* NULL: there is no writer, and that is being said */
	edit_said_fn *fn;
	void *arg;
	char *why;
};

static void call_free(struct cluster_call *c)
{
	free(c->why);
	free(c);
}

static void on_said(void *arg, const struct kube_said *s)
{
	const struct edit_said said = { s->status, s->body, s->len, s->why };
	struct cluster_call *c = arg;

	c->fn(c->arg, &said);
	call_free(c);
}

static void say_failure(void *arg)
{
	struct cluster_call *c = arg;
	const struct edit_said said = { 0, "", 0, c->why };

	c->fn(c->arg, &said);
	call_free(c);
}

static void *ask(void *arg, const struct edit_ask *q, edit_said_fn *fn, void *fn_arg)
{
	struct core_source *s = arg;
	struct cluster_call *c = xcalloc(1, sizeof(*c));
	struct err err = { 0 };

	*c = (struct cluster_call){ .source = s, .fn = fn, .arg = fn_arg };
	if (!s->writer)
		s->writer = source_kubernetes_writer(s, &err);
	if (s->writer) {
		c->call = kube_writer_ask(s->writer, q->method, q->path, q->token, q->json, on_said,
					  c);
		return c;
	}
	log_error("source", "%s: nothing can be written: %s", source_where(s), err.text);
	c->why = xstrdup(err.text);
	loop_defer(s->core->loop, say_failure, c);
	return c;
}

static void cancel(void *arg, void *call)
{
	struct core_source *s = arg;
	struct cluster_call *c = call;

	if (c->call)
		kube_call_cancel(c->call);
	else
		loop_undefer(s->core->loop, c);
	call_free(c);
}

struct edit_cluster source_cluster(struct core_source *s)
{
	return (struct edit_cluster){ .ask = ask, .cancel = cancel, .arg = s };
}
