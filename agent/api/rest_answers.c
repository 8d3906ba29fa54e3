/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is behind each path.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/accept.h"
#include "agent/api/address_pools.h"
#include "agent/api/counts.h"
#include "agent/api/events.h"
#include "agent/api/json_writer.h"
#include "agent/api/link.h"
#include "agent/api/metrics.h"
#include "agent/api/openapi.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/api/view.h"
#include "agent/base/err.h"
#include "agent/pool/address_pool.h"

static void answer_healthz(const struct rest_call *c)
{
	c->out->type = REST_TEXT;
	buf_str(&c->out->body, "ok\n");
}

static void answer_readyz(const struct rest_call *c)
{
	const char *why = view_not_ready(c->snapshot);

	if (!why) {
		answer_healthz(c);
		return;
	}
	problem_answer(c->out, PROBLEM_NOT_READY, c->request, why);
}

static void answer_version(const struct rest_call *c)
{
	struct json_writer j = { .out = &c->out->body };

	json_put_object(&j, NULL);
	json_put_text(&j, REST_VERSION, PARASAUS_VERSION);
	json_end_object(&j);
	buf_str(&c->out->body, "\n");
}

static void answer_status(const struct rest_call *c)
{
	struct json_writer j = { .out = &c->out->body };

	view_put_status(&j, c->snapshot);
	buf_str(&c->out->body, "\n");
}

static void answer_nodes(const struct rest_call *c)
{
	struct json_writer j = { .out = &c->out->body };

	view_put_nodes(&j, c->snapshot);
	buf_str(&c->out->body, "\n");
}

static void answer_openapi(const struct rest_call *c)
{
	buf_put(&c->out->body, openapi_text, (size_t)(openapi_end - openapi_text));
}

static void answer_metrics(const struct rest_call *c)
{
	c->out->type = REST_METRICS_TEXT;
	metrics_put(&c->out->body, c->snapshot, c->state);
}

static void answer_counts(const struct rest_call *c)
{
	struct json_writer j = { .out = &c->out->body };

	counts_put(&j, c->snapshot);
	buf_str(&c->out->body, "\n");
}

static void answer_address_pools(const struct rest_call *c)
{
	struct json_writer j = { .out = &c->out->body };

	address_pools_put(&j, c->snapshot);
	buf_str(&c->out->body, "\n");
}

static bool prefers_lines(const struct rest_request *r)
{
	return accept_type(r->accept, REST_NDJSON) > accept_type(r->accept, REST_JSON);
}

static void answer_allocations(const struct rest_call *c)
{
	const struct pool_rules *rules = c->snapshot->rules;
	const struct address_pool *p = rules ? pool_rules_named(rules, c->id) : NULL;
	bool lines = prefers_lines(c->request);
	struct allocations_query q;
	struct err err;

	if (allocations_query_parse(c->uri, &q, &err) < 0)
		problem_answer(c->out, PROBLEM_BAD_PARAMETER, c->request, err.text);
	else if (!p)
		problem_answer(c->out, PROBLEM_NOT_FOUND, c->request,
			       "there is no such address pool");
	else
		allocations_put(&q, c->snapshot, p, lines, &c->out->body);
	if (lines && c->out->status == 200)
		c->out->type = REST_NDJSON;
}

/* --- what happens --------------------------------------------------------------------- */

static void answer_events(const struct rest_call *c)
{
	bool lines = prefers_lines(c->request);
	struct events_query q;
	struct err err;

	if (events_query_parse(c->uri, &q, &err) < 0)
		problem_answer(c->out, PROBLEM_BAD_PARAMETER, c->request, err.text);
	else if (!c->state->feed)
		problem_answer(c->out, PROBLEM_NOT_READY, c->request, NULL);
	else
		events_put(&q, c->state->feed, lines, &c->out->body);
	if (lines && c->out->status == 200)
		c->out->type = REST_NDJSON;
}

static void answer_watch(const struct rest_call *c)
{
	struct watch_query q;
	struct err err;

	if (watch_query_parse(c->uri, c->request->last_event_id, &q, &err) < 0) {
		problem_answer(c->out, PROBLEM_BAD_PARAMETER, c->request, err.text);
	} else if (c->request->watches_full) {
		problem_answer(c->out, PROBLEM_TOO_MANY_WATCHES, c->request, NULL);
	} else if (c->state->feed) {
		c->out->type = REST_SSE;
		c->out->watch = watch_new(&q, c->state->feed);
	} else {
		problem_answer(c->out, PROBLEM_NOT_READY, c->request, NULL);
	}
}

/* --- who asks ------------------------------------------------------------------------ */

/* What one may do is a map, so that a page can ask it for each of its buttons. */
static void put_can(struct json_writer *j, bool may_write)
{
	static const char *const writes[] = { REST_CAN_CREATE,	 REST_CAN_EDIT,	  REST_CAN_DELETE,
					      REST_CAN_DRAIN,	 REST_CAN_WEIGHT, REST_CAN_ROLLBACK,
					      REST_CAN_ADDRESSES };
	static const char *const never[] = { REST_CAN_PROBE };

	json_put_object(j, REST_CAN);
	for (size_t i = 0; i < ARRAY_LEN(writes); i++)
		json_put_bool(j, writes[i], may_write);
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		json_put_bool(j, never[i], false);
	json_end_object(j);
}

/* Why one may not write; NULL: one may. */
static const char *why_not(const struct rest_call *c)
{
	const struct rest_request *r = c->request;

	/* What it is good for the API server says. */
	if (rest_cluster_token(r))
		return NULL;
	if (!c->state->writable)
		return r->has_cluster ? "token-needed" : "no-store";
	if (r->may_write)
		return NULL;
	return problem_code(rest_write_refusal(r));
}

static void put_places(const struct rest_call *c, struct json_writer *j)
{
	json_put_array(j, REST_WRITES_TO);
	if (c->state->writable)
		json_put_text(j, NULL, "store");
	if (c->request->has_cluster)
		json_put_text(j, NULL, "kubernetes");
	json_end_array(j);
}

static void put_user(struct json_writer *j, const struct rest_request *r)
{
	const struct peer *p = &r->peer;
	char user[REST_USER_TEXT_MAX];

	json_put_text(j, REST_USER, rest_user(r, user));
	if (!p->known)
		return;
	json_put_uint(j, REST_UID, p->uid);
	json_put_uint(j, REST_GID, p->gid);
	json_put_int(j, REST_PID, p->pid);
}

static void answer_whoami(const struct rest_call *c)
{
	struct json_writer j = { .out = &c->out->body };
	const char *why = why_not(c);

	json_put_object(&j, NULL);
	put_user(&j, c->request);
	json_put_text(&j, REST_VIA, c->request->over_tcp ? "tcp" : "unix");
	json_put_array(&j, REST_ROLES);
	json_put_text(&j, NULL, "viewer");
	if (!why)
		json_put_text(&j, NULL, "editor");
	json_end_array(&j);
	json_put_bool(&j, REST_WRITE_ENABLED, !why);
	json_put_text(&j, REST_REASON, why);
	put_places(c, &j);
	put_can(&j, !why);
	json_end_object(&j);
	buf_str(&c->out->body, "\n");
}

/* --- pools ---------------------------------------------------------------------------- */

static const struct pool_view *find_pool(const struct rest_call *c)
{
	const struct pool_view *v = list_find_pool(c->snapshot, c->id);
	struct err err;

	if (!v) {
		err_set(&err, -ENOENT, "no pool has the id '%.300s'", c->id);
		problem_answer(c->out, PROBLEM_NO_POOL, c->request, err.text);
	}
	return v;
}

static void answer_pool(const struct rest_call *c)
{
	struct json_writer j = { .out = &c->out->body };
	const struct pool_view *v = find_pool(c);

	if (!v)
		return;
	/* What of it can be edited; what was observed since is other each time. */
	if (v->pool->change)
		snprintf(c->out->etag, sizeof(c->out->etag), "\"r%" PRIu64 "\"",
			 v->pool->change->revision);
	view_put_pool(&j, c->snapshot, v);
	buf_str(&c->out->body, "\n");
}

static void answer_member(const struct rest_call *c)
{
	struct json_writer j = { .out = &c->out->body };
	const struct pool_view *v = find_pool(c);
	char id[VIEW_MEMBER_ID_MAX];
	struct endpoint room;
	struct err err;

	for (size_t i = 0; v && i < v->member_count; i++) {
		if (strcmp(view_member_id(pool_view_endpoint(v, i, &room), id), c->mid) != 0)
			continue;
		view_put_member(&j, c->snapshot, v, i);
		buf_str(&c->out->body, "\n");
		return;
	}
	if (!v)
		return;
	err_set(&err, -ENOENT, "the pool has no member '%.64s'", c->mid);
	problem_answer(c->out, PROBLEM_NO_MEMBER, c->request, err.text);
}

/* --- lists ----------------------------------------------------------------------------- */

/* Where there is more, it can be had of the same picture. */
static void answer_page(const struct rest_call *c, const struct list_query *q,
			const struct pool_view *pool)
{
	size_t total = list_page(q, c->snapshot, pool, &c->out->body), end = list_page_end(q);
	char name[PICTURE_NAME_MAX];

	if (total > end)
		link_put_next(c->uri, end, picture_name(c->snapshot, name), &c->out->link);
	if (c->state->pictures && (q->offset > 0 || total > end))
		pictures_keep(c->state->pictures, c->snapshot, c->state->now);
}

static void answer_list(const struct rest_call *c, enum list_kind kind,
			const struct pool_view *pool)
{
	bool stream = prefers_lines(c->request);
	struct list_query q;
	struct err err;

	if (list_query_parse(kind, c->uri, stream, &q, &err) < 0) {
		problem_answer(c->out, PROBLEM_BAD_PARAMETER, c->request, err.text);
	} else if (stream) {
		c->out->type = REST_NDJSON;
		c->out->stream = list_stream_new(&q, c->snapshot, pool);
	} else {
		answer_page(c, &q, pool);
	}
}

static void answer_pools(const struct rest_call *c)
{
	answer_list(c, LIST_POOLS, NULL);
}

static void answer_members(const struct rest_call *c)
{
	answer_list(c, LIST_MEMBERS, NULL);
}

static void answer_pool_members(const struct rest_call *c)
{
	const struct pool_view *v = find_pool(c);

	if (v)
		answer_list(c, LIST_POOL_MEMBERS, v);
}

static void answer_targets(const struct rest_call *c)
{
	answer_list(c, LIST_TARGETS, NULL);
}

static void answer_problems(const struct rest_call *c)
{
	answer_list(c, LIST_PROBLEMS, NULL);
}

static void answer_ipvs(const struct rest_call *c)
{
	answer_list(c, LIST_FRONTENDS, NULL);
}

/* --- the table -------------------------------------------------------------------------- */

const struct rest_route rest_routes[] = {
	{ REST_HEALTHZ, ROUTE_PROBE, answer_healthz },
	{ REST_LIVEZ, ROUTE_PROBE, answer_healthz },
	{ REST_READYZ, ROUTE_PROBE, answer_readyz },
	{ REST_VERSION_PATH, ROUTE_CONSTANT, answer_version },
	{ REST_METRICS, ROUTE_TEXT, answer_metrics },
	{ REST_OPENAPI, ROUTE_CONSTANT, answer_openapi },
	{ REST_STATUS, ROUTE_OBJECT, answer_status },
	{ REST_COUNTS, ROUTE_OBJECT, answer_counts },
	{ REST_NODES, ROUTE_OBJECT, answer_nodes },
	{ REST_WHOAMI, ROUTE_OBJECT, answer_whoami },
	{ REST_EVENTS, ROUTE_QUERY, answer_events },
	{ REST_WATCH, ROUTE_WATCH, answer_watch },
	{ REST_POOLS, ROUTE_LIST, answer_pools },
	{ REST_POOL, ROUTE_OBJECT, answer_pool },
	{ REST_POOL_MEMBERS, ROUTE_LIST, answer_pool_members },
	{ REST_POOL_MEMBER, ROUTE_OBJECT, answer_member },
	{ REST_MEMBERS, ROUTE_LIST, answer_members },
	{ REST_TARGETS, ROUTE_LIST, answer_targets },
	{ REST_PROBLEMS, ROUTE_LIST, answer_problems },
	{ REST_IPVS, ROUTE_LIST, answer_ipvs },
	{ REST_ADDRESS_POOLS, ROUTE_OBJECT, answer_address_pools },
	{ REST_ADDRESS_POOL_ALLOCATIONS, ROUTE_QUERY, answer_allocations },
	{ 0 },
};
