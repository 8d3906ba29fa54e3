/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this machine's own users alone may ask for, over the unix socket and
 * where they may write there: tokens, and copies of the whole store.
 */
#ifndef AGENT_API_LOCAL_H
#define AGENT_API_LOCAL_H

#include "agent/api/edit.h"
#include "agent/api/rest.h"

struct local_rule {
	const char
		*methods; /* "GET, HEAD, POST"; what comes by POST is JSON, others have no body */
	size_t body_max;  /* bytes */
	const char *over_tcp; /* what to tell who asks there */
};
/* EDIT_ADMITTED, or EDIT_REFUSED with *out written. From any thread. */
MUST_CHECK enum edit_admission local_admit(const struct rest_request *r,
					   const struct local_rule *rule, struct rest_reply *out);

#endif
