/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/grpc.h"

#include <assert.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/value.h"

#define CHECK_PATH	   "/grpc.health.v1.Health/Check"
#define FIELD_OVERHEAD	   32
#define STATUS_DIGITS_MAX  3
#define STATUS_NOT_SAID	   (-1)
#define STATUS_NO_NUMBER   (-2)
#define HTTP_OK		   200
#define TIMEOUT_TEXT_MAX   16
#define GRPC_LATE	   4 /* DEADLINE_EXCEEDED: it was told how long we wait */
#define GRPC_NOT_FOUND	   5
#define GRPC_UNIMPLEMENTED 12

/* The first counts: what a server says behind it is of no interest. */
static void conclude_with(struct hc_grpc *g, enum hc_reason reason, int32_t detail)
{
	hc_talk_conclude(&g->head, reason, detail);
}

static void conclude(struct hc_grpc *g, enum hc_reason reason)
{
	conclude_with(g, reason, 0);
}

static bool is_over(const struct hc_grpc *g)
{
	return g->head.phase == HC_TALK_OVER;
}

/* --- what an answer means ------------------------------------------------------------ */

static void judge_message(struct hc_grpc *g)
{
	enum hc_grpc_serving serving;

	if (!hc_grpc_response(g->body, g->body_len, &serving))
		conclude(g, HC_REASON_BAD_REPLY);
	else if (serving == HC_GRPC_SERVING)
		conclude(g, HC_REASON_OK);
	else if (serving == HC_GRPC_SERVICE_UNKNOWN)
		conclude(g, HC_REASON_SERVICE_UNKNOWN);
	else
		conclude(g, HC_REASON_NOT_SERVING);
}

static void judge_status(struct hc_grpc *g)
{
	switch (g->grpc_status) {
	case STATUS_NOT_SAID:
	case STATUS_NO_NUMBER:
		conclude(g, HC_REASON_BAD_REPLY);
		break;
	case 0:
		judge_message(g);
		break;
	case GRPC_LATE:
		conclude(g, HC_REASON_TIMEOUT);
		break;
	case GRPC_NOT_FOUND:
		conclude(g, HC_REASON_SERVICE_UNKNOWN);
		break;
	case GRPC_UNIMPLEMENTED:
		conclude(g, HC_REASON_NO_HEALTH_SERVICE);
		break;
	default:
		conclude_with(g, HC_REASON_GRPC_STATUS, g->grpc_status);
	}
}

/* A server that ends in peace says so by NO_ERROR. */
static void judge_broken(struct hc_grpc *g, int64_t code)
{
	if (g->goaway == NGHTTP2_NO_ERROR)
		conclude(g, HC_REASON_SHUTDOWN);
	else
		conclude_with(g, HC_REASON_BROKEN_OFF,
			      code < INT32_MAX ? (int32_t)code : INT32_MAX);
}

/* By ourselves, for what it said: neither in peace, nor reset by it, nor left behind by its goodbye. */
static bool is_broken_by_us(const struct hc_grpc *g, uint32_t code)
{
	return code != NGHTTP2_NO_ERROR && !g->is_reset &&
	       !(g->goaway >= 0 && code == NGHTTP2_REFUSED_STREAM);
}

/* What it had said before counts, if that is bad enough. */
static void judge_nonsense(struct hc_grpc *g)
{
	if (g->http_status && g->http_status != HTTP_OK)
		conclude_with(g, HC_REASON_STATUS, g->http_status);
	else if (g->grpc_status > 0)
		judge_status(g);
	else
		conclude(g, HC_REASON_BAD_REPLY);
}

/* The stream has ended. Some put all they have to say before a reset (RFC 9113 section 8.1). */
static void judge(struct hc_grpc *g, uint32_t code)
{
	if (is_broken_by_us(g, code))
		judge_nonsense(g);
	else if (g->http_status && g->http_status != HTTP_OK)
		conclude_with(g, HC_REASON_STATUS, g->http_status);
	else if (g->grpc_status >= 0 || code == NGHTTP2_NO_ERROR)
		judge_status(g);
	else
		judge_broken(g, g->goaway > 0 ? g->goaway : code);
}

/* --- what the session tells ------------------------------------------------------------ */

static int more_or_stop(const struct hc_grpc *g)
{
	return is_over(g) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct hc_grpc *g = arg;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		g->goaway = frame->goaway.error_code;
	else if (frame->hd.type == NGHTTP2_RST_STREAM)
		g->is_reset = true;
	return more_or_stop(g);
}

static int32_t number_of(nghttp2_vec text)
{
	int32_t n = 0;

	if (text.len == 0 || text.len > STATUS_DIGITS_MAX)
		return STATUS_NO_NUMBER;
	for (size_t i = 0; i < text.len; i++) {
		if (text.base[i] < '0' || text.base[i] > '9')
			return STATUS_NO_NUMBER;
		n = n * 10 + (text.base[i] - '0');
	}
	return n;
}

static bool is_named(nghttp2_vec name, const char *what)
{
	return name.len == strlen(what) && memcmp(name.base, what, name.len) == 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		    nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
	struct hc_grpc *g = arg;

	(void)session;
	(void)frame;
	(void)flags;
	g->header_bytes += (uint32_t)(n.len + v.len + FIELD_OVERHEAD);
	if (g->header_bytes > HC_GRPC_HEADERS_MAX)
		conclude(g, HC_REASON_TOO_LONG);
	else if (is_named(n, ":status"))
		g->http_status = number_of(v);
	else if (is_named(n, "grpc-status"))
		g->grpc_status = number_of(v);
	return more_or_stop(g);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *arg)
{
	struct hc_grpc *g = arg;

	(void)session;
	(void)flags;
	(void)stream;
	if (len > sizeof(g->body) - g->body_len) {
		conclude(g, HC_REASON_TOO_LONG);
	} else {
		memcpy(g->body + g->body_len, data, len);
		g->body_len = (uint16_t)(g->body_len + len);
	}
	return more_or_stop(g);
}

static int on_stream_end(nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
	(void)session;
	(void)stream;
	judge(arg, code);
	return more_or_stop(arg);
}

/* --- what it is told ------------------------------------------------------------------- */

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	const struct hc_grpc *g = arg;

	(void)session;
	(void)stream;
	(void)source;
	assert(g->request_len <= size); /* a frame holds 16 KiB */
	memcpy(out, g->request, g->request_len);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return g->request_len;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
			     .value = (uint8_t *)(uintptr_t)value,
			     .namelen = strlen(name),
			     .valuelen = strlen(value) };
}

static int submit_request(struct hc_grpc *g, const char *authority, const char *timeout)
{
	const nghttp2_data_provider body = { .read_callback = read_request };
	const nghttp2_nv fields[] = {
		field(":method", "POST"),
		field(":scheme", g->check->tls == CHECK_TLS_REQUIRED ? "https" : "http"),
		field(":path", CHECK_PATH),
		field(":authority", authority),
		field("te", "trailers"),
		field("grpc-timeout", timeout),
		field("content-type", "application/grpc"),
		field("user-agent", "parasaus-probe/" PARASAUS_VERSION),
	};

	g->stream = nghttp2_submit_request(g->session, NULL, fields, ARRAY_LEN(fields), &body,
					   NULL);
	return g->stream < 0 ? -1 : 0;
}

static int submit(struct hc_grpc *g)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HC_GRPC_HEADERS_MAX },
	};
	char at[ENDPOINT_TEXT_MAX], timeout[TIMEOUT_TEXT_MAX];

	if (nghttp2_submit_settings(g->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) <
	    0)
		return -1;
	snprintf(timeout, sizeof(timeout), "%um", g->check->timeout_ms); /* milliseconds */
	return submit_request(g, g->check->host ? g->check->host : endpoint_text(g->to, at),
			      timeout);
}

static nghttp2_session *new_session(struct hc_grpc *g)
{
	nghttp2_session_callbacks *calls;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&calls) < 0)
		return NULL;
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
	nghttp2_session_callbacks_set_on_header_callback2(calls, on_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_stream_end);
	if (nghttp2_session_client_new(&session, calls, g) < 0)
		session = NULL;
	nghttp2_session_callbacks_del(calls);
	return session;
}

/* All that it has to say now, such as what acknowledges settings. */
static void collect(struct hc_grpc *g)
{
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(g->session, &data)) > 0)
		buf_put(&g->head.out, data, (size_t)n);
	if (n < 0)
		conclude_with(g, HC_REASON_NO_RESOURCE, ENOMEM);
}

static void ask(struct hc_grpc *g)
{
	g->session = new_session(g);
	if (!g->session || submit(g) < 0)
		conclude_with(g, HC_REASON_NO_RESOURCE, ENOMEM);
	else
		collect(g);
}

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	struct hc_grpc *g = talk;

	(void)who; /* trust is talk.c's matter */
	g->check = c;
	g->to = to;
	g->grpc_status = STATUS_NOT_SAID;
	g->goaway = -1;
	g->request_len = (uint16_t)hc_grpc_request(c->service, g->request);
	if (c->tls == CHECK_TLS_REQUIRED)
		g->head.phase = HC_TALK_SECURING;
	else
		ask(g);
}

static void secured(void *talk, enum hc_reason trust)
{
	struct hc_grpc *g = talk;

	if (hc_talk_trusts(&g->head, trust))
		ask(g);
}

static void end(void *talk)
{
	struct hc_grpc *g = talk;

	nghttp2_session_del(g->session);
	buf_done(&g->head.out);
}

static void give(struct hc_grpc *g, const uint8_t *data, size_t len)
{
	ssize_t n = nghttp2_session_mem_recv(g->session, data, len);

	if (n == NGHTTP2_ERR_NOMEM)
		conclude_with(g, HC_REASON_NO_RESOURCE, ENOMEM);
	else if (n < 0 && !is_over(g))
		judge_nonsense(g);
	if (is_over(g))
		return;
	collect(g);
	/* It was told goodbye for what it said. */
	if (!is_over(g) && !nghttp2_session_want_read(g->session))
		judge_nonsense(g);
}

/* What a frame begins with is here. */
static void on_head(struct hc_grpc *g)
{
	g->frame_len = 0;
	g->frame_left = (uint32_t)(g->frame[0] << 16 | g->frame[1] << 8 | g->frame[2]);
	if (++g->frames > HC_GRPC_FRAMES_MAX)
		conclude(g, HC_REASON_TOO_LONG);
	else if (g->frame[3] == NGHTTP2_PUSH_PROMISE) /* it may come until our settings are read */
		conclude(g, HC_REASON_BAD_REPLY);
	else
		give(g, g->frame, sizeof(g->frame));
}

/* To the end of a head or of a payload at most; returns how many. */
static size_t take(struct hc_grpc *g, const uint8_t *data, size_t len)
{
	size_t want = g->frame_left ? g->frame_left : sizeof(g->frame) - g->frame_len;
	size_t n = len < want ? len : want;

	if (g->frame_left) {
		g->frame_left -= (uint32_t)n;
		give(g, data, n);
		return n;
	}
	/* In pieces the library would count it as many (CONTINUATION). */
	memcpy(g->frame + g->frame_len, data, n);
	g->frame_len = (uint8_t)(g->frame_len + n);
	if (g->frame_len == sizeof(g->frame))
		on_head(g);
	return n;
}

static void feed(void *talk, const uint8_t *data, size_t len)
{
	struct hc_grpc *g = talk;
	size_t allowed = HC_GRPC_BYTES_MAX - g->bytes;
	size_t last = len < allowed ? len : allowed;

	for (size_t at = 0; at < last && !is_over(g);)
		at += take(g, data + at, last - at);
	g->bytes += (uint32_t)last;
	if (len > allowed)
		conclude(g, HC_REASON_TOO_LONG);
}

static void closed(void *talk)
{
	struct hc_grpc *g = talk;

	if (g->goaway >= 0)
		judge_broken(g, g->goaway);
	else
		conclude(g, HC_REASON_CLOSED);
}

const struct hc_protocol hc_grpc_protocol = {
	.size = sizeof(struct hc_grpc),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
	.secured = secured,
	.alpn = "h2",
};
