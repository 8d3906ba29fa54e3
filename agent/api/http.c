/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libmicrohttpd behind http.h. The files http*.c alone know it.
 *
 * What it does is undone here where it does not serve: it decodes a target before
 * it shows it (so the raw one is caught in the URI log callback); 0.9.75 takes a
 * Content-Length beside a Transfer-Encoding and keeps the connection (so every
 * request with either is refused and its connection closed), and refuses a request
 * without Host with its own header sent twice (so we look at Host ourselves).
 */
#include "agent/api/http.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/api/http_headers.h"
#include "agent/api/http_private.h"
#include "agent/api/request_id.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"

/* More than we take, so that the refusal is ours; beyond it the library answers by itself. */
#define CONNECTION_MEMORY (2 * REST_HEADERS_MAX)

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_config config;
	struct request_ids ids; /* of the server's thread */
	struct http_watches watches;
};

/* One request; the library keeps it for us from the request line to the end of the answer. */
struct exchange {
	char *target;
	bool headers_seen;
	struct command *command; /* NULL: it is not core that answers */
};

static void *begin_exchange(void *cls, const char *target, struct MHD_Connection *c)
{
	struct exchange *x = xcalloc(1, sizeof(*x));

	(void)cls;
	(void)c;
	x->target = xstrdup(target);
	return x;
}

static void end_exchange(void *cls, struct MHD_Connection *c, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;

	(void)cls;
	(void)why;
	http_headers_wipe(c);
	if (x) {
		command_free(x->command);
		free(x->target);
	}
	free(x);
	*state = NULL;
}

/* --- the answer ------------------------------------------------------------------ */

static void wipe_and_free(void *text)
{
	explicit_bzero(text, strlen(text));
	free(text);
}

/* Takes the body or the stream out of the reply. */
static struct MHD_Response *make_response(struct http_server *h, struct MHD_Connection *c,
					  struct rest_reply *reply)
{
	struct list_stream *stream = reply->stream;
	struct watch *watch = reply->watch;
	struct MHD_Response *m;

	reply->stream = NULL;
	reply->watch = NULL;
	if (stream)
		return http_stream_response(stream);
	if (watch)
		return http_watch_response(&h->watches, c, watch);
	if (reply->constant)
		return MHD_create_response_from_buffer(reply->constant_len,
						       (void *)(uintptr_t)reply->constant,
						       MHD_RESPMEM_PERSISTENT);
	if (reply->secret)
		m = MHD_create_response_from_buffer_with_free_callback(
			strlen(buf_cstr(&reply->body)), reply->body.data, wipe_and_free);
	else
		m = MHD_create_response_from_buffer(reply->body.len, reply->body.data,
						    MHD_RESPMEM_MUST_FREE);
	if (m)
		reply->body = (struct buf){ 0 };
	return m;
}

static enum MHD_Result send_reply(struct http_server *h, struct MHD_Connection *c,
				  const struct rest_request *request, struct rest_reply *reply)
{
	struct MHD_Response *m = make_response(h, c, reply);
	enum MHD_Result ok;

	if (!m)
		return MHD_NO;
	ok = http_headers_add(m, request->request_id, reply) ? MHD_YES : MHD_NO;
	if (ok)
		ok = MHD_queue_response(c, reply->status, m);
	MHD_destroy_response(m);
	return ok;
}

/* What the connection tells, besides the request itself. */
static void look_at_connection(struct http_server *h, struct MHD_Connection *c,
			       const char *authorization, struct rest_request *r,
			       char id[static REQUEST_ID_MAX + 1])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (info) {
		r->peer = peer_of(info->connect_fd);
		r->may_write = peer_may_write(info->connect_fd, &r->peer);
	}
	r->bearer = tokens_bearer(h->config.tokens, authorization);
	r->authorization = authorization;
	r->has_cluster = h->config.has_cluster;
	/* On the unix socket the kernel tells who it is, and a token adds nothing to that. */
	if (r->over_tcp)
		r->may_write = r->bearer.claim == BEARER_KNOWN && r->bearer.role == TOKEN_EDITOR;
	r->watches_full = http_watches_full(&h->watches);
	if (!r->request_id)
		r->request_id = request_id_make(&h->ids, id);
}

static enum MHD_Result send_and_free(struct http_server *h, struct MHD_Connection *c,
				     const struct rest_request *request, struct rest_reply *reply)
{
	enum MHD_Result ok = send_reply(h, c, request, reply);

	rest_reply_done(reply);
	return ok;
}

/* A command that was begun: its body, then its answer. */
static enum MHD_Result handle_command(struct http_server *h, struct MHD_Connection *c,
				      struct command *command, const char *upload,
				      size_t *upload_size)
{
	struct rest_reply reply;

	if (http_command_go_on(h->config.commands, command, c, upload, upload_size, &reply) !=
	    HTTP_STEP_ANSWER)
		return MHD_YES;
	if (h->config.answered)
		h->config.answered(h->config.arg, reply.status);
	return send_and_free(h, c, &command->request, &reply);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *decoded,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	struct http_server *h = cls;
	struct exchange *x = *state;
	struct rest_request request = { .method = method,
					.target = x->target,
					.over_tcp = h->config.over_tcp,
					.names = { .node = h->config.node } };
	struct http_headers headers = { .request = &request };
	char id[REQUEST_ID_MAX + 1];
	enum http_step step = HTTP_STEP_OTHER;
	struct rest_reply reply;
	enum MHD_Result ok;

	(void)decoded;
	if (x->command)
		return handle_command(h, c, x->command, upload, upload_size);
	*upload_size = 0;
	request.header_bytes = strlen(method) + strlen(x->target) + strlen(version) + 4;
	http_headers_read(c, version, &headers);
	look_at_connection(h, c, headers.authorization, &request, id);
	if (!x->headers_seen && h->config.commands)
		step = http_command_begin(&request, &x->command, &reply);
	/* Answered now, a request ends its connection: right only for one that had a body. */
	if (step == HTTP_STEP_MORE || (step == HTTP_STEP_OTHER && !x->headers_seen &&
				       !request.has_body && !request.ambiguous)) {
		x->headers_seen = true;
		http_headers_done(&headers);
		return MHD_YES;
	}
	if (step == HTTP_STEP_OTHER)
		h->config.answer(h->config.arg, &request, &reply);
	else if (h->config.answered)
		h->config.answered(h->config.arg, reply.status);
	ok = send_and_free(h, c, &request, &reply);
	http_headers_done(&headers);
	return ok;
}

/* --- the server ------------------------------------------------------------------ */

static struct MHD_Daemon *start_daemon(struct http_server *h)
{
	sigset_t all, before;
	struct MHD_Daemon *d;

	/* The thread inherits the mask: signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
			     NULL, handle, h, MHD_OPTION_LISTEN_SOCKET, h->config.fd,
			     MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
			     MHD_OPTION_CONNECTION_TIMEOUT, h->config.idle_s,
			     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
			     MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, NULL,
			     MHD_OPTION_NOTIFY_COMPLETED, end_exchange, NULL, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return d;
}

int http_start(const struct http_config *c, struct http_server **out, struct err *err)
{
	struct http_server *h = xcalloc(1, sizeof(*h));
	int flags = fcntl(c->fd, F_GETFL);

	h->config = *c;
	request_ids_begin(&h->ids);
	http_watches_begin(&h->watches);
	if (flags >= 0 && fcntl(c->fd, F_SETFL, flags | O_NONBLOCK) == 0)
		h->daemon = start_daemon(h);
	if (!h->daemon) {
		close(c->fd);
		http_watches_done(&h->watches);
		free(h);
		return err_set(err, -EIO, "the HTTP server does not start");
	}
	*out = h;
	return 0;
}

void http_wake(struct http_server *h)
{
	http_watches_wake(&h->watches);
}

void http_stop(struct http_server *h)
{
	if (!h)
		return;
	http_watches_end(&h->watches);
	MHD_stop_daemon(h->daemon); /* closes the listening socket */
	http_watches_done(&h->watches);
	free(h);
}
