/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last transitions of health and of being in step, newest first. They are
 * found in the feed's quarters of a second: what went and came back in one of
 * those is not among them.
 */
#ifndef AGENT_API_EVENTS_H
#define AGENT_API_EVENTS_H

#include "agent/api/feed.h"
#include "agent/api/uri.h"
#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"

struct events_query {
	size_t limit;
	bool kinds[EVENT_SYNC + 1];
	char pool[OBJECT_NAME_MAX + 1]; /* "": any; of several, separated by commas, any */
};

/* -EINVAL: a parameter that there is not, or a bad value; err names it. */
MUST_CHECK int events_query_parse(const struct uri *u, struct events_query *out, struct err *err);
/* A list: items, total (of those that match and are still kept), limit; or an item a line. */
void events_put(const struct events_query *q, struct feed *f, bool lines, struct buf *out);

#endif
