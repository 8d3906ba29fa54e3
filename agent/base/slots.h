/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which slots of a wheel hold anything, a bit for each. The slots are a ring;
 * their number is a multiple of 64.
 */
#ifndef AGENT_BASE_SLOTS_H
#define AGENT_BASE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

static inline void slots_fill(uint64_t *bits, uint32_t slot)
{
	bits[slot / 64] |= 1ull << (slot % 64);
}

static inline void slots_empty(uint64_t *bits, uint32_t slot)
{
	bits[slot / 64] &= ~(1ull << (slot % 64));
}

/* The first slot at or after `from`, going round once, that holds any. False: none does. */
bool slots_next(const uint64_t *bits, uint32_t count, uint32_t from, uint32_t *out);

#endif
