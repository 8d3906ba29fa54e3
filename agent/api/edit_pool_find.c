/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding the documents of a pool, and looking into them.
 *
 * They are read as the agent's sources read them, and no more strictly: what
 * another program wrote badly is not in the pool, and stays where it is.
 */
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/api/edit_pool.h"
#include "agent/pool/annotations.h"
#include "agent/pool/author.h"
#include "agent/pool/pool_make.h"

#define SLICES_MAX   (STORE_CHANGES_MAX - 2) /* with the two others they are one write */
#define SETTINGS_MAX 128		     /* of all documents: the model takes no more */
#define ORIGINS_TYPE "healthCheckType"	     /* the origin system's key for health-check-type */
#define MIRRORING    "endpointslicemirroring-controller.k8s.io"

struct pool_document *pool_document_at(struct pool_documents *d, size_t i)
{
	if (i == 0)
		return &d->endpoints;
	if (i <= d->slice_count)
		return &d->slices[i - 1];
	return i == d->slice_count + 1 ? &d->service : NULL;
}

/* --- ids ---------------------------------------------------------------------------------- */

bool pool_id_split(struct edit *e, const char *id, const char **ns, const char **name)
{
	const char *first = strchr(id, '.'), *second = first ? strchr(first + 1, '.') : NULL;

	/* Neither has a dot; what follows is for the Service's ports to say. */
	if (!second || first == id || second == first + 1 ||
	    (size_t)(second - id) > 2 * (size_t)STORE_NAME_MAX)
		return false;
	*ns = arena_strndup(&e->arena, id, (size_t)(first - id));
	*name = arena_strndup(&e->arena, first + 1, (size_t)(second - first - 1));
	return strlen(*ns) <= STORE_NAME_MAX && strlen(*name) <= STORE_NAME_MAX;
}

static bool read_number(const struct tree *t, uint16_t *out)
{
	const struct doc d = { .type = t ? t->type : DOC_NULL, .text = t ? t->text : NULL };
	int64_t n;

	if (!t || !doc_integer(&d, 1, UINT16_MAX, &n))
		return false;
	*out = (uint16_t)n;
	return true;
}

bool pool_read_port(const struct tree *t, struct object_port *out)
{
	const struct tree *name = tree_get(t, "name");
	const char *protocol = tree_text(t, "protocol");
	struct object_port p = { .protocol = IPPROTO_TCP };

	if (t->type != DOC_MAP || !read_number(tree_get(t, "port"), &p.port))
		return false;
	if (protocol && !protocol_of_name(protocol, &p.protocol))
		return false;
	(void)!read_number(tree_get(t, "nodePort"), &p.node_port);
	p.name = (char *)(uintptr_t)(name && name->text && name->type != DOC_NULL ? name->text
										  : "");
	*out = p;
	return true;
}

static bool is_port_of(const struct pool_documents *d, const struct object_port *p)
{
	const struct pool parts = { .ns = (char *)(uintptr_t)d->ns,
				    .service = (char *)(uintptr_t)d->name,
				    .port_name = p->name,
				    .protocol = p->protocol };
	char id[3 * OBJECT_NAME_MAX];

	pool_id(&parts, p->port, id, sizeof(id));
	return strcmp(id, d->id) == 0;
}

bool pool_find_port(struct pool_documents *d)
{
	const struct tree *ports = tree_get(tree_get(d->service.tree, "spec"), "ports");
	struct object_port p;

	d->node = NULL;
	d->port_count = 0;
	for (struct tree *t = ports && ports->type == DOC_LIST ? ports->first : NULL; t;
	     t = t->next) {
		if (!pool_read_port(t, &p))
			continue;
		d->port_count++;
		if (d->node || !is_port_of(d, &p))
			continue;
		d->node = t;
		d->port = p;
	}
	return d->node != NULL;
}

/* --- documents ------------------------------------------------------------------------------ */

static bool read_document(struct pool_documents *d, const struct store_object *o,
			  struct pool_document *out)
{
	struct err err;

	*out = (struct pool_document){ .object = o, .key = o->key, .in_force = true };
	out->tree = edit_tree_of_text(d->e, o->text, o->len);
	if (out->tree && out->tree->type == DOC_MAP) {
		if (!d->newest || o->revision > d->newest->revision)
			d->newest = o;
		return true;
	}
	err_set(&err, -EINVAL, "%s %.100s/%.100s", store_kind_text(o->key.kind), o->key.ns,
		o->key.name);
	edit_add_error(d->e, err.text, "it cannot be read: write it anew, or go back");
	return false;
}

const char *pool_slice_service(const struct tree *slice)
{
	return tree_text(tree_get(tree_get(slice, "metadata"), "labels"), SLICE_SERVICE_LABEL);
}

bool pool_owns_slice(const struct pool_documents *d, const struct tree *slice)
{
	const char *service = pool_slice_service(slice);

	return service && strcmp(service, d->name) == 0;
}

static bool is_mirrored(const struct tree *slice)
{
	const char *by = tree_text(tree_get(tree_get(slice, "metadata"), "labels"),
				   SLICE_MANAGED_BY_LABEL);

	return by && strcmp(by, MIRRORING) == 0;
}

struct search {
	struct pool_documents *d;
	const struct store_object **found;
	size_t count;
	bool full;
};

static void look_at_slice(void *arg, const struct store_object *o)
{
	struct search *s = arg;

	if (!pool_owns_slice(s->d, edit_tree_of_text(s->d->e, o->text, o->len)))
		return;
	if (s->count == SLICES_MAX)
		s->full = true;
	else
		s->found[s->count++] = o;
}

static int by_name(const void *a, const void *b)
{
	const struct store_object *const *x = a, *const *y = b;

	return strcmp((*x)->key.name, (*y)->key.name);
}

static bool find_slices(struct pool_documents *d)
{
	struct search s = { .d = d };
	bool good = true;

	s.found = arena_take(&d->e->arena, SLICES_MAX * sizeof(struct store_object *));
	d->e->backend->each_part(d->e, STORE_SLICE, d->ns, d->name, look_at_slice, &s);
	if (s.full)
		problems_add(&d->e->errors, true, 0,
			     "%s/%s has more EndpointSlices than one write takes: %d", d->ns,
			     d->name, SLICES_MAX);
	if (s.count > 1)
		qsort(s.found, s.count, sizeof(struct store_object *), by_name);
	d->slices = arena_take(&d->e->arena, (s.count + 1) * sizeof(*d->slices));
	for (; d->slice_count < s.count && good; d->slice_count++) {
		struct pool_document *slice = &d->slices[d->slice_count];

		good = read_document(d, s.found[d->slice_count], slice);
		slice->in_force = good && !(d->endpoints.tree && is_mirrored(slice->tree));
		d->sliced |= slice->in_force;
	}
	return good && !s.full;
}

static enum rest_problem no_pool(const struct pool_documents *d, struct err *err)
{
	err_set(err, -ENOENT, "no pool has the id '%.260s'", d->id);
	return PROBLEM_NO_POOL;
}

void pool_documents_look(struct pool_documents *d)
{
	const struct store_object *service, *endpoints;

	d->service.key = (struct store_key){ STORE_SERVICE, d->ns, d->name };
	d->endpoints.key = (struct store_key){ STORE_ENDPOINTS, d->ns, d->name };
	service = edit_get(d->e, &d->service.key);
	endpoints = edit_get(d->e, &d->endpoints.key);
	if ((service && !read_document(d, service, &d->service)) ||
	    (endpoints && !read_document(d, endpoints, &d->endpoints)) || !find_slices(d))
		return;
	(void)!pool_find_port(d);
}

enum rest_problem pool_documents_find(struct edit *e, struct pool_documents *out, struct err *err)
{
	struct pool_documents d = { .e = e, .id = e->target.name };

	if (!pool_id_split(e, d.id, &d.ns, &d.name))
		return no_pool(&d, err);
	pool_documents_look(&d);
	if (e->errors.count)
		return PROBLEM_INVALID;
	if (!d.node)
		return no_pool(&d, err);
	*out = d;
	return PROBLEM_COUNT;
}

/* --- members ---------------------------------------------------------------------------------- */

/* The ports of a subset, or of a slice, as far as they can be used; in the edit's arena. */
static struct object_port *read_ports(const struct pool_documents *d, const struct tree *list,
				      struct tree ***nodes, size_t *count)
{
	size_t n = 0;
	struct object_port *ports;

	for (const struct tree *t = list->first; t; t = t->next)
		n++;
	ports = arena_take(&d->e->arena, (n + 1) * sizeof(*ports));
	*nodes = arena_take(&d->e->arena, (n + 1) * sizeof(struct tree *));
	*count = 0;
	for (struct tree *t = list->first; t; t = t->next) {
		(*nodes)[*count] = t;
		*count += pool_read_port(t, &ports[*count]);
	}
	return ports;
}

struct tree *pool_subset_port(const struct pool_documents *d, const struct tree *subset,
			      struct object_port *out, size_t *count)
{
	const struct tree *list = tree_get(subset, "ports");
	const struct object_port *ports, *match;
	struct tree **nodes;

	*count = 0;
	if (!list || list->type != DOC_LIST)
		return NULL;
	ports = read_ports(d, list, &nodes, count);
	match = object_match_port(&d->port, d->port_count, ports, *count);
	if (!match)
		return NULL;
	*out = *match;
	return nodes[match - ports];
}

struct walk {
	struct pool_documents *d;
	pool_place_fn *fn;
	void *arg;
};

/* Of an address in a subset, or of an endpoint in a slice, whose first address counts. */
static const char *address_of(const struct tree *item, bool slice)
{
	const struct tree *all;

	if (!slice)
		return tree_text(item, "ip");
	all = tree_get(item, "addresses");
	all = all && all->type == DOC_LIST ? all->first : NULL;
	return all && all->type == DOC_STRING ? all->text : NULL;
}

static bool walk_list(const struct walk *w, struct pool_place *p, bool slice)
{
	for (p->item = p->list && p->list->type == DOC_LIST ? p->list->first : NULL; p->item;
	     p->item = p->item->next) {
		const char *text = address_of(p->item, slice);

		if (text && object_address(text, &p->at.addr) && !w->fn(w->arg, p))
			return false;
	}
	return true;
}

static bool walk_subset(const struct walk *w, struct pool_document *document, struct tree *subset)
{
	struct pool_place p = { .document = document, .subset = subset };
	struct object_port port;
	size_t count;

	if (!pool_subset_port(w->d, subset, &port, &count))
		return true;
	p.at.protocol = port.protocol;
	p.at.port = port.port;
	if (document->key.kind == STORE_SLICE) {
		p.list = tree_get(subset, "endpoints");
		return walk_list(w, &p, true);
	}
	p.list = tree_get(subset, "addresses");
	if (!walk_list(w, &p, false))
		return false;
	p.list = tree_get(subset, "notReadyAddresses");
	return walk_list(w, &p, false);
}

static struct tree *first_subset(const struct pool_documents *d)
{
	struct tree *list = tree_get(d->endpoints.tree, "subsets");

	return list && list->type == DOC_LIST ? list->first : NULL;
}

void pool_each_place(struct pool_documents *d, pool_place_fn *fn, void *arg)
{
	const struct walk w = { d, fn, arg };
	bool more = true;

	for (size_t i = 0; i < d->slice_count && more; i++)
		if (d->slices[i].in_force)
			more = walk_subset(&w, &d->slices[i], d->slices[i].tree);
	for (struct tree *s = d->sliced ? NULL : first_subset(d); s && more; s = s->next)
		more = walk_subset(&w, &d->endpoints, s);
}

struct listing {
	struct endpoint *items; /* NULL: they are only counted */
	size_t count;
};

static bool list_place(void *arg, const struct pool_place *p)
{
	struct listing *l = arg;

	if (l->items)
		l->items[l->count] = p->at;
	l->count++;
	return true;
}

struct endpoint *pool_members(struct pool_documents *d, size_t *count)
{
	struct listing l = { 0 };

	pool_each_place(d, list_place, &l);
	l.items = arena_take(&d->e->arena, (l.count + 1) * sizeof(*l.items));
	l.count = 0;
	pool_each_place(d, list_place, &l);
	*count = l.count;
	return l.items;
}

struct named {
	const char *mid;
	struct endpoint at;
	bool found;
};

static bool is_named(void *arg, const struct pool_place *p)
{
	char id[VIEW_MEMBER_ID_MAX];
	struct named *n = arg;

	n->found = strcmp(view_member_id(&p->at, id), n->mid) == 0;
	n->at = p->at;
	return !n->found;
}

bool pool_find_member(struct pool_documents *d, const char *mid, struct endpoint *out)
{
	struct named n = { .mid = mid };

	pool_each_place(d, is_named, &n);
	if (n.found)
		*out = n.at;
	return n.found;
}

static void each_endpoint_of(const struct tree *subset, const struct tree *list, bool slice,
			     pool_endpoint_fn *fn, void *arg)
{
	const struct tree *ports = tree_get(subset, "ports");
	struct object_port port;
	struct endpoint at = { 0 };

	for (const struct tree *i = list && list->type == DOC_LIST ? list->first : NULL; i;
	     i = i->next) {
		const char *text = address_of(i, slice);

		if (!text || !object_address(text, &at.addr))
			continue;
		for (const struct tree *t = ports && ports->type == DOC_LIST ? ports->first : NULL;
		     t; t = t->next) {
			if (!pool_read_port(t, &port))
				continue;
			at.port = port.port;
			fn(arg, &at);
		}
	}
}

void pool_each_endpoint(struct pool_documents *d, pool_endpoint_fn *fn, void *arg)
{
	for (size_t i = 0; i < d->slice_count; i++)
		if (d->slices[i].in_force && !d->slices[i].removed)
			each_endpoint_of(d->slices[i].tree,
					 tree_get(d->slices[i].tree, "endpoints"), true, fn, arg);
	for (const struct tree *s = d->sliced ? NULL : first_subset(d); s; s = s->next) {
		each_endpoint_of(s, tree_get(s, "addresses"), false, fn, arg);
		each_endpoint_of(s, tree_get(s, "notReadyAddresses"), false, fn, arg);
	}
}

/* --- settings ----------------------------------------------------------------------------------- */

const char *pool_setting_key(const char *annotation)
{
	if (author_is_key(annotation))
		return NULL;
	if (strncmp(annotation, ANNOTATION_PREFIX, strlen(ANNOTATION_PREFIX)) == 0)
		return annotation + strlen(ANNOTATION_PREFIX);
	return strcmp(annotation, ORIGINS_TYPE) == 0 ? "health-check-type" : NULL;
}

struct seen {
	const char *keys[SETTINGS_MAX];
	size_t count;
};

static bool is_new(struct seen *s, const char *key)
{
	if (s->count == SETTINGS_MAX)
		return false;
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->keys[i], key) == 0)
			return false;
	s->keys[s->count++] = key;
	return true;
}

/* The origin's own key was taken in any case. */
static const char *in_lower_case(struct edit *e, const char *text)
{
	char *copy = arena_strdup(&e->arena, text);

	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* Those with our prefix, or without. */
static void each_in_map(struct pool_documents *d, const struct tree *map, bool prefixed,
			struct seen *seen, pool_setting_fn *fn, void *arg)
{
	for (const struct tree *t = map && map->type == DOC_MAP ? map->first : NULL; t;
	     t = t->next) {
		const char *key = pool_setting_key(t->key);
		bool is_origins = key && strcmp(t->key, ORIGINS_TYPE) == 0;

		if (!key || is_origins == prefixed || !t->text || !is_new(seen, key))
			continue;
		fn(arg, key, prefixed ? t->text : in_lower_case(d->e, t->text));
	}
}

void pool_each_setting(struct pool_documents *d, pool_setting_fn *fn, void *arg)
{
	struct seen seen = { .count = 0 };
	const struct pool_document *p;

	for (size_t i = 0; (p = pool_document_at(d, i)); i++) {
		const struct tree *own = tree_get(tree_get(p->tree, "metadata"), "annotations");
		const struct tree *top = tree_get(p->tree, "annotations");

		if (!p->tree || !p->in_force)
			continue;
		for (int prefixed = 1; prefixed >= 0; prefixed--) {
			each_in_map(d, own, prefixed, &seen, fn, arg);
			each_in_map(d, top, prefixed, &seen, fn, arg);
		}
	}
}

struct wanted {
	const char *key, *value;
};

static void take_wanted(void *arg, const char *key, const char *value)
{
	struct wanted *w = arg;

	if (strcmp(w->key, key) == 0)
		w->value = value;
}

const char *pool_setting(struct pool_documents *d, const char *key)
{
	struct wanted w = { .key = key };

	pool_each_setting(d, take_wanted, &w);
	return w.value;
}
