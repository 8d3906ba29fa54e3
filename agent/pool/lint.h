/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking over manifests before they are used: everything the agent would
 * report of them, what a real API server would refuse or drop, and the same
 * manifests in the form that both take.
 *
 * Pure: texts in, findings and YAML out. Several files are one set: a Service
 * in one file and its Endpoints in another belong together.
 */
#ifndef AGENT_POOL_LINT_H
#define AGENT_POOL_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/pool/pool.h"

struct lint;
struct lint_finding {
	bool error;	  /* a part of the manifest would not be used */
	const char *file; /* as given to lint_add() */
	unsigned line;	  /* 0: of the whole file */
	const char *text;
};

/*
 * `rules` (may be NULL; must outlive it): then node ports and addresses are judged by the
 * configuration too.
 */
MUST_CHECK struct lint *lint_new(const struct pool_rules *rules);
void lint_free(struct lint *l); /* NULL is fine */

/* A file's text, JSON where `file` ends in .json. Both have to stay until lint_free(). */
void lint_add(struct lint *l, const char *file, const void *text, size_t len);
/* After all were added: findings sorted by file and line; valid until lint_free(). */
const struct lint_finding *lint_findings(struct lint *l, size_t *out_count);

/*
 * All documents as YAML that an API server takes: misplaced fields moved, values quoted, the
 * origin's keys spelled as ours, kube-proxy told to keep off; a comment stands for each Secret.
 * -EINVAL: a file could not be read (which is a finding), so there is no such form.
 */
MUST_CHECK int lint_corrected(const struct lint *l, struct buf *out);

#endif
