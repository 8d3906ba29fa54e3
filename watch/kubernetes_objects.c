/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of lists and watches, compared with what was told, to the sink. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "watch/kubernetes_private.h"

/* Objects that cannot be used, told one by one. */
#define BAD_MAX 100

static const char *resource_of(const struct kube_kind *kind)
{
	return reflector_config(kind->reflector)->resource;
}

static void tell_bad(struct kube_kind *kind, const char *ns, const char *name, const char *why)
{
	CLEANUP(xfree_ptr) char *where = xasprintf("%s %s/%s", resource_of(kind), ns, name);

	kind->k->sink.problem(kind->k->sink.arg, where, 0, why);
}

/* Told when it begins, when its text changes, and when it ends; not each time the object changes. */
static void set_bad(struct kube_kind *kind, struct kube_entry *e, const char *why)
{
	uint32_t hash = why ? (uint32_t)hash_table_str(why) : 0;

	if (!e->bad && (!why || kind->bad == BAD_MAX))
		return;
	if (e->bad && why && e->why == hash)
		return;
	e->why = hash;
	if (e->bad != (why != NULL))
		kind->bad += why ? 1 : -1;
	e->bad = why != NULL;
	tell_bad(kind, e->ns, kube_entry_name(e), why);
}

/* --- removing ------------------------------------------------------------------ */

void kube_remove(struct kube_kind *kind, struct kube_entry *e)
{
	struct kubernetes *k = kind->k;
	const struct object o = {
		.kind = kind->index.kind,
		.source = k->source,
		.path = (char *)(uintptr_t) "",
		.ns = e->ns,
		.name = (char *)(uintptr_t)kube_entry_name(e),
	};

	if (e->suspect)
		kube_unsuspect(kind, e);
	set_bad(kind, e, NULL);
	if (e->told)
		k->sink.remove(k->sink.arg, &o);
	if (kind->index.kind == OBJECT_SERVICE)
		kube_suspects_of_service(k, o.ns, o.name);
	kube_index_drop(&kind->index, e);
}

/* Are these the last endpoints of a Service that is there to stay? */
static bool is_needed(const struct kube_kind *kind, const struct kube_entry *e)
{
	const char *service = kube_entry_service(&kind->index, e);
	const struct kube_entry *s;

	if (kind->index.kind == OBJECT_SERVICE || !e->told)
		return false;
	s = kube_index_find(&kind->k->kinds[KUBE_SERVICES].index, e->ns, service);
	if (!s || !s->told || s->deleting)
		return false;
	return kind->index.kind == OBJECT_ENDPOINTS || kube_index_is_last(&kind->index, e);
}

static void gone(struct kube_kind *kind, struct kube_entry *e)
{
	if (e->suspect)
		return;
	if (is_needed(kind, e))
		kube_suspect(kind, e, !e->missed);
	else
		kube_remove(kind, e);
}

/* --- items --------------------------------------------------------------------- */

static void put(struct kube_kind *kind, struct kube_entry *old, struct reflector_item *item)
{
	struct kubernetes *k = kind->k;
	struct object *o = item->object;
	uint64_t content = kube_entry_content(o);
	bool same = old && old->told && old->content == content;
	struct kube_entry *e;

	if (old && old->suspect)
		kube_unsuspect(kind, old);
	e = kube_index_need(&kind->index, o->ns, o->name, o->service);
	e->list = kind->index.list;
	e->missed = 0;
	e->revision = item->revision;
	e->content = content;
	e->deleting = o->deleting;
	set_bad(kind, e, NULL);
	kube_index_set_told(&kind->index, e);
	if (same)
		return;
	item->object = NULL;
	k->sink.put(k->sink.arg, o);
}

/* It keeps what was told of it. */
static void put_bad(struct kube_kind *kind, struct kube_entry *e, const struct reflector_item *item)
{
	if (!e)
		e = kube_index_need(&kind->index, item->ns, item->name, item->name);
	if (e->suspect)
		kube_unsuspect(kind, e);
	e->list = kind->index.list;
	e->missed = 0;
	e->revision = item->revision;
	e->content = 0;
	set_bad(kind, e, item->why);
}

static void on_unnamed(struct kube_kind *kind, const struct reflector_item *item)
{
	kind->index.unnamed = kind->index.unnamed || item->listed;
	if (kind->unnamed_told)
		return;
	kind->unnamed_told = true;
	kind->k->sink.problem(kind->k->sink.arg, resource_of(kind), 0, item->why);
}

static void on_item(void *arg, struct reflector_item *item)
{
	struct kube_kind *kind = arg;
	const char *ns = item->object ? item->object->ns : item->ns;
	const char *name = item->object ? item->object->name : item->name;
	struct kube_entry *e;

	if (!*ns || !*name) {
		on_unnamed(kind, item);
		return;
	}
	e = kube_index_find(&kind->index, ns, name);
	/* A watch that begins a little before what we hold tells again what we know. */
	if (e && !item->listed && item->revision && item->revision < e->revision)
		return;
	if (item->gone) {
		if (e)
			gone(kind, e);
	} else if (item->object) {
		put(kind, e, item);
	} else {
		put_bad(kind, e, item);
	}
}

/* --- lists --------------------------------------------------------------------- */

static void on_begin(void *arg)
{
	struct kube_kind *kind = arg;

	kube_index_begin(&kind->index);
}

static void sweep(struct kube_kind *kind)
{
	struct kube_entry *e;

	for (size_t pos = 0; (e = map_next(&kind->index.entries, &pos));) {
		if (e->missed)
			gone(kind, e);
	}
}

static uint32_t on_listed(void *arg, uint64_t revision)
{
	struct kube_kind *kind = arg;
	uint32_t again_ms;

	if (!kind->index.unnamed && kind->unnamed_told) {
		kind->unnamed_told = false;
		kind->k->sink.problem(kind->k->sink.arg, resource_of(kind), 0, NULL);
	}
	if (kube_index_end(&kind->index, revision, loop_now(kind->k->loop), &again_ms) ==
	    KUBE_BELIEVED)
		sweep(kind);
	kube_tell_state(kind->k);
	return again_ms;
}

static void on_moved(void *arg)
{
	struct kube_kind *kind = arg;

	kube_tell_state(kind->k);
}

const struct reflector_sink kube_reflector_sink = {
	.begin = on_begin,
	.item = on_item,
	.listed = on_listed,
	.moved = on_moved,
};

void kube_inherit(struct kube_kind *kind, const struct object *o)
{
	struct kube_entry *e = kube_index_need(&kind->index, o->ns, o->name, o->service);

	e->content = kube_entry_content(o);
	e->revision = kube_revision(o->revision);
	kind->newest = kind->newest < e->revision ? e->revision : kind->newest;
	kube_index_set_told(&kind->index, e);
}
