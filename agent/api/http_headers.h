/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers of the library's requests and answers, as both of our servers read
 * and write them: core's own (http.c) and the one in a process of its own (front.c).
 */
#ifndef AGENT_API_HTTP_HEADERS_H
#define AGENT_API_HTTP_HEADERS_H

#include <stdbool.h>

#include "agent/api/rest.h"
#include "agent/base/attr.h"
#include "agent/base/buf.h"

struct MHD_Connection;
struct MHD_Response;

struct http_headers {
	struct rest_request *request; /* its texts are the connection's, or in here */
	unsigned hosts;
	unsigned lengths;
	unsigned encodings;
	bool twice; /* one of those that stand once */
	bool odd;   /* one that is not plain */
	const char *authorization;
	struct buf accept, accept_language; /* they may stand several times */
};

/* Fills in the request what its headers tell, and adds to `header_bytes`. */
void http_headers_read(struct MHD_Connection *c, const char *version, struct http_headers *h);
void http_headers_done(struct http_headers *h);
/* Overwrites what is secret of them: the library lets go of its memory as it is. */
void http_headers_wipe(struct MHD_Connection *c);

/* All headers of the answer but those of its length. False: the library takes one not. */
MUST_CHECK bool http_headers_add(struct MHD_Response *m, const char *request_id,
				 struct rest_reply *reply);

#endif
