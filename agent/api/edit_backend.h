/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the documents of a request stand: in the store, or in the API server
 * of a cluster. What edits pools sees both as documents with revisions that
 * are numbers, and asks for no more than is here.
 *
 * Nothing here blocks. The callbacks get the edit as their argument, are called
 * from the loop and never from inside the call, and never once forget() was
 * called; what they are given is valid during the call. get() and each_part() give
 * what is the backend's own until the loop's next turn: a reference keeps it.
 */
#ifndef AGENT_API_EDIT_BACKEND_H
#define AGENT_API_EDIT_BACKEND_H

#include "agent/store/history.h"

struct edit;

struct edit_backend {
	/* NULL: there is none. */
	const struct store_object *(*get)(struct edit *e, const struct store_key *key);
	/*
	 * Those of a kind that are the parts of this Service, in no order; perhaps others with them:
	 * what they say themselves counts.
	 */
	void (*each_part)(struct edit *e, enum store_kind kind, const char *ns, const char *service,
			  store_each_fn *fn, void *arg);
	/* Whose document has this frontend; NULL: nobody's that is known of. */
	const struct store_object *(*holder)(struct edit *e, const struct endpoint *at);
	/* Nobody has it, and no write that waits asks for it. */
	bool (*is_free)(struct edit *e, const struct endpoint *at);
	/* w and what it points to need not stay, but for texts: those are the edit's documents'. */
	void (*write)(struct edit *e, const struct store_write *w, store_written_fn *fn);
	void (*revisions)(struct edit *e, const struct store_revisions_query *q,
			  store_revisions_fn *fn);
	void (*operations)(struct edit *e, const struct store_operations_query *q,
			   store_operations_fn *fn);
	/* It is about to go: nothing is called back any more. */
	void (*forget)(struct edit *e);
	/* Frontends are claimed by documents as they are written; false: nobody keeps claims. */
	bool claims;
};

extern const struct edit_backend edit_backend_store; /* edit_store.c */

#endif
