/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes as transactions: what the writer does with a group of them. */
#ifndef AGENT_STORE_COMMIT_H
#define AGENT_STORE_COMMIT_H

#include "agent/store/store_private.h"

struct write_job {
	struct job job;		  /* result and err are the answer's */
	struct store_write write; /* its own copy */
	int64_t now_ms;
	store_written_fn *fn;
	bool waiting; /* it counts as such, and its claims are asked for */
	bool ran;
	struct write_job *next; /* of a group */
	/* The answer. */
	struct store_done *items;
	struct store_object **objects; /* of puts; NULL: nothing changed, or removed */
	size_t refused;
	uint64_t current;
	bool repeated;
	struct writer_state after;
};

/* An operation and what goes for it, within a transaction. Returns its id; 0: trouble. */
struct operation {
	int64_t at_ms;
	const struct store_who *who;
	struct store_key key;
	uint64_t before;
	bool changed, removed, forced;
	enum store_result result;
	const char *detail;
};
uint64_t history_add(struct store *s, struct writer *w, const struct operation *o);
/* A revision of a document that this operation made; text NULL: removed. */
void history_add_revision(struct store *s, struct writer *w, const struct operation *o,
			  uint64_t revision, const char *text, size_t len);

#endif
