/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grpc.c and grpc_health.c: what is asked, and what every answer means. */
#include "healthcheck/grpc.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "agent/base/xalloc.h"

/* --- the messages ---------------------------------------------------------------------- */

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void a_request_names_its_service(void **state)
{
	char longest[CHECK_SERVICE_MAX + 1] = "";
	uint8_t out[HC_GRPC_REQUEST_MAX];

	(void)state;
	assert_int_equal(hc_grpc_request(NULL, out), 5);
	assert_memory_equal(out, "\0\0\0\0\0", 5);
	assert_int_equal(hc_grpc_request("a.B", out), 10);
	assert_memory_equal(out,
			    "\0\0\0\0\x05\x0a\x03"
			    "a.B",
			    10);
	memset(longest, 's', CHECK_SERVICE_MAX);
	assert_int_equal(hc_grpc_request(longest, out), HC_GRPC_REQUEST_MAX);
	assert_memory_equal(out, "\0\0\0\x01\x02\x0a\xff\x01s", 9);
	longest[128] = '\0';
	assert_int_equal(hc_grpc_request(longest, out), 5 + 3 + 128);
	assert_memory_equal(out, "\0\0\0\0\x83\x0a\x80\x01s", 9);
	longest[127] = '\0';
	assert_int_equal(hc_grpc_request(longest, out), 5 + 2 + 127);
	assert_memory_equal(out, "\0\0\0\0\x81\x0a\x7fs", 8);
}

static void a_response_is_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const uint8_t *data;
		size_t len;
		int want; /* enum hc_grpc_serving; -1: none */
	} rows[] = {
		{ BYTES("\0\0\0\0\x02\x08\x01"), HC_GRPC_SERVING },
		{ BYTES("\0\0\0\0\x02\x08\x02"), HC_GRPC_NOT_SERVING },
		{ BYTES("\0\0\0\0\x02\x08\x03"), HC_GRPC_SERVICE_UNKNOWN },
		{ BYTES("\0\0\0\0\x02\x08\x00"), HC_GRPC_SERVING_UNKNOWN },
		{ BYTES("\0\0\0\0\x00"), HC_GRPC_SERVING_UNKNOWN },
		{ BYTES("\0\0\0\0\x02\x08\x09"), HC_GRPC_SERVING_UNKNOWN },
		/* More bytes than it needs, and as many as there can be. */
		{ BYTES("\0\0\0\0\x04\x08\x81\x80\x00"), HC_GRPC_SERVING },
		{ BYTES("\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		  HC_GRPC_SERVING_UNKNOWN },
		{ BYTES("\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -1 },
		/* The last counts. */
		{ BYTES("\0\0\0\0\x04\x08\x02\x08\x01"), HC_GRPC_SERVING },
		/* Fields of any kind that nobody knows, around it. */
		{ BYTES("\0\0\0\0\x18\x10\x05\x1a\x02hi\x08\x01\x21"
			"12345678"
			"\x2d"
			"1234"
			"\x0a\0"),
		  HC_GRPC_SERVING },
		{ BYTES("\0\0\0\0\x03\x1a\x02h"), -1 },
		{ BYTES("\0\0\0\0\x0b\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -1 },
		{ BYTES("\0\0\0\0\x03\x21"
			"12"),
		  -1 },
		{ BYTES("\0\0\0\0\x03\x2d"
			"12"),
		  -1 },
		{ BYTES("\0\0\0\0\x02\x0b\x0c"), -1 }, /* a group */
		{ BYTES("\0\0\0\0\x02\x0f\x01"), -1 }, /* a kind there is not */
		{ BYTES("\0\0\0\0\x02\x00\x01"), -1 }, /* a field there is not */
		{ BYTES("\0\0\0\0\x01\x08"), -1 },
		{ BYTES("\0\0\0\0\x02\x08\x81"), -1 },
		{ BYTES("\0\0\0\0\x01\x88"), -1 },
		/* Short, with something behind it, compressed, huge, or none. */
		{ BYTES("\0\0\0\0\x03\x08\x01"), -1 },
		{ BYTES("\0\0\0\0\x01\x08\x01"), -1 },
		{ BYTES("\x01\0\0\0\x02\x08\x01"), -1 },
		{ BYTES("\0\xff\xff\xff\xff\x08\x01"), -1 },
		{ BYTES("\0\0\0\0"), -1 },
		{ BYTES(""), -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum hc_grpc_serving got = HC_GRPC_SERVING;
		uint8_t *copy = xmalloc(rows[i].len + 1); /* a step beyond it is seen */

		memcpy(copy, rows[i].data, rows[i].len);
		if (hc_grpc_response(copy, rows[i].len, &got) != (rows[i].want >= 0))
			fail_msg("row %zu", i);
		if (rows[i].want >= 0)
			assert_int_equal(got, rows[i].want);
		free(copy);
	}
}

/* --- what is asked --------------------------------------------------------------------- */

static const struct endpoint there = { .addr = { { 10, 0, 0, 7 }, AF_INET },
				       .protocol = IPPROTO_TCP,
				       .port = 50051 };

/* A server of the same library reads what is asked. */
struct server {
	char fields[1024];
	uint8_t body[512];
	size_t body_len;
	bool ended;
};

static int hear_field(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name,
		      size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		      void *arg)
{
	struct server *server = arg;
	size_t at = strlen(server->fields);

	(void)s;
	(void)f;
	(void)flags;
	snprintf(server->fields + at, sizeof(server->fields) - at, "%.*s=%.*s\n", (int)name_len,
		 (const char *)name, (int)value_len, (const char *)value);
	return 0;
}

static int hear_data(nghttp2_session *s, uint8_t flags, int32_t stream, const uint8_t *data,
		     size_t len, void *arg)
{
	struct server *server = arg;

	(void)s;
	(void)flags;
	(void)stream;
	assert_true(len <= sizeof(server->body) - server->body_len);
	memcpy(server->body + server->body_len, data, len);
	server->body_len += len;
	return 0;
}

static int hear_frame(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
	struct server *server = arg;

	(void)s;
	if (frame->hd.type == NGHTTP2_DATA && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		server->ended = true;
	return 0;
}

static void serve(struct server *server, const struct buf *said)
{
	nghttp2_session_callbacks *calls;
	nghttp2_session *session;

	*server = (struct server){ .ended = false };
	assert_int_equal(nghttp2_session_callbacks_new(&calls), 0);
	nghttp2_session_callbacks_set_on_header_callback(calls, hear_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, hear_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, hear_frame);
	assert_int_equal(nghttp2_session_server_new(&session, calls, server), 0);
	assert_int_equal(nghttp2_session_mem_recv(session, said->data, said->len), said->len);
	nghttp2_session_del(session);
	nghttp2_session_callbacks_del(calls);
}

static const struct hc_protocol *const grpc = &hc_grpc_protocol;

static void begin(struct hc_grpc *g, const struct check *c)
{
	memset(g, 0, sizeof(*g));
	grpc->begin(g, c, &there, NULL);
}

static bool is_over(const struct hc_grpc *g)
{
	return g->head.phase == HC_TALK_OVER;
}

static void all_is_asked_at_once(void **state)
{
	static const char fields[] = ":method=POST\n:scheme=http\n"
				     ":path=/grpc.health.v1.Health/Check\n"
				     ":authority=10.0.0.7:50051\nte=trailers\n"
				     "grpc-timeout=1000m\ncontent-type=application/grpc\n"
				     "user-agent=parasaus-probe/";
	struct check *c = check_new(CHECK_GRPC);
	struct server server;
	struct hc_grpc g;

	(void)state;
	begin(&g, c);
	assert_false(is_over(&g));
	serve(&server, &g.head.out);
	assert_memory_equal(server.fields, fields, sizeof(fields) - 1);
	/* Behind them the version that grpc.c was built as, and nothing else. */
	assert_string_equal(strchr(server.fields + sizeof(fields) - 1, '\n'), "\n");
	assert_int_equal(server.body_len, 5);
	assert_memory_equal(server.body, "\0\0\0\0\0", 5);
	assert_true(server.ended);
	grpc->end(&g);

	c->host = xcalloc(1, CHECK_HOST_MAX + 1);
	memset(c->host, 'h', CHECK_HOST_MAX);
	c->service = xcalloc(1, CHECK_SERVICE_MAX + 1);
	memset(c->service, 's', CHECK_SERVICE_MAX);
	begin(&g, c);
	serve(&server, &g.head.out);
	assert_non_null(strstr(server.fields, "\n:authority=hhh"));
	assert_int_equal(server.body_len, HC_GRPC_REQUEST_MAX);
	assert_true(server.ended);
	grpc->end(&g);
	check_unref(c);
}

static void inside_tls_it_is_asked_who_is_trusted(void **state)
{
	struct check *c = check_new(CHECK_GRPC);
	struct server server;
	struct hc_grpc g;

	(void)state;
	c->tls = CHECK_TLS_REQUIRED;
	begin(&g, c);
	assert_int_equal(g.head.phase, HC_TALK_SECURING);
	assert_int_equal(g.head.out.len, 0);
	grpc->secured(&g, HC_REASON_OK);
	serve(&server, &g.head.out);
	assert_non_null(strstr(server.fields, "\n:scheme=https\n"));
	grpc->end(&g);

	begin(&g, c);
	grpc->secured(&g, HC_REASON_NO_HTTP2);
	assert_true(is_over(&g));
	assert_int_equal(g.head.outcome.reason, HC_REASON_NO_HTTP2);
	assert_int_equal(g.head.out.len, 0);
	grpc->end(&g);
	check_unref(c);
}

/* --- what an answer means ------------------------------------------------------------ */

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION };
enum { NO_FLAGS = 0, ACK = 1, END_STREAM = 1, END_HEADERS = 4, END = END_STREAM | END_HEADERS };

struct frame {
	uint8_t type, flags;
	const char *payload;
	size_t len;
	uint32_t stream; /* 0 for a type that has one: the call's */
};

#define F(type, flags, payload)                                    \
	{                                                          \
		(type), (flags), (payload), sizeof(payload) - 1, 0 \
	}

/* Header fields as HPACK has them: of the static table, or written out. */
#define STATUS_200 "\x88"
#define STATUS_404 "\x8d"
#define STATUS_503 \
	"\x08\x03" \
	"503"
#define IS_GRPC        \
	"\x0f\x10\x10" \
	"application/grpc"
#define GRPC(digit) \
	"\x00\x0b"  \
	"grpc-status\x01" digit
#define GRPC2(text) \
	"\x00\x0b"  \
	"grpc-status\x02" text
#define MESSAGE            \
	"\x00\x0c"         \
	"grpc-message\x04" \
	"oops"

#define HELLO	  F(SETTINGS, NO_FLAGS, "")
#define ANSWERS	  F(HEADERS, END_HEADERS, STATUS_200 IS_GRPC)
#define SAYS(s)	  F(DATA, NO_FLAGS, "\0\0\0\0\x02\x08" s)
#define TRAILS(s) F(HEADERS, END, GRPC(s))
#define ONLY(s)	  F(HEADERS, END, STATUS_200 IS_GRPC s)

struct row {
	const char *name;
	struct frame frames[8];
	enum hc_reason reason; /* NONE: not over */
	int32_t detail;
	bool closes;
};

static const struct row rows[] = {
	{ "serving", { HELLO, ANSWERS, SAYS("\x01"), TRAILS("0") }, HC_REASON_OK, 0, false },
	{ "not serving",
	  { HELLO, ANSWERS, SAYS("\x02"), TRAILS("0") },
	  HC_REASON_NOT_SERVING,
	  0,
	  false },
	{ "unknown",
	  { HELLO, ANSWERS, SAYS("\x00"), TRAILS("0") },
	  HC_REASON_NOT_SERVING,
	  0,
	  false },
	{ "a service that Watch would wait for",
	  { HELLO, ANSWERS, SAYS("\x03"), TRAILS("0") },
	  HC_REASON_SERVICE_UNKNOWN,
	  0,
	  false },
	{ "no such service",
	  { HELLO, ONLY(GRPC("5") MESSAGE) },
	  HC_REASON_SERVICE_UNKNOWN,
	  0,
	  false },
	{ "no health service",
	  { HELLO, ONLY(GRPC2("12") MESSAGE) },
	  HC_REASON_NO_HEALTH_SERVICE,
	  0,
	  false },
	{ "too late, as it says itself", { HELLO, ONLY(GRPC("4")) }, HC_REASON_TIMEOUT, 0, false },
	{ "unavailable", { HELLO, ONLY(GRPC2("14")) }, HC_REASON_GRPC_STATUS, 14, false },
	{ "serving, and yet a failure",
	  { HELLO, ANSWERS, SAYS("\x01"), TRAILS("2") },
	  HC_REASON_GRPC_STATUS,
	  2,
	  false },
	{ "a status that is no number", { HELLO, ONLY(GRPC("x")) }, HC_REASON_BAD_REPLY, 0, false },
	{ "well, without a message", { HELLO, ONLY(GRPC("0")) }, HC_REASON_BAD_REPLY, 0, false },
	{ "no trailers",
	  { HELLO, ANSWERS, F(DATA, END_STREAM, "\0\0\0\0\x02\x08\x01") },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
	{ "not yet all of it", { HELLO, ANSWERS, SAYS("\x01") }, HC_REASON_NONE, 0, false },
	{ "... and then nothing", { HELLO, ANSWERS, SAYS("\x01") }, HC_REASON_CLOSED, 0, true },
	{ "the message in two pieces",
	  { HELLO, ANSWERS, F(DATA, NO_FLAGS, "\0\0\0"), F(DATA, NO_FLAGS, ""),
	    F(DATA, NO_FLAGS, "\0\x02\x08\x01"), TRAILS("0") },
	  HC_REASON_OK,
	  0,
	  false },
	{ "two messages",
	  { HELLO, ANSWERS, SAYS("\x01"), SAYS("\x01"), TRAILS("0") },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
	{ "trailers in two pieces",
	  { HELLO, ANSWERS, SAYS("\x01"),
	    F(HEADERS, END_STREAM,
	      "\x00\x0b"
	      "grpc-"),
	    F(CONTINUATION, END_HEADERS,
	      "status\x01"
	      "0") },
	  HC_REASON_OK,
	  0,
	  false },
	{ "with all that may come in between",
	  { F(SETTINGS, NO_FLAGS, "\0\x04\0\x10\0\0"), F(WINDOW, NO_FLAGS, "\0\0\xff\0"),
	    F(PING, NO_FLAGS, "12345678"), F(SETTINGS, ACK, ""), F(0x2a, 0xff, "grease"), ANSWERS,
	    SAYS("\x01"), TRAILS("0") },
	  HC_REASON_OK,
	  0,
	  false },
	{ "an answer of HTTP",
	  { HELLO, F(HEADERS, END, STATUS_404) },
	  HC_REASON_STATUS,
	  404,
	  false },
	{ "... with a body",
	  { HELLO, F(HEADERS, END_HEADERS, STATUS_503), F(DATA, END_STREAM, "<html>") },
	  HC_REASON_STATUS,
	  503,
	  false },
	{ "a page of HTTP",
	  { HELLO, F(HEADERS, END_HEADERS, STATUS_200), F(DATA, END_STREAM, "<html>") },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
	{ "a call that is refused",
	  { HELLO, F(RST, 0, "\0\0\0\x07") },
	  HC_REASON_BROKEN_OFF,
	  7,
	  false },
	{ "a code of its own",
	  { HELLO, F(RST, 0, "\xff\xff\xff\xff") },
	  HC_REASON_BROKEN_OFF,
	  INT32_MAX,
	  false },
	{ "broken off in the middle",
	  { HELLO, ANSWERS, SAYS("\x01"), F(RST, 0, "\0\0\0\x02") },
	  HC_REASON_BROKEN_OFF,
	  2,
	  false },
	{ "broken off in peace, without an answer",
	  { HELLO, F(RST, 0, "\0\0\0\0") },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
	{ "it leaves", { HELLO, F(GOAWAY, 0, "\0\0\0\0\0\0\0\0") }, HC_REASON_SHUTDOWN, 0, false },
	{ "it leaves, and answers all the same",
	  { HELLO, F(GOAWAY, 0, "\0\0\0\x01\0\0\0\0"), ANSWERS, SAYS("\x01"), TRAILS("0") },
	  HC_REASON_OK,
	  0,
	  false },
	{ "it leaves, and wanted to answer",
	  { HELLO, F(GOAWAY, 0, "\0\0\0\x01\0\0\0\0"), ANSWERS },
	  HC_REASON_SHUTDOWN,
	  0,
	  true },
	{ "it has had enough",
	  { HELLO, F(GOAWAY, 0,
		     "\0\0\0\0\0\0\0\x0b"
		     "too_many_pings") },
	  HC_REASON_BROKEN_OFF,
	  11,
	  false },
	{ "... of what it has begun, too",
	  { HELLO, F(GOAWAY, 0, "\0\0\0\x01\0\0\0\x01") },
	  HC_REASON_BROKEN_OFF,
	  1,
	  true },
	/* What nobody may say. */
	{ "no settings", { ANSWERS }, HC_REASON_BAD_REPLY, 0, false },
	{ "a push",
	  { HELLO, F(PUSH, END_HEADERS, "\0\0\0\x02\x82\x84\x87\x01\x01h") },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
	{ "a stream of its own",
	  { HELLO, { HEADERS, END, STATUS_200, 1, 2 } },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
	{ "a settings frame that is none",
	  { F(SETTINGS, NO_FLAGS, "12345") },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
	{ "fields that are none",
	  { HELLO, F(HEADERS, END, "\xff\xff\xff\xff") },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
	{ "a body before its head", { HELLO, SAYS("\x01") }, HC_REASON_BAD_REPLY, 0, false },
	{ "windows that overflow",
	  { HELLO, F(WINDOW, NO_FLAGS, "\x7f\xff\xff\xff") },
	  HC_REASON_BAD_REPLY,
	  0,
	  false },
};

static void put_frame(struct buf *b, const struct frame *f)
{
	const bool has_stream = f->type != SETTINGS && f->type != PING && f->type != GOAWAY;
	const uint32_t stream = f->stream ? f->stream : has_stream;
	const uint8_t head[9] = { (uint8_t)(f->len >> 16),
				  (uint8_t)(f->len >> 8),
				  (uint8_t)f->len,
				  f->type,
				  f->flags,
				  0,
				  0,
				  0,
				  (uint8_t)stream };

	buf_put(b, head, sizeof(head));
	buf_put(b, f->payload, f->len);
}

static void feed_in_pieces(struct hc_grpc *g, const struct buf *said, size_t piece)
{
	for (size_t at = 0; at < said->len; at += piece) {
		size_t left = said->len - at;

		grpc->feed(g, said->data + at, piece < left ? piece : left);
	}
}

static void play(const struct row *row, const struct buf *said, size_t piece)
{
	struct check *c = check_new(CHECK_GRPC);
	struct hc_grpc g;

	begin(&g, c);
	feed_in_pieces(&g, said, piece);
	if (row->closes)
		grpc->closed(&g);
	if (is_over(&g) != (row->reason != HC_REASON_NONE) ||
	    g.head.outcome.reason != row->reason || g.head.outcome.detail != row->detail)
		fail_msg("%s, %zu at a time: %s %d", row->name, piece,
			 hc_reason_text(g.head.outcome.reason), g.head.outcome.detail);
	grpc->end(&g);
	check_unref(c);
}

static void an_answer_means_the_same_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf said = { 0 };

		for (size_t k = 0; k < ARRAY_LEN(rows[i].frames) && rows[i].frames[k].payload; k++)
			put_frame(&said, &rows[i].frames[k]);
		for (size_t piece = 1; piece <= said.len; piece++)
			play(&rows[i], &said, piece);
		buf_done(&said);
	}
}

/* Of a good answer each beginning, and then one frame that breaks it off. */
static void a_reset_anywhere_is_no_answer(void **state)
{
	static const struct frame good[] = { HELLO, ANSWERS, SAYS("\x01"), TRAILS("0") };
	static const struct frame reset = F(RST, 0, "\0\0\0\x08");

	(void)state;
	for (size_t n = 1; n < ARRAY_LEN(good); n++) {
		struct row row = { "a reset", { { 0 } }, HC_REASON_BROKEN_OFF, 8, false };
		struct buf said = { 0 };

		for (size_t i = 0; i < n; i++)
			put_frame(&said, &good[i]);
		put_frame(&said, &reset);
		play(&row, &said, said.len);
		buf_done(&said);
	}
}

/* --- what never ends --------------------------------------------------------------- */

/* Says HELLO and `first`, then the same again and again; how many bytes it takes to be over. */
static struct hc_outcome flood(const struct frame *first, const struct frame *again, size_t *bytes)
{
	struct buf first_said = { 0 }, more = { 0 };
	static const struct frame hello = HELLO;
	struct check *c = check_new(CHECK_GRPC);
	struct hc_outcome o;
	struct hc_grpc g;

	begin(&g, c);
	put_frame(&first_said, &hello);
	if (first)
		put_frame(&first_said, first);
	put_frame(&more, again);
	grpc->feed(&g, first_said.data, first_said.len);
	for (*bytes = first_said.len; !is_over(&g) && *bytes <= 2 * HC_GRPC_BYTES_MAX;
	     *bytes += more.len)
		grpc->feed(&g, more.data, more.len);
	assert_true(is_over(&g));
	assert_true(g.head.out.len < 4096);
	o = g.head.outcome;
	grpc->end(&g);
	check_unref(c);
	buf_done(&first_said);
	buf_done(&more);
	return o;
}

static void what_never_ends_is_too_long(void **state)
{
	static char zeros[16384];
	static const struct frame head = F(HEADERS, NO_FLAGS, STATUS_200), answers = ANSWERS;
	const struct frame rows_of[][2] = {
		{ { 0 }, F(PING, NO_FLAGS, "12345678") },
		{ { 0 }, F(SETTINGS, NO_FLAGS, "\0\x04\0\x10\0\0") },
		{ { 0 }, F(WINDOW, NO_FLAGS, "\0\0\0\x01") },
		{ { 0 }, F(0x2a, NO_FLAGS, "") },
		{ { 0 }, { 0x2a, NO_FLAGS, zeros, sizeof(zeros), 0 } },
		{ answers, F(DATA, NO_FLAGS, "") },
		{ answers, F(DATA, NO_FLAGS, "0123456789012345") },
		{ answers, { DATA, NO_FLAGS, zeros, sizeof(zeros), 0 } },
		{ head, F(CONTINUATION, NO_FLAGS, "") },
		{ head, F(CONTINUATION, NO_FLAGS,
			  "\x00\x01"
			  "a\x01"
			  "b") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows_of); i++) {
		const struct frame *first = &rows_of[i][0];
		size_t bytes;
		struct hc_outcome o = flood(first->payload ? first : NULL, &rows_of[i][1], &bytes);

		/* Of one header the library takes fewer pieces than we do. */
		if (o.reason != HC_REASON_TOO_LONG &&
		    !(first->payload == head.payload && o.reason == HC_REASON_BAD_REPLY))
			fail_msg("row %zu: %s", i, hc_reason_text(o.reason));
		assert_true(bytes <= HC_GRPC_BYTES_MAX + sizeof(zeros) + 9);
	}
}

/* 4096 bytes of a field that is put into the table, and named again by one byte each. */
static void fields_that_unpack_to_much_are_too_long(void **state)
{
	static const struct frame hello = HELLO;
	struct frame bomb = { HEADERS, END_HEADERS, NULL, 0, 0 };
	struct row row = { "a bomb", { { 0 } }, HC_REASON_TOO_LONG, 0, false };
	struct buf said = { 0 }, fields = { 0 };

	(void)state;
	buf_put(&fields,
		STATUS_200 "\x40\x01"
			   "a\x7f\xf1\x1d",
		7); /* 3952 bytes follow */
	memset(buf_add(&fields, 3952), 'v', 3952);
	memset(buf_add(&fields, 8192), 0xbe, 8192);
	bomb.payload = (const char *)fields.data;
	bomb.len = fields.len;
	put_frame(&said, &hello);
	put_frame(&said, &bomb);
	play(&row, &said, said.len);
	play(&row, &said, 1);
	buf_done(&said);
	buf_done(&fields);
}

/* More of them in one frame than there are settings. */
static void a_huge_settings_frame_is_refused(void **state)
{
	char payload[16380];
	struct frame huge = { SETTINGS, NO_FLAGS, payload, sizeof(payload), 0 };
	struct row row = { "huge settings", { { 0 } }, HC_REASON_BAD_REPLY, 0, false };
	struct buf said = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i += 6)
		memcpy(payload + i, "\0\x04\0\x10\0\0", 6);
	put_frame(&said, &huge);
	play(&row, &said, said.len);
	play(&row, &said, 1);
	buf_done(&said);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(inside_tls_it_is_asked_who_is_trusted),
		cmocka_unit_test(a_request_names_its_service),
		cmocka_unit_test(a_response_is_read_whole_or_not_at_all),
		cmocka_unit_test(all_is_asked_at_once),
		cmocka_unit_test(an_answer_means_the_same_in_any_pieces),
		cmocka_unit_test(a_reset_anywhere_is_no_answer),
		cmocka_unit_test(what_never_ends_is_too_long),
		cmocka_unit_test(fields_that_unpack_to_much_are_too_long),
		cmocka_unit_test(a_huge_settings_frame_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
