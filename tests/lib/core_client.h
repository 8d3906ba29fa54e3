/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of core over its sockets (tests/lib/core_world.h): a request on a
 * connection of its own, while core turns until it is answered.
 */
#ifndef TESTS_LIB_CORE_CLIENT_H
#define TESTS_LIB_CORE_CLIENT_H

#include "agent/base/buf.h"
#include "agent/base/doc.h"
#include "tests/lib/core_world.h"

enum via { UNIX, TCP };

struct core_answer {
	unsigned status;
	struct buf text; /* headers and body */
	struct doc_set set;
	const struct doc *root; /* NULL: no JSON */
};
void core_answer_done(struct core_answer *a);

int core_dial(struct world *w, enum via via);
void core_say(int fd, const char *text, size_t len);
/* Until the connection ends; closes fd. */
void core_hear(struct world *w, int fd, struct core_answer *out);
/* headers: each with its end of line; body NULL: none. */
void core_ask(struct world *w, enum via via, const char *method, const char *target,
	      const char *headers, const char *body, struct core_answer *out);
/* The text of a member of the answer; "": there is none. */
const char *core_field(const struct core_answer *a, const char *key);
/* It has that status, and that code where there is one; 401 says how to do better, no other does. */
void core_want(struct world *w, unsigned status, const char *code, enum via via, const char *method,
	       const char *target, const char *headers, const char *body);

#endif
