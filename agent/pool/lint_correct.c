/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Manifests as an API server takes them. What is moved or respelled means the
 * same to us as before; what we do not know stays as it is.
 */
#include "agent/pool/lint_correct.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"
#include "agent/pool/lint_tree.h"
#include "agent/pool/object_build.h"

#define PREFIX	    "parasaus.io/"
#define TYPE_KEY    PREFIX "health-check-type"
#define PATH_KEY    PREFIX "health-check-path"
#define PROXY_LABEL "service.kubernetes.io/service-proxy-name"

struct correction {
	struct arena arena;
	struct tree **documents;
	size_t count, room;
	struct map services;   /* documents by namespace and name */
	struct map namespaces; /* names that a document makes, or that are written already */
};

static const char *namespace_of(const struct tree *d)
{
	const char *ns = tree_text(tree_get(d, "metadata"), "namespace");

	return ns && *ns ? ns : "default";
}

static const char *name_of(const struct tree *d)
{
	const char *name = tree_text(tree_get(d, "metadata"), "name");

	return name ? name : "";
}

static bool is_kind(const struct tree *d, const char *kind)
{
	const char *k = tree_text(d, "kind");

	return k && strcmp(k, kind) == 0;
}

static bool same_object(const void *object, const void *key)
{
	return strcmp(name_of(object), name_of(key)) == 0 &&
	       strcmp(namespace_of(object), namespace_of(key)) == 0;
}

static uint64_t hash_of(const struct tree *d)
{
	return hash_table_str(namespace_of(d)) * 31 + hash_table_str(name_of(d));
}

static bool same_name(const void *object, const void *key)
{
	return strcmp(object, key) == 0;
}

struct correction *correction_new(void)
{
	struct correction *c = xcalloc(1, sizeof(*c));

	map_init(&c->services, same_object);
	map_init(&c->namespaces, same_name);
	return c;
}

void correction_free(struct correction *c)
{
	if (!c)
		return;
	map_done(&c->services);
	map_done(&c->namespaces);
	arena_done(&c->arena);
	free(c->documents);
	free(c);
}

void correction_add(struct correction *c, const struct doc *d)
{
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 16;
		c->documents = xreallocarray(c->documents, c->room, sizeof(*c->documents));
	}
	c->documents[c->count++] = tree_of(&c->arena, d);
}

/* --- one document ---------------------------------------------------------- */

static const char *lower(struct correction *c, const char *s)
{
	char *copy = arena_strdup(&c->arena, s);

	for (char *i = copy; *i; i++)
		*i = (char)(*i >= 'A' && *i <= 'Z' ? *i - 'A' + 'a' : *i);
	return copy;
}

/* Every annotation and label is a string to an API server. */
static void quote_values(struct tree *map)
{
	for (struct tree *t = map && map->type == DOC_MAP ? map->first : NULL; t; t = t->next) {
		if (t->type == DOC_BOOL || t->type == DOC_NUMBER)
			t->type = DOC_STRING;
	}
}

static void merge_absent(struct tree *to, struct tree *from)
{
	struct tree *next;

	for (struct tree *t = from->first; t; t = next) {
		next = t->next;
		t->next = NULL;
		if (!tree_get(to, t->key))
			tree_set(to, t->key, t);
	}
}

/* The origin's keys: its type becomes ours; who wrote the manifest is nobody's business. */
static void respell(struct correction *c, struct tree *annotations)
{
	struct tree *type = tree_take(annotations, "healthCheckType");

	(void)tree_take(annotations, "calledSource");
	if (type && type->text && !tree_get(annotations, TYPE_KEY))
		tree_set(annotations, TYPE_KEY,
			 tree_new(&c->arena, DOC_STRING, lower(c, type->text)));
}

static void correct_metadata(struct correction *c, struct tree *d)
{
	struct tree *metadata = tree_need_map(&c->arena, d, "metadata");
	struct tree *top = tree_take(d, "annotations");
	struct tree *annotations;

	for (struct tree *t = metadata->first; t; t = t->next) {
		/* A name such as 12 or yes needs its quotes. */
		if ((strcmp(t->key, "name") == 0 || strcmp(t->key, "namespace") == 0) &&
		    (t->type == DOC_NUMBER || t->type == DOC_BOOL))
			t->type = DOC_STRING;
	}
	quote_values(tree_get(metadata, "labels"));
	annotations = tree_get(metadata, "annotations");
	if (top && top->type == DOC_MAP) {
		annotations = tree_need_map(&c->arena, metadata, "annotations");
		merge_absent(annotations, top);
	}
	quote_values(annotations);
	if (annotations)
		respell(c, annotations);
}

static void correct_protocols(struct tree *ports)
{
	for (struct tree *p = ports ? ports->first : NULL; p; p = p->next) {
		struct tree *protocol = tree_get(p, "protocol");
		struct tree *name = tree_get(p, "name");

		if (protocol && protocol->text && strcasecmp(protocol->text, "TCP") == 0)
			protocol->text = "TCP";
		if (protocol && protocol->text && strcasecmp(protocol->text, "UDP") == 0)
			protocol->text = "UDP";
		if (name && (name->type == DOC_NUMBER || name->type == DOC_BOOL))
			name->type = DOC_STRING;
	}
}

static void order_ports(struct tree *ports)
{
	static const char *const order[] = { "name", "protocol", "port", "nodePort", "targetPort" };

	for (struct tree *p = ports ? ports->first : NULL; p; p = p->next)
		tree_order(p, order, ARRAY_LEN(order));
}

static void correct_service(struct correction *c, struct tree *d)
{
	static const char *const order[] = { "type", "ports" };
	struct tree *spec = tree_need_map(&c->arena, d, "spec");
	struct tree *ports = tree_get(spec, "ports");
	struct tree *labels = tree_need_map(&c->arena, tree_need_map(&c->arena, d, "metadata"),
					    "labels");

	if (ports && ports->type != DOC_LIST)
		ports = NULL;
	for (struct tree *p = ports ? ports->first : NULL; p; p = p->next) {
		struct tree *type = tree_take(p, "type");

		if (type && !tree_get(spec, "type"))
			tree_set(spec, "type", type);
	}
	if (!tree_get(labels, PROXY_LABEL))
		tree_set(labels, PROXY_LABEL, tree_new(&c->arena, DOC_STRING, "parasaus"));
	correct_protocols(ports);
	order_ports(ports);
	tree_order(spec, order, ARRAY_LEN(order));
}

static void correct_endpoints(struct tree *d)
{
	struct tree *subsets = tree_get(d, "subsets");

	for (struct tree *s = subsets && subsets->type == DOC_LIST ? subsets->first : NULL; s;
	     s = s->next) {
		struct tree *ports = tree_get(s, "ports");

		if (!ports || ports->type != DOC_LIST)
			continue;
		correct_protocols(ports);
		order_ports(ports);
	}
}

static void order_document(struct tree *d)
{
	static const char *const top[] = { "apiVersion", "kind", "metadata" };
	static const char *const metadata[] = { "name", "namespace", "labels", "annotations" };

	tree_order(d, top, ARRAY_LEN(top));
	tree_order(tree_get(d, "metadata"), metadata, ARRAY_LEN(metadata));
}

/* --- documents together ---------------------------------------------------- */

/*
 * Annotations of ours belong on the Service: those of Endpoints are copied to every EndpointSlice
 * that is made of it.
 */
static void move_to_service(struct correction *c, struct tree *endpoints)
{
	struct tree *service = map_get(&c->services, hash_of(endpoints), endpoints);
	struct tree *metadata = tree_get(endpoints, "metadata");
	struct tree *from = tree_get(metadata, "annotations"), *to, *next;

	if (!service || !from || from->type != DOC_MAP)
		return;
	to = tree_need_map(&c->arena, tree_get(service, "metadata"), "annotations");
	for (struct tree *t = from->first; t; t = next) {
		next = t->next;
		if (strncmp(t->key, PREFIX, sizeof(PREFIX) - 1) == 0)
			tree_set(to, t->key, tree_take(from, t->key));
	}
	if (!from->first)
		(void)tree_take(metadata, "annotations");
	if (!to->first)
		(void)tree_take(tree_get(service, "metadata"), "annotations");
}

static void add_path(struct correction *c, struct tree *d)
{
	struct tree *annotations = tree_get(tree_get(d, "metadata"), "annotations");
	const char *type = tree_text(annotations, TYPE_KEY);

	if (type && strcmp(type, "http") == 0 && !tree_get(annotations, PATH_KEY))
		tree_set(annotations, PATH_KEY, tree_new(&c->arena, DOC_STRING, "/"));
}

static bool is_ours(const struct tree *d)
{
	return is_kind(d, "Service") || is_kind(d, "Endpoints") || is_kind(d, "EndpointSlice");
}

static void correct_all(struct correction *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct tree *d = c->documents[i];

		if (!is_ours(d))
			continue;
		correct_metadata(c, d);
		if (is_kind(d, "Service")) {
			correct_service(c, d);
			if (!map_get(&c->services, hash_of(d), d))
				map_put(&c->services, hash_of(d), d);
		} else if (is_kind(d, "Endpoints")) {
			correct_endpoints(d);
		}
	}
	for (size_t i = 0; i < c->count; i++) {
		if (is_kind(c->documents[i], "Endpoints"))
			move_to_service(c, c->documents[i]);
	}
	for (size_t i = 0; i < c->count; i++) {
		if (!is_ours(c->documents[i]))
			continue;
		add_path(c, c->documents[i]);
		order_document(c->documents[i]);
	}
}

/* True the first time. */
static bool note_namespace(struct correction *c, const char *name)
{
	uint64_t h = hash_table_str(name);

	if (map_get(&c->namespaces, h, name))
		return false;
	map_put(&c->namespaces, h, (void *)(uintptr_t)name);
	return true;
}

/* An object of a namespace that is not there is refused. */
static void print_namespaces(struct correction *c, struct buf *out)
{
	(void)note_namespace(c, "default");
	for (size_t i = 0; i < c->count; i++) {
		if (is_kind(c->documents[i], "Namespace"))
			(void)note_namespace(c, name_of(c->documents[i]));
	}
	for (size_t i = 0; i < c->count; i++) {
		const char *ns = namespace_of(c->documents[i]);

		if (is_ours(c->documents[i]) && note_namespace(c, ns))
			buf_printf(out,
				   "%sapiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n",
				   out->len ? "---\n" : "", ns);
	}
}

/* Also one that lacks its kind, or has it in other letters. */
static bool is_secret(const struct tree *d)
{
	const char *kind = tree_text(d, "kind");

	return (kind && strcasecmp(kind, "Secret") == 0) || tree_get(d, "stringData");
}

/* What is secret is not printed, in whatever form: it may end up where others look. */
static void print_secret(const struct tree *d, struct buf *out)
{
	const char *ns = namespace_of(d), *name = name_of(d);

	buf_str(out, "# A Secret is left out: take it as it is");
	if (object_is_label(ns) && object_is_name(name))
		buf_printf(out, " (%s/%s)", ns, name);
	buf_str(out, ".\n");
}

void correction_print(struct correction *c, struct buf *out)
{
	correct_all(c);
	print_namespaces(c, out);
	for (size_t i = 0; i < c->count; i++) {
		if (out->len)
			buf_str(out, "---\n");
		if (is_secret(c->documents[i]))
			print_secret(c->documents[i], out);
		else
			tree_print(c->documents[i], out);
	}
}
