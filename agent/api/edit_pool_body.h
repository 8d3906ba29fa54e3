/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bodies of requests to pools: JSON objects of which every field is known.
 * What is wrong goes to the edit's errors, with the field's name.
 */
#ifndef AGENT_API_EDIT_POOL_BODY_H
#define AGENT_API_EDIT_POOL_BODY_H

#include "agent/api/edit_pool.h"

/* The body, an object with no other fields; NULL: an error was noted. */
const struct doc *pool_body(struct edit *e, const char *const *fields, size_t count);
/* Of an object at `where` ("members[0]."; "": the body). False: it has others. */
MUST_CHECK bool pool_body_knows(struct edit *e, const struct doc *d, const char *where,
				const char *const *fields, size_t count);
/* False: absent, or an error. */
MUST_CHECK bool pool_body_number(struct edit *e, const struct doc *d, const char *where,
				 const char *key, uint64_t min, uint64_t max, uint64_t *out);
/* NULL: absent, or an error. */
const char *pool_body_text(struct edit *e, const struct doc *d, const char *where, const char *key);
/* {"address", "port", "weight"}; *own: has it a weight of its own? */
MUST_CHECK bool pool_body_member(struct pool_documents *d, const struct doc *body,
				 const char *where, struct pool_member *out, bool *own);
/* {"scheduler": "rr", "weight": null}; NULL: nothing. */
void pool_body_settings(struct pool_documents *d, const struct doc *settings);

/* "/api/v1/pools/ID" or, with a member's id, "/api/v1/pools/ID/members/MID", in the arena. */
const char *pool_path(struct edit *e, const char *id, const char *mid);

/* --- edit_pool.c ------------------------------------------------------------------------------ */

/* The changed documents, as this action; the answer follows. */
void pool_write(struct pool_documents *d, const char *action);

#endif
