/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent would make of changed documents, found out on a model of the
 * pool's own: what it would not use that it used before is refused, with the
 * model's own words, and what it only wonders at is a warning.
 *
 * Other Services are not in that model: whose a frontend is the store says.
 */
#include <stdio.h>
#include <string.h>

#include "agent/api/edit_pool.h"

static void put_text(struct edit *e, struct pools *model, const char *text, size_t len)
{
	const struct object_origin from = { .path = "" };
	const struct doc_set *set;
	struct object *o;
	struct err err;

	if (edit_read(e, doc_read_any, text, len, &set, &err) == 0 && set->count == 1 &&
	    object_decode(set->roots[0], &from, &o, &err) == 0)
		pools_put(model, o);
}

/* The Secret that a check needs, of those that are there. */
static void put_secret(struct pool_documents *d, struct pools *model, const char *name)
{
	const struct store_key key = { STORE_SECRET, d->ns, name };
	const struct store_object *o = name ? edit_get(d->e, &key) : NULL;

	if (o)
		put_text(d->e, model, o->text, o->len);
}

static struct pools *make_model(struct pool_documents *d, bool changed)
{
	struct pools *model = pools_new(d->e->rules);
	const struct pool_document *p;

	for (size_t i = 0; (p = pool_document_at(d, i)); i++) {
		CLEANUP(buf_wipe) struct buf text = { 0 };

		if (!changed && p->object) {
			put_text(d->e, model, p->object->text, p->object->len);
		} else if (changed && p->tree && !p->removed) {
			edit_tree_print(p->tree, &text);
			put_text(d->e, model, (const char *)text.data, text.len);
		}
	}
	put_secret(d, model, pool_setting(d, "health-check-secret"));
	pools_update(model, NULL, NULL);
	return model;
}

static bool is_among(const struct problems *all, const char *text)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->items[i].text, text) == 0)
			return true;
	return false;
}

/* Documents as such were warned of already. */
static void tell(struct pool_documents *d, const struct problem *p)
{
	struct edit *e = d->e;
	char where[2 * STORE_NAME_MAX + 16];

	/* Secrets of a cluster are none of what was fetched: that one is there the agent will see. */
	bool error = p->error && !(e->cluster && strstr(p->text, "health-check-secret: Secret "));

	snprintf(where, sizeof(where), "pool %s", d->id);
	if (!is_among(error ? &e->errors : &e->warnings, p->text))
		problems_add_in(error ? &e->errors : &e->warnings, error, where, 0, "%s", p->text);
}

void pool_try(struct pool_documents *d)
{
	static const struct problems none;
	struct pools *before = make_model(d, false), *after = make_model(d, true);
	const struct pool *was = pools_find(before, d->id), *is = pools_find(after, d->id);
	const struct problems *old = was ? &was->problems : &none;

	for (size_t i = 0; is && i < is->problems.count; i++)
		if (!is_among(old, is->problems.items[i].text))
			tell(d, &is->problems.items[i]);
	pools_free(before);
	pools_free(after);
}
