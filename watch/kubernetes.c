/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kubernetes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "watch/kubernetes_private.h"

/* Over how long the agents of a fleet spread their lists, where they have something until then. */
#define JITTER_MS 3000

/* A cluster makes slices of all Endpoints: those are read as Endpoints already. */
#define NOT_MIRRORED \
	"endpointslice.kubernetes.io/managed-by!=endpointslicemirroring-controller.k8s.io"

const char *const kube_paths[KUBE_RESOURCES] = {
	[KUBE_SERVICES] = "/api/v1",
	[KUBE_ENDPOINTS] = "/api/v1",
	[KUBE_SLICES] = "/apis/discovery.k8s.io/v1",
};
const char *const kube_names[KUBE_RESOURCES] = {
	[KUBE_SERVICES] = "services",
	[KUBE_ENDPOINTS] = "endpoints",
	[KUBE_SLICES] = "endpointslices",
};
static const char *const lists[KUBE_RESOURCES] = {
	[KUBE_SERVICES] = "/api/v1/services",
	[KUBE_ENDPOINTS] = "/api/v1/endpoints",
	[KUBE_SLICES] = "/apis/discovery.k8s.io/v1/endpointslices",
};
static const enum object_kind object_kinds[KUBE_RESOURCES] = {
	[KUBE_SERVICES] = OBJECT_SERVICE,
	[KUBE_ENDPOINTS] = OBJECT_ENDPOINTS,
	[KUBE_SLICES] = OBJECT_SLICE,
};

/* --- cursor --------------------------------------------------------------------- */

static uint64_t revision_of(const struct kubernetes *k, size_t i)
{
	return reflector_status(k->kinds[i].reflector)->revision;
}

static void tell_cursor(struct kubernetes *k)
{
	char text[WATCH_CURSOR_MAX];

	/* What is suspect is gone as of this revision, and still told. */
	if (!k->told_complete || k->suspects.count)
		return;
	snprintf(text, sizeof(text), "1 %016" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
		 k->identity, revision_of(k, KUBE_SERVICES), revision_of(k, KUBE_ENDPOINTS),
		 revision_of(k, KUBE_SLICES));
	if (strcmp(text, k->cursor) == 0)
		return;
	strcpy(k->cursor, text);
	k->sink.cursor(k->sink.arg, k->cursor);
}

static bool next_word(const char **at, char *out, size_t size)
{
	size_t n = strcspn(*at, " ");

	if (n == 0 || n >= size)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n + ((*at)[n] == ' ');
	return true;
}

/* Only where it is ours, and of the same servers and selector. */
static void read_cursor(struct kubernetes *k, const char *cursor)
{
	char head[32], word[32];
	uint64_t revisions[KUBE_RESOURCES];

	snprintf(head, sizeof(head), "1 %016" PRIx64 " ", k->identity);
	if (strncmp(cursor, head, strlen(head)) != 0)
		return;
	cursor += strlen(head);
	for (size_t i = 0; i < KUBE_RESOURCES; i++) {
		if (!next_word(&cursor, word, sizeof(word)) ||
		    value_uint(word, 0, UINT64_MAX, &revisions[i]) < 0)
			return;
	}
	/* Older than an object: whether the server still is where that came from cannot be told. */
	for (size_t i = 0; i < KUBE_RESOURCES; i++)
		k->kinds[i].resume = revisions[i] < k->kinds[i].newest ? 0 : revisions[i];
}

/* --- state ---------------------------------------------------------------------- */

static void tell_complete(struct kubernetes *k, bool complete, const char *why)
{
	bool same = k->told && complete == k->told_complete &&
		    (complete || strcmp(why, k->told_why) == 0);

	if (same)
		return;
	k->told = true;
	k->told_complete = complete;
	free(k->told_why);
	k->told_why = why ? xstrdup(why) : NULL;
	k->sink.complete(k->sink.arg, complete, why);
}

static void tell_denied(struct kube_kind *kind)
{
	const struct reflector_status *s = reflector_status(kind->reflector);
	const struct kube_kind *first = kind->k->kinds;

	if (s->denied == kind->denied_told)
		return;
	kind->denied_told = s->denied;
	kind->k->sink.problem(kind->k->sink.arg, kube_names[kind - first], 0,
			      s->denied ? s->why : NULL);
}

static bool is_well(const struct kube_kind *kind)
{
	const struct reflector_status *s = reflector_status(kind->reflector);

	return (s->following || s->missing) && !kind->index.holding;
}

/* NULL: it is well, or nothing is known yet. */
static const char *why_of(const struct kube_kind *kind, char *text, size_t size)
{
	const struct reflector_status *s = reflector_status(kind->reflector);

	if (s->tried && !s->following && !s->missing)
		return s->why;
	if (!kind->index.holding)
		return NULL;
	snprintf(text, size,
		 "%s: the list lacks %zu of %zu objects that were there: nothing is removed before "
		 "another list, 30 seconds later, lacks them too",
		 reflector_config(kind->reflector)->resource, kind->index.held_count,
		 kind->index.told);
	return text;
}

/* Of what was told last as long as that holds: one trouble of the server is three of ours. */
static const char *why_not(struct kubernetes *k, bool *well, char *text, size_t size)
{
	const char *why = why_of(&k->kinds[k->told_kind], text, size);

	*well = true;
	for (size_t i = 0; i < KUBE_RESOURCES; i++) {
		*well = *well && is_well(&k->kinds[i]);
		if (why)
			continue;
		why = why_of(&k->kinds[i], text, size);
		k->told_kind = i;
	}
	return why;
}

void kube_tell_state(struct kubernetes *k)
{
	char text[256];
	bool well;
	const char *why = why_not(k, &well, text, sizeof(text));

	for (size_t i = 0; i < KUBE_RESOURCES; i++)
		tell_denied(&k->kinds[i]);
	if (well)
		tell_complete(k, true, NULL);
	else if (why)
		tell_complete(k, false, why);
	else if (k->told_complete)
		tell_complete(k, false, "not read yet");
	tell_cursor(k);
}

static void kubernetes_status(struct watch_source *s, struct watch_status *out)
{
	struct kubernetes *k = (struct kubernetes *)s;
	mono_t heard = { 0 };

	for (size_t i = 0; i < KUBE_RESOURCES; i++) {
		const struct reflector_status *r = reflector_status(k->kinds[i].reflector);

		heard = mono_before(heard, r->heard) ? r->heard : heard;
	}
	out->heard_ms = heard.ns ? mono_sub_ms(loop_now(k->loop), heard) : -1;
	snprintf(k->revision, sizeof(k->revision), "%" PRIu64 "/%" PRIu64 "/%" PRIu64,
		 revision_of(k, KUBE_SERVICES), revision_of(k, KUBE_ENDPOINTS),
		 revision_of(k, KUBE_SLICES));
	out->revision = k->revision;
}

/* --- the source ------------------------------------------------------------------- */

static void kubernetes_inherit(struct watch_source *s, const struct object *o)
{
	struct kubernetes *k = (struct kubernetes *)s;

	k->inherits = true;
	for (size_t i = 0; i < KUBE_RESOURCES; i++) {
		if (o->kind == object_kinds[i])
			kube_inherit(&k->kinds[i], o);
	}
}

static void kubernetes_resume(struct watch_source *s, const char *cursor)
{
	if (cursor)
		read_cursor((struct kubernetes *)s, cursor);
}

static void kubernetes_start(struct watch_source *s)
{
	struct kubernetes *k = (struct kubernetes *)s;

	/* On an empty state somebody waits for the first list; else the state serves until then. */
	for (size_t i = 0; i < KUBE_RESOURCES; i++) {
		struct kube_kind *kind = &k->kinds[i];

		reflector_start(kind->reflector, kind->resume,
				k->inherits && !kind->resume ? k->start_jitter_ms : 0);
	}
}

static void kubernetes_need_secret(struct watch_source *s, const char *ns, const char *name,
				   bool needed)
{
	kube_need_secret((struct kubernetes *)s, ns, name, needed);
}

static void kubernetes_report(struct watch_source *s, const struct watch_report *r)
{
	kube_report((struct kubernetes *)s, r);
}

static void kubernetes_free(struct watch_source *s)
{
	struct kubernetes *k = (struct kubernetes *)s;

	kube_suspects_done(k);
	kube_secrets_done(k);
	kube_report_done(k);
	for (size_t i = 0; i < KUBE_RESOURCES; i++) {
		reflector_free(k->kinds[i].reflector);
		kube_index_done(&k->kinds[i].index);
		free(k->query[i]);
	}
	kube_credentials_free(k->credentials);
	http_free(k->http);
	free(k->told_why);
	free(k->node);
	free(k);
}

static const struct watch_source_ops kubernetes_ops = {
	.type = "kubernetes",
	.inherit = kubernetes_inherit,
	.resume = kubernetes_resume,
	.start = kubernetes_start,
	.status = kubernetes_status,
	.need_secret = kubernetes_need_secret,
	.report = kubernetes_report,
	.free = kubernetes_free,
};

static void on_credentials(void *arg, const char *where, const char *text)
{
	struct kubernetes *k = arg;

	k->sink.problem(k->sink.arg, where, 0, text);
}

/* An earlier run at other servers, or with another selector, is no beginning for this one. */
static uint64_t identity_of(const struct watch_kubernetes *c)
{
	struct buf b = { 0 };
	uint64_t h;

	for (size_t i = 0; i < c->access->server_count; i++)
		wire_put_str(&b, c->access->servers[i]);
	wire_put_str(&b, c->label_selector ? c->label_selector : "");
	h = hash_id(b.data, b.len);
	buf_done(&b);
	return h;
}

static char *query_of(const char *selector)
{
	struct buf b = { 0 };

	if (!selector || !*selector)
		return xstrdup("");
	buf_str(&b, "labelSelector=");
	kube_escape(&b, selector);
	(void)buf_cstr(&b);
	return (char *)b.data;
}

static void add_kind(struct kubernetes *k, size_t i)
{
	struct kube_kind *kind = &k->kinds[i];
	struct reflector_sink sink = kube_reflector_sink;
	const struct reflector_config c = {
		.api = &k->api,
		.source = k->source,
		.node = k->node,
		.kind = object_kinds[i],
		.resource = kube_names[i],
		.path = lists[i],
		.query = k->query[i],
		.optional = i == KUBE_SLICES,
	};

	kind->k = k;
	kube_index_init(&kind->index, object_kinds[i]);
	sink.arg = kind;
	kind->reflector = reflector_new(&c, &sink);
}

struct watch_source *watch_kubernetes_new(struct loop *l, const struct watch_kubernetes *c,
					  unsigned source, const struct watch_sink *sink)
{
	struct kubernetes *k = xcalloc(1, sizeof(*k));

	k->base.ops = &kubernetes_ops;
	k->loop = l;
	k->source = source;
	k->node = xstrdup(c->node);
	k->sink = *sink;
	k->http = c->http;
	k->identity = identity_of(c);
	k->start_jitter_ms = (uint32_t)(hash_id(c->node, strlen(c->node)) % JITTER_MS);
	k->credentials = kube_credentials_new(l, c->http, c->access, c->node, on_credentials, k);
	kube_api_init(&k->api, l, c->http, k->credentials, c->random, c->random_arg);
	kube_suspects_init(k);
	k->query[KUBE_SERVICES] = query_of(c->label_selector);
	k->query[KUBE_ENDPOINTS] = query_of("");
	k->query[KUBE_SLICES] = query_of(NOT_MIRRORED);
	for (size_t i = 0; i < KUBE_RESOURCES; i++)
		add_kind(k, i);
	kube_report_start(k, c);
	return &k->base;
}
