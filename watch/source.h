/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source of desired state: a directory of YAML files, the API server, the
 * store. A source tells facts to its sink and keeps retrying for ever; a fault
 * of the source never removes an object.
 *
 * Sink calls come from the event loop, never from inside watch_source_start().
 * They must be quick: queue, and work elsewhere.
 */
#ifndef WATCH_SOURCE_H
#define WATCH_SOURCE_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/base/loop.h"
#include "agent/pool/object.h"

struct watch_sink {
	/* New or changed; the sink takes o over. */
	void (*put)(void *arg, struct object *o);
	/* Known to be gone; `o` carries only its identity (object_same()) and stays the source's. */
	void (*remove)(void *arg, const struct object *o);
	/*
	 * Complete: all that the source holds has been told, and it follows changes. Once complete,
	 * false means that it cannot be read any more (`why`); what was told still holds.
	 * Told whenever it changes, and once after the first look.
	 */
	void (*complete)(void *arg, bool complete, const char *why);
	/* Something is wrong at `where` ("web.yaml"); NULL text: not any more. Told when it changes. */
	void (*problem)(void *arg, const char *where, unsigned line, const char *text);
	/*
	 * Where the source is now that all before was told: kept together with the objects, and
	 * given back to resume(). Of sources that can go on from somewhere; valid during the call.
	 */
	void (*cursor)(void *arg, const char *cursor);
	void *arg;
};

#define WATCH_CURSOR_MAX 256 /* bytes */

/* How a source is doing, for people. */
struct watch_status {
	int64_t heard_ms; /* ago; -1: it was not heard of, or that means nothing for it */
	const char
		*revision; /* of what it holds; "" where there is none; until it is asked again */
};

/* What is wrong with an object, or with a part of it such as one pool of a Service. */
struct watch_report {
	enum object_kind kind;
	const char *ns, *name;
	const char *uid;  /* "": unknown */
	const char *part; /* "": all of it */
	const char *text; /* NULL: nothing any more */
};

struct watch_source {
	const struct watch_source_ops *ops;
};
struct watch_source_ops {
	const char *type; /* "directory", "kubernetes" */
	/*
	 * Before start(): each object that it held when it was saved last, and then where it was (NULL:
	 * not known). They count as told: what is missing of them it will remove. NULL: a source that
	 * tells everything anew.
	 */
	void (*inherit)(struct watch_source *s, const struct object *o);
	void (*resume)(struct watch_source *s, const char *cursor);
	void (*start)(struct watch_source *s);
	void (*status)(struct watch_source *s, struct watch_status *out); /* may be NULL */
	/*
	 * A Secret that a pool names: a source that reads secrets by name only tells it by put(), and
	 * each change of it, from when it is needed to when it is not; that there is none by remove(),
	 * once it knows. NULL: it tells all it has anyway.
	 */
	void (*need_secret)(struct watch_source *s, const char *ns, const char *name, bool needed);
	/*
	 * For the object's owner to see where it is kept; every agent says it, and one of them has it
	 * told. Nothing is copied that is not needed. NULL: there is no such place.
	 */
	void (*report)(struct watch_source *s, const struct watch_report *r);
	void (*free)(struct watch_source *s);
};
static inline void watch_source_start(struct watch_source *s)
{
	s->ops->start(s);
}
static inline void watch_source_need_secret(struct watch_source *s, const char *ns,
					    const char *name, bool needed)
{
	if (s->ops->need_secret)
		s->ops->need_secret(s, ns, name, needed);
}
static inline void watch_source_report(struct watch_source *s, const struct watch_report *r)
{
	if (s->ops->report)
		s->ops->report(s, r);
}
static inline void watch_source_free(struct watch_source *s)
{
	if (s)
		s->ops->free(s);
}

/*
 * The manifests (*.yaml, *.yml, *.json) of a directory, not of those below it. Followed by inotify. Names that begin
 * with '.' or end in '~', ".tmp", ".swp" and the like are not looked at. A file that cannot be
 * read well keeps the objects of its last good state and makes the source incomplete until it
 * is mended or removed. `node` is what this machine is to objects (struct object_origin).
 */
MUST_CHECK struct watch_source *watch_directory_new(struct loop *l, const char *path,
						    const char *node, unsigned source,
						    const struct watch_sink *sink);

#endif
