/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/remote.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/api/http_private.h"
#include "agent/api/problem.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/channel.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/map.h"
#include "agent/base/thread.h"
#include "agent/base/xalloc.h"

struct remote {
	struct remote_config config;
	struct loop *loop;
	pthread_t thread;
	int wake_fd;
	loop_fd_id wake_id;
	pthread_mutex_t lock; /* never held over what waits */
	/* Under it: */
	int new_fd; /* of another http process; -1: none */
	bool ending;
	bool greeted;
	struct front_hello hello;
	/* The thread's: */
	struct channel *channel;
	struct map exchanges;  /* by their ids */
	struct exchange *left; /* whose client is gone while core has the command */
	size_t left_count;
	size_t watches;
	struct request_ids ids;
};

/* From a request to the last piece of its answer. */
struct exchange {
	uint32_t id;
	struct command *held; /* the request, while its token is under review; else NULL */
	struct addr from;
	struct command *command; /* NULL: it was not for core */
	bool takes_body;	 /* the next piece was asked for */
	bool replied;
	bool pulled; /* the client has room for a piece */
	struct rest_reply reply;
	/* Who let a watch in: */
	struct bearer bearer;
	char *token;	       /* a cluster's, and a secret; NULL: it is none of those */
	size_t sent;	       /* of its body, or of `ahead` */
	struct buf ahead;      /* of a list or a watch */
	bool ended;	       /* there is no more than `ahead` */
	mono_t deadline;       /* of a list */
	mono_t spoke;	       /* a watch, the last time */
	struct exchange *next; /* of `left` */
};

static bool has_id(const void *object, const void *key)
{
	return ((const struct exchange *)object)->id == *(const uint32_t *)key;
}

static struct exchange *find(const struct remote *r, uint32_t id)
{
	return map_get(&r->exchanges, hash_table_u64(id), &id);
}

static void exchange_free(struct remote *r, struct exchange *x)
{
	if (x->reply.watch)
		r->watches--;
	command_free(x->held);
	command_free(x->command);
	if (x->token)
		explicit_bzero(x->token, strlen(x->token));
	free(x->token);
	rest_reply_done(&x->reply);
	buf_done(&x->ahead);
	free(x);
}

/* A command that is core's cannot be freed before it is answered. */
static void end_exchange(struct remote *r, struct exchange *x)
{
	(void)map_take(&r->exchanges, hash_table_u64(x->id), &x->id);
	if (x->command && x->command->posted && !x->replied) {
		x->next = r->left;
		r->left = x;
		r->left_count++;
		return;
	}
	exchange_free(r, x);
}

static void send_id(struct remote *r, uint16_t type, uint32_t id)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_u32(&b, id);
	channel_send(r->channel, type, &b);
}

/* --- the answer ------------------------------------------------------------------- */

/* Ends the exchange where it is the last piece. */
static void send_piece(struct remote *r, struct exchange *x, const void *data, size_t len,
		       enum front_end end)
{
	const struct front_piece p = { .id = x->id, .end = end, .data = data, .len = len };
	struct buf b = { 0 };

	x->pulled = false;
	wire_put_front_piece(&b, &p);
	if (x->reply.secret)
		channel_send_secret(r->channel, FRONT_MSG_PIECE, &b);
	else
		channel_send(r->channel, FRONT_MSG_PIECE, &b);
	buf_wipe(&b);
	if (end != FRONT_GOES_ON)
		end_exchange(r, x);
}

static size_t piece_of(size_t left)
{
	return left < FRONT_PIECE_MAX ? left : FRONT_PIECE_MAX;
}

static const void *body_of(const struct rest_reply *p, size_t *len)
{
	*len = p->constant ? p->constant_len : p->body.len;
	return p->constant ? p->constant : p->body.data;
}

static void give_body(struct remote *r, struct exchange *x)
{
	size_t len;
	const char *data = body_of(&x->reply, &len);
	size_t n = piece_of(len - x->sent), from = x->sent;

	x->sent += n;
	send_piece(r, x, data + from, n, x->sent == len ? FRONT_LAST : FRONT_GOES_ON);
}

static void give_ahead(struct remote *r, struct exchange *x)
{
	size_t n = piece_of(x->ahead.len - x->sent), from = x->sent;
	bool last = x->ended && from + n == x->ahead.len;

	x->sent += n;
	send_piece(r, x, x->ahead.data + from, n, last ? FRONT_LAST : FRONT_GOES_ON);
}

static void give_list(struct remote *r, struct exchange *x)
{
	if (!mono_before(clock_mono(&clock_system), x->deadline)) {
		send_piece(r, x, NULL, 0, FRONT_BROKEN);
		return;
	}
	if (x->sent == x->ahead.len && !x->ended) {
		buf_reset(&x->ahead);
		x->sent = 0;
		x->ended = !list_stream_read(x->reply.stream, &x->ahead, FRONT_PIECE_MAX);
	}
	give_ahead(r, x);
}

static bool heartbeat_is_due(const struct exchange *x)
{
	mono_t due = mono_add_ms(x->spoke, WATCH_HEARTBEAT_S * 1000);

	return !mono_before(clock_mono(&clock_system), due);
}

static void remember_who(struct exchange *x, const struct rest_request *q)
{
	const char *token = q->reviewed.claim == REVIEW_SOMEBODY ? rest_cluster_token(q) : NULL;

	x->bearer = q->bearer;
	x->token = token ? xstrdup(token) : NULL;
}

enum right { RIGHT_HOLDS, RIGHT_IS_GONE, RIGHT_WAITS };

/* That of a certificate holds for as long as we run, by whose configuration it is given. */
static enum right right_of(struct remote *r, const struct exchange *x)
{
	struct reviewed now;

	if (x->bearer.claim == BEARER_KNOWN)
		return tokens_hold(r->config.tokens, &x->bearer) ? RIGHT_HOLDS : RIGHT_IS_GONE;
	if (!x->token)
		return RIGHT_HOLDS;
	now = reviews_look(r->config.reviews, x->token, &x->from);
	if (now.claim == REVIEW_WAITS || now.claim == REVIEW_TOO_MANY)
		return RIGHT_WAITS;
	return now.claim == REVIEW_SOMEBODY && now.may_read ? RIGHT_HOLDS : RIGHT_IS_GONE;
}

/*
 * Nothing where there is nothing to tell: the client waits. A watch goes on for days, and each
 * piece is for who may still have it: asked for again, it is refused with the reason.
 */
static void give_watch(struct remote *r, struct exchange *x)
{
	enum right right;

	if (x->sent == x->ahead.len) {
		buf_reset(&x->ahead);
		x->sent = 0;
		if (!watch_read(x->reply.watch, &x->ahead) && heartbeat_is_due(x))
			buf_str(&x->ahead, ":\n\n");
		if (!x->ahead.len)
			return;
		x->spoke = clock_mono(&clock_system);
	}
	right = right_of(r, x);
	if (right == RIGHT_IS_GONE)
		send_piece(r, x, NULL, 0, FRONT_LAST);
	else if (right == RIGHT_HOLDS)
		give_ahead(r, x);
}

static void give(struct remote *r, struct exchange *x)
{
	if (x->reply.stream)
		give_list(r, x);
	else if (x->reply.watch)
		give_watch(r, x);
	else
		give_body(r, x);
}

static uint64_t length_of(const struct rest_reply *p)
{
	size_t len;

	if (p->stream || p->watch)
		return FRONT_LENGTH_UNKNOWN;
	(void)body_of(p, &len);
	return len;
}

/* Takes the reply over. One without a body ends the exchange. */
static void send_reply(struct remote *r, struct exchange *x, struct rest_reply *reply,
		       const char *request_id)
{
	struct front_reply m = { .id = x->id, .length = length_of(reply), .reply = *reply };
	CLEANUP(buf_done) struct buf b = { 0 };

	m.request_id = request_id;
	wire_put_front_reply(&b, &m);
	x->reply = m.reply;
	x->replied = true;
	x->spoke = clock_mono(&clock_system);
	x->deadline = mono_add_ms(x->spoke, HTTP_STREAM_S * 1000);
	if (x->reply.watch)
		r->watches++;
	channel_send(r->channel, FRONT_MSG_REPLY, &b);
	if (m.length == 0)
		end_exchange(r, x);
}

static void count(struct remote *r, unsigned status)
{
	if (r->config.answered)
		r->config.answered(r->config.arg, status);
}

/* --- commands --------------------------------------------------------------------- */

static void wake(void *arg)
{
	remote_wake(arg);
}

static void post(struct remote *r, struct exchange *x)
{
	x->command->wake = wake;
	x->command->wake_arg = r;
	command_post(r->config.commands, x->command);
}

/* False: not yet. Then it is gone, where it has no body. */
static bool take_command_reply(struct remote *r, struct exchange *x)
{
	struct rest_reply reply;

	if (!x->command || !x->command->posted || x->replied ||
	    !command_take_reply(x->command, &reply))
		return false;
	count(r, reply.status);
	send_reply(r, x, &reply, x->command->request.request_id);
	return true;
}

static void refuse_command(struct remote *r, struct exchange *x, enum rest_problem p)
{
	struct rest_reply reply = { .close = true };

	problem_answer(&reply, p, &x->command->request, NULL);
	count(r, reply.status);
	send_reply(r, x, &reply, x->command->request.request_id);
}

static void ask_for_body(struct remote *r, struct exchange *x)
{
	x->takes_body = true;
	send_id(r, FRONT_MSG_MORE, x->id);
}

/* --- what comes ------------------------------------------------------------------- */

/* However long it says it is. */
static size_t text_bytes(const struct front_request *m)
{
	const struct rest_request *q = &m->request;
	const char *const texts[] = { q->method, q->target, q->host, q->accept, m->authorization };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		n += texts[i] ? strlen(texts[i]) : 0;
	return n;
}

static bool may_write(const struct rest_request *q)
{
	if (q->bearer.claim == BEARER_NONE)
		return q->holder.claim == HOLDER_KNOWN && q->holder.role == TOKEN_EDITOR;
	if (q->bearer.claim == BEARER_KNOWN)
		return q->bearer.role == TOKEN_EDITOR;
	return q->reviewed.claim == REVIEW_SOMEBODY && q->reviewed.may_read &&
	       q->reviewed.may_write;
}

/* What the http process does not say, or is not believed. */
static void complete(struct remote *r, struct front_request *m, char id[static REQUEST_ID_MAX + 1])
{
	struct rest_request *q = &m->request;

	q->over_tcp = q->remote = true;
	q->names = r->config.names;
	q->bearer = tokens_bearer(r->config.tokens, m->authorization);
	if (q->bearer.claim == BEARER_NONE)
		q->holder = holder_of(r->config.holders, &m->subject);
	q->may_write = may_write(q);
	q->has_cluster = r->config.reviews != NULL;
	if (q->has_cluster && q->bearer.claim == BEARER_UNKNOWN)
		q->authorization = m->authorization;
	q->watches_full = r->watches >= FRONT_WATCHES_MAX;
	if (text_bytes(m) > q->header_bytes)
		q->header_bytes = text_bytes(m);
	if (!q->request_id)
		q->request_id = request_id_make(&r->ids, id);
}

/* An honest http process has no more clients than that, but those may leave and come again. */
static bool is_crowded(const struct remote *r)
{
	return r->exchanges.count + r->left_count > FRONT_CONNECTIONS_MAX;
}

static void answer(struct remote *r, struct exchange *x, const struct rest_request *q)
{
	enum http_step step = HTTP_STEP_OTHER;
	struct rest_reply reply;

	if (r->config.commands)
		step = http_command_begin(q, &x->command, &reply);
	if (step == HTTP_STEP_MORE) {
		if (is_crowded(r))
			refuse_command(r, x, PROBLEM_BUSY);
		else if (q->has_body)
			ask_for_body(r, x);
		else
			post(r, x);
		return;
	}
	if (step == HTTP_STEP_OTHER)
		r->config.answer(r->config.arg, q, &reply);
	else
		count(r, reply.status);
	if (reply.watch)
		remember_who(x, q);
	send_reply(r, x, &reply, q->request_id);
}

/* --- tokens of a cluster ---------------------------------------------------------- */

/* That of who asks for more than anybody may see, and shows none of ours; NULL: none. */
static const char *token_to_review(const struct remote *r, const struct rest_request *q)
{
	const char *token = r->config.reviews ? rest_cluster_token(q) : NULL;

	return token && rest_transport_problem(q) == PROBLEM_BAD_TOKEN ? token : NULL;
}

/* False: one has to wait for what the API server says. */
static bool is_reviewed(struct remote *r, const struct exchange *x, struct rest_request *q)
{
	const char *token = token_to_review(r, q);

	if (!token)
		return true;
	q->reviewed = reviews_look(r->config.reviews, token, &x->from);
	q->may_write = may_write(q);
	return q->reviewed.claim != REVIEW_WAITS;
}

/* A copy without room for its body, which anybody could make us hold for the asking. */
static void hold(struct exchange *x, const struct rest_request *q)
{
	struct rest_request bare = *q;

	bare.length = 0;
	x->held = command_new(&bare);
	x->held->request.length = q->length;
	x->held->request.reviewed = (struct reviewed){ 0 };
}

static void look_again(struct remote *r, struct exchange *x)
{
	struct command *held = x->held;

	if (!is_reviewed(r, x, &held->request)) {
		held->request.reviewed = (struct reviewed){ 0 };
		return;
	}
	x->held = NULL;
	answer(r, x, &held->request);
	command_free(held);
}

static void begin(struct remote *r, struct exchange *x, struct front_request *m)
{
	char id[REQUEST_ID_MAX + 1];

	complete(r, m, id);
	x->from = m->from;
	if (is_reviewed(r, x, &m->request))
		answer(r, x, &m->request);
	else
		hold(x, &m->request);
}

static bool on_request(struct remote *r, struct wire *body)
{
	struct front_request m;
	bool good;

	wire_front_request(body, &m);
	good = wire_end(body) && !find(r, m.id) && r->exchanges.count < FRONT_CONNECTIONS_MAX;
	if (good) {
		struct exchange *x = xcalloc(1, sizeof(*x));

		x->id = m.id;
		map_put(&r->exchanges, hash_table_u64(x->id), x);
		begin(r, x, &m);
	}
	front_request_done(&m);
	return good;
}

/* Of an exchange that ended meanwhile it is dropped; asked for it has been. */
static bool on_body(struct remote *r, struct wire *body)
{
	struct front_piece p;
	struct exchange *x;

	wire_front_piece(body, &p);
	if (!wire_end(body) || p.end == FRONT_BROKEN)
		return false;
	x = find(r, p.id);
	if (!x)
		return true;
	if (!x->takes_body)
		return false;
	x->takes_body = false;
	command_add(x->command, (const char *)p.data, p.len);
	if (x->command->too_large)
		refuse_command(r, x, PROBLEM_TOO_LARGE);
	else if (p.end == FRONT_LAST)
		post(r, x);
	else
		ask_for_body(r, x);
	return true;
}

static bool on_id(struct remote *r, uint16_t type, struct wire *body)
{
	uint32_t id = wire_u32(body);
	struct exchange *x = find(r, id);

	if (!wire_end(body))
		return false;
	if (!x)
		return true;
	if (type == FRONT_MSG_GONE) {
		end_exchange(r, x);
		return true;
	}
	if (!x->replied || x->pulled)
		return false;
	x->pulled = true;
	give(r, x);
	return true;
}

static bool on_hello(struct remote *r, struct wire *body)
{
	struct front_hello hello;

	wire_front_hello(body, &hello);
	if (!wire_end(body))
		return false;
	pthread_mutex_lock(&r->lock);
	r->greeted = true;
	r->hello = hello;
	pthread_mutex_unlock(&r->lock);
	return true;
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct remote *r = arg;

	if (fd >= 0) {
		close(fd);
		return false;
	}
	switch (type) {
	case FRONT_MSG_HELLO:
		return on_hello(r, body);
	case FRONT_MSG_REQUEST:
		return on_request(r, body);
	case FRONT_MSG_BODY:
		return on_body(r, body);
	case FRONT_MSG_PULL:
	case FRONT_MSG_GONE:
		return on_id(r, type, body);
	default:
		return false;
	}
}

/* --- the thread ------------------------------------------------------------------- */

static void disconnect(struct remote *r)
{
	struct exchange *x;
	size_t pos = 0;

	channel_free(r->channel);
	r->channel = NULL;
	while ((x = map_next(&r->exchanges, &pos)))
		end_exchange(r, x);
	pthread_mutex_lock(&r->lock);
	r->greeted = false;
	pthread_mutex_unlock(&r->lock);
}

static void on_closed(void *arg, const char *why)
{
	if (strcmp(why, "peer closed") != 0)
		log_error("api", "the http process is cut off: %s", why);
	disconnect(arg);
}

static void connect_to(struct remote *r, int fd)
{
	const struct channel_handler h = { on_message, on_closed, r };
	int e;

	disconnect(r);
	e = channel_new(r->loop, fd, &h, &r->channel);
	if (e < 0)
		log_error("api", "no channel to the http process: %s", strerror(-e));
}

static void free_left(struct remote *r)
{
	struct exchange **at = &r->left;

	while (*at) {
		struct exchange *x = *at;
		struct rest_reply reply;

		if (!command_take_reply(x->command, &reply)) {
			at = &x->next;
			continue;
		}
		count(r, reply.status);
		rest_reply_done(&reply);
		*at = x->next;
		r->left_count--;
		exchange_free(r, x);
	}
}

static void look(struct remote *r)
{
	struct exchange *x;
	size_t pos = 0;

	free_left(r);
	while ((x = map_next(&r->exchanges, &pos))) {
		if (x->held)
			look_again(r, x);
		else if (!take_command_reply(r, x) && x->pulled && x->reply.watch)
			give_watch(r, x);
	}
}

static void on_wake(void *arg, uint32_t events)
{
	struct remote *r = arg;
	eventfd_t n;
	bool ending;
	int fd;

	(void)events;
	(void)eventfd_read(r->wake_fd, &n);
	pthread_mutex_lock(&r->lock);
	fd = r->new_fd;
	r->new_fd = -1;
	ending = r->ending;
	pthread_mutex_unlock(&r->lock);
	if (fd >= 0)
		connect_to(r, fd);
	look(r);
	if (ending)
		loop_stop(r->loop, 0);
}

static void *run(void *arg)
{
	struct remote *r = arg;
	int e = loop_run(r->loop);

	if (e < 0)
		log_error("api", "event loop of remote requests: %s", strerror(-e));
	return NULL;
}

static void remote_free(struct remote *r)
{
	disconnect(r);
	free_left(r);
	if (r->new_fd >= 0)
		close(r->new_fd);
	if (r->loop)
		loop_del_fd(r->loop, r->wake_id);
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	loop_free(r->loop);
	map_done(&r->exchanges);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

int remote_start(const struct remote_config *c, struct remote **out, struct err *err)
{
	struct remote *r = xcalloc(1, sizeof(*r));
	int e;

	r->config = *c;
	r->new_fd = -1;
	map_init(&r->exchanges, has_id);
	request_ids_begin(&r->ids);
	pthread_mutex_init(&r->lock, NULL);
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = r->wake_fd < 0 ? -errno : loop_new(&clock_system, &r->loop);
	if (e == 0)
		e = loop_add_fd(r->loop, r->wake_fd, EPOLLIN, on_wake, r, &r->wake_id);
	if (e == 0 && c->reviews)
		reviews_wake(c->reviews, wake, r);
	if (e == 0)
		e = thread_start(&r->thread, run, r);
	if (e < 0) {
		remote_free(r);
		return err_set(err, e, "no thread for remote requests: %s", strerror(-e));
	}
	*out = r;
	return 0;
}

void remote_connect(struct remote *r, int fd)
{
	pthread_mutex_lock(&r->lock);
	if (r->new_fd >= 0)
		close(r->new_fd);
	r->new_fd = fd;
	pthread_mutex_unlock(&r->lock);
	remote_wake(r);
}

void remote_wake(struct remote *r)
{
	(void)eventfd_write(r->wake_fd, 1);
}

bool remote_hello(struct remote *r, struct front_hello *out)
{
	bool greeted;

	pthread_mutex_lock(&r->lock);
	greeted = r->greeted;
	*out = r->hello;
	pthread_mutex_unlock(&r->lock);
	return greeted;
}

void remote_stop(struct remote *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->ending = true;
	pthread_mutex_unlock(&r->lock);
	remote_wake(r);
	pthread_join(r->thread, NULL);
	remote_free(r);
}
