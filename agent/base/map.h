/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash table of pointers to the caller's own objects, open addressing.
 *
 * The map owns nothing. The caller gives each object's hash (hash_table());
 * `eq` tells whether an object has a key. Walking is in no order; during a
 * walk only the object just returned may be removed.
 */
#ifndef AGENT_BASE_MAP_H
#define AGENT_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef bool map_eq_fn(const void *object, const void *key);

struct map {
	void **slots;	  /* objects; NULL: free; see map.c for the mark of a removed one */
	uint32_t *hashes; /* of them, their lower half; behind the slots */
	size_t size;	  /* a power of two, or 0 */
	size_t used;	  /* objects and removal marks */
	size_t count;
	map_eq_fn *eq;
};

void map_init(struct map *m, map_eq_fn *eq);
void map_done(struct map *m); /* leaves the objects alone; m may be used again after map_init */

void *map_get(const struct map *m, uint64_t hash, const void *key);
/* The key must not be in the map yet. */
void map_put(struct map *m, uint64_t hash, void *object);
/* Returns the object taken out, or NULL. */
void *map_take(struct map *m, uint64_t hash, const void *key);
/* Start with *pos = 0; NULL at the end. */
void *map_next(const struct map *m, size_t *pos);

#endif
