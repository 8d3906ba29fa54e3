/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The transport: HTTP/1.1 on a listening socket, in a thread of its own.
 * A thin front, so that the library behind it can be another one.
 *
 * What the library is lax about is told to the answering function (`ambiguous`,
 * `has_body` of struct rest_request), which refuses it.
 */
#ifndef AGENT_API_HTTP_H
#define AGENT_API_HTTP_H

#include <stdbool.h>

#include "agent/api/command.h"
#include "agent/api/rest.h"
#include "agent/base/attr.h"
#include "agent/base/err.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_WATCHES_MAX     32 /* of those connections */
#define HTTP_IDLE_S	     10 /* without a byte either way */
#define HTTP_STREAM_S	     60 /* for a whole stream: it holds a snapshot in memory */

/* Called in the server's thread. */
typedef void http_answer_fn(void *arg, const struct rest_request *r, struct rest_reply *out);

/* The status of what was answered without `answer`. */
typedef void http_answered_fn(void *arg, unsigned status);

struct http_config {
	int fd; /* listening; taken over, on failure too */
	bool over_tcp;
	unsigned idle_s; /* HTTP_IDLE_S; shorter in tests */
	http_answer_fn *answer;
	http_answered_fn *answered; /* NULL: not counted */
	void *arg;
	const char
		*node; /* our name, which Host may have over TCP; NULL: none; outlives the server */
	struct commands *commands; /* where what is the store's goes; NULL: to `answer` */
	struct tokens *tokens;	   /* outlive the server; NULL: nobody has one */
	bool has_cluster;	   /* tokens that are not ours may be for the API server of one */
};

struct http_server;
MUST_CHECK int http_start(const struct http_config *c, struct http_server **out, struct err *err);
/* Something may have changed: watches look. From any thread, once a second at least. */
void http_wake(struct http_server *h);
/* Waits for the thread; after commands_end(). NULL is fine. */
void http_stop(struct http_server *h);

#endif
