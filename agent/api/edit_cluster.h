/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents of a cluster, as edit_backend.h has them.
 *
 * A request to a pool first fetches what the pool is made of: Service,
 * Endpoints, EndpointSlices and the ControllerRevisions that its past is kept
 * in. What is edited then is that, without what the API server puts in by
 * itself (status, uid, managedFields, ...); a document is written with the
 * resourceVersion it was read with, and is refused where it has another by then.
 * resourceVersions are numbers here: Kubernetes promises that since 1.35, and
 * did so before without promising.
 *
 * What the cluster's controllers write by themselves (the EndpointSlices of a
 * Service with a selector) is seen and never written; it has the revision 0.
 *
 * edit_cluster.c fetches, edit_cluster_write.c writes, edit_cluster_past.c knows
 * the past, edit_cluster_warn.c who else looks after a document.
 */
#ifndef AGENT_API_EDIT_CLUSTER_H
#define AGENT_API_EDIT_CLUSTER_H

#include "agent/api/edit_private.h"
#include "agent/pool/author.h"

#define CLUSTER_DOCUMENTS_MAX STORE_CHANGES_MAX /* of a pool */
#define CLUSTER_KEPT_MAX      5			/* revisions of a pool, besides the one there is */
#define CLUSTER_LISTED_MAX    64 /* ControllerRevisions of one pool that are looked at */
#define CLUSTER_LABEL	      "parasaus.io/service"
#define CLUSTER_LABEL_QUERY   "parasaus.io%2Fservice%3D"

extern const struct edit_backend edit_backend_cluster;

struct cluster;
struct work; /* a write under way, of edit_cluster_write.c */

/* A request under way. */
struct cluster_ask {
	struct cluster *c;
	struct cluster_ask *next;
	void *call;		 /* NULL: it is answered */
	const char *verb, *kind; /* the right it takes: "update", "services" */
	void (*then)(struct cluster_ask *a, const struct edit_said *s);
};

struct cluster_document {
	struct store_object
		object; /* of what can be edited; the arena's, so never freed by itself */
	const struct tree *metadata; /* as the API server has it */
	const char *uid;
	const char *reason; /* of its last change; NULL: none is known */
};

/* A document as it was. */
struct cluster_text {
	struct store_key key;
	const char *text;
	size_t len;
};

/* The pool's Service with all that belongs to it, as of a revision. */
struct cluster_state {
	const char *kept; /* the name of its ControllerRevision; NULL: it is what there is now */
	uint64_t revision;
	int64_t at_ms;
	const char *user, *action, *reason;
	struct cluster_text *texts;
	size_t count;
};

struct cluster {
	struct edit *e;
	const struct edit_source *home;
	const char *token, *ns, *name;
	struct cluster_document *documents;
	size_t count;
	struct cluster_state
		*states; /* newest first, the one there is included where there is one */
	size_t state_count;
	const char *history_trouble; /* why the ControllerRevisions are not known; NULL: they are */
	struct cluster_ask *asks;
	struct work *work; /* NULL: nothing is being written */
	bool kept_now;	   /* a ControllerRevision was made by this request */
	/* Of a fetch: */
	size_t waiting;
	bool failed;		   /* the reply says why */
	const struct doc *history; /* the list of ControllerRevisions; NULL: unknown */
	void (*fetched)(struct cluster *c);
};

/*
 * The request is to a pool of this source. Fetches what it needs; then edit_go_on(), or an answer
 * that says what is wrong.
 */
void cluster_begin(struct edit *e, const struct edit_source *home);

/* --- inside -------------------------------------------------------------------------------------- */

void cluster_ask(struct cluster *c, const char *method, const char *verb, const char *kind,
		 const char *path, const char *json,
		 void (*then)(struct cluster_ask *a, const struct edit_said *s));
/* Again, after somebody else wrote; then(), unless it went wrong, which is the answer. */
void cluster_fetch(struct cluster *c, void (*then)(struct cluster *c));
static inline bool cluster_said_good(const struct edit_said *s)
{
	return s->status >= 200 && s->status < 300;
}
/* The API server itself says so, and not something in front of it. */
MUST_CHECK bool cluster_said_absent(const struct edit_said *s);
/* An answer that is not good as the reply of the edit, which goes on: edit_done() ends it. */
void cluster_put_refusal(const struct cluster_ask *a, const struct edit_said *s);
/* "update services in namespace shop", in the arena. */
const char *cluster_right(const struct cluster_ask *a);
/* An answer as a document; NULL: it is none. */
const struct doc *cluster_read(struct edit *e, const struct edit_said *s);

/* "services" */
const char *cluster_kind(enum store_kind k);
/* Its path, with a query that begins with '?' or is "". name NULL: of all. */
const char *cluster_path(const struct cluster *c, enum store_kind k, const char *name,
			 const char *query);
const char *cluster_history_path(const struct cluster *c, const char *name, const char *query);
const struct cluster_document *cluster_find(const struct cluster *c, const struct store_key *key);
/* A controller of the cluster makes it. */
static inline bool cluster_is_managed(const struct cluster_document *d)
{
	return d->object.revision == 0;
}
/* What can be edited of a document: without what the API server puts in, and who wrote it. */
struct tree *cluster_bare(struct edit *e, const struct doc *d, enum store_kind k);

/* --- edit_cluster_write.c ------------------------------------------------------------------------ */

void cluster_write(struct edit *e, const struct store_write *w, store_written_fn *fn);

/* --- edit_cluster_past.c -------------------------------------------------------------------------- */

/* Of c->history and of the documents there are. */
void cluster_read_states(struct cluster *c);
void cluster_revisions(struct edit *e, const struct store_revisions_query *q,
		       store_revisions_fn *fn);
void cluster_operations(struct edit *e, const struct store_operations_query *q,
			store_operations_fn *fn);
/* The state there is as a ControllerRevision; NULL: there is nothing to keep, or it is kept. */
const char *cluster_state_document(struct cluster *c);

/* --- edit_cluster_warn.c ---------------------------------------------------------------------------- */

/* Of a program that would undo the change of this document. */
void cluster_warn_of_owner(struct edit *e, const struct store_key *key,
			   const struct tree *metadata);

#endif
