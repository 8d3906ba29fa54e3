/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model: objects by identity, grouped by the Service they belong to. A
 * change marks its Service dirty; an update works out the dirty ones and
 * those whose frontends are decided anew by it, and nothing else.
 */
#include "agent/pool/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/model.h"
#include "agent/pool/pool_make.h"

static bool service_eq(const void *object, const void *key)
{
	const struct service *s = object;
	const struct service_key *k = key;

	return strcmp(service_name(s), k->name) == 0 && strcmp(s->ns, k->ns) == 0 &&
	       s->is_secret == k->is_secret && s->source == k->source;
}

static bool contest_eq(const void *object, const void *key)
{
	const struct contest *c = object;

	return memcmp(&c->frontend, key, sizeof(c->frontend)) == 0;
}

static uint64_t hash_names(const char *ns, const char *name)
{
	/* Rotated: "a/b" and "b/a" are different. */
	uint64_t h = hash_table_str(ns);

	return (h << 7 | h >> 57) ^ hash_table_str(name);
}

static uint64_t hash_key(const struct service_key *k)
{
	return hash_names(k->ns, k->name) ^ ((uint64_t)k->source << 1 | k->is_secret);
}

static struct service_key key_of(const struct object *o)
{
	bool is_secret = o->kind == OBJECT_SECRET;

	return (struct service_key){ o->ns, o->service, is_secret, is_secret ? o->source : 0 };
}

struct pools *pools_new(const struct pool_rules *rules)
{
	struct pools *p = xcalloc(1, sizeof(*p));

	p->rules = pool_rules_ref(rules);
	map_init(&p->objects, object_is);
	map_init(&p->services, service_eq);
	map_init(&p->contests, contest_eq);
	checks_init(p);
	p->no_check = check_intern(p, check_new(CHECK_NONE));
	p->dirty_end = &p->dirty;
	return p;
}

static void release_pools(struct pool **pools, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pool_unref(pools[i]);
	free(pools);
}

static void service_free(struct service *s)
{
	release_pools(s->pools, s->pool_count);
	orphans_done(s->orphans, s->orphan_count);
	free(s->claims);
	free(s->objects);
	free(s);
}

void pools_free(struct pools *p)
{
	void *item;

	if (!p)
		return;
	for (size_t pos = 0; (item = map_next(&p->services, &pos));)
		service_free(item);
	for (size_t pos = 0; (item = map_next(&p->contests, &pos));)
		free(item);
	for (size_t pos = 0; (item = map_next(&p->objects, &pos));)
		object_free(item);
	check_unref(p->no_check);
	checks_done(p);
	map_done(&p->services);
	map_done(&p->contests);
	map_done(&p->objects);
	free(p->counts);
	pool_rules_unref(p->rules);
	free(p);
}

/* --- objects --------------------------------------------------------------- */

void model_mark_dirty(struct pools *p, struct service *s)
{
	if (s->dirty)
		return;
	s->dirty = true;
	s->next_dirty = NULL;
	*p->dirty_end = s;
	p->dirty_end = &s->next_dirty;
}

struct service *model_find(const struct pools *p, const struct service_key *key)
{
	return map_get(&p->services, hash_key(key), key);
}

static struct service *find_service(const struct pools *p, const char *ns, const char *name)
{
	return model_find(p, &(struct service_key){ .ns = ns, .name = name });
}

/* That of an object which is kept. */
static struct service *service_of(const struct pools *p, const struct object *o)
{
	struct service_key key = key_of(o);

	return model_find(p, &key);
}

struct service *model_need(struct pools *p, const struct service_key *key)
{
	struct service *s = model_find(p, key);
	size_t ns_size = strlen(key->ns) + 1, name_size = strlen(key->name) + 1;

	if (s)
		return s;
	s = xcalloc(1, offsetof(struct service, ns) + ns_size + name_size);
	memcpy(s->ns, key->ns, ns_size);
	memcpy(s->ns + ns_size, key->name, name_size);
	s->name_at = (uint16_t)ns_size;
	s->is_secret = key->is_secret;
	s->source = key->source;
	map_put(&p->services, hash_key(key), s);
	return s;
}

/* --- the table of objects, under those who walk it ------------------------- */

static struct pools_walk *walk_of(const struct pools *p, unsigned source)
{
	struct pools_walk *w = p->walks;

	while (w && w->source != source)
		w = w->next;
	return w;
}

static void walk_tell(struct pools_walk *w, struct object *o)
{
	if (o->source != w->source || o->walk == w->number)
		return;
	o->walk = w->number;
	w->fn(w->arg, o);
}

static void keep(struct pools *p, struct object *o)
{
	void *const *before = p->objects.slots;
	const struct pools_walk *w = walk_of(p, o->source);

	if (o->source >= p->source_count) {
		p->counts = xreallocarray(p->counts, o->source + 1, sizeof(*p->counts));
		while (p->source_count <= o->source)
			p->counts[p->source_count++] = 0;
	}
	p->counts[o->source]++;
	o->walk = w ? w->number : 0; /* it was not there when the walk began */
	map_put(&p->objects, object_hash(o), o);
	for (struct pools_walk *i = p->walks; i && p->objects.slots != before; i = i->next)
		i->pos = 0; /* all are somewhere else now */
}

static void let_go(struct pools *p, struct object *o)
{
	struct pools_walk *w = walk_of(p, o->source);

	if (w)
		walk_tell(w, o);
	(void)map_take(&p->objects, object_hash(o), o);
	p->counts[o->source]--;
}

size_t pools_object_count(const struct pools *p, unsigned source)
{
	return source < p->source_count ? p->counts[source] : 0;
}

void pools_objects(const struct pools *p, unsigned source, pools_object_fn *fn, void *arg)
{
	const struct object *o;

	for (size_t pos = 0; (o = map_next(&p->objects, &pos));) {
		if (o->source == source)
			fn(arg, o);
	}
}

void pools_walk_begin(struct pools *p, struct pools_walk *w)
{
	assert(!walk_of(p, w->source));
	w->pos = 0;
	if (++p->walk_count == 0)
		p->walk_count = 1; /* 0 is no walk */
	w->number = p->walk_count;
	w->next = p->walks;
	p->walks = w;
}

bool pools_walk_step(const struct pools *p, struct pools_walk *w, size_t objects)
{
	struct object *o = NULL;

	for (size_t i = 0; i < objects && (o = map_next(&p->objects, &w->pos)); i++)
		walk_tell(w, o);
	return o != NULL;
}

void pools_walk_end(struct pools *p, struct pools_walk *w)
{
	struct pools_walk **at = &p->walks;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

/* --- objects of a Service -------------------------------------------------- */

static void attach(struct pools *p, struct object *o)
{
	struct service_key key = key_of(o);
	struct service *s = model_need(p, &key);

	/* By twos: a Service and its Endpoints are the rule. */
	if (s->object_count % 2 == 0)
		s->objects = xreallocarray(s->objects, s->object_count + 2,
					   sizeof(struct object *));
	s->objects[s->object_count++] = o;
	keep(p, o);
	model_mark_dirty(p, s);
	secret_changed(p, s);
}

static size_t index_of(const struct service *s, const struct object *o)
{
	size_t i = 0;

	while (s->objects[i] != o)
		i++;
	return i;
}

/* What was told of it must not outlive it, even until the next update. */
static void forget_orphan(struct service *s, const struct object *o)
{
	uint32_t kept = 0;

	for (size_t i = 0; i < s->orphan_count; i++) {
		if (s->orphans[i].object == o)
			problems_done(&s->orphans[i].problems);
		else
			s->orphans[kept++] = s->orphans[i];
	}
	s->orphan_count = kept;
}

static void detach(struct pools *p, struct object *o)
{
	struct service *s = service_of(p, o);

	s->objects[index_of(s, o)] = s->objects[s->object_count - 1];
	s->object_count--;
	forget_orphan(s, o);
	let_go(p, o);
	model_mark_dirty(p, s);
	secret_changed(p, s);
	object_free(o);
}

static bool has_problems(const struct service *s)
{
	bool any = s->orphan_count > 0;

	for (size_t i = 0; i < s->pool_count && !any; i++)
		any = s->pools[i]->problems.count > 0;
	return any;
}

/* The same content, but lines or the revision moved: nothing to work out but what is told of it. */
static void replace(struct pools *p, struct object *old, struct object *o)
{
	struct service *s = service_of(p, old);

	/* A pool tells who changed it last, whatever was changed. */
	if (has_problems(s) || s->dirty || o->change) {
		detach(p, old);
		attach(p, o);
		return;
	}
	s->objects[index_of(s, old)] = o;
	let_go(p, old);
	keep(p, o);
	object_free(old);
}

bool pools_put(struct pools *p, struct object *o)
{
	struct object *old = map_get(&p->objects, object_hash(o), o);

	if (old && old->content == o->content) {
		if (old->place != o->place)
			replace(p, old, o);
		else
			object_free(o);
		return false;
	}
	if (old)
		detach(p, old);
	attach(p, o);
	return true;
}

void pools_remove(struct pools *p, const struct object *o)
{
	struct object *old = map_get(&p->objects, object_hash(o), o);

	if (old)
		detach(p, old);
}

/* --- update ---------------------------------------------------------------- */

static void unlink_orphaned(struct pools *p, struct service *s)
{
	if (p->orphaned != s && !s->prev_orphaned)
		return;
	*(s->prev_orphaned ? &s->prev_orphaned->next_orphaned : &p->orphaned) = s->next_orphaned;
	if (s->next_orphaned)
		s->next_orphaned->prev_orphaned = s->prev_orphaned;
	s->next_orphaned = s->prev_orphaned = NULL;
}

static void link_orphaned(struct pools *p, struct service *s)
{
	s->next_orphaned = p->orphaned;
	if (p->orphaned)
		p->orphaned->prev_orphaned = s;
	p->orphaned = s;
}

/* What changed, kept until all is worked out: losers of a frontend are told before its winner. */
struct change {
	struct pool *before, *after; /* a reference each; NULL: none */
};
struct changes {
	struct change *items;
	size_t count, room;
};

static void add_change(struct changes *c, struct pool *before, struct pool *after)
{
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 16;
		c->items = xreallocarray(c->items, c->room, sizeof(*c->items));
	}
	c->items[c->count++] = (struct change){ before, after };
}

static struct pool *take_by_id(struct pool **pools, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++) {
		struct pool *p = pools[i];

		if (p && strcmp(p->id, id) == 0) {
			pools[i] = NULL;
			return p;
		}
	}
	return NULL;
}

/* Replaces what s came to; pools that came out equal stay the same blocks. */
static void settle(struct service *s, struct built *built, struct changes *changes)
{
	for (size_t i = 0; i < built->pool_count; i++) {
		struct pool *after = built->pools[i];
		struct pool *before = take_by_id(s->pools, s->pool_count, after->id);

		if (before && pool_equal(before, after)) {
			pool_unref(after);
			built->pools[i] = before;
		} else {
			add_change(changes, before, pool_ref(after));
		}
	}
	for (size_t i = 0; i < s->pool_count; i++) {
		if (s->pools[i])
			add_change(changes, s->pools[i], NULL);
	}
	free(s->pools);
	s->pools = built->pools;
	s->pool_count = (uint32_t)built->pool_count;
}

/* One that nobody has or needs any more goes. */
static void drop_unused(struct pools *p, struct service *s)
{
	struct service_key key;

	if (s->object_count || s->users || s->dirty)
		return;
	key = (struct service_key){ s->ns, service_name(s), s->is_secret, s->source };
	(void)map_take(&p->services, hash_key(&key), &key);
	service_free(s);
}

/* Its check needs another Secret now, or none. */
static void change_secret(struct pools *p, struct service *s, char *name)
{
	struct service *before = s->secret, *now = NULL;

	if (name)
		now = model_need(
			p, &(struct service_key){ s->ns, name, true, service_object(s)->source });
	free(name);
	secret_use(s, now);
	if (before && before != now)
		drop_unused(p, before);
}

static void rebuild(struct pools *p, struct service *s, struct changes *changes)
{
	struct built built = service_build(p, s);

	unlink_orphaned(p, s);
	orphans_done(s->orphans, s->orphan_count);
	s->orphans = built.orphans;
	s->orphan_count = (uint32_t)built.orphan_count;
	if (s->orphan_count)
		link_orphaned(p, s);
	p->pool_count += built.pool_count - s->pool_count;
	settle(s, &built, changes);
	change_secret(p, s, built.secret);
	drop_unused(p, s);
}

static bool lost_frontend(const struct change *c)
{
	if (!c->before || c->before->frontend_count == 0)
		return false;
	return !c->after || c->after->frontend_count != c->before->frontend_count ||
	       memcmp(c->after->frontends, c->before->frontends,
		      c->before->frontend_count * sizeof(struct endpoint)) != 0;
}

static void tell(struct changes *c, pools_change_fn *fn, void *arg)
{
	for (int losers = 1; losers >= 0; losers--) {
		for (size_t i = 0; i < c->count; i++) {
			struct change *x = &c->items[i];

			assert(x->before || x->after);
			if (fn && lost_frontend(x) == (losers == 1))
				fn(arg, x->after ? x->after->id : x->before->id, x->after);
		}
	}
	for (size_t i = 0; i < c->count; i++) {
		pool_unref(c->items[i].before);
		pool_unref(c->items[i].after);
	}
	free(c->items);
}

void pools_update(struct pools *p, pools_change_fn *fn, void *arg)
{
	struct changes changes = { 0 };
	struct service *s, *next;

	for (s = p->dirty; s; s = s->next_dirty)
		claims_renew(p, s);
	claims_decide(p);
	s = p->dirty;
	p->dirty = NULL;
	p->dirty_end = &p->dirty;
	for (; s; s = next) {
		next = s->next_dirty;
		s->dirty = false;
		rebuild(p, s, &changes);
	}
	tell(&changes, fn, arg);
}

/* --- looking --------------------------------------------------------------- */

void pools_orphans(const struct pools *p, pools_orphan_fn *fn, void *arg)
{
	for (const struct service *s = p->orphaned; s; s = s->next_orphaned) {
		for (size_t i = 0; i < s->orphan_count; i++)
			fn(arg, s->orphans[i].object, &s->orphans[i].problems);
	}
}

/* Cuts "a" and "b" out of "a.b..." or "a/b..."; the rest, or NULL where they do not fit. */
static const char *split_names(const char *id, char separator, char *ns, char *name)
{
	const char *dot = strchr(id, separator);
	size_t ns_len = dot ? (size_t)(dot - id) : 0, name_len;

	if (!dot || ns_len > OBJECT_NAME_MAX)
		return NULL;
	name_len = strcspn(dot + 1, "./");
	if (name_len > OBJECT_NAME_MAX)
		return NULL;
	memcpy(ns, id, ns_len);
	ns[ns_len] = '\0';
	memcpy(name, dot + 1, name_len);
	name[name_len] = '\0';
	return dot + 1 + name_len;
}

struct pool *pools_find(const struct pools *p, const char *id)
{
	bool whole = strchr(id, '/') == NULL;
	char ns[OBJECT_NAME_MAX + 1], name[OBJECT_NAME_MAX + 1];
	const char *rest = split_names(id, whole ? '.' : '/', ns, name);
	const struct service *s = rest ? find_service(p, ns, name) : NULL;

	if (!s)
		return NULL;
	if (!whole)
		return *rest == '\0' && s->pool_count == 1 ? s->pools[0] : NULL;
	for (size_t i = 0; i < s->pool_count; i++) {
		if (strcmp(s->pools[i]->id, id) == 0)
			return s->pools[i];
	}
	return NULL;
}

const struct object *pools_service(const struct pools *p, const char *ns, const char *service)
{
	const struct service *s = find_service(p, ns, service);

	return s ? service_object(s) : NULL;
}

const char *pools_service_uid(const struct pools *p, const char *ns, const char *service)
{
	const struct object *o = pools_service(p, ns, service);

	return o ? o->uid : "";
}

size_t pools_count(const struct pools *p)
{
	return p->pool_count;
}
