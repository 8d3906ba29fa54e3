/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of struct pools, for the files that make it up: pool.c keeps
 * objects by the Service they belong to, claim.c decides who gets a frontend,
 * build.c works out the pools of one Service, secrets.c knows who needs a Secret.
 */
#ifndef AGENT_POOL_MODEL_H
#define AGENT_POOL_MODEL_H

#include "agent/base/map.h"
#include "agent/pool/pool.h"

/* One port of one Service wants one frontend. */
struct claim {
	struct claim *next, *prev; /* others for the same frontend, in no order */
	struct contest *contest;
	struct service *service;
	size_t port; /* index in the Service's ports */
};

/* A frontend and who wants it. */
struct contest {
	struct endpoint frontend;
	uint32_t count : 31;
	bool touched : 1;
	struct claim *claims;
	struct claim *winner, *second; /* as of the last update; second: the first of the losers */
	struct contest *next_touched;
};

/* An object that no pool carries, and why. */
struct orphan {
	const struct object *object;
	struct problems problems;
};

/*
 * All objects of one namespace/name, and what they come to; or the Secrets of that name in one
 * source, which come to no pool.
 */
struct service {
	struct object **objects;
	struct pool **pools; /* a reference each */
	struct claim *claims;
	struct orphan *orphans;
	uint32_t object_count, pool_count, claim_count, orphan_count;
	struct service *next_orphaned, *prev_orphaned;
	struct service *next_dirty;
	struct service *secret; /* that its check names; NULL: none */
	struct service *users;	/* of a Secret: whose check names it */
	struct service *next_user, *prev_user;
	unsigned source; /* of a Secret; otherwise 0 */
	bool dirty;
	bool is_secret;
	uint16_t name_at; /* behind ns */
	char ns[];
};
static inline const char *service_name(const struct service *s)
{
	return s->ns + s->name_at;
}

struct pools {
	const struct pool_rules *rules;
	struct map objects; /* by identity */
	size_t *counts;	    /* of objects, by source */
	size_t source_count;
	struct pools_walk *walks; /* that are under way */
	uint32_t walk_count;
	struct map services; /* by namespace and name */
	struct map contests; /* by frontend */
	struct map checks;   /* equal checks are one: a reference each */
	size_t checks_swept; /* how many were left by the last sweep */
	struct check *no_check;
	struct service *dirty, **dirty_end;
	struct contest *touched;
	struct service *orphaned;
	size_t pool_count;
};

struct service_key {
	const char *ns;
	const char *name;
	bool is_secret;
	unsigned source;
};

void model_mark_dirty(struct pools *p, struct service *s);
struct service *model_find(const struct pools *p, const struct service_key *key); /* or NULL */
struct service *model_need(struct pools *p, const struct service_key *key);

/* --- claim.c --------------------------------------------------------------- */

/* Of two objects that want the same, the one that gets it comes first (< 0); never 0 for two. */
int object_precedence(const struct object *a, const struct object *b);
/* The Service in force, NULL if there is none. */
const struct object *service_object(const struct service *s);

/* What a frontend is asked for with: a port of a Service of this namespace. */
struct frontend_wish {
	const char *ns;
	const struct object_port *port;
	const struct endpoint *held; /* that are on record for this Service */
	size_t held_count;
};
static inline struct frontend_wish frontend_wish(const struct object *o,
						 const struct object_port *port)
{
	return (struct frontend_wish){ o->ns, port, o->held, o->held_count };
}
/*
 * The frontend of a node port: that which is on record, whatever address pools have become, or that
 * of the first address pool that has the port. False, with *why in the problem's words, where it
 * cannot have one.
 */
MUST_CHECK bool frontend_of(const struct pool_rules *rules, const struct frontend_wish *w,
			    struct endpoint *out, struct buf *why);
/* s wants what its objects say now. */
void claims_renew(struct pools *p, struct service *s);
/* Decide what was touched; whoever wins or loses by it is marked dirty. */
void claims_decide(struct pools *p);
/* Of the tables of contests. */
uint64_t claim_frontend_hash(const struct endpoint *e);
/* The claim of this port, NULL if it has none. */
const struct claim *claim_of(const struct service *s, size_t port);

/* --- build.c --------------------------------------------------------------- */

struct built {
	struct pool **pools;
	size_t pool_count;
	struct orphan *orphans;
	size_t orphan_count;
	char *secret; /* the name of that which the check needs; NULL: none */
};
/* What the objects of s come to; the caller takes all of it over. */
struct built service_build(struct pools *p, const struct service *s);
void orphans_done(struct orphan *orphans, size_t count);

/* --- secrets.c ------------------------------------------------------------- */

/* The Secret that counts, NULL if there is none; `s` may be NULL. */
const struct object *secret_in_force(const struct service *s);
/* "is not there", "lacks the key password", ...; NULL: nothing stands against its use by a check with
 * those CHECK_USES_... */
const char *secret_fault(const struct object *o, unsigned uses);
/* What there is of it is used nevertheless; not at all: such a check is half-open. */
bool secret_serves(const struct object *o, unsigned uses);
/* The check of `user` names this Secret from here on; NULL: none. */
void secret_use(struct service *user, struct service *s);
/* Whoever names it is worked out anew. */
void secret_changed(struct pools *p, struct service *s);
/* As service_build(): only what is to be told of its objects. */
struct built secret_build(struct pools *p, const struct service *s);

/* --- intern.c: one check for all that are equal ---------------------------- */

/* Takes the reference over and returns one. */
struct check *check_intern(struct pools *p, struct check *c);
void checks_done(struct pools *p);
void checks_init(struct pools *p);

#endif
