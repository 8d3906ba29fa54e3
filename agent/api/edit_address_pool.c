/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address pools as documents. A change of one concerns frontends that live:
 * those on record in the store keep what they have, those of other sources have
 * no record and may not lose or change theirs. What would come of it is worked
 * out on the agent's own model, before anything is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/address_pools.h"
#include "agent/api/edit_pool_body.h"
#include "agent/api/edit_private.h"
#include "agent/api/schema.h"
#include "agent/pool/address_pool.h"

#define NAMES_MAX   5	 /* told of those that are concerned */
#define OUTSIDE_MAX 1024 /* frontends that a change may leave outside of every address pool */

static void set_rules(struct edit *e, const char *name, const struct address_pool *p)
{
	const struct pool_rules *before = e->rules;

	e->rules = pool_rules_with(before, name, p);
	e->rules_changed = true;
	pool_rules_unref(before);
}

/* --- one document --------------------------------------------------------------------------- */

static void keep_age(const struct edit *e, struct address_pool *p)
{
	const struct store_key key = { STORE_ADDRESS_POOL, "", p->name };
	const struct store_object *now = store_get(e->store, &key);

	/* Not the configuration's, whatever its revision will be; new ones are the youngest. */
	p->revision = now ? now->revision : UINT64_MAX;
	p->created = now ? now->created_revision : UINT64_MAX - STORE_CHANGES_MAX + e->count;
}

#define WHERE_MAX (ADDRESS_POOL_NAME_MAX + 16)
static void put_where(const char *name, char out[static WHERE_MAX])
{
	snprintf(out, WHERE_MAX, ADDRESS_POOL_KIND " %s", name);
}

static bool is_written_twice(const struct edit *e, const struct store_key *key)
{
	for (size_t i = 0; i < e->count; i++) {
		if (store_key_same(&e->documents[i].key, key))
			return true;
	}
	return false;
}

static void take(struct edit *e, const struct doc *d, struct address_pool *p,
		 const struct store_key *key)
{
	const struct store_key own = { STORE_ADDRESS_POOL, "", arena_strdup(&e->arena, p->name) };
	struct edit_document *out;
	char where[WHERE_MAX];

	put_where(p->name, where);
	if (key->kind && !store_key_same(&own, key)) {
		edit_add_error(e, where, "the path names another document");
		return;
	}
	if (is_written_twice(e, &own)) {
		edit_add_error(e, where, "it is written twice");
		return;
	}
	keep_age(e, p);
	out = edit_take_key(e, &own);
	out->tree = tree_of(&e->arena, d);
	edit_tree_print(out->tree, &out->text);
	set_rules(e, p->name, p);
}

bool edit_take_address_pool(struct edit *e, const struct doc *d, const struct store_key *key)
{
	struct address_pool p;
	struct err err = { 0 };

	if (address_pool_decode(d, &p, &err) < 0) {
		edit_add_error(e, ADDRESS_POOL_KIND, err.text);
		return false;
	}
	take(e, d, &p, key);
	address_pool_done(&p);
	return true;
}

void edit_drop_address_pool(struct edit *e, const char *name)
{
	set_rules(e, name, NULL);
}

static const struct address_pool *of_document(const struct edit *e, const char *name)
{
	for (size_t i = 0; i < e->rules->address_pool_count; i++) {
		const struct address_pool *p = &e->rules->address_pools[i];

		if (p->revision && strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

void edit_judge_address_pools(struct edit *e)
{
	for (size_t i = 0; i < e->count && e->rules_changed; i++) {
		const struct edit_document *d = &e->documents[i];
		const struct address_pool *p = d->key.kind == STORE_ADDRESS_POOL
						       ? of_document(e, d->key.name)
						       : NULL;
		char where[WHERE_MAX];
		struct err err;

		if (!p || pool_rules_admit(e->rules, p, &err) == 0)
			continue;
		put_where(p->name, where);
		edit_add_error(e, where, err.text);
	}
}

/* --- what would come of it ------------------------------------------------------------------- */

struct concern {
	struct buf names; /* of the first few */
	size_t count;
};

struct outcome {
	const struct edit *e;
	struct concern lost;	/* of which a frontend would go or change */
	struct concern outside; /* that keep theirs, outside of every address pool */
	size_t gained;
};

static void concern_add(struct concern *c, const struct rules_effect *f, const char *what)
{
	char at[ENDPOINT_TEXT_MAX];

	if (c->count++ < NAMES_MAX)
		buf_printf(&c->names, "%s%s/%s (%s)", c->count > 1 ? ", " : "", f->service->ns,
			   f->service->name, what ? what : endpoint_text(f->now, at));
}

/* A Service that wants a frontend and does not have it loses nothing. */
static bool has_it(const struct outcome *o, const struct rules_effect *f)
{
	const struct object *owner = f->now ? pools_frontend(o->e->place->pools, f->now) : NULL;

	return owner && object_same(owner, f->service);
}

static void on_effect(void *arg, const struct rules_effect *f)
{
	struct outcome *o = arg;

	if (!f->now && f->then)
		o->gained++;
	if (!has_it(o, f))
		return;
	if (!f->then || endpoint_cmp(f->now, f->then) != 0)
		concern_add(&o->lost, f, NULL);
	else if (f->outside)
		concern_add(&o->outside, f, NULL);
}

static struct outcome outcome_of(const struct edit *e)
{
	struct outcome o = { .e = e };

	if (e->place->pools)
		pools_rules_effects(e->place->pools, e->rules, on_effect, &o);
	return o;
}

static void outcome_done(struct outcome *o)
{
	buf_done(&o->lost.names);
	buf_done(&o->outside.names);
}

static const char *concern_text(struct concern *c)
{
	if (c->count > NAMES_MAX)
		buf_printf(&c->names, " and %zu more", c->count - NAMES_MAX);
	return buf_cstr(&c->names);
}

static bool removes_one(const struct edit *e)
{
	for (size_t i = 0; i < e->count; i++) {
		if (e->documents[i].key.kind == STORE_ADDRESS_POOL && !e->documents[i].tree)
			return true;
	}
	return false;
}

static void warn(struct edit *e, struct concern *outside)
{
	if (outside->count)
		problems_add_in(&e->warnings, false, ADDRESS_POOL_KIND, 0,
				"%zu pools keep their frontends outside of every address pool: %s",
				outside->count, concern_text(outside));
}

bool edit_may_change_address_pools(struct edit *e)
{
	struct outcome o;
	struct err err = { 0 };

	if (!e->rules_changed || e->errors.count)
		return true;
	o = outcome_of(e);
	if (o.lost.count)
		err_set(&err, -EBUSY,
			"%zu pools of other sources would lose their frontends, for which there is "
			"no record: %.250s",
			o.lost.count, concern_text(&o.lost));
	else if (o.outside.count && removes_one(e))
		err_set(&err, -EBUSY, "%zu pools have frontends from it: %.250s", o.outside.count,
			concern_text(&o.outside));
	else if (o.outside.count > OUTSIDE_MAX)
		err_set(&err, -EBUSY,
			"%zu pools would keep frontends outside of every address pool, more than "
			"%d: %.250s",
			o.outside.count, OUTSIDE_MAX, concern_text(&o.outside));
	else
		warn(e, &o.outside);
	outcome_done(&o);
	if (err.code)
		edit_refuse(e, PROBLEM_IN_USE, err.text);
	return !err.code;
}

/* --- answers ---------------------------------------------------------------------------------- */

void edit_put_address_pools(struct edit *e, struct json_writer *j)
{
	struct outcome o = outcome_of(e);

	json_put_array(j, REST_ADDRESS_POOLS_FIELD);
	for (size_t i = 0; i < e->count; i++) {
		const struct edit_document *d = &e->documents[i];
		const struct address_pool *p = d->key.kind == STORE_ADDRESS_POOL
						       ? pool_rules_named(e->rules, d->key.name)
						       : NULL;
		struct address_pool_room room;

		if (!p)
			continue;
		room = address_pool_room(e->place->pools, p);
		json_put_object(j, NULL);
		json_put_text(j, REST_NAME, p->name);
		json_put_uint(j, REST_SIZE, room.size);
		json_put_uint(j, REST_USED, room.used);
		json_put_uint(j, REST_FREE, room.free);
		json_end_object(j);
	}
	json_end_array(j);
	json_put_uint(j, REST_GAINED, o.gained);
	json_put_uint(j, REST_OUTSIDE, o.outside.count);
	outcome_done(&o);
}

static const struct address_pool *configured(const struct edit *e)
{
	const struct pool_rules *rules = e->place->pools ? pools_rules(e->place->pools)
							 : e->place->rules;
	const struct address_pool *p = e->target.key.kind == STORE_ADDRESS_POOL
					       ? pool_rules_named(rules, e->target.key.name)
					       : NULL;

	return p && !p->revision ? p : NULL;
}

bool edit_put_configured(struct edit *e)
{
	const struct address_pool *p = configured(e);
	struct json_writer j = { .out = &e->reply.body };

	if (!p)
		return false;
	address_pool_put_document(&j, p);
	buf_str(&e->reply.body, "\n");
	return true;
}

bool edit_is_configured(const struct edit *e, struct err *err)
{
	const struct address_pool *p = configured(e);

	if (!p)
		return false;
	err_set(err, -EROFS,
		"the address pool '%s' is from the configuration, under addressPools: change it in "
		"that file and start the agent again",
		p->name);
	return true;
}

/* --- as people write it ------------------------------------------------------------------------ */

void edit_create_address_pool(struct edit *e)
{
	static const char *const fields[] = { REST_NAME,     REST_ADDRESSES,  REST_PORTS,
					      REST_RESERVED, REST_NAMESPACES, REST_AUTO_ASSIGN };
	const struct doc *body = pool_body(e, fields, ARRAY_LEN(fields));
	struct tree *t, *metadata, *spec;

	e->is_new = true;
	e->condition = (struct edit_condition){ .expect = STORE_EXPECT_ABSENT };
	if (body) {
		t = tree_new(&e->arena, DOC_MAP, NULL);
		tree_set(t, "apiVersion",
			 tree_new(&e->arena, DOC_STRING,
				  arena_strdup(&e->arena, ADDRESS_POOL_API_VERSION)));
		tree_set(t, "kind",
			 tree_new(&e->arena, DOC_STRING,
				  arena_strdup(&e->arena, ADDRESS_POOL_KIND)));
		metadata = tree_need_map(&e->arena, t, "metadata");
		spec = tree_need_map(&e->arena, t, "spec");
		for (const struct doc *d = body->first; d; d = d->next)
			tree_set(strcmp(d->key, REST_NAME) == 0 ? metadata : spec, d->key,
				 tree_of(&e->arena, d));
		edit_take_tree(e, t, &(struct store_key){ .ns = "", .name = "" });
	}
	if (e->count) {
		char *location = arena_take(&e->arena, 128);

		snprintf(location, 128, REST_ADDRESS_POOLS "/%s", e->documents[0].key.name);
		e->location = location;
	}
	edit_write(e, "create");
}
