/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who changed an object of a cluster last, as far as the object says so itself.
 *
 * The API server keeps of each writer a name of the program and a time
 * (managedFields), and no user: so what we write carries its user, what he did,
 * when and why as annotations. Who writes otherwise leaves those standing: they
 * count while no other program's entry is newer than our own, by the API
 * server's clock, which counts in seconds; else it was "via PROGRAM". What the
 * cluster's own controllers write is nobody's doing.
 *
 * Pure.
 */
#ifndef AGENT_POOL_AUTHOR_H
#define AGENT_POOL_AUTHOR_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/doc.h"

#define AUTHOR_USER   "parasaus.io/last-operator"
#define AUTHOR_ACTION "parasaus.io/last-operation"
#define AUTHOR_TIME   "parasaus.io/last-operation-time"
#define AUTHOR_REASON "parasaus.io/change-reason"

#define AUTHOR_MANAGER	   "parasaus" /* the name of the program in our own writes */
#define AUTHOR_USER_MAX	   256	      /* bytes */
#define AUTHOR_ENTRIES_MAX 128	      /* of managedFields: more are not looked at */

/* "" and 0: unknown. action and reason point into the document. */
struct author {
	char user[AUTHOR_USER_MAX + 1]; /* "kube:alice", "via kubectl-edit" */
	const char *action, *reason;
	int64_t at_ms; /* wall clock */
};
void author_of(const struct doc *metadata, struct author *out);
/* By the annotations alone, where no other program writes. */
void author_of_annotations(const struct doc *annotations, struct author *out);
/* Made, or written last, by a controller of the cluster itself, which would undo what others do. */
MUST_CHECK bool author_is_controller(const struct doc *metadata);

/* One of those four: no setting. */
MUST_CHECK bool author_is_key(const char *annotation);

/* "2026-11-28T03:04:05Z" or with ".678" before the Z. */
#define AUTHOR_TIME_MAX 32
const char *author_time_text(int64_t at_ms, char out[static AUTHOR_TIME_MAX]);
MUST_CHECK bool author_time(const char *s, int64_t *out_ms); /* s NULL: false */

#endif
