/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool as the documents of the store that it is made of: found by its id,
 * looked into and changed as trees, so that what we do not know of stays as it
 * is.
 *
 * edit_pool_find.c finds and looks, edit_pool_change.c and edit_pool_weight.c
 * change, edit_pool_set.c changes all members at once, edit_pool_try.c tells what the agent would make of it; edit_pool.c and
 * edit_pool_create.c have the requests, edit_pool_past.c those to the past, which
 * edit_pool_steps.c finds.
 */
#ifndef AGENT_API_EDIT_POOL_H
#define AGENT_API_EDIT_POOL_H

#include "agent/api/edit_private.h"
#include "agent/api/view.h"

struct pool_document {
	const struct store_object *object; /* the store's own, of this turn; NULL: it is new */
	struct store_key key;
	struct tree *tree; /* NULL: there is none */
	bool in_force;	   /* its members and its annotations count */
	bool changed, removed;
};

/* A controller of a cluster makes it: it is looked at and never written. */
static inline bool pool_document_is_managed(const struct pool_document *p)
{
	return p->object && p->object->revision == 0;
}

struct pool_documents {
	struct edit *e;
	const char *id, *ns, *name;
	/* In the order in which their annotations count. */
	struct pool_document endpoints, *slices, service;
	size_t slice_count;
	bool sliced;			   /* members are those of slices */
	const struct store_object *newest; /* of all of them; NULL: all are new */
	struct tree *node;		   /* of the pool's port, in the Service */
	struct object_port port;
	size_t port_count; /* of the Service */
};

/* The i-th, NULL behind the last. Some have no tree. */
struct pool_document *pool_document_at(struct pool_documents *d, size_t i);

/* --- edit_pool_find.c ---------------------------------------------------------------------- */

/* Where a member stands. */
struct pool_place {
	struct pool_document *document;
	struct tree *subset; /* that has the ports: the root of a slice */
	struct tree *list, *item;
	struct endpoint at;
};

/* PROBLEM_COUNT: found; else *err says what is wrong, or the edit's errors do (PROBLEM_INVALID). */
MUST_CHECK enum rest_problem pool_documents_find(struct edit *e, struct pool_documents *out,
						 struct err *err);
/*
 * What of it is there, perhaps nothing, of a Service whose names are set; `node` is NULL where that
 * has no such port. What cannot be read goes to the edit's errors.
 */
void pool_documents_look(struct pool_documents *d);
/* Namespace and Service of an id, in the edit's arena. False: it is none. */
MUST_CHECK bool pool_id_split(struct edit *e, const char *id, const char **ns, const char **name);
/* The Service that an EndpointSlice's label names; NULL: none, or no slice. */
const char *pool_slice_service(const struct tree *slice);
/* Whether that is the pool's. */
MUST_CHECK bool pool_owns_slice(const struct pool_documents *d, const struct tree *slice);
/* What the pool is, of its Service's tree; false: that has no such port. */
MUST_CHECK bool pool_find_port(struct pool_documents *d);
/* False: no port that could be used. The name points into the tree. */
MUST_CHECK bool pool_read_port(const struct tree *t, struct object_port *out);
/* The port of a subset that is the pool's; NULL: none. *count: how many it has. */
struct tree *pool_subset_port(const struct pool_documents *d, const struct tree *subset,
			      struct object_port *out, size_t *count);

/* Each member of the pool, where it stands, until fn says false. */
typedef bool pool_place_fn(void *arg, const struct pool_place *p);
void pool_each_place(struct pool_documents *d, pool_place_fn *fn, void *arg);
/* Of all of them the endpoints, as often as each stands, in the edit's arena. */
MUST_CHECK struct endpoint *pool_members(struct pool_documents *d, size_t *count);
MUST_CHECK bool pool_find_member(struct pool_documents *d, const char *mid, struct endpoint *out);
/* Each address that stands anywhere with each of its ports, whichever pool's. */
typedef void pool_endpoint_fn(void *arg, const struct endpoint *at);
void pool_each_endpoint(struct pool_documents *d, pool_endpoint_fn *fn, void *arg);

/* What the annotation parasaus.io/KEY says, of the first that says it; NULL: none does. */
const char *pool_setting(struct pool_documents *d, const char *key);
/* "parasaus.io/scheduler" or "healthCheckType" as its short key; NULL: none of ours. */
const char *pool_setting_key(const char *annotation);
/* Each key once, by its short name, as the first says it that counts. */
typedef void pool_setting_fn(void *arg, const char *key, const char *value);
void pool_each_setting(struct pool_documents *d, pool_setting_fn *fn, void *arg);

/* --- edit_pool_change.c: what is wrong goes to the edit's errors -------------------------------- */

/* Two new documents, of a pool that is not there yet; the port's number is 0 until it is set. */
void pool_documents_make(struct pool_documents *d, const char *ns, const char *name,
			 const struct object_port *port);
void pool_set_setting(struct pool_documents *d, const char *key,
		      const char *value);		     /* NULL: none */
void pool_set_port(struct pool_documents *d, uint16_t port); /* of the frontend */
void pool_drop_port(struct pool_documents *d); /* and with the last one all documents */
void pool_add_member(struct pool_documents *d, const struct endpoint *at);
/* The members of a new pool, sorted by port. */
void pool_make_members(struct pool_documents *d, const struct endpoint *all, size_t count);
void pool_remove_members(struct pool_documents *d, const struct endpoint *all, size_t count);

/* --- edit_pool_weight.c: the same -------------------------------------------------------------- */

void pool_set_weight(struct pool_documents *d, const struct endpoint *at,
		     const uint32_t *weight); /* NULL: none of its own */
/* Of members that are gone: what is said of one that is nowhere any more would be warned of. */
void pool_forget_weights(struct pool_documents *d, const struct endpoint *gone, size_t count);

/* --- edit_pool_set.c: the same ------------------------------------------------------------------ */

#define POOL_SET_MAX 1000 /* members of a list: each that comes or goes is looked for among all */

/*
 * The pool's members become those of the list, [{"address", "port", "weight"}]: who is not in it
 * goes, who is new comes, and who has no weight there (or null) has none of its own. Those that
 * stay do so with all that their documents hold of them.
 */
void pool_set_members(struct pool_documents *d, const struct doc *list);

/* --- edit_pool_try.c --------------------------------------------------------------------------- */

/* What would not be used and was used before, as errors. */
void pool_try(struct pool_documents *d);

#endif
