/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/feed.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/value.h"
#include "agent/base/xalloc.h"

/* `last` is the number of the newest; it stands at last % its ring's length. */
struct feed {
	pthread_mutex_t lock;
	struct snapshot *snapshot;
	uint64_t run; /* from the first snapshot */
	uint64_t last;
	uint64_t last_event;
	int64_t now_ms; /* of the snapshot that is being taken */
	struct feed_change changes[FEED_MAX];
	struct feed_event events[FEED_EVENTS_MAX];
};

struct feed *feed_new(void)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	pthread_mutex_init(&f->lock, NULL);
	return f;
}

void feed_free(struct feed *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < FEED_MAX; i++)
		pool_view_unref(f->changes[i].pool);
	for (size_t i = 0; i < FEED_EVENTS_MAX; i++)
		pool_view_unref(f->events[i].pool);
	snapshot_unref(f->snapshot);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* --- writing ------------------------------------------------------------------------- */

static void add_change(struct feed *f, enum feed_kind kind, struct pool_view *pool, size_t member)
{
	uint64_t number = ++f->last;
	struct feed_change *c = &f->changes[number % FEED_MAX];

	pool_view_unref(c->pool);
	*c = (struct feed_change){ number, kind, pool_view_ref(pool), member };
}

static struct feed_event *add_event(struct feed *f, enum feed_event_kind kind,
				    struct pool_view *pool, const char *from, const char *to)
{
	uint64_t number = ++f->last_event;
	struct feed_event *e = &f->events[number % FEED_EVENTS_MAX];

	pool_view_unref(e->pool);
	*e = (struct feed_event){ .number = number,
				  .at_ms = f->now_ms,
				  .kind = kind,
				  .pool = pool ? pool_view_ref(pool) : NULL,
				  .from = from,
				  .to = to };
	return e;
}

static void add_member_event(struct feed *f, const struct snapshot *s, struct pool_view *pool,
			     size_t member, enum verdict_state was)
{
	const struct member_view is = pool_view_member(pool, member);
	const struct target_view *t = view_find_target(s, pool, &is);
	struct feed_event *e = add_event(f, EVENT_MEMBER, pool, verdict_state_text(was),
					 verdict_state_text(is.state));

	e->member = is.endpoint;
	/* The list of targets may be a second older than the member: then it tells another story. */
	if (t && t->state == is.state)
		memcpy(e->reason, t->reason, sizeof(e->reason));
}

/* --- comparing ------------------------------------------------------------------------ */

/* Its target's id is made of its check: without two checks there is nothing to work out. */
static bool target_differs(const struct pool_view *was, const struct pool_view *is,
			   const struct endpoint *member)
{
	const struct check *a = was->pool->set.check, *b = is->pool->set.check;

	return a != b && check_target_id(a, member) != check_target_id(b, member);
}

static bool mark_differs(const struct member_mark *a, const struct member_mark *b)
{
	return a->weight != b->weight || a->in_table != b->in_table || a->reasons != b->reasons ||
	       a->state != b->state || a->checked != b->checked;
}

/* Beyond their marks. */
static bool rest_differs(const struct pool_view *was, const struct pool_view *is, size_t i,
			 size_t k)
{
	const struct member_view a = pool_view_member(was, i), b = pool_view_member(is, k);

	return a.nominal != b.nominal || a.since_ms != b.since_ms ||
	       a.remove_at_ms != b.remove_at_ms ||
	       (a.checked && target_differs(was, is, &a.endpoint));
}

static void compare_member(struct feed *f, const struct snapshot *s, struct pool_view *was,
			   struct pool_view *is, size_t i, size_t k)
{
	const struct member_mark *a = &was->members[i], *b = &is->members[k];

	if (mark_differs(a, b) || rest_differs(was, is, i, k))
		add_change(f, FEED_MEMBER, is, k);
	if (a->state != b->state)
		add_member_event(f, s, is, k, a->state);
}

/* Which of the two is next; one that is past its end comes last. */
static int member_order(const struct pool_view *was, size_t i, const struct pool_view *is, size_t k)
{
	struct endpoint room_was, room_is;

	if (i == was->member_count)
		return 1;
	if (k == is->member_count)
		return -1;
	return endpoint_cmp(pool_view_endpoint(was, i, &room_was),
			    pool_view_endpoint(is, k, &room_is));
}

/* Both are sorted by endpoint. */
static void compare_members(struct feed *f, const struct snapshot *s, struct pool_view *was,
			    struct pool_view *is)
{
	size_t i = 0, k = 0;

	while (i < was->member_count || k < is->member_count) {
		int order = member_order(was, i, is, k);

		if (order < 0)
			add_change(f, FEED_MEMBER_GONE, was, i);
		else if (order > 0)
			add_change(f, FEED_MEMBER, is, k);
		else
			compare_member(f, s, was, is, i, k);
		i += order <= 0;
		k += order >= 0;
	}
}

static void compare_pool(struct feed *f, const struct snapshot *s, struct pool_view *was,
			 struct pool_view *is)
{
	enum pool_health before = view_pool_health(was), after = view_pool_health(is);

	add_change(f, FEED_POOL, is, 0);
	if (before != after)
		add_event(f, EVENT_POOL, is, view_health_text(before), view_health_text(after));
	compare_members(f, s, was, is);
}

static void pool_came(struct feed *f, struct pool_view *v)
{
	add_change(f, FEED_POOL, v, 0);
	for (size_t i = 0; i < v->member_count; i++)
		add_change(f, FEED_MEMBER, v, i);
}

/* On the way through a list, item by item or piece by piece. */
struct walk {
	const struct pool_list *list;
	size_t item;
	size_t piece,
		first; /* the first piece that does not begin before the item, and its first item */
};

static struct pool_view *walk_view(const struct walk *w)
{
	return w->list && w->item < w->list->count ? w->list->items[w->item] : NULL;
}

/* The piece that begins here; NULL: none does. */
static const struct pool_piece *walk_piece(struct walk *w)
{
	while (w->list && w->piece < w->list->piece_count && w->first < w->item)
		w->first += w->list->pieces[w->piece++]->count;
	return w->list && w->piece < w->list->piece_count && w->first == w->item
		       ? w->list->pieces[w->piece]
		       : NULL;
}

/* What both have in common from here on is the same, and needs no look. */
static size_t in_common(struct walk *was, struct walk *is)
{
	const struct pool_piece *a = walk_piece(was), *b = walk_piece(is);

	return a == b && a ? a->count : walk_view(was) == walk_view(is);
}

static void compare_pools(struct feed *f, const struct snapshot *was, const struct snapshot *is)
{
	struct walk old = { .list = was->pool_list }, new = { .list = is->pool_list };

	while (walk_view(&old) || walk_view(&new)) {
		struct pool_view *a = walk_view(&old), *b = walk_view(&new);
		size_t same = in_common(&old, &new);
		int order = same ? 0 : !a ? 1 : !b ? -1 : strcmp(a->pool->id, b->pool->id);

		if (order < 0)
			add_change(f, FEED_POOL_GONE, a, 0);
		else if (order > 0)
			pool_came(f, b);
		else if (!same)
			compare_pool(f, is, a, b);
		old.item += same ? same : order <= 0;
		new.item += same ? same : order >= 0;
	}
}

bool feed_take(struct feed *f, struct snapshot *s, int64_t now_ms)
{
	struct snapshot *old;
	uint64_t before;
	bool changed;

	pthread_mutex_lock(&f->lock);
	old = f->snapshot;
	before = f->last;
	f->now_ms = now_ms;
	if (!old)
		f->run = (uint64_t)s->started_ms;
	else if (old != s)
		compare_pools(f, old, s);
	if (old && old->synced != s->synced)
		add_event(f, EVENT_SYNC, NULL, s->synced ? "pending" : "synced",
			  s->synced ? "synced" : "pending");
	f->snapshot = s;
	changed = f->last != before;
	pthread_mutex_unlock(&f->lock);
	snapshot_unref(old); /* outside: the last reference frees much */
	return changed;
}

/* --- reading --------------------------------------------------------------------------- */

uint64_t feed_last(struct feed *f)
{
	uint64_t last;

	pthread_mutex_lock(&f->lock);
	last = f->last;
	pthread_mutex_unlock(&f->lock);
	return last;
}

struct snapshot *feed_snapshot(struct feed *f)
{
	struct snapshot *s;

	pthread_mutex_lock(&f->lock);
	s = f->snapshot ? snapshot_ref(f->snapshot) : NULL;
	pthread_mutex_unlock(&f->lock);
	return s;
}

size_t feed_read(struct feed *f, uint64_t after, struct feed_change *out, size_t max,
		 bool *out_lost)
{
	uint64_t oldest;
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	oldest = f->last > FEED_MAX ? f->last - FEED_MAX + 1 : 1;
	*out_lost = after + 1 < oldest;
	for (uint64_t i = *out_lost ? oldest : after + 1; i <= f->last && n < max; i++, n++) {
		out[n] = f->changes[i % FEED_MAX];
		pool_view_ref(out[n].pool);
	}
	pthread_mutex_unlock(&f->lock);
	return n;
}

size_t feed_events(struct feed *f, struct feed_event *out, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (uint64_t i = f->last_event; i > 0 && i + FEED_EVENTS_MAX > f->last_event && n < max;
	     i--, n++) {
		out[n] = f->events[i % FEED_EVENTS_MAX];
		if (out[n].pool)
			pool_view_ref(out[n].pool);
	}
	pthread_mutex_unlock(&f->lock);
	return n;
}

const char *feed_name(struct feed *f, uint64_t number, char out[static FEED_NAME_MAX])
{
	uint64_t run;

	pthread_mutex_lock(&f->lock);
	run = f->run;
	pthread_mutex_unlock(&f->lock);
	snprintf(out, FEED_NAME_MAX, "%" PRIx64 "-%" PRIu64, run, number);
	return out;
}

bool feed_number(struct feed *f, const char *name, uint64_t *out)
{
	const char *dash = strchr(name, '-');
	char again[FEED_NAME_MAX];
	uint64_t number;

	if (!dash || value_uint(dash + 1, 0, INT64_MAX, &number) < 0)
		return false;
	if (strcmp(feed_name(f, number, again), name) != 0 || number > feed_last(f))
		return false;
	*out = number;
	return true;
}
