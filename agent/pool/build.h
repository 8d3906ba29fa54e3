/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pools of one namespace/name in the making: build.c chooses what counts,
 * build_pool.c makes one pool of it.
 */
#ifndef AGENT_POOL_BUILD_H
#define AGENT_POOL_BUILD_H

#include "agent/pool/model.h"
#include "agent/pool/weights.h"

struct build {
	struct pools *p;
	const struct service *s;
	const struct object *service;
	const struct object **endpoints; /* in force: all slices, or one Endpoints */
	size_t endpoint_count;
	const struct object *annotated; /* Endpoints whose annotations count beside slices */
	struct pool_settings set;	/* its check is a reference */
	struct weights weights;
	unsigned weights_line;
	const char *weights_path;
	struct problems problems; /* of each of the pools */
	struct built out;
};

#define OBJECT_WHERE_MAX 300
/* "web.yaml line 7", or the source where there is no file. Returns out. */
const char *object_where(const struct object *o, char out[static OBJECT_WHERE_MAX]);

/* What is told of an object that no pool carries; its own problems are in it already. */
struct problems *build_orphan(struct build *b, const struct object *o);

/* The pool of the Service's port of this index, one reference. */
MUST_CHECK struct pool *build_pool(struct build *b, size_t index);

#endif
