/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The https probe: the http probe's question and answer (RFC 9110) over TLS.
 *
 * Whether the server is to be trusted is known before it is asked anything: one
 * that is not hears no request. An answer is judged by http_reply.h, and once it
 * is whole the connection is kept, where it may serve another probe, or ends, by
 * RST: the server's own goodbye is not waited for, and no TIME_WAIT stays with us.
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

static void ask(struct https *h, bool is_last)
{
	char request[HC_HTTP_REQUEST_MAX];

	buf_put(&h->head.out, request,
		hc_http_request(h->check, h->to, is_last, request, sizeof(request)));
}

static void secured(void *talk, enum hc_reason trust)
{
	struct https *h = talk;

	if (hc_talk_trusts(&h->head, trust))
		ask(h, h->check->reuse <= 1);
}

static bool may_go_on(const void *talk)
{
	return hc_http_reply_persists(&((const struct https *)talk)->reply);
}

static void go_on(void *talk, bool is_last)
{
	struct https *h = talk;

	h->head.phase = HC_TALK_ON;
	hc_http_reply_init(&h->reply, h->check);
	ask(h, is_last);
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
	.may_go_on = may_go_on,
	.go_on = go_on,
};
