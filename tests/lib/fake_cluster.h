/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writing side of an API server, as struct edit_cluster asks it: documents
 * with resourceVersions, conflicts, preconditions, dry runs, whose program
 * wrote last; no network. Answers come from the loop. The token "stranger" is
 * known to nobody; "TOKEN-NAME" is user NAME.
 */
#ifndef TESTS_LIB_FAKE_CLUSTER_H
#define TESTS_LIB_FAKE_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/api/edit.h"
#include "agent/base/attr.h"
#include "agent/base/loop.h"

#define FAKE_DOCUMENTS_MAX 64

struct fake_document {
	char path[256]; /* "" : free */
	char *text;
};

struct fake_cluster {
	struct edit_cluster ops;
	struct loop *loop;
	struct fake_document documents[FAKE_DOCUMENTS_MAX];
	uint64_t revision;
	unsigned seconds; /* of its clock, since 2026-11-28T10:00:00Z: one a write */
	struct fake_call *calls;
	/* An answer of its own for what is asked so; *body NULL: none, it does as it always does. */
	int (*refuse)(struct fake_cluster *f, const char *method, const char *path,
		      const char **body);
	/* Before it looks at a request; NULL: nothing happens. */
	void (*before)(struct fake_cluster *f, const char *method, const char *path);
	void *arg;
	unsigned asked, reviews, rehearsed, written;
	char last_token[64];
};

void fake_cluster_init(struct fake_cluster *f, struct loop *l);
void fake_cluster_done(struct fake_cluster *f);
/* As another program has it written; metadata gets what an API server puts in. */
void fake_cluster_put(struct fake_cluster *f, const char *manager, const char *path,
		      const char *text);
/* NULL: there is none. */
const char *fake_cluster_get(const struct fake_cluster *f, const char *path);
/* Whose paths begin so. */
size_t fake_cluster_count(const struct fake_cluster *f, const char *start);
/* All of them in one text, to compare; free() it. */
MUST_CHECK char *fake_cluster_everything(const struct fake_cluster *f);

#endif
