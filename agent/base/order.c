/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunks of sorted pointers behind a sorted array of chunks. A full one is cut in two. */
#include "agent/base/order.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

#define CHUNK 256

struct order_chunk {
	size_t count;
	void *items[CHUNK];
};

void order_init(struct order *o, order_cmp_fn *cmp)
{
	*o = (struct order){ .cmp = cmp };
}

void order_done(struct order *o)
{
	for (size_t i = 0; i < o->chunk_count; i++)
		free(o->chunks[i]);
	free(o->chunks);
	order_init(o, o->cmp);
}

/* The last chunk whose first object is not above key, or the first one. */
static size_t chunk_of(const struct order *o, const void *key)
{
	size_t low = 0, high = o->chunk_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (o->cmp(o->chunks[middle]->items[0], key) > 0)
			high = middle;
		else
			low = middle;
	}
	return low;
}

/* How many of the chunk are below key. */
static size_t place_of(const struct order *o, const struct order_chunk *c, const void *key)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (o->cmp(c->items[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert_chunk(struct order *o, size_t at)
{
	if (o->chunk_count == o->chunk_size) {
		o->chunk_size = o->chunk_size ? o->chunk_size * 2 : 8;
		o->chunks = xreallocarray(o->chunks, o->chunk_size, sizeof(struct order_chunk *));
	}
	memmove(o->chunks + at + 1, o->chunks + at,
		(o->chunk_count - at) * sizeof(struct order_chunk *));
	o->chunks[at] = xcalloc(1, sizeof(struct order_chunk));
	o->chunk_count++;
}

/* Makes room in a full one. What comes in order fills chunks and leaves no halves behind. */
static void cut(struct order *o, size_t at, size_t place)
{
	bool is_end = at == o->chunk_count - 1 && place == CHUNK;
	struct order_chunk *from = o->chunks[at], *to;
	size_t keep = is_end ? CHUNK : CHUNK / 2;

	insert_chunk(o, at + 1);
	to = o->chunks[at + 1];
	to->count = CHUNK - keep;
	memcpy(to->items, from->items + keep, to->count * sizeof(void *));
	from->count = keep;
}

void order_add(struct order *o, void *object)
{
	size_t at = chunk_of(o, object), place;
	struct order_chunk *c;

	if (!o->chunk_count)
		insert_chunk(o, 0);
	place = place_of(o, o->chunks[at], object);
	if (o->chunks[at]->count == CHUNK) {
		cut(o, at, place);
		if (place > o->chunks[at]->count || o->chunks[at]->count == CHUNK) {
			place -= o->chunks[at]->count;
			at++;
		}
	}
	c = o->chunks[at];
	memmove(c->items + place + 1, c->items + place, (c->count - place) * sizeof(void *));
	c->items[place] = object;
	c->count++;
	o->count++;
}

void order_remove(struct order *o, const void *object)
{
	size_t at = chunk_of(o, object);
	struct order_chunk *c = o->chunks[at];
	size_t place = place_of(o, c, object);

	assert(o->count && place < c->count && c->items[place] == object);
	c->count--;
	memmove(c->items + place, c->items + place + 1, (c->count - place) * sizeof(void *));
	o->count--;
	if (c->count)
		return;
	free(c);
	o->chunk_count--;
	memmove(o->chunks + at, o->chunks + at + 1,
		(o->chunk_count - at) * sizeof(struct order_chunk *));
}

size_t order_next(const struct order *o, const void *key, void **out, size_t max)
{
	size_t at = key ? chunk_of(o, key) : 0, place = 0, n = 0;

	if (key && at < o->chunk_count) {
		const struct order_chunk *c = o->chunks[at];

		place = place_of(o, c, key);
		if (place < c->count && o->cmp(c->items[place], key) == 0)
			place++;
	}
	for (; at < o->chunk_count && n < max; at++, place = 0) {
		const struct order_chunk *c = o->chunks[at];
		size_t some = c->count - place < max - n ? c->count - place : max - n;

		memcpy(out + n, c->items + place, some * sizeof(void *));
		n += some;
	}
	return n;
}
