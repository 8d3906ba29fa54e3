/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of edit.h over a real store, and what its documents come to in the
 * pool model. After each answer that is not 2xx, and each of a dry run, the
 * documents and the store's revision are compared with what they were. Include
 * cmocka.h first.
 */
#ifndef TESTS_LIB_EDIT_WORLD_H
#define TESTS_LIB_EDIT_WORLD_H

#include "agent/api/edit.h"
#include "agent/base/doc.h"
#include "tests/lib/store_world.h"

/* Address pools: main, 10.0.0.1 with ports 30000-30003; more, 10.0.0.2 with port 40000. */
struct edit_world {
	struct store_world store;
	struct edits *edits;
	struct addr_range vip, other_vip;
	struct address_pool address_pools[2];
	struct pool_rules rules;
	struct pools *others; /* of the source before the store, directory:/etc/pools */
	struct pools *model;  /* of the store, as of pool_of() */
	unsigned requests;
};

struct edit_answer {
	bool called;
	struct rest_reply reply;
	struct doc_set set;
	const struct doc *root; /* NULL: no JSON */
};

/* Set-up and tear-down of a test. */
int edit_world_up(void **state);
int edit_world_down(void **state);

/* As JSON, or a merge patch; by who may write; its id is "r1". */
struct rest_request request_of(const char *method, const char *target, const char *match,
			       const char *body);
/* Both stay until it is answered. */
void edit_world_begin(struct edit_world *w, const struct rest_request *r, struct edit_answer *a);
void edit_world_wait(struct edit_world *w, struct edit_answer *a);
void answer_done(struct edit_answer *a);
/* Asks and has that status; out NULL: no more is wanted of it. */
void want(struct edit_world *w, unsigned status, const char *method, const char *target,
	  const char *match, const char *body, struct edit_answer *out);
/* The same for an error of this code, whose body has this text. */
void refused(struct edit_world *w, unsigned status, const char *code, const char *says,
	     const char *method, const char *target, const char *match, const char *body);
/* want() of a pool, with the ETag of now. */
void edit(struct edit_world *w, unsigned status, const char *method, const char *target,
	  const char *body, struct edit_answer *out);
const char *tag_of(struct edit_world *w, const char *id, char out[static 32]);
/* A new document of the namespace shop: "services/web". */
void put(struct edit_world *w, const char *path, const char *body);
/* Its text; "null", or "" where there is none. */
const char *field(const struct doc *d, const char *key);

/* NULL: there is none. */
const struct pool *pool_of(struct edit_world *w, const char *id);
/* "10.0.0.1:30000 10.1.0.1:80*1 ...", its problems behind them; "none". */
void pool_is(struct edit_world *w, const char *id, const char *want);

#endif
