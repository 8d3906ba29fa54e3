/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/list_item.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"

#define AT_ONCE 64 /* changes that are taken out of the feed */

struct watch {
	struct watch_query query;
	struct list_needle needle;
	struct feed *feed;
	uint64_t at;  /* the last change that was told or passed over */
	bool greeted; /* the client knows where it begins */
	bool unknown; /* it wanted to go on from where nobody knows */
};

/* --- the query ------------------------------------------------------------------------ */

static int take_resources(struct watch_query *q, const char *value, struct err *err)
{
	q->pools = q->members = false;
	for (const char *p = value;; p++) {
		size_t n = strcspn(p, ",");

		if (n == strlen(REST_POOLS_FIELD) && memcmp(p, REST_POOLS_FIELD, n) == 0)
			q->pools = true;
		else if (n == strlen(REST_MEMBERS_FIELD) && memcmp(p, REST_MEMBERS_FIELD, n) == 0)
			q->members = true;
		else
			return err_set(err, -EINVAL, "parameter '%s': '%.*s' is none of %s, %s",
				       REST_RESOURCES, (int)(n > 32 ? 32 : n), p, REST_POOLS_FIELD,
				       REST_MEMBERS_FIELD);
		p += n;
		if (!*p)
			return 0;
	}
}

/* A filter by what comes and goes, health say, would hide that it went. */
static bool is_lasting(const char *name)
{
	return strcmp(name, REST_Q) == 0 || strcmp(name, REST_NAMESPACE) == 0 ||
	       strcmp(name, REST_SERVICE) == 0;
}

int watch_query_parse(const struct uri *u, const char *last_id, struct watch_query *out,
		      struct err *err)
{
	struct watch_query q = { .pools = true, .filter = { .kind = LIST_POOLS } };

	for (size_t i = 0; i < u->param_count; i++) {
		const struct uri_param *p = &u->params[i];
		int r = 0;

		if (strcmp(p->name, REST_RESOURCES) == 0)
			r = take_resources(&q, p->value, err);
		else if (strcmp(p->name, REST_SINCE) == 0)
			q.since = p->value;
		else if (is_lasting(p->name))
			r = list_filter_take(&q.filter, p->name, p->value, err);
		else
			r = err_set(err, -EINVAL, "unknown query parameter '%.64s'", p->name);
		if (r < 0)
			return r;
	}
	if (last_id)
		q.since = last_id;
	*out = q;
	return 0;
}

/* --- from its beginning to its end ------------------------------------------------------ */

struct watch *watch_new(const struct watch_query *q, struct feed *f)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->query = *q;
	w->feed = f;
	w->needle = list_needle_of(&w->query.filter);
	w->at = feed_last(f);
	if (q->since)
		w->unknown = !feed_number(f, q->since, &w->at);
	w->query.since = NULL; /* the request that it points into ends before the watch does */
	return w;
}

void watch_free(struct watch *w)
{
	free(w);
}

bool watch_is_behind(struct watch *w)
{
	return !w->greeted || w->at < feed_last(w->feed);
}

/* --- frames -------------------------------------------------------------------------------- */

static struct json_writer begin_frame(struct watch *w, const char *event, struct buf *out)
{
	char name[FEED_NAME_MAX];

	buf_printf(out, "id: %s\nevent: %s\ndata: ", feed_name(w->feed, w->at, name), event);
	return (struct json_writer){ .out = out };
}

static void end_frame(struct buf *out)
{
	buf_str(out, "\n\n");
}

static void put_place(struct watch *w, const char *event, const char *reason, struct buf *out)
{
	struct json_writer j = begin_frame(w, event, out);

	json_put_object(&j, NULL);
	if (reason)
		json_put_text(&j, REST_REASON, reason);
	json_end_object(&j);
	end_frame(out);
}

static void put_identity(struct json_writer *j, const struct feed_change *c)
{
	char id[VIEW_MEMBER_ID_MAX];

	json_put_object(j, NULL);
	if (c->kind == FEED_MEMBER_GONE) {
		struct endpoint room;
		const struct endpoint *e = pool_view_endpoint(c->pool, c->member, &room);

		json_put_text(j, REST_POOL_FIELD, c->pool->pool->id);
		json_put_text(j, REST_ID, view_member_id(e, id));
	} else {
		json_put_text(j, REST_ID, c->pool->pool->id);
	}
	json_end_object(j);
}

static void put_change(struct watch *w, const struct feed_change *c, const struct snapshot *s,
		       struct buf *out)
{
	static const char *const names[] = { [FEED_POOL] = REST_EVENT_POOL,
					     [FEED_POOL_GONE] = REST_EVENT_POOL_GONE,
					     [FEED_MEMBER] = REST_EVENT_MEMBER,
					     [FEED_MEMBER_GONE] = REST_EVENT_MEMBER_GONE };
	struct json_writer j = begin_frame(w, names[c->kind], out);

	switch (c->kind) {
	case FEED_POOL:
		view_put_pool(&j, s, c->pool);
		break;
	case FEED_MEMBER:
		view_put_member(&j, s, c->pool, c->member);
		break;
	case FEED_POOL_GONE:
	case FEED_MEMBER_GONE:
		put_identity(&j, c);
		break;
	}
	end_frame(out);
}

static bool is_wanted(const struct watch *w, const struct feed_change *c, const struct snapshot *s)
{
	struct list_item it = { .pool = c->pool };
	bool of_pools = c->kind == FEED_POOL || c->kind == FEED_POOL_GONE;

	if (of_pools ? !w->query.pools : !w->query.members)
		return false;
	return list_matches(&w->query.filter, &w->needle, s, &it);
}

/* --- reading ------------------------------------------------------------------------------- */

/* Where the client begins, or that it cannot go on from where it was. */
static void greet(struct watch *w, struct buf *out)
{
	if (w->unknown)
		put_place(w, REST_EVENT_RESET, "unknown", out);
	else
		put_place(w, REST_EVENT_BOOKMARK, NULL, out);
	w->greeted = true;
	w->unknown = false;
}

/* The next few changes; false: there were none. */
static bool read_some(struct watch *w, const struct snapshot *s, struct buf *out)
{
	struct feed_change changes[AT_ONCE];
	bool lost;
	size_t n = feed_read(w->feed, w->at, changes, AT_ONCE, &lost);

	if (lost) {
		/* All of it is in the lists by now: no use in telling the rest. */
		w->at = feed_last(w->feed);
		put_place(w, REST_EVENT_RESET, "too-slow", out);
	}
	for (size_t i = 0; i < n; i++) {
		if (!lost) {
			w->at = changes[i].number;
			if (is_wanted(w, &changes[i], s))
				put_change(w, &changes[i], s, out);
		}
		pool_view_unref(changes[i].pool);
	}
	return n > 0;
}

bool watch_read(struct watch *w, struct buf *out)
{
	struct snapshot *s = feed_snapshot(w->feed);
	size_t start = out->len;

	if (!w->greeted)
		greet(w, out);
	while (s && out->len - start < WATCH_PIECE && read_some(w, s, out))
		;
	snapshot_unref(s);
	return out->len > start;
}
