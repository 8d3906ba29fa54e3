/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The corrected form of manifests: see lint_corrected(). */
#ifndef AGENT_POOL_LINT_CORRECT_H
#define AGENT_POOL_LINT_CORRECT_H

#include "agent/base/buf.h"
#include "agent/base/doc.h"

struct correction;
struct correction *correction_new(void);
void correction_free(struct correction *c); /* NULL is fine */
/* A document that is no list; its strings are borrowed until correction_free(). */
void correction_add(struct correction *c, const struct doc *d);
/* Corrects all that was added and prints it, but for Secrets. Once. */
void correction_print(struct correction *c, struct buf *out);

#endif
