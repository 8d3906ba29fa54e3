/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing to the store, and giving frontends out.
 *
 * Called on the loop's thread; nothing here waits (agent/store/store.h).
 */
#ifndef AGENT_STORE_WRITE_H
#define AGENT_STORE_WRITE_H

#include "agent/store/store.h"

#define STORE_REASON_MAX  1024	      /* bytes */
#define STORE_CHANGES_MAX 1000	      /* of one write */
#define STORE_QUEUE_MAX	  4096	      /* writes that wait; more are refused by STORE_BUSY */
#define STORE_QUEUE_BYTES (64u << 20) /* the same for what they hold */

enum store_expect {
	STORE_EXPECT_ANY, /* whatever is there: recorded as forced where something was */
	STORE_EXPECT_ABSENT,
	STORE_EXPECT_REVISION,
};

struct store_change {
	struct store_key key;
	bool remove;
	enum store_expect expect;
	uint64_t revision; /* expected */
	const char *text;  /* of a put */
	size_t len;
	const struct store_claim *claims; /* all that it has from now on */
	size_t claim_count;
};

/*
 * Of a document that is at that revision (0: there is none) and is expected to be what the change
 * says: STORE_OK, or STORE_EXISTS, STORE_ABSENT or STORE_STALE with the reason. Pure.
 */
MUST_CHECK enum store_result store_judge(const struct store_change *c, uint64_t revision,
					 struct err *why);

/* For the record; NULL is "". */
struct store_who {
	const char *user;    /* "alice" */
	const char *source;  /* "web", "cli", ... */
	const char *peer;    /* from where: "192.0.2.7:5123" */
	const char *request; /* id */
	const char *action;  /* "create", "rollback", ...; the caller's words */
	const char *reason;
};

/* All of its changes, in order, or none. Copied. */
struct store_write {
	struct store_who who;
	const struct store_change *changes;
	size_t count;
	bool dry_run; /* answered as if it were done; nothing is recorded */
	/* A repetition within 24 hours by the same operator gets the first one's answer. NULL: none. */
	const char *idempotency_key;
	uint64_t idempotency_hash; /* of what was asked for */
};

struct store_done {
	uint64_t revision; /* of the document now; of a removal, the removal's; 0 of a dry run */
	bool changed;	   /* false: it was like that already, and nothing was written */
};

struct store_outcome {
	enum store_result result;
	/* Of a refusal: which change, what its document's revision is (0: none), why. */
	size_t refused;
	uint64_t current;
	const char *why;		/* "" where result is STORE_OK */
	const struct store_done *items; /* one a change; NULL where result is not STORE_OK */
	size_t count;
	bool repeated; /* by its idempotency key: an earlier answer */
};
/* From the loop, never from inside store_write(); what it is given is valid during the call. */
typedef void store_written_fn(void *arg, const struct store_outcome *o);
/* fn may be NULL. */
void store_write(struct store *s, const struct store_write *w, store_written_fn *fn, void *arg);
/* Calls nothing back that has this arg: it is about to go. The writes themselves are done. */
void store_forget(struct store *s, const void *arg);

/* --- frontends, address pools ---------------------------------------------------- */

/* Whose it is, of what is in memory; NULL: nobody's. */
const struct store_object *store_claimed_by(const struct store *s, const struct endpoint *at);
/*
 * A port of this address and protocol that nobody has and no write that waits asks for: the first
 * one after that given out last, and at the end from the beginning, so that a port that was given
 * back rests. Claim it by a write in the same turn: the file's unique index has the last word.
 * -ENOSPC: none is left.
 */
MUST_CHECK int store_free_port(struct store *s, const struct addr *vip, uint8_t protocol,
			       const struct port_range *ports, size_t port_count,
			       const struct port_range *reserved, size_t reserved_count,
			       uint16_t *out);
/* Who has claims from this address pool: removing it would be refused, changing it concerns them. */
typedef void store_claim_fn(void *arg, const struct store_object *o, const struct store_claim *c);
void store_pool_used_by(const struct store *s, const char *pool, store_claim_fn *fn, void *arg);

#endif
