/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of things, and when: of each its last TRANSITIONS_EACH changes, of
 * all together the last TRANSITIONS_MAX. What never changes takes nothing.
 *
 * A record is 16 bytes in a ring that grows as it is used, to 1 MiB. A thing
 * keeps the number of its newest record, which leads to those before it until
 * one has been written over. Numbers come again after 2^32 records. Pure.
 */
#ifndef AGENT_PLAN_TRANSITIONS_H
#define AGENT_PLAN_TRANSITIONS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"

#define TRANSITIONS_EACH 20
#define TRANSITIONS_MAX	 65536

struct transition {
	int64_t at_ms; /* wall clock, 0..2^48 */
	int32_t detail;
	uint8_t state, reason; /* the caller's */
};

struct transitions;
MUST_CHECK struct transitions *transitions_new(void);
void transitions_free(struct transitions *h); /* NULL is fine */

/* *newest is the thing's: 0 at first. */
void transitions_add(struct transitions *h, uint32_t *newest, const struct transition *e);
/* The newest first; returns how many. */
size_t transitions_read(const struct transitions *h, uint32_t newest,
			struct transition out[static TRANSITIONS_EACH]);
size_t transitions_room(const struct transitions *h); /* bytes that it takes */

#endif
