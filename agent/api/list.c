/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list is a cursor over the snapshot, a filter, an order where one is asked
 * for, and a way to write an item.
 */
#include "agent/api/list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/list_item.h"
#include "agent/api/picture.h"
#include "agent/api/schema.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"

#define ORDERED_PIECE 1000 /* items that a stream puts in order at a time */

/* --- the query ----------------------------------------------------------------- */

static int take_number(const struct uri_param *p, uint64_t min, uint64_t max, size_t *out,
		       struct err *err)
{
	uint64_t v;

	if (value_uint(p->value, min, max, &v) < 0)
		return err_set(err, -EINVAL,
			       "parameter '%s': '%.64s' is not a number from %" PRIu64
			       " to %" PRIu64,
			       p->name, p->value, min, max);
	*out = (size_t)v;
	return 0;
}

static int take_param(const struct uri_param *p, struct list_query *q, bool stream, struct err *err)
{
	int r;

	if (strcmp(p->name, REST_OFFSET) == 0)
		return take_number(p, 0, UINT32_MAX, &q->offset, err);
	if (strcmp(p->name, REST_LIMIT) == 0)
		return take_number(p, 1, stream ? UINT32_MAX : REST_LIMIT_MAX, &q->limit, err);
	if (strcmp(p->name, REST_SORT) == 0)
		return list_sort_take(q, p->value, err);
	if (strcmp(p->name, REST_SNAPSHOT) == 0)
		return 0;
	r = list_filter_take(q, p->name, p->value, err);
	if (r == -ENOENT)
		return err_set(err, -EINVAL, "unknown query parameter '%.64s'", p->name);
	return r;
}

int list_query_parse(enum list_kind kind, const struct uri *u, bool stream, struct list_query *out,
		     struct err *err)
{
	struct list_query q = { .kind = kind, .limit = stream ? SIZE_MAX : REST_LIMIT_DEFAULT };

	for (size_t i = 0; i < u->param_count; i++) {
		int r = take_param(&u->params[i], &q, stream, err);

		if (r < 0)
			return r;
	}
	*out = q;
	return 0;
}

/* --- a page ---------------------------------------------------------------------- */

static void put_item(struct json_writer *j, enum list_kind kind, const struct snapshot *s,
		     const struct list_item *it)
{
	switch (kind) {
	case LIST_POOLS:
		view_put_pool(j, s, it->pool);
		break;
	case LIST_POOL_MEMBERS:
	case LIST_MEMBERS:
		view_put_member(j, s, it->pool, list_member_place(it));
		break;
	case LIST_TARGETS:
		view_put_target(j, it->target);
		break;
	case LIST_PROBLEMS:
		view_put_problem(j, &it->problem);
		break;
	case LIST_FRONTENDS:
		view_put_frontend(j, s, it->pool, it->frontend);
		break;
	}
}

size_t list_page_end(const struct list_query *q)
{
	return q->limit > SIZE_MAX - q->offset ? SIZE_MAX : q->offset + q->limit;
}

/* Both put the items of the page, and tell how many there are in all. */
static size_t put_in_own_order(const struct list_query *q, const struct list_cursor *from,
			       struct json_writer *j)
{
	struct list_needle needle = list_needle_of(q);
	struct list_cursor c = *from;
	struct list_place at;
	struct list_item it;
	size_t total = 0;

	while (list_next(&c, q->kind, &it, &at)) {
		if (!list_matches(q, &needle, c.s, &it))
			continue;
		if (total >= q->offset && total < list_page_end(q))
			put_item(j, q->kind, c.s, &it);
		total++;
	}
	return total;
}

static size_t put_sorted(const struct list_query *q, const struct list_cursor *from,
			 struct json_writer *j)
{
	struct list_order *o = list_order_new(q, from);
	size_t total = list_order_count(o);

	list_order_window(o, q->offset, list_page_end(q));
	for (size_t i = q->offset; i < total && i < list_page_end(q); i++) {
		struct list_item it = list_order_at(o, i);

		put_item(j, q->kind, from->s, &it);
	}
	list_order_free(o);
	return total;
}

size_t list_page(const struct list_query *q, const struct snapshot *s, const struct pool_view *pool,
		 struct buf *out)
{
	struct list_cursor c = { .s = s, .only = pool };
	struct json_writer j = { .out = out };
	char name[PICTURE_NAME_MAX];
	size_t total;

	json_put_object(&j, NULL);
	json_put_array(&j, REST_ITEMS);
	total = q->sort_count ? put_sorted(q, &c, &j) : put_in_own_order(q, &c, &j);
	json_end_array(&j);
	json_put_uint(&j, REST_TOTAL, total);
	json_put_uint(&j, REST_OFFSET, q->offset);
	json_put_uint(&j, REST_LIMIT, q->limit);
	json_put_text(&j, REST_SNAPSHOT, picture_name(s, name));
	json_end_object(&j);
	buf_str(out, "\n");
	return total;
}

/* --- a stream -------------------------------------------------------------------- */

struct list_stream {
	struct list_query query;
	struct list_needle needle;
	struct snapshot *snapshot;
	struct list_cursor cursor;
	struct list_order *order; /* NULL: the list's own */
	size_t ordered;		  /* of it, so many are in their places */
	size_t matched;		  /* items gone by, those before the offset too */
};

struct list_stream *list_stream_new(const struct list_query *q, struct snapshot *s,
				    const struct pool_view *pool)
{
	struct list_stream *st = xcalloc(1, sizeof(*st));

	st->query = *q;
	st->needle = list_needle_of(&st->query);
	st->snapshot = snapshot_ref(s); /* and so of every pool in it */
	st->cursor = (struct list_cursor){ .s = s, .only = pool };
	if (q->sort_count) {
		st->order = list_order_new(&st->query, &st->cursor);
		st->matched = st->ordered = q->offset;
	}
	return st;
}

static bool next_in_order(struct list_stream *st, struct list_item *out)
{
	if (st->matched >= list_order_count(st->order))
		return false;
	if (st->matched == st->ordered) {
		list_order_window(st->order, st->ordered, st->ordered + ORDERED_PIECE);
		st->ordered += ORDERED_PIECE;
	}
	*out = list_order_at(st->order, st->matched++);
	return true;
}

static bool next_match(struct list_stream *st, struct list_item *out)
{
	struct list_place at;

	if (st->order)
		return next_in_order(st, out);
	while (list_next(&st->cursor, st->query.kind, out, &at))
		if (list_matches(&st->query, &st->needle, st->snapshot, out) &&
		    st->matched++ >= st->query.offset)
			return true;
	return false;
}

bool list_stream_read(struct list_stream *st, struct buf *out, size_t want)
{
	struct json_writer j = { .out = out };
	size_t start = out->len;
	struct list_item it;

	while (out->len - start < want) {
		if (st->matched >= list_page_end(&st->query) || !next_match(st, &it))
			return false;
		put_item(&j, st->query.kind, st->snapshot, &it);
		buf_put(out, "\n", 1);
		j.comma = false;
	}
	return true;
}

void list_stream_free(struct list_stream *st)
{
	if (!st)
		return;
	list_order_free(st->order);
	snapshot_unref(st->snapshot);
	free(st);
}

/* --- one pool ---------------------------------------------------------------------- */

const struct pool_view *list_find_pool(const struct snapshot *s, const char *id)
{
	size_t low = 0, high = s->pool_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(s->pools[mid]->pool->id, id);

		if (order == 0)
			return s->pools[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}
