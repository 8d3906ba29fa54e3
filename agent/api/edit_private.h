/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside edit.h: a request on its way, and what the parts share.
 *
 * edit_route.c knows paths, parameters and conditions; edit_document.c what a
 * document must be; edit.c writes; edit_past.c answers from the past.
 */
#ifndef AGENT_API_EDIT_PRIVATE_H
#define AGENT_API_EDIT_PRIVATE_H

#include <limits.h>
#include <sys/queue.h>

#include "agent/api/edit.h"
#include "agent/api/edit_backend.h"
#include "agent/api/edit_tree.h"
#include "agent/api/problem.h"
#include "agent/api/uri.h"
#include "agent/store/history.h"

enum edit_what {
	EDIT_DOCUMENT,
	EDIT_ROLLBACK,
	EDIT_REVISIONS,
	EDIT_REVISION,
	EDIT_APPLY,
	EDIT_OPERATIONS,
	EDIT_OPERATION,
	EDIT_ADDRESS_POOLS, /* one of them is a document */
	EDIT_POOLS,
	EDIT_POOL,
	EDIT_POOL_SPEC,
	EDIT_POOL_MEMBERS,
	EDIT_POOL_MEMBER,
	EDIT_POOL_REVISIONS,
	EDIT_POOL_ROLLBACK,
};

/* What a path says. */
struct edit_target {
	enum edit_what what;
	struct store_key key;		/* kind 0 where the path names no document */
	char name[REST_TARGET_MAX + 1]; /* or a pool's id */
	const char *member;		/* its id */
	uint64_t number;		/* of a revision or an operation */
};
static inline bool edit_is_of_pool(enum edit_what what)
{
	return what >= EDIT_POOLS;
}
/* False: none of these paths. Points into u and into itself. */
MUST_CHECK bool edit_target_of(const struct uri *u, struct edit_target *out);

/* What a request says of what it expects to be there. */
struct edit_condition {
	bool said;
	enum store_expect expect;
	uint64_t revision;
};
/* -EINVAL: not one of "rN" and *, or both headers. */
MUST_CHECK int edit_condition_of(const struct rest_request *r, struct edit_condition *out,
				 struct err *err);

struct edit_params {
	bool dry_run;
	const char *reason;
	const char *ns;			    /* of documents that do not say theirs */
	struct store_operations_query past; /* limit, and the filters of operations */
	const char *pool;		    /* operations of its documents; NULL: of any */
	enum store_result result;
};
/* -EINVAL: one that this path and method do not take, or a bad value. */
MUST_CHECK int edit_params_of(const struct uri *u, const struct edit_target *t, bool is_write,
			      struct edit_params *out, struct err *err);

/* Documents as they are called in paths: "services". 0: none of ours. */
enum store_kind edit_kind_of(const char *word);

/* One document that is to be written or removed. */
struct edit_document {
	struct store_key key;
	const struct store_object *before; /* a reference; NULL: there was none */
	struct tree *tree;		   /* NULL: it is to be removed */
	bool guard; /* neither: the others are written only while it is what it was */
	struct buf text;
	struct store_claim *claims;
	size_t claim_count;
};

/* Whose a token of a cluster is, known for a minute. */
#define EDIT_NAMES_MAX 64
#define EDIT_NAME_HASH 32
#define EDIT_NAME_TEXT 272 /* "kube:alice" */
struct edit_name {
	uint8_t hash[EDIT_NAME_HASH];
	char user[EDIT_NAME_TEXT];
	mono_t until; /* 0: of nobody */
};

struct edits {
	LIST_HEAD(, edit) under_way;
	struct edit_name names[EDIT_NAMES_MAX];
};

struct cluster; /* edit_cluster.h */

struct edit {
	struct edits *all;
	LIST_ENTRY(edit) under_way;
	const struct edit_backend *backend;
	struct store *store;
	struct edit_stage *stage;	/* NULL: what it writes is written */
	unsigned source;		/* of the place; beyond them: none */
	struct cluster *cluster;	/* NULL: it is the store's */
	store_watch_id opening;		/* 0: not waiting for the store to be opened */
	const struct pool_rules *rules; /* as they would be: a reference; NULL before it begins */
	bool rules_changed;		/* by its documents */
	const struct edit_place *place; /* a copy in the arena */
	const struct rest_request *request;
	edit_answer_fn *answer;
	void *arg;
	struct uri uri;
	struct edit_target target;
	struct edit_params params;
	struct edit_condition condition;
	struct arena arena;
	struct doc_set *sets; /* what trees borrow from */
	size_t set_count;
	struct edit_document *documents;
	size_t count;
	struct problems warnings, errors;
	/* Of a pool's request: */
	const char *pool;     /* its id, in the answer */
	const char *location; /* of what is made by it; NULL: nothing is */
	bool is_new;	      /* none of its documents may be there yet */
	/* Whose revision If-Match names; NULL: nothing of it is there. */
	const struct store_key *newest;
	/* A frontend is another document's: true, and another one is being tried. */
	bool (*again)(struct edit *e);
	void *wish; /* what it is about, in the arena */
	struct rest_reply reply;
};

/* As the backend has it, of the loop's turn. */
static inline const struct store_object *edit_get(struct edit *e, const struct store_key *key)
{
	return e->backend->get(e, key);
}

/* What it asks for is there to be looked at. */
void edit_go_on(struct edit *e);
/* Ends it: its reply goes, e is freed. */
void edit_done(struct edit *e);
void edit_refuse(struct edit *e, enum rest_problem p, const char *detail); /* and ends it */

/* --- edit_document.c ------------------------------------------------------------------------- */

/* A text as documents kept by e: doc_read_yaml() of a request, doc_read_any() of the store. */
typedef int doc_read_fn(const void *text, size_t len, const struct doc_limits *limits,
			struct doc_set *out, struct err *err);
MUST_CHECK int edit_read(struct edit *e, doc_read_fn *read, const char *text, size_t len,
			 const struct doc_set **out, struct err *err);
/* The tree of a stored text; NULL: it cannot be read. */
struct tree *edit_tree_of_text(struct edit *e, const char *text, size_t len);
/* The same as it may be shown: a Secret without its values. */
struct tree *edit_shown(struct edit *e, enum store_kind kind, const char *text, size_t len);
/*
 * One more document to be written: what is wrong with it goes to e->errors, what is odd to
 * e->warnings. Where `key` is given it has to be that one. False: it cannot even be named.
 */
bool edit_take(struct edit *e, const struct doc *d, const struct store_key *key);
/* To e->errors; a decoder's "line 7: ..." knows its line. */
void edit_add_error(struct edit *e, const char *where, const char *text);
/* The same for a tree, which is printed and read again. */
void edit_take_tree(struct edit *e, const struct tree *t, const struct store_key *key);
/* A document that is to be removed. */
void edit_take_removal(struct edit *e, const struct store_key *key);
void edit_take_guard(struct edit *e, const struct store_key *key);
/* One more, of this key and without a text so far. */
MUST_CHECK struct edit_document *edit_take_key(struct edit *e, const struct store_key *key);
/* As if none had been taken; what they were made of stays. */
void edit_drop_documents(struct edit *e);
void edit_documents_done(struct edit *e);
/* "errors" or "warnings" of a body: [{pointer, line, detail}]. */
void edit_put_problems(struct json_writer *j, const char *key, const struct problems *p);
/* A tree as it is; NULL: null. */
void edit_put_tree(struct json_writer *j, const char *key, const struct tree *t);

/* --- edit_address_pool.c ------------------------------------------------------------------------ */

/*
 * As edit_take() of one, for which edit_take() calls it. e->rules are those with it, whether it may
 * be or not: that is judged of all that come together.
 */
bool edit_take_address_pool(struct edit *e, const struct doc *d, const struct store_key *key);
/* Why one of them may not be goes to e->errors. */
void edit_judge_address_pools(struct edit *e);
void edit_drop_address_pool(struct edit *e, const char *name); /* e->rules are those without it */
/* False: a frontend that lives would lose by it, and the request was refused. */
MUST_CHECK bool edit_may_change_address_pools(struct edit *e);
/* Of a dry run: how full they would be, and whose frontends are concerned. */
void edit_put_address_pools(struct edit *e, struct json_writer *j);
/* The path names an address pool of the configuration: true, and *err says where to change it. */
MUST_CHECK bool edit_is_configured(const struct edit *e, struct err *err);
/* The same, and the answer is what its document would be. */
MUST_CHECK bool edit_put_configured(struct edit *e);
void edit_create_address_pool(struct edit *e);

/* --- edit_route.c ------------------------------------------------------------------------------ */

/* Is a Content-Type this type, whatever its parameters? */
bool edit_is_type(const char *header, const char *type);
/* Is the method one of "GET, HEAD, PUT"? */
bool edit_takes_method(const char *methods, const char *method);

/* --- edit.c ------------------------------------------------------------------------------------ */

/* What became of a write, where the request says no more of it. */
enum rest_problem edit_problem_of(enum store_result r);
/* "cli", "web" or "rest": with what it was asked for, for the record. */
const char *edit_source_word(const struct rest_request *r);
void edit_set_etag(struct edit *e, uint64_t revision);
/* All documents of e in one transaction, recorded as this; the answer follows. */
void edit_write(struct edit *e, const char *action);
/* 428, with who made what is there now. */
void edit_refuse_unconditional(struct edit *e, const struct store_object *now);
/* The body as documents; false: it was refused. */
MUST_CHECK bool edit_read_body(struct edit *e, const struct doc_set **out);
/* "rN" of If-None-Match is that of the reply: it is 304 then. */
MUST_CHECK bool edit_is_known(struct edit *e);

/* --- edit_past.c ------------------------------------------------------------------------------- */

/* {"toRevision": 12, "reason": "..."}; false: *err says what is wrong. */
MUST_CHECK bool edit_read_rollback(struct edit *e, uint64_t *out, struct err *err);
void edit_rollback(struct edit *e);
void edit_answer_revisions(struct edit *e);
void edit_answer_operations(struct edit *e);

/* --- edit_pool.c ------------------------------------------------------------------------------- */

/* Whose it is: of the pool that it is about, or that of all that is new. */
#define SOURCE_UNKNOWN UINT_MAX /* a source that is none */
unsigned edit_source_of(const struct edit *e);
/* The pool is of a source that is not written from here: true, and *err says whose it is. */
MUST_CHECK bool edit_pool_is_foreign(const struct edit *e, struct err *err);
void edit_pool(struct edit *e);
/* "directory:/etc/parasaus/pools, whose files are edited there", of a source of the place. */
void edit_put_source(const struct edit *e, unsigned source, struct buf *out);

/* --- edit_pool_past.c ---------------------------------------------------------------------------- */

void edit_pool_revisions(struct edit *e);
void edit_pool_rollback(struct edit *e);
void edit_pool_operations(struct edit *e); /* of e->params.pool */
/* Answers these; with the keys of the query, or without. */
void edit_ask_operations(struct edit *e, const struct store_operations_query *q);

/* --- edit_pool_create.c -------------------------------------------------------------------------- */

void edit_pool_create(struct edit *e);

#endif
