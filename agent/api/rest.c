/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is refused whatever it asks for, and which answer a path has.
 */
#include "agent/api/rest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/api/accept.h"
#include "agent/api/origin.h"
#include "agent/api/page.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/api/uri.h"
#include "agent/api/view.h"
#include "agent/base/err.h"

/* --- who is asked, and by whom ------------------------------------------------- */

/* However it is written: what the router takes for one. */
static bool is_of_api(const char *target)
{
	struct uri uri;
	struct err err;

	return uri_parse(target, &uri, &err) == 0 && uri.segment_count >= 2 &&
	       strcmp(uri.segments[0], "api") == 0 && strcmp(uri.segments[1], "v1") == 0;
}

const char *rest_cluster_token(const struct rest_request *r)
{
	static const char scheme[] = "Bearer ";
	const char *s = r->has_cluster ? r->authorization : NULL;

	if (!s || r->bearer.claim != BEARER_UNKNOWN ||
	    strncasecmp(s, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	s += sizeof(scheme) - 1;
	s += strspn(s, " ");
	/* What the page or a person mistook for one of those is not shown to others. */
	if (!*s || strncmp(s, TOKEN_PREFIX, sizeof(TOKEN_PREFIX) - 1) == 0)
		return NULL;
	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p > '~')
			return NULL;
	return s;
}

/* What anybody may see from anywhere: that we are there, and the page, which shows nothing alone. */
static bool is_open(const char *target)
{
	static const char *const probes[] = { "healthz", "livez", "readyz", "version" };
	struct uri uri;
	struct err err;

	if (uri_parse(target, &uri, &err) < 0)
		return true; /* it is refused for what it is */
	for (size_t i = 0; uri.segment_count == 1 && i < ARRAY_LEN(probes); i++)
		if (strcmp(uri.segments[0], probes[i]) == 0)
			return true;
	return page_has(&uri);
}

/* Of a token from beyond loopback that is none of ours. */
static enum rest_problem review_problem(const struct rest_request *r)
{
	switch (r->reviewed.claim) {
	case REVIEW_NONE:
	case REVIEW_WAITS:
		break;
	case REVIEW_TOO_MANY:
		return PROBLEM_TOO_MANY_REVIEWS;
	case REVIEW_TROUBLE:
		return PROBLEM_CLUSTER_TROUBLE;
	case REVIEW_NOBODY:
		return PROBLEM_CLUSTER_UNKNOWN;
	case REVIEW_SOMEBODY:
		return r->reviewed.may_read ? PROBLEM_COUNT : PROBLEM_NOT_GRANTED;
	}
	return PROBLEM_BAD_TOKEN;
}

enum rest_problem rest_transport_problem(const struct rest_request *r)
{
	if (r->header_bytes > REST_HEADERS_MAX)
		return PROBLEM_HEADERS_TOO_LARGE;
	if (r->ambiguous)
		return PROBLEM_BAD_REQUEST;
	if (r->over_tcp && !origin_host_is_ours(r->host, &r->names))
		return PROBLEM_WRONG_HOST;
	if (!origin_may(r->method, r->fetch_site, r->origin, &r->names))
		return PROBLEM_CROSS_SITE;
	/* Not taken for nobody's: who shows a token wants to know that it does not hold. */
	if (r->bearer.claim == BEARER_UNKNOWN && r->remote)
		return is_open(r->target) ? PROBLEM_COUNT : review_problem(r);
	if (r->bearer.claim == BEARER_UNKNOWN && is_of_api(r->target) && !rest_cluster_token(r))
		return PROBLEM_BAD_TOKEN;
	if (!r->remote || r->bearer.claim != BEARER_NONE || is_open(r->target))
		return PROBLEM_COUNT;
	switch (r->holder.claim) {
	case HOLDER_NONE:
		return PROBLEM_TOKEN_NEEDED;
	case HOLDER_UNLISTED:
		return PROBLEM_UNLISTED;
	case HOLDER_KNOWN:
		break;
	}
	return PROBLEM_COUNT;
}

enum rest_problem rest_write_refusal(const struct rest_request *r)
{
	return r->over_tcp && r->bearer.claim == BEARER_NONE && r->holder.claim == HOLDER_NONE
		       ? PROBLEM_TOKEN_NEEDED
		       : PROBLEM_FORBIDDEN;
}

const char *rest_user(const struct rest_request *r, char out[static REST_USER_TEXT_MAX])
{
	char name[PEER_NAME_MAX];

	if (r->over_tcp && r->bearer.claim == BEARER_KNOWN)
		snprintf(out, REST_USER_TEXT_MAX, "token:%s", r->bearer.name);
	else if (r->over_tcp && r->holder.claim == HOLDER_KNOWN)
		snprintf(out, REST_USER_TEXT_MAX, "cert:%s", r->holder.subject.name);
	else if (r->over_tcp && r->reviewed.claim == REVIEW_SOMEBODY)
		snprintf(out, REST_USER_TEXT_MAX, "kube:%s", r->reviewed.user);
	else if (r->peer.known)
		snprintf(out, REST_USER_TEXT_MAX, "unix:%s",
			 peer_user(&r->peer, "/etc/passwd", name));
	else
		return NULL;
	return out;
}

/* --- routing ------------------------------------------------------------------- */

static bool is_word(const char *path, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(path, word, len) == 0;
}

/* What stands for {id} or {name}, and {mid} goes into the call. */
static bool route_matches(const char *path, const struct uri *u, struct rest_call *c)
{
	for (size_t i = 0; i < u->segment_count; i++) {
		size_t n;

		if (*path != '/')
			return false;
		n = strcspn(++path, "/");
		if (is_word(path, n, "{id}") || is_word(path, n, "{name}"))
			c->id = u->segments[i];
		else if (is_word(path, n, "{mid}"))
			c->mid = u->segments[i];
		else if (!is_word(path, n, u->segments[i]))
			return false;
		path += n;
	}
	return !*path;
}

static const struct rest_route *find_route(const struct uri *u, struct rest_call *c)
{
	for (const struct rest_route *r = rest_routes; r->path; r++)
		if (route_matches(r->path, u, c))
			return r;
	return NULL;
}

static bool is_acceptable(const struct rest_route *route, const char *accept)
{
	switch (route->kind) {
	case ROUTE_PROBE:
		return true; /* probes look at the status alone */
	case ROUTE_TEXT:
		return accept_type(accept, "text/plain") > 0;
	case ROUTE_WATCH:
		return accept_type(accept, REST_SSE) > 0;
	case ROUTE_CONSTANT:
	case ROUTE_OBJECT:
		return accept_type(accept, REST_JSON) > 0;
	case ROUTE_QUERY:
	case ROUTE_LIST:
		return accept_type(accept, REST_JSON) > 0 || accept_type(accept, REST_NDJSON) > 0;
	}
	return false;
}

static const char *formats(enum route_kind kind)
{
	switch (kind) {
	case ROUTE_TEXT:
		return "there is text/plain";
	case ROUTE_QUERY:
	case ROUTE_LIST:
		return "there is " REST_JSON " and " REST_NDJSON;
	case ROUTE_WATCH:
		return "there is " REST_SSE;
	case ROUTE_PROBE:
	case ROUTE_CONSTANT:
	case ROUTE_OBJECT:
		break;
	}
	return "there is " REST_JSON;
}

/* A probe may have some, for those in between that want each to be another: nobody looks. */
static bool takes_parameters(enum route_kind kind)
{
	return kind == ROUTE_PROBE || kind == ROUTE_QUERY || kind == ROUTE_LIST ||
	       kind == ROUTE_WATCH;
}

/* What is wrong with the call as such; PROBLEM_COUNT: nothing. *detail points into err or is NULL. */
static enum rest_problem call_problem(const struct rest_route *route, const struct rest_call *c,
				      struct err *err, const char **detail)
{
	const struct rest_request *r = c->request;

	*detail = NULL;
	if (!origin_is_safe(r->method))
		return PROBLEM_BAD_METHOD;
	if (!is_acceptable(route, r->accept)) {
		*detail = formats(route->kind);
		return PROBLEM_NOT_ACCEPTABLE;
	}
	if (!takes_parameters(route->kind) && c->uri->param_count > 0) {
		err_set(err, -EINVAL, "unknown query parameter '%.64s'", c->uri->params[0].name);
		*detail = err->text;
		return PROBLEM_BAD_PARAMETER;
	}
	if (route->kind != ROUTE_PROBE && route->kind != ROUTE_CONSTANT && !c->snapshot) {
		*detail = view_not_ready(NULL);
		return PROBLEM_NOT_READY;
	}
	return PROBLEM_COUNT;
}

/* The snapshot that the request names; NULL: it names none. */
static const char *snapshot_asked_for(const struct uri *u)
{
	for (size_t i = 0; i < u->param_count; i++)
		if (strcmp(u->params[i].name, REST_SNAPSHOT) == 0)
			return u->params[i].value;
	return NULL;
}

/* A list of a picture that was given out in part before. */
static void call_list(const struct rest_route *route, const struct rest_call *c)
{
	const char *name = snapshot_asked_for(c->uri);
	struct rest_call pinned = *c;
	char newest[PICTURE_NAME_MAX];

	if (!name || strcmp(name, picture_name(c->snapshot, newest)) == 0) {
		route->answer(c);
		return;
	}
	pinned.snapshot = NULL;
	if (c->state->pictures)
		pinned.snapshot = pictures_find(c->state->pictures, name, c->state->now);
	if (pinned.snapshot)
		route->answer(&pinned);
	else
		problem_answer(c->out, PROBLEM_SNAPSHOT_EXPIRED, c->request, NULL);
	snapshot_unref(pinned.snapshot);
}

static void call_route(const struct rest_route *route, const struct rest_call *c)
{
	struct err err;
	const char *detail;
	enum rest_problem p = call_problem(route, c, &err, &detail);

	if (p != PROBLEM_COUNT) {
		problem_answer(c->out, p, c->request, detail);
	} else if (route->kind == ROUTE_LIST) {
		call_list(route, c);
	} else {
		route->answer(c);
	}
}

void rest_answer(const struct rest_request *r, const struct rest_state *s, struct rest_reply *out)
{
	struct rest_call c = { .request = r, .state = s, .snapshot = s->snapshot, .out = out };
	enum rest_problem p = rest_transport_problem(r);
	const struct rest_route *route;
	struct uri uri;
	struct err err;
	int result;

	*out = (struct rest_reply){ .status = 200, .type = REST_JSON };
	result = p == PROBLEM_COUNT ? uri_parse(r->target, &uri, &err) : 0;
	if (result < 0)
		p = result == -ENAMETOOLONG ? PROBLEM_TARGET_TOO_LONG : PROBLEM_BAD_REQUEST;
	else if (p == PROBLEM_COUNT && r->has_body)
		p = PROBLEM_BODY_REFUSED; /* of a path that takes one, this is not asked */
	if (p != PROBLEM_COUNT) {
		out->close = true;
		problem_answer(out, p, r, result < 0 ? err.text : NULL);
		return;
	}
	c.uri = &uri;
	if (page_answer(&c))
		return;
	route = find_route(&uri, &c);
	if (route)
		call_route(route, &c);
	else
		problem_answer(out, PROBLEM_NOT_FOUND, r, NULL);
}

void rest_reply_done(struct rest_reply *r)
{
	if (r->secret)
		buf_wipe(&r->body);
	buf_done(&r->body);
	buf_done(&r->link);
	buf_done(&r->location);
	list_stream_free(r->stream);
	watch_free(r->watch);
	*r = (struct rest_reply){ 0 };
}
