/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the API server, and what a pool is made of there. */
#include "agent/api/edit_cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/edit_pool.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/value.h"
#include "agent/pool/object_build.h"

#define SERVICE_LABEL "kubernetes.io%2Fservice-name%3D"
#define MIRRORED_BY   "endpointslicemirroring-controller.k8s.io"
#define MANAGED_LABEL "endpointslice.kubernetes.io/managed-by"

/* --- paths --------------------------------------------------------------------------------- */

const char *cluster_kind(enum store_kind k)
{
	switch (k) {
	case STORE_ENDPOINTS:
		return "endpoints";
	case STORE_SLICE:
		return "endpointslices";
	case STORE_SERVICE:
	case STORE_SECRET:
	case STORE_ADDRESS_POOL:
		break;
	}
	return "services";
}

/* Names are such as need no escaping: see cluster_begin(). */
static const char *path_of(const struct cluster *c, const char *group, const char *kind,
			   const char *name, const char *query)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_printf(&b, "%s/namespaces/%s/%s%s%s%s", group, c->ns, kind, name ? "/" : "",
		   name ? name : "", query);
	return arena_strdup(&c->e->arena, buf_cstr(&b));
}

const char *cluster_path(const struct cluster *c, enum store_kind k, const char *name,
			 const char *query)
{
	return path_of(c, k == STORE_SLICE ? "/apis/discovery.k8s.io/v1" : "/api/v1",
		       cluster_kind(k), name, query);
}

const char *cluster_history_path(const struct cluster *c, const char *name, const char *query)
{
	return path_of(c, "/apis/apps/v1", "controllerrevisions", name, query);
}

/* --- asking -------------------------------------------------------------------------------- */

static void on_said(void *arg, const struct edit_said *s)
{
	struct cluster_ask *a = arg;

	a->call = NULL;
	a->then(a, s);
}

void cluster_ask(struct cluster *c, const char *method, const char *verb, const char *kind,
		 const char *path, const char *json,
		 void (*then)(struct cluster_ask *a, const struct edit_said *s))
{
	const struct edit_cluster *to = c->home->cluster;
	struct cluster_ask *a = arena_take(&c->e->arena, sizeof(*a));

	*a = (struct cluster_ask){
		.c = c, .next = c->asks, .verb = verb, .kind = kind, .then = then
	};
	c->asks = a;
	a->call = to->ask(to->arg, &(struct edit_ask){ method, path, c->token, json }, on_said, a);
}

static void forget(struct edit *e)
{
	for (struct cluster_ask *a = e->cluster->asks; a; a = a->next)
		if (a->call)
			e->cluster->home->cluster->cancel(e->cluster->home->cluster->arg, a->call);
	e->cluster->asks = NULL;
}

const struct doc *cluster_read(struct edit *e, const struct edit_said *s)
{
	const struct doc_set *set;
	struct err err;

	if (edit_read(e, doc_read_json, s->body, s->len, &set, &err) < 0 || set->count != 1)
		return NULL;
	return set->roots[0]->type == DOC_MAP ? set->roots[0] : NULL;
}

/* Its Status, as the API server's own answers have one; NULL: something in front of it answered. */
bool cluster_said_absent(const struct edit_said *s)
{
	const struct doc_limits limits = DOC_LIMITS_DEFAULT;
	struct doc_set set = { 0 };
	const char *kind = NULL;
	bool absent = false;

	if (s->status != 404 || doc_read_json(s->body, s->len, &limits, &set, NULL) < 0)
		return false;
	kind = set.count ? doc_string(doc_get(set.roots[0], "kind")) : NULL;
	absent = kind && strcmp(kind, "Status") == 0;
	doc_set_done(&set);
	return absent;
}

/* --- what went wrong ------------------------------------------------------------------------- */

const char *cluster_right(const struct cluster_ask *a)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_printf(&b, "%s %s in namespace %s", a->verb, a->kind, a->c->ns);
	return arena_strdup(&a->c->e->arena, buf_cstr(&b));
}

static enum rest_problem problem_of(const struct edit_said *s)
{
	switch (s->status) {
	case 401:
		return PROBLEM_CLUSTER_UNKNOWN;
	case 403:
		return PROBLEM_CLUSTER_FORBIDDEN;
	case 400:
	case 404:
	case 409:
	case 413:
	case 422:
		return PROBLEM_CLUSTER_REFUSED;
	default:
		return PROBLEM_CLUSTER_TROUBLE;
	}
}

void cluster_put_refusal(const struct cluster_ask *a, const struct edit_said *s)
{
	struct edit *e = a->c->e;
	enum rest_problem p = cluster_said_good(s) ? PROBLEM_CLUSTER_TROUBLE : problem_of(s);
	CLEANUP(buf_done) struct buf detail = { 0 };
	struct json_writer j;

	if (p == PROBLEM_CLUSTER_FORBIDDEN)
		buf_printf(&detail, "it takes the right to %s: ", cluster_right(a));
	else if (p == PROBLEM_CLUSTER_UNKNOWN)
		buf_str(&detail, "the API server does not know the token, or no longer: ");
	buf_str(&detail, cluster_said_good(s) ? "the API server's answer cannot be read" : s->why);
	rest_reply_done(&e->reply);
	problem_begin(&e->reply, p, e->request, buf_cstr(&detail), &j);
	if (p == PROBLEM_CLUSTER_FORBIDDEN)
		json_put_text(&j, REST_RIGHT, cluster_right(a));
	problem_end(&j);
}

/* --- documents --------------------------------------------------------------------------------- */

const struct cluster_document *cluster_find(const struct cluster *c, const struct store_key *key)
{
	for (size_t i = 0; i < c->count; i++)
		if (store_key_same(&c->documents[i].object.key, key))
			return &c->documents[i];
	return NULL;
}

static void drop_authors(struct tree *metadata)
{
	struct tree *notes = tree_get(metadata, "annotations"), **i;

	if (!notes || notes->type != DOC_MAP)
		return;
	for (i = &notes->first; *i;) {
		if (author_is_key((*i)->key))
			*i = (*i)->next;
		else
			i = &(*i)->next;
	}
	if (!notes->first)
		(void)tree_take(metadata, "annotations");
}

struct tree *cluster_bare(struct edit *e, const struct doc *d, enum store_kind k)
{
	static const char *const kept[] = { "name", "namespace", "labels", "annotations" };
	static const char *const first[] = { "apiVersion", "kind", "metadata" };
	struct tree *t = tree_of(&e->arena, d), *bare = tree_new(&e->arena, DOC_MAP, NULL);
	struct tree *metadata = tree_get(t, "metadata");
	/* Items of lists do not say what they are. */
	const char *version = k == STORE_SLICE ? "discovery.k8s.io/v1" : "v1";

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct tree *part = metadata ? tree_take(metadata, kept[i]) : NULL;

		if (part)
			tree_set(bare, kept[i], part);
	}
	drop_authors(bare);
	(void)tree_take(t, "status");
	tree_set(t, "apiVersion", tree_new(&e->arena, DOC_STRING, version));
	tree_set(t, "kind", tree_new(&e->arena, DOC_STRING, store_kind_text(k)));
	tree_set(t, "metadata", bare);
	tree_order(t, first, ARRAY_LEN(first));
	return t;
}

static bool has_selector(const struct doc *service)
{
	const struct doc *s = doc_get(doc_get(service, "spec"), "selector");

	return s && s->type == DOC_MAP && s->first;
}

static void fill_object(struct cluster *c, const struct doc *d, struct cluster_document *out)
{
	struct store_object *o = &out->object;
	struct edit *e = c->e;
	CLEANUP(buf_done) struct buf text = { 0 };
	struct author author;

	edit_tree_print(cluster_bare(e, d, o->key.kind), &text);
	o->text = arena_strndup(&e->arena, buf_cstr(&text), text.len);
	o->len = text.len;
	author_of(doc_get(d, "metadata"), &author);
	o->changed_ms = author.at_ms;
	o->user = *author.user ? arena_strdup(&e->arena, author.user) : NULL;
	o->action = *author.action ? arena_strdup(&e->arena, author.action) : NULL;
	out->reason = *author.reason ? author.reason : NULL;
}

/* False: there is no editing it. */
static bool add_document(struct cluster *c, enum store_kind k, const struct doc *d)
{
	const struct doc *metadata = doc_get(d, "metadata"), *labels = doc_get(metadata, "labels");
	const char *name = doc_string(doc_get(metadata, "name"));
	const char *version = doc_string(doc_get(metadata, "resourceVersion"));
	const char *uid = doc_string(doc_get(metadata, "uid"));
	const char *by = doc_string(doc_get(labels, MANAGED_LABEL));
	struct cluster_document *out = &c->documents[c->count];
	uint64_t revision;
	struct err err;

	if (!name || !object_is_name(name) || c->count == CLUSTER_DOCUMENTS_MAX)
		return false;
	/* They are made of Endpoints, and follow them. */
	if (k == STORE_SLICE && by && strcmp(by, MIRRORED_BY) == 0)
		return true;
	if (!version || value_uint(version, 1, INT64_MAX, &revision) < 0) {
		err_set(&err, -EINVAL,
			"the resourceVersion of %s %.63s/%.100s is no number (\"%.64s\"): which "
			"revision is newer cannot be told; Kubernetes 1.35 promises numbers",
			store_kind_text(k), c->ns, name, version ? version : "");
		if (!c->failed)
			problem_answer(&c->e->reply, PROBLEM_CLUSTER_TROUBLE, c->e->request,
				       err.text);
		c->failed = true;
		return true;
	}
	*out = (struct cluster_document){ .uid = uid ? uid : "" };
	atomic_init(&out->object.refs, 1);
	out->object.key = (struct store_key){ k, c->ns, name };
	out->object.created_revision = revision;
	out->object.revision = author_is_controller(metadata) ? 0 : revision;
	out->metadata = tree_of(&c->e->arena, metadata);
	fill_object(c, d, out);
	c->count++;
	return true;
}

/* Endpoints of a Service with a selector are the controller's, whatever they say of it. */
static void find_managed(struct cluster *c, const struct doc *service)
{
	for (size_t i = 0; i < c->count && has_selector(service); i++)
		if (c->documents[i].object.key.kind == STORE_ENDPOINTS)
			c->documents[i].object.revision = 0;
}

/* --- fetching ------------------------------------------------------------------------------------ */

static void one_fetched(struct cluster *c)
{
	const struct store_key key = { STORE_SERVICE, c->ns, c->name };
	const struct cluster_document *service;
	struct edit *e = c->e;
	const struct doc_set *set;
	struct err err;

	if (--c->waiting)
		return;
	if (c->failed) {
		edit_done(e);
		return;
	}
	service = cluster_find(c, &key);
	if (service &&
	    edit_read(e, doc_read_json, service->object.text, service->object.len, &set, &err) == 0)
		find_managed(c, set->roots[0]);
	c->fetched(c);
}

/* The first that is said is the answer. */
static void fetch_failed(struct cluster_ask *a, const struct edit_said *s)
{
	if (!a->c->failed)
		cluster_put_refusal(a, s);
	a->c->failed = true;
}

static void on_document(struct cluster_ask *a, const struct edit_said *s)
{
	enum store_kind k = strcmp(a->kind, "services") == 0 ? STORE_SERVICE : STORE_ENDPOINTS;
	struct cluster *c = a->c;
	const struct doc *d = cluster_said_good(s) ? cluster_read(c->e, s) : NULL;

	if (!cluster_said_absent(s) && (!d || !add_document(c, k, d)))
		fetch_failed(a, s);
	one_fetched(c);
}

static void on_slices(struct cluster_ask *a, const struct edit_said *s)
{
	struct cluster *c = a->c;
	const struct doc *d = cluster_said_good(s) ? cluster_read(c->e, s) : NULL;
	const struct doc *items = doc_get(d, "items");
	bool good = cluster_said_absent(s) || d;

	for (const struct doc *i = items && items->type == DOC_LIST ? items->first : NULL; i;
	     i = i->next)
		good = good && add_document(c, STORE_SLICE, i);
	if (!good)
		fetch_failed(a, s);
	one_fetched(c);
}

static bool is_of_past(const struct edit *e)
{
	return e->target.what == EDIT_POOL_REVISIONS || e->target.what == EDIT_POOL_ROLLBACK ||
	       e->target.what == EDIT_OPERATIONS;
}

/* Without a past it can be edited all the same. */
static void on_history(struct cluster_ask *a, const struct edit_said *s)
{
	struct cluster *c = a->c;
	const struct doc *d = cluster_said_good(s) ? cluster_read(c->e, s) : NULL;

	if (!d && is_of_past(c->e)) {
		fetch_failed(a, s);
	} else if (!d) {
		CLEANUP(buf_done) struct buf b = { 0 };

		buf_printf(&b, "%s%s (%s)", s->status == 403 ? "it takes the right to " : "",
			   s->status == 403 ? cluster_right(a) : "its revisions are not known",
			   cluster_said_good(s) ? "more of them than can be read" : s->why);
		c->history_trouble = arena_strdup(&c->e->arena, buf_cstr(&b));
	}
	c->history = d;
	one_fetched(c);
}

static const char *query_of(struct cluster *c, const char *label)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_printf(&b, "?labelSelector=%s%s", label, c->name);
	return arena_strdup(&c->e->arena, buf_cstr(&b));
}

void cluster_fetch(struct cluster *c, void (*then)(struct cluster *c))
{
	bool history = c->e->target.what != EDIT_POOL_SPEC;

	c->documents = arena_take(&c->e->arena, CLUSTER_DOCUMENTS_MAX * sizeof(*c->documents));
	c->count = 0;
	c->history = NULL;
	c->failed = false;
	c->fetched = then;
	c->waiting = history ? 4 : 3;
	cluster_ask(c, "GET", "get", "services", cluster_path(c, STORE_SERVICE, c->name, ""), "",
		    on_document);
	cluster_ask(c, "GET", "get", "endpoints", cluster_path(c, STORE_ENDPOINTS, c->name, ""), "",
		    on_document);
	cluster_ask(c, "GET", "list", "endpointslices",
		    cluster_path(c, STORE_SLICE, NULL, query_of(c, SERVICE_LABEL)), "", on_slices);
	if (history)
		cluster_ask(c, "GET", "list", "controllerrevisions",
			    cluster_history_path(c, NULL, query_of(c, CLUSTER_LABEL_QUERY)), "",
			    on_history);
}

static void on_fetched(struct cluster *c)
{
	cluster_read_states(c);
	edit_go_on(c->e);
}

/* --- a request ------------------------------------------------------------------------------------- */

/* Namespace and Service of the pool; false: no pool has such an id, in any cluster. */
static bool read_id(struct cluster *c)
{
	struct edit *e = c->e;
	const char *id = e->target.what == EDIT_OPERATIONS ? e->params.pool : e->target.name;

	if (!pool_id_split(e, id, &c->ns, &c->name) || !object_is_label(c->ns) ||
	    !object_is_label(c->name))
		c->name = NULL;
	return c->name != NULL;
}

static void refuse_without_token(struct edit *e, const struct edit_source *home)
{
	struct err err;

	err_set(&err, -EACCES,
		"its documents are those of the cluster %.200s: show a token of yours that is good "
		"there (kubectl create token NAME), as Authorization: Bearer TOKEN",
		home->where);
	edit_refuse(e, PROBLEM_CLUSTER_TOKEN, err.text);
}

void cluster_begin(struct edit *e, const struct edit_source *home)
{
	struct cluster *c = arena_take(&e->arena, sizeof(*c));
	struct err err;

	*c = (struct cluster){ .e = e, .home = home, .token = rest_cluster_token(e->request) };
	e->backend = &edit_backend_cluster;
	e->cluster = c;
	if (!c->token) {
		refuse_without_token(e, home);
	} else if (e->target.what == EDIT_POOLS) {
		edit_go_on(e); /* whether it is there already the API server says */
	} else if (!read_id(c) && e->target.what == EDIT_OPERATIONS) {
		edit_refuse(e, PROBLEM_BAD_PARAMETER, "parameter 'pool': no id of a pool");
	} else if (!c->name) {
		err_set(&err, -ENOENT, "no pool has the id '%.260s'",
			e->params.pool ? e->params.pool : e->target.name);
		edit_refuse(e, PROBLEM_NO_POOL, err.text);
	} else {
		cluster_fetch(c, on_fetched);
	}
}

/* --- reading ------------------------------------------------------------------------------------------ */

/* The past is that of what people write. */
static bool is_seen(const struct edit *e, const struct cluster_document *d)
{
	return !is_of_past(e) || !cluster_is_managed(d);
}

static const struct store_object *get(struct edit *e, const struct store_key *key)
{
	const struct cluster_document *d = cluster_find(e->cluster, key);

	return d && is_seen(e, d) ? &d->object : NULL;
}

static void each_part(struct edit *e, enum store_kind kind, const char *ns, const char *service,
		      store_each_fn *fn, void *arg)
{
	const struct cluster *c = e->cluster;

	(void)ns; /* there is no other */
	(void)service;
	for (size_t i = 0; i < c->count; i++)
		if (c->documents[i].object.key.kind == kind && is_seen(e, &c->documents[i]))
			fn(arg, &c->documents[i].object);
}

/* Which node ports are taken the API server knows, and says when it is asked for one. */
static const struct store_object *holder(struct edit *e, const struct endpoint *at)
{
	(void)e;
	(void)at;
	return NULL;
}

static bool is_free(struct edit *e, const struct endpoint *at)
{
	(void)e;
	(void)at;
	return true;
}

const struct edit_backend edit_backend_cluster = {
	.get = get,
	.each_part = each_part,
	.holder = holder,
	.is_free = is_free,
	.write = cluster_write,
	.revisions = cluster_revisions,
	.operations = cluster_operations,
	.forget = forget,
};
