/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one request wrote is one step of a pool, whose revision is its last: in
 * between there never was a pool. Of EndpointSlices that are gone those are
 * found whose name begins with the Service's, as names of slices do.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_pool_past.h"

#define GONE_MAX 64 /* slices that are gone and are looked at */

void past_trouble(struct past *p)
{
	edit_refuse(p->e, PROBLEM_STORE_TROUBLE, NULL);
}

struct past *past_of(struct edit *e)
{
	return e->wish;
}

/* --- which documents ---------------------------------------------------------------------------- */

static struct past_key *add_key(struct past *p, enum store_kind kind, const char *name)
{
	struct past_key *k = &p->keys[p->count++];

	*k = (struct past_key){ .key = { kind, p->d.ns, arena_strdup(&p->e->arena, name) },
				.is_its_own = true };
	return k;
}

static bool has_key(const struct past *p, enum store_kind kind, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->keys[i].key.kind == kind && strcmp(p->keys[i].key.name, name) == 0)
			return true;
	return false;
}

static void ask_next_slice(struct past *p);

/* Its newest text says whose it was. */
static void on_slice(void *arg, enum store_result r, const struct store_revision *items,
		     size_t count)
{
	struct past *p = past_of(arg);
	struct past_key *k = &p->keys[p->next];

	if (r != STORE_OK) {
		past_trouble(p);
		return;
	}
	for (size_t i = 0; i < count && !k->is_its_own; i++)
		if (items[i].text)
			k->is_its_own = pool_owns_slice(
				&p->d, edit_tree_of_text(p->e, items[i].text, items[i].len));
	p->next++;
	ask_next_slice(p);
}

static void drop_strangers(struct past *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++)
		if (p->keys[i].is_its_own)
			p->keys[kept++] = p->keys[i];
	p->count = kept;
}

static void ask_next_slice(struct past *p)
{
	while (p->next < p->count && !p->keys[p->next].gone)
		p->next++;
	if (p->next < p->count) {
		const struct store_revisions_query q = { .key = p->keys[p->next].key,
							 .limit = 2,
							 .texts = true };

		p->e->backend->revisions(p->e, &q, on_slice);
		return;
	}
	drop_strangers(p);
	p->then(p);
}

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void on_slice_operations(void *arg, enum store_result r, const struct store_operations *o)
{
	struct past *p = past_of(arg);
	size_t gone = 0;

	if (r != STORE_OK) {
		past_trouble(p);
		return;
	}
	for (size_t i = 0; i < o->count && !p->cut; i++) {
		const struct store_key *key = &o->items[i].key;
		struct past_key *k;

		/* A cluster's past is that of one Service alone. */
		if ((!p->e->cluster && !begins_with(key->name, p->d.name)) ||
		    has_key(p, STORE_SLICE, key->name))
			continue;
		p->cut = gone == GONE_MAX;
		if (p->cut)
			break;
		k = add_key(p, STORE_SLICE, key->name);
		k->gone = true;
		k->is_its_own = false;
		gone++;
	}
	ask_next_slice(p);
}

/* The pool as it is now, as far as it is there, and whose past is asked for. */
void past_find_keys(struct past *p)
{
	const struct store_operations_query q = { .kind = STORE_SLICE,
						  .ns = p->d.ns,
						  .limit = STORE_ROWS_MAX };

	p->keys = arena_take(&p->e->arena, (p->d.slice_count + GONE_MAX + 2) * sizeof(*p->keys));
	add_key(p, STORE_SERVICE, p->d.name);
	add_key(p, STORE_ENDPOINTS, p->d.name);
	for (size_t i = 0; i < p->d.slice_count; i++)
		add_key(p, STORE_SLICE, p->d.slices[i].key.name);
	p->e->backend->operations(p->e, &q, on_slice_operations);
}

struct past *past_new(struct edit *e, const char *id, void (*then)(struct past *p))
{
	struct past *p = arena_take(&e->arena, sizeof(*p));

	p->e = e;
	p->then = then;
	p->d = (struct pool_documents){ .e = e, .id = id };
	e->wish = p;
	return p;
}

/* --- their revisions ------------------------------------------------------------------------------ */

static const char *keep(struct past *p, const char *text)
{
	return arena_strdup(&p->e->arena, text ? text : "");
}

static void add_row(struct past *p, const struct store_revision *r)
{
	struct store_revision *rows = p->rows;

	if (p->row_count == p->row_room) {
		p->row_room = p->row_room ? p->row_room * 2 : 64;
		p->rows = arena_take(&p->e->arena, p->row_room * sizeof(*p->rows));
		if (rows)
			memcpy(p->rows, rows, p->row_count * sizeof(*p->rows));
	}
	rows = &p->rows[p->row_count++];
	*rows = *r;
	rows->key = p->keys[p->next].key;
	rows->user = keep(p, r->user);
	rows->action = keep(p, r->action);
	rows->reason = keep(p, r->reason);
	rows->request = keep(p, r->request);
	rows->text = NULL;
}

static int newest_first(const void *a, const void *b)
{
	const struct store_revision *x = a, *y = b;

	return (x->revision < y->revision) - (x->revision > y->revision);
}

static void ask_next_rows(struct past *p);

static void on_rows(void *arg, enum store_result r, const struct store_revision *items,
		    size_t count)
{
	struct past *p = past_of(arg);

	if (r != STORE_OK) {
		past_trouble(p);
		return;
	}
	for (size_t i = 0; i < count; i++)
		add_row(p, &items[i]);
	p->next++;
	ask_next_rows(p);
}

static void ask_next_rows(struct past *p)
{
	if (p->next < p->count) {
		const struct store_revisions_query q = { .key = p->keys[p->next].key,
							 .limit = p->limit,
							 .until = p->until };

		p->e->backend->revisions(p->e, &q, on_rows);
		return;
	}
	if (p->row_count > 1)
		qsort(p->rows, p->row_count, sizeof(*p->rows), newest_first);
	p->then(p);
}

void past_ask_rows(struct past *p, size_t limit, uint64_t until, void (*then)(struct past *p))
{
	p->limit = limit;
	p->until = until;
	p->next = 0;
	p->then = then;
	ask_next_rows(p);
}

/* Written by one request, of which the store makes one transaction. */
static bool is_one_step(const struct store_revision *a, const struct store_revision *b)
{
	return a->at_ms == b->at_ms && *a->request && strcmp(a->request, b->request) == 0 &&
	       !store_key_same(&a->key, &b->key);
}

/* Behind the last row of the step that begins there. */
size_t past_step_end(const struct past *p, size_t from)
{
	size_t end = from + 1;

	for (; end < p->row_count; end++)
		for (size_t i = from; i < end; i++)
			if (!is_one_step(&p->rows[i], &p->rows[end]))
				return end;
	return end;
}
