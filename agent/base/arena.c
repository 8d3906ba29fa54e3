/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

#define CHUNK_FIRST 4096
#define CHUNK_MOST  (256 * 1024)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	alignas(max_align_t) char data[];
};

void arena_done(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	a->used = 0;
}

void arena_wipe(struct arena *a)
{
	for (struct arena_chunk *c = a->chunks; c; c = c->next)
		explicit_bzero(c->data, c->size);
	arena_done(a);
}

/* Chunks double, so that a small document costs little and a large one few calls. */
static void grow(struct arena *a, size_t need)
{
	size_t size = a->chunks ? a->chunks->size * 2 : CHUNK_FIRST;
	struct arena_chunk *c;

	if (size > CHUNK_MOST)
		size = CHUNK_MOST;
	if (size < need)
		size = need;
	c = xmalloc(sizeof(*c) + size);
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	a->used = 0;
}

void *arena_take(struct arena *a, size_t size)
{
	size_t need = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	void *p;

	if (!a->chunks || a->chunks->size - a->used < need)
		grow(a, need);
	p = a->chunks->data + a->used;
	a->used += need;
	return memset(p, 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_take(a, len + 1);

	memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

void arena_absorb(struct arena *a, struct arena *from)
{
	struct arena_chunk **end = &a->chunks;

	if (!a->chunks)
		a->used = from->used;
	while (*end)
		end = &(*end)->next;
	*end = from->chunks;
	*from = (struct arena){ 0 };
}
