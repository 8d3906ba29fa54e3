/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents as trees: written as JSON, merged with a patch, compared.
 *
 * Pure. The depth of what is read is bounded (doc_limits), and so is all that
 * recurs here.
 */
#ifndef AGENT_API_EDIT_TREE_H
#define AGENT_API_EDIT_TREE_H

#include <stdbool.h>

#include "agent/api/json_writer.h"
#include "agent/pool/lint_tree.h"

/* On one line. Numbers that YAML knows and JSON does not (0x1f) are written as JSON has them. */
void edit_tree_print(const struct tree *t, struct buf *out);
MUST_CHECK bool edit_tree_same(const struct tree *a, const struct tree *b);
/* RFC 7396: what `patch`, a map, says into `into`, a map. What is new of it is borrowed. */
void edit_tree_merge(struct arena *a, struct tree *into, struct tree *patch);
/*
 * An array of RFC 6902 operations (add, remove, replace) that lead from `before` to `after`; each
 * may be NULL: there is none. Lists of another length are replaced as a whole.
 */
void edit_tree_put_diff(const struct tree *before, const struct tree *after, const char *key,
			struct json_writer *j);
/* The operations alone, into an array that is open. */
void edit_tree_put_operations(const struct tree *before, const struct tree *after,
			      struct json_writer *j);
/* What may be shown of a Secret: who it is and the names of its keys, none of its values. */
MUST_CHECK struct tree *edit_tree_redact(struct arena *a, const struct tree *secret);

#endif
