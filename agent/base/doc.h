/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document as a tree, with the line each part stands in: what YAML files,
 * the configuration and objects of the API are read into before they are
 * given a meaning. Read only; freed as a whole.
 *
 * Reading is bounded (doc_limits): nodes, depth; the caller bounds the bytes. YAML aliases, merge
 * keys and tags of types other than the core schema's are refused; a mapping with the same key
 * twice is an error, as it is for Kubernetes' strict decoder.
 *
 * Unquoted words have the type that kubectl and the API server give them (sigs.k8s.io/yaml, which
 * is YAML 1.1 here): y, n, yes, no, on and off are booleans as true and false are. What is
 * quoted is a string. `text` keeps what was written, so nothing is lost by it.
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
	unsigned line;	  /* 1.., in a map that of the key; 0 where the text has no lines (JSON) */
	const char *key;  /* in a map: the key; otherwise NULL */
	const char *text; /* scalars: as written (a string without its quotes); else NULL */
	bool quoted;	  /* a string that was written in quotes or as a block */
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

/*
 * A YAML text read document by document, in pieces of bounded work, for files too large to be read
 * in one turn of a loop. `text` and `limits` must outlive the reader.
 */
struct doc_reader;
MUST_CHECK struct doc_reader *doc_reader_new(const void *text, size_t len,
					     const struct doc_limits *limits);
void doc_reader_free(struct doc_reader *r); /* NULL is fine */

enum doc_step {
	DOC_STEP_MORE,	   /* call again */
	DOC_STEP_DOCUMENT, /* *out holds one document; doc_set_done() when done with it */
	DOC_STEP_END,
	DOC_STEP_ERROR, /* *err names the line; nothing more can be read */
};
/* Go on by at most `pieces` parts (a scalar, the start or the end of a list or a map). */
MUST_CHECK enum doc_step doc_reader_step(struct doc_reader *r, unsigned pieces, struct doc_set *out,
					 struct err *err);

/* err names the line. On failure nothing is to be freed. */
MUST_CHECK int doc_read_yaml(const void *text, size_t len, const struct doc_limits *limits,
			     struct doc_set *out, struct err *err);
/* One JSON value; lines are all 0. */
MUST_CHECK int doc_read_json(const void *text, size_t len, const struct doc_limits *limits,
			     struct doc_set *out, struct err *err);
/* What begins with { is JSON, anything else YAML. */
MUST_CHECK int doc_read_any(const void *text, size_t len, const struct doc_limits *limits,
			    struct doc_set *out, struct err *err);
void doc_set_done(struct doc_set *s); /* a zeroed one is fine */
void doc_set_wipe(struct doc_set *s); /* the same, for secrets: what was read is overwritten */

/* NULL where `d` is NULL, no map, or has no such key: look-ups can be chained. */
const struct doc *doc_get(const struct doc *d, const char *key);
/* The text of a DOC_STRING; NULL for anything else. */
const char *doc_string(const struct doc *d);
/* Numbers written as such (decimal, 0x, 0o; no leading zero, which YAML 1.1 takes for octal), whole
 * and in range. */
MUST_CHECK bool doc_integer(const struct doc *d, int64_t min, int64_t max, int64_t *out);
MUST_CHECK bool doc_bool(const struct doc *d, bool *out);
const char *doc_type_text(enum doc_type type);
/* Is this text, written without quotes, a string to a YAML reader (and not a number, "yes", ...)? */
bool doc_plain_is_string(const char *s);

#endif
