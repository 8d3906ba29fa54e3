/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside batch.h: a batch on its way. batch_read.c makes requests of its body,
 * batch.c has them answered one by one, on the stage where it is atomic.
 */
#ifndef AGENT_API_BATCH_PRIVATE_H
#define AGENT_API_BATCH_PRIVATE_H

#include <sys/queue.h>

#include "agent/api/batch.h"
#include "agent/api/uri.h"
#include "agent/base/arena.h"
#include "agent/base/doc.h"

enum verb { VERB_PATCH, VERB_DELETE, VERB_DRAIN, VERB_UNDRAIN, VERB_WEIGHT, VERB_NONE };

/* A member of a unit; its id is in the arena. */
struct batch_member {
	const char *id;
	struct batch_member *next;
};

/* One request to one pool. */
struct unit {
	struct batch *batch;
	struct unit *next;
	const char *pool; /* its id, in the arena as all of its texts */
	enum verb verb;
	struct batch_member *members, **last; /* NULL: it is about the pool as such */
	uint64_t revision;		      /* 0: whatever it is */
	uint64_t made;			      /* by it; 0: none */
	uint32_t weight;
	const struct doc *patch;
	struct rest_request request;
	struct buf body;
	char if_match[32];
	struct rest_reply reply;
};

struct batch {
	struct batches *all;
	LIST_ENTRY(batch) under_way;
	const struct rest_request *request;
	edit_answer_fn *answer;
	void *arg;
	batch_ask_fn *ask;
	void *ask_arg;
	struct arena arena;
	struct doc_set body;
	struct uri uri;
	bool by_name; /* what is meant is named, in any order */
	bool dry_run;
	bool atomic;
	struct edit_stage *stage;	 /* NULL: it is not atomic */
	const char *reason;		 /* NULL: none */
	struct unit *units, **last, *at; /* at: the one that is asked for next */
	bool waiting;			 /* for the answer to one */
	unsigned failures;		 /* answers in a row that there is no doing it now */
	size_t unit_count, item_count;
	struct rest_reply reply;
};

/*
 * Fills units, unit_count and item_count, by filters from s (NULL: nothing is there). -EINVAL: err
 * says what is wrong; -E2BIG: too many; -ERANGE: others than were expected, and the reply says so.
 */
MUST_CHECK int batch_read(struct batch *b, const struct snapshot *s, struct err *err);

#endif
