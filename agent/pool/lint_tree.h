/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A document that can be changed and printed, for the corrected form of a manifest. */
#ifndef AGENT_POOL_LINT_TREE_H
#define AGENT_POOL_LINT_TREE_H

#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/doc.h"

struct tree {
	enum doc_type type;
	const char *key;
	const char *text;
	struct tree *first;
	struct tree *next;
};

/* Strings are borrowed from d. */
MUST_CHECK struct tree *tree_of(struct arena *a, const struct doc *d);
MUST_CHECK struct tree *tree_new(struct arena *a, enum doc_type type, const char *text);
struct tree *tree_get(const struct tree *map, const char *key);
/* tree_get() where it is a string, else NULL. */
const char *tree_text(const struct tree *map, const char *key);
/* Appends, or replaces what has this key. */
void tree_set(struct tree *map, const char *key, struct tree *value);
/* The map of this key, made where there is none. */
struct tree *tree_need_map(struct arena *a, struct tree *map, const char *key);
struct tree *tree_take(struct tree *map, const char *key); /* NULL: there was none */
/* Puts these keys first, in this order. */
void tree_order(struct tree *map, const char *const *keys, size_t count);
/* Block style, as kubectl prints it. */
void tree_print(const struct tree *t, struct buf *out);

#endif
