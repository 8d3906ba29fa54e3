/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The https probe: the http probe's question and answer (RFC 9110) over TLS.
 *
 * Whether the server is to be trusted is known before it is asked anything: one
 * that is not hears no request. An answer is judged by http_reply.h, and once it
 * is whole the connection ends, by RST: the server's own goodbye is not waited
 * for, and no TIME_WAIT stays with us.
 */
#include "healthcheck/http_reply.h"
#include "healthcheck/talk.h"

struct https {
	struct hc_talk_head head;
	const struct check *check;
	const struct endpoint *to;
	struct hc_http_reply reply;
};

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	struct https *h = talk;

	(void)who; /* trust is talk.c's matter */
	h->check = c;
	h->to = to;
	h->head.phase = HC_TALK_SECURING;
	hc_http_reply_init(&h->reply, c);
}

static void end(void *talk)
{
	buf_done(&((struct https *)talk)->head.out);
}

static void secured(void *talk, enum hc_reason trust)
{
	char request[HC_HTTP_REQUEST_MAX];
	struct https *h = talk;

	if (hc_talk_trusts(&h->head, trust))
		buf_put(&h->head.out, request,
			hc_http_request(h->check, h->to, true, request, sizeof(request)));
}

static void feed(void *talk, const uint8_t *data, size_t len)
{
	struct https *h = talk;

	if (hc_http_reply_feed(&h->reply, data, len))
		hc_talk_conclude(&h->head, h->reply.outcome.reason, h->reply.outcome.detail);
}

static void closed(void *talk)
{
	struct https *h = talk;

	hc_http_reply_closed(&h->reply);
	hc_talk_conclude(&h->head, h->reply.outcome.reason, h->reply.outcome.detail);
}

const struct hc_protocol hc_https_protocol = {
	.size = sizeof(struct https),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
	.secured = secured,
};
