/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list is a cursor over the snapshot, a filter and a way to write an item.
 * The cursor goes over everything: that costs microseconds a thousand items,
 * and an index would have to be kept right.
 */
#include "agent/api/list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/api/view.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"

#define KIND(k) (1u << (k))

static const char *const health_words[] = { REST_HEALTH_UP, REST_HEALTH_DEGRADED, REST_HEALTH_DOWN,
					    REST_HEALTH_UNMONITORED, NULL };
static const char *const state_words[] = { REST_UP, REST_DOWN, REST_UNKNOWN, NULL };
static const char *const type_words[] = { "none", "tcp", "http", "mysql", NULL };
static const char *const severity_words[] = { "error", "warning", NULL };

static const struct filter {
	const char *name;
	unsigned kinds;
	const char *const *words; /* NULL: any text */
} filters[FILTER_COUNT] = {
	[FILTER_Q] = { REST_Q, ~0u, NULL },
	[FILTER_NAMESPACE] = { REST_NAMESPACE, KIND(LIST_POOLS) | KIND(LIST_MEMBERS), NULL },
	[FILTER_SERVICE] = { REST_SERVICE, KIND(LIST_POOLS) | KIND(LIST_MEMBERS), NULL },
	[FILTER_POOL] = { REST_POOL_FIELD, KIND(LIST_MEMBERS) | KIND(LIST_PROBLEMS), NULL },
	[FILTER_HEALTH] = { REST_HEALTH, KIND(LIST_POOLS), health_words },
	[FILTER_STATE] = { REST_STATE,
			   KIND(LIST_POOL_MEMBERS) | KIND(LIST_MEMBERS) | KIND(LIST_TARGETS),
			   state_words },
	[FILTER_TYPE] = { REST_TYPE, KIND(LIST_TARGETS), type_words },
	[FILTER_SEVERITY] = { REST_SEVERITY, KIND(LIST_PROBLEMS), severity_words },
};

/* --- the query ----------------------------------------------------------------- */

/* Is `word` (of that length) one of those in `list`, which commas separate? */
static bool list_holds(const char *list, const char *word, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, word, len) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

static int check_words(const struct filter *f, const char *value, struct err *err)
{
	char known[128] = "";

	for (const char *const *w = f->words; *w; w++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
			 w == f->words ? "" : ", ", *w);
	for (const char *p = value;; p++) {
		size_t n = strcspn(p, ",");
		bool found = false;

		for (const char *const *w = f->words; *w && !found; w++)
			found = list_holds(*w, p, n);
		if (!found)
			return err_set(err, -EINVAL, "parameter '%s': '%.*s' is none of %s",
				       f->name, (int)(n > 64 ? 64 : n), p, known);
		p += n;
		if (!*p)
			return 0;
	}
}

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
	if (strcmp(p->name, REST_OFFSET) == 0)
		return take_number(p, 0, UINT32_MAX, &q->offset, err);
	if (strcmp(p->name, REST_LIMIT) == 0)
		return take_number(p, 1, stream ? UINT32_MAX : REST_LIMIT_MAX, &q->limit, err);
	for (size_t i = 0; i < FILTER_COUNT; i++) {
		const struct filter *f = &filters[i];
		size_t len = strlen(p->value);

		if (strcmp(p->name, f->name) != 0 || !(f->kinds & KIND(q->kind)))
			continue;
		if (len >= sizeof(q->filters[i]))
			return err_set(err, -EINVAL, "parameter '%s' is longer than %zu bytes",
				       f->name, sizeof(q->filters[i]) - 1);
		if (f->words && check_words(f, p->value, err) < 0)
			return -EINVAL;
		memcpy(q->filters[i], p->value, len + 1);
		return 0;
	}
	return err_set(err, -EINVAL, "unknown query parameter '%.64s'", p->name);
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

/* --- the cursor ---------------------------------------------------------------- */

/* One thing of a list; which fields are set depends on the kind. */
struct item {
	const struct pool_view *pool;
	const struct member_view *member;
	const struct target_view *target;
	struct problem_item problem;
};

struct cursor {
	const struct snapshot *s;
	const struct pool_view *only; /* LIST_POOL_MEMBERS */
	size_t outer;
	size_t inner;
};

static bool next_member(struct cursor *c, struct item *out)
{
	size_t pools = c->only ? 1 : c->s->pool_count;

	for (; c->outer < pools; c->outer++, c->inner = 0) {
		const struct pool_view *v = c->only ? c->only : c->s->pools[c->outer];

		if (c->inner < v->member_count) {
			*out = (struct item){ .pool = v, .member = &v->members[c->inner++] };
			return true;
		}
	}
	return false;
}

/* Those of the snapshot, then each pool's. */
static bool next_problem(struct cursor *c, struct item *out)
{
	for (; c->outer <= c->s->pool_count; c->outer++, c->inner = 0) {
		const struct pool_view *v;

		if (c->outer == 0) {
			if (c->inner < c->s->problem_count) {
				const struct problem_view *p = &c->s->problems[c->inner++];

				*out = (struct item){ .problem = { .where = p->where,
								   .text = p->text,
								   .error = p->error } };
				return true;
			}
			continue;
		}
		v = c->s->pools[c->outer - 1];
		if (c->inner < pool_view_problems(v)) {
			*out = (struct item){ .pool = v,
					      .problem = view_pool_problem(v, c->inner++) };
			return true;
		}
	}
	return false;
}

static bool next_item(struct cursor *c, enum list_kind kind, struct item *out)
{
	switch (kind) {
	case LIST_POOLS:
		if (c->outer == c->s->pool_count)
			return false;
		*out = (struct item){ .pool = c->s->pools[c->outer++] };
		return true;
	case LIST_POOL_MEMBERS:
	case LIST_MEMBERS:
		return next_member(c, out);
	case LIST_TARGETS:
		if (!c->s->targets || c->outer == c->s->targets->count)
			return false;
		*out = (struct item){ .target = &c->s->targets->items[c->outer++] };
		return true;
	case LIST_PROBLEMS:
		return next_problem(c, out);
	}
	return false;
}

/* --- the filter ---------------------------------------------------------------- */

static bool endpoint_has(const struct endpoint *e, const char *q)
{
	char text[ENDPOINT_TEXT_MAX];

	return strcasestr(endpoint_text(e, text), q) != NULL;
}

/* Does what a person would search this item by hold the text? */
static bool text_matches(enum list_kind kind, const struct item *it, const char *q)
{
	switch (kind) {
	case LIST_POOLS:
		if (strcasestr(it->pool->pool->id, q))
			return true;
		for (size_t i = 0; i < it->pool->pool->frontend_count; i++)
			if (endpoint_has(&it->pool->pool->frontends[i], q))
				return true;
		return false;
	case LIST_MEMBERS:
		if (strcasestr(it->pool->pool->id, q))
			return true;
		return endpoint_has(&it->member->endpoint, q);
	case LIST_POOL_MEMBERS:
		return endpoint_has(&it->member->endpoint, q);
	case LIST_TARGETS:
		return endpoint_has(&it->target->endpoint, q);
	case LIST_PROBLEMS:
		return (it->problem.text && strcasestr(it->problem.text, q)) ||
		       (it->problem.where && strcasestr(it->problem.where, q)) ||
		       (it->pool && strcasestr(it->pool->pool->id, q));
	}
	return false;
}

/* What one of the other filters compares with; NULL: the item has no such thing. */
static const char *filter_value(enum list_filter f, const struct item *it)
{
	switch (f) {
	case FILTER_NAMESPACE:
		return it->pool ? it->pool->pool->ns : NULL;
	case FILTER_SERVICE:
		return it->pool ? it->pool->pool->service : NULL;
	case FILTER_POOL:
		return it->pool ? it->pool->pool->id : NULL;
	case FILTER_HEALTH:
		return view_health_text(view_pool_health(it->pool));
	case FILTER_STATE:
		return verdict_state_text(it->member ? it->member->state : it->target->state);
	case FILTER_TYPE:
		return it->target->type;
	case FILTER_SEVERITY:
		return it->problem.error ? "error" : "warning";
	case FILTER_Q:
	case FILTER_COUNT:
		break;
	}
	return NULL;
}

static bool matches(const struct list_query *q, const struct item *it)
{
	for (enum list_filter f = FILTER_Q + 1; f < FILTER_COUNT; f++) {
		const char *value;

		if (!q->filters[f][0])
			continue;
		value = filter_value(f, it);
		if (!value || !list_holds(q->filters[f], value, strlen(value)))
			return false;
	}
	return !q->filters[FILTER_Q][0] || text_matches(q->kind, it, q->filters[FILTER_Q]);
}

/* --- out ----------------------------------------------------------------------- */

static void put_item(struct json_writer *j, enum list_kind kind, const struct snapshot *s,
		     const struct item *it)
{
	switch (kind) {
	case LIST_POOLS:
		view_put_pool(j, s, it->pool);
		break;
	case LIST_POOL_MEMBERS:
	case LIST_MEMBERS:
		view_put_member(j, s, it->pool, it->member);
		break;
	case LIST_TARGETS:
		view_put_target(j, it->target);
		break;
	case LIST_PROBLEMS:
		view_put_problem(j, &it->problem);
		break;
	}
}

void list_page(const struct list_query *q, const struct snapshot *s, const struct pool_view *pool,
	       struct buf *out)
{
	struct json_writer j = { .out = out };
	struct cursor c = { .s = s, .only = pool };
	struct item it;
	char id[40];
	size_t total = 0;

	json_put_object(&j, NULL);
	json_put_array(&j, REST_ITEMS);
	while (next_item(&c, q->kind, &it)) {
		if (!matches(q, &it))
			continue;
		if (total >= q->offset && total - q->offset < q->limit)
			put_item(&j, q->kind, s, &it);
		total++;
	}
	json_end_array(&j);
	json_put_uint(&j, REST_TOTAL, total);
	json_put_uint(&j, REST_OFFSET, q->offset);
	json_put_uint(&j, REST_LIMIT, q->limit);
	/* Opaque, and of no other run of the agent. */
	snprintf(id, sizeof(id), "%" PRIx64 "-%" PRIu64, (uint64_t)s->started_ms, s->sequence);
	json_put_text(&j, REST_SNAPSHOT, id);
	json_end_object(&j);
	buf_str(out, "\n");
}

struct list_stream {
	struct list_query query;
	struct snapshot *snapshot;
	struct cursor cursor;
	size_t matched;
};

struct list_stream *list_stream_new(const struct list_query *q, struct snapshot *s,
				    const struct pool_view *pool)
{
	struct list_stream *st = xcalloc(1, sizeof(*st));

	st->query = *q;
	st->snapshot = snapshot_ref(s); /* and so of every pool in it */
	st->cursor = (struct cursor){ .s = s, .only = pool };
	return st;
}

bool list_stream_read(struct list_stream *st, struct buf *out, size_t want)
{
	const struct list_query *q = &st->query;
	struct json_writer j = { .out = out };
	size_t start = out->len;
	struct item it;

	while (out->len - start < want) {
		if (st->matched >= q->offset && st->matched - q->offset >= q->limit)
			return false;
		if (!next_item(&st->cursor, q->kind, &it))
			return false;
		if (!matches(q, &it))
			continue;
		if (st->matched++ < q->offset)
			continue;
		put_item(&j, q->kind, st->snapshot, &it);
		buf_put(out, "\n", 1);
		j.comma = false;
	}
	return true;
}

void list_stream_free(struct list_stream *st)
{
	if (!st)
		return;
	snapshot_unref(st->snapshot);
	free(st);
}

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
