/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the router (rest.c) and what answers (rest_answers.c, edit_route.c).
 */
#ifndef AGENT_API_REST_PRIVATE_H
#define AGENT_API_REST_PRIVATE_H

#include "agent/api/problem.h"
#include "agent/api/rest.h"
#include "agent/api/uri.h"

/* Who may not write is told to show who he is, where he has not. */
enum rest_problem rest_write_refusal(const struct rest_request *r);

/* What is wrong with the request, whatever it asks for; PROBLEM_COUNT: nothing. */
enum rest_problem rest_transport_problem(const struct rest_request *r);

/*
 * The token that is shown for the API server of a cluster: one that is not of our sort, where there is
 * such a cluster. NULL: none. Points into the request.
 */
const char *rest_cluster_token(const struct rest_request *r);

/* "unix:root", "token:alice", "cert:alice" or "kube:alice"; NULL: nobody that is known. Reads a file. Returns out. */
#define REST_USER_TEXT_MAX (REVIEW_USER_MAX + 6)
const char *rest_user(const struct rest_request *r, char out[static REST_USER_TEXT_MAX]);

/* A request that was routed. */
struct rest_call {
	const struct rest_request *request;
	const struct rest_state *state;
	const struct uri *uri;
	struct snapshot *snapshot; /* the one that is asked for; NULL only for ROUTE_PROBE */
	const char *id;		   /* what stands for {id}; NULL: no such segment */
	const char *mid;	   /* ... and for {mid} */
	struct rest_reply *out;
};

/*
 * Which formats an answer has and what it takes: an object and a text take no parameters,
 * a constant needs no snapshot besides, a query has its own, a list those of lists and of a kept snapshot.
 */
enum route_kind {
	ROUTE_PROBE,
	ROUTE_TEXT,
	ROUTE_CONSTANT,
	ROUTE_OBJECT,
	ROUTE_QUERY,
	ROUTE_LIST,
	ROUTE_WATCH
};

struct rest_route {
	const char *path;
	enum route_kind kind;
	void (*answer)(const struct rest_call *c);
};
extern const struct rest_route rest_routes[]; /* ends with a NULL path */

#endif
