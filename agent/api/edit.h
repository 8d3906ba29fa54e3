/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents of the store over REST, and pools as the documents that they are
 * made of: reading, writing and rolling back, and the record of what was done.
 *
 * Two halves. edit_admit() is pure and looks at a request's headers, in any
 * thread: whether it is one of ours, and what is wrong with it before its body
 * was read. edit_begin() answers it, on the loop's thread: nothing there waits,
 * the answer comes from the loop once the store has answered.
 *
 * What is written was decoded before as a source decodes it: a document of
 * which the agent would not use a part is refused. Any answer that is not 2xx,
 * and that of a dry run, has changed no document; refused writes that the store
 * saw are in its record.
 *
 * Pools of a cluster are read from its API server and written to it, with the
 * token of who asks. There two documents are two writes: where the second one
 * fails although it would have been taken a moment before, the answer says what
 * was written.
 */
#ifndef AGENT_API_EDIT_H
#define AGENT_API_EDIT_H

#include "agent/api/json_writer.h"
#include "agent/api/rest.h"
#include "agent/pool/pool.h"
#include "agent/store/store.h"

/* A path that is answered from the store, and what it takes. */
struct edit_path {
	const char *path;    /* as in schema.h */
	const char *methods; /* "GET, HEAD, PUT, PATCH, DELETE" */
	bool read_elsewhere; /* GET and HEAD are rest_answer()'s */
};
extern const struct edit_path edit_paths[]; /* ends with a NULL path */

enum edit_admission {
	EDIT_NOT_OURS, /* another path: rest_answer() has the answer */
	EDIT_REFUSED,  /* *out is the answer; the body need not be read */
	EDIT_ADMITTED, /* its body is to be read, REST_BODY_MAX at most, and edit_begin() called */
};
/* *out is written for EDIT_REFUSED alone. */
MUST_CHECK enum edit_admission edit_admit(const struct rest_request *r, struct rest_reply *out);

/* For store_options.owner: the Service of an EndpointSlice, by its label. */
bool edit_store_owner(enum store_kind kind, const char *text, size_t len,
		      char out[static STORE_NAME_MAX + 1]);

struct edits; /* under way */
MUST_CHECK struct edits *edits_new(void);
/* Those under way are never answered; before the store is closed. NULL is fine. */
void edits_free(struct edits *all);

/* A document as it would be; text NULL: it would not be there. */
struct edit_wish {
	struct store_key key;
	const char *text;
	size_t len;
	const struct store_claim *claims;
	size_t claim_count;
};
/*
 * Puts "plan" and "planTotal": what the kernel would be told if a source's documents were these,
 * and the rules (NULL: as they are).
 */
typedef void edit_plan_fn(void *arg, unsigned source, const struct edit_wish *wishes, size_t count,
			  const struct pool_rules *rules, struct json_writer *j);

/* One request to the API server of a cluster, in the name of whoever has the token. */
struct edit_ask {
	const char *method, *path, *token;
	const char *json; /* ""; no body */
};
struct edit_said {
	int status;	  /* 0: there was no answer */
	const char *body; /* of what is not 2xx perhaps its beginning alone */
	size_t len;
	const char *why; /* for people: what went wrong; "" where nothing did */
};
/* From the loop, once, never from inside ask(); what it is given is valid during the call. */
typedef void edit_said_fn(void *arg, const struct edit_said *s);
struct edit_cluster {
	/* Copies what it is given. What it returns is for cancel(), until fn is called. */
	void *(*ask)(void *arg, const struct edit_ask *ask, edit_said_fn *fn, void *fn_arg);
	void (*cancel)(void *arg, void *call);
	void *arg;
};

struct edit_source {
	const char *type, *where;	    /* for people: "directory", "/etc/parasaus/pools" */
	const struct edit_cluster *cluster; /* where it is written; NULL: not by us */
};

struct edit_stage; /* edit_stage.h */

struct edit_place {
	struct edits *edits;
	struct store *store;	  /* NULL: there is none */
	struct edit_stage *stage; /* what would be written is kept there; NULL: it is written */
	const struct pool_rules *rules;	   /* which frontends there are */
	const struct pools *pools;	   /* of all sources; NULL: nothing is known of others */
	const struct edit_source *sources; /* they stay until edits_free() */
	size_t source_count;
	unsigned store_source; /* which of them the store is */
	edit_plan_fn *plan;    /* of a dry run; NULL: it has none */
	void *plan_arg;
	mono_t now;
	int64_t now_ms; /* wall clock */
};
/* Takes the reply's parts over (rest_reply_done()). */
typedef void edit_answer_fn(void *arg, struct rest_reply *reply);
/*
 * A request that was admitted, with its body; it and what it points to stay until fn is called,
 * perhaps from inside this call.
 */
void edit_begin(const struct edit_place *p, const struct rest_request *r, edit_answer_fn *fn,
		void *arg);

#endif
