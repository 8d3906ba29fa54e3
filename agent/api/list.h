/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists: pools, members, targets, problems, frontends; filtered, ordered, and given out
 * as a page of JSON or as a stream of lines, one object each.
 *
 * A page holds at most REST_LIMIT_MAX items and is built at once: tens of
 * milliseconds at 350,000 members. A stream holds a reference to its snapshot
 * and is written in pieces, as the reader takes them: its memory does not grow
 * with the list, but for 32 bytes an item where it is ordered.
 */
#ifndef AGENT_API_LIST_H
#define AGENT_API_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/api/uri.h"
#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "agent/plan/snapshot.h"

enum list_kind {
	LIST_POOLS,
	LIST_POOL_MEMBERS,
	LIST_MEMBERS,
	LIST_TARGETS,
	LIST_PROBLEMS,
	LIST_FRONTENDS
};

/* Filters: all must hold; of the words of one, separated by commas, any. */
enum list_filter {
	FILTER_Q, /* a part of the text, whatever its case; commas are part of it */
	FILTER_NAMESPACE,
	FILTER_SERVICE,
	FILTER_POOL,
	FILTER_PROTOCOL,
	FILTER_VIP,
	FILTER_CHECK,
	FILTER_SOURCE,
	FILTER_HEALTH,
	FILTER_STATE,
	FILTER_REASON,
	FILTER_TYPE,
	FILTER_SEVERITY,
	FILTER_COUNT,
};

#define LIST_SORTS_MAX 3

struct list_field; /* of an order; see list_order.c */

struct list_sort {
	const struct list_field *field;
	bool descending;
};

/* What `q` looks for: a part of the text, or of the members' addresses alone. */
struct list_needle {
	bool like_address;	/* it could be a part of one */
	bool of_members;	/* "member:10.0.0.7" */
	bool exact, exact_port; /* it is an address, or an address and a port: that and no other */
	struct endpoint endpoint; /* where exact */
	const char *text;	  /* in `filters` */
};

struct list_query {
	enum list_kind kind;
	size_t offset;
	size_t limit;
	size_t sort_count; /* 0: the list's own order */
	struct list_sort sorts[LIST_SORTS_MAX];
	char filters[FILTER_COUNT][OBJECT_NAME_MAX + 1]; /* "": none */
};

/*
 * From the query of a request. A stream has no limit unless it states one. REST_SNAPSHOT is
 * the caller's business and passed over. -EINVAL: a parameter that this list does not know, or a
 * bad value; err names it.
 */
MUST_CHECK int list_query_parse(enum list_kind kind, const struct uri *u, bool stream,
				struct list_query *out, struct err *err);

/*
 * `pool` for LIST_POOL_MEMBERS, NULL for all others. How many there are in all, on this page and
 * on others.
 */
size_t list_page(const struct list_query *q, const struct snapshot *s, const struct pool_view *pool,
		 struct buf *out);

/* The offset that the page ends before, however many there are. */
size_t list_page_end(const struct list_query *q);

struct list_stream;
/* Takes a reference of its own to the snapshot; the caller frees it. */
MUST_CHECK struct list_stream *list_stream_new(const struct list_query *q, struct snapshot *s,
					       const struct pool_view *pool);
/* Appends lines until `want` bytes or more were added; false: that was the end. */
MUST_CHECK bool list_stream_read(struct list_stream *st, struct buf *out, size_t want);
void list_stream_free(struct list_stream *st); /* NULL is fine */

/* The pool of that id; NULL: none. */
const struct pool_view *list_find_pool(const struct snapshot *s, const char *id);

#endif
