/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a doc tree is built: the part that the readers of YAML and JSON share.
 *
 * A builder takes one document, part by part, and checks the bounds and the
 * keys as it goes.
 */
#ifndef AGENT_BASE_DOC_BUILD_H
#define AGENT_BASE_DOC_BUILD_H

#include "agent/base/arena.h"
#include "agent/base/doc.h"

#define DOC_DEPTH_MAX 128 /* doc_limits.depth is at most this */

struct doc_open {
	struct doc *node;
	struct doc *last; /* its newest child */
	const char *key;  /* of the child to come; NULL: a key comes next */
	unsigned key_line;
};

struct doc_builder {
	struct doc_limits limits;
	struct arena arena;
	struct doc *root;
	size_t nodes;
	unsigned depth; /* of `open` */
	struct doc_open open[DOC_DEPTH_MAX];
};

void doc_builder_init(struct doc_builder *b, const struct doc_limits *limits);
void doc_builder_done(struct doc_builder *b);

/* Does a key come next? */
bool doc_wants_key(const struct doc_builder *b);
MUST_CHECK int doc_add_key(struct doc_builder *b, const char *text, size_t len, unsigned line,
			   struct err *err);
MUST_CHECK int doc_add_scalar(struct doc_builder *b, enum doc_type type, const char *text,
			      size_t len, bool quoted, unsigned line, struct err *err);
MUST_CHECK int doc_begin(struct doc_builder *b, enum doc_type type, unsigned line, struct err *err);
MUST_CHECK int doc_end(struct doc_builder *b, struct err *err);
/* Hands the tree over and leaves the builder ready for the next document. */
void doc_builder_take(struct doc_builder *b, struct doc_set *out);

#endif
