/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One resource of an API server, listed and then watched, for ever.
 *
 * A list is asked for without a resourceVersion (what comes is the truth as of
 * now), in one piece, compressed, and is cut into objects while it streams. The
 * watch goes on from where the list stood. Bytes are only queued where they
 * come in; objects are decoded in the loop's work, and a full queue stops the
 * reading.
 *
 *   what happens                           what is done
 *   list fails                             again, later each time: up to 30 s, or
 *                                          5 s where nobody answers at all
 *   watch: ends, breaks                    again at once, from where it stood
 *   watch: ends within a second, empty     again, later each time
 *   watch: refused, 429, 5xx               again, later each time, no list
 *   watch: 410, as a status or an event    list
 *   watch: what cannot be read             list, later each time
 *   Retry-After                            never sooner, and up to a quarter later, so that many do
 *                                          not come back at once; up to 300 s of it, and never less
 *                                          than without it: 0 is no leave to ask without a pause
 *   another server or token to try         at once
 *   404 to what was listed before          as any failure
 *   404, and it never was listed           where it is optional: missing, and again after ten
 *                                          minutes. Without a Status ("404 page not found": an API
 *                                          server's word for a group or version that it does not
 *                                          know, but a proxy's too) only the third in a row, and
 *                                          again as after any failure
 *   the server's revision is below ours    list: it was restored from a copy
 *
 * A watch from a revision that the server does not know yet is silent and
 * looks healthy: so after each watch that does not follow a list, and every
 * few minutes, the server's revision is asked for, and compared with ours of
 * the moment when it was asked: the watch may bring newer ones meanwhile.
 *
 * Nothing here decides what a missing object means: that is the sink's.
 */
#ifndef WATCH_REFLECTOR_H
#define WATCH_REFLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/pool/object.h"
#include "watch/kube_api.h"

struct reflector_config {
	struct kube_api *api;
	unsigned source;  /* of the objects */
	const char *node; /* object_origin's; outlives the reflector */
	enum object_kind kind;
	const char *resource; /* "services" */
	const char *path;     /* "/api/v1/services" */
	const char *query;    /* "labelSelector=a%3Db", or "" */
	bool optional;	      /* a server may not know it */
};

/* An object of a list or of a watch. */
struct reflector_item {
	bool listed;
	bool gone; /* of a watch: deleted; its last state */
	/* To be taken over (then set to NULL); NULL: `why` it cannot be used. */
	struct object *object;
	const char *ns, *name; /* "" where not even these could be read */
	uint64_t revision;     /* 0: unknown */
	const char *why;
};

/* Called from the loop's work, never from inside a function of the reflector. */
struct reflector_sink {
	/* A list begins: items until listed(), or until the next begin() where it failed. */
	void (*begin)(void *arg);
	void (*item)(void *arg, struct reflector_item *item);
	/*
	 * The list is whole and as of this revision. Returns 0, or in how many milliseconds it
	 * has to be read again; it is watched meanwhile.
	 */
	uint32_t (*listed)(void *arg, uint64_t revision);
	/* All up to the reflector's revision has been told; or its status changed. */
	void (*moved)(void *arg);
	void *arg;
};

struct reflector_status {
	bool following;	   /* listed, and the watch is open or being opened again in good order */
	bool missing;	   /* the server does not know the resource */
	bool denied;	   /* 401, 403 */
	bool tried;	   /* what came of the first attempt is known */
	const char *why;   /* "" while following */
	uint64_t revision; /* 0: nothing was listed yet */
	mono_t heard;	   /* the last byte; { 0 }: never */
	uint64_t lists, watches, skipped;
};

struct reflector;
/* The strings of *c must outlive it. */
MUST_CHECK struct reflector *reflector_new(const struct reflector_config *c,
					   const struct reflector_sink *sink);
void reflector_free(struct reflector *r); /* NULL is fine; not from inside its sink */
/* In so many milliseconds; by a watch from `revision`, or where that is 0 by a list. Once. */
void reflector_start(struct reflector *r, uint64_t revision, uint32_t in_ms);
const struct reflector_status *reflector_status(const struct reflector *r);
const struct reflector_config *reflector_config(const struct reflector *r);

#endif
