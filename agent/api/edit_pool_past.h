/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The past of a pool, as the store knows it: which documents were its, and
 * their revisions. The store answers one question after the other; `then` is
 * called once the last is answered.
 */
#ifndef AGENT_API_EDIT_POOL_PAST_H
#define AGENT_API_EDIT_POOL_PAST_H

#include "agent/api/edit_pool.h"

struct past_key {
	struct store_key key;
	bool gone;	   /* a slice that is: is it the pool's? */
	bool is_its_own;   /* it was the pool's once */
	struct tree *then; /* as of a revision; NULL: it was not there */
	bool known;	   /* there is a revision that says how it was */
};

struct past {
	struct edit *e;
	struct pool_documents d;
	struct past_key *keys; /* the Service first, then the Endpoints */
	size_t count, next;
	struct store_revision *rows; /* without texts, their strings in the edit's arena */
	size_t row_count, row_room;
	size_t limit;	/* of rows of each */
	uint64_t until; /* of rows: none newer; 0: no bound */
	uint64_t step;	/* a revision: that of its step's end */
	bool cut;	/* there may be slices of its that are gone and were not found */
	void (*then)(struct past *p);
};

/* Kept by the edit, and found again by it: the store forgets callbacks by their argument. */
MUST_CHECK struct past *past_new(struct edit *e, const char *id, void (*then)(struct past *p));
struct past *past_of(struct edit *e);
/* The store cannot answer: that is the answer. */
void past_trouble(struct past *p);
/* Of the documents that p->d has, and of those that are gone. */
void past_find_keys(struct past *p);
/* `limit` of each, the newest of all first. */
void past_ask_rows(struct past *p, size_t limit, uint64_t until, void (*then)(struct past *p));
/* Behind the last row of the step that begins there: what one request wrote. */
size_t past_step_end(const struct past *p, size_t from);

#endif
