/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libmicrohttpd with TLS, run by our own loop: everything here is one thread. A
 * connection that waits for core is suspended, and resumed by core's answer.
 */
#include "agent/api/front.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/api/front_certificate.h"
#include "agent/api/http_headers.h"
#include "agent/api/problem.h"
#include "agent/api/request_id.h"
#include "agent/api/schema.h"
#include "agent/api/watch.h"
#include "agent/base/channel.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"

/* More than core takes, so that the refusal is core's; beyond it the library answers by itself. */
#define CONNECTION_MEMORY (2 * REST_HEADERS_MAX)
#define PRIORITIES	  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SAFE_RENEGOTIATION"

struct front {
	struct loop *loop;
	struct front_config config;
	struct MHD_Daemon *daemon;
	loop_fd_id epoll_id;
	timer_id timer; /* the library's */
	bool pump_again;
	struct channel *core; /* NULL: there is none */
	uint32_t last_id;
	struct map exchanges; /* that core was asked for, by their ids */
	struct request_ids ids;
};

/* A connection. */
struct visit {
	struct front *front;
	struct MHD_Connection *connection;
	int fd;
	timer_id deadline;
	bool subject_read;
	struct subject subject; /* of its certificate, after the handshake */
};

/* One request; the library keeps it for us from the request line to the end of the answer. */
struct exchange {
	struct front *front;
	struct MHD_Connection *connection;
	char *target;
	uint32_t id;	   /* 0: core was not asked yet */
	bool headers_seen; /* and found to have no body */
	bool in_body;
	bool may_send;	/* a piece of the body */
	bool suspended; /* until core says something */
	bool replied;
	bool ended; /* core has said its last */
	bool broken;
	struct front_reply reply;
	struct buf piece;
	size_t sent; /* of it */
};

static bool has_id(const void *object, const void *key)
{
	return ((const struct exchange *)object)->id == *(const uint32_t *)key;
}

/* --- the library's turn -------------------------------------------------------------- */

static void pump(struct front *f);

static void on_epoll(void *arg, uint32_t events)
{
	(void)events;
	pump(arg);
}

static void on_timer(void *arg)
{
	struct front *f = arg;

	f->timer = 0;
	pump(f);
}

static void pump(struct front *f)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(f->daemon);
	loop_cancel(f->loop, f->timer);
	f->timer = 0;
	if (MHD_get_timeout(f->daemon, &ms) == MHD_YES)
		f->timer = loop_timer_in(f->loop, ms < 60000 ? (int64_t)ms : 60000, on_timer, f);
}

static void pump_later(void *arg)
{
	struct front *f = arg;

	f->pump_again = false;
	pump(f);
}

static void suspend(struct exchange *x)
{
	x->suspended = true;
	MHD_suspend_connection(x->connection);
}

static void resume(struct exchange *x)
{
	if (!x->suspended)
		return;
	x->suspended = false;
	MHD_resume_connection(x->connection);
	if (!x->front->pump_again)
		loop_defer(x->front->loop, pump_later, x->front);
	x->front->pump_again = true;
}

/* --- connections, and how long they may take ------------------------------------------- */

static struct visit *visit_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* The library finds the end of it, and cleans up. */
static void cut_off(void *arg)
{
	struct visit *v = arg;

	v->deadline = 0;
	shutdown(v->fd, SHUT_RDWR);
	pump_later(v->front);
}

static void set_deadline(struct visit *v, int64_t ms, timer_fn *fn)
{
	if (!v)
		return;
	loop_cancel(v->front->loop, v->deadline);
	v->deadline = fn ? loop_timer_in(v->front->loop, ms, fn, v) : 0;
}

static gnutls_session_t session_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info ? info->tls_session : NULL;
}

static bool handshake_is_done(struct MHD_Connection *c)
{
	gnutls_session_t s = session_of(c);

	return s && gnutls_handshake_get_last_in(s) == GNUTLS_HANDSHAKE_FINISHED;
}

static void handshake_is_due(void *arg)
{
	struct visit *v = arg;

	if (handshake_is_done(v->connection))
		set_deadline(v, v->front->config.head_ms, cut_off);
	else
		cut_off(v);
}

static void visit_begin(struct front *f, struct MHD_Connection *c, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct visit *v = xcalloc(1, sizeof(*v));

	v->front = f;
	v->connection = c;
	v->fd = info ? info->connect_fd : -1;
	*context = v;
	if (f->config.client_ca)
		front_certificate_verify(session_of(c));
	set_deadline(v, f->config.handshake_ms, handshake_is_due);
}

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct visit *v = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		visit_begin(cls, c, context);
		return;
	}
	set_deadline(v, 0, NULL);
	free(v);
	*context = NULL;
}

/* --- to core ------------------------------------------------------------------------------ */

static void send_id(struct front *f, uint16_t type, uint32_t id)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_u32(&b, id);
	channel_send(f->core, type, &b);
}

/* False: there is too much of it. */
static bool send_request(struct exchange *x, const struct front_request *m)
{
	struct front *f = x->front;
	struct buf b = { 0 };
	bool fits;

	buf_reserve(&b, CHANNEL_BODY_MAX);
	wire_put_front_request(&b, m);
	fits = b.len <= CHANNEL_BODY_MAX;
	if (fits) {
		x->id = m->id;
		map_put(&f->exchanges, hash_table_u64(x->id), x);
		channel_send_secret(f->core, FRONT_MSG_REQUEST, &b);
	}
	buf_wipe(&b);
	return fits;
}

static void send_body(struct exchange *x, const char *data, size_t len)
{
	const struct front_piece p = { .id = x->id,
				       .end = len ? FRONT_GOES_ON : FRONT_LAST,
				       .data = (const uint8_t *)data,
				       .len = len };
	struct buf b = { 0 };

	buf_reserve(&b, len + 8);
	wire_put_front_piece(&b, &p);
	channel_send_secret(x->front->core, FRONT_MSG_BODY, &b); /* it may be one */
	buf_wipe(&b);
}

static uint32_t next_id(struct front *f)
{
	do
		f->last_id++;
	while (!f->last_id || map_get(&f->exchanges, hash_table_u64(f->last_id), &f->last_id));
	return f->last_id;
}

/* --- the answer --------------------------------------------------------------------------- */

/* What core sent, and then what it sends when it is asked for more. */
static ssize_t read_answer(void *cls, uint64_t at, char *out, size_t max)
{
	struct exchange *x = cls;
	size_t left = x->piece.len - x->sent;

	(void)at;
	if (left) {
		left = left < max ? left : max;
		memcpy(out, x->piece.data + x->sent, left);
		x->sent += left;
		return (ssize_t)left;
	}
	if (x->broken)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (x->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	send_id(x->front, FRONT_MSG_PULL, x->id);
	suspend(x);
	return 0;
}

static struct MHD_Response *make_response(struct exchange *x)
{
	const struct front_reply *r = &x->reply;

	/* Of ours, which is whole, or of none. */
	if (!x->id || !r->length)
		return MHD_create_response_from_buffer(r->reply.body.len, r->reply.body.data,
						       MHD_RESPMEM_MUST_COPY);
	return MHD_create_response_from_callback(
		r->length == FRONT_LENGTH_UNKNOWN ? MHD_SIZE_UNKNOWN : r->length, FRONT_PIECE_MAX,
		read_answer, x, NULL);
}

static enum MHD_Result send_reply(struct exchange *x)
{
	struct front_reply *r = &x->reply;
	struct MHD_Response *m = make_response(x);
	enum MHD_Result ok;

	if (!m)
		return MHD_NO;
	set_deadline(visit_of(x->connection), 0, NULL); /* from here on it is idle_s */
	if (r->reply.type && strcmp(r->reply.type, REST_SSE) == 0)
		MHD_set_connection_option(x->connection, MHD_CONNECTION_OPTION_TIMEOUT,
					  2u * WATCH_HEARTBEAT_S);
	ok = http_headers_add(m, r->request_id, &r->reply) ? MHD_YES : MHD_NO;
	if (ok)
		ok = MHD_queue_response(x->connection, r->reply.status, m);
	MHD_destroy_response(m);
	return ok;
}

/* An answer of our own: there is no core. */
static void refuse(struct exchange *x, const struct rest_request *q, enum rest_problem p,
		   const char *detail)
{
	char id[REQUEST_ID_MAX + 1];
	const char *name = q->request_id ? q->request_id : request_id_make(&x->front->ids, id);
	struct rest_request named = *q;

	named.request_id = name;
	problem_answer(&x->reply.reply, p, &named, detail);
	x->reply.reply.close = true;
	x->reply.request_id = arena_strdup(&x->reply.texts, name);
	x->id = 0;
	x->replied = x->ended = true;
}

/* --- from core ---------------------------------------------------------------------------- */

static void forget(struct exchange *x)
{
	if (x->id)
		(void)map_take(&x->front->exchanges, hash_table_u64(x->id), &x->id);
}

static bool on_reply(struct front *f, struct wire *body)
{
	struct front_reply m;
	struct exchange *x;

	wire_front_reply(body, &m);
	x = wire_end(body) ? map_get(&f->exchanges, hash_table_u64(m.id), &m.id) : NULL;
	if (!x || x->replied) {
		bool good = wire_end(body) && !x; /* the client is gone */

		front_reply_done(&m);
		return good;
	}
	x->reply = m;
	x->replied = true;
	if (!m.length) {
		x->ended = true;
		forget(x);
	}
	resume(x);
	return true;
}

static bool on_piece(struct front *f, struct wire *body)
{
	struct front_piece p;
	struct exchange *x;

	wire_front_piece(body, &p);
	if (!wire_end(body))
		return false;
	x = map_get(&f->exchanges, hash_table_u64(p.id), &p.id);
	if (!x)
		return true;
	if (!x->replied || x->ended)
		return false;
	if (x->reply.reply.secret)
		buf_wipe(&x->piece);
	buf_reset(&x->piece);
	buf_put(&x->piece, p.data, p.len);
	x->sent = 0;
	x->ended = p.end != FRONT_GOES_ON;
	x->broken = p.end == FRONT_BROKEN;
	if (x->ended)
		forget(x);
	resume(x);
	return true;
}

static bool on_more(struct front *f, struct wire *body)
{
	uint32_t id = wire_u32(body);
	struct exchange *x = map_get(&f->exchanges, hash_table_u64(id), &id);

	if (!wire_end(body))
		return false;
	if (!x)
		return true;
	if (x->replied || x->may_send)
		return false;
	x->may_send = true;
	resume(x);
	return true;
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	if (fd >= 0) {
		close(fd);
		return false;
	}
	switch (type) {
	case FRONT_MSG_REPLY:
		return on_reply(arg, body);
	case FRONT_MSG_PIECE:
		return on_piece(arg, body);
	case FRONT_MSG_MORE:
		return on_more(arg, body);
	default:
		return false;
	}
}

/* Whoever waits for core is told, or cut off where the answer has begun. */
static void lose_core(struct front *f)
{
	struct exchange *x;
	size_t pos = 0;

	channel_free(f->core);
	f->core = NULL;
	while ((x = map_next(&f->exchanges, &pos))) {
		static const struct rest_request nobody = { .method = "GET", .target = "/" };

		forget(x);
		if (x->replied)
			x->ended = x->broken = true;
		else
			refuse(x, &nobody, PROBLEM_NOT_READY,
			       "the agent was started anew: a look will tell whether it was done");
		resume(x);
	}
}

static void on_closed(void *arg, const char *why)
{
	if (strcmp(why, "peer closed") != 0)
		log_error("http", "core is cut off: %s", why);
	lose_core(arg);
}

void front_connect(struct front *f, int fd)
{
	const struct channel_handler h = { on_message, on_closed, f };
	CLEANUP(buf_done) struct buf b = { 0 };
	int r;

	lose_core(f);
	r = channel_new(f->loop, fd, &h, &f->core);
	if (r < 0) {
		log_error("http", "no channel to core: %s", strerror(-r));
		return;
	}
	wire_put_front_hello(&b, &f->config.hello);
	channel_send(f->core, FRONT_MSG_HELLO, &b);
}

/* --- requests ----------------------------------------------------------------------------- */

static void *begin_exchange(void *cls, const char *target, struct MHD_Connection *c)
{
	struct exchange *x = xcalloc(1, sizeof(*x));

	x->front = cls;
	x->connection = c;
	x->target = xstrdup(target);
	return x;
}

static void end_exchange(void *cls, struct MHD_Connection *c, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;
	struct front *f = cls;

	(void)why;
	http_headers_wipe(c);
	set_deadline(visit_of(c), f->config.head_ms, cut_off); /* for the next one */
	*state = NULL;
	if (!x)
		return;
	if (x->id && !x->ended) {
		forget(x);
		if (f->core)
			send_id(f, FRONT_MSG_GONE, x->id);
	}
	front_reply_done(&x->reply);
	buf_wipe(&x->piece);
	free(x->target);
	free(x);
}

/* As the handshake has shown it, which is the connection's only one. */
static struct subject subject_of(struct exchange *x)
{
	struct visit *v = visit_of(x->connection);

	if (!v || !x->front->config.client_ca)
		return (struct subject){ 0 };
	if (!v->subject_read)
		front_certificate_subject(session_of(x->connection), &v->subject);
	v->subject_read = true;
	return v->subject;
}

static struct addr address_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;
	struct addr a = { 0 };

	if (sa && sa->sa_family == AF_INET) {
		a.family = AF_INET;
		memcpy(a.bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa && sa->sa_family == AF_INET6) {
		a.family = AF_INET6;
		memcpy(a.bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	}
	return a;
}

static void ask_core(struct exchange *x, struct http_headers *h)
{
	const struct front_request m = { .id = next_id(x->front),
					 .request = *h->request,
					 .authorization = h->authorization,
					 .subject = subject_of(x),
					 .from = address_of(x->connection) };

	/* Of the client, not of core, which always answers. */
	set_deadline(visit_of(x->connection), x->front->config.body_ms,
		     h->request->has_body ? cut_off : NULL);
	if (!x->front->core)
		refuse(x, h->request, PROBLEM_NOT_READY, "the agent is starting");
	else if (!send_request(x, &m))
		refuse(x, h->request, PROBLEM_HEADERS_TOO_LARGE, NULL);
	else
		suspend(x);
}

/* The head is here: core is asked once it is known that nothing else comes that it has to refuse. */
static enum MHD_Result take_head(struct exchange *x, const char *method, const char *version)
{
	struct rest_request q = { .method = method, .target = x->target };
	struct http_headers h = { .request = &q };

	q.header_bytes = strlen(method) + strlen(x->target) + strlen(version) + 4;
	http_headers_read(x->connection, version, &h);
	/* Answered now, a request ends its connection: right only for one that had a body. */
	if (!x->headers_seen && !q.has_body && !q.ambiguous)
		x->headers_seen = true;
	else
		ask_core(x, &h);
	http_headers_done(&h);
	return x->replied ? send_reply(x) : MHD_YES;
}

static enum MHD_Result take_body(struct exchange *x, const char *upload, size_t *size)
{
	size_t n = *size < FRONT_PIECE_MAX ? *size : FRONT_PIECE_MAX;

	if (!x->in_body) {
		x->in_body = true; /* the library asks once more for what it has asked already */
		return MHD_YES;
	}
	if (!x->may_send)
		return MHD_NO;
	x->may_send = false;
	send_body(x, upload, n);
	if (!n)
		set_deadline(visit_of(x->connection), 0, NULL);
	*size -= n;
	suspend(x);
	return MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *decoded,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	struct exchange *x = *state;

	(void)cls;
	(void)c;
	(void)decoded;
	if (x->replied && *upload_size) {
		*upload_size = 0; /* of no use any more, and the connection ends */
		return MHD_YES;
	}
	if (x->replied)
		return send_reply(x);
	if (x->id)
		return take_body(x, upload, upload_size);
	*upload_size = 0;
	return take_head(x, method, version);
}

/* --- start and end ------------------------------------------------------------------------ */

static int watch_daemon(struct front *f)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(f->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return info ? loop_add_fd(f->loop, info->epoll_fd, EPOLLIN, on_epoll, f, &f->epoll_id)
		    : -EIO;
}

static struct MHD_Daemon *start_daemon(struct front *f)
{
	/* With it the library asks for a certificate, and goes on without one. */
	enum MHD_OPTION trust = f->config.client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END;

	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, f,
		MHD_OPTION_LISTEN_SOCKET, f->config.fd, MHD_OPTION_HTTPS_MEM_KEY, f->config.key,
		MHD_OPTION_HTTPS_MEM_CERT, f->config.certificate, MHD_OPTION_HTTPS_PRIORITIES,
		PRIORITIES, MHD_OPTION_CONNECTION_LIMIT, (unsigned)FRONT_CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, f->config.per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, f->config.idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, f,
		MHD_OPTION_NOTIFY_COMPLETED, end_exchange, f, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, f, trust, f->config.client_ca, MHD_OPTION_END);
}

int front_new(struct loop *l, const struct front_config *c, struct front **out, struct err *err)
{
	struct front *f = xcalloc(1, sizeof(*f));
	int flags = fcntl(c->fd, F_GETFL);
	int r;

	f->loop = l;
	f->config = *c;
	map_init(&f->exchanges, has_id);
	request_ids_begin(&f->ids);
	if (flags >= 0 && fcntl(c->fd, F_SETFL, flags | O_NONBLOCK) == 0)
		f->daemon = start_daemon(f);
	if (!f->daemon)
		close(c->fd);
	r = f->daemon ? watch_daemon(f) : -EINVAL;
	if (r < 0) {
		front_free(f);
		return err_set(err, r,
			       "TLS does not start: the certificate and the key do not "
			       "belong together, or are none");
	}
	*out = f;
	return 0;
}

/* The library does not end what is suspended. */
static void resume_all(struct front *f)
{
	lose_core(f);
	MHD_run(f->daemon);
}

void front_free(struct front *f)
{
	if (!f)
		return;
	if (f->daemon) {
		resume_all(f);
		loop_del_fd(f->loop, f->epoll_id);
		MHD_stop_daemon(f->daemon); /* closes the listening socket */
	}
	loop_cancel(f->loop, f->timer);
	loop_undefer(f->loop, f);
	channel_free(f->core);
	map_done(&f->exchanges);
	free(f);
}
