/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document as a tree, with the line each part stands in: what YAML files,
 * the configuration and objects of the API are read into before they are
 * given a meaning. Read only; freed as a whole.
 *
 * Reading is bounded (doc_limits): bytes, nodes, depth. YAML aliases, merge
 * keys and tags of types other than the core schema's are refused; a mapping with the same key
 * twice is an error, as it is for Kubernetes' strict decoder.
 */
#ifndef AGENT_BASE_DOC_H
#define AGENT_BASE_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"

enum doc_type { DOC_NULL, DOC_BOOL, DOC_NUMBER, DOC_STRING, DOC_LIST, DOC_MAP };

/* Children of a list or a map hang on `first` in the order written. */
struct doc {
	enum doc_type type;
	unsigned line;	  /* 1..; 0 where the text has no lines (JSON) */
	const char *key;  /* in a map: the key; otherwise NULL */
	const char *text; /* scalars: as written (a string without its quotes); else NULL */
	const struct doc *first;
	const struct doc *next;
	size_t count; /* children */
};

struct doc_limits {
	size_t nodes; /* per document */
	unsigned depth;
};

#define DOC_LIMITS_DEFAULT ((struct doc_limits){ .nodes = 200000, .depth = 32 })

/* The documents of one text; holds all their memory. */
struct doc_set {
	const struct doc **roots; /* empty documents ("---" alone) are left out */
	size_t count;
	void *arena;
};

/* err names the line. On failure nothing is to be freed. */
MUST_CHECK int doc_read_yaml(const void *text, size_t len, const struct doc_limits *limits,
			     struct doc_set *out, struct err *err);
/* One JSON value; lines are all 0. */
MUST_CHECK int doc_read_json(const void *text, size_t len, const struct doc_limits *limits,
			     struct doc_set *out, struct err *err);
void doc_set_done(struct doc_set *s); /* a zeroed one is fine */

/* NULL where `d` is NULL, no map, or has no such key: look-ups can be chained. */
const struct doc *doc_get(const struct doc *d, const char *key);
/* The text of a DOC_STRING; NULL for anything else. */
const char *doc_string(const struct doc *d);
/* Numbers written as such, whole and in range. */
MUST_CHECK bool doc_integer(const struct doc *d, int64_t min, int64_t max, int64_t *out);
MUST_CHECK bool doc_bool(const struct doc *d, bool *out);
const char *doc_type_text(enum doc_type type);

#endif
