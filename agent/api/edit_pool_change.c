/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing the documents of a pool. Each part of a change touches what it has
 * to and nothing else; what it leaves empty it takes away.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_pool.h"
#include "agent/pool/annotations.h"

#define ARENA(d) (&(d)->e->arena)

/* --- trees ------------------------------------------------------------------------------------ */

static struct tree *new_text(struct pool_documents *d, const char *text)
{
	return tree_new(ARENA(d), DOC_STRING, arena_strdup(ARENA(d), text));
}

static struct tree *new_number(struct pool_documents *d, unsigned n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return tree_new(ARENA(d), DOC_NUMBER, arena_strdup(ARENA(d), text));
}

static struct tree *need_list(struct pool_documents *d, struct tree *map, const char *key)
{
	struct tree *t = tree_get(map, key);

	if (t && t->type == DOC_LIST)
		return t;
	t = tree_new(ARENA(d), DOC_LIST, NULL);
	tree_set(map, key, t);
	return t;
}

static void append(struct tree *list, struct tree *item)
{
	struct tree **end = &list->first;

	while (*end)
		end = &(*end)->next;
	*end = item;
}

static void unlink_item(struct tree *list, struct tree *item)
{
	struct tree **place = &list->first;

	while (*place && *place != item)
		place = &(*place)->next;
	if (*place)
		*place = item->next;
	item->next = NULL;
}

static struct tree *copy_tree(struct pool_documents *d, const struct tree *from)
{
	struct tree *t = tree_new(ARENA(d), from->type, from->text), **end = &t->first;

	t->key = from->key;
	for (const struct tree *c = from->first; c; c = c->next) {
		*end = copy_tree(d, c);
		end = &(*end)->next;
	}
	return t;
}

static bool is_empty_list(const struct tree *t)
{
	return !t || t->type != DOC_LIST || !t->first;
}

/* --- new documents ----------------------------------------------------------------------------- */

static struct tree *new_document(struct pool_documents *d, const char *kind)
{
	struct tree *t = tree_new(ARENA(d), DOC_MAP, NULL), *metadata;

	tree_set(t, "apiVersion", new_text(d, "v1"));
	tree_set(t, "kind", new_text(d, kind));
	metadata = tree_need_map(ARENA(d), t, "metadata");
	tree_set(metadata, "name", new_text(d, d->name));
	tree_set(metadata, "namespace", new_text(d, d->ns));
	return t;
}

static struct tree *new_port(struct pool_documents *d, const struct object_port *p, unsigned number)
{
	struct tree *t = tree_new(ARENA(d), DOC_MAP, NULL);

	if (*p->name)
		tree_set(t, "name", new_text(d, p->name));
	tree_set(t, "protocol", new_text(d, protocol_name(p->protocol)));
	tree_set(t, "port", new_number(d, number));
	return t;
}

static void need_endpoints(struct pool_documents *d)
{
	d->endpoints.changed = d->endpoints.in_force = true;
	if (d->endpoints.tree)
		return;
	d->endpoints.tree = new_document(d, "Endpoints");
	tree_set(d->endpoints.tree, "subsets", tree_new(ARENA(d), DOC_LIST, NULL));
}

void pool_documents_make(struct pool_documents *d, const char *ns, const char *name,
			 const struct object_port *port)
{
	struct tree *spec;

	d->ns = ns;
	d->name = name;
	d->port = *port;
	d->port_count = 1;
	d->endpoints.key = (struct store_key){ STORE_ENDPOINTS, ns, name };
	d->service.key = (struct store_key){ STORE_SERVICE, ns, name };
	d->service.tree = new_document(d, "Service");
	d->service.changed = d->service.in_force = true;
	spec = tree_need_map(ARENA(d), d->service.tree, "spec");
	tree_set(spec, "type", new_text(d, "NodePort"));
	d->node = new_port(d, port, port->port);
	append(need_list(d, spec, "ports"), d->node);
	need_endpoints(d);
}

/* --- settings ------------------------------------------------------------------------------------ */

/* The annotation of this key in a map, be it the origin's own one; NULL: none. */
static struct tree *find_setting(const struct tree *map, const char *key)
{
	for (struct tree *t = map && map->type == DOC_MAP ? map->first : NULL; t; t = t->next) {
		const char *own = pool_setting_key(t->key);

		if (own && strcmp(own, key) == 0)
			return t;
	}
	return NULL;
}

static struct tree *annotations_of(const struct pool_document *p, int top)
{
	return tree_get(top ? p->tree : tree_get(p->tree, "metadata"), "annotations");
}

static void remove_from(struct pool_document *p, const char *key)
{
	for (int top = 0; top < 2; top++) {
		struct tree *map = annotations_of(p, top), *t;

		while ((t = find_setting(map, key))) {
			(void)tree_take(map, t->key);
			p->changed = true;
			if (!map->first)
				(void)tree_take(top ? p->tree : tree_get(p->tree, "metadata"),
						"annotations");
		}
	}
}

/* The first that says it, else the Endpoints, else the Service. */
static struct pool_document *home_of(struct pool_documents *d, const char *key)
{
	struct pool_document *p;

	for (size_t i = 0; (p = pool_document_at(d, i)); i++)
		if (p->tree && p->in_force && !pool_document_is_managed(p) &&
		    (find_setting(annotations_of(p, 0), key) ||
		     find_setting(annotations_of(p, 1), key)))
			return p;
	return d->endpoints.tree && !pool_document_is_managed(&d->endpoints) ? &d->endpoints
									     : &d->service;
}

static void set_in(struct pool_documents *d, struct pool_document *p, const char *key,
		   const char *value)
{
	struct tree *metadata = tree_need_map(ARENA(d), p->tree, "metadata"), *map;
	char name[sizeof(ANNOTATION_PREFIX) + OBJECT_NAME_MAX];
	const struct tree *before;

	snprintf(name, sizeof(name), ANNOTATION_PREFIX "%s", key);
	map = find_setting(annotations_of(p, 1), key) && !find_setting(annotations_of(p, 0), key)
		      ? annotations_of(p, 1)
		      : tree_need_map(ARENA(d), metadata, "annotations");
	before = tree_get(map, name);
	if (before && before->type == DOC_STRING && strcmp(before->text, value) == 0)
		return;
	/* The origin's key would say the same again. */
	if (!before && find_setting(map, key))
		(void)tree_take(map, find_setting(map, key)->key);
	tree_set(map, arena_strdup(ARENA(d), name), new_text(d, value));
	p->changed = true;
}

void pool_set_setting(struct pool_documents *d, const char *key, const char *value)
{
	struct pool_document *p;

	if (strlen(key) > OBJECT_NAME_MAX || !*key) {
		problems_add(&d->e->errors, true, 0, "settings.%.64s: no such key", key);
		return;
	}
	if (value) {
		set_in(d, home_of(d, key), key, value);
		return;
	}
	for (size_t i = 0; (p = pool_document_at(d, i)); i++)
		if (p->tree && !pool_document_is_managed(p))
			remove_from(p, key);
}

/* --- ports ----------------------------------------------------------------------------------------- */

void pool_set_port(struct pool_documents *d, uint16_t port)
{
	if (d->port.node_port == port)
		return;
	tree_set(d->node, "nodePort", new_number(d, port));
	d->port.node_port = port;
	d->service.changed = true;
}

static void remove_document(struct pool_document *p)
{
	if (p->tree)
		p->changed = p->removed = true;
}

/* The pool's port out of a subset. True: no other is left. */
static bool drop_subset_port(struct pool_documents *d, struct pool_document *p, struct tree *subset)
{
	struct object_port port;
	size_t count;
	struct tree *node = pool_subset_port(d, subset, &port, &count);

	if (!node)
		return false;
	p->changed = true;
	unlink_item(tree_get(subset, "ports"), node);
	return count == 1;
}

static void drop_from_endpoints(struct pool_documents *d)
{
	struct tree *list = tree_get(d->endpoints.tree, "subsets"), *next;

	for (struct tree *s = is_empty_list(list) ? NULL : list->first; s; s = next) {
		next = s->next;
		if (drop_subset_port(d, &d->endpoints, s))
			unlink_item(list, s);
	}
}

void pool_drop_port(struct pool_documents *d)
{
	struct pool_document *p;
	struct endpoint *gone;
	size_t count;

	for (size_t i = 0; d->port_count == 1 && (p = pool_document_at(d, i)); i++)
		remove_document(p);
	if (d->port_count == 1)
		return;
	gone = pool_members(d, &count);
	drop_from_endpoints(d);
	for (size_t i = 0; i < d->slice_count; i++)
		if (drop_subset_port(d, &d->slices[i], d->slices[i].tree))
			remove_document(&d->slices[i]);
	pool_forget_weights(d, gone, count);
	unlink_item(tree_get(tree_get(d->service.tree, "spec"), "ports"), d->node);
	d->service.changed = true;
}

/* --- members ---------------------------------------------------------------------------------------- */

static struct tree *new_address(struct pool_documents *d, const struct endpoint *at, bool slice)
{
	struct tree *t = tree_new(ARENA(d), DOC_MAP, NULL);
	char text[ADDR_TEXT_MAX];

	addr_text(&at->addr, text);
	if (slice)
		append(need_list(d, t, "addresses"), new_text(d, text));
	else
		tree_set(t, "ip", new_text(d, text));
	return t;
}

/* Whether an address here is a member of this pool, with this port, and of no other. */
static bool suits(struct pool_documents *d, const struct tree *subset, const struct endpoint *at)
{
	struct object_port port;
	size_t count;

	return pool_subset_port(d, subset, &port, &count) && count == 1 && port.port == at->port;
}

static void add_to_slice(struct pool_documents *d, const struct endpoint *at)
{
	const char *family = at->addr.family == AF_INET6 ? "IPv6" : "IPv4";

	for (size_t i = 0; i < d->slice_count; i++) {
		struct pool_document *p = &d->slices[i];
		const char *type = tree_text(p->tree, "addressType");

		if (!p->in_force || !type || strcmp(type, family) != 0 || !suits(d, p->tree, at))
			continue;
		append(need_list(d, p->tree, "endpoints"), new_address(d, at, true));
		p->changed = true;
		return;
	}
	problems_add(&d->e->errors, true, 0,
		     "members of %s/%s are in EndpointSlices, and none of them has addresses of "
		     "type %s with port %u alone: write one",
		     d->ns, d->name, family, at->port);
}

static struct tree *new_subset(struct pool_documents *d, uint16_t port)
{
	struct tree *t = tree_new(ARENA(d), DOC_MAP, NULL);

	(void)need_list(d, t, "addresses");
	append(need_list(d, t, "ports"), new_port(d, &d->port, port));
	append(need_list(d, d->endpoints.tree, "subsets"), t);
	return t;
}

void pool_make_members(struct pool_documents *d, const struct endpoint *all, size_t count)
{
	struct tree **end = NULL;

	for (size_t i = 0; i < count; i++) {
		if (i == 0 || all[i - 1].port != all[i].port)
			end = &need_list(d, new_subset(d, all[i].port), "addresses")->first;
		*end = new_address(d, &all[i], false);
		end = &(*end)->next;
	}
}

void pool_add_member(struct pool_documents *d, const struct endpoint *at)
{
	struct tree *list, *subset;

	if (d->sliced) {
		add_to_slice(d, at);
		return;
	}
	need_endpoints(d);
	list = need_list(d, d->endpoints.tree, "subsets");
	for (subset = list->first; subset; subset = subset->next)
		if (suits(d, subset, at))
			break;
	if (!subset)
		subset = new_subset(d, at->port);
	append(need_list(d, subset, "addresses"), new_address(d, at, false));
}

/* The address goes on with the subset's other ports, in a subset of its own. */
static void split_subset(struct pool_documents *d, const struct pool_place *p)
{
	struct tree *subset = tree_new(ARENA(d), DOC_MAP, NULL), *ports;
	const char *key = p->list->key;
	struct object_port port;
	struct tree *copy;
	size_t count;

	append(need_list(d, subset, key), p->item);
	copy = copy_tree(d, tree_get(p->subset, "ports"));
	tree_set(subset, "ports", copy);
	ports = pool_subset_port(d, subset, &port, &count);
	if (ports)
		unlink_item(copy, ports);
	append(tree_get(d->endpoints.tree, "subsets"), subset);
}

static void remove_place(struct pool_documents *d, const struct pool_place *p)
{
	struct object_port port;
	size_t count;

	(void)!pool_subset_port(d, p->subset, &port, &count);
	if (count > 1 && p->document->key.kind == STORE_SLICE) {
		problems_add(&d->e->errors, true, 0,
			     "EndpointSlice %s/%s has more ports than this pool's: edit it there",
			     d->ns, p->document->key.name);
		return;
	}
	p->document->changed = true;
	unlink_item(p->list, p->item);
	if (count > 1)
		split_subset(d, p);
	if (p->document->key.kind == STORE_SLICE)
		return;
	if (is_empty_list(p->list))
		(void)tree_take(p->subset, p->list->key);
	if (is_empty_list(tree_get(p->subset, "addresses")) &&
	    is_empty_list(tree_get(p->subset, "notReadyAddresses")))
		unlink_item(tree_get(d->endpoints.tree, "subsets"), p->subset);
}

struct removal {
	struct endpoint at;
	struct pool_place place;
	bool found;
};

static bool find_place(void *arg, const struct pool_place *p)
{
	struct removal *r = arg;

	r->found = endpoint_cmp(&r->at, &p->at) == 0;
	r->place = *p;
	return !r->found;
}

struct places {
	struct pool_documents *d;
	struct endpoint *items;
	size_t count;
};

static int by_endpoint(const void *a, const void *b)
{
	return endpoint_cmp(a, b);
}

/* The one port that is left to an address, whatever its name, may come to be taken for the pool's. */
static bool check_place(void *arg, const struct pool_place *p)
{
	const struct places *before = arg;
	char text[ENDPOINT_TEXT_MAX];

	if (bsearch(&p->at, before->items, before->count, sizeof(*before->items), by_endpoint))
		return true;
	problems_add(
		&before->d->e->errors, true, 0,
		"%s %s/%s has more ports than this pool's, and %s would become a member: edit it "
		"there",
		store_kind_text(p->document->key.kind), before->d->ns, p->document->key.name,
		endpoint_text(&p->at, text));
	return false;
}

/* It may stand in several places. */
static void remove_places(struct pool_documents *d, const struct endpoint *at)
{
	struct removal r = { .at = *at };

	do {
		r.found = false;
		pool_each_place(d, find_place, &r);
		if (r.found)
			remove_place(d, &r.place);
	} while (r.found && !d->e->errors.count);
}

void pool_remove_members(struct pool_documents *d, const struct endpoint *all, size_t count)
{
	struct places before = { .d = d };

	if (!count)
		return;
	before.items = pool_members(d, &before.count);
	if (before.count > 1)
		qsort(before.items, before.count, sizeof(*before.items), by_endpoint);
	for (size_t i = 0; i < count; i++)
		remove_places(d, &all[i]);
	pool_each_place(d, check_place, &before);
	pool_forget_weights(d, all, count);
}
