/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/edit_stage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_private.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"
#include "agent/store/memory.h"

#define NEW_REVISION 1 /* of a document that is not in the store: below that of its Service */

/* A document as it was, and as it is to be. */
struct staged {
	struct store_key key;		 /* in the arena */
	const struct store_object *base; /* a reference; NULL: the store has none */
	const struct store_object *now;	 /* the same; NULL: it is to be removed */
	uint64_t made;			 /* the revision that the write made; 0: none */
};

struct touch {
	const struct rest_request *by;
	const struct staged *what;
};

struct edit_stage {
	struct loop *loop;
	struct store *store; /* NULL: nothing was staged */
	struct arena arena;
	struct map by_key;
	struct staged *all[EDIT_STAGE_DOCUMENTS_MAX];
	size_t count, bytes;
	bool full;
	struct touch *touches;
	size_t touch_count;
	struct store_who who; /* in the arena */
	bool changes;	      /* there is a document that has changed: `who` is of it */
	/* The edit that is to be answered. */
	struct edit *edit;
	store_written_fn *written;
	struct store_outcome outcome;
	struct err why;
	/* The write. */
	bool dry_run, tried;
	edit_stage_fn *fn;
	void *arg;
	const struct staged *blamed; /* NULL: nobody is */
};

static bool staged_eq(const void *object, const void *key)
{
	return store_key_same(&((const struct staged *)object)->key, key);
}

struct edit_stage *edit_stage_new(struct loop *l)
{
	struct edit_stage *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	map_init(&s->by_key, staged_eq);
	return s;
}

void edit_stage_free(struct edit_stage *s)
{
	if (!s)
		return;
	loop_undefer(s->loop, s);
	if (s->store)
		store_forget(s->store, s);
	for (size_t i = 0; i < s->count; i++) {
		store_object_unref(s->all[i]->base);
		store_object_unref(s->all[i]->now);
	}
	map_done(&s->by_key);
	free(s->touches);
	arena_done(&s->arena);
	free(s);
}

bool edit_stage_is_full(const struct edit_stage *s)
{
	return s->full;
}

/* --- as requests find it ---------------------------------------------------------------------- */

static struct staged *find(const struct edit_stage *s, const struct store_key *key)
{
	return map_get(&s->by_key, store_key_hash(key), key);
}

static const struct store_object *get(struct edit *e, const struct store_key *key)
{
	const struct staged *d = find(e->stage, key);

	return d ? d->now : edit_backend_store.get(e, key);
}

struct walk {
	const struct edit_stage *stage;
	store_each_fn *fn;
	void *arg;
};

static void walk_store(void *arg, const struct store_object *o)
{
	const struct walk *w = arg;

	if (!find(w->stage, &o->key))
		w->fn(w->arg, o);
}

static void each_part(struct edit *e, enum store_kind kind, const char *ns, const char *service,
		      store_each_fn *fn, void *arg)
{
	struct walk w = { e->stage, fn, arg };

	edit_backend_store.each_part(e, kind, ns, service, walk_store, &w);
	for (size_t i = 0; i < e->stage->count; i++) {
		const struct store_object *o = e->stage->all[i]->now;

		if (o && o->key.kind == kind && strcmp(o->key.ns, ns) == 0 &&
		    strcmp(o->owner, service) == 0)
			fn(arg, o);
	}
}

static bool has_claim(const struct store_object *o, const struct endpoint *at)
{
	for (size_t i = 0; o && i < o->claim_count; i++)
		if (endpoint_cmp(&o->claims[i].at, at) == 0)
			return true;
	return false;
}

static const struct store_object *holder(struct edit *e, const struct endpoint *at)
{
	const struct store_object *o = edit_backend_store.holder(e, at);

	for (size_t i = 0; i < e->stage->count; i++)
		if (has_claim(e->stage->all[i]->now, at))
			return e->stage->all[i]->now;
	return o && !find(e->stage, &o->key) ? o : NULL;
}

static bool is_free(struct edit *e, const struct endpoint *at)
{
	return edit_backend_store.is_free(e, at) && !holder(e, at);
}

static void revisions(struct edit *e, const struct store_revisions_query *q, store_revisions_fn *fn)
{
	edit_backend_store.revisions(e, q, fn);
}

static void operations(struct edit *e, const struct store_operations_query *q,
		       store_operations_fn *fn)
{
	edit_backend_store.operations(e, q, fn);
}

/* --- what they would write ---------------------------------------------------------------------- */

/* As the store will judge it, but for frontends. */
static enum store_result judge(struct edit *e, const struct store_write *w)
{
	struct edit_stage *s = e->stage;

	for (size_t i = 0; i < w->count; i++) {
		const struct store_object *now = get(e, &w->changes[i].key);
		uint64_t revision = now ? now->revision : 0;
		enum store_result r = store_judge(&w->changes[i], revision, &s->why);

		if (r == STORE_OK)
			continue;
		s->outcome.refused = i;
		s->outcome.current = revision;
		return r;
	}
	return STORE_OK;
}

static size_t bytes_of(const struct store_object *o)
{
	return o ? o->len + o->claim_count * sizeof(*o->claims) : 0;
}

/* Whether all of it fits. */
static bool has_room(struct edit *e, const struct store_write *w)
{
	const struct edit_stage *s = e->stage;
	size_t count = s->count, bytes = s->bytes;

	for (size_t i = 0; i < w->count; i++) {
		const struct staged *d = find(s, &w->changes[i].key);

		count += !d;
		bytes += w->changes[i].len;
	}
	return count <= EDIT_STAGE_DOCUMENTS_MAX && bytes <= EDIT_STAGE_BYTES_MAX;
}

static bool is_change(const struct store_change *c, const struct store_object *now)
{
	if (c->remove || !now || now->len != c->len || memcmp(now->text, c->text, c->len) != 0 ||
	    now->claim_count != c->claim_count)
		return true;
	for (size_t i = 0; i < c->claim_count; i++)
		if (!has_claim(now, &c->claims[i].at))
			return true;
	return false;
}

static struct staged *find_or_add(struct edit *e, const struct store_key *key)
{
	struct edit_stage *s = e->stage;
	struct staged *d = find(s, key);

	if (d)
		return d;
	d = arena_take(&s->arena, sizeof(*d));
	*d = (struct staged){ .key = { key->kind, arena_strdup(&s->arena, key->ns),
				       arena_strdup(&s->arena, key->name) } };
	d->base = edit_backend_store.get(e, key);
	if (d->base) {
		store_object_ref(d->base);
		d->now = store_object_ref(d->base);
		s->bytes += bytes_of(d->now);
	}
	map_put(&s->by_key, store_key_hash(&d->key), d);
	s->all[s->count++] = d;
	return d;
}

static void put(struct edit_stage *s, struct staged *d, const struct store_change *c)
{
	const struct store_object *was = d->now ? d->now : d->base;
	struct store_object parts = { .key = d->key,
				      .revision = NEW_REVISION,
				      .user = "",
				      .action = "",
				      .text = c->text,
				      .len = c->len,
				      .claims = c->claims,
				      .claim_count = c->claim_count };

	if (was) {
		parts.revision = was->revision;
		parts.created_revision = was->created_revision;
		parts.created_ms = was->created_ms;
		parts.changed_ms = was->changed_ms;
		parts.user = was->user;
		parts.action = was->action;
	}
	s->bytes -= bytes_of(d->now);
	was = d->now;
	d->now = c->remove ? NULL : object_of_store(&parts, edit_store_owner);
	store_object_unref(was);
	s->bytes += bytes_of(d->now);
}

static void take_who(struct edit_stage *s, const struct store_who *w, bool changed)
{
	struct arena *a = &s->arena;
	const char *action = w->action;

	if (s->who.user && !changed)
		return;
	if (s->changes && strcmp(s->who.action, action) != 0)
		action = "batch";
	s->who = (struct store_who){ .user = arena_strdup(a, w->user),
				     .source = arena_strdup(a, w->source),
				     .peer = arena_strdup(a, w->peer),
				     .request = arena_strdup(a, w->request ? w->request : ""),
				     .action = arena_strdup(a, action),
				     .reason = arena_strdup(a, w->reason ? w->reason : "") };
	s->changes |= changed;
}

static void touch(struct edit_stage *s, const struct rest_request *by, const struct staged *what)
{
	s->touches = xreallocarray(s->touches, s->touch_count + 1, sizeof(*s->touches));
	s->touches[s->touch_count++] = (struct touch){ by, what };
}

static void take(struct edit *e, const struct store_write *w)
{
	struct store_done *items = arena_take(&e->arena, (w->count + 1) * sizeof(*items));
	struct edit_stage *s = e->stage;
	bool changed = false;

	for (size_t i = 0; i < w->count; i++) {
		struct staged *d = find_or_add(e, &w->changes[i].key);

		touch(s, e->request, d);
		items[i].changed = is_change(&w->changes[i], d->now);
		if (items[i].changed)
			put(s, d, &w->changes[i]);
		items[i].revision = w->dry_run || !d->now ? 0 : d->now->revision;
		changed |= items[i].changed;
	}
	take_who(s, &w->who, changed);
	s->outcome.items = items;
	s->outcome.count = w->count;
}

static void answer_edit(void *arg)
{
	struct edit_stage *s = arg;
	struct edit *e = s->edit;

	s->edit = NULL;
	if (e)
		s->written(e, &s->outcome);
}

static void write(struct edit *e, const struct store_write *w, store_written_fn *fn)
{
	struct edit_stage *s = e->stage;

	s->store = e->store;
	s->edit = e;
	s->written = fn;
	s->outcome = (struct store_outcome){ 0 };
	s->why = (struct err){ 0 };
	s->outcome.result = judge(e, w);
	if (s->outcome.result == STORE_OK && !has_room(e, w)) {
		s->full = true;
		s->outcome.result = STORE_TOO_LARGE;
		err_set(&s->why, -E2BIG, "more documents than one write takes");
	}
	if (s->outcome.result == STORE_OK)
		take(e, w);
	s->outcome.why = s->why.text;
	loop_defer(s->loop, answer_edit, s);
}

static void forget(struct edit *e)
{
	if (e->stage->edit == e)
		e->stage->edit = NULL;
	edit_backend_store.forget(e);
}

const struct edit_backend edit_backend_stage = {
	.get = get,
	.each_part = each_part,
	.holder = holder,
	.is_free = is_free,
	.write = write,
	.revisions = revisions,
	.operations = operations,
	.forget = forget,
	.claims = true,
};

/* --- the write ----------------------------------------------------------------------------------- */

static void on_written(void *arg, const struct store_outcome *o);

/* What came and went on the stage alone the store need not know of. */
static bool is_nothing(const struct staged *d)
{
	return !d->base && !d->now;
}

static void fill_change(const struct staged *d, struct store_change *out)
{
	const struct store_object *o = d->now;

	*out = (struct store_change){ .key = d->key,
				      .remove = !o,
				      .expect = d->base ? STORE_EXPECT_REVISION
							: STORE_EXPECT_ABSENT,
				      .revision = d->base ? d->base->revision : 0 };
	if (!o)
		return;
	out->text = o->text;
	out->len = o->len;
	out->claims = o->claims;
	out->claim_count = o->claim_count;
}

static void send(struct edit_stage *s, bool dry_run)
{
	struct store_change *changes = xcalloc(s->count + 1, sizeof(*changes));
	struct store_write w = { .who = s->who, .changes = changes, .dry_run = dry_run };

	for (size_t i = 0; i < s->count; i++)
		if (!is_nothing(s->all[i]))
			fill_change(s->all[i], &changes[w.count++]);
	store_write(s->store, &w, on_written, s);
	free(changes);
}

static void on_written(void *arg, const struct store_outcome *o)
{
	struct edit_stage *s = arg;
	/* Trouble of the store's own is nobody's fault. */
	bool is_refused = o->result != STORE_OK && o->result <= STORE_TOO_LARGE;
	size_t n = 0;

	if (o->result == STORE_OK && !s->tried && !s->dry_run) {
		s->tried = true;
		send(s, false);
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		if (is_nothing(s->all[i]))
			continue;
		if (is_refused && n == o->refused)
			s->blamed = s->all[i];
		if (o->result == STORE_OK && !s->dry_run)
			s->all[i]->made = o->items[n].revision;
		n++;
	}
	s->fn(s->arg, o->result, o->why);
}

void edit_stage_write(struct edit_stage *s, bool dry_run, edit_stage_fn *fn, void *arg)
{
	s->dry_run = dry_run;
	s->fn = fn;
	s->arg = arg;
	send(s, true);
}

uint64_t edit_stage_revision(const struct edit_stage *s, const struct rest_request *r)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < s->touch_count; i++)
		if (s->touches[i].by == r && s->touches[i].what->made > newest)
			newest = s->touches[i].what->made;
	return newest;
}

bool edit_stage_is_to_blame(const struct edit_stage *s, const struct rest_request *r)
{
	for (size_t i = 0; i < s->touch_count && s->blamed; i++)
		if (s->touches[i].by == r && s->touches[i].what == s->blamed)
			return true;
	return false;
}
