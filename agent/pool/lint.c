/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings come from where the agent itself has them: objects are decoded and
 * put into a model, and what both report is told here. Added is what only
 * matters to the writer of a manifest.
 */
#include "agent/pool/lint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/lint_correct.h"

#define NODES_MAX 2000000
#define DEPTH_MAX 32

struct lint {
	struct pools *pools;
	struct pool_rules own_rules; /* without a configuration */
	bool judge_frontends;
	struct lint_finding *findings;
	size_t count, room;
	struct correction *correction;
	struct doc_set *sets; /* what was read: the correction's strings are in there */
	size_t set_count;
	struct map seen; /* objects by identity; they are the model's */
	bool unreadable;
	bool done;
};

static bool seen_eq(const void *object, const void *key)
{
	return object_same(object, key);
}

static uint64_t seen_hash(const struct object *o)
{
	return hash_table_str(o->name) * 31 + hash_table_str(o->ns) * 7 + hash_table_str(o->path) +
	       (uint64_t)o->kind;
}

struct lint *lint_new(const struct pool_rules *rules)
{
	struct lint *l = xcalloc(1, sizeof(*l));

	l->judge_frontends = rules != NULL;
	if (!rules) {
		l->own_rules.defaults = (struct pool_settings){
			.scheduler = "wrr",
			.masquerade = true,
			.weight = 1,
			.check = check_new(CHECK_TCP),
		};
		rules = &l->own_rules;
	}
	l->pools = pools_new(rules);
	l->correction = correction_new();
	map_init(&l->seen, seen_eq);
	return l;
}

void lint_free(struct lint *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->count; i++)
		free((char *)(uintptr_t)l->findings[i].text);
	free(l->findings);
	pools_free(l->pools);
	check_unref(l->own_rules.defaults.check);
	correction_free(l->correction);
	for (size_t i = 0; i < l->set_count; i++)
		doc_set_done(&l->sets[i]);
	free(l->sets);
	map_done(&l->seen);
	free(l);
}

static void find(struct lint *l, bool error, const char *file, unsigned line, const char *text)
{
	/* "line 7: ..." knows better. */
	if (strncmp(text, "line ", 5) == 0) {
		char *rest;

		line = (unsigned)strtoul(text + 5, &rest, 10);
		text = rest + strspn(rest, ": ");
	}
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->findings = xreallocarray(l->findings, l->room, sizeof(*l->findings));
	}
	l->findings[l->count++] = (struct lint_finding){ error, file, line, xstrdup(text) };
}

/* --- reading --------------------------------------------------------------- */

static void keep_object(struct lint *l, const char *file, struct object *o)
{
	struct err err;

	if (map_get(&l->seen, seen_hash(o), o)) {
		err_set(&err, -EEXIST, "%s %s/%s is in this file already: this one is not used",
			object_kind_text(o->kind), o->ns, o->name);
		find(l, true, file, o->line, err.text);
		object_free(o);
		return;
	}
	map_put(&l->seen, seen_hash(o), o);
	pools_put(l->pools, o);
}

/* One for the agent's store: whether it is in the way of another one is seen there. */
static void look_at_address_pool(struct lint *l, const char *file, const struct doc *d)
{
	struct address_pool p;
	struct err err = { 0 };

	if (address_pool_decode(d, &p, &err) < 0)
		find(l, true, file, d->line, err.text);
	else
		address_pool_done(&p);
}

static void add_document(struct lint *l, const char *file, const struct doc *d)
{
	const struct object_origin from = { .path = file };
	const char *kind = doc_string(doc_get(d, "kind"));
	struct object *o;
	struct err err = { 0 };
	int r;

	correction_add(l->correction, d);
	if (address_pool_is(d)) {
		look_at_address_pool(l, file, d);
		return;
	}
	r = object_decode(d, &from, &o, &err);
	if (r == 0)
		keep_object(l, file, o);
	else if (r != -ENOTSUP)
		find(l, true, file, d->line, err.text);
	else if (!kind || strcmp(kind, "Namespace") != 0)
		find(l, false, file, d->line, err.text);
}

static bool is_json(const char *file)
{
	size_t n = strlen(file);

	return n >= 5 && strcmp(file + n - 5, ".json") == 0;
}

void lint_add(struct lint *l, const char *file, const void *text, size_t len)
{
	static const struct doc_limits limits = { .nodes = NODES_MAX, .depth = DEPTH_MAX };
	struct doc_set s = { 0 };
	struct err err = { 0 };
	int r = is_json(file) ? doc_read_json(text, len, &limits, &s, &err)
			      : doc_read_yaml(text, len, &limits, &s, &err);

	if (r < 0) {
		l->unreadable = true;
		find(l, true, file, 0, err.text);
		return;
	}
	for (size_t i = 0; i < s.count; i++) {
		const struct doc *list = object_list(s.roots[i]);

		if (!list)
			add_document(l, file, s.roots[i]);
		for (const struct doc *d = list ? list->first : NULL; d; d = d->next)
			add_document(l, file, d);
	}
	l->sets = xreallocarray(l->sets, l->set_count + 1, sizeof(*l->sets));
	l->sets[l->set_count++] = s;
}

/* --- what the agent would report ------------------------------------------- */

/* Without a configuration nothing can be said of frontends. */
static bool is_of_frontends(const char *text)
{
	return strncmp(text, "no frontend: ", 13) == 0;
}

/* It may well be in another file, or in a cluster where nobody but its owner reads it. */
static bool is_of_absent_secret(const char *text)
{
	return strstr(text, "health-check-secret: Secret ") && strstr(text, " is not there;");
}

static void take_problems(struct lint *l, const struct problems *p, const char *path)
{
	for (size_t i = 0; i < p->count; i++) {
		if (!l->judge_frontends && is_of_frontends(p->items[i].text))
			continue;
		find(l, p->items[i].error && !is_of_absent_secret(p->items[i].text),
		     *p->items[i].path ? p->items[i].path : path, p->items[i].line,
		     p->items[i].text);
	}
}

static void on_pool(void *arg, const char *id, struct pool *pool)
{
	(void)id;
	take_problems(arg, &pool->problems, "");
}

static void on_orphan(void *arg, const struct object *o, const struct problems *problems)
{
	take_problems(arg, problems, o->path);
}

/* --- what only matters to the writer ---------------------------------------- */

struct objects {
	const struct object **items;
	size_t count;
};

static void collect(void *arg, const struct object *o)
{
	struct objects *all = arg;

	all->items[all->count++] = o;
}

static int by_service(const void *a, const void *b)
{
	const struct object *x = *(const struct object *const *)a;
	const struct object *y = *(const struct object *const *)b;
	int order = strcmp(x->ns, y->ns);

	return order ? order : strcmp(x->service, y->service);
}

static const struct object_annotation *annotation(const struct object *o, const char *key)
{
	for (size_t i = 0; i < o->annotation_count; i++) {
		if (strcmp(o->annotations[i].key, key) == 0)
			return &o->annotations[i];
	}
	return NULL;
}

/* The objects of one Service. */
static void look_for_path(struct lint *l, const struct object **group, size_t count)
{
	const struct object_annotation *type = NULL;
	const struct object *by = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct object_annotation *a = annotation(group[i], "health-check-type");

		if (!a)
			a = annotation(group[i], "healthCheckType");
		if (annotation(group[i], "health-check-path"))
			return;
		if (a && strcasecmp(a->value, "http") == 0) {
			type = a;
			by = group[i];
		}
	}
	if (type)
		find(l, false, by->path, type->line,
		     "a health check of type http without parasaus.io/health-check-path asks for "
		     "\"/\": say what to ask for");
}

struct node_port {
	const struct object *o;
	const struct object_port *port;
};

static int by_node_port(const void *a, const void *b)
{
	const struct node_port *x = a, *y = b;

	if (x->port->node_port != y->port->node_port)
		return x->port->node_port < y->port->node_port ? -1 : 1;
	return x->port->protocol - y->port->protocol;
}

static void look_at_node_ports(struct lint *l, const struct objects *all)
{
	struct node_port *ports;
	size_t n = 0, room = 0;
	struct err err;

	for (size_t i = 0; i < all->count; i++)
		room += all->items[i]->port_count;
	ports = xcalloc(room, sizeof(*ports));
	for (size_t i = 0; i < all->count; i++) {
		const struct object *o = all->items[i];

		for (size_t j = 0; j < o->port_count && o->type == SERVICE_NODE_PORT; j++) {
			if (o->ports[j].node_port)
				ports[n++] = (struct node_port){ o, &o->ports[j] };
			else
				find(l, true, o->path, o->line,
				     "a port of the Service states no nodePort: files have to");
		}
	}
	qsort(ports, n, sizeof(*ports), by_node_port);
	for (size_t i = 1; i < n; i++) {
		if (by_node_port(&ports[i - 1], &ports[i]) != 0)
			continue;
		err_set(&err, -EEXIST, "nodePort %u/%s is also that of Service %s/%s (%s line %u)",
			ports[i].port->node_port, protocol_text(ports[i].port->protocol),
			ports[i - 1].o->ns, ports[i - 1].o->name, ports[i - 1].o->path,
			ports[i - 1].o->line);
		find(l, true, ports[i].o->path, ports[i].o->line, err.text);
	}
	free(ports);
}

static void look_at_objects(struct lint *l)
{
	struct objects all = { .items = xcalloc(l->seen.count, sizeof(struct object *)) };
	size_t from = 0;

	pools_objects(l->pools, 0, collect, &all);
	qsort(all.items, all.count, sizeof(struct object *), by_service);
	for (size_t i = 1; i <= all.count; i++) {
		if (i < all.count && by_service(&all.items[from], &all.items[i]) == 0)
			continue;
		look_for_path(l, all.items + from, i - from);
		from = i;
	}
	if (!l->judge_frontends)
		look_at_node_ports(l, &all);
	free(all.items);
}

/* --- findings -------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const struct lint_finding *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (!order && x->line != y->line)
		order = x->line < y->line ? -1 : 1;
	return order ? order : strcmp(x->text, y->text);
}

/* A problem of an object is one of each of its pools: told once here. */
static void sort_findings(struct lint *l)
{
	size_t kept = 0;

	if (l->count > 1)
		qsort(l->findings, l->count, sizeof(*l->findings), by_place);
	for (size_t i = 0; i < l->count; i++) {
		if (kept && by_place(&l->findings[kept - 1], &l->findings[i]) == 0)
			free((char *)(uintptr_t)l->findings[i].text);
		else
			l->findings[kept++] = l->findings[i];
	}
	l->count = kept;
}

const struct lint_finding *lint_findings(struct lint *l, size_t *out_count)
{
	if (!l->done) {
		l->done = true;
		pools_update(l->pools, on_pool, l);
		pools_orphans(l->pools, on_orphan, l);
		look_at_objects(l);
		sort_findings(l);
	}
	*out_count = l->count;
	return l->findings;
}

int lint_corrected(const struct lint *l, struct buf *out)
{
	if (l->unreadable)
		return -EINVAL;
	correction_print(l->correction, out);
	return 0;
}
