/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The embedded store as a source: its documents, decoded as those of files
 * are, in pieces between other work.
 *
 * A document that cannot be used keeps what was last told of it, and makes the
 * source incomplete until it is mended or removed. A store whose disk fails is
 * as complete as before: all of it is in memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "agent/pool/address_pool.h"

#define PIECE 16 /* documents: about a millisecond */

/* A document as the sink knows it. */
struct known {
	enum store_kind kind;
	unsigned list; /* the newest that had it */
	bool told;
	bool bad;
	const char *name; /* behind ns */
	char ns[];
};

struct news {
	const struct store_object *object; /* a reference */
	bool removed;
};

struct store_source {
	struct watch_source base;
	struct core *core;
	struct watch_sink sink;
	struct loop *loop;
	struct store *store;
	struct map known;
	struct news *news; /* a queue: first..count */
	size_t first, count, size;
	loop_work_id work;
	unsigned source, list;
	bool listing; /* until the queue is empty */
	bool stale;   /* address pools have changed */
	size_t bad;
	bool spoken, complete;
	char *why;     /* as told by complete() */
	char *trouble; /* as told by problem() */
	char revision[24];
};

static struct store_source *of(struct watch_source *s)
{
	return (struct store_source *)s;
}

/* --- what is known --------------------------------------------------------------------- */

static struct store_key key_of(const struct known *k)
{
	return (struct store_key){ k->kind, k->ns, k->name };
}

static bool is_known(const void *object, const void *key)
{
	const struct store_key own = key_of(object);

	return store_key_same(&own, key);
}

static struct known *need(struct store_source *s, const struct store_key *key)
{
	struct known *k = map_get(&s->known, store_key_hash(key), key);
	size_t ns = strlen(key->ns) + 1, name = strlen(key->name) + 1;

	if (k)
		return k;
	k = xcalloc(1, sizeof(*k) + ns + name);
	k->kind = key->kind;
	memcpy(k->ns, key->ns, ns);
	k->name = memcpy(k->ns + ns, key->name, name);
	map_put(&s->known, store_key_hash(key), k);
	return k;
}

/* NULL why: nothing is wrong with it any more. */
static void tell_bad(struct store_source *s, struct known *k, const char *why)
{
	CLEANUP(xfree_ptr)
	char *where = xasprintf("%s %s%s%s", store_kind_text(k->kind), k->ns, *k->ns ? "/" : "",
				k->name);

	if (!why && !k->bad)
		return;
	s->bad += (size_t)(why != NULL) - (size_t)k->bad;
	k->bad = why != NULL;
	s->sink.problem(s->sink.arg, where, 0, why);
}

static enum object_kind kind_of(enum store_kind k)
{
	switch (k) {
	case STORE_SERVICE:
		return OBJECT_SERVICE;
	case STORE_ENDPOINTS:
		return OBJECT_ENDPOINTS;
	case STORE_SLICE:
		return OBJECT_SLICE;
	case STORE_SECRET:
		return OBJECT_SECRET;
	case STORE_ADDRESS_POOL:
		break; /* no object of a source */
	}
	return (enum object_kind)0;
}

static struct object identity_of(const struct store_source *s, const struct store_key *key)
{
	return (struct object){
		.kind = kind_of(key->kind),
		.source = s->source,
		.path = (char *)(uintptr_t) "",
		.ns = (char *)(uintptr_t)key->ns,
		.name = (char *)(uintptr_t)key->name,
	};
}

static void forget(struct store_source *s, struct known *k)
{
	const struct store_key key = key_of(k);
	const struct object o = identity_of(s, &key);

	tell_bad(s, k, NULL);
	if (k->told)
		s->sink.remove(s->sink.arg, &o);
	free(map_take(&s->known, store_key_hash(&key), &key));
}

/* --- documents -------------------------------------------------------------------------- */

static int read_document(const struct store_object *d, struct doc_set *out, struct err *err)
{
	const struct doc_limits limits = DOC_LIMITS_DEFAULT;
	int r = doc_read_any(d->text, d->len, &limits, out, err);

	if (r == 0 && out->count != 1)
		return err_set(err, -EINVAL, "%zu documents instead of one", out->count);
	return r;
}

/* The frontends on its record: it keeps them, whatever becomes of address pools. */
static struct endpoint *held_of(const struct store_object *d)
{
	struct endpoint *held = xcalloc(d->claim_count + 1, sizeof(*held));

	for (size_t i = 0; i < d->claim_count; i++)
		held[i] = d->claims[i].at;
	return held;
}

static int decode(const struct store_source *s, const struct store_object *d, struct object **out,
		  struct err *err)
{
	CLEANUP(xfree_ptr) struct endpoint *held = held_of(d);
	const struct object_change change = { .revision = d->revision,
					      .at_ms = d->changed_ms,
					      .user = (char *)(uintptr_t)d->user,
					      .action = (char *)(uintptr_t)d->action };
	const struct object_origin from = { .source = s->source,
					    .path = "",
					    .node = s->core->config->node,
					    .change = &change,
					    .held = held,
					    .held_count = d->claim_count };
	CLEANUP(doc_set_wipe) struct doc_set docs = { 0 };
	struct object *o = NULL;
	int r = read_document(d, &docs, err);

	if (r == 0)
		r = object_decode(docs.roots[0], &from, &o, err);
	if (r < 0 || !o)
		return r;
	if (o->kind != kind_of(d->key.kind) || strcmp(o->ns, d->key.ns) != 0 ||
	    strcmp(o->name, d->key.name) != 0) {
		r = err_set(err, -EINVAL, "it says that it is %s %s/%s", object_kind_text(o->kind),
			    o->ns, o->name);
		object_free(o);
		return r;
	}
	*out = o;
	return 0;
}

static void take(struct store_source *s, const struct news *n)
{
	const struct store_key *key = &n->object->key;
	struct known *k = map_get(&s->known, store_key_hash(key), key);
	struct object *o = NULL;
	struct err err = { 0 };

	if (n->removed) {
		if (k)
			forget(s, k);
		return;
	}
	k = need(s, key);
	k->list = s->list;
	if (decode(s, n->object, &o, &err) < 0) {
		tell_bad(s, k, err.text);
		return;
	}
	tell_bad(s, k, NULL);
	k->told = true;
	s->sink.put(s->sink.arg, o);
}

/* --- address pools ---------------------------------------------------------------------- */

struct address_pools {
	struct store_source *source;
	const struct store_object **items; /* the store's own */
	size_t count;
	const struct pool_rules *rules; /* a reference: what those so far come to */
};

static void gather(void *arg, const struct store_object *o)
{
	struct address_pools *a = arg;

	a->items = xreallocarray(a->items, a->count + 1, sizeof(*a->items));
	a->items[a->count++] = o;
}

static int by_birth(const void *a, const void *b)
{
	const struct store_object *const *x = a, *const *y = b;

	return ((*x)->created_revision > (*y)->created_revision) -
	       ((*x)->created_revision < (*y)->created_revision);
}

static int read_address_pool(const struct store_object *d, struct address_pool *out,
			     struct err *err)
{
	CLEANUP(doc_set_done) struct doc_set docs = { 0 };
	int r = read_document(d, &docs, err);

	if (r == 0)
		r = address_pool_decode(docs.roots[0], out, err);
	if (r < 0)
		return r;
	out->revision = d->revision;
	out->created = d->created_revision;
	out->at_ms = d->changed_ms;
	out->user = xstrdup(d->user);
	if (out->name && strcmp(out->name, d->key.name) == 0)
		return 0;
	r = err_set(err, -EINVAL, "it says that it is " ADDRESS_POOL_KIND " %s", out->name);
	address_pool_done(out);
	return r;
}

static void add_rules(struct address_pools *a, const struct address_pool *p)
{
	const struct pool_rules *before = a->rules;

	a->rules = pool_rules_with(before, p->name, p);
	pool_rules_unref(before);
}

/* One that cannot be used is what it was, as long as it may be that. */
static void keep_old(struct address_pools *a, const char *name)
{
	const struct address_pool *p = pool_rules_named(a->source->core->rules, name);
	struct err err;

	if (p && p->revision && pool_rules_admit(a->rules, p, &err) == 0)
		add_rules(a, p);
}

static void take_address_pool(struct address_pools *a, const struct store_object *d)
{
	struct known *k = need(a->source, &d->key);
	struct address_pool p = { 0 };
	struct err err = { 0 };

	k->list = a->source->list;
	if (read_address_pool(d, &p, &err) < 0) {
		tell_bad(a->source, k, err.text);
		keep_old(a, d->key.name);
		return;
	}
	if (pool_rules_admit(a->rules, &p, &err) < 0) {
		tell_bad(a->source, k, err.text);
		keep_old(a, d->key.name);
	} else {
		tell_bad(a->source, k, NULL);
		add_rules(a, &p);
	}
	address_pool_done(&p);
}

static void drop_address_pool(struct store_source *s, const struct store_key *key)
{
	struct known *k = map_get(&s->known, store_key_hash(key), key);

	if (k)
		forget(s, k);
}

/* All of them anew: they are few, and one can be in the way of another. */
static void renew_address_pools(struct store_source *s)
{
	struct address_pools a = { .source = s, .rules = &s->core->own_rules };

	store_each(s->store, STORE_ADDRESS_POOL, NULL, gather, &a);
	if (!a.count && s->core->rules == a.rules)
		return; /* there was none before, either */
	if (a.count > 1)
		qsort(a.items, a.count, sizeof(*a.items), by_birth);
	for (size_t i = 0; i < a.count; i++)
		take_address_pool(&a, a.items[i]);
	free(a.items);
	core_set_rules(s->core, a.rules);
}

/* --- how it is --------------------------------------------------------------------------- */

static void tell_complete(struct store_source *s)
{
	struct store_status status;
	CLEANUP(xfree_ptr) char *why = NULL;

	store_status(s->store, &status);
	if (status.state == STORE_OPENING || s->listing || s->count > s->first)
		return; /* soon */
	if (!status.complete)
		why = xstrdup(status.why);
	else if (s->bad)
		why = xasprintf("%zu documents cannot be used", s->bad);
	if (s->spoken && s->complete == !why && strcmp(s->why ? s->why : "", why ? why : "") == 0)
		return;
	s->spoken = true;
	s->complete = !why;
	free(s->why);
	s->why = why ? xstrdup(why) : NULL;
	s->sink.complete(s->sink.arg, s->complete, s->why);
}

/* Writes are refused, while all that is there is served. */
static void tell_trouble(struct store_source *s)
{
	struct store_status status;
	const char *text;

	store_status(s->store, &status);
	text = status.complete && status.trouble != STORE_OK ? status.why : NULL;
	if (strcmp(s->trouble ? s->trouble : "", text ? text : "") == 0)
		return;
	free(s->trouble);
	s->trouble = text ? xstrdup(text) : NULL;
	s->sink.problem(s->sink.arg, "store", 0, s->trouble);
}

/* --- news ---------------------------------------------------------------------------------- */

static void drop_unlisted(struct store_source *s)
{
	size_t pos = 0;
	struct known *k;

	while ((k = map_next(&s->known, &pos))) {
		if (k->list != s->list)
			forget(s, k);
	}
}

static bool work(void *arg)
{
	struct store_source *s = arg;

	/* First, for frontends come from them; what one write did to several is judged as a whole. */
	if (s->stale)
		renew_address_pools(s);
	s->stale = false;
	for (int i = 0; i < PIECE && s->first < s->count; i++) {
		const struct news n = s->news[s->first++];

		take(s, &n);
		store_object_unref(n.object);
	}
	if (s->first < s->count)
		return true;
	s->first = s->count = 0;
	s->work = 0;
	if (s->listing)
		drop_unlisted(s);
	s->listing = false;
	tell_complete(s);
	return false;
}

static void work_soon(struct store_source *s)
{
	if (!s->work)
		s->work = loop_work(s->loop, work, s);
}

static void make_room(struct store_source *s)
{
	if (s->count < s->size)
		return;
	if (s->first > s->size / 2) {
		s->count -= s->first;
		memmove(s->news, s->news + s->first, s->count * sizeof(*s->news));
		s->first = 0;
		return;
	}
	s->size = s->size ? s->size * 2 : 64;
	s->news = xreallocarray(s->news, s->size, sizeof(*s->news));
}

static void add_news(struct store_source *s, const struct store_object *o, bool removed)
{
	if (o->key.kind == STORE_ADDRESS_POOL)
		return;
	make_room(s);
	s->news[s->count++] = (struct news){ store_object_ref(o), removed };
	work_soon(s);
}

static void add_listed(void *arg, const struct store_object *o)
{
	add_news(arg, o, false);
}

static void drop_news(struct store_source *s)
{
	while (s->first < s->count)
		store_object_unref(s->news[s->first++].object);
	s->first = s->count = 0;
}

static void on_event(void *arg, const struct store_event *e)
{
	struct store_source *s = arg;

	switch (e->type) {
	case STORE_PUT:
	case STORE_REMOVE:
		if (e->object->key.kind == STORE_ADDRESS_POOL) {
			if (e->type == STORE_REMOVE)
				drop_address_pool(s, &e->object->key);
			s->stale = true;
			work_soon(s);
			break;
		}
		add_news(s, e->object, e->type == STORE_REMOVE);
		break;
	case STORE_RESET:
		drop_news(s);
		s->list++;
		s->listing = true;
		s->stale = false;
		renew_address_pools(s); /* first: frontends come from them */
		store_each(s->store, (enum store_kind)0, NULL, add_listed, s);
		work_soon(s); /* of an empty one there is no news */
		break;
	case STORE_STATUS:
		tell_trouble(s);
		tell_complete(s);
		break;
	}
}

/* --- the source ---------------------------------------------------------------------------- */

static void start(struct watch_source *base)
{
	store_watch(of(base)->store, on_event, of(base));
}

static void status(struct watch_source *base, struct watch_status *out)
{
	struct store_source *s = of(base);
	struct store_status st;

	store_status(s->store, &st);
	snprintf(s->revision, sizeof(s->revision), "%" PRIu64, st.revision);
	*out = (struct watch_status){ .heard_ms = -1, .revision = st.complete ? s->revision : "" };
}

static void free_source(struct watch_source *base)
{
	struct store_source *s = of(base);
	size_t pos = 0;
	struct known *k;

	loop_work_cancel(s->loop, s->work);
	drop_news(s);
	store_close(s->store);
	while ((k = map_next(&s->known, &pos)))
		free(k);
	map_done(&s->known);
	free(s->news);
	free(s->why);
	free(s->trouble);
	free(s);
}

static const struct watch_source_ops store_ops = {
	.type = "store",
	.start = start,
	.status = status,
	.free = free_source,
};

struct watch_source *source_store_new(struct core_source *cs, const struct watch_sink *sink)
{
	const struct store_options options = {
		.path = source_where(cs),
		.owner = edit_store_owner,
		.start_empty = cs->config->when_damaged == CONFIG_DAMAGED_START_EMPTY,
	};
	struct store_source *s = xcalloc(1, sizeof(*s));
	int r;

	s->base.ops = &store_ops;
	s->sink = *sink;
	s->core = cs->core;
	s->loop = cs->core->loop;
	s->source = cs->index;
	map_init(&s->known, is_known);
	r = store_open(s->loop, &options, &s->store);
	if (r < 0) {
		log_error("source", "%s: %s", options.path, strerror(-r));
		free(s);
		return NULL;
	}
	return &s->base;
}

struct store *source_store(struct watch_source *w)
{
	return w && w->ops == &store_ops ? of(w)->store : NULL;
}

struct object *source_store_decode(struct watch_source *w, const struct edit_wish *wish)
{
	const struct store_object d = { .key = wish->key,
					.user = "",
					.action = "",
					.text = wish->text,
					.len = wish->len,
					.claims = wish->claims,
					.claim_count = wish->claim_count };
	struct object *o = NULL;
	struct err err;

	return decode(of(w), &d, &o, &err) == 0 ? o : NULL;
}

struct object source_store_identity(struct watch_source *w, const struct store_key *key)
{
	return identity_of(of(w), key);
}
