/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel would be told after an edit: the pools that would come of
 * it, planned with what is known of their members, beside what is wanted now.
 * Nothing of the agent's own is touched.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit.h"
#include "agent/api/json_writer.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "ipvs/diff.h"

#define TOLD_MAX 200 /* of all; their number is told in any case */

/* A pool that changes, appears or goes. */
struct pair {
	struct pool *now;	 /* a reference; NULL: none */
	struct pool_state *then; /* NULL: none */
};

struct preview {
	struct core *core;
	struct json_writer *j;
	struct pair *pairs;
	size_t count;
	size_t told;
};

static void add_pair(void *arg, const struct pool *now, const struct pool *then)
{
	struct preview *v = arg;

	v->pairs = xreallocarray(v->pairs, v->count + 1, sizeof(*v->pairs));
	v->pairs[v->count++] = (struct pair){
		.now = now ? pool_ref((struct pool *)(uintptr_t)now) : NULL,
		.then = then ? pool_state_preview(v->core, then) : NULL,
	};
}

/* --- commands ---------------------------------------------------------------------------- */

static void put_op(struct json_writer *j, const struct ipvs_op *op)
{
	static const char *const words[] = {
		[IPVS_NEW_SERVICE] = REST_NEW_SERVICE, [IPVS_SET_SERVICE] = REST_SET_SERVICE,
		[IPVS_DEL_SERVICE] = REST_DEL_SERVICE, [IPVS_NEW_DEST] = REST_NEW_SERVER,
		[IPVS_SET_DEST] = REST_SET_SERVER,     [IPVS_DEL_DEST] = REST_DEL_SERVER,
	};
	const struct endpoint server = { .addr = op->dest.addr, .port = op->dest.port };
	char text[ENDPOINT_TEXT_MAX];

	json_put_object(j, NULL);
	json_put_text(j, REST_OP, words[op->kind]);
	json_put_text(j, REST_FRONTEND, endpoint_text(&op->key, text));
	json_put_text(j, REST_PROTOCOL, protocol_text(op->key.protocol));
	if (op->kind == IPVS_NEW_SERVICE || op->kind == IPVS_SET_SERVICE)
		json_put_text(j, REST_SCHEDULER, op->scheduler);
	if (op->kind >= IPVS_NEW_DEST)
		json_put_text(j, REST_SERVER, endpoint_text(&server, text));
	if (op->kind == IPVS_NEW_DEST || op->kind == IPVS_SET_DEST)
		json_put_uint(j, REST_WEIGHT, op->dest.weight);
	json_end_object(j);
}

static void compare(struct preview *v, const struct ipvs_service *want,
		    const struct ipvs_service *have)
{
	const struct ipvs_diff_rules rules = { .may_delete = true };
	/* Each destination is in at most two commands of a step, and the service in one. */
	size_t size = 2 * ((want ? want->dest_count : 0) + (have ? have->dest_count : 0)) + 8;
	struct ipvs_ops out = { .size = size };
	bool fits = true;

	out.ops = xcalloc(size, sizeof(*out.ops));
	for (enum ipvs_step s = IPVS_STEP_WEIGHTS; s < IPVS_STEP_COUNT && fits; s++)
		fits = ipvs_diff_step(want, have, NULL, s, &rules, &out);
	for (size_t i = 0; i < out.count; i++, v->told++) {
		if (v->told < TOLD_MAX)
			put_op(v->j, &out.ops[i]);
	}
	free(out.ops);
}

/* `then` (NULL: nobody) would own the frontend. */
static void look_at(struct preview *v, const struct endpoint *key, const struct pool_state *then)
{
	const struct frontend *f = frontend_get(v->core, key);
	struct ipvs_service want = { 0 }, have = { 0 };
	bool wanted = frontend_preview(v->core, key, then, &want);

	if (f)
		frontend_wanted(f, &have);
	compare(v, wanted ? &want : NULL, f ? &have : NULL);
	ipvs_service_done(&want);
	ipvs_service_done(&have);
}

/* --- frontends ----------------------------------------------------------------------------- */

static bool is_owned_then(const struct preview *v, const struct endpoint *key)
{
	for (size_t i = 0; i < v->count; i++) {
		const struct pool *p = v->pairs[i].then ? v->pairs[i].then->pool : NULL;

		for (size_t k = 0; p && k < p->frontend_count; k++) {
			if (endpoint_cmp(&p->frontends[k], key) == 0)
				return true;
		}
	}
	return false;
}

static void look_at_all(struct preview *v)
{
	for (size_t i = 0; i < v->count; i++) {
		const struct pair *p = &v->pairs[i];

		for (size_t k = 0; p->then && k < p->then->pool->frontend_count; k++)
			look_at(v, &p->then->pool->frontends[k], p->then);
		for (size_t k = 0; p->now && k < p->now->frontend_count; k++) {
			if (!is_owned_then(v, &p->now->frontends[k]))
				look_at(v, &p->now->frontends[k], NULL);
		}
	}
}

/* --- documents ------------------------------------------------------------------------------ */

struct documents {
	struct object **put; /* our own */
	size_t put_count;
	struct object *identities; /* of those that would be gone */
	const struct object **gone;
	size_t gone_count;
};

/* A document of a cluster, as its source would have it; NULL: it could not be used. */
static struct object *decode_cluster(const struct core *c, unsigned source,
				     const struct edit_wish *wish)
{
	const struct object_origin from = {
		.source = source, .from_cluster = true, .path = "", .node = c->config->node
	};
	struct doc_set set = { 0 };
	const struct object *now;
	struct object *o = NULL;

	if (doc_read_json(wish->text, wish->len, &DOC_LIMITS_DEFAULT, &set, NULL) < 0)
		return NULL;
	if (set.count == 1 && object_decode(set.roots[0], &from, &o, NULL) < 0)
		o = NULL;
	doc_set_done(&set);
	/* Who was there first keeps a frontend. */
	now = o ? pools_service(c->pools, o->ns, o->name) : NULL;
	if (now && now->source == source && o->kind == OBJECT_SERVICE)
		o->created_ms = now->created_ms;
	return o;
}

static struct object identity_in_cluster(unsigned source, const struct store_key *key)
{
	static char path[] = "";

	return (struct object){ .kind = (enum object_kind)key->kind,
				.source = source,
				.from_cluster = true,
				.path = path,
				.ns = (char *)(uintptr_t)key->ns,
				.name = (char *)(uintptr_t)key->name };
}

static void read_documents(const struct core *c, unsigned source, const struct edit_wish *wishes,
			   size_t count, struct documents *out)
{
	struct watch_source *w = writes_source(c);
	bool stored = c->config->sources[source].type == CONFIG_STORE;

	out->put = xcalloc(count + 1, sizeof(struct object *));
	out->gone = xcalloc(count + 1, sizeof(struct object *));
	out->identities = xcalloc(count + 1, sizeof(*out->identities));
	for (size_t i = 0; i < count; i++) {
		struct object *o = &out->identities[i];

		if (wishes[i].key.kind == STORE_ADDRESS_POOL)
			continue; /* that is in the rules */
		if (!wishes[i].text) {
			*o = stored ? source_store_identity(w, &wishes[i].key)
				    : identity_in_cluster(source, &wishes[i].key);
			out->gone[out->gone_count++] = o;
			continue;
		}
		o = stored ? source_store_decode(w, &wishes[i])
			   : decode_cluster(c, source, &wishes[i]);
		if (o)
			out->put[out->put_count++] = o;
	}
}

static void documents_done(struct documents *d)
{
	for (size_t i = 0; i < d->put_count; i++)
		object_free(d->put[i]);
	free(d->put);
	free(d->gone);
	free(d->identities);
}

static void preview_done(struct preview *v)
{
	for (size_t i = 0; i < v->count; i++) {
		pool_unref(v->pairs[i].now);
		pool_state_preview_done(v->pairs[i].then);
	}
	free(v->pairs);
}

void core_preview(void *arg, unsigned source, const struct edit_wish *wishes, size_t count,
		  const struct pool_rules *rules, struct json_writer *j)
{
	struct core *c = arg;
	struct preview v = { .core = c, .j = j };
	struct documents d = { 0 };

	read_documents(c, source, wishes, count, &d);
	pools_preview(c->pools,
		      &(struct pools_edit){ (const struct object *const *)d.put, d.put_count,
					    d.gone, d.gone_count, rules },
		      add_pair, &v);
	json_put_array(j, REST_PLAN);
	look_at_all(&v);
	json_end_array(j);
	json_put_uint(j, REST_PLAN_TOTAL, v.told);
	preview_done(&v);
	documents_done(&d);
}
