/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/rest.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "agent/api/json_writer.h"
#include "agent/api/schema.h"
#include "agent/api/uri.h"
#include "agent/api/view.h"
#include "agent/base/err.h"

/* --- errors -------------------------------------------------------------------- */

static const struct fault {
	unsigned status;
	const char *code;
	const char *title;
} bad_request = { 400, "bad-request", "The request is malformed" },
  bad_parameter = { 400, "bad-parameter", "A query parameter is unknown or has a bad value" },
  body_refused = { 400, "body-refused", "Requests here have no body" },
  not_found = { 404, "not-found", "There is no such path" },
  no_pool = { 404, "pool-not-found", "There is no such pool" },
  bad_method = { 405, "method-not-allowed", "Only GET and HEAD are answered" },
  not_acceptable = { 406, "not-acceptable", "No format of this answer is acceptable" },
  target_too_long = { 414, "target-too-long", "The request target is too long" },
  wrong_host = { 421, "wrong-host", "This server has no such name" },
  headers_too_large = { 431, "headers-too-large", "The request's headers are too large" },
  not_ready = { 503, "not-ready", "The agent is not ready" };

static void fail(struct rest_reply *out, const struct fault *f, const struct rest_request *r,
		 const char *detail)
{
	struct json_writer j = { .out = &out->body };

	out->status = f->status;
	out->type = REST_PROBLEM;
	json_put_object(&j, NULL);
	json_put_text(&j, REST_TYPE, "about:blank");
	json_put_text(&j, REST_TITLE, f->title);
	json_put_uint(&j, REST_ERROR_STATUS, f->status);
	json_put_text(&j, REST_CODE, f->code);
	json_put_text(&j, REST_DETAIL, detail ? detail : f->title);
	if (f->status != 414 && f->status != 431)
		json_put_text(&j, REST_INSTANCE, r->target);
	json_end_object(&j);
	buf_str(&out->body, "\n");
}

/* --- what the client takes ----------------------------------------------------- */

/* How well a media range ("type/subtype", "type/", "") fits: 0 not at all, the longest best. */
static size_t range_fits(const char *range, size_t len, const char *type)
{
	if (len == 3 && memcmp(range, "*/*", 3) == 0)
		return 1;
	if (len > 2 && memcmp(range + len - 2, "/*", 2) == 0)
		return strncasecmp(range, type, len - 1) == 0 ? 2 : 0;
	return len == strlen(type) && strncasecmp(range, type, len) == 0 ? 3 : 0;
}

/* "q=0.8" among the parameters, in thousandths; 1000 where it is absent or odd. */
static unsigned quality(const char *params, size_t len)
{
	for (size_t i = 0; i + 3 < len; i++) {
		const char *p = params + i + 1;
		unsigned q, unit = 100;

		if (params[i] != ';' && params[i] != ' ' && params[i] != '\t')
			continue;
		if ((p[0] != 'q' && p[0] != 'Q') || p[1] != '=' || (p[2] != '0' && p[2] != '1'))
			continue;
		q = (unsigned)(p[2] - '0') * 1000;
		if (p + 3 < params + len && p[3] == '.')
			for (p += 4; p < params + len && isdigit((unsigned char)*p); p++) {
				q += (unsigned)(*p - '0') * unit;
				unit /= 10;
			}
		return q > 1000 ? 1000 : q;
	}
	return 1000;
}

/* How much the client wants the type, 0..1000: the most specific range that fits decides. */
static unsigned wanted(const char *accept, const char *type)
{
	size_t best = 0;
	unsigned q = 0;

	if (!accept)
		return 1000;
	while (*accept) {
		size_t item = strcspn(accept, ","), start = strspn(accept, " \t"), range, fit;

		range = start < item ? strcspn(accept + start, ",; \t") : 0;
		fit = range ? range_fits(accept + start, range, type) : 0;
		if (fit > best) {
			best = fit;
			q = quality(accept + start + range, item - start - range);
		}
		accept += item + (accept[item] == ',');
	}
	return q;
}

/* --- who is asked -------------------------------------------------------------- */

/* A name that only this machine can have: a foreign page cannot point its own name here. */
static bool host_is_loopback(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; host && i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);

		if (strncasecmp(host, names[i], n) == 0 && (!host[n] || host[n] == ':') &&
		    strspn(host + n, ":0123456789") == strlen(host + n))
			return true;
	}
	return false;
}

/* --- resources ----------------------------------------------------------------- */

struct call {
	const struct rest_request *request;
	const struct uri *uri;
	struct snapshot *snapshot; /* NULL only where the route says so */
	const char *id;		   /* what stands for {id}; NULL: no such segment */
	struct rest_reply *out;
};

static void answer_healthz(const struct call *c)
{
	c->out->type = REST_TEXT;
	buf_str(&c->out->body, "ok\n");
}

static void answer_readyz(const struct call *c)
{
	const char *why = view_not_ready(c->snapshot);

	if (!why) {
		answer_healthz(c);
		return;
	}
	c->out->retry = true;
	fail(c->out, &not_ready, c->request, why);
}

static void answer_status(const struct call *c)
{
	struct json_writer j = { .out = &c->out->body };

	view_put_status(&j, c->snapshot);
	buf_str(&c->out->body, "\n");
}

static const struct pool_view *find_pool(const struct call *c)
{
	const struct pool_view *v = list_find_pool(c->snapshot, c->id);
	struct err err;

	if (!v) {
		err_set(&err, -ENOENT, "no pool has the id '%.300s'", c->id);
		fail(c->out, &no_pool, c->request, err.text);
	}
	return v;
}

static void answer_pool(const struct call *c)
{
	struct json_writer j = { .out = &c->out->body };
	const struct pool_view *v = find_pool(c);

	if (!v)
		return;
	view_put_pool(&j, c->snapshot, v);
	buf_str(&c->out->body, "\n");
}

static void answer_list(const struct call *c, enum list_kind kind, const struct pool_view *pool)
{
	unsigned json = wanted(c->request->accept, REST_JSON);
	bool stream = wanted(c->request->accept, REST_NDJSON) > json;
	struct list_query q;
	struct err err;

	if (list_query_parse(kind, c->uri, stream, &q, &err) < 0) {
		fail(c->out, &bad_parameter, c->request, err.text);
	} else if (stream) {
		c->out->type = REST_NDJSON;
		c->out->stream = list_stream_new(&q, c->snapshot, pool);
	} else {
		list_page(&q, c->snapshot, pool, &c->out->body);
	}
}

static void answer_pools(const struct call *c)
{
	answer_list(c, LIST_POOLS, NULL);
}

static void answer_members(const struct call *c)
{
	answer_list(c, LIST_MEMBERS, NULL);
}

static void answer_pool_members(const struct call *c)
{
	const struct pool_view *v = find_pool(c);

	if (v)
		answer_list(c, LIST_POOL_MEMBERS, v);
}

static void answer_targets(const struct call *c)
{
	answer_list(c, LIST_TARGETS, NULL);
}

static void answer_problems(const struct call *c)
{
	answer_list(c, LIST_PROBLEMS, NULL);
}

/* --- routing ------------------------------------------------------------------- */

enum route_kind { ROUTE_PROBE, ROUTE_OBJECT, ROUTE_LIST };

static const struct route {
	const char *path;
	enum route_kind kind;
	void (*answer)(const struct call *c);
} routes[] = {
	{ REST_HEALTHZ, ROUTE_PROBE, answer_healthz },
	{ REST_READYZ, ROUTE_PROBE, answer_readyz },
	{ REST_STATUS, ROUTE_OBJECT, answer_status },
	{ REST_POOLS, ROUTE_LIST, answer_pools },
	{ REST_POOL, ROUTE_OBJECT, answer_pool },
	{ REST_POOL_MEMBERS, ROUTE_LIST, answer_pool_members },
	{ REST_MEMBERS, ROUTE_LIST, answer_members },
	{ REST_TARGETS, ROUTE_LIST, answer_targets },
	{ REST_PROBLEMS, ROUTE_LIST, answer_problems },
};

static bool route_matches(const char *path, const struct uri *u, const char **out_id)
{
	const char *id = NULL;

	for (size_t i = 0; i < u->segment_count; i++) {
		size_t n;

		if (*path != '/')
			return false;
		n = strcspn(++path, "/");
		if (n == 4 && memcmp(path, "{id}", 4) == 0)
			id = u->segments[i];
		else if (strlen(u->segments[i]) != n || memcmp(path, u->segments[i], n) != 0)
			return false;
		path += n;
	}
	if (*path)
		return false;
	*out_id = id;
	return true;
}

static bool is_acceptable(const struct route *route, const char *accept)
{
	switch (route->kind) {
	case ROUTE_PROBE:
		return true; /* probes look at the status alone */
	case ROUTE_OBJECT:
		return wanted(accept, REST_JSON) > 0;
	case ROUTE_LIST:
		return wanted(accept, REST_JSON) > 0 || wanted(accept, REST_NDJSON) > 0;
	}
	return false;
}

static void call_route(const struct route *route, const struct call *c)
{
	const struct rest_request *r = c->request;
	struct err err;

	if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0) {
		c->out->allow = true;
		fail(c->out, &bad_method, r, NULL);
	} else if (!is_acceptable(route, r->accept)) {
		fail(c->out, &not_acceptable, r,
		     route->kind == ROUTE_LIST ? "there is " REST_JSON " and " REST_NDJSON
					       : "there is " REST_JSON);
	} else if (route->kind == ROUTE_OBJECT && c->uri->param_count > 0) {
		err_set(&err, -EINVAL, "unknown query parameter '%.64s'", c->uri->params[0].name);
		fail(c->out, &bad_parameter, r, err.text);
	} else if (route->kind != ROUTE_PROBE && !c->snapshot) {
		c->out->retry = true;
		fail(c->out, &not_ready, r, view_not_ready(NULL));
	} else {
		route->answer(c);
	}
}

/* What is wrong with the request, whatever it asks for; NULL: nothing. */
static const struct fault *transport_fault(const struct rest_request *r)
{
	if (r->header_bytes > REST_HEADERS_MAX)
		return &headers_too_large;
	if (r->ambiguous)
		return &bad_request;
	if (r->has_body)
		return &body_refused;
	if (r->over_tcp && !host_is_loopback(r->host))
		return &wrong_host;
	return NULL;
}

void rest_answer(const struct rest_request *r, struct snapshot *s, struct rest_reply *out)
{
	const struct fault *f = transport_fault(r);
	struct call c = { .request = r, .snapshot = s, .out = out };
	struct uri uri;
	struct err err;
	int result;

	*out = (struct rest_reply){ .status = 200, .type = REST_JSON };
	if (f) {
		out->close = true;
		fail(out, f, r, NULL);
		return;
	}
	result = uri_parse(r->target, &uri, &err);
	if (result < 0) {
		out->close = true;
		fail(out, result == -ENAMETOOLONG ? &target_too_long : &bad_request, r, err.text);
		return;
	}
	c.uri = &uri;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (route_matches(routes[i].path, &uri, &c.id)) {
			call_route(&routes[i], &c);
			return;
		}
	fail(out, &not_found, r, NULL);
}

void rest_reply_done(struct rest_reply *r)
{
	buf_done(&r->body);
	list_stream_free(r->stream);
	*r = (struct rest_reply){ 0 };
}
