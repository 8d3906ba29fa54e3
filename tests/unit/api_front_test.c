/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front.c, remote.c: REST beyond loopback, as clients meet it over TLS. The http
 * process's part and core's loop are a thread here, with the channel between them
 * that the parent makes.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/api/api.h"
#include "agent/api/command.h"
#include "agent/api/front.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/channel.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "tests/lib/pki.h"
#include "tests/lib/snapshots.h"

#define NOW	   INT64_C(1795316400000)
#define PATIENCE_S 60 /* a test that takes that long has failed */
#define IDLERS	   1000
#define KEPT_MAX   (FRONT_CONNECTIONS_MAX + 1)

struct ground {
	struct pki *pki;
	struct pki_pair pair;
	uint16_t port;
	struct snapshot_slot *slot;
	struct tokens *tokens;
	char tokens_path[64], ca_path[64];
	char editor[TOKEN_TEXT + 1], viewer[TOKEN_TEXT + 1];
	struct pki *clients; /* who vouches for people */
	bool asks;	     /* for their certificates */
	char user[REST_USER_TEXT_MAX];
	char authorization[64];	 /* as core has it of the last command */
	struct reviews *reviews; /* NULL: a cluster's tokens let nobody in */
	unsigned reviewed;
	struct review *_Atomic slow; /* what is not said yet; set by the loop's thread */
	struct reviewed later;	     /* what is said of eyLater */
	bool keeps;		     /* commands are not answered */
	struct command *kept[KEPT_MAX];
	unsigned kept_count;
	struct api *api;
	struct commands *commands;
	size_t body_len; /* of the last command */
	/* The thread's: */
	struct loop *loop;
	struct front *front;
	pthread_t thread;
	int ask_fd;
	loop_fd_id ask_id;
	pthread_mutex_t lock;
	pthread_cond_t done;
	void (*todo)(struct ground *g);
};

/* The loop's clock, which a test may put forward. */
static _Atomic int64_t ahead_ms;

static mono_t ahead_mono(void *arg)
{
	(void)arg;
	return mono_add_ms(clock_mono(&clock_system), ahead_ms);
}

static int64_t ahead_wall(void *arg)
{
	(void)arg;
	return clock_wall_ms(&clock_system) + ahead_ms;
}

static const struct clock clock_ahead = { ahead_mono, ahead_wall, NULL };

/* --- the thread ---------------------------------------------------------------------- */

static void on_ask(void *arg, uint32_t events)
{
	struct ground *g = arg;
	eventfd_t n;

	(void)events;
	(void)eventfd_read(g->ask_fd, &n);
	pthread_mutex_lock(&g->lock);
	if (g->todo)
		g->todo(g);
	g->todo = NULL;
	pthread_cond_broadcast(&g->done);
	pthread_mutex_unlock(&g->lock);
}

static void *run(void *arg)
{
	assert_int_equal(loop_run(((struct ground *)arg)->loop), 0);
	return NULL;
}

/* Do that in the thread, and wait until it is done. */
static void have_done(struct ground *g, void (*what)(struct ground *g))
{
	pthread_mutex_lock(&g->lock);
	g->todo = what;
	(void)eventfd_write(g->ask_fd, 1);
	while (g->todo)
		pthread_cond_wait(&g->done, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void stop_loop(struct ground *g)
{
	loop_stop(g->loop, 0);
}

static void answer_command(struct command *c)
{
	struct rest_reply reply = { .status = 200, .type = REST_JSON };

	buf_printf(&reply.body, "{\"bytes\":%zu}", c->request.body_len);
	command_answer(c, &reply);
}

static void on_command(void *arg, struct command *c)
{
	struct ground *g = arg;

	g->body_len = c->request.body_len;
	if (!rest_user(&c->request, g->user))
		g->user[0] = '\0';
	snprintf(g->authorization, sizeof(g->authorization), "%s",
		 c->request.authorization ? c->request.authorization : "");
	if (!g->keeps) {
		answer_command(c);
		return;
	}
	assert_true(g->kept_count < KEPT_MAX);
	g->kept[g->kept_count++] = c;
}

static void keep_commands(struct ground *g)
{
	g->keeps = true;
}

static void answer_kept(struct ground *g)
{
	g->keeps = false;
	for (unsigned i = 0; i < g->kept_count; i++)
		answer_command(g->kept[i]);
	g->kept_count = 0;
}

/* An API server that knows a few. */
static void on_review(void *arg, const char *token, struct review *v)
{
	static const struct {
		const char *token;
		struct reviewed what;
	} known[] = {
		{ "eyAlice", { REVIEW_SOMEBODY, true, true, "alice", "" } },
		{ "eyBob", { REVIEW_SOMEBODY, true, false, "bob", "" } },
		{ "eyEve", { REVIEW_SOMEBODY, false, true, "eve", "" } },
		{ "eyAway", { REVIEW_TROUBLE, true, true, "alice", "nobody answers there" } },
	};
	static const struct reviewed nobody = { .claim = REVIEW_NOBODY, .why = "expired" };
	struct ground *g = arg;

	g->reviewed++;
	if (strcmp(token, "eySlow") == 0) {
		g->slow = v;
		return;
	}
	if (strcmp(token, "eyLater") == 0) {
		reviews_said(g->reviews, v, &g->later);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(token, known[i].token) == 0) {
			reviews_said(g->reviews, v, &known[i].what);
			return;
		}
	}
	reviews_said(g->reviews, v, &nobody);
}

static void say_slow(struct ground *g)
{
	static const struct reviewed what = { REVIEW_SOMEBODY, true, true, "slow", "" };

	if (g->slow)
		reviews_said(g->reviews, g->slow, &what);
	g->slow = NULL;
}

static void connect_core(struct ground *g)
{
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	front_connect(g->front, pair[0]);
	api_connect_http(g->api, pair[1]);
}

static void lose_core(struct ground *g)
{
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	close(pair[1]);
	front_connect(g->front, pair[0]);
}

static void begin_front(struct ground *g, const struct front_config *limits)
{
	struct front_config c = *limits;
	struct err err = { 0 };

	c.fd = snapshot_listen_tcp(&g->port);
	c.certificate = g->pair.cert;
	c.key = g->pair.key;
	c.client_ca = g->asks ? pki_ca(g->clients) : NULL;
	assert_int_equal(endpoint_parse("127.0.0.1:1", IPPROTO_TCP, &c.hello.listen), 0);
	snprintf(c.hello.fingerprint, sizeof(c.hello.fingerprint), "AB:CD");
	assert_int_equal(front_new(g->loop, &c, &g->front, &err), 0);
}

static void make_tokens(struct ground *g)
{
	struct problems faults = { 0 };
	struct err err = { 0 };

	snprintf(g->tokens_path, sizeof(g->tokens_path), "/tmp/api_front_test.%d", getpid());
	g->tokens = tokens_open(g->tokens_path, &faults);
	assert_int_equal(tokens_make(g->tokens, "ed", TOKEN_EDITOR, NOW, g->editor, &err), 0);
	assert_int_equal(tokens_make(g->tokens, "vi", TOKEN_VIEWER, NOW, g->viewer, &err), 0);
}

static const char *const editors[] = { "alice", "OU=ops" };
static const char *const viewers[] = { "bob" };
static const struct holder_rules holders = { editors, viewers, ARRAY_LEN(editors),
					     ARRAY_LEN(viewers) };

static int set_up(void **state, const struct front_config *limits, bool asks)
{
	static const char *const others[] = { "lb.example", NULL };
	static const struct origin_names names = { .node = "node-1", .others = others };
	struct ground *g = xcalloc(1, sizeof(*g));
	struct api_config c = { .unix_fd = -1, .tcp_fd = -1, .remote = &names, .writable = true };
	struct err err = { 0 };

	ahead_ms = 0;
	g->asks = asks;
	g->clients = pki_new("people");
	c.holders = asks ? &holders : NULL;
	g->pki = pki_new("front");
	g->pair = pki_issue(g->pki, "localhost,127.0.0.1");
	snprintf(g->ca_path, sizeof(g->ca_path), "/tmp/api_front_test.%d.pem", getpid());
	assert_int_equal(file_write(g->ca_path, pki_ca(g->pki), strlen(pki_ca(g->pki)), &err), 0);
	make_tokens(g);
	assert_int_equal(loop_new(&clock_ahead, &g->loop), 0);
	assert_int_equal(commands_new(g->loop, on_command, g, &g->commands), 0);
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->done, NULL);
	g->ask_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(loop_add_fd(g->loop, g->ask_fd, EPOLLIN, on_ask, g, &g->ask_id), 0);
	g->slot = snapshot_slot_new();
	snapshot_slot_put(g->slot, snapshot_sample(NOW));
	c.commands = g->commands;
	c.tokens = g->tokens;
	if (asks) {
		const struct reviews_place place = { .ask = on_review, .arg = g };

		assert_int_equal(reviews_new(g->loop, &place, &g->reviews), 0);
		c.reviews = g->reviews;
	}
	assert_int_equal(api_start(&c, g->slot, &g->api, &err), 0);
	begin_front(g, limits);
	connect_core(g);
	assert_int_equal(pthread_create(&g->thread, NULL, run, g), 0);
	*state = g;
	return 0;
}

static const struct front_config usual = { .handshake_ms = FRONT_HANDSHAKE_MS,
					   .head_ms = FRONT_HEAD_MS,
					   .body_ms = FRONT_BODY_MS,
					   .idle_s = FRONT_IDLE_S,
					   .per_address = FRONT_CONNECTIONS_MAX };

static int start(void **state)
{
	return set_up(state, &usual, false);
}

/* Certificates let people in, and tokens of a cluster, too. */
static int start_asking(void **state)
{
	return set_up(state, &usual, true);
}

/* So short that a client that dawdles is cut off while the test waits, and no other. */
static int start_impatient(void **state)
{
	return set_up(state,
		      &(struct front_config){ .handshake_ms = 1500,
					      .head_ms = 500,
					      .body_ms = 500,
					      .idle_s = FRONT_IDLE_S,
					      .per_address = FRONT_CONNECTIONS_MAX },
		      false);
}

static int start_narrow(void **state)
{
	return set_up(state,
		      &(struct front_config){ .handshake_ms = FRONT_HANDSHAKE_MS,
					      .head_ms = FRONT_HEAD_MS,
					      .body_ms = FRONT_BODY_MS,
					      .idle_s = FRONT_IDLE_S,
					      .per_address = 3 },
		      false);
}

static int stop(void **state)
{
	struct ground *g = *state;

	have_done(g, stop_loop);
	pthread_join(g->thread, NULL);
	front_free(g->front);
	commands_end(g->commands);
	api_stop(g->api);
	reviews_free(g->reviews);
	commands_free(g->commands);
	loop_del_fd(g->loop, g->ask_id);
	close(g->ask_fd);
	loop_free(g->loop);
	snapshot_slot_free(g->slot);
	tokens_free(g->tokens);
	unlink(g->tokens_path);
	unlink(g->ca_path);
	pki_pair_done(&g->pair);
	pki_free(g->pki);
	pki_free(g->clients);
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->done);
	free(g);
	return 0;
}

/* --- clients ---------------------------------------------------------------------------- */

static int dial(const struct ground *g)
{
	const struct sockaddr_in a = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons(g->port) };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* Waits until the server ends it. */
static void is_closed(int fd)
{
	char piece[256];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
		;
	assert_true(n == 0 || errno == ECONNRESET);
	close(fd);
}

struct tls {
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
};

static struct tls tls_dial(const struct ground *g, const char *priorities)
{
	struct tls t = { .fd = dial(g) };

	assert_int_equal(gnutls_certificate_allocate_credentials(&t.credentials), 0);
	/* A certificate is shown also to who does not name its authority. */
	assert_int_equal(gnutls_init(&t.session, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT), 0);
	assert_int_equal(gnutls_priority_set_direct(t.session, priorities, NULL), 0);
	gnutls_credentials_set(t.session, GNUTLS_CRD_CERTIFICATE, t.credentials);
	gnutls_transport_set_int(t.session, t.fd);
	return t;
}

static int tls_shake(struct tls *t)
{
	int r;

	do
		r = gnutls_handshake(t->session);
	while (r < 0 && !gnutls_error_is_fatal(r));
	return r;
}

/* False: the server has ended it. */
static bool tls_try(struct tls *t, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = gnutls_record_send(t->session, text, left);

		if (n <= 0)
			return false;
		text += n;
		left -= (size_t)n;
	}
	return true;
}

static void tls_say(struct tls *t, const char *text)
{
	assert_true(tls_try(t, text));
}

static void tls_done(struct tls *t)
{
	close(t->fd);
	gnutls_deinit(t->session);
	gnutls_certificate_free_credentials(t->credentials);
}

/* Everything until the server ends it; the caller frees it. */
static char *tls_hear(struct tls *t)
{
	struct buf all = { 0 };
	char piece[4096];
	ssize_t n;

	do {
		n = gnutls_record_recv(t->session, piece, sizeof(piece));
		if (n > 0)
			buf_put(&all, piece, (size_t)n);
	} while (n > 0 || n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	(void)buf_cstr(&all);
	return (char *)all.data;
}

/* With a certificate; takes the pair over. NULL: the server did not take it. */
static char *raw_as(const struct ground *g, const char *priorities, struct pki_pair pair,
		    const char *request)
{
	struct tls t = tls_dial(g, priorities);
	char *got = NULL;

	if (pair.cert) {
		gnutls_datum_t cert = { (unsigned char *)pair.cert, (unsigned)strlen(pair.cert) };
		gnutls_datum_t key = { (unsigned char *)pair.key, (unsigned)strlen(pair.key) };

		assert_int_equal(gnutls_certificate_set_x509_key_mem(t.credentials, &cert, &key,
								     GNUTLS_X509_FMT_PEM),
				 0);
	}
	/* Over TLS 1.3 a client learns after its handshake that it is refused. */
	if (tls_shake(&t) == 0 && tls_try(&t, request))
		got = tls_hear(&t);
	tls_done(&t);
	pki_pair_done(&pair);
	return got;
}

static char *raw(const struct ground *g, const char *request)
{
	char *got = raw_as(g, "NORMAL", (struct pki_pair){ 0 }, request);

	return got ? got : xstrdup("");
}

static size_t keep(char *data, size_t one, size_t count, void *arg)
{
	buf_put(arg, data, one * count);
	return one * count;
}

struct ask {
	const char *path, *token, *host, *method;
	const char *type; /* of the body; NULL: there is none */
	const char *accept;
	struct buf *body;
	struct buf *out; /* headers and body; NULL: of no interest */
	bool chunked;
};

static size_t give(char *out, size_t one, size_t count, void *arg)
{
	struct wire *w = arg;
	size_t n = one * count < w->left ? one * count : w->left;

	if (!n)
		return 0;
	memcpy(out, w->data, n);
	w->data += n;
	w->left -= n;
	return n;
}

static void set_body(CURL *c, const struct ask *a, struct wire *w)
{
	*w = wire_of(a->body->data, a->body->len);
	curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(c, CURLOPT_READDATA, w);
	if (!a->chunked)
		curl_easy_setopt(c, CURLOPT_INFILESIZE, (long)a->body->len);
}

static long fetch(const struct ground *g, const struct ask *a)
{
	CLEANUP(xfree_ptr) char *url = xasprintf("https://127.0.0.1:%u%s", g->port, a->path);
	struct curl_slist *headers = curl_slist_append(NULL, "If-Match: *");
	struct buf ignored = { 0 };
	CURL *c = curl_easy_init();
	struct wire w;
	char line[128];
	long status = 0;
	CURLcode r;

	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_CAINFO, g->ca_path);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)PATIENCE_S);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, keep);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, a->out ? a->out : &ignored);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, a->out ? a->out : &ignored);
	if (a->token && snprintf(line, sizeof(line), "Authorization: Bearer %s", a->token) > 0)
		headers = curl_slist_append(headers, line);
	if (a->host && snprintf(line, sizeof(line), "Host: %s", a->host) > 0)
		headers = curl_slist_append(headers, line);
	if (a->type && snprintf(line, sizeof(line), "Content-Type: %s", a->type) > 0)
		headers = curl_slist_append(headers, line);
	if (a->accept && snprintf(line, sizeof(line), "Accept: %s", a->accept) > 0)
		headers = curl_slist_append(headers, line);
	if (a->body)
		set_body(c, a, &w);
	if (a->method)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, a->method);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	r = curl_easy_perform(c);
	if (r != CURLE_OK)
		fail_msg("%s: %s", a->path, curl_easy_strerror(r));
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	buf_done(&ignored);
	return status;
}

static long status_of(const struct ground *g, const char *path, const char *token)
{
	return fetch(g, &(struct ask){ .path = path, .token = token });
}

/* --- who may ----------------------------------------------------------------------------- */

static void nobody_reads_who_is_not_known(void **state)
{
	static const char *const closed[] = { "/api/v1/status", "/api/v1/pools", "/api/v1/nothing",
					      "/metrics",	"/nothing",	 "/api/v1/tokens",
					      "/api/%761/pools" };
	struct ground *g = *state;

	for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
		assert_int_equal(status_of(g, closed[i], NULL), 401);
		assert_int_equal(status_of(g, closed[i], "pst_wrong"), 401);
	}
}

static void anybody_sees_that_we_are_there_and_the_page(void **state)
{
	static const char *const open[] = { "/healthz", "/livez", "/version", "/", "/page/app.js" };
	struct ground *g = *state;

	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		assert_int_equal(status_of(g, open[i], NULL), 200);
		assert_int_equal(status_of(g, open[i], "pst_wrong"), 200);
	}
}

static void who_is_refused_is_told_how_to_come_in(void **state)
{
	struct ground *g = *state;
	struct buf got = { 0 };

	(void)fetch(g, &(struct ask){ .path = "/api/v1/pools", .out = &got });
	assert_non_null(strstr(buf_cstr(&got), "WWW-Authenticate: Bearer\r\n"));
	assert_non_null(strstr(buf_cstr(&got), "\"token-needed\""));
	assert_non_null(strstr(buf_cstr(&got), "Content-Security-Policy: default-src 'none'"));
	assert_null(strcasestr(buf_cstr(&got), "Access-Control"));
	assert_null(strcasestr(buf_cstr(&got), "Set-Cookie"));
	buf_done(&got);
}

static void viewers_read_and_editors_write(void **state)
{
	struct ground *g = *state;
	struct buf text = { 0 };
	struct ask write = {
		.path = "/api/v1/apply", .type = REST_JSON, .method = "POST", .body = &text
	};

	buf_str(&text, "{}");
	assert_int_equal(status_of(g, "/api/v1/status", g->viewer), 200);
	assert_int_equal(status_of(g, "/api/v1/pools", g->editor), 200);
	assert_int_equal(status_of(g, "/metrics", g->viewer), 200);
	assert_int_equal(fetch(g, &write), 401);
	write.token = g->viewer;
	assert_int_equal(fetch(g, &write), 403);
	write.token = g->editor;
	assert_int_equal(fetch(g, &write), 200);
	/* Tokens are nothing for the network, whoever asks. */
	assert_int_equal(status_of(g, "/api/v1/tokens", g->editor), 403);
	buf_done(&text);
}

static void one_is_asked_by_its_own_names_alone(void **state)
{
	struct ground *g = *state;
	struct ask a = { .path = "/healthz" };
	static const struct {
		const char *host;
		long status;
	} cases[] = { { "node-1", 200 },
		      { "lb.example:9090", 200 },
		      { "localhost", 200 },
		      { "evil.example", 421 },
		      { "10.1.2.3", 421 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		a.host = cases[i].host;
		assert_int_equal(fetch(g, &a), cases[i].status);
	}
}

/* --- certificates of clients ------------------------------------------------------------- */

#define WHOAMI	  "GET /api/v1/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#define APPLY	  "POST /api/v1/apply HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
#define APPLIED	  "Content-Type: " REST_JSON "\r\nContent-Length: 2\r\n\r\n{}"
#define PROTOCOLS 2
static const char *const protocols[PROTOCOLS] = { "NORMAL:-VERS-ALL:+VERS-TLS1.3",
						  "NORMAL:-VERS-ALL:+VERS-TLS1.2" };

/* Asked by who has that certificate, over each protocol, it answers with this. */
static void says(const struct ground *g, const char *name, const char *unit, const char *request,
		 const char *text)
{
	for (size_t i = 0; i < PROTOCOLS; i++) {
		char *got = raw_as(g, protocols[i], pki_issue_person(g->clients, name, unit),
				   request);

		if (!got || !strstr(got, text))
			fail_msg("%s over %s: %s is not in %s", name, protocols[i], text,
				 got ? got : "nothing");
		free(got);
	}
}

static void who_has_a_certificate_is_let_in_by_the_lists(void **state)
{
	struct ground *g = *state;

	says(g, "alice", NULL, WHOAMI, "\"user\":\"cert:alice\"");
	says(g, "alice", NULL, WHOAMI, "\"writeEnabled\":true");
	says(g, "bob", NULL, WHOAMI, "\"user\":\"cert:bob\"");
	says(g, "bob", NULL, WHOAMI, "\"reason\":\"forbidden\"");
	says(g, "eve", "ops", WHOAMI, "\"writeEnabled\":true");
	says(g, "alice", NULL, "GET /api/v1/pools HTTP/1.0\r\nHost: localhost\r\n\r\n", " 200 ");
}

static void what_he_writes_is_by_his_name(void **state)
{
	struct ground *g = *state;

	says(g, "bob", NULL, APPLY APPLIED, "\"code\":\"forbidden\"");
	assert_string_equal(g->user, "");
	says(g, "alice", NULL, APPLY APPLIED, " 200 ");
	assert_string_equal(g->user, "cert:alice");
	says(g, "OU=x", "ops", APPLY APPLIED, " 200 ");
	assert_string_equal(g->user, "cert:OU=x");
}

static void who_is_in_no_list_is_told_so(void **state)
{
	struct ground *g = *state;

	says(g, "eve", "it", WHOAMI, "\"code\":\"certificate-not-listed\"");
	says(g, "eve", "it", WHOAMI, "that of 'eve' of 'OU=it', who is in no list");
	says(g, "eve", NULL, APPLY APPLIED, " 403 ");
	assert_string_equal(g->user, "");
	/* What anybody may see he may, too. */
	says(g, "eve", NULL, "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n", " 200 ");
}

/* However good the certificate is: who shows a token means it. */
static void with_both_the_token_decides(void **state)
{
	struct ground *g = *state;
	CLEANUP(xfree_ptr)
	char *viewer = xasprintf(APPLY "Authorization: Bearer %s\r\n" APPLIED, g->viewer);
	CLEANUP(xfree_ptr)
	char *editor = xasprintf(APPLY "Authorization: Bearer %s\r\n" APPLIED, g->editor);

	says(g, "alice", NULL, viewer, "\"code\":\"forbidden\"");
	says(g, "alice", NULL, APPLY "Authorization: Bearer pst_wrong\r\n" APPLIED,
	     "\"code\":\"bad-token\"");
	assert_string_equal(g->user, "");
	says(g, "eve", NULL, editor, " 200 ");
	assert_string_equal(g->user, "token:ed");
}

static void without_a_certificate_a_token_lets_in_as_ever(void **state)
{
	struct ground *g = *state;

	assert_int_equal(status_of(g, "/api/v1/pools", g->viewer), 200);
	assert_int_equal(status_of(g, "/api/v1/pools", NULL), 401);
}

static void is_not_taken(const struct ground *g, struct pki *p, const struct pki_client *c)
{
	for (size_t i = 0; i < PROTOCOLS; i++) {
		char *got = raw_as(g, protocols[i], pki_issue_client(p, c), WHOAMI);

		if (got && *got)
			fail_msg("%s over %s: %s", (const char *)c->names[0].value, protocols[i],
				 got);
		free(got);
	}
}

static void a_certificate_that_is_not_good_ends_the_handshake(void **state)
{
	static const struct pki_name alice[] = { { PKI_CN, "alice", 0 }, { NULL, NULL, 0 } };
	const struct pki_client good = { alice, PKI_CLIENT, -1, 1 },
				old = { alice, PKI_CLIENT, -9, -2 },
				early = { alice, PKI_CLIENT, 2, 9 },
				server = { alice, PKI_SERVER, -1, 1 };
	struct ground *g = *state;
	struct pki *other = pki_new("people");

	is_not_taken(g, other, &good);
	is_not_taken(g, g->pki, &good); /* who vouches for the server vouches for no people */
	is_not_taken(g, g->clients, &old);
	is_not_taken(g, g->clients, &early);
	is_not_taken(g, g->clients, &server);
	pki_free(other);
	says(g, "alice", NULL, WHOAMI, "cert:alice");
}

#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void an_odd_subject_ends_the_handshake(void **state)
{
	static const struct pki_name subjects[][SUBJECT_UNITS_MAX + 3] = {
		{ { PKI_OU, "ops", 0 } },
		{ { PKI_CN, "alice\0.evil", 11 } },
		{ { PKI_CN, "alice\n", 0 } },
		{ { PKI_CN, "\x1b[2J", 0 } },
		{ { PKI_CN, "bob", 0 }, { PKI_CN, "alice", 0 } },
		{ { PKI_CN, "alice", 0 }, { PKI_OU, "o\0ps", 4 } },
		{ { PKI_CN, "alice", 0 }, { PKI_OU, LONG, 0 } },
		{ { PKI_CN, "eve", 0 },
		  { PKI_OU, "1", 0 },
		  { PKI_OU, "2", 0 },
		  { PKI_OU, "3", 0 },
		  { PKI_OU, "4", 0 },
		  { PKI_OU, "5", 0 },
		  { PKI_OU, "6", 0 },
		  { PKI_OU, "7", 0 },
		  { PKI_OU, "8", 0 },
		  { PKI_OU, "ops", 0 } },
	};
	struct ground *g = *state;

	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		is_not_taken(g, g->clients, &(struct pki_client){ subjects[i], PKI_CLIENT, -1, 1 });
	says(g, "\xe5\xbc\xa0\xe4\xbc\x9f", "ops", WHOAMI, "cert:\xe5\xbc\xa0");
}

/* Where none is asked for, one that is shown all the same is nothing. */
static void where_none_is_asked_for_a_certificate_is_nothing(void **state)
{
	struct ground *g = *state;

	says(g, "alice", NULL, WHOAMI, "\"code\":\"token-needed\"");
}

/* --- tokens of a cluster ----------------------------------------------------------------- */

static void answers(const struct ground *g, const char *path, const char *token, long status,
		    const char *text)
{
	struct buf got = { 0 };
	long is = fetch(g, &(struct ask){ .path = path, .token = token, .out = &got });

	if (is != status || !strstr(buf_cstr(&got), text))
		fail_msg("%s of %s: %ld %s", path, token, is, buf_cstr(&got));
	buf_done(&got);
}

static long apply_as(const struct ground *g, const char *token)
{
	struct buf text = { 0 };
	long status;

	buf_str(&text, "{}");
	status = fetch(g, &(struct ask){ .path = "/api/v1/apply",
					 .type = REST_JSON,
					 .method = "POST",
					 .token = token,
					 .body = &text });
	buf_done(&text);
	return status;
}

static void a_token_of_the_cluster_lets_in_as_its_api_server_says(void **state)
{
	struct ground *g = *state;

	answers(g, "/api/v1/whoami", "eyAlice", 200, "\"user\":\"kube:alice\"");
	answers(g, "/api/v1/pools", "eyBob", 200, "\"items\"");
	answers(g, "/api/v1/pools", "eyEve", 403, "\"code\":\"not-granted\"");
	answers(g, "/api/v1/pools", "eyEve", 403,
		"'eve' may not get the nonResourceURL /parasaus of the cluster");
	answers(g, "/metrics", "eyNo", 401, "\"code\":\"cluster-unauthorized\"");
	answers(g, "/metrics", "eyNo", 401, "expired");
	answers(g, "/api/v1/pools", "eyAway", 503, "\"code\":\"cluster-trouble\"");
	answers(g, "/api/v1/pools", "eyAway", 503, "Retry-After: 1\r\n");
	answers(g, "/api/v1/pools", "eyAway", 503, "nobody answers there");
	assert_int_equal(g->reviewed, 5); /* each is remembered */
}

static void what_it_writes_is_by_the_clusters_name(void **state)
{
	struct ground *g = *state;

	assert_int_equal(apply_as(g, "eyAlice"), 200);
	assert_string_equal(g->user, "kube:alice");
	assert_string_equal(g->authorization, "Bearer eyAlice"); /* the API server sees it */
	assert_int_equal(apply_as(g, g->editor), 200);
	assert_string_equal(g->user, "token:ed");
	assert_string_equal(g->authorization, ""); /* it is nothing for an API server */
	g->user[0] = '\0';
	assert_int_equal(apply_as(g, "eyEve"), 403);
	assert_int_equal(apply_as(g, "eyNo"), 401);
	assert_int_equal(apply_as(g, "eyAway"), 503);
	assert_string_equal(g->user, "");
	/* Tokens are nothing for the network, whoever asks. */
	assert_int_equal(status_of(g, "/api/v1/tokens", "eyAlice"), 403);
}

/* Nor is one of ours, or what could be none of a cluster's, shown to an API server. */
static void what_needs_no_review_gets_none(void **state)
{
	struct ground *g = *state;

	assert_int_equal(status_of(g, "/api/v1/pools", "pst_wrong"), 401);
	assert_int_equal(status_of(g, "/api/v1/pools", g->editor), 200);
	assert_int_equal(status_of(g, "/", "eyAlice"), 200);
	assert_int_equal(status_of(g, "/healthz", "eyNo"), 200);
	assert_int_equal(fetch(g, &(struct ask){ .path = "/api/v1/pools",
						 .token = "eyAlice",
						 .host = "evil.example" }),
			 421);
	assert_int_equal(status_of(g, "/api/v1/pools", "a b"), 401);
	assert_int_equal(g->reviewed, 0);
}

static void who_tries_tokens_out_is_slowed_down(void **state)
{
	struct ground *g = *state;
	char token[16];
	long status = 401;

	for (int i = 0; status == 401; i++) {
		assert_true(i < 1000);
		snprintf(token, sizeof(token), "eyTry%d", i);
		status = status_of(g, "/api/v1/pools", token);
	}
	assert_int_equal(status, 429);
	assert_int_equal(status_of(g, "/api/v1/pools", g->viewer), 200);
}

/* What waits for the API server holds up nobody else, and is answered when that has spoken. */
static void a_review_holds_up_nobody_else(void **state)
{
	struct ground *g = *state;
	struct tls t = tls_dial(g, "NORMAL"), gone = tls_dial(g, "NORMAL");
	char *got;

	assert_int_equal(tls_shake(&t), 0);
	assert_int_equal(tls_shake(&gone), 0);
	tls_say(&gone, APPLY "Authorization: Bearer eySlow\r\n" APPLIED);
	tls_say(&t, APPLY "Authorization: Bearer eySlow\r\n" APPLIED);
	tls_done(&gone);
	while (!g->slow) /* until the loop was asked, others are answered */
		assert_int_equal(status_of(g, "/api/v1/pools", g->viewer), 200);
	assert_string_equal(g->user, "");
	have_done(g, say_slow);
	got = tls_hear(&t);
	assert_ptr_equal(strstr(got, "HTTP/1.1 200"), got);
	assert_string_equal(g->user, "kube:slow");
	free(got);
	tls_done(&t);
}

/* --- what is answered ---------------------------------------------------------------------- */

static void a_body_comes_whole_however_long(void **state)
{
	static const size_t sizes[] = {
		0, 1, 4096, FRONT_PIECE_MAX, FRONT_PIECE_MAX + 1, 700000, REST_BODY_MAX
	};
	struct ground *g = *state;
	struct buf text = { 0 };
	struct ask write = {
		.path = "/api/v1/apply", .type = REST_JSON, .method = "POST", .token = g->editor
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		size_t size = sizes[i / 2];

		buf_reset(&text);
		if (size)
			memset(buf_add(&text, size), ' ', size);
		write.body = &text;
		write.chunked = i % 2;
		g->body_len = SIZE_MAX;
		assert_int_equal(fetch(g, &write), 200);
		assert_int_equal(g->body_len, size);
	}
	buf_done(&text);
}

static void what_is_too_long_is_refused(void **state)
{
	struct ground *g = *state;
	struct buf text = { 0 };
	struct ask write = {
		.path = "/api/v1/apply", .type = REST_JSON, .method = "POST", .token = g->editor
	};

	memset(buf_add(&text, REST_BODY_MAX + 1), ' ', REST_BODY_MAX + 1);
	write.body = &text;
	g->body_len = 0;
	assert_int_equal(fetch(g, &write), 413);
	write.chunked = true;
	assert_int_equal(fetch(g, &write), 413);
	assert_int_equal(g->body_len, 0);
	buf_done(&text);
}

static void a_large_list_comes_whole(void **state)
{
	struct ground *g = *state;
	struct buf got = { 0 };
	size_t lines = 0;

	snapshot_slot_put(g->slot, snapshot_large(5000, 4));
	assert_int_equal(fetch(g, &(struct ask){ .path = "/api/v1/members",
						 .token = g->viewer,
						 .accept = REST_NDJSON,
						 .out = &got }),
			 200);
	for (size_t i = 0; i < got.len; i++)
		lines += got.data[i] == '{' && i && got.data[i - 1] == '\n';
	assert_int_equal(lines, 20000);
	buf_done(&got);
}

static void a_watch_tells_of_changes(void **state)
{
	struct ground *g = *state;
	struct tls t = tls_dial(g, "NORMAL");
	struct snapshot *was = snapshot_large(3, 2);
	struct buf got = { 0 };
	char piece[4096];
	bool turned = false;

	snapshot_slot_put(g->slot, snapshot_large(3, 2));
	assert_int_equal(tls_shake(&t), 0);
	(void)snprintf(piece, sizeof(piece),
		       "GET /api/v1/watch HTTP/1.1\r\nHost: localhost\r\nAccept: " REST_SSE
		       "\r\nAuthorization: Bearer %s\r\n\r\n",
		       g->viewer);
	tls_say(&t, piece);
	while (!strstr(buf_cstr(&got), "event: pool")) {
		ssize_t n = gnutls_record_recv(t.session, piece, sizeof(piece));

		if (n == GNUTLS_E_AGAIN)
			continue;
		assert_true(n > 0);
		buf_put(&got, piece, (size_t)n);
		if (!turned && strstr(buf_cstr(&got), "event: bookmark")) {
			turned = true;
			snapshot_slot_put(g->slot, snapshot_turned(was, 1, 1, VERDICT_DOWN, NOW));
		}
	}
	snapshot_unref(was);
	buf_done(&got);
	tls_done(&t);
}

/* Told to its bookmark, the watch goes on. */
static struct tls watch_as(const struct ground *g, const char *token)
{
	struct tls t = tls_dial(g, "NORMAL");
	struct buf got = { 0 };
	char piece[4096];

	assert_int_equal(tls_shake(&t), 0);
	(void)snprintf(piece, sizeof(piece),
		       "GET /api/v1/watch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		       "Accept: " REST_SSE "\r\nAuthorization: Bearer %s\r\n\r\n",
		       token);
	tls_say(&t, piece);
	while (!strstr(buf_cstr(&got), "event: bookmark")) {
		ssize_t n = gnutls_record_recv(t.session, piece, sizeof(piece));

		assert_true(n > 0 || n == GNUTLS_E_AGAIN);
		if (n > 0)
			buf_put(&got, piece, (size_t)n);
	}
	buf_done(&got);
	return t;
}

/* Of a pool; false: the watch ended without. */
static bool is_told_more(struct tls *t)
{
	struct buf got = { 0 };
	char piece[4096];
	ssize_t n;
	bool told;

	do {
		n = gnutls_record_recv(t->session, piece, sizeof(piece));
		if (n > 0)
			buf_put(&got, piece, (size_t)n);
		told = strstr(buf_cstr(&got), "event: pool") != NULL;
	} while (!told && (n > 0 || n == GNUTLS_E_AGAIN));
	buf_done(&got);
	tls_done(t);
	return told;
}

static void a_watch_ends_with_its_token(void **state)
{
	struct ground *g = *state;
	struct snapshot *was = snapshot_large(3, 2);
	struct err err = { 0 };
	struct tls t, other;

	snapshot_slot_put(g->slot, snapshot_large(3, 2));
	t = watch_as(g, g->viewer);
	other = watch_as(g, g->editor);
	assert_int_equal(tokens_delete(g->tokens, "vi", &err), 0);
	snapshot_slot_put(g->slot, snapshot_turned(was, 1, 1, VERDICT_DOWN, NOW));
	assert_false(is_told_more(&t));
	assert_true(is_told_more(&other));
	snapshot_unref(was);
}

/* The API server is asked again once what it said is old, and nothing but its yes is one. */
static void a_watch_ends_with_the_right_of_its_token(void **state)
{
	static const struct reviewed yes = { REVIEW_SOMEBODY, true, false, "later", "" };
	static const struct reviewed says[] = {
		{ REVIEW_SOMEBODY, true, false, "later", "" },
		{ REVIEW_SOMEBODY, false, true, "later", "" },
		{ REVIEW_NOBODY, true, true, "later", "expired" },
		{ REVIEW_TROUBLE, true, true, "later", "nobody answers" },
	};
	struct ground *g = *state;
	struct snapshot *was = snapshot_large(3, 2);

	for (size_t i = 0; i < ARRAY_LEN(says); i++) {
		struct tls t;

		snapshot_slot_put(g->slot, snapshot_large(3, 2));
		g->later = yes;
		ahead_ms += REVIEW_GOOD_MS;
		t = watch_as(g, "eyLater");
		g->later = says[i];
		ahead_ms += REVIEW_GOOD_MS;
		snapshot_slot_put(g->slot, snapshot_turned(was, 1, 1, VERDICT_DOWN, NOW));
		if (is_told_more(&t) != (i == 0))
			fail_msg("case %zu", i);
		assert_int_equal(g->reviewed, 2 * (i + 1));
	}
	snapshot_unref(was);
}

static void a_connection_serves_requests_until_it_is_closed(void **state)
{
	char *got = raw(*state, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
				"HEAD /page/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
				"GET /api/v1/pools HTTP/1.1\r\nHost: localhost\r\n\r\n"
				"GET /version HTTP/1.1\r\nHost: localhost\r\n"
				"Connection: close\r\n\r\n");
	const char *refused = strstr(got, "HTTP/1.1 401");

	assert_non_null(refused);
	free(got);
}

static void a_bad_head_is_refused(void **state)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{ "GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400" },
		{ "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
		  "HTTP/1.1 400" },
		{ "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
		  "HTTP/1.1 400" },
		{ "POST /api/v1/apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		  "HTTP/1.1 400" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got = raw(*state, cases[i].request);

		if (!got || strncmp(got, cases[i].answer, strlen(cases[i].answer)) != 0)
			fail_msg("case %zu: %s", i, got ? got : "nothing");
		free(got);
	}
}

static void a_long_head_is_refused(void **state)
{
	char *fill = xcalloc(1, REST_HEADERS_MAX + 1);
	char *request, *got;

	memset(fill, 'a', REST_HEADERS_MAX);
	request = xasprintf("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", fill);
	got = raw(*state, request);
	assert_ptr_equal(strstr(got, "HTTP/1.1 431"), got);
	free(got);
	free(request);
	free(fill);
}

/* --- core's death ---------------------------------------------------------------------------- */

static void without_core_one_is_told_to_come_again(void **state)
{
	struct ground *g = *state;
	struct buf got = { 0 };

	have_done(g, lose_core);
	assert_int_equal(fetch(g, &(struct ask){ .path = "/healthz", .out = &got }), 503);
	assert_non_null(strstr(buf_cstr(&got), "Retry-After: 1\r\n"));
	buf_done(&got);
	have_done(g, connect_core);
	assert_int_equal(status_of(g, "/healthz", NULL), 200);
	assert_int_equal(status_of(g, "/api/v1/pools", g->viewer), 200);
}

static void who_waited_for_core_is_told(void **state)
{
	struct ground *g = *state;
	struct tls t = tls_dial(g, "NORMAL");
	char *got, line[256];

	assert_int_equal(tls_shake(&t), 0);
	snprintf(line, sizeof(line),
		 "POST /api/v1/apply HTTP/1.1\r\nHost: localhost\r\nContent-Type: " REST_JSON
		 "\r\nContent-Length: 10\r\nAuthorization: Bearer %s\r\n\r\nabc",
		 g->editor);
	tls_say(&t, line);
	have_done(g, lose_core);
	have_done(g, connect_core);
	tls_say(&t, "defghij");
	got = tls_hear(&t);
	/* It got to core before or after: whole, or not at all. */
	assert_true(!got || !*got || strstr(got, "HTTP/1.1 503") || strstr(got, "HTTP/1.1 200"));
	free(got);
	tls_done(&t);
	assert_int_equal(status_of(g, "/api/v1/pools", g->viewer), 200);
}

static void core_knows_who_listens(void **state)
{
	struct ground *g = *state;
	struct front_hello hello;

	assert_int_equal(status_of(g, "/healthz", NULL), 200);
	assert_true(api_http_hello(g->api, &hello));
	assert_string_equal(hello.fingerprint, "AB:CD");
}

/* --- an http process that is false, or whose clients do not wait ------------------------------ */

struct speaker {
	struct loop *loop;
	struct channel *channel;
	uint32_t last_id;
	unsigned status; /* of the last reply */
	bool heard;
};

static bool on_heard(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct speaker *s = arg;
	struct front_reply m;

	assert_int_equal(fd, -1);
	if (type != FRONT_MSG_REPLY)
		return true;
	wire_front_reply(body, &m);
	s->status = m.reply.status;
	s->heard = m.id == s->last_id;
	front_reply_done(&m);
	return true;
}

static void on_shut(void *arg, const char *why)
{
	(void)arg;
	fail_msg("%s", why);
}

static void speaker_begin(struct speaker *s, const struct ground *g)
{
	const struct channel_handler h = { on_heard, on_shut, s };
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(loop_new(&clock_system, &s->loop), 0);
	assert_int_equal(channel_new(s->loop, pair[0], &h, &s->channel), 0);
	api_connect_http(g->api, pair[1]);
}

static void speaker_end(struct speaker *s)
{
	channel_free(s->channel);
	loop_free(s->loop);
}

static void send_request(struct speaker *s, const struct ground *g, const char *method,
			 const char *target)
{
	CLEANUP(xfree_ptr) char *authorization = xasprintf("Bearer %s", g->editor);
	const struct front_request m = { .id = ++s->last_id,
					 .request = { .method = method,
						      .target = target,
						      .host = "localhost",
						      .content_type = REST_JSON },
					 .authorization = authorization };
	struct buf b = { 0 };

	wire_put_front_request(&b, &m);
	channel_send(s->channel, FRONT_MSG_REQUEST, &b);
	buf_done(&b);
}

static void leave(struct speaker *s)
{
	struct buf b = { 0 };

	wire_put_u32(&b, s->last_id);
	channel_send(s->channel, FRONT_MSG_GONE, &b);
	buf_done(&b);
}

static unsigned status_heard(struct speaker *s, const struct ground *g, const char *method,
			     const char *target)
{
	mono_t begun = clock_mono(&clock_system);

	s->heard = false;
	send_request(s, g, method, target);
	while (!s->heard) {
		assert_int_equal(loop_turn(s->loop, 100), 0);
		assert_true(mono_sub_ms(clock_mono(&clock_system), begun) < PATIENCE_S * 1000);
	}
	leave(s);
	return s->status;
}

static void writes_of_who_has_left_count_until_they_are_done(void **state)
{
	struct ground *g = *state;
	struct speaker s = { 0 };
	unsigned status;

	have_done(g, keep_commands);
	speaker_begin(&s, g);
	for (unsigned i = 0; i < FRONT_CONNECTIONS_MAX; i++) {
		send_request(&s, g, "POST", "/api/v1/apply");
		leave(&s);
		if (i % 64 == 0) /* it goes out as the other side reads */
			assert_int_equal(loop_turn(s.loop, 0), 0);
	}
	assert_int_equal(status_heard(&s, g, "POST", "/api/v1/apply"), 503);
	assert_int_equal(status_heard(&s, g, "GET", "/healthz"), 200);
	have_done(g, answer_kept);
	do
		status = status_heard(&s, g, "POST", "/api/v1/apply");
	while (status == 503);
	assert_int_equal(status, 200);
	speaker_end(&s);
}

/* --- strangers ------------------------------------------------------------------------------- */

static void garbage_is_no_handshake(void **state)
{
	static const char *const texts[] = { "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\x16",
					     "\x16\x03\x01\xff\xff\x01", "\x80\x2e\x01\x03\x01" };
	struct ground *g = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int fd = dial(g);

		assert_int_equal(send(fd, texts[i], strlen(texts[i]), MSG_NOSIGNAL),
				 strlen(texts[i]));
		shutdown(fd, SHUT_WR);
		is_closed(fd);
	}
	assert_int_equal(status_of(g, "/healthz", NULL), 200);
}

static void old_protocols_are_refused(void **state)
{
	struct tls old = tls_dial(*state, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0");
	struct tls good = tls_dial(*state, "NORMAL:-VERS-ALL:+VERS-TLS1.2");

	assert_true(tls_shake(&old) < 0);
	assert_int_equal(tls_shake(&good), 0);
	tls_done(&old);
	tls_done(&good);
}

/* The server takes no second handshake: the connection ends, and ours stays as it was. */
static void nothing_is_negotiated_again(void **state)
{
	struct tls t = tls_dial(*state, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
	char byte;
	ssize_t n;
	int r;

	assert_int_equal(tls_shake(&t), 0);
	r = tls_shake(&t);
	if (r == 0)
		fail_msg("it was negotiated again");
	do
		n = gnutls_record_recv(t.session, &byte, 1);
	while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_WARNING_ALERT_RECEIVED);
	assert_true(n <= 0);
	tls_done(&t);
	assert_int_equal(status_of(*state, "/healthz", NULL), 200);
}

static void who_dawdles_is_cut_off(void **state)
{
	struct ground *g = *state;
	struct tls t;
	char *got;

	is_closed(dial(g)); /* no handshake */
	t = tls_dial(g, "NORMAL");
	assert_int_equal(tls_shake(&t), 0);
	got = tls_hear(&t); /* no request */
	assert_true(!got || !*got);
	free(got);
	tls_done(&t);
	t = tls_dial(g, "NORMAL");
	assert_int_equal(tls_shake(&t), 0);
	tls_say(&t, "GET /healthz HTTP/1.1\r\n");
	got = tls_hear(&t); /* half of a head */
	assert_true(!got || !*got);
	free(got);
	tls_done(&t);
}

static void a_body_that_does_not_come_is_not_waited_for(void **state)
{
	struct ground *g = *state;
	CLEANUP(xfree_ptr)
	char *request = xasprintf("POST /api/v1/apply HTTP/1.1\r\nHost: localhost\r\n"
				  "Content-Type: " REST_JSON "\r\nContent-Length: 10\r\n"
				  "Authorization: Bearer %s\r\n\r\nabc",
				  g->editor);
	char *got = raw(g, request);

	assert_true(!got || !*got);
	free(got);
	assert_int_equal(g->body_len, 0);
}

/* Nor is a client that waits for core taken for one that dawdles. */
static void core_may_take_longer_than_a_client(void **state)
{
	struct ground *g = *state;
	CLEANUP(xfree_ptr)
	char *whole = xasprintf(APPLY "Authorization: Bearer %s\r\n" APPLIED, g->editor);
	CLEANUP(xfree_ptr)
	char *part = xasprintf("POST /api/v1/apply HTTP/1.1\r\nHost: localhost\r\n"
			       "Content-Type: " REST_JSON "\r\nContent-Length: 10\r\n"
			       "Authorization: Bearer %s\r\n\r\nabc",
			       g->editor);
	struct tls t = tls_dial(g, "NORMAL");
	char *got;

	have_done(g, keep_commands);
	assert_int_equal(tls_shake(&t), 0);
	tls_say(&t, whole);
	while (!g->kept_count)
		assert_int_equal(status_of(g, "/healthz", NULL), 200);
	got = raw(g, part); /* until that one's time is over, which began later */
	assert_string_equal(got, "");
	free(got);
	have_done(g, answer_kept);
	got = tls_hear(&t);
	assert_ptr_equal(strstr(got, "HTTP/1.1 200"), got);
	free(got);
	tls_done(&t);
}

static bool is_let_in(const struct ground *g)
{
	struct tls t = tls_dial(g, "NORMAL");
	bool in = tls_shake(&t) == 0;

	tls_done(&t);
	return in;
}

static void one_address_has_so_many_connections(void **state)
{
	struct ground *g = *state;
	struct tls held[3];

	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		held[i] = tls_dial(g, "NORMAL");
		assert_int_equal(tls_shake(&held[i]), 0);
	}
	assert_false(is_let_in(g));
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		tls_done(&held[i]);
	while (!is_let_in(g)) /* as soon as the server has seen that they are gone */
		;
}

/* They hold descriptors and a little memory; who has something to ask is answered beside them. */
static void idle_connections_stop_nobody(void **state)
{
	struct ground *g = *state;
	struct rlimit files = { 4096, 4096 };
	int fds[IDLERS];

	if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur < 2 * IDLERS + 100)
		skip();
	for (size_t i = 0; i < IDLERS; i++)
		fds[i] = dial(g);
	assert_int_equal(status_of(g, "/api/v1/pools", g->viewer), 200);
	for (size_t i = 0; i < IDLERS; i++)
		close(fds[i]);
	assert_int_equal(status_of(g, "/healthz", NULL), 200);
}

#define CASE(fn)      cmocka_unit_test_setup_teardown(fn, start, stop)
#define ASKING(fn)    cmocka_unit_test_setup_teardown(fn, start_asking, stop)
#define IMPATIENT(fn) cmocka_unit_test_setup_teardown(fn, start_impatient, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nobody_reads_who_is_not_known),
		CASE(anybody_sees_that_we_are_there_and_the_page),
		CASE(who_is_refused_is_told_how_to_come_in),
		CASE(viewers_read_and_editors_write),
		CASE(one_is_asked_by_its_own_names_alone),
		ASKING(who_has_a_certificate_is_let_in_by_the_lists),
		ASKING(what_he_writes_is_by_his_name),
		ASKING(who_is_in_no_list_is_told_so),
		ASKING(with_both_the_token_decides),
		ASKING(without_a_certificate_a_token_lets_in_as_ever),
		ASKING(a_certificate_that_is_not_good_ends_the_handshake),
		ASKING(an_odd_subject_ends_the_handshake),
		CASE(where_none_is_asked_for_a_certificate_is_nothing),
		ASKING(a_token_of_the_cluster_lets_in_as_its_api_server_says),
		ASKING(what_it_writes_is_by_the_clusters_name),
		ASKING(what_needs_no_review_gets_none),
		ASKING(who_tries_tokens_out_is_slowed_down),
		ASKING(a_review_holds_up_nobody_else),
		CASE(a_body_comes_whole_however_long),
		CASE(what_is_too_long_is_refused),
		CASE(a_large_list_comes_whole),
		CASE(a_watch_tells_of_changes),
		CASE(a_watch_ends_with_its_token),
		ASKING(a_watch_ends_with_the_right_of_its_token),
		CASE(a_connection_serves_requests_until_it_is_closed),
		CASE(a_bad_head_is_refused),
		CASE(a_long_head_is_refused),
		CASE(without_core_one_is_told_to_come_again),
		CASE(who_waited_for_core_is_told),
		CASE(core_knows_who_listens),
		CASE(garbage_is_no_handshake),
		CASE(old_protocols_are_refused),
		CASE(nothing_is_negotiated_again),
		IMPATIENT(who_dawdles_is_cut_off),
		IMPATIENT(a_body_that_does_not_come_is_not_waited_for),
		IMPATIENT(core_may_take_longer_than_a_client),
		CASE(writes_of_who_has_left_count_until_they_are_done),
		cmocka_unit_test_setup_teardown(one_address_has_so_many_connections, start_narrow,
						stop),
		CASE(idle_connections_stop_nobody),
	};

	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
