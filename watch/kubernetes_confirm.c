/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Endpoints that vanished while their Service stays: an operator's order, or
 * somebody's mistake that would empty a pool (a controller that deletes what it
 * does not know, a list from a server that is not itself). The server is
 * asked for both by name; only its own 404 for the endpoints counts.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "watch/kubernetes_private.h"

#define AGAIN_FIRST_MS 1000
#define AGAIN_MOST_MS  30000

struct kube_suspect {
	struct kube_kind *kind;
	struct kube_get *get;
	timer_id timer;
	uint32_t again_ms;
	bool ordered;
	bool is_gone; /* the endpoints are: now for the Service */
	char *name;
	char *service; /* behind ns */
	char ns[];
};

struct suspect_key {
	const struct kube_kind *kind;
	const char *ns, *service;
	const char *name; /* NULL: any that was ordered */
};

static bool suspect_is(const void *object, const void *key)
{
	const struct kube_suspect *s = object;
	const struct suspect_key *k = key;

	return s->kind == k->kind && strcmp(s->service, k->service) == 0 &&
	       strcmp(s->ns, k->ns) == 0 && (k->name ? strcmp(s->name, k->name) == 0 : s->ordered);
}

static uint64_t hash_key(const struct suspect_key *k)
{
	return hash_table_str(k->service) * 3 + hash_table_str(k->ns);
}

static struct kube_suspect *find(const struct kube_kind *kind, const char *ns, const char *service,
				 const char *name)
{
	const struct suspect_key key = { kind, ns, service, name };

	return map_get(&kind->k->suspects, hash_key(&key), &key);
}

static void suspect_free(struct kube_suspect *s)
{
	kube_get_cancel(s->get);
	loop_cancel(s->kind->k->loop, s->timer);
	free(s->name);
	free(s);
}

void kube_suspects_init(struct kubernetes *k)
{
	map_init(&k->suspects, suspect_is);
}

void kube_suspects_done(struct kubernetes *k)
{
	struct kube_suspect *s;

	for (size_t pos = 0; (s = map_next(&k->suspects, &pos));)
		suspect_free(s);
	map_done(&k->suspects);
}

static void drop(struct kube_suspect *s)
{
	const struct suspect_key key = { s->kind, s->ns, s->service, s->name };

	(void)map_take(&s->kind->k->suspects, hash_key(&key), &key);
	suspect_free(s);
}

void kube_unsuspect(struct kube_kind *kind, struct kube_entry *e)
{
	struct kube_suspect *s = find(kind, e->ns, kube_entry_service(&kind->index, e),
				      kube_entry_name(e));

	kube_index_set_suspect(&kind->index, e, false);
	if (s)
		drop(s);
}

static void remove_suspect(struct kube_suspect *s)
{
	struct kube_kind *kind = s->kind;
	struct kube_entry *e = kube_index_find(&kind->index, s->ns, s->name);

	kube_remove(kind, e); /* and with it the suspicion */
}

void kube_suspects_of_service(struct kubernetes *k, const char *ns, const char *service)
{
	struct kube_suspect *s;

	for (unsigned i = 0; i < KUBE_RESOURCES && k->suspects.count; i++) {
		while ((s = find(&k->kinds[i], ns, service, NULL)))
			remove_suspect(s);
	}
}

/* --- asking -------------------------------------------------------------------- */

static void ask(struct kube_suspect *s);

static void again(void *arg)
{
	struct kube_suspect *s = arg;

	s->timer = 0;
	ask(s);
}

static void ask_later(struct kube_suspect *s)
{
	struct kubernetes *k = s->kind->k;
	uint32_t ms = s->again_ms + kube_api_random(&k->api, s->again_ms);

	s->again_ms = s->again_ms * 2 < AGAIN_MOST_MS ? s->again_ms * 2 : AGAIN_MOST_MS;
	s->timer = loop_timer_in(k->loop, ms, again, s);
}

static void tell_denied(struct kubernetes *k, bool denied)
{
	if (denied == k->confirm_denied)
		return;
	k->confirm_denied = denied;
	k->sink.problem(
		k->sink.arg, "endpoints by name", 0,
		denied ? "may not be read: what vanishes stays until it takes a ClusterRole "
			 "with {apiGroups: [\"\"], resources: [services, endpoints], verbs: "
			 "[get]} and {apiGroups: [discovery.k8s.io], resources: "
			 "[endpointslices], verbs: [get]}, bound to who we are"
		       : NULL);
}

static void on_answer(void *arg, const struct kube_exchange *x, const char *body, size_t len)
{
	struct kube_suspect *s = arg;
	struct kubernetes *k = s->kind->k;
	bool found = kube_exchange_whole(x);
	bool known = found || kube_exchange_not_found(x);

	(void)body;
	(void)len;
	s->get = NULL;
	tell_denied(k, x->status == 403);
	if (!known) {
		ask_later(s);
	} else if (s->is_gone) {
		remove_suspect(s);
		kube_tell_state(k);
	} else if (!found) {
		s->is_gone = true;
		ask(s);
	} else {
		/* There again: the watch tells how it looks now. */
		struct kube_entry *e = kube_index_find(&s->kind->index, s->ns, s->name);

		kube_unsuspect(s->kind, e);
		kube_tell_state(k);
	}
}

static void ask(struct kube_suspect *s)
{
	struct kubernetes *k = s->kind->k;
	size_t i = s->is_gone ? KUBE_SERVICES : (size_t)(s->kind - k->kinds);
	CLEANUP(buf_done) struct buf path = { 0 };

	buf_printf(&path, "%s/namespaces/", kube_paths[i]);
	kube_escape(&path, s->ns);
	buf_printf(&path, "/%s/", kube_names[i]);
	kube_escape(&path, s->is_gone ? s->service : s->name);
	s->get = kube_get(&k->api, buf_cstr(&path), on_answer, s);
}

void kube_suspect(struct kube_kind *kind, struct kube_entry *e, bool ordered)
{
	const char *service = kube_entry_service(&kind->index, e);
	size_t ns_size = strlen(e->ns) + 1, service_size = strlen(service) + 1;
	struct kube_suspect *s = xcalloc(1, sizeof(*s) + ns_size + service_size);
	struct suspect_key key;

	kube_index_set_suspect(&kind->index, e, true);
	s->kind = kind;
	s->ordered = ordered;
	s->again_ms = AGAIN_FIRST_MS;
	s->name = xstrdup(kube_entry_name(e));
	memcpy(s->ns, e->ns, ns_size);
	s->service = memcpy(s->ns + ns_size, service, service_size);
	key = (struct suspect_key){ kind, s->ns, s->service, s->name };
	map_put(&kind->k->suspects, hash_key(&key), s);
	ask(s);
}
