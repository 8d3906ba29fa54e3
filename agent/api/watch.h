/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A watch: the feed of changes as server-sent events, from where the client
 * is on. It holds no queue of its own: its place in the feed is all, and who is
 * too slow for the feed's ring gets `reset` and has to ask for the lists anew.
 */
#ifndef AGENT_API_WATCH_H
#define AGENT_API_WATCH_H

#include <stdbool.h>

#include "agent/api/feed.h"
#include "agent/api/list.h"
#include "agent/api/uri.h"
#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"

#define WATCH_HEARTBEAT_S 15	      /* a comment goes out where nothing else did for so long */
#define WATCH_PIECE	  (64 * 1024) /* about what one read gives at most */

struct watch_query {
	bool pools, members;
	struct list_query filter; /* of pools, by what does not change: q, namespace, service */
	const char *since;	  /* points into the uri or the header; NULL: from now on */
};

/*
 * From the request; `last_id` is its Last-Event-ID and counts for more than `since`; NULL: none.
 * -EINVAL: a parameter that there is not, or a bad value; err names it.
 */
MUST_CHECK int watch_query_parse(const struct uri *u, const char *last_id, struct watch_query *out,
				 struct err *err);

struct watch;
/* The feed must outlive it. */
MUST_CHECK struct watch *watch_new(const struct watch_query *q, struct feed *f);
void watch_free(struct watch *w); /* NULL is fine */
/* Appends what there is, WATCH_PIECE and one event at most; false: nothing was appended. */
bool watch_read(struct watch *w, struct buf *out);
/* Is there something that watch_read() has to look at? */
bool watch_is_behind(struct watch *w);

#endif
