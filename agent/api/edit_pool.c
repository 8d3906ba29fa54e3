/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to a pool of the store: read as what can be edited, and changed by
 * changing the documents that it is made of, all in one transaction.
 *
 * If-Match names the pool's revision, the highest of its documents: the newest
 * of them is expected at that, and each other as it was read in this turn. Those
 * that stay as they are go with the write as guards, so that what was decided on
 * all of them holds for all.
 */
#include "agent/api/edit_pool.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_pool_body.h"
#include "agent/api/schema.h"
#include "agent/pool/weights.h"

/* --- whose it is ------------------------------------------------------------------------------ */

void edit_put_source(const struct edit *e, unsigned source, struct buf *out)
{
	const struct edit_source *s = source < e->place->source_count ? &e->place->sources[source]
								      : NULL;

	if (!s)
		buf_str(out, "another source: edit it there");
	else if (strcmp(s->type, "kubernetes") == 0)
		buf_printf(out, "%s:%.200s: edit it there", s->type, s->where);
	else
		buf_printf(out, "%s:%.200s: edit it in the files there", s->type, s->where);
}

/* The id of the pool that it is about; NULL: none, or one that is new. */
static const char *pool_meant(const struct edit *e)
{
	if (e->target.what == EDIT_OPERATIONS)
		return e->params.pool;
	return edit_is_of_pool(e->target.what) && e->target.what != EDIT_POOLS ? e->target.name
									       : NULL;
}

/*
 * What is new, or gone, is the store's; without one the cluster's. Of several clusters none: whoever
 * has a token of the one has not shown it to the other.
 */
static unsigned home_of_new(const struct edit *e)
{
	const struct edit_place *p = e->place;
	unsigned home = p->store_source, clusters = 0;

	for (unsigned i = 0; i < p->source_count && !p->store; i++)
		if (p->sources[i].cluster) {
			home = i;
			clusters++;
		}
	return clusters > 1 ? SOURCE_UNKNOWN : home;
}

unsigned edit_source_of(const struct edit *e)
{
	const struct edit_place *p = e->place;
	const char *id = pool_meant(e);
	const struct pool *pool = id && p->pools && !strchr(id, '/') ? pools_find(p->pools, id)
								     : NULL;

	if (pool)
		return pool->source;
	return id || e->target.what == EDIT_POOLS ? home_of_new(e) : p->store_source;
}

bool edit_pool_is_foreign(const struct edit *e, struct err *err)
{
	const struct edit_place *p = e->place;
	CLEANUP(buf_done) struct buf where = { 0 };

	/* The record of the store knows nothing of others, and can be asked. */
	if (e->source == p->store_source || e->target.what == EDIT_OPERATIONS ||
	    (e->source < p->source_count && p->sources[e->source].cluster))
		return false;
	if (e->source == SOURCE_UNKNOWN) {
		err_set(err, -EPERM,
			"there are several clusters, and none is known to have that pool: make or "
			"edit it in its cluster");
		return true;
	}
	edit_put_source(e, e->source, &where);
	err_set(err, -EPERM, "the pool is from %s", buf_cstr(&where));
	return true;
}

/* --- writing ------------------------------------------------------------------------------------ */

static void take_documents(struct pool_documents *d)
{
	const struct pool_document *p;

	for (size_t i = 0; (p = pool_document_at(d, i)); i++) {
		if (!p->tree || pool_document_is_managed(p))
			continue;
		if (p->removed)
			edit_take_removal(d->e, &p->key);
		else if (p->changed)
			edit_take_tree(d->e, p->tree, &p->key);
		else
			edit_take_guard(d->e, &p->key);
	}
}

void pool_write(struct pool_documents *d, const char *action)
{
	struct edit *e = d->e;

	e->pool = d->id;
	if (!e->errors.count)
		take_documents(d);
	if (!e->errors.count)
		pool_try(d);
	e->newest = d->newest ? &d->newest->key : NULL;
	edit_write(e, action); /* or says what is wrong */
}

/* --- one pool ------------------------------------------------------------------------------------- */

static void set_members(struct pool_documents *d, const struct doc *body)
{
	if (doc_get(doc_get(body, REST_SETTINGS), "weights"))
		problems_add(&d->e->errors, true, 0,
			     "settings.weights: the members say their weights: say them once");
	else
		pool_set_members(d, doc_get(body, REST_MEMBERS_FIELD));
}

static void weigh_all(struct pool_documents *d, const uint32_t *weight)
{
	size_t count;
	struct endpoint *all = pool_members(d, &count);

	for (size_t i = 0; i < count; i++)
		pool_set_weight(d, &all[i], weight);
}

/* One of {"10.0.0.7-8080": 0, "*": null}: a member's id or all of them; null: none of its own. */
static void weigh(struct pool_documents *d, const struct doc *w, int64_t *out)
{
	struct endpoint at;
	int64_t n = 0;
	uint32_t weight;

	*out = -1;
	if (w->type != DOC_NULL && !doc_integer(w, 0, POOL_WEIGHT_MAX, &n)) {
		problems_add(&d->e->errors, true, 0,
			     "weights.%.64s has to be a whole number from 0 to %d, or null", w->key,
			     POOL_WEIGHT_MAX);
		return;
	}
	weight = (uint32_t)n;
	if (w->type != DOC_NULL)
		*out = n;
	if (strcmp(w->key, REST_ALL_MEMBERS) == 0)
		weigh_all(d, w->type == DOC_NULL ? NULL : &weight);
	else if (pool_find_member(d, w->key, &at))
		pool_set_weight(d, &at, w->type == DOC_NULL ? NULL : &weight);
	else
		problems_add(&d->e->errors, true, 0, "weights: the pool has no member '%.64s'",
			     w->key);
}

/* What to record it as. */
static const char *set_weights(struct pool_documents *d, const struct doc *weights)
{
	size_t drained = 0, resumed = 0, count = 0;

	if (weights->type != DOC_MAP)
		problems_add(&d->e->errors, true, 0, "weights has to be an object");
	for (const struct doc *w = weights->type == DOC_MAP ? weights->first : NULL; w;
	     w = w->next, count++) {
		int64_t n;

		weigh(d, w, &n);
		drained += n == 0;
		resumed += n < 0;
	}
	return count && drained == count   ? "drain"
	       : count && resumed == count ? "resume"
					   : "set-weight";
}

static void patch_pool(struct pool_documents *d)
{
	static const char *const fields[] = { REST_PORT, REST_SETTINGS, REST_MEMBERS_FIELD,
					      REST_WEIGHTS };
	const struct doc *body = pool_body(d->e, fields, ARRAY_LEN(fields));
	const struct doc *weights = body ? doc_get(body, REST_WEIGHTS) : NULL;
	const char *action = "patch";
	uint64_t port;

	if (body && pool_body_number(d->e, body, "", REST_PORT, 1, UINT16_MAX, &port))
		pool_set_port(d, (uint16_t)port);
	if (body)
		pool_body_settings(d, doc_get(body, REST_SETTINGS));
	if (body && doc_get(body, REST_MEMBERS_FIELD))
		set_members(d, body);
	if (weights && doc_get(body, REST_MEMBERS_FIELD))
		problems_add(&d->e->errors, true, 0,
			     "weights: the members say their weights: say them once");
	else if (weights)
		action = set_weights(d, weights);
	pool_write(d, weights && !weights->next && body->first == weights ? action : "patch");
}

static void delete_pool(struct pool_documents *d)
{
	pool_drop_port(d);
	pool_write(d, "delete");
}

/* --- members ---------------------------------------------------------------------------------------- */

/* Who looks for them would put them back: of those their weights can be said, and no more. */
static bool are_selected(struct pool_documents *d)
{
	const struct tree *s = tree_get(tree_get(d->service.tree, "spec"), "selector");
	struct err err;

	if (!d->e->cluster || !s || s->type != DOC_MAP || !s->first)
		return false;
	err_set(&err, -EPERM,
		"Service %.63s/%.63s has a selector, and its members are the pods that it finds: "
		"change their labels, or the selector; here members can be drained and be given "
		"weights",
		d->ns, d->name);
	edit_refuse(d->e, PROBLEM_SELECTOR, err.text);
	return true;
}

static void add_member(struct pool_documents *d)
{
	static const char *const fields[] = { REST_ADDRESS, REST_PORT, REST_WEIGHT };
	const struct doc *body = pool_body(d->e, fields, ARRAY_LEN(fields));
	char id[VIEW_MEMBER_ID_MAX];
	struct pool_member m;
	struct endpoint found;
	uint32_t weight;
	struct err err;
	bool own;

	if (are_selected(d))
		return;
	if (body && pool_body_member(d, body, "", &m, &own)) {
		view_member_id(&m.endpoint, id);
		if (pool_find_member(d, id, &found)) {
			err_set(&err, -EEXIST, "the pool has the member %s already", id);
			edit_refuse(d->e, PROBLEM_MEMBER_EXISTS, err.text);
			return;
		}
		pool_add_member(d, &m.endpoint);
		weight = m.weight;
		if (own)
			pool_set_weight(d, &m.endpoint, &weight);
		d->e->location = pool_path(d->e, d->id, id);
	}
	pool_write(d, "add-member");
}

/* What to record it as; NULL: an error was noted. */
static const char *read_wish(struct edit *e, const struct doc *body, struct endpoint *at,
			     struct pool_documents *d)
{
	const struct doc *weight = doc_get(body, REST_WEIGHT), *drain = doc_get(body, REST_DRAIN);
	const uint32_t none = 0;
	uint64_t n;
	bool v;

	if (!weight == !drain) {
		problems_add(&e->errors, true, 0, "say one of weight and drain");
		return NULL;
	}
	if (drain && !doc_bool(drain, &v)) {
		problems_add(&e->errors, true, 0, "drain is true or false");
		return NULL;
	}
	if (drain) {
		pool_set_weight(d, at, v ? &none : NULL);
		return v ? "drain" : "resume";
	}
	if (weight->type == DOC_NULL) {
		pool_set_weight(d, at, NULL);
		return "set-weight";
	}
	if (!pool_body_number(e, body, "", REST_WEIGHT, 0, POOL_WEIGHT_MAX, &n))
		return NULL;
	pool_set_weight(d, at, &(uint32_t){ (uint32_t)n });
	return "set-weight";
}

static void patch_member(struct pool_documents *d, struct endpoint *at)
{
	static const char *const fields[] = { REST_WEIGHT, REST_DRAIN };
	const struct doc *body = pool_body(d->e, fields, ARRAY_LEN(fields));
	const char *action = body ? read_wish(d->e, body, at, d) : NULL;

	pool_write(d, action ? action : "patch");
}

static void change_member(struct pool_documents *d)
{
	struct endpoint at;
	struct err err;

	if (!pool_find_member(d, d->e->target.member, &at)) {
		err_set(&err, -ENOENT, "the pool has no member '%.64s'", d->e->target.member);
		edit_refuse(d->e, PROBLEM_NO_MEMBER, err.text);
		return;
	}
	if (strcmp(d->e->request->method, "PATCH") == 0) {
		patch_member(d, &at);
		return;
	}
	if (are_selected(d))
		return;
	pool_remove_members(d, &at, 1);
	pool_write(d, "delete-member");
}

/* --- as it can be edited ------------------------------------------------------------------------------ */

static int by_endpoint(const void *a, const void *b)
{
	return endpoint_cmp(a, b);
}

static void put_member(struct json_writer *j, const struct endpoint *at, struct weights *weights)
{
	char id[VIEW_MEMBER_ID_MAX], address[ADDR_TEXT_MAX];
	uint32_t weight;

	json_put_object(j, NULL);
	json_put_text(j, REST_ID, view_member_id(at, id));
	json_put_text(j, REST_ADDRESS, addr_text(&at->addr, address));
	json_put_uint(j, REST_PORT, at->port);
	if (weights_find(weights, at, &weight))
		json_put_uint(j, REST_WEIGHT, weight);
	else
		json_put_text(j, REST_WEIGHT, NULL);
	json_end_object(j);
}

static void put_members(struct pool_documents *d, struct json_writer *j)
{
	const char *text = pool_setting(d, "weights");
	struct weights weights = { 0 };
	size_t count;
	struct endpoint *all = pool_members(d, &count);

	if (count > 1)
		qsort(all, count, sizeof(*all), by_endpoint);
	if (text && weights_parse(text, &weights) < 0)
		weights = (struct weights){ 0 }; /* then nobody has one */
	json_put_array(j, REST_MEMBERS_FIELD);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || endpoint_cmp(&all[i - 1], &all[i]) != 0)
			put_member(j, &all[i], &weights);
	json_end_array(j);
	weights_done(&weights);
}

static void put_setting(void *arg, const char *key, const char *value)
{
	json_put_text(arg, key, value);
}

static void put_documents(struct pool_documents *d, struct json_writer *j)
{
	const struct pool_document *p;

	json_put_array(j, REST_DOCUMENTS);
	for (size_t i = 0; (p = pool_document_at(d, i)); i++) {
		if (!p->object)
			continue;
		json_put_object(j, NULL);
		json_put_text(j, REST_KIND, store_kind_text(p->key.kind));
		json_put_text(j, REST_NAME, p->key.name);
		json_put_uint(j, REST_REVISION, p->object->revision);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_spec(struct pool_documents *d, struct json_writer *j)
{
	json_put_object(j, NULL);
	json_put_text(j, REST_ID, d->id);
	json_put_text(j, REST_NAMESPACE, d->ns);
	json_put_text(j, REST_NAME, d->name);
	json_put_text(j, REST_PORT_NAME, *d->port.name ? d->port.name : NULL);
	json_put_text(j, REST_PROTOCOL, protocol_name(d->port.protocol));
	if (d->port.node_port)
		json_put_uint(j, REST_PORT, d->port.node_port);
	else
		json_put_text(j, REST_PORT, NULL);
	json_put_object(j, REST_SETTINGS);
	pool_each_setting(d, put_setting, j);
	json_end_object(j);
	put_members(d, j);
	json_put_uint(j, REST_REVISION, d->newest->revision);
	put_documents(d, j);
	json_end_object(j);
}

static void answer_spec(struct pool_documents *d)
{
	struct edit *e = d->e;
	struct json_writer j = { .out = &e->reply.body };

	edit_set_etag(e, d->newest->revision);
	if (!edit_is_known(e))
		put_spec(d, &j);
	buf_str(&e->reply.body, "\n");
	edit_done(e);
}

/* --- what to do ------------------------------------------------------------------------------------------ */

static void change(struct pool_documents *d)
{
	bool is_delete = strcmp(d->e->request->method, "DELETE") == 0;

	if (!d->e->condition.said || d->e->condition.expect == STORE_EXPECT_ABSENT)
		edit_refuse_unconditional(d->e, d->newest);
	else if (d->e->target.what == EDIT_POOL_MEMBERS)
		add_member(d);
	else if (d->e->target.what == EDIT_POOL_MEMBER)
		change_member(d);
	else if (is_delete)
		delete_pool(d);
	else
		patch_pool(d);
}

void edit_pool(struct edit *e)
{
	struct pool_documents d;
	struct err err = { 0 };
	enum rest_problem p;

	if (e->target.what == EDIT_POOLS) {
		edit_pool_create(e);
		return;
	}
	p = pool_documents_find(e, &d, &err);
	if (p == PROBLEM_INVALID)
		edit_write(e, ""); /* says what is wrong */
	else if (p != PROBLEM_COUNT)
		edit_refuse(e, p, err.text);
	else if (e->target.what == EDIT_POOL_SPEC)
		answer_spec(&d);
	else
		change(&d);
}
