/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/local.h"

#include <string.h>

#include "agent/api/accept.h"
#include "agent/api/edit_private.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"

static enum rest_problem body_problem(const struct rest_request *r, size_t max, const char **detail)
{
	if (strcmp(r->method, "POST") != 0)
		return r->has_body ? PROBLEM_BODY_REFUSED : PROBLEM_COUNT;
	if (!edit_is_type(r->content_type, REST_JSON)) {
		*detail = "Content-Type has to be " REST_JSON;
		return PROBLEM_BAD_TYPE;
	}
	return r->length > max ? PROBLEM_TOO_LARGE : PROBLEM_COUNT;
}

static enum rest_problem problem_of(const struct rest_request *r, const struct local_rule *rule,
				    const char **detail)
{
	enum rest_problem p = rest_transport_problem(r);

	if (p != PROBLEM_COUNT)
		return p;
	if (r->over_tcp) {
		*detail = rule->over_tcp;
		return PROBLEM_FORBIDDEN;
	}
	if (!edit_takes_method(rule->methods, r->method))
		return PROBLEM_BAD_METHOD;
	if (!r->may_write)
		return PROBLEM_FORBIDDEN;
	if (accept_type(r->accept, REST_JSON) == 0) {
		*detail = "there is " REST_JSON;
		return PROBLEM_NOT_ACCEPTABLE;
	}
	return body_problem(r, rule->body_max, detail);
}

enum edit_admission local_admit(const struct rest_request *r, const struct local_rule *rule,
				struct rest_reply *out)
{
	const char *detail = NULL;
	enum rest_problem p = problem_of(r, rule, &detail);

	if (p == PROBLEM_COUNT)
		return EDIT_ADMITTED;
	*out = (struct rest_reply){ .close = true, .methods = rule->methods };
	problem_answer(out, p, r, detail);
	return EDIT_REFUSED;
}
