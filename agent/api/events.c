/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/json_writer.h"
#include "agent/api/schema.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"

static const char *const kind_words[] = { [EVENT_MEMBER] = REST_KIND_MEMBER,
					  [EVENT_POOL] = REST_KIND_POOL,
					  [EVENT_SYNC] = REST_KIND_SYNC };

/* --- the query ------------------------------------------------------------------------ */

static int take_kinds(struct events_query *q, const char *value, struct err *err)
{
	memset(q->kinds, 0, sizeof(q->kinds));
	for (const char *p = value;; p++) {
		size_t n = strcspn(p, ","), i = 0;

		while (i < ARRAY_LEN(kind_words) &&
		       (strlen(kind_words[i]) != n || memcmp(kind_words[i], p, n) != 0))
			i++;
		if (i == ARRAY_LEN(kind_words))
			return err_set(err, -EINVAL, "parameter '%s': '%.*s' is none of %s, %s, %s",
				       REST_TYPE, (int)(n > 32 ? 32 : n), p, kind_words[0],
				       kind_words[1], kind_words[2]);
		q->kinds[i] = true;
		p += n;
		if (!*p)
			return 0;
	}
}

static int take_param(struct events_query *q, const struct uri_param *p, struct err *err)
{
	uint64_t limit;

	if (strcmp(p->name, REST_LIMIT) == 0) {
		if (value_uint(p->value, 1, REST_LIMIT_MAX, &limit) < 0)
			return err_set(err, -EINVAL,
				       "parameter '%s': '%.64s' is not a number from 1 to %d",
				       p->name, p->value, REST_LIMIT_MAX);
		q->limit = (size_t)limit;
		return 0;
	}
	if (strcmp(p->name, REST_TYPE) == 0)
		return take_kinds(q, p->value, err);
	if (strcmp(p->name, REST_POOL_FIELD) != 0)
		return err_set(err, -EINVAL, "unknown query parameter '%.64s'", p->name);
	if (strlen(p->value) >= sizeof(q->pool))
		return err_set(err, -EINVAL, "parameter '%s' is longer than %zu bytes", p->name,
			       sizeof(q->pool) - 1);
	strcpy(q->pool, p->value);
	return 0;
}

int events_query_parse(const struct uri *u, struct events_query *out, struct err *err)
{
	struct events_query q = { .limit = REST_LIMIT_DEFAULT, .kinds = { true, true, true } };

	for (size_t i = 0; i < u->param_count; i++) {
		int r = take_param(&q, &u->params[i], err);

		if (r < 0)
			return r;
	}
	*out = q;
	return 0;
}

/* --- the answer ------------------------------------------------------------------------- */

static bool is_of_pool(const char *list, const char *id)
{
	size_t len = strlen(id);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, id, n) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

static bool matches(const struct events_query *q, const struct feed_event *e)
{
	if (!q->kinds[e->kind])
		return false;
	return !q->pool[0] || (e->pool && is_of_pool(q->pool, e->pool->pool->id));
}

static void put_event(struct json_writer *j, const struct feed_event *e)
{
	char endpoint[ENDPOINT_TEXT_MAX], reason[sizeof(e->reason)];

	json_put_object(j, NULL);
	json_put_time(j, REST_AT, e->at_ms);
	json_put_text(j, REST_TYPE, kind_words[e->kind]);
	json_put_text(j, REST_POOL_FIELD, e->pool ? e->pool->pool->id : NULL);
	json_put_text(j, REST_MEMBER,
		      e->kind == EVENT_MEMBER ? endpoint_text(&e->member, endpoint) : NULL);
	json_put_text(j, REST_FROM, e->from);
	json_put_text(j, REST_TO, e->to);
	view_reason_word(e->reason, reason);
	json_put_text(j, REST_REASON, reason[0] ? reason : NULL);
	json_end_object(j);
}

static void put_events(const struct events_query *q, struct feed *f, bool lines,
		       struct json_writer *j, size_t *out_total)
{
	struct feed_event *all = xcalloc(FEED_EVENTS_MAX, sizeof(*all));
	size_t count = feed_events(f, all, FEED_EVENTS_MAX);

	for (size_t i = 0; i < count; i++) {
		if (matches(q, &all[i]) && (*out_total)++ < q->limit) {
			put_event(j, &all[i]);
			if (lines)
				buf_str(j->out, "\n");
			j->comma = !lines;
		}
		pool_view_unref(all[i].pool);
	}
	free(all);
}

void events_put(const struct events_query *q, struct feed *f, bool lines, struct buf *out)
{
	struct json_writer j = { .out = out };
	size_t total = 0;

	if (lines) {
		put_events(q, f, true, &j, &total);
		return;
	}
	json_put_object(&j, NULL);
	json_put_array(&j, REST_ITEMS);
	put_events(q, f, false, &j, &total);
	json_end_array(&j);
	json_put_uint(&j, REST_TOTAL, total);
	json_put_uint(&j, REST_LIMIT, q->limit);
	json_end_object(&j);
	buf_str(out, "\n");
}
