/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers for the paths of probes that go by a VIP (ipvs/paths.h): whose each is, and whether the
 * kernel has its path.
 *
 * A target keeps its number as long as it lives, and mostly beyond our own restarts: it is the first
 * that is free from one on that follows from its id. A number that was given up is not given anew
 * before a list without it is in force, and PATHS_REST_MS later, for the kernel remembers connections
 * from its port that went elsewhere.
 *
 * Pure: time is passed in.
 */
#ifndef AGENT_PLAN_PATHS_H
#define AGENT_PLAN_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/clock.h"
#include "ipvs/paths.h"

#define PATHS_REST_MS 120000

enum path_number_is {
	PATH_FREE,
	PATH_TAKEN,
	PATH_LEAVING, /* the kernel may still have its path */
	PATH_RESTING,
};

struct path_number {
	uint64_t id; /* PATH_TAKEN: of its target */
	enum path_number_is is;
	uint32_t since; /* TAKEN, LEAVING: the first version of the list that has it so */
	mono_t rests_from;
};

struct paths {
	struct path_number numbers[IPVS_PATHS_MAX];
	uint32_t version;  /* of the list that was told last */
	uint32_t in_force; /* the newest version that the kernel has; the first's less one: none */
	bool changed;	   /* the list is not what was told */
	uint32_t taken;
};

/* first: of the versions; beyond all that a core before this one told. */
void paths_init(struct paths *p, uint32_t first);
/* The number that target gets; -1: there is none for now. */
MUST_CHECK int paths_take(struct paths *p, uint64_t id, mono_t now);
void paths_give_up(struct paths *p, unsigned number);
/* The list as it is now, those that are taken, is told; returns its version. */
uint32_t paths_tell(struct paths *p);
/* What was heard: that version is in force. False: it says nothing new. */
MUST_CHECK bool paths_hear(struct paths *p, uint32_t version, mono_t now);
/* It is taken, and the kernel has its path. */
bool paths_has(const struct paths *p, unsigned number);
/* When the next number has rested; false: none does. */
MUST_CHECK bool paths_next(const struct paths *p, mono_t *out);

#endif
