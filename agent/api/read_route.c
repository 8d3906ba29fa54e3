/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/read_route.h"

#include <string.h>

#include "agent/api/accept.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/err.h"

bool read_route_is_asked_for(const struct rest_request *r, read_route_fn *is_ours)
{
	struct uri uri;
	struct err err;

	return uri_parse(r->target, &uri, &err) == 0 && is_ours(&uri);
}

static enum rest_problem problem_of(const struct rest_request *r, const struct uri *u,
				    const char **detail)
{
	enum rest_problem p = rest_transport_problem(r);

	if (p != PROBLEM_COUNT)
		return p;
	if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
		return PROBLEM_BAD_METHOD;
	if (accept_type(r->accept, REST_JSON) == 0) {
		*detail = "there is " REST_JSON;
		return PROBLEM_NOT_ACCEPTABLE;
	}
	if (u->param_count) {
		*detail = "it takes no parameters";
		return PROBLEM_BAD_PARAMETER;
	}
	return r->has_body ? PROBLEM_BODY_REFUSED : PROBLEM_COUNT;
}

enum edit_admission read_route_admit(const struct rest_request *r, read_route_fn *is_ours,
				     struct rest_reply *out)
{
	const char *detail = NULL;
	enum rest_problem p;
	struct uri uri;
	struct err err;

	if (uri_parse(r->target, &uri, &err) < 0 || !is_ours(&uri))
		return EDIT_NOT_OURS;
	p = problem_of(r, &uri, &detail);
	if (p == PROBLEM_COUNT)
		return EDIT_ADMITTED;
	*out = (struct rest_reply){ .close = true, .methods = READ_ROUTE_METHODS };
	problem_answer(out, p, r, detail);
	return EDIT_REFUSED;
}
