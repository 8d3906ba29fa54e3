/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch/http_curl*.c against a real server on loopback that misbehaves as it
 * is told. Time bounds are tested by a clock that the test pushes on.
 */
#include "watch/http_curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"
#include "tests/lib/https_server.h"
#include "tests/lib/pki.h"

#define PATIENCE_MS 20000
#define BIG	    (8u << 20)

static int64_t pushed_ms;

static mono_t test_mono(void *arg)
{
	(void)arg;
	return mono_add_ms(clock_mono(&clock_system), pushed_ms);
}

static int64_t test_wall(void *arg)
{
	(void)arg;
	return clock_wall_ms(&clock_system);
}

static const struct clock test_clock = { .mono = test_mono, .wall_ms = test_wall };

static struct pki *ours, *theirs; /* made once: keys take a moment */
static struct pki_pair server_pair, named_pair, client_pair, stranger_pair;

/* --- the server's side ------------------------------------------------------------ */

static struct buf gzipped(const char *text, size_t len)
{
	z_stream z = { 0 };
	struct buf b = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)text;
	z.avail_in = (unsigned)len;
	z.avail_out = (unsigned)deflateBound(&z, len);
	z.next_out = buf_add(&b, z.avail_out);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b.len = z.total_out;
	deflateEnd(&z);
	return b;
}

static void send_body(struct https_connection *c, const char *headers, const void *body, size_t len)
{
	CLEANUP(xfree_ptr)
	char *head = xasprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", headers, len);

	https_send_text(c, head);
	https_send(c, body, len);
}

/* `cut` bytes less than all of it, as a whole answer; a byte of the trailer is another for `bad`. */
static void send_gzip(struct https_connection *c, size_t cut, bool bad)
{
	CLEANUP(buf_done) struct buf b = gzipped("hello, gzip", 11);

	if (bad)
		b.data[b.len - 6] ^= 1;
	send_body(c, "Content-Encoding: gzip\r\n", b.data, b.len - cut);
}

static void send_big(struct https_connection *c, bool gzip)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	memset(buf_add(&b, BIG), 'x', BIG);
	if (gzip) {
		CLEANUP(buf_done) struct buf z = gzipped((const char *)b.data, b.len);

		send_body(c, "Content-Encoding: gzip\r\n", z.data, z.len);
	} else {
		send_body(c, "", b.data, b.len);
	}
}

#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

struct script {
	const char *path;
	const char *answer; /* NULL: see serve() */
	bool stays;
};

static const struct script scripts[] = {
	{ "/chunked", CHUNKED_HEAD "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", true },
	{ "/trailer", CHUNKED_HEAD "3\r\nabc\r\n0\r\nRetry-After: 9\r\n\r\n", true },
	{ "/chunked-cut", CHUNKED_HEAD "3\r\nabc\r\n", false },
	{ "/length-cut", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", false },
	{ "/until-close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", false },
	{ "/nothing", "", false },
	{ "/nonsense", "220 smtp.test\r\n", false },
	{ "/busy",
	  "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Type: text/plain\r\n"
	  "Warning: 299 - \"v1 \\\"Endpoints\\\" is old\"\r\nWarning: 299 - \"second\"\r\n"
	  "Content-Length: 3\r\n\r\nno!",
	  true },
	{ "/much-later", "HTTP/1.1 503 No\r\nretry-after: 99999999999\r\nContent-Length: 0\r\n\r\n",
	  true },
	{ "/by-date",
	  "HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
	  "Content-Length: 0\r\n\r\n",
	  true },
	{ "/redirect", "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n", true },
	{ "/interim",
	  "HTTP/1.1 103 Early\r\nRetry-After: 5\r\n\r\nHTTP/1.1 200 OK\r\n"
	  "Content-Length: 2\r\n\r\nhi",
	  true },
	{ "/empty", "HTTP/1.1 204 None\r\n\r\n", true },
	{ "/brotli", "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nhi",
	  true },
};

static bool is_path(const char *head, const char *path)
{
	const char *p = strchr(head, ' ');
	size_t n = strlen(path);

	return p && strncmp(p + 1, path, n) == 0 && (p[1 + n] == ' ' || p[1 + n] == '?');
}

static bool serve(struct https_connection *c, const char *head, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		if (is_path(head, scripts[i].path)) {
			https_send_text(c, scripts[i].answer);
			return scripts[i].stays;
		}
	}
	if (is_path(head, "/echo")) {
		send_body(c, "", head, strlen(head));
	} else if (is_path(head, "/gzip")) {
		send_gzip(c, 0, false);
	} else if (is_path(head, "/gzip-cut")) {
		send_gzip(c, 4, false);
	} else if (is_path(head, "/gzip-bad")) {
		send_gzip(c, 0, true);
	} else if (is_path(head, "/big") || is_path(head, "/big-gzip")) {
		send_big(c, is_path(head, "/big-gzip"));
	} else if (is_path(head, "/reset")) {
		https_send_text(c, CHUNKED_HEAD "3\r\nabc\r\n");
		https_reset(c);
	} else if (is_path(head, "/stream")) {
		https_send_text(c, CHUNKED_HEAD "3\r\nabc\r\n");
		while (https_wait(c))
			https_send_text(c, "3\r\ndef\r\n");
	} else if (is_path(head, "/mute")) {
		(void)https_wait(c);
		return false;
	} else {
		send_body(c, "", "?", 1);
	}
	return true;
}

/* --- the client's side -------------------------------------------------------------- */

struct fixture {
	struct loop *loop;
	struct http *http;
	struct https_server *server;
	char url[64];
	bool in_start;
};

struct answer {
	struct fixture *f;
	http_id id;
	int statuses, status;
	int32_t retry_after_s;
	char type[64], warning[128];
	struct buf body;
	int ends;
	enum http_result result;
	struct err err;
	/* What the callbacks do. */
	size_t stop_at;	 /* bytes; 0: never */
	size_t pause_at; /* each so many bytes */
	size_t paused_at;
	struct answer *cancel_at_status, *cancel_at_data, *cancel_at_end;
	struct answer *start_at_data, *start_at_end;
	const char *path;
};

static void start(struct answer *a, const char *path);

static void cancel(struct answer *a)
{
	http_cancel(a->f->http, a->id);
	a->ends = -1000; /* nothing may come */
}

static void on_status(void *arg, const struct http_status *s)
{
	struct answer *a = arg;

	assert_false(a->f->in_start);
	assert_int_equal(a->ends, 0);
	assert_int_equal(a->body.len, 0);
	a->statuses++;
	a->status = s->status;
	a->retry_after_s = s->retry_after_s;
	snprintf(a->type, sizeof(a->type), "%s", s->content_type);
	snprintf(a->warning, sizeof(a->warning), "%s", s->server_warning);
	if (a->cancel_at_status)
		cancel(a->cancel_at_status);
}

static bool on_data(void *arg, const void *data, size_t len)
{
	struct answer *a = arg;

	assert_false(a->f->in_start);
	assert_int_equal(a->ends, 0);
	assert_int_equal(a->statuses, 1);
	buf_put(&a->body, data, len);
	if (a->cancel_at_data)
		cancel(a->cancel_at_data);
	if (a->start_at_data)
		start(a->start_at_data, "/echo");
	a->start_at_data = NULL;
	if (a->pause_at && a->body.len - a->paused_at >= a->pause_at) {
		a->paused_at = a->body.len;
		http_pause(a->f->http, a->id, true);
	}
	return !a->stop_at || a->body.len < a->stop_at;
}

static void on_end(void *arg, enum http_result r, const struct err *err)
{
	struct answer *a = arg;

	assert_false(a->f->in_start);
	assert_int_equal(a->ends, 0);
	a->ends++;
	a->result = r;
	a->err = *err;
	assert_int_equal(r == HTTP_DONE, err->text[0] == '\0');
	assert_int_equal(r == HTTP_DONE, err->code == 0);
	if (a->cancel_at_end)
		cancel(a->cancel_at_end);
	if (a->start_at_end)
		start(a->start_at_end, "/echo");
}

static struct http_request request_of(struct answer *a, const char *path)
{
	return (struct http_request){ .method = "GET",
				      .server = a->f->url,
				      .path = path,
				      .status = on_status,
				      .data = on_data,
				      .end = on_end,
				      .arg = a };
}

static void start_request(struct answer *a, const struct http_request *q)
{
	a->f->in_start = true;
	a->id = http_start(a->f->http, q);
	a->f->in_start = false;
	assert_true(a->id != 0);
}

static void start(struct answer *a, const char *path)
{
	const struct http_request q = request_of(a, path);

	start_request(a, &q);
}

static void turn(struct fixture *f)
{
	assert_int_equal(loop_turn(f->loop, 100), 0);
}

/* `what` may be the number of ends or bytes: anything that only grows. */
#define WAIT_FOR(f, condition)                                                                    \
	do {                                                                                      \
		mono_t begun = clock_mono(&clock_system);                                         \
		while (!(condition)) {                                                            \
			turn(f);                                                                  \
			assert_true(mono_sub_ms(clock_mono(&clock_system), begun) < PATIENCE_MS); \
		}                                                                                 \
	} while (0)

static void wait_end(struct answer *a)
{
	WAIT_FOR(a->f, a->ends == 1);
}

static void ask(struct answer *a, const char *path)
{
	start(a, path);
	wait_end(a);
}

static const char *body(struct answer *a)
{
	return buf_cstr(&a->body);
}

static void answer_done(struct answer *a)
{
	buf_done(&a->body);
}
#define ANSWER(name, ...) CLEANUP(answer_done) struct answer name = { .f = f, ##__VA_ARGS__ }

static void begin(struct fixture *f, const struct https_options *o)
{
	struct https_options with = *o;

	with.serve = serve;
	f->server = https_server_start(&with);
	snprintf(f->url, sizeof(f->url), "http%s://127.0.0.1:%u", o->cert ? "s" : "",
		 https_server_port(f->server));
	assert_int_equal(loop_new(&test_clock, &f->loop), 0);
	assert_int_equal(http_curl_new(f->loop, "parasaus/test (node)", &f->http), 0);
}

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ 0 };
	begin(&fixture, &(struct https_options){ 0 });
	*state = &fixture;
	return 0;
}

static int set_up_tls_with(void **state, const struct pki_pair *pair, const char *client_ca)
{
	static struct fixture fixture;

	fixture = (struct fixture){ 0 };
	begin(&fixture, &(struct https_options){
				.cert = pair->cert, .key = pair->key, .client_ca = client_ca });
	*state = &fixture;
	return 0;
}

static int set_up_tls(void **state)
{
	return set_up_tls_with(state, &server_pair, NULL);
}

static int set_up_named(void **state)
{
	return set_up_tls_with(state, &named_pair, NULL);
}

static int set_up_mutual(void **state)
{
	return set_up_tls_with(state, &server_pair, pki_ca(ours));
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	https_server_stop(f->server);
	loop_free(f->loop);
	return 0;
}

static void trust(struct fixture *f, const char *ca, const struct pki_pair *pair, const char *name,
		  bool insecure)
{
	const struct http_trust t = { .ca_pem = ca,
				      .ca_len = ca ? strlen(ca) : 0,
				      .cert_pem = pair ? pair->cert : NULL,
				      .cert_len = pair ? strlen(pair->cert) : 0,
				      .key_pem = pair ? pair->key : NULL,
				      .key_len = pair ? strlen(pair->key) : 0,
				      .server_name = name,
				      .insecure = insecure };

	assert_int_equal(http_set_trust(f->http, &t), 0);
}

/* --- what is asked, and what comes back ---------------------------------------------- */

static void a_request_is_as_told(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);
	struct http_request q = request_of(&a, "/echo?limit=1&x=%2F../y");

	q.token = "secret.token";
	q.gzip = true;
	start_request(&a, &q);
	wait_end(&a);
	assert_int_equal(a.result, HTTP_DONE);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.retry_after_s, -1);
	assert_non_null(strstr(body(&a), "GET /echo?limit=1&x=%2F../y HTTP/1.1\r\n"));
	assert_non_null(strstr(body(&a), "\r\nAuthorization: Bearer secret.token\r\n"));
	assert_non_null(strstr(body(&a), "\r\nUser-Agent: parasaus/test (node)\r\n"));
	assert_non_null(strstr(body(&a), "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(body(&a), "\r\nAccept-Encoding: gzip\r\n"));
	assert_null(strstr(body(&a), "Cookie"));
	assert_null(strstr(body(&a), "Expect"));
}

static void a_body_goes_out(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);
	struct http_request q = request_of(&a, "/echo");

	q.method = "PATCH";
	q.accept = "text/plain";
	q.content_type = "application/merge-patch+json";
	q.body = "{\"a\":1}";
	q.body_len = 7;
	start_request(&a, &q);
	wait_end(&a);
	assert_int_equal(a.result, HTTP_DONE);
	assert_non_null(strstr(body(&a), "PATCH /echo HTTP/1.1\r\n"));
	assert_non_null(strstr(body(&a), "\r\nContent-Type: application/merge-patch+json\r\n"));
	assert_non_null(strstr(body(&a), "\r\nContent-Length: 7\r\n"));
	assert_non_null(strstr(body(&a), "\r\nAccept: text/plain\r\n"));
	assert_null(strstr(body(&a), "Authorization"));
}

struct result_case {
	const char *path;
	const char *body;
	enum http_result result;
	int status; /* 0: none was told */
	bool gzip;
};

static const struct result_case results[] = {
	{ "/chunked", "abcde", HTTP_DONE, 200, false },
	{ "/trailer", "abc", HTTP_DONE, 200, false },
	{ "/chunked-cut", "abc", HTTP_CUT, 200, false },
	{ "/length-cut", "abc", HTTP_CUT, 200, false },
	{ "/reset", NULL, HTTP_CUT, 200, false },
	{ "/until-close", "abc", HTTP_DONE, 200, false },
	{ "/nothing", "", HTTP_CUT, 0, false },
	{ "/nonsense", "", HTTP_CUT, 0, false },
	{ "/redirect", "", HTTP_DONE, 302, false },
	{ "/interim", "hi", HTTP_DONE, 200, false },
	{ "/empty", "", HTTP_DONE, 204, false },
	{ "/gzip", "hello, gzip", HTTP_DONE, 200, true },
	{ "/gzip-cut", "hello, gzip", HTTP_CUT, 200, true },
	{ "/gzip-bad", "hello, gzip", HTTP_CUT, 200, true },
	{ "/brotli", "", HTTP_CUT, 200, true },
};

static void answers_end_as_they_are(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		const struct result_case *c = &results[i];
		ANSWER(a);
		struct http_request q = request_of(&a, c->path);

		q.gzip = c->gzip;
		start_request(&a, &q);
		wait_end(&a);
		if (a.result != c->result || a.status != c->status)
			fail_msg("%s: result %d, status %d: %s", c->path, a.result, a.status,
				 a.err.text);
		if (c->body)
			assert_string_equal(body(&a), c->body);
		if (a.result != HTTP_DONE)
			assert_memory_equal(a.err.text, f->url, strlen(f->url));
	}
}

static void heads_are_read(void **state)
{
	struct fixture *f = *state;
	ANSWER(busy);
	ANSWER(later);
	ANSWER(date);
	ANSWER(interim);

	ask(&busy, "/busy");
	assert_int_equal(busy.status, 429);
	assert_int_equal(busy.retry_after_s, 7);
	assert_string_equal(busy.type, "text/plain");
	assert_string_equal(busy.warning, "v1 \"Endpoints\" is old");
	assert_string_equal(body(&busy), "no!");
	ask(&later, "/much-later");
	assert_int_equal(later.retry_after_s, 3600);
	assert_string_equal(later.type, "");
	ask(&date, "/by-date");
	assert_int_equal(date.retry_after_s, -1);
	ask(&interim, "/interim");
	assert_int_equal(interim.statuses, 1);
	assert_int_equal(interim.retry_after_s, -1);
}

static void what_cannot_be_asked_is_told(void **state)
{
	struct fixture *f = *state;
	ANSWER(space);
	ANSWER(relative);
	ANSWER(token);
	ANSWER(scheme);
	struct http_request q;

	ask(&space, "/a b");
	assert_int_equal(space.result, HTTP_LOCAL);
	ask(&relative, "echo");
	assert_int_equal(relative.result, HTTP_LOCAL);
	q = request_of(&token, "/echo");
	q.token = "a\r\nX: y";
	start_request(&token, &q);
	wait_end(&token);
	assert_int_equal(token.result, HTTP_LOCAL);
	assert_int_equal(https_server_connections(f->server), 0);
	q = request_of(&scheme, "/etc/passwd");
	q.server = "file://";
	start_request(&scheme, &q);
	wait_end(&scheme);
	assert_int_equal(scheme.result, HTTP_LOCAL);
}

static void nobody_listens(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);

	https_server_stop(f->server);
	f->server = NULL;
	ask(&a, "/echo");
	assert_int_equal(a.result, HTTP_REFUSED);
	assert_int_equal(a.statuses, 0);
}

static void descriptors_run_out(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, none;
	ANSWER(a);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	start(&a, "/echo");
	WAIT_FOR(f, a.ends == 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(a.result, HTTP_LOCAL);
	assert_non_null(strstr(a.err.text, strerror(EMFILE)));
}

static void requests_share_a_connection(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		ANSWER(a);

		ask(&a, "/echo");
		assert_int_equal(a.result, HTTP_DONE);
	}
	assert_int_equal(https_server_connections(f->server), 1);
}

static void enough_is_enough(void **state)
{
	struct fixture *f = *state;
	ANSWER(a, .stop_at = 1);

	ask(&a, "/big");
	assert_int_equal(a.result, HTTP_STOPPED);
	assert_true(a.body.len < BIG);
}

/* --- time ------------------------------------------------------------------------------ */

static void push_clock(struct fixture *f, int64_t ms)
{
	pushed_ms += ms;
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_turn(f->loop, 0), 0);
}

static void silence_ends_a_stream(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);
	struct http_request q = request_of(&a, "/stream");

	q.idle_s = 150;
	start_request(&a, &q);
	WAIT_FOR(f, a.body.len == 3);
	push_clock(f, 100000);
	https_server_go(f->server);
	WAIT_FOR(f, a.body.len == 6);
	push_clock(f, 140000);
	assert_int_equal(a.ends, 0);
	push_clock(f, 20000);
	assert_int_equal(a.ends, 1);
	assert_int_equal(a.result, HTTP_IDLE);
	assert_string_equal(body(&a), "abcdef");
}

static void silence_before_the_answer_counts(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);
	struct http_request q = request_of(&a, "/mute");

	q.idle_s = 30;
	start_request(&a, &q);
	WAIT_FOR(f, https_server_connections(f->server) == 1);
	push_clock(f, 31000);
	assert_int_equal(a.result, HTTP_IDLE);
	assert_int_equal(a.ends, 1);
}

static void all_of_it_is_bounded(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);
	struct http_request q = request_of(&a, "/stream");

	q.total_s = 60;
	start_request(&a, &q);
	for (size_t i = 1; i <= 5; i++) {
		WAIT_FOR(f, a.body.len == 3 * i);
		push_clock(f, 10000);
		https_server_go(f->server);
	}
	WAIT_FOR(f, a.body.len == 18);
	assert_int_equal(a.ends, 0);
	push_clock(f, 10000);
	assert_int_equal(a.ends, 1);
	assert_int_equal(a.result, HTTP_IDLE);
}

static void a_pause_is_not_silence(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);
	struct http_request q = request_of(&a, "/stream");

	q.idle_s = 30;
	start_request(&a, &q);
	WAIT_FOR(f, a.body.len == 3);
	http_pause(f->http, a.id, true);
	push_clock(f, 40000);
	push_clock(f, 40000);
	assert_int_equal(a.ends, 0);
	http_pause(f->http, a.id, false);
	push_clock(f, 0);
	push_clock(f, 40000);
	assert_int_equal(a.result, HTTP_IDLE);
	assert_int_equal(a.ends, 1);
}

/* --- names ------------------------------------------------------------------------------ */

static sem_t resolving, resolved;

/*
 * libcurl finds this one before libc's: names of .slow take until the test lets them go.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved names.
 */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **out)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (strstr(name, ".slow")) {
		sem_post(&resolving);
		while (sem_wait(&resolved) < 0)
			;
		return EAI_NONAME;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(name, service, hints, out);
}

static void a_slow_resolver_holds_nobody_up(void **state)
{
	struct fixture *f = *state;
	ANSWER(slow);
	ANSWER(cancelled);
	ANSWER(other);
	struct http_request q = request_of(&slow, "/echo");

	q.server = "http://api.slow";
	start_request(&slow, &q);
	q = request_of(&cancelled, "/echo");
	q.server = "http://other.slow";
	start_request(&cancelled, &q);
	for (int i = 0; i < 2; i++)
		WAIT_FOR(f, sem_trywait(&resolving) == 0);
	ask(&other, "/echo");
	assert_int_equal(other.result, HTTP_DONE);
	cancel(&cancelled); /* would wait for its thread, and this test for ever */
	turn(f);
	sem_post(&resolved);
	sem_post(&resolved);
	wait_end(&slow);
	assert_int_equal(slow.result, HTTP_REFUSED);
}

static void freed_while_resolving(void **state)
{
	struct fixture *f = *state;
	static struct answer slow;
	struct http_request q;

	slow = (struct answer){ .f = f };
	q = request_of(&slow, "/echo");
	q.server = "http://api.slow";
	start_request(&slow, &q);
	WAIT_FOR(f, sem_trywait(&resolving) == 0);
	http_free(f->http);
	sem_post(&resolved);
	assert_int_equal(http_curl_new(f->loop, "parasaus/test", &f->http), 0);
}

/* --- pausing and cancelling -------------------------------------------------------------- */

/* Nothing comes while it is paused, and all of it comes when it goes on. */
static void pause_and_go_on(struct fixture *f, const char *path)
{
	ANSWER(a, .pause_at = 1 << 20);
	struct http_request q = request_of(&a, path);
	int pauses = 0;

	q.gzip = true;
	start_request(&a, &q);
	for (size_t last = 0; a.ends == 0;) {
		ANSWER(other);

		WAIT_FOR(f, a.paused_at > last || a.ends);
		if (a.ends)
			break;
		last = a.paused_at;
		ask(&other, "/chunked");
		assert_int_equal(a.body.len, last);
		pauses++;
		http_pause(f->http, a.id, false);
	}
	assert_int_equal(a.result, HTTP_DONE);
	assert_int_equal(a.body.len, BIG);
	assert_true(pauses >= 6);
}

static void a_paused_answer_goes_on(void **state)
{
	pause_and_go_on(*state, "/big");
}

static void a_paused_gzip_answer_goes_on(void **state)
{
	pause_and_go_on(*state, "/big-gzip");
}

static void callbacks_may_cancel(void **state)
{
	struct fixture *f = *state;
	ANSWER(at_status);
	ANSWER(at_data);
	ANSWER(other);
	ANSWER(last);

	at_status.cancel_at_status = &at_status;
	at_data.cancel_at_data = &at_data;
	start(&other, "/mute");
	start(&at_status, "/echo");
	start(&at_data, "/big");
	WAIT_FOR(f, at_status.ends < 0 && at_data.ends < 0);
	last.cancel_at_end = &other;
	ask(&last, "/echo");
	assert_int_equal(last.result, HTTP_DONE);
	assert_int_equal(other.ends, -1000);
	http_cancel(f->http, last.id);
	http_cancel(f->http, 0);
	http_cancel(f->http, 999);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(f->loop, 10), 0);
}

static void callbacks_may_cancel_another(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);
	ANSWER(b);

	a.cancel_at_data = &b;
	start(&b, "/stream");
	WAIT_FOR(f, b.body.len == 3);
	ask(&a, "/echo");
	https_server_go(f->server);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(f->loop, 10), 0);
	assert_int_equal(b.body.len, 3);
}

static void callbacks_may_start(void **state)
{
	struct fixture *f = *state;
	ANSWER(first);
	ANSWER(in_data);
	ANSWER(in_end);

	first.start_at_data = &in_data;
	first.start_at_end = &in_end;
	ask(&first, "/chunked");
	wait_end(&in_data);
	wait_end(&in_end);
	assert_int_equal(in_data.result, HTTP_DONE);
	assert_int_equal(in_end.result, HTTP_DONE);
}

static void cancelled_before_it_began(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);

	start(&a, "/echo");
	cancel(&a);
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_int_equal(https_server_connections(f->server), 0);
}

/* tear_down() frees it with all of this under way. */
static void freed_in_the_midst(void **state)
{
	struct fixture *f = *state;
	static struct answer streaming, paused, fresh;

	streaming = paused = fresh = (struct answer){ .f = f };
	start(&streaming, "/stream");
	paused.pause_at = 1;
	start(&paused, "/stream");
	WAIT_FOR(f, streaming.body.len == 3 && paused.body.len == 3);
	start(&fresh, "/echo");
	buf_done(&streaming.body);
	buf_done(&paused.body);
}

/* --- TLS -------------------------------------------------------------------------------- */

static void authorities_decide(void **state)
{
	struct fixture *f = *state;
	ANSWER(unknown);
	ANSWER(wrong);
	ANSWER(right);
	ANSWER(blind);

	ask(&unknown, "/echo");
	assert_int_equal(unknown.result, HTTP_UNTRUSTED);
	trust(f, pki_ca(theirs), NULL, NULL, false);
	ask(&wrong, "/echo");
	assert_int_equal(wrong.result, HTTP_UNTRUSTED);
	trust(f, pki_ca(ours), NULL, NULL, false);
	ask(&right, "/echo");
	assert_int_equal(right.result, HTTP_DONE);
	trust(f, pki_ca(theirs), NULL, NULL, true);
	ask(&blind, "/echo");
	assert_int_equal(blind.result, HTTP_DONE);
}

static void no_authorities_at_all(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);

	trust(f, "nothing\n", NULL, NULL, false);
	ask(&a, "/echo");
	assert_int_equal(a.result, HTTP_UNTRUSTED);
}

/* A connection of the old trust is used on by whoever has it, and by nobody else. */
static void a_new_trust_is_for_new_connections(void **state)
{
	struct fixture *f = *state;
	ANSWER(old);
	ANSWER(kept);
	ANSWER(new);
	ANSWER(refused);

	trust(f, pki_ca(ours), NULL, NULL, false);
	start(&old, "/stream");
	WAIT_FOR(f, old.body.len == 3);
	ask(&kept, "/echo");
	assert_int_equal(https_server_connections(f->server), 2);
	trust(f, pki_ca(theirs), NULL, NULL, false);
	ask(&refused, "/echo");
	assert_int_equal(refused.result, HTTP_UNTRUSTED);
	trust(f, pki_ca(ours), NULL, NULL, false);
	ask(&new, "/echo");
	assert_int_equal(new.result, HTTP_DONE);
	assert_int_equal(https_server_connections(f->server), 4);
	https_server_go(f->server);
	WAIT_FOR(f, old.body.len == 6);
}

static void names_are_compared(void **state)
{
	struct fixture *f = *state;
	ANSWER(by_address);
	ANSWER(by_other_name);
	ANSWER(by_name);

	trust(f, pki_ca(ours), NULL, NULL, false);
	ask(&by_address, "/echo");
	assert_int_equal(by_address.result, HTTP_UNTRUSTED);
	trust(f, pki_ca(ours), NULL, "other.test", false);
	ask(&by_other_name, "/echo");
	assert_int_equal(by_other_name.result, HTTP_UNTRUSTED);
	trust(f, pki_ca(ours), NULL, "api.test", false);
	ask(&by_name, "/echo");
	assert_int_equal(by_name.result, HTTP_DONE);
	assert_non_null(strstr(body(&by_name), "\r\nHost: api.test:"));
}

static void a_name_is_resolved(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);

	trust(f, pki_ca(ours), NULL, NULL, false);
	snprintf(f->url, sizeof(f->url), "https://localhost:%u/", https_server_port(f->server));
	ask(&a, "/echo");
	assert_int_equal(a.result, HTTP_DONE);
	assert_memory_equal(body(&a), "GET /echo ", 10);
}

static void clients_have_certificates(void **state)
{
	struct fixture *f = *state;
	ANSWER(without);
	ANSWER(stranger);
	ANSWER(known);

	trust(f, pki_ca(ours), NULL, NULL, false);
	ask(&without, "/echo");
	assert_int_equal(without.result, HTTP_UNTRUSTED);
	trust(f, pki_ca(ours), &stranger_pair, NULL, false);
	ask(&stranger, "/echo");
	assert_int_equal(stranger.result, HTTP_UNTRUSTED);
	trust(f, pki_ca(ours), &client_pair, NULL, false);
	ask(&known, "/echo");
	assert_int_equal(known.result, HTTP_DONE);
}

static void a_key_of_another_certificate(void **state)
{
	struct fixture *f = *state;
	const struct pki_pair mixed = { client_pair.cert, server_pair.key };
	ANSWER(a);

	trust(f, pki_ca(ours), &mixed, NULL, false);
	ask(&a, "/echo");
	assert_int_equal(a.result, HTTP_UNTRUSTED);
}

static void a_server_without_tls(void **state)
{
	struct fixture *f = *state;
	ANSWER(a);

	snprintf(f->url, sizeof(f->url), "https://127.0.0.1:%u", https_server_port(f->server));
	ask(&a, "/echo");
	assert_true(a.result == HTTP_UNTRUSTED || a.result == HTTP_CUT);
	assert_int_equal(a.statuses, 0);
}

static void answers_end_so_under_tls(void **state)
{
	struct fixture *f = *state;

	trust(f, pki_ca(ours), NULL, NULL, false);
	answers_end_as_they_are(state);
}

static int make_pki(void **state)
{
	(void)state;
	ours = pki_new("ours");
	theirs = pki_new("theirs");
	server_pair = pki_issue(ours, "127.0.0.1,localhost");
	named_pair = pki_issue(ours, "api.test");
	client_pair = pki_issue(ours, "client.test");
	stranger_pair = pki_issue(theirs, "client.test");
	return 0;
}

static int drop_pki(void **state)
{
	(void)state;
	pki_pair_done(&server_pair);
	pki_pair_done(&named_pair);
	pki_pair_done(&client_pair);
	pki_pair_done(&stranger_pair);
	pki_free(ours);
	pki_free(theirs);
	return 0;
}

#define PLAIN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define TLS(test)   cmocka_unit_test_setup_teardown(test, set_up_tls, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAIN(a_request_is_as_told),
		PLAIN(a_body_goes_out),
		PLAIN(answers_end_as_they_are),
		PLAIN(heads_are_read),
		PLAIN(what_cannot_be_asked_is_told),
		PLAIN(nobody_listens),
		PLAIN(descriptors_run_out),
		PLAIN(requests_share_a_connection),
		PLAIN(enough_is_enough),
		PLAIN(silence_ends_a_stream),
		PLAIN(silence_before_the_answer_counts),
		PLAIN(all_of_it_is_bounded),
		PLAIN(a_pause_is_not_silence),
		PLAIN(a_slow_resolver_holds_nobody_up),
		PLAIN(freed_while_resolving),
		PLAIN(a_paused_answer_goes_on),
		PLAIN(a_paused_gzip_answer_goes_on),
		PLAIN(callbacks_may_cancel),
		PLAIN(callbacks_may_cancel_another),
		PLAIN(callbacks_may_start),
		PLAIN(cancelled_before_it_began),
		PLAIN(freed_in_the_midst),
		PLAIN(a_server_without_tls),
		TLS(authorities_decide),
		TLS(no_authorities_at_all),
		TLS(a_new_trust_is_for_new_connections),
		TLS(a_name_is_resolved),
		TLS(answers_end_so_under_tls),
		cmocka_unit_test_setup_teardown(names_are_compared, set_up_named, tear_down),
		cmocka_unit_test_setup_teardown(clients_have_certificates, set_up_mutual,
						tear_down),
		cmocka_unit_test_setup_teardown(a_key_of_another_certificate, set_up_mutual,
						tear_down),
	};

	sem_init(&resolving, 0, 0);
	sem_init(&resolved, 0, 0);
	/* Whoever asks it gets no answer. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
