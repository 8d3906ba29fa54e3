/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a request to an answer, as values: the whole of the REST interface but
 * for its transport. Pure: no sockets, no threads, no clock.
 */
#ifndef AGENT_API_REST_H
#define AGENT_API_REST_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/api/list.h"
#include "agent/base/buf.h"
#include "agent/plan/snapshot.h"

struct rest_request {
	const char *method;
	const char *target; /* as it came, not decoded */
	const char *accept; /* NULL: no such header */
	const char *host;
	size_t header_bytes; /* request line and headers */
	bool over_tcp;	     /* then Host must name the loopback, or a page of anywhere could ask */
	bool has_body;	     /* Content-Length above 0, or any Transfer-Encoding */
	bool ambiguous;	     /* two readers could take it for different requests */
};

struct rest_reply {
	unsigned status;
	const char *type;
	bool allow; /* say which methods there are */
	bool close; /* the connection is of no more use */
	bool retry; /* worth trying again in a second */
	struct buf body;
	struct list_stream *stream; /* NULL: the body is all */
};

/* s: NULL before there is one; stays the caller's. */
void rest_answer(const struct rest_request *r, struct snapshot *s, struct rest_reply *out);
void rest_reply_done(struct rest_reply *r);

#endif
