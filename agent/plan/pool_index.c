/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/plan/pool_index.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

struct pool_index {
	struct pool_piece **pieces; /* in order, none of them empty; a reference each */
	size_t count, size;
	struct pool_list *list; /* as it is now; NULL: it was not asked for since it changed */
};

struct pool_index *pool_index_new(void)
{
	return xcalloc(1, sizeof(struct pool_index));
}

static void changed(struct pool_index *x)
{
	pool_list_unref(x->list);
	x->list = NULL;
}

void pool_index_free(struct pool_index *x)
{
	if (!x)
		return;
	changed(x);
	for (size_t i = 0; i < x->count; i++)
		pool_piece_unref(x->pieces[i]);
	free(x->pieces);
	free(x);
}

/* --- where an id is -------------------------------------------------------------- */

struct place {
	size_t piece, item;
	bool found;
};

/* The first of `count` sorted views that does not come before the id. */
static size_t first_not_before(struct pool_view *const *items, size_t count, const char *id)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(items[mid]->pool->id, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The last piece that begins with the id or before it; the first one if none does. */
static size_t piece_of(const struct pool_index *x, const char *id)
{
	size_t low = 0, high = x->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(x->pieces[mid]->items[0]->pool->id, id) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? low - 1 : 0;
}

static struct place place_of(const struct pool_index *x, const char *id)
{
	struct place at = { .piece = piece_of(x, id) };
	const struct pool_piece *p = x->count ? x->pieces[at.piece] : NULL;

	if (!p)
		return at;
	at.item = first_not_before(p->items, p->count, id);
	at.found = at.item < p->count && strcmp(p->items[at.item]->pool->id, id) == 0;
	return at;
}

/* --- pieces ---------------------------------------------------------------------- */

static void insert_piece(struct pool_index *x, size_t at, struct pool_piece *p)
{
	if (x->count == x->size) {
		x->size = x->size ? x->size * 2 : 16;
		x->pieces = xreallocarray(x->pieces, x->size, sizeof(struct pool_piece *));
	}
	memmove(x->pieces + at + 1, x->pieces + at, (x->count - at) * sizeof(struct pool_piece *));
	x->pieces[at] = p;
	x->count++;
}

static void take_out_piece(struct pool_index *x, size_t at)
{
	pool_piece_unref(x->pieces[at]);
	x->count--;
	memmove(x->pieces + at, x->pieces + at + 1, (x->count - at) * sizeof(struct pool_piece *));
}

/* The piece, ours alone. */
static struct pool_piece *own(struct pool_index *x, size_t at)
{
	struct pool_piece *p = x->pieces[at], *copy;

	if (pool_piece_is_shared(p)) {
		copy = pool_piece_new();
		for (size_t i = 0; i < p->count; i++)
			pool_piece_insert(copy, i, pool_view_ref(p->items[i]));
		x->pieces[at] = copy;
		pool_piece_unref(p);
	}
	return x->pieces[at];
}

/* The last ones of a piece that is full begin a new one behind it. */
static void split(struct pool_index *x, size_t at)
{
	struct pool_piece *p = own(x, at), *behind = pool_piece_new();
	const size_t keep = p->count / 2;

	for (size_t i = keep; i < p->count; i++)
		pool_piece_insert(behind, i - keep, pool_view_ref(p->items[i]));
	while (p->count > keep)
		pool_piece_remove(p, p->count - 1);
	insert_piece(x, at + 1, behind);
}

/* Few pools in many pieces would make lists dear: this one takes those of the next if they are few. */
static void join(struct pool_index *x, size_t at)
{
	const struct pool_piece *next = at + 1 < x->count ? x->pieces[at + 1] : NULL;
	struct pool_piece *to;

	if (!next || x->pieces[at]->count + next->count > POOL_PIECE_MAX / 2)
		return;
	to = own(x, at);
	for (size_t i = 0; i < next->count; i++)
		pool_piece_insert(to, to->count, pool_view_ref(next->items[i]));
	take_out_piece(x, at + 1);
}

/* For one more at this place of a piece that is full: where it goes then. */
static struct place make_room(struct pool_index *x, struct place at)
{
	size_t kept;

	/* What comes in order fills piece by piece. */
	if (at.piece + 1 == x->count && at.item == POOL_PIECE_MAX) {
		insert_piece(x, x->count, pool_piece_new());
		return (struct place){ .piece = x->count - 1 };
	}
	split(x, at.piece);
	kept = x->pieces[at.piece]->count;
	if (at.item <= kept)
		return at;
	return (struct place){ .piece = at.piece + 1, .item = at.item - kept };
}

/* --- what core does ---------------------------------------------------------------- */

void pool_index_put(struct pool_index *x, struct pool_view *v)
{
	struct place at = place_of(x, v->pool->id);
	struct pool_piece *p;

	changed(x);
	if (x->count == 0)
		insert_piece(x, 0, pool_piece_new());
	else if (!at.found && x->pieces[at.piece]->count == POOL_PIECE_MAX)
		at = make_room(x, at);
	p = own(x, at.piece);
	if (at.found)
		pool_piece_remove(p, at.item);
	pool_piece_insert(p, at.item, v);
}

void pool_index_remove(struct pool_index *x, const char *id)
{
	struct place at = place_of(x, id);

	if (!at.found)
		return;
	changed(x);
	pool_piece_remove(own(x, at.piece), at.item);
	if (x->pieces[at.piece]->count == 0) {
		take_out_piece(x, at.piece);
		return;
	}
	join(x, at.piece);
	if (at.piece > 0)
		join(x, at.piece - 1);
}

struct pool_list *pool_index_list(struct pool_index *x)
{
	if (!x->list)
		x->list = pool_list_new(x->pieces, x->count);
	return pool_list_ref(x->list);
}
