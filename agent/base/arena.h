/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is given out piece by piece and freed as a whole: for trees and
 * for what is worked out on the way to a value.
 *
 * Running out of memory ends the process (xalloc.h): callers bound what comes
 * from outside.
 */
#ifndef AGENT_BASE_ARENA_H
#define AGENT_BASE_ARENA_H

#include <stddef.h>

#include "agent/base/attr.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks; /* a zeroed struct arena is an empty one */
	size_t used;		    /* of the newest chunk */
};

void arena_done(struct arena *a); /* frees all; empty again */
void arena_wipe(struct arena *a); /* the same, for secrets: all of it is overwritten first */
/* Zeroed, aligned for any type. */
MUST_CHECK void *arena_take(struct arena *a, size_t size);
MUST_CHECK char *arena_strndup(struct arena *a, const char *s, size_t len);
MUST_CHECK char *arena_strdup(struct arena *a, const char *s);
/* What `from` has given out becomes a's to free; `from` is empty afterwards. */
void arena_absorb(struct arena *a, struct arena *from);

#endif
