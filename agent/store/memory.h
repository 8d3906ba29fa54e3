/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the store is in memory: documents, who has which frontend, the
 * newest changes. Of the loop's thread, but for making objects and letting go
 * of them.
 */
#ifndef AGENT_STORE_MEMORY_H
#define AGENT_STORE_MEMORY_H

#include "agent/base/map.h"
#include "agent/store/write.h"

#define MEMORY_CHANGES 4096 /* the newest, for store_changes_since() */

/* Copies all that *parts points to, but for its owner, which `owner` says; one reference. */
MUST_CHECK struct store_object *object_of_store(const struct store_object *parts,
						store_owner_fn *owner);

struct memory_change {
	uint64_t revision;
	bool removed;
	const struct store_object *object;
};

struct memory {
	struct map objects; /* by key */
	struct map
		parts; /* those that have an owner, by it: the first of each, which has the others */
	struct map claims; /* struct held, by endpoint */
	struct map asked;  /* struct asked: by writes that wait */
	struct map given;  /* struct given: the port given out last, by address and protocol */
	uint64_t epoch;
	uint64_t revision;
	struct memory_change changes[MEMORY_CHANGES]; /* a ring */
	size_t first, count;
	uint64_t known_after; /* the ring has all changes after this revision */
};

void memory_init(struct memory *m);
void memory_done(struct memory *m);
/* Takes the objects over in place of all that was known. */
void memory_load(struct memory *m, uint64_t epoch, uint64_t revision, struct store_object **objects,
		 size_t count);
/*
 * Its claims are nobody's from here on; its next change is to follow. For what one write does to
 * several documents, which may hand theirs to each other.
 */
void memory_let_go(struct memory *m, const struct store_key *key);
/* Takes the object over; revisions only grow. */
void memory_put(struct memory *m, struct store_object *o);
/* What it was, until its next change but MEMORY_CHANGES; NULL: it was not there. */
const struct store_object *memory_remove(struct memory *m, const struct store_key *key,
					 uint64_t revision);
const struct store_object *memory_get(const struct memory *m, const struct store_key *key);
/* The key is of a document, but for its name: that is the owner's. */
void memory_each_part(const struct memory *m, const struct store_key *of, store_each_fn *fn,
		      void *arg);

/* A write that has these claims begins to wait, or no longer does. */
void memory_ask(struct memory *m, const struct store_claim *claims, size_t count);
void memory_unask(struct memory *m, const struct store_claim *claims, size_t count);
/* As store.h says of store_free_port(), store_claimed_by() and store_pool_used_by(). */
MUST_CHECK int memory_free_port(struct memory *m, const struct addr *vip, uint8_t protocol,
				const struct port_range *ports, size_t port_count,
				const struct port_range *reserved, size_t reserved_count,
				uint16_t *out);
const struct store_object *memory_claimed_by(const struct memory *m, const struct endpoint *at);
void memory_each_claim(const struct memory *m, const char *pool, store_claim_fn *fn, void *arg);

#endif
