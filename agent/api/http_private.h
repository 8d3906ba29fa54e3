/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the transport: responses of the library that are written as the client
 * takes them.
 */
#ifndef AGENT_API_HTTP_PRIVATE_H
#define AGENT_API_HTTP_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent/api/command.h"
#include "agent/api/list.h"
#include "agent/api/watch.h"
#include "agent/base/attr.h"

struct MHD_Connection;
struct MHD_Response;

/* Both take the stream over, on failure too; NULL: the library does not make it. */
MUST_CHECK struct MHD_Response *http_stream_response(struct list_stream *list);

/* The watches of a server: suspended while there is nothing to tell. */
struct http_watches {
	pthread_mutex_t lock; /* never held over what waits */
	struct http_watch *first;
	size_t count;
	bool ending;
};
void http_watches_begin(struct http_watches *w);
void http_watches_done(struct http_watches *w); /* after the library's thread has ended */
bool http_watches_full(struct http_watches *w);
MUST_CHECK struct MHD_Response *http_watch_response(struct http_watches *all,
						    struct MHD_Connection *c, struct watch *watch);
/* From any thread: those go on that have something to tell, a heartbeat at least. */
void http_watches_wake(struct http_watches *all);
/* All end; the library must not be stopped before. */
void http_watches_end(struct http_watches *all);

/* Requests that core answers (agent/api/edit.h). */
enum http_step {
	HTTP_STEP_OTHER,  /* it is no such request */
	HTTP_STEP_MORE,	  /* call again: there is more of the body, or the answer is awaited */
	HTTP_STEP_ANSWER, /* *reply is the answer */
};
/* By its headers. HTTP_STEP_MORE: *out is the command. */
MUST_CHECK enum http_step http_command_begin(const struct rest_request *r, struct command **out,
					     struct rest_reply *reply);
MUST_CHECK enum http_step http_command_go_on(struct commands *all, struct command *c,
					     struct MHD_Connection *connection, const char *upload,
					     size_t *upload_size, struct rest_reply *reply);

#endif
