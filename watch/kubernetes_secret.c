/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets that pools name, each by a GET of its own, now and each 30 seconds:
 * listing or watching them would take the right to read every secret there is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "watch/kubernetes_private.h"

#define EVERY_MS 30000

struct kube_secret {
	struct kubernetes *k;
	struct kube_secret *next;
	struct kube_get *get;
	timer_id timer;
	uint64_t content; /* of what was told */
	bool told;
	bool gone; /* and that was told, too */
	bool problem;
	char *name; /* behind ns */
	char ns[];
};

static void ask(void *arg);

static struct kube_secret **find(struct kubernetes *k, const char *ns, const char *name)
{
	struct kube_secret **i = &k->secrets;

	while (*i && (strcmp((*i)->name, name) != 0 || strcmp((*i)->ns, ns) != 0))
		i = &(*i)->next;
	return i;
}

static struct kube_secret *add(struct kubernetes *k, const char *ns, const char *name)
{
	size_t ns_size = strlen(ns) + 1, name_size = strlen(name) + 1;
	struct kube_secret *s = xcalloc(1, sizeof(*s) + ns_size + name_size);

	s->k = k;
	memcpy(s->ns, ns, ns_size);
	s->name = memcpy(s->ns + ns_size, name, name_size);
	s->next = k->secrets;
	k->secrets = s;
	return s;
}

static void tell_problem(struct kube_secret *s, const char *text)
{
	CLEANUP(xfree_ptr) char *where = xasprintf("Secret %s/%s", s->ns, s->name);

	if (!text && !s->problem)
		return;
	s->problem = text != NULL;
	s->k->sink.problem(s->k->sink.arg, where, 0, text);
}

static void tell_removed(struct kube_secret *s)
{
	const struct object o = {
		.kind = OBJECT_SECRET,
		.source = s->k->source,
		.path = (char *)(uintptr_t) "",
		.ns = s->ns,
		.name = s->name,
	};

	if (!s->gone)
		s->k->sink.remove(s->k->sink.arg, &o);
	s->told = false;
	s->gone = true;
}

/* Ends it; whoever calls this unlinks it. */
static void forget(struct kube_secret *s)
{
	if (s->told)
		tell_removed(s);
	tell_problem(s, NULL);
	kube_get_cancel(s->get);
	loop_cancel(s->k->loop, s->timer);
	free(s);
}

static void take(struct kube_secret *s, const char *body, size_t len)
{
	const struct object_origin from = { .source = s->k->source,
					    .from_cluster = true,
					    .path = "" };
	struct doc_set set = { 0 };
	struct object *o = NULL;
	struct err err = { 0 };
	int r = doc_read_json(body, len, &DOC_LIMITS_DEFAULT, &set, &err);

	if (r == 0)
		r = set.count ? object_decode(set.roots[0], &from, &o, &err) : -EINVAL;
	doc_set_wipe(&set);
	doc_set_done(&set);
	if (r < 0) {
		tell_problem(s, err.text);
		return;
	}
	tell_problem(s, NULL);
	if (s->told && s->content == kube_entry_content(o)) {
		object_free(o);
		return;
	}
	s->told = true;
	s->gone = false;
	s->content = kube_entry_content(o);
	s->k->sink.put(s->k->sink.arg, o);
}

static void on_denied(struct kube_secret *s)
{
	CLEANUP(xfree_ptr)
	char *text = xasprintf("may not be read: it takes a Role in the namespace %s with "
			       "{apiGroups: [\"\"], resources: [secrets], resourceNames: [%s], "
			       "verbs: [get]}, bound to who we are",
			       s->ns, s->name);

	tell_problem(s, text);
}

static void on_answer(void *arg, const struct kube_exchange *x, const char *body, size_t len)
{
	struct kube_secret *s = arg;

	s->get = NULL;
	s->timer = loop_timer_in(s->k->loop, x->retry_now ? 0 : EVERY_MS, ask, s);
	if (kube_exchange_whole(x)) {
		take(s, body, len);
	} else if (kube_exchange_not_found(x)) {
		tell_removed(s);
		tell_problem(s, "there is no such Secret");
	} else if (x->status == 404) { /* of somebody in front: what was read holds */
		tell_problem(s, (const char *)x->failure.data);
	} else if (x->status == 403) {
		on_denied(s);
	}
	/* Anything else: what was read holds, and the reflectors tell that the server is away. */
}

static void ask(void *arg)
{
	struct kube_secret *s = arg;
	CLEANUP(buf_done) struct buf path = { 0 };

	s->timer = 0;
	buf_str(&path, "/api/v1/namespaces/");
	kube_escape(&path, s->ns);
	buf_str(&path, "/secrets/");
	kube_escape(&path, s->name);
	s->get = kube_get(&s->k->api, buf_cstr(&path), on_answer, s);
}

void kube_need_secret(struct kubernetes *k, const char *ns, const char *name, bool needed)
{
	struct kube_secret **at = find(k, ns, name), *s = *at;

	if (needed == (s != NULL))
		return;
	if (s) {
		*at = s->next;
		forget(s);
		return;
	}
	s = add(k, ns, name);
	/* From the loop: whoever needs it is in the midst of something. */
	s->timer = loop_timer_in(k->loop, 0, ask, s);
}

/* Nothing is told: the source ends, its objects do not. */
void kube_secrets_done(struct kubernetes *k)
{
	struct kube_secret *s, *next;

	for (s = k->secrets; s; s = next) {
		next = s->next;
		kube_get_cancel(s->get);
		loop_cancel(k->loop, s->timer);
		free(s);
	}
}
