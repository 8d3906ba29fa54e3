/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a document must be before it is stored: what the agent's sources would
 * take it for, without a part that they would leave out.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_private.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/model.h"

/* --- reading ------------------------------------------------------------------------------ */

int edit_read(struct edit *e, doc_read_fn *read, const char *text, size_t len,
	      const struct doc_set **out, struct err *err)
{
	const struct doc_limits limits = DOC_LIMITS_DEFAULT;
	struct doc_set set = { 0 };
	int r = read(text, len, &limits, &set, err);

	if (r < 0)
		return r;
	e->sets = xreallocarray(e->sets, e->set_count + 1, sizeof(*e->sets));
	e->sets[e->set_count++] = set;
	*out = &e->sets[e->set_count - 1];
	return 0;
}

struct tree *edit_tree_of_text(struct edit *e, const char *text, size_t len)
{
	const struct doc_set *set;
	struct err err;

	if (edit_read(e, doc_read_any, text, len, &set, &err) < 0 || set->count != 1)
		return NULL;
	return tree_of(&e->arena, set->roots[0]);
}

struct tree *edit_shown(struct edit *e, enum store_kind kind, const char *text, size_t len)
{
	struct tree *t = edit_tree_of_text(e, text, len);

	return t && kind == STORE_SECRET ? edit_tree_redact(&e->arena, t) : t;
}

/* --- problems ------------------------------------------------------------------------------ */

/* "Service: spec.ports[0].port is ..." begins with the field. Returns its length, 0: none. */
static size_t field_of(const char *text, const char **out)
{
	const char *colon = strstr(text, ": "), *s = text;
	size_t n;

	if (colon && isupper((unsigned char)*text) && (size_t)(colon - text) < 16)
		s = colon + 2;
	if (strncmp(s, "annotation ", 11) == 0) {
		*out = s + 11;
		return strcspn(s + 11, ": ");
	}
	n = strcspn(s, " :");
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr(".[]_-", s[i]))
			return 0;
	*out = s;
	return memchr(s, '.', n) ? n : 0; /* a word without a dot is rather one of the sentence */
}

/* "spec.ports[0].port" to "/spec/ports/0/port". */
static void put_pointer(const char *text, struct buf *out)
{
	const char *s;
	size_t n = field_of(text, &s);
	bool annotation = n && s > text && s[-1] == ' ' && strstr(text, "annotation ");

	if (n)
		buf_str(out, annotation ? "/metadata/annotations/" : "/");
	for (size_t i = 0; i < n; i++) {
		if (annotation)
			buf_str(out, s[i] == '/' ? "~1" : (char[]){ s[i], '\0' });
		else if (s[i] == '.' || s[i] == '[')
			buf_str(out, "/");
		else if (s[i] != ']')
			buf_put(out, s + i, 1);
	}
}

void edit_put_problems(struct json_writer *j, const char *key, const struct problems *p)
{
	json_put_array(j, key);
	for (size_t i = 0; i < p->count; i++) {
		CLEANUP(buf_done) struct buf pointer = { 0 };
		const struct problem *one = &p->items[i];

		put_pointer(one->text, &pointer);
		json_put_object(j, NULL);
		json_put_text(j, REST_WHERE, one->path);
		json_put_text(j, REST_POINTER, buf_cstr(&pointer));
		json_put_uint(j, REST_LINE, one->line);
		json_put_text(j, REST_DETAIL, one->text);
		json_end_object(j);
	}
	json_end_array(j);
}

void edit_put_tree(struct json_writer *j, const char *key, const struct tree *t)
{
	CLEANUP(buf_done) struct buf json = { 0 };

	if (t)
		edit_tree_print(t, &json);
	else
		buf_str(&json, "null");
	json_put_raw(j, key, &json);
}

void edit_add_error(struct edit *e, const char *where, const char *text)
{
	unsigned line = 0;

	if (strncmp(text, "line ", 5) == 0) {
		char *rest;

		line = (unsigned)strtoul(text + 5, &rest, 10);
		text = rest + strspn(rest, ": ");
	}
	problems_add_in(&e->errors, true, where, line, "%s", text);
}

static void sort_out(struct edit *e, const char *where, const struct problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		problems_add_in(p->items[i].error ? &e->errors : &e->warnings, p->items[i].error,
				where, p->items[i].line, "%s", p->items[i].text);
}

static bool is_among(const struct problems *all, const char *text)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->items[i].text, text) == 0)
			return true;
	return false;
}

/* --- claims --------------------------------------------------------------------------------- */

/* Of a frontend that is outside, the one that it came from. */
static const char *address_pool_of(struct edit *e, const struct endpoint *at, const char *ns,
				   const struct store_object *before)
{
	const struct address_pool *p = pool_rules_pool(e->rules, at, ns);

	for (size_t i = 0; !p && before && i < before->claim_count; i++)
		if (endpoint_cmp(&before->claims[i].at, at) == 0)
			return before->claims[i].pool;
	return p ? arena_strdup(&e->arena, p->name) : "";
}

/* The frontends on record: they are kept. */
static struct frontend_wish wish_of(struct edit *e, const struct object *o,
				    const struct store_object *before)
{
	size_t count = before ? before->claim_count : 0;
	struct endpoint *held = arena_take(&e->arena, (count + 1) * sizeof(*held));

	for (size_t i = 0; i < count; i++)
		held[i] = before->claims[i].at;
	return (struct frontend_wish){ .ns = o->ns, .held = held, .held_count = count };
}

static void claim_frontends(struct edit *e, const struct object *o, const char *where,
			    struct edit_document *d)
{
	struct frontend_wish wish = wish_of(e, o, d->before);

	if (!e->backend->claims || o->kind != OBJECT_SERVICE || o->type != SERVICE_NODE_PORT)
		return;
	d->claims = arena_take(&e->arena, (o->port_count + 1) * sizeof(*d->claims));
	for (size_t i = 0; i < o->port_count; i++) {
		CLEANUP(buf_done) struct buf why = { 0 };
		struct store_claim *c = &d->claims[d->claim_count];

		wish.port = &o->ports[i];
		if (!frontend_of(e->rules, &wish, &c->at, &why)) {
			problems_add_in(&e->errors, true, where, o->line,
					"spec.ports[%zu].nodePort: no frontend: %s", i,
					buf_cstr(&why));
			continue;
		}
		c->pool = address_pool_of(e, &c->at, o->ns, d->before);
		d->claim_count++;
	}
}

/* --- one document ---------------------------------------------------------------------------- */

static enum store_kind store_kind_of(enum object_kind k)
{
	switch (k) {
	case OBJECT_SERVICE:
		return STORE_SERVICE;
	case OBJECT_ENDPOINTS:
		return STORE_ENDPOINTS;
	case OBJECT_SLICE:
		return STORE_SLICE;
	case OBJECT_SECRET:
		return STORE_SECRET;
	}
	return (enum store_kind)0;
}

static void check_annotations(struct edit *e, const struct object *o, const char *where)
{
	const struct pool_home home = { .ns = o->ns, .source = o->source };
	struct pool_settings set = e->rules->defaults;
	struct problems found = { 0 };

	if (o->kind == OBJECT_SECRET)
		return;
	if (set.check)
		set.check = check_ref(set.check);
	pool_annotations(o->annotations, o->annotation_count, &home, &set, &found);
	check_unref(set.check);
	sort_out(e, where, &found);
	problems_done(&found);
}

struct edit_document *edit_take_key(struct edit *e, const struct store_key *key)
{
	const struct store_object *before = edit_get(e, key);
	struct edit_document *d;

	e->documents = xreallocarray(e->documents, e->count + 1, sizeof(*e->documents));
	d = &e->documents[e->count++];
	*d = (struct edit_document){ .key = *key };
	if (before)
		d->before = store_object_ref(before);
	return d;
}

void edit_take_removal(struct edit *e, const struct store_key *key)
{
	(void)!edit_take_key(e, key);
	if (key->kind == STORE_ADDRESS_POOL)
		edit_drop_address_pool(e, key->name);
}

void edit_take_guard(struct edit *e, const struct store_key *key)
{
	edit_take_key(e, key)->guard = true;
}

/* A namespace that is not written is that of the path, and written from then on. */
static struct tree *complete_tree(struct edit *e, const struct doc *d, const char *ns)
{
	struct tree *t = tree_of(&e->arena, d);
	struct tree *metadata = tree_need_map(&e->arena, t, "metadata");

	if (!tree_text(metadata, "namespace") && strcmp(ns, "default") != 0)
		tree_set(metadata, "namespace",
			 tree_new(&e->arena, DOC_STRING, arena_strdup(&e->arena, ns)));
	return t;
}

static bool is_taken_already(const struct edit *e, const struct store_key *key)
{
	for (size_t i = 0; i < e->count; i++) {
		if (store_key_same(&e->documents[i].key, key))
			return true;
	}
	return false;
}

/* What a Secret is shown as would wipe it. */
static bool is_shown_secret(const struct doc *d)
{
	return doc_get(d, REST_DATA_KEYS) != NULL;
}

/* What is stored can be read back as what it is, with a namespace that came from the path, too. */
static void check_stored(struct edit *e, const char *where, const struct edit_document *d)
{
	const struct object_origin from = { .path = "" };
	const struct doc_set *set;
	struct object *o = NULL;
	struct err err = { 0 };

	if (edit_read(e, doc_read_json, (const char *)d->text.data, d->text.len, &set, &err) < 0 ||
	    object_decode(set->roots[0], &from, &o, &err) < 0)
		edit_add_error(e, where, err.text);
	else if (strcmp(o->ns, d->key.ns) != 0 || strcmp(o->name, d->key.name) != 0)
		edit_add_error(e, where, "metadata.namespace: it cannot be this one");
	object_free(o);
}

/*
 * What others wrote into a document of a cluster is there whatever is done here: what was not used
 * before is no reason to refuse.
 */
static void forgive(struct edit *e, const struct store_key *key, size_t first)
{
	const struct store_object *before = e->cluster ? edit_get(e, key) : NULL;
	const struct object_origin from = { .path = "" };
	struct edit was = { .backend = e->backend, .rules = e->rules };
	struct problems left = { 0 };
	const struct doc_set *set;
	struct object *o;
	struct err err;

	if (e->errors.count == first || !before ||
	    edit_read(e, doc_read_json, before->text, before->len, &set, &err) < 0 ||
	    object_decode(set->roots[0], &from, &o, &err) < 0)
		return;
	sort_out(&was, "", &o->problems);
	check_annotations(&was, o, "");
	for (size_t i = 0; i < e->errors.count; i++) {
		const struct problem *p = &e->errors.items[i];
		bool known = i >= first && is_among(&was.errors, p->text);

		problems_add_in(known ? &e->warnings : &left, !known, p->path, p->line, "%s",
				p->text);
	}
	problems_done(&e->errors);
	e->errors = left;
	problems_done(&was.errors);
	problems_done(&was.warnings);
	object_free(o);
}

static void take_object(struct edit *e, const struct doc *d, const struct object *o,
			const struct store_key *key)
{
	const char *ns = doc_string(doc_get(doc_get(d, "metadata"), "namespace"));
	struct store_key own = { store_kind_of(o->kind), ns ? ns : key->ns, o->name };
	struct edit_document *out;
	struct err err;
	size_t first;

	own.ns = arena_strdup(&e->arena, own.ns);
	own.name = arena_strdup(&e->arena, o->name);
	err_set(&err, 0, "%s %s/%s", store_kind_text(own.kind), own.ns, own.name);
	if (key->kind && !store_key_same(&own, key)) {
		edit_add_error(e, err.text, "the path names another document");
		return;
	}
	if (is_taken_already(e, &own)) {
		problems_add_in(&e->errors, true, err.text, o->line, "it is written twice");
		return;
	}
	if (own.kind == STORE_SECRET && is_shown_secret(d))
		edit_add_error(e, err.text,
			       "dataKeys: this is what a Secret is shown as, without values");
	first = e->errors.count;
	sort_out(e, err.text, &o->problems);
	check_annotations(e, o, err.text);
	forgive(e, &own, first);
	out = edit_take_key(e, &own);
	out->tree = complete_tree(e, d, own.ns);
	edit_tree_print(out->tree, &out->text);
	check_stored(e, err.text, out);
	claim_frontends(e, o, err.text, out);
}

bool edit_take(struct edit *e, const struct doc *d, const struct store_key *key)
{
	const struct object_origin from = { .path = "" };
	const char *kind = doc_string(doc_get(d, "kind"));
	struct object *o = NULL;
	struct err err = { 0 };

	if (address_pool_is(d))
		return edit_take_address_pool(e, d, key);
	if (object_decode(d, &from, &o, &err) < 0) {
		/* Whoever writes one with his pools need not take it out. */
		if (!key->kind && kind && strcmp(kind, "Namespace") == 0)
			return true;
		edit_add_error(e, kind ? kind : "", err.text);
		return false;
	}
	take_object(e, d, o, key);
	object_free(o);
	return true;
}

void edit_take_tree(struct edit *e, const struct tree *t, const struct store_key *key)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	const struct doc_set *set;
	struct err err = { 0 };

	edit_tree_print(t, &text);
	if (edit_read(e, doc_read_json, (const char *)text.data, text.len, &set, &err) < 0)
		edit_add_error(e, "", err.text);
	else
		(void)edit_take(e, set->roots[0], key);
}

void edit_drop_documents(struct edit *e)
{
	for (size_t i = 0; i < e->count; i++) {
		store_object_unref(e->documents[i].before);
		buf_wipe(&e->documents[i].text);
	}
	free(e->documents);
	e->documents = NULL;
	e->count = 0;
	problems_done(&e->warnings);
	problems_done(&e->errors);
}

void edit_documents_done(struct edit *e)
{
	edit_drop_documents(e);
	for (size_t i = 0; i < e->set_count; i++)
		doc_set_wipe(&e->sets[i]);
	free(e->sets);
	arena_wipe(&e->arena);
}
