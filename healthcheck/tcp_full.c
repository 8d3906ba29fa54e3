/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/tcp_full.h"

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	uint8_t send[CHECK_BYTES_MAX];
	struct hc_full *f = talk;

	(void)to;
	(void)who; /* a check without a login */
	buf_put(&f->head.out, send, check_bytes(c->send, send));
	hc_match_init(&f->match, f->answer, check_bytes(c->answer, (uint8_t *)f->answer));
	if (!c->send && !c->answer)
		hc_talk_conclude(&f->head, HC_REASON_OK, 0);
}

static void end(void *talk)
{
	buf_done(&((struct hc_full *)talk)->head.out);
}

static void feed(void *talk, const uint8_t *data, size_t len)
{
	struct hc_full *f = talk;
	size_t look = HC_FULL_LOOK - f->heard;

	if (len < look)
		look = len;
	f->heard += (uint32_t)look;
	hc_match_feed(&f->match, (const char *)data, look);
	if (f->match.found)
		hc_talk_conclude(&f->head, HC_REASON_OK, 0);
	else if (f->heard == HC_FULL_LOOK)
		hc_talk_conclude(&f->head, HC_REASON_NO_MATCH, 0);
}

static void closed(void *talk)
{
	struct hc_full *f = talk;

	hc_talk_conclude(&f->head, f->heard ? HC_REASON_NO_MATCH : HC_REASON_CLOSED, 0);
}

/* Ends by RST: what was waited for was read, and no TIME_WAIT stays behind. */
const struct hc_protocol hc_full_protocol = {
	.size = sizeof(struct hc_full),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
};
