/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/https.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/value.h"
#include "healthcheck/talk.h"

void hc_https_server_name(const struct check *c, char out[static CHECK_HOST_MAX + 1])
{
	const char *host = c->host ? c->host : "";
	size_t len = strcspn(host, ":");

	/* "[2001:db8::1]:443"; and who writes an address of IPv6 without brackets means no port. */
	if (host[0] == '[')
		len = strcspn(++host, "]");
	else if (host[len] && strchr(host + len + 1, ':'))
		len = strlen(host);
	snprintf(out, CHECK_HOST_MAX + 1, "%.*s", (int)len, host);
	if (c->server_name)
		snprintf(out, CHECK_HOST_MAX + 1, "%s", c->server_name);
	else if (!value_is_server_name(out))
		out[0] = '\0'; /* good for a Host header, and in no certificate */
}

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	struct hc_https *h = talk;

	(void)who; /* trust is talk.c's matter */
	h->check = c;
	h->to = to;
	hc_http_reply_init(&h->reply, c);
	hc_https_server_name(c, h->name);
}

static void end(void *talk)
{
	buf_done(&((struct hc_https *)talk)->out);
}

static void feed(void *talk, const uint8_t *data, size_t len)
{
	struct hc_https *h = talk;

	(void)!hc_http_reply_feed(&h->reply, data, len);
}

static void closed(void *talk)
{
	hc_http_reply_closed(&((struct hc_https *)talk)->reply);
}

static void conclude(struct hc_https *h, enum hc_reason reason)
{
	h->reply.state = HC_HTTP_DONE;
	h->reply.outcome = (struct hc_outcome){ reason, 0 };
}

static void secured(void *talk, enum hc_reason trust)
{
	struct hc_https *h = talk;
	char request[HC_HTTP_REQUEST_MAX];

	h->is_secured = true;
	if (trust != HC_REASON_OK)
		conclude(h, trust);
	else
		buf_put(&h->out, request,
			hc_http_request(h->check, h->to, request, sizeof(request)));
}

static const char *server_name(const void *talk)
{
	const struct hc_https *h = talk;

	return h->name[0] ? h->name : NULL;
}

static enum hc_talk_phase phase(const void *talk, struct hc_outcome *out)
{
	const struct hc_https *h = talk;

	if (h->reply.state != HC_HTTP_DONE)
		return h->is_secured ? HC_TALK_ON : HC_TALK_SECURING;
	*out = h->reply.outcome;
	return HC_TALK_OVER;
}

static struct buf *out(void *talk)
{
	return &((struct hc_https *)talk)->out;
}

const struct hc_protocol hc_https_protocol = {
	.size = sizeof(struct hc_https),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
	.secured = secured,
	.server_name = server_name,
	.phase = phase,
	.out = out,
};
