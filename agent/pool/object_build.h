/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an object is made: the parts that reading documents and reading the
 * state file share.
 */
#ifndef AGENT_POOL_OBJECT_BUILD_H
#define AGENT_POOL_OBJECT_BUILD_H

#include "agent/pool/object.h"
#include "agent/pool/pack.h"

/*
 * An object of its own from one whose parts lie anywhere, addresses in addresses.any. Strings may
 * not be NULL. The problems and a Secret's values move over; content and place are worked out.
 */
MUST_CHECK struct object *object_make(struct object *parts);

/* RFC 1123: lower-case letters, digits and '-' inside; a label at most 63 bytes. */
bool object_is_label(const char *s);
/* Labels joined by dots, at most OBJECT_NAME_MAX bytes. */
bool object_is_name(const char *s);

/* What makes an object what it is, without lines, source, path and a Secret's values. */
void object_put_values(struct buf *b, const struct object *o);

/* As of pack.h; NULL is NULL. */
struct object_change *object_pack_change(struct pack *p, struct object_change *from);

#endif
