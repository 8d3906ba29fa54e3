/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Laying out a value with its strings and arrays in one block of memory: 70,000
 * objects of a dozen small allocations each would cost as much in the
 * allocator's own books.
 *
 * The same code runs twice: first to measure (block NULL), then to copy.
 */
#ifndef AGENT_POOL_PACK_H
#define AGENT_POOL_PACK_H

#include <stddef.h>
#include <stdint.h>

struct pack {
	uint8_t *block; /* NULL: only measuring */
	size_t used;
};

/* A copy of the bytes inside the block, aligned for any of our structs; the original while measuring. */
void *pack_bytes(struct pack *p, void *data, size_t size);
/* Room for as much, to be filled by the caller; NULL while measuring. */
void *pack_room(struct pack *p, size_t size);
char *pack_str(struct pack *p, char *s);

#endif
