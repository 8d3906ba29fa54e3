/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linear probing; a removed object leaves a mark so that probing goes on past
 * it. The table grows (or is swept of marks) at three quarters.
 */
#include "agent/base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

#define MAP_SIZE_MIN 16

static char removed_mark; /* its address marks a slot that something was taken out of */
#define REMOVED ((void *)&removed_mark)

void map_init(struct map *m, map_eq_fn *eq)
{
	*m = (struct map){ .eq = eq };
}

void map_done(struct map *m)
{
	free(m->slots);
	m->slots = NULL;
	m->size = m->used = m->count = 0;
}

/* The place of it, or m->size. */
static size_t find(const struct map *m, uint64_t hash, const void *key)
{
	size_t i;

	if (m->size == 0)
		return 0;
	for (i = hash & (m->size - 1); m->slots[i]; i = (i + 1) & (m->size - 1)) {
		if (m->hashes[i] == (uint32_t)hash && m->slots[i] != REMOVED &&
		    m->eq(m->slots[i], key))
			return i;
	}
	return m->size;
}

static void place(struct map *m, uint32_t hash, void *object)
{
	size_t i = hash & (m->size - 1);

	while (m->slots[i])
		i = (i + 1) & (m->size - 1);
	m->slots[i] = object;
	m->hashes[i] = hash;
}

/* Slots and hashes are one allocation. */
static void resize(struct map *m, size_t size)
{
	struct map old = *m;

	assert(size - 1 <= UINT32_MAX); /* as much of a hash is kept */
	m->slots = xcalloc(size, sizeof(*m->slots) + sizeof(*m->hashes));
	m->hashes = (uint32_t *)(m->slots + size);
	m->size = size;
	for (size_t i = 0; i < old.size; i++) {
		if (old.slots[i] && old.slots[i] != REMOVED)
			place(m, old.hashes[i], old.slots[i]);
	}
	free(old.slots);
	m->used = m->count;
}

void *map_get(const struct map *m, uint64_t hash, const void *key)
{
	size_t i = find(m, hash, key);

	return i < m->size ? m->slots[i] : NULL;
}

void map_put(struct map *m, uint64_t hash, void *object)
{
	assert(object);
	if (m->size == 0)
		resize(m, MAP_SIZE_MIN);
	else if ((m->used + 1) * 4 > m->size * 3)
		resize(m, m->count * 2 >= m->size ? m->size * 2 : m->size);
	place(m, (uint32_t)hash, object);
	m->used++;
	m->count++;
}

void *map_take(struct map *m, uint64_t hash, const void *key)
{
	size_t i = find(m, hash, key);
	void *object;

	if (i >= m->size)
		return NULL;
	object = m->slots[i];
	m->slots[i] = REMOVED;
	m->count--;
	return object;
}

void *map_next(const struct map *m, size_t *pos)
{
	while (*pos < m->size) {
		void *object = m->slots[(*pos)++];

		if (object && object != REMOVED)
			return object;
	}
	return NULL;
}
