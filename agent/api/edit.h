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
 * Puts "plan" and "planTotal": what the kernel would be told if the documents were these, and the
 * rules (NULL: as they are).
 */
typedef void edit_plan_fn(void *arg, const struct edit_wish *wishes, size_t count,
			  const struct pool_rules *rules, struct json_writer *j);

/* For people: where what is not in the store is edited. */
struct edit_source {
	const char *type, *where; /* "directory", "/etc/parasaus/pools" */
};

struct edit_place {
	struct edits *edits;
	struct store *store;		   /* NULL: there is none */
	const struct pool_rules *rules;	   /* which frontends there are */
	const struct pools *pools;	   /* of all sources; NULL: nothing is known of others */
	const struct edit_source *sources; /* they stay until edits_free() */
	size_t source_count;
	unsigned store_source; /* which of them the store is */
	edit_plan_fn *plan;    /* of a dry run; NULL: it has none */
	void *plan_arg;
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
