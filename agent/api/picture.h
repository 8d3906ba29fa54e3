/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures that are kept: snapshots that a client was given a part of, so that
 * the parts it asks for next are of the same one.
 *
 * Bounded: PICTURES_MAX of them, each for PICTURE_MS from when it was first
 * kept, and fewer where their lists of targets come to PICTURES_TARGETS_MAX
 * together (pools are shared between snapshots; those lists are not). The oldest goes
 * first. Safe from any thread; a mutex inside, held for a moment.
 */
#ifndef AGENT_API_PICTURE_H
#define AGENT_API_PICTURE_H

#include "agent/base/attr.h"
#include "agent/base/clock.h"
#include "agent/plan/snapshot.h"

#define PICTURES_MAX	     16
#define PICTURE_MS	     60000
#define PICTURES_TARGETS_MAX 1500000 /* about 200 MB */
#define PICTURE_NAME_MAX     40

/* Opaque to clients, and of no other run of the agent; returns out. */
const char *picture_name(const struct snapshot *s, char out[static PICTURE_NAME_MAX]);

struct pictures;
MUST_CHECK struct pictures *pictures_new(void);
void pictures_free(struct pictures *p); /* NULL is fine */
/* Takes a reference of its own; one that is kept already stays as it was. */
void pictures_keep(struct pictures *p, struct snapshot *s, mono_t now);
/* A reference; NULL: it is not kept any more, or never was. */
MUST_CHECK struct snapshot *pictures_find(struct pictures *p, const char *name, mono_t now);

#endif
