/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http_reply.c and the request of http.c: what is asked, and what every answer means. */
#include "healthcheck/http_reply.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

enum ending { OPEN, CLOSED };

struct reply_case {
	const char *name;
	const char *match;
	const char *reply;
	enum ending ending; /* whether the peer closes after it */
	bool is_done;
	enum hc_reason reason;
	int32_t detail;
};

static const struct reply_case cases[] = {
	{ "length", NULL, OK_HEAD "Content-Length: 2\r\n\r\nhi", OPEN, true, HC_REASON_OK, 200 },
	{ "length, too little", NULL, OK_HEAD "Content-Length: 3\r\n\r\nhi", OPEN, false, 0, 0 },
	{ "length, cut off", NULL, OK_HEAD "Content-Length: 3\r\n\r\nhi", CLOSED, true,
	  HC_REASON_CLOSED, 0 },
	{ "length, and more", NULL, OK_HEAD "Content-Length: 2\r\n\r\nhi there", OPEN, true,
	  HC_REASON_OK, 200 },
	{ "length 0", NULL, OK_HEAD "Content-Length: 0\r\n\r\n", OPEN, true, HC_REASON_OK, 200 },
	{ "length, any case, blanks", NULL, OK_HEAD "content-LENGTH: \t 2 \r\n\r\nhi", OPEN, true,
	  HC_REASON_OK, 200 },
	{ "two lengths", NULL, OK_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", OPEN,
	  true, HC_REASON_BAD_REPLY, 200 },
	{ "the same twice", NULL, OK_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", OPEN,
	  true, HC_REASON_OK, 200 },
	{ "length of letters", NULL, OK_HEAD "Content-Length: two\r\n\r\nhi", OPEN, true,
	  HC_REASON_BAD_REPLY, 200 },
	{ "negative length", NULL, OK_HEAD "Content-Length: -2\r\n\r\nhi", OPEN, true,
	  HC_REASON_BAD_REPLY, 200 },
	{ "endless length", NULL, OK_HEAD "Content-Length: 99999999999999999999\r\n\r\n", OPEN,
	  true, HC_REASON_BAD_REPLY, 200 },
	{ "until close", NULL, OK_HEAD "\r\nhi", CLOSED, true, HC_REASON_OK, 200 },
	{ "until close, still open", NULL, OK_HEAD "\r\nhi", OPEN, false, 0, 0 },
	{ "no body by status", NULL, "HTTP/1.1 204 No Content\r\n\r\n", OPEN, true, HC_REASON_OK,
	  204 },
	{ "not modified", NULL, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", OPEN,
	  true, HC_REASON_OK, 304 },
	{ "no reason phrase", NULL, "HTTP/1.1 200\r\n\r\n", CLOSED, true, HC_REASON_OK, 200 },
	{ "HTTP/1.0", NULL, "HTTP/1.0 200 OK\r\n\r\n", CLOSED, true, HC_REASON_OK, 200 },
	{ "bare newlines", NULL, "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", OPEN, true,
	  HC_REASON_OK, 200 },
	{ "interim", NULL,
	  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n" OK_HEAD
	  "Content-Length: 0\r\n\r\n",
	  OPEN, true, HC_REASON_OK, 200 },
	{ "interim alone", NULL, "HTTP/1.1 100 Continue\r\n\r\n", CLOSED, true, HC_REASON_CLOSED,
	  0 },
	{ "switching", NULL, "HTTP/1.1 101 Switching Protocols\r\n\r\n", OPEN, true,
	  HC_REASON_STATUS, 101 },
	{ "status below", NULL, "HTTP/1.1 199 Odd\r\n\r\n", OPEN, false, 0, 0 },
	{ "status above", NULL, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", OPEN, true,
	  HC_REASON_STATUS, 404 },
	{ "status, cut off", NULL, "HTTP/1.1 500 Oh\r\nContent-Length: 20\r\n\r\nno", CLOSED, true,
	  HC_REASON_STATUS, 500 },
	{ "status out of range", NULL, "HTTP/1.1 600 Oh\r\n\r\n", OPEN, true, HC_REASON_BAD_REPLY,
	  600 },
	{ "no status", NULL, "HTTP/1.1 OK\r\n\r\n", OPEN, true, HC_REASON_BAD_REPLY, 0 },
	{ "four digits", NULL, "HTTP/1.1 2000 OK\r\n\r\n", OPEN, true, HC_REASON_BAD_REPLY, 0 },
	{ "HTTP/2", NULL, "HTTP/2 200\r\n\r\n", OPEN, true, HC_REASON_BAD_REPLY, 0 },
	{ "another protocol", NULL, "220 mail.example.org ESMTP\r\n", OPEN, true,
	  HC_REASON_BAD_REPLY, 0 },
	{ "nothing", NULL, "", CLOSED, true, HC_REASON_CLOSED, 0 },
	{ "half a header", NULL, OK_HEAD "Content-Le", CLOSED, true, HC_REASON_CLOSED, 0 },
	{ "chunks", "it works", CHUNKED "5\r\nit wo\r\n003;x=y\r\nrks\r\n0\r\n\r\n", OPEN, true,
	  HC_REASON_OK, 200 },
	{ "chunks and trailers", NULL, CHUNKED "1\r\na\r\n0\r\nX: y\r\nZ: z\r\n\r\n", OPEN, true,
	  HC_REASON_OK, 200 },
	{ "chunks, cut off", NULL, CHUNKED "5\r\nit wo\r\n", CLOSED, true, HC_REASON_CLOSED, 0 },
	{ "chunk without size", NULL, CHUNKED "\r\n", OPEN, true, HC_REASON_BAD_REPLY, 200 },
	{ "chunk of letters", NULL, CHUNKED "xyz\r\n", OPEN, true, HC_REASON_BAD_REPLY, 200 },
	{ "chunk, endless", NULL, CHUNKED "ffffffffffffffffffff\r\n", OPEN, true,
	  HC_REASON_BAD_REPLY, 200 },
	{ "chunk, longer than told", NULL, CHUNKED "1\r\nabc\r\n", OPEN, true, HC_REASON_BAD_REPLY,
	  200 },
	{ "chunks win over length", NULL,
	  OK_HEAD
	  "Content-Length: 1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	  OPEN, true, HC_REASON_OK, 200 },
	{ "match", "works", OK_HEAD "Content-Length: 8\r\n\r\nit works", OPEN, true, HC_REASON_OK,
	  200 },
	{ "no match", "works", OK_HEAD "Content-Length: 8\r\n\r\nit work.", OPEN, true,
	  HC_REASON_NO_MATCH, 200 },
	{ "match in the header is none", "works", OK_HEAD "X: works\r\n\r\n", CLOSED, true,
	  HC_REASON_NO_MATCH, 200 },
	{ "match that begins twice", "aab", OK_HEAD "\r\naaab", CLOSED, true, HC_REASON_OK, 200 },
	{ "match that begins in itself", "ababac", OK_HEAD "\r\nabababacx", CLOSED, true,
	  HC_REASON_OK, 200 },
	{ "draining", "works", "HTTP/1.1 520 X\r\nContent-Length: 0\r\n\r\n", OPEN, true,
	  HC_REASON_DRAINING, 520 },
	{ "draining, cut off", NULL, "HTTP/1.1 520 X\r\nContent-Length: 9\r\n\r\n", CLOSED, true,
	  HC_REASON_DRAINING, 520 },
	{ "draining, before expected", NULL, "HTTP/1.1 202 X\r\n\r\n", CLOSED, true,
	  HC_REASON_DRAINING, 202 },
	{ "degraded, before expected", NULL, "HTTP/1.1 203 X\r\n\r\n", CLOSED, true,
	  HC_REASON_DEGRADED, 203 },
	{ "degraded, cut off", NULL, "HTTP/1.1 521 X\r\nContent-Length: 9\r\n\r\n", CLOSED, true,
	  HC_REASON_DEGRADED, 521 },
	{ "degraded, no body", NULL, "HTTP/1.1 521 X\r\nContent-Length: 0\r\n\r\n", OPEN, true,
	  HC_REASON_DEGRADED, 521 },
	{ "degraded, before the body", "works", "HTTP/1.1 203 X\r\nContent-Length: 3\r\n\r\nill",
	  OPEN, true, HC_REASON_DEGRADED, 203 },
	{ "match on an ill status", "works", "HTTP/1.1 503 X\r\n\r\nworks", CLOSED, true,
	  HC_REASON_STATUS, 503 },
};

static struct check *check_with(const char *match)
{
	struct check *c = check_new(CHECK_HTTP);

	c->match = match ? xstrdup(match) : NULL;
	c->drain[0] = (struct check_status_range){ 520, 520 };
	c->drain[1] = (struct check_status_range){ 202, 202 };
	c->drain_count = 2;
	c->degraded[0] = (struct check_status_range){ 520, 529 };
	c->degraded[1] = (struct check_status_range){ 202, 203 };
	c->degraded_count = 2;
	return c;
}

/* Each piece in a block of its own, so that a sanitizer sees a step beyond it. */
static bool feed(struct hc_http_reply *r, const char *data, size_t len)
{
	char *copy = xmalloc(len + !len);
	bool done;

	memcpy(copy, data, len);
	done = hc_http_reply_feed(r, copy, len);
	free(copy);
	return done;
}

static void check_case(const struct reply_case *c, size_t piece)
{
	struct check *check = check_with(c->match);
	size_t len = strlen(c->reply);
	struct hc_http_reply r;

	hc_http_reply_init(&r, check);
	for (size_t i = 0; i < len && r.state != HC_HTTP_DONE; i += piece)
		feed(&r, c->reply + i, len - i < piece ? len - i : piece);
	if (c->ending == CLOSED)
		hc_http_reply_closed(&r);
	if ((r.state == HC_HTTP_DONE) != c->is_done)
		fail_msg("%s, in pieces of %zu: %s", c->name, piece,
			 c->is_done ? "not done" : "done");
	if (c->is_done && (r.outcome.reason != c->reason || r.outcome.detail != c->detail))
		fail_msg("%s, in pieces of %zu: %s (%d)", c->name, piece,
			 hc_reason_text(r.outcome.reason), r.outcome.detail);
	check_unref(check);
}

static void answers_mean_the_same_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t piece = 1; piece <= strlen(cases[i].reply) + 1; piece++)
			check_case(&cases[i], piece);
	}
}

/* A reply with `header` bytes in its header and `body` of 'x' ending in "end". */
static struct hc_outcome judge_long(size_t header, size_t body, const char *match, bool *done)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct check *check = check_with(match);
	struct hc_http_reply r;

	buf_printf(&b, OK_HEAD "Content-Length: %zu\r\nX: ", body);
	while (b.len + 4 < header)
		buf_str(&b, "x");
	buf_str(&b, "\r\n\r\n");
	for (size_t i = 0; i + 3 < body; i++)
		buf_str(&b, "x");
	buf_str(&b, "end");
	hc_http_reply_init(&r, check);
	*done = hc_http_reply_feed(&r, b.data, b.len);
	check_unref(check);
	return r.outcome;
}

static void long_answers_are_bounded(void **state)
{
	bool done;

	(void)state;
	assert_int_equal(judge_long(HC_HTTP_HEADER_MAX, 10, NULL, &done).reason, HC_REASON_OK);
	assert_int_equal(judge_long(HC_HTTP_HEADER_MAX + 1, 10, NULL, &done).reason,
			 HC_REASON_TOO_LONG);
	assert_int_equal(judge_long(100, 1000000, NULL, &done).reason, HC_REASON_OK);
	assert_true(done);
	assert_int_equal(judge_long(100, HC_HTTP_BODY_LOOK, "end", &done).reason, HC_REASON_OK);
	assert_int_equal(judge_long(100, HC_HTTP_BODY_LOOK + 1, "end", &done).reason,
			 HC_REASON_NO_MATCH);
}

static void a_line_without_end_is_bounded(void **state)
{
	struct check *check = check_with(NULL);
	struct hc_http_reply r;
	unsigned fed = 0;

	(void)state;
	hc_http_reply_init(&r, check);
	while (!feed(&r, "HTTP/1.1", 8))
		assert_true(++fed <= HC_HTTP_HEADER_MAX / 8);
	assert_int_equal(r.outcome.reason, HC_REASON_TOO_LONG);
	check_unref(check);
}

static void endless_interim_answers_are_bounded(void **state)
{
	struct check *check = check_with(NULL);
	struct hc_http_reply r;
	unsigned fed = 0;

	(void)state;
	hc_http_reply_init(&r, check);
	while (!feed(&r, "HTTP/1.1 100 Go on\r\n\r\n", 22))
		assert_true(++fed <= HC_HTTP_HEADER_MAX / 22);
	assert_int_equal(r.outcome.reason, HC_REASON_TOO_LONG);
	check_unref(check);
}

/* Fed whole, its server would hear another question; fed by bytes, too, whatever follows it. */
static void it_is_known_whether_the_server_waits_for_more(void **state)
{
	static const struct {
		const char *reply;
		bool whole, by_bytes;
	} rows[] = {
		{ OK_HEAD "Content-Length: 2\r\n\r\nhi", true, true },
		{ OK_HEAD "Content-Length: 0\r\n\r\n", true, true },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", true, true },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\nA: trailer\r\n\r\n", true, true },
		{ "HTTP/1.1 204 None\r\n\r\n", true, true },
		{ "HTTP/1.1 304 Same\r\n\r\n", true, true },
		{ "HTTP/1.1 100 Go on\r\nConnection: close\r\n\r\n" OK_HEAD
		  "Content-Length: 0\r\n\r\n",
		  true, true },
		{ "HTTP/1.1 520 Going\r\nContent-Length: 0\r\n\r\n", true, true },
		{ "HTTP/1.1 203 Ill\r\nContent-Length: 0\r\n\r\n", true, true },
		/* Its server is not well: the next one is asked afresh. */
		{ "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", false, false },
		{ "HTTP/1.1 101 Other\r\n\r\n", false, false },
		/* No end but that of the connection; or two. */
		{ OK_HEAD "\r\nhi", false, false },
		{ OK_HEAD "Transfer-Encoding: gzip\r\n\r\nhi", false, false },
		{ OK_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false,
		  false },
		/* Something behind it. */
		{ OK_HEAD "Content-Length: 2\r\n\r\nhi!", false, true },
		{ OK_HEAD "Content-Length: 0\r\n\r\n\r\n", false, true },
		{ "HTTP/1.1 204 None\r\n\r\nx", false, true },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", false, true },
		/* What it says of it. */
		{ OK_HEAD "Connection: close\r\nContent-Length: 0\r\n\r\n", false, false },
		{ OK_HEAD "CONNECTION:\tCLOSE \r\nContent-Length: 0\r\n\r\n", false, false },
		{ OK_HEAD "Connection: upgrade, keep-alive\r\nConnection: x , ,close,\r\n"
			  "Content-Length: 0\r\n\r\n",
		  false, false },
		{ OK_HEAD "Connection: closed, enclose\r\nContent-Length: 0\r\n\r\n", true, true },
		{ OK_HEAD "Connection:\r\nContent-Length: 0\r\n\r\n", true, true },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, false },
		{ "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", true,
		  true },
		{ "HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 0\r\n\r\n",
		  false, false },
	};
	struct check *check = check_with(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hc_http_reply r;
		const char *p = rows[i].reply;

		hc_http_reply_init(&r, check);
		assert_false(hc_http_reply_persists(&r));
		feed(&r, p, strlen(p));
		if (hc_http_reply_persists(&r) != rows[i].whole)
			fail_msg("whole: %s", p);
		hc_http_reply_init(&r, check);
		while (*p && !feed(&r, p++, 1))
			assert_false(hc_http_reply_persists(&r));
		hc_http_reply_closed(&r);
		if (hc_http_reply_persists(&r) != rows[i].by_bytes)
			fail_msg("by bytes: %s", rows[i].reply);
	}
	check_unref(check);
}

/* Of a line that is longer than what is kept of it, nobody knows the end. */
static void a_long_connection_header_closes(void **state)
{
	struct check *check = check_with(NULL);

	(void)state;
	for (unsigned n = HC_HTTP_LINE_MAX - 30; n < HC_HTTP_LINE_MAX + 30; n++) {
		CLEANUP(buf_done) struct buf b = { 0 };
		struct hc_http_reply r;
		bool persists;

		buf_printf(&b, OK_HEAD "Content-Length: 0\r\nConnection: %*s, close\r\n\r\n",
			   (int)n, "x");
		hc_http_reply_init(&r, check);
		assert_true(feed(&r, (const char *)b.data, b.len));
		persists = hc_http_reply_persists(&r);
		assert_false(persists);
	}
	check_unref(check);
}

static void what_was_cut_was_not_all(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct check *check = check_with(NULL);
	struct hc_http_reply r;

	(void)state;
	buf_printf(&b, OK_HEAD "Content-Length: %u\r\n\r\n", HC_HTTP_TOTAL_MAX);
	while (b.len < HC_HTTP_TOTAL_MAX + 100)
		buf_str(&b, "x");
	hc_http_reply_init(&r, check);
	assert_true(hc_http_reply_feed(&r, b.data, b.len));
	assert_int_equal(r.outcome.reason, HC_REASON_OK);
	assert_false(hc_http_reply_persists(&r));
	check_unref(check);
}

static void statuses_are_taken_from_the_check(void **state)
{
	struct check *check = check_with(NULL);
	struct hc_http_reply r;

	(void)state;
	check->expect[0] = (struct check_status_range){ 401, 401 };
	check->expect[1] = (struct check_status_range){ 500, 503 };
	check->expect_count = 2;
	check->drain_count = check->degraded_count = 0;
	for (uint16_t status = 200; status <= 599; status++) {
		char text[64];
		bool want = status == 401 || (status >= 500 && status <= 503);
		int n = snprintf(text, sizeof(text), "HTTP/1.1 %u X\r\nContent-Length: 0\r\n\r\n",
				 status);

		hc_http_reply_init(&r, check);
		assert_true(hc_http_reply_feed(&r, text, (size_t)n));
		assert_int_equal(r.outcome.reason, want ? HC_REASON_OK : HC_REASON_STATUS);
	}
	check_unref(check);
}

static void the_question_is_plain(void **state)
{
	struct check *check = check_with(NULL);
	struct endpoint e = { 0 };
	char text[HC_HTTP_REQUEST_MAX];

	(void)state;
	assert_int_equal(endpoint_parse("10.0.0.1:8080", IPPROTO_TCP, &e), 0);
	text[hc_http_request(check, &e, true, text, sizeof(text))] = '\0';
	assert_memory_equal(text, "GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n", 37);
	assert_non_null(strstr(text, "\r\nUser-Agent: parasaus-probe/"));
	assert_non_null(strstr(text, "\r\nAccept: */*\r\nConnection: close\r\n\r\n"));
	e.port = 80;
	text[hc_http_request(check, &e, true, text, sizeof(text))] = '\0';
	assert_non_null(strstr(text, "\r\nHost: 10.0.0.1\r\n"));
	assert_int_equal(endpoint_parse("[2001:db8::1]:80", IPPROTO_TCP, &e), 0);
	text[hc_http_request(check, &e, true, text, sizeof(text))] = '\0';
	assert_non_null(strstr(text, "\r\nHost: [2001:db8::1]\r\n"));
	check->host = xstrdup("www.example.org");
	free(check->path);
	check->path = xstrdup("/health?full=1");
	text[hc_http_request(check, &e, true, text, sizeof(text))] = '\0';
	assert_memory_equal(text, "GET /health?full=1 HTTP/1.1\r\nHost: www.example.org\r\n", 51);
	check_unref(check);
}

static void a_question_that_others_follow_says_nothing_of_closing(void **state)
{
	struct check *check = check_with(NULL);
	struct endpoint e = { 0 };
	char text[HC_HTTP_REQUEST_MAX];

	(void)state;
	assert_int_equal(endpoint_parse("10.0.0.1:8080", IPPROTO_TCP, &e), 0);
	text[hc_http_request(check, &e, false, text, sizeof(text))] = '\0';
	assert_null(strstr(text, "Connection"));
	assert_non_null(strstr(text, "\r\nAccept: */*\r\n\r\n"));
	check_unref(check);
}

static void the_longest_question_fits(void **state)
{
	struct check *check = check_with(NULL);
	struct endpoint e = { 0 };
	char text[HC_HTTP_REQUEST_MAX];
	size_t n;

	(void)state;
	check->host = xcalloc(1, CHECK_HOST_MAX + 1);
	memset(check->host, 'h', CHECK_HOST_MAX);
	free(check->path);
	check->path = xcalloc(1, CHECK_PATH_MAX + 1);
	memset(check->path, '/', CHECK_PATH_MAX);
	n = hc_http_request(check, &e, true, text, sizeof(text));
	assert_true(n < sizeof(text) - 1);
	assert_memory_equal(text + n - 4, "\r\n\r\n", 4);
	check_unref(check);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_mean_the_same_in_any_pieces),
		cmocka_unit_test(long_answers_are_bounded),
		cmocka_unit_test(a_line_without_end_is_bounded),
		cmocka_unit_test(endless_interim_answers_are_bounded),
		cmocka_unit_test(it_is_known_whether_the_server_waits_for_more),
		cmocka_unit_test(a_long_connection_header_closes),
		cmocka_unit_test(what_was_cut_was_not_all),
		cmocka_unit_test(statuses_are_taken_from_the_check),
		cmocka_unit_test(the_question_is_plain),
		cmocka_unit_test(a_question_that_others_follow_says_nothing_of_closing),
		cmocka_unit_test(the_longest_question_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
