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

static struct map_slot *find(const struct map *m, uint64_t hash, const void *key)
{
	size_t i;

	if (m->size == 0)
		return NULL;
	for (i = hash & (m->size - 1); m->slots[i].object; i = (i + 1) & (m->size - 1)) {
		if (m->slots[i].object != REMOVED && m->slots[i].hash == hash &&
		    m->eq(m->slots[i].object, key))
			return &m->slots[i];
	}
	return NULL;
}

static void place(struct map_slot *slots, size_t size, uint64_t hash, void *object)
{
	size_t i = hash & (size - 1);

	while (slots[i].object)
		i = (i + 1) & (size - 1);
	slots[i] = (struct map_slot){ hash, object };
}

static void resize(struct map *m, size_t size)
{
	struct map_slot *slots = xcalloc(size, sizeof(*slots));

	for (size_t i = 0; i < m->size; i++) {
		if (m->slots[i].object && m->slots[i].object != REMOVED)
			place(slots, size, m->slots[i].hash, m->slots[i].object);
	}
	free(m->slots);
	m->slots = slots;
	m->size = size;
	m->used = m->count;
}

void *map_get(const struct map *m, uint64_t hash, const void *key)
{
	struct map_slot *s = find(m, hash, key);

	return s ? s->object : NULL;
}

void map_put(struct map *m, uint64_t hash, void *object)
{
	assert(object);
	if (m->size == 0)
		resize(m, MAP_SIZE_MIN);
	else if ((m->used + 1) * 4 > m->size * 3)
		resize(m, m->count * 2 >= m->size ? m->size * 2 : m->size);
	place(m->slots, m->size, hash, object);
	m->used++;
	m->count++;
}

void *map_take(struct map *m, uint64_t hash, const void *key)
{
	struct map_slot *s = find(m, hash, key);
	void *object;

	if (!s)
		return NULL;
	object = s->object;
	s->object = REMOVED;
	m->count--;
	return object;
}

void *map_next(const struct map *m, size_t *pos)
{
	while (*pos < m->size) {
		void *object = m->slots[(*pos)++].object;

		if (object && object != REMOVED)
			return object;
	}
	return NULL;
}
