/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the fields of an object's document: what decode.c shares with the
 * parts for Services and for endpoints.
 *
 * A field that is not as it should be is a problem with its full name, its
 * line, what it says and what to write; the object goes on without it.
 */
#ifndef AGENT_POOL_DECODE_H
#define AGENT_POOL_DECODE_H

#include "agent/base/arena.h"
#include "agent/base/doc.h"
#include "agent/pool/object.h"

#define FIELD_TEXT_MAX 128

struct decode {
	struct arena arena; /* of the object's parts */
	struct object parts;
	size_t addresses; /* so far */
	bool exposed;	  /* object_origin's */
	const char *node; /* object_origin's; NULL: none */
};

/* A problem of this object; the kind is put before the text. */
void decode_note(struct decode *c, bool error, unsigned line, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* Values are quoted and cut in messages. */
#define QUOTED_MAX "\"%.64s\""
/* What a value says: its text, or "a list". */
const char *decode_says(const struct doc *d);

/*
 * d's child of this name and type; NULL where it is absent, null, or of another type (a problem).
 * `where` is the name of d itself ("spec.ports[0]"), "" at the top.
 */
const struct doc *decode_child(struct decode *c, const struct doc *d, const char *where,
			       const char *key, enum doc_type type);
/* A string; of a number or a boolean (someone forgot the quotes) its text, with a warning. */
const char *decode_text(struct decode *c, const struct doc *d, const char *where, const char *key);
/* Leaves *out alone where there is none or a bad one. */
void decode_bool(struct decode *c, const struct doc *d, const char *where, const char *key,
		 bool *out);
/* Warns of fields that no API version knows, with the one that was probably meant. */
void decode_known(struct decode *c, const struct doc *d, const char *where,
		  const char *const *fields, size_t count);

/* name, protocol, port and, of a Service, nodePort. False: not usable (a problem). */
MUST_CHECK bool decode_port(struct decode *c, const struct doc *d, const char *where,
			    struct object_port *out);

/* Refuse the whole object: sets *err, with the line in front where there is one; returns code. */
int decode_refuse(struct err *err, int code, unsigned line, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* These refuse the whole object by -EINVAL. */
MUST_CHECK int decode_service(struct decode *c, const struct doc *d, struct err *err);
MUST_CHECK int decode_endpoints(struct decode *c, const struct doc *d, struct err *err);
MUST_CHECK int decode_slice(struct decode *c, const struct doc *d, struct err *err);
MUST_CHECK int decode_secret(struct decode *c, const struct doc *d, struct err *err);

#endif
